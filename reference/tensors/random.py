"""Random tensors: uniform, whole and normal numbers, and permutations. A seed says which."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_range, check_whole
from lawbook.reference.initialization.filling import draw_normal, draw_uniform, generator
from lawbook.reference.tensors.creation import check_sizes

WORD = 63
"""How many random bits make one number: as many as int64 holds above zero."""


def rand(size: Sequence[int], seed: int) -> Tensor:
    """Independent uniform numbers from 0 up to, but not including, 1.

        y ~ U[0, 1)

    Args:
        size: sizes, each at least 0; () is one number.
        seed: a whole number of at least 0. The same seed gives the same tensor, another seed an independent one, and
            the global random generators are neither read nor moved.

    Returns:
        A new float32 tensor of that size.

    Raises:
        ValueError: a size is negative.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        Which numbers belong to a seed is each library's own affair. Only an implementation whose numbers are those of
        ``torch.Generator().manual_seed(seed)`` is held to more: then they stand in the order of memory.

    Source: note 001 §2.6.
    """
    return draw_uniform(check_sizes(size), 0.0, 1.0, seed, torch.float32)


def randint(low: int, high: int, size: Sequence[int], seed: int) -> Tensor:
    """Independent whole numbers from ``low`` up to, but not including, ``high``, all equally likely.

        P(y = k) = 1 / (high − low),    k = low … high − 1

    Args:
        low: the least number.
        high: one more than the greatest; both ends within int64 and less than 2⁶³ apart.
        size: sizes, each at least 0; () is one number.
        seed: as in ``rand``.

    Returns:
        A new int64 tensor of that size.

    Raises:
        ValueError: ``high`` is not above ``low``, or a size is negative.
        TypeError: an end, a size or the seed is not a whole number.

    Conventions:
        Random bits taken modulo the interval's length make its lower part likelier whenever the length does not divide the
        number of values the bits have. The reference draws anew what lies beyond the last whole interval, as NumPy does;
        PyTorch and JAX do not, which shows in wide intervals.

    Source: note 001 §2.6.
    """
    low, high = check_whole("low", low), check_whole("high", high)
    if not low < high:
        raise ValueError(f"high is {high}, expected a number above low, {low}")
    span, sizes, source = high - low, check_sizes(size), generator(seed)
    last = 2**WORD - 2**WORD % span - 1
    drawn = _words(sizes, source)
    beyond = drawn > last
    while bool(beyond.any()):
        drawn[beyond] = _words((int(beyond.sum()),), source)
        beyond = drawn > last
    return low + drawn % span


def randn(size: Sequence[int], seed: int) -> Tensor:
    """Independent standard normal numbers.

        y ~ N(0, 1)

    Args:
        size: sizes, each at least 0; () is one number.
        seed: as in ``rand``.

    Returns:
        A new float32 tensor of that size, always finite.

    Raises:
        ValueError: a size is negative.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        On streams see ``rand``; an implementation with PyTorch's is held to the signs of the numbers too.

    Source: note 001 §2.6.
    """
    return draw_normal(check_sizes(size), 0.0, 1.0, seed, torch.float32)


def normal(mean: float, std: float, size: Sequence[int], seed: int) -> Tensor:
    """Independent normal numbers of any mean and standard deviation.

        y ~ N(mean, std²), distributed as mean + std · randn

    Args:
        mean: any number.
        std: the standard deviation (not the variance), at least 0; 0 gives ``mean`` everywhere.
        size: sizes, each at least 0; () is one number.
        seed: as in ``rand``.

    Returns:
        A new float32 tensor of that size, always finite.

    Raises:
        ValueError: ``std`` or a size is negative.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        On streams see ``randn``.

    Source: note 001 §2.6.
    """
    check_range("std", std, 0)
    return draw_normal(check_sizes(size), mean, std, seed, torch.float32)


def randperm(n: int, seed: int) -> Tensor:
    """The numbers from 0 to n − 1 in random order, every order being equally likely.

        P(y = π) = 1 / n!,    π any permutation of 0 … n − 1

    Args:
        n: how many numbers, at least 0.
        seed: as in ``rand``.

    Returns:
        (n,), int64: each number exactly once.

    Raises:
        ValueError: ``n`` is negative.
        TypeError: ``n`` or the seed is not a whole number.

    Conventions:
        Which permutation belongs to a seed is each library's own affair; but the reference's own in reverse order counts
        as wrong.

    Source: note 001 §2.7.
    """
    # Independent keys are in every order equally often; two equal ones among n have a chance below n² / 2⁶⁴.
    return torch.argsort(_words((check_whole("n", n, 0),), generator(seed)), stable=True)


def _words(sizes: tuple[int, ...], source: Generator) -> Tensor:
    """Uniform numbers from 0 to 2⁶³ − 1, of 63 random bits."""
    upper = torch.randint(0, 2 ** (WORD - 32), sizes, generator=source)
    return (upper << 32) + torch.randint(0, 2**32, sizes, generator=source)
