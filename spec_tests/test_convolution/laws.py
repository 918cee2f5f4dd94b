"""Laws that the convolutions in one, two and three dimensions share, and those of their transposes."""

from typing import Any, ClassVar

import torch
from torch import Tensor, ones, zeros

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import convolution
from lawbook.reference.convolution.layers import both_ends
from lawbook.reference.convolution.padding import pad, surround
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, require


def each(case: Case, name: str, axes: int) -> tuple[int, ...]:
    """An argument as one number an axis."""
    return per_axis(name, case[name], axes, 0)


PADDED_NAN = "whether a nan tap over a zero of the padding shows (0 · nan) differs between kernels of one library"


def with_nan(case: Case, names: tuple[str, ...]) -> Case:
    """The case with a nan in one of these arguments."""
    name = names[case.seed % len(names)]
    spoiled = case[name].clone()
    spoiled.view(-1)[case.seed // 7 % spoiled.numel()] = torch.nan
    return case.but(**{name: spoiled})


def require_same_nans(impl: Trial, case: Case) -> None:
    """Raise LawBroken unless the result is nan where the reference's is."""
    got, expected = impl(case).isnan(), getattr(convolution, impl.component)(**case.arguments).isnan()
    require(got.shape == expected.shape, f"the result has shape {tuple(got.shape)}, expected {tuple(expected.shape)}")
    missing, leaked = (expected & ~got).nonzero().tolist(), (got & ~expected).nonzero().tolist()
    require(not missing, f"no nan at {missing[:1]}, a place that reads one")
    require(not leaked, f"a nan at {leaked[:1]}, a place that reads none")


def reads(found: Tensor, printed: float | Tensor) -> bool:
    """Whether this is what a note prints: sums of whole numbers are exact, but not where they are taken by a transform."""
    return torch.allclose(found.double(), torch.as_tensor(printed, dtype=torch.float64), rtol=1e-5, atol=1e-5)


def channelwise(values: Tensor, axes: int) -> Tensor:
    """One value a channel, to be broadcast over samples and places."""
    return values.view(-1, *(1,) * axes)


def invalid_convolutions(axes: int) -> tuple[Invalid, ...]:
    """What every convolution layer refuses."""
    x, weight = zeros(2, 4, *(5,) * axes), zeros(6, 4, *(3,) * axes)
    return (
        Invalid(ValueError, "a kernel larger than the padded input", x=x, weight=zeros(6, 4, *(8,) * axes), padding=1),
        Invalid(ValueError, "a dilated kernel larger than the input", x=x, weight=weight, dilation=3),
        Invalid(ValueError, "a weight for other channels", x=x, weight=weight[:, :3]),
        Invalid(ValueError, "groups that do not divide the channels", x=x, weight=weight[:, :1], groups=3),
        Invalid(ValueError, "a bias of another length than the output channels", x=x, weight=weight, bias=zeros(5)),
        Invalid(ValueError, "padding 'same' with a stride above 1", x=x, weight=weight, padding="same", stride=2),
        Invalid(ValueError, "a negative padding", x=x, weight=weight, padding=-1),
        Invalid(ValueError, "a negative border", x=x, weight=weight, padding=-1, padding_mode="replicate"),
        Invalid(ValueError, "a stride of 0", x=x, weight=weight, stride=0),
        Invalid(ValueError, "a dilation of 0", x=x, weight=weight, dilation=0),
        Invalid(ValueError, "an unknown padding mode", x=x, weight=weight, padding=1, padding_mode="mirror"),
        Invalid(ValueError, "a mirror of the whole image", x=x, weight=weight, padding=5, padding_mode="reflect"),
        Invalid(ValueError, "more than once around", x=x, weight=weight, padding=6, padding_mode="circular"),
        Invalid(ValueError, "an image without places", x=x[:, :, :0], weight=weight, padding=2),
        Invalid(TypeError, "whole numbers for an image", x=x.long(), weight=weight),
        Invalid(TypeError, "whole numbers for a weight", x=x, weight=weight.long()),
        Invalid(TypeError, "a bias of whole numbers", x=x, weight=weight, bias=zeros(6).long()),
    )


def edge_convolutions(axes: int) -> tuple[dict[str, Any], ...]:
    """No samples, a single element under a single tap, and more channels, kernels and groups than are drawn."""
    single, taps = (1,) * axes, (2, 3, 2)[:axes]
    return (
        {"x": zeros(0, 2, *taps), "weight": ones(3, 2, *single), "bias": ones(3)},
        {"x": ones(1, 1, *single), "weight": ones(1, 1, *single), "bias": None},
        {"x": ones(1, 2, *taps), "weight": ones(3, 2, *taps), "bias": ones(3)},
        {"x": ones(2, 1, *single), "weight": ones(1, 1, *(3,) * axes), "bias": None, "padding": 1},
        {"x": waves(2, 18, *taps), "weight": waves(20, 18, *single), "bias": waves(20)},
        {"x": waves(2, 18, *taps), "weight": waves(36, 2, *taps), "bias": None, "groups": 9},
    )


class ConvolutionLaws:
    """Laws of a convolution layer over ``axes`` axes."""

    axes: ClassVar[int]
    differentiable = ("x", "weight", "bias")
    twice = True
    prerequisites = ("conv_output_size",)
    declines = {"nan_not_hidden": PADDED_NAN}

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def explicit(self, case: Case) -> Case:
        """The same convolution of an image that is padded beforehand."""
        ends = both_ends(
            case.padding, case.weight.shape[2:], each(case, "stride", self.axes), each(case, "dilation", self.axes)
        )
        return case.but(x=pad(case.x, *ends, case.padding_mode), padding=0, padding_mode="zeros")

    def test_padding_comes_first(self, impl: Trial, case: Case) -> Any:
        """Padding within the layer is padding the image beforehand."""
        return impl(case), impl(self.explicit(case))

    def test_additive_in_the_image(self, impl: Trial, case: Case) -> Any:
        """Without bias, the sum of two images gives the sum of their results."""
        other, case = case.noise(case.x.shape), case.but(bias=None)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)

    def test_additive_in_the_kernel(self, impl: Trial, case: Case) -> Any:
        """Without bias, the sum of two kernels gives the sum of their results."""
        other, case = case.noise(case.weight.shape), case.but(bias=None)
        return impl(case, weight=case.weight + other), impl(case) + impl(case, weight=other)

    def test_bias_is_added_once_to_each_channel(self, impl: Trial, case: Case) -> Any:
        """The bias adds its own number to every place of its channel."""
        bias = case.noise(case.weight.shape[:1])
        return impl(case, bias=bias), impl(case, bias=None) + channelwise(bias, self.axes)

    def test_groups_are_separate_convolutions(self, impl: Trial, case: Case) -> Any:
        """With groups, consecutive blocks of channels are convolved apart and set side by side."""
        blocks = (
            case.x.chunk(case.groups, 1),
            case.weight.chunk(case.groups),
            (None,) * case.groups if case.bias is None else case.bias.chunk(case.groups),
        )
        parts = [impl(case, x=x, weight=w, bias=b, groups=1) for x, w, b in zip(*blocks, strict=True)]
        return impl(case), torch.cat(parts, 1)

    def test_dilation_puts_zeros_between_the_taps(self, impl: Trial, case: Case) -> Any:
        """A dilated kernel is a larger kernel with zeros in between."""
        none = (0,) * self.axes
        spread = surround(case.weight, none, none, each(case, "dilation", self.axes))
        return impl(case), impl(case, weight=spread, dilation=1)

    def test_stride_keeps_every_so_manieth_place(self, impl: Trial, case: Case) -> Any:
        """A stride picks from the result with stride 1, beginning with the first place."""
        steps = tuple(slice(None, None, s) for s in each(case, "stride", self.axes))
        return impl(case), impl(case, stride=1)[(..., *steps)]

    def test_shifting_the_image_shifts_the_result(self, impl: Trial, case: Case) -> Any:
        """An image that begins one stride earlier has a result that begins one place earlier."""
        case, axis = self.explicit(case), 2 + case.seed % self.axes
        size = list(case.x.shape)
        size[axis] = each(case, "stride", self.axes)[axis - 2]
        longer = impl(case, x=torch.cat([case.noise(size), case.x], axis))
        return longer.narrow(axis, 1, longer.shape[axis] - 1), impl(case)

    def test_a_single_tap_reads_a_single_place(self, impl: Trial, case: Case) -> Any:
        """A kernel that is one at a single tap and zero elsewhere copies the places under it: nothing is flipped."""
        case = self.explicit(case).but(bias=None)
        outputs, inputs, *kernel = case.weight.shape
        tap = [case.seed // 7**axis % k for axis, k in enumerate(kernel)]
        weight = torch.zeros_like(case.weight)
        chosen = torch.arange(outputs) % inputs
        weight[(torch.arange(outputs), chosen, *tap)] = 1
        # Output o belongs to block o // (outputs / groups), whose channels begin at block · inputs.
        channels = torch.arange(outputs) // (outputs // case.groups) * inputs + chosen
        places = tuple(
            slice(t * d, n - (k - 1 - t) * d, s)
            for t, k, n, d, s in zip(
                tap,
                kernel,
                case.x.shape[2:],
                each(case, "dilation", self.axes),
                each(case, "stride", self.axes),
                strict=True,
            )
        )
        return impl(case, weight=weight), case.x[:, channels][(..., *places)]

    def test_nan_shows_where_it_is_read(self, impl: Trial, case: Case) -> None:
        """Without padding, a nan in the image or the kernel reaches the places that read it, and no other."""
        require_same_nans(impl, with_nan(self.explicit(case), ("x", "weight")))

    def test_gradient_of_the_image_is_the_transposed_convolution(self, impl: Trial, case: Case) -> Any:
        """What flows back to the image is the transposed convolution of what flows back to the result."""
        case = self.explicit(case).but(bias=None)
        stride, dilation = each(case, "stride", self.axes), each(case, "dilation", self.axes)
        unread = [
            (n - d * (k - 1) - 1) % s
            for n, k, d, s in zip(case.x.shape[2:], case.weight.shape[2:], dilation, stride, strict=True)
        ]
        sizes = convolution.conv2d if self.axes == 2 else convolution.conv1d if self.axes == 1 else convolution.conv3d
        cotangent = case.noise(sizes(**case.arguments).shape)
        transpose = getattr(convolution, f"conv_transpose{self.axes}d")
        _, gradients = impl.vjp(case, [cotangent], wrt=("x",))
        right = transpose(
            cotangent,
            case.weight,
            stride=stride,
            output_padding=unread,
            dilation=dilation,
            groups=case.groups,
        )
        return gradients["x"], right


def invalid_transposed(axes: int) -> tuple[Invalid, ...]:
    """What every transposed convolution layer refuses."""
    x, weight = zeros(2, 4, *(5,) * axes), zeros(4, 6, *(3,) * axes)
    return (
        Invalid(ValueError, "an output padding as large as the stride", x=x, weight=weight, stride=2, output_padding=2),
        Invalid(ValueError, "a padding that removes the whole output", x=x, weight=weight, padding=4),
        Invalid(ValueError, "a negative padding", x=x, weight=weight, padding=-1),
        Invalid(ValueError, "a negative output padding", x=x, weight=weight, stride=2, output_padding=-1),
        Invalid(ValueError, "a dilation of 0", x=x, weight=weight, dilation=0),
        Invalid(ValueError, "a weight with outputs before inputs", x=x, weight=zeros(6, 4, *(3,) * axes)),
        Invalid(ValueError, "groups that do not divide the channels", x=x, weight=weight, groups=3),
        Invalid(ValueError, "a bias of another length than the output channels", x=x, weight=weight, bias=zeros(4)),
        Invalid(ValueError, "a stride of 0", x=x, weight=weight, stride=0),
        Invalid(TypeError, "whole numbers for an image", x=x.long(), weight=weight),
    )


def edge_transposed(axes: int) -> tuple[dict[str, Any], ...]:
    """No samples, a single element that stamps a single tap or a whole kernel, and more channels than are drawn."""
    single, taps = (1,) * axes, (2, 3, 2)[:axes]
    return (
        {"x": zeros(0, 2, *taps), "weight": ones(2, 3, *single), "bias": ones(3)},
        {"x": ones(1, 1, *single), "weight": ones(1, 1, *single), "bias": None},
        {"x": ones(1, 2, *single), "weight": ones(2, 3, *taps), "bias": ones(3)},
        {"x": ones(2, 1, *single), "weight": ones(1, 1, *(3,) * axes), "bias": None, "padding": 1},
        {"x": waves(2, 18, *single), "weight": waves(18, 20, *taps), "bias": waves(20)},
    )


class TransposedLaws:
    """Laws of a transposed convolution layer over ``axes`` axes."""

    axes: ClassVar[int]
    nan_arguments = ("x",)  # kernels of zeros that a back end adds meet a nan of the weight: 0 · nan
    differentiable = ("x", "weight", "bias")
    twice = True
    prerequisites = ("conv_transpose_output_size",)

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def convolve(self, x: Tensor, weight: Tensor, **arguments: Any) -> Tensor:
        """The reference's convolution over as many axes."""
        return getattr(convolution, f"conv{self.axes}d")(x, weight, **arguments)

    def test_adjoint_of_the_convolution(self, impl: Trial, case: Case) -> Any:
        """⟨convᵀ(x), z⟩ = ⟨x, conv(z)⟩ for every z, with the same kernel and without bias."""
        y = impl(case, bias=None)
        z = case.noise(y.shape)
        there = self.convolve(
            z, case.weight, stride=case.stride, padding=case.padding, dilation=case.dilation, groups=case.groups
        )
        # An output padding of a stride or more (below the dilation) adds places that x has not.
        there = there[(..., *(slice(n) for n in case.x.shape[2:]))]
        return (y * z).sum(), (case.x * there).sum()

    def test_convolution_of_the_spread_input_with_the_flipped_kernel(self, impl: Trial, case: Case) -> Any:
        """It is the convolution of the input with stride − 1 zeros in between and a margin, kernel flipped."""
        stride, dilation, padding, extra = (
            each(case, name, self.axes) for name in ("stride", "dilation", "padding", "output_padding")
        )
        margin = [d * (k - 1) for d, k in zip(dilation, case.weight.shape[2:], strict=True)]
        spread = surround(case.x, margin, [m + e for m, e in zip(margin, extra, strict=True)], stride)
        blocks = case.weight.unflatten(0, (case.groups, -1)).transpose(1, 2).flatten(0, 1)
        full = self.convolve(
            spread, blocks.flip(*range(2, 2 + self.axes)), bias=case.bias, dilation=dilation, groups=case.groups
        )
        kept = tuple(slice(p, n - p) for p, n in zip(padding, full.shape[2:], strict=True))
        return impl(case), full[(..., *kept)]

    def test_additive_in_the_input(self, impl: Trial, case: Case) -> Any:
        """Without bias, the sum of two inputs gives the sum of their results."""
        other, case = case.noise(case.x.shape), case.but(bias=None)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)

    def test_bias_is_added_once_to_each_channel(self, impl: Trial, case: Case) -> Any:
        """The bias adds its own number to every place of its channel, stamped or not."""
        bias = case.noise((case.weight.shape[1] * case.groups,))
        return impl(case, bias=bias), impl(case, bias=None) + channelwise(bias, self.axes)

    def test_groups_are_separate_layers(self, impl: Trial, case: Case) -> Any:
        """With groups, consecutive blocks of channels are treated apart and set side by side."""
        blocks = (
            case.x.chunk(case.groups, 1),
            case.weight.chunk(case.groups),
            (None,) * case.groups if case.bias is None else case.bias.chunk(case.groups),
        )
        parts = [impl(case, x=x, weight=w, bias=b, groups=1) for x, w, b in zip(*blocks, strict=True)]
        return impl(case), torch.cat(parts, 1)

    def test_padding_removes_the_border(self, impl: Trial, case: Case) -> Any:
        """Padding takes that many places off each end of the result."""
        whole = impl(case, padding=0)
        kept = tuple(slice(p, n - p) for p, n in zip(each(case, "padding", self.axes), whole.shape[2:], strict=True))
        return impl(case), whole[(..., *kept)]

    def test_output_padding_adds_places_at_the_end(self, impl: Trial, case: Case) -> Any:
        """Output padding makes the result longer at its end and changes nothing before."""
        longer = impl(case, padding=0)
        extra = each(case, "output_padding", self.axes)
        kept = tuple(slice(n - e) for e, n in zip(extra, longer.shape[2:], strict=True))
        return longer[(..., *kept)], impl(case, padding=0, output_padding=0)

    def test_a_single_element_stamps_the_kernel(self, impl: Trial, case: Case) -> Any:
        """A single one in one channel gives that channel's kernels, dilated and not flipped."""
        channels = case.weight.shape[0]
        channel, none = case.seed % channels, (0,) * self.axes
        x = torch.zeros_like(case.x[:1, :, *(slice(1),) * self.axes])
        x[:, channel] = 1
        block = channel // (channels // case.groups)
        stamp = surround(case.weight[channel], none, none, each(case, "dilation", self.axes))
        blank = torch.zeros_like(stamp)
        right = torch.cat([stamp if g == block else blank for g in range(case.groups)]).unsqueeze(0)
        return impl(case, x=x, bias=None, padding=0, output_padding=0), right
