"""Soak: judge an implementation that is known to be right on many seeds, and report every seed on which a law does not hold.

Blocks of seeds of a component are judged in processes of their own. Expected failures (recorded findings) do not count. With a
log, finished blocks are kept: a soak that was interrupted or ran out of time goes on where it stopped.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lawbook.fixtures import implementation as implementations
from lawbook.fixtures.implementation import CannotLoad, Implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.running import Settings, run_law
from lawbook.spec_tests.spec import Spec
from lawbook.tools import figures, scratch
from lawbook.tools.expected import reason_of, shipped, weigh
from lawbook.tools.interrupts import heeded
from lawbook.tools.refusal import Refusal, require_known

BAD = ("fail", "error")
Task = tuple[str, int, int]
"""Component, first seed, seeds."""
SEEDS = 50
"""Seeds a block: back ends that compile by shape share what they compiled among them."""
FEW = 5
"""Seeds a block where a sample is spread over many."""


@dataclass(frozen=True)
class Plan:
    """What is judged and under which conditions.

    Args:
        implementation: a built-in adapter, a module or a file.
        seeds: every component is judged on seeds 0 to ``seeds`` − 1; None: as many as ``cases`` or ``minutes`` allow. With
            one of these, a sample that is spread over components and seeds alike.
        cases: no further block is begun when so many law-cases have been judged.
        minutes: no further block is begun after so long.
        threads: torch's threads a worker.
        flush: numbers below the smallest normal one are flushed to zero.
        offset: tensors begin so many elements into their memory.
    """

    implementation: str
    chapters: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    seeds: int | None = None
    cases: int | None = None
    minutes: float | None = None
    profile: str = "default"
    dtype: str = "float32"
    threads: int = 1
    flush: bool = False
    offset: int = 0

    def title(self) -> str:
        """The implementation, and what is other than usual."""
        told = {
            f"{self.profile} profile": self.profile != "default",
            self.dtype: self.dtype != "float32",
            f"{self.threads} threads": self.threads != 1,
            "denormals flushed": self.flush,
            f"offset {self.offset}": self.offset > 0,
        }
        return ", ".join([self.implementation, *(words for words, other in told.items() if other)])

    def conditions(self) -> dict[str, Any]:
        """What the blocks of one log have in common."""
        names = ("implementation", "profile", "dtype", "threads", "flush", "offset")
        return {name: getattr(self, name) for name in names}


@dataclass
class Block:
    """What became of a block of seeds of one component."""

    component: str
    first: int
    seeds: int
    cases: int = 0
    expected: int = 0
    worst: float = 0.0
    cpu: float = 0.0
    alarms: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Soaked:
    """All blocks of a soak, those of an earlier run of the same log included."""

    blocks: list[Block]
    stopped: str | None = None

    @property
    def alarms(self) -> list[tuple[str, dict[str, Any]]]:
        """Component and alarm."""
        return [(block.component, alarm) for block in self.blocks for alarm in block.alarms]

    def summary(self) -> str:
        """One line."""
        components = {block.component for block in self.blocks if block.cases}
        seeds = {seed for block in self.blocks for seed in range(block.first, block.first + block.seeds)}
        cases, cpu = sum(b.cases for b in self.blocks), sum(b.cpu for b in self.blocks)
        expected = sum(b.expected for b in self.blocks)
        worst = max((block.worst for block in self.blocks), default=0.0)
        return (
            f"{len(components)} components, {len(seeds)} seeds, {cases} law-cases in {cpu:.0f} CPU s "
            f"({expected} of them of recorded findings), worst share {worst:.3g}, alarms: {len(self.alarms)}"
        )


def judge_block(plan: Plan, component: str, first: int, seeds: int) -> Block:
    """All laws of a component on a block of seeds."""
    torch.set_num_threads(plan.threads)
    torch.set_flush_denormal(plan.flush)
    implementations.clone_offset = plan.offset
    return judged(load()[component], implementations.load(plan.implementation), plan, first, seeds)


def judged(spec: type[Spec], implementation: Implementation, plan: Plan, first: int, seeds: int) -> Block:
    """The same in this process."""
    block, known = Block(spec.name, first, seeds), shipped(plan.implementation).get(spec.name, {})
    started = time.process_time()
    implementation.prepare(spec.name)
    for seed in range(first, first + seeds):
        settings = Settings(profile=plan.profile, seed=seed, dtype=getattr(torch, plan.dtype))
        for law in spec.law_names():
            result = run_law(spec, law, implementation, settings)
            weigh(result, reason_of(known, law, settings.dtype), settings.finds_deviations and not plan.flush)
            block.cases += result.cases
            if result.outcome == "expected_failure":
                block.expected += result.cases
            elif result.outcome in BAD:
                block.alarms.append({"seed": seed, "law": law, "text": result.text})
            else:
                block.worst = max(block.worst, float(f"{result.worst:.3g}"))
    block.cpu = round(time.process_time() - started, 1)
    return block


def soak(plan: Plan, log: Path | None, workers: int, console: Console) -> Soaked:
    """Judge block by block until the plan is fulfilled, time is over, or someone interrupts."""
    with heeded(), scratch.folder() as files:
        return _soak(plan, log, workers, console, files)


def _soak(plan: Plan, log: Path | None, workers: int, console: Console, files: str) -> Soaked:
    if plan.seeds is None and plan.cases is None and plan.minutes is None:
        raise Refusal("Say when to stop: --seeds, --cases or --minutes.")
    names = _components(plan)
    done = _read(log, plan) if log else []
    chosen = set(names)
    soaked = Soaked([block for block in done if block.component in chosen])
    finished = {(block.component, seed) for block in done for seed in range(block.first, block.first + block.seeds)}
    for component, alarm in soaked.alarms:
        _tell(console, component, alarm)
    tasks = _tasks(plan, names, finished)
    deadline = time.monotonic() + 60 * plan.minutes if plan.minutes is not None else None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    row = bar.add_task("soaking", total=plan.cases or (plan.seeds * len(names) if plan.seeds else None), said="")
    running: dict[Any, Worker] = {}
    again: list[Task] = []
    try:
        with bar:
            while True:
                while len(running) < workers and soaked.stopped is None:
                    soaked.stopped = _enough(plan, soaked, deadline)
                    task = (again.pop() if again else next(tasks, None)) if soaked.stopped is None else None
                    if task is None:
                        break
                    worker = Worker(plan, task, files)
                    running[worker.answers] = worker
                if not running:
                    return soaked
                said = f"{', '.join(sorted(w.task[0] for w in running.values()))}; alarms: {len(soaked.alarms)}"
                bar.update(row, completed=_progress(plan, soaked), said=said)
                for ready in wait(list(running)):
                    worker = running.pop(ready)
                    block = worker.result()
                    component, first, seeds = worker.task
                    if block is None and seeds > 1:
                        # Seed by seed, so that only the one that ends the process is lost, and is named.
                        again += [(component, seed, 1) for seed in reversed(range(first, first + seeds))]
                        continue
                    if block is None:
                        text = f"the process ended ({worker.ended()}); `lawbook check --seed {first}` names the law"
                        block = Block(component, first, 1, alarms=[{"seed": first, "law": "crash", "text": text}])
                    soaked.blocks.append(block)
                    if log:
                        _append(log, plan, block)
                    for alarm in block.alarms:
                        _tell(console, component, alarm)
    except KeyboardInterrupt:
        soaked.stopped = "interrupted"
        return soaked
    finally:
        for worker in running.values():
            worker.process.kill()
            worker.process.join()


class Worker:
    """A process that judges one block. It is an ordinary one: an implementation may have children of its own."""

    def __init__(self, plan: Plan, task: Task, files: str):
        context = multiprocessing.get_context("forkserver")
        # Loaded once for all workers; adapters are left to them, as some libraries start threads.
        context.set_forkserver_preload([m for m in sys.modules if m.startswith("lawbook.") and ".adapters." not in m])
        self.task = task
        self.answers, there = context.Pipe(duplex=False)
        self.process = context.Process(target=_serve, args=(there, plan, task, files))
        with _one_thread():
            self.process.start()
        there.close()

    def result(self) -> Block | None:
        """The block; None when the process ended without an answer."""
        try:
            answer = self.answers.recv()
        except EOFError:
            answer = None
        self.process.join()
        if isinstance(answer, str):
            raise Refusal(answer)
        return answer

    def ended(self) -> str:
        """How the process ended."""
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes begun inside compute with one thread until they ask for more.

    The server from which workers are forked may not have begun any: a fork that computes with several waits for them for ever.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _serve(answers: Any, plan: Plan, task: Task, files: str) -> None:
    scratch.use(files)
    try:
        answers.send(judge_block(plan, *task))
    except CannotLoad as error:
        answers.send(f"{error}.")


def _components(plan: Plan) -> list[str]:
    specs = load()
    require_known("component", plan.components, specs)
    require_known("chapter", plan.chapters, {spec.chapter for spec in specs.values()})
    try:
        implementation = implementations.load(plan.implementation)
    except CannotLoad as error:
        raise Refusal(f"{error}.") from None
    return [
        name
        for name, spec in specs.items()
        if (not plan.components or name in plan.components)
        and (not plan.chapters or spec.chapter in plan.chapters)
        and implementation.function(name) is not None
    ]


def _tasks(plan: Plan, names: list[str], finished: set[tuple[str, int]]) -> Iterator[Task]:
    """(component, first seed, seeds) not judged yet; all components before any has another turn."""
    sampled = plan.seeds is not None and (plan.cases is not None or plan.minutes is not None)
    size = FEW if sampled else SEEDS
    blocks = None if plan.seeds is None else -(-plan.seeds // size)
    for turn in count() if blocks is None else range(blocks):
        for place, name in enumerate(names):
            # In a sample, neighbours are on other seeds in the same turn.
            first = size * ((turn + place) % blocks if sampled and blocks else turn)
            last = first + size if plan.seeds is None else min(first + size, plan.seeds)
            left = [seed for seed in range(first, last) if (name, seed) not in finished]
            if left:
                yield name, left[0], last - left[0]
        if not names:
            return


def _enough(plan: Plan, soaked: Soaked, deadline: float | None) -> str | None:
    if plan.cases is not None and sum(block.cases for block in soaked.blocks) >= plan.cases:
        return "cases"
    return "time" if deadline is not None and time.monotonic() >= deadline else None


def _progress(plan: Plan, soaked: Soaked) -> int:
    return sum(block.cases if plan.cases else block.seeds for block in soaked.blocks)


def _tell(console: Console, component: str, alarm: dict[str, Any]) -> None:
    console.print(f"[red]ALARM[/] {component} · {alarm['law'].replace('_', ' ')} · seed {alarm['seed']}")
    console.print(escape(alarm["text"]), highlight=False)


def _read(log: Path, plan: Plan) -> list[Block]:
    """The blocks of an earlier run under the same conditions."""
    if not log.is_file():
        return []
    try:
        conditions, *blocks = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        found = [Block(**block) for block in blocks]
    except (OSError, ValueError, TypeError) as error:
        raise Refusal(f"{log} is not the log of a soak: {error}.") from None
    if conditions != plan.conditions():
        other = [f"{k} {conditions.get(k)!r}" for k, v in plan.conditions().items() if conditions.get(k) != v]
        raise Refusal(f"{log} belongs to a soak under other conditions: {', '.join(other)}.")
    return found


def _append(log: Path, plan: Plan, block: Block) -> None:
    new = not log.is_file()
    with log.open("a", encoding="utf-8") as file:
        if new:
            file.write(json.dumps(plan.conditions()) + "\n")
        file.write(json.dumps(asdict(block)) + "\n")


def run(plan: Plan, log: Path | None, workers: int, console: Console, keep: bool = False) -> int:
    """Soak and print the summary; 0 without alarms, 1 with some."""
    if keep:
        figures.whole_chapters(plan.components)
    soaked = soak(plan, log, workers, console)
    console.print(f"{plan.implementation}: {soaked.summary()}", highlight=False)
    if soaked.stopped == "interrupted":
        console.print(
            "Interrupted; " + (f"run it again with --log {log} to go on." if log else "nothing was kept: no --log.")
        )
        return 2
    if keep:
        figures.keep("soak", {name: {plan.title(): row} for name, row in by_chapter(plan, soaked).items()})
    return bool(soaked.alarms)


def by_chapter(plan: Plan, soaked: Soaked) -> dict[str, dict[str, int]]:
    """Law-cases, alarms, and on how many seeds every component was judged, by chapter."""
    specs, blocks = load(), {name: [b for b in soaked.blocks if b.component == name] for name in _components(plan)}
    chapters: dict[str, list[str]] = {}
    for name in blocks:
        chapters.setdefault(specs[name].chapter, []).append(name)
    return {
        chapter: {
            "seeds": min(sum(b.seeds for b in blocks[name]) for name in names),
            "cases": sum(b.cases for name in names for b in blocks[name]),
            "alarms": sum(len(b.alarms) for name in names for b in blocks[name]),
        }
        for chapter, names in chapters.items()
    }
