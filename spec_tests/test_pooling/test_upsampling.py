"""Upsampling: images of another size."""

from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases import pooling as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import pooling as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import pooling
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


def new_size(case: Case) -> tuple[int, ...]:
    """The size of the result."""
    if case.scale is None:
        return per_axis("size", case.size, 2, 1)
    return tuple(n * s for n, s in zip(case.x.shape[2:], per_axis("scale", case.scale, 2, 1), strict=True))


class Upsampled:
    """Laws of both."""

    differentiable = ("x",)
    invalid = (
        Invalid(ValueError, "neither a size nor a scale", x=zeros(1, 2, 3, 4)),
        Invalid(ValueError, "both a size and a scale", x=zeros(1, 2, 3, 4), size=(6, 8), scale=2),
        Invalid(ValueError, "a size of 0", x=zeros(1, 2, 3, 4), size=(0, 5)),
        Invalid(ValueError, "a scale of 0", x=zeros(1, 2, 3, 4), scale=0),
        Invalid(ValueError, "an image without rows", x=zeros(1, 2, 0, 4), size=2),
        Invalid(ValueError, "an image of two axes", x=zeros(3, 4), scale=2),
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def test_constant_stays_constant(self, impl: Trial, case: Case) -> Any:
        """An image of one value becomes a larger one of the same value."""
        y = impl(case, x=torch.full_like(case.x, -2.5))
        return y, torch.full_like(y, -2.5)

    def test_own_size_changes_nothing(self, impl: Trial, case: Case) -> Any:
        """The image's own size, and a scale of one, give the image."""
        size = tuple(case.x.shape[2:])
        return [(impl(case, size=size, scale=None), case.x), (impl(case, size=None, scale=1), case.x)]

    def test_scale_is_a_size(self, impl: Trial, case: Case) -> Any:
        """A scale is the size that many times as large."""
        return impl(case), impl(case, size=new_size(case), scale=None)

    def test_rows_then_columns(self, impl: Trial, case: Case) -> Any:
        """Resizing rows and then columns is resizing both, one after the other."""
        rows, columns = new_size(case)
        halfway = impl(case, size=(rows, case.x.shape[3]), scale=None)
        return impl(case), impl(case, x=halfway, size=(rows, columns), scale=None)


class TestUpsampleNearest(Upsampled, Spec):
    component = pooling.upsample_nearest
    cases = domains.upsample_nearest
    extremes = domains.upsample_nearest_extremes
    edges = (
        {"x": zeros(0, 2, 3, 4), "scale": 2},
        {"x": ones(1, 1, 1, 1), "size": (2, 3)},
        {"x": tensor([[[[1.0, 2.0, 3.0]]]]), "size": 1},
    )

    def test_whole_scale_repeats_every_element(self, impl: Trial, case: Case) -> Any:
        """With a whole scale every element is repeated that many times along rows and columns."""
        scale = (2 + case.seed % 2, 1 + case.seed // 2 % 3)
        repeated = case.x.repeat_interleave(scale[0], 2).repeat_interleave(scale[1], 3)
        return impl(case, size=None, scale=scale), repeated

    def test_order_is_kept(self, impl: Trial, case: Case) -> None:
        """An image that rises along rows and columns still does, and holds its own elements only."""
        rows, columns = case.x.shape[2:]
        rising = torch.arange(rows * columns, dtype=case.dtype).view(rows, columns).expand(case.x.shape).clone()
        y = impl(case, x=rising)
        falls = (y.diff(dim=2) < 0).any() or (y.diff(dim=3) < 0).any()
        require(not bool(falls), f"the image falls: {y[0, 0].tolist()}")
        require(bool(torch.isin(y, rising).all()), f"an element is none of the image's: {y[0, 0].tolist()}")

    def test_mirrored_image_from_the_centres(self, impl: Trial, case: Case) -> Any:
        """From the centres and made smaller by an odd number, the mirrored image gives the mirrored result."""
        times = (3, 5)[case.seed % 2]
        longer = case.x.repeat_interleave(times, 3) + case.noise((*case.x.shape[:3], case.x.shape[3] * times))
        arguments = {"size": tuple(case.x.shape[2:]), "scale": None, "half_pixel": True}
        return impl(case, x=longer.flip(-1), **arguments), impl(case, x=longer, **arguments).flip(-1)

    def test_first_element_of_each_block(self, impl: Trial, case: Case) -> Any:
        """By the first rule and made smaller by a whole number, the first element of every block stays."""
        x = case.noise((*case.x.shape[:2], case.x.shape[2] * 2, case.x.shape[3] * 3), 57)
        size = tuple(case.x.shape[2:])
        return impl(case, x=x, size=size, scale=None, half_pixel=False), x[:, :, ::2, ::3]

    def test_whole_places_are_exact(self, impl: Trial) -> None:
        """Where a place falls on an element exactly, that element is taken: element 41 of 2 → 82 is the second."""
        for n, m, half_pixel in ((2, 82, False), (3, 123, False), (2, 41, True), (14, 46, False)):
            x = torch.arange(n, dtype=self.dtype).view(1, 1, 1, n)
            y = impl.call(x=x, size=(1, m), scale=None, half_pixel=half_pixel)[0, 0, 0]
            expected = pooling.upsample_nearest(x, (1, m), None, half_pixel)[0, 0, 0]
            wrong = (y != expected).nonzero().flatten().tolist()
            rule = "half_pixel" if half_pixel else "the first rule"
            found = f"{n} → {m} by {rule}: elements {wrong[:3]} are {y[wrong[:3]].tolist()}"
            require(not wrong, f"{found}, expected {expected[wrong[:3]].tolist()}")

    def test_gradient_adds_up_over_the_copies(self, impl: Trial, case: Case) -> Any:
        """What flows back adds up to what flowed into the result."""
        cotangent = case.noise((*case.x.shape[:2], *new_size(case)))
        gradient = impl.vjp(case, [cotangent], wrt=("x",))[1]["x"]
        return gradient.sum((2, 3)), cotangent.sum((2, 3))

    def test_published_example(self, impl: Trial) -> None:
        """Note 002's 2×2 image, twice as large."""
        x = tensor([[published.UPSAMPLED_IMAGE]], dtype=self.dtype)
        y = impl.call(x=x, scale=published.UPSAMPLED_SCALE)[0, 0].tolist()
        require(y == [list(row) for row in published.UPSAMPLED_NEAREST], f"note 002's image gives {y}")


NAN_OF_NO_WEIGHT = (
    "whether a neighbour of weight 0 shows its nan (0 · nan) differs between libraries; "
    "a law of its own says what must show"
)


class TestUpsampleBilinear(Upsampled, Spec):
    component = pooling.upsample_bilinear
    cases = domains.upsample_bilinear
    extremes = domains.upsample_bilinear_extremes
    declines = {"nan_not_hidden": NAN_OF_NO_WEIGHT}
    edges = (
        {"x": zeros(0, 2, 3, 4), "scale": 2},
        {"x": ones(1, 1, 1, 1), "size": (2, 3), "align_corners": True},
        {"x": tensor([[[[1.0, 2.0, 4.0]]]]), "size": 1},
        {"x": tensor([[[[1.0, 2.0, 4.0]]]]), "size": 1, "align_corners": True},
    )

    def ramp(self, case: Case, size: tuple[int, ...]) -> Tensor:
        """An image that rises evenly from corner to corner, the same at every size."""
        down, right = (torch.arange(n, dtype=case.dtype) / max(n - 1, 1) for n in size)
        return (2 * down[:, None] - 3 * right + 1).expand(*case.x.shape[:2], *size).clone()

    def test_ramps_stay_ramps(self, impl: Trial, case: Case) -> Any:
        """With aligned corners, an image that rises evenly from corner to corner still does."""
        size = tuple(max(m, 2) for m in new_size(case))
        # A single row has no slope to continue.
        source = tuple(max(n, 2) for n in case.x.shape[2:])
        y = impl(case, x=self.ramp(case, source), size=size, scale=None, align_corners=True)
        return y, self.ramp(case, size)

    def test_corners_stay(self, impl: Trial, case: Case) -> Any:
        """With aligned corners, the corners are those of the image."""
        size = tuple(max(m, 2) for m in new_size(case))
        y = impl(case, size=size, scale=None, align_corners=True)
        return y[:, :, :: size[0] - 1, :: size[1] - 1], case.x[:, :, [0, -1]][..., [0, -1]]

    def test_ramps_by_centres(self, impl: Trial, case: Case) -> Any:
        """From the centres, twice as many elements of an even slope rise by half of it, but at the border."""
        n = 2 + case.seed % 4
        x = torch.arange(n, dtype=case.dtype).expand(*case.x.shape[:3], n).clone()
        y = impl(case, x=x, size=None, scale=(1, 2), align_corners=False)
        places = (torch.arange(2 * n, dtype=case.dtype) / 2 - 0.25).clamp(0, n - 1)
        return y, places.expand(y.shape)

    def test_result_lies_between_the_elements(self, impl: Trial, case: Case) -> Any:
        """No result is beyond the largest or smallest element of its plane."""
        y = impl(case)
        return y, y.clamp(case.x.amin((2, 3), keepdim=True), case.x.amax((2, 3), keepdim=True))

    def test_mirrored_image(self, impl: Trial, case: Case) -> Any:
        """The mirrored image gives the mirrored result, by either rule."""
        if 1 in new_size(case):
            # With aligned corners a single element is the first one.
            case = case.but(align_corners=False)
        return impl(case, x=case.x.flip(-1, -2)), impl(case).flip(-1, -2)

    def test_additive(self, impl: Trial, case: Case) -> Any:
        """The sum of two images gives the sum of their results."""
        other = case.noise(case.x.shape)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)

    def test_nan_shows_where_it_is_read(self, impl: Trial, case: Case) -> None:
        """A nan reaches every place that weighs it, and none that lies further than one element away."""
        place = case.seed % case.x[0, 0].numel()
        one = torch.zeros_like(case.x).flatten(2)
        one[0, 0, place] = 1
        weight = pooling.upsample_bilinear(**{**case.arguments, "x": one.view(case.x.shape)})
        near = torch.zeros_like(case.x)
        row, column = divmod(place, case.x.shape[3])
        near[0, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 1
        reach = pooling.upsample_bilinear(**{**case.arguments, "x": near})
        x = case.x.flatten(2).clone()
        x[0, 0, place] = torch.nan
        got = impl(case, x=x.view(case.x.shape)).isnan()
        require(bool(got[weight > 1e-3].all()), f"the nan of element {place} is hidden where it has weight")
        require(not bool(got[reach == 0].any()), f"the nan of element {place} leaks to places that do not read it")

    def test_published_example(self, impl: Trial) -> None:
        """Note 002's 2×2 image, twice as large with aligned corners."""
        x = tensor([[published.UPSAMPLED_IMAGE]], dtype=self.dtype)
        y = impl.call(x=x, scale=published.UPSAMPLED_SCALE, align_corners=True)[0, 0]
        shown = tuple(tuple(f"{value:.4f}" for value in row) for row in y.tolist())
        require(shown == published.UPSAMPLED_BILINEAR, f"note 002's image gives {shown}")
