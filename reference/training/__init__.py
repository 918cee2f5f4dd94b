"""Training: what is counted and timed, evaluation, an epoch, whole trainings, when to stop, and what is logged and drawn."""

from lawbook.reference.training.bert import train_bert
from lawbook.reference.training.classifier import train_classifier
from lawbook.reference.training.curves import learning_curves
from lawbook.reference.training.detector import train_detector
from lawbook.reference.training.epochs import early_stopping, train_epoch
from lawbook.reference.training.evaluation import evaluate_accuracy, evaluate_loss
from lawbook.reference.training.language_model import train_language_model
from lawbook.reference.training.logs import log_graph, log_histogram, log_image, log_scalars
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
    "train_detector",
    "train_bert",
    "early_stopping",
    "log_scalars",
    "log_histogram",
    "log_image",
    "log_graph",
    "learning_curves",
]
