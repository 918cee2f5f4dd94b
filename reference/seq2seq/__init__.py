"""Sequence to sequence: encoder and decoder, padded batches, the loss that ignores padding, searches, and BLEU."""

from lawbook.reference.seq2seq.batches import build_arrays, sequence_mask, teacher_forcing_input, truncate_pad
from lawbook.reference.seq2seq.coding import encode_decode, seq2seq_decoder, seq2seq_encoder
from lawbook.reference.seq2seq.scoring import bleu, masked_softmax_ce
from lawbook.reference.seq2seq.search import beam_search, exhaustive_search, greedy_search

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "encode_decode",
    "seq2seq_encoder",
    "seq2seq_decoder",
    "truncate_pad",
    "build_arrays",
    "teacher_forcing_input",
    "sequence_mask",
    "masked_softmax_ce",
    "greedy_search",
    "exhaustive_search",
    "beam_search",
    "bleu",
]
