"""BERT's encoder and the heads of its two tasks."""

import torch
from torch import Tensor

from lawbook.reference.attention.masks import check_scores
from lawbook.reference.attention.scoring import check_parameters
from lawbook.reference.checks import check_axes, check_choice, check_floating, check_integer, check_shape
from lawbook.reference.modules import embedding
from lawbook.reference.normalization import layer_norm
from lawbook.reference.recurrent.parameters import check_indices
from lawbook.reference.transformer import encoder_block
from lawbook.reference.transformer.layers import (
    ACTIVATIONS,
    Parameters,
    check_blocks,
    check_norm,
    check_parts,
    spoiled_rows,
)


def bert_embeddings(tokens: Tensor, segments: Tensor, params: Parameters, eps: float = 1e-12) -> Tensor:
    """What a token is, which sentence it belongs to and where it stands, added up.

        x[b, t] = token[tokens[b, t]] + segment[segments[b, t]] + position[t]
        out = x, or layer_norm(x) where ``params`` has a norm

    All three tables are learned.

    Args:
        tokens: (B, T), integers below V.
        segments: (B, T), integers below S.
        params: {token (V, D), segment (S, D), position (L, D)}, L at least T; and both or none of gamma, beta (D,).
        eps: of the norm, above 0.

    Returns:
        (B, T, D). Rows of ``position`` beyond T receive a gradient of 0.

    Raises:
        IndexError: a token or a segment is beyond its table.
        ValueError: T is above L, a key of ``params`` is missing or unknown, or shapes do not go together.
        TypeError: tokens or segments hold no integers, or dtypes differ.

    Conventions: BERT normalizes the sum, note 004 does not. Neither scales embeddings by √D.

    Source: note 004, BERT (changes to the input); Devlin et al. 2018, arXiv:1810.04805, §3.
    """
    for name, indices in (("tokens", tokens), ("segments", segments)):
        check_integer(name, indices)
        check_axes(name, indices, 2)
    check_shape("segments", segments, tokens.shape)
    check_parts(params, ("token", "segment", "position"), ("gamma", "beta"))
    check_floating("params[token]", params["token"])
    check_axes("params[token]", params["token"], 2)
    size = params["token"].shape[1]
    tables = {name: params[name] for name in ("token", "segment", "position")}
    check_parameters(tables, dict.fromkeys(tables, (None, size)), params["token"].dtype)
    steps, most = tokens.shape[1], len(params["position"])
    if steps > most:
        raise ValueError(f"tokens has {steps} positions, expected at most {most}, the length of params[position]")
    norm: Parameters = {name: params[name] for name in ("gamma", "beta") if name in params}
    if norm:
        check_norm(norm, "norm", size, params["token"].dtype)
    return _normed(_added(tokens, segments, params), params, eps)


def _added(tokens: Tensor, segments: Tensor, params: Parameters) -> Tensor:
    rows = embedding(tokens, params["token"]) + embedding(segments, params["segment"])
    return rows + params["position"][: tokens.shape[1]]


def _normed(x: Tensor, params: Parameters, eps: float) -> Tensor:
    return layer_norm(x, x.shape[-1:], params["gamma"], params["beta"], eps) if "gamma" in params else x


def bert_encoder(
    tokens: Tensor,
    segments: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    activation: str = "gelu",
    eps: float = 1e-12,
) -> Tensor:
    """BERT's embeddings through a stack of encoder blocks, in which every token sees those before and behind it.

        x_0 = bert_embeddings(tokens, segments)      x_l = encoder_block(x_{l−1}, valid_lens)

    Args:
        tokens, segments: (B, T), integers.
        valid_lens: None, or (B,), whole numbers: how many of a sample's first tokens are seen.
        params: {embeddings: as in ``bert_embeddings``, blocks: at least one, as in ``encoder_block``}.
        heads: how many, at least 1.
        activation: "gelu" (BERT) or "relu" (note 004).
        eps: of all norms, above 0.

    Returns:
        (B, T, D); rows beyond the valid length as in ``encoder_block``.

    Raises:
        IndexError, ValueError, TypeError: as ``bert_embeddings`` and ``encoder_block``.

    Source: note 004, BERT (BERTEncoder); Devlin et al. 2018, arXiv:1810.04805, §3.
    """
    check_parts(params, ("embeddings", "blocks"))
    tables = params["embeddings"]
    x = bert_embeddings(tokens, segments, tables, eps)
    spoiled = spoiled_rows(x, valid_lens)
    if spoiled is not None and spoiled.any():
        # The norm's own gradients are to be spared too.
        x = _normed(torch.where(spoiled, 0, _added(tokens, segments, tables)), tables, eps)
        x = torch.where(spoiled, torch.nan, x)
    for block in check_blocks(params):
        x = encoder_block(x, valid_lens, block, heads, activation, eps)
    return x


