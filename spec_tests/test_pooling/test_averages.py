"""Average pooling: windows, bins and whole planes."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import pooling as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.published import pooling as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import convolution, pooling
from lawbook.reference.convolution.padding import surround
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_pooling.laws import Adaptive, Layer, divided, each, places_of


class TestAvgPool2d(Layer, Spec):
    component = pooling.avg_pool2d
    cases = domains.avg_pool2d
    extremes = domains.avg_pool2d_extremes
    differentiable = ("x",)
    invalid = (
        Invalid(ValueError, "padding of more than half the window", x=zeros(2, 3, 4, 5), kernel=3, padding=2),
        Invalid(ValueError, "a window larger than the image", x=zeros(2, 3, 4, 5), kernel=6),
        Invalid(ValueError, "a stride of 0", x=zeros(2, 3, 4, 5), kernel=2, stride=0),
        Invalid(ValueError, "a window of 0", x=zeros(2, 3, 4, 5), kernel=0, stride=1),
        Invalid(ValueError, "a divisor of 0", x=zeros(2, 3, 4, 5), kernel=2, divisor_override=0),
        Invalid(ValueError, "a negative padding", x=zeros(2, 3, 4, 5), kernel=2, padding=-1),
    )
    edges = (
        {"x": zeros(0, 2, 3, 4), "kernel": 2},
        {"x": ones(1, 1, 1, 1), "kernel": 1},
        {"x": ones(1, 2, 1, 1), "kernel": 3, "padding": 1, "stride": 2},
        {"x": ones(1, 2, 2, 3), "kernel": 4, "stride": 3, "padding": 1, "ceil_mode": True},
        {"x": ones(1, 1, 2, 2), "kernel": 3, "stride": 3, "ceil_mode": True},
    )

    def test_constant_stays_constant(self, impl: Trial, case: Case) -> Any:
        """Means of a constant are that constant, to the border, where the padding does not count."""
        image = torch.full_like(case.x, 1.5)
        y = impl(case, x=image, count_include_pad=False, divisor_override=None)
        padless = impl(case, x=image, **self.without_padding(case), divisor_override=None)
        return [(y, torch.full_like(y, 1.5)), (padless, torch.full_like(padless, 1.5))]

    def without_padding(self, case: Case) -> dict[str, Any]:
        """Arguments of a layer without padding whose windows fit."""
        fits = all(k <= n for k, n in zip(each(case, "kernel"), case.x.shape[2:], strict=True))
        return {"padding": 0} if fits else {"padding": 0, "kernel": 1}

    def test_convolution_with_equal_weights(self, impl: Trial, case: Case) -> Any:
        """Counting the padding and rounding down, it is each channel's convolution with a kernel of equal weights."""
        kernel, padding, stride = each(case, "kernel"), each(case, "padding"), each(case, "stride")
        if any(k > n + 2 * p for k, n, p in zip(kernel, case.x.shape[2:], padding, strict=True)):
            return self.skip
        channels = case.x.shape[1]
        weight = case.x.new_ones(channels, 1, *kernel) / (kernel[0] * kernel[1])
        y = impl(case, ceil_mode=False, count_include_pad=True, divisor_override=None)
        return y, convolution.conv2d(case.x, weight, None, stride, padding, groups=channels)

    def test_counted_padding_comes_first(self, impl: Trial, case: Case) -> Any:
        """Counting the padding and rounding down, it is pooling the image that zeros surround."""
        padding, fewer = each(case, "padding"), case.but(ceil_mode=False, count_include_pad=True)
        kernel = each(case, "kernel")
        if any(k > n + 2 * p for k, n, p in zip(kernel, case.x.shape[2:], padding, strict=True)):
            return self.skip
        return impl(fewer), impl(fewer, x=surround(case.x, padding, padding), padding=0)

    def test_divisor_is_read_at_every_call(self, impl: Trial, case: Case) -> Any:
        """Of every divisor the result times the divisor is the sum, padding counted or not."""
        sums = impl(case, divisor_override=1)
        return [
            (impl(case, divisor_override=3, count_include_pad=False) * 3, sums),
            (impl(case, divisor_override=7, count_include_pad=True) * 7, sums),
        ]

    def test_weights_add_up(self, impl: Trial, case: Case) -> Any:
        """Means of ones are the share of each window's counted places that lie in the image."""
        counted = impl(case, x=torch.ones_like(case.x), divisor_override=None, count_include_pad=True)
        rows, columns = (
            ((places >= 0) & (places < n)).sum(1).to(case.dtype) / ((places >= -p) & (places < n + p)).sum(1)
            for places, n, p in zip(places_of(case), case.x.shape[2:], each(case, "padding"), strict=True)
        )
        share = torch.outer(rows, columns)
        return counted, share.expand_as(counted)

    def test_additive(self, impl: Trial, case: Case) -> Any:
        """The sum of two images gives the sum of their results."""
        other = case.noise(case.x.shape)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)

    def test_whole_numbers_are_not_cut(self, impl: Trial) -> None:
        """Whole numbers are refused, or their mean is a floating number."""
        try:
            y = impl.call(x=tensor([[[[1, 2], [2, 2]]]]), kernel=2)
        except Raised as raised:
            if isinstance(raised.error, Exception):
                return
            raise
        require(y.is_floating_point() and y.item() == 1.75, f"the mean of 1, 2, 2, 2 is {y.item()}, expected 1.75")


