"""Faulty implementations that repeat real bugs and errata: judged by the laws, and by the naive test that let them live.

With ``compound`` those that are wrong only where two or three conditions meet, such as half precision and a long axis.

The naive test is what many repositories have: one input, floating tensors normal, float32, the result compared by
``torch.allclose``. It is given the largest of the component's first cases, so that nothing is lost for want of size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.registry import NEEDS, Faulty
from lawbook.fixtures.implementation import Implementation, Raised, Unfit
from lawbook.fixtures.tree import is_floating, map_leaves, ordered, values
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.drawing import case_of, drafts
from lawbook.spec_tests.running import Settings
from lawbook.spec_tests.spec import Spec
from lawbook.tools import figures
from lawbook.tools.refusal import require_known
from lawbook.tools.teeth import judge_faulty

SOURCE = re.compile(r"\b([A-Z]+-\d+|E\d+)\b")
"""A bug's row or an erratum, such as LOSS-05 or E17."""
TOLERANCES = {"1e-2": (1e-2, 1e-2), "default": (1e-5, 1e-8)}
"""Relative and absolute; the second are torch.allclose's own."""
CASES = 8


@dataclass(frozen=True)
class Caught:
    """Who noticed a bug: the laws, and the naive test by tolerance."""

    chapter: str
    known: Faulty
    laws: list[str]
    missed: list[str]
    naive: dict[str, bool]
    quick: bool | None = None

    @property
    def by_laws(self) -> bool:
        """Whether every law that must reject it did."""
        return not self.missed


def sources(known: Faulty) -> list[str]:
    """The rows and errata a faulty implementation repeats."""
    return SOURCE.findall(known.seen)


def judge(spec: type[Spec], known: Faulty) -> Caught:
    """The laws and the naive test on one faulty implementation."""
    bite = judge_faulty(spec, known)
    return Caught(spec.chapter, known, bite.rejected_by, bite.missed, naive(spec, known))


def judge_compound(spec: type[Spec], known: Faulty) -> Caught:
    """The same, and whether the laws need no more than the quick profile's cases."""
    quick = judge_faulty(spec, known, Settings(profile="quick", device=device("simulated"), explain=False))
    return replace(judge(spec, known), quick=not quick.missed)


def naive(spec: type[Spec], known: Faulty) -> dict[str, bool]:
    """Whether one plain comparison notices, by tolerance."""
    reference = Trial(Implementation([{spec.name: spec.component}], "reference"), spec.name)
    trial = Trial(Implementation([{spec.name: known.function}], known.name), spec.name)
    case = _plain_case(spec, reference)
    wanted = ordered(reference(case))
    try:
        got = ordered(trial(case))
    except (Raised, Unfit):
        return dict.fromkeys(TOLERANCES, True)
    return {name: not _close(got, wanted, tolerance) for name, tolerance in TOLERANCES.items()}


def _plain_case(spec: type[Spec], reference: Trial) -> Case:
    """The largest of the first cases; its floating tensors are normal unless the contract forbids it."""
    found = (case_of(spec.name, spec.cases, draft, torch.float32) for draft in drafts(spec.name, spec.cases, 0, CASES))
    case = max(found, key=lambda case: sum(v.numel() for v in values(case.arguments) if isinstance(v, torch.Tensor)))
    generator = torch.Generator().manual_seed(0)
    normal = Case(
        map_leaves(
            lambda leaf: torch.randn(leaf.shape, generator=generator) if is_floating(leaf) else leaf, case.arguments
        ),
        torch.float32,
        case.seed,
    )
    try:
        result = reference(normal)
    except (Raised, Unfit):
        return case
    # Outside of its domain a function may answer nan, which no comparison finds equal to itself.
    return case if any(is_floating(leaf) and leaf.isnan().any() for leaf in values(result)) else normal


def _close(got: object, wanted: object, tolerance: tuple[float, float]) -> bool:
    pairs = list(values(got)), list(values(wanted))
    return len(pairs[0]) == len(pairs[1]) and all(_same(a, b, tolerance) for a, b in zip(*pairs, strict=True))


def _same(a: object, b: object, tolerance: tuple[float, float]) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        # allclose broadcasts, which is part of its naivety.
        try:
            return torch.allclose(a.double(), b.double(), *tolerance)
        except RuntimeError:
            return False
    if isinstance(a, float) and isinstance(b, float):
        return torch.allclose(torch.tensor(a), torch.tensor(b), *tolerance)
    return callable(a) or bool(a == b)


