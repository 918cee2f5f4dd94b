"""A campaign: draw the mutants, judge each in a forked process, keep what is finished, go on after an interrupt."""

from __future__ import annotations

import importlib
import json
import random
import select
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lawbook.spec_tests import load
from lawbook.spec_tests.drawing import drafts
from lawbook.spec_tests.running import Settings
from lawbook.tools.interrupts import heeded
from lawbook.tools.mutate.mutants import REFERENCE, Mutant, modules, mutants_of
from lawbook.tools.mutate.trial import PROFILES, Child, Fate
from lawbook.tools.mutate.users import users
from lawbook.tools.refusal import Refusal, require_known
from lawbook.tools.scratch import scratch

SLOWEST = 20.0
"""Seconds a mutant may take; where the untouched twin takes long, so many times as long as that."""
TIMES_THE_TWIN = 5.0


@dataclass(frozen=True)
class Plan:
    """Which mutants are judged. ``sample``: so many, drawn from all of the chosen ones; None: all."""

    chapters: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    sample: int | None = None
    seed: int = 0
    workers: int = 2


@dataclass
class Judged:
    """A mutant, who judged it, and what became of it."""

    mutant: Mutant
    by: list[str]
    fate: Fate
    equivalent: str | None = None

    @property
    def outcome(self) -> str:
        """killed, survived, equivalent or unjudged."""
        if self.fate.killed:
            return "killed"
        return "equivalent" if self.equivalent and self.fate.outcome == "survived" else self.fate.outcome


@dataclass
class Campaign:
    """All that has been judged, and what could not be."""

    judged: list[Judged] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def choose(plan: Plan) -> list[tuple[Mutant, list[str]]]:
    """The mutants of the plan with the components that judge them, component by component."""
    specs = load()
    require_known("component", plan.components, specs)
    require_known("chapter", plan.chapters, {spec.chapter for spec in specs.values()})
    judges = users()
    found: list[tuple[Mutant, list[str]]] = []
    for module in modules():
        chapter = module.removeprefix(REFERENCE + ".").partition(".")[0]
        if plan.chapters and chapter not in plan.chapters:
            continue
        by = {name: found for (home, name), found in judges.items() if home == module}
        if plan.components:
            by = {name: [c for c in found if c in plan.components] for name, found in by.items()}
            by = {name: found for name, found in by.items() if found}
        wanted = by.__contains__ if plan.components else lambda name: True
        found += [(mutant, by.get(mutant.function, [])) for mutant in mutants_of(module, wanted)]
    if plan.sample is not None and plan.sample < len(found):
        found = random.Random(plan.seed).sample(found, plan.sample)
    return sorted(found, key=lambda pair: (pair[1], pair[0].module, pair[0].line))


def run(plan: Plan, log: Path | None, console: Console) -> Campaign:
    """Judge every mutant of the plan; an interrupt ends the campaign with what is finished."""
    # Laws about chance load it when they first look at it: here once, for all processes that are forked.
    importlib.import_module("scipy.stats")
    chosen = choose(plan)
    excused = equivalents()
    done = _read(log) if log else {}
    campaign = Campaign()
    left = []
    for mutant, by in chosen:
        if mutant.key in done:
            campaign.judged.append(Judged(mutant, by, done[mutant.key], excused.get(mutant.key)))
        elif not by:
            campaign.judged.append(Judged(mutant, by, Fate("unjudged")))
        else:
            left.append((mutant, by))
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    row = bar.add_task("mutants", total=len(chosen), completed=len(campaign.judged))
    with bar, heeded(), scratch():
        for mutant, by, fate in _judged(left, plan, campaign, excused):
            campaign.judged.append(Judged(mutant, by, fate, excused.get(mutant.key)))
            if log and fate.outcome != "unjudged":
                _append(log, mutant, fate)
            lost = sum(j.outcome == "survived" for j in campaign.judged)
            bar.update(row, advance=1, description=f"{', '.join(by[:1])}: {lost} survivors so far")
    return campaign


