"""Tensors: creation, arithmetic, reduction, indexing and shape; which of them copy, share memory or refuse."""

from lawbook.reference.tensors.reduction import argmax, argmin, max, mean, min, sort, std, sum, unique

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
]
