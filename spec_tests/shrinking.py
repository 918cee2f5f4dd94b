"""Shrinking the values of a failing case: round, zero, set to one, halve, as long as it still fails the same way."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.tree import is_floating, leaves, map_leaves
from lawbook.spec_tests.judge import LawBroken
from torch import Tensor

SMALL = 24
"""Tensors of more elements are simplified as a whole only."""


def shrink_values(
    case: Case, error: Exception, evaluate: Callable[[Case], None], budget: int
) -> tuple[Case, Exception]:
    """A case with plainer numbers that fails with the same kind of error, and that error."""
    for path in [path for path, leaf in leaves(case.arguments) if is_floating(leaf) and leaf.numel()]:
        for plainer in _plainer(dict(leaves(case.arguments))[path]):
            if budget <= 0:
                return case, error
            budget -= 1
            simpler = case.but(**_replaced(case.arguments, path, plainer))
            try:
                evaluate(simpler)
            except LawBroken as broken:
                if type(error) is LawBroken and broken.evidence.get("kind") == getattr(error, "evidence", {}).get(
                    "kind"
                ):
                    case, error = simpler, broken
            except Exception as other:
                if type(other) is type(error) and type(getattr(other, "error", None)) is type(
                    getattr(error, "error", None)
                ):
                    case, error = simpler, other
    return case, error


def _plainer(x: Tensor) -> Iterator[Tensor]:
    finite = torch.isfinite(x)
    for candidate in (
        torch.ones_like(x),
        torch.arange(1, x.numel() + 1, dtype=x.dtype).reshape(x.shape),
        torch.where(finite, x.round(), x),
        torch.where(finite, (x * 4).round() / 4, x),
        x / 2,
    ):
        if not torch.equal(candidate, x):
            yield candidate
    if x.numel() <= SMALL:
        rounded = torch.where(finite, (x * 4).round() / 4, x)
        for i in range(x.numel()):
            if rounded.flatten()[i] not in (0, 1):
                zeroed = rounded.flatten().clone()
                zeroed[i] = 0
                yield zeroed.reshape(x.shape)


def _replaced(arguments: dict[str, Any], path: str, new: Tensor) -> dict[str, Any]:
    paths = iter(leaves(arguments))
    return map_leaves(lambda leaf: new if next(paths)[0] == path else leaf, arguments)
