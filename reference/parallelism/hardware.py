"""What the hardware does: steps of several devices in time, a systolic array, lines of a cache."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_same_shape, check_whole


def step_time(compute: Tensor, communicate: Tensor) -> Tensor:
    """How long a step takes in which computing and communicating go on at the same time.

        t = max(t_compute, t_communicate)

    where t_compute is the time for the gradients of one worker's samples and t_communicate that for sending them and
    receiving the parameters. n workers do n times the work of one in a step: they are n · t_compute / t ≤ n times as fast.

    Args:
        compute, communicate: seconds, floating, of the same shape, at least 0.

    Returns:
        Seconds, shape and dtype of ``compute``.

    Raises:
        ValueError: shapes differ, or a time is negative.
        TypeError: a time is not a floating tensor.

    Conventions: a step that does one after the other takes the sum.

    Source: note 004 (distributed training, performance).
    """
    check_floating("compute", compute)
    check_floating("communicate", communicate)
    check_same_shape("communicate", communicate, "compute", compute)
    for name, time in (("compute", compute), ("communicate", communicate)):
        if bool((time < 0).any()):
            raise ValueError(f"{name} holds a negative time, expected at least 0")
    # nan where either is nan: a comparison alone would hide it.
    return torch.where(compute.isnan() | (compute > communicate), compute, communicate)


def systolic_matmul(A: Tensor, B: Tensor, size: int) -> tuple[Tensor, int]:
    """Multiply matrices on a square array of cells that hand numbers to their neighbours, cycle by cycle.

        cell (i, j) holds B_ij;  at every cycle  a_out = a_in,  p_out = p_in + a_in · B_ij

    where ``a`` goes to the right neighbour and ``p`` down. ``B`` is cut into ⌈K/s⌉ · ⌈N/s⌉ tiles of s × s, padded with zeros;
    tiles below each other are added up. For every tile

        loading its weights, a row a cycle from the top, takes s cycles;
        A_mi enters row i at cycle m + i, so that it meets in cell (i, j), at cycle m + i + j, the sum of the cells above;
        C_mj is ready below column j at cycle m + (s − 1) + j, the last one, of m = M − 1 and j = s − 1, at M + 2s − 3.

    Counted from 0 these are M + 2s − 2 cycles, so that

        cycles = ⌈K/s⌉ · ⌈N/s⌉ · (M + 3s − 2)

    Many rows at once share loading, filling and draining: that is why inputs come in batches.

    Args:
        A: (M, K), floating.
        B: (K, N), floating.
        size: s, cells along an edge, at least 1.

    Returns:
        C = A B, (M, N), dtype of ``A``, and the number of cycles. An empty product takes none.

    Raises:
        ValueError: a matrix has not two axes, inner sizes or dtypes differ, or ``size`` is below 1.
        TypeError: a matrix is not floating, or ``size`` no whole number.

    Conventions: weights stay (Google's TPU). Where sums stay instead, a tile of C takes K + 2s − 2 cycles and s for reading
        it out. The TPU loads the next tile while it computes, which hides s of the cycles of all tiles but the first.

    Source: note 004 (hardware for deep learning, systolic array); Kung and Leiserson 1979; Jouppi et al. 2017,
        arXiv:1704.04760; the count also Samajdar et al. 2018, SCALE-Sim, arXiv:1811.02883.
    """
    for name, matrix in (("A", A), ("B", B)):
        check_floating(name, matrix)
        check_axes(name, matrix, 2)
    size = check_whole("size", size, 1)
    if A.shape[1] != B.shape[0] or A.dtype != B.dtype:
        raise ValueError(
            f"A is {A.dtype} {tuple(A.shape)} and B {B.dtype} {tuple(B.shape)}, which cannot be multiplied"
        )
    (M, K), N = A.shape, B.shape[1]
    if 0 in (M, K, N):
        return A @ B, 0
    inner, outer = -(-K // size), -(-N // size)
    A = pad(A, (0, inner * size - K))
    B = pad(B, (0, outer * size - N, 0, inner * size - K))
    # (inner, 1, M, size) and (inner, outer, size, size): the same cycles for every tile, so that all are run at once.
    streams = A.reshape(M, inner, size).transpose(0, 1).unsqueeze(1)
    tiles = B.reshape(inner, size, outer, size).transpose(1, 2)
    products, cycles = _stream(streams, tiles)
    C = products.sum(0).transpose(0, 1).reshape(M, outer * size)[:, :N]
    return C.clone(), inner * outer * (size + cycles)


def _stream(rows: Tensor, weights: Tensor) -> tuple[Tensor, int]:
    """Rows (…, M, s) through cells that hold weights (…, s, s): products (…, M, s), and the cycles until the last is out."""
    count, size = rows.shape[-2:]
    at = torch.arange(size, device=rows.device)
    a = torch.zeros_like(weights)
    p = torch.zeros_like(weights)
    out: list[Tensor] = []
    missing, cycle = count * size, 0
    while missing:
        # Row i of the array is i cycles late; before the first and behind the last number zeros enter.
        entering = cycle - at
        inside = (entering >= 0) & (entering < count)
        numbers = torch.where(inside, rows[..., entering.clamp(0, count - 1), at], 0)
        a = torch.cat([numbers.unsqueeze(-1).expand_as(a[..., :1]), a[..., :-1]], -1)
        p = torch.cat([torch.zeros_like(p[..., :1, :]), p[..., :-1, :]], -2) + a * weights
        out.append(p[..., -1, :])
        # Column j gives its product with row m at cycle m + (size − 1) + j.
        leaving = cycle - (size - 1) - at
        missing -= int(((leaving >= 0) & (leaving < count)).sum())
        cycle += 1
    due = torch.arange(count, device=rows.device)[:, None] + size - 1 + at
    return torch.stack(out)[due, ..., at].movedim((0, 1), (-2, -1)), cycle


def cache_lines_touched(shape: Sequence[int], order: str, line_bytes: int = 64, element_bytes: int = 4) -> int:
    """Count the cache lines that are fetched while all elements of an array are visited once.

        fetched = 1 + #{steps whose element lies in another line than the one before}

    where element (i_1, …, i_d) lies at the offset that row-major storage gives it, the array begins at the beginning of a
    line, and the cache keeps the last line only. In row order these are ⌈bytes / line_bytes⌉, the fewest there can be; in
    column order one a step as soon as a row fills a line.

    Args:
        shape: sizes, at least 0, one or more.
        order: "row" (the last index runs fastest) or "column" (the first one does).
        line_bytes: at least 1; a multiple of ``element_bytes``.
        element_bytes: at least 1.

    Returns:
        A whole number; 0 of an array without elements.

    Raises:
        ValueError: a size is negative or there is none, ``order`` is unknown, or an element does not fit into lines.
        TypeError: a number is no whole one.

    Conventions: a cache keeps many lines. As long as one for every row stays, column order fetches no more than row order:
        the count is that of an array too high for the cache.

    Source: note 004 (using the CPU well: locality, 64 bytes at a time); note 003 (row order and column order).
    """
    sizes = [check_whole("shape", size, 0) for size in shape]
    if not sizes:
        raise ValueError("shape is empty, expected at least one size")
    check_choice("order", order, ("row", "column"))
    element, line = check_whole("element_bytes", element_bytes, 1), check_whole("line_bytes", line_bytes, 1)
    if line % element:
        raise ValueError(f"line_bytes is {line}, expected a multiple of element_bytes, {element}")
    offsets = torch.arange(torch.Size(sizes).numel()).reshape(sizes) * element
    if order == "column":
        offsets = offsets.permute(*reversed(range(len(sizes))))
    lines = offsets.flatten() // line
    return min(1, len(lines)) + int((lines[1:] != lines[:-1]).sum())
