"""Training: what is counted and timed on the way, evaluation, an epoch, and when to stop."""

from lawbook.reference.training.epochs import early_stopping, train_epoch
from lawbook.reference.training.evaluation import evaluate_accuracy, evaluate_loss
from lawbook.reference.training.meters import accumulator, timer

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "accumulator",
    "timer",
    "evaluate_accuracy",
    "evaluate_loss",
    "train_epoch",
    "early_stopping",
]
