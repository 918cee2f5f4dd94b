"""Laws of a trained language model."""

import math
from typing import Any

import torch
from torch import Tensor, ones

from lawbook.fixtures.cases import training_tasks as tasks
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_training.trainers import Model, Trainer

CORPUS = torch.tensor([0, 1, 1, 0, 1, 1, 0])
TASK: dict[str, Any] = dict(corpus=CORPUS, vocab=2, epochs=1, seed=0)
STEPS = 12


def held_out(case: Case, n: int) -> tuple[Tensor, Tensor]:
    """Prefixes (n, STEPS) of a text by the same rule, and the token behind each."""
    text = tasks.sentence(case.generator(401), n + STEPS, case.vocab, case["seed"])
    windows = text.unfold(0, STEPS + 1, 1)
    return windows[:, :-1].contiguous(), windows[:, -1].contiguous()


class TestTrainLanguageModel(Trainer):
    component = training.train_language_model
    cases = tasks.train_language_model
    prerequisites = ("cross_entropy", "gru", "clip_gradients", "adam")
    promised = 0.6
    invalid = (
        Invalid(ValueError, "one token, with none to predict", **{**TASK, "corpus": CORPUS[:1]}),
        Invalid(ValueError, "two texts", **{**TASK, "corpus": CORPUS[:6].view(2, 3)}),
        Invalid(IndexError, "a token beyond the last", **{**TASK, "corpus": CORPUS * 2}),
        Invalid(IndexError, "a token below 0", **{**TASK, "corpus": -CORPUS}),
        Invalid(ValueError, "no epoch", **{**TASK, "epochs": 0}),
        Invalid(TypeError, "tokens that are no whole numbers", **{**TASK, "corpus": ones(7) * 0.5}),
    )

    def answers(self, model: Model, case: Case) -> Any:
        return model(held_out(case, 30)[0])

    def beside(self, model: Model, case: Case) -> Any:
        first, others = held_out(case, 64)[0].split(32)
        return model(first)[:16], model(torch.cat([first[:16], others[:16]]))[:16]

    def require_form(self, found: Any, case: Case) -> None:
        self.require_log_probabilities(found, 30, case)

    def require_log_probabilities(self, found: Any, rows: int, case: Case) -> None:
        """Require so many rows of logarithms of probabilities that add up to 1."""
        form = (found.dtype, tuple(found.shape))
        expected = (torch.float32, (rows, case.vocab))
        require(form == expected, f"for {rows} prefixes there are {form}, expected {expected}")
        require(not found.isnan().any(), "log-probabilities are nan")
        off = float((found.double().exp().sum(1) - 1).abs().max())
        # What rounding may do: eight units in the last place, as everywhere, of every addend and every logarithm.
        least = found.double().clamp(min=-100).min().abs()
        allowed = 8 * torch.finfo(torch.float32).eps * (case.vocab + float(least))
        require(off <= allowed, f"the probabilities of a row add up to 1 ± {off:.3g}, rounding allows {allowed:.3g}")

    def score(self, model: Model, case: Case) -> float:
        """The share of what the rule lets one know that the model knows: 1 − (its excess loss) / (that of knowing nothing)."""
        prefixes, following = held_out(case, 1000)
        loss = -float(model(prefixes).gather(1, following[:, None]).double().mean())
        other = (1 - tasks.SURE) / case.vocab
        likely = tasks.SURE + other
        best = -likely * math.log(likely) - (case.vocab - 1) * other * math.log(other)
        return (math.log(case.vocab) - loss) / (math.log(case.vocab) - best)

    def hopeless(self, case: Case) -> Case:
        return case.but(corpus=torch.randint(0, case.vocab, case.corpus.shape, generator=case.generator(402)))

    def luck(self, model: Model, case: Case) -> tuple[float, float, int]:
        prefixes, _ = held_out(case, 1000)
        following = torch.randint(0, case.vocab, (1000, 1), generator=case.generator(403))
        return float(model(prefixes).gather(1, following).double().exp().mean()), 1 / case.vocab, 1000

    def blind_loss(self, case: Case) -> tuple[float, int]:
        return math.log(case.vocab), len(case.corpus) - 1

    def other(self, case: Case) -> Case:
        return case.but(corpus=case.corpus.flip(0))

    def least(self, case: Case) -> Case:
        return case.but(corpus=case.corpus[:2] % 2, vocab=2)

    def test_prefixes_of_any_length_are_read(self, impl: Trial, case: Case) -> None:
        """A single token is enough to go by, and a prefix longer than any before is read to its end."""
        model, _ = self.trained(impl, case, "whole")
        for steps in (1, 2, 50):
            text = tasks.sentence(case.generator(404), 4 * steps, case.vocab, case["seed"])
            self.require_log_probabilities(model(text.view(4, steps)), 4, case)

    def test_the_end_of_the_prefix_counts_most(self, impl: Trial, case: Case) -> None:
        """Behind any long text, the last tokens decide what is likely, as the rule says."""
        model, _ = self.trained(impl, case, "whole")
        prefixes, _ = held_out(case, 300)
        before = torch.randint(0, case.vocab, (300, 30), generator=case.generator(405))
        rule = tasks.grammar(case.vocab, case["seed"])[prefixes[:, -2], prefixes[:, -1]]
        found = model(torch.cat([before, prefixes], 1)).argmax(1)
        share = float((found == rule).double().mean())
        require(share >= self.promised, f"the likeliest token is the rule's for {share:.3f} of the prefixes, not more")
