"""Normalization in the order of running updates: the reference in it rounds as they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from lawbook.reference import normalization


@contextmanager
def updated() -> Iterator[None]:
    """The reference's mean and variance brought up to date value by value, in one pass.

    Nothing else in exact arithmetic. A rounded mean costs Welford's sum of squares (1962, Technometrics 4) as large a share
    of it as it is of the deviation, where two passes lose that share's square: as stable, as many kernels do, other digits.
    """
    with patch.object(normalization, "moments", _updated):
        yield


def _updated(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    over = [axis % x.ndim for axis in axes]
    kept = [axis for axis in range(x.ndim) if axis not in over]
    shape = [1 if axis in over else size for axis, size in enumerate(x.shape)]
    mean, var = _Moments.apply(x.permute(*kept, *over).flatten(len(kept)))
    return mean.reshape(shape), var.reshape(shape)


class _Moments(torch.autograd.Function):
    """Mean and mean square of the deviations along the last axis, and their slopes as kernels take them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> tuple[Tensor, Tensor]:
        first, *others = values.unbind(-1)
        mean = first.clone()
        squares = torch.zeros_like(mean)
        for n, value in enumerate(others, start=2):
            before = value - mean
            # A value that is the mean does not move it, and no rounding takes the mean beyond the value.
            mean = torch.where(before == 0, mean, mean + before / n)
            squares = squares + (before * (value - mean)).clamp(min=0)
        ctx.save_for_backward(values, mean)
        return mean, squares / values.shape[-1]

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, of_var: Tensor) -> Tensor:
        values, mean = ctx.saved_tensors
        return (of_mean[..., None] + 2 * of_var[..., None] * (values - mean[..., None])) / values.shape[-1]
