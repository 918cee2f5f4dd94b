"""``lawbook report``: verdicts in, files out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lawbook.tools.refusal import Refusal
from lawbook.tools.report.terminal import print_failures, print_report
from lawbook.tools.report.verdict import Verdict, VerdictError, read


def write_reports(
    paths: Sequence[Path],
    console: Console,
    html: Path | None = None,
    markdown: str | None = None,
    badge: Path | None = None,
    junit: Path | None = None,
    coverage: Sequence[Path] = (),
) -> None:
    """Write what was asked for; tables in the terminal when nothing was."""
    verdicts = [read(path) for path in paths]
    if badge and len(verdicts) != 1:
        raise Refusal("A badge is made from one verdict.")
    if coverage and not html:
        raise Refusal("--coverage goes with --html.")
    if html:
        from lawbook.tools.report.html import render

        write(html, render(verdicts, [read_coverage(path) for path in coverage]))
    if badge:
        from lawbook.tools.report.badge import render as render_badge

        write(badge, render_badge(verdicts[0]))
    if junit:
        from lawbook.tools.report.junit import render as render_junit

        write(junit, render_junit(verdicts))
    if markdown:
        from lawbook.tools.report.markdown import render as render_markdown

        text = render_markdown(verdicts)
        if markdown == "-":
            print(text, end="")
        else:
            write(Path(markdown), text)
    if not (html or markdown or badge or junit):
        _print(verdicts, paths, console)


def _print(verdicts: Sequence[Verdict], paths: Sequence[Path], console: Console) -> None:
    for verdict, path in zip(verdicts, paths, strict=True):
        print_failures(verdict, console, path)
        print_report(verdict, console)


def write(path: Path, text: str) -> None:
    """Write a file, or say in one sentence why that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror or error}.") from error


def read_coverage(path: Path) -> dict[str, Any]:
    """What ``lawbook coverage --json`` wrote."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        for row in data["chapters"].values():
            for side in ("reference", "implementation"):
                if row[side] is not None:
                    _ = [run / max(1, every) for run, every in (row[side]["lines"], row[side]["branches"])]
            _ = row["provided"], row["components"], row["laws"]
        _ = data["implementation"]["name"], data["implementation"]["version"]
    except OSError as error:
        raise VerdictError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerdictError(f"{path} is not what `lawbook coverage --json` writes.") from error
    return data
