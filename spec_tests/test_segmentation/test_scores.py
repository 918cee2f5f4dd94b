"""Pixel accuracy and mean intersection over union."""

from typing import Any

import torch
from torch import tensor, zeros

from lawbook.fixtures.cases import segmentation as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import segmentation
from lawbook.spec_tests.spec import Invalid, Spec, require

PAIR = tensor([0, 1])


def number(value: float) -> torch.Tensor:
    """A score as a side of an equation."""
    return torch.as_tensor(float(value), dtype=torch.float64)


def counted(case: Case) -> torch.Tensor:
    """Which pixels count."""
    return torch.ones_like(case.label, dtype=torch.bool) if case.ignore is None else case.label != case.ignore


class Score(Spec):
    """Laws of both scores."""

    declines = {
        "low_precision": "no argument is floating",
        "extremes_stay_finite": "no argument is floating",
        "nan_not_hidden": "no argument can hold nan",
    }
    invalid = (
        Invalid(ValueError, "labels of another shape", pred=PAIR, label=tensor([[0, 1], [1, 1]]), classes=2),
        Invalid(ValueError, "one prediction for two labels", pred=PAIR[:1], label=PAIR, classes=2),
        Invalid(ValueError, "no classes", pred=PAIR, label=PAIR, classes=0),
        Invalid(ValueError, "no classes, no pixel", pred=PAIR[:0], label=PAIR[:0], classes=0),
        Invalid(IndexError, "a prediction beyond the last class", pred=PAIR + 1, label=PAIR, classes=2),
        Invalid(IndexError, "a label beyond the last class", pred=PAIR, label=PAIR + 1, classes=2),
        Invalid(IndexError, "a label of 255 that nothing ignores", pred=PAIR, label=tensor([0, 255]), classes=2),
        Invalid(IndexError, "a negative label", pred=PAIR, label=tensor([-1, 1]), classes=2, ignore=255),
        Invalid(TypeError, "scores for predictions", pred=zeros(2), label=PAIR, classes=2),
    )
    edges = (
        {"pred": tensor([0]), "label": tensor([0]), "classes": 1},
        {"pred": tensor([[1]]), "label": tensor([[0]]), "classes": 2},
        {"pred": PAIR, "label": tensor([255, 255]), "classes": 2, "ignore": 255},
        {"pred": PAIR[:0], "label": PAIR[:0], "classes": 3},
    )

    def test_between_nothing_and_all(self, impl: Trial, case: Case) -> None:
        """The score lies in 0..1."""
        found = float(impl(case))
        require(0 <= found <= 1, f"the score is {found}")

    def test_the_truth_scores_one(self, impl: Trial, case: Case) -> Any:
        """Predicting the labels gives 1, whatever is predicted where none counts."""
        pred = torch.where(counted(case), case.label.long(), case.pred.long())
        return number(impl(case, pred=pred)), number(1.0)

    def test_nothing_right_scores_zero(self, impl: Trial, case: Case) -> Any:
        """Predicting another class for every pixel gives 0."""
        if case.classes == 1:
            return self.skip
        wrong = torch.where(counted(case), (case.label.long() + 1) % case.classes, 0)
        return number(impl(case, pred=wrong)), number(0.0)

    def test_ignored_pixels_do_not_count(self, impl: Trial, case: Case) -> Any:
        """With the ignored pixels taken out, the rest scores the same."""
        kept = counted(case)
        return number(impl(case)), number(impl(case, pred=case.pred[kept], label=case.label[kept], ignore=None))

    def test_predictions_under_ignored_labels_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Other predictions where labels are ignored change nothing; a value of 255 and one just beyond the classes do so."""
        found = []
        for ignore in (255, case.classes, -1):
            label = torch.where(case.noise(case.label.shape, 5) > 0, ignore, case.label.long())
            label = torch.where((label != ignore) & ~counted(case), 0, label)
            if not (label != ignore).any():
                continue
            other = torch.where(label == ignore, (case.pred.long() + 1) % case.classes, case.pred.long())
            found.append((impl(case, pred=other, label=label, ignore=ignore), impl(case, label=label, ignore=ignore)))
        return [(number(a), number(b)) for a, b in found] or self.skip

    def test_pixels_of_all_images_are_pooled(self, impl: Trial, case: Case) -> Any:
        """As one row, or with pixels moved from image to image, the same pixels score the same."""
        order = torch.randperm(case.label.numel(), generator=case.generator(6))
        row = {name: case[name].flatten()[order] for name in ("pred", "label")}
        back = {name: values.reshape(case.label.shape) for name, values in row.items()}
        return [(number(impl(case, **row)), number(impl(case))), (number(impl(case, **back)), number(impl(case)))]

    def test_names_of_classes_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Numbering the classes otherwise changes nothing."""
        order = torch.randperm(case.classes, generator=case.generator(7))
        kept = counted(case)
        label, pred = (torch.where(kept, case[name].long(), 0) for name in ("label", "pred"))
        given = {"label": torch.where(kept, order[label], -1), "pred": order[pred], "ignore": -1}
        return number(impl(case, **given)), number(impl(case))

    def test_classes_that_do_not_appear_change_nothing(self, impl: Trial, case: Case) -> Any:
        """With more classes to choose from, of which none is met, the score is the same."""
        kept = counted(case)
        label = torch.where(kept, case.label.long(), -1)
        more = impl(case, label=label, ignore=-1, classes=case.classes + 4)
        return number(more), number(impl(case, label=label, ignore=-1))


