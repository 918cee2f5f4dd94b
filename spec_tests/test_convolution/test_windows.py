"""Sliding windows, the size of a convolution's output, and padding."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import convolution as domains
from lawbook.fixtures.published import convolution as published
from lawbook.reference import convolution
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


class TestConvOutputSize(Spec):
    component = convolution.conv_output_size
    cases = domains.conv_output_size
    invalid = (
        Invalid(ValueError, "a kernel larger than the padded input", n=3, kernel=6, padding=1),
        Invalid(ValueError, "a dilated kernel larger than the input", n=4, kernel=3, dilation=2),
        Invalid(ValueError, "a stride of 0", n=4, kernel=3, stride=0),
        Invalid(ValueError, "a kernel of 0", n=4, kernel=0),
        Invalid(ValueError, "a negative padding", n=4, kernel=1, padding=-1),
        Invalid(ValueError, "no input", n=0, kernel=1, padding=1),
        Invalid(ValueError, "a dilation of 0", n=4, kernel=3, dilation=0),
    )
    edges = ({"n": 1, "kernel": 1}, {"n": 1, "kernel": 3, "padding": 1, "stride": 2})
    declines = {"extremes_stay_finite": "sizes are whole numbers", "nan_not_hidden": "sizes are whole numbers"}

    def test_last_window_fits_and_the_next_does_not(self, impl: Any, case: Any) -> None:
        """The windows are as many as fit into the padded input."""
        m, padded = impl(case), case.n + 2 * case.padding
        extent = case.dilation * (case.kernel - 1) + 1
        ends = [case.stride * (m - 1) + extent, case.stride * m + extent]
        require(ends[0] <= padded < ends[1], f"{case.arguments} give {m}: windows end at {ends}, the input at {padded}")

    def test_size_of_the_layer(self, impl: Any, case: Any) -> None:
        """It is the size that the layer's result really has."""
        layer = convolution.conv1d(
            ones(1, 1, case.n), ones(1, 1, case.kernel), None, case.stride, case.padding, case.dilation
        )
        require(impl(case) == layer.shape[-1], f"{case.arguments} give {impl(case)}, the layer {layer.shape[-1]}")

    def test_stride_more_elements_give_one_more(self, impl: Any, case: Any) -> None:
        """One stride more elements in is one element more out."""
        more = impl(case, n=case.n + case.stride) - impl(case)
        require(more == 1, f"{case.arguments}: {case.stride} more elements add {more}, expected 1")

    def test_dilated_kernel_is_a_longer_one(self, impl: Any, case: Any) -> None:
        """A dilated kernel counts as one of d·(k − 1) + 1 elements."""
        longer = impl(case, kernel=case.dilation * (case.kernel - 1) + 1, dilation=1)
        require(impl(case) == longer, f"{case.arguments} give {impl(case)}, the longer kernel {longer}")

    def test_published_sizes(self, impl: Any) -> None:
        """The sizes of notes 001, 002 and 004."""
        size = impl.call(**published.OUTPUT_SIZE_EXAMPLE)
        require(size == published.OUTPUT_SIZE_EXAMPLE_RESULT, f"note 001's example gives {size}")
        for layer, places in published.COUNTING_IMAGE_SIZES:
            size = impl.call(n=published.COUNTING_IMAGE_SIZE, kernel=2, **layer)
            require(size == places, f"note 002's {layer} gives {size}, not {places}")
        for layer, sizes in published.PADDED_SIZES:
            for axis, expected in enumerate(sizes):
                of_axis = {k: v if isinstance(v, int) else v[axis] for k, v in layer.items()}
                size = impl.call(n=published.PADDED_IMAGE_SIZE[axis], **of_axis)
                require(size == expected, f"note 004's {of_axis} gives {size}, not {expected}")


class WindowLaws:
    """Laws of ``unfold`` and ``fold``."""

    differentiable = ("x",)

    def batch(self, case: Any) -> Batch:
        return Batch(output=0, x=0)

    def arguments(self, case: Any) -> dict[str, Any]:
        """What both take."""
        return {name: case[name] for name in ("kernel_size", "dilation", "padding", "stride")}


