"""Normalization over the batch, over a sample, over groups of channels, over single channels, and a learned mixture.

Channels are the second axis throughout. Every function divides by the biased deviation √(var + eps), with eps inside the
root, and takes its variance in two passes; half precisions are computed in float32 and rounded once, as libraries do.
The slope of a variance is the usual closed form.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_positive, check_range, check_shape, check_whole

Moving = Tensor | None


def batch_norm(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    moving_mean: Moving = None,
    moving_var: Moving = None,
    eps: float = 1e-5,
    momentum: float = 0.1,
    training: bool = False,
    unbiased: bool = True,
) -> tuple[Tensor, Moving, Moving]:
    """Normalize every channel over the batch and all positions; outside training by its moving statistics.

        y_c = γ_c (x_c − m_c) / √(v_c + eps) + β_c
        training:  m_c, v_c = mean(x_c), var(x_c),  biased, over the n values of channel c
                   moving_mean ← (1 − momentum) moving_mean + momentum · m
                   moving_var  ← (1 − momentum) moving_var  + momentum · v · n / (n − 1)
        else:      m_c, v_c = moving_mean_c, moving_var_c,  which stay

    where n is the number of samples times the number of positions. The mode is ``training`` and nothing else: whether
    gradients are recorded does not matter.

    Args:
        x: (N, C, *), floating, any number of further axes.
        gamma, beta: (C,); None stands for 1 and 0.
        moving_mean, moving_var: (C,), variances at least 0; they begin at 0 and 1. None for both: nothing is tracked,
            and the batch's own statistics serve in either mode.
        eps: added to the variance, above 0.
        momentum: the share of the new, 0 … 1.
        training: whether the batch's own statistics are used, and the moving ones moved.
        unbiased: whether n / (n − 1) stands in the moving variance; False leaves it out. What ``x`` is divided by is
            biased either way.

    Returns:
        (y, moving_mean, moving_var): y of the shape and dtype of ``x``; the moving statistics as new tensors (None
        stays None), through which no gradient flows back.

    Raises:
        ValueError: ``x`` has fewer than two axes; a parameter is not (C,); only one moving statistic is given; ``eps`` is
            not above 0; ``momentum`` is outside 0 … 1; or a channel has fewer than two values where the batch's own
            statistics are used: y would be β whatever ``x``, and the unbiased variance is undefined.
        TypeError: ``x`` is not floating.

    Conventions: PyTorch's momentum is the share of the new, with the unbiased moving variance. Keras, flax and note 004
        call the share kept momentum (1 − this one, 0.99 and 0.9) and keep the biased one, ``unbiased=False``; they
        accept one value a channel. The paper corrects the variance for evaluation too.

    Source: note 002 §6.2.1, note 004, batch normalization; Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    _check(x, 2, gamma, beta, eps)
    _check_moving(x, moving_mean, moving_var, momentum)
    axes = (0, *range(2, x.ndim))
    wide = _wide(x)
    if training or moving_mean is None:
        count = _count(x, axes)
        if count < 2:
            raise ValueError(f"x has {count} values a channel, expected at least 2, got shape {tuple(x.shape)}")
        mean, var = moments(wide, axes)
        correction = count / (count - 1) if unbiased else 1.0
    else:
        mean, var = _per_channel(_wide(moving_mean), x), _per_channel(_wide(moving_var), x)  # type: ignore[arg-type]
    y = _scaled(_normalized(wide, mean, var, eps), gamma, beta).to(x.dtype)
    if not training or moving_mean is None or moving_var is None:
        return y, _copy(moving_mean), _copy(moving_var)
    return (
        y,
        _moved(moving_mean, mean.flatten(), momentum),
        _moved(moving_var, var.flatten() * correction, momentum),
    )


