"""Boxes: three ways to write them, and how far two of them overlap."""

from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases import detection_boxes as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_boxes as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

INVALID = (
    Invalid(ValueError, "boxes of 3 numbers", boxes=zeros(2, 3)),
    Invalid(ValueError, "boxes of 5 numbers", boxes=zeros(2, 5)),
    Invalid(ValueError, "a single number", boxes=zeros(())),
    Invalid(TypeError, "boxes of truth values", boxes=torch.ones(2, 4, dtype=torch.bool)),
)


def generic(case: Case, count: int, salt: int, odd: bool = False) -> Tensor:
    """Boxes with area whose edges lie on even places of a grid, or on odd ones: no edge of one kind meets one of the other."""
    low = (case.noise((count, 2), salt) * 32).round()
    size = (case.noise((count, 2), salt + 1).abs() * 32).round() + 16
    return torch.cat((low, low + size), -1) / 32 + odd / 64


def turned(boxes: Tensor) -> Tensor:
    """x and y exchanged."""
    return boxes[..., [1, 0, 3, 2]]


class Conversion(Spec):
    """Laws of every way to write boxes."""

    differentiable = ("boxes",)
    invalid = INVALID
    extremes = domains.extreme_boxes
    edges = (
        {"boxes": zeros(0, 4)},
        {"boxes": zeros(2, 0, 4)},
        {"boxes": tensor([[1.0, 2.0, 1.0, 2.0]])},
        {"boxes": tensor([1.0, 2.0, 4.0, 8.0])},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, boxes=0) if case.boxes.ndim > 1 else None

    def test_a_single_box_is_a_row_of_many(self, impl: Trial, case: Case) -> Any:
        """A tensor of four numbers is one box, and gives what it gives among others."""
        many = case.boxes.reshape(-1, 4)
        return [(impl(case, boxes=many[k]), impl(case, boxes=many)[k]) for k in range(min(2, len(many)))]

    def test_x_and_y_are_treated_alike(self, impl: Trial, case: Case) -> Any:
        """Exchanging x and y exchanges them in the result."""
        return impl(case, boxes=turned(case.boxes)), turned(impl(case))


class TestBoxCornerToCenter(Conversion):
    component = detection.box_corner_to_center
    cases = domains.box_corner_to_center

    def test_there_and_back(self, impl: Trial, case: Case) -> Any:
        """The corners of the result are the box."""
        back = detection.box_center_to_corner(impl(case))
        return back, case.boxes.to(back.dtype)

    def test_moving_the_box_moves_the_centre_alone(self, impl: Trial, case: Case) -> Any:
        """A box that moves keeps its size."""
        step = tensor([8, 4, 8, 4]).to(case.boxes.dtype)
        moved = impl(case, boxes=case.boxes + step)
        return moved, impl(case) + tensor([8.0, 4.0, 0.0, 0.0]).to(moved.dtype)

    def test_whole_numbers_have_halves_between_them(self, impl: Trial) -> None:
        """The centre of 1 and 4 is 2.5, with whole numbers too."""
        got = impl.call(boxes=tensor([[1, 2, 4, 9]]))
        require(got.tolist() == [[2.5, 5.5, 3, 7]], f"the box 1, 2, 4, 9 becomes {got.tolist()}")

    def test_whole_numbers_do_not_overflow(self, impl: Trial) -> None:
        """The corners' sum may be more than a byte, or int32, holds: the centre lies between them all the same."""
        for dtype, unit in ((torch.uint8, 1), (torch.int16, 128), (torch.int32, 2**23)):
            got = impl.call(boxes=tensor([[200, 100, 248, 240]]).mul(unit).to(dtype))
            expected = [[224.0 * unit, 170.0 * unit, 48.0 * unit, 140.0 * unit]]
            require(got.tolist() == expected, f"{dtype}: 200, 100, 248, 240 times {unit} becomes {got.tolist()}")

    def test_published_boxes_of_dog_and_cat(self, impl: Trial) -> Any:
        """The note's boxes of dog and cat come back from centre and size as they were."""
        boxes = tensor([published.DOG, published.CAT])
        back = detection.box_center_to_corner(impl.call(boxes=boxes))
        require(torch.equal(back, boxes), f"dog and cat come back as {back.tolist()}")


