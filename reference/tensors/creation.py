"""Tensors from nothing but a size: constants, the identity, and evenly spaced numbers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor, check_whole

Number = bool | int | float


def zeros(size: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of zeros.

        y = 0

    Args:
        size: sizes, each at least 0; () is one number, and a size of 0 gives a tensor without elements.
        dtype: any floating dtype, int8 … int64, uint8 or bool (False everywhere).

    Returns:
        A new tensor of that size and dtype; every zero without a minus sign.

    Raises:
        ValueError: a size is negative.
        TypeError: a size is not a whole number.

    Source: note 001 §2.5.
    """
    return _filled(size, 0, check_dtype(dtype))


def ones(size: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of ones.

        y = 1

    Args:
        size: as in ``zeros``.
        dtype: as in ``zeros``; True everywhere for bool.

    Returns:
        A new tensor of that size and dtype.

    Raises:
        ValueError: a size is negative.
        TypeError: a size is not a whole number.

    Source: note 001 §2.5.
    """
    return _filled(size, 1, check_dtype(dtype))


def full(size: Sequence[int], fill_value: Number) -> Tensor:
    """A tensor with the same number everywhere; the number says the dtype.

        y = fill_value

    Args:
        size: as in ``zeros``.
        fill_value: True or False, a whole number that int64 holds, or a float.

    Returns:
        A new tensor of that size: bool for True and False, int64 for a whole number, float32 for a float.

    Raises:
        ValueError: a size is negative.
        TypeError: a size is not a whole number, or ``fill_value`` no number.

    Conventions:
        Floats become float32, as in PyTorch; NumPy, and JAX in double precision, make float64 of them. Up to PyTorch 1.6
        whole numbers and bools became float32 too.

    Source: note 001 §2.5.
    """
    return _filled(size, fill_value, dtype_of_numbers(fill_value=fill_value))


def zeros_like(x: Tensor) -> Tensor:
    """Zeros in the shape and dtype of another tensor.

        y = 0, whatever x holds: nan and infinity do not show

    Args:
        x: any shape and dtype.

    Returns:
        A new tensor with shape, dtype and device of ``x``, which shares no memory with it and carries no gradient.

    Raises:
        TypeError: ``x`` is not a tensor.

    Source: note 001 §2.5.
    """
    return _filled_like(x, 0)


def ones_like(x: Tensor) -> Tensor:
    """Ones in the shape and dtype of another tensor.

        y = 1, whatever x holds

    Args:
        x: any shape and dtype.

    Returns:
        As in ``zeros_like``.

    Raises:
        TypeError: ``x`` is not a tensor.

    Source: note 001 §2.5.
    """
    return _filled_like(x, 1)


def full_like(x: Tensor, fill_value: Number) -> Tensor:
    """The same number everywhere, in the shape and dtype of another tensor.

        y = fill_value, converted to the dtype of x: a fraction is cut off towards zero for whole numbers, and whatever is
        not 0 is True for bool

    Args:
        x: any shape and dtype.
        fill_value: a number within the range of that dtype; others are left open.

    Returns:
        As in ``zeros_like``: the number does not change the dtype, unlike in ``full``.

    Raises:
        TypeError: ``x`` is not a tensor, or ``fill_value`` no number.

    Source: note 001 §2.5 (whose comment names a size as the first argument: it is a tensor).
    """
    dtype_of_numbers(fill_value=fill_value)
    return _filled_like(x, fill_value)


def eye(n: int, m: int | None = None) -> Tensor:
    """The identity matrix: ones on the main diagonal, zeros elsewhere.

        y[i, j] = 1 if i = j else 0

    Args:
        n: rows, at least 0.
        m: columns, at least 0; None for as many as rows.

    Returns:
        (n, m), float32.

    Raises:
        ValueError: a size is negative.
        TypeError: a size is not a whole number.

    Source: note 001 §2.5.
    """
    rows = _count_up(check_whole("n", n, 0))
    columns = rows if m is None else _count_up(check_whole("m", m, 0))
    return (rows[:, None] == columns).to(torch.float32)


def arange(start: float, end: float, step: float = 1) -> Tensor:
    """Numbers from ``start`` on, a step apart, as long as they have not reached ``end``.

        y[i] = start + i · step,    i = 0 … ⌈(end − start) / step⌉ − 1

    Args:
        start: the first number.
        end: the first that is left out; equal to ``start`` gives nothing.
        step: what lies between two neighbours, negative to count down.

    Returns:
        int64 when all three are whole numbers, exactly; else float32. Its length is computed in double precision.

    Raises:
        ValueError: ``step`` is 0, or a number is not finite.
        TypeError: an argument is no number.

    Conventions:
        A step that leads away from ``end`` is an error in PyTorch and gives nothing in NumPy and JAX; the contract leaves
        it open. With a fractional step, rounding may let the length come out one too large, and the last number
        round to ``end`` itself: ``linspace`` is the better choice there.

    Source: note 001 §2.4.
    """
    dtype = dtype_of_numbers(start=start, end=end, step=step)
    if dtype == torch.int64:
        check_step(step)
        count = max(0, -((start - end) // step))
        return start + step * _count_up(int(count))
    for name, value in (("start", start), ("end", end), ("step", step)):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}, expected a finite number")
    check_step(step)
    count = max(0, math.ceil((end - start) / step))
    # In double precision: added up in float32, the error of the step would grow with every number.
    return (start + step * _count_up(count).double()).to(torch.float32)


def linspace(start: float, end: float, steps: int) -> Tensor:
    """Evenly spaced numbers, both ends included.

        y[i] = start · (1 − t) + end · t,    t = i / (steps − 1),    i = 0 … steps − 1

    Args:
        start: the first number.
        end: the last number; it may lie below ``start``.
        steps: how many numbers, at least 0: one more than there are gaps. 1 gives ``start`` alone, 0 nothing.

    Returns:
        (steps,), float32. The ends are exactly ``start`` and ``end`` as float32 rounds them.

    Raises:
        ValueError: ``steps`` is negative.
        TypeError: ``steps`` is not a whole number.

    Source: note 001 §2.4.
    """
    return _between(start, end, steps).to(torch.float32)


def logspace(start: float, end: float, steps: int, base: float = 10) -> Tensor:
    """Powers of a base whose exponents are evenly spaced, both ends included.

        y = base ^ linspace(start, end, steps)

    Args:
        start: the first exponent; the first number is base ^ start, not start.
        end: the last exponent.
        steps: as in ``linspace``.
        base: above 0; others are left open, since whether an exponent is whole is a matter of rounding.

    Returns:
        (steps,), float32; powers beyond its range are infinite.

    Raises:
        ValueError: ``steps`` is negative.
        TypeError: ``steps`` is not a whole number.

    Conventions:
        NumPy's ``geomspace`` takes the ends themselves in place of their exponents.

    Source: note 001 §2.4.
    """
    exponents = _between(start, end, steps)
    return torch.pow(torch.tensor(float(base), dtype=torch.float64), exponents).to(torch.float32)


def check_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype; TypeError for anything else."""
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"dtype is {dtype!r}, expected a torch.dtype")
    return dtype