class TestUnfold(WindowLaws, Spec):
    component = convolution.unfold
    cases = domains.unfold
    extremes = domains.unfold_extremes
    prerequisites = ("conv_output_size",)
    invalid = (
        Invalid(
            ValueError, "a window larger than the padded image", x=zeros(1, 2, 3, 4), kernel_size=(6, 2), padding=1
        ),
        Invalid(ValueError, "an image of two axes", x=zeros(3, 4), kernel_size=2),
        Invalid(ValueError, "a stride of 0", x=zeros(1, 2, 3, 4), kernel_size=2, stride=0),
        Invalid(ValueError, "a dilation of 0", x=zeros(1, 2, 3, 4), kernel_size=2, dilation=0),
        Invalid(ValueError, "a negative padding", x=zeros(1, 2, 3, 4), kernel_size=1, padding=-1),
    )
    edges = (
        {"x": ones(1, 1, 1, 1), "kernel_size": (1, 1)},
        {"x": ones(2, 3, 2, 1), "kernel_size": (2, 1)},
        {"x": ones(1, 2, 1, 1), "kernel_size": (3, 3), "padding": 1},
    )

    def test_product_with_kernels_is_the_convolution(self, impl: Any, case: Any) -> Any:
        """A matrix of kernels times the columns is the convolution."""
        weight = case.noise((3, case.x.shape[1], *case.kernel_size))
        x = case.noise(case.x.shape, 1)
        layer = convolution.conv2d(x, weight, None, case.stride, case.padding, case.dilation)
        return weight.flatten(1) @ impl(case, x=x), layer.flatten(2)

    def test_fold_is_its_adjoint(self, impl: Any, case: Any) -> Any:
        """⟨unfold(x), z⟩ = ⟨x, fold(z)⟩ for every z."""
        x = case.noise(case.x.shape)
        y = impl(case, x=x)
        z = case.noise(y.shape, 1)
        return (y * z).sum(), (x * convolution.fold(z, case.x.shape[2:], **self.arguments(case))).sum()

    def test_window_of_one_is_the_image(self, impl: Any, case: Any) -> Any:
        """Windows of one element, each place once, are the image's rows one after another."""
        return impl(case, kernel_size=1, padding=0, stride=1), case.x.flatten(2)

    def test_channels_come_one_after_another(self, impl: Any, case: Any) -> Any:
        """A column lists all of the first channel's window before the second's."""
        parts = [impl(case, x=channel) for channel in case.x.split(1, 1)]
        return impl(case), torch.cat(parts, 1)


class TestFold(WindowLaws, Spec):
    component = convolution.fold
    cases = domains.fold
    extremes = domains.fold_extremes
    prerequisites = ("conv_output_size", "unfold")
    invalid = (
        Invalid(ValueError, "a wrong number of windows", x=zeros(1, 8, 5), output_size=(3, 4), kernel_size=2),
        Invalid(
            ValueError, "rows that are no multiple of the kernel", x=zeros(1, 7, 6), output_size=(3, 4), kernel_size=2
        ),
        Invalid(ValueError, "a window larger than the image", x=zeros(1, 8, 1), output_size=(1, 4), kernel_size=2),
        Invalid(
            ValueError, "a wrong number of windows, no sample", x=zeros(0, 8, 5), output_size=(3, 4), kernel_size=2
        ),
        Invalid(
            ValueError, "no multiple of the kernel, no sample", x=zeros(0, 7, 6), output_size=(3, 4), kernel_size=2
        ),
    )
    edges = (
        {"x": ones(1, 4, 9), "output_size": (2, 2), "kernel_size": 2, "stride": 3, "padding": 3},
        {"x": ones(1, 1, 1), "output_size": (1, 1), "kernel_size": (1, 1)},
        {"x": ones(2, 6, 1), "output_size": (2, 1), "kernel_size": (2, 1)},
        {"x": ones(1, 9, 1), "output_size": (1, 1), "kernel_size": (3, 3), "padding": 1},
    )

    def test_folding_the_windows_counts_the_overlaps(self, impl: Any, case: Any) -> Any:
        """fold(unfold(x)) is x times the number of windows that hold each place."""
        channels = case.x.shape[1] // (case.kernel_size[0] * case.kernel_size[1])
        image = case.noise((case.x.shape[0], channels, *case.output_size))
        columns = convolution.unfold(image, **self.arguments(case))
        return impl(case, x=columns), image * impl(case, x=torch.ones_like(columns))

    def test_unfold_is_its_adjoint(self, impl: Any, case: Any) -> Any:
        """⟨fold(x), z⟩ = ⟨x, unfold(z)⟩ for every z."""
        y = impl(case)
        z = case.noise(y.shape)
        return (y * z).sum(), (case.x * convolution.unfold(z, **self.arguments(case))).sum()

    def test_additive(self, impl: Any, case: Any) -> Any:
        """The sum of two sets of columns gives the sum of their images."""
        other = case.noise(case.x.shape)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)


def opposite(padding: Any) -> Any:
    """The amounts with their signs changed."""
    return -padding if isinstance(padding, int) else tuple(-amount for amount in padding)


