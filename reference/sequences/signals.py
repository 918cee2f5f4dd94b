"""Sequences of numbers, predicted from the ones before, and probabilities of sequences of tokens."""

import math
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_range, check_whole
from lawbook.reference.data.datasets import stream


def autoregressive_windows(x: Tensor, tau: int) -> tuple[Tensor, Tensor]:
    """Pairs of the last ``tau`` numbers and the one that follows them.

        features[i] = x_i, …, x_{i + τ − 1},   labels[i] = x_{i + τ}      for 0 ≤ i < T − τ

    Args:
        x: (T,), any dtype.
        tau: how many numbers a prediction sees, at least 1 and at most T.

    Returns:
        Features (T − τ, τ), the oldest number first, and labels (T − τ, 1), dtype of ``x``. The first τ numbers, which have
        too few before them, are no labels.

    Raises:
        ValueError: ``x`` has not one axis, ``tau`` is below 1 or above T.
        TypeError: ``x`` is no tensor, or ``tau`` no whole number.

    Source: note 004 (sequence models, autoregressive model with the Markov assumption).
    """
    tau = _checked("x", x, tau, 0)
    places = torch.arange(len(x) - tau, device=x.device)[:, None] + torch.arange(tau + 1, device=x.device)
    windows = x[places]
    return windows[:, :tau].clone(), windows[:, tau:].clone()


def one_step_predictions(model: Callable[[Tensor], Tensor], x: Tensor, tau: int) -> Tensor:
    """Predict every number from the ``tau`` true ones before it.

        y_i = model(x_i, …, x_{i + τ − 1})     which stands for x_{i + τ},   0 ≤ i < T − τ

    Args:
        model: (n, τ) → (n, 1): one prediction for each row of numbers, the oldest first.
        x: (T,), floating.
        tau: as in ``autoregressive_windows``.

    Returns:
        (T − τ, 1), shaped as the labels of ``autoregressive_windows``.

    Raises:
        ValueError: as in ``autoregressive_windows``, or the model gives another shape.
        TypeError: ``x`` is not floating, or ``tau`` no whole number.

    Source: note 004 (sequence models, one-step prediction).
    """
    check_floating("x", x)
    return _predicted(model, autoregressive_windows(x, tau)[0])


def k_step_predictions(model: Callable[[Tensor], Tensor], x: Tensor, tau: int, k: int) -> Tensor:
    """Predict ``k`` numbers from ``tau`` true ones, each from the last ``tau`` of what is known and what was predicted.

        z_i = x_i, …, x_{i + τ − 1}, then  z_{i, τ + j} = model(z_{i, j}, …, z_{i, τ + j − 1})
        y_ij = z_{i, τ + j}     which stands for x_{i + τ + j},   0 ≤ j < k,  0 ≤ i ≤ T − τ − k

    Behind the first one no prediction sees a true number that its window did not begin with.

    Args:
        model: (n, τ) → (n, 1), as in ``one_step_predictions``.
        x: (T,), floating.
        tau: at least 1.
        k: how many steps, at least 1; T is at least τ + k − 1.

    Returns:
        (T − τ − k + 1, k): a row for each window whose last prediction stands for a number of ``x``. Column j holds the
        (j + 1)-step predictions.

    Raises:
        ValueError: ``x`` has not one axis, a number is below 1, T is below τ + k − 1, or the model gives another shape.
        TypeError: ``x`` is not floating, or a number no whole one.

    Conventions: the note's single forecast from n known numbers on is the last row for ``x`` of those n and k more.

    Source: note 004 (sequence models, multi-step prediction).
    """
    check_floating("x", x)
    k = check_whole("k", k, 1)
    tau = _checked("x", x, tau, k - 1)
    known = autoregressive_windows(x[: len(x) - k + 1], tau)[0]
    for _ in range(k):
        known = torch.cat([known, _predicted(model, known[:, -tau:])], 1)
    return known[:, tau:].clone()


def joint_log_probability(
    tokens: Sequence[Hashable],
    conditional: Callable[[Hashable, tuple[Hashable, ...]], float],
    direction: str = "forward",
    order: int | None = None,
) -> float:
    """The logarithm of a sequence's probability by the chain rule, from either end.

        log p(x_1 … x_T) = Σ_t log p(x_t | x_1 … x_{t−1})       forward
                         = Σ_t log p(x_t | x_{t+1} … x_T)       backward

    With the Markov assumption of ``order`` n the context is the n tokens nearest to x_t: x_{t−n} … x_{t−1}, or
    x_{t+1} … x_{t+n}.

    Args:
        tokens: the sequence; none has the probability 1.
        conditional: (token, context) → log p(token | context), at most 0; −inf for what cannot be. The context is a tuple in
            the text's order in either direction, empty for the token that the chain begins with.
        direction: "forward" or "backward".
        order: at least 0, or None for the whole context; 0 takes tokens for independent.

    Returns:
        A number of at most 0; −inf where a factor is 0.

    Raises:
        ValueError: a logarithm is above 0 or nan, ``direction`` is unknown, or ``order`` negative.
        TypeError: ``order`` is no whole number.

    Source: note 004 (sequence models: p(a, b) = p(a) p(b|a) = p(b) p(a|b), Markov assumption).
    """
    check_choice("direction", direction, ("forward", "backward"))
    order = len(tokens) if order is None else check_whole("order", order, 0)
    terms = []
    for t, token in enumerate(tokens):
        context = tokens[max(t - order, 0) : t] if direction == "forward" else tokens[t + 1 : t + 1 + order]
        terms.append(float(conditional(token, tuple(context))))
        if not terms[-1] <= 0:
            raise ValueError(f"conditional gave {terms[-1]} for {token!r}, expected a logarithm of at most 0")
    return math.fsum(terms)


def sine_series(T: int, noise_std: float, seed: int) -> Tensor:
    """A slow sine with noise.

        x_t = sin(0.01 t) + ε_t,   ε_t ~ N(0, noise_std²) independent,   t = 1 … T

    Args:
        T: how many numbers, at least 0.
        noise_std: the noise's standard deviation (not its variance), at least 0; 0 gives the sine alone.
        seed: the same seed gives the same series.

    Returns:
        (T,) float32.

    Raises:
        ValueError: ``T`` or ``noise_std`` is negative.
        TypeError: ``T`` or ``seed`` is no whole number.

    Conventions: time begins with 1. The note's code takes the sine of 0.01 · T, the length, in place of the times. Which noise
        belongs to a seed is each library's own affair.

    Source: note 004 (sequence models).
    """
    T = check_whole("T", T, 0)
    check_range("noise_std", noise_std, 0)
    # In float64: rounding the product first would move the sine's argument.
    time = torch.arange(1, T + 1, dtype=torch.float64)
    noise = torch.randn(T, generator=stream(seed), dtype=torch.float64)
    return (torch.sin(0.01 * time) + noise_std * noise).float()


def _checked(name: str, x: Tensor, tau: int, more: int) -> int:
    check_axes(name, x, 1)
    tau = check_whole("tau", tau, 1)
    if len(x) < tau + more:
        raise ValueError(f"{name} has {len(x)} numbers, expected at least {tau + more}")
    return tau


def _predicted(model: Callable[[Tensor], Tensor], windows: Tensor) -> Tensor:
    y = model(windows)
    if y.shape != (len(windows), 1):
        raise ValueError(f"model gave shape {tuple(y.shape)} for {len(windows)} windows, expected one number for each")
    return y
