"""The decoder, at once or step by step with a cache."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.attention import positional_encoding
from lawbook.reference.attention.masks import check_scores
from lawbook.reference.checks import check_axes, check_floating, check_integer, check_shape
from lawbook.reference.modules import embedding
from lawbook.reference.recurrent.parameters import check_dtype
from lawbook.reference.transformer.layers import (
    Parameters,
    add_norm,
    attend,
    check_attention,
    check_blocks,
    check_norm,
    check_parts,
    position_wise_ffn,
)


def decoder_block(
    x: Tensor,
    memory: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    cache: Tensor | None = None,
    activation: str = "relu",
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """One block of the decoder: causal self-attention, attention to the memory, and a position-wise network.

        cache' = [cache, x]
        x' = add_norm(x, multi_head_attention(x, cache', cache', causal))
        x'' = add_norm(x', multi_head_attention(x', memory, memory, valid_lens))
        out = add_norm(x'', position_wise_ffn(x''))

    where x stands behind the cache: its token t sees the whole cache and x's tokens 0..t.

    Args:
        x: (B, T, D), floating, D divisible by ``heads``.
        memory: (B, S, D): the encoder's result.
        valid_lens: None, or (B,), whole numbers: how many of the memory's first rows are seen; 0 leaves b_o alone.
        params: {self_attention, norm1, cross_attention, norm2, ffn, norm3}, each as in ``encoder_block``.
        heads: how many, of both attentions.
        cache: None, or (B, P, D): this block's x of earlier steps.
        activation, eps: as in ``encoder_block``.

    Returns:
        out: (B, T, D).
        cache': (B, P + T, D), for the next step. What the memory holds beyond the valid length, nan included, reaches
        neither result nor gradient.

    Raises:
        ValueError: D is not divisible by ``heads``, a part of ``params`` is missing or unknown, an attention has some biases
            and not others, or shapes do not go together.
        TypeError: an argument is not floating, dtypes differ, or ``valid_lens`` holds no integers.

    Conventions: the cache holds the block's inputs, as in note 004's source; most libraries cache projected keys and
    values, which saves their projection. torch.nn.TransformerDecoderLayer has no cache.

    Source: note 002 §6.2.4, note 004, transformer; Vaswani et al. 2017, arXiv:1706.03762, §3.1.
    """
    check_scores("x", x)
    check_parts(params, ("self_attention", "norm1", "cross_attention", "norm2", "ffn", "norm3"))
    batch, _, size = x.shape
    for name, earlier in (("memory", memory), ("cache", cache)):
        if earlier is not None:
            check_scores(name, earlier)
            check_shape(name, earlier, (batch, earlier.shape[1], size))
            check_dtype(name, earlier, x.dtype)
    if valid_lens is not None:
        check_integer("valid_lens", valid_lens)
        check_shape("valid_lens", valid_lens, (batch,))
    for name in ("self_attention", "cross_attention"):
        check_attention(params[name], name, size, x.dtype)
    for name in ("norm1", "norm2", "norm3"):
        check_norm(params[name], name, size, x.dtype)
    seen = x.clone() if cache is None else torch.cat([cache, x], 1)
    x = add_norm(x, attend(x, seen, None, params["self_attention"], heads, causal=True), **params["norm1"], eps=eps)
    x = add_norm(x, attend(x, memory, valid_lens, params["cross_attention"], heads), **params["norm2"], eps=eps)
    return add_norm(x, position_wise_ffn(x, params["ffn"], activation), **params["norm3"], eps=eps), seen


def transformer_decoder(
    tokens: Tensor,
    memory: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    cache: Sequence[Tensor] | None = None,
    activation: str = "relu",
    eps: float = 1e-5,
) -> tuple[Tensor, list[Tensor]]:
    """Tokens with their positions through a stack of decoder blocks, to logits of what follows each of them.

        x_0 = √D · embedding[tokens] + positional_encoding(P + T, D)[P :]
        x_l, cache'_l = decoder_block(x_{l−1}, memory, valid_lens, cache_l)
        logits = x_L W_out + b_out

    where P is how many tokens the cache holds: positions go on where it ends.

    Args:
        tokens: (B, T), integers below V.
        memory: (B, S, D): the encoder's result.
        valid_lens: None, or (B,), whole numbers: how many of the memory's first rows are seen.
        params: {embedding (V, D), blocks: at least one, as in ``decoder_block``, W_out (D, V), b_out (V,)}.
        heads, activation, eps: as in ``encoder_block``.
        cache: None to begin, or a tensor (B, P, D) for each block, as an earlier call returned them.

    Returns:
        logits: (B, T, V).
        cache': a list of tensors (B, P + T, D). Token by token with the cache gives what all tokens at once give.

    Raises:
        IndexError: a token outside 0..V−1.
        ValueError, TypeError: as ``decoder_block``, or the cache does not fit the blocks.

    Source: note 004, transformer (prediction); Vaswani et al. 2017, arXiv:1706.03762, §3.1.
    """
    check_parts(params, ("embedding", "blocks", "W_out", "b_out"))
    blocks = check_blocks(params)
    if cache is not None and not isinstance(cache, list | tuple):
        raise TypeError(f"cache must be a list, got {type(cache).__name__}")
    if cache is not None and len(cache) != len(blocks):
        raise ValueError(f"cache has {len(cache)} tensors, expected one for each of {len(blocks)} blocks")
    for k, earlier in enumerate(cache or ()):
        check_scores(f"cache[{k}]", earlier)
        check_shape(f"cache[{k}]", earlier, (len(tokens), *cache[0].shape[1:]))  # type: ignore[index]
    x = embedded(tokens, params["embedding"], cache[0].shape[1] if cache else 0)
    size = x.shape[2]
    check_shape("params[W_out]", params["W_out"], (size, params["W_out"].shape[-1]))
    check_shape("params[b_out]", params["b_out"], params["W_out"].shape[1:])
    caches = []
    for k, block in enumerate(blocks):
        x, seen = decoder_block(x, memory, valid_lens, block, heads, cache[k] if cache else None, activation, eps)
        caches.append(seen)
    return x @ params["W_out"] + params["b_out"], caches


def embedded(tokens: Tensor, table: Tensor, first: int) -> Tensor:
    """(B, T, D): scaled embeddings plus the encodings of positions ``first``, ``first`` + 1, …"""
    check_integer("tokens", tokens)
    check_axes("tokens", tokens, 2)
    check_floating("params[embedding]", table)
    check_axes("params[embedding]", table, 2)
    size, last = table.shape[1], first + tokens.shape[1]
    positions = positional_encoding(last, size, table.dtype)[first:].to(table.device)
    return math.sqrt(size) * embedding(tokens, table) + positions
