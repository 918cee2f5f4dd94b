"""Attention by three scores: distance, a small network, and the dot product."""

import math

import torch
from torch import Tensor

from lawbook.reference.attention.masks import (
    allowed_pairs,
    attend,
    check_pairs,
    seen_by_each,
    without_hidden,
)
from lawbook.reference.checks import check_floating, check_positive, check_shape

Parameters = dict[str, Tensor]


def gaussian_attention(queries: Tensor, keys: Tensor, values: Tensor, sigma: float | Tensor = 1.0) -> Tensor:
    """Nadaraya–Watson regression with a Gaussian kernel: values averaged by how near their keys are.

        out_i = Σ_j w_ij values_j,      w_i = softmax_j(−‖queries_i − keys_j‖² / (2 σ²))

    Args:
        queries: (B, Q, D), floating.
        keys: (B, K, D).
        values: (B, K, V).
        sigma: the kernel's width, above 0; a number, or a tensor () that may be learned.

    Returns:
        (B, Q, V).

    Raises:
        ValueError: ``sigma`` is not above 0, or shapes do not go together.
        TypeError: an argument is not floating, or the dtypes differ.

    Conventions: some write the kernel with a weight w = 1/σ inside the square, some with 1/σ² for 1/(2σ²).

    Source: note 004, attention scores (Gaussian kernel); Nadaraya 1964, Theory of Probability 9; Watson 1964,
    Sankhyā A 26.
    """
    check_pairs(queries, keys, values, ("queries", "keys", "values"))
    check_shape("keys", keys, (*keys.shape[:2], queries.shape[2]))
    check_positive("sigma", float(sigma.detach() if isinstance(sigma, Tensor) else sigma))
    # Differences first: in ‖q‖² − 2 q·k + ‖k‖² nothing is left of small distances far from zero.
    difference = (queries[:, :, None] - keys[:, None]) / sigma
    return attend(-difference.square().sum(-1) / 2, values, None)


def additive_attention(q: Tensor, k: Tensor, v: Tensor, valid_lens: Tensor | None, params: Parameters) -> Tensor:
    """Attention whose score is a network with one hidden layer, for queries and keys of different sizes.

        out_i = Σ_j w_ij v_j,      w_i = masked_softmax_j(w_v · tanh(q_i W_q + k_j W_k))

    Args:
        q: queries, (B, Q, Dq), floating.
        k: keys, (B, K, Dk).
        v: values, (B, K, V).
        valid_lens: None, (B,) or (B, Q), whole numbers: how many of the first keys count, as in ``masked_softmax``.
        params: {W_q (Dq, H), W_k (Dk, H), w_v (H,)}, of q's dtype; no biases.

    Returns:
        (B, Q, V); zeros for a query without keys. Keys and values that a query may not see reach neither its
        result nor a gradient, whatever they hold.

    Raises:
        ValueError: a key of ``params`` is missing or unknown, or shapes do not go together.
        TypeError: an argument is not floating, ``params`` no dict, the dtypes differ, or ``valid_lens`` holds no integers.

    Conventions: Keras's AdditiveAttention has no W_q and W_k of its own and names ``w_v`` scale.

    Source: note 004, additive attention; Bahdanau, Cho and Bengio 2014, arXiv:1409.0473, §A.1.2.
    """
    check_pairs(q, k, v)
    check_parameters(params, {"W_q": (q.shape[2], None), "W_k": (k.shape[2], None), "w_v": (None,)}, q.dtype)
    hidden = len(params["w_v"])
    check_shape("params[W_q]", params["W_q"], (q.shape[2], hidden))
    check_shape("params[W_k]", params["W_k"], (k.shape[2], hidden))
    mask = allowed_pairs(valid_lens, q.shape[0], q.shape[1], k.shape[1], q)
    return attend(additive_scores(q, k, mask, params), v, mask)


def additive_scores(q: Tensor, k: Tensor, mask: Tensor | None, params: Parameters) -> Tensor:
    """(B, Q, K): the scores of additive attention."""
    projected = without_hidden(k, mask) @ params["W_k"]
    pairs = projected[:, None] if mask is None else seen_by_each(projected, mask)
    features = torch.tanh((q @ params["W_q"])[:, :, None] + pairs)
    return features @ params["w_v"]


def dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    valid_lens: Tensor | None = None,
    causal: bool = False,
    alignment: str = "upper_left",
) -> Tensor:
    """Scaled dot-product attention: values averaged by how well their keys match the query.

        out_i = Σ_j w_ij v_j,      w_i = masked_softmax_j(q_i · k_j / √D)

    where the division keeps the variance of scores at 1 for queries and keys of independent elements of variance 1.

    Args:
        q: queries, (B, Q, D), floating.
        k: keys, (B, K, D).
        v: values, (B, K, V).
        valid_lens: None, (B,) or (B, Q), whole numbers: how many of the first keys count, as in ``masked_softmax``.
        causal: whether a query sees no key after its own position.
        alignment: which key stands at a query's position: "upper_left", the key of the same number (query i sees keys
            0..i); "lower_right", the last key at the last query (query i sees keys 0..i + K − Q).

    Returns:
        (B, Q, V); zeros for a query that sees no key. Keys and values that a query may not see reach neither its
        result nor a gradient, whatever they hold: a nan in the padding stays there.

    Raises:
        ValueError: shapes do not go together, or the alignment is unknown.
        TypeError: an argument is not floating, the dtypes differ, or ``valid_lens`` holds no integers.

    Conventions: alignments differ where Q ≠ K. PyTorch's and JAX's is_causal are "upper_left"; with a cache of earlier
    keys "lower_right" is meant (torch.nn.attention.bias.causal_lower_right, FlashAttention from 2.1, ONNX). Where a
    query sees nothing PyTorch's scaled_dot_product_attention gives zeros, softmax over −inf nan (nn.MultiheadAttention
    when it also returns the weights); JAX and Flax give the mean of all values, padding included.

    Source: note 002 §6.2.4, note 004, scaled dot-product attention; Vaswani et al. 2017, arXiv:1706.03762, §3.2.1.
    """
    check_pairs(q, k, v)
    check_shape("k", k, (*k.shape[:2], q.shape[2]))
    mask = allowed_pairs(valid_lens, q.shape[0], q.shape[1], k.shape[1], q, causal, alignment)
    # The queries are scaled, not the scores: in half precision a sum of D products overflows sooner.
    q = q / math.sqrt(max(q.shape[2], 1))
    scores = q @ k.transpose(1, 2) if mask is None else (seen_by_each(k, mask) @ q[..., None])[..., 0]
    return attend(scores, v, mask)


def check_parameters(params: Parameters, shapes: dict[str, tuple[int | None, ...]], dtype: torch.dtype) -> None:
    """Raise unless ``params`` has exactly these keys, sizes (None for any) and this dtype."""
    if not isinstance(params, dict):
        raise TypeError(f"params must be a dict of tensors, got {type(params).__name__}")
    if params.keys() != shapes.keys():
        raise ValueError(f"params has the keys {sorted(map(str, params))}, expected {sorted(shapes)}")
    for name, expected in shapes.items():
        value = params[name]
        check_floating(f"params[{name}]", value)
        if value.dtype != dtype:
            raise TypeError(f"params[{name}] is {value.dtype}, expected {dtype} as the rest")
        fits = [size in (None, have) for size, have in zip(expected, value.shape, strict=False)]
        if value.ndim != len(expected) or not all(fits):
            shown = ", ".join("any" if size is None else str(size) for size in expected)
            raise ValueError(f"params[{name}] has shape {tuple(value.shape)}, expected ({shown})")
