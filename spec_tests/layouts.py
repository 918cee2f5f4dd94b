"""The same values in memory that is laid out otherwise."""

from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.tree import map_leaves

KINDS = ("transposed", "strided", "offset", "expanded")


def arranged(case: Case, kind: str) -> tuple[Case, dict[str, Any]]:
    """A case, and its arguments in an unusual layout. Expanding needs other values, so other truth."""
    if kind == "expanded":
        case = case.but(**map_leaves(_repeat_first, case.arguments))
    return case, map_leaves(lambda leaf: arrange(leaf, kind), case.arguments)


def _repeat_first(leaf: Any) -> Any:
    return leaf[:1].expand_as(leaf).clone() if isinstance(leaf, Tensor) and leaf.ndim > 1 and leaf.numel() else leaf


def arrange(leaf: Any, kind: str) -> Any:
    """The same values in memory of another layout; what is no tensor with axes stays."""
    if not isinstance(leaf, Tensor) or leaf.ndim == 0:
        return leaf
    if kind == "expanded" and leaf.ndim > 1 and leaf.numel():
        return leaf[:1].clone().expand_as(leaf)
    if kind == "transposed" and leaf.ndim > 1:
        return leaf.transpose(-1, -2).contiguous().transpose(-1, -2)
    if kind == "offset":
        # Neighbours are not zero, so that reading past the view shows.
        buffer = torch.full((leaf.numel() + 3,), 77, dtype=leaf.dtype)
        view = buffer[3:].view(leaf.shape)
    else:
        buffer = torch.full((*leaf.shape[:-1], 2 * leaf.shape[-1]), 77, dtype=leaf.dtype)
        view = buffer[..., ::2]
    return view.copy_(leaf)