def run(
    chapters: Sequence[str],
    components: Sequence[str],
    markdown: Path | None,
    console: Console,
    compound: bool = False,
    keep: bool = False,
) -> int:
    """Judge them all and print the table; 1 when a law missed what it must reject."""
    if keep:
        figures.whole_chapters(components)
    torch.set_num_threads(1)
    specs, known = load(), registry.load()
    require_known("component", components, specs)
    require_known("chapter", chapters, {spec.chapter for spec in specs.values()})
    chosen = [
        (spec, bug)
        for spec in specs.values()
        if (not chapters or spec.chapter in chapters) and (not components or spec.name in components)
        for bug in known.get(spec.name, [])
        if (bug.compound if compound else sources(bug))
    ]
    judging = judge_compound if compound else judge
    caught = [judging(spec, bug) for spec, bug in track(chosen, "judging", console=console, transient=True)]
    console.print(_table(caught, "mistakes" if compound else "bugs"))
    for found in caught:
        for law in found.missed:
            console.print(f"NOT REJECTED {found.known.component} · {found.known.name}: {law}", highlight=False)
    if markdown:
        markdown.write_text((compound_page if compound else page)(caught), encoding="utf-8")
    if keep:
        table = {name: found for name, found in counts(caught).items() if name != "all"}
        keys = ("all", "laws", "allclose_at_1e_2", "allclose")
        figures.keep(
            "compound" if compound else "bugs",
            {name: dict(zip(keys, found, strict=True)) for name, found in table.items()},
        )
    return int(any(found.missed for found in caught))


def counts(caught: list[Caught]) -> dict[str, tuple[int, ...]]:
    """Bugs, and how many the laws and the naive test at either tolerance caught, by chapter and in all."""
    chapters = list(dict.fromkeys(found.chapter for found in caught))
    groups = {**{name: [f for f in caught if f.chapter == name] for name in chapters}, "all": caught}
    return {
        name: (len(group), sum(f.by_laws for f in group), *(sum(f.naive[t] for f in group) for t in TOLERANCES))
        for name, group in groups.items()
    }


def _table(caught: list[Caught], what: str) -> Table:
    table = Table("chapter", what, "laws", "allclose at 1e-2", "allclose")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in counts(caught).items():
        table.add_row(name, *map(str, found))
    return table


def page(caught: list[Caught]) -> str:
    """The table for the docs."""
    lines = [
        "# Real bugs",
        "",
        "Bugs of real libraries and errata of course notes, each repeated by a faulty implementation, judged by the laws that",
        "must reject it and by a naive test: the largest of eight cases, floating tensors normal, float32, `torch.allclose`.",
        "`lawbook faulty --markdown docs/bugs.md` writes this page.",
        "",
        "| chapter | bugs | caught by the laws | by `allclose` at 1e-2 | by `allclose` |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join([name, *map(str, found)])} |" for name, found in counts(caught).items()]
    lines += ["", "| component | what it is | seen | laws | naive 1e-2 | naive |", "|---|---|---|---|---|---|"]
    for found in caught:
        cells = [
            found.known.component,
            found.known.hint.replace("|", "\\|"),
            found.known.seen,
            ", ".join(found.laws).replace("_", " ")
            + (f" **missed: {'; '.join(found.missed)}**" if found.missed else ""),
            *("caught" if found.naive[name] else "–" for name in TOLERANCES),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def compound_page(caught: list[Caught]) -> str:
    """The table of compound mistakes for the docs, with a count of every condition."""
    lines = [
        "# Compound mistakes",
        "",
        "Faulty implementations of our own invention, of the kinds that real kernels and frameworks have, each wrong only",
        "where two or three conditions meet; judged on the default profile by the laws that must reject them, on the quick",
        "profile, and by a naive test: the largest of eight cases, floating tensors normal, float32, `torch.allclose`. In the",
        'column of profiles "default" says that the eight cases of the quick one miss it.',
        "`lawbook faulty --compound --markdown docs/compound.md` writes this page.",
        "",
        "| chapter | mistakes | caught by the laws | on the quick profile too | by `allclose` at 1e-2 | by `allclose` |",
        "|---|---|---|---|---|---|",
    ]
    groups = {name: [f for f in caught if f.chapter == name or name == "all"] for name in counts(caught)}
    for name, (bugs, laws, *plain) in counts(caught).items():
        quick = sum(bool(found.quick) for found in groups[name])
        lines.append(f"| {' | '.join([name, *map(str, (bugs, laws, quick, *plain))])} |")
    lines += ["", "| condition | mistakes | caught | by `allclose` at 1e-2 |", "|---|---|---|---|"]
    for need in NEEDS:
        group = [found for found in caught if need in found.known.needs]
        lines.append(
            f"| {need} | {len(group)} | {sum(f.by_laws for f in group)} | {sum(f.naive['1e-2'] for f in group)} |"
        )
    lines += [
        "",
        "| component | what is wrong, and when | conditions | laws | profile | naive 1e-2 | naive |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in caught:
        cells = [
            found.known.component,
            (found.known.function.__doc__ or found.known.hint).replace("|", "\\|"),
            ", ".join(found.known.needs),
            ", ".join(found.laws).replace("_", " ")
            + (f" **missed: {'; '.join(found.missed)}**" if found.missed else ""),
            "quick" if found.quick else "default",
            *("caught" if found.naive[name] else "–" for name in TOLERANCES),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
