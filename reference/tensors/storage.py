"""Other dtypes, NumPy arrays and plain numbers: what shares memory and what does not."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor
from lawbook.reference.tensors.creation import check_dtype

DTYPES = {
    np.dtype(name): getattr(torch, name)
    for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
}
"""What NumPy and PyTorch both have (bfloat16 is PyTorch's alone)."""


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The same numbers in another dtype, in memory of their own.

        float → int:            cut off towards zero: 2.7 → 2, −2.7 → −2
        anything → bool:        x ≠ 0, so that 0.5 and nan are True
        bool → number:          1 and 0
        float or int → float:   the nearest number, of two equally near ones the even one; beyond the range ±∞

    Args:
        x: any shape; floating, int8 … int64, uint8 or bool.
        dtype: the same.

    Returns:
        A new tensor with the shape of ``x``, also when it has that dtype already. Between floating dtypes it is
        differentiable, with slope 1.

    Raises:
        TypeError: ``x`` is not a tensor.

    Conventions:
        A number that a dtype of whole numbers does not hold (nan and infinity among them) has no agreed value there: it
        wraps around, saturates, or is whatever the processor gives. The contract leaves it open. Note 001 says that a
        conversion takes new memory; PyTorch's ``x.to(dtype)`` and ``x.type(dtype)`` hand back ``x`` itself when it has the
        dtype already.

    Source: note 001 §3.1.
    """
    check_tensor("x", x)
    check_dtype(dtype)
    if dtype == torch.bool:
        return x != 0
    if x.is_floating_point() and not dtype.is_floating_point:
        return x.trunc().to(dtype)
    if x.dtype == torch.float64 and dtype in (torch.float16, torch.bfloat16):
        return _RoundedOnce.apply(x, dtype)
    return x.to(dtype, copy=True)


def to_numpy(x: Tensor) -> np.ndarray:
    """A NumPy array over the memory of a tensor: what is written to one shows in the other.

        y[i] is x[i], not a copy of it

    Args:
        x: any shape and strides, on the CPU; float16, float32, float64, int8 … int64, uint8 or bool.

    Returns:
        An array with shape, strides and dtype of ``x``, over its memory, which lives as long as the array does. For a
        copy: ``to_numpy(x).copy()``.

    Raises:
        TypeError: ``x`` is not a tensor, or NumPy does not have its dtype (bfloat16).

    Source: note 001 §3.2.
    """
    check_tensor("x", x)
    if x.dtype not in DTYPES.values():
        raise TypeError(f"x is {x.dtype}, expected a dtype that NumPy has: {', '.join(map(str, DTYPES.values()))}")
    return x.detach().numpy()


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor over the memory of a NumPy array: what is written to one shows in the other.

        y[i] is array[i], not a copy of it

    Args:
        array: any shape; float16, float32, float64, int8 … int64, uint8 or bool. Strides of at least 0: negative ones,
            as of ``array[::-1]``, are left open, since PyTorch has none.

    Returns:
        A tensor with shape, strides and dtype of ``array``, over its memory.

    Raises:
        TypeError: ``array`` is not a NumPy array, or its dtype is another (text, objects).

    Source: note 001 §3.2.
    """
    _check_array(array)
    return torch.from_numpy(array)


def copy_from_numpy(array: np.ndarray) -> Tensor:
    """A tensor with the numbers of a NumPy array, in memory of its own.

        y[i] = array[i]

    Args:
        array: as in ``from_numpy``.

    Returns:
        A new tensor with shape and dtype of ``array``; nothing that is written to the array later shows in it.

    Raises:
        TypeError: as in ``from_numpy``.

    Conventions:
        The dtype is the array's, as with ``torch.tensor``: NumPy's own default is float64. The constructor
        ``torch.Tensor(array)`` makes float32 of everything.

    Source: note 001 §3.2.
    """
    _check_array(array)
    return torch.empty(array.shape, dtype=DTYPES[array.dtype]).copy_(torch.from_numpy(array))


def item(x: Tensor) -> bool | int | float:
    """The only element of a tensor as a number of Python.

        y = x[0, …, 0]

    Args:
        x: exactly one element in any number of axes; floating, int8 … int64, uint8 or bool.

    Returns:
        A float, an int or a bool, as the dtype of ``x``; no digit is lost, and nothing leads back to ``x``: no gradient
        passes, and changing the number changes nothing else.

    Raises:
        ValueError: ``x`` has no element, or more than one.
        TypeError: ``x`` is not a tensor.

    Source: note 001 §3.3.
    """
    check_tensor("x", x)
    if x.numel() != 1:
        raise ValueError(f"x has {x.numel()} elements, expected one")
    number: bool | int | float = x.detach().reshape(-1).tolist()[0]
    return number


class _RoundedOnce(torch.autograd.Function):
    """float64 to a half precision. PyTorch passes through float32, and a number that this rounds to a tie is rounded twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype) -> Tensor:
        single = x.to(torch.float32)
        # Rounded to odd: what float32 cannot hold gets an odd last bit, so that it is never taken for a tie.
        away = torch.where(single.double() > x, -torch.inf, torch.inf).to(torch.float32)
        odd = single.view(torch.int32) % 2 != 0
        inexact = torch.isfinite(single) & (single.double() != x)
        return torch.where(inexact & ~odd, torch.nextafter(single, away), single).to(dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.to(torch.float64), None


def _check_array(array: object) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array must be a NumPy array, got {type(array).__name__}")
    if array.dtype not in DTYPES:
        raise TypeError(f"array is of {array.dtype}, expected one of {', '.join(map(str, DTYPES))}")
