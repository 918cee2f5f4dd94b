"""Mutants of the reference, judged as implementations against the untouched reference by their components' laws.

The operators are cosmic-ray's: a maintained, documented list of single changes that works on a parse tree and can be used
without its database and test runs. mutmut's are bound to its own runs of a project's tests, libcst brings none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lawbook.spec_tests import load
from lawbook.tools import figures
from lawbook.tools.refusal import Refusal

if TYPE_CHECKING:
    from rich.console import Console


def command(
    chapters: Sequence[str],
    components: Sequence[str],
    sample: int | None,
    seed: int,
    workers: int,
    log: Path | None,
    file: Path | None,
    diffs: bool,
    keep: bool,
    console: Console,
) -> int:
    """Run a campaign and report it: 0 when nothing survived, 1 otherwise, 2 when it was interrupted."""
    try:
        from lawbook.tools.mutate import campaign, report
    except ModuleNotFoundError as error:
        raise Refusal(f"{error.name} is not installed: pip install 'lawbook[mutate]'.") from None
    if keep:
        figures.whole_chapters(components)
    started = time.perf_counter()
    found = campaign.run(campaign.Plan(tuple(chapters), tuple(components), sample, seed, workers), log, console)
    report.show(found, time.perf_counter() - started, console, diffs)
    if file:
        report.write(found, file)
    if found.interrupted:
        console.print(
            "Interrupted; " + (f"run it again with --log {log} to go on." if log else "nothing was kept: no --log.")
        )
        return 2
    if keep:
        known = {spec.chapter for spec in load().values()}
        figures.keep("mutants", {name: row for name, row in report.by_chapter(found).items() if name in known})
    return bool(report.survivors(found) or found.refused)