def growing(padding: Any) -> Any:
    """The amounts without the crops."""
    return max(padding, 0) if isinstance(padding, int) else tuple(max(amount, 0) for amount in padding)


class TestConstantPad2d(Spec):
    component = convolution.constant_pad2d
    cases = domains.constant_pad2d
    extremes = domains.constant_pad2d_extremes
    differentiable = ("x",)
    invalid = (
        Invalid(ValueError, "crops of more than the width", x=zeros(2, 3, 4), padding=(-3, -2, 0, 0), value=0.0),
        Invalid(ValueError, "crops of more than the height", x=zeros(2, 3, 4), padding=(0, 0, -2, -2), value=0.0),
        Invalid(ValueError, "a crop of more than the width", x=zeros(2, 3, 4), padding=(2, -5, 0, 0), value=0.0),
        Invalid(ValueError, "a crop of more than the width, left", x=zeros(2, 3, 4), padding=(-5, 2, 0, 0), value=0.0),
    )
    edges = (
        {"x": ones(1, 1), "padding": (0, 0, 0, 0), "value": 2.0},
        {"x": ones(0, 2, 3), "padding": (1, 0, 0, 2), "value": 2.0},
        {"x": ones(2, 1, 1), "padding": 1, "value": 2.0},
        {"x": ones(2, 2, 5), "padding": (-2, -2, 0, 0), "value": 2.0},
        {"x": ones(2, 5, 2), "padding": (0, 0, -2, -2), "value": 2.0},
        {"x": ones(2, 2, 3), "padding": (0, -3, 0, 1), "value": 2.0},
        {"x": ones(2, 2, 3), "padding": (-3, 0, 1, 0), "value": 2.0},
    )

    def test_cropping_undoes_it(self, impl: Any, case: Any) -> Any:
        """Cropping by as much as was added gives the image back."""
        amounts = growing(case.padding)
        return impl(case, x=impl(case, padding=amounts), padding=opposite(amounts)), case.x

    def test_image_of_the_constant_stays_constant(self, impl: Any, case: Any) -> Any:
        """An image that holds only the constant stays so."""
        y = impl(case, x=torch.full_like(case.x, case.value))
        return y, torch.full_like(y, case.value)

    def test_turning_the_image_turns_the_amounts(self, impl: Any, case: Any) -> Any:
        """Exchanging rows and columns, and left and right with top and bottom, exchanges them in the result."""
        left, right, top, bottom = (case.padding,) * 4 if isinstance(case.padding, int) else case.padding
        return impl(case, x=case.x.mT, padding=(top, bottom, left, right)), impl(
            case, padding=(left, right, top, bottom)
        ).mT

    def test_order_of_the_amounts(self, impl: Any, case: Any) -> None:
        """The four amounts are left, right, top, bottom."""
        y = impl(case, x=ones(2, 3, dtype=case.dtype), padding=(0, 1, 2, 3), value=0.0)
        require(tuple(y.shape) == (7, 4), f"2×3 padded by (0, 1, 2, 3) is {tuple(y.shape)}, expected (7, 4)")
        inside = y[2:4, :3]
        require(bool((inside == 1).all()) and int(y.sum()) == 6, f"the image is not at row 2, column 0: {y.tolist()}")


class TestZeroPad2d(Spec):
    component = convolution.zero_pad2d
    cases = domains.zero_pad2d
    extremes = domains.zero_pad2d_extremes
    differentiable = ("x",)
    prerequisites = ("constant_pad2d",)
    invalid = (
        Invalid(ValueError, "crops of more than the width", x=zeros(2, 3, 4), padding=(-3, -2, 0, 0)),
        Invalid(ValueError, "crops of more than the height", x=zeros(2, 3, 4), padding=(0, 0, -2, -2)),
        Invalid(ValueError, "a crop of more than the width", x=zeros(2, 3, 4), padding=(2, -5, 0, 0)),
        Invalid(ValueError, "a crop of more than the width, left", x=zeros(2, 3, 4), padding=(-5, 2, 0, 0)),
    )
    edges = (
        {"x": ones(1, 1), "padding": (0, 0, 0, 0)},
        {"x": ones(0, 2, 3), "padding": (1, 0, 0, 2)},
        {"x": ones(2, 1, 1), "padding": 1},
        {"x": ones(2, 2, 5), "padding": (-2, -2, 0, 0)},
        {"x": ones(2, 5, 2), "padding": (0, 0, -2, -2)},
        {"x": ones(2, 2, 3), "padding": (0, -3, 0, 1)},
        {"x": ones(2, 2, 3), "padding": (-3, 0, 1, 0)},
    )

    def test_cropping_undoes_it(self, impl: Any, case: Any) -> Any:
        """Cropping by as much as was added gives the image back."""
        amounts = growing(case.padding)
        return impl(case, x=impl(case, padding=amounts), padding=opposite(amounts)), case.x

    def test_constant_zero(self, impl: Any, case: Any) -> Any:
        """It is padding with the constant 0."""
        return impl(case), convolution.constant_pad2d(case.x, case.padding, 0.0)

    def test_sum_is_kept(self, impl: Any, case: Any) -> Any:
        """Without crops the sum of all pixels stays."""
        image = case.noise(case.x.shape)
        return impl(case, x=image, padding=growing(case.padding)).sum(), image.sum()

    def test_gradient_is_the_opposite_padding(self, impl: Any, case: Any) -> Any:
        """What flows back is cropped where pixels were added and zero where they were cropped."""
        cotangent = case.noise(convolution.zero_pad2d(case.x, case.padding).shape)
        _, gradients = impl.vjp(case, [cotangent], wrt=("x",))
        return gradients["x"], convolution.zero_pad2d(cotangent, opposite(case.padding))


