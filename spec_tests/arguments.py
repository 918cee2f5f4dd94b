"""Arguments altered for a law, and whether they are as they were."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.tree import is_floating, leaves, map_leaves
from lawbook.spec_tests.judge import LawBroken

HALVES = (torch.bfloat16, torch.float16)
"""The half precisions."""


def within_range(case: Case, dtype: torch.dtype) -> Case:
    """For float16, larger inputs scaled down to 16: whether a partial sum passes 65,504 is a matter of its order."""
    if dtype != torch.float16:
        return case

    def scale(leaf: Any) -> Any:
        if not is_floating(leaf) or not leaf.numel():
            return leaf
        largest = float(torch.where(torch.isfinite(leaf), leaf.abs(), 0.0).max())
        return leaf * (16 / largest) if largest > 16 else leaf

    return case.but(**map_leaves(scale, case.arguments))


def remember(broken: Exception, arguments: dict[str, Any]) -> None:
    """Keep with a failure the arguments on which it was met."""
    if isinstance(broken, LawBroken):
        broken.evidence["case"] = arguments
    else:
        broken.arguments = arguments  # type: ignore[attr-defined]


@contextlib.contextmanager
def remembered(case: Case) -> Iterator[None]:
    """For laws that make their own cases: a failure says on which of them it was met, and whether the gradient was wrong."""
    try:
        yield
    except (LawBroken, Raised) as broken:
        remember(broken, case.arguments)
        if isinstance(broken, LawBroken) and broken.evidence.get("kind") == "gradient" and not broken.args[0]:
            broken.args = ("in the gradient",)
        raise


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        if not isinstance(b, Tensor) or a.shape != b.shape or a.dtype != b.dtype:
            return False
        return bool(((a == b) | ((a != a) & (b != b))).all())
    if isinstance(a, np.ndarray):
        # Text and objects are no numbers and hold no nan.
        nan = a.dtype.kind in "fc"
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=nan)
    return a is b or bool(a == b) or (callable(a) and callable(b))


def require_same(given: Any, original: Any, when: str) -> None:
    """Raise LawBroken unless the arguments are as they were."""
    before, now = dict(leaves(original)), dict(leaves(given))
    if before.keys() != now.keys():
        raise LawBroken(f"the arguments hold other parts {when}", kind="modified")
    for path, leaf in before.items():
        if not _identical(leaf, now[path]):
            raise LawBroken(f"{path} was changed: {when} it is another", kind="modified", got=now[path], expected=leaf)


def with_nan(case: Case, among: tuple[str, ...] | None, without_effect: tuple[str, ...] = ()) -> Case | None:
    """The case with one nan in one floating argument that has an effect; None without floating elements."""
    chosen_arguments = case.arguments if among is None else {name: case[name] for name in among}
    places = [path for path, leaf in leaves(chosen_arguments) if is_floating(leaf) and leaf.numel()]
    places = [path for path in places if not path.endswith(without_effect)]
    if not places:
        return None
    target = iter(leaves(case.arguments))
    chosen = places[case.seed % len(places)]

    def spoil(leaf: Any) -> Any:
        path, _ = next(target)
        if path != chosen:
            return leaf
        spoiled = leaf.clone(memory_format=torch.contiguous_format)
        spoiled.view(-1)[case.seed // 7 % leaf.numel()] = torch.nan
        return spoiled

    return case.but(**map_leaves(spoil, case.arguments))


def defaults(component: Any) -> dict[str, Any]:
    """The contract's optional arguments and their defaults."""
    parameters = inspect.signature(component).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}


def same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same leaves in the same places."""
    found, wanted = dict(leaves(one)), dict(leaves(other))
    return found.keys() == wanted.keys() and all(_identical(leaf, wanted[path]) for path, leaf in found.items())
