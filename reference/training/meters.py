"""What is counted and what is timed on the way."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_whole

Number = int | float | Tensor


def accumulator(n: int, program: Sequence[Sequence[Number] | None]) -> Tensor:
    """Keep n running totals, and write down what they are after every step.

        add(v):   total_k ← total_k + v_k   for every k
        reset():  total_k ← 0               for every k

    Totals are kept in double precision whatever is added, so that a count of samples does not come to a halt at 2²⁴, and
    hold no graph: adding up losses keeps none of the computations alive that led to them.

    Args:
        n: how many totals there are, at least 1. They begin at 0.
        program: the steps: n values to be added, or None for a reset. A value is a number, or a tensor of one element of
            any shape and dtype.

    Returns:
        (steps, n) float64: the totals after each step. It does not require a gradient.

    Raises:
        ValueError: ``n`` is below 1, a step has another number of values, or a tensor more or less than one element.
        TypeError: ``n`` is no whole number.

    Conventions: the note's class adds as many values as are given and forgets the totals of the others. Here that is an
        error.

    Source: note 004 (softmax regression from scratch, Accumulator).
    """
    totals = [0.0] * check_whole("n", n, 1)
    found = []
    for k, values in enumerate(program):
        if values is None:
            totals = [0.0] * n
        elif len(values) != n:
            raise ValueError(f"program[{k}] has {len(values)} values, expected {n}")
        else:
            totals = [total + _number(f"program[{k}]", value) for total, value in zip(totals, values, strict=True)]
        found.append(totals)
    return torch.tensor(found, dtype=torch.float64).reshape(len(found), n)


def timer(
    program: Sequence[str | Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, Tensor | float]:
    """Time laps, and give their sum, average and running sum.

        lap_k = (reading at the k-th "stop") − (reading at the last "start" before it)
        sum = Σ_k lap_k,   avg = sum / laps,   cumsum_k = Σ_{j ≤ k} lap_j

    The timer runs from the beginning, as if "start" came first. A "stop" does not start it anew: what comes after it until
    the next "start" is part of no lap but of one that another "stop" ends, which counts from the same start.

    Args:
        program: the steps, at least one of them "stop": "start", "stop", or a function without arguments, which is called
            once.
        clock: what the time is, in seconds: a clock that never goes back, and goes on while nothing is computed. It is read
            at the beginning, and at every "start" and "stop".

    Returns:
        A dict of "times" and "cumsum", (laps,) float64 each, and "sum" and "avg", numbers.

    Raises:
        ValueError: an unknown step, or no "stop". No function is called then.

    Conventions: ``time.time`` follows the calendar and is set back at times; ``time.process_time`` stands still while the
        process waits for a device or a disk. Work handed to an accelerator must be waited for inside the lap.

    Source: note 004 (linear regression, Timer); note 002 (training loops).
    """
    unknown = [step for step in program if not callable(step) and step not in ("start", "stop")]
    if unknown or "stop" not in program:
        raise ValueError(f"program holds {unknown or 'no stop'}, expected 'start', 'stop' and functions, and a stop")
    times = []
    begun = clock()
    for step in program:
        if callable(step):
            step()
        elif step == "start":
            begun = clock()
        else:
            times.append(clock() - begun)
    laps = torch.tensor(times, dtype=torch.float64)
    return {"times": laps, "sum": float(laps.sum()), "avg": float(laps.mean()), "cumsum": laps.cumsum(0)}


def _number(name: str, value: Number) -> float:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name} has a tensor of shape {tuple(value.shape)}, expected one element")
    return float(value)
