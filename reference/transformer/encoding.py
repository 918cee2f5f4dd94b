"""The encoder, and encoder and decoder joined."""

import torch
from torch import Tensor

from lawbook.reference.attention.masks import check_scores
from lawbook.reference.transformer.decoding import embedded, transformer_decoder
from lawbook.reference.transformer.layers import (
    Parameters,
    add_norm,
    attend,
    check_attention,
    check_blocks,
    check_norm,
    check_parts,
    position_wise_ffn,
    spoiled_rows,
)


def encoder_block(
    x: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    activation: str = "relu",
    eps: float = 1e-5,
) -> Tensor:
    """One block of the encoder: self-attention, then a position-wise network, each added to its input and normalized.

        x' = add_norm(x, multi_head_attention(x, x, x, valid_lens))
        out = add_norm(x', position_wise_ffn(x'))

    Args:
        x: (B, T, D), floating, D divisible by ``heads``.
        valid_lens: None, or (B,), whole numbers: how many of a sample's first tokens are seen.
        params: {attention {W_q, W_k, W_v, W_o (D, D), and all or none of b_q, b_k, b_v, b_o (D,), each added to its
            product}, norm1 {gamma, beta (D,)}, ffn {W_1 (D, F), b_1, W_2 (F, D), b_2}, norm2 {gamma, beta}}, of x's dtype.
        heads: how many, at least 1.
        activation: of the position-wise network, "relu" or "gelu".
        eps: of both norms, above 0.

    Returns:
        (B, T, D). Tokens beyond the valid length are queries still, and their rows hold what they find; they reach
        neither another row nor its gradient, whatever they hold. Such a row that holds nan or infinity comes out as nan.

    Raises:
        ValueError: D is not divisible by ``heads``, a part of ``params`` is missing or unknown, an attention has some biases
            and not others, or shapes do not go together.
        TypeError: an argument is not floating, dtypes differ, or ``valid_lens`` holds no integers.

    Conventions: post-norm and without dropout. Note 004 leaves the attention's biases out, BERT and torch.nn have them.
    torch.nn.TransformerEncoder gives zeros in rows beyond the length on its fast path (nested tensors, eval mode).

    Source: note 002 §6.2.4, note 004, transformer; Vaswani et al. 2017, arXiv:1706.03762, §3.1.
    """
    check_scores("x", x)
    check_parts(params, ("attention", "norm1", "ffn", "norm2"))
    size = x.shape[2]
    check_attention(params["attention"], "attention", size, x.dtype)
    for name in ("norm1", "norm2"):
        check_norm(params[name], name, size, x.dtype)
    spoiled = spoiled_rows(x, valid_lens)
    x = x if spoiled is None else torch.where(spoiled, 0, x)
    x = add_norm(x, attend(x, x, valid_lens, params["attention"], heads), **params["norm1"], eps=eps)
    x = add_norm(x, position_wise_ffn(x, params["ffn"], activation), **params["norm2"], eps=eps)
    return x if spoiled is None else torch.where(spoiled, torch.nan, x)


def transformer_encoder(
    tokens: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    activation: str = "relu",
    eps: float = 1e-5,
) -> Tensor:
    """Tokens with their positions, through a stack of encoder blocks.

        x_0 = √D · embedding[tokens] + positional_encoding(T, D)
        x_l = encoder_block(x_{l−1}, valid_lens)

    where the factor √D brings embeddings, whose elements have a variance of about 1/D, to the size of the positions.

    Args:
        tokens: (B, T), integers below V.
        valid_lens: None, or (B,), whole numbers: how many of a sample's first tokens are seen.
        params: {embedding (V, D), blocks: at least one, as in ``encoder_block``}.
        heads, activation, eps: as in ``encoder_block``.

    Returns:
        (B, T, D), of the embedding's dtype; rows beyond the valid length as in ``encoder_block``.

    Raises:
        IndexError: a token outside 0..V−1.
        ValueError, TypeError: as ``encoder_block``, or ``tokens`` holds no integers or has not two axes.

    Conventions: the number of layers is that of the blocks. torch.nn.TransformerEncoder has neither embedding nor
    positions; torch.nn.Transformer adds a norm behind the last block.

    Source: note 004, transformer (and its question on the scaled embedding); Vaswani et al. 2017, arXiv:1706.03762, §3.1, 3.4.
    """
    check_parts(params, ("embedding", "blocks"))
    x = embedded(tokens, params["embedding"], 0)
    for block in check_blocks(params):
        x = encoder_block(x, valid_lens, block, heads, activation, eps)
    return x


def transformer(
    source: Tensor,
    target: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    activation: str = "relu",
    eps: float = 1e-5,
) -> Tensor:
    """Encoder and decoder joined: logits of what follows each token of the target, read against the source.

        memory = transformer_encoder(source, valid_lens)
        logits = transformer_decoder(target, memory, valid_lens)

    Args:
        source: (B, S), integers.
        target: (B, T), integers: what the decoder reads, in training the true sequence one step behind.
        valid_lens: None, or (B,), whole numbers: how many of the source's first tokens count.
        params: {encoder, decoder}, as in ``transformer_encoder`` and ``transformer_decoder``, of one size D.
        heads, activation, eps: of all blocks, as in ``encoder_block``.

    Returns:
        (B, T, V), V the decoder's vocabulary. Logits of step t depend on the target's tokens 0..t alone, and on no token
        of the source beyond its valid length.

    Raises:
        IndexError: a token outside its vocabulary.
        ValueError, TypeError: as the two parts, or the batches differ.

    Source: note 002 §6.2.4, note 004, transformer; Vaswani et al. 2017, arXiv:1706.03762, §3.
    """
    check_parts(params, ("encoder", "decoder"))
    memory = transformer_encoder(source, valid_lens, params["encoder"], heads, activation, eps)
    return transformer_decoder(target, memory, valid_lens, params["decoder"], heads, None, activation, eps)[0]
