"""Suppression: one box for one object, the best of those that overlap."""

from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases import detection_suppression as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_boxes as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.reference.detection.boxes import overlaps
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

SQUARE = tensor([[0.0, 0.0, 4.0, 4.0]])


def distinct(case: Case) -> Case:
    """The case with scores that all differ."""
    order = torch.randperm(len(case.scores), generator=case.generator(62))
    return case.but(scores=order.to(case.dtype) / 64)


def distinct_classes(case: Case) -> Case:
    """The case with probabilities that all differ in every image."""
    shape = case.class_probs.shape
    order = torch.rand(len(case.class_probs), shape[1] * shape[2], generator=case.generator(64)).argsort(1)
    return case.but(class_probs=(order.view(shape) / 64).to(case.dtype))


class TestNms(Spec):
    component = detection.nms
    cases = domains.nms
    extremes = domains.nms_extremes
    prerequisites = ("box_iou",)
    invalid = (
        Invalid(ValueError, "a single box without its axis", boxes=zeros(4), scores=zeros(1), threshold=0.5),
        Invalid(ValueError, "more scores than boxes", boxes=SQUARE, scores=zeros(2), threshold=0.5),
        Invalid(ValueError, "a column of scores", boxes=SQUARE, scores=zeros(1, 1), threshold=0.5),
        Invalid(ValueError, "a threshold above 1", boxes=SQUARE, scores=zeros(1), threshold=1.5),
        Invalid(ValueError, "a threshold below 0", boxes=SQUARE, scores=zeros(1), threshold=-0.5),
    )
    edges = (
        {"boxes": zeros(0, 4), "scores": zeros(0), "threshold": 0.5},
        {"boxes": zeros(1, 4), "scores": zeros(1), "threshold": 0.0},
        {"boxes": zeros(2, 4), "scores": zeros(2), "threshold": 0.0},
    )
    declines = {"nan_not_hidden": "the result holds indices, among which no nan can show"}

    def test_kept_boxes_overlap_at_most_by_the_threshold(self, impl: Trial, case: Case) -> None:
        """No two kept boxes overlap by more than the threshold."""
        kept = impl(case)
        iou = overlaps(case.boxes[kept], case.boxes[kept]).fill_diagonal_(0)
        pair = (iou > case.threshold).nonzero().tolist()[:1]
        require(not pair, f"of the kept boxes {kept.tolist()}, those at {pair} overlap by more than {case.threshold}")

    def test_best_first(self, impl: Trial, case: Case) -> None:
        """Kept boxes come by falling score, equal scores by rising index, and the best of all is the first."""
        kept = impl(case)
        scores = case.scores[kept]
        for k in range(len(kept) - 1):
            ordered = scores[k] > scores[k + 1] or (scores[k] == scores[k + 1] and kept[k] < kept[k + 1])
            require(ordered, f"the kept boxes {kept.tolist()} have the scores {scores.tolist()}")
        if len(case.scores):
            best = int((case.scores == case.scores.max()).nonzero()[0])
            require(kept[:1].tolist() == [best], f"{kept.tolist()} are kept, the best box is {best}")

    def test_every_dropped_box_has_a_better_one_that_is_kept(self, impl: Trial, case: Case) -> None:
        """A dropped box overlaps a kept box, of a larger score or the same and a smaller index, by more than the threshold."""
        kept = impl(case)
        iou = overlaps(case.boxes, case.boxes[kept])
        index = torch.arange(len(case.boxes))
        better = case.scores[kept] > case.scores[:, None]
        better |= (case.scores[kept] == case.scores[:, None]) & (kept < index[:, None])
        reason = ((iou > case.threshold) & better).any(1) | torch.isin(index, kept)
        require(bool(reason.all()), f"nothing that is kept drops the boxes {index[~reason].tolist()}")

    def test_twice_is_once(self, impl: Trial, case: Case) -> Any:
        """Of the kept boxes all are kept, in their order."""
        kept = impl(case)
        return impl(case, boxes=case.boxes[kept], scores=case.scores[kept]), torch.arange(len(kept))

    def test_only_the_order_of_scores_counts(self, impl: Trial, case: Case) -> Any:
        """Scores that are doubled and moved keep the same boxes."""
        return impl(case, scores=case.scores * 2 + 1), impl(case)

    def test_the_order_of_boxes_does_not_count(self, impl: Trial, case: Case) -> Any:
        """Boxes and scores that change places together are kept together; of equal scores the first would count."""
        case = distinct(case)
        order = torch.randperm(len(case.boxes), generator=case.generator(63))
        return order[impl(case, boxes=case.boxes[order], scores=case.scores[order])], impl(case)

    def test_scale_and_place_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Boxes that are enlarged and moved together are kept as before."""
        return impl(case, boxes=case.boxes * 4 + 16), impl(case)

    def test_at_a_threshold_of_one_all_are_kept(self, impl: Trial, case: Case) -> Any:
        """No overlap is larger than 1."""
        return impl(case, threshold=1.0), case.scores.argsort(descending=True, stable=True)

    def test_boxes_without_area_are_kept(self, impl: Trial, case: Case) -> Any:
        """Points overlap nothing, not even each other."""
        corner = case.boxes[:, :2]
        points = torch.cat((corner, corner), 1)
        return impl(case, boxes=points, threshold=0.0), case.scores.argsort(descending=True, stable=True)

    def test_of_equal_scores_the_first_counts(self, impl: Trial, case: Case) -> Any:
        """Of equal boxes with equal scores the first is kept, also behind many."""
        n = 20 + case.seed % 20
        boxes = tensor([[0.0, 0.0, 2.0, 2.0], [8.0, 0.0, 9.0, 3.0]]).to(case.dtype).repeat(n, 1)
        return impl(case, boxes=boxes, scores=torch.ones(2 * n, dtype=case.dtype), threshold=0.5), tensor([0, 1])

    def test_an_overlap_that_equals_the_threshold_is_kept(self, impl: Trial) -> None:
        """One half is not larger than one half, and one fifth not than 0.2, in float32 too."""
        for threshold, boxes in (
            (0.5, [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0]]),
            (0.25, [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]]),
            (0.2, [[0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 1.0, 1.0]]),
        ):
            got = impl.call(boxes=tensor(boxes), scores=tensor([0.5, 0.75]), threshold=threshold).tolist()
            require(got == [1, 0], f"of two boxes with an overlap of {threshold}, {got} are kept, expected both")

    def test_dropped_boxes_drop_nothing(self, impl: Trial) -> None:
        """The first drops the second, which overlaps the third: the third stays."""
        boxes = torch.cat((SQUARE, SQUARE + tensor([2.0, 0, 2, 0]), SQUARE + tensor([4.0, 0, 4, 0])))
        got = impl.call(boxes=boxes, scores=tensor([3.0, 2.0, 1.0]), threshold=0.25).tolist()
        require(got == [0, 2], f"of three boxes in a row {got} are kept, expected the first and the last")

    def test_large_boxes_in_half_precision(self, impl: Trial) -> None:
        """Equal boxes of 1024×1024, whose areas float16 does not hold, are one object."""
        boxes = (SQUARE * 256).half().repeat(3, 1)
        got = impl.call(boxes=boxes, scores=tensor([1.0, 3.0, 2.0]).half(), threshold=0.5).tolist()
        require(got == [1], f"of three equal boxes {got} are kept")

    def test_whole_numbers_do_not_overflow(self, impl: Trial) -> None:
        """Equal boxes of 3e5 in int32 and of 4e9 in int64, whose areas their dtypes do not hold, are one object."""
        for dtype, unit in ((torch.int32, 75_000), (torch.int64, 2**30)):
            boxes = (SQUARE.to(dtype) * unit).repeat(3, 1)
            got = impl.call(boxes=boxes, scores=tensor([1.0, 3.0, 2.0]), threshold=0.5).tolist()
            require(got == [1], f"of three equal boxes of {dtype} {got} are kept")

    def test_published_boxes(self, impl: Trial) -> None:
        """Of the textbook's three boxes about the dog and one about the cat, one each is kept."""
        scores = tensor(published.PROBABILITIES)[1:].amax(0)
        got = impl.call(boxes=tensor(published.PREDICTED), scores=scores, threshold=0.5).tolist()
        require(got == [0, 3], f"{got} are kept")


