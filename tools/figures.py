"""What the suite has been seen to catch, and how often it cried wolf: one file of figures by chapter.

`make teeth` and `lawbook soak` keep them (``--figures``); the HTML page and docs/measurements.md show them:

python -m lawbook.tools.figures
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lawbook.reference import chapter_order
from lawbook.tools.refusal import Refusal

FILE = Path(__file__).with_name("figures.json")
KINDS = {"bugs", "compound", "laws", "mutants", "soak", "teeth"}
Chapters = dict[str, dict[str, Any]]
HEADINGS = (
    "chapter",
    "impostors rejected",
    "wrong implementations rejected",
    "real bugs: laws",
    "real bugs: allclose",
    "laws that reject something",
    "mutants killed",
    "cases to kill",
)
SOAK_HEADINGS = ("implementation", "chapter", "seeds", "law-cases", "false alarms")


def read(file: Path | None = None) -> Chapters:
    """The figures by chapter, in the order of teaching."""
    file = file or FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise Refusal(f"{file} does not hold lawbook's figures: {error}.") from None
    if not isinstance(found, dict) or any(kinds.keys() - KINDS for kinds in found.values()):
        raise Refusal(f"{file} does not hold lawbook's figures: every chapter has some of {', '.join(sorted(KINDS))}.")
    return {name: found[name] for name in sorted(found, key=chapter_order)}


def keep(kind: str, figures: Chapters, file: Path | None = None) -> None:
    """Put the figures of one kind in the place of the earlier ones of these chapters."""
    file = file or FILE
    known = read(file)
    for chapter, found in figures.items():
        known.setdefault(chapter, {}).setdefault(kind, {}).update(found)
    ordered = {name: dict(sorted(known[name].items())) for name in sorted(known, key=chapter_order)}
    try:
        file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"The figures cannot be kept in {file}: {error.strerror}.") from None


def rows(chapters: Chapters) -> list[list[str]]:
    """What the suite catches, by chapter and in all; a dash where nothing has been measured."""
    return [_row(name, found) for name, found in [*chapters.items(), ("all", total(chapters))]] if chapters else []


def soaks(chapters: Chapters) -> list[list[str]]:
    """Of every implementation that is known to be right: law-cases, seeds and false alarms, by chapter and in all."""
    runs = list(dict.fromkeys(run for found in chapters.values() for run in found.get("soak", {})))
    return [
        [run, name, str(soaked["seeds"]), f"{soaked['cases']:,}", str(soaked["alarms"])]
        for run in runs
        for name, found in [*chapters.items(), ("all", total(chapters))]
        if (soaked := found.get("soak", {}).get(run))
    ]


def total(chapters: Chapters) -> dict[str, Any]:
    """The sums over the chapters; of seeds the least, and no median of medians."""
    sums: dict[str, Any] = {}
    for figures in chapters.values():
        _add(sums, figures)
    return sums


def _add(sums: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _add(sums.setdefault(name, {}), value)
        elif name == "seeds":
            sums[name] = min(sums.get(name, value), value)
        elif name in ("median_cases", "score"):
            sums[name] = None
        else:
            sums[name] = sums.get(name, 0) + value


def _row(name: str, found: dict[str, Any]) -> list[str]:
    teeth, bugs, laws, mutants = (found.get(kind) for kind in ("teeth", "bugs", "laws", "mutants"))
    relevant = mutants["killed"] + mutants["survived"] if mutants else 0
    return [
        name,
        f"{teeth['impostors_rejected']} of {teeth['impostors']}" if teeth else "–",
        f"{teeth['faulty_rejected']} of {teeth['faulty']}" if teeth else "–",
        f"{bugs['laws']} of {bugs['all']}" if bugs else "–",
        f"{bugs['allclose']} of {bugs['all']}" if bugs else "–",
        f"{laws['reject']} of {laws['own']}" if laws else "–",
        f"{mutants['killed']} of {relevant} ({mutants['killed'] / relevant:.1%})" if mutants and relevant else "–",
        f"{mutants['median_cases']:g}" if mutants and mutants["median_cases"] is not None else "–",
    ]


def markdown(chapters: Chapters) -> str:
    """Both tables for the docs."""
    return "\n\n".join(
        "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *lines))
        for headings, lines in ((HEADINGS, rows(chapters)), (SOAK_HEADINGS, soaks(chapters)))
    )


def whole_chapters(components: Sequence[str]) -> None:
    """Refuse to keep the figures of a chapter of which only some components were judged."""
    if components:
        raise Refusal("--figures keeps figures of whole chapters: leave --component out.")


if __name__ == "__main__":
    print(markdown(read()))
    sys.exit()
