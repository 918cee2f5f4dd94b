"""With which arguments a law called the implementation, where they are others than the case's own."""

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import copy
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests.arguments import same

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawRun


FEW = 3
"""Of more calls the last one is shown."""


class Recorded(Trial):
    """A trial that counts its calls and keeps the arguments of the last few."""

    def __init__(self, trial: Trial):
        super().__init__(trial.implementation, trial.component)
        self.made = 0
        self.last: deque[dict[str, Any]] = deque(maxlen=FEW)

    def call_with(self, arguments: dict[str, Any]) -> tuple[Any, Any]:
        self._note(arguments)
        return super().call_with(arguments)

    def products(self, arguments: dict[str, Any], *more: Any) -> tuple[Any, dict[str, Any]]:
        self._note(arguments)
        return super().products(arguments, *more)

    def _note(self, arguments: dict[str, Any]) -> None:
        self.made += 1
        self.last.append(copy(arguments))


def calls(run: "LawRun", case: Case) -> Recorded:
    """The calls of a component's own law, made once more on the case up to where it fails."""
    recorded = Recorded(run.trial)
    with contextlib.suppress(Exception):
        run.function(run.spec, recorded, *([case] if run.spec_class.domain_of(run.law) else []))
    return recorded


def changes(call: dict[str, Any], case: Case) -> dict[str, Any]:
    """What a call gives other than the case has it."""
    known = case.arguments
    return {name: value for name, value in call.items() if name not in known or not same(value, known[name])}