class Twins:
    """The untouched reference in the mutants' place: what its laws are worth, and how long they take."""

    def __init__(self, seed: int, refused: dict[str, str]):
        self._seed = seed
        self._refused = refused
        self._warm: set[str] = set()
        self._accepted: dict[tuple[str, str], bool] = {}
        self._seconds: dict[str, float] = {}

    def warm(self, component: str) -> None:
        """Draw the component's cases here, so that every mutant's process inherits them."""
        if component in self._warm:
            return
        self._warm.add(component)
        spec = load()[component]
        for domain in filter(None, (spec.cases, spec.extremes)):
            for profile in PROFILES:
                drafts(component, domain, self._seed, Settings(profile=profile).count)

    def accepted(self, component: str, law: str) -> bool:
        """Whether the law holds for the untouched reference; if not, a kill by it means nothing."""
        if (component, law) not in self._accepted:
            fate = self._fate(component, law)
            self._accepted[component, law] = fate.outcome == "survived" and not fate.law
            if not self._accepted[component, law]:
                self._refused[component] = f"its untouched twin: {fate.outcome} {fate.law or law}"
        return self._accepted[component, law]

    def limit(self, components: list[str]) -> float:
        """Seconds a mutant of a slow component may take."""
        for component in components:
            if component not in self._seconds:
                self._seconds[component] = self._fate(component).seconds
        return max(SLOWEST, TIMES_THE_TWIN * sum(self._seconds[component] for component in components))

    def _fate(self, component: str, law: str | None = None) -> Fate:
        child = Child(None, [component], self._seed, 10 * SLOWEST, law)
        while child.left > 0 and select.select([child.answers], [], [], child.left)[0]:
            if child.read():
                break
        return child.fate(too_long=child.left <= 0)


def _judged(
    left: list[tuple[Mutant, list[str]]], plan: Plan, campaign: Campaign, excused: Collection[Any]
) -> Iterator[tuple[Mutant, list[str], Fate]]:
    """Fates as they become known; mutants that are excused are judged on the first profile alone."""
    twins = Twins(plan.seed, campaign.refused)
    running: dict[int, tuple[Child, list[str]]] = {}
    try:
        for mutant, by in left:
            trusted = [component for component in by if component not in campaign.refused]
            if not trusted:
                yield mutant, by, Fate("unjudged")
                continue
            for component in trusted:
                twins.warm(component)
            while len(running) >= plan.workers:
                yield from _finished(running, twins)
            profiles = PROFILES[:1] if mutant.key in excused else PROFILES
            child = Child(mutant, trusted, plan.seed, SLOWEST, profiles=profiles)
            running[child.answers] = (child, by)
        while running:
            yield from _finished(running, twins)
    except KeyboardInterrupt:
        campaign.interrupted = True
    finally:
        for child, _ in running.values():
            child.fate(too_long=True)


def _finished(running: dict[int, tuple[Child, list[str]]], twins: Twins) -> Iterator[tuple[Mutant, list[str], Fate]]:
    """Wait until a child has ended or taken too long."""
    patience = max(0.0, min(child.left for child, _ in running.values()))
    ended: list[tuple[Child, list[str], bool]] = []
    for ready in select.select(list(running), [], [], patience)[0]:
        if running[ready][0].read():
            ended.append((*running.pop(ready), False))
    for descriptor, (child, by) in list(running.items()):
        if child.left <= 0 and not child.extended:
            # Only now is it worth the time to find out how long the untouched reference takes.
            child.extended, child.limit = True, twins.limit(child.components)
        if child.left <= 0:
            del running[descriptor]
            ended.append((child, by, True))
    for child, by, too_long in ended:
        fate = child.fate(too_long)
        assert child.mutant is not None
        if fate.killed and fate.law not in ("", "import") and not twins.accepted(fate.component, fate.law):
            fate = Fate("unjudged")
        yield child.mutant, by, fate


def equivalents() -> dict[tuple[str, str, str, str, int], str]:
    """Mutants that are no mistake, each with the reason."""
    file = resources.files("lawbook.tools.mutate") / "equivalent.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    found = {}
    for entry in table.get("equivalent", []):
        key = (entry["module"], entry["function"], entry["before"], entry["after"], entry.get("number", 0))
        found[key] = entry["reason"]
    return found


def _read(log: Path) -> dict[Any, Fate]:
    if not log.is_file():
        return {}
    try:
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return {tuple(entry["mutant"]): Fate(**entry["fate"]) for entry in entries}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Refusal(f"{log} is not the log of a campaign: {error!r}.") from None


def _append(log: Path, mutant: Mutant, fate: Fate) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"mutant": mutant.key, "fate": asdict(fate)}, ensure_ascii=False) + "\n")
