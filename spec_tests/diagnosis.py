"""Known mistakes: when a component fails, its answers are compared with those of the faulty implementations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.faulty import registry
from lawbook.fixtures.implementation import Implementation
from lawbook.fixtures.tree import floating, is_floating, map_leaves, widened
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests.form import check_form
from lawbook.spec_tests.judge import Axes, LawBroken, Yardstick, compare
from lawbook.spec_tests.oracle import products

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawRun

TRIED = 10
SILENT = {"accelerator_agrees", "global_state", "inputs_unmodified", "invalid_input_raises", "no_aliasing"}
"""Laws whose breach does not show in an answer: a mistake that breaks these alone explains no wrong one."""


@dataclass(frozen=True)
class Diagnosis:
    """How many of the cases fail, and the known mistake that explains them all."""

    failing: int
    tried: int
    hint: str | None


def diagnose(run: "LawRun", seen: list[Case]) -> Diagnosis:
    """Compare values, or gradients for a gradient law, on the failing ones of the cases that were tried."""
    seen = seen[:TRIED]
    if run.spec_class.cost > 1:
        # What a case costs, every known mistake would cost again.
        return Diagnosis(0, len(seen), None)
    answers = _Answers(run)
    failing = [case for case in seen if answers.differs(case)]
    if not failing:
        return Diagnosis(0, len(seen), None)
    for known in registry.of(run.spec_class.name, run.spec_class.chapter):
        if known.function is run.implementation.function(run.spec_class.name) or SILENT.issuperset(known.rejected_by):
            continue
        trial = Trial(Implementation([{known.component: known.function}], known.name), known.component)
        if all(answers.equal(trial, case) for case in failing):
            return Diagnosis(len(failing), len(seen), known.hint)
    return Diagnosis(len(failing), len(seen), None)


class _Answers:
    """What the implementation answers, and the truth, in the terms of the law that failed."""

    def __init__(self, run: "LawRun"):
        self._run = run
        self._second = run.law == "second_derivative_agrees"
        self._gradient = self._second or run.law == "gradient_agrees"
        self._got: dict[int, Any] = {}

    def differs(self, case: Case) -> bool:
        """Whether the implementation's answer is beyond what is allowed; an exception does not count."""
        try:
            got = self._got[id(case)] = self._answer(self._run.trial, case)
            return not self._close(got, self._truth(case), case)
        except Exception:
            return False

    def equal(self, other: Trial, case: Case) -> bool:
        """Whether another answer is the implementation's, and not the truth."""
        try:
            answer = self._answer(other, case)
            wide = widened(self._got[id(case)])
            if not self._close(answer, wide, case) or self._close(answer, self._truth(case), case):
                return False
            # A gradient of zeros has many causes: then the values must be alike as well.
            if self._gradient and not any(leaf.any() for leaf in floating(wide)):
                return self._close_values(other(case), widened(self._run.trial(case)), case)
            return True
        except Exception:
            return False

    def _answer(self, trial: Trial, case: Case) -> Any:
        if self._gradient:
            return products(trial, case, self._run.spec_class.differentiable, self._second)[1]
        return trial(case)

    def _truth(self, case: Case) -> Any:
        oracle = self._run.spec.oracle
        if self._gradient:
            return oracle.gradient(case, self._run.spec_class.differentiable, self._second)
        return oracle.value(case)

    def _close(self, got: Any, wanted: Any, case: Case) -> bool:
        if not self._gradient:
            return self._close_values(got, wanted, case)
        wrt = self._run.spec_class.differentiable
        return _alike(got, wanted, case, -1, self._run.spec.oracle.gradient_spread(case, wrt, self._second))

    def _close_values(self, got: Any, wanted: Any, case: Case) -> bool:
        return _alike(got, wanted, case, self._run.spec.rows(case), self._run.spec.oracle.value_spread(case))


def _alike(got: Any, wanted: Any, case: Case, rows: Axes | list[Axes], spread: Yardstick) -> bool:
    try:
        check_form(map_leaves(_wide, got), map_leaves(_wide, wanted))
    except LawBroken:
        return False
    return compare(got, wanted, case.dtype, rows, spread).share <= 1


def _wide(leaf: Any) -> Any:
    return leaf.to(torch.float64) if is_floating(leaf) else leaf
