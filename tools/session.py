"""Judging inside a pytest process: from a law and an implementation to a result that travels."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import pytest
import torch

from lawbook.fixtures import implementation as implementations
from lawbook.fixtures.implementation import CannotLoad, Implementation, as_implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.failures import number
from lawbook.spec_tests.running import LawResult, Settings, run_law
from lawbook.tools import containment, plugin
from lawbook.tools.expected import BadExpected, reason_of, shipped, weigh
from lawbook.tools.refusal import Refusal, require_known

AUTHORITIES = ("torch", "jax", "numpy", "transformers")
"""Who says the truth when the reference is on trial, in this order."""


class LawbookSession:
    """One worker's part of a trial."""

    def __init__(self, session: pytest.Session, run: containment.Run):
        config: Any = session.config
        self._session = session
        self._run = run
        self._option = config.option
        self._contained = hasattr(config, "workerinput")
        self._watchdog = containment.Watchdog(run, self._option.law_timeout) if self._contained else None
        self._implementation: Implementation | None = None
        self._known: dict[int, Implementation] = {}
        self._last: dict[str, Any] | None = None
        self._authorities: dict[str, Implementation | None] = {}
        self._expected = plugin.expected_of(config)
        self._require_known_names()
        self.seed = config.workerinput["lawbook_seed"] if self._contained else self._option.law_seed
        if self._contained:
            # Workers share the processors; one thread each also keeps sums in one order.
            torch.set_num_threads(1)
        self.settings = Settings(
            profile=self._option.profile,
            seed=self.seed,
            dtype=getattr(torch, self._option.working_dtype),
            device=self._device(),
            heartbeat=self._watchdog.beat if self._watchdog else lambda: None,
        )

    def _require_known_names(self) -> None:
        """Refuse expected failures of components and laws that do not exist: they would never be looked at."""
        if not self._expected:
            return
        items: list[Any] = self._session.items
        collected = {item.cls.name: item.cls for item in items if plugin.is_law(item)}
        specs = {**load(), **collected}
        try:
            require_known("component", self._expected, specs, "of the expected failures")
            for component, laws in self._expected.items():
                require_known("law", laws, specs[component].law_names(), f"of {component}, of the expected failures")
        except Refusal as refusal:
            self._refuse(refusal)

    def implementation(self) -> Implementation:
        """The implementation named on the command line."""
        if self._implementation is None:
            if not self._option.impl:
                raise pytest.UsageError("name the implementation on trial: --impl NAME|MODULE|FILE")
            self._implementation = self._load(self._option.impl)
        return self._implementation

    def _load(self, what: str) -> Implementation:
        self._run.at_work_on({"law": containment.LOADING})
        if self._watchdog:
            self._watchdog.beat()
        try:
            loaded = implementations.load(what)
            self._expected = {**shipped(what), **self._expected}
        except (CannotLoad, BadExpected) as error:
            self._refuse(error)
        finally:
            if self._watchdog:
                self._watchdog.rest()
        if what == "reference":
            self.settings.authority = self._authority
        if self._contained:
            containment.limit_memory(self._option.memory_limit)
        return loaded

    def _authority(self, component: str) -> Implementation | None:
        for name in AUTHORITIES:
            if name not in self._authorities:
                try:
                    self._authorities[name] = implementations.load(name)
                except CannotLoad:
                    self._authorities[name] = None
            found = self._authorities[name]
            if found is None or found.function(component) is None:
                continue
            # Where a library is known to deviate it is no authority.
            if not {"agrees_with_reference", "gradient_agrees"} & set(shipped(name).get(component, {})):
                self._prepare(found, component)
                return found
        return None

    def _device(self) -> Any:
        if not self._option.device:
            return None
        try:
            return device(self._option.device)
        except ValueError as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        """The run cannot be made: say why in one sentence, once, and end it."""
        self._run.stop(str(error))
        self._session.shouldstop = str(error)
        raise pytest.fail.Exception(str(error), pytrace=False) from None

    def judge(self, spec: Any, law: str, candidate: Any) -> None:
        """Judge one law; raise, skip or return as pytest wants it, and leave the result for the report."""
        implementation = self._known.get(id(candidate))
        if implementation is None:
            try:
                implementation = self._known[id(candidate)] = as_implementation(candidate)
            except CannotLoad as error:
                self._refuse(error)
        mark = {
            "component": spec.name,
            "chapter": spec.chapter,
            "law": law,
            "implementation": {
                "name": implementation.name,
                "version": implementation.version,
                "source": implementation.source,
            },
            "seed": self.seed,
            "prerequisites": list(spec.prerequisites),
            "limit": self._option.law_timeout,
            "since": time.time(),
        }
        self._run.at_work_on(mark)
        condemned = self._run.condemned(spec.name)
        if condemned and (law != "accelerator_agrees" or self.settings.device):
            result = LawResult(condemned["outcome"], reason=condemned["reason"], text=condemned["reason"])
        else:
            try:
                if implementation.prepares:
                    self._run.at_work_on({**mark, "preparing": True})
                    self._prepare(implementation, spec.name)
                    self._run.at_work_on(mark)
                result = run_law(spec, law, implementation, self.settings)
            finally:
                if self._watchdog:
                    self._watchdog.rest()
        reason = reason_of(self._expected.get(spec.name, {}), law, self.settings.dtype)
        weigh(result, reason, self.settings.finds_deviations)
        self._last = {**mark, **_as_json(result)}
        self._tell(result)

    def _prepare(self, implementation: Implementation, component: str) -> None:
        if self._watchdog:
            self._watchdog.beat_slowly()
        implementation.prepare(component)
        if self._watchdog:
            self._watchdog.rest()

    def take_result(self) -> dict[str, Any] | None:
        """The law judged last, once."""
        last, self._last = self._last, None
        return last

    def _tell(self, result: LawResult) -> None:
        if result.outcome in ("not_provided", "not_applicable", "not_run"):
            pytest.skip(f"{result.outcome.replace('_', ' ')}: {result.reason}")
        if result.outcome == "expected_failure":
            pytest.xfail(result.reason or "")
        if result.outcome != "pass":
            pytest.fail(result.text, pytrace=False)


def _as_json(result: LawResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "cases": result.cases,
        "worst": number(float(f"{result.worst:.3g}")),
        "seconds": round(result.seconds, 4),
        "reason": result.reason,
        "text": result.text,
        "failure": result.failure.as_json() if result.failure else None,
    }
