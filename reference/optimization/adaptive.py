"""Optimizers with a rate of its own for every parameter."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_positive, check_range
from lawbook.reference.optimization.trajectory import begin, check_rates, iterates, root


def adagrad(
    initial: Tensor,
    gradients: Tensor,
    lr: float = 0.01,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    lr_decay: float = 0.0,
    initial_accumulator: float = 0.0,
) -> Tensor:
    """Divide each gradient by the root of all squares so far.

        d_t = g_t + weight_decay · w_{t−1}
        h_t = h_{t−1} + d_t²,   h_0 = initial_accumulator
        w_t = w_{t−1} − lr / (1 + (t − 1) · lr_decay) · d_t / (√h_t + eps)

    Args:
        initial: w_0, any shape, floating.
        gradients: g_1, …, g_T, (T, *shape of initial).
        lr: the learning rate, at least 0.
        eps: above 0, in units of the gradient: a gradient of 0 moves nothing.
        weight_decay: at least 0; part of the gradient, so it is divided like it.
        lr_decay: at least 0.
        initial_accumulator: h_0, at least 0.

    Returns:
        w_1, …, w_T: (T, *shape of initial).

    Raises:
        TypeError: a tensor is not floating, or the dtypes differ.
        ValueError: the shapes do not fit, ``eps`` is not above 0, or another number is negative.

    Conventions: eps outside of the root, as PyTorch. Keras and optax.adagrad have it inside, √(h + eps), with
    an eps of 1e-7 and an accumulator that starts at 0.1; optax leaves a parameter alone while its h is 0.

    Source: note 001 §6.3; Duchi, Hazan and Singer 2011, JMLR 12.
    """
    w, steps = begin(initial, gradients)
    check_positive("eps", eps)
    check_rates(lr=lr, weight_decay=weight_decay, lr_decay=lr_decay, initial_accumulator=initial_accumulator)
    h, found = torch.full_like(w, initial_accumulator), []
    for t, g in enumerate(steps):
        d = g + weight_decay * w
        h = h + d * d
        w = w - lr / (1 + t * lr_decay) * d / (root(h) + eps)
        found.append(w)
    return iterates(found, gradients)


def rmsprop(
    initial: Tensor,
    gradients: Tensor,
    lr: float = 0.01,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
) -> Tensor:
    """Divide each gradient by the root of a moving average of squares.

        d_t = g_t + weight_decay · w_{t−1}
        h_t = alpha · h_{t−1} + (1 − alpha) · d_t²,   h_0 = 0
        v_t = momentum · v_{t−1} + d_t / (√h_t + eps),   v_0 = 0
        w_t = w_{t−1} − lr · v_t

    where h starts at 0 without correction, so that the first step has size lr / √(1 − alpha).

    Args:
        initial: w_0, any shape, floating.
        gradients: g_1, …, g_T, (T, *shape of initial).
        lr: the learning rate, at least 0.
        alpha: the share of the average that is kept, 0..1.
        eps: above 0, in units of the gradient: a gradient of 0 moves nothing.
        weight_decay: at least 0; part of the gradient.
        momentum: the share of the velocity that is kept, at least 0.

    Returns:
        w_1, …, w_T: (T, *shape of initial).

    Raises:
        TypeError: a tensor is not floating, or the dtypes differ.
        ValueError: the shapes do not fit, ``alpha`` is outside 0..1, ``eps`` not above 0, or another number negative.

    Conventions: eps outside of the root, as PyTorch; TensorFlow, Keras and optax.rmsprop by default
    (``eps_in_sqrt=True``) have it inside. Note 001 has none, and divides 0 by 0 for a gradient of 0. Keras' default for
    alpha is 0.9, as is optax's.

    Source: note 001 §6.4; Tieleman and Hinton 2012, lecture 6.5.
    """
    w, steps = begin(initial, gradients)
    check_range("alpha", alpha, 0, 1)
    check_positive("eps", eps)
    check_rates(lr=lr, weight_decay=weight_decay, momentum=momentum)
    h, v, found = torch.zeros_like(w), torch.zeros_like(w), []
    for g in steps:
        d = g + weight_decay * w
        h = alpha * h + (1 - alpha) * d * d
        v = momentum * v + d / (root(h) + eps)
        w = w - lr * v
        found.append(w)
    return iterates(found, gradients)


def adam(
    initial: Tensor,
    gradients: Tensor,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Tensor:
    """Divide a moving average of gradients by the root of one of squares, both corrected for their start at 0.

        d_t = g_t + weight_decay · w_{t−1},   or g_t with ``decoupled``
        m_t = β₁ m_{t−1} + (1 − β₁) d_t,   v_t = β₂ v_{t−1} + (1 − β₂) d_t²,   m_0 = v_0 = 0
        w_t = u_t − lr · m̂_t / (√v̂_t + eps),   m̂_t = m_t / (1 − β₁ᵗ),   v̂_t = v_t / (1 − β₂ᵗ)

    where u_t = w_{t−1}, or with ``decoupled`` (1 − lr · weight_decay) w_{t−1}: AdamW. The first step has size lr,
    whatever the gradient and the betas.

    Args:
        initial: w_0, any shape, floating.
        gradients: g_1, …, g_T, (T, *shape of initial).
        lr: the learning rate, at least 0.
        betas: the shares of both averages that are kept, each at least 0 and below 1.
        eps: above 0, in units of the gradient: a gradient of 0 moves nothing.
        weight_decay: at least 0.
        decoupled: whether the decay shrinks the weights instead of joining the gradient, which would divide it too.

    Returns:
        w_1, …, w_T: (T, *shape of initial).

    Raises:
        TypeError: a tensor is not floating, or the dtypes differ.
        ValueError: the shapes do not fit, a beta is outside [0, 1), ``eps`` not above 0, or another number negative.

    Conventions: eps outside of the root and added to the corrected √v̂, as in the paper's algorithm 1, PyTorch and optax
    (whose eps_root is a second one, inside). TensorFlow and Keras add it to the uncorrected √v ("epsilon hat"): an eps
    larger by 1/√(1 − β₂ᵗ), 32 at the first step. Weight decay: torch.optim.Adam joins it to the gradient,
    torch.optim.AdamW, optax.adamw and Keras' AdamW shrink the weights.

    Source: note 001 §6.5; note 004, predicting house prices (Adam with weight decay); Kingma and Ba 2015,
    arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    w, steps = begin(initial, gradients)
    for i, beta in enumerate(betas):
        if not 0 <= beta < 1:
            raise ValueError(f"betas[{i}] is {beta}, expected at least 0 and below 1")
    check_positive("eps", eps)
    check_rates(lr=lr, weight_decay=weight_decay)
    m, v, found = torch.zeros_like(w), torch.zeros_like(w), []
    for t, g in enumerate(steps, 1):
        w, m, v = adam_step(w, g, m, v, t, lr, betas, eps, weight_decay, decoupled)
        found.append(w)
    return iterates(found, gradients)


def adam_step(
    w: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Step t = 1, 2, … of ``adam``: new weights and both averages, for training whose gradients depend on the weights."""
    beta1, beta2 = betas
    d = g if decoupled else g + weight_decay * w
    m = beta1 * m + (1 - beta1) * d
    v = beta2 * v + (1 - beta2) * d * d
    step = m / (1 - beta1**t) / (root(v / (1 - beta2**t)) + eps)
    return ((1 - lr * weight_decay) * w if decoupled else w) - lr * step, m, v
