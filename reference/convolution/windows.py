"""Sliding windows: images to columns and back."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating
from lawbook.reference.convolution.padding import last_axes, surround
from lawbook.reference.convolution.sizes import conv_output_size, per_axis

Sizes = int | Sequence[int]


def unfold(x: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Lay every window of an image out as a column.

        y[n, (c, a, b), (i, j)] = x̂[n, c, s₁·i + d₁·a, s₂·j + d₂·b]

    where x̂ is ``x`` between ``padding`` zeros at each end, and (·, ·) counts row by row, the last index fastest.
    A convolution without groups is ``weight.flatten(1) @ unfold(x, …)``.

    Args:
        x: (N, C, H, W), floating.
        kernel_size, dilation, stride: one number or one an axis, at least 1.
        padding: one number or one an axis, at least 0.

    Returns:
        (N, C·k₁·k₂, L), dtype of ``x``; L counts the windows.

    Raises:
        ValueError: ``x`` has not 4 axes, a number is below its bound, or a window is larger than the padded image.
        TypeError: ``x`` is not floating.

    Source: note 002 §6.2.2 (``nn.Unfold``); the "im2col" of Chellapilla, Puri and Simard 2006.
    """
    check_floating("x", x)
    check_axes("x", x, 4)
    kernel, dilation, padding, stride = window_arguments(kernel_size, dilation, padding, stride)
    rows, columns = counts(x.shape[2:], kernel, padding, stride, dilation)
    patches = windows(surround(x, padding, padding), kernel, stride, dilation)
    return patches.permute(0, 1, 4, 5, 2, 3).reshape(x.shape[0], x.shape[1] * kernel[0] * kernel[1], rows * columns)


def fold(
    x: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Add columns back into the image they were taken from.

        y[n, c, u, v] = Σ x[n, (c, a, b), (i, j)]  over s₁·i + d₁·a = u + p₁ and s₂·j + d₂·b = v + p₂

    It is the adjoint of ``unfold``, not its inverse: where windows overlap their values add up, where none reaches
    the result is 0.

    Args:
        x: (N, C·k₁·k₂, L), floating.
        output_size: (H, W), or one number for both, at least 1.
        kernel_size, dilation, stride: one number or one an axis, at least 1.
        padding: one number or one an axis, at least 0.

    Returns:
        (N, C, H, W), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not 3 axes, its second size is no multiple of the kernel's, its third is not the number
            of windows, or a number is below its bound.
        TypeError: ``x`` is not floating.

    Source: note 002 §6.2.2 (``nn.Fold``; a convolution there is unfold, linear and fold, which needs a fold with
        kernel 1, that is a reshape).
    """
    check_floating("x", x)
    check_axes("x", x, 3)
    height, width = per_axis("output_size", output_size, 2, 1)
    kernel, dilation, padding, stride = window_arguments(kernel_size, dilation, padding, stride)
    rows, columns = counts((height, width), kernel, padding, stride, dilation)
    channels, rest = divmod(x.shape[1], kernel[0] * kernel[1])
    if rest or x.shape[2] != rows * columns:
        expected = f"(N, a multiple of {kernel[0] * kernel[1]}, {rows * columns})"
        raise ValueError(f"x has shape {tuple(x.shape)}, expected {expected}")
    stamps = x.reshape(x.shape[0], channels, *kernel, rows, columns).permute(0, 1, 4, 5, 2, 3)
    image = accumulate(stamps, (height + 2 * padding[0], width + 2 * padding[1]), stride, dilation)
    return image[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width]


def window_arguments(kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> list[tuple[int, ...]]:
    """The four arguments of 2-D windows, checked, one number an axis."""
    named = (("kernel_size", kernel_size, 1), ("dilation", dilation, 1), ("padding", padding, 0), ("stride", stride, 1))
    return [per_axis(name, value, 2, low) for name, value, low in named]


def counts(sizes: Sequence[int], *arguments: Sequence[int]) -> tuple[int, ...]:
    """The number of windows along each axis; ``arguments`` are those of ``conv_output_size``, one number an axis."""
    return tuple(conv_output_size(*axis) for axis in zip(sizes, *arguments, strict=True))


def windows(x: Tensor, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """Every window over the last ``len(kernel)`` axes: (…, *sizes) → (…, *counts, *kernel), a view."""
    first = x.ndim - len(kernel)
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True), start=first):
        x = x.unfold(axis, d * (k - 1) + 1, s)
    return x[last_axes(slice(None, None, d) for d in dilation)]


def accumulate(stamps: Tensor, sizes: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """Sums where windows overlap, the adjoint of ``windows``: (…, *counts, *kernel) → (…, *sizes).

    Only products that the sum names are added, so that a nan reaches no further than its own window.
    """
    axes = len(sizes)
    lead, counted, kernel = stamps.shape[: -2 * axes], stamps.shape[-2 * axes : -axes], stamps.shape[-axes:]
    positions = torch.arange(math.prod(sizes), device=stamps.device).view(*sizes)
    target = windows(positions, kernel, stride, dilation)[tuple(slice(count) for count in counted)]
    flat = stamps.reshape(*lead, target.numel())
    return flat.new_zeros(*lead, positions.numel()).index_add(-1, target.flatten(), flat).unflatten(-1, tuple(sizes))
