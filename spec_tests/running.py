"""Running one law over its cases: draw, judge, shrink within a budget, say what is wrong."""

import math
import time
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from lawbook.fixtures.cases.kit import Case, Domain, Draft
from lawbook.fixtures.implementation import Implementation, NotOffered, Raised, Unfit
from lawbook.fixtures.tree import leaves, ordered, widened
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests import globals_guard
from lawbook.spec_tests.arguments import HALVES
from lawbook.spec_tests.devices import Device
from lawbook.spec_tests.diagnosis import TRIED
from lawbook.spec_tests.drawing import case_of, drafts, draw
from lawbook.spec_tests.failures import Failure, describe
from lawbook.spec_tests.judge import LawBroken, coarsest, compare, numbers, spread
from lawbook.spec_tests.oracle import Oracle, settle
from lawbook.spec_tests.shrinking import EXPLAINED, Shrinking
from lawbook.spec_tests.spec import Spec, skip_case

PROFILES = {"quick": 8, "default": 25, "thorough": 200}


@dataclass
class Settings:
    """How a trial is run.

    Args:
        profile: quick, default or thorough; or ``cases`` for a number of cases a law.
        seed: cases are a function of the seed and the component alone.
        dtype: the working dtype.
        device: where the accelerator law computes; None: it is not run.
        authority: when the reference is on trial: who says the truth, by component.
        heartbeat: called before every case and whenever the reference computes: a watchdog waits for what is on trial alone.
        explain: whether a failing case is shrunk and compared with known mistakes; without, only the outcome counts.
    """

    profile: str = "default"
    seed: int = 0
    dtype: torch.dtype = torch.float32
    device: Device | None = None
    authority: Callable[[str], Implementation | None] | None = None
    heartbeat: Callable[[], None] = lambda: None
    cases: int = 0
    explain: bool = True

    @property
    def count(self) -> int:
        """Cases a law."""
        return self.cases or PROFILES[self.profile]

    @property
    def finds_deviations(self) -> bool:
        """Whether a recorded deviation must show: they are found in float32 with at least the default number of cases."""
        return self.dtype == torch.float32 and self.count >= PROFILES["default"]


@dataclass
class LawResult:
    """What became of one law."""

    outcome: str
    cases: int = 0
    worst: float = 0.0
    seconds: float = 0.0
    reason: str | None = None
    failure: Failure | None = None
    text: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def own_fault(self) -> bool:
        """Whether it is the law that is wrong, not the implementation."""
        return (self.reason or "").startswith(OWN_FAULT)

    @property
    def rejects(self) -> bool:
        """Whether the law found the implementation wrong."""
        return self.outcome in ("fail", "error") and not self.own_fault


OWN_FAULT = "lawbook itself"


def run_law(spec_class: type[Spec], law: str, implementation: Implementation, settings: Settings) -> LawResult:
    """Judge one law of one component."""
    started = time.perf_counter()
    before = globals_guard.capture()
    try:
        # Whether warnings are errors is a matter of someone's pytest configuration, not of the implementation.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = _run_law(spec_class, law, implementation, settings)
    finally:
        globals_guard.restore(before)
    result.seconds = time.perf_counter() - started
    return result