def mask_lm_head(
    encoded: Tensor, positions: Tensor, params: Parameters, activation: str = "gelu", eps: float = 1e-12
) -> Tensor:
    """Logits of the true tokens at some positions.

        z[b, p] = encoded[b, positions[b, p]]
        out = layer_norm(φ(z W_1 + b_1)) W_2 + b_2

    Args:
        encoded: (B, T, D), floating.
        positions: (B, P), integers below T; they may repeat.
        params: {W_1 (D, D), b_1 (D,), gamma, beta (D,), W_2 (D, V), b_2 (V,)}, of encoded's dtype.
        activation: φ, "gelu" (BERT) or "relu" (note 004).
        eps: of the norm, above 0.

    Returns:
        (B, P, V). Positions that are not asked for have no influence and a gradient of exactly 0.

    Raises:
        IndexError: a position outside 0..T−1.
        ValueError: a key of ``params`` is missing or unknown, shapes do not go together, or the activation is unknown.
        TypeError: ``encoded`` is not floating, ``positions`` hold no integers, or dtypes differ.

    Conventions: BERT's W_2 is the transposed table of token embeddings, one tensor in two places; note 004 has two.

    Source: note 004, BERT (MaskLM); Devlin et al. 2018, arXiv:1810.04805, §3.1.
    """
    check_scores("encoded", encoded)
    check_integer("positions", positions)
    check_axes("positions", positions, 2)
    batch, steps, size = encoded.shape
    check_shape("positions", positions, (batch, positions.shape[1]))
    check_indices("positions", positions, steps)
    check_choice("activation", activation, tuple(ACTIVATIONS))
    sizes = dict(W_1=(size, size), b_1=(size,), gamma=(size,), beta=(size,), W_2=(size, None), b_2=(None,))
    check_parameters(params, sizes, encoded.dtype)
    check_shape("params[b_2]", params["b_2"], params["W_2"].shape[1:])
    chosen = encoded[torch.arange(batch, device=encoded.device)[:, None], positions.long()]
    hidden = ACTIVATIONS[activation](chosen @ params["W_1"] + params["b_1"])
    return layer_norm(hidden, (size,), params["gamma"], params["beta"], eps) @ params["W_2"] + params["b_2"]


def next_sentence_head(encoded: Tensor, params: Parameters) -> Tensor:
    """Logits of whether the second sentence follows the first, read off the first token.

        out = tanh(encoded[:, 0] W_1 + b_1) W_2 + b_2

    Args:
        encoded: (B, T, D), floating, T at least 1; its first token is <cls>.
        params: {W_1 (D, D), b_1 (D,), W_2 (D, 2), b_2 (2,)}, of encoded's dtype.

    Returns:
        (B, 2). All other tokens have a gradient of exactly 0.

    Raises:
        ValueError: there is no token, a key of ``params`` is missing or unknown, or shapes do not go together.
        TypeError: an argument is not floating, or dtypes differ.

    Conventions: tanh(… W_1 + b_1) is BERT's pooler. In note 004 class 1 means "follows", in Hugging Face's class 0.

    Source: note 004, BERT (NextSentencePred, BERTModel.hidden); Devlin et al. 2018, arXiv:1810.04805, §3.1.
    """
    check_scores("encoded", encoded)
    size = encoded.shape[2]
    if not encoded.shape[1]:
        raise ValueError(f"encoded has shape {tuple(encoded.shape)}, expected at least one token")
    check_parameters(params, dict(W_1=(size, size), b_1=(size,), W_2=(size, 2), b_2=(2,)), encoded.dtype)
    return torch.tanh(encoded[:, 0] @ params["W_1"] + params["b_1"]) @ params["W_2"] + params["b_2"]


def bert_model(
    tokens: Tensor,
    segments: Tensor,
    valid_lens: Tensor | None,
    positions: Tensor | None,
    params: Parameters,
    heads: int,
    activation: str = "gelu",
    eps: float = 1e-12,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Encoder and both heads.

        encoded = bert_encoder(tokens, segments, valid_lens)
        mlm = mask_lm_head(encoded, positions)      nsp = next_sentence_head(encoded)

    Args:
        tokens, segments: (B, T), integers, T at least 1.
        valid_lens: None, or (B,), whole numbers: how many of a sample's first tokens are seen.
        positions: (B, P), integers below T; None where nothing is to be foretold.
        params: {encoder, mlm, nsp}, as in ``bert_encoder``, ``mask_lm_head`` and ``next_sentence_head``.
        heads, activation, eps: as in ``bert_encoder``; the activation is the mask head's too.

    Returns:
        (encoded (B, T, D), mlm (B, P, V) or None, nsp (B, 2)).

    Raises:
        IndexError, ValueError, TypeError: as the three parts.

    Source: note 004, BERT (BERTModel); Devlin et al. 2018, arXiv:1810.04805, §3.
    """
    check_parts(params, ("encoder", "mlm", "nsp"))
    encoded = bert_encoder(tokens, segments, valid_lens, params["encoder"], heads, activation, eps)
    mlm = None if positions is None else mask_lm_head(encoded, positions, params["mlm"], activation, eps)
    return encoded, mlm, next_sentence_head(encoded, params["nsp"])
