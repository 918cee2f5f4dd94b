"""Places: which elements of an axis each window holds, and how many windows there are."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_whole
from lawbook.reference.convolution.sizes import per_axis

Sizes = int | Sequence[int]


def pool_output_size(n: int, k: int, p: int = 0, s: int | None = None, d: int = 1, ceil_mode: bool = False) -> int:
    """Count the windows of a pooling layer along one axis.

        m = floor((n + 2p − d·(k − 1) − 1) / s) + 1
        m = ceil((n + 2p − d·(k − 1) − 1) / s) + 1     with ceil_mode,
            less one where that last window would begin behind the input: (m − 1)·s ≥ n + p

    With ``ceil_mode`` the last window may hang over the padded input's end, but it begins in the input or in the
    padding before it. A window longer than the padded input is then legal too, as long as it is less than a stride longer.

    Args:
        n: size of the input, at least 1.
        k: size of the window, at least 1.
        p: elements added at *each* end, at least 0 and at most half of ``k``.
        s: stride, at least 1; None stands for ``k``.
        d: dilation, the step between the elements of a window, at least 1.
        ceil_mode: round up.

    Returns:
        The size of the output, an int of at least 1.

    Raises:
        ValueError: an argument is outside its bounds, or no window fits.
        TypeError: an argument is not a whole number.

    Source: note 001 CNN §2 (without ``ceil_mode``), note 004 "pooling"; PyTorch's ``MaxPool2d``.
    """
    n, k, p, d = (
        check_whole("n", n, 1),
        check_whole("k", k, 1),
        check_whole("p", p, 0),
        check_whole("d", d, 1),
    )
    s = k if s is None else check_whole("s", s, 1)
    if 2 * p > k:
        raise ValueError(f"p is {p}: padding may be at most half of the window's size {k}")
    room = n + 2 * p - d * (k - 1) - 1
    size = (room + s - 1 if ceil_mode else room) // s + 1
    if ceil_mode and (size - 1) * s >= n + p:
        size -= 1
    if size < 1:
        raise ValueError(f"the window spans {d * (k - 1) + 1} elements, expected to fit {n + 2 * p}")
    return size


def window_places(
    sizes: Sequence[int],
    kernel: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> list[Tensor]:
    """The places that every window reads along each axis, (windows, k); below 0 and from n on lies padding."""
    axes = len(sizes)
    named = (("kernel", kernel, 1), ("stride", kernel if stride is None else stride, 1))
    more = (("padding", padding, 0), ("dilation", dilation, 1))
    each = zip(sizes, *(per_axis(name, value, axes, low) for name, value, low in (*named, *more)), strict=True)
    found = []
    for n, k, s, p, d in each:
        count = pool_output_size(n, k, p, s, d, ceil_mode)
        found.append(torch.arange(count).unsqueeze(1) * s - p + torch.arange(k) * d)
    return found


def adaptive_places(sizes: Sequence[int], output_size: Sizes) -> list[Tensor]:
    """The places of every bin along each axis, (bins, largest bin); smaller bins go on behind the input.

    Bin i of m reaches from floor(i·n / m) to ceil((i + 1)·n / m), the end excluded.
    """
    found = []
    for n, m in zip(sizes, per_axis("output_size", output_size, len(sizes), 1), strict=True):
        bins = torch.arange(m)
        start, end = bins * n // m, -(-(bins + 1) * n // m)
        places = start.unsqueeze(1) + torch.arange(int((end - start).max()))
        found.append(torch.where(places < end.unsqueeze(1), places, n))
    return found


def inside(places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Which elements of the windows lie in the input: (…counts, …kernel), flags."""
    return _joined([(each >= 0) & (each < n) for each, n in zip(places, sizes, strict=True)], torch.logical_and)


def flat_places(places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Where every element of every window stands in the flattened plane: (…counts, …kernel).

    An element in the padding repeats one of its window's own: that changes no maximum.
    """
    flat, last = [], 1
    for each, n in zip(reversed(places), reversed(sizes), strict=True):
        known = (each >= 0) & (each < n)
        first = torch.where(known, each, n).amin(1, keepdim=True)
        if bool((first == n).any()):
            raise ValueError(f"a window of {each.shape[1]} holds none of the {n} elements, only padding")
        flat.append(torch.where(known, each, first) * last)
        last *= n
    return _joined(flat[::-1], torch.add)


def _joined(parts: Sequence[Tensor], join) -> Tensor:
    """(count, k) an axis → (…counts, …kernel), an element for every combination."""
    axes = len(parts)
    result = None
    for axis, part in enumerate(parts):
        shape = [1] * 2 * axes
        shape[axis], shape[axes + axis] = part.shape
        result = part.view(shape) if result is None else join(result, part.view(shape))
    assert result is not None
    return result
