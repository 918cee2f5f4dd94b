"""The transformer: blocks of attention and position-wise networks, an encoder, a decoder with a cache, and both joined."""

from lawbook.reference.transformer.counting import transformer_parameter_count
from lawbook.reference.transformer.decoding import decoder_block, transformer_decoder
from lawbook.reference.transformer.encoding import encoder_block, transformer, transformer_encoder
from lawbook.reference.transformer.layers import add_norm, position_wise_ffn

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "position_wise_ffn",
    "add_norm",
    "encoder_block",
    "transformer_encoder",
    "decoder_block",
    "transformer_decoder",
    "transformer",
    "transformer_parameter_count",
]
