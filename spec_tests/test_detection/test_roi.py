"""Regions of interest: what holds of pooling and aligning them, and pooling."""

from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases.detection import roi as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection, pooling
from lawbook.reference.convolution.sizes import per_axis
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_pooling.laws import untied

BOX = tensor([[0.0, 0.0, 2.0, 3.0]])


def ramp(case: Case, like: Tensor, slopes: tuple[float, float] = (3.0, -2.0)) -> Tensor:
    """Features or an image that rise evenly along rows and columns, the same in every plane."""
    rows, columns = (torch.arange(n, dtype=case.dtype) for n in like.shape[-2:])
    return (slopes[0] * rows[:, None] + slopes[1] * columns + 1).expand(like.shape).clone()


def joined(case: Case) -> Tensor:
    """All boxes in elements of the features, as the result counts them."""
    return torch.cat(list(case.rois)) * case.scale


class RoiLaws(Spec):
    """What holds of both ways to make boxes one size."""

    differentiable = ("features",)
    invalid: tuple[Invalid, ...] = (
        Invalid(ValueError, "no bins", features=ones(1, 2, 4, 5), rois=[BOX], output_size=0),
        Invalid(ValueError, "no bins of no box", features=ones(1, 2, 4, 5), rois=[BOX[:0]], output_size=0),
        Invalid(ValueError, "boxes of two images for one", features=ones(1, 2, 4, 5), rois=[BOX, BOX], output_size=2),
        Invalid(ValueError, "boxes of one image for two", features=ones(2, 2, 4, 5), rois=[BOX], output_size=2),
        Invalid(ValueError, "boxes of three numbers", features=ones(1, 2, 4, 5), rois=[BOX[:, :3]], output_size=2),
        Invalid(
            ValueError, "a box that ends before it begins", features=ones(1, 2, 4, 5), rois=[BOX.flip(1)], output_size=2
        ),
        Invalid(ValueError, "a box of nan", features=ones(1, 2, 4, 5), rois=[BOX * torch.nan], output_size=2),
        Invalid(ValueError, "a scale of 0", features=ones(1, 2, 4, 5), rois=[BOX], output_size=2, scale=0.0),
        Invalid(ValueError, "features without channels", features=ones(1, 0, 4, 5), rois=[BOX], output_size=2),
        Invalid(ValueError, "features of three axes", features=ones(2, 4, 5), rois=[BOX], output_size=2),
    )

    def test_boxes_are_treated_alone(self, impl: Trial, case: Case) -> Any:
        """Boxes in another order give their results in that order."""
        turned = [boxes.flip(0) for boxes in case.rois]
        counts = [len(boxes) for boxes in case.rois]
        parts = impl(case).split(counts)
        return impl(case, rois=turned), torch.cat([part.flip(0) for part in parts])

    def test_boxes_read_their_own_image(self, impl: Trial, case: Case) -> Any:
        """Images and their boxes in another order give the results of each image in that order."""
        counts = [len(boxes) for boxes in case.rois]
        parts = impl(case).split(counts)
        turned = impl(case, features=case.features.flip(0), rois=case.rois[::-1])
        return turned, torch.cat(parts[::-1])

    def test_scale_belongs_to_the_boxes(self, impl: Trial, case: Case) -> Any:
        """Boxes in units half as large and half the scale are the same boxes."""
        return impl(case, rois=[boxes * 2 for boxes in case.rois], scale=case.scale / 2), impl(case)

    def test_turning_everything_turns_the_result(self, impl: Trial, case: Case) -> Any:
        """Rows and columns exchanged in the features, the boxes and the bins are exchanged in the result."""
        turned = {
            "features": case.features.mT,
            "rois": [boxes[:, [1, 0, 3, 2]] for boxes in case.rois],
            "output_size": per_axis("", case.output_size, 2, 1)[::-1],
        }
        return impl(case, **turned), impl(case).mT

    def test_one_number_is_both_sizes(self, impl: Trial, case: Case) -> Any:
        """One number of bins stands for both axes."""
        bins = per_axis("", case.output_size, 2, 1)[1]
        return impl(case, output_size=bins), impl(case, output_size=(bins, bins))


