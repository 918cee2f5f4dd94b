"""Losses of predicted numbers."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_positive, check_range, check_same_shape
from lawbook.reference.losses.reduction import reduce


def l1_loss(y_hat: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """Take the absolute error.

        l = |y_hat − y|

    where the slope at equality is 0.

    Args:
        y_hat: any shape, floating.
        y: the same shape; nothing is broadcast, as (n, 1) against (n,) would give n × n differences.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or the shape of ``y_hat`` for "none"; its dtype.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, or ``reduction`` is unknown.

    Source: note 001 §5.3, note 002 §6.3.1, note 004.
    """
    return reduce(_difference(y_hat, y).abs(), reduction)


def mse_loss(y_hat: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """Take the squared error.

        l = (y_hat − y)²

    where no ½ stands in front.

    Args:
        y_hat: any shape, floating.
        y: the same shape; nothing is broadcast.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or the shape of ``y_hat`` for "none"; its dtype.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, or ``reduction`` is unknown.

    Conventions: PyTorch, Keras and optax.squared_error have no ½; the L2 loss of note 004, MXNet and optax.l2_loss do.

    Source: note 001 §5.3, note 002 §6.3.1.
    """
    return reduce(_difference(y_hat, y).square(), reduction)


def smooth_l1_loss(y_hat: Tensor, y: Tensor, beta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Take the squared error of small differences and the absolute error of large ones.

        l = d² / (2 · beta)  if |d| < beta,  else  |d| − beta / 2,    d = y_hat − y

    where both pieces meet at beta with the same slope, 1.

    Args:
        y_hat: any shape, floating.
        y: the same shape; nothing is broadcast.
        beta: at least 0, in units of ``y``; 0 gives the absolute error.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or the shape of ``y_hat`` for "none"; its dtype.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, ``beta`` is negative, or ``reduction`` is unknown.

    Source: note 002 §6.3.1; Girshick 2015, arXiv:1504.08083.
    """
    check_range("beta", beta, 0)
    difference = _difference(y_hat, y)
    size = difference.abs()
    if beta == 0:
        return reduce(size, reduction)
    return reduce(torch.where(size < beta, 0.5 * difference.square() / beta, size - 0.5 * beta), reduction)


def huber_loss(y_hat: Tensor, y: Tensor, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Take half the squared error of small differences and a linear one of large ones.

        l = d² / 2  if |d| < delta,  else  delta · (|d| − delta / 2),    d = y_hat − y

    where the slope never exceeds delta.

    Args:
        y_hat: any shape, floating.
        y: the same shape; nothing is broadcast.
        delta: above 0, in units of ``y``.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or the shape of ``y_hat`` for "none"; its dtype.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, ``delta`` is not above 0, or ``reduction`` is unknown.

    Conventions: smooth_l1_loss is this divided by its joint.

    Source: note 004, section on loss functions; Huber 1964.
    """
    check_positive("delta", delta)
    difference = _difference(y_hat, y)
    size = difference.abs()
    return reduce(torch.where(size < delta, 0.5 * difference.square(), delta * (size - 0.5 * delta)), reduction)


def log_rmse(preds: Tensor, labels: Tensor) -> Tensor:
    """Take the root mean square error of logarithms, which weighs relative errors alike.

        √( mean( (log max(preds, 1) − log labels)² ) )

    where predictions below 1, negative ones included, count as 1.

    Args:
        preds: any shape, floating.
        labels: the same shape, above 0 (the logarithm of 0 is −inf, of less nan); they are not bounded at 1.

    Returns:
        A scalar of the dtype of ``preds``, part of the graph. Its gradient at a perfect fit is taken as 0.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ.

    Source: note 004, section on predicting house prices.
    """
    check_floating("preds", preds)
    check_floating("labels", labels)
    check_same_shape("preds", preds, "labels", labels)
    mean_square = (torch.log(preds.clamp(min=1)) - torch.log(labels)).square().mean()
    # √ has no finite slope at 0.
    perfect = mean_square == 0
    root = torch.sqrt(torch.where(perfect, torch.ones_like(mean_square), mean_square))
    return torch.where(perfect, torch.zeros_like(root), root)


def _difference(y_hat: Tensor, y: Tensor) -> Tensor:
    check_floating("y_hat", y_hat)
    check_floating("y", y)
    check_same_shape("y_hat", y_hat, "y", y)
    return y_hat - y
