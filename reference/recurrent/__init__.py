"""Recurrent networks: cells, layers, what is built of them, and their gradients through time."""

from lawbook.reference.recurrent.cells import gru_cell, lstm_cell, rnn_cell
from lawbook.reference.recurrent.layers import gru, lstm, packed_recurrent, rnn
from lawbook.reference.recurrent.stacks import begin_state, deep_recurrent, rnn_language_model, warm_up_predict
from lawbook.reference.recurrent.training import bptt_gradient, clip_gradients, truncated_bptt

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "rnn_cell",
    "lstm_cell",
    "gru_cell",
    "rnn",
    "gru",
    "lstm",
    "deep_recurrent",
    "packed_recurrent",
    "rnn_language_model",
    "begin_state",
    "clip_gradients",
    "warm_up_predict",
    "truncated_bptt",
    "bptt_gradient",
]
