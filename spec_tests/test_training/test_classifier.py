"""Laws of a trained classifier."""

import math
from typing import Any

import torch
from torch import ones, zeros

from lawbook.fixtures.cases import training_tasks as tasks
from lawbook.fixtures.cases.kit import Case
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_training.trainers import Model, Trainer

X, Y = torch.tensor([[0.5, 1.0], [-0.5, 0.25], [1.0, -2.0]]), torch.tensor([0, 1, 0])
TASK: dict[str, Any] = dict(X=X, y=Y, classes=2, epochs=1, seed=0)
HELD_OUT = 2000


def held_out(case: Case, n: int) -> Any:
    """Samples from the task's rule that no training saw, and their classes."""
    samples = tasks.quadrant_samples(case.generator(401), n, case.X.shape[1])
    return samples.to(case.dtype), tasks.quadrant_labels(samples, case.classes)


class TestTrainClassifier(Trainer):
    component = training.train_classifier
    cases = tasks.train_classifier
    prerequisites = ("cross_entropy", "adam", "train_epoch")
    promised = 0.85
    invalid = (
        Invalid(ValueError, "no sample", **{**TASK, "X": zeros(0, 2), "y": zeros(0).long()}),
        Invalid(ValueError, "labels of two of three samples", **{**TASK, "y": Y[:2]}),
        Invalid(ValueError, "a class beyond the last", **{**TASK, "y": Y * 2}),
        Invalid(ValueError, "a class below 0", **{**TASK, "y": -Y}),
        Invalid(ValueError, "a single class", **{**TASK, "y": Y * 0, "classes": 1}),
        Invalid(ValueError, "numbers for samples", **{**TASK, "X": X[:, 0]}),
        Invalid(ValueError, "no epoch", **{**TASK, "epochs": 0}),
        Invalid(TypeError, "labels that are no whole numbers", **{**TASK, "y": ones(3) * 0.5}),
    )

    def answers(self, model: Model, case: Case) -> Any:
        return model(held_out(case, 40)[0])

    def beside(self, model: Model, case: Case) -> Any:
        first, others = held_out(case, 64)[0].split(32)
        return model(first)[:16], model(torch.cat([first[:16], others[:16] * 3]))[:16]

    def require_form(self, found: Any, case: Case) -> None:
        form = (found.dtype, tuple(found.shape))
        expected = (case.dtype, (40, case.classes))
        require(form == expected, f"for 40 samples the scores are {form}, expected {expected}")
        require(found.isfinite().all(), "scores are not finite")

    def score(self, model: Model, case: Case) -> float:
        samples, labels = held_out(case, HELD_OUT)
        return float((model(samples).argmax(1) == labels).double().mean())

    def hopeless(self, case: Case) -> Case:
        return case.but(y=torch.randint(0, case.classes, case.y.shape, generator=case.generator(402)))

    def luck(self, model: Model, case: Case) -> tuple[float, float, int]:
        samples, _ = held_out(case, HELD_OUT)
        labels = torch.randint(0, case.classes, (HELD_OUT,), generator=case.generator(403))
        return float((model(samples).argmax(1) == labels).double().mean()), 1 / case.classes, HELD_OUT

    def blind_loss(self, case: Case) -> tuple[float, int]:
        return math.log(case.classes), len(case.y)

    def other(self, case: Case) -> Case:
        return case.but(y=case.y.flip(0))

    def least(self, case: Case) -> Case:
        return case.but(X=case.X[:1], y=case.y[:1] % 2, classes=2)

    def test_a_single_sample_is_classified(self, impl: Any, case: Case) -> None:
        """Samples one at a time get the classes that they get together."""
        model, _ = self.trained(impl, case, "whole")
        samples, labels = held_out(case, 100)
        alone = torch.cat([model(x[None]) for x in samples])
        right = (alone.argmax(1) == labels).double().mean()
        require(right >= self.promised, f"samples one at a time score {right:.3f}, expected {self.promised} at least")

    def test_features_may_lie_away_from_zero(self, impl: Any, case: Case) -> None:
        """Where every feature is moved by three times its spread, as much is learned."""
        away = 3 * case.X.double().std(0)
        model, _ = self.result(impl, case, X=(case.X.double() + away).to(case.dtype))
        samples, labels = held_out(case, HELD_OUT)
        right = (model((samples.double() + away).to(case.dtype)).argmax(1) == labels).double().mean()
        require(
            right >= self.promised,
            f"of features away from 0 {right:.3f} are told apart, expected {self.promised} at least",
        )

    def test_features_may_be_of_unlike_sizes(self, impl: Any, case: Case) -> None:
        """Where features are a hundredth or a hundred times as large, in turns, as much is learned."""
        scale = torch.tensor([0.01, 100.0] * case.X.shape[1], dtype=torch.float64)[: case.X.shape[1]]
        model, _ = self.result(impl, case, X=(case.X.double() * scale).to(case.dtype))
        samples, labels = held_out(case, HELD_OUT)
        right = (model((samples.double() * scale).to(case.dtype)).argmax(1) == labels).double().mean()
        require(
            right >= self.promised,
            f"of features of unlike sizes {right:.3f} are told apart, expected {self.promised} at least",
        )

    def test_features_may_have_several_axes(self, impl: Any, case: Case) -> None:
        """A sample may be an image, or have any other shape."""
        model, _ = self.result(impl, case, X=case.X[:, None, :, None], epochs=1)
        found = model(case.X[:5, None, :, None])
        require(tuple(found.shape) == (5, case.classes), f"for 5 samples the scores have shape {tuple(found.shape)}")
