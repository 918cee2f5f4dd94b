"""The journal of a run: one JSON object a line, followed while it grows, and read when the run was cut short."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lawbook.tools.report.verdict import FAILING, JUDGED, Verdict


def path_of(verdict: Path) -> Path:
    """Where the run that writes this verdict keeps its journal."""
    return verdict.with_name(verdict.name + ".journal")


@dataclass
class Journal:
    """Events read so far; ``follow`` reads what has been added since."""

    path: Path
    start: dict[str, Any] = field(default_factory=dict)
    laws: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False
    _read: int = 0

    def follow(self) -> list[dict[str, Any]]:
        """The events added since the last call. A line still being written is left for the next one."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._read)
                added = stream.read()
        except OSError:
            # Not begun yet, or removed because the verdict is complete.
            return []
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        events = [event for event in map(_event, whole.splitlines()) if event]
        for event in events:
            self._take(event)
        return events

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "start":
            self.start = event
        elif kind == "law":
            self.laws.append(event)
        elif kind == "end":
            self.ended = True

    @property
    def total(self) -> int | None:
        """How many laws will be judged, once known."""
        return self.start.get("total")

    @property
    def failures(self) -> int:
        """Laws that failed so far."""
        return sum(law["outcome"] in FAILING for law in self.laws)

    def partial(self, request: dict[str, Any]) -> Verdict:
        """What was judged so far as an incomplete verdict; ``request`` fills in what the journal does not say."""
        components: dict[str, Any] = {}
        for law in self.laws:
            component = components.setdefault(
                law["component"],
                {
                    "chapter": law["chapter"],
                    "outcome": "not_run",
                    "seconds": 0.0,
                    "prerequisites": law.get("prerequisites", []),
                    "laws": {},
                },
            )
            if law["outcome"] == "not_provided":
                component["outcome"] = "not_provided"
                continue
            component["seconds"] += law["seconds"]
            component["laws"][law["law"]] = {
                "outcome": law["outcome"],
                "cases": law["cases"],
                "worst": law["worst"],
                "seconds": law["seconds"],
                "reason": law.get("reason"),
                "failure": law.get("failure"),
            }
        for component in components.values():
            outcomes = {law["outcome"] for law in component["laws"].values()}
            judged = [outcome for outcome in JUDGED if outcome in outcomes]
            if judged:
                component["outcome"] = judged[0]
        said = next((law["implementation"] for law in self.laws if "implementation" in law), request["implementation"])
        return {**request, "implementation": said, "complete": False, "components": components}


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
