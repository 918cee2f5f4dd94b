"""Images read between their elements: at single places, and averaged over regions of interest."""

from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases.detection import roi as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import NotOffered
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_detection.test_roi import BOX, RoiLaws, joined, ramp

NAN_OF_NO_WEIGHT = (
    "whether a neighbour of weight 0 shows its nan (0 · nan) differs between libraries; "
    "a law of its own says what must show"
)


class TestBilinearSample(Spec):
    component = detection.bilinear_sample
    cases = domains.bilinear_sample
    extremes = domains.bilinear_sample_extremes
    differentiable = ("image", "x", "y")
    declines = {"nan_not_hidden": NAN_OF_NO_WEIGHT}
    invalid = (
        Invalid(ValueError, "an image of two axes", image=ones(3, 4), x=ones(2) / 4, y=ones(2) / 4),
        Invalid(ValueError, "more columns than rows", image=ones(1, 3, 4), x=ones(3) / 4, y=ones(2) / 4),
        Invalid(ValueError, "places of nan", image=ones(1, 3, 4), x=torch.nan * ones(2), y=ones(2) / 4),
        Invalid(ValueError, "infinite places", image=ones(1, 3, 4), x=ones(2) / 4, y=-torch.inf * ones(2)),
        Invalid(ValueError, "an image without rows", image=ones(1, 0, 4), x=ones(2) / 4, y=ones(2) / 4),
        Invalid(ValueError, "an image without rows, no place", image=ones(1, 0, 4), x=zeros(0), y=zeros(0)),
        Invalid(ValueError, "an unknown rule", image=ones(1, 3, 4), x=ones(2) / 4, y=ones(2) / 4, outside="wrap"),
        Invalid(TypeError, "whole places", image=ones(1, 3, 4), x=ones(2).long(), y=ones(2).long()),
    )
    edges = (
        {"image": ones(2, 3, 4), "x": zeros(0), "y": zeros(0)},
        {"image": ones(0, 3, 4), "x": ones(2) / 4, "y": ones(2) / 4},
        {"image": ones(1, 1, 1), "x": tensor([0.25, -0.75]), "y": tensor([-0.5, 0.25])},
        {"image": ones(1, 1, 1), "x": tensor([0.25, -0.75]), "y": tensor([-0.5, 5.25]), "outside": "border"},
        {"image": ones(1, 2, 3), "x": tensor(0.25), "y": tensor(0.75)},
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=1, x=0, y=0)

    def inside(self, case: Case) -> tuple[Tensor, Tensor]:
        """The case's places, those outside moved to the border."""
        height, width = case.image.shape[1:]
        return case.x.clamp(0, width - 1), case.y.clamp(0, height - 1)

    def test_exact_on_bilinear_functions(self, impl: Trial, case: Case) -> Any:
        """On an image of 1 + 3·row − 2·column + ½·row·column the value between is that of the formula."""
        x, y = self.inside(case)
        rows, columns = (torch.arange(n, dtype=case.dtype) for n in case.image.shape[1:])
        image = 1 + 3 * rows[:, None] - 2 * columns + 0.5 * rows[:, None] * columns
        value = 1 + 3 * y - 2 * x + 0.5 * x * y
        return impl(case, image=image.expand(case.image.shape).clone(), x=x, y=y), value.expand(
            len(case.image), *x.shape
        )

    def test_elements_stand_at_whole_places(self, impl: Trial, case: Case) -> Any:
        """At every whole place within the image the value is the element, by either rule."""
        rows, columns = (torch.arange(n, dtype=case.dtype) for n in case.image.shape[1:])
        places = {
            "y": rows[:, None].expand(case.image.shape[1:]).clone(),
            "x": columns.expand(case.image.shape[1:]).clone(),
        }
        return impl(case, **places), case.image

    def test_value_lies_between_the_neighbours(self, impl: Trial, case: Case) -> Any:
        """With the border going on, no value is beyond the largest or smallest element of its plane."""
        value = impl(case, outside="border")
        low, high = (pick((1, 2)).view(-1, *(1,) * case.x.ndim) for pick in (case.image.amin, case.image.amax))
        return value, value.clamp(low, high)

    def test_border_goes_on(self, impl: Trial, case: Case) -> Any:
        """By "border", a place outside is the nearest place inside."""
        x, y = self.inside(case)
        # Elements of one size: by a last digit of a place on the border a neighbour a thousand times as large would show.
        image = 2 + torch.tanh(case.noise(case.image.shape))
        return impl(case, image=image, outside="border"), impl(case, image=image, x=x, y=y, outside="border")

    def test_zeros_surround_the_image(self, impl: Trial, case: Case) -> Any:
        """By "zeros", the image is one that zeros surround."""
        larger = torch.nn.functional.pad(case.image, (3, 3, 3, 3))
        return impl(case, outside="zeros"), impl(case, image=larger, x=case.x + 3, y=case.y + 3, outside="border")

    def test_places_may_be_finer_than_the_image(self, impl: Trial) -> None:
        """A float16 image is read at places of float32: 2049.25 lies between two elements, though float16 has no such number."""
        if self.lacks_dtype(impl, torch.float16):
            raise NotOffered(f"{impl.implementation.name} has no float16, in which alone it shows")
        image = (torch.arange(2100) % 2).to(torch.float16).view(1, 1, -1)
        x = torch.tensor([2048.25, 2049.25, 2050.5, 2051.0])
        expected = torch.tensor([[0.25, 0.75, 0.5, 1.0]])
        found = impl.call(image=image, x=x, y=torch.zeros_like(x), outside="border")
        far = (found.float() - expected).abs() > 2**-8
        require(not far.any(), f"at x = {x.tolist()} the image of 0, 1, 0, 1, … is {found.tolist()}", expected=expected)

    def test_far_outside(self, impl: Trial, case: Case) -> Any:
        """However far outside, the value is 0 by "zeros" and the corner's by "border"."""
        far = torch.full_like(case.x, -1e6)
        corner = case.image[:, :1, :1].reshape(-1, *(1,) * case.x.ndim).expand(-1, *case.x.shape)
        found = [impl(case, x=far, y=far, outside=rule) for rule in ("zeros", "border")]
        return found, [torch.zeros_like(corner), corner]

    def test_far_outside_of_a_wide_image(self, impl: Trial) -> None:
        """Beyond 1,027 columns, a number that bfloat16 does not hold, the last one goes on, or there is 0."""
        if self.lacks_dtype(impl, torch.bfloat16):
            raise NotOffered(f"{impl.implementation.name} has no bfloat16, in which alone it shows")
        image = torch.zeros(1, 1, 1027, dtype=torch.bfloat16)
        image[..., -4:] = torch.tensor([2.0, 3.0, 4.0, 5.0])
        x = torch.tensor([1040.0, 1e5], dtype=torch.bfloat16)
        for outside, expected in (("border", 5.0), ("zeros", 0.0)):
            found = impl.call(image=image, x=x, y=torch.zeros_like(x), outside=outside)
            right = bool((found == expected).all())
            require(right, f"at x = {x.tolist()}, outside = {outside!r}, it is {found.tolist()}, expected {expected}")

    def test_additive(self, impl: Trial, case: Case) -> Any:
        """The sum of two images gives the sum of their values."""
        other = case.noise(case.image.shape)
        return impl(case, image=case.image + other), impl(case) + impl(case, image=other)

    def test_rows_and_columns_exchange(self, impl: Trial, case: Case) -> Any:
        """The transposed image, with x and y exchanged, has the same values."""
        return impl(case, image=case.image.mT, x=case.y, y=case.x), impl(case)

    def test_nan_shows_where_it_is_read(self, impl: Trial, case: Case) -> None:
        """A nan reaches every place that weighs it, and none that lies further than one step away."""
        height, width = case.image.shape[1:]
        row, column = divmod(case.seed % (height * width), width)
        image = case.image.clone()
        image[:, row, column] = torch.nan
        x, y = self.inside(case)
        got = impl(case, image=image, x=x, y=y).isnan()
        away = torch.maximum((x - column).abs(), (y - row).abs())
        require(bool(got[:, away < 0.99].all()), f"the nan of element {row, column} is hidden where it has weight")
        require(
            not bool(got[:, away > 1].any()), f"the nan of element {row, column} leaks to places that do not read it"
        )


