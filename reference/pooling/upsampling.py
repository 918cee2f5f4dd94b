"""Upsampling: images of another size, by the nearest element or between the four around."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.pooling.maxima import check_planes
from lawbook.reference.pooling.places import Sizes


def upsample_nearest(
    x: Tensor, size: Sizes | None = None, scale: Sizes | None = None, half_pixel: bool = False
) -> Tensor:
    """Images of another size, every element a copy of one of the input's.

        y[n, c, i, j] = x[n, c, src(i, H, H′), src(j, W, W′)]
        src(i, n, m) = ⌊i·n / m⌋               (half_pixel False)
        src(i, n, m) = ⌊(2i + 1)·n / (2m)⌋     (half_pixel True: from the centres of the elements)

    in whole numbers. A whole scale repeats every element that many times, by either rule.

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.
        size: (H′, W′), or one number for both, at least 1; it may be smaller than the image.
        scale: one number or two, whole, at least 1: H′ = scale₁·H. Exactly one of ``size`` and ``scale`` is given.
        half_pixel: which of the two rules.

    Returns:
        (N, C, H′, W′), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty, both or neither of ``size`` and ``scale`` are given, or one is below 1.
        TypeError: ``x`` is not floating, or a size or scale is not whole.

    Conventions: PyTorch's ``nearest`` is the first rule, its ``nearest-exact``, TensorFlow 2 and ``jax.image.resize`` the
        second. Libraries that multiply by n / m in float32 miss a neighbour at times (2 → 82 in PyTorch).

    Source: note 002 §6.2.2 (``nn.Upsample``); PyTorch's ``interpolate``.
    """
    rows, columns = _sizes(x, size, scale)
    for axis, m in ((2, rows), (3, columns)):
        n, at = x.shape[axis], torch.arange(m, device=x.device)
        x = x.index_select(axis, (2 * at + 1) * n // (2 * m) if half_pixel else at * n // m)
    return x


def upsample_bilinear(
    x: Tensor, size: Sizes | None = None, scale: Sizes | None = None, align_corners: bool = False
) -> Tensor:
    """Images of another size, every element a weighted mean of the four around its place.

        y[…, i] = (1 − w)·x[…, ⌊t⌋] + w·x[…, min(⌊t⌋ + 1, n − 1)],  w = t − ⌊t⌋,  along rows and columns alike
        t = max((i + ½)·n / m − ½, 0)      (align_corners False: centres of the elements, the border repeated)
        t = i·(n − 1) / (m − 1), 0 if m = 1    (align_corners True: the corners' centres coincide)

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.
        size: (H′, W′), or one number for both, at least 1; a smaller image is sampled, not smoothed.
        scale: one number or two, whole, at least 1: H′ = scale₁·H. Exactly one of ``size`` and ``scale`` is given.
        align_corners: which of the two rules.

    Returns:
        (N, C, H′, W′), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty, both or neither of ``size`` and ``scale`` are given, or one is below 1.
        TypeError: ``x`` is not floating, or a size or scale is not whole.

    Conventions: note 002 aligns the corners; PyTorch does so when told, TensorFlow 1 could, TensorFlow 2 and
        ``jax.image.resize`` take centres, and the latter smooths what it makes smaller unless ``antialias`` is False.

    Source: note 002 §6.2.2 (``nn.Upsample``); PyTorch's ``interpolate``.
    """
    rows, columns = _sizes(x, size, scale)
    return _between(_between(x, 3, columns, align_corners), 2, rows, align_corners)


def _sizes(x: Tensor, size: Sizes | None, scale: Sizes | None) -> tuple[int, ...]:
    check_floating("x", x)
    check_planes(x, 2)
    if (size is None) == (scale is None):
        raise ValueError(f"size is {size!r} and scale {scale!r}, expected exactly one of them")
    if size is not None:
        return per_axis("size", size, 2, 1)
    assert scale is not None
    return tuple(n * s for n, s in zip(x.shape[2:], per_axis("scale", scale, 2, 1), strict=True))


def _between(x: Tensor, axis: int, m: int, align_corners: bool) -> Tensor:
    """One axis sampled at ``m`` places."""
    n = x.shape[axis]
    # Places are computed in single precision at least: half precision has too few digits to tell neighbours.
    at = torch.arange(m, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    aligned = (n - 1) / (m - 1) if m > 1 else 0.0
    place = at * aligned if align_corners else ((at + 0.5) * (n / m) - 0.5).clamp_min(0)
    below = place.floor().clamp_max(n - 1)
    weight = (place - below).to(x.dtype).view(-1, *(1,) * (x.ndim - 1 - axis))
    before = below.long()
    after = (before + 1).clamp_max(n - 1)
    return x.index_select(axis, before) * (1 - weight) + x.index_select(axis, after) * weight
