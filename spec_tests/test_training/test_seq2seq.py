"""Laws of a trained translator."""

import math
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases import training_tasks as tasks
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.trial import Trial
from lawbook.reference import training
from lawbook.reference.seq2seq import bleu
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_training.trainers import Model, Trainer

SOURCE, TARGET = torch.tensor([[3, 2, 0], [3, 4, 2]]), torch.tensor([[3, 2, 0], [4, 3, 2]])
TASK: dict[str, Any] = dict(
    source=SOURCE,
    source_lengths=torch.tensor([2, 3]),
    target=TARGET,
    target_lengths=torch.tensor([2, 3]),
    vocab=5,
    epochs=1,
    seed=0,
)
PAD, BOS, EOS = 0, 1, 2


def held_out(case: Case, n: int) -> list[Tensor]:
    """Sequences of the task that no training sees, their lengths, their answers and the answers' lengths."""
    letters, longest = max(2, case.vocab - tasks.FIRST), case.source.shape[1] - 1
    source, lengths, target, ends = tasks.reversals(case.generator(401), n, letters, longest, True)
    return [source.clamp(max=case.vocab - 1), lengths, target.clamp(max=case.vocab - 1), ends]


def behind(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Where padding stands."""
    return torch.arange(tokens.shape[1]) >= lengths[:, None]


class TestTrainSeq2seq(Trainer):
    component = training.train_seq2seq
    cases = tasks.train_seq2seq
    prerequisites = ("seq2seq_encoder", "seq2seq_decoder", "masked_softmax_ce", "packed_recurrent", "adam")
    promised = 0.7
    invalid = (
        Invalid(ValueError, "no row", **{**TASK, **{k: v[:0] for k, v in TASK.items() if isinstance(v, Tensor)}}),
        Invalid(ValueError, "one source for two targets", **{**TASK, "source": SOURCE[:1]}),
        Invalid(ValueError, "a source longer than its row", **{**TASK, "source_lengths": torch.tensor([2, 4])}),
        Invalid(ValueError, "a source of no token", **{**TASK, "source_lengths": torch.tensor([2, 0])}),
        Invalid(ValueError, "a target without an end", **{**TASK, "target": TARGET.clamp(max=1) + 3}),
        Invalid(IndexError, "a token beyond the last", **{**TASK, "source": SOURCE + 2}),
        Invalid(ValueError, "no epoch", **{**TASK, "epochs": 0}),
    )

    def answers(self, model: Model, case: Case) -> Any:
        source, lengths, target, _ = held_out(case, 40)
        return model(source, lengths, target.shape[1])

    def beside(self, model: Model, case: Case) -> Any:
        source, lengths, _, _ = held_out(case, 64)
        other = torch.cat([source[:16], source[32:48]]), torch.cat([lengths[:16], lengths[32:48]])
        return model(source[:32], lengths[:32], 7)[:16], model(*other, 7)[:16]

    def require_form(self, found: Any, case: Case) -> None:
        self.require_answers(found, (40, case.target.shape[1]), case)

    def require_answers(self, found: Any, shape: tuple[int, int], case: Case) -> None:
        """Require tokens that mean something, an end, and padding behind it."""
        form = (found.dtype, tuple(found.shape))
        require(form == (torch.int64, shape), f"the answers are {form}, expected int64 of shape {shape}")
        ended = (found == EOS).long().cumsum(1) - (found == EOS).long() > 0
        wrong = (ended & (found != PAD)).any(1)
        require(not wrong.any(), f"after the end there is more: {found[wrong][:1].tolist()}")
        strange = (~ended & ((found < EOS) | (found >= case.vocab))).any(1)
        require(
            not strange.any(), f"padding, a beginning or no token at all in an answer: {found[strange][:1].tolist()}"
        )

    def score(self, model: Model, case: Case) -> float:
        """The mean BLEU, up to pairs of tokens."""
        source, lengths, target, ends = held_out(case, 200)
        found = model(source, lengths, target.shape[1])
        pairs = zip(found.tolist(), target.tolist(), ends.tolist(), strict=True)
        return sum(bleu(_spoken(row), label[:end], 2) for row, label, end in pairs) / len(source)

    def hopeless(self, case: Case) -> Case:
        letters = torch.randint(tasks.FIRST, case.vocab, case.target.shape, generator=case.generator(402))
        return case.but(target=torch.where(case.target >= tasks.FIRST, letters, case.target))

    def luck(self, model: Model, case: Case) -> tuple[float, float, int]:
        source, lengths, target, _ = held_out(case, 200)
        letters = torch.randint(tasks.FIRST, case.vocab, target.shape, generator=case.generator(403))
        there = target >= tasks.FIRST
        right = (model(source, lengths, target.shape[1]) == letters)[there]
        return float(right.double().mean()), 1 / (case.vocab - tasks.FIRST), right.numel()

    def blind_loss(self, case: Case) -> tuple[float, int]:
        # Ends may be known; the tokens before them may not.
        tokens = int(case.target_lengths.sum())
        return math.log(case.vocab - tasks.FIRST) * (tokens - len(case.target)) / tokens, tokens

    def other(self, case: Case) -> Case:
        return case.but(target=case.target.flip(0), target_lengths=case.target_lengths.flip(0))

    def least(self, case: Case) -> Case:
        # A sequence of the end alone, and a single token that means something.
        tokens = {name: torch.full_like(case[name][:1], PAD) for name in ("source", "target")}
        for row in tokens.values():
            row[:, 0] = EOS
        lengths = {f"{name}_lengths": torch.ones(1, dtype=torch.int64) for name in tokens}
        return case.but(**tokens, **lengths, vocab=tasks.FIRST + 1)

    def test_padding_plays_no_part(self, impl: Trial, case: Case) -> None:
        """What stands behind a source's length changes no answer, and behind a target's no training."""
        model, _ = self.trained(impl, case, "whole")
        source, lengths, target, _ = held_out(case, 40)
        found = model(source, lengths, target.shape[1])
        other = torch.where(behind(source, lengths), case.vocab - 1, source)
        changed = ~(model(other, lengths, target.shape[1]) == found).all(1)
        require(not changed.any(), f"with other tokens as padding {int(changed.sum())} of 40 answers are others")
        wider = torch.cat([source, torch.zeros(40, 3).long()], 1)
        changed = ~(model(wider, lengths, target.shape[1]) == found).all(1)
        require(not changed.any(), f"with more padding {int(changed.sum())} of 40 answers are others")
        spoiled = {
            name: torch.where(behind(case[name], case[f"{name}_lengths"]), case.vocab - 1, case[name])
            for name in ("source", "target")
        }
        result = self.result(impl, case.but(**spoiled, epochs=3))
        self.require_same(result, self.brief(impl, case), case, "with other tokens as padding")

    def test_answers_are_as_long_as_asked(self, impl: Trial, case: Case) -> None:
        """Answers have max_length columns, were it one; sources longer than any before are answered too."""
        model, _ = self.trained(impl, case, "whole")
        source, lengths, _, _ = held_out(case, 5)
        for columns in (1, 3, 12):
            self.require_answers(model(source, lengths, columns), (5, columns), case)
        long = torch.cat([source.clamp(min=tasks.FIRST), source], 1)
        self.require_answers(model(long, lengths + source.shape[1], 12), (5, 12), case)

    def test_one_source_at_a_time(self, impl: Trial, case: Case) -> None:
        """Sources one at a time get answers as good as together."""
        model, _ = self.trained(impl, case, "whole")

        def alone(source: Tensor, lengths: Tensor, columns: int) -> Tensor:
            return torch.cat([model(row[None], n[None], columns) for row, n in zip(source, lengths, strict=True)])

        found = self.score(alone, case)
        require(found >= self.promised, f"one at a time the score is {found:.3f}, expected {self.promised} at least")


def _spoken(row: list[int]) -> list[int]:
    """An answer up to its end, the end included."""
    return row[: row.index(EOS) + 1] if EOS in row else row
