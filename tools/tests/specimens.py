"""Small components, domains and Specs that the engine's own tests try it on."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from lawbook.fixtures.cases.kit import Case, Domain, Draft, domain
from lawbook.fixtures.implementation import Implementation
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests import drawing
from lawbook.spec_tests.judge import Axes, Comparison, compare, spread
from lawbook.spec_tests.running import LawResult, Settings, run_law
from lawbook.spec_tests.spec import Spec


def implementation(**functions: Callable[..., Any]) -> Implementation:
    """An implementation of these functions."""
    return Implementation([functions], "specimen")


def adapter(**attributes: Any) -> Implementation:
    """An implementation whose ADAPTER and functions are given."""
    return Implementation([SimpleNamespace(**attributes)], "specimen")


def trial(**function: Callable[..., Any]) -> Trial:
    """The trial of one function."""
    (name,) = function
    return Trial(implementation(**function), name)


def component(function: Callable[..., Any], chapter: str = "specimens") -> Callable[..., Any]:
    """The function as if it were a chapter's reference."""
    function.__module__ = f"lawbook.reference.{chapter}"
    return function


def spec(reference: Callable[..., Any], over: Domain, **declared: Any) -> type[Spec]:
    """A Spec of a component; ``declared`` are its attributes and laws."""
    return type("TestSpecimen", (Spec,), {"component": component(reference), "cases": over, **declared})


def judge(of: type[Spec], law: str, on: Implementation | Callable[..., Any], **settings: Any) -> LawResult:
    """The result of one law."""
    on = on if isinstance(on, Implementation) else implementation(**{of.name: on})
    return run_law(of, law, on, Settings(**settings))


def drafts(over: Domain, count: int, seed: int = 0) -> list[Draft]:
    """The first drafts of a domain."""
    return drawing.drafts(over.__name__, over, seed, count)


def cases(over: Domain, count: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Case]:
    """The first cases of a domain."""
    return [draft.case(dtype) for draft in drafts(over, count, seed)]


def held(reference: Callable[..., Any], case: Case, got: Any, rows: Axes = -1) -> Comparison:
    """An answer held against the reference, as the judge does it."""

    def evaluate(at: Case) -> Any:
        return reference(**at.arguments)

    truth = evaluate(case.to(torch.float64))
    return compare(got, truth, case.dtype, rows, spread(evaluate, case, truth))


@domain
def numbers(d):
    """One or two axes, the usual profiles."""
    return {"x": d.tensor(d.shape(1, 2))}


@domain
def matrices(d):
    """Two axes."""
    return {"x": d.tensor(d.sizes(2))}


@domain
def whole(d):
    """Small whole numbers."""
    return {"x": d.tensor(d.shape(1, 2), ("integers",))}


def double(x):
    """Twice the argument.

    Source: made for these tests.
    """
    return 2 * x
