"""The table of docs/measurements.md: what judging costs, by chapter.

python -m lawbook.tools.speed [--impl torch] [--chapter losses …] [--seed 0] [--profile default]
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch

from lawbook.fixtures.implementation import Implementation, load
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests import load as specs
from lawbook.tools.soak import Plan, judged

HEADER = (
    "| chapter | components | law-cases | CPU s | wall s | law-cases a CPU second | of the CPU time in the components |"
)
Clock = Callable[[], float]


@dataclass
class Cost:
    """What judging some components took; ``inside`` is the CPU time of their calls and gradients."""

    components: int = 0
    cases: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    inside: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """Both together."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Cost(*(a + b for a, b in pairs))

    def row(self, name: str) -> str:
        """A line of the table."""
        speed, inside = self.cases / max(self.cpu, 1e-9), self.inside / max(self.cpu, 1e-9)
        return f"| {name} | {self.components} | {self.cases:,} | {self.cpu:.1f} | {self.wall:.1f} | {speed:,.0f} | {inside:.0%} |"


@contextmanager
def calls_of(implementation: Implementation, spent: list[float], clock: Clock = time.process_time) -> Iterator[None]:
    """Append the seconds of every call of the implementation to ``spent``."""

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Trial, *args: Any, **kwargs: Any) -> Any:
            begun = clock()
            try:
                return method(self, *args, **kwargs)
            finally:
                if self.implementation is implementation:
                    spent.append(clock() - begun)

        return call

    with (
        patch.object(Trial, "call_with", timed(Trial.call_with)),
        patch.object(Trial, "products", timed(Trial.products)),
    ):
        yield


def cost(component: str, implementation: Implementation, plan: Plan, seed: int) -> Cost:
    """What all laws of a component take on one seed."""
    spent: list[float] = []
    cpu, wall = time.process_time(), time.perf_counter()
    with calls_of(implementation, spent):
        block = judged(specs()[component], implementation, plan, seed, 1)
    return Cost(1, block.cases, time.process_time() - cpu, time.perf_counter() - wall, sum(spent))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, chapter by chapter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impl", default="torch")
    parser.add_argument("--chapter", action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", default="default")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    implementation, plan = load(given.impl), Plan(given.impl, profile=given.profile)
    chapters: dict[str, list[str]] = {}
    for name, spec in specs().items():
        if implementation.function(name) and (not given.chapter or spec.chapter in given.chapter):
            chapters.setdefault(spec.chapter, []).append(name)
    print(HEADER, "|---|---|---|---|---|---|---|", sep="\n", flush=True)
    total = Cost()
    for chapter, names in chapters.items():
        found = sum((cost(name, implementation, plan, given.seed) for name in names), Cost())
        total += found
        print(found.row(chapter), flush=True)
    print(total.row("all"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
