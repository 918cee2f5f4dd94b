"""Convolution layers in one, two and three dimensions: one implementation for all."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_shape, check_tensor, check_whole
from lawbook.reference.convolution.padding import PADDING_MODES, check_padded, pad
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.convolution.windows import Sizes, counts, windows


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    """One-dimensional convolution of sequences (cross-correlation: the kernel is not flipped).

        y[n, o, i] = bias[o] + Σ_{c, a} weight[o, c, a] · x̂[n, c′, s·i + d·a]

    where x̂ is ``x`` padded at both ends and c′ = c + (C / groups)·⌊o / (O / groups)⌋: the channels fall into
    ``groups`` consecutive blocks, and each block of outputs sees its own block of inputs only.

    Args:
        x: (N, C, L), floating, L at least 1; what no channels give is left open.
        weight: (O, C / groups, K), dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: a number or a 1-tuple, at least 1.
        padding: a number or a 1-tuple, at least 0, added at each end; ``"valid"`` (none) or ``"same"``.
        groups: divides C and O.
        padding_mode: ``"zeros"``, ``"reflect"`` (padding below L), ``"replicate"`` or ``"circular"`` (at most L).

    Returns:
        (N, O, conv_output_size(L, K, …)), dtype of ``x``.

    Raises:
        ValueError: shapes that do not fit, a number below its bound, a kernel larger than the padded input,
            ``"same"`` with a stride above 1, an unknown ``padding`` or ``padding_mode``.
        TypeError: ``x`` is not floating, or ``weight`` or ``bias`` has another dtype.

    Conventions: ``"same"`` is PyTorch's: the d·(K − 1) new elements are halved, an odd one goes to the end, and the
        stride is 1. TensorFlow's ``SAME`` also takes strides: it pads max((⌈L / s⌉ − 1)·s + d·(K − 1) + 1 − L, 0)
        in total, which depends on L and is often asymmetric (stride 2, L 6, K 3: none before, one after).

    Source: note 001 CNN §3, note 002 §6.2.2; LeCun et al. 1989; PyTorch's ``Conv1d``.
    """
    return convolve(1, x, weight, bias, stride, padding, dilation, groups, padding_mode)


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    """Two-dimensional convolution of images (cross-correlation: the kernel is not flipped).

        y[n, o, i, j] = bias[o] + Σ_{c, a, b} weight[o, c, a, b] · x̂[n, c′, s₁·i + d₁·a, s₂·j + d₂·b]

    with x̂ and c′ as for ``conv1d``.

    Args:
        x: (N, C, H, W), floating, as for ``conv1d``.
        weight: (O, C / groups, K₁, K₂), dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: one number, or two (rows, columns), at least 1.
        padding: one number, or two, at least 0, added at each end; ``"valid"`` (none) or ``"same"``.
        groups: divides C and O; groups = C with O a multiple of C is a depthwise convolution.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Returns:
        (N, O, H′, W′), each size as ``conv_output_size`` says, dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``conv1d``.

    Conventions: ``"same"`` as for ``conv1d``.

    Source: note 001 CNN §3, note 002 §6.2.2, note 004 "padding and stride"; LeCun et al. 1998; dilation: Yu and
        Koltun 2016, arXiv:1511.07122; PyTorch's ``Conv2d``.
    """
    return convolve(2, x, weight, bias, stride, padding, dilation, groups, padding_mode)


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    """Three-dimensional convolution of volumes or videos (cross-correlation: the kernel is not flipped).

        y[n, o, i] = bias[o] + Σ_{c, a} weight[o, c, a] · x̂[n, c′, s⊙i + d⊙a]

    with i and a triples, and x̂ and c′ as for ``conv1d``.

    Args:
        x: (N, C, D, H, W), floating, as for ``conv1d``.
        weight: (O, C / groups, K₁, K₂, K₃), dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: one number, or three, at least 1.
        padding: one number, or three, at least 0, added at each end; ``"valid"`` (none) or ``"same"``.
        groups: divides C and O.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Returns:
        (N, O, D′, H′, W′), each size as ``conv_output_size`` says, dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``conv1d``.

    Conventions: ``"same"`` as for ``conv1d``.

    Source: note 002 §6.2.2; Tran et al. 2015, arXiv:1412.0767; PyTorch's ``Conv3d``.
    """
    return convolve(3, x, weight, bias, stride, padding, dilation, groups, padding_mode)


def depthwise_separable_conv2d(
    x: Tensor,
    depth_weight: Tensor,
    point_weight: Tensor,
    depth_bias: Tensor | None = None,
    point_bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
) -> Tensor:
    """Convolve every channel alone, then mix the channels with a 1×1 convolution.

        z = conv2d(x, depth_weight, depth_bias, stride, padding, dilation, groups=C)
        y = conv2d(z, point_weight, point_bias)

    It equals one full convolution with the kernel Σ_m point[o, c·M + m] · depth[c·M + m], whose rank is limited.

    Args:
        x: (N, C, H, W), floating.
        depth_weight: (C·M, 1, K₁, K₂), dtype of ``x``; M outputs a channel, at least one.
        point_weight: (O, C·M, 1, 1), dtype of ``x``.
        depth_bias, point_bias: (C·M,) and (O,), dtype of ``x``, or None.
        stride, padding, dilation: of the first convolution, as for ``conv2d``.

    Returns:
        (N, O, H′, W′), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``conv2d``.

    Source: note 002 §6.2.2 (two ``nn.Conv2d``; Keras's ``SeparableConv2D``, which has no bias between the two);
        Sifre 2014; Chollet 2017, arXiv:1610.02357.
    """
    check_padded("x", x, 2)
    check_tensor("depth_weight", depth_weight)
    check_tensor("point_weight", point_weight)
    check_shape("point_weight", point_weight, (*point_weight.shape[:1], *depth_weight.shape[:1], 1, 1))
    each = convolve(2, x, depth_weight, depth_bias, stride, padding, dilation, x.shape[1], "zeros")
    return convolve(2, each, point_weight, point_bias, 1, 0, 1, 1, "zeros")


def convolve(
    axes: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    padding_mode: str,
) -> Tensor:
    """The convolution over ``axes`` spatial axes that ``conv1d``, ``conv2d`` and ``conv3d`` share."""
    check_padded("x", x, axes)
    groups = check_layer(axes, x, weight, bias, groups, out_axis=0)
    stride, dilation = per_axis("stride", stride, axes, 1), per_axis("dilation", dilation, axes, 1)
    check_choice("padding_mode", padding_mode, PADDING_MODES)
    kernel = weight.shape[2:]
    before, after = both_ends(padding, kernel, stride, dilation)
    padded = [n + b + a for n, b, a in zip(x.shape[2:], before, after, strict=True)]
    counts(padded, kernel, (0,) * axes, stride, dilation)
    patches = windows(pad(x, before, after, padding_mode), kernel, stride, dilation)
    grouped = patches.unflatten(1, (groups, weight.shape[1]))
    parts = weight.unflatten(0, (groups, weight.shape[0] // groups))
    place, tap = "xyz"[:axes], "uvw"[:axes]
    result = torch.einsum(f"ngc{place}{tap},goc{tap}->ngo{place}", grouped, parts).flatten(1, 2)
    return result if bias is None else result + bias.view(-1, *(1,) * axes)


def both_ends(
    padding: Sizes | str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Elements to add before and after each axis."""
    if not isinstance(padding, str):
        amounts = per_axis("padding", padding, len(kernel), 0)
        return amounts, amounts
    check_choice("padding", padding, ("valid", "same"))
    if padding == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if any(s != 1 for s in stride):
        raise ValueError(f"stride is {tuple(stride)}, expected 1 with padding 'same'")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)


def check_layer(axes: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, out_axis: int) -> int:
    """Raise unless ``weight`` and ``bias`` fit ``x``; the weight's outputs lie along ``out_axis``, 0 or 1."""
    groups = check_whole("groups", groups, 1)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None:
            check_tensor(name, tensor)
            if tensor.dtype != x.dtype:
                raise TypeError(f"{name} is {tensor.dtype}, expected the dtype of x, {x.dtype}")
    if weight.ndim != axes + 2:
        raise ValueError(f"weight must have {axes + 2} axes, got shape {tuple(weight.shape)}")
    inputs = weight.shape[1] * groups if out_axis == 0 else weight.shape[0]
    outputs = weight.shape[0] if out_axis == 0 else weight.shape[1] * groups
    if x.shape[1] % groups or outputs % groups:
        raise ValueError(f"groups is {groups}, expected a divisor of {x.shape[1]} input and {outputs} output channels")
    if inputs != x.shape[1]:
        raise ValueError(f"weight of shape {tuple(weight.shape)} takes {inputs} channels, x has {x.shape[1]}")
    if bias is not None:
        check_shape("bias", bias, (outputs,))
    return groups
