"""What became of every law: the journal while the run goes on, the verdict at its end."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import time
from collections import Counter
from pathlib import Path
from typing import Any

SCHEMA = 1
BAD = ("crash", "timeout", "error", "fail")
"""Outcomes that break a law, the gravest first."""

GRAVITY = (*BAD, "expected_failure", "pass")


class Record:
    """Results of one run.

    Args:
        option: pytest's options.
    """

    def __init__(self, option: Any):
        self._option = option
        self._started = time.time()
        self._total = 0
        self.laws: list[dict[str, Any]] = []
        self.sentence: str | None = None
        self._verdict = Path(option.verdict).resolve() if option.verdict else None
        self._journal = self._verdict.with_name(self._verdict.name + ".journal") if self._verdict else None

    def begin(self, total: int) -> None:
        """The number of laws is known."""
        self._total = total
        if self._journal:
            self._journal.unlink(missing_ok=True)
        self._write(
            {"event": "start", "total": total, "implementation": self._option.impl, "seed": self._option.law_seed}
        )

    def add(self, law: dict[str, Any]) -> None:
        """One law is done; what is judged is on disk at once."""
        self.laws.append(law)
        self._write({"event": "law", **law})

    def finish(self, cannot_run: str | None, exitstatus: int) -> int:
        """Write the verdict and say the exit status: 0 all laws hold, 1 some do not, 2 cannot run or not whole."""
        judged = {(law["component"], law["law"]) for law in self.laws}
        complete = cannot_run is None and self._total > 0 and len(judged) == self._total and exitstatus in (0, 1)
        outcomes = Counter(law["outcome"] for law in self.laws)
        if cannot_run:
            self.sentence = cannot_run
        elif self._total == 0:
            self.sentence = "no law was collected: check the names of chapters, components and laws"
        elif not complete:
            self.sentence = (
                f"the run was cut short: {len(judged)} of {self._total} laws were judged, so there is no verdict"
            )
        elif not any(law["cases"] for law in self.laws) and not any(outcomes[bad] for bad in BAD):
            self.sentence = "nothing was judged: the implementation provides none of the chosen components"
        if self._verdict:
            self._verdict.write_text(json.dumps(_sorted(self.verdict(complete)), indent=1) + "\n", encoding="utf-8")
        self._write({"event": "end", "complete": complete})
        if complete and self._journal:
            self._journal.unlink(missing_ok=True)
        if self.sentence:
            return 2
        return 1 if any(outcomes[bad] for bad in BAD) or exitstatus else 0

    def summary(self) -> list[str]:
        """What the terminal says at the end of a plain pytest run."""
        verdict = self.verdict(True)
        components = Counter(component["outcome"] for component in verdict["components"].values())
        said = [f"{n} {outcome.replace('_', ' ')}" for outcome, n in sorted(components.items())]
        cases = sum(law["cases"] for law in self.laws)
        lines = [
            f"{verdict['implementation']['name']} {verdict['implementation']['version']}: components: {', '.join(said)}",
            f"laws: {len(self.laws)}, cases: {cases}, seed: {verdict['seed']}, profile: {verdict['profile']}",
        ]
        if self._verdict:
            lines.append(f"verdict: {self._verdict}")
        return lines

    def verdict(self, complete: bool) -> dict[str, Any]:
        """The verdict as data."""
        option = self._option
        first = self.laws[0] if self.laws else {}
        return {
            "schema": SCHEMA,
            "lawbook": importlib.metadata.version("lawbook"),
            "implementation": first.get(
                "implementation", {"name": option.impl, "version": "unknown", "source": option.impl}
            ),
            "profile": option.profile,
            "seed": first.get("seed", option.law_seed),
            "device": option.device or "cpu",
            "dtype": option.working_dtype,
            "complete": complete,
            "selection": {
                "chapters": sorted(option.chapter),
                "components": sorted(option.component),
                "laws": sorted(option.law),
            },
            "machine": _machine(getattr(option, "numprocesses", None)),
            "started": datetime.datetime.fromtimestamp(self._started, datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self._started, 2),
            "components": self._components(),
        }

    def _components(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for law in self.laws:
            entry = found.setdefault(
                law["component"],
                {"chapter": law["chapter"], "prerequisites": law["prerequisites"], "seconds": 0.0, "laws": {}},
            )
            entry["seconds"] = round(entry["seconds"] + law["seconds"], 4)
            kept = ("outcome", "cases", "worst", "seconds", "reason", "failure")
            entry["laws"][law["law"]] = {key: law[key] for key in kept}
        for entry in found.values():
            entry["outcome"] = component_outcome([law["outcome"] for law in entry["laws"].values()])
            if entry["outcome"] == "not_provided":
                entry["laws"] = {}
        return found

    def _write(self, event: dict[str, Any]) -> None:
        if self._journal:
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")


def _sorted(tree: Any) -> Any:
    """Dicts in the order of their keys, so that equal runs write equal files; a counterexample keeps its own order."""
    if not isinstance(tree, dict):
        return tree
    return {key: tree[key] if key == "failure" else _sorted(tree[key]) for key in sorted(tree)}


def component_outcome(laws: list[str]) -> str:
    """A component's outcome: the gravest of its laws'."""
    for outcome in GRAVITY:
        if outcome in laws:
            return outcome
    return "not_provided" if "not_provided" in laws else (laws[0] if laws else "not_run")


def _machine(workers: Any) -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "processors": os.cpu_count() or 1,
        "workers": workers or 0,
    }