class TestAdaptiveAvgPool2d(Adaptive, Spec):
    component = pooling.adaptive_avg_pool2d
    cases = domains.adaptive_avg_pool2d
    extremes = domains.adaptive_avg_pool2d_extremes
    differentiable = ("x",)
    prerequisites = ("avg_pool2d",)
    edges = (
        {"x": zeros(0, 2, 3, 4), "output_size": 2},
        {"x": ones(1, 1, 1, 1), "output_size": (2, 3)},
        {"x": ones(1, 2, 3, 1), "output_size": 1},
    )

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(-1)

    def test_one_bin_is_the_whole_plane(self, impl: Trial, case: Case) -> Any:
        """A single bin gives the mean of the plane."""
        return impl(case, output_size=1), pooling.global_avg_pool(case.x)

    def test_bins_of_equal_size_are_windows(self, impl: Trial, case: Case) -> Any:
        """Where the bins divide the image, it is pooling with windows side by side."""
        bins, longer = divided(case)
        kernel = tuple(n // m for n, m in zip(longer.x.shape[2:], bins, strict=True))
        return impl(longer, output_size=bins), pooling.avg_pool2d(longer.x, kernel)

    def test_constant_stays_constant(self, impl: Trial, case: Case) -> Any:
        """Every bin of a constant image is that constant: each divides by its own size."""
        y = impl(case, x=torch.full_like(case.x, 1.5))
        return y, torch.full_like(y, 1.5)

    def test_bins_cover_the_image(self, impl: Trial, case: Case) -> None:
        """Every element takes part in some bin: it receives a gradient."""
        y = pooling.adaptive_avg_pool2d(case.x, case.output_size)
        gradient = impl.vjp(case, [torch.ones_like(y)], wrt=("x",))[1]["x"]
        unseen = (gradient <= 0).nonzero()
        require(not len(unseen), f"element {unseen[:1].tolist()} belongs to no bin of {case.output_size}")

    def test_rows_then_columns(self, impl: Trial, case: Case) -> Any:
        """Binning rows and then columns is binning both, one after the other."""
        rows, columns = per_axis("output_size", case.output_size, 2, 1)
        halfway = impl(case, output_size=(rows, case.x.shape[3]))
        return impl(case), impl(case, x=halfway, output_size=(rows, columns))


class TestGlobalAvgPool(Spec):
    component = pooling.global_avg_pool
    cases = domains.global_avg_pool
    extremes = domains.global_avg_pool_extremes
    differentiable = ("x",)
    invalid = (
        Invalid(ValueError, "an image without rows", x=zeros(1, 2, 0, 4)),
        Invalid(ValueError, "an image of two axes", x=zeros(3, 4)),
    )
    edges = ({"x": zeros(0, 2, 3, 4)}, {"x": ones(1, 1, 1, 1)}, {"x": ones(2, 3, 1, 4)})

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def test_order_within_a_plane_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Elements of a plane may change places."""
        order = torch.randperm(case.x[0, 0].numel(), generator=case.generator(56))
        return impl(case, x=case.x.flatten(2)[..., order].view(case.x.shape)), impl(case)

    def test_constant_planes_stay(self, impl: Trial, case: Case) -> Any:
        """Planes of one value each give that value."""
        values = case.noise((*case.x.shape[:2], 1, 1))
        return impl(case, x=values.expand(case.x.shape).clone()), values

    def test_window_as_large_as_the_plane(self, impl: Trial, case: Case) -> Any:
        """It is average pooling with a window of the plane's own size."""
        return impl(case), pooling.avg_pool2d(case.x, tuple(case.x.shape[2:]))

    def test_gradient_is_spread_evenly(self, impl: Trial, case: Case) -> Any:
        """Every element receives its share of what flows back to its plane."""
        cotangent = case.noise((*case.x.shape[:2], 1, 1))
        gradient = impl.vjp(case, [cotangent], wrt=("x",))[1]["x"]
        return gradient, (cotangent / case.x[0, 0].numel()).expand(case.x.shape)

    def test_planes_beyond_half_precision(self, impl: Trial) -> None:
        """The mean of 300×300 ones is 1 in half precision too: neither their sum nor their number may overflow."""
        for dtype in (torch.float16, torch.bfloat16):
            if self.lacks_dtype(impl, dtype):
                continue
            mean = impl.call(x=ones(1, 1, 300, 300, dtype=dtype)).item()
            require(mean == 1, f"in {dtype} the mean of 90,000 ones is {mean}")

    def test_published_shape(self, impl: Trial) -> None:
        """Note 004's NiN ends in (1, 10, 1, 1)."""
        shape = tuple(impl.call(x=ones(published.GLOBAL_SHAPE)).shape)
        require(shape == published.GLOBAL_RESULT_SHAPE, f"NiN's last layer gives {shape}")
