"""One self-contained page comparing any number of verdicts: chapters, components, laws, counterexamples."""

import json
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lawbook.reference import chapter_order
from lawbook.tools import figures
from lawbook.tools.report import summary
from lawbook.tools.report.terminal import plural, words
from lawbook.tools.report.verdict import FAILING, JUDGED, Verdict, arguments, figure

SYMBOLS = {
    "pass": "✓",
    **dict.fromkeys(FAILING, "✗"),
    "expected_failure": "≈",
    "not_provided": "○",
    "not_run": "○",
    "not_applicable": "–",
    "absent": " ",
}
LONGEST_CASE = 4000


def render(verdicts: Sequence[Verdict], coverage: Sequence[dict[str, Any]] = ()) -> str:
    """The page's text. ``coverage`` holds what ``lawbook coverage --json`` wrote."""
    names = labels(verdicts)
    environment = Environment(
        loader=PackageLoader("lawbook.tools.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        words=words,
        figure=figure,
        plural=plural,
        case=case_text,
        share=share,
        brief=brief,
        run_label=lambda place, runs: runs[place]["label"],
    )
    environment.globals.update(symbols=SYMBOLS, failing=FAILING, judged=JUDGED, summary=summary)
    runs = [
        {"label": label, "verdict": verdict, "state": summary.state(verdict), "total": summary.total(verdict)}
        for label, verdict in zip(names, verdicts, strict=True)
    ]
    known = figures.read()
    teeth = [
        ("What lawbook catches", figures.HEADINGS, figures.rows(known)),
        ("False alarms", figures.SOAK_HEADINGS, figures.soaks(known)),
    ]
    return environment.get_template("page.html").render(
        runs=runs, chapters=tree(verdicts), coverage=coverage, teeth=[part for part in teeth if part[2]]
    )


def labels(verdicts: Sequence[Verdict]) -> list[str]:
    """A distinct name for every verdict: the implementation's, and as much else as tells it from the others."""
    names = [verdict["implementation"]["name"] for verdict in verdicts]
    for detail in (
        lambda verdict: verdict["implementation"]["version"] or "",
        lambda verdict: verdict["device"] or "cpu",
        lambda verdict: verdict["dtype"],
        lambda verdict: verdict["profile"],
        lambda verdict: f"seed {verdict['seed']}",
        lambda verdict: verdict["started"],
    ):
        twice = {name for name in names if names.count(name) > 1}
        details = [detail(verdict) for verdict in verdicts]
        for name in twice:
            places = [i for i, other in enumerate(names) if other == name]
            if len({details[i] for i in places}) > 1:
                for i in places:
                    names[i] = f"{name} {details[i]}".strip()
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def tree(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Chapters → components → laws; every node holds one entry a verdict, None where the verdict lacks it."""
    by_chapter = [{row.chapter: row for row in summary.rows(verdict)} for verdict in verdicts]
    chapters = sorted({chapter for found in by_chapter for chapter in found}, key=chapter_order)
    members: dict[str, set[str]] = {chapter: set() for chapter in chapters}
    for verdict in verdicts:
        for name, component in verdict["components"].items():
            members[component["chapter"]].add(name)
    return [
        {
            "name": chapter,
            "cells": [found.get(chapter) for found in by_chapter],
            "components": [_component(name, verdicts) for name in sorted(members[chapter])],
        }
        for chapter in chapters
    ]


def _component(name: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    entries = [verdict["components"].get(name) for verdict in verdicts]
    laws = sorted({law for entry in entries if entry for law in entry["laws"]})
    cells = [[entry["laws"].get(law) if entry else None for entry in entries] for law in laws]
    return {
        "name": name,
        "cells": entries,
        "fails": any(entry and entry["outcome"] in FAILING for entry in entries),
        "laws": [{"name": law, "cells": row, "notes": _notes(row)} for law, row in zip(laws, cells, strict=True)],
    }


def _notes(cells: Sequence[dict[str, Any] | None]) -> list[tuple[list[int], dict[str, Any]]]:
    """(places, entry) of every entry with something to say; entries that say the same stand together."""
    notes: list[tuple[list[int], dict[str, Any]]] = []
    for place, entry in enumerate(cells):
        if not entry or not (entry["reason"] or entry["failure"]):
            continue
        for places, other in notes:
            if all(entry[key] == other[key] for key in ("outcome", "reason", "failure")):
                places.append(place)
                break
        else:
            notes.append(([place], entry))
    return notes


def case_text(failure: dict[str, Any]) -> str:
    """The counterexample as data, one argument a line."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in arguments(failure).items()]
    text = "\n".join(lines)
    return text if len(text) <= LONGEST_CASE else text[:LONGEST_CASE] + "\n… (the whole is in the verdict)"


def brief(row: summary.Row) -> str:
    """What a chapter's cell says besides its share of components that pass."""
    parts = [f"{row.failed} fail"] if row.failed else []
    if row.expected:
        parts.append(f"{row.expected} expected to fail")
    if row.provided < row.components:
        parts.append(f"{row.share:.0%} provided")
    return ", ".join(parts)


def share(counts: Sequence[int]) -> str:
    """(run, all) as a percentage with the counts; a dash where there is nothing to run."""
    run, all_ = counts
    return f"{run / all_:.0%} ({run}/{all_})" if all_ else "–"
