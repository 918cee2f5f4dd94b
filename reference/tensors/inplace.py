"""Arithmetic in place: the result is written over the first argument, which is also what comes back.

Whatever is refused leaves the argument as it was. A tensor in place keeps shape and dtype; so it refuses what would make it
larger or would make integers floating.

In PyTorch, a leaf of the graph that asks for a gradient cannot be written over; what was computed from it can.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor
from lawbook.reference.tensors import arithmetic


def add_(x: Tensor, y: Tensor) -> Tensor:
    """Add a tensor to another one, in place.

        x ← x + y

    where the result is that of add, in the memory of ``x``.

    Args:
        x: any shape, floating or integers; no two elements share memory. It is changed.
        y: a shape that broadcasts to that of ``x``. It may be ``x`` or a part of it: its old values count.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: an argument is no tensor, or the result has a dtype of another kind, such as floating for integers.
        ValueError: the broadcast would make ``x`` larger, or several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4 and §4.1.
    """
    return _write(x, y, arithmetic.add)


def sub_(x: Tensor, y: Tensor) -> Tensor:
    """Subtract a tensor from another one, in place.

        x ← x − y

    where the result is that of sub, in the memory of ``x``.

    Args:
        x: any shape, floating or integers; no two elements share memory. It is changed.
        y: a shape that broadcasts to that of ``x``. It may be ``x`` or a part of it: its old values count.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: an argument is no tensor, or the result has a dtype of another kind, such as floating for integers.
        ValueError: the broadcast would make ``x`` larger, or several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4 and §4.1.
    """
    return _write(x, y, arithmetic.sub)


def mul_(x: Tensor, y: Tensor) -> Tensor:
    """Multiply a tensor by another one, in place.

        x ← x · y

    where the result is that of mul, in the memory of ``x``.

    Args:
        x: any shape, floating or integers; no two elements share memory. It is changed.
        y: a shape that broadcasts to that of ``x``. It may be ``x`` or a part of it: its old values count.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: an argument is no tensor, or the result has a dtype of another kind, such as floating for integers.
        ValueError: the broadcast would make ``x`` larger, or several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4 and §4.1.
    """
    return _write(x, y, arithmetic.mul)


def div_(x: Tensor, y: Tensor) -> Tensor:
    """Divide a tensor by another one, in place.

        x ← x / y

    where the result is that of div, in the memory of ``x``: integers have no room for a quotient.

    Args:
        x: any shape, floating; no two elements share memory. It is changed.
        y: a shape that broadcasts to that of ``x``. It may be ``x`` or a part of it: its old values count.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: an argument is no tensor, or ``x`` is not floating.
        ValueError: the broadcast would make ``x`` larger, or several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4 and §4.1.
    """
    return _write(x, y, arithmetic.div)


def neg_(x: Tensor) -> Tensor:
    """Turn the sign of every element, in place.

        x ← −x

    where the result is that of neg, in the memory of ``x``.

    Args:
        x: any shape, floating or integers; no two elements share memory. It is changed.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: ``x`` is no tensor, or bool.
        ValueError: several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4.1.
    """
    return _write(x, None, arithmetic.neg)


def pow_(x: Tensor, exponent: Tensor | float) -> Tensor:
    """Raise every element to a power, in place.

        x ← xᵉ

    where the result is that of pow, in the memory of ``x``.

    Args:
        x: any shape, floating or integers; no two elements share memory. It is changed.
        exponent: a number, or a tensor of a shape that broadcasts to that of ``x``. It may be ``x`` or a part of it.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: ``x`` is no tensor, ``exponent`` neither a tensor nor a number, or integers are raised to a floating power.
        ValueError: the broadcast would make ``x`` larger, integers are raised to a negative integer, or several elements of
            ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4.1.
    """
    return _write(x, exponent, arithmetic.pow)


def sqrt_(x: Tensor) -> Tensor:
    """Take the square root of every element, in place.

        x ← √x

    where the result is that of sqrt, in the memory of ``x``: integers have no room for a root.

    Args:
        x: any shape, floating; no two elements share memory. It is changed.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: ``x`` is no tensor, or not floating.
        ValueError: several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4.1.
    """
    return _write(x, None, arithmetic.sqrt)


def log_(x: Tensor) -> Tensor:
    """Take the natural logarithm of every element, in place.

        x ← log x

    where the result is that of log, in the memory of ``x``: integers have no room for a logarithm.

    Args:
        x: any shape, floating; no two elements share memory. It is changed.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: ``x`` is no tensor, or not floating.
        ValueError: several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4.1.
    """
    return _write(x, None, arithmetic.log)


def exp_(x: Tensor) -> Tensor:
    """Raise e to the power of every element, in place.

        x ← eˣ

    where the result is that of exp, in the memory of ``x``: integers have no room for a power of e.

    Args:
        x: any shape, floating; no two elements share memory. It is changed.

    Returns:
        ``x`` itself.

    Raises:
        TypeError: ``x`` is no tensor, or not floating.
        ValueError: several elements of ``x`` share memory.

    Conventions: JAX has no operation in place.

    Source: note 001 §4.1.
    """
    return _write(x, None, arithmetic.exp)


def _write(x: Tensor, y: Tensor | float | None, operation: Callable[..., Tensor]) -> Tensor:
    """Compute the whole result, look at it, and only then write."""
    check_tensor("x", x)
    if _places(x).unique().numel() < x.numel():
        raise ValueError(f"x has strides {x.stride()} for shape {tuple(x.shape)}, expected memory for every element")
    # From copies: what the graph keeps of the old values is not written over, and neither is a y that shares memory.
    others = () if y is None else (y.clone() if isinstance(y, Tensor) else y,)
    result = operation(x.clone(), *others)
    if result.shape != x.shape:
        raise ValueError(f"the result has shape {tuple(result.shape)}, expected that of x, {tuple(x.shape)}")
    if not torch.can_cast(result.dtype, x.dtype):
        raise TypeError(f"the result is {result.dtype}, expected a kind that x, {x.dtype}, can hold")
    return x.copy_(result)


def _places(x: Tensor) -> Tensor:
    """Where each element lies, counted from the first."""
    places = torch.zeros((), dtype=torch.int64)
    for size, stride in zip(x.shape, x.stride(), strict=True):
        places = places[..., None] + torch.arange(size) * stride
    return places