NO_IMAGE = {"class_probs": zeros(0, 2, 1), "offsets": zeros(0, 4), "anchors": SQUARE}


class TestMultiboxDetection(Spec):
    component = detection.multibox_detection
    cases = domains.multibox_detection
    extremes = domains.multibox_detection_extremes
    differentiable = ("class_probs", "offsets", "anchors")
    prerequisites = ("offset_inverse", "nms")
    invalid = (
        Invalid(ValueError, "background only", class_probs=ones(1, 1, 1), offsets=zeros(1, 4), anchors=SQUARE),
        Invalid(ValueError, "no batch of probabilities", class_probs=ones(2, 1), offsets=zeros(1, 4), anchors=SQUARE),
        Invalid(ValueError, "offsets of another image", class_probs=ones(2, 2, 1), offsets=zeros(1, 4), anchors=SQUARE),
        Invalid(ValueError, "too many anchors", class_probs=ones(1, 2, 1), offsets=zeros(1, 4), anchors=ones(2, 4)),
        Invalid(
            ValueError,
            "a threshold above 1",
            class_probs=ones(1, 2, 1),
            offsets=zeros(1, 4),
            anchors=SQUARE,
            nms_threshold=1.5,
        ),
        *(
            Invalid(ValueError, f"{name} of {value}", **NO_IMAGE, **{name: value})
            for name in ("nms_threshold", "pos_threshold")
            for value in (-0.5, 1.5)
        ),
    )
    edges = (
        {"class_probs": zeros(0, 3, 2), "offsets": zeros(0, 8), "anchors": SQUARE.repeat(2, 1)},
        {"class_probs": zeros(2, 3, 0), "offsets": zeros(2, 0), "anchors": zeros(0, 4)},
        {"class_probs": ones(1, 2, 1) / 2, "offsets": zeros(1, 4), "anchors": SQUARE[None]},
    )
    declines = {"nan_not_hidden": "which boxes overlap a box of nan is not defined"}

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, class_probs=0, offsets=0)

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        # Of equally probable classes any may receive the gradient: the law looks where all probabilities differ.
        case = distinct_classes(case)
        try:
            return super()._gradient(impl, case, second)
        except LawBroken as broken:
            broken.evidence["case"] = case.arguments
            raise

    def decoded(self, case: Case) -> Tensor:
        """The predicted boxes, (B, A, 4)."""
        batch, _, count = case.class_probs.shape
        anchors = case.anchors.reshape(1, -1, 4).expand(batch, -1, -1)
        return detection.offset_inverse(anchors, case.offsets.view(batch, count, 4))

    def test_every_anchor_has_its_box(self, impl: Trial, case: Case) -> Any:
        """The result holds the predicted boxes of all anchors of its image, suppressed or not."""
        return impl(case)[..., 2:].sort(1).values, self.decoded(case).sort(1).values

    def test_suppressed_boxes_have_no_class(self, impl: Trial, case: Case) -> Any:
        """With nothing below the other threshold, those have a class that nms keeps among the boxes of all classes."""
        found = (impl(case, pos_threshold=0.0)[..., 0] >= 0).sum(1)
        confidence = case.class_probs[:, 1:].amax(1)
        boxes = self.decoded(case)
        kept = [len(detection.nms(b, c, case.nms_threshold)) for b, c in zip(boxes, confidence, strict=True)]
        return found, tensor(kept)

    def test_kept_boxes_come_first_and_best_first(self, impl: Trial, case: Case) -> None:
        """With nothing below the other threshold, those with a class come first, by falling confidence."""
        found = impl(case, pos_threshold=0.0)
        for image in found:
            classes, confidence = image[:, 0], image[:, 1]
            kept = int((classes >= 0).sum())
            require(bool((classes[:kept] >= 0).all()), f"the classes come as {classes.tolist()}")
            falling = bool((confidence[:kept].diff() <= 0).all())
            require(falling, f"the confidences of the kept boxes come as {confidence[:kept].tolist()}")

    def test_low_confidence_is_that_of_background(self, impl: Trial, case: Case) -> Any:
        """Below the threshold a box has no class, and its confidence is one minus the best class's."""
        found = impl(case, pos_threshold=1.0)
        confidence = case.class_probs[:, 1:].amax(1)
        expected = torch.where(confidence < 1, 1 - confidence, confidence).sort(1).values
        require(bool((found[..., 0][found[..., 1] < 1] == -1).all()), f"the classes are {found[..., 0].tolist()}")
        return found[..., 1].sort(1).values, expected

    def test_classes_change_places(self, impl: Trial, case: Case) -> Any:
        """Classes in another order are found in that order, of every image, and nothing else changes."""
        case = distinct_classes(case)
        last = case.class_probs.shape[1] - 2
        turned = torch.cat((case.class_probs[:, :1], case.class_probs[:, 1:].flip(1)), 1)
        found = impl(case, class_probs=turned)
        classes = torch.where(found[..., :1] >= 0, last - found[..., :1], -1)
        return torch.cat((classes, found[..., 1:]), -1), impl(case)

    def test_large_boxes_in_half_precision(self, impl: Trial) -> None:
        """In every image, equal boxes of 1024×1024, whose areas float16 does not hold, are one object."""
        probs = tensor([[[0.0, 0.0], [0.25, 0.5], [0.125, 0.125]], [[0.0, 0.0], [0.25, 0.5], [0.5, 0.75]]]).half()
        anchors = (SQUARE * 256).half().repeat(2, 1)
        found = impl.call(class_probs=probs, offsets=zeros(2, 8).half(), anchors=anchors)
        got = found[..., 0].tolist()
        require(got == [[0, -1], [1, -1]], f"of two equal boxes of two images the classes are {got}")

    def test_background_does_not_compete(self, impl: Trial, case: Case) -> Any:
        """The probability of background changes nothing."""
        probs = case.class_probs.clone()
        probs[:, 0] = 1 - probs[:, 0]
        return impl(case, class_probs=probs), impl(case)

    def test_a_box_stands_for_one_class_only(self, impl: Trial, case: Case) -> Any:
        """Two equal boxes of two classes are one detection, of the more probable class: nms looks at no class."""
        probs = tensor([[[0.0, 0.0], [0.25, 0.5], [0.75, 0.125]]]).to(case.dtype)
        anchors = SQUARE.to(case.dtype).repeat(2, 1)
        found = impl(case, class_probs=probs, offsets=zeros(1, 8, dtype=case.dtype), anchors=anchors)
        return found[..., 0].long(), tensor([[1, -1]])

    def test_of_equal_classes_the_first_counts(self, impl: Trial, case: Case) -> Any:
        """Where two classes are equally probable, the box has the first."""
        probs = tensor([[[0.0], [0.25], [0.375], [0.375]]]).to(case.dtype)
        anchors = SQUARE.to(case.dtype)
        found = impl(
            case, class_probs=probs, offsets=zeros(1, 4, dtype=case.dtype), anchors=anchors, pos_threshold=0.25
        )
        return found[..., 0].long(), tensor([[1]])

    def test_a_confidence_that_equals_the_threshold_counts(self, impl: Trial, case: Case) -> Any:
        """A confidence of one half reaches one half: the class stays."""
        probs = tensor([[[0.5], [0.5]]]).to(case.dtype)
        found = impl(
            case,
            class_probs=probs,
            offsets=zeros(1, 4, dtype=case.dtype),
            anchors=SQUARE.to(case.dtype),
            pos_threshold=0.5,
        )
        return found[..., 0].long(), tensor([[0]])

    def test_published_detections(self, impl: Trial) -> None:
        """The textbook's four boxes come out in the printed order, two of them without a class."""
        got = impl.call(
            class_probs=tensor([published.PROBABILITIES]),
            offsets=zeros(1, 16),
            anchors=tensor(published.PREDICTED),
            nms_threshold=0.5,
        )
        rows = tuple(tuple(f"{value:.2f}" for value in row) for row in got[0].tolist())
        require(rows == published.DETECTED, f"the detections are {rows}")
