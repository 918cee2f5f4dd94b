"""Transposed convolution layers and the size of their output."""

from typing import Any

from torch import ones

from lawbook.fixtures.cases import convolution as domains
from lawbook.fixtures.published import convolution as published
from lawbook.reference import convolution
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_convolution.laws import TransposedLaws, each, edge_transposed, invalid_transposed


class TestConvTranspose1d(TransposedLaws, Spec):
    component = convolution.conv_transpose1d
    cases = domains.conv_transpose1d
    axes = 1
    invalid = invalid_transposed(1)
    edges = edge_transposed(1)
    extremes = domains.conv_transpose1d_extremes


class TestConvTranspose2d(TransposedLaws, Spec):
    component = convolution.conv_transpose2d
    cases = domains.conv_transpose2d
    axes = 2
    invalid = invalid_transposed(2)
    edges = edge_transposed(2)
    extremes = domains.conv_transpose2d_extremes
    prerequisites = ("conv_transpose_output_size", "conv_transpose1d")

    def test_image_one_high_is_a_sequence(self, impl: Any, case: Any) -> Any:
        """On an image and a kernel of one row it is the one-dimensional transposed convolution."""
        arguments = {name: each(case, name, 2) for name in ("stride", "padding", "output_padding", "dilation")}
        along = {name: value[1] for name, value in arguments.items()}
        across = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
        both = {name: (across[name], along[name]) for name in along}
        row, kernel = case.x[:, :, :1], case.weight[:, :, :1]
        flat = convolution.conv_transpose1d(row[:, :, 0], kernel[:, :, 0], case.bias, groups=case.groups, **along)
        return impl(case, x=row, weight=kernel, **both), flat.unsqueeze(2)

    def test_published_shape(self, impl: Any) -> None:
        """The layer of note 002 takes the convolution's 32 channels back to its 64, two places larger each way."""
        shape = published.TRANSPOSED_WEIGHT_SHAPE
        y = impl.call(x=ones(1, shape[0], 4, 5), weight=ones(shape))
        expected = (1, published.FEATURE_CHANNELS, 6, 7)
        require(tuple(y.shape) == expected, f"gives {tuple(y.shape)}, expected {expected}")


class TestConvTranspose3d(TransposedLaws, Spec):
    component = convolution.conv_transpose3d
    cases = domains.conv_transpose3d
    axes = 3
    invalid = invalid_transposed(3)
    edges = edge_transposed(3)
    extremes = domains.conv_transpose3d_extremes
    prerequisites = ("conv_transpose_output_size", "conv_transpose2d")


class TestConvTransposeOutputSize(Spec):
    component = convolution.conv_transpose_output_size
    cases = domains.conv_transpose_output_size
    prerequisites = ("conv_output_size",)
    invalid = (
        Invalid(ValueError, "an output padding as large as the stride", n=3, k=2, s=2, output_padding=2),
        Invalid(ValueError, "a padding that removes the whole output", n=2, k=1, p=1),
        Invalid(ValueError, "a stride of 0", n=3, k=2, s=0),
        Invalid(ValueError, "a kernel of 0", n=3, k=0),
        Invalid(ValueError, "no input", n=0, k=3),
        Invalid(ValueError, "a negative padding", n=3, k=2, p=-1),
        Invalid(ValueError, "a dilation of 0", n=3, k=2, d=0),
        Invalid(ValueError, "a negative output padding", n=3, k=2, s=2, output_padding=-1),
    )
    edges = ({"n": 1, "k": 1}, {"n": 1, "k": 3, "p": 1})
    declines = {"extremes_stay_finite": "sizes are whole numbers", "nan_not_hidden": "sizes are whole numbers"}

    def test_convolution_goes_back(self, impl: Any, case: Any) -> None:
        """A convolution with the same arguments turns the size back into n (output padding below the stride)."""
        m = impl(case)
        back = convolution.conv_output_size(m, case.k, case.p, case.s, case.d)
        expected = case.n + case.output_padding // case.s
        require(back == expected, f"{case.arguments} give {m}, which a convolution turns into {back}, not {expected}")

    def test_stride_more_elements_for_one_more(self, impl: Any, case: Any) -> None:
        """One more element in is a stride's worth of elements out."""
        step = impl(case, n=case.n + 1) - impl(case)
        require(step == case.s, f"{case.arguments}: one more element adds {step}, expected the stride {case.s}")

    def test_kernel_of_twice_the_padding_and_the_stride_scales(self, impl: Any, case: Any) -> None:
        """With k = 2p + s and nothing else the size is multiplied by the stride."""
        m = impl(case, k=2 * case.p + case.s, d=1, output_padding=0)
        require(m == case.s * case.n, f"n={case.n}, p={case.p}, s={case.s} give {m}, expected {case.s * case.n}")

    def test_size_of_the_layer(self, impl: Any, case: Any) -> None:
        """It is the size that the layer's result really has."""
        layer = convolution.conv_transpose1d(
            ones(1, 1, case.n), ones(1, 1, case.k), None, case.s, case.p, case.output_padding, case.d
        )
        require(impl(case) == layer.shape[-1], f"{case.arguments} give {impl(case)}, the layer {layer.shape[-1]}")