class TestRoiAlign(RoiLaws):
    component = detection.roi_align
    cases = domains.roi_align
    extremes = domains.roi_align_extremes
    declines = {"nan_not_hidden": NAN_OF_NO_WEIGHT}
    prerequisites = ("bilinear_sample",)
    invalid = (
        *RoiLaws.invalid,
        Invalid(ValueError, "−1 samples", features=ones(1, 2, 4, 5), rois=[BOX[:0]], output_size=2, sampling_ratio=-1),
        Invalid(ValueError, "−2 samples", features=ones(1, 2, 4, 5), rois=[BOX], output_size=2, sampling_ratio=-2),
        Invalid(ValueError, "an unknown mode", features=ones(1, 2, 4, 5), rois=[BOX], output_size=2, mode="sum"),
    )
    edges = (
        {"features": zeros(0, 2, 3, 4), "rois": [], "output_size": 2},
        {"features": ones(1, 2, 3, 4), "rois": [zeros(0, 4)], "output_size": 2},
        {"features": ones(1, 1, 1, 1), "rois": [tensor([[0.0, 0.0, 1.0, 1.0]])], "output_size": (2, 3)},
        {"features": ones(1, 1, 2, 3), "rois": [tensor([[1.0, 1.0, 1.0, 1.0]])], "output_size": 2},
        {"features": ones(1, 1, 2, 3), "rois": [tensor([[1.0, 1.0, 1.0, 1.0]])], "output_size": 1, "sampling_ratio": 2},
        {"features": ones(1, 1, 2, 3), "rois": [tensor([[0.0, 1.0, 1.0, 1.0]])], "output_size": 1, "aligned": False},
    )

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        # Of equal largest samples any may receive the gradient: the law looks where all elements differ.
        apart = case.but(features=case.noise(case.features.shape, 62)) if case.arguments.get("mode") == "max" else case
        try:
            return super()._gradient(impl, apart, second)
        except LawBroken as broken:
            broken.evidence["case"] = apart.arguments
            raise

    def test_the_border_is_one_step_wide(self, impl: Trial) -> None:
        """Samples exactly one step before the first element or behind the last are read, those a quarter farther are 0."""
        for beyond, expected in ((0.0, 1.0), (0.25, 0.0)):
            left, right = [-2.0 - beyond, 0, -beyond, 1], [2.0 + beyond, 0, 4 + beyond, 1]
            above, below = [0, -2.0 - beyond, 1, -beyond], [0, 1.0 + beyond, 1, 3 + beyond]
            rois = [tensor([left, right, above, below])]
            settings = {"output_size": 1, "sampling_ratio": 1, "aligned": False}
            found = impl.call(features=ones(1, 1, 2, 3), rois=rois, **settings).flatten().tolist()
            require(found == [expected] * 4, f"samples {1 + beyond} steps beyond ones are {found}, expected {expected}")

    def inner(self, case: Case) -> tuple[Case, Tensor]:
        """A linear ramp of 20×20 with all samples of every box inside, and what it is at each bin's centre."""
        moved = []
        for boxes in case.rois:
            places = boxes * case.scale
            start = places[:, :2] - places[:, :2].floor() + 2
            moved.append(torch.cat([start, start + places[:, 2:] - places[:, :2]], 1) / case.scale)
        case = case.but(rois=moved, mode="avg")
        features = ramp(case, torch.empty(*case.features.shape[:2], 20, 20))
        boxes = joined(case)
        start, extent = boxes[:, :2] - 0.5 * case.aligned, boxes[:, 2:] - boxes[:, :2]
        extent = extent if case.aligned else extent.clamp_min(1)
        rows, columns = (
            start[:, k, None] + (torch.arange(m, dtype=case.dtype) + 0.5) * extent[:, k, None] / m
            for k, m in zip((1, 0), per_axis("", case.output_size, 2, 1), strict=True)
        )
        centres = 3 * rows[:, :, None] - 2 * columns[:, None, :] + 1
        return case.but(features=features), centres.unsqueeze(1).expand(-1, features.shape[1], -1, -1)

    def test_exact_on_linear_ramps(self, impl: Trial, case: Case) -> Any:
        """On a linear ramp every bin is the ramp at its centre, whatever the number of samples."""
        inner, centres = self.inner(case)
        return [(impl(inner), centres), (impl(inner, sampling_ratio=1 + case.seed % 4), centres)]

    def test_moves_with_the_box(self, impl: Trial, case: Case) -> Any:
        """A box moved by any part of an element moves along the ramp by that much: nothing is rounded."""
        inner, _ = self.inner(case)
        right, down = (1 + case.seed % 5) / 16, (1 + case.seed // 5 % 7) / 32
        step = tensor([right, down, right, down], dtype=case.dtype)
        moved = impl(inner, rois=[boxes + step / case.scale for boxes in inner.rois])
        return moved, impl(inner) + (3 * down - 2 * right)

    def test_small_boxes_by_either_rule(self, impl: Trial, case: Case) -> Any:
        """A box smaller than an element keeps its size if aligned, and else counts as one element."""
        inner, _ = self.inner(case)
        box = tensor([[2.0, 2.5, 2.25, 2.625]], dtype=case.dtype)
        change = {"rois": [box] * len(case.rois), "scale": 1.0, "output_size": 2, "sampling_ratio": 1 + case.seed % 3}
        equations = []
        for aligned, (height, width) in ((True, (0.125, 0.25)), (False, (1.0, 1.0))):
            y = impl(inner, aligned=aligned, **change)
            equations.append((y[:, :, 1] - y[:, :, 0], torch.full_like(y[:, :, 0], 3 * height / 2)))
            equations.append((y[..., 1] - y[..., 0], torch.full_like(y[..., 0], -2 * width / 2)))
        return equations

    def test_aligned_is_half_an_element_less(self, impl: Trial, case: Case) -> Any:
        """For boxes of at least one element, aligned is the other rule for boxes half an element further up and left."""
        long = []
        for boxes in case.rois:
            extent = (boxes[:, 2:] - boxes[:, :2]).clamp_min(1 / case.scale)
            long.append(torch.cat([boxes[:, :2], boxes[:, :2] + extent], 1))
        half = [boxes - 0.5 / case.scale for boxes in long]
        return impl(case, rois=long, aligned=True), impl(case, rois=half, aligned=False)

    def test_samples_are_bins_of_a_finer_grid(self, impl: Trial, case: Case) -> Any:
        """With g samples an axis, a bin is the mean (or maximum) of g by g bins of one sample each."""
        g = 2 + case.seed % 2
        rows, columns = per_axis("", case.output_size, 2, 1)
        fine = impl(case, output_size=(rows * g, columns * g), sampling_ratio=1, mode="avg")
        blocks = fine.view(*fine.shape[:2], rows, g, columns, g).movedim(3, 4).flatten(4)
        wanted = [impl(case, sampling_ratio=g, mode=mode) for mode in ("avg", "max")]
        return wanted, [blocks.mean(-1), blocks.amax(-1)]

    def test_as_many_samples_as_elements(self, impl: Trial, case: Case) -> Any:
        """A ratio of 0 takes as many samples an axis as a bin spans elements, begun ones counted."""
        bins, span = 1 + case.seed % 2, 1 + case.seed // 2 % 3
        size = bins * (span - 0.25)
        box = tensor([[0.25, 0.5, 0.25 + size, 0.5 + size]], dtype=case.dtype) / case.scale
        change = {"rois": [box] * len(case.rois), "output_size": bins}
        return impl(case, sampling_ratio=0, **change), impl(case, sampling_ratio=span, **change)

    def test_each_axis_has_its_own_samples(self, impl: Trial, case: Case) -> Any:
        """With a ratio of 0, boxes four times as wide as high have four times as many samples along the columns."""
        box = tensor([[0.0, 0.0, 4.0, 1.0]], dtype=case.dtype) / case.scale
        change = {"rois": [box] * len(case.rois), "mode": "avg"}
        fine = impl(case, sampling_ratio=1, output_size=(1, 4), **change)
        return impl(case, sampling_ratio=0, output_size=1, **change), fine.mean(3, keepdim=True)

    def test_border_goes_on_for_one_step(self, impl: Trial, case: Case) -> Any:
        """Samples up to one step outside are the border's, those further are 0 and count in the mean."""
        height, width = case.features.shape[2:]
        # One sample in each bin, at −2.5, −1.5, −0.5, … along the axis.
        sizes = (height + 5, width + 5)
        box = tensor([[-3.0, -3.0, width + 2, height + 2]], dtype=case.dtype)
        change = {"rois": [box] * len(case.rois), "scale": 1.0, "aligned": False, "sampling_ratio": 1, "mode": "avg"}
        y = impl(case, output_size=sizes, **change)
        rows, columns = (torch.arange(n, dtype=case.dtype) - 2.5 for n in sizes)
        grid = {"y": rows[:, None].expand(sizes).clone(), "x": columns.expand(sizes).clone()}
        near = ((rows > -1) & (rows < height))[:, None] & ((columns > -1) & (columns < width))
        read = [detection.bilinear_sample(plane, outside="border", **grid) for plane in case.features]
        whole = impl(case, output_size=1, **{**change, "sampling_ratio": 5}, features=torch.ones_like(case.features))
        return [(y, torch.where(near, torch.stack(read), 0)), (whole, self.share(whole, (height, width)))]

    def share(self, like: Tensor, sizes: tuple[int, int]) -> Tensor:
        """Which share of five samples an axis is read as more than 0, for the box three steps before and two behind."""
        shares = []
        for n in sizes:
            places = [-3 + (k + 0.5) * (n + 5) / 5 for k in range(5)]
            shares.append(sum(-1 <= at <= n for at in places) / 5)
        return torch.full_like(like, shares[0] * shares[1])

    def test_additive(self, impl: Trial, case: Case) -> Any:
        """In the mean, the sum of two features gives the sum of their results."""
        other = case.noise(case.features.shape, 64)
        first, second = impl(case, mode="avg"), impl(case, features=other, mode="avg")
        return impl(case, features=case.features + other, mode="avg"), first + second

    def test_nan_shows_where_it_is_read(self, impl: Trial, case: Case) -> None:
        """A nan reaches every bin around it, and none that reads no neighbour of it."""
        row, column = 3 + case.seed % 3, 4 + case.seed % 2
        features = torch.zeros(*case.features.shape[:2], 9, 9, dtype=case.dtype)
        features[:, :, row, column] = torch.nan
        box = tensor([[0.25, 0.25, 9.25, 9.25]], dtype=case.dtype)
        change = {"rois": [box] * len(case.rois), "scale": 1.0, "output_size": 9, "sampling_ratio": 1, "aligned": True}
        got = impl(case, features=features, **change).isnan()
        read = torch.zeros_like(got)
        read[:, :, row - 1 : row + 1, column - 1 : column + 1] = True
        require(bool(got[read].all()), f"the nan of element {row, column} is hidden where it has weight")
        require(not bool(got[~read].any()), f"the nan of element {row, column} leaks to bins that do not read it")
