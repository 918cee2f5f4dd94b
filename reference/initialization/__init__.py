"""Initialization: constant and random fills, scaling by fans, and what it does to signals and gradients in depth."""

from lawbook.reference.initialization.filling import init_constant, init_eye, init_normal, init_uniform, init_zeros
from lawbook.reference.initialization.propagation import activation_variances, gradient_norm_product
from lawbook.reference.initialization.scaling import (
    calculate_gain,
    fan_in_and_fan_out,
    kaiming_normal,
    kaiming_uniform,
    linear_default_init,
    xavier_normal,
    xavier_uniform,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "init_zeros",
    "init_constant",
    "init_eye",
    "init_normal",
    "init_uniform",
    "fan_in_and_fan_out",
    "calculate_gain",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "linear_default_init",
    "activation_variances",
    "gradient_norm_product",
]
