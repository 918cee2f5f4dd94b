"""The perceptron, its training, and networks of several layers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import (
    check_axes,
    check_choice,
    check_floating,
    check_integer,
    check_same_shape,
    check_shape,
    check_whole,
)

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda z: z}


def perceptron_step(w: Tensor, x: Tensor, y: int) -> Tensor:
    """One step of the perceptron: add a sample that is not on its side, leave the weights alone otherwise.

        w + y x   if y⟨w, x⟩ ≤ 0,   else w

    where a bias is the last weight, of a feature that is always 1.

    Args:
        w: (D,), floating.
        x: one sample, (D,), of the dtype of ``w``.
        y: its class, 1 or −1.

    Returns:
        The new weights, shape and dtype of ``w``.

    Raises:
        ValueError: shapes differ, ``w`` has not one axis, or ``y`` is neither 1 nor −1.
        TypeError: ``w`` or ``x`` is not floating, or their dtypes differ.

    Conventions: ⟨w, x⟩ = 0 counts as a mistake, or training from w = 0 would never begin. A sample that holds nan is on
        neither side: whether it is added, as a step of descent on the loss does, or not, is left open.

    Source: note 004, section on multilayer perceptrons; Rosenblatt 1958, Psychological Review 65(6).
    """
    _check_pair(w, x)
    check_axes("w", w, 1)
    check_same_shape("x", x, "w", w)
    check_choice("y", y, (1, -1))
    return torch.where(y * (w * x).sum() > 0, w, w + y * x)


def perceptron_loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How far each sample is on the wrong side.

        l_i = max(0, −y_i⟨w, x_i⟩)

    where the slope in w is −y_i x_i on the wrong side and, by convention, at l_i = 0 on the boundary too.

    Args:
        w: (D,), floating.
        x: samples, (N, D), of the dtype of ``w``.
        y: classes, (N,), whole numbers 1 or −1.

    Returns:
        (N,), the dtype of ``w``.

    Raises:
        ValueError: shapes do not fit, or a class is neither 1 nor −1.
        TypeError: ``w`` or ``x`` is not floating, their dtypes differ, or ``y`` does not hold whole numbers.

    Conventions: on the boundary any slope from 0 to −y x is a subgradient. Only −y x makes gradient descent with step 1
        and batches of one sample the perceptron: with the slope 0 of a rectifier, descent from w = 0 stays there.
        torch.clamp has the slope −y x, torch.relu 0, torch.maximum and JAX's maximum (optax) half of it.

    Source: note 004, section on multilayer perceptrons.
    """
    _check_pair(w, x)
    check_axes("w", w, 1)
    check_axes("x", x, 2)
    check_shape("x", x, (len(x), len(w)))
    _check_classes(y, len(x))
    wrong = -y * (x * w).sum(-1)
    return torch.where(wrong < 0, torch.zeros_like(wrong), wrong)


