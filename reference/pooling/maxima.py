"""Max pooling: windows, adaptive bins and fractional regions, one implementation for all."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_shape, check_tensor
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.convolution.windows import windows
from lawbook.reference.pooling.places import Sizes, adaptive_places, flat_places, window_places


def pool2d(X: Tensor, size: Sizes, mode: str = "max") -> Tensor:
    """Slide a window over a matrix, one step at a time, and keep its largest element or its mean.

        Y[i, j] = max or mean of X[i + a, j + b]  over 0 ≤ a < p₁ and 0 ≤ b < p₂

    Args:
        X: (H, W), floating.
        size: the window (p₁, p₂), or one number for both, at least 1.
        mode: ``"max"`` or ``"avg"``.

    Returns:
        (H − p₁ + 1, W − p₂ + 1), dtype of ``X``; nan where a window holds nan. Of equal largest elements any may
        receive the gradient, or all of them a share.

    Raises:
        ValueError: ``X`` has not two axes, the window does not fit, or another ``mode``.
        TypeError: ``X`` is not floating.

    Source: note 004 "pooling" (``pool2d``).
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    check_choice("mode", mode, ("max", "avg"))
    kernel = per_axis("size", size, 2, 1)
    if any(k > n for k, n in zip(kernel, X.shape, strict=True)):
        raise ValueError(f"size is {size!r}, expected at most that of X, {tuple(X.shape)}")
    patches = windows(X, kernel, (1, 1), (1, 1)).flatten(-2)
    return patches.max(-1).values if mode == "max" else patches.mean(-1)


