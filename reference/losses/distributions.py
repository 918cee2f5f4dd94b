"""Distributions over classes, and how far apart two of them are."""

import torch
from torch import Tensor

from lawbook.reference.checks import REDUCTIONS, check_axis, check_choice, check_floating, check_same_shape
from lawbook.reference.losses.reduction import reduce


def softmax(x: Tensor, dim: int) -> Tensor:
    """Turn scores into a distribution along one axis.

        softmax(x)_i = exp(x_i − m) / Σ_j exp(x_j − m),    m = max_j x_j

    where the shift by m changes nothing but keeps every exponent at or below 0.

    Args:
        x: any shape, floating. A tensor without axes counts as a row of one element.
        dim: the axis that becomes a distribution, −n..n−1 for n axes.

    Returns:
        Shape and dtype of ``x``. A score of −inf gets exactly 0. A row that holds nothing but −inf, or any +inf, has
        no distribution: it is nan throughout. An axis of size 0 stays empty.

    Raises:
        TypeError: ``x`` is not floating.
        IndexError: there is no such axis.

    Source: note 004, softmax regression; Bridle 1990.
    """
    x, axis, shape = _as_rows(x, dim)
    weights = torch.exp(_shifted(x, axis))
    return (weights / weights.sum(axis, keepdim=True)).reshape(shape)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """Take the logarithm of softmax without leaving the logarithmic scale.

        log_softmax(x)_i = (x_i − m) − log Σ_j exp(x_j − m),    m = max_j x_j

    where the sum is at least 1, so that the result stays finite wherever x is.

    Args:
        x: any shape, floating. A tensor without axes counts as a row of one element.
        dim: the axis of the distribution, −n..n−1 for n axes.

    Returns:
        Shape and dtype of ``x``. A score of −inf stays −inf. A row that holds nothing but −inf, or any +inf, is nan
        throughout. An axis of size 0 stays empty.

    Raises:
        TypeError: ``x`` is not floating.
        IndexError: there is no such axis.

    Source: note 002 §6.3.1; note 004, softmax regression.
    """
    x, axis, shape = _as_rows(x, dim)
    shifted = _shifted(x, axis)
    return (shifted - torch.log(torch.exp(shifted).sum(axis, keepdim=True))).reshape(shape)


def _as_rows(x: Tensor, dim: int) -> tuple[Tensor, int, torch.Size]:
    check_floating("x", x)
    rows = x if x.ndim else x.reshape(1)
    return rows, check_axis("dim", dim, rows.ndim), x.shape


def _shifted(x: Tensor, axis: int) -> Tensor:
    if x.shape[axis] == 0:
        return x
    # The shift cancels, so that its derivative is left out.
    return x - x.detach().amax(axis, keepdim=True)


def distribution_cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    """Measure the surprise at draws from p of one who believes in q.

        H(p, q) = −Σ_i p_i log q_i

    where 0 · log 0 is 0, and the sum runs over the last axis.

    Args:
        p: (…, C), floating, the true distributions.
        q: (…, C), the believed ones.

    Returns:
        (…), the dtype of ``p``. Infinite where q is 0 and p is not. Where both are 0 no gradient flows to either.

    Raises:
        TypeError: ``p`` or ``q`` is not floating.
        ValueError: the shapes differ, or there is no axis.

    Source: note 004, section on softmax and cross entropy; Shannon 1948.
    """
    check_floating("p", p)
    check_floating("q", q)
    check_same_shape("p", p, "q", q)
    if not p.ndim:
        raise ValueError("p has no axes, expected (…, C)")
    believed = torch.where((p == 0) & (q == 0), torch.ones_like(q), q)
    return -(p * torch.log(believed)).sum(-1)


def kl_divergence(log_input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Measure how far a predicted distribution is from the true one.

        l = target · (log target − log_input)

    where 0 · log 0 is 0: an element whose target is 0 adds nothing, whatever its ``log_input``.

    Args:
        log_input: any shape, floating, logarithms of the predicted probabilities.
        target: the shape of ``log_input``, probabilities (not their logarithms).
        reduction: "mean" divides by the number of elements, "batchmean" by the size of the first axis, "sum", "none".

    Returns:
        A scalar, or the shape of ``log_input`` for "none"; its dtype. The slope of t·log t at 0 is −∞: where the
        target is 0, the gradient to the target is taken as 0.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ; ``reduction`` is unknown; "batchmean" without an axis.

    Conventions: the divergence of distributions is "batchmean"; PyTorch's default "mean" divides by the classes as
    well. The first argument holds logarithms and the second does not, as in PyTorch and optax; SciPy takes
    probabilities, truth first.

    Source: note 002 §6.3.1; Kullback and Leibler 1951.
    """
    check_floating("log_input", log_input)
    check_floating("target", target)
    check_same_shape("target", target, "log_input", log_input)
    check_choice("reduction", reduction, (*REDUCTIONS, "batchmean"))
    absent = target == 0
    # Both branches of the outer choice must have a finite derivative: hence a harmless 1 and 0 inside.
    truth = torch.where(absent, torch.ones_like(target), target)
    guess = torch.where(absent, torch.zeros_like(log_input), log_input)
    loss = torch.where(absent, torch.zeros_like(target), truth * (torch.log(truth) - guess))
    if reduction != "batchmean":
        return reduce(loss, reduction)
    if not loss.ndim:
        raise ValueError("log_input has no axes, expected a batch for the reduction 'batchmean'")
    return loss.sum() / loss.shape[0]
