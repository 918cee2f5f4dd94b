"""Sizes: how many windows fit, and how far their transpose reaches."""

from collections.abc import Sequence

from lawbook.reference.checks import check_whole


def conv_output_size(n: int, kernel: int, padding: int = 0, stride: int = 1, dilation: int = 1) -> int:
    """Count the windows of a convolution along one axis.

        m = floor((n + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1

    A remainder is dropped: the last elements that no whole stride reaches are not read.

    Args:
        n: size of the input, at least 1.
        kernel: size of the kernel, at least 1.
        padding: elements added at *each* end, at least 0.
        stride: step between windows, at least 1.
        dilation: step between the kernel's taps, at least 1.

    Returns:
        The size of the output, an int of at least 1.

    Raises:
        ValueError: an argument is below its bound, or the dilated kernel is larger than the padded input.
        TypeError: an argument is not a whole number.

    Source: note 001 CNN §2 (without dilation), note 002 §6.2.2, note 004 "padding and stride";
        Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    n, kernel = check_whole("n", n, 1), check_whole("kernel", kernel, 1)
    padding, stride = check_whole("padding", padding, 0), check_whole("stride", stride, 1)
    extent = check_whole("dilation", dilation, 1) * (kernel - 1) + 1
    if extent > n + 2 * padding:
        raise ValueError(f"kernel spans {extent} elements, expected at most the padded input's {n + 2 * padding}")
    return (n + 2 * padding - extent) // stride + 1


def conv_transpose_output_size(n: int, k: int, p: int = 0, s: int = 1, d: int = 1, output_padding: int = 0) -> int:
    """Size of a transposed convolution along one axis.

        m = s·(n − 1) + d·(k − 1) + 1 − 2p + output_padding

    which is s·n + k − 2p − s for d = 1 and no output padding: with k = 2p + s the size grows exactly s-fold.
    ``conv_output_size(m, k, p, s, d)`` gives back ``n`` for every ``output_padding`` below ``s``.

    Args:
        n: size of the input, at least 1.
        k: size of the kernel, at least 1.
        p: elements removed at *each* end of the output, at least 0.
        s: stride, at least 1.
        d: dilation of the kernel, at least 1.
        output_padding: elements added at the *end* of the output, in 0..max(s, d) − 1.

    Returns:
        The size of the output, an int of at least 1.

    Raises:
        ValueError: an argument is outside its bounds, or nothing is left of the output.
        TypeError: an argument is not a whole number.

    Source: note 004 "transposed convolution" (without dilation and output padding); Dumoulin and Visin 2016,
        arXiv:1603.07285.
    """
    n, k = check_whole("n", n, 1), check_whole("k", k, 1)
    p, s, d = check_whole("p", p, 0), check_whole("s", s, 1), check_whole("d", d, 1)
    output_padding = check_whole("output_padding", output_padding, 0)
    if output_padding >= max(s, d):
        raise ValueError(f"output_padding is {output_padding}, expected below the larger of stride {s}, dilation {d}")
    size = s * (n - 1) + d * (k - 1) + 1 - 2 * p + output_padding
    if size < 1:
        raise ValueError(f"p is {p}: it removes the whole output, expected a size of at least 1, got {size}")
    return size


def per_axis(name: str, value: int | Sequence[int], axes: int, low: int) -> tuple[int, ...]:
    """One whole number an axis, each at least ``low``; a single number stands for all axes."""
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{name} is {value!r}, expected one number or {axes}")
    return tuple(check_whole(name, each, low) for each in values)
