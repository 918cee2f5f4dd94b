"""Single-shot detection: rows of predictions, their loss and errors."""

from typing import Any

import torch
from torch import Tensor, arange, ones, tensor, zeros

from lawbook.fixtures.cases.detection import ssd as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_ssd as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection, losses
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


def numbered(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Every element another whole number below 256."""
    return (torch.arange(torch.Size(shape).numel()) % 251).to(dtype).view(shape)


class TestFlattenPredictions(Spec):
    component = detection.flatten_predictions
    cases = domains.flatten_predictions
    extremes = domains.flatten_predictions_extremes
    differentiable = ("pred",)
    declines = {
        "no_aliasing": "the contract lets the row share memory: where the order stays, torch.flatten gives a view"
    }
    invalid = (
        Invalid(ValueError, "a map without samples' axis", pred=ones(2, 3, 4)),
        Invalid(ValueError, "a row", pred=ones(2, 24)),
    )
    edges = (
        {"pred": zeros(0, 2, 3, 4)},
        {"pred": ones(2, 0, 3, 4)},
        {"pred": ones(1, 1, 1, 1)},
        {"pred": arange(18.0).view(1, 2, 3, 3)},
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, pred=0)

    def test_channels_of_a_pixel_stand_together(self, impl: Trial, case: Case) -> Any:
        """Element (i·W + j)·C + c of the row is channel c of pixel (i, j)."""
        n, c, height, width = case.pred.shape
        row = impl(case)
        require(row.shape == (n, c * height * width), f"the result has shape {tuple(row.shape)}")
        pixels = [row[:, k * c : (k + 1) * c] for k in range(height * width)]
        found = torch.stack(pixels, 1).view(n, height, width, c)
        return [(found[..., k], case.pred[:, k]) for k in range(c)]

    def test_one_channel_is_read_row_by_row(self, impl: Trial, case: Case) -> Any:
        """A map of one channel is its rows, one after the other."""
        one = case.pred[:, :1]
        return impl(case, pred=one), torch.cat(one[:, 0].unbind(1), 1)

    def test_gradient_comes_back_in_place(self, impl: Trial, case: Case) -> Any:
        """What flows into an element of the row flows back to the element it was."""
        weight = numbered(tuple(case.pred.shape), case.dtype)
        row = detection.flatten_predictions(weight)
        return impl.vjp(case, [row], wrt=("pred",))[1]["pred"], weight


class TestConcatPredictions(Spec):
    component = detection.concat_predictions
    cases = domains.concat_predictions
    extremes = domains.concat_predictions_extremes
    differentiable = ("preds",)
    prerequisites = ("flatten_predictions",)
    invalid = (
        Invalid(ValueError, "no maps", preds=[]),
        Invalid(ValueError, "batches of two sizes", preds=[ones(2, 3, 4, 5), ones(3, 3, 2, 2)]),
        Invalid(ValueError, "a map of three axes", preds=[ones(2, 3, 4, 5), ones(2, 3, 4)]),
    )
    edges = (
        {"preds": [zeros(0, 2, 3, 4), zeros(0, 1, 1, 1)]},
        {"preds": [ones(2, 3, 1, 1), zeros(2, 0, 3, 4)]},
        {"preds": [ones(1, 1, 1, 1)]},
    )

    def test_totals_add(self, impl: Trial, case: Case) -> None:
        """The row is as long as the maps have elements a sample."""
        total = sum(pred[0].numel() for pred in case.preds)
        shape = tuple(impl(case).shape)
        require(shape == (len(case.preds[0]), total), f"the row has shape {shape}, {total} elements expected")

    def test_maps_stand_one_after_the_other(self, impl: Trial, case: Case) -> Any:
        """The row of several maps is the rows of each, in the order given."""
        rows = [impl(case, preds=[pred]) for pred in case.preds]
        return impl(case), torch.cat(rows, 1)

    def test_one_map_is_flattened(self, impl: Trial, case: Case) -> Any:
        """A single map gives its row, channels of a pixel together."""
        return impl(case, preds=case.preds[:1]), case.preds[0].permute(0, 2, 3, 1).flatten(1)

    def test_samples_keep_to_themselves(self, impl: Trial, case: Case) -> Any:
        """Samples in another order give their rows in that order."""
        return impl(case, preds=[pred.flip(0) for pred in case.preds]), impl(case).flip(0)

    def test_published_length(self, impl: Trial) -> None:
        """The textbook's two maps make a row of 25,300."""
        row = impl.call(preds=[zeros(*shape, dtype=self.dtype) for shape in published.PREDICTIONS])
        require(tuple(row.shape) == published.ROW, f"the row has shape {tuple(row.shape)}, expected {published.ROW}")


class TestClassPredictorChannels(Spec):
    component = detection.class_predictor_channels
    cases = domains.class_predictor_channels
    invalid = (
        Invalid(ValueError, "no anchors", anchors=0, classes=2),
        Invalid(ValueError, "no classes", anchors=3, classes=0),
        Invalid(ValueError, "−2 classes", anchors=3, classes=-2),
        Invalid(TypeError, "half a class", anchors=3, classes=1.5),
    )

    def test_anchors_add_up(self, impl: Trial, case: Case) -> None:
        """Each further anchor takes as many channels as the first."""
        first = impl(case, anchors=1)
        require(
            impl(case) == case.anchors * first, f"{case.anchors} anchors take {impl(case)} channels, one takes {first}"
        )

    def test_background_is_a_class(self, impl: Trial, case: Case) -> None:
        """An anchor takes one channel more than there are classes, and a further class one more."""
        one, more = impl(case, anchors=1), impl(case, anchors=1, classes=case.classes + 1)
        require(one == case.classes + 1, f"{case.classes} classes and the background take {one} channels")
        require(more == one + 1, f"a further class takes {more - one} channels")

    def test_published_numbers(self, impl: Trial) -> None:
        """Ten classes take 55 channels for five anchors, 33 for three."""
        for anchors, classes, expected in published.CHANNELS:
            got = impl.call(anchors=anchors, classes=classes)
            require(
                got == expected, f"{anchors} anchors and {classes} classes take {got} channels, expected {expected}"
            )


class TestBoxPredictorChannels(Spec):
    component = detection.box_predictor_channels
    cases = domains.box_predictor_channels
    invalid = (
        Invalid(ValueError, "no anchors", anchors=0),
        Invalid(ValueError, "−1 anchors", anchors=-1),
        Invalid(TypeError, "half an anchor", anchors=1.5),
    )

    def test_four_offsets_an_anchor(self, impl: Trial, case: Case) -> None:
        """Each anchor takes four channels, whatever the classes."""
        got, more = impl(case), impl(case, anchors=case.anchors + 1)
        require(more - got == 4, f"a further anchor takes {more - got} channels")
        require(got == case.anchors + case.anchors + case.anchors + case.anchors, f"{case.anchors} anchors take {got}")


LOSS = {
    "class_preds": ones(2, 3, 2),
    "labels": ones(2, 3).long(),
    "box_preds": ones(2, 12),
    "box_labels": zeros(2, 12),
    "masks": ones(2, 12),
}
LABELS = tensor([[0, 2, 1], [1, 1, 0]])


class TestSsdLoss(Spec):
    component = detection.ssd_loss
    cases = domains.ssd_loss
    extremes = domains.ssd_loss_extremes
    differentiable = ("class_preds", "box_preds", "box_labels")
    nan_arguments = ("class_preds",)
    prerequisites = ("cross_entropy", "l1_loss")
    invalid = (
        Invalid(IndexError, "a class beyond the last", **{**LOSS, "labels": LABELS}),
        Invalid(IndexError, "classes of −1 and −2", **{**LOSS, "labels": -LABELS}),
        Invalid(IndexError, "a class of −1", **{**LOSS, "labels": tensor([[0, -1, 1], [1, 1, 0]])}),
        Invalid(ValueError, "labels of other anchors", **{**LOSS, "labels": ones(2, 4).long()}),
        Invalid(ValueError, "a mask of one sample", **{**LOSS, "masks": ones(1, 12)}),
        Invalid(ValueError, "offsets of other anchors", **{**LOSS, "box_labels": zeros(2, 16)}),
        Invalid(
            ValueError,
            "three offsets an anchor",
            **{**LOSS, **dict.fromkeys(("box_preds", "box_labels", "masks"), ones(2, 9))},
        ),
        Invalid(TypeError, "labels that are no whole numbers", **{**LOSS, "labels": ones(2, 3)}),
    )
    edges = (
        {name: x[:0] for name, x in LOSS.items()},
        {name: x[:1, : x.shape[1] // 3] for name, x in LOSS.items()},
        {**LOSS, "masks": zeros(2, 12)},
        {**LOSS, "box_preds": zeros(2, 12)},
        {**LOSS, "class_preds": ones(2, 3, 1), "labels": zeros(2, 3).long()},
    )

    def rows(self, case: Case) -> Any:
        return ()

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, class_preds=0, labels=0, box_preds=0, box_labels=0, masks=0)

    def test_classes_alone(self, impl: Trial, case: Case) -> Any:
        """Where all offsets are right, it is the mean cross entropy over a sample's anchors, background and all."""
        scores = case.class_preds.movedim(-1, 1)
        wanted = losses.cross_entropy(scores, case.labels, reduction="none").mean(1)
        return impl(case, box_preds=case.box_labels), wanted

    def test_boxes_alone(self, impl: Trial, case: Case) -> Any:
        """Where every class is certain, it is the mean absolute error over all 4·A offsets, masked ones being 0."""
        certain = torch.nn.functional.one_hot(case.labels, case.class_preds.shape[-1]).to(case.dtype) * 1e4
        wanted = torch.where(case.masks > 0, (case.box_preds - case.box_labels).abs(), 0).mean(1)
        return impl(case, class_preds=certain), wanted

    def test_masked_anchors_do_not_count(self, impl: Trial, case: Case) -> Any:
        """What is predicted for masked anchors, and what their labels say, changes nothing."""
        other = torch.where(case.masks > 0, 0, case.noise(case.masks.shape, 65))
        moved = {"box_preds": case.box_preds + other, "box_labels": case.box_labels - 2 * other}
        return impl(case, **moved), impl(case)

    def test_masked_anchors_have_no_gradient(self, impl: Trial, case: Case) -> Any:
        """Offsets of masked anchors have the slope 0; all others one of ±1/(4·A), or 0 where they are right."""
        cotangent = ones(len(case.masks), dtype=case.dtype)
        gradient = impl.vjp(case, [cotangent], wrt=("box_preds",))[1]["box_preds"]
        signs = torch.where(case.masks > 0, (case.box_preds - case.box_labels).sign(), 0)
        return gradient * case.masks.shape[1], signs

    def test_never_below_zero(self, impl: Trial, case: Case) -> None:
        """No loss is below 0."""
        loss = impl(case)
        require(bool((loss >= 0).all()), f"the losses are {loss.tolist()}")

    def test_order_of_anchors_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Anchors in another order, with all that belongs to them, have the same loss."""
        n, anchors = case.labels.shape
        changed = {name: case[name].flip(1) for name in ("class_preds", "labels")}
        for name in ("box_preds", "box_labels", "masks"):
            changed[name] = case[name].view(n, anchors, 4).flip(1).flatten(1)
        return impl(case, **changed), impl(case)

    def test_scores_shift_together(self, impl: Trial, case: Case) -> Any:
        """A number added to all scores of an anchor changes nothing."""
        shift = case.noise((*case.labels.shape, 1), 66).round()
        return impl(case, class_preds=case.class_preds + shift), impl(case)


class TestClassErrors(Spec):
    component = detection.class_errors
    cases = domains.class_errors
    extremes = domains.class_errors_extremes
    invalid = (
        Invalid(ValueError, "labels of other anchors", class_preds=ones(2, 3, 4), labels=ones(2, 4).long()),
        Invalid(ValueError, "scores of two axes", class_preds=ones(2, 3), labels=ones(2).long()),
        Invalid(IndexError, "a class beyond the last", class_preds=ones(2, 3, 2), labels=LABELS),
        Invalid(IndexError, "a class of −1", class_preds=ones(2, 3, 2), labels=tensor([[0, -1, 1], [1, 1, 0]])),
        Invalid(TypeError, "labels that are no whole numbers", class_preds=ones(2, 3, 4), labels=ones(2, 3)),
    )
    edges = (
        {"class_preds": ones(0, 3, 2), "labels": ones(0, 3).long()},
        {"class_preds": ones(2, 0, 2), "labels": ones(2, 0).long()},
        {"class_preds": ones(2, 1, 1), "labels": zeros(2, 1).long()},
    )

    def test_right_and_wrong_add_up(self, impl: Trial, case: Case) -> None:
        """With the classes of the largest scores there is no error; with any other ones all anchors are wrong."""
        best = case.class_preds.argmax(-1)
        right = impl(case, labels=best)
        wrong = impl(case, labels=(best + 1) % case.class_preds.shape[-1])
        require(int(right) == 0, f"{int(right)} errors where all classes are right")
        require(int(wrong) == best.numel(), f"{int(wrong)} errors where {best.numel()} classes are wrong")

    def test_errors_of_the_samples_add_up(self, impl: Trial, case: Case) -> None:
        """The errors of a batch are those of its samples together."""
        one_by_one = [
            int(impl(case, class_preds=case.class_preds[n : n + 1], labels=case.labels[n : n + 1]))
            for n in range(len(case.labels))
        ]
        got = int(impl(case))
        require(got == sum(one_by_one), f"{got} errors in the batch, {one_by_one} in its samples")

    def test_background_counts(self, impl: Trial, case: Case) -> None:
        """An anchor of the background that is taken for an object is an error, as one the other way round."""
        first = torch.zeros_like(case.class_preds)
        first[..., 0] = 1
        for what, scores in (("the background", first), ("an object", -first)):
            got = int(impl(case, class_preds=scores, labels=torch.zeros_like(case.labels)))
            expected = 0 if what == "the background" else case.labels.numel()
            require(got == expected, f"{got} errors where all anchors are background and {what} is predicted")

    def test_order_is_all_that_counts(self, impl: Trial, case: Case) -> Any:
        """Scores made steeper or shifted together give the same number."""
        steeper = case.class_preds * 4
        return [(impl(case, class_preds=steeper), impl(case))]


class TestBoxErrors(Spec):
    component = detection.box_errors
    cases = domains.box_errors
    extremes = domains.box_errors_extremes
    nan_arguments = ()
    declines = {"nan_not_hidden": "whether a masked nan shows (0 · nan) is not defined by the contract"}
    invalid = (
        Invalid(ValueError, "a mask of one sample", box_preds=ones(2, 4), box_labels=ones(2, 4), masks=ones(1, 4)),
        Invalid(ValueError, "labels of other anchors", box_preds=ones(2, 4), box_labels=ones(2, 8), masks=ones(2, 4)),
        Invalid(ValueError, "offsets of one axis", box_preds=ones(4), box_labels=ones(4), masks=ones(4)),
        Invalid(TypeError, "whole offsets", box_preds=ones(2, 4).long(), box_labels=ones(2, 4), masks=ones(2, 4)),
    )
    edges = (
        {"box_preds": ones(0, 4), "box_labels": ones(0, 4), "masks": ones(0, 4)},
        {"box_preds": ones(2, 0), "box_labels": ones(2, 0), "masks": ones(2, 0)},
        {"box_preds": ones(1, 4), "box_labels": zeros(1, 4), "masks": zeros(1, 4)},
    )

    def test_masked_anchors_do_not_count(self, impl: Trial, case: Case) -> Any:
        """What is predicted for masked anchors, and what their labels say, changes nothing."""
        other = torch.where(case.masks > 0, 0, case.noise(case.masks.shape, 65))
        moved = {"box_preds": case.box_preds + other, "box_labels": case.box_labels - 2 * other}
        return [
            (impl(case, **moved), impl(case)),
            (impl(case, masks=torch.zeros_like(case.masks)), zeros((), dtype=case.dtype)),
        ]

    def test_errors_add_up(self, impl: Trial, case: Case) -> Any:
        """It is a sum: those of the samples and those of either half of the masks add up."""
        other = 1 - case.masks
        whole = impl(case, masks=torch.ones_like(case.masks))
        parts = [impl(case, **{name: case[name][n : n + 1] for name in case.arguments}) for n in range(len(case.masks))]
        return [(impl(case) + impl(case, masks=other), whole), (torch.stack(parts).sum(), impl(case))]

    def test_prediction_and_label_exchange(self, impl: Trial, case: Case) -> Any:
        """Prediction and label may be exchanged, and equal ones have no error."""
        exchanged = impl(case, box_preds=case.box_labels, box_labels=case.box_preds)
        return [(exchanged, impl(case)), (impl(case, box_preds=case.box_labels), zeros((), dtype=case.dtype))]

    def test_errors_grow_in_proportion(self, impl: Trial, case: Case) -> Any:
        """Offsets twice as wrong have twice the error: absolute values, not squares."""
        double = {name: case[name] * 2 for name in ("box_preds", "box_labels")}
        return impl(case, **double), 2 * impl(case)
