"""``lawbook check``: run pytest over the laws, watch its journal, report its verdict."""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lawbook.tools import scratch
from lawbook.tools.expected import BadExpected, read_expected
from lawbook.tools.interrupts import heeded
from lawbook.tools.journal import Journal, path_of
from lawbook.tools.refusal import Refusal
from lawbook.tools.report import summary
from lawbook.tools.report.terminal import print_failures, print_report, words
from lawbook.tools.report.verdict import Verdict, VerdictError, read

POLL = 0.1
GRACE = 5.0


@dataclass
class Request:
    """What is to be judged, and how."""

    implementation: str
    chapters: list[str] = field(default_factory=list)
    components: list[str] = field(default_factory=list)
    laws: list[str] = field(default_factory=list)
    device: str | None = None
    dtype: str = "float32"
    profile: str = "default"
    seed: int = 0
    verdict: Path | None = None
    expected: Path | None = None
    workers: str = "auto"
    law_timeout: float | None = None
    memory_limit: float | None = None

    def pytest_line(self, verdict: Path, extra: tuple[str, ...] = ()) -> list[str]:
        """The command that runs the laws."""
        line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", self.workers, *extra]
        line += ["--pyargs", "lawbook.spec_tests", "--impl", self.implementation, "--verdict", str(verdict)]
        line += ["--profile", self.profile, "--law-seed", str(self.seed), "--working-dtype", self.dtype]
        for option, values in (("--chapter", self.chapters), ("--component", self.components), ("--law", self.laws)):
            for value in values:
                line += [option, value]
        optional = {
            "--device": self.device,
            "--expected": self.expected,
            "--law-timeout": self.law_timeout,
            "--memory-limit": self.memory_limit,
        }
        for option, chosen in optional.items():
            if chosen is not None:
                line += [option, str(chosen)]
        return line

    def blank_verdict(self) -> Verdict:
        """What is known of the verdict before any law is judged."""
        return {
            "schema": 1,
            "lawbook": importlib.metadata.version("lawbook"),
            "implementation": {"name": self.implementation, "version": None, "source": self.implementation},
            "profile": self.profile,
            "seed": self.seed,
            "device": self.device,
            "dtype": self.dtype,
            "complete": False,
            "selection": {"chapters": self.chapters, "components": self.components, "laws": self.laws},
            "machine": {"system": f"{platform.system()} {platform.machine()}"},
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "components": {},
        }


def prepare(request: Request) -> None:
    """Refuse what cannot run, before anything is started.

    Raises:
        Refusal: an unknown name, a missing implementation, a damaged file or an unwritable one.
    """
    _check_workers(request)
    _check_implementation(request.implementation)
    if request.verdict is not None:
        _check_writable(request.verdict)
    if request.expected is not None:
        _check_expected(request.expected)


def _check_workers(request: Request) -> None:
    if request.workers in ("auto", "logical"):
        return
    if not request.workers.isdigit():
        raise Refusal(f"-n takes a number, auto or logical, not {request.workers!r}.")
    # Without a worker a crash of the implementation would take the whole run with it.
    request.workers = str(max(1, int(request.workers)))


def _check_implementation(name: str) -> None:
    """A first look that imports nothing of the implementation: that is left to the workers."""
    if name.endswith(".py") or os.sep in name:
        if not Path(name).is_file():
            raise Refusal(f"There is no file {name}.")
        return
    adapters = importlib.util.find_spec("lawbook.fixtures.adapters")
    places = [Path(place) for place in adapters.submodule_search_locations or ()] if adapters else []
    built_in = {"reference"} | {child.parent.name for place in places for child in place.glob("*/__init__.py")}
    if name in built_in:
        return
    with importable_from(Path.cwd()):
        try:
            found = importlib.util.find_spec(name.partition(".")[0])
        except (ImportError, ValueError):
            found = None
    if found is None:
        from difflib import get_close_matches

        close = get_close_matches(name, built_in, n=1)
        hint = f"did you mean {close[0]}?" if close else f"built in are {', '.join(sorted(built_in))}."
        raise Refusal(f"There is no implementation {name!r}: no built-in adapter, no module and no file; {hint}")


