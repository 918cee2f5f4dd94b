"""Judging one mutant, in a process forked for it alone."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType
from typing import Any

import torch

import lawbook
from lawbook.fixtures.implementation import Implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.running import Settings, run_law
from lawbook.tools.mutate.mutants import REFERENCE, Mutant

PROFILES = ("quick", "default")
"""What survives the first is judged on the second."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    ``outcome`` is killed, survived, timeout or crash (both are kills), or unjudged where nothing judges it.
    """

    outcome: str
    component: str = ""
    law: str = ""
    cases: int = 0
    profile: str = ""
    seconds: float = 0.0

    @property
    def killed(self) -> bool:
        """Whether the suite noticed."""
        return self.outcome in ("killed", "timeout", "crash")


class _Mutated(MetaPathFinder, Loader):
    """Finds one module of the reference in its mutated form."""

    def __init__(self, name: str, code: CodeType):
        self.name, self.code = name, code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == self.name else None
        if spec is not None:
            spec.loader = self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


@contextlib.contextmanager
def _a_reference_of_its_own(mutant: Mutant | None) -> Iterator[None]:
    """Modules of the reference are loaded anew, one of them mutated; afterwards the untouched ones are back."""
    untouched = {name: module for name, module in sys.modules.items() if _of_reference(name)}
    for name in untouched:
        del sys.modules[name]
    finder = _Mutated(mutant.module, compile(mutant.source, mutant.module, "exec")) if mutant else None
    if finder:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder:
            sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _of_reference(name)]:
            del sys.modules[name]
        sys.modules.update(untouched)
        lawbook.reference = untouched[REFERENCE]


def _of_reference(name: str) -> bool:
    return name == REFERENCE or name.startswith(REFERENCE + ".")


def twin(mutant: Mutant | None, component: str) -> dict[str, Any]:
    """The component's module of a reference in which one thing is changed, as names and values; None changes nothing.

    The whole module, as some laws use what an implementation offers beside the component.
    """
    home = load()[component].component.__module__
    with _a_reference_of_its_own(mutant):
        return vars(importlib.import_module(home))


def judge(
    mutant: Mutant | None,
    components: list[str],
    seed: int,
    tell: Callable[[Fate], None],
    only: str | None = None,
    profiles: Sequence[str] = PROFILES,
) -> Fate:
    """The first law (or the ``only`` one), on the first profile, that rejects the mutant; ``tell`` is given the law in work."""
    cases = 0
    faults: list[str] = []
    for profile in profiles:
        settings = Settings(profile=profile, seed=seed, explain=False, device=device("simulated"))
        for component in components:
            spec = load()[component]
            try:
                implementation = Implementation([twin(mutant, component)], "mutant")
            except Exception:
                return Fate("killed", component, "import", 0, profile)
            for law in [only] if only else spec.law_names():
                tell(Fate("killed", component, law, cases, profile))
                result = run_law(spec, law, implementation, settings)
                cases += result.cases
                if result.rejects:
                    return Fate("killed", component, law, cases, profile)
                if result.own_fault:
                    faults.append(f"{component} {law}: {result.reason}")
    return Fate("survived", law="; ".join(faults), cases=cases)


END = b"\n\n"
"""A line without a fate: no more will come."""


class Child:
    """A process judging one mutant."""

    def __init__(
        self,
        mutant: Mutant | None,
        components: list[str],
        seed: int,
        limit: float,
        only: str | None = None,
        profiles: Sequence[str] = PROFILES,
    ):
        self.mutant = mutant
        self.components = components
        self.extended = False
        self.started = time.monotonic()
        self.limit = limit
        self.answers, there = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.answers)
            _serve(there, mutant, components, seed, only, profiles)
        os.close(there)
        self._said = b""

    @property
    def left(self) -> float:
        """Seconds until it has taken too long."""
        return self.started + self.limit - time.monotonic()

    def read(self) -> bool:
        """Take what it says; True when it has ended."""
        part = os.read(self.answers, 65536)
        self._said += part
        # Processes that a mutant left behind keep the pipe open.
        return not part or self._said.endswith(END)

    def fate(self, too_long: bool = False) -> Fate:
        """What became of the mutant."""
        if too_long:
            os.kill(self.pid, signal.SIGKILL)
        # While it has not been waited for, its number belongs to no other process.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.answers)
        lines = [line for line in self._said.split(b"\n") if line]
        last = Fate(**json.loads(lines[-1])) if lines else Fate("crash")
        seconds = round(time.monotonic() - self.started, 3)
        if too_long:
            return replace(last, outcome="timeout", seconds=seconds)
        return replace(last, outcome="crash" if status else last.outcome, seconds=seconds)


def _serve(
    there: int, mutant: Mutant | None, components: list[str], seed: int, only: str | None, profiles: Sequence[str]
) -> None:
    """The child's whole life; it must not return into the parent's code."""

    def tell(fate: Fate) -> None:
        os.write(there, json.dumps(vars(fate)).encode() + b"\n")

    status = 1
    try:
        os.setpgrp()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        faulthandler.disable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Threads that the parent's torch began did not come along.
        torch.set_num_threads(1)
        tell(judge(mutant, components, seed, tell, only, profiles))
        os.write(there, b"\n")
        status = 0
    finally:
        os._exit(status)
