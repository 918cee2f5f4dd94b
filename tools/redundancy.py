"""The suite against itself: what each own law rejects, and what it alone rejects.

python -m lawbook.tools.redundancy [--chapter NAME] [--component NAME] [--markdown FILE] [--figures]

Every faulty implementation is judged by other laws of its component too, not only by those that must reject it. A law that
rejects none of them proves nothing yet; one that rejects none alone could go without a mistake getting through: it stays where
it explains what is wrong better than a number beside another.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import islice

from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.registry import Faulty
from lawbook.fixtures.implementation import Implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.running import Settings, run_law
from lawbook.spec_tests.spec import Spec
from lawbook.tools import figures
from lawbook.tools.teeth import by_component, selection


@dataclass
class Use:
    """What one law of a component's own is good for."""

    component: str
    chapter: str
    law: str
    rejects: str
    """A faulty implementation that it rejects, by name; empty where there is none."""
    alone: list[str] = field(default_factory=list)
    """Those that no other law rejects."""


def uses_of(component: str) -> list[Use]:
    """Every own law of a component, held against its faulty implementations."""
    spec = load()[component]
    return uses(spec, registry.of(component, spec.chapter))


def uses(spec: type[Spec], known: list[Faulty]) -> list[Use]:
    """The same of one Spec. A faulty implementation is judged until two laws reject it, an own law until it rejects one."""
    trials = [Rejection(spec, wrong) for wrong in known]
    first = {trial.wrong.name: trial.first(2) for trial in trials}
    found = []
    for law in own_laws(spec):
        by = next((name for name, laws in first.items() if law in laws), "")
        by = by or next((trial.wrong.name for trial in trials if trial.by(law)), "")
        alone = [name for name, laws in first.items() if laws == [law]]
        found.append(Use(spec.name, spec.chapter, law, by, alone))
    return found


def own_laws(spec: type[Spec]) -> list[str]:
    """The laws that only this component has, and its kin; without those it declines."""
    return [law for law in spec.law_names() if not hasattr(Spec, f"test_{law}") and law not in spec.declines]


class Rejection:
    """Which laws reject a faulty implementation, each judged when it is asked for."""

    def __init__(self, spec: type[Spec], wrong: Faulty):
        self.spec = spec
        self.wrong = wrong
        self._seen: dict[str, bool] = {}
        self._settings = Settings(device=device("simulated"), explain=False)

    def by(self, law: str) -> bool:
        """Whether this law does."""
        if law not in self._seen:
            implementation = Implementation([{self.wrong.component: self.wrong.function}], self.wrong.name)
            self._seen[law] = run_law(self.spec, law, implementation, self._settings).rejects
        return self._seen[law]

    def first(self, count: int) -> list[str]:
        """The first few that do: those that must, then agreement, then the others."""
        order = [*self.wrong.rejected_by, "agrees_with_reference", *self.spec.law_names()]
        laws = [law for law in dict.fromkeys(order) if law in self.spec.law_names()]
        return list(islice((law for law in laws if self.by(law)), count))


def main(arguments: list[str] | None = None) -> int:
    """Print the laws that reject nothing, and how many reject something alone; 1 when there are some of the first."""
    chosen = selection("Hold every own law against all faulty implementations.", arguments, "the file for the tables")
    found = []
    for some in by_component(uses_of, chosen.chapter, chosen.component):
        found += some
        for use in some:
            if not use.rejects:
                print(f"REJECTS NOTHING  {use.component} · {use.law}", flush=True)
    idle = sum(not use.rejects for use in found)
    print(
        f"{len(found)} own laws, {idle} reject nothing, {sum(bool(use.alone) for use in found)} reject something alone"
    )
    if chosen.markdown:
        chosen.markdown.write_text(tables(found), encoding="utf-8")
    if chosen.figures:
        figures.keep("laws", counts(found))
    return bool(idle)


def counts(uses: list[Use]) -> dict[str, dict[str, int]]:
    """Own laws, those that reject something, and those that reject something alone, by chapter."""
    chapters = dict.fromkeys(use.chapter for use in uses)
    return {chapter: _count([use for use in uses if use.chapter == chapter]) for chapter in chapters}


def _count(uses: list[Use]) -> dict[str, int]:
    return {
        "own": len(uses),
        "reject": sum(bool(use.rejects) for use in uses),
        "alone": sum(bool(use.alone) for use in uses),
    }


def tables(uses: list[Use]) -> str:
    """How many laws reject something, and something alone, chapter by chapter; the idle and the indispensable ones by name."""
    lines = [
        "# What each law is good for",
        "",
        "Every faulty implementation, judged by the laws of its component. `python -m lawbook.tools.redundancy --markdown",
        "docs/redundancy.md` writes this page. Where a law rejects nothing that others let through, it is there to say what is",
        "wrong: *rows sum to one* tells a student more than a number beside another.",
        "",
        "| chapter | own laws | that reject something | that reject something alone |",
        "|---|---|---|---|",
    ]
    table = {**counts(uses), "all": _count(uses)}
    lines += [f"| {name} | {' | '.join(map(str, found.values()))} |" for name, found in table.items()]
    lines += ["", "## Laws without which a mistake would get through", ""]
    lines += [f"- {use.component} · {use.law.replace('_', ' ')} ({', '.join(use.alone)})" for use in uses if use.alone]
    lines += ["", "## Laws that reject none of the faulty implementations", ""]
    lines += [f"- {use.component} · {use.law.replace('_', ' ')}" for use in uses if not use.rejects] or ["None."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