class TestReplicationPad1d(Spec):
    component = convolution.replication_pad1d
    cases = domains.replication_pad1d
    extremes = domains.replication_pad1d_extremes
    differentiable = ("x",)
    invalid = (
        Invalid(ValueError, "a sequence without elements", x=zeros(2, 3, 0), padding=(1, 1)),
        Invalid(ValueError, "crops of more than the width", x=zeros(2, 3), padding=(-2, -2)),
        Invalid(ValueError, "crops of the whole width", x=zeros(2, 3), padding=(-2, -1)),
        Invalid(ValueError, "one axis", x=zeros(3), padding=(1, 1)),
        Invalid(ValueError, "four axes", x=zeros(1, 2, 3, 4), padding=(1, 1)),
    )
    edges = (
        {"x": ones(1, 1), "padding": (0, 0)},
        {"x": ones(1, 2, 1), "padding": (2, 1)},
        {"x": ones(2, 3), "padding": 1},
        {"x": zeros(0, 2, 3), "padding": 1},
        {"x": ones(2, 3), "padding": (0, 4)},
    )

    def ends(self, case: Any) -> tuple[int, int]:
        """The amounts at the start and at the end."""
        return (case.padding, case.padding) if isinstance(case.padding, int) else case.padding

    def test_borders_are_repeated(self, impl: Any, case: Any) -> Any:
        """The first elements all equal the input's first, the last ones its last."""
        left, right = (max(amount, 0) for amount in self.ends(case))
        y = impl(case, padding=(left, right))
        first, last = case.x[..., :1], case.x[..., -1:]
        return [
            (y[..., :left], first.expand(*first.shape[:-1], left)),
            (y[..., y.shape[-1] - right :], last.expand(*last.shape[:-1], right)),
        ]

    def test_cropping_undoes_it(self, impl: Any, case: Any) -> Any:
        """Cropping by as much as was added gives the sequence back."""
        amounts = growing(case.padding)
        return impl(case, x=impl(case, padding=amounts), padding=opposite(amounts)), case.x

    def test_reversed_sequence_with_exchanged_amounts(self, impl: Any, case: Any) -> Any:
        """The reversed sequence, left and right exchanged, gives the reversed result."""
        left, right = self.ends(case)
        return impl(case, x=case.x.flip(-1), padding=(right, left)), impl(case, padding=(left, right)).flip(-1)

    def test_gradient_collects_the_copies(self, impl: Any, case: Any) -> Any:
        """The first and the last element receive what flows back to all their copies."""
        left, right = (max(amount, 0) for amount in self.ends(case))
        width = case.x.shape[-1]
        cotangent = case.noise((*case.x.shape[:-1], left + width + right))
        _, gradients = impl.vjp(case, [cotangent], wrt=("x",), padding=(left, right))
        right_side = cotangent[..., left : left + width].clone()
        right_side[..., 0] += cotangent[..., :left].sum(-1)
        right_side[..., -1] += cotangent[..., left + width :].sum(-1)
        return gradients["x"], right_side

    def test_order_of_the_amounts(self, impl: Any, case: Any) -> None:
        """The two amounts are left and right."""
        y = impl(case, x=tensor([[1.0, 2.0]], dtype=case.dtype), padding=(0, 2))
        require(y.tolist() == [[1.0, 2.0, 2.0, 2.0]], f"[1, 2] padded by (0, 2) is {y.tolist()}")
