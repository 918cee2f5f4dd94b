"""What a verdict says in figures: rows per chapter, what was left out, failures in the order to mend them."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lawbook.reference import chapter_order
from lawbook.tools.report.verdict import FAILING, JUDGED, Verdict, number


@dataclass
class Row:
    """The figures of one chapter, or of all."""

    chapter: str
    components: int = 0
    provided: int = 0
    passed: int = 0
    failed: int = 0
    expected: int = 0
    laws: int = 0
    cases: int = 0
    worst: float | None = None
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """The part of the components that the implementation provides."""
        return self.provided / self.components if self.components else 0.0

    def add(self, component: dict[str, Any]) -> None:
        """Count one component of the verdict."""
        outcome = component["outcome"]
        self.components += 1
        self.provided += outcome != "not_provided"
        self.passed += outcome == "pass"
        self.failed += outcome in FAILING
        self.expected += outcome == "expected_failure"
        self.seconds += component["seconds"]
        for law in component["laws"].values():
            if law["outcome"] in JUDGED:
                self.laws += 1
                self.cases += law["cases"]
            # What fails is no part of it: its error, often infinite, would hide how close the others come.
            if law["outcome"] == "pass":
                self.worst = _larger(self.worst, number(law["worst"]))


def _larger(a: float | None, b: float | None) -> float | None:
    """The larger figure; nan counts as the largest, so that it is never hidden."""
    figures = [value for value in (a, b) if value is not None]
    return max(figures, key=lambda value: math.inf if math.isnan(value) else value, default=None)


def rows(verdict: Verdict) -> list[Row]:
    """One row a chapter, in the order they are taught."""
    chapters: dict[str, Row] = {}
    for component in verdict["components"].values():
        chapters.setdefault(component["chapter"], Row(component["chapter"])).add(component)
    return [chapters[name] for name in sorted(chapters, key=chapter_order)]


def total(verdict: Verdict) -> Row:
    """One row for the whole verdict; its seconds are the run's."""
    row = Row("total")
    for component in verdict["components"].values():
        row.add(component)
    row.seconds = verdict["seconds"]
    return row


def laws(verdict: Verdict) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (component, law, entry) of the verdict."""
    for name, component in verdict["components"].items():
        for law, entry in component["laws"].items():
            yield name, law, entry


def reasons(verdict: Verdict, outcome: str) -> Counter[str]:
    """How many laws have this outcome, by the reason given."""
    return Counter(entry["reason"] or "no reason given" for _, _, entry in laws(verdict) if entry["outcome"] == outcome)


def failing(verdict: Verdict) -> list[tuple[str, dict[str, Any], list[str]]]:
    """The failing components, root causes first: (name, laws that fail, prerequisites that fail too)."""
    components = verdict["components"]
    bad = [name for name, component in components.items() if component["outcome"] in FAILING]
    causes = {name: [p for p in components[name]["prerequisites"] if p in bad] for name in bad}
    try:
        order = list(TopologicalSorter(causes).static_order())
    except CycleError:
        order = sorted(bad, key=lambda name: len(causes[name]))
    return [(name, dict(sorted(_bad(components[name]), key=_rank)), causes[name]) for name in order]


def _bad(component: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(law, entry) for law, entry in component["laws"].items() if entry["outcome"] in FAILING]


def _rank(entry: tuple[str, dict[str, Any]]) -> tuple[bool, str]:
    """Agreement with the reference says most, and first."""
    return entry[0] != "agrees_with_reference", entry[0]


def accelerator(verdict: Verdict) -> str | None:
    """The line on the laws that need a device, when they were not run."""
    entries = [entry for _, law, entry in laws(verdict) if law == "accelerator_agrees"]
    if not any(entry["outcome"] == "not_run" for entry in entries):
        return None
    if verdict["device"] in (None, "cpu"):
        return "GPU laws: not run (no device given)"
    return f"GPU laws: not run ({next(e['reason'] for e in entries if e['outcome'] == 'not_run')})"


def fewer(verdict: Verdict, previous: Verdict) -> list[str]:
    """What the previous verdict had more of: a suite that shrinks must not do so unseen."""
    now, before = total(verdict), total(previous)
    kinds = ("components", "provided", "laws", "cases")
    words = {"provided": "components provided", "laws": "laws judged"}
    return [
        f"fewer {words.get(kind, kind)} than last time: {getattr(now, kind)}, were {getattr(before, kind)}"
        for kind in kinds
        if getattr(now, kind) < getattr(before, kind)
    ]


def state(verdict: Verdict) -> str:
    """The verdict in one word or two, as the exit status sees it."""
    if not verdict["complete"]:
        return "incomplete"
    row = total(verdict)
    if not row.laws:
        return "nothing judged"
    return "fail" if row.failed else "pass"


def exit_code(verdict: Verdict) -> int:
    """0: every judged law holds; 1: some do not; 2: the run is incomplete or judged nothing."""
    return {"pass": 0, "fail": 1}.get(state(verdict), 2)


def standing(verdict: Verdict) -> str:
    """The line of the badge: components that obey their laws, of those provided."""
    row = total(verdict)
    return f"{row.passed}/{row.provided} components" if verdict["complete"] else "incomplete"
