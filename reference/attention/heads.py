"""Several heads side by side."""

import torch
from torch import Tensor

from lawbook.reference.attention.masks import allowed_pairs, check_pairs, check_scores, without_hidden
from lawbook.reference.attention.scoring import Parameters, check_parameters, dot_product_attention
from lawbook.reference.checks import check_whole


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Lay the slices of the features behind each other as samples of their own, one a head.

        out[b · heads + h, t, :] = x[b, t, h · D/heads : (h + 1) · D/heads]

    Args:
        x: (B, T, D), D divisible by ``heads``.
        heads: how many, at least 1.

    Returns:
        (B · heads, T, D/heads); the heads of one sample are neighbours.

    Raises:
        ValueError: D is not divisible by ``heads``, ``heads`` is below 1, or ``x`` has not three axes.
        TypeError: ``x`` is not floating, or ``heads`` no whole number.

    Conventions: most libraries keep the heads on an axis of their own, (B, heads, T, D/heads); this is that, flattened.

    Source: note 004, multi-head attention (transpose_qkv); note 002 §6.2.4.
    """
    check_scores("x", x)
    batch, steps, size = x.shape
    if size % check_whole("heads", heads, 1):
        raise ValueError(f"x has {size} features, expected a multiple of heads, {heads}")
    return x.reshape(batch, steps, heads, size // heads).transpose(1, 2).reshape(batch * heads, steps, size // heads)


def merge_heads(x: Tensor, heads: int) -> Tensor:
    """Undo ``split_heads``: the heads of a sample next to each other on the last axis.

        out[b, t, h · d : (h + 1) · d] = x[b · heads + h, t, :]

    Args:
        x: (B · heads, T, d).
        heads: how many, at least 1.

    Returns:
        (B, T, heads · d).

    Raises:
        ValueError: the first size is not divisible by ``heads``, ``heads`` is below 1, or ``x`` has not three axes.
        TypeError: ``x`` is not floating, or ``heads`` no whole number.

    Source: note 004, multi-head attention (transpose_output); note 002 §6.2.4.
    """
    check_scores("x", x)
    rows, steps, size = x.shape
    if rows % check_whole("heads", heads, 1):
        raise ValueError(f"x holds {rows} rows, expected a multiple of heads, {heads}")
    batch = rows // heads
    return x.reshape(batch, heads, steps, size).transpose(1, 2).reshape(batch, steps, heads * size)


def multi_head_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    valid_lens: Tensor | None,
    params: Parameters,
    heads: int,
    causal: bool = False,
    alignment: str = "upper_left",
) -> Tensor:
    """Attention in several subspaces at once.

        head_h = dot_product_attention(q W_q[:, h], k W_k[:, h], v W_v[:, h])
        out = [head_1, …, head_heads] W_o

    where [:, h] is the h-th of ``heads`` equal slices of the columns.

    Args:
        q: queries, (B, Q, Dq), floating.
        k: keys, (B, K, Dk).
        v: values, (B, K, Dv).
        valid_lens: None, (B,) or (B, Q), whole numbers, the same for all heads; as in ``masked_softmax``.
        params: {W_q (Dq, P), W_k (Dk, P), W_v (Dv, R), W_o (R, O)}, of q's dtype, P and R divisible by ``heads``;
            no biases.
        heads: how many, at least 1. It decides no parameter's shape.
        causal, alignment: as in ``dot_product_attention``.

    Returns:
        (B, Q, O); zeros for a query that sees no key. Keys and values that no query of their sample sees reach
        neither result nor gradient, whatever they hold.

    Raises:
        ValueError: P or R is not divisible by ``heads``, a key of ``params`` is missing or unknown, or shapes do not go
            together.
        TypeError: an argument is not floating, ``params`` no dict, the dtypes differ, or ``valid_lens`` holds no integers.

    Conventions: scores are divided by √(P/heads), the size of a head. torch.nn.MultiheadAttention has biases by default,
    weights transposed, the first three stacked in in_proj_weight, and Dq = P = R = O; Flax shapes W_q as
    (Dq, heads, P/heads).

    Source: note 002 §6.2.4, note 004, multi-head attention; Vaswani et al. 2017, arXiv:1706.03762, §3.2.2.
    """
    check_pairs(q, k, v)
    sizes = (("W_q", q.shape[2]), ("W_k", k.shape[2]), ("W_v", v.shape[2]), ("W_o", None))
    check_parameters(params, {name: (size, None) for name, size in sizes}, q.dtype)
    for name, inner, other in (("W_k", 1, "W_q"), ("W_o", 0, "W_v")):
        if params[name].shape[inner] != params[other].shape[1]:
            shapes = f"{tuple(params[name].shape)} for {other} of {tuple(params[other].shape)}"
            raise ValueError(f"params[{name}] has shape {shapes}: the sizes between them differ")
    mask = allowed_pairs(valid_lens, q.shape[0], q.shape[1], k.shape[1], q, causal, alignment)
    # Projecting nan leaves nan in the weights' gradient, however little the projection counts afterwards.
    k, v = without_hidden(k, mask), without_hidden(v, mask)
    queries, keys, values = (split_heads(x @ params[n], heads) for x, n in ((q, "W_q"), (k, "W_k"), (v, "W_v")))
    if valid_lens is not None:
        # The heads of a sample are neighbours, so each length is repeated in place.
        valid_lens = torch.repeat_interleave(valid_lens, heads, dim=0)
    attended = dot_product_attention(queries, keys, values, valid_lens, causal, alignment)
    return merge_heads(attended, heads) @ params["W_o"]


def self_attention(
    x: Tensor, params: Parameters, heads: int, valid_lens: Tensor | None = None, causal: bool = False
) -> Tensor:
    """Multi-head attention of a sequence to itself: its tokens are queries, keys and values.

        out = multi_head_attention(x, x, x, valid_lens, params, heads, causal)

    Without a mask nothing tells positions apart: permuted tokens give permuted results.

    Args:
        x: (B, T, D), floating.
        params: {W_q (D, P), W_k (D, P), W_v (D, R), W_o (R, O)}, as in ``multi_head_attention``.
        heads: how many, at least 1.
        valid_lens: None, (B,) or (B, T), whole numbers: how many of the first tokens are seen. Tokens beyond are
            queries still, so their rows of the result hold what they find.
        causal: whether a token sees no token after it.

    Returns:
        (B, T, O).

    Raises:
        ValueError, TypeError: as ``multi_head_attention``.

    Conventions: torch's fast path (nn.TransformerEncoder in eval mode) returns zeros in rows beyond the valid length.

    Source: note 004, self-attention; Vaswani et al. 2017, arXiv:1706.03762, §3.2.3.
    """
    return multi_head_attention(x, x, x, valid_lens, params, heads, causal)
