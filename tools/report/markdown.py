"""The verdict as a Markdown table."""

from collections.abc import Sequence

from lawbook.tools.report import summary
from lawbook.tools.report.terminal import HEADINGS, figures, left_out
from lawbook.tools.report.verdict import Verdict


def render(verdicts: Sequence[Verdict]) -> str:
    """One section a verdict."""
    return "\n\n".join(section(verdict) for verdict in verdicts) + "\n"


def section(verdict: Verdict) -> str:
    """A heading, the table per chapter, and what was left out."""
    implementation = verdict["implementation"]
    lines = [
        f"## {cell(' '.join(filter(None, (implementation['name'], implementation['version']))))}",
        "",
        f"{summary.state(verdict)}: {summary.standing(verdict)} · profile {verdict['profile']}, "
        f"seed {verdict['seed']}, {verdict['dtype']} on {verdict['device'] or 'cpu'}",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|---{'|--:' * (len(HEADINGS) - 1)}|",
    ]
    lines += [f"| {' | '.join((cell(row.chapter), *figures(row)))} |" for row in summary.rows(verdict)]
    lines.append(f"| {' | '.join(f'**{text}**' for text in ('total', *figures(summary.total(verdict))))} |")
    notes = left_out(verdict)
    if notes:
        lines += ["", *(f"{'  ' if note.startswith('  ') else ''}- {cell(note.strip())}" for note in notes)]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that neither breaks the table nor turns into markup."""
    for character in "\\|`*_<>[]#":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
