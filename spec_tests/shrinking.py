"""Shrinking a failing case: simpler by Hypothesis, then sizes as small as can be, then plainer values.

It stays the same failure throughout: the same exception of the implementation, or the same kind of broken law.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case, Draft
from lawbook.fixtures.implementation import Raised, Unfit
from lawbook.fixtures.tree import is_floating, leaves, map_leaves
from lawbook.spec_tests.judge import LawBroken

EXPLAINED = (LawBroken, Raised, Unfit, AssertionError)
"""What an implementation can be blamed for."""

CLEAR = 1000.0
"""An error this many times the allowed one convinces: plainer numbers must not make it less clear than that."""

SMALL = 24
"""Tensors of more elements are simplified as a whole only."""

CALLS = 8
"""So many times as often as it may evaluate, Hypothesis may propose a draft."""


class _Enough(BaseException):
    """Ends Hypothesis's search: an Exception would be one more failure to it."""


@dataclass
class Shrinking:
    """How to shrink the cases of one law.

    Args:
        make: the case of a draft.
        evaluate: judge a case; raises when it fails, also when it is not legal.
        draw: draw a round of drafts again; where the body raises, Hypothesis shrinks.
        replay: a draft with some of its draws as small as can be.
        budget: evaluations for each of the three steps.
    """

    make: Callable[[Draft], Case]
    evaluate: Callable[[Case], None]
    draw: Callable[[int, Callable[[Draft], None]], None]
    replay: Callable[[Draft, Collection[int]], Draft]
    budget: int

    def smallest(self, draft: Draft, error: Exception, seen: dict[Any, Case]) -> tuple[Case, Exception]:
        """The smallest case found that fails, and its error."""
        draft, case, error = self._by_hypothesis(draft, error, seen)
        if not isinstance(error, EXPLAINED):
            return case, error
        case, error = self.sizes(draft, case, error)
        return self.values(case, error)

    def _by_hypothesis(self, draft: Draft, error: Exception, seen: dict[Any, Case]) -> tuple[Draft, Case, Exception]:
        failing: dict[Any, Exception] = {draft.key: error}
        last = [draft]
        left, calls = self.budget, CALLS * self.budget
        reached = False

        def body(draft: Draft) -> None:
            nonlocal left, calls, reached
            calls -= reached
            if calls < 0:
                raise _Enough
            if draft.key in failing:
                reached = True
                last[:] = [draft]
                raise failing[draft.key]
            if not reached or draft.key in seen:
                return
            if left <= 0:
                raise _Enough
            left -= 1
            case = seen[draft.key] = self.make(draft)
            try:
                self.evaluate(case)
            except Exception as error:
                failing[draft.key] = error
                last[:] = [draft]
                raise

        # The same seed leads Hypothesis through the same drafts to the one that failed, and on from there.
        with contextlib.suppress(Exception, _Enough):
            self.draw(draft.round, body)
        return last[0], seen[last[0].key], failing[last[0].key]

    def sizes(self, draft: Draft, case: Case, error: Exception) -> tuple[Case, Exception]:
        """As many draws as small as can be as still make it fail: all, or else one after the other."""
        small: frozenset[int] = frozenset()
        left = self.budget
        draws = range(len(draft.key) - 1)
        for more in (frozenset(draws), *(frozenset([k]) for k in draws)):
            # Domains need not be made for such sizes, nor laws speak of them.
            with contextlib.suppress(Exception):
                tiny = self.make(self.replay(draft, small | more))
                if left <= 0 or _elements(tiny) >= _elements(case):
                    continue
                left -= 1
                found = self._failure(tiny)
                if found is not None and _alike(error, found):
                    small, case, error = small | more, tiny, found
        return case, error

    def _failure(self, case: Case) -> Exception | None:
        try:
            self.evaluate(case)
        except EXPLAINED as error:
            return error
        return None

    def values(self, case: Case, error: Exception) -> tuple[Case, Exception]:
        """Plainer numbers, tensor by tensor, as long as it fails alike."""
        left, given = self.budget, dict(leaves(case.arguments))

        def fails_alike(path: str, plainer: Tensor) -> bool:
            """Whether the case still fails the same way with this tensor; then it is the case."""
            nonlocal case, error, left
            if left <= 0 or not _keeps_bounds(plainer, given[path]):
                return False
            left -= 1
            simpler = case.but(**_replaced(case.arguments, path, plainer))
            try:
                self.evaluate(simpler)
            except Exception as other:
                if _alike(error, other):
                    case, error = simpler, other
                    return True
            return False

        for path in [path for path, leaf in leaves(case.arguments) if is_floating(leaf) and leaf.numel()]:
            x = dict(leaves(case.arguments))[path]
            any(fails_alike(path, plainer) for plainer in _plainer(x))
            if x.numel() <= SMALL:
                for i in range(x.numel()):
                    zeroed = dict(leaves(case.arguments))[path].flatten().clone()
                    if zeroed[i] != 0:
                        zeroed[i] = 0
                        fails_alike(path, zeroed.reshape(x.shape))
        return case, error


def _elements(case: Case) -> int:
    return sum(leaf.numel() for _, leaf in leaves(case.arguments) if isinstance(leaf, Tensor))


def _share(broken: LawBroken) -> float:
    """The error as a share of the allowed one; infinite where there is no such figure."""
    allowed = broken.evidence.get("allowed")
    return broken.evidence["error"] / allowed if allowed else math.inf


def _keeps_bounds(plainer: Tensor, x: Tensor) -> bool:
    """Whether the new numbers keep a sign, or the bounds 0 and 1, that all of the old ones share.

    Such a bound is the domain's most likely: weights are above 0, probabilities at most 1.
    """
    old = x[torch.isfinite(x)]
    shared = (lambda v: v > 0, lambda v: v >= 0, lambda v: v < 0, lambda v: v <= 0, lambda v: (v >= 0) & (v <= 1))
    return all(bool(bound(plainer).all()) for bound in shared if old.numel() and bool(bound(old).all()))


def _alike(a: Exception, b: Exception) -> bool:
    """Whether two failures are of one kind: the same exception of the implementation, or the same kind of broken law."""
    if type(a) is not type(b):
        return False
    if isinstance(a, LawBroken) and isinstance(b, LawBroken):
        return a.evidence.get("kind") == b.evidence.get("kind") and _share(b) >= min(_share(a), CLEAR)
    return type(getattr(a, "error", None)) is type(getattr(b, "error", None))


def _plainer(x: Tensor) -> Iterator[Tensor]:
    """The same tensor in plainer numbers, the plainest first."""
    finite = torch.isfinite(x)
    sign = -1 if bool((x < 0).all()) else 1
    for candidate in (
        sign * torch.ones_like(x),
        sign * torch.arange(1, x.numel() + 1, dtype=x.dtype).reshape(x.shape),
        torch.where(finite, x.round(), x),
        torch.where(finite, (x * 4).round() / 4, x),
        x / 2,
    ):
        if torch.equal(candidate, x):
            return
        yield candidate


def _replaced(arguments: dict[str, Any], path: str, new: Tensor) -> dict[str, Any]:
    paths = iter(leaves(arguments))
    return map_leaves(lambda leaf: new if next(paths)[0] == path else leaf, arguments)
