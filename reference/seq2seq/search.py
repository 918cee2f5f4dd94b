"""Three ways to look for the most probable sequence."""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from lawbook.reference.checks import check_shape, check_tensor, check_whole

StepFunction = Callable[[tuple[int, ...]], Tensor]


class Hypothesis(NamedTuple):
    """Tokens after the beginning of the sequence, and the logarithm of their probability."""

    tokens: tuple[int, ...]
    score: float


def greedy_search(step_fn: StepFunction, bos: int, eos: int, steps: int) -> tuple[list[int], float]:
    """Take the most probable token at every step.

        y_t = argmax_y log P(y | bos, y_1, …, y_{t−1})      until y_t is eos or t is steps

    Args:
        step_fn: prefix → (V,), the logarithms of the next token's probabilities: at most 0, −inf where it is impossible,
            taken as they are whether or not the probabilities add up to 1. The prefix is the tuple of all tokens so far,
            ``bos`` first.
        bos: the token every sequence begins with.
        eos: the token that ends one.
        steps: the largest number of tokens, ``bos`` not counted; at least 1.

    Returns:
        tokens: a list without ``bos``, with ``eos`` where it was reached.
        score: log P of these tokens, their sum.

    Raises:
        ValueError: ``steps`` is below 1, ``step_fn`` returns no (V,), or no token is possible.
        TypeError: ``bos``, ``eos`` or ``steps`` is no whole number, or ``step_fn`` returns no tensor.

    Conventions: of equal scores the lowest token.

    Source: note 004, greedy search.
    """
    _check(bos, eos, steps)
    tokens: tuple[int, ...] = ()
    score = 0.0
    while len(tokens) < steps and tokens[-1:] != (eos,):
        best = min(_continued(step_fn, bos, Hypothesis(tokens, score)), key=_by_score, default=None)
        if best is None:
            raise ValueError(f"no token is possible after {(bos, *tokens)}")
        tokens, score = best
    return list(tokens), score


def exhaustive_search(
    step_fn: StepFunction, bos: int, eos: int, steps: int, alpha: float = 0.0
) -> tuple[list[int], float]:
    """Try every sequence that ends with ``eos`` or has ``steps`` tokens, and take the best.

        argmax  log P(y_1, …, y_L) / L^alpha      over all y that hold eos at most once, at their end

    Args:
        step_fn, bos, eos, steps: as in ``greedy_search``.
        alpha: how much length is made up for; 0 takes log P as it is.

    Returns:
        tokens: a list without ``bos``, with ``eos`` where it was reached.
        score: log P / L^alpha, where L counts the tokens of that list.

    Raises:
        ValueError: ``steps`` is below 1, ``step_fn`` returns no (V,), or no sequence is possible.
        TypeError: as ``greedy_search``.

    Conventions: of equal scores the first in lexicographic order. Of V tokens there are up to V^steps sequences.

    Source: note 004, exhaustive search.
    """
    _check(bos, eos, steps)
    ended: list[Hypothesis] = []
    live = [Hypothesis((), 0.0)]
    while live:
        candidates = [new for old in live for new in _continued(step_fn, bos, old)]
        live = [one for one in candidates if not _has_ended(one, eos, steps)]
        ended += [one for one in candidates if _has_ended(one, eos, steps)]
    return _best(ended, alpha)


def beam_search(
    step_fn: StepFunction, bos: int, eos: int, steps: int, k: int, alpha: float = 0.75
) -> tuple[list[int], float]:
    """Keep the ``k`` best beginnings at every step, and take the best of those that end.

    Each step continues every live beginning by every token and keeps the most probable of the results: as many as there
    are places left. A sequence that ends with ``eos`` keeps its place to the end and is not continued, so no more than ``k``
    sequences are ever kept. The search is over when all of them have ended or have ``steps`` tokens; then

        argmax  log P(y_1, …, y_L) / L^alpha

    of those kept is the result.

    Args:
        step_fn, bos, eos, steps: as in ``greedy_search``.
        k: the number of places, at least 1.
        alpha: how much length is made up for, of either sign; 0 takes log P as it is.

    Returns:
        tokens: a list without ``bos``, with ``eos`` where it was reached.
        score: log P / L^alpha, where L counts the tokens of that list: ``bos`` does not count, ``eos`` does.

    Raises:
        ValueError: ``steps`` or ``k`` is below 1, ``step_fn`` returns no (V,), or no sequence is possible.
        TypeError: ``k``, ``bos``, ``eos`` or ``steps`` is no whole number, or ``step_fn`` returns no tensor.

    Conventions: of equal scores the first in lexicographic order, at every step and at the end. Impossible tokens (−inf) take
    no place. k = 1 is greedy search; k ≥ V^steps is exhaustive search. A larger k may give a lower score: a beginning
    that would have won may lose its place to others. That what has ended keeps its place is the way of dl4mt and Nematus;
    others keep ``k`` live beginnings whatever has ended (transformers), or let what has ended compete for its place at
    every step (sockeye). What L counts differs too.

    Source: note 004, beam search; Wu et al. 2016, arXiv:1609.08144, §7, for other normalizations.
    """
    _check(bos, eos, steps)
    k = check_whole("k", k, 1)
    ended: list[Hypothesis] = []
    live = [Hypothesis((), 0.0)]
    while live:
        candidates = sorted((new for old in live for new in _continued(step_fn, bos, old)), key=_by_score)
        kept = candidates[: k - len(ended)]
        live = [one for one in kept if not _has_ended(one, eos, steps)]
        ended += [one for one in kept if _has_ended(one, eos, steps)]
    return _best(ended, alpha)


def _check(bos: int, eos: int, steps: int) -> None:
    check_whole("bos", bos)
    check_whole("eos", eos)
    check_whole("steps", steps, 1)


def _continued(step_fn: StepFunction, bos: int, old: Hypothesis) -> list[Hypothesis]:
    """The hypothesis with every possible next token."""
    scores = step_fn((bos, *old.tokens))
    check_tensor("what step_fn returns", scores)
    check_shape("what step_fn returns", scores, (scores.numel(),))
    news = (Hypothesis((*old.tokens, token), old.score + value) for token, value in enumerate(scores.tolist()))
    return [new for new in news if new.score > -math.inf]


def _by_score(hypothesis: Hypothesis) -> tuple[float, tuple[int, ...]]:
    return -hypothesis.score, hypothesis.tokens


def _has_ended(hypothesis: Hypothesis, eos: int, steps: int) -> bool:
    return hypothesis.tokens[-1] == eos or len(hypothesis.tokens) == steps


def _best(ended: list[Hypothesis], alpha: float) -> tuple[list[int], float]:
    """The hypothesis of the best score once length is made up for."""
    if not ended:
        raise ValueError("no sequence is possible: every one has a probability of 0")
    scored = [Hypothesis(tokens, score / len(tokens) ** alpha) for tokens, score in ended]
    best = min(scored, key=_by_score)
    return list(best.tokens), best.score