def max_pool1d(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Keep the largest element of every window of sequences, and where it stands.

        values[n, c, i] = max of x[n, c, s·i − p + d·a]  over 0 ≤ a < k, those positions that exist
        values = x[n, c, indices]

    Padding holds no element: it acts as −∞ and never comes out.

    Args:
        x: (N, C, L), floating or whole numbers.
        kernel: size of the window, a number or a 1-tuple, at least 1.
        stride: a number or a 1-tuple, at least 1; None stands for ``kernel``.
        padding: a number or a 1-tuple, 0 to half of ``kernel``, added at each end.
        dilation: a number or a 1-tuple, at least 1.
        ceil_mode: the last window may hang over the end; see ``pool_output_size``.

    Returns:
        (values, indices), both (N, C, pool_output_size(L, …)); values in the dtype of ``x``, nan where a window holds
        nan; indices int64, positions in the sequence. Of equal largest elements (or of several nan) any may be named.
        The gradient goes to the largest element; of equal ones to any, or to each a share.

    Raises:
        ValueError: ``x`` has not 3 axes, C or L is 0, a number is outside its bounds, no window fits, or a dilated
            window lies in the padding with all its elements.
        TypeError: ``x`` is neither floating nor whole.

    Conventions: a stride left out is the window's size (PyTorch, note 001), in flax it is 1.

    Source: note 001 CNN §2, note 002 §6.2.2; PyTorch's ``MaxPool1d``.
    """
    return _max_pool(1, x, kernel, stride, padding, dilation, ceil_mode)


def max_pool2d(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Keep the largest element of every window of images, and where it stands.

        values[n, c, i, j] = max of x[n, c, s₁·i − p₁ + d₁·a, s₂·j − p₂ + d₂·b]  over the positions that exist
        values = x.flatten(2)[n, c, indices]

    Args:
        x: (N, C, H, W), floating or whole numbers.
        kernel: size of the window, one number or two (rows, columns), at least 1.
        stride: one number or two, at least 1; None stands for ``kernel``.
        padding: one number or two, 0 to half of ``kernel``, added at each end.
        dilation: one number or two, at least 1.
        ceil_mode: the last windows may hang over the end; see ``pool_output_size``.

    Returns:
        (values, indices), both (N, C, H′, W′), each size as ``pool_output_size`` says; an index counts the positions of
        the plane row by row, row · W + column. Nan, equal elements and the gradient as for ``max_pool1d``.

    Raises:
        ValueError, TypeError: as ``max_pool1d``.

    Conventions: as ``max_pool1d``. An index counts in the plane H·W of its channel (PyTorch); others count in the whole
        tensor (TensorFlow's ``max_pool_with_argmax``, ONNX) or in the window.

    Source: note 001 CNN §2, note 002 §6.2.2, note 004 "pooling"; PyTorch's ``MaxPool2d``.
    """
    return _max_pool(2, x, kernel, stride, padding, dilation, ceil_mode)


def max_pool3d(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Keep the largest element of every window of volumes or videos, and where it stands.

        values[n, c, i] = max of x[n, c, s⊙i − p + d⊙a]  over the positions that exist, i and a triples
        values = x.flatten(2)[n, c, indices]

    Args:
        x: (N, C, D, H, W), floating or whole numbers.
        kernel: size of the window, one number or three, at least 1.
        stride: one number or three, at least 1; None stands for ``kernel``.
        padding: one number or three, 0 to half of ``kernel``, added at each end.
        dilation: one number or three, at least 1.
        ceil_mode: the last windows may hang over the end; see ``pool_output_size``.

    Returns:
        (values, indices), both (N, C, D′, H′, W′), each size as ``pool_output_size`` says; an index counts the positions
        of the volume, (plane · H + row) · W + column. Nan, equal elements and the gradient as for ``max_pool1d``.

    Raises:
        ValueError, TypeError: as ``max_pool1d``.

    Conventions: as ``max_pool2d``.

    Source: note 002 §6.2.2; PyTorch's ``MaxPool3d``.
    """
    return _max_pool(3, x, kernel, stride, padding, dilation, ceil_mode)


def adaptive_max_pool2d(x: Tensor, output_size: Sizes) -> Tensor:
    """Divide images into a given number of bins and keep the largest element of each.

        y[n, c, i, j] = max of x[n, c, u, v]  over ⌊i·H / H′⌋ ≤ u < ⌈(i + 1)·H / H′⌉ and v alike

    Neighbouring bins share elements where H′ does not divide H. Bins differ in size, so that no window with a fixed size
    and stride gives them.

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.
        output_size: (H′, W′), or one number for both, at least 1; it may be larger than the image.

    Returns:
        (N, C, H′, W′), dtype of ``x``; nan where a bin holds nan. Of equal largest elements any may receive the
        gradient, or all of them a share.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty, or ``output_size`` is below 1.
        TypeError: ``x`` is not floating.

    Source: note 002 §6.2.2 (which guesses at padding and stride), note 004 SSD; PyTorch's ``AdaptiveMaxPool2d``.
    """
    check_floating("x", x)
    check_planes(x, 2)
    sizes = x.shape[2:]
    return _largest(x, flat_places(adaptive_places(sizes, output_size), sizes))[0]


def fractional_max_pool2d(x: Tensor, kernel: Sizes, output_size: Sizes, samples: Tensor) -> Tensor:
    """Keep the largest element of regions whose distances vary at random between two neighbouring whole numbers.

        y[n, c, i, j] = max of x[n, c, r(i) + a, r(j) + b]  over 0 ≤ a < k₁ and 0 ≤ b < k₂
        r(i) = ⌊α·(i + u)⌋ − ⌊α·u⌋  for i < m − 1,  r(m − 1) = n − k,  α = (n − k) / (m − 1)

    with n the size of the axis, m that of the output and u the sample's number for the axis: its own for every sample
    and channel, one for rows and one for columns. Regions overlap where k is larger than their distance.

    Args:
        x: (N, C, H, W), floating, C at least 1.
        kernel: size of the regions (k₁, k₂), or one number, at least 1.
        output_size: (m₁, m₂), or one number, at least 1, at most n − k + 1.
        samples: (N, C, 2), dtype of ``x``, in [0, 1): the numbers u for rows and columns.

    Returns:
        (N, C, m₁, m₂), dtype of ``x``; nan where a region holds nan. Of equal largest elements any may receive the
        gradient, or all of them a share; ``samples`` receives none.

    Raises:
        ValueError: shapes that do not fit, a number below its bound, or an output larger than n − k + 1.
        TypeError: ``x`` is not floating.

    Conventions: this is PyTorch's sequence (which names columns before rows in its own samples), begins at 0 and ends with
        the input. The paper draws ⌈α·(i + u)⌉ with regions that need not end there.

    Source: note 002 §6.2.2; Graham 2014, arXiv:1412.6071; PyTorch's ``FractionalMaxPool2d``.
    """
    check_floating("x", x)
    check_planes(x, 2)
    check_shape("samples", samples, (*x.shape[:2], 2))
    kernel, output = per_axis("kernel", kernel, 2, 1), per_axis("output_size", output_size, 2, 1)
    rows, columns = (
        _regions(n, k, m, u)
        for n, k, m, u in zip(x.shape[2:], kernel, output, samples.detach().unbind(-1), strict=True)
    )
    # (N, C, m₁, m₂, k₁, k₂), every sample and channel with places of its own.
    flat = rows[:, :, :, None, :, None] * x.shape[3] + columns[:, :, None, :, None, :]
    patches = x.flatten(2).gather(2, flat.flatten(2)).view(flat.shape)
    return patches.flatten(-2).max(-1).values


def _regions(n: int, k: int, m: int, u: Tensor) -> Tensor:
    """The places of every region along an axis: (N, C, m, k)."""
    if m > n - k + 1:
        raise ValueError(f"output_size is {m}, expected at most {n - k + 1}: {n} elements, regions of {k}")
    start = torch.full((*u.shape, m), n - k, device=u.device)
    if m > 1:
        alpha = (n - k) / (m - 1)
        begun = torch.arange(m - 1, dtype=u.dtype, device=u.device)
        start[..., :-1] = (torch.floor((begun + u.unsqueeze(-1)) * alpha) - torch.floor(u * alpha).unsqueeze(-1)).long()
    return start.unsqueeze(-1) + torch.arange(k, device=u.device)


def check_planes(x: Tensor, axes: int) -> None:
    """Raise ValueError unless ``x`` is samples and channels with ``axes`` more axes, nothing but the batch empty."""
    if x.ndim != axes + 2 or 0 in x.shape[1:]:
        expected = f"{axes + 2} axes, of which only the first may be empty"
        raise ValueError(f"x has shape {tuple(x.shape)}, expected {expected}")


def _max_pool(
    axes: int,
    x: Tensor,
    kernel: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> tuple[Tensor, Tensor]:
    check_tensor("x", x)
    if x.is_complex() or x.dtype == torch.bool:
        raise TypeError(f"x must be floating or hold integers, got {x.dtype}")
    check_planes(x, axes)
    sizes = x.shape[2:]
    return _largest(x, flat_places(window_places(sizes, kernel, stride, padding, dilation, ceil_mode), sizes))


def _largest(x: Tensor, flat: Tensor) -> tuple[Tensor, Tensor]:
    """The largest element of every window, and its place: ``flat`` is (…counts, …kernel)."""
    axes = flat.ndim // 2
    counts = flat.shape[:axes]
    flat = flat.flatten(axes).flatten(0, axes - 1).to(x.device)
    values, chosen = x.flatten(2)[..., flat].max(-1)
    indices = flat.expand(*chosen.shape, -1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    return values.unflatten(-1, counts), indices.unflatten(-1, counts)
