"""The operations a program may consist of: each with its value, and how it passes tangents on and cotangents back."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int, ...]
Settings = tuple[Any, ...]
Operands = Sequence[Tensor]


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        operands: how many it takes.
        shape: (shapes of the operands, settings) → shape of the result; ValueError where they do not fit.
        value: (operands, settings) → result.
        push: (tangents, operands, result, settings) → tangent of the result.
        pull: (cotangent, operands, result, settings) → cotangent of every operand, of the operand's shape.
        blind: which operands decide the result without a derivative passing through them; None stands for their cotangents.
    """

    operands: int
    shape: Callable[[Sequence[Shape], Settings], Shape]
    value: Callable[[Operands, Settings], Tensor]
    push: Callable[[Operands, Operands, Tensor, Settings], Tensor]
    pull: Callable[[Tensor, Operands, Tensor, Settings], tuple[Tensor | None, ...]]
    blind: tuple[int, ...] = ()


def sum_to(u: Tensor, shape: Sequence[int]) -> Tensor:
    """Undo broadcasting: add up along the axes that it put in front or stretched from size one."""
    front = u.ndim - len(shape)
    axes = [
        *range(front),
        *(front + k for k, size in enumerate(shape) if size == 1 and u.shape[front + k] != 1),
    ]
    return u.sum(axes).reshape(tuple(shape)) if axes else u


def broadcast_shape(shapes: Sequence[Shape], settings: Settings = ()) -> Shape:
    """The common shape; sizes are lined up from the last axis on, and size one fits any."""
    common: list[int] = []
    for k in range(1, max(map(len, shapes)) + 1):
        sizes = {shape[-k] for shape in shapes if len(shape) >= k} - {1}
        if len(sizes) > 1:
            raise ValueError(f"shapes {', '.join(map(str, shapes))} cannot be broadcast, {sizes} differ")
        common.insert(0, sizes.pop() if sizes else 1)
    return tuple(common)


def _same_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    return shapes[0]


