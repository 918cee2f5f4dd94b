"""Losses of predicted classes."""

import math

import torch
from torch import Tensor

from lawbook.reference.checks import (
    REDUCTIONS,
    check_axes,
    check_choice,
    check_floating,
    check_integer,
    check_range,
    check_same_shape,
    check_shape,
)
from lawbook.reference.losses.distributions import log_softmax, softmax
from lawbook.reference.losses.reduction import reduce

LOWEST_LABEL = 1e-4


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Take the negative log-likelihood of classes given by unnormalized scores.

        classes:        l = (1 − s) · w_y · (−log p_y) + s/C · Σ_c w_c · (−log p_c)
        probabilities:  l = −Σ_c w_c · ((1 − s) · t_c + s/C) · log p_c
        p = softmax(logits)

    where s is ``label_smoothing``, y the class and t the probabilities in ``target``.

    Args:
        logits: (N, C, …), or (C,) for one sample without a batch; floating.
        target: classes, integers of the shape of ``logits`` without C, each in 0..C−1 or ``ignore_index``; or
            probabilities, floating, of the shape of ``logits``.
        weight: (C,), one factor a class; None stands for 1.
        ignore_index: samples of this class count neither in the sum nor in the mean. Probabilities know none: there it
            stays at its default.
        reduction: for classes "mean" divides by the sum of w_y over the samples not ignored, for probabilities by
            the number of samples; "sum"; "none".
        label_smoothing: within [0, 1], the share spread evenly over all C classes, the right one included.

    Returns:
        A scalar, or the shape of ``logits`` without C for "none"; its dtype. The mean of nothing, all samples being
        ignored, of weight 0 or not there, is nan (0 / 0); the sum is 0. Ignored samples give 0 under "none".

    Raises:
        TypeError: ``logits`` or ``weight`` is not floating, or ``target`` neither integer nor floating.
        ValueError: shapes do not fit, ``reduction`` is unknown, or ``label_smoothing`` leaves [0, 1].
        IndexError: a class is outside 0..C−1 and is not ``ignore_index``.

    Conventions: all as in PyTorch. Others spread the smoothing over the C − 1 wrong classes, or divide a weighted mean
    by N.

    Source: note 000, note 001 §5.2, note 002 §6.3.1, note 004; Szegedy et al. 2016, arXiv:1512.00567.
    """
    axis = _class_axis("logits", logits)
    classes = logits.shape[axis]
    check_choice("reduction", reduction, REDUCTIONS)
    check_range("label_smoothing", label_smoothing, 0, 1)
    factors = _class_weights(weight, logits, axis)
    if target.is_floating_point():
        check_same_shape("target", target, "logits", logits)
        smoothed = (1 - label_smoothing) * target + label_smoothing / classes
        return reduce(-(factors * smoothed * log_softmax(logits, axis)).sum(axis), reduction)
    log_probs = log_softmax(logits, axis)
    losses, weights, kept = _picked(log_probs, target, weight, ignore_index, axis)
    if label_smoothing:
        spread = -(factors * log_probs).sum(axis)
        spread = torch.where(kept, spread, torch.zeros_like(spread))
        losses = (1 - label_smoothing) * losses + label_smoothing / classes * spread
    return losses.sum() / weights.sum() if reduction == "mean" else reduce(losses, reduction)


def nll_loss(
    log_probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Take the negative log-likelihood of classes given by log-probabilities.

        l = −w_y · log_probs_y

    where nothing is normalized.

    Args:
        log_probs: (N, C, …), or (C,) for one sample without a batch; floating.
        target: integers of that shape without C, each in 0..C−1 or ``ignore_index``.
        weight: (C,), one factor a class; None stands for 1.
        ignore_index: samples of this class count neither in the sum nor in the mean.
        reduction: "mean" divides by the sum of w_y over the samples not ignored, "sum", "none".

    Returns:
        A scalar, or the shape of ``target`` for "none"; the dtype of ``log_probs``. The mean of nothing is nan.

    Raises:
        TypeError: ``log_probs`` or ``weight`` is not floating, or ``target`` not integer.
        ValueError: shapes do not fit, or ``reduction`` is unknown.
        IndexError: a class is outside 0..C−1 and is not ``ignore_index``.

    Source: note 002 §6.3.1.
    """
    axis = _class_axis("log_probs", log_probs)
    check_choice("reduction", reduction, REDUCTIONS)
    _class_weights(weight, log_probs, axis)
    losses, weights, _ = _picked(log_probs, target, weight, ignore_index, axis)
    return losses.sum() / weights.sum() if reduction == "mean" else reduce(losses, reduction)


