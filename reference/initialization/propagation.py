"""What weights do to signals and gradients in depth."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_range, check_shape, check_whole
from lawbook.reference.initialization.filling import generator
from lawbook.reference.initialization.scaling import calculate_gain

INITS = ("normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": lambda z: z.clamp(min=0),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def activation_variances(
    depth: int,
    width: int,
    init: str,
    activation: str = "linear",
    *,
    seed: int,
    std: float = 1.0,
    samples: int = 100,
) -> Tensor:
    """How the size of a random signal changes from layer to layer of a random network.

        h_0 ~ N(0, 1),  h_t = activation(h_{t−1} W_tᵀ),  variance_t = mean of h_t² over samples and units

    where every W_t is drawn anew. For a linear network E[variance_t] = (width · Var[w])^t.

    Args:
        depth: layers, at least 1.
        width: units of every layer and of the input, at least 1.
        init: "normal" for N(0, std²); "xavier_uniform" or "xavier_normal" with gain 1; "kaiming_uniform" or
            "kaiming_normal" with the gain of the activation.
        activation: "linear", "relu", "tanh" or "sigmoid".
        seed: a whole number of at least 0; the same seed gives the same network and samples, whatever ``std`` is but
            for that factor on every weight.
        std: the standard deviation for "normal", at least 0; otherwise without effect.
        samples: rows of h_0, at least 1.

    Returns:
        (depth,), float64: layers without end leave the range of float32 early.

    Raises:
        ValueError: an unknown name, a size below 1, or a negative ``std``.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        The variance is about zero, that is the second moment, which the derivations of Xavier and He propagate; it is
        the variance as long as activations have mean zero, and for relu and sigmoid it is the one that matters to
        the next layer.

    Source: note 004 (numerical stability); Glorot and Bengio 2010, AISTATS; He et al. 2015, arXiv:1502.01852.
    """
    depth, width = check_whole("depth", depth, 1), check_whole("width", width, 1)
    samples = check_whole("samples", samples, 1)
    check_choice("init", init, INITS)
    check_choice("activation", activation, tuple(ACTIVATIONS))
    check_range("std", std, 0)
    if init != "normal":
        # Fans are equal here, so Xavier's variance is 1 / width.
        std = (calculate_gain(activation) if init.startswith("kaiming") else 1.0) / math.sqrt(width)
    stream = generator(seed)
    h = torch.randn(samples, width, generator=stream, dtype=torch.float64)
    variances = []
    for _ in range(depth):
        if init.endswith("uniform"):
            unit = (2 * torch.rand(width, width, generator=stream, dtype=torch.float64) - 1) * math.sqrt(3)
        else:
            unit = torch.randn(width, width, generator=stream, dtype=torch.float64)
        h = ACTIVATIONS[activation](h @ unit.T * std)
        variances.append(h.square().mean())
    return torch.stack(variances)


def gradient_norm_product(weights: Sequence[Tensor], activations: Sequence[Tensor] | None = None) -> Tensor:
    """How large the gradient of a network's output is with respect to every layer's input.

        norm_t = ‖diag(s_d) W_d ··· diag(s_{t+1}) W_{t+1}‖_F,  t = 0 … d − 1

    where the product is the Jacobian of the last of d layers h_t = σ(W_t h_{t−1}) by h_t, and s_t = σ′(W_t h_{t−1}).

    Args:
        weights: d matrices W_t of shapes (n_t, n_{t−1}), floating, the first layer's first.
        activations: d vectors s_t of shapes (n_t,): the slopes of the activations where they are evaluated; None for
            linear layers.

    Returns:
        (d,), the first layer's gradient first: the one with the most factors.

    Raises:
        ValueError: no weight, shapes that do not fit together, or another number of activations than weights.
        TypeError: a weight or slope is not floating.

    Conventions:
        The Frobenius norm; for layers of one unit it is the product of the absolute values, as in 1.5¹⁰⁰ and 0.8¹⁰⁰.
        Where the product is zero, so is the gradient of its norm.

    Source: note 004 (numerical stability).
    """
    weights = list(weights)
    if not weights:
        raise ValueError("weights is empty, expected at least one matrix")
    for index, weight in enumerate(weights):
        check_floating(f"weights[{index}]", weight)
        check_axes(f"weights[{index}]", weight, 2)
        if index and weight.shape[1] != weights[index - 1].shape[0]:
            before = tuple(weights[index - 1].shape)
            raise ValueError(f"weights[{index}] has shape {tuple(weight.shape)}, which does not follow {before}")
    if activations is not None:
        if len(activations) != len(weights):
            raise ValueError(f"activations has {len(activations)} parts, expected {len(weights)}, one for each weight")
        for index, (weight, slope) in enumerate(zip(weights, activations, strict=True)):
            check_floating(f"activations[{index}]", slope)
            check_shape(f"activations[{index}]", slope, weight.shape[:1])
        weights = [slope[:, None] * weight for weight, slope in zip(weights, activations, strict=True)]
    product, norms = None, []
    for layer in reversed(weights):
        product = layer if product is None else product @ layer
        norms.append(_norm(product))
    return torch.stack(norms[::-1])


def _norm(matrix: Tensor) -> Tensor:
    """The Frobenius norm; the largest element is divided out, as the squares of a long product overflow."""
    if matrix.numel() == 0:
        return matrix.sum()
    largest = matrix.detach().abs().max()
    scale = torch.where((largest == 0) | torch.isinf(largest), 1, largest)
    squares = (matrix / scale).square().sum()
    # The root has no slope at zero.
    root = torch.where(squares == 0, 0, torch.where(squares == 0, 1, squares).sqrt())
    return root * scale
