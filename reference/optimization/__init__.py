"""Optimization: linear regression, gradient descent, adaptive optimizers, groups of parameters, learning-rate schedules."""

from lawbook.reference.optimization.adaptive import adagrad, adam, rmsprop
from lawbook.reference.optimization.descent import gradient_descent, sgd, sgd_momentum, weight_decay_step
from lawbook.reference.optimization.groups import per_parameter_options
from lawbook.reference.optimization.linear import (
    closed_form_solution,
    linear_regression,
    minibatch_gradient,
    squared_loss,
    synthetic_linear_data,
)
from lawbook.reference.optimization.schedules import exponential_lr, multi_step_lr, step_lr

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "synthetic_linear_data",
    "linear_regression",
    "squared_loss",
    "closed_form_solution",
    "gradient_descent",
    "minibatch_gradient",
    "sgd",
    "sgd_momentum",
    "adagrad",
    "rmsprop",
    "adam",
    "per_parameter_options",
    "weight_decay_step",
    "step_lr",
    "multi_step_lr",
    "exponential_lr",
]
