"""Average pooling: windows, adaptive bins and whole planes.

Half precisions are added up and divided in float32 and rounded once, as libraries do: sums of windows, and the numbers of
their elements, are beyond float16 long before their mean is.
"""

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_whole
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.pooling.maxima import check_planes
from lawbook.reference.pooling.places import Sizes, adaptive_places, flat_places, inside, window_places


def avg_pool2d(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Keep the mean of every window of images.

        y[n, c, i, j] = Σ x̂[n, c, s₁·i − p₁ + a, s₂·j − p₂ + b] / D(i, j)  over 0 ≤ a < k₁ and 0 ≤ b < k₂

    where x̂ is ``x`` and zero outside, and D the number of the window's positions that lie

        in the image and its padding, −p ≤ position < n + p      with count_include_pad,
        in the image                                             without it,

    or ``divisor_override`` where that is given. What hangs over the padding's end (with ``ceil_mode``) never counts.

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.
        kernel: size of the window, one number or two (rows, columns), at least 1.
        stride: one number or two, at least 1; None stands for ``kernel``.
        padding: one number or two, 0 to half of ``kernel``, added at each end.
        ceil_mode: the last windows may hang over the end; see ``pool_output_size``.
        count_include_pad: zeros of the padding count as elements.
        divisor_override: number to divide all sums by, at least 1, or None.

    Returns:
        (N, C, H′, W′), each size as ``pool_output_size`` says, dtype of ``x``.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty, a number is outside its bounds, or no window fits.
        TypeError: ``x`` is not floating.

    Conventions: zeros of the padding count in PyTorch and flax unless told otherwise, in TensorFlow's ``SAME`` they do not.

    Source: note 002 §6.2.2, note 004 LeNet; PyTorch's ``AvgPool2d``.
    """
    check_floating("x", x)
    check_planes(x, 2)
    sizes = x.shape[2:]
    places = window_places(sizes, kernel, stride, padding, 1, ceil_mode)
    if divisor_override is not None:
        divisor = torch.tensor(check_whole("divisor_override", divisor_override, 1))
    elif count_include_pad:
        ends = per_axis("padding", padding, 2, 0)
        padded = [n + 2 * p for n, p in zip(sizes, ends, strict=True)]
        divisor = inside([each + p for each, p in zip(places, ends, strict=True)], padded).sum((-2, -1))
    else:
        divisor = inside(places, sizes).sum((-2, -1))
    return _shares(x, places, divisor)


def adaptive_avg_pool2d(x: Tensor, output_size: Sizes) -> Tensor:
    """Divide images into a given number of bins and keep the mean of each.

        y[n, c, i, j] = mean of x[n, c, u, v]  over ⌊i·H / H′⌋ ≤ u < ⌈(i + 1)·H / H′⌉ and v alike

    Neighbouring bins share elements where H′ does not divide H, and each divides by its own number of elements.

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.
        output_size: (H′, W′), or one number for both, at least 1; it may be larger than the image.

    Returns:
        (N, C, H′, W′), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty, or ``output_size`` is below 1.
        TypeError: ``x`` is not floating.

    Source: note 002 §6.2.2, note 004 NiN, ResNet; PyTorch's ``AdaptiveAvgPool2d``.
    """
    check_floating("x", x)
    check_planes(x, 2)
    places = adaptive_places(x.shape[2:], output_size)
    return _shares(x, places, inside(places, x.shape[2:]).sum((-2, -1)))


def global_avg_pool(x: Tensor) -> Tensor:
    """Keep the mean of every plane.

        y[n, c, 0, 0] = Σ_{i, j} x[n, c, i, j] / (H·W)

    Args:
        x: (N, C, H, W), floating, C, H and W at least 1.

    Returns:
        (N, C, 1, 1), dtype of ``x``: the axes stay, as in ``AdaptiveAvgPool2d((1, 1))``.

    Raises:
        ValueError: ``x`` has not 4 axes or is empty.
        TypeError: ``x`` is not floating.

    Conventions: PyTorch's layer and note 004 keep both axes with size 1, Keras' ``GlobalAveragePooling2D`` drops them.

    Source: note 004 NiN; Lin, Chen and Yan 2014, arXiv:1312.4400.
    """
    check_floating("x", x)
    check_planes(x, 2)
    return x.mean((2, 3), keepdim=True)


def _shares(x: Tensor, places: list[Tensor], divisor: Tensor) -> Tensor:
    """The sum of every window's elements that lie in the image, divided."""
    sizes = x.shape[2:]
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    patches = wide.flatten(2)[..., flat_places(places, sizes).to(x.device)]
    sums = torch.where(inside(places, sizes).to(x.device), patches, 0).flatten(-2).sum(-1)
    return (sums / divisor.to(wide)).to(x.dtype)
