"""Activation functions. They act on every element by itself, and every element is accurate by itself, small ones too."""

from lawbook.reference.activations.piecewise import (
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    threshold,
)
from lawbook.reference.activations.smooth import (
    elu,
    gelu,
    logsigmoid,
    mish,
    scaled_sigmoid,
    selu,
    sigmoid,
    silu,
    softplus,
    tanh,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "sigmoid",
    "tanh",
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "threshold",
    "elu",
    "selu",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "logsigmoid",
    "scaled_sigmoid",
]
