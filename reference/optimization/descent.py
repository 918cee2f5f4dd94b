"""Gradient descent, plain, with batches, with weight decay and with momentum."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating, check_same_shape, check_whole
from lawbook.reference.optimization.trajectory import begin, check_rates, iterates, per_step


def gradient_descent(gradient_fn: Callable[[Tensor], Tensor], initial: Tensor, lr: float, steps: int) -> Tensor:
    """Walk against the gradient of a function.

        w_t = w_{t−1} − lr · ∇f(w_{t−1})

    On a quadratic with curvatures between 0 and λ it converges for lr < 2/λ, swings for ever at 2/λ, and diverges
    beyond.

    Args:
        gradient_fn: from w to ∇f(w), of the same shape and dtype; sums, products and powers of whatever arrays the
            implementation uses.
        initial: w_0, any shape, floating.
        lr: the learning rate, at least 0.
        steps: how many, at least 0.

    Returns:
        w_1, …, w_steps: (steps, *shape of initial).

    Raises:
        TypeError: ``initial`` is not floating, or ``steps`` no whole number.
        ValueError: ``lr`` or ``steps`` is negative.

    Source: note 004, basic optimization algorithms; Cauchy 1847.
    """
    check_floating("initial", initial)
    check_rates(lr=lr)
    steps = check_whole("steps", steps, 0)
    w, found = initial, []
    for _ in range(steps):
        w = w - lr * gradient_fn(w)
        found.append(w)
    return torch.stack(found) if found else initial.new_empty((0, *initial.shape))


def sgd(
    initial: Tensor,
    gradients: Tensor,
    lr: float,
    weight_decay: float = 0.0,
    batch_size: int | Sequence[int] = 1,
) -> Tensor:
    """Descend along gradients that were summed over batches.

        w_t = w_{t−1} − lr · (g_t / n_t + weight_decay · w_{t−1})

    where n_t is the number of samples whose gradients g_t sums: a last batch that is smaller than the others divides by
    its own size.

    Args:
        initial: w_0, any shape, floating.
        gradients: g_1, …, g_T, (T, *shape of initial), summed over the samples of each batch.
        lr: the learning rate, at least 0.
        weight_decay: the penalty's coefficient, at least 0; the penalty belongs to the mean loss and is not divided.
        batch_size: samples in every batch, at least 1, or a list with the size of each.

    Returns:
        w_1, …, w_T: (T, *shape of initial).

    Raises:
        TypeError: a tensor is not floating, their dtypes differ, or a size is no whole number.
        ValueError: the shapes or the number of sizes do not fit, a size is below 1, or a rate is negative.

    Conventions: note 004 sums the loss and divides here; with a loss that is averaged already, as PyTorch's and optax's
    are by default, ``batch_size`` is 1.

    Source: note 004, sgd; Robbins and Monro 1951.
    """
    w, steps = begin(initial, gradients)
    check_rates(lr=lr, weight_decay=weight_decay)
    sizes = [check_whole("batch_size", size, 1) for size in per_step("batch_size", batch_size, len(steps))]
    found = []
    for g, size in zip(steps, sizes, strict=True):
        w = w - lr * (g / size + weight_decay * w)
        found.append(w)
    return iterates(found, gradients)


def sgd_momentum(
    initial: Tensor,
    gradients: Tensor,
    lr: float | Sequence[float],
    momentum: float,
    weight_decay: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    velocity: str = "steps",
) -> Tensor:
    """Descend with a velocity that remembers earlier gradients.

        d_t = g_t + weight_decay · w_{t−1}
        velocity="steps":      v_t = momentum · v_{t−1} − (1 − dampening) · lr_t · d_t,   w_t = w_{t−1} + v_t
        velocity="gradients":  v_t = momentum · v_{t−1} + (1 − dampening) · d_t,          w_t = w_{t−1} − lr_t · v_t

    where the first velocity is not dampened: v_1 = −lr_1 · d_1, or d_1. With ``nesterov`` the step looks ahead: in place of
    v_t it is momentum · v_t − lr_t · d_t, or momentum · v_t + d_t; the velocity itself stays as above. Under a constant
    gradient the steps grow towards lr / (1 − momentum) times that gradient.

    Args:
        initial: w_0, any shape, floating.
        gradients: g_1, …, g_T, (T, *shape of initial).
        lr: the learning rate, at least 0, or a list with that of every step.
        momentum: the share of the velocity that is kept, at least 0; 0 is plain descent, without velocity or dampening.
        weight_decay: at least 0; part of the gradient.
        dampening: the share of later gradients that is lost where there is a momentum.
        nesterov: whether to look ahead; only with a momentum above 0 and without dampening.
        velocity: what it is a sum of, "steps" or "gradients". While the rate is constant both are the same walk.

    Returns:
        w_1, …, w_T: (T, *shape of initial).

    Raises:
        TypeError: a tensor is not floating, or the dtypes differ.
        ValueError: shapes or number of rates do not fit, a rate is negative, ``velocity`` is unknown, or ``nesterov`` comes
            with dampening or without momentum.

    Conventions: "steps" is that of note 001, of Sutskever et al. and of Keras: a rate that falls to 0 lets the velocity run
    out. "gradients" is PyTorch's: a rate of 0 stops at once. optax.sgd multiplies with the rate before optax.trace sums,
    so it is "steps". PyTorch does not dampen the first velocity (pytorch/pytorch#152833); optax and Keras have no
    dampening, and some re-implementations dampen from the first step on.

    Source: note 001 §6.1; Polyak 1964; Sutskever, Martens, Dahl and Hinton 2013, ICML.
    """
    w, steps = begin(initial, gradients)
    rates = per_step("lr", lr, len(steps))
    check_rates(momentum=momentum, weight_decay=weight_decay, **{f"lr[{t}]": rate for t, rate in enumerate(rates)})
    check_choice("velocity", velocity, ("steps", "gradients"))
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(f"nesterov with momentum {momentum} and dampening {dampening}, expected above 0 and 0")
    v, found = None, []
    for g, rate in zip(steps, rates, strict=True):
        before, after = (rate, 1.0) if velocity == "steps" else (1.0, rate)
        push = before * (g + weight_decay * w)
        v = push if v is None or momentum == 0 else momentum * v + (1 - dampening) * push
        w = w - after * (push + momentum * v if nesterov else v)
        found.append(w)
    return iterates(found, gradients)


def weight_decay_step(w: Tensor, g: Tensor, lr: float, wd: float) -> Tensor:
    """Shrink the weights a little, then step against the gradient.

        w ← (1 − lr · wd) · w − lr · g

    which is the plain step on the loss with the penalty wd/2 · ‖w‖² added.

    Args:
        w: any shape, floating.
        g: the gradient of the loss without penalty, of the same shape.
        lr: the learning rate, at least 0.
        wd: the penalty's coefficient, at least 0.

    Returns:
        The new weights, a new tensor.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, or a number is negative.

    Conventions: for this step decay in the gradient (PyTorch's SGD) and decay of the weights (AdamW's) are the same;
    with Adam they differ. The penalty is halved: wd · ‖w‖² without the ½ would decay twice as fast. optax.adamw and
    PyTorch's AdamW multiply the decay with the rate as here; the paper of AdamW does not.

    Source: note 004, weight decay; note 002 §6.3.5; Krogh and Hertz 1991, NIPS.
    """
    check_floating("w", w)
    check_floating("g", g)
    check_same_shape("g", g, "w", w)
    check_rates(lr=lr, wd=wd)
    return (1 - lr * wd) * w - lr * g
