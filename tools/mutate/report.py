"""What a campaign says: a table per chapter, the survivors' diffs, and the same as data."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lawbook.tools.mutate.campaign import Campaign, Judged
from lawbook.tools.mutate.mutants import Mutant


def figures(judged: list[Judged]) -> dict[str, Any]:
    """Counts, the share of mutants that are no equivalents and were killed, and the median cases a kill took."""
    count = {o: sum(j.outcome == o for j in judged) for o in ("killed", "survived", "equivalent", "unjudged")}
    cases = [j.fate.cases for j in judged if j.outcome == "killed"]
    late = sum(j.outcome == "killed" and j.fate.profile == "default" for j in judged)
    relevant = count["killed"] + count["survived"]
    return {
        **count,
        "score": round(count["killed"] / relevant, 4) if relevant else None,
        "median_cases": median(cases) if cases else None,
        "default_profile_only": late,
    }


def by_chapter(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """The figures of every chapter, and of all."""
    chapters: dict[str, list[Judged]] = {}
    for judged in campaign.judged:
        chapters.setdefault(judged.mutant.chapter, []).append(judged)
    return {**{name: figures(found) for name, found in chapters.items()}, "all": figures(campaign.judged)}


def show(campaign: Campaign, seconds: float, console: Console, diffs: bool) -> None:
    """The table, and on request the survivors' diffs."""
    columns = ("mutants", "killed", "survived", "equivalent", "unjudged", "score", "median cases", "default only")
    table = Table("chapter", *columns)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in by_chapter(campaign).items():
        total = sum(found[o] for o in ("killed", "survived", "equivalent", "unjudged"))
        score = "–" if found["score"] is None else f"{found['score']:.1%}"
        counts = [found[o] for o in ("killed", "survived", "equivalent", "unjudged")]
        cells = [total, *counts, score, found["median_cases"], found["default_profile_only"]]
        table.add_row(name, *("–" if cell is None else str(cell) for cell in cells))
    if diffs:
        for judged in survivors(campaign):
            console.print(escape(judged.mutant.diff()), highlight=False)
            console.print(f"judged by {', '.join(judged.by)}\n", highlight=False)
    console.print(table)
    for component, why in campaign.refused.items():
        console.print(f"not judged: {component}, {why}", highlight=False)
    if seconds:
        console.print(f"{len(campaign.judged) / seconds:.1f} mutants a second", highlight=False)


def survivors(campaign: Campaign) -> list[Judged]:
    """Mutants that no law noticed."""
    return [judged for judged in campaign.judged if judged.outcome == "survived"]


def write(campaign: Campaign, file: Path) -> None:
    """Chapters, kills and survivors as JSON."""

    def entry(judged: Judged) -> dict[str, Any]:
        mutant: Mutant = judged.mutant
        told = {
            "module": mutant.module,
            "function": mutant.function,
            "line": mutant.line,
            "operator": mutant.operator,
            "before": mutant.before,
            "after": mutant.after,
            "number": mutant.number,
            "outcome": judged.outcome,
            "judged_by": judged.by,
            "reason": judged.equivalent,
            **{key: getattr(judged.fate, key) for key in ("component", "law", "cases", "profile", "seconds")},
        }
        return told | ({"diff": mutant.diff()} if judged.outcome == "survived" else {})

    data = {
        "schema": 1,
        "chapters": by_chapter(campaign),
        "not_judged": campaign.refused,
        "mutants": [entry(judged) for judged in campaign.judged],
    }
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
