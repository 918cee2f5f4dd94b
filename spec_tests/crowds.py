"""Long batches: plain cases whose samples come again and again, in more of them than a kernel's tile holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.tree import is_floating, values
from lawbook.spec_tests.drawing import case_of, drafts

if TYPE_CHECKING:
    from lawbook.spec_tests.spec import Batch, Spec

MANY = 37
"""Samples: some more than a tile of 32, and no multiple of the smaller ones that kernels cut batches into."""
FEWER = (2, 3, 5, 9, 17, 33)
"""Once that fails, the first of these that fails too is shown."""
CASES = 2
"""At most so many cases of a component, the same for every seed, each with an argument that those before it had not."""
DRAWN = 40
"""Among so many drafts."""
LARGEST = 20_000
"""Elements of the arguments that hold the samples; components whose samples are larger are spared."""
PLAIN = 100.0
"""No element is larger than this."""


def crowded(spec: Spec) -> Iterator[tuple[Case, Batch]]:
    """The first plain cases of the component that hold two samples or more."""
    known: set[str] = set()
    found = 0
    for draft in drafts(spec.name, spec.cases, 0, DRAWN):
        case = case_of(spec.name, spec.cases, draft, spec.dtype)
        batch, given = spec.batch(case), {name for name, value in case.arguments.items() if value is not None}
        if batch is None or given <= known or not _is_plain(case) or _samples(case, batch) < 2:
            continue
        if sum(case[name].numel() for name in batch.arguments) * MANY <= LARGEST * _samples(case, batch):
            yield case, batch
            known |= given
            found += 1
            if found == CASES:
                return


def of_samples(case: Case, batch: Batch, count: int) -> Case:
    """The case with ``count`` of its samples, each as often as chance has it."""
    size = _samples(case, batch)
    order = torch.randint(size, (MANY,), generator=torch.Generator().manual_seed(size))[:count]
    return case.but(**{name: case[name].index_select(axis, order) for name, axis in batch.arguments.items()})


def waves(*shape: int) -> Tensor:
    """Numbers in [−1, 1] of which no two are alike, for edges that hold more than cases do."""
    return torch.arange(math.prod(shape), dtype=torch.float64).cos().reshape(shape)


def _samples(case: Case, batch: Batch) -> int:
    sizes = {case[name].shape[axis] for name, axis in batch.arguments.items()}
    return sizes.pop() if len(sizes) == 1 else 0


def _is_plain(case: Case) -> bool:
    numbers = [leaf for leaf in values(case.arguments) if is_floating(leaf)]
    return all(bool((leaf.abs() <= PLAIN).all()) for leaf in numbers)
