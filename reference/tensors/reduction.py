"""Many numbers made one, and numbers put in order."""

import builtins
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_axis, check_floating, check_tensor

__all__ = ["argmax", "argmin", "max", "mean", "min", "sort", "std", "sum", "unique"]

Axes = int | Sequence[int] | None


def sum(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Add up along axes.

        y = Σ x_i,  i running over the axes ``dim``

    The sum of nothing is 0.

    Args:
        x: a tensor of any shape.
        dim: an axis, several of them (at least one), or None for all.
        keepdim: whether the axes that are summed over stay, with size 1.

    Returns:
        The dtype of ``x``; int64 for whole numbers and for bools, which count as 0 and 1.

    Raises:
        IndexError: an axis beyond the last. ValueError: an axis named twice.

    Conventions: PyTorch takes an empty tuple of axes for all of them, NumPy for none; PyTorch adds unsigned numbers up to int64,
    NumPy and JAX to uint64. The contract speaks of neither.

    Source: note 001 §5.
    """
    check_tensor("x", x)
    return x.sum(_axes(dim, x.ndim), keepdim)


def mean(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Average along axes.

        y = Σ x_i / n,  n elements along the axes ``dim``

    The mean of nothing is nan. It is finite wherever the elements are, also where the sum of half-precision numbers is not.

    Args:
        x: a floating tensor of any shape.
        dim: an axis, several of them (at least one), or None for all.
        keepdim: whether the axes that are averaged over stay, with size 1.

    Returns:
        The dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating. IndexError: an axis beyond the last. ValueError: an axis named twice.

    Conventions: PyTorch refuses whole numbers; NumPy and JAX answer with floating ones. An empty tuple of axes is left open,
    as in ``sum``.

    Source: note 001 §5.
    """
    check_floating("x", x)
    axes = _axes(dim, x.ndim)
    total = _wide(x).sum(axes, keepdim)
    return (total / _count(x, axes)).to(x.dtype)


def std(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Estimate the standard deviation along axes.

        y = sqrt( Σ (x_i − mean)² / (n − 1) )

    The divisor n − 1 makes the square an unbiased estimate of the variance. One number alone, and none, give nan. Where all
    elements are equal the gradient is taken to be 0, one of the subgradients.

    Args:
        x: a floating tensor of any shape.
        dim: an axis, several of them (at least one), or None for all.
        keepdim: whether the axes stay, with size 1.

    Returns:
        The dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating. IndexError: an axis beyond the last. ValueError: an axis named twice.

    Conventions: PyTorch divides by n − 1, NumPy and JAX by n unless told otherwise (``ddof=1``). An empty tuple of axes is left
    open, as in ``sum``.

    Source: note 001 §5.
    """
    check_floating("x", x)
    axes = _axes(dim, x.ndim)
    spread = _Spread.apply(_wide(x), axes)
    return (spread if keepdim else spread.squeeze(axes)).to(x.dtype)


def max(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Find the largest element along an axis, and where it stands.

        values = max_i x_i,    x at indices = values

    nan counts as larger than every number. Of several largest elements any may be named; the gradient goes to one of them or
    is shared among them.

    Args:
        x: a tensor with at least one axis.
        dim: an axis whose size is not 0.

    Returns:
        (values, indices), both without the axis ``dim``; indices int64.

    Raises:
        IndexError: an axis beyond the last. ValueError: the axis is empty.

    Source: note 001 §5.
    """
    dim = _axis_with_elements(x, dim)
    indices = _first(x, x.detach().amax(dim, keepdim=True), dim)
    return x.gather(dim, indices).squeeze(dim), indices.squeeze(dim)


def min(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Find the smallest element along an axis, and where it stands.

        values = min_i x_i,    x at indices = values

    nan counts as smaller than every number, so that it shows. Of several smallest elements any may be named; the gradient
    goes to one of them or is shared among them.

    Args:
        x: a tensor with at least one axis.
        dim: an axis whose size is not 0.

    Returns:
        (values, indices), both without the axis ``dim``; indices int64.

    Raises:
        IndexError: an axis beyond the last. ValueError: the axis is empty.

    Source: note 001 §5.
    """
    dim = _axis_with_elements(x, dim)
    indices = _first(x, x.detach().amin(dim, keepdim=True), dim)
    return x.gather(dim, indices).squeeze(dim), indices.squeeze(dim)


def argmax(x: Tensor, dim: int | None = None) -> Tensor:
    """Say where the largest element stands.

        x at the index = max x

    Of several largest elements any may be named; nan counts as larger than every number.

    Args:
        x: a tensor; with ``dim`` at least one axis.
        dim: an axis whose size is not 0; None for the place among all elements, counted row by row.

    Returns:
        int64, without the axis ``dim``.

    Raises:
        IndexError: an axis beyond the last. ValueError: there is no element.

    Source: note 001 §5.
    """
    return max(*_line(x, dim))[1]


def argmin(x: Tensor, dim: int | None = None) -> Tensor:
    """Say where the smallest element stands.

        x at the index = min x

    Of several smallest elements any may be named; nan counts as smaller than every number.

    Args:
        x: a tensor; with ``dim`` at least one axis.
        dim: an axis whose size is not 0; None for the place among all elements, counted row by row.

    Returns:
        int64, without the axis ``dim``.

    Raises:
        IndexError: an axis beyond the last. ValueError: there is no element.

    Source: note 001 §5.
    """
    return min(*_line(x, dim))[1]


def unique(x: Tensor) -> Tensor:
    """List the different elements of a tensor, the smallest first.

        y_1 < y_2 < …,    {y_k} = {x_i}

    Args:
        x: a tensor of any shape without nan.

    Returns:
        One axis, the dtype of ``x``; no gradient flows back.

    Raises:
        TypeError: ``x`` is no tensor.

    Conventions: PyTorch keeps every nan, NumPy and JAX one of them; the contract leaves it open. 0 and −0 are equal.

    Source: note 001 §5.
    """
    check_tensor("x", x)
    ordered = x.detach().reshape(-1).sort().values
    different = torch.ones_like(ordered, dtype=torch.bool)
    different[1:] = ordered[1:] != ordered[:-1]
    return ordered[different]


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Put the elements along an axis in order.

        values_1 ≤ values_2 ≤ …,    x at indices = values,    indices a permutation

    nan counts as larger than every number: it comes last, or first when descending. Equal elements may come in any order.

    Args:
        x: a tensor with at least one axis.
        dim: an axis.
        descending: whether the largest comes first.

    Returns:
        (values, indices), both in the shape of ``x``; indices int64.

    Raises:
        IndexError: an axis beyond the last.

    Source: note 001 §5.
    """
    check_tensor("x", x)
    dim = check_axis("dim", dim, x.ndim)
    rows = x.detach().movedim(dim, -1)
    one, other = rows.unsqueeze(-1), rows.unsqueeze(-2)
    smaller, equal = other < one, (other == one) | (one.isnan() & other.isnan())
    smaller = smaller | (one.isnan() & ~other.isnan())
    before = ~smaller & ~equal if descending else smaller
    # An element's place is the number of elements before it; equal ones keep their order.
    position = torch.arange(rows.shape[-1], device=x.device)
    rank = (before | (equal & (position < position.unsqueeze(-1)))).sum(-1)
    indices = torch.empty_like(rank).scatter(-1, rank, position.expand_as(rank)).movedim(-1, dim)
    return x.gather(dim, indices), indices


class _Spread(torch.autograd.Function):
    """The standard deviation with its usual slope, (x_i − mean) / ((n − 1) std), which autograd may take derivatives of again.

    Autograd alone would centre a second time what is centred already, and be more accurate than the slope that others compute.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.axes = axes
        # Two passes: E[x²] − E[x]² loses every digit when the mean is large against the spread.
        squares = _centred(x, axes).square().sum(axes, keepdim=True)
        return (squares / builtins.max(_count(x, axes) - 1, 0)).sqrt()

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        spread = _Spread.apply(x, ctx.axes)
        # Where all are equal the square root has no slope; the quotient must not meet the zero there.
        flat = spread == 0
        slope = _centred(x, ctx.axes) / torch.where(flat, 1.0, spread) / builtins.max(_count(x, ctx.axes) - 1, 0)
        return cotangent * torch.where(flat, 0.0, slope), None


def _centred(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x - x.sum(axes, keepdim=True) / _count(x, axes)


def _axes(dim: Axes, count: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(count))
    if isinstance(dim, int):
        return (check_axis("dim", dim, count),)
    axes = tuple(check_axis("dim", axis, count) for axis in dim)
    if len(set(axes)) < len(axes) or not axes:
        raise ValueError(f"dim is {tuple(dim)}, expected one or more different axes")
    return axes


def _count(x: Tensor, axes: tuple[int, ...]) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def _wide(x: Tensor) -> Tensor:
    """Half-precision numbers in float32: their sums pass 65,504 long before their mean does."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _axis_with_elements(x: Tensor, dim: int) -> int:
    check_tensor("x", x)
    dim = check_axis("dim", dim, x.ndim)
    if x.shape[dim] == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected an element along axis {dim}")
    return dim


def _first(x: Tensor, extreme: Tensor, dim: int) -> Tensor:
    """The first place along the axis where the extreme element stands; a nan is as extreme as can be."""
    x = x.detach()
    found = (x == extreme) | x.isnan()
    shape = [-1 if axis == dim else 1 for axis in range(x.ndim)]
    position = torch.arange(x.shape[dim], device=x.device).reshape(shape)
    return torch.where(found, position, x.shape[dim]).amin(dim, keepdim=True)


def _line(x: Tensor, dim: int | None) -> tuple[Tensor, int]:
    check_tensor("x", x)
    return (x.reshape(-1), 0) if dim is None else (x, dim)
