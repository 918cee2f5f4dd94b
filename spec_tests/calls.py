"""With which arguments a law called the implementation, where they are others than the case's own."""

import contextlib
from typing import TYPE_CHECKING, Any

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Trial, copy
from lawbook.spec_tests.arguments import same

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawRun


class Recorded(Trial):
    """A trial that keeps the arguments of its calls."""

    def __init__(self, trial: Trial):
        super().__init__(trial.implementation, trial.component)
        self.calls: list[dict[str, Any]] = []

    def call_with(self, arguments: dict[str, Any]) -> tuple[Any, Any]:
        self.calls.append(copy(arguments))
        return super().call_with(arguments)

    def products(self, arguments: dict[str, Any], *more: Any) -> tuple[Any, dict[str, Any]]:
        self.calls.append(copy(arguments))
        return super().products(arguments, *more)


def calls(run: "LawRun", case: Case) -> list[dict[str, Any]]:
    """The calls of a component's own law, made once more on the case up to where it fails."""
    recorded = Recorded(run.trial)
    with contextlib.suppress(Exception):
        run.function(run.spec, recorded, *([case] if run.spec_class.domain_of(run.law) else []))
    return recorded.calls


def changes(call: dict[str, Any], case: Case) -> dict[str, Any]:
    """What a call gives other than the case has it."""
    known = case.arguments
    return {name: value for name, value in call.items() if name not in known or not same(value, known[name])}
