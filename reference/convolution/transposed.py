"""Transposed convolution layers in one, two and three dimensions: one implementation for all."""

import torch
from torch import Tensor

from lawbook.reference.convolution.layers import check_layer
from lawbook.reference.convolution.padding import check_padded, last_axes
from lawbook.reference.convolution.sizes import conv_transpose_output_size, per_axis
from lawbook.reference.convolution.windows import Sizes, accumulate


def conv_transpose1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """One-dimensional transposed convolution: the adjoint of ``conv1d``.

        y[n, o, u] = bias[o] + Σ x[n, c, i] · weight[c, o′, a]  over c of o's group and s·i + d·a = u + p

    where o′ counts o within its group. For a ``conv1d`` with the same weight, ⟨conv(y), x⟩ = ⟨y, convᵀ(x)⟩ without
    bias. Padding therefore *removes* elements of the output.

    Args:
        x: (N, C, L), floating, L at least 1; what no channels give is left open.
        weight: (C, O / groups, K): inputs first, dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: a number or a 1-tuple, at least 1.
        padding: a number or a 1-tuple, at least 0, taken off each end of the output.
        output_padding: a number or a 1-tuple, below the larger of stride and dilation: elements more at the end.
            They are part of the sum above, not zeros.
        groups: divides C and O.

    Returns:
        (N, O, conv_transpose_output_size(L, K, …)), dtype of ``x``.

    Raises:
        ValueError: shapes that do not fit, a number outside its bounds, or padding that removes the whole output.
        TypeError: ``x`` is not floating, or ``weight`` or ``bias`` has another dtype.

    Conventions: arguments come in the order of ``conv1d``; PyTorch's function has ``groups`` before ``dilation``.

    Source: note 002 §6.2.2, note 004 "transposed convolution"; Zeiler et al. 2010; Dumoulin and Visin 2016,
        arXiv:1603.07285.
    """
    return convolve_transposed(1, x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional transposed convolution: the adjoint of ``conv2d``.

        y[n, o, u, v] = bias[o] + Σ x[n, c, i, j] · weight[c, o′, a, b]
            over c of o's group, s₁·i + d₁·a = u + p₁ and s₂·j + d₂·b = v + p₂

    Args:
        x: (N, C, H, W), floating, as for ``conv_transpose1d``.
        weight: (C, O / groups, K₁, K₂): inputs first, dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: one number, or two (rows, columns), at least 1.
        padding: one number, or two, at least 0, taken off each end of the output.
        output_padding: one number, or two, below the larger of that axis's stride and dilation.
        groups: divides C and O.

    Returns:
        (N, O, H′, W′), each size as ``conv_transpose_output_size`` says, dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``conv_transpose1d``.

    Conventions: as ``conv_transpose1d``.

    Source: note 002 §6.2.2, note 004 "transposed convolution"; Zeiler et al. 2010; Long, Shelhamer and Darrell 2015,
        arXiv:1411.4038.
    """
    return convolve_transposed(2, x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Three-dimensional transposed convolution: the adjoint of ``conv3d``.

        y[n, o, u] = bias[o] + Σ x[n, c, i] · weight[c, o′, a]  over c of o's group and s⊙i + d⊙a = u + p

    with u, i and a triples.

    Args:
        x: (N, C, D, H, W), floating, as for ``conv_transpose1d``.
        weight: (C, O / groups, K₁, K₂, K₃): inputs first, dtype of ``x``.
        bias: (O,), dtype of ``x``, or None.
        stride, dilation: one number, or three, at least 1.
        padding: one number, or three, at least 0, taken off each end of the output.
        output_padding: one number, or three, below the larger of that axis's stride and dilation.
        groups: divides C and O.

    Returns:
        (N, O, D′, H′, W′), each size as ``conv_transpose_output_size`` says, dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``conv_transpose1d``.

    Conventions: as ``conv_transpose1d``.

    Source: note 002 §6.2.2 (for two dimensions); Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    return convolve_transposed(3, x, weight, bias, stride, padding, output_padding, dilation, groups)


def convolve_transposed(
    axes: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """The transposed convolution over ``axes`` spatial axes: each element stamps its kernels, then the padding goes."""
    check_padded("x", x, axes)
    groups = check_layer(axes, x, weight, bias, groups, out_axis=1)
    stride, dilation = per_axis("stride", stride, axes, 1), per_axis("dilation", dilation, axes, 1)
    padding, extra = per_axis("padding", padding, axes, 0), per_axis("output_padding", output_padding, axes, 0)
    sizes = [
        conv_transpose_output_size(*axis)
        for axis in zip(x.shape[2:], weight.shape[2:], padding, stride, dilation, extra, strict=True)
    ]
    grouped = x.unflatten(1, (groups, x.shape[1] // groups))
    parts = weight.unflatten(0, (groups, weight.shape[0] // groups))
    place, tap = "xyz"[:axes], "uvw"[:axes]
    stamps = torch.einsum(f"ngc{place},gco{tap}->ngo{place}{tap}", grouped, parts).flatten(1, 2)
    full = accumulate(stamps, [n + 2 * p for n, p in zip(sizes, padding, strict=True)], stride, dilation)
    result = full[last_axes(slice(p, p + n) for p, n in zip(padding, sizes, strict=True))]
    return result if bias is None else result + bias.view(-1, *(1,) * axes)
