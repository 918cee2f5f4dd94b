"""Laws of a trained masked language model."""

import math
from typing import Any

import torch
from torch import Tensor, ones, zeros

from lawbook.fixtures.cases import training_sights as tasks
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.training_sights import MASK, WORD
from lawbook.fixtures.trial import Trial
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_training.trainers import SHORT, Model, Trainer, equal

TOKENS = torch.tensor([[1, 4, 5, 6, 2, 0], [1, 5, 6, 4, 5, 2], [1, 6, 2, 0, 0, 0]])
LENGTHS = torch.tensor([5, 6, 3])
TASK: dict[str, Any] = dict(tokens=TOKENS, lengths=LENGTHS, vocab=7, epochs=1, seed=0)
HELD_OUT = 400
AT_THE_ENDS = 0.6

Question = tuple[Tensor, Tensor, Tensor, Tensor]


def held_out(case: Case, n: int) -> Question:
    """Sentences that no training saw with a word hidden, their lengths, where it is, (n, 1), and the words, (n,)."""
    generator = case.generator(401)
    tokens, lengths = tasks.sentences(generator, n)
    hidden, positions, words = tasks.questions(generator, tokens, lengths)
    most = case.vocab - 1
    return hidden.clamp(max=most), lengths, positions, words.clamp(max=most)


def garbled(case: Case, tokens: Tensor, lengths: Tensor) -> Tensor:
    """The tokens with any words in place of the padding."""
    words = torch.randint(WORD, case.vocab, tokens.shape, generator=case.generator(405))
    return torch.where(torch.arange(tokens.shape[1]) < lengths[:, None], tokens, words)