class TestPixelAccuracy(Score):
    component = segmentation.pixel_accuracy
    cases = domains.pixel_accuracy

    def test_two_halves_weigh_by_their_pixels(self, impl: Trial, case: Case) -> Any:
        """Of two maps together the score is the mean of theirs, each weighing as many pixels as count in it."""
        kept, pred, label = counted(case).flatten(), case.pred.flatten(), case.label.flatten()
        parts = [slice(None, len(pred) // 3), slice(len(pred) // 3, None)]
        counts = [int(kept[part].sum()) for part in parts]
        if not all(counts):
            return self.skip
        scores = [float(impl(case, pred=pred[part], label=label[part])) for part in parts]
        together = sum(n * score for n, score in zip(counts, scores, strict=True)) / sum(counts)
        return number(impl(case)), number(together)

    def test_by_hand(self, impl: Trial) -> None:
        """Three of the four pixels that count are right: 0.75."""
        pred, label = tensor([[0, 1, 2], [2, 0, 1]]), tensor([[0, 1, 1], [2, 255, 255]])
        found = float(impl.call(pred=pred, label=label, classes=3, ignore=255))
        require(found == 0.75, f"the score is {found}, expected 0.75")


class TestMeanIou(Score):
    component = segmentation.mean_iou
    cases = domains.mean_iou
    prerequisites = ("pixel_accuracy",)

    def test_prediction_and_truth_may_change_places(self, impl: Trial, case: Case) -> Any:
        """Where every pixel counts, exchanging prediction and truth changes nothing."""
        label = torch.where(counted(case), case.label.long(), 0)
        pred = case.pred.long()
        there, back = impl(case, pred=pred, label=label, ignore=None), impl(case, pred=label, label=pred, ignore=None)
        return number(there), number(back)

    def test_no_more_than_the_best_class(self, impl: Trial, case: Case) -> Any:
        """Of two classes that halve the map, guessing one everywhere scores ½ and 0: a quarter."""
        label = torch.arange(2).repeat(5)
        return number(impl(case, pred=torch.zeros_like(label), label=label, classes=2, ignore=None)), number(0.25)

    def test_by_hand(self, impl: Trial) -> None:
        """Unions of 2 and 3 hold 1 and 2 pixels right: the mean of 1/2 and 2/3; classes 2 and 3 do not appear."""
        found = float(impl.call(pred=tensor([0, 0, 1, 1, 3]), label=tensor([0, 1, 1, 1, 255]), classes=4, ignore=255))
        require(f"{found:.6f}" == "0.583333", f"the score is {found:.6f}, expected 0.583333")
