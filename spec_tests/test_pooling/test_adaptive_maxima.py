"""Max pooling whose windows follow from the size of the result."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import pooling as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import pooling
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_pooling.laws import INFINITY, Adaptive, Largest, divided


class TestAdaptiveMaxPool2d(Largest, Adaptive, Spec):
    component = pooling.adaptive_max_pool2d
    cases = domains.adaptive_max_pool2d
    extremes = domains.adaptive_max_pool2d_extremes
    prerequisites = ("max_pool2d",)
    edges = (
        {"x": zeros(0, 2, 3, 4), "output_size": 2},
        {"x": -ones(1, 1, 1, 1), "output_size": (2, 3)},
        {"x": tensor([[[[-3.0, -INFINITY, -2.0]]]]), "output_size": 1},
    )

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(-1)

    def test_one_bin_is_the_whole_plane(self, impl: Trial, case: Case) -> Any:
        """A single bin gives the largest element of the plane."""
        return impl(case, output_size=1), case.x.amax((2, 3), keepdim=True)

    def test_bins_of_equal_size_are_windows(self, impl: Trial, case: Case) -> Any:
        """Where the bins divide the image, it is pooling with windows side by side."""
        bins, longer = divided(case)
        kernel = tuple(n // m for n, m in zip(longer.x.shape[2:], bins, strict=True))
        return impl(longer, output_size=bins), pooling.max_pool2d(longer.x, kernel)[0]

    def test_bins_cover_the_image(self, impl: Trial, case: Case) -> None:
        """Wherever a single one stands among zeros, some bin shows it."""
        x = torch.zeros_like(case.x)
        for place in range(x[0, 0].numel()):
            flat = x.flatten(2).clone()
            flat[:, :, place] = 1
            y = impl(case, x=flat.view(x.shape))
            require(bool((y.amax((2, 3)) == 1).all()), f"no bin holds element {place} of {tuple(x.shape[2:])}")
            if place >= 8:
                break

    def test_rows_then_columns(self, impl: Trial, case: Case) -> Any:
        """Binning rows and then columns is binning both, one after the other."""
        rows, columns = per_axis("output_size", case.output_size, 2, 1)
        halfway = impl(case, output_size=(rows, case.x.shape[3]))
        return impl(case), impl(case, x=halfway, output_size=(rows, columns))


class TestFractionalMaxPool2d(Largest, Spec):
    component = pooling.fractional_max_pool2d
    cases = domains.fractional_max_pool2d
    extremes = domains.fractional_max_pool2d_extremes
    nan_arguments = ("x",)  # a sample is a number in [0, 1)
    declines = {
        "low_precision": "whether a region begins one place further is decided by rounding a product down, and half "
        "precision moves that product by more than it is away from the next whole number"
    }
    invalid = (
        Invalid(
            ValueError,
            "more regions than fit",
            x=zeros(1, 2, 4, 4),
            kernel=2,
            output_size=4,
            samples=ones(1, 2, 2) / 4,
        ),
        Invalid(ValueError, "regions of 0", x=zeros(1, 2, 4, 4), kernel=0, output_size=2, samples=ones(1, 2, 2) / 4),
        Invalid(ValueError, "no region", x=zeros(1, 2, 4, 4), kernel=2, output_size=0, samples=ones(1, 2, 2) / 4),
        Invalid(
            ValueError,
            "samples of other channels",
            x=zeros(1, 2, 4, 4),
            kernel=2,
            output_size=2,
            samples=ones(1, 1, 2) / 4,
        ),
    )
    edges = (
        {"x": zeros(0, 2, 3, 4), "kernel": 2, "output_size": 2, "samples": zeros(0, 2, 2)},
        {"x": -ones(1, 1, 1, 1), "kernel": 1, "output_size": 1, "samples": zeros(1, 1, 2)},
        {"x": torch.full((1, 1, 3, 3), -INFINITY), "kernel": 2, "output_size": 2, "samples": zeros(1, 1, 2)},
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0, samples=0)

    def test_every_output_is_an_element(self, impl: Trial, case: Case) -> None:
        """Every result is an element of its own plane."""
        x = case.noise(case.x.shape, 54)
        y = impl(case, x=x)
        strays = ~(y.flatten(2).unsqueeze(-1) == x.flatten(2).unsqueeze(2)).any(-1)
        require(not bool(strays.any()), f"{y.flatten(2)[strays][:1].tolist()} is not an element of its plane")

    def begun(self, impl: Trial, case: Case, axis: int) -> tuple[torch.Tensor, int, int]:
        """Where regions begin along rows or columns, seen on an image that rises there, and the span and size."""
        n = case.x.shape[2 + axis]
        shape = [1, 1, 1, 1]
        shape[2 + axis] = n
        rising = torch.arange(n, dtype=case.dtype).view(shape).expand(case.x.shape).clone()
        k = per_axis("kernel", case.kernel, 2, 1)[axis]
        y = impl(case, x=rising).movedim(2 + axis, -1)[:, :, 0]
        return y - (k - 1), n - k, y.shape[-1]

    def test_regions_are_ordered_and_reach_both_ends(self, impl: Trial, case: Case) -> None:
        """Regions begin at 0, end with the image, and lie as far apart as one of two neighbouring whole numbers."""
        for axis in (0, 1):
            starts, span, m = self.begun(impl, case, axis)
            require(
                bool((starts[..., -1] == span).all()), f"the last region begins at {starts[..., -1].unique().tolist()}"
            )
            if m == 1:
                continue
            require(bool((starts[..., 0] == 0).all()), f"the first region begins at {starts[..., 0].unique().tolist()}")
            steps = starts.diff(dim=-1)
            low = span // (m - 1)
            within = (steps >= low) & (steps <= low + 1)
            require(
                bool(within.all()), f"regions begin at {starts[0, 0].tolist()}, steps of {low} or {low + 1} expected"
            )

    def test_whole_steps_are_windows(self, impl: Trial, case: Case) -> Any:
        """Where the distance is whole, it is pooling with that stride, whatever the samples."""
        kernel = per_axis("kernel", case.kernel, 2, 1)
        output, step = per_axis("output_size", case.output_size, 2, 1), (1 + case.seed % 2, 2 - case.seed % 2)
        size = [k + s * (m - 1) for k, s, m in zip(kernel, step, output, strict=True)]
        x = case.noise((*case.x.shape[:2], *size), 55)
        return impl(case, x=x), pooling.max_pool2d(x, kernel, step)[0]

    def test_first_sample_belongs_to_the_rows(self, impl: Trial, case: Case) -> Any:
        """On an image that rises along one axis only, the other axis' sample does not matter."""
        found = []
        for axis in (0, 1):
            other = case.samples.clone()
            other[..., 1 - axis] = (case.samples[..., 1 - axis] + 0.5) % 1
            found.append((self.begun(impl, case.but(samples=other), axis)[0], self.begun(impl, case, axis)[0]))
        return found

    def test_turning_everything_turns_the_result(self, impl: Trial, case: Case) -> Any:
        """Turning the image, the regions and the samples turns the result."""
        turned = {name: per_axis(name, case[name], 2, 1)[::-1] for name in ("kernel", "output_size")}
        return impl(case, x=case.x.mT, samples=case.samples.flip(-1), **turned), impl(case).mT