@contextlib.contextmanager
def importable_from(folder: Path) -> Iterator[None]:
    """Modules of the folder can be found, as pytest's process will find them."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _check_writable(path: Path) -> None:
    folder = path.resolve().parent
    if path.is_dir():
        raise Refusal(f"The verdict cannot be written to {path}: it is a folder.")
    if not folder.is_dir():
        raise Refusal(f"The verdict cannot be written to {path}: there is no folder {folder}.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise Refusal(f"The verdict cannot be written to {path}: permission denied.")
    if path.exists() and path.stat().st_size:
        try:
            read(path)
        except VerdictError as error:
            raise Refusal(
                f"The verdict would overwrite {path}, which is none: remove it or name another file."
            ) from error


def _check_expected(path: Path) -> None:
    try:
        read_expected(path)
    except BadExpected as error:
        raise Refusal(sentence(str(error))) from error


def run(request: Request, console: Console) -> int:
    """Judge, report, and return the exit status."""
    prepare(request)
    previous = read(request.verdict) if request.verdict and _filled(request.verdict) else None
    file = request.verdict or temporary_folder() / "verdict.json"
    outcome = Run(request, file.resolve())
    # Two runs must never be mixed up: nothing of the previous one may be left to be read.
    for old in outcome.files:
        old.unlink(missing_ok=True)
    line = request.pytest_line(file)
    console.print(shlex.join(["python", *line[1:]]), style="dim", highlight=False, markup=False, soft_wrap=True)
    interrupted = not outcome.execute(line, console)
    code = outcome.report(console, previous, interrupted)
    if request.verdict is None and code == 0:
        outcome.remove()
    elif request.verdict is None or code == 2:
        for word, path in (("verdict", outcome.file), ("log", outcome.log)):
            if path.exists():
                console.print(f"{word}: {path}", highlight=False, markup=False, soft_wrap=True)
    return code


def temporary_folder() -> Path:
    """A folder of the run's own, for a verdict that nobody asked to keep."""
    return Path(tempfile.mkdtemp(prefix="lawbook-"))


def _filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


class Run:
    """One pytest process with its files."""

    def __init__(self, request: Request, file: Path):
        self.request = request
        self.file = file
        self.journal = Journal(path_of(file))
        self.log = file.with_name(file.name + ".log")
        self.status: int | None = None
        self.seconds = 0.0

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything the run writes."""
        return self.file, self.journal.path, self.log

    def remove(self) -> None:
        """Take the files away, and the folder made for them."""
        for path in self.files:
            path.unlink(missing_ok=True)
        self.file.parent.rmdir()

    def execute(self, line: list[str], console: Console) -> bool:
        """Run the process to its end; False when it was interrupted from the keyboard."""
        began = time.monotonic()
        try:
            with heeded(), self.log.open("wb") as log, scratch.folder() as storage:
                process = subprocess.Popen(
                    line,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    # Hypothesis would leave a folder of its own wherever the command is run; workers that die, their files.
                    env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": storage, "TMPDIR": storage},
                )
                try:
                    self._watch(process, console)
                except KeyboardInterrupt:
                    return False
                finally:
                    _end(process)
                    self.status = process.returncode
            return True
        except OSError as error:
            raise Refusal(f"The run cannot be started: {error}.") from error
        finally:
            self.seconds = time.monotonic() - began
            self.journal.follow()

    def _watch(self, process: subprocess.Popen, console: Console) -> None:
        columns = (
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failures]}[/]"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("starting", total=None, failures="")
            while process.poll() is None:
                self._show(progress, task)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
            self._show(progress, task)

    def _show(self, progress: Progress, task: Any) -> None:
        self.journal.follow()
        failures = self.journal.failures
        fields: dict[str, Any] = {"failures": f"{failures} failed" if failures else ""}
        if self.journal.laws:
            last = self.journal.laws[-1]
            fields["description"] = f"{last['component']} · {words(last['law'])}"
        progress.update(task, completed=len(self.journal.laws), total=self.journal.total, **fields)

    def report(self, console: Console, previous: Verdict | None, interrupted: bool) -> int:
        """Print what came out; the exit status."""
        verdict = self._verdict(interrupted)
        if verdict is None or not (verdict["components"] or interrupted):
            raise Refusal(self.complaint())
        print_failures(verdict, console, self.request.verdict or self.file)
        print_report(verdict, console, previous)
        if interrupted:
            console.print("interrupted: the run was stopped", style="bold red")
            return 2
        code = summary.exit_code(verdict)
        if not verdict["complete"]:
            console.print(self.complaint(), style="bold red", highlight=False, markup=False)
        if code == 0 and self.status != 0:
            # Every law on record holds, yet pytest is not content: something else broke, and that is never green.
            console.print(f"the run itself failed: {self.complaint()}", style="bold red", highlight=False, markup=False)
            return 2
        return code

    def _verdict(self, interrupted: bool) -> Verdict | None:
        """The run's verdict; an incomplete one from the journal when it wrote none; None when nothing was judged."""
        if self.file.exists() and not interrupted:
            return read(self.file)
        if not self.journal.start and not interrupted:
            return None
        return self.journal.partial({**self.request.blank_verdict(), "seconds": self.seconds})

    def complaint(self) -> str:
        """The run's own complaint in one sentence."""
        output = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        # The plugin's own section ends the output; pytest's complaints about its options stand alone.
        said = re.findall(r"^=+ lawbook =+\n(.+)", output, re.MULTILINE) or re.findall(
            r"^ERROR: (.+)", output, re.MULTILINE
        )
        if said:
            return sentence(said[-1])
        if self.status is not None and self.status < 0:
            name = signal.Signals(-self.status).name
            return f"The run was killed by {name} before any law was judged (its output: {self.log})."
        return f"The run ended with status {self.status} before any law was judged (its output: {self.log})."


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _end(process: subprocess.Popen) -> None:
    """End the process and all its workers: first asking, then not."""
    for number, grace in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
