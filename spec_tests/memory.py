"""Whose memory a result lies in: for laws that tell views from copies."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.fixtures.implementation import NotOffered, Trial


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
