"""Sequences: windows and predictions, text and its vocabulary, batches of a corpus, and how good a language model is."""

from lawbook.reference.sequences.batches import perplexity, random_batches, sequential_batches
from lawbook.reference.sequences.signals import (
    autoregressive_windows,
    joint_log_probability,
    k_step_predictions,
    one_step_predictions,
    sine_series,
)
from lawbook.reference.sequences.text import count_corpus, decode, encode, normalize_text, tokenize, vocab

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "autoregressive_windows",
    "one_step_predictions",
    "k_step_predictions",
    "joint_log_probability",
    "sine_series",
    "normalize_text",
    "tokenize",
    "count_corpus",
    "vocab",
    "encode",
    "decode",
    "random_batches",
    "sequential_batches",
    "perplexity",
]