def _run_law(spec_class: type[Spec], law: str, implementation: Implementation, settings: Settings) -> LawResult:
    name = spec_class.name
    declared = implementation.unsupported.get(name)
    if isinstance(declared, dict):
        declared = declared.get(str(settings.dtype).removeprefix("torch."))
    if not implementation.has_dtype(settings.dtype):
        return LawResult("not_provided", reason=f"arrays of {implementation.name} cannot be {settings.dtype}")
    if implementation.function(name) is None and declared is None:
        return LawResult("not_provided", reason=f"{implementation.name} does not provide {name}")
    authority = settings.authority(name) if settings.authority else None
    if settings.authority and law in AUTHORITY_LAWS:
        if authority is None:
            return LawResult("not_applicable", reason="no other authority provides this component")
        if settings.dtype in HALVES:
            # Probabilities near 1 are 1 there, where authorities differ.
            return LawResult("not_applicable", reason="other authorities are asked in float32 and float64")
    run = LawRun(spec_class, law, implementation, settings, authority)
    if isinstance(declared, str):
        return run.expect_refusal(declared)
    reason = spec_class.inapplicable(law, implementation, settings.dtype)
    if reason is None and authority and law == "gradient_agrees" and not authority.has_gradients:
        reason = f"{authority.name} offers no gradients"
    if reason is not None:
        return LawResult("not_applicable", reason=reason)
    if law == "accelerator_agrees":
        if settings.device is None:
            return LawResult("not_run", reason="no device given")
        if implementation.bridge != "torch":
            return LawResult("not_applicable", reason=f"arrays of {implementation.name} are not moved by torch")
    result = run.judge()
    if law == "low_precision" and result.outcome == "not_applicable" and run.lacks_low_precisions():
        # That they are refused has been seen.
        result.reason = f"{implementation.name} supports neither bfloat16 nor float16 here"
    return result