def _elementwise(value: Callable[[Tensor], Tensor], slope: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """A function of every element, with its slope as a function of operand and result."""
    return Operation(
        operands=1,
        shape=_same_shape,
        value=lambda x, s: value(x[0]),
        push=lambda t, x, y, s: t[0] * slope(x[0], y),
        pull=lambda u, x, y, s: (u * slope(x[0], y),),
    )


def _linear(
    shape: Callable[[Sequence[Shape], Settings], Shape],
    value: Callable[[Tensor, Settings], Tensor],
    transpose: Callable[[Tensor, Shape, Settings], Tensor],
) -> Operation:
    """A linear function of one operand: it carries tangents as it carries values; ``transpose`` takes cotangents back."""
    return Operation(
        operands=1,
        shape=shape,
        value=lambda x, s: value(x[0], s),
        push=lambda t, x, y, s: value(t[0], s),
        pull=lambda u, x, y, s: (transpose(u, tuple(x[0].shape), s),),
    )


def _pull_both(first: Callable[..., Tensor], second: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    return lambda u, x, y, s: (sum_to(first(u, *x), x[0].shape), sum_to(second(u, *x), x[1].shape))


def _axes(rank: int, settings: Settings) -> tuple[int, ...]:
    """The axes to add up along: all of them, or the one that the settings name."""
    if settings and not 0 <= settings[0] < rank:
        raise ValueError(f"axis {settings[0]} is not one of {rank}")
    return tuple(settings) if settings else tuple(range(rank))


def _without(shapes: Sequence[Shape], settings: Settings) -> Shape:
    axes = _axes(len(shapes[0]), settings)
    return tuple(size for k, size in enumerate(shapes[0]) if k not in axes)


def _sum(x: Tensor, settings: Settings) -> Tensor:
    return x.sum(_axes(x.ndim, settings)) if x.ndim else x


def _spread(u: Tensor, shape: Shape, settings: Settings) -> Tensor:
    """The cotangent of a sum, once for every term."""
    for axis in _axes(len(shape), settings):
        u = u.unsqueeze(axis)
    return u.expand(shape)


def _terms(shape: Shape, settings: Settings) -> int:
    return math.prod(shape[axis] for axis in _axes(len(shape), settings))


def _matmul_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    a, b = shapes
    if not (1 <= len(a) <= 2 and 1 <= len(b) <= 2) or a[-1] != b[0]:
        raise ValueError(f"shapes {a} and {b} cannot be multiplied: one or two axes, the inner sizes equal")
    return (*a[:-1], *b[1:])


def _matmul_pull(u: Tensor, x: Operands, y: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    a, b = x
    # A vector stands for one row on the left, for one column on the right.
    rows, columns = (a if a.ndim == 2 else a[None]), (b if b.ndim == 2 else b[:, None])
    u = u.reshape(rows.shape[0], columns.shape[1])
    return (u @ columns.T).reshape(a.shape), (rows.T @ u).reshape(b.shape)


def _reshape_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    if math.prod(shapes[0]) != math.prod(settings):
        raise ValueError(f"{shapes[0]} cannot be reshaped to {settings}: another number of elements")
    return tuple(settings)


def _transpose_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    if sorted(settings) != list(range(len(shapes[0]))):
        raise ValueError(f"{settings} is not an order of the axes of {shapes[0]}")
    return tuple(shapes[0][axis] for axis in settings)


def _broadcast_to_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    if broadcast_shape([shapes[0], tuple(settings)]) != tuple(settings):
        raise ValueError(f"{shapes[0]} cannot be broadcast to {settings}")
    return tuple(settings)


def _index_shape(shapes: Sequence[Shape], settings: Settings) -> Shape:
    axis, at = settings
    if not 0 <= axis < len(shapes[0]) or not 0 <= at < shapes[0][axis]:
        raise ValueError(f"there is no position {at} on axis {axis} of {shapes[0]}")
    return (*shapes[0][:axis], *shapes[0][axis + 1 :])


def _put_back(u: Tensor, shape: Shape, settings: Settings) -> Tensor:
    """The cotangent at the place that was taken, zeros everywhere else."""
    axis, at = settings
    before, after = list(shape), list(shape)
    before[axis], after[axis] = at, shape[axis] - at - 1
    return torch.cat([u.new_zeros(before), u.unsqueeze(axis), u.new_zeros(after)], axis)


def _decisive(x: Tensor) -> Tensor:
    """What branches look at: of a complex number, with which a derivative is sought, the real part."""
    return x.real if x.is_complex() else x


def _positive(x: Tensor) -> Tensor:
    return _decisive(x) > 0


def _where_push(t: Operands, x: Operands, y: Tensor, settings: Settings) -> Tensor:
    return torch.where(_positive(x[0]), t[1], t[2])


def _where_pull(u: Tensor, x: Operands, y: Tensor, settings: Settings) -> tuple[Tensor | None, ...]:
    chosen, nothing = _positive(x[0]), torch.zeros_like(u)
    taken, other = torch.where(chosen, u, nothing), torch.where(chosen, nothing, u)
    return None, sum_to(taken, x[1].shape), sum_to(other, x[2].shape)


def _doublings(x: Tensor, settings: Settings) -> float:
    """2ᵏ with the least k for which the largest magnitude reaches the bound; nothing is doubled where all are zero."""
    largest, factor = (float(_decisive(x.detach()).abs().max()) if x.numel() else 0.0), 1.0
    while 0 < largest * factor < settings[0]:
        factor *= 2
    return factor


OPERATIONS: dict[str, Operation] = {
    "add": Operation(
        2,
        broadcast_shape,
        lambda x, s: x[0] + x[1],
        lambda t, x, y, s: t[0] + t[1],
        _pull_both(lambda u, a, b: u, lambda u, a, b: u),
    ),
    "sub": Operation(
        2,
        broadcast_shape,
        lambda x, s: x[0] - x[1],
        lambda t, x, y, s: t[0] - t[1],
        _pull_both(lambda u, a, b: u, lambda u, a, b: -u),
    ),
    "mul": Operation(
        2,
        broadcast_shape,
        lambda x, s: x[0] * x[1],
        lambda t, x, y, s: t[0] * x[1] + x[0] * t[1],
        _pull_both(lambda u, a, b: u * b, lambda u, a, b: u * a),
    ),
    "div": Operation(
        2,
        broadcast_shape,
        lambda x, s: x[0] / x[1],
        lambda t, x, y, s: (t[0] - y * t[1]) / x[1],
        _pull_both(lambda u, a, b: u / b, lambda u, a, b: -u * (a / b) / b),
    ),
    "matmul": Operation(
        2,
        _matmul_shape,
        lambda x, s: x[0] @ x[1],
        lambda t, x, y, s: t[0] @ x[1] + x[0] @ t[1],
        _matmul_pull,
    ),
    "exp": _elementwise(torch.exp, lambda x, y: y),
    "tanh": _elementwise(torch.tanh, lambda x, y: 1 - y * y),
    "sin": _elementwise(torch.sin, lambda x, y: torch.cos(x)),
    "log": _elementwise(torch.log, lambda x, y: 1 / x),
    # Settings: the factor.
    "scale": _linear(_same_shape, lambda x, s: s[0] * x, lambda u, shape, s: s[0] * u),
    # Settings: one axis, or none for all.
    "sum": _linear(_without, _sum, _spread),
    "mean": _linear(
        _without,
        lambda x, s: _sum(x, s) / _terms(tuple(x.shape), s),
        lambda u, shape, s: _spread(u, shape, s) / _terms(shape, s),
    ),
    # Settings: the new shape.
    "reshape": _linear(_reshape_shape, lambda x, s: x.reshape(s), lambda u, shape, s: u.reshape(shape)),
    # Settings: the axes in their new order.
    "transpose": _linear(
        _transpose_shape, lambda x, s: x.permute(s), lambda u, shape, s: u.permute([s.index(k) for k in range(len(s))])
    ),
    # Settings: the shape.
    "broadcast_to": _linear(_broadcast_to_shape, lambda x, s: x.expand(s), lambda u, shape, s: sum_to(u, shape)),
    # Settings: axis and position; the axis goes.
    "index": _linear(_index_shape, lambda x, s: x.select(s[0], s[1]), _put_back),
    # The second operand where the first is above zero, else the third.
    "where": Operation(
        3, broadcast_shape, lambda x, s: torch.where(_positive(x[0]), x[1], x[2]), _where_push, _where_pull, blind=(0,)
    ),
    # Settings: the bound that the largest magnitude must reach.
    "double_until": Operation(
        1,
        _same_shape,
        lambda x, s: x[0] * _doublings(x[0], s),
        lambda t, x, y, s: t[0] * _doublings(x[0], s),
        lambda u, x, y, s: (u * _doublings(x[0], s),),
    ),
}
