"""Activations made of straight (in one case also of quadratic) pieces.

Where pieces meet there is no slope; each contract names the one it takes. Choices are written so that nan, for which every
comparison is false, falls on the piece that passes x on.
"""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating


def relu(x: Tensor) -> Tensor:
    """Keep positive numbers, set the others to 0.

        y = max(x, 0)

    where the slope is 1 above 0 and 0 elsewhere.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at 0 is 0, as in PyTorch, TensorFlow and JAX; torch.maximum(x, 0) has ½ there.

    Source: note 001 §1, note 004, section on multilayer perceptrons; Nair and Hinton 2010.
    """
    check_floating("x", x)
    return torch.where(x <= 0, torch.zeros_like(x), x)


def relu6(x: Tensor) -> Tensor:
    """Keep numbers between 0 and 6, bound the others.

        y = min(max(x, 0), 6)

    where the slope is 1 between 0 and 6 and 0 elsewhere.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at 0 and at 6 is 0, as in PyTorch and JAX.

    Source: note 001 §1; Howard et al. 2017, arXiv:1704.04861.
    """
    check_floating("x", x)
    return _bounded(x, 0.0, 6.0)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Keep positive numbers, scale the others.

        y = x  if x > 0,  else  negative_slope · x

    where the larger of x and negative_slope · x is the same only for slopes up to 1.

    Args:
        x: any shape, floating.
        negative_slope: any finite number.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at 0 is ``negative_slope``, as in PyTorch, so that a slope of 0 gives relu in its gradient too;
    JAX has 1 there. The paper's a divides: it is 1 / negative_slope. TensorFlow's default is 0.2, Keras's 0.3.

    Source: note 001 §1; Maas, Hannun and Ng 2013.
    """
    check_floating("x", x)
    return torch.where(x > 0, x, negative_slope * x)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """Keep positive numbers, scale the others by a learned factor of their channel.

        y[n, c, …] = x[n, c, …]  if x[n, c, …] > 0,  else  weight[c] · x[n, c, …]

    where a single weight serves all channels.

    Args:
        x: (N, C, …), or without a channel axis, (N,) or (); floating.
        weight: (C,) or (1,); (1,) when ``x`` has no channel axis.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: an argument is not floating.
        ValueError: ``weight`` has other than one axis, or neither 1 nor C elements.

    Conventions: the slope at 0 is ``weight``, as in PyTorch; flax has 1 there. Channels are axis 1; in Keras every element
    but those of the batch has a weight of its own unless axes are shared.

    Source: note 001 §1; He et al. 2015, arXiv:1502.01852.
    """
    check_floating("x", x)
    check_floating("weight", weight)
    check_axes("weight", weight, 1)
    channels = x.shape[1] if x.ndim > 1 else 1
    if len(weight) not in (1, channels):
        raise ValueError(f"weight has {len(weight)} elements, expected 1 or one for each of {channels} channels")
    by_channel = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight.reshape([1] * x.ndim)
    return torch.where(x > 0, x, by_channel * x)


def threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    """Keep numbers above a threshold, replace the others by a value.

        y = x  if x > threshold,   value  if x ≤ threshold

    where the value need not be the threshold: the function may jump. A nan, which is neither, stays one.

    Args:
        x: any shape, floating.
        threshold: any number; x = threshold is replaced.
        value: any number.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at the threshold is 0, as in PyTorch. The note describes clamping to a range instead; that is hardtanh.

    Source: note 002 §6.2; PyTorch's nn.Threshold.
    """
    check_floating("x", x)
    return torch.where(x <= threshold, torch.full_like(x, value), x)


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Keep numbers between two bounds, set the others to the nearer bound.

        y = min(max(x, min_val), max_val)

    where the slope is 1 between the bounds and 0 elsewhere.

    Args:
        x: any shape, floating.
        min_val: any number.
        max_val: at least ``min_val``.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.
        ValueError: ``min_val`` is above ``max_val``.

    Conventions: the slope at the bounds is 0, as in PyTorch; JAX's hard_tanh has 1 there, its clip ½, torch.clamp 1.

    Source: note 001 §1; Collobert 2004.
    """
    check_floating("x", x)
    if not min_val <= max_val:
        raise ValueError(f"min_val is {min_val}, expected at most max_val, {max_val}")
    return _bounded(x, min_val, max_val)


def hardsigmoid(x: Tensor) -> Tensor:
    """Replace the sigmoid by three straight pieces.

        y = min(max(x + 3, 0), 6) / 6

    where the slope is 1/6 between −3 and 3 and 0 elsewhere.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at −3 and 3 is 0, as in PyTorch and JAX. Theano, ONNX and Keras before version 3 have
    min(max(0.2 · x + 0.5, 0), 1) instead.

    Source: note 001 §1; Howard et al. 2019, arXiv:1905.02244.
    """
    check_floating("x", x)
    return torch.where(x <= -3, torch.zeros_like(x), torch.where(x >= 3, torch.ones_like(x), (x + 3) / 6))


def hardswish(x: Tensor) -> Tensor:
    """Replace the sigmoid in x · σ(x) by straight pieces.

        y = x · min(max(x + 3, 0), 6) / 6

    where y = 0 below −3 and y = x above 3, both with a kink.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slopes at −3 and 3 are the outer pieces', 0 and 1, as in PyTorch and JAX.

    Source: note 001 §1; Howard et al. 2019, arXiv:1905.02244.
    """
    check_floating("x", x)
    return torch.where(x <= -3, torch.zeros_like(x), torch.where(x >= 3, x, x * ((x + 3) / 6)))


def _bounded(x: Tensor, low: float, high: float) -> Tensor:
    return torch.where(x <= low, torch.full_like(x, low), torch.where(x >= high, torch.full_like(x, high), x))
