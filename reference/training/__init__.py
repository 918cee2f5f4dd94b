"""Training: what is counted and timed on the way, evaluation, an epoch, when to stop, and whole trainings."""

from lawbook.reference.training.classifier import train_classifier
from lawbook.reference.training.epochs import early_stopping, train_epoch
from lawbook.reference.training.evaluation import evaluate_accuracy, evaluate_loss
from lawbook.reference.training.meters import accumulator, timer

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "accumulator",
    "timer",
    "evaluate_accuracy",
    "evaluate_loss",
    "train_epoch",
    "train_classifier",
    "early_stopping",
]