def layer_norm(
    x: Tensor,
    normalized_shape: Sequence[int],
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize every sample over its trailing axes.

        y = γ (x − mean(x)) / √(var(x) + eps) + β

    where mean and biased variance run over the last ``len(normalized_shape)`` axes, and γ and β have a value for each
    of their elements.

    Args:
        x: (..., *normalized_shape), floating.
        normalized_shape: the trailing sizes of ``x``, at least one.
        gamma, beta: normalized_shape; None stands for 1 and 0.
        eps: added to the variance, above 0.

    Returns:
        Shape and dtype of ``x``. A single value a sample gives β, whatever it is. Far from zero the variance keeps its
        digits, as it does in two passes, the mean first, or in Welford's one.

    Raises:
        ValueError: ``x`` does not end in ``normalized_shape``, which is not empty; ``gamma`` or ``beta`` has another
            shape; or ``eps`` is not above 0.
        TypeError: ``x`` is not floating.

    Conventions: Keras names axes where PyTorch names their sizes, and has an eps of 1e-3, flax of 1e-6.

    Source: note 002 §6.2.1, note 004, transformer; Ba, Kiros and Hinton 2016, arXiv:1607.06450.
    """
    check_floating("x", x)
    shape = tuple(check_whole("normalized_shape", size) for size in normalized_shape)
    if not shape or tuple(x.shape[-len(shape) :]) != shape:
        raise ValueError(f"normalized_shape is {shape}, expected at least one trailing size of {tuple(x.shape)}")
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        if parameter is not None:
            check_shape(name, parameter, shape)
    check_positive("eps", eps)
    wide = _wide(x)
    y = _normalized(wide, *moments(wide, tuple(range(-len(shape), 0))), eps)
    y = y if gamma is None else y * gamma
    return (y if beta is None else y + beta).to(x.dtype)


def group_norm(
    x: Tensor, groups: int, gamma: Tensor | None = None, beta: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalize every sample over each of ``groups`` runs of neighbouring channels, with all their positions.

        y_nc = γ_c (x_nc − m_ng) / √(v_ng + eps) + β_c,   g = ⌊c · groups / C⌋

    where m and v are mean and biased variance of sample n's group g. One group is layer-wise, C groups are instance
    normalization.

    Args:
        x: (N, C, *), floating, any number of further axes.
        groups: how many groups, a divisor of C.
        gamma, beta: (C,); None stands for 1 and 0.
        eps: added to the variance, above 0.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        ValueError: ``x`` has fewer than two axes; C is no multiple of ``groups``, or that is below 1; ``gamma`` or ``beta``
            is not (C,); ``eps`` is not above 0; or a group has a single value, so that y would be β whatever ``x``.
        TypeError: ``x`` is not floating, or ``groups`` not a whole number.

    Conventions: channels are the second axis, as in PyTorch; flax and Keras have them last. PyTorch refuses a single
        value only in a batch of one sample, flax and Keras accept it.

    Source: note 002 §6.2.1; Wu and He 2018, arXiv:1803.08494.
    """
    _check(x, 2, gamma, beta, eps)
    groups = check_whole("groups", groups, 1)
    samples, channels = x.shape[:2]
    if channels % groups:
        raise ValueError(f"groups is {groups}, expected a divisor of the number of channels, {channels}")
    count = channels // groups * math.prod(x.shape[2:])
    if count == 1:
        raise ValueError(f"a group has 1 value, expected at least 2, got shape {tuple(x.shape)} in {groups} groups")
    grouped = _wide(x).reshape(samples, groups, count)
    y = _normalized(grouped, *moments(grouped, (2,)), eps).reshape(x.shape)
    return _scaled(y, gamma, beta).to(x.dtype)


def instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Normalize every channel of every sample over its positions.

        y_nc = γ_c (x_nc − m_nc) / √(v_nc + eps) + β_c

    where m_nc and v_nc are mean and biased variance over the positions of channel c in sample n alone.

    Args:
        x: (N, C, *), floating, at least one further axis.
        gamma, beta: (C,); None stands for 1 and 0.
        eps: added to the variance, above 0.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        ValueError: ``x`` has fewer than three axes; ``gamma`` or ``beta`` is not (C,); ``eps`` is not above 0; or a channel
            has a single position, so that y would be β whatever ``x``, in a batch of any size.
        TypeError: ``x`` is not floating.

    Conventions: no statistics are tracked, the default of PyTorch's layer; its ``track_running_stats`` is another
        contract. flax accepts a single position.

    Source: note 002 §6.2.1; Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022.
    """
    _check(x, 3, gamma, beta, eps)
    _check_positions(x)
    wide = _wide(x)
    y = _normalized(wide, *moments(wide, tuple(range(2, x.ndim))), eps)
    return _scaled(y, gamma, beta).to(x.dtype)


def switchable_norm(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean_logits: Tensor,
    var_logits: Tensor,
    moving_mean: Moving = None,
    moving_var: Moving = None,
    eps: float = 1e-5,
    momentum: float = 0.1,
    training: bool = False,
    unbiased: bool = True,
) -> tuple[Tensor, Moving, Moving]:
    """Normalize by a learned mixture of instance, layer and batch statistics.

        y_nc = γ_c (x_nc − Σ_k p_k m_k) / √(Σ_k q_k v_k + eps) + β_c
        p = softmax(mean_logits),   q = softmax(var_logits),   k = instance, layer, batch in this order

    where m and biased v run over the positions of a sample's channel (instance), over a sample's channels and positions
    (layer), and over samples and positions of a channel (batch: outside training, the moving statistics). The moving
    statistics are ``batch_norm``'s, whatever the weights.

    Args:
        x: (N, C, *), floating, at least one further axis.
        gamma, beta: (C,); None stands for 1 and 0.
        mean_logits, var_logits: (3,), scores of instance, layer and batch; −inf switches one off.
        moving_mean, moving_var, eps, momentum, training, unbiased: as in ``batch_norm``.

    Returns:
        (y, moving_mean, moving_var): y of the shape and dtype of ``x``; the moving statistics as new tensors (None
        stays None), through which no gradient flows back.

    Raises:
        ValueError: ``x`` has fewer than three axes; a parameter has another shape; only one moving statistic is given;
            ``eps`` is not above 0; ``momentum`` is outside 0 … 1; a channel of a sample has a single position; or there
            is no sample where the batch's own statistics are used.
        TypeError: ``x`` is not floating.

    Conventions: the authors' code takes the instance variance unbiased, where the paper's is biased, keeps a biased
        moving variance, and calls the share kept momentum (0.9). For evaluation the paper averages the statistics of
        some batches of the finished network; moving statistics are the code's other option.

    Source: note 002 §6.2.1; Luo et al. 2018, arXiv:1806.10779.
    """
    _check(x, 3, gamma, beta, eps)
    check_shape("mean_logits", mean_logits, (3,))
    check_shape("var_logits", var_logits, (3,))
    _check_moving(x, moving_mean, moving_var, momentum)
    _check_positions(x)
    positions, wide = tuple(range(2, x.ndim)), _wide(x)
    _, new_mean, new_var = batch_norm(
        x, None, None, moving_mean, moving_var, eps, momentum=momentum, training=training, unbiased=unbiased
    )
    means, variances = zip(moments(wide, positions), moments(wide, (1, *positions)), strict=True)
    if training or moving_mean is None or moving_var is None:
        batch = moments(wide, (0, *positions))
    else:
        batch = (_per_channel(_wide(moving_mean), x), _per_channel(_wide(moving_var), x))
    mean = _mixed(mean_logits, (*means, batch[0]))
    var = _mixed(var_logits, (*variances, batch[1]))
    return _scaled(_normalized(wide, mean, var, eps), gamma, beta).to(x.dtype), new_mean, new_var


def _wide(x: Tensor) -> Tensor:
    """Half precisions in float32: their sums would overflow, and whole numbers beyond 2,048 (or 256) have gaps."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _count(x: Tensor, axes: Sequence[int]) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and biased variance. Two passes: E[x²] − E[x]² has no digits left where the mean is large against the spread."""
    return x.mean(axes, keepdim=True), _Variance.apply(x, axes)


class _Variance(torch.autograd.Function):
    """Mean square of the deviations from the mean of n values, whose slope is 2 (x − mean) / n.

    Automatic differentiation goes through the mean too, where the slope is the mean of the deviations: 0 but for the mean's
    own rounding, which it thereby takes out again. The closed forms of libraries do not.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.axes = axes
        return (x - x.mean(axes, keepdim=True)).square().mean(axes, keepdim=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * 2 * (x - x.mean(ctx.axes, keepdim=True)) / _count(x, ctx.axes), None


def _normalized(x: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    return (x - mean) / torch.sqrt(var + eps)


def _per_channel(parameter: Tensor, x: Tensor) -> Tensor:
    """(C,) along the second of ``x``'s axes."""
    return parameter.reshape(-1, *[1] * (x.ndim - 2))


def _scaled(y: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    y = y if gamma is None else y * _per_channel(gamma, y)
    return y if beta is None else y + _per_channel(beta, y)


def _mixed(logits: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """Σ softmax(logits)_k part_k."""
    scores = _wide(logits)
    powers = torch.exp(scores - scores.amax().detach())
    instance, layer, batch = powers / powers.sum()
    return instance * parts[0] + layer * parts[1] + batch * parts[2]


def _moved(old: Tensor, new: Tensor, momentum: float) -> Tensor:
    """The moving statistic after one batch: bookkeeping, so cut from the graph."""
    return ((1 - momentum) * _wide(old.detach()) + momentum * new.detach()).to(old.dtype)


def _copy(statistic: Moving) -> Moving:
    return None if statistic is None else statistic.detach().clone()


def _check(x: Tensor, axes: int, gamma: Tensor | None, beta: Tensor | None, eps: float) -> None:
    check_floating("x", x)
    if x.ndim < axes:
        raise ValueError(f"x must have at least {axes} axes, got shape {tuple(x.shape)}")
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        if parameter is not None:
            check_shape(name, parameter, x.shape[1:2])
    check_positive("eps", eps)


def _check_moving(x: Tensor, mean: Moving, var: Moving, momentum: float) -> None:
    if (mean is None) != (var is None):
        raise ValueError("moving_mean and moving_var must be given both or neither")
    for name, statistic in (("moving_mean", mean), ("moving_var", var)):
        if statistic is not None:
            check_shape(name, statistic, x.shape[1:2])
    check_range("momentum", momentum, 0, 1)


def _check_positions(x: Tensor) -> None:
    if math.prod(x.shape[2:]) == 1:
        raise ValueError(f"a channel has 1 position, expected at least 2, got shape {tuple(x.shape)}")