def probability_cross_entropy(y_hat: Tensor, y: Tensor) -> Tensor:
    """Take the negative logarithm of the probability of the right class.

        l_n = −log y_hat[n, y_n]

    where y_hat already holds probabilities.

    Args:
        y_hat: (N, C), floating.
        y: (N,), integers in 0..C−1.

    Returns:
        (N,), the dtype of ``y_hat``. Infinite for a probability of 0, which is why training goes through
        cross_entropy: there the loss of a softmax that underflows stays finite.

    Raises:
        TypeError: ``y_hat`` is not floating, or ``y`` not integer.
        ValueError: ``y_hat`` has other than two axes, or ``y`` has not one label a row.
        IndexError: a label is outside 0..C−1.

    Source: note 004, softmax regression from scratch.
    """
    _check_scores("y_hat", y_hat, y)
    return -torch.log(y_hat.gather(1, y.long()[:, None])[:, 0])


def softmax_cross_entropy_gradient(logits: Tensor, y: Tensor) -> Tensor:
    """Give the gradient of each sample's cross entropy with respect to its own scores.

        ∂l_n / ∂logits[n, c] = softmax(logits_n)_c − [c = y_n]

    where nothing is divided by N: it is the gradient of the sum.

    Args:
        logits: (N, C), floating.
        y: (N,), integers in 0..C−1.

    Returns:
        (N, C), the dtype of ``logits``.

    Raises:
        TypeError: ``logits`` is not floating, or ``y`` not integer.
        ValueError: ``logits`` has other than two axes, or ``y`` has not one label a row.
        IndexError: a label is outside 0..C−1.

    Source: note 004, section on softmax and cross entropy.
    """
    _check_scores("logits", logits, y)
    return softmax(logits, 1) - _one_hot(y, logits)


