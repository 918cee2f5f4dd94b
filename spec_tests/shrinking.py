"""Shrinking the values of a failing case: one, count, round or halve, then zero, as long as it fails the same way."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.tree import is_floating, leaves, map_leaves
from lawbook.spec_tests.judge import LawBroken

CLEAR = 1000.0
"""An error this many times the allowed one convinces: plainer numbers must not make it less clear than that."""

SMALL = 24
"""Tensors of more elements are simplified as a whole only."""


def shrink_values(
    case: Case, error: Exception, evaluate: Callable[[Case], None], budget: int
) -> tuple[Case, Exception]:
    """A case with plainer numbers that fails with the same kind of error, and that error."""
    left, given = [budget], dict(leaves(case.arguments))

    def fails_alike(path: str, plainer: Tensor) -> bool:
        """Whether the case still fails the same way with this tensor; then it is the case."""
        nonlocal case, error
        if left[0] <= 0 or not _keeps_bounds(plainer, given[path]):
            return False
        left[0] -= 1
        simpler = case.but(**_replaced(case.arguments, path, plainer))
        try:
            evaluate(simpler)
        except Exception as other:
            if _alike(error, other):
                case, error = simpler, other
                return True
        return False

    for path in [path for path, leaf in leaves(case.arguments) if is_floating(leaf) and leaf.numel()]:
        if left[0] <= 0:
            break
        x = dict(leaves(case.arguments))[path]
        any(fails_alike(path, plainer) for plainer in _plainer(x))
        if x.numel() <= SMALL:
            for i in range(x.numel()):
                zeroed = dict(leaves(case.arguments))[path].flatten().clone()
                if zeroed[i] != 0:
                    zeroed[i] = 0
                    fails_alike(path, zeroed.reshape(x.shape))
    return case, error


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
    for candidate in (
        torch.ones_like(x),
        torch.arange(1, x.numel() + 1, dtype=x.dtype).reshape(x.shape),
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
