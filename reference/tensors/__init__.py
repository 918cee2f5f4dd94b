"""Tensors: creation, arithmetic, reduction, indexing and shape; which of them copy, share memory or refuse."""

from lawbook.reference.tensors.indexing import index_pairs, mask_select, slice_step
from lawbook.reference.tensors.reduction import argmax, argmin, max, mean, min, sort, std, sum, unique
from lawbook.reference.tensors.shape import (
    broadcast_shapes,
    cat,
    mT,
    permute,
    reshape,
    squeeze,
    stack,
    transpose,
    unsqueeze,
    view,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "sum",
    "mean",
    "std",
    "max",
    "min",
    "argmax",
    "argmin",
    "unique",
    "sort",
    "slice_step",
    "index_pairs",
    "mask_select",
    "transpose",
    "permute",
    "mT",
    "reshape",
    "view",
    "unsqueeze",
    "squeeze",
    "cat",
    "stack",
    "broadcast_shapes",
]
