"""Teeth: judge what must be rejected, impostors and faulty implementations, all of them.

python -m lawbook.tools.teeth [--chapter NAME] [--component NAME] [--markdown FOLDER] [--figures]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.impostors import IMPOSTORS
from lawbook.fixtures.faulty.registry import Faulty
from lawbook.fixtures.implementation import Implementation
from lawbook.fixtures.tree import floating
from lawbook.reference import chapter_order
from lawbook.spec_tests import load
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.oracle import products
from lawbook.spec_tests.running import LawRun, Settings, run_law
from lawbook.spec_tests.spec import Spec
from lawbook.tools import catalogue, figures
from lawbook.tools.refusal import Refusal
from lawbook.tools.scratch import scratch

T = TypeVar("T")


@dataclass
class Bite:
    """What became of one thing that must be rejected."""

    component: str
    chapter: str
    name: str
    rejected_by: list[str]
    missed: list[str] = field(default_factory=list)
    same: bool = False
    seconds: float = 0.0


def judge_faulty(spec: type[Spec], known: Faulty, settings: Settings | None = None) -> Bite:
    """Whether each law that must reject a faulty implementation does."""
    settings = settings or Settings(device=device("simulated"), explain=False)
    implementation = Implementation([{known.component: known.function}], known.name)
    started = time.perf_counter()
    results = {law: run_law(spec, law, implementation, settings) for law in known.rejected_by}
    return Bite(
        spec.name,
        spec.chapter,
        known.name,
        [law for law, result in results.items() if result.rejects],
        [f"{law}: {result.reason or result.outcome}" for law, result in results.items() if not result.rejects],
        seconds=time.perf_counter() - started,
    )


def judge_impostor(spec: type[Spec], name: str, settings: Settings | None = None) -> Bite:
    """The first law that rejects an impostor; ``same`` when it gives the reference's own answers and gradients."""
    settings = settings or Settings(explain=False)
    started = time.perf_counter()

    def fresh() -> Implementation:
        return Implementation([{spec.name: IMPOSTORS[name](spec.component)}], name)

    bite = Bite(spec.name, spec.chapter, name, [])
    for law in spec.law_names():
        if run_law(spec, law, fresh(), settings).rejects:
            bite.rejected_by = [law]
            break
    else:
        bite.same = _same_everywhere(spec, fresh(), settings)
    bite.seconds = time.perf_counter() - started
    return bite


def _same_everywhere(spec: type[Spec], implementation: Implementation, settings: Settings) -> bool:
    """Whether answers and gradients are the reference's to the bit on every case: then it is no impostor."""
    reference = Implementation([{spec.name: spec.component}], "reference")
    run, own = (LawRun(spec, "agrees_with_reference", i, settings) for i in (implementation, reference))
    same = [True]

    def body(case: Case) -> None:
        same[0] &= _equal(run.trial(case), own.trial(case))
        if spec.differentiable:
            got, wanted = (products(r.trial, case, spec.differentiable, False)[1] for r in (run, own))
            same[0] &= _equal(got, wanted)

    run.over_cases(body)
    return same[0]


def _equal(a: Any, b: Any) -> bool:
    from lawbook.fixtures.tree import values

    pairs = list(zip(values(a), values(b), strict=True))
    return all(
        torch.equal(torch.nan_to_num(x), torch.nan_to_num(y)) if isinstance(x, torch.Tensor) else x == y or callable(x)
        for x, y in pairs
    ) and len(floating(a)) == len(floating(b))


def bites_of(component: str) -> list[Bite]:
    """Every impostor and every faulty implementation of one component."""
    spec = load()[component]
    bites = [judge_impostor(spec, name) for name in IMPOSTORS]
    return bites + [judge_faulty(spec, known) for known in registry.of(component, spec.chapter)]


def all_bites(chapters: list[str], components: list[str]) -> Iterator[Bite]:
    """The same of the chosen components."""
    for bites in by_component(bites_of, chapters, components):
        yield from bites


def by_component(judge: Callable[[str], T], chapters: list[str], components: list[str]) -> Iterator[T]:
    """What a function says of every chosen component, in as many processes as there are processors."""
    specs = [spec for _, spec in catalogue.chosen(load(), chapters) if not components or spec.name in components]
    workers = min(os.cpu_count() or 1, max(1, len(specs)))
    start = multiprocessing.get_context("spawn")
    with scratch(), ProcessPoolExecutor(workers, start, torch.set_num_threads, (1,)) as pool:
        yield from pool.map(judge, [spec.name for spec in specs])


