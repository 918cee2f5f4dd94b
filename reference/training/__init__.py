"""Training: what is counted and timed on the way, evaluation, an epoch, when to stop, and whole trainings."""

from lawbook.reference.training.classifier import train_classifier
from lawbook.reference.training.epochs import early_stopping, train_epoch
from lawbook.reference.training.evaluation import evaluate_accuracy, evaluate_loss
from lawbook.reference.training.language_model import train_language_model
from lawbook.reference.training.meters import accumulator, timer
from lawbook.reference.training.seq2seq import train_seq2seq

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "accumulator",
    "timer",
    "evaluate_accuracy",
    "evaluate_loss",
    "train_epoch",
    "train_classifier",
    "train_language_model",
    "train_seq2seq",
    "early_stopping",
]