class TestRoiPool(RoiLaws):
    component = detection.roi_pool
    cases = domains.roi_pool
    extremes = domains.roi_pool_extremes
    nan_arguments = ("features",)
    prerequisites = ("adaptive_max_pool2d",)
    edges = (
        {"features": zeros(0, 2, 3, 4), "rois": [], "output_size": 2},
        {"features": ones(1, 2, 3, 4), "rois": [zeros(0, 4)], "output_size": 2},
        {"features": -ones(1, 1, 1, 1), "rois": [zeros(1, 4)], "output_size": (2, 3)},
        {"features": -ones(1, 1, 2, 3), "rois": [tensor([[1.0, 1.0, 1.0, 1.0]])], "output_size": 2},
        {
            "features": -ones(1, 1, 2, 3),
            "rois": [tensor([[-6.0, 0, -4, 1], [0, -6, 1, -4], [5, 0, 7, 1]])],
            "output_size": 1,
        },
    )

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        # Of equal largest elements any may receive the gradient: the law looks where all differ.
        apart = untied(case, "features")
        try:
            return super()._gradient(impl, apart, second)
        except LawBroken as broken:
            broken.evidence["case"] = apart.arguments
            raise

    def spans(self, case: Case) -> list[list[tuple[int, int]]]:
        """First and last row, and first and last column, of every box, inside the features or not."""
        corners = torch.floor(joined(case).double() + 0.5).long().tolist()
        return [[(y1, y2), (x1, x2)] for x1, y1, x2, y2 in corners]

    def test_whole_plane_is_adaptive_pooling(self, impl: Trial, case: Case) -> Any:
        """The box from the first to the last element is adaptive max pooling of the plane."""
        height, width = case.features.shape[2:]
        box = tensor([[0.0, 0.0, width - 1.0, height - 1.0]], dtype=case.dtype)
        y = impl(case, rois=[box] * len(case.rois), scale=1.0)
        return y, pooling.adaptive_max_pool2d(case.features, case.output_size)

    def test_fractions_are_rounded(self, impl: Trial, case: Case) -> Any:
        """A box is the box of the elements that its corners are nearest to."""
        whole = [torch.floor(boxes * case.scale + 0.5) / case.scale for boxes in case.rois]
        return impl(case, rois=whole), impl(case)

    def test_bins_cover_the_box(self, impl: Trial, case: Case) -> Any:
        """The largest of all bins of a box within the features is the largest element of the box."""
        moved = self.within(case)
        y = impl(moved)
        largest = [
            moved.features[n, :, y1 : y2 + 1, x1 : x2 + 1].amax((1, 2))
            for (n, ((y1, y2), (x1, x2))) in zip(self.images(moved), self.spans(moved), strict=True)
        ]
        return y.amax((2, 3)), torch.stack(largest) if largest else y.amax((2, 3))

    def images(self, case: Case) -> list[int]:
        """The image of every box."""
        return [n for n, boxes in enumerate(case.rois) for _ in boxes]

    def within(self, case: Case) -> Case:
        """The case with its boxes cut to the features."""
        height, width = case.features.shape[2:]
        last = tensor([width - 1.0, height - 1.0] * 2, dtype=case.dtype)
        return case.but(rois=[torch.minimum(boxes * case.scale, last).clamp_min(0) / case.scale for boxes in case.rois])

    def edges_of_bins(self, case: Case) -> tuple[Tensor, Tensor]:
        """The last and the first row of each bin, (boxes, m), by the contract."""
        m = per_axis("", case.output_size, 2, 1)[0]
        spans = [rows for rows, _ in self.spans(case)]
        last = [[a - (-(i + 1) * (b - a + 1) // m) - 1 for i in range(m)] for a, b in spans]
        first = [[a + i * (b - a + 1) // m for i in range(m)] for a, b in spans]
        return tuple(tensor(rows, dtype=case.dtype).view(-1, m) for rows in (last, first))  # type: ignore[return-value]

    def test_uneven_splits_begin_and_end_where_they_should(self, impl: Trial, case: Case) -> Any:
        """Bin i of m holds rows from ⌊i·h / m⌋ to ⌈(i + 1)·h / m⌉, the end left out, of each box."""
        moved = self.within(case)
        last, first = self.edges_of_bins(moved)
        rising, falling = (ramp(moved, moved.features, (slope, 0.0)) for slope in (1.0, -1.0))
        found = [impl(moved, features=x)[:, 0, :, 0] for x in (rising, falling)]
        return found, [last + 1, 1 - first]

    def test_long_boxes_are_split_by_whole_numbers(self, impl: Trial) -> None:
        """Where i·h / m is whole, bins meet there exactly, such as 14 rows in 51 bins."""
        for h, m in ((14, 51), (30, 58), (55, 27), (60, 58), (12, 6)):
            rows = torch.arange(h, dtype=self.dtype).view(1, 1, h, 1)
            box = tensor([[0.0, 0.0, 0.0, h - 1.0]], dtype=self.dtype)
            for sign in (1, -1):
                y = impl.call(features=sign * rows, rois=[box], output_size=(m, 1))[0, 0, :, 0]
                expected = pooling.adaptive_max_pool2d(sign * rows, (m, 1))[0, 0, :, 0]
                wrong = (y != expected).nonzero().flatten().tolist()
                held = f"{h} rows in {m} bins: bins {wrong[:3]} hold {y[wrong[:3]].tolist()} as the largest"
                require(not wrong, f"{held}, expected {expected[wrong[:3]].tolist()}")

    def test_bins_outside_are_zero(self, impl: Trial, case: Case) -> Any:
        """Boxes beyond the last row or column give 0, whatever the elements."""
        height, width = case.features.shape[2:]
        beyond = tensor([[0.0, height, 1.0, height + 2], [width + 1.0, 0.0, width + 4, 1.0]], dtype=case.dtype)
        y = impl(case, features=-1 - case.noise(case.features.shape).abs(), rois=[beyond] * len(case.rois), scale=1.0)
        return y, torch.zeros_like(y)

    def test_outside_never_wins(self, impl: Trial, case: Case) -> None:
        """Where all elements are negative, a bin that holds one is negative: nothing outside counts as 0."""
        height, width = case.features.shape[2:]
        box = tensor([[-1.0, -1.0, width, height]], dtype=case.dtype)
        features = -1 - case.noise(case.features.shape).abs()
        y = impl(case, features=features, rois=[box] * len(case.rois), scale=1.0, output_size=1)
        require(bool((y < 0).all()), f"{y.max().item():g} is the largest of negative elements")

    def test_gradient_is_handed_on_whole(self, impl: Trial, case: Case) -> Any:
        """What flows back to the features adds up to what flowed into the bins that hold elements."""
        # Where padding is −∞, as it may be, an element of −∞ is no larger.
        case = case.but(features=torch.where(case.features.isfinite(), case.features, 0))
        spread = impl(case.but(features=torch.ones_like(case.features)))
        weight = case.noise((), 61)
        # What a sum hands back: one number, seen under every index.
        cotangent = weight.expand(spread.shape)
        gradient = impl.vjp(case, [cotangent], wrt=("features",))[1]["features"]
        return gradient.sum(), weight * spread.sum()
