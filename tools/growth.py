"""The table of docs/measurements.md: what boxes cost, the more there are.

python -m lawbook.tools.growth [--sizes 100 1000 10000] [--impl reference --impl torch --impl numpy]
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from lawbook.fixtures.implementation import Implementation, load
from lawbook.fixtures.trial import Trial

OBJECTS, CHANNELS, SIDE, BINS, REPEATS = 20, 8, 32, 7, 5
Clock = Callable[[], float]


def boxes(count: int, gen: Generator) -> Tensor:
    """Boxes all over an image, their sides a twentieth to three tenths of it."""
    low, size = torch.rand(count, 2, generator=gen), 0.05 + 0.25 * torch.rand(count, 2, generator=gen)
    return torch.cat((low, low + size), 1)


def workloads(count: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Component, what it is given in words, and its arguments."""
    gen = Generator().manual_seed(count)
    given = boxes(count, gen)
    yield "box_iou", "n and n boxes", {"boxes1": given, "boxes2": boxes(count, gen)}
    yield "nms", "n boxes", {"boxes": given, "scores": torch.rand(count, generator=gen), "threshold": 0.5}
    yield "assign_anchors", f"n anchors, {OBJECTS} objects", {"ground_truth": boxes(OBJECTS, gen), "anchors": given}
    yield "multibox_prior", "n pixels", {"height": 1, "width": count, "sizes": (0.5,), "ratios": (1.0,)}
    features = torch.rand(1, CHANNELS, SIDE, SIDE, generator=gen)
    yield (
        "roi_align",
        f"n boxes, {CHANNELS} channels, {BINS}×{BINS} bins",
        {"features": features, "rois": [SIDE * given], "output_size": BINS, "sampling_ratio": 2},
    )


def seconds(call: Callable[[], Any], clock: Clock = time.process_time) -> float:
    """The least time of several calls, after one that is not counted."""
    call()
    found = []
    for _ in range(REPEATS):
        begun = clock()
        call()
        found.append(clock() - begun)
    return min(found)


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float:
    """The power of n by which the last two times differ."""
    return math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])


def table(sizes: Sequence[int], implementations: Sequence[Implementation], clock: Clock = time.process_time) -> str:
    """Markdown: milliseconds a call for every component, each implementation that has it, and number of boxes."""
    lines = [
        f"| component | given | implementation | {' | '.join(f'n = {n:,}' for n in sizes)} | grows as |",
        f"|---|---|---|{'---|' * len(sizes)}---|",
    ]
    for k, (component, given, _) in enumerate(workloads(sizes[0])):
        for implementation in implementations:
            if implementation.function(component) is None:
                continue
            times = []
            for n in sizes:
                trial, arguments = Trial(implementation, component), list(workloads(n))[k][2]
                times.append(seconds(lambda trial=trial, arguments=arguments: trial.call(**arguments), clock))  # type: ignore[misc]
            shown = " | ".join(f"{1000 * one:.3g}" for one in times)
            power = f"n^{exponent(sizes, times):.1f}"
            lines.append(f"| {component} | {given} | {implementation.name} | {shown} | {power} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What boxes cost, the more there are, in milliseconds of CPU a call.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--impl", action="append")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(table(chosen.sizes, [load(name) for name in chosen.impl or ("reference", "torch", "numpy")]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
