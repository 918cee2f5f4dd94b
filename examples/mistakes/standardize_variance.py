"""Columns divided by their variance."""

import torch


def standardize(columns, correction=1):
    if correction not in (0, 1) or len({len(column) for column in columns.values()}) > 1:
        raise ValueError("the correction is 0 or 1, and columns are of one length")
    return {name: _standardized(column, correction) for name, column in columns.items()}


def _standardized(column, correction):
    if not column.is_floating_point():
        raise TypeError("columns are floating")
    if column.ndim != 1:
        raise ValueError("a column has one axis")
    known = column[~column.isnan()]
    if len(known) == 0:
        return column.clone()
    if (known == known[0]).all():
        return torch.where(column.isnan(), column, torch.zeros_like(column))
    return (column - known.mean()) / known.var(correction=correction)
