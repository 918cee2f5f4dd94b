"""Tensors of constants and of independent random numbers."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_choice, check_range, check_whole

DTYPES = {name: getattr(torch, name) for name in ("float32", "float64", "float16", "bfloat16")}

TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / (math.sqrt(2 * math.pi) * math.erf(math.sqrt(2))))
"""The standard deviation of a standard normal variable cut off at ±2, 0.8796."""


def init_zeros(shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """A tensor of zeros.

        w = 0

    Args:
        shape: sizes, each at least 0; () is one number.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        A new tensor of that shape and dtype.

    Raises:
        ValueError: a size is negative or the dtype unknown.
        TypeError: a size is not a whole number.

    Conventions:
        For biases. Weights of zero give all units of a layer the same gradient, so that they stay equal.

    Source: note 001 §3.
    """
    return torch.zeros(check_sizes(shape), dtype=as_dtype(dtype))


def init_constant(shape: Sequence[int], value: float, dtype: str = "float32") -> Tensor:
    """A tensor with the same number everywhere.

        w = value

    Args:
        shape: sizes, each at least 0; () is one number.
        value: any number.
        dtype: as in ``init_zeros``.

    Returns:
        A new tensor of that shape and dtype.

    Raises:
        ValueError: a size is negative or the dtype unknown.
        TypeError: a size is not a whole number.

    Source: note 001 §3.
    """
    return torch.full(check_sizes(shape), value, dtype=as_dtype(dtype))


def init_eye(shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """A matrix with ones on the main diagonal: a linear layer that passes on as many inputs as it can.

        w[i, j] = 1 if i = j else 0

    Args:
        shape: (rows, columns), which may differ.
        dtype: as in ``init_zeros``.

    Returns:
        A new tensor of that shape and dtype.

    Raises:
        ValueError: the shape has not exactly two sizes, one is negative, or the dtype is unknown.
        TypeError: a size is not a whole number.

    Source: note 001 §3.
    """
    sizes = check_sizes(shape)
    if len(sizes) != 2:
        raise ValueError(f"shape is {sizes}, expected two sizes")
    rows, columns = torch.arange(sizes[0])[:, None], torch.arange(sizes[1])
    return (rows == columns).to(as_dtype(dtype))


def init_normal(
    shape: Sequence[int], mean: float = 0.0, std: float = 1.0, *, seed: int, dtype: str = "float32"
) -> Tensor:
    """Independent normal numbers.

        w ~ N(mean, std²)

    Args:
        shape: sizes, each at least 0; () is one number.
        mean: any number.
        std: the standard deviation, at least 0; 0 gives ``mean`` everywhere.
        seed: a whole number of at least 0. The same seed gives the same tensor, another seed an independent one, and
            the global random generators are neither read nor moved.
        dtype: as in ``init_zeros``.

    Returns:
        A new tensor of that shape and dtype, always finite.

    Raises:
        ValueError: ``std`` or a size is negative, or the dtype unknown.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        The second parameter is the standard deviation, as in PyTorch, NumPy and JAX; a text that writes N(0, 0.01) may
        mean the variance. Which numbers belong to a seed is each library's own affair. Only an implementation that
        draws from ``torch.Generator().manual_seed(seed)`` is held to more: then it is one number an element, in the
        order of memory and with its own sign, so that a seed stands for the same tensor throughout PyTorch.

    Source: note 001 §3; note 004 (linear regression, softmax regression).
    """
    check_range("std", std, 0)
    return draw_normal(check_sizes(shape), mean, std, seed, as_dtype(dtype))


def init_uniform(
    shape: Sequence[int], low: float = 0.0, high: float = 1.0, *, seed: int, dtype: str = "float32"
) -> Tensor:
    """Independent uniform numbers.

        w ~ U[low, high]

    Args:
        shape: sizes, each at least 0; () is one number.
        low, high: the ends; equal ones give that number everywhere.
        seed: as in ``init_normal``.
        dtype: as in ``init_zeros``.

    Returns:
        A new tensor of that shape and dtype, within ``low`` and ``high`` as that dtype rounds them.

    Raises:
        ValueError: ``low`` is above ``high``, a size is negative, or the dtype unknown.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        Generators draw from [low, high), but rounding may reach ``high``. On streams see ``init_normal``.

    Source: note 001 §3.
    """
    check_range("high", high, low)
    return draw_uniform(check_sizes(shape), low, high, seed, as_dtype(dtype))


def as_dtype(name: str) -> torch.dtype:
    """The dtype of that name."""
    check_choice("dtype", name, tuple(DTYPES))
    return DTYPES[name]


def check_sizes(shape: Sequence[int]) -> tuple[int, ...]:
    """The sizes as a tuple of whole numbers of at least 0."""
    return tuple(check_whole(f"shape[{axis}]", size, 0) for axis, size in enumerate(shape))


def generator(seed: int) -> Generator:
    """A generator of its own, so that no other random numbers depend on it."""
    return Generator().manual_seed(check_whole("seed", seed))


def draw_uniform(sizes: tuple[int, ...], low: float, high: float, seed: int, dtype: torch.dtype) -> Tensor:
    """U[low, high]: half precisions are drawn in float32 and rounded, or they would have a few hundred values."""
    unit = torch.rand(sizes, generator=generator(seed), dtype=_wide(dtype))
    return (low + (high - low) * unit).clamp(low, high).to(dtype)


def draw_normal(sizes: tuple[int, ...], mean: float, std: float, seed: int, dtype: torch.dtype) -> Tensor:
    """N(mean, std²), in half precisions drawn in float32 too: ends of a coarse grid would become infinite."""
    unit = torch.randn(sizes, generator=generator(seed), dtype=_wide(dtype))
    return (mean + std * unit).to(dtype)


def draw_truncated_normal(sizes: tuple[int, ...], std: float, seed: int, dtype: torch.dtype) -> Tensor:
    """Normal numbers cut off at two standard deviations and stretched, so that what is left has this deviation.

    A uniform number between Φ(−2) and Φ(2) is taken back through Φ.
    """
    ends = 0.5 * (1 + math.erf(-math.sqrt(2))), 0.5 * (1 + math.erf(math.sqrt(2)))
    level = draw_uniform(sizes, *ends, seed, torch.float64)
    return (torch.special.ndtri(level).clamp(-2, 2) * (std / TRUNCATED_STD)).to(dtype)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
