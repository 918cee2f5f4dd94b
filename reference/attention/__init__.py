"""Attention: scores of queries and keys, masks, several heads, a decoder that attends, and positions."""

from lawbook.reference.attention.comparison import attention_complexity
from lawbook.reference.attention.decoding import bahdanau_decoder_step
from lawbook.reference.attention.heads import merge_heads, multi_head_attention, self_attention, split_heads
from lawbook.reference.attention.masks import causal_mask, masked_softmax
from lawbook.reference.attention.positions import positional_encoding, relative_shift_matrix
from lawbook.reference.attention.scoring import additive_attention, dot_product_attention, gaussian_attention

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "masked_softmax",
    "gaussian_attention",
    "additive_attention",
    "dot_product_attention",
    "multi_head_attention",
    "split_heads",
    "merge_heads",
    "self_attention",
    "causal_mask",
    "bahdanau_decoder_step",
    "positional_encoding",
    "relative_shift_matrix",
    "attention_complexity",
]
