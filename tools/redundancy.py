"""The suite against itself: what each own law rejects, and what it alone rejects.

python -m lawbook.tools.redundancy [--chapter NAME] [--component NAME] [--markdown FILE]

Every faulty implementation is judged by all laws of its component, not only by those that must reject it. A law that rejects
none of them proves nothing yet; one that rejects none alone could go without a mistake getting through: it stays where it
explains what is wrong better than a number beside another.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from lawbook.fixtures.faulty import registry
from lawbook.fixtures.implementation import Implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.running import Settings, run_law
from lawbook.spec_tests.spec import Spec
from lawbook.tools.teeth import REJECTED, by_component, selection


@dataclass
class Use:
    """What one law of a component's own is good for."""

    component: str
    chapter: str
    law: str
    rejects: int
    alone: int


def uses_of(component: str) -> list[Use]:
    """Every own law of a component, held against its faulty implementations."""
    spec = load()[component]
    rejected = [rejecting(spec, {component: known.function}) for known in registry.load().get(component, [])]
    return [
        Use(
            component, spec.chapter, law, sum(law in laws for laws in rejected), sum(laws == {law} for laws in rejected)
        )
        for law in own_laws(spec)
    ]


def own_laws(spec: type[Spec]) -> list[str]:
    """The laws that only this component has, and its kin."""
    return [law for law in spec.law_names() if not hasattr(Spec, f"test_{law}")]


def rejecting(spec: type[Spec], functions: dict[str, object]) -> set[str]:
    """All laws that reject an implementation."""
    settings = Settings(device=device("simulated"), explain=False)
    implementation = Implementation([functions], "faulty")
    return {law for law in spec.law_names() if run_law(spec, law, implementation, settings).outcome in REJECTED}


def main(arguments: list[str] | None = None) -> int:
    """Print the laws that reject nothing, and how many reject something alone; 1 when there are some of the first."""
    chosen = selection("Hold every own law against all faulty implementations.", arguments, "the file for the tables")
    uses = [use for some in by_component(uses_of, chosen.chapter, chosen.component) for use in some]
    idle = [use for use in uses if not use.rejects]
    for use in idle:
        print(f"REJECTS NOTHING  {use.component} · {use.law}")
    print(
        f"{len(uses)} own laws, {len(idle)} reject nothing, {sum(use.alone > 0 for use in uses)} reject something alone"
    )
    if chosen.markdown:
        chosen.markdown.write_text(tables(uses), encoding="utf-8")
    return bool(idle)


def tables(uses: list[Use]) -> str:
    """How many laws reject something, and something alone, chapter by chapter; the idle and the indispensable ones by name."""
    lines = [
        "# What each law is good for",
        "",
        "Every faulty implementation, judged by all laws of its component. `python -m lawbook.tools.redundancy --markdown",
        "docs/redundancy.md` writes this page. Where a law rejects nothing that others let through, it is there to say what is",
        "wrong: *rows sum to one* tells a student more than a number beside another.",
        "",
        "| chapter | own laws | that reject something | that reject something alone |",
        "|---|---|---|---|",
    ]
    for chapter in dict.fromkeys(use.chapter for use in uses):
        lines.append(_row(chapter, [use for use in uses if use.chapter == chapter]))
    lines += [_row("all", uses), "", "## Laws without which a mistake would get through", ""]
    lines += [f"- {use.component} · {use.law.replace('_', ' ')} ({use.alone})" for use in uses if use.alone]
    lines += ["", "## Laws that reject none of the faulty implementations", ""]
    lines += [f"- {use.component} · {use.law.replace('_', ' ')}" for use in uses if not use.rejects]
    return "\n".join(lines) + "\n"


def _row(name: str, uses: list[Use]) -> str:
    return f"| {name} | {len(uses)} | {sum(use.rejects > 0 for use in uses)} | {sum(use.alone > 0 for use in uses)} |"


if __name__ == "__main__":
    sys.exit(main())