class TestTrainBert(Trainer):
    component = training.train_bert
    cases = tasks.train_bert
    prerequisites = ("bert_encoder", "mask_lm_head", "mask_tokens", "cross_entropy", "adam")
    promised = 0.7
    falls_to = 0.8
    invalid = (
        Invalid(ValueError, "no sentence", **{**TASK, "tokens": TOKENS[:0], "lengths": LENGTHS[:0]}),
        Invalid(ValueError, "lengths of two of three sentences", **{**TASK, "lengths": LENGTHS[:2]}),
        Invalid(ValueError, "a length beyond the last position", **{**TASK, "lengths": LENGTHS + 1}),
        Invalid(
            ValueError,
            "a length beyond the last of two",
            **{**TASK, "tokens": TOKENS[:, :2], "lengths": LENGTHS * 0 + 3},
        ),
        Invalid(ValueError, "a length of 0", **{**TASK, "lengths": LENGTHS * 0}),
        Invalid(ValueError, "a sentence without a word", **{**TASK, "tokens": TOKENS.where(TOKENS < WORD, 2)}),
        Invalid(IndexError, "a token beyond the last", **{**TASK, "vocab": 6}),
        Invalid(IndexError, "a token below 0", **{**TASK, "tokens": TOKENS - 1}),
        Invalid(IndexError, "padding below 0", **{**TASK, "tokens": TOKENS.where(TOKENS > 0, -1)}),
        Invalid(ValueError, "no epoch", **{**TASK, "epochs": 0}),
        Invalid(TypeError, "tokens that are no whole numbers", **{**TASK, "tokens": ones(3, 6) * 4.5}),
    )

    def answers(self, model: Model, case: Case) -> Any:
        return model(*held_out(case, 30)[:3])

    def beside(self, model: Model, case: Case) -> Any:
        question = held_out(case, 64)[:3]
        first = [part[:32] for part in question]
        mixed = [torch.cat([part[:16], part[32:48]]) for part in question]
        return model(*first)[:16], model(*mixed)[:16]

    def require_form(self, found: Any, case: Case) -> None:
        self.require_log_probabilities(found, (30, 1), case)

    def require_log_probabilities(self, found: Any, places: tuple[int, int], case: Case) -> None:
        """Require for all these places logarithms of probabilities that add up to 1."""
        form = (found.dtype, tuple(found.shape))
        expected = (torch.float32, (*places, case.vocab))
        require(form == expected, f"for {places} positions there are {form}, expected {expected}")
        require(not found.isnan().any(), "log-probabilities are nan")
        off = float((found.double().exp().sum(-1) - 1).abs().max())
        # What rounding may do: eight units in the last place, as everywhere, of every addend and every logarithm.
        least = found.double().clamp(min=-100).min().abs()
        allowed = 8 * torch.finfo(torch.float32).eps * (case.vocab + float(least))
        require(off <= allowed, f"the probabilities at a place add up to 1 ± {off:.3g}, rounding allows {allowed:.3g}")

    def share(self, model: Model, question: Question) -> float:
        """The share of gaps for which the true word is the likeliest."""
        tokens, lengths, positions, words = question
        return float((model(tokens, lengths, positions)[:, 0].argmax(1) == words).double().mean())

    def score(self, model: Model, case: Case) -> float:
        """The share of gaps in held-out sentences that are filled with the true word."""
        return self.share(model, held_out(case, HELD_OUT))

    def hopeless(self, case: Case) -> Case:
        words = torch.randint(WORD, case.vocab, case.tokens.shape, generator=case.generator(402))
        return case.but(tokens=torch.where(case.tokens >= WORD, words, case.tokens))

    def luck(self, model: Model, case: Case) -> tuple[float, float, int]:
        tokens, lengths, positions, _ = held_out(case, 1000)
        words = torch.randint(WORD, case.vocab, (1000, 1), generator=case.generator(403))
        found = model(tokens, lengths, positions)[:, 0]
        return float(found.gather(1, words).double().exp().mean()), 1 / (case.vocab - WORD), 1000

    def blind_loss(self, case: Case) -> tuple[float, int]:
        # Of the chosen words BERT leaves one in ten as it was: these may become certain, and a share of 0.3 is never left so.
        return 0.7 * math.log(case.vocab - WORD), len(case.tokens)

    def other(self, case: Case) -> Case:
        return case.but(tokens=case.tokens.flip(0), lengths=case.lengths.flip(0))

    def least(self, case: Case) -> Case:
        # Behind the token that begins a sentence stands a word, and it is the only one there is.
        tokens = case.tokens[:1].roll(-1, 1).clamp(max=WORD)
        return case.but(tokens=tokens, lengths=torch.ones_like(case.lengths[:1]), vocab=WORD + 1)

    def test_gaps_are_filled_from_either_side(self, impl: Trial, case: Case) -> None:
        """The first word is found from those behind it, and the last one from those before it."""
        model, _ = self.trained(impl, case, "whole")
        tokens, lengths = tasks.sentences(case.generator(404), HELD_OUT)
        for what, at in (("first", torch.ones_like(lengths)), ("last", lengths - 2)):
            words = tokens.gather(1, at[:, None])[:, 0]
            told = words < WORD + tasks.FAMILIES * tasks.KINDS
            question = tokens.scatter(1, at[:, None], MASK), lengths, at[:, None], words
            found = self.share(model, tuple(part[told] for part in question))  # type: ignore[arg-type]
            require(found >= AT_THE_ENDS, f"of {what} words {found:.3f} are found, expected {AT_THE_ENDS} at least")

    def test_padding_means_nothing_to_the_model(self, impl: Trial, case: Case) -> None:
        """Whatever stands behind a sentence's end, the answers are the same to the last bit."""
        model, _ = self.trained(impl, case, "whole")
        tokens, lengths, positions, _ = held_out(case, 60)
        same = equal(model(tokens, lengths, positions), model(garbled(case, tokens, lengths), lengths, positions))
        require(same, "the answers depend on what stands behind the sentences' ends")

    def test_padding_means_nothing_to_the_training(self, impl: Trial, case: Case) -> None:
        """Whatever stands behind the sentences' ends, the training is the same to the last bit."""
        tokens = garbled(case, case.tokens, case.lengths)
        result = self.result(impl, case, tokens=tokens, epochs=SHORT)
        self.require_same(result, self.brief(impl, case), case, "with words in place of the padding")

    def test_narrower_batches_are_answered(self, impl: Trial, case: Case) -> None:
        """Sentences that are padded to the longest of them alone, and one at a time, are answered as well."""
        model, _ = self.trained(impl, case, "whole")
        tokens, lengths, positions, words = held_out(case, HELD_OUT)
        short = lengths <= 9
        question = tokens[short, :9], lengths[short], positions[short], words[short]
        found = self.share(model, question)
        require(found >= self.promised, f"in narrower batches the score is {found:.3f}, expected {self.promised}")
        right = 0
        for k in range(100):
            size = int(lengths[k])
            answer = model(tokens[k : k + 1, :size], lengths[k : k + 1], positions[k : k + 1])
            right += int(answer[0, 0].argmax() == words[k])
        require(right >= 100 * self.promised, f"one at a time {right} of 100 are right, expected {self.promised:.0%}")

    def test_several_positions_at_once(self, impl: Trial, case: Case) -> None:
        """Of several positions each has its own answer, in the order asked for, also of one that comes twice."""
        model, _ = self.trained(impl, case, "whole")
        tokens, lengths, positions, words = held_out(case, HELD_OUT)
        others = torch.where(positions == 1, 2, 1)
        found = model(tokens, lengths, torch.cat([others, positions, others, positions], 1))
        self.require_log_probabilities(found, (HELD_OUT, 4), case)
        for k in (1, 3):
            right = float((found[:, k].argmax(1) == words).double().mean())
            require(
                right >= self.promised, f"as position {k} of four the score is {right:.3f}, expected {self.promised}"
            )

    def test_no_position_is_no_answer(self, impl: Trial, case: Case) -> None:
        """Asked for no position at all, there are no answers, and no error."""
        tokens, lengths, _, _ = held_out(case, 3)
        found = self.brief(impl, case)[0](tokens, lengths, zeros(3, 0, dtype=torch.int64))
        require(tuple(found.shape) == (3, 0, case.vocab), f"for no position the answer has shape {tuple(found.shape)}")
