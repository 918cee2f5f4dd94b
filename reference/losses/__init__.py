"""Losses, penalties and accuracy."""

from lawbook.reference.losses.adaptive import adaptive_log_softmax
from lawbook.reference.losses.binary import bce_loss, bce_with_logits, focal_loss
from lawbook.reference.losses.classification import (
    accuracy,
    cross_entropy,
    nll_loss,
    probability_cross_entropy,
    sequence_cross_entropy,
    softmax_cross_entropy_gradient,
    symmetric_cross_entropy,
)
from lawbook.reference.losses.distributions import distribution_cross_entropy, kl_divergence, log_softmax, softmax
from lawbook.reference.losses.penalties import l1_penalty, l2_penalty, regularized_objective
from lawbook.reference.losses.reduction import reduce
from lawbook.reference.losses.regression import huber_loss, l1_loss, log_rmse, mse_loss, smooth_l1_loss
from lawbook.reference.losses.similarity import cosine_similarity

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "softmax",
    "log_softmax",
    "cross_entropy",
    "nll_loss",
    "probability_cross_entropy",
    "distribution_cross_entropy",
    "softmax_cross_entropy_gradient",
    "sequence_cross_entropy",
    "bce_loss",
    "bce_with_logits",
    "kl_divergence",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
    "huber_loss",
    "focal_loss",
    "symmetric_cross_entropy",
    "cosine_similarity",
    "adaptive_log_softmax",
    "l1_penalty",
    "l2_penalty",
    "regularized_objective",
    "accuracy",
    "log_rmse",
    "reduce",
]
