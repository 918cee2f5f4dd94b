"""Losses of independent yes-or-no questions."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_range, check_same_shape
from lawbook.reference.losses.reduction import reduce

LOWEST_LOG = -100.0


def bce_loss(p: Tensor, t: Tensor, weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """Take the cross entropy of probabilities of "yes".

        l = −w · (t · max(log p, −100) + (1 − t) · max(log(1 − p), −100))

    where the bound keeps a certain but wrong answer at a loss of 100.

    Args:
        p: any shape, floating, within [0, 1].
        t: the shape of ``p``, within [0, 1], the truth.
        weight: broadcastable to ``p``; None stands for 1.
        reduction: "mean" divides by the number of elements (not by the weights), "sum", "none".

    Returns:
        A scalar, or the shape of ``p`` for "none"; its dtype.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, ``p`` or ``t`` leaves [0, 1] or is nan, or ``reduction`` is unknown.

    Conventions: where the bound holds, the slope of the bounded logarithm is 0. PyTorch has the same values, but
    computes the gradient as (p − t) / max(p(1 − p), 1e-12); Keras clips p to [1e-7, 1 − 1e-7] instead. The contract
    therefore asks at p = 0 and p = 1 only that the gradient is finite.

    Source: note 001 §5.1, note 002 §6.3.1.
    """
    return reduce(_binary_cross_entropy(p, t) * _weights("weight", weight, p), reduction)


def _binary_cross_entropy(p: Tensor, t: Tensor, truth: str = "t") -> Tensor:
    check_floating("p", p)
    check_floating(truth, t)
    check_same_shape(truth, t, "p", p)
    for name, share in (("p", p), (truth, t)):
        if not ((share >= 0) & (share <= 1)).all():
            raise ValueError(f"{name} spans {share.min()}..{share.max()}, expected numbers in 0..1")
    # log1p keeps the digits of a small p that 1 − p would drop.
    log_yes = _bounded(torch.log(torch.where(p == 0, torch.ones_like(p), p)), p == 0)
    log_no = _bounded(torch.log1p(-torch.where(p == 1, torch.zeros_like(p), p)), p == 1)
    return -(t * log_yes + (1 - t) * log_no)


def _bounded(log: Tensor, impossible: Tensor) -> Tensor:
    return torch.where(impossible, torch.full_like(log, LOWEST_LOG), log.clamp(min=LOWEST_LOG))


def _weights(name: str, weight: Tensor | None, x: Tensor) -> Tensor | float:
    if weight is None:
        return 1.0
    check_floating(name, weight)
    fits = weight.ndim <= x.ndim and all(
        size in (1, wanted) for size, wanted in zip(reversed(weight.shape), reversed(x.shape), strict=False)
    )
    if not fits:
        raise ValueError(f"{name} has shape {tuple(weight.shape)}, expected one that broadcasts to {tuple(x.shape)}")
    return weight


def bce_with_logits(
    x: Tensor, t: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Take the binary cross entropy of σ(x) without computing σ(x).

        l = w · ((1 − t) · x + (1 + (v − 1) · t) · softplus(−x)),    softplus(z) = max(z, 0) + log(1 + exp(−|z|))

    where v is ``pos_weight``, the factor on the "yes" term.

    Args:
        x: any shape, floating, the log odds.
        t: the shape of ``x``, within [0, 1].
        weight: broadcastable to ``x``; None stands for 1.
        pos_weight: broadcastable to ``x``; None stands for 1.
        reduction: "mean" divides by the number of elements (not by the weights), "sum", "none".

    Returns:
        A scalar, or the shape of ``x`` for "none"; its dtype. Finite wherever x is.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, or ``reduction`` is unknown.

    Source: note 002 §6.3.1.
    """
    check_floating("x", x)
    check_floating("t", t)
    check_same_shape("t", t, "x", x)
    positive = _weights("pos_weight", pos_weight, x)
    # Choices in place of |x| and max: at x = 0 their slopes must add up to −1/2.
    softplus = torch.where(x < 0, -x, torch.zeros_like(x)) + torch.log1p(torch.exp(torch.where(x < 0, x, -x)))
    loss = (1 - t) * x + (1 + (positive - 1) * t) * softplus
    return reduce(loss * _weights("weight", weight, x), reduction)


def focal_loss(p: Tensor, y: Tensor, gamma: float = 2.0, alpha: float = 0.75, reduction: str = "mean") -> Tensor:
    """Weaken the binary cross entropy of what is already answered well.

        l = a · u^gamma · bce(p, y),    a = alpha · y + (1 − alpha) · (1 − y),    u = y · (1 − p) + (1 − y) · p

    where u is the probability given to the wrong answer, and bce bounds its logarithms at −100.

    Args:
        p: any shape, floating, within [0, 1].
        y: the shape of ``p``, within [0, 1].
        gamma: at least 0; 0 leaves the weighted cross entropy.
        alpha: within [0, 1], the weight of "yes"; that of "no" is 1 − alpha.
        reduction: "mean" divides by the number of elements, "sum", "none".

    Returns:
        A scalar, or the shape of ``p`` for "none"; its dtype. Finite with a finite gradient at p = 0 and p = 1, also
        for gamma between 0 and 1, where the slope of u^gamma is not.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, ``p`` or ``y`` leaves [0, 1] or is nan, ``gamma`` is negative, ``alpha`` leaves
            [0, 1], or ``reduction`` is unknown.

    Conventions: the paper and torchvision have alpha = 0.25, the note 0.75.

    Source: note 002 §6.3.2; Lin et al. 2017, arXiv:1708.02002.
    """
    check_range("gamma", gamma, 0)
    check_range("alpha", alpha, 0, 1)
    loss = _binary_cross_entropy(p, y, "y")
    wrong = y * (1 - p) + (1 - y) * p
    if gamma:
        certain = wrong == 0
        modulation = torch.where(certain, torch.ones_like(wrong), wrong) ** gamma
        loss = torch.where(certain, torch.zeros_like(loss), modulation * loss)
    return reduce((alpha * y + (1 - alpha) * (1 - y)) * loss, reduction)
