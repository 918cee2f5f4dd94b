"""Keeping a misbehaving implementation from ending the run.

What the well-kept parts cover: xdist replaces a worker that dies (os._exit, a segmentation fault, the watchdog below) and
goes on; resource limits turn memory without end into MemoryError; pytest captures whatever is printed. What is left to us:
a watchdog that also stops loops in C that never release the interpreter (faulthandler's runs in a C thread and needs no
interpreter lock, which a Python timer or a signal handler does), marks that tell a time-out from a crash, and sparing a
component's other laws once one of them has taken a worker down.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LOADING = "loading the implementation"


class Run:
    """A folder of marks shared by the processes of one run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

    @classmethod
    def create(cls) -> Run:
        """A new folder."""
        return cls(Path(tempfile.mkdtemp(prefix="lawbook-")))

    def remove(self) -> None:
        """Forget the marks."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def note_laws(self, nodeids: list[str]) -> None:
        """Mark which of the collected items are laws."""
        partial = self.folder / f"{self.worker}.laws"
        partial.write_text(json.dumps(nodeids))
        partial.replace(self.folder / "laws.json")

    def laws(self) -> set[str]:
        """The items that are laws, as a worker marked them."""
        try:
            return set(json.loads((self.folder / "laws.json").read_text()))
        except OSError:
            return set()

    def at_work_on(self, what: dict[str, Any]) -> None:
        """Mark what this process is about to judge."""
        (self.folder / f"{self.worker}.json").write_text(json.dumps(what))

    def why_died(self, worker: str, nodeid: str) -> dict[str, Any] | None:
        """The result of a law whose worker died; the component's other laws are condemned with it."""
        try:
            mark = json.loads((self.folder / f"{worker}.json").read_text())
        except (OSError, ValueError):
            return None
        timed_out = "Timeout (" in self._watchdog_log(worker)
        outcome = "timeout" if timed_out else "crash"
        if mark.get("law") == LOADING:
            how = "took too long to import" if timed_out else "ended the process while it was imported"
            self.stop(f"the implementation {how}")
            return None
        if mark.pop("preparing", False):
            how = "preparing it took too long" if timed_out else "the process died while it was prepared"
        else:
            how = f"a case took longer than {mark['limit']:g} s" if timed_out else "the process died during the call"
        law = mark["law"]
        result = {
            **mark,
            "outcome": outcome,
            "cases": 0,
            "worst": 0.0,
            "seconds": round(time.time() - mark["since"], 3),
            "reason": how,
            "text": f"{mark['component']} · {law.replace('_', ' ')} · chapter {mark['chapter']}\n  {how}"
            + self._where(worker),
            "failure": None,
        }
        (self.folder / f"condemned-{mark['component']}.json").write_text(
            json.dumps({"outcome": outcome, "reason": f"not tried again: in {law}, {how}"})
        )
        return result

    def _watchdog_log(self, worker: str) -> str:
        try:
            return (self.folder / f"{worker}.watchdog").read_text(errors="replace")
        except OSError:
            return ""

    def _where(self, worker: str) -> str:
        """The implementation's innermost line, as the watchdog or the crash handler saw it."""
        for line in self._watchdog_log(worker).splitlines():
            if line.strip().startswith("File ") and "lawbook" not in line and "threading.py" not in line:
                return f"\n  at {line.strip()}"
        return ""

    def condemned(self, component: str) -> dict[str, str] | None:
        """Why a component's other laws are not tried."""
        try:
            return json.loads((self.folder / f"condemned-{component}.json").read_text())
        except OSError:
            return None

    def stop(self, sentence: str) -> None:
        """The run cannot be made."""
        with contextlib.suppress(FileExistsError), (self.folder / "cannot-run").open("x") as file:
            file.write(sentence)

    def cannot_run(self) -> str | None:
        """Why the run cannot be made, if so."""
        try:
            return (self.folder / "cannot-run").read_text()
        except OSError:
            return None


class Watchdog:
    """Ends the process when a case takes longer than the limit; the judge, before it computes itself, begins anew."""

    def __init__(self, run: Run, limit: float):
        self._limit = limit
        self._armed_at = 0.0
        # Kept open for the life of the worker: the watchdog and the crash handler write to its descriptor.
        self._log = (run.folder / f"{run.worker}.watchdog").open("w")
        faulthandler.enable(self._log)

    def beat(self) -> None:
        """A new case begins. Arming takes a thread, so it is done at most once a second."""
        now = time.monotonic()
        if now - self._armed_at > min(1.0, self._limit / 4):
            faulthandler.dump_traceback_later(self._limit, exit=True, file=self._log)
            self._armed_at = now

    def beat_slowly(self) -> None:
        """What an adapter prepares begins, once for many cases: it has the time of ten."""
        faulthandler.dump_traceback_later(10 * self._limit, exit=True, file=self._log)

    def rest(self) -> None:
        """Nothing of the implementation's runs."""
        faulthandler.cancel_dump_traceback_later()
        self._armed_at = 0.0


def limit_memory(gibibytes: float) -> None:
    """Let the process allocate so much beyond what it has now; only where the system can."""
    if not sys.platform.startswith("linux") or gibibytes <= 0:
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    wanted = pages * resource.getpagesize() + int(gibibytes * 2**30)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