def check_sizes(size: Sequence[int]) -> tuple[int, ...]:
    """The sizes as a tuple of whole numbers of at least 0."""
    return tuple(check_whole(f"size[{axis}]", length, 0) for axis, length in enumerate(size))


def check_step(step: float) -> None:
    """Raise ValueError for a step that leads nowhere."""
    if step == 0:
        raise ValueError(f"step is {step}, expected a number other than 0")


def dtype_of_numbers(**given: Number) -> torch.dtype:
    """bool if all numbers are, int64 if all are whole, else float32; TypeError for what is no number."""
    for name, value in given.items():
        if not isinstance(value, bool | int | float):
            raise TypeError(f"{name} must be a number, got {value!r}")
    if all(isinstance(value, bool) for value in given.values()):
        return torch.bool
    return torch.int64 if all(isinstance(value, int) for value in given.values()) else torch.float32


def _filled(size: Sequence[int], value: Number, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
    return torch.empty(check_sizes(size), dtype=dtype, device=device).fill_(value)


def _filled_like(x: Tensor, value: Number) -> Tensor:
    check_tensor("x", x)
    return _filled(x.shape, value, x.dtype, x.device)


def _count_up(count: int) -> Tensor:
    """0, 1, …, count − 1 as int64."""
    return torch.ones(count, dtype=torch.int64).cumsum(0) - 1


def _between(start: float, end: float, steps: int) -> Tensor:
    """``linspace`` in double precision: weights of 0 and 1 at the ends keep these exact, and nothing overflows."""
    share = _count_up(check_whole("steps", steps, 0)).double() / max(steps - 1, 1)
    return start * (1 - share) + end * share
