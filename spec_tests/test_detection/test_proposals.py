"""Boxes out of networks: proposals, YOLO's grid, and the detections worth showing."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import detection_suppression as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_boxes as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.reference.detection.boxes import overlaps
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

BOX = tensor([[0.25, 0.25, 0.75, 0.75]])
OF_RPN = {"objectness": zeros(1), "offsets": zeros(1, 4), "anchors": BOX, "nms_threshold": 0.5, "top_n": 1}


class TestRpnProposals(Spec):
    component = detection.rpn_proposals
    cases = domains.rpn_proposals
    extremes = domains.rpn_proposals_extremes
    differentiable = ("objectness", "offsets", "anchors")
    prerequisites = ("offset_inverse", "nms")
    invalid = (
        Invalid(ValueError, "fewer scores than anchors", **{**OF_RPN, "anchors": BOX.repeat(2, 1)}),
        Invalid(ValueError, "offsets in a row", **{**OF_RPN, "offsets": zeros(4)}),
        Invalid(ValueError, "no proposals at most", **{**OF_RPN, "top_n": 0}),
        Invalid(ValueError, "a threshold above 1", **{**OF_RPN, "nms_threshold": 2.0}),
    )
    edges = (
        OF_RPN,
        {**OF_RPN, "objectness": zeros(0), "offsets": zeros(0, 4), "anchors": zeros(0, 4)},
        {**OF_RPN, "anchors": BOX + 1},
    )
    declines = {"nan_not_hidden": "which boxes overlap a box of nan is not defined"}

    def test_inside_the_image(self, impl: Trial, case: Case) -> Any:
        """Proposals lie inside the image, and have area there."""
        boxes, _ = impl(case)
        require(bool((boxes[:, 2:] > boxes[:, :2]).all()), f"some of the proposals {boxes.tolist()} have no area")
        return boxes, boxes.clamp(0, 1)

    def test_best_first(self, impl: Trial, case: Case) -> None:
        """Scores fall."""
        _, scores = impl(case)
        require(bool((scores[1:] <= scores[:-1]).all()), f"the scores are {scores.tolist()}")

    def test_fewer_are_the_first_of_more(self, impl: Trial, case: Case) -> Any:
        """With a smaller number the proposals are the first of those with a larger one, and never more."""
        n = case.top_n
        boxes, scores = impl(case, top_n=n + 3)
        require(len(impl(case)[1]) <= n, f"{len(impl(case)[1])} proposals, expected {n} at most")
        return impl(case), (boxes[:n], scores[:n])

    def test_proposals_do_not_crowd(self, impl: Trial, case: Case) -> None:
        """No two proposals overlap by more than the threshold."""
        boxes, _ = impl(case)
        largest = float(overlaps(boxes, boxes).fill_diagonal_(0).max()) if len(boxes) else 0.0
        require(largest <= case.nms_threshold, f"proposals overlap by {largest}, beyond {case.nms_threshold}")

    def test_overlaps_are_those_inside_the_image(self, impl: Trial, case: Case) -> Any:
        """Two anchors that differ beyond the image only are one proposal."""
        boxes = tensor([[0.5, 0.5, 1.0, 1.0], [0.5, 0.5, 3.0, 3.0]]).to(case.dtype)
        scores = tensor([0.25, 0.5]).to(case.dtype)
        found = impl(
            case, objectness=scores, offsets=torch.zeros_like(boxes), anchors=boxes, nms_threshold=0.5, top_n=2
        )
        return found, (boxes[:1].clone(), scores[1:].clone())

    def test_anchors_outside_give_no_proposals(self, impl: Trial, case: Case) -> Any:
        """Anchors that lie beside the image or touch its edge are left out, however large their scores."""
        beside = (BOX + tensor([0.75, 0, 0.75, 0])).to(case.dtype)
        more = {
            "objectness": torch.cat((case.objectness, torch.full((1,), 100.0, dtype=case.dtype))),
            "offsets": torch.cat((case.offsets, zeros(1, 4, dtype=case.dtype))),
            "anchors": torch.cat((case.anchors, beside)),
        }
        return impl(case, **more), impl(case)

    def test_only_the_order_of_scores_counts(self, impl: Trial, case: Case) -> Any:
        """Scores that are doubled keep the same proposals."""
        boxes, scores = impl(case)
        return impl(case, objectness=case.objectness * 2), (boxes, scores * 2)


class TestYoloDecode(Spec):
    component = detection.yolo_decode
    cases = domains.yolo_decode
    differentiable = ("predictions",)
    twice = True
    invalid = (
        Invalid(ValueError, "boxes of 4 numbers", predictions=zeros(2, 2, 1, 4)),
        Invalid(ValueError, "a grid that is not square", predictions=zeros(2, 3, 1, 5)),
        Invalid(ValueError, "a grid of one row", predictions=zeros(1, 3, 1, 5)),
        Invalid(ValueError, "a grid without cells", predictions=zeros(0, 0, 1, 5)),
        Invalid(ValueError, "no axis of boxes", predictions=zeros(2, 2, 5)),
        Invalid(TypeError, "whole numbers", predictions=zeros(2, 2, 1, 5, dtype=torch.int64)),
    )
    edges = (
        {"predictions": zeros(0, 2, 2, 3, 5)},
        {"predictions": ones(1, 1, 1, 5) / 4},
        {"predictions": zeros(2, 2, 0, 5)},
        {"predictions": zeros(1, 2, 2, 0, 5)},
    )
    declines = {"extremes_stay_finite": "every number lies in [0, 1], both ends are among the cases"}

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, predictions=0) if case.predictions.ndim > 4 else None

    def parts(self, case: Case, impl: Trial) -> tuple[Any, Any]:
        """Centres and sizes as (…, S, S, B, 2)."""
        centre, size = detection.box_corner_to_center(impl(case)[0]).split(2, -1)
        shape = (*case.predictions.shape[:-1], 2)
        require(centre.numel() == case.predictions[..., :2].numel(), f"{centre.shape[-2]} boxes for {shape[-4:-1]}")
        return centre.reshape(shape), size.reshape(shape)

    def test_the_centre_lies_in_its_cell(self, impl: Trial, case: Case) -> Any:
        """The centre of every box lies in the cell that predicts it, at the place that x and y say."""
        centre, _ = self.parts(case, impl)
        side = case.predictions.shape[-3]
        place = torch.arange(side, dtype=centre.dtype)
        cell = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1)[:, :, None]
        inside = torch.minimum(torch.maximum(centre * side, cell), cell + 1)
        return [(centre * side, inside), (centre * side - cell, case.predictions[..., :2].clone())]

    def test_sizes_are_shares_of_the_image(self, impl: Trial, case: Case) -> Any:
        """Width and height are the predicted ones, whatever the grid."""
        return self.parts(case, impl)[1], case.predictions[..., 2:4].clone()

    def test_confidences_keep_their_boxes(self, impl: Trial, case: Case) -> Any:
        """The confidences come row by row, cell by cell and box by box, unchanged."""
        return impl(case)[1], case.predictions[..., 4].flatten(-3).clone()

    def test_x_and_y_are_treated_alike(self, impl: Trial, case: Case) -> Any:
        """A grid turned over its diagonal, x exchanged with y, gives the boxes turned."""
        turned = case.predictions.transpose(-4, -3)[..., [1, 0, 3, 2, 4]]
        shape = (*case.predictions.shape[:-1], 4)
        boxes = impl(case, predictions=turned)[0].reshape(shape).transpose(-4, -3)
        return boxes[..., [1, 0, 3, 2]], impl(case)[0].reshape(shape)


class TestFilterDetections(Spec):
    component = detection.filter_detections
    cases = domains.filter_detections
    extremes = domains.filter_detections_extremes
    differentiable = ("detections",)
    invalid = (
        Invalid(ValueError, "detections of 5 numbers", detections=zeros(2, 5), threshold=0.5),
        Invalid(ValueError, "a batch of detections", detections=zeros(1, 2, 6), threshold=0.5),
        Invalid(ValueError, "a threshold above 1", detections=zeros(2, 6), threshold=2.0),
        Invalid(ValueError, "a threshold below 0", detections=zeros(2, 6), threshold=-0.5),
        Invalid(TypeError, "whole numbers", detections=zeros(2, 6, dtype=torch.int64), threshold=0.5),
    )
    edges = (
        {"detections": zeros(0, 6), "threshold": 0.5},
        {"detections": ones(1, 6), "threshold": 1.0},
        {"detections": -ones(2, 6), "threshold": 0.0},
    )

    def test_kept_rows_reach_the_threshold(self, impl: Trial, case: Case) -> None:
        """What is kept has a class and a confidence of the threshold at least."""
        kept = impl(case)
        good = (kept[:, 0] >= 0) & (kept[:, 1] >= case.threshold)
        require(bool(good.all()), f"the row {kept[~good][:1].tolist()} is kept at {case.threshold}")

    def test_no_good_row_is_lost(self, impl: Trial, case: Case) -> Any:
        """As many rows are kept as have a class and reach the threshold, in their order."""
        good = [row for row in case.detections if row[0] >= 0 and row[1] >= case.threshold]
        return impl(case), torch.stack(good) if good else case.detections[:0].clone()

    def test_a_threshold_of_zero_keeps_all_with_a_class(self, impl: Trial, case: Case) -> Any:
        """At 0 only the rows without a class are left out."""
        return impl(case, threshold=0.0), case.detections[case.detections[:, 0] >= 0].clone()

    def test_twice_is_once(self, impl: Trial, case: Case) -> Any:
        """Of the kept rows all are kept."""
        once = impl(case)
        return impl(case, detections=once), once

    def test_published_detections_worth_showing(self, impl: Trial) -> None:
        """Of the textbook's four detections, dog and cat are shown."""
        rows = tensor([[float(text) for text in row] for row in published.DETECTED])
        got = impl.call(detections=rows, threshold=0.9)
        require(got[:, 0].tolist() == [0, 1], f"the classes shown are {got[:, 0].tolist()}")