def selection(description: str, arguments: list[str] | None, markdown: str) -> argparse.Namespace:
    """Chapters and components from the command line, refused where there are none of that name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--chapter", action="append", default=[])
    parser.add_argument("--component", action="append", default=[])
    parser.add_argument("--markdown", metavar="PATH", type=Path, help=markdown)
    parser.add_argument("--figures", action="store_true", help="keep the chapters' figures for the page and the docs")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.figures:
            figures.whole_chapters(chosen.component)
        catalogue.check_selection(load(), chosen.chapter, chosen.component)
    except Refusal as refusal:
        parser.error(str(refusal))
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """Print what was rejected and what was not; 1 when anything got through."""
    chosen = selection("Judge all that must be rejected.", arguments, "the folder for a page a chapter and their index")
    bites = []
    for bite in all_bites(chosen.chapter, chosen.component):
        bites.append(bite)
        if _through([bite]):
            print(f"NOT REJECTED  {bite.component} · {bite.name}  {'; '.join(bite.missed)}", flush=True)
    through, same = _through(bites), [b for b in bites if b.same]
    print(f"{len(bites) - len(through) - len(same)} rejected, {len(through)} got through, ", end="")
    print(f"{len(same)} are no impostors: {', '.join(f'{b.component} · {b.name}' for b in same)}")
    if chosen.markdown:
        write_pages(bites, chosen.markdown)
    if chosen.figures:
        figures.keep("teeth", {name: counts(some) for name, some in _by_chapter(bites)})
    return bool(through)


def counts(bites: list[Bite]) -> dict[str, int]:
    """How many impostors (those that give the reference's own answer are none) and faulty implementations were rejected."""
    through = _through(bites)
    impostors = [b for b in bites if b.name in IMPOSTORS and not b.same]
    faulty = [b for b in bites if b.name not in IMPOSTORS]
    return {
        "impostors": len(impostors),
        "impostors_rejected": sum(b not in through for b in impostors),
        "faulty": len(faulty),
        "faulty_rejected": sum(b not in through for b in faulty),
    }


def _by_chapter(bites: list[Bite]) -> Iterator[tuple[str, list[Bite]]]:
    for chapter in dict.fromkeys(b.chapter for b in bites):
        yield chapter, [b for b in bites if b.chapter == chapter]


def _through(bites: list[Bite]) -> list[Bite]:
    return [b for b in bites if b.missed or not (b.rejected_by or b.same)]


def write_pages(bites: list[Bite], folder: Path) -> None:
    """A page a chapter, and the index of all that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for chapter, some in _by_chapter(bites):
        (folder / f"{chapter}.md").write_text(page(chapter, some), encoding="utf-8")
    (folder / "README.md").write_text(index(folder), encoding="utf-8")


def index(folder: Path) -> str:
    """Chapter by chapter what its page sums up."""
    lines = [
        "# Teeth",
        "",
        "What must be rejected, and the laws that do: nine impostors a component (zeros, the previous answer, a detached one, …)",
        "and the faulty implementations, each by every law that must reject it. `make teeth` judges them all and writes these",
        "pages.",
        "",
    ]
    for chapter in sorted((path.stem for path in folder.glob("*.md") if path.stem != "README"), key=chapter_order):
        summary = (folder / f"{chapter}.md").read_text(encoding="utf-8").splitlines()[SUMMARY]
        lines.append(f"- [{chapter}]({chapter}.md): {summary}")
    return "\n".join(lines) + "\n"


SUMMARY = 2
"""The line of a page that sums it up."""


def _summary(bites: list[Bite]) -> str:
    through = _through(bites)
    same, found = sum(b.same for b in bites), counts(bites)
    return (
        f"{_counted(len({b.component for b in bites}))}; {found['impostors_rejected']} impostors rejected, {same} give the "
        f"reference's own answer and are none; {found['faulty_rejected']} of {found['faulty']} faulty implementations "
        f"rejected; {len(through)} got through."
    )


def _counted(components: int) -> str:
    return "1 component" if components == 1 else f"{components} components"


def page(chapter: str, bites: list[Bite]) -> str:
    """Component × impostor, and the faulty implementations with the laws that rejected them."""
    names = list(IMPOSTORS)
    by = {(b.component, b.name): b for b in bites}
    components = list(dict.fromkeys(b.component for b in bites))
    lines = [
        f"# Teeth: {chapter}",
        "",
        _summary(bites),
        "",
        "## Impostors",
        "",
        "The first law that rejects each.",
        "",
        f"| component | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for component in components:
        cells = []
        for name in names:
            bite = by[component, name]
            cells.append(
                "the same answer" if bite.same else ", ".join(bite.rejected_by).replace("_", " ") or "**not rejected**"
            )
        lines.append(f"| {component} | {' | '.join(cells)} |")
    known = {(f.component, f.name): f for some in registry.load().values() for f in some}
    lines += [
        "",
        "## Faulty implementations",
        "",
        "Each names the law or laws that must reject it; those stand in the last column.",
        "",
    ]
    lines += ["| component | faulty implementation | what it is | seen | rejected by |", "|---|---|---|---|---|"]
    for bite in bites:
        if bite.name not in IMPOSTORS:
            missed = f" **not: {'; '.join(bite.missed)}**" if bite.missed else ""
            about = known.get((bite.component, bite.name))
            hint, seen = (about.hint.replace("|", "\\|"), about.seen) if about else ("", "")
            laws = ", ".join(bite.rejected_by).replace("_", " ")
            lines.append(f"| {bite.component} | {bite.name} | {hint} | {seen} | {laws}{missed} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