class TestBoxCenterToCorner(Conversion):
    component = detection.box_center_to_corner
    cases = domains.box_center_to_corner

    def test_there_and_back(self, impl: Trial, case: Case) -> Any:
        """Centre and size of the result are the box."""
        back = detection.box_corner_to_center(impl(case))
        return back, case.boxes.to(back.dtype)

    def test_moving_the_centre_moves_both_corners(self, impl: Trial, case: Case) -> Any:
        """A box whose centre moves has both corners moved."""
        step = tensor([8, 4, 0, 0]).to(case.boxes.dtype)
        moved = impl(case, boxes=case.boxes + step)
        return moved, impl(case) + tensor([8.0, 4.0, 8.0, 4.0]).to(moved.dtype)

    def test_whole_numbers_have_halves_between_them(self, impl: Trial) -> None:
        """Three wide about 5 is from 3.5 to 6.5, with whole numbers too."""
        got = impl.call(boxes=tensor([[5, 5, 3, 1]]))
        require(got.tolist() == [[3.5, 4.5, 6.5, 5.5]], f"5, 5, 3 wide and 1 high becomes {got.tolist()}")

    def test_whole_numbers_do_not_overflow(self, impl: Trial) -> None:
        """Corners may lie below 0, where a byte has nothing, or beyond what it holds."""
        for dtype, unit in ((torch.uint8, 1), (torch.int16, 128), (torch.int32, 2**23)):
            got = impl.call(boxes=tensor([[10, 250, 30, 40]]).mul(unit).to(dtype))
            expected = [[-5.0 * unit, 230.0 * unit, 25.0 * unit, 270.0 * unit]]
            require(got.tolist() == expected, f"{dtype}: 10, 250, 30, 40 times {unit} becomes {got.tolist()}")


class TestBoxCornerToXywh(Conversion):
    component = detection.box_corner_to_xywh
    cases = domains.box_corner_to_xywh

    def test_corner_and_size_make_the_other_corner(self, impl: Trial, case: Case) -> Any:
        """The corner stays, and with the size it gives the opposite corner."""
        got = impl(case)
        return torch.cat((got[..., :2], got[..., :2] + got[..., 2:]), -1), case.boxes.clone()

    def test_moving_the_box_moves_the_corner_alone(self, impl: Trial, case: Case) -> Any:
        """A box that moves keeps its size."""
        step = tensor([8, 4, 8, 4]).to(case.boxes.dtype)
        return impl(case, boxes=case.boxes + step), impl(case) + tensor([8, 4, 0, 0]).to(case.boxes.dtype)

    def test_size_is_that_of_the_centre_form(self, impl: Trial, case: Case) -> Any:
        """Width and height are those of the box by its centre."""
        size = detection.box_corner_to_center(case.boxes)[..., 2:]
        return impl(case)[..., 2:].to(size.dtype), size


