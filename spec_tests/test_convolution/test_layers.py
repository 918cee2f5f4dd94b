"""Convolution layers: conv1d, conv2d, conv3d and the depthwise separable convolution."""

from typing import Any

import torch
from torch import Tensor, ones, zeros

from lawbook.fixtures.cases import convolution as domains
from lawbook.fixtures.published import convolution as published
from lawbook.reference import convolution
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_convolution.laws import (
    PADDED_NAN,
    ConvolutionLaws,
    each,
    edge_convolutions,
    invalid_convolutions,
    reads,
    require_same_nans,
    with_nan,
)


class TestConv1d(ConvolutionLaws, Spec):
    component = convolution.conv1d
    cases = domains.conv1d
    axes = 1
    invalid = invalid_convolutions(1)
    edges = edge_convolutions(1)
    extremes = domains.conv1d_extremes

    def test_kernel_of_one_mixes_channels_only(self, impl: Any, case: Any) -> Any:
        """With a kernel of one element every place is multiplied by the same matrix."""
        case = self.explicit(case).but(groups=1, bias=None, stride=1)
        weight = case.noise((case.weight.shape[0], case.x.shape[1], 1))
        return impl(case, weight=weight), torch.einsum("ncl,oc->nol", case.x, weight[:, :, 0])


class TestConv2d(ConvolutionLaws, Spec):
    component = convolution.conv2d
    low_gradients = True
    cases = domains.conv2d
    axes = 2
    invalid = invalid_convolutions(2)
    edges = edge_convolutions(2)
    extremes = domains.conv2d_extremes
    prerequisites = ("conv_output_size", "conv1d", "unfold")

    def test_matrix_product_with_the_columns(self, impl: Any, case: Any) -> Any:
        """It is the matrix of kernels times the windows laid out as columns."""
        case = self.explicit(case)
        y = impl(case, bias=None)
        columns = convolution.unfold(case.x, case.weight.shape[2:], case.dilation, 0, case.stride)
        blocks = columns.unflatten(1, (case.groups, -1))
        product = case.weight.flatten(1).unflatten(0, (case.groups, -1)) @ blocks
        return y.flatten(2), product.flatten(1, 2)

    def test_image_one_high_is_a_sequence(self, impl: Any, case: Any) -> Any:
        """On an image of one row it is the one-dimensional convolution."""
        case = self.explicit(case)
        (_, stride), (_, dilation) = each(case, "stride", 2), each(case, "dilation", 2)
        row, kernel = case.x[:, :, :1], case.weight[:, :, :1]
        flat = convolution.conv1d(row[:, :, 0], kernel[:, :, 0], case.bias, stride, 0, dilation, case.groups)
        return impl(case, x=row, weight=kernel), flat.unsqueeze(2)

    def test_transposed_image_and_kernel_give_the_transposed_result(self, impl: Any, case: Any) -> Any:
        """Exchanging the axes of image, kernel and arguments exchanges those of the result."""
        turned = {name: each(case, name, 2)[::-1] for name in ("stride", "dilation")}
        if not isinstance(case.padding, str):
            turned["padding"] = each(case, "padding", 2)[::-1]
        return impl(case, x=case.x.mT, weight=case.weight.mT, **turned), impl(case).mT

    def test_published_sizes(self, impl: Any) -> None:
        """An 8×8 image gives the sizes that note 004 prints."""
        for layer, size in published.PADDED_SIZES:
            y = impl.call(
                x=ones(1, 1, *published.PADDED_IMAGE_SIZE),
                weight=ones(1, 1, *layer["kernel"]),
                padding=layer["padding"],
                stride=layer["stride"],
            )
            require(tuple(y.shape[2:]) == size, f"{layer} gives {tuple(y.shape[2:])}, the note prints {size}")

    def test_published_counting_image(self, impl: Any) -> None:
        """The 5×5 image of note 002 gives 4, 2, 6 and 3 places an axis; the first sums are 0 + 1 + 5 + 6."""
        size = published.COUNTING_IMAGE_SIZE
        image, kernel = torch.arange(float(size * size)).view(1, 1, size, size), ones(1, 1, 2, 2)
        for layer, places in published.COUNTING_IMAGE_SIZES:
            y = impl.call(x=image, weight=kernel, **layer)
            require(tuple(y.shape) == (1, 1, places, places), f"{layer} gives {tuple(y.shape)}, expected {places} each")
        first = impl.call(x=image, weight=kernel)[0, 0, 0, 0]
        require(reads(first, 12.0), f"the first window sums to {first.item()}, expected 12")

    def test_published_weight_shapes(self, impl: Any) -> None:
        """The grouped and the depthwise weights of note 002 fit 64 channels."""
        image = ones(1, published.FEATURE_CHANNELS, 5, 5)
        for shape, groups in (
            (published.GROUPED_WEIGHT_SHAPE, published.FEATURE_GROUPS),
            (published.DEPTHWISE_WEIGHT_SHAPE, published.FEATURE_CHANNELS),
            (published.POINTWISE_WEIGHT_SHAPE, 1),
        ):
            y = impl.call(x=image, weight=ones(shape), groups=groups)
            expected = (1, shape[0], 6 - shape[2], 6 - shape[3])
            require(tuple(y.shape) == expected, f"weight {shape} gives {tuple(y.shape)}, expected {expected}")
            taps = float(shape[1] * shape[2] * shape[3])
            require(reads(y, taps), f"ones under weight {shape} give {y[0, 0, 0, 0].item()}, expected {taps}")