def sequence_cross_entropy(logits: Tensor, target: Tensor, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Take the cross entropy of every step of every sequence.

        l[b, t] = −log softmax(logits[b, t])_{target[b, t]}

    where steps whose target is ``ignore_index``, the padding, weigh nothing.

    Args:
        logits: (B, T, V), floating.
        target: (B, T), integers in 0..V−1 or ``ignore_index``.
        ignore_index: the class of padding.
        reduction: "mean" divides by the number of steps not ignored in the whole batch, "sum", "none".

    Returns:
        A scalar, or (B, T) for "none", ignored steps being 0; the dtype of ``logits``. The mean of nothing is nan.

    Raises:
        TypeError: ``logits`` is not floating, or ``target`` not integer.
        ValueError: shapes do not fit, or ``reduction`` is unknown.
        IndexError: a class is outside 0..V−1 and is not ``ignore_index``.

    Source: note 000, section on the shapes of losses.
    """
    check_floating("logits", logits)
    check_axes("logits", logits, 3)
    check_integer("target", target)
    check_shape("target", target, logits.shape[:2])
    flat = cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=ignore_index, reduction=reduction)
    return flat.reshape(target.shape) if reduction == "none" else flat


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, num_classes: int, a: float = 1.0, b: float = 1.0) -> Tensor:
    """Add to the cross entropy the reverse one, which noisy labels mislead less.

        mean over n of  a · (−log p_y) + b · (−Σ_c p_c · log max([c = y], 1e-4)),    p = softmax(logits)

    where the bound stands for log 0, so that the reverse term is −log(1e-4) · (1 − p_y).

    Args:
        logits: (N, num_classes), floating.
        labels: (N,), integers in 0..num_classes−1.
        num_classes: the size of the last axis.
        a, b: the factors of the two terms.

    Returns:
        A scalar of the dtype of ``logits``; nan for N = 0.

    Raises:
        TypeError: ``logits`` is not floating, or ``labels`` not integer.
        ValueError: shapes do not fit ``num_classes`` or each other.
        IndexError: a label is outside 0..num_classes−1.

    Conventions: as the paper, only the label is bounded. The note's code bounds the predictions at 1e-4 as well, which
    adds up to 9.2e-4 for each class and stops their gradient; its two-class demonstration bounds the label from above
    too, at 1 − 1e-4.

    Source: note 002 §6.3.2; Wang et al. 2019, arXiv:1908.06112.
    """
    _check_scores("logits", logits, labels)
    check_shape("logits", logits, (logits.shape[0], num_classes))
    wrong = softmax(logits, 1) * (1 - _one_hot(labels, logits))
    return a * cross_entropy(logits, labels) - b * math.log(LOWEST_LABEL) * wrong.sum(1).mean()


def accuracy(y_hat: Tensor, y: Tensor) -> Tensor:
    """Count the right predictions.

        Σ_n [argmax_c y_hat[n, c] = y_n]    or    Σ_n [y_hat_n = y_n]

    where the first of equal scores wins.

    Args:
        y_hat: (N, C) scores, floating, C at least 2; or (N,) predicted classes, integers.
        y: (N,), the true classes, integers.

    Returns:
        The count (not the share) as a scalar of dtype int64.

    Raises:
        TypeError: scores are not floating, or classes not integer.
        ValueError: shapes do not fit; a column (N, 1) is refused, as it would be compared with every label.

    Source: note 004, softmax regression from scratch.
    """
    check_integer("y", y)
    check_axes("y", y, 1)
    if y_hat.ndim == 1:
        check_integer("y_hat", y_hat)
        check_same_shape("y_hat", y_hat, "y", y)
        return (y_hat == y).sum()
    check_floating("y_hat", y_hat)
    check_axes("y_hat", y_hat, 2)
    if y_hat.shape[0] != y.shape[0] or y_hat.shape[1] < 2:
        raise ValueError(f"y_hat has shape {tuple(y_hat.shape)}, expected ({y.shape[0]}, C) with C at least 2")
    return (y_hat.argmax(1) == y).sum()


def check_labels(name: str, labels: Tensor, classes: int, ignore_index: int | None = None) -> None:
    """Raise IndexError unless every label is in ``0..classes−1`` or is ``ignore_index``."""
    check_integer(name, labels)
    outside = (labels < 0) | (labels >= classes)
    if ignore_index is not None:
        outside = outside & (labels != ignore_index)
    if outside.any():
        expected = f"0..{classes - 1}" + ("" if ignore_index is None else f" or {ignore_index}")
        raise IndexError(f"{name} holds {labels[outside][0].item()}, expected {expected}")


def _class_axis(name: str, scores: Tensor) -> int:
    check_floating(name, scores)
    if not scores.ndim:
        raise ValueError(f"{name} has no axes, expected (N, C, …) or (C,)")
    return min(scores.ndim - 1, 1)


def _class_weights(weight: Tensor | None, scores: Tensor, axis: int) -> Tensor | float:
    if weight is None:
        return 1.0
    check_floating("weight", weight)
    check_shape("weight", weight, (scores.shape[axis],))
    return weight.reshape(-1, *[1] * (scores.ndim - axis - 1))


def _picked(
    log_probs: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, axis: int
) -> tuple[Tensor, Tensor, Tensor]:
    check_labels("target", target, log_probs.shape[axis], ignore_index)
    check_shape("target", target, log_probs.shape[:axis] + log_probs.shape[axis + 1 :])
    kept = target != ignore_index
    # Any class will do for an ignored sample; the choice afterwards keeps its loss out, be it infinite.
    classes = torch.where(kept, target, 0).long()
    picked = log_probs.gather(axis, classes.unsqueeze(axis)).squeeze(axis)
    factors = torch.ones_like(picked) if weight is None else weight[classes]
    weights = torch.where(kept, factors, torch.zeros_like(factors))
    return torch.where(kept, -weights * picked, torch.zeros_like(picked)), weights, kept


def _check_scores(name: str, scores: Tensor, labels: Tensor) -> None:
    check_floating(name, scores)
    check_axes(name, scores, 2)
    check_labels("labels" if name == "logits" else "y", labels, scores.shape[1])
    check_shape("labels" if name == "logits" else "y", labels, scores.shape[:1])


def _one_hot(labels: Tensor, scores: Tensor) -> Tensor:
    return (labels[:, None] == torch.arange(scores.shape[1], device=scores.device)).to(scores.dtype)
