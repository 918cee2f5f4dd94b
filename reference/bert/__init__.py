"""BERT: pairs of sentences as one input, learned positions, two tasks to train on, and what they cost."""

from lawbook.reference.bert.examples import mask_tokens, next_sentence_pairs, pad_bert_batch, tokens_and_segments
from lawbook.reference.bert.network import (
    bert_embeddings,
    bert_encoder,
    bert_model,
    mask_lm_head,
    next_sentence_head,
)
from lawbook.reference.bert.objective import bert_loss, bert_parameter_count

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "tokens_and_segments",
    "bert_embeddings",
    "bert_encoder",
    "mask_lm_head",
    "next_sentence_head",
    "bert_model",
    "mask_tokens",
    "next_sentence_pairs",
    "pad_bert_batch",
    "bert_loss",
    "bert_parameter_count",
]