class TestConv3d(ConvolutionLaws, Spec):
    component = convolution.conv3d
    cases = domains.conv3d
    axes = 3
    invalid = invalid_convolutions(3)
    edges = edge_convolutions(3)
    extremes = domains.conv3d_extremes
    prerequisites = ("conv_output_size", "conv2d")

    def test_volume_one_deep_is_an_image(self, impl: Any, case: Any) -> Any:
        """On a volume of one slice it is the two-dimensional convolution."""
        case = self.explicit(case)
        stride, dilation = each(case, "stride", 3)[1:], each(case, "dilation", 3)[1:]
        image, kernel = case.x[:, :, :1], case.weight[:, :, :1]
        flat = convolution.conv2d(image[:, :, 0], kernel[:, :, 0], case.bias, stride, 0, dilation, case.groups)
        return impl(case, x=image, weight=kernel), flat.unsqueeze(2)


def layers(depth_weight: Tensor, point_weight: Tensor) -> dict[str, Tensor | None]:
    """Both weights, without biases."""
    return {"depth_weight": depth_weight, "point_weight": point_weight, "depth_bias": None, "point_bias": None}


X, DEPTH, POINT = zeros(2, 3, 5, 5), zeros(6, 1, 3, 3), zeros(4, 6, 1, 1)


class TestDepthwiseSeparableConv2d(Spec):
    component = convolution.depthwise_separable_conv2d
    cases = domains.depthwise_separable_conv2d
    differentiable = ("x", "depth_weight", "point_weight", "depth_bias", "point_bias")
    twice = True
    extremes = domains.depthwise_separable_conv2d_extremes
    prerequisites = ("conv2d",)
    invalid = (
        Invalid(
            ValueError, "depth kernels for another number of channels", x=X, depth_weight=DEPTH[:4], point_weight=POINT
        ),
        Invalid(ValueError, "point kernels for other channels", x=X, depth_weight=DEPTH, point_weight=POINT[:, :3]),
        Invalid(ValueError, "a kernel larger than the image", x=X, depth_weight=zeros(6, 1, 6, 6), point_weight=POINT),
        Invalid(
            ValueError,
            "a depth bias of another length",
            x=X,
            depth_weight=DEPTH,
            point_weight=POINT,
            depth_bias=zeros(4),
        ),
    )
    edges = (
        {"x": zeros(0, 2, 3, 4), **layers(ones(2, 1, 2, 2), ones(3, 2, 1, 1))},
        {"x": ones(1, 1, 1, 1), **layers(ones(1, 1, 1, 1), ones(1, 1, 1, 1))},
    )
    declines = {"nan_not_hidden": PADDED_NAN}

    def batch(self, case: Any) -> Batch:
        return Batch(output=0, x=0)

    def test_full_convolution_with_the_product_kernel(self, impl: Any, case: Any) -> Any:
        """It is one convolution whose kernel is the sum of products of both kernels."""
        channels = case.x.shape[1]
        point, depth = case.point_weight[:, :, 0, 0], case.depth_weight[:, 0]
        kernel = torch.einsum("ocm,cmhw->ochw", point.unflatten(1, (channels, -1)), depth.unflatten(0, (channels, -1)))
        bias = torch.zeros_like(point[:, 0]) if case.point_bias is None else case.point_bias
        if case.depth_bias is not None:
            bias = bias + point @ case.depth_bias
        return impl(case), convolution.conv2d(case.x, kernel, bias, case.stride, case.padding, case.dilation)

    def test_identity_point_kernel_leaves_the_depthwise_convolution(self, impl: Any, case: Any) -> Any:
        """With the identity between channels it is the convolution of each channel alone."""
        middle = case.depth_weight.shape[0]
        identity = torch.eye(middle, dtype=case.x.dtype).view(middle, middle, 1, 1)
        alone = convolution.conv2d(
            case.x,
            case.depth_weight,
            case.depth_bias,
            case.stride,
            case.padding,
            case.dilation,
            groups=case.x.shape[1],
        )
        return impl(case, point_weight=identity, point_bias=None), alone

    def test_channel_without_point_weight_has_no_say(self, impl: Any, case: Any) -> Any:
        """A channel whose point weights are zero does not reach the result."""
        channels = case.x.shape[1]
        channel = case.seed % channels
        weight = case.point_weight.unflatten(1, (channels, -1)).clone()
        weight[:, channel] = 0
        other = case.x.clone()
        other[:, channel] = case.noise(case.x[:, channel].shape)
        silent = case.but(point_weight=weight.flatten(1, 2))
        return impl(silent), impl(silent, x=other)

    def test_nan_shows_where_it_is_read(self, impl: Any, case: Any) -> None:
        """Without padding, a nan in the image or a kernel reaches the places that read it, and no other."""
        padding = "valid" if case.padding == "same" else 0
        room = convolution.zero_pad2d(case.x, 6)
        require_same_nans(impl, with_nan(case.but(x=room, padding=padding), ("x", "depth_weight", "point_weight")))

    def test_published_shapes(self, impl: Any) -> None:
        """The two weights of note 002 take 64 channels to 32."""
        y = impl.call(
            x=ones(1, published.FEATURE_CHANNELS, 5, 5),
            depth_weight=ones(published.DEPTHWISE_WEIGHT_SHAPE),
            point_weight=ones(published.POINTWISE_WEIGHT_SHAPE),
        )
        expected = (1, published.FEATURE_OUTPUTS, 3, 3)
        require(tuple(y.shape) == expected, f"gives {tuple(y.shape)}, expected {expected}")
        require(reads(y, 64.0 * 9), f"ones everywhere give {y[0, 0, 0, 0].item()}, expected {64 * 9}")
