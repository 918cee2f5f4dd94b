"""Arithmetic of every element by itself: a new tensor each time.

Two tensors are broadcast against each other: shapes are aligned at the last axis, and an axis that is missing or of size 1 is
repeated as often as the other one asks for.

A bool counts as 0 or 1 beside numbers. Two tensors of the same kind give the wider of their dtypes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor


def add(x: Tensor, y: Tensor) -> Tensor:
    """Add two tensors, element by element.

        z = x + y

    where shapes broadcast and whole numbers stay whole.

    Args:
        x: any shape; floating, integers or bool.
        y: a shape that broadcasts against that of ``x``.

    Returns:
        The broadcast shape, in memory of its own. Floating beside integers or bool gives floating, integers beside bool
        integers; two bools give their logical or.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: the shapes do not broadcast.

    Conventions: float32 beside int64 is float32 in PyTorch and JAX, float64 in NumPy; the contract leaves it open.

    Source: note 001 §4.1.
    """
    check_broadcast("x", x, "y", y)
    return x + y


def sub(x: Tensor, y: Tensor) -> Tensor:
    """Subtract one tensor from another, element by element.

        z = x − y

    where shapes broadcast and whole numbers stay whole.

    Args:
        x: any shape; floating or integers.
        y: a shape that broadcasts against that of ``x``.

    Returns:
        The broadcast shape, in memory of its own. Floating beside integers gives floating.

    Raises:
        TypeError: an argument is no tensor, or bool: two bools have no difference.
        ValueError: the shapes do not broadcast.

    Conventions: float32 beside int64 is float32 in PyTorch and JAX, float64 in NumPy. NumPy and JAX
    take one bool beside numbers for 0 or 1, PyTorch refuses it. The contract leaves both open.

    Source: note 001 §4.1.
    """
    check_broadcast("x", x, "y", y)
    if torch.bool in (x.dtype, y.dtype):
        raise TypeError(f"x is {x.dtype}, y is {y.dtype}, expected numbers: a difference of bools is not defined")
    return x - y


def mul(x: Tensor, y: Tensor) -> Tensor:
    """Multiply two tensors, element by element: the Hadamard product.

        z = x · y

    where shapes broadcast and whole numbers stay whole; of equal shapes it is the product x ⊙ y of matrices.

    Args:
        x: any shape; floating, integers or bool.
        y: a shape that broadcasts against that of ``x``.

    Returns:
        The broadcast shape, in memory of its own. Floating beside integers or bool gives floating, integers beside bool
        integers; two bools give their logical and.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: the shapes do not broadcast.

    Conventions: float32 beside int64 is float32 in PyTorch and JAX, float64 in NumPy; the contract leaves it open.

    Source: note 001 §4.1 and §4.2.
    """
    check_broadcast("x", x, "y", y)
    return x * y


def div(x: Tensor, y: Tensor) -> Tensor:
    """Divide one tensor by another, element by element.

        z = x / y

    where shapes broadcast and the quotient of whole numbers is not rounded: 7 / 2 = 3.5. Dividing by 0 gives an infinity
    of the sign both zeros and numbers carry, 0 / 0 gives nan.

    Args:
        x: any shape; floating, integers or bool.
        y: a shape that broadcasts against that of ``x``.

    Returns:
        The broadcast shape, floating, in memory of its own. Two tensors of whole numbers carry no floating dtype to follow:
        their quotient has PyTorch's default dtype, float32 unless it was set otherwise, in whatever dtype all else is judged.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: the shapes do not broadcast.

    Conventions: int64 / int64 is float32 in PyTorch, float64 in NumPy and in JAX with 64 bits enabled (else float32); float32
    beside int64 is float32 in PyTorch and JAX, float64 in NumPy. The contract asks for a floating result only.

    Source: note 001 §4.1.
    """
    check_broadcast("x", x, "y", y)
    return x / y


def neg(x: Tensor) -> Tensor:
    """Turn the sign of every element.

        y = −x

    where zeros turn their sign too.

    Args:
        x: any shape; floating or integers.

    Returns:
        Shape and dtype of ``x``, in memory of its own.

    Raises:
        TypeError: ``x`` is no tensor, or bool, which has no sign.

    Source: note 001 §4.1.
    """
    check_tensor("x", x)
    if x.dtype == torch.bool:
        raise TypeError("x is bool, expected numbers: a bool has no sign")
    return -x


def pow(x: Tensor, exponent: Tensor | float) -> Tensor:
    """Raise every element to a power.

        y = xᵉ

    where x⁰ = 1 for every x, 0 and nan included, and a negative x has powers to whole exponents alone: (−8)^(1/3) is nan.

    The slope to x is e · xᵉ⁻¹, and 0 throughout for e = 0. The slope to e is xᵉ · log x, and 0 for x = 0 and e > 0; of a
    negative x, which has no powers beside a whole exponent, nothing is said (PyTorch and JAX: nan).

    Args:
        x: any shape; floating or integers.
        exponent: a number, or a tensor of a shape that broadcasts against that of ``x``.

    Returns:
        The broadcast shape, in memory of its own. A number leaves the dtype of floating ``x``; integers to the power of
        integers stay integers, to a floating power they become floating (PyTorch's default dtype for a number).

    Raises:
        TypeError: ``x`` is no tensor, or ``exponent`` neither a tensor nor a number.
        ValueError: the shapes do not broadcast, or integers are raised to a negative integer.

    Conventions: a power of ½ is C's pow here, pow(−inf, ½) = inf and pow(−0, ½) = 0. PyTorch and NumPy take √x when the
    exponent is the number ½: nan and −0. Integers to a negative integer have no integer result: PyTorch, NumPy and
    JAX refuse the number, only NumPy the tensor too. PyTorch, NumPy and JAX take True for 1; the contract leaves bools open.

    Source: note 001 §4.1.
    """
    check_tensor("x", x)
    if not isinstance(exponent, Tensor):
        if isinstance(exponent, bool) or not isinstance(exponent, int | float):
            raise TypeError(f"exponent must be a number or a tensor, got {exponent!r}")
        if float(exponent).is_integer() and (x.is_floating_point() or isinstance(exponent, int)):
            _check_powers_of_integers(x, exponent)
            return torch.pow(x, exponent)
        exponent = torch.full(x.shape, exponent, dtype=x.dtype if x.is_floating_point() else None, device=x.device)
    check_broadcast("x", x, "exponent", exponent)
    if not x.is_floating_point() and not exponent.is_floating_point():
        _check_powers_of_integers(x, exponent.min() if exponent.numel() else 0)
        return torch.pow(x, exponent)
    return _floating_power(*torch.broadcast_tensors(x, exponent))


def _floating_power(x: Tensor, exponent: Tensor) -> Tensor:
    """The power of |x| with its sign, so that whatever an exponent passes through remains a power of a positive number."""
    negative = x < 0
    size = torch.where(negative, -x, x)
    # What autograd makes of xᵉ at e = 0 does not change with e, although its slope to x, e · xᵉ⁻¹, does: there exp(e · log x)
    # stands for it. At x = 0 no slope may pass through 0 · 0⁻¹ either.
    zeroth = (exponent == 0) & torch.isfinite(x)
    one = torch.ones_like(size)
    # One axis more, since a tensor without axes goes the way of a number, through √ for ½.
    power = torch.pow(torch.where(zeroth, one, size)[None], exponent[None]).squeeze(0)
    logarithm = torch.log(torch.where(zeroth & (size > 0), size, one))
    power = torch.where(zeroth, torch.exp(torch.where(zeroth, exponent, 0) * logarithm), power)
    power = torch.where(negative & (exponent.remainder(2) == 1), -power, power)
    # Nan is no whole number either; an infinity is an even one.
    fraction = torch.isnan(exponent) | torch.isfinite(exponent) & (exponent != exponent.round())
    return torch.where(negative & torch.isfinite(x) & fraction, torch.nan, power)


def _check_powers_of_integers(x: Tensor, least: Tensor | float) -> None:
    if not x.is_floating_point() and least < 0:
        raise ValueError(f"exponent holds {int(least)}, expected at least 0 for integers")


def sqrt(x: Tensor) -> Tensor:
    """Take the square root of every element.

        y = √x

    where negative numbers give nan and −0 itself; the slope 1 / (2 · √x) is infinite at 0.

    Args:
        x: any shape; floating or integers.

    Returns:
        Shape of ``x``, in memory of its own; its dtype, or PyTorch's default dtype for integers.

    Raises:
        TypeError: ``x`` is no tensor.

    Conventions: the root of int64 is float32 in PyTorch, float64 in NumPy; the contract asks for a floating result only.

    Source: note 001 §4.1.
    """
    check_tensor("x", x)
    return torch.sqrt(x)


def log(x: Tensor) -> Tensor:
    """Take the natural logarithm of every element.

        y = log x,    exp(y) = x

    where 0 gives −inf and negative numbers nan; the slope is 1 / x.

    Args:
        x: any shape; floating or integers.

    Returns:
        Shape of ``x``, in memory of its own; its dtype, or PyTorch's default dtype for integers.

    Raises:
        TypeError: ``x`` is no tensor.

    Conventions: the logarithm of int64 is float32 in PyTorch, float64 in NumPy; the contract asks for a floating result only.

    Source: note 001 §4.1.
    """
    check_tensor("x", x)
    return torch.log(x)


def exp(x: Tensor) -> Tensor:
    """Raise e to the power of every element.

        y = eˣ

    where the result is its own slope, infinite beyond the dtype's range (from 88.73 on in float32) and 0 far below 0.

    Args:
        x: any shape; floating or integers.

    Returns:
        Shape of ``x``, in memory of its own; its dtype, or PyTorch's default dtype for integers.

    Raises:
        TypeError: ``x`` is no tensor.

    Conventions: the exponential of int64 is float32 in PyTorch, float64 in NumPy; the contract asks for a floating result
    only.

    Source: note 001 §4.1.
    """
    check_tensor("x", x)
    return torch.exp(x)


def check_broadcast(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless the two shapes broadcast; TypeError unless both are tensors."""
    check_tensor(name, x)
    check_tensor(other_name, other)
    check_shapes_broadcast(f"the shape of {name}", x.shape, f"that of {other_name}", other.shape)


def check_shapes_broadcast(what: str, shape: Sequence[int], other_what: str, other: Sequence[int]) -> None:
    """Raise ValueError unless one shape broadcasts against the other."""
    for size, beside in zip(reversed(shape), reversed(other), strict=False):
        if size != beside and 1 not in (size, beside):
            raise ValueError(
                f"{what} is {tuple(shape)}, expected one that broadcasts against {other_what}, {tuple(other)}"
            )
