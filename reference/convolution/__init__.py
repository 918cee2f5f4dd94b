"""Convolution: cross-correlation, convolution layers, their transposes, sliding windows and padding."""

from lawbook.reference.convolution.correlation import (
    corr2d,
    corr2d_1x1,
    corr2d_multi_in,
    corr2d_multi_in_out,
    kernel_to_matrix,
    learn_kernel,
    transposed_corr2d,
)
from lawbook.reference.convolution.layers import conv1d, conv2d, conv3d, depthwise_separable_conv2d
from lawbook.reference.convolution.padding import constant_pad2d, replication_pad1d, zero_pad2d
from lawbook.reference.convolution.sizes import conv_output_size, conv_transpose_output_size
from lawbook.reference.convolution.transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d
from lawbook.reference.convolution.windows import fold, unfold

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "corr2d",
    "corr2d_multi_in",
    "corr2d_multi_in_out",
    "corr2d_1x1",
    "conv_output_size",
    "conv1d",
    "conv2d",
    "conv3d",
    "depthwise_separable_conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv_transpose_output_size",
    "transposed_corr2d",
    "kernel_to_matrix",
    "unfold",
    "fold",
    "constant_pad2d",
    "zero_pad2d",
    "replication_pad1d",
    "learn_kernel",
]
