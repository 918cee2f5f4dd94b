"""Generalization: perceptrons, what they cannot do, capacity, validation and dropout."""

from lawbook.reference.generalization.noise import apply_dropout_mask, dropout, dropout2d, dropout3d
from lawbook.reference.generalization.perceptrons import (
    mlp,
    perceptron_loss,
    perceptron_step,
    perceptron_train,
    xor_network,
)
from lawbook.reference.generalization.selection import k_fold_indices, polynomial_features, train_valid_gap

__all__ = [
    "apply_dropout_mask",
    "dropout",
    "dropout2d",
    "dropout3d",
    "k_fold_indices",
    "mlp",
    "perceptron_loss",
    "perceptron_step",
    "perceptron_train",
    "polynomial_features",
    "train_valid_gap",
    "xor_network",
]
