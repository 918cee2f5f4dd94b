"""Which keys a query may see, and weights that are zero on all others."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_integer, check_shape, check_whole

ALIGNMENTS = ("upper_left", "lower_right")


def masked_softmax(x: Tensor, valid_lens: Tensor | None = None) -> Tensor:
    """Softmax over the last axis of scores, of which only the first few of a row count.

        w_k = exp(x_k) / Σ_{j < n} exp(x_j)   for k < n,      w_k = 0   for k ≥ n

    where n is the row's valid length. A row of length 0 has no weight anywhere: it is all zeros, not uniform, not nan.

    Args:
        x: (B, Q, K), floating scores.
        valid_lens: None, where every key counts; (B,), one length for all queries of a sample; or (B, Q), one a query.
            Whole numbers. 0 and below leave no key, K and beyond all of them.

    Returns:
        Shape and dtype of ``x``. Masked weights are exactly 0; what is masked, nan included, has no influence and a
        gradient of 0.

    Raises:
        ValueError: ``x`` has not three axes, or ``valid_lens`` is neither (B,) nor (B, Q).
        TypeError: ``x`` is not floating, or ``valid_lens`` holds no integers.

    Conventions: where all keys are masked, torch.softmax over −inf gives nan, jax.nn.softmax with ``where`` zeros, and
    code that fills with a large negative number (note 004's, Flax's attention) uniform weights over the padding.

    Source: note 004, masked softmax; Vaswani et al. 2017, arXiv:1706.03762, §3.2.3.
    """
    check_scores("x", x)
    batch, queries, keys = x.shape
    return softmax_where(x, allowed_pairs(valid_lens, batch, queries, keys, x))


def causal_mask(T: int) -> Tensor:
    """Which tokens each of T tokens may see: itself and those before.

        mask[i, j] = j ≤ i

    Args:
        T: how many tokens, at least 0.

    Returns:
        (T, T), bool; True lets query i see key j.

    Raises:
        ValueError: ``T`` is negative.
        TypeError: ``T`` is no whole number.

    Conventions: True means "may see", as in torch.nn.functional.scaled_dot_product_attention, JAX and Flax. In
    torch.nn.MultiheadAttention True means "may not see"; torch.nn.Transformer.generate_square_subsequent_mask adds −inf.

    Source: note 002 §6.2.4, note 004 transformer; Vaswani et al. 2017, arXiv:1706.03762, §3.2.3.
    """
    steps = torch.arange(check_whole("T", T, 0))
    return steps[None, :] <= steps[:, None]


def check_scores(name: str, x: Tensor) -> None:
    """Raise TypeError unless ``x`` is floating, ValueError unless it has three axes."""
    check_floating(name, x)
    check_axes(name, x, 3)


def allowed_pairs(
    valid_lens: Tensor | None,
    batch: int,
    queries: int,
    keys: int,
    like: Tensor,
    causal: bool = False,
    alignment: str = "upper_left",
) -> Tensor | None:
    """(B, Q, K), bool: whether a query may see a key; None where every query sees every key."""
    check_choice("alignment", alignment, ALIGNMENTS)
    positions = torch.arange(keys, device=like.device)
    mask = None
    if valid_lens is not None:
        check_integer("valid_lens", valid_lens)
        if tuple(valid_lens.shape) not in ((batch,), (batch, queries)):
            expected = f"({batch},) or ({batch}, {queries})"
            raise ValueError(f"valid_lens has shape {tuple(valid_lens.shape)}, expected {expected}")
        mask = positions < (valid_lens[:, None, None] if valid_lens.ndim == 1 else valid_lens[:, :, None])
        mask = mask.expand(batch, queries, keys)
    if causal:
        # The last query is the last key's where a cache holds keys of earlier calls.
        last = torch.arange(queries, device=like.device) + (keys - queries if alignment == "lower_right" else 0)
        order = (positions <= last[:, None]).expand(batch, queries, keys)
        mask = order if mask is None else mask & order
    return mask


def softmax_where(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last axis of the scores where ``mask`` holds, 0 elsewhere and in rows where it never does."""
    weights, total = exponentials(scores, mask)
    return weights / total


def exponentials(scores: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """exp(scores − their maximum) where ``mask`` holds, else 0, and the sum over the last axis, 1 where there is nothing."""
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    if scores.shape[-1] == 0:
        return scores.clone(), scores.new_ones(*scores.shape[:-1], 1)
    top = scores.amax(-1, keepdim=True).detach()
    # −inf − (−inf) is nan: a row without keys is shifted by 0.
    weights = torch.exp(scores - torch.where(top == -torch.inf, 0, top))
    total = weights.sum(-1, keepdim=True)
    return weights, total if mask is None else torch.where(total == 0, 1, total)


def without_hidden(x: Tensor, mask: Tensor | None) -> Tensor:
    """Keys or values (B, K, D) with zeros in place of what no query sees, so that nan there reaches no gradient."""
    return x if mask is None else torch.where(mask.any(1)[:, :, None], x, 0)


def seen_by_each(x: Tensor, mask: Tensor) -> Tensor:
    """(B, Q, K, D): every query's own copy of keys or values (B, K, D), zeros where it must not look.

    A weight of 0 does not suffice: 0 · nan is nan, in the product and in its gradient.
    """
    return torch.where(mask[..., None], x[:, None], 0)


def weighted_sum(weights: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """(B, Q, V): the values (B, K, V) that a query may see, weighted (B, Q, K)."""
    if mask is None:
        return weights @ values
    return (weights[:, :, None] @ seen_by_each(values, mask))[:, :, 0]


def attend(scores: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """(B, Q, V): the values (B, K, V) that a query may see, weighted by the softmax of their scores (B, Q, K)."""
    return weighted_sum(softmax_where(scores, mask), values, mask)


def check_pairs(q: Tensor, k: Tensor, v: Tensor, names: tuple[str, str, str] = ("q", "k", "v")) -> None:
    """Raise unless queries (B, Q, ·), keys (B, K, ·) and values (B, K, ·) go together."""
    for name, x in zip(names, (q, k, v), strict=True):
        check_scores(name, x)
        if x.dtype != q.dtype:
            raise TypeError(f"{name} is {x.dtype}, expected {q.dtype} as {names[0]}")
    check_shape(names[1], k, (q.shape[0], *k.shape[1:]))
    check_shape(names[2], v, (q.shape[0], k.shape[1], v.shape[2]))
