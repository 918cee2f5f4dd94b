"""Checks of arguments: every message says the name, the value and what was expected."""

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

REDUCTIONS = ("mean", "sum", "none")


def check_floating(name: str, x: Tensor) -> None:
    """Raise TypeError unless ``x`` is a floating tensor."""
    check_tensor(name, x)
    if not x.is_floating_point():
        raise TypeError(f"{name} must be floating, got {x.dtype}")


def check_integer(name: str, x: Tensor) -> None:
    """Raise TypeError unless ``x`` is a tensor of whole numbers (bool is not one)."""
    check_tensor(name, x)
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise TypeError(f"{name} must hold integers, got {x.dtype}")


def check_tensor(name: str, x: object) -> None:
    """Raise TypeError unless ``x`` is a tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")


def check_axes(name: str, x: Tensor, count: int) -> None:
    """Raise ValueError unless ``x`` has exactly ``count`` axes."""
    check_tensor(name, x)
    if x.ndim != count:
        raise ValueError(f"{name} must have {count} axes, got shape {tuple(x.shape)}")


def check_same_shape(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless both shapes are equal: nothing is broadcast."""
    if x.shape != other.shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}, expected that of {other_name}, {tuple(other.shape)}")


def check_shape(name: str, x: Tensor, shape: Sequence[int]) -> None:
    """Raise ValueError unless ``x`` has exactly this shape."""
    check_tensor(name, x)
    if tuple(x.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(x.shape)}, expected {tuple(shape)}")


def check_choice(name: str, value: object, options: Sequence[object]) -> None:
    """Raise ValueError unless ``value`` is one of ``options``."""
    if value not in options:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, options))}")


def check_axis(name: str, axis: int, count: int) -> int:
    """The axis counted from the front; IndexError beyond ``-count..count-1``."""
    axis = check_whole(name, axis)
    if not -count <= axis < count:
        raise IndexError(f"{name} is {axis}, expected {-count}..{count - 1} for {count} axes")
    return axis % count


def check_whole(name: str, value: object, low: int | None = None) -> int:
    """The value as an int; TypeError for other kinds, ValueError below ``low``."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    try:
        whole = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if low is not None and whole < low:
        raise ValueError(f"{name} is {whole}, expected at least {low}")
    return whole


def check_range(name: str, value: float, low: float | None = None, high: float | None = None) -> None:
    """Raise ValueError unless ``low <= value <= high`` (nan is outside)."""
    if not ((low is None or value >= low) and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"{low}..{high}"
        raise ValueError(f"{name} is {value}, expected {bounds}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless ``value > 0``."""
    if not value > 0:
        raise ValueError(f"{name} is {value}, expected a number above 0")