def perceptron_train(X: Tensor, y: Tensor, max_epochs: int) -> tuple[Tensor, int]:
    """Train a perceptron with bias from zero, sample by sample in the order given, until an epoch passes without mistake.

        (w, b) ← (w, b) + y_i (x_i, 1)   if y_i(⟨w, x_i⟩ + b) ≤ 0

    where on data that some unit vector (w*, b*) separates by y_i(⟨w*, x_i⟩ + b*) ≥ ρ, with |x_i| ≤ r, there are at
    most (r² + 1) / ρ² mistakes.

    Args:
        X: samples, (N, D), floating, N at least 1.
        y: classes, (N,), whole numbers 1 or −1.
        max_epochs: passes through the data at most, at least 1.

    Returns:
        weights: (D + 1,), the bias last; gradients reach X through the updates, whose choice has none.
        mistakes: how many updates were made, a whole number.

    Raises:
        ValueError: shapes do not fit, there is no sample, a class is neither 1 nor −1, or ``max_epochs`` is below 1.
        TypeError: ``X`` is not floating, ``y`` does not hold whole numbers, or ``max_epochs`` is not one.

    Conventions: the norm that must not exceed 1 in the theorem is that of the separating (w*, b*). The note says it of
        the initial weights, which start at 0 here and in the proof: from (0, −1) a sample x = 0 of class 1 (r = 0, ρ = 1)
        takes two mistakes, not one.

    Source: note 004, section on multilayer perceptrons (pseudocode and convergence); Novikoff 1962, On convergence
    proofs on perceptrons.
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    if len(X) == 0:
        raise ValueError("X has 0 samples, expected at least 1")
    _check_classes(y, len(X))
    max_epochs = check_whole("max_epochs", max_epochs, 1)
    signed = torch.cat([X, X.new_ones(len(X), 1)], 1) * y[:, None]
    w, mistakes = torch.zeros_like(signed[0]), 0
    for _ in range(max_epochs):
        before = mistakes
        for sample in signed.unbind(0):
            if not bool((w * sample).sum() > 0):
                w, mistakes = w + sample, mistakes + 1
        if mistakes == before:
            break
    return w, mistakes


def xor_network(x1: Tensor, x2: Tensor) -> Tensor:
    """Two perceptrons, one for each coordinate, and a unit that compares them: 1 in quadrants one and three.

        y = σ(x1) · σ(x2),   σ(z) = 1 if z > 0 else −1

    where no single linear rule σ(a x1 + b x2 + c) does the same, as opposite corners of a square have the same mean.

    Args:
        x1, x2: coordinates, any shape, floating, of one dtype.

    Returns:
        1 or −1, shape and dtype of ``x1``.

    Raises:
        ValueError: shapes differ.
        TypeError: ``x1`` or ``x2`` is not floating, or their dtypes differ.

    Conventions: σ(0) = −1.

    Source: note 004, section on multilayer perceptrons; Minsky and Papert 1969, Perceptrons.
    """
    _check_pair(x1, x2, "x1", "x2")
    check_same_shape("x2", x2, "x1", x1)
    # Equal signs are compared, not multiplied numbers: 1e-30 · 1e-30 is 0 in float32.
    same = (x1 > 0) == (x2 > 0)
    return torch.where(same, torch.ones_like(x1), -torch.ones_like(x1))


def mlp(X: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: str = "relu") -> Tensor:
    """A multilayer perceptron: affine maps with an activation after each but the last.

        H_0 = X,   H_l = σ(H_{l−1} W_l + b_l),   result = H_{L−1} W_L + b_L

    where without σ all layers together are one affine map.

    Args:
        X: (N, D), floating.
        weights: L matrices (inputs, outputs), L at least 1, each with as many inputs as the one before has outputs.
        biases: L vectors (outputs,).
        activation: "relu", "sigmoid", "tanh" or "identity".

    Returns:
        (N, outputs of the last layer), the dtype of ``X``.

    Raises:
        ValueError: there is no layer, the numbers of weights and biases differ, a shape does not fit, or the activation
            is unknown.
        TypeError: something is not floating, or the dtypes differ.

    Conventions: weights are (inputs, outputs), as in the note's X @ W + b; torch.nn.Linear keeps the transpose.

    Source: note 004, section on multilayer perceptrons.
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    check_choice("activation", activation, tuple(ACTIVATIONS))
    if not weights or len(weights) != len(biases):
        raise ValueError(f"{len(weights)} weights and {len(biases)} biases, expected equally many, at least one")
    for place, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        inputs = (X if place == 0 else weights[place - 1]).shape[1]
        _check_pair(X, weight, "X", f"weights[{place}]")
        _check_pair(X, bias, "X", f"biases[{place}]")
        check_axes(f"weights[{place}]", weight, 2)
        check_shape(f"weights[{place}]", weight, (inputs, weight.shape[1]))
        check_shape(f"biases[{place}]", bias, (weight.shape[1],))
    hidden = X
    for place, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        hidden = hidden @ weight + bias
        if place < len(weights) - 1:
            hidden = ACTIVATIONS[activation](hidden)
    return hidden


def _check_pair(a: Tensor, b: Tensor, a_name: str = "w", b_name: str = "x") -> None:
    check_floating(a_name, a)
    check_floating(b_name, b)
    if a.dtype != b.dtype:
        raise TypeError(f"{b_name} is {b.dtype}, expected that of {a_name}, {a.dtype}")


def _check_classes(y: Tensor, count: int) -> None:
    check_integer("y", y)
    check_shape("y", y, (count,))
    if not bool((y.abs() == 1).all()):
        raise ValueError(f"y holds {y[y.abs() != 1][0].item()}, expected 1 or -1")
