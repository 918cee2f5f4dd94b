"""``lawbook coverage``: per chapter, laws judged, and lines and branches run of reference and implementation."""

import importlib.util
import json
import os
import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from lawbook.reference import chapter_order
from lawbook.tools import catalogue, check
from lawbook.tools.refusal import Refusal
from lawbook.tools.report import summary
from lawbook.tools.report.files import write
from lawbook.tools.report.html import share
from lawbook.tools.report.terminal import closing
from lawbook.tools.report.verdict import Verdict, read

OTHER = "(shared)"
"""The row of files that belong to no chapter, such as the checks of arguments."""


def run(request: check.Request, console: Console, json_file: Path | None = None) -> int:
    """Judge under pytest-cov, print the table, write the figures; the exit status is that of a check."""
    check.prepare(request)
    sources = {
        "reference": _files(_package("lawbook.reference")),
        "implementation": source_files(request.implementation),
    }
    with tempfile.TemporaryDirectory(prefix="lawbook-") as folder:
        verdict, measured = _measure(request, sources, Path(folder), console)
    figures = by_chapter(verdict, sources, measured, {spec.chapter for spec in catalogue.registry().values()})
    console.print(table(figures))
    console.print(closing(verdict), highlight=False)
    if json_file:
        write(json_file, json.dumps(figures, indent=1, sort_keys=True) + "\n")
    return summary.exit_code(verdict)


def _measure(
    request: check.Request, sources: dict[str, list[Path]], folder: Path, console: Console
) -> tuple[Verdict, dict[str, Any]]:
    """The run's verdict, and coverage's own summary by file."""
    file = folder / "verdict.json"
    settings = folder / "coveragerc"
    watched = sorted({str(path) for paths in sources.values() for path in paths})
    # Included file by file: an implementation may lie in a folder with much else.
    listed = "".join(f"    {path}\n" for path in watched)
    settings.write_text(f"[run]\nbranch = true\ndata_file = {folder / 'data'}\ninclude =\n{listed}", encoding="utf-8")
    extra = ("--cov", f"--cov-config={settings}", "--cov-report=")
    line = request.pytest_line(file, extra)
    console.print(shlex.join(["python", *line[1:]]), style="dim", highlight=False, markup=False, soft_wrap=True)
    outcome = check.Run(request, file)
    if not outcome.execute(line, console):
        raise Refusal("Interrupted: nothing is measured.")
    verdict = read(file) if file.exists() else None
    if verdict is None or not verdict["components"]:
        raise Refusal(outcome.complaint())
    return verdict, _totals(settings, folder, watched)


def _totals(settings: Path, folder: Path, files: list[str]) -> dict[str, Any]:
    """Lines and branches by file; a file that no worker imported counts as not run."""
    from coverage import Coverage
    from coverage.exceptions import CoverageException

    try:
        data = Coverage(config_file=str(settings))
        data.load()
        report = folder / "coverage.json"
        data.json_report(morfs=files, outfile=str(report))
        found = json.loads(report.read_text(encoding="utf-8"))["files"]
    except CoverageException as error:
        raise Refusal(f"Nothing was measured: {error}.") from error
    return {str(Path(os.path.realpath(name))): entry["summary"] for name, entry in found.items()}


def by_chapter(
    verdict: Verdict, sources: dict[str, list[Path]], measured: dict[str, Any], known: set[str]
) -> dict[str, Any]:
    """The figures as ``--json`` writes them; ``known`` are all chapters, of which the verdict may hold a few."""
    rows = {row.chapter: row for row in summary.rows(verdict)}
    chapters: dict[str, Any] = {
        name: {"components": row.components, "provided": row.provided, "laws": row.laws} for name, row in rows.items()
    }
    for side, paths in sources.items():
        for name, counted in _counted(paths, measured, known).items():
            # A chapter that was not judged says nothing about its files.
            if name in rows or name == OTHER:
                chapters.setdefault(name, {"components": 0, "provided": 0, "laws": 0})[side] = counted
    return {
        "schema": 1,
        "lawbook": verdict["lawbook"],
        "implementation": verdict["implementation"],
        "profile": verdict["profile"],
        "chapters": {
            name: {"reference": None, "implementation": None, **chapter} for name, chapter in chapters.items()
        },
    }


def _counted(paths: Iterable[Path], measured: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Lines and branches by chapter."""
    found: dict[str, Any] = {}
    for path in paths:
        figures = measured.get(os.path.realpath(path))
        if figures is None:
            continue
        chapter = chapter_of(path, known) or OTHER
        row = found.setdefault(chapter, {"lines": [0, 0], "branches": [0, 0]})
        for kind, run_, every in (
            ("lines", figures["covered_lines"], figures["num_statements"]),
            ("branches", figures["covered_branches"], figures["num_branches"]),
        ):
            row[kind][0] += run_
            row[kind][1] += every
    return found


def chapter_of(path: Path, chapters: set[str]) -> str | None:
    """The chapter a file belongs to: ``losses.py`` or anything in a folder ``losses``."""
    names = [path.stem, *(parent.name for parent in path.parents)]
    return next((name for name in names if name in chapters), None)


def source_files(implementation: str) -> list[Path]:
    """The implementation's own Python files, found without importing them."""
    if implementation == "reference":
        return _files(_package("lawbook.reference"))
    if implementation.endswith(".py") or os.sep in implementation:
        return [Path(implementation).resolve()]
    for name in (f"lawbook.fixtures.adapters.{implementation}", implementation):
        with check.importable_from(Path.cwd()):
            try:
                found = importlib.util.find_spec(name)
            except (ImportError, ValueError):
                continue
        if found and found.submodule_search_locations:
            return _files(Path(found.submodule_search_locations[0]))
        if found and found.origin:
            return [Path(found.origin).resolve()]
    return []


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _files(folder: Path) -> list[Path]:
    return sorted(path.resolve() for path in folder.rglob("*.py"))


def table(figures: dict[str, Any]) -> Table:
    """One row a chapter."""
    name = figures["implementation"]["name"]
    title = f"coverage while judging {name} · profile {figures['profile']}"
    grid = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    headings = ("chapter", "provided", "laws", "reference\nlines", "\nbranches", f"{name}\nlines", "\nbranches")
    for heading in headings:
        grid.add_column(heading, justify="left" if heading == "chapter" else "right", no_wrap=True)
    for chapter, row in sorted(figures["chapters"].items(), key=lambda item: chapter_order(item[0])):
        shares = [
            share(row[side][kind]) if row[side] else "–"
            for side in ("reference", "implementation")
            for kind in ("lines", "branches")
        ]
        grid.add_row(chapter, f"{row['provided']}/{row['components']}", str(row["laws"]), *shares)
    return grid
