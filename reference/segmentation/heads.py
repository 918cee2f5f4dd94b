"""The end of a fully convolutional network: classes at every position, made as large as the image again."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_shape, check_whole
from lawbook.reference.convolution.layers import conv2d
from lawbook.reference.convolution.transposed import conv_transpose2d

PARAMETERS = ("conv_weight", "conv_bias", "up_weight", "up_bias")


def bilinear_kernel(in_channels: int, out_channels: int, size: int) -> Tensor:
    """Weights by which a transposed convolution interpolates between pixels, each channel by itself.

        kernel[c, c, i, j] = (1 − |i − m| / f) · (1 − |j − m| / f),   0 for two different channels
        f = ⌊(size + 1) / 2⌋,   m = (size − 1) / 2

    With stride f the weights that meet in one pixel add up to 1, so that away from the border the result is bilinear
    interpolation: with size = 2f and padding f/2 that of ``upsample_bilinear`` at scale f from centres, with
    size = 2f − 1 and padding f − 1 the one between aligned corners, border included.

    Args:
        in_channels, out_channels: how many channels, at least 1 and equal: there is no interpolation between channels.
        size: rows and columns of the kernel, at least 1.

    Returns:
        (in_channels, out_channels, size, size), float32, as transposed convolutions take it; a new tensor at every call.

    Raises:
        ValueError: a number is below 1, or ``in_channels`` is not ``out_channels``.
        TypeError: a number is not whole.

    Conventions: note 004 writes along range(in_channels) and range(out_channels) at once. Where one of them is 1, that
        fills every channel without a word; here it is refused.

    Source: note 004, fully convolutional networks; Long, Shelhamer and Darrell 2015, arXiv:1411.4038.
    """
    inputs, outputs = check_whole("in_channels", in_channels, 1), check_whole("out_channels", out_channels)
    size = check_whole("size", size, 1)
    if inputs != outputs:
        raise ValueError(f"in_channels is {inputs} and out_channels {outputs}, expected equal numbers")
    factor, middle = (size + 1) // 2, (size - 1) / 2
    slope = 1 - (torch.arange(size, dtype=torch.float64) - middle).abs() / factor
    return (torch.eye(inputs, dtype=torch.float64)[:, :, None, None] * torch.outer(slope, slope)).float()


def fcn_head(features: Tensor, params: dict[str, Tensor], stride: int = 32) -> Tensor:
    """Score the classes at every position of the features, and enlarge the scores to the image's size.

        scores = conv2d(features, conv_weight, conv_bias)                                         1×1: a class a channel
        y = conv_transpose2d(scores, up_weight, up_bias, stride, padding = p),    k = 2p + stride

    With k = 2p + s a transposed convolution makes sizes exactly s times as large: s(n − 1) + k − 2p = s·n. Features that a
    network made 32 times smaller than its image come out as large as the image.

    Args:
        features: (N, C, h, w), floating, h and w at least 1.
        params: "conv_weight" (K, C, 1, 1) and "conv_bias" (K,) for K classes, "up_weight" (K, K, k, k), inputs first, and
            "up_bias" (K,).
        stride: s, at least 1. k is at least s, and k − s even.

    Returns:
        (N, K, s·h, s·w), dtype of ``features``.

    Raises:
        ValueError: a shape does not fit, or k − s is odd or negative.
        TypeError: ``features`` is not floating, a parameter has another dtype, or ``stride`` is not whole.
        KeyError: a parameter is missing.

    Conventions: with 21 classes note 004 takes k = 64, p = 16 and s = 32.

    Source: note 004, fully convolutional networks; Long, Shelhamer and Darrell 2015, arXiv:1411.4038.
    """
    check_floating("features", features)
    check_axes("features", features, 4)
    stride = check_whole("stride", stride, 1)
    weight, bias, up_weight, up_bias = (params[name] for name in PARAMETERS)
    classes, size = weight.shape[0], up_weight.shape[-1]
    check_shape("params['conv_weight']", weight, (classes, features.shape[1], 1, 1))
    check_shape("params['up_weight']", up_weight, (classes, classes, size, size))
    if size < stride or (size - stride) % 2:
        raise ValueError(f"up_weight has kernels of {size}, expected {stride} + 2p for the stride {stride}")
    scores = conv2d(features, weight, bias)
    return conv_transpose2d(scores, up_weight, up_bias, stride, (size - stride) // 2)
