"""Padding: what stands beyond the border."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_whole

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def constant_pad2d(x: Tensor, padding: int | Sequence[int], value: float) -> Tensor:
    """Surround images with a constant; negative amounts crop.

        y[…, i, j] = x[…, i − top, j − left]  where that position exists, else value

    Args:
        x: (…, H, W), floating.
        padding: (left, right, top, bottom), the last axis first; one number stands for all four.
        value: number written into the new elements.

    Returns:
        (…, H + top + bottom, W + left + right), dtype of ``x``; an axis may come out empty.

    Raises:
        ValueError: ``padding`` has not four numbers, removes more of an axis than it holds, or ``x`` lacks two axes.
        TypeError: ``x`` is not floating, or an amount is not whole.

    Source: note 002 §6.2.1 (``nn.ConstantPad2d``).
    """
    check_floating("x", x)
    amounts = tuple(padding) if isinstance(padding, Sequence) else (padding,) * 4
    if len(amounts) != 4 or x.ndim < 2:
        raise ValueError(f"padding is {padding!r} for shape {tuple(x.shape)}, expected 4 numbers and 2 or more axes")
    left, right, top, bottom = (check_whole("padding", amount) for amount in amounts)
    for n, before, after in ((x.shape[-2], top, bottom), (x.shape[-1], left, right)):
        if n + min(before, 0) + min(after, 0) < 0:
            raise ValueError(f"padding is {padding!r}: it removes more than the {n} elements of an axis")
    height, width = x.shape[-2:]
    kept = x[..., max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]
    return surround(kept, (max(top, 0), max(left, 0)), (max(bottom, 0), max(right, 0)), value=value)


def zero_pad2d(x: Tensor, padding: int | Sequence[int]) -> Tensor:
    """Surround images with zeros; negative amounts crop.

        y = constant_pad2d(x, padding, 0)

    Args:
        x: (…, H, W), floating.
        padding: (left, right, top, bottom), the last axis first; one number stands for all four.

    Returns:
        (…, H + top + bottom, W + left + right), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``constant_pad2d``.

    Source: note 002 §6.2.1 (``nn.ZeroPad2d``).
    """
    return constant_pad2d(x, padding, 0.0)


def replication_pad1d(x: Tensor, padding: int | Sequence[int]) -> Tensor:
    """Continue sequences with their first and last element.

        y[…, j] = x[…, clamp(j − left, 0, W − 1)]  for 0 ≤ j < W + left + right

    A negative amount crops its end; the other end then still repeats the *input's* border element.

    Args:
        x: (C, W) or (N, C, W), floating, W at least 1; what no channels give is left open.
        padding: (left, right); one number stands for both.

    Returns:
        (…, W + left + right), dtype of ``x``.

    Raises:
        ValueError: ``padding`` has not two numbers or leaves nothing, or ``x`` has another number of axes or W = 0.
        TypeError: ``x`` is not floating, or an amount is not whole.

    Source: note 002 §6.2.1 (``nn.ReplicationPad1d``).
    """
    check_floating("x", x)
    amounts = tuple(padding) if isinstance(padding, Sequence) else (padding, padding)
    if len(amounts) != 2:
        raise ValueError(f"padding is {padding!r}, expected one number or 2")
    left, right = (check_whole("padding", amount) for amount in amounts)
    if x.ndim not in (2, 3) or x.shape[-1] == 0:
        raise ValueError(f"x must be (C, W) or (N, C, W) with W at least 1, got shape {tuple(x.shape)}")
    if x.shape[-1] + left + right < 1:
        raise ValueError(f"padding is {padding!r}: nothing is left of {x.shape[-1]} elements")
    return continue_axis(x, -1, left, right, replicated)


def surround(
    x: Tensor,
    before: Sequence[int],
    after: Sequence[int],
    step: Sequence[int] | None = None,
    value: float = 0.0,
) -> Tensor:
    """The last axes of ``x`` in a larger array of ``value``, its elements ``step`` apart.

    (…, n, …) becomes (…, before + step·(n − 1) + 1 + after, …).
    """
    step = step or (1,) * len(before)
    lead, sizes = x.shape[: -len(before)], x.shape[-len(before) :]
    spans = [s * (n - 1) + 1 if n else 0 for n, s in zip(sizes, step, strict=True)]
    result = x.new_full((*lead, *(b + n + a for b, n, a in zip(before, spans, after, strict=True))), value)
    result[last_axes(slice(b, b + n, s) for b, n, s in zip(before, spans, step, strict=True))] = x
    return result


def last_axes(slices: Iterable[slice]) -> tuple[Any, ...]:
    """The index that cuts the last axes."""
    return (..., *slices)


def pad(x: Tensor, before: Sequence[int], after: Sequence[int], mode: str) -> Tensor:
    """Padding of the last ``len(before)`` axes by one of ``PADDING_MODES``; nothing is cropped."""
    if not any(before) and not any(after):
        return x
    if mode == "zeros":
        return surround(x, before, after)
    source, spare = {"reflect": (reflected, 1), "replicate": (replicated, None), "circular": (wrapped, 0)}[mode]
    for axis, (b, a) in enumerate(zip(before, after, strict=True), start=-len(before)):
        if spare is not None and max(b, a) > x.shape[axis] - spare:
            raise ValueError(f"padding is {max(b, a)}: {mode} padding reaches at most {x.shape[axis] - spare} here")
        x = continue_axis(x, axis, b, a, source)
    return x


def continue_axis(x: Tensor, axis: int, before: int, after: int, source: Callable[[Tensor, int], Tensor]) -> Tensor:
    """One axis extended at both ends: ``source`` says which element stands at a position outside 0..n−1."""
    n = x.shape[axis]
    return x.index_select(axis, source(torch.arange(-before, n + after, device=x.device), n))


def reflected(position: Tensor, n: int) -> Tensor:
    """The border is a mirror and is not repeated: … 2 1 | 0 1 2 | 1 0 …"""
    return n - 1 - (n - 1 - position.abs()).abs()


def replicated(position: Tensor, n: int) -> Tensor:
    """The border element is repeated: 0 0 | 0 1 2 | 2 2."""
    return position.clamp(0, n - 1)


def wrapped(position: Tensor, n: int) -> Tensor:
    """The axis is a circle: 1 2 | 0 1 2 | 0 1."""
    return position.remainder(n)


def check_padded(name: str, x: Tensor, axes: int) -> None:
    """Raise unless ``x`` is a floating tensor of samples and channels with ``axes`` more axes, none of them empty."""
    check_floating(name, x)
    if x.ndim != axes + 2 or 0 in x.shape[2:]:
        raise ValueError(f"{name} must be (N, C, {axes} sizes of at least 1), got shape {tuple(x.shape)}")
