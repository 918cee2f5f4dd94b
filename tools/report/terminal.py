"""The verdict in a terminal: failures with their counterexamples, the table per chapter, what was left out."""

import shlex
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lawbook.tools.report import summary
from lawbook.tools.report.verdict import Verdict, figure

MOST_REASONS = 8
STYLES = {"pass": "green", "fail": "red", "incomplete": "red", "nothing judged": "yellow"}


def print_report(verdict: Verdict, console: Console, previous: Verdict | None = None) -> None:
    """The table and everything below it."""
    console.print(table(verdict))
    for line in left_out(verdict):
        console.print(line, highlight=False, markup=False)
    for line in summary.fewer(verdict, previous) if previous else []:
        console.print(f"[yellow]{escape(line)}[/]", highlight=False)
    console.print(closing(verdict), highlight=False)


def table(verdict: Verdict) -> Table:
    """One row a chapter and one for all."""
    implementation = verdict["implementation"]
    title = " ".join(filter(None, (implementation["name"], implementation["version"])))
    grid = Table(
        title=f"{title} · profile {verdict['profile']} · seed {verdict['seed']} · {verdict['dtype']}",
        show_footer=True,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    row = summary.total(verdict)
    footers = ("total", *figures(row))
    for heading, footer in zip(HEADINGS, footers, strict=True):
        grid.add_column(heading, footer, justify="left" if heading == "chapter" else "right", no_wrap=True)
    for row in summary.rows(verdict):
        grid.add_row(row.chapter, *figures(row), style="red" if row.failed else "" if row.provided else "dim")
    return grid


HEADINGS = ("chapter", "provided", "pass", "fail", "known", "laws", "cases", "worst", "time")


def figures(row: summary.Row) -> tuple[str, ...]:
    """The row's figures as text, in the order of the headings.

    Known are components that fail as expected; worst is the largest error of a law that holds, as a share of the allowed.
    """
    return (
        f"{row.provided}/{row.components} {row.share:.0%}",
        str(row.passed),
        str(row.failed),
        str(row.expected),
        str(row.laws),
        str(row.cases),
        figure(row.worst),
        f"{row.seconds:.1f} s",
    )


def left_out(verdict: Verdict) -> list[str]:
    """Lines on laws that were not judged, or whose failure was expected, with the reasons."""
    lines = []
    for outcome, word in (("not_run", "not run"), ("not_applicable", "not applicable")):
        counts = summary.reasons(verdict, outcome)
        if counts:
            lines.append(f"{word}: {plural(counts.total(), 'law')}")
            lines += [f"  {count} × {reason}" for reason, count in counts.most_common(MOST_REASONS)]
            if len(counts) > MOST_REASONS:
                lines.append(f"  and {plural(len(counts) - MOST_REASONS, 'other reason')} (all of them: --html)")
    expected = [
        (name, law, entry) for name, law, entry in summary.laws(verdict) if entry["outcome"] == "expected_failure"
    ]
    if expected:
        lines.append(f"expected failures: {plural(len(expected), 'law')}")
        lines += [f"  {name} · {words(law)}: {entry['reason']}" for name, law, entry in expected]
    device = summary.accelerator(verdict)
    return [*lines, device] if device else lines


def closing(verdict: Verdict) -> str:
    """The last line: what the exit status says, in words."""
    state, row = summary.state(verdict), summary.total(verdict)
    if state == "incomplete":
        text = "incomplete: the run was cut short, so nothing is proved"
    elif state == "nothing judged":
        text = f"nothing judged: none of {plural(row.components, 'component')} is provided"
        if row.provided:
            text = f"nothing judged: no law was run on {plural(row.provided, 'component')}"
    else:
        tail = f", {row.expected} fail as expected" if row.expected else ""
        text = f"{state}: {row.passed} of {row.provided} provided components obey every law judged{tail}"
    return f"[bold {STYLES[state]}]{escape(text)}[/]"


def print_failures(verdict: Verdict, console: Console, file: Path | None = None) -> None:
    """The failures' texts, root causes first; each component's first law in full, its others in one line.

    ``file`` is where the verdict lies; the texts' advice on reproducing then names it.
    """
    for name, failing, causes in summary.failing(verdict):
        console.rule(f"[bold red]{escape(name)}[/]", style="red", align="left")
        if causes:
            console.print(f"look first at {', '.join(causes)}, which {name} is built on", highlight=False, markup=False)
        (law, entry), *others = sorted(failing.items(), key=lambda item: item[1]["failure"] is None)
        message = text(name, law, entry)
        if file:
            message = message.replace("lawbook reproduce VERDICT", f"lawbook reproduce {shlex.quote(str(file))}")
        console.print(message, highlight=False, markup=False, soft_wrap=True)
        for law, entry in others:
            console.print(f"also: {one_line(law, entry)}", highlight=False, markup=False, soft_wrap=True)


def text(component: str, law: str, entry: dict) -> str:
    """What a student reads about one failing law."""
    if entry["failure"]:
        return entry["failure"]["message"]
    return f"{component} · {one_line(law, entry)}"


def one_line(law: str, entry: dict) -> str:
    """The law, its outcome and why, in a line."""
    why = entry["reason"]
    if entry["failure"]:
        failure = entry["failure"]
        parts = []
        if failure.get("position"):
            parts.append(f"worst at {failure['position']}")
        if failure.get("error") is not None:
            parts.append(f"error {figure(failure['error'])}, allowed {figure(failure.get('allowed'))}")
        why = failure.get("hint") or ", ".join(parts) or why
    return f"{words(law)} · {words(entry['outcome'])}" + (f" · {why}" if why else "")


def words(name: str) -> str:
    """A law's or outcome's name as words."""
    return name.replace("_", " ")


def plural(count: int, noun: str) -> str:
    """The count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
