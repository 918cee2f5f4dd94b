"""Laws of a trained detector."""

from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases import training_sights as tasks
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import training
from lawbook.reference.detection import box_iou
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_training.trainers import SHORT, Model, Trainer, equal

IMAGES = torch.linspace(0, 1, 2 * 3 * 16 * 24).reshape(2, 3, 16, 24)
LABELS = torch.tensor(
    [[[0, 0.25, 0.25, 0.75, 0.5], [-1, 0, 0, 0, 0]], [[1, 0.5, 0.0, 1.0, 0.5], [0, 0.0, 0.5, 0.5, 1.0]]]
)
TASK: dict[str, Any] = dict(images=IMAGES, labels=LABELS, epochs=1, seed=0)
HELD_OUT = 60
OVERLAP = 0.5
"""From which overlap on an object counts as found."""
MEAN_OVERLAP = 0.65


def held_out(case: Case, n: int, salt: int = 401) -> tuple[Tensor, Tensor]:
    """Pictures by the task's rule that no training saw, and their objects."""
    height, width = case.images.shape[2:]
    images, labels = tasks.blocks(case.generator(salt), n, height, width, _classes(case))
    return images.to(case.dtype), labels.to(case.dtype)


def _classes(case: Case) -> int:
    return 2 if case.images.shape[3] == 24 else 3


def _with(labels: Tensor, **changes: float) -> Tensor:
    changed = labels.clone()
    for name, value in changes.items():
        changed[0, 0, ("kind", "x1", "y1", "x2", "y2").index(name)] = value
    return changed


def overlaps(found: Tensor, labels: Tensor) -> tuple[list[float], int]:
    """The overlap of every object of one picture that is found, and how many detections are of nothing.

    The surest detections choose first. Each takes the object of its class with which it overlaps most, at least by OVERLAP, and
    which no other has taken.
    """
    found, objects = found[found[:, 0] >= 0], labels[labels[:, 0] >= 0]
    right, free = [], torch.ones(len(objects), dtype=torch.bool)
    for row in found[found[:, 1].argsort(descending=True)]:
        shared = box_iou(row[None, 2:], objects[:, 1:])[0]
        shared = torch.where(free & (objects[:, 0] == row[0]), shared, 0)
        if len(objects) and float(shared.max()) >= OVERLAP:
            free[shared.argmax()] = False
            right.append(float(shared.max()))
    return right, len(found) - len(right)


