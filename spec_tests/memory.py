"""Whose memory a result lies in: for laws that tell views from copies."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import NotOffered, copy
from lawbook.fixtures.tree import leaves
from lawbook.fixtures.trial import Trial


def storage(leaf: Any) -> int:
    """Where the memory of a tensor or NumPy array begins; 0 of an empty one and of anything else."""
    while isinstance(leaf, np.ndarray) and isinstance(leaf.base, np.ndarray):
        leaf = leaf.base
    if isinstance(leaf, np.ndarray):
        return leaf.ctypes.data if leaf.size else 0
    return leaf.untyped_storage().data_ptr() if isinstance(leaf, Tensor) and leaf.numel() else 0


def window(native: Any, impl: Trial) -> Tensor:
    """A tensor over the very memory of an implementation's own array: writing to one writes to the other.

    Raises:
        NotOffered: the implementation's arrays cannot be written to; the law does not apply to it then.
    """
    if isinstance(native, Tensor):
        return native.detach()
    if isinstance(native, np.ndarray):
        return torch.from_numpy(native)
    raise NotOffered(f"arrays of {impl.implementation.name} cannot be written to")


def written_over(impl: Trial, case: Case) -> tuple[Any, Any]:
    """What a call gives once the result of the same call before has been written over, and that result as it was.

    Raises:
        NotOffered: the implementation's arrays cannot be written to.
    """
    native, result = impl.call_with(copy(case.arguments))
    before = copy(result)
    windows = [window(leaf, impl) for _, leaf in leaves(native) if storage(leaf)]
    kept = [numbers.clone() for numbers in windows]
    for numbers in windows:
        numbers.add_(1)
    after = copy(impl(case))
    # What an implementation keeps is as it was for the laws that follow.
    for numbers, old in zip(windows, kept, strict=True):
        numbers.copy_(old)
    return after, before


class OwnMemory:
    """What holds where results are made from numbers alone, and might be kept for the next call."""

    def test_each_result_has_memory_of_its_own(self, impl: Trial, case: Case) -> Any:
        """Whoever writes into a result changes none that comes later."""
        return written_over(impl, case)