class LawRun:
    """One law of one component of one implementation."""

    def __init__(
        self,
        spec_class: type[Spec],
        law: str,
        implementation: Implementation,
        settings: Settings,
        authority: Implementation | None = None,
    ):
        self.spec_class = spec_class
        self.law = law
        self.settings = settings
        self.implementation = implementation
        self.function = spec_class.law(law)
        self.spec = spec_class()
        self.spec.oracle = Oracle(
            spec_class.component, authority if law in AUTHORITY_LAWS else None, spec_class.orders, settings.heartbeat
        )
        self.spec.dtype = settings.dtype
        if settings.device is not None:
            self.spec.device = settings.device
        self.spec.tried = 0
        self.worst = 0.0
        self.judged = 0

    @property
    def count(self) -> int:
        """How many cases are judged."""
        return max(1, self.settings.count // self.spec_class.cost)

    @property
    def trial(self) -> Trial:
        """The component on trial."""
        return Trial(self.implementation, self.spec_class.name)

    def lacks_low_precisions(self) -> bool:
        """Whether the implementation has none of the low precisions."""
        return all(self.spec.lacks_dtype(self.trial, dtype) for dtype in self.spec_class.low_precisions)

    def judge(self) -> LawResult:
        """Draw cases and judge; on failure shrink and describe."""
        domain = self.spec_class.domain_of(self.law)
        try:
            self._single() if domain is None else self._over(domain)
        except Broken as broken:
            return self._failed(broken)
        except NotOffered as error:
            return LawResult("not_applicable", reason=str(error))
        except BadLaw as error:
            return LawResult("error", self.judged, reason=f"{OWN_FAULT} is wrong: {error}", text=str(error))
        except Exception as error:
            lines = traceback.format_exc(limit=-3)
            return LawResult("error", self.judged, reason=f"{OWN_FAULT} failed: {error!r}", text=lines)
        if self.judged == 0 and self.spec_class.is_universal(self.law):
            return LawResult("not_applicable", reason="the law says nothing about any of the component's cases")
        if self.judged == 0:
            return LawResult("error", 0, reason="no case could be judged", text="no case could be judged")
        return LawResult("pass", self.judged, self.worst)

    def expect_refusal(self, reason: str) -> LawResult:
        """An adapter that declares a component unsupported must really refuse it."""
        if self.law != "agrees_with_reference" or self.implementation.function(self.spec_class.name) is None:
            return LawResult("not_provided", reason=f"declared unsupported: {reason}")
        found: list[Any] = []

        def body(case: Case) -> None:
            self.judged += 1
            try:
                self.trial(case)
            except (Raised, Unfit):
                return
            found.append(case)

        self.over_cases(body)
        if found:
            text = (
                f"{self.implementation.name} declares {self.spec_class.name} unsupported, yet calling it does not raise"
            )
            return LawResult("fail", self.judged, reason=text, text=text)
        return LawResult("not_provided", self.judged, reason=f"declared unsupported: {reason}")

    def _single(self) -> None:
        self.settings.heartbeat()
        try:
            share = self.function(self.spec, self.trial)
        except (LawBroken, Raised, Unfit, AssertionError) as error:
            arguments = getattr(error, "arguments", None) or getattr(error, "evidence", {}).get("case") or {}
            raise Broken(error, Case(arguments, self.settings.dtype), []) from None
        except NotOffered:
            raise
        except Exception as error:
            raise Broken(error, Case({}, self.settings.dtype), []) from error
        if share is skip_case:
            return
        self.judged = max(1, self.spec.tried)
        self.worst = _share(share)

    def _over(self, domain: Domain) -> None:
        """Judge the domain's cases in order; at the first failure Hypothesis shrinks it, within a budget."""
        seen: OrderedDict[Any, Case] = OrderedDict()
        for draft in self._drafts(domain):
            case = seen[draft.key] = self._case(domain, draft)
            try:
                self.evaluate(case)
            except (BadLaw, NotOffered):
                raise
            except Exception as error:
                if not self._true_of_reference(case):
                    raise BadLaw(f"the law {self.law} does not hold for the reference in float64 itself") from error
                if not self.settings.explain:
                    raise Broken(error, case, []) from error
                raise self._smallest(domain, draft, error, seen) from error

    def _smallest(self, domain: Domain, draft: Draft, error: Exception, seen: OrderedDict[Any, Case]) -> "Broken":
        """The smallest case that fails, within a budget of evaluations; beyond it nothing new is tried."""
        # The failing case and its neighbours in the drawing tell whether a known mistake explains them all.
        others = [self._case(domain, other) for other in self._drafts(domain)[:TRIED]]
        broken = [seen[draft.key], *(case for case in others if case is not seen[draft.key])]
        case = seen[draft.key]
        if isinstance(error, EXPLAINED):
            shrinking = Shrinking(
                make=lambda other: self._case(domain, other),
                evaluate=self._evaluate_fairly,
                draw=lambda round_, body: draw(self.spec_class.name, domain, self.settings.seed, round_, body),
                replay=domain.replayed,
                budget=self.count // (2 if self.law == "agrees_with_reference" else 5),
            )
            case, error = shrinking.smallest(draft, error, seen)
        return Broken(error, case, broken)

    def evaluate(self, case: Case) -> None:
        """Judge the law on one case; raise when it is broken."""
        self.settings.heartbeat()
        found = self.function(self.spec, self.trial, case)
        if found is skip_case:
            return
        share = self._equations(found, case) if isinstance(found, tuple | list) else _share(found)
        self.judged += 1
        self.worst = max(self.worst, share)

    def _evaluate_fairly(self, case: Case) -> None:
        """The same for a case that shrinking made up: it must be legal, and the law true of the reference there."""
        judged = self.judged
        try:
            self.evaluate(case)
        except (LawBroken, Raised, Unfit, AssertionError):
            self.spec.oracle.form(case)
            if not self._true_of_reference(case):
                raise BadLaw("the case lies outside of what the law speaks of") from None
            raise
        finally:
            self.judged = judged

    def _true_of_reference(self, case: Case) -> bool:
        """Whether an own law holds for the reference in float64; universal laws do by what they are."""
        if self.spec_class.is_universal(self.law):
            return True
        wide, reference = case.to(torch.float64), self.spec.oracle.reference
        try:
            found = self.function(self.spec, reference, wide)
            if not isinstance(found, tuple | list):
                return True
            left, right = _sides(found)
            _same_form(left, right)
            precision = coarsest(torch.float64, numbers([left, right]))
            yards = spread(self._both, wide, [left, right], precision, self.spec_class.orders)
            return compare(left, right, precision, -1, lambda level: _added(yards(level))).share <= 1
        except AssertionError:
            return False

    def _equations(self, found: Any, case: Case) -> float:
        left, right = _sides(found)
        _same_form(left, right)
        precision = self.spec.oracle.precision(case)
        kept: list[Any] = []

        def yardstick(level: int) -> list[Any]:
            if not kept:
                truth = self._both(case.to(torch.float64))
                kept.append(spread(self._both, case, truth, precision, self.spec_class.orders))
            return _added(kept[0](level))

        wide = widened(right)
        return settle(compare(left, wide, precision, -1, yardstick), "law", left, right)

    def _both(self, at: Case) -> Any:
        """Both sides of an own law as the reference answers."""
        self.settings.heartbeat()
        return list(_sides(self.function(self.spec, self.spec.oracle.reference, at)))

    def over_cases(self, body: Callable[[Case], None]) -> None:
        """Call ``body`` on every case of the component's domain."""
        domain = self.spec_class.cases
        for draft in self._drafts(domain):
            self.settings.heartbeat()
            body(self._case(domain, draft))

    def _case(self, domain: Domain, draft: Draft) -> Case:
        return case_of(self.spec_class.name, domain, draft, self.settings.dtype)

    def _drafts(self, domain: Domain) -> list[Draft]:
        """The drafts of the domain: drawn once, judged by every law of the component."""
        return drafts(self.spec_class.name, domain, self.settings.seed, self.count)

    def _failed(self, broken: "Broken") -> LawResult:
        if not self.settings.explain:
            wrong = isinstance(broken.error, LawBroken | Unfit | AssertionError)
            return LawResult("fail" if wrong else "error", self.judged + 1, reason=str(broken.error))
        failure = describe(self, broken.error, broken.case, broken.seen)
        outcome = "error" if failure.kind == "error" else "fail"
        return LawResult(
            outcome,
            self.judged + failure.failing_cases,
            min(failure.share, 1e300) if not math.isinf(failure.share) else math.inf,
            reason=failure.headline,
            failure=failure,
            text=failure.message,
        )


AUTHORITY_LAWS = ("agrees_with_reference", "gradient_agrees")


class BadLaw(Exception):
    """A law is not one: it returns what is no equation, or is false for the reference itself."""


class Broken(Exception):
    """A law failed on a case; ``seen`` are all cases that were tried."""

    def __init__(self, error: Exception, case: Case, seen: list[Case]):
        super().__init__(str(error))
        self.error = error
        self.case = case
        self.seen = seen


def _share(found: Any) -> float:
    """What a law returns that has judged by itself: the worst share of the allowed error, or None."""
    if found is not None and type(found) is not float:
        # A comparison that is returned instead of required would pass whatever its outcome.
        raise BadLaw(f"the law returned {type(found).__name__}, expected an equation, skip_case or None")
    return found or 0.0


def _added(yards: list[Any]) -> list[Any]:
    """The yardsticks of left and right sides, added."""
    half = len(yards) // 2
    return [None if a is None else a + b for a, b in zip(yards[:half], yards[half:], strict=True)]


def _sides(found: Any) -> tuple[list[Any], list[Any]]:
    """All left sides and all right sides of one equation or a list of them."""
    equations = found if isinstance(found, list) else [found]
    return [ordered(left) for left, _ in equations], [ordered(right) for _, right in equations]


def _same_form(left: Any, right: Any) -> None:
    a, b = list(leaves(left)), list(leaves(right))
    if len(a) != len(b):
        raise LawBroken(f"the two sides have {len(a)} and {len(b)} parts", kind="law", got=left, expected=right)
    for (_, x), (_, y) in zip(a, b, strict=True):
        if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) and x.shape != y.shape:
            raise LawBroken(
                f"the two sides have shapes {tuple(x.shape)} and {tuple(y.shape)}", kind="law", got=left, expected=right
            )