class TestTrainDetector(Trainer):
    component = training.train_detector
    cases = tasks.train_detector
    prerequisites = ("multibox_prior", "multibox_target", "multibox_detection", "ssd_loss", "conv2d", "adam")
    promised = 0.5
    declines = {
        **Trainer.declines,
        "nothing_is_learned_where_there_is_nothing": "boxes overlap by chance as often as their sizes and places allow, for "
        "which there is no bound, and which loss the history holds is left open",
    }
    invalid = (
        Invalid(ValueError, "no picture", **{**TASK, "images": IMAGES[:0], "labels": LABELS[:0]}),
        Invalid(ValueError, "labels of one of two pictures", **{**TASK, "labels": LABELS[:1]}),
        Invalid(ValueError, "grey pictures", **{**TASK, "images": IMAGES[:, :1]}),
        Invalid(ValueError, "labels without a class", **{**TASK, "labels": LABELS[..., 1:]}),
        Invalid(ValueError, "a class between two others", **{**TASK, "labels": _with(LABELS, kind=0.5)}),
        Invalid(ValueError, "a class below −1", **{**TASK, "labels": _with(LABELS, kind=-2.0)}),
        Invalid(ValueError, "a box from right to left", **{**TASK, "labels": _with(LABELS, x1=0.9)}),
        Invalid(ValueError, "a box of no width", **{**TASK, "labels": _with(LABELS, x1=0.75)}),
        Invalid(ValueError, "no epoch", **{**TASK, "epochs": 0}),
        Invalid(TypeError, "pictures of bytes", **{**TASK, "images": IMAGES.to(torch.uint8)}),
    )

    def answers(self, model: Model, case: Case) -> Any:
        return model(held_out(case, 12)[0])

    def beside(self, model: Model, case: Case) -> Any:
        first, others = held_out(case, 16)[0].split(8)
        return model(first)[:4], model(torch.cat([first[:4], 1 - others[:4]]))[:4]

    def require_form(self, found: Any, case: Case) -> None:
        form = (found.dtype, found.ndim, *found.shape[::2])
        require(form == (case.dtype, 3, 12, 6), f"for 12 pictures the answer is {found.dtype} {tuple(found.shape)}")
        rows = found[found[..., 0] != -1]
        kinds = case.labels[..., 0].unique().tolist()
        strange = sorted(set(rows[:, 0].tolist()) - set(kinds))
        require(not strange, f"detections are of the classes {strange}, objects of {kinds}")
        require(((rows[:, 1] >= 0) & (rows[:, 1] <= 1)).all(), "confidences lie outside of 0 to 1")
        require(rows.isfinite().all(), "detections are not finite")
        require((rows[:, 2:4] <= rows[:, 4:]).all(), "detections end before they begin: x1 > x2 or y1 > y2")

    def found(self, impl: Trial, case: Case) -> tuple[list[float], int, int]:
        """Overlaps of the objects found in held-out pictures, how many detections are of nothing, how many objects there are."""
        return self.judged(self.trained(impl, case, "whole")[0], case)

    def judged(self, model: Model, case: Case) -> tuple[list[float], int, int]:
        """The same of a model."""
        images, labels = held_out(case, HELD_OUT)
        right, wrong = [], 0
        for rows, objects in zip(model(images), labels, strict=True):
            shared, others = overlaps(rows, objects)
            right += shared
            wrong += others
        return right, wrong, int((labels[..., 0] >= 0).sum())

    def score(self, model: Model, case: Case) -> float:
        """Objects that are found, as a share of all objects and of all detections of nothing."""
        right, wrong, objects = self.judged(model, case)
        return len(right) / (objects + wrong)

    def other(self, case: Case) -> Case:
        return case.but(images=case.images.flip(0))

    def least(self, case: Case) -> Case:
        return case.but(images=case.images[:1], labels=case.labels[:1])

    def test_answers_have_the_form_of_the_contract(self, impl: Trial, case: Case) -> None:
        """Detections have the contract's shape and dtype, known classes, confidences from 0 to 1, and boxes in order."""
        # After few epochs nothing may be found, which shows nothing.
        self.require_form(self.answers(self.trained(impl, case, "whole")[0], case), case)

    def test_boxes_lie_where_the_objects_do(self, impl: Trial, case: Case) -> None:
        """Boxes of objects that are found overlap them by 0.65 and more on average: they are fitted, not roughly there."""
        right, _, objects = self.found(impl, case)
        mean = sum(right) / max(1, len(right))
        require(mean >= MEAN_OVERLAP, f"{len(right)} of {objects} are found, with a mean overlap of {mean:.3f}")

    def test_nothing_is_found_where_nothing_is(self, impl: Trial, case: Case) -> None:
        """In nine of ten pictures of mere noise nothing is found."""
        model, _ = self.trained(impl, case, "whole")
        generator = case.generator(404)
        grey = torch.rand(40, 1, 1, 1, generator=generator) * 0.6 + 0.2
        noise = (grey + torch.rand(40, *case.images.shape[1:], generator=generator) * 0.2 - 0.1).clamp(0, 1)
        spoiled = int((model(noise.to(case.dtype))[..., 0] >= 0).any(1).sum())
        require(spoiled <= 4, f"in {spoiled} of 40 pictures of noise something is found")

    def test_boxes_of_padding_mean_nothing(self, impl: Trial, case: Case) -> None:
        """What stands in the boxes of rows of the class −1, nan too, has no influence on the training."""
        for value in (torch.nan, 0.5):
            labels = torch.where(case.labels[..., :1] < 0, value, case.labels)
            labels[..., 0] = case.labels[..., 0]
            self.require_same(
                self.result(impl, case, labels=labels, epochs=SHORT),
                self.brief(impl, case),
                case,
                f"with boxes of padding that are {value}",
            )

    def test_pictures_without_objects_are_learned_from(self, impl: Trial, case: Case) -> None:
        """A picture may have no object, none of them may have one, and labels need have no row."""
        empty = case.labels.clone()
        empty[..., 0] = -1
        for labels in (torch.cat([case.labels[:4], empty[4:8]]), empty[:8], empty[:8, :0]):
            model, history = self.result(impl, case, images=case.images[:8], labels=labels, epochs=2)
            require(history.isfinite().all(), f"with labels {tuple(labels.shape)} the history is {history.tolist()}")
            require(len(model(case.images[:2])) == 2, "for two pictures the answer is not of two")

    def test_the_smallest_pictures_are_taken(self, impl: Trial, case: Case) -> None:
        """Pictures of 8 × 8 are trained on, and answered."""
        small = case.images[:3, :, 8:16, 8:16]
        model, history = self.result(impl, case, images=small, labels=case.labels[:3], epochs=1)
        require(history.isfinite().all(), f"with pictures of 8 × 8 the history is {history.tolist()}")
        form = tuple(model(small).shape[::2])
        require(form == (3, 6), f"for three pictures of 8 × 8 the answer is (b, ·, ·) of {form}, expected (3, 6)")

    def test_pictures_keep_their_places(self, impl: Trial, case: Case) -> None:
        """What is found in pictures in another order is what was found in them, in this order."""
        model, _ = self.trained(impl, case, "whole")
        images, _ = held_out(case, 16)
        require(equal(model(images).flip(0), model(images.flip(0))), "pictures in another order are answered otherwise")