class TestBoxIou(Spec):
    component = detection.box_iou
    cases = domains.box_iou
    extremes = domains.box_iou_extremes
    differentiable = ("boxes1", "boxes2")
    invalid = (
        Invalid(ValueError, "a single box without its axis", boxes1=zeros(4), boxes2=zeros(2, 4)),
        Invalid(ValueError, "boxes of 5 numbers", boxes1=zeros(2, 4), boxes2=zeros(2, 5)),
        Invalid(TypeError, "boxes of truth values", boxes1=torch.ones(2, 4, dtype=torch.bool), boxes2=zeros(2, 4)),
    )
    edges = (
        {"boxes1": zeros(0, 4), "boxes2": ones(2, 4)},
        {"boxes1": ones(2, 4), "boxes2": zeros(0, 4)},
        {"boxes1": zeros(0, 4), "boxes2": zeros(0, 4)},
        {"boxes1": tensor([[0.0, 0.0, 2.0, 2.0]]), "boxes2": tensor([[1.0, 1.0, 4.0, 3.0]])},
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, boxes1=0)

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        # Where edges coincide the gradient may take either side: it is judged in general position.
        if domains.edges_coincide(case.boxes1, case.boxes2):
            n, m = len(case.boxes1), len(case.boxes2)
            case = case.but(boxes1=generic(case, n, 61), boxes2=generic(case, m, 71, odd=True))
        try:
            return super()._gradient(impl, case, second)
        except LawBroken as broken:
            broken.evidence["case"] = case.arguments
            raise

    def test_symmetric(self, impl: Trial, case: Case) -> Any:
        """Exchanging the sets transposes the result."""
        return impl(case), impl(case, boxes1=case.boxes2, boxes2=case.boxes1).mT

    def test_between_nothing_and_all(self, impl: Trial, case: Case) -> Any:
        """Every overlap lies in [0, 1]."""
        iou = impl(case)
        return iou, iou.clamp(0, 1)

    def test_one_with_itself(self, impl: Trial, case: Case) -> Any:
        """A box with area overlaps itself by 1, one without by 0."""
        iou = impl(case, boxes2=case.boxes1)
        sides = case.boxes1[:, 2:] - case.boxes1[:, :2]
        return iou.diagonal(), (sides > 0).all(1).to(iou.dtype)

    def test_scale_and_place_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Boxes that are enlarged and moved together overlap as before."""
        return impl(case, boxes1=case.boxes1 * 4 + 16, boxes2=case.boxes2 * 4 + 16), impl(case)

    def test_x_and_y_are_treated_alike(self, impl: Trial, case: Case) -> Any:
        """Exchanging x and y changes nothing."""
        return impl(case, boxes1=turned(case.boxes1), boxes2=turned(case.boxes2)), impl(case)

    def test_touching_boxes_do_not_overlap(self, impl: Trial, case: Case) -> Any:
        """Boxes that share an edge or a corner overlap by 0."""
        x1, y1, x2, y2 = case.boxes1.unbind(-1)
        right, below = torch.stack((x2, y1, x2 + 3, y2), -1), torch.stack((x1, y2, x2, y2 + 3), -1)
        corner = torch.stack((x2, y2, x2 + 2, y2 + 2), -1)
        found = torch.stack([impl(case, boxes2=beside).diagonal() for beside in (right, below, corner)])
        return found, torch.zeros_like(found)

    def test_boxes_without_area_overlap_nothing(self, impl: Trial, case: Case) -> Any:
        """Points and lines give 0 with everything, with themselves too, and never nan."""
        x1, y1, x2, y2 = case.boxes1.unbind(-1)
        flat = torch.cat([torch.stack(line, -1) for line in ((x1, y1, x1, y1), (x1, y1, x1, y2), (x1, y1, x2, y1))])
        found = (impl(case, boxes2=flat), impl(case, boxes1=flat, boxes2=flat))
        return found, tuple(torch.zeros_like(iou) for iou in found)

    def test_boxes_without_area_leave_gradients_alone(self, impl: Trial, case: Case) -> Any:
        """With a point in both sets, gradients stay finite, and those of the other boxes are what they were."""
        boxes1, boxes2 = generic(case, 2, 61), generic(case, 3, 71, odd=True)
        point = torch.full((1, 4), 50.0, dtype=case.dtype)
        cotangent = case.noise((3, 4), 81)
        more = {"boxes1": torch.cat((boxes1, point)), "boxes2": torch.cat((boxes2, point))}
        wrt = ("boxes1", "boxes2")
        there = impl.vjp(case, [cotangent], wrt=wrt, **more)[1]
        alone = impl.vjp(case, [cotangent[:2, :3].clone()], wrt=wrt, boxes1=boxes1, boxes2=boxes2)[1]
        for name in wrt:
            require(bool(torch.isfinite(there[name]).all()), f"the gradient of {name} is {there[name].tolist()}")
        return (there["boxes1"][:2], there["boxes2"][:3]), (alone["boxes1"], alone["boxes2"])

    def test_whole_numbers_do_not_overflow(self, impl: Trial, case: Case) -> Any:
        """Boxes of 3e5 in int32 and of 4e9 in int64, whose areas their dtypes do not hold, overlap as others do."""
        equations = []
        for dtype, unit in ((torch.int32, 25_000), (torch.int64, 2**28)):
            whole = [
                (boxes / 2).ceil().to(dtype) * unit for boxes in (generic(case, 2, 61) * 8, generic(case, 3, 71) * 8)
            ]
            iou = impl(case, boxes1=whole[0], boxes2=whole[1])
            small = [(boxes // unit).to(torch.float32) for boxes in whole]
            equations.append((iou, detection.box_iou(*small)))
        return equations

    def test_large_boxes_in_half_precision(self, impl: Trial) -> None:
        """Boxes larger than 256×256, whose areas float16 does not hold, overlap as others do."""
        boxes = tensor([[0.0, 0.0, 512.0, 512.0], [0.0, 0.0, 1024.0, 1024.0], [600.0, 0.0, 1000.0, 400.0]]).half()
        got = impl.call(boxes1=boxes[:1], boxes2=boxes)
        require(got.tolist() == [[1.0, 0.25, 0.0]], f"512×512 with itself, twice as large and apart: {got.tolist()}")

    def test_published_dog_and_cat_are_apart(self, impl: Trial) -> None:
        """The note's boxes of dog and cat do not overlap."""
        got = impl.call(boxes1=tensor([published.DOG]), boxes2=tensor([published.CAT]))
        require(got.tolist() == [[0.0]], f"dog and cat overlap by {got.tolist()}")
