"""What blocks of encoder and decoder are made of."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from lawbook.reference.activations import gelu, relu
from lawbook.reference.attention import dot_product_attention, merge_heads, split_heads
from lawbook.reference.attention.masks import allowed_pairs, without_hidden
from lawbook.reference.attention.scoring import check_parameters
from lawbook.reference.checks import check_choice, check_floating, check_integer, check_same_shape, check_shape
from lawbook.reference.normalization import layer_norm
from lawbook.reference.recurrent.parameters import check_dtype

Parameters: TypeAlias = dict[str, Any]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu}
PROJECTIONS = ("q", "k", "v", "o")


def position_wise_ffn(x: Tensor, params: Parameters, activation: str = "relu") -> Tensor:
    """Pass every position by itself through the same network with one hidden layer.

        out[…, t, :] = φ(x[…, t, :] W_1 + b_1) W_2 + b_2

    Args:
        x: (…, D), floating; any leading axes.
        params: {W_1 (D, F), b_1 (F,), W_2 (F, O), b_2 (O,)}, of x's dtype.
        activation: φ, "relu" or "gelu" (the exact form).

    Returns:
        (…, O).

    Raises:
        ValueError: a key of ``params`` is missing or unknown, shapes do not go together, or the activation is unknown.
        TypeError: an argument is not floating, ``params`` no dict, or dtypes differ.

    Conventions: Vaswani et al. and note 004 have ReLU, BERT and GPT have GELU. torch.nn.Linear keeps weights transposed.

    Source: note 004, transformer (position-wise feed-forward network); Vaswani et al. 2017, arXiv:1706.03762, §3.3.
    """
    check_floating("x", x)
    check_choice("activation", activation, tuple(ACTIVATIONS))
    if x.ndim == 0:
        raise ValueError("x has no axis, expected at least one of features")
    shapes: dict[str, tuple[int | None, ...]] = dict(
        W_1=(x.shape[-1], None), b_1=(None,), W_2=(None, None), b_2=(None,)
    )
    check_parameters(params, shapes, x.dtype)
    hidden, outputs = params["W_1"].shape[1], params["W_2"].shape[1]
    check_shape("params[b_1]", params["b_1"], (hidden,))
    check_shape("params[W_2]", params["W_2"], (hidden, outputs))
    check_shape("params[b_2]", params["b_2"], (outputs,))
    return ACTIVATIONS[activation](x @ params["W_1"] + params["b_1"]) @ params["W_2"] + params["b_2"]


def add_norm(
    x: Tensor, y: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Add what a layer found to what it was given, then normalize every position over its features.

        out = layer_norm(x + y)

    Args:
        x: the layer's input, (…, D), floating.
        y: the layer's output, of the same shape: nothing is broadcast.
        gamma, beta: (D,), scale and shift; None stands for 1 and 0.
        eps: added to the variance, above 0.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        ValueError: shapes differ, ``x`` has no axis, or ``eps`` is not above 0.
        TypeError: an argument is not floating, or dtypes differ.

    Conventions: this is post-norm, x ← norm(x + f(x)), as in the paper, in note 004 and in BERT. GPT-2 and most later
    models are pre-norm, x ← x + f(norm(x)), which torch.nn names norm_first; their stack ends with a norm of its own.

    Source: note 004, transformer (layer normalization, residual connection); Vaswani et al. 2017, arXiv:1706.03762, §3.1.
    """
    check_floating("x", x)
    check_floating("y", y)
    check_same_shape("y", y, "x", x)
    if x.ndim == 0:
        raise ValueError("x has no axis, expected at least one of features")
    for name, value in (("y", y), ("gamma", gamma), ("beta", beta)):
        if value is not None:
            check_floating(name, value)
            check_dtype(name, value, x.dtype)
    return layer_norm(x + y, x.shape[-1:], gamma, beta, eps)


def attend(
    q: Tensor, k: Tensor, valid_lens: Tensor | None, params: Parameters, heads: int, causal: bool = False
) -> Tensor:
    """(B, Q, D): ``multi_head_attention`` to keys that are the values too, with biases where ``params`` has them.

    Causal means that the last query stands at the last key.
    """
    mask = allowed_pairs(valid_lens, len(q), q.shape[1], k.shape[1], q, causal, "lower_right")
    k = without_hidden(k, mask)
    queries, keys, values = (
        split_heads(_project(x, params, name), heads) for x, name in ((q, "q"), (k, "k"), (k, "v"))
    )
    if valid_lens is not None:
        # The heads of a sample are neighbours.
        valid_lens = torch.repeat_interleave(valid_lens, heads, dim=0)
    found = dot_product_attention(queries, keys, values, valid_lens, causal, "lower_right")
    return _project(merge_heads(found, heads), params, "o")


def _project(x: Tensor, params: Parameters, name: str) -> Tensor:
    y = x @ params[f"W_{name}"]
    return y + params[f"b_{name}"] if f"b_{name}" in params else y


def spoiled_rows(x: Tensor, valid_lens: Tensor | None) -> Tensor | None:
    """(B, T, 1), bool: tokens beyond the valid length that hold nan or infinity; None without lengths.

    They are to be computed as zeros and come out as nan: a row that nobody reads has a cotangent of 0, but 0 · nan would
    spoil the gradients of everything that its query sees.
    """
    if valid_lens is None:
        return None
    check_integer("valid_lens", valid_lens)
    check_shape("valid_lens", valid_lens, x.shape[:1])
    beyond = torch.arange(x.shape[1], device=x.device) >= valid_lens[:, None]
    return (beyond & ~torch.isfinite(x).all(2))[..., None]


def check_attention(params: Parameters, name: str, size: int, dtype: torch.dtype) -> None:
    """Raise unless these are square weights with all biases or none."""
    shapes: dict[str, tuple[int | None, ...]] = {f"W_{part}": (size, size) for part in PROJECTIONS}
    if isinstance(params, dict) and any(f"b_{part}" in params for part in PROJECTIONS):
        shapes |= {f"b_{part}": (size,) for part in PROJECTIONS}
    _named(name, lambda: check_parameters(params, shapes, dtype))


def check_norm(params: Parameters, name: str, size: int, dtype: torch.dtype) -> None:
    """Raise unless these are scale and shift of ``size`` features."""
    _named(name, lambda: check_parameters(params, {"gamma": (size,), "beta": (size,)}, dtype))


def _named(name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except (TypeError, ValueError) as error:
        raise type(error)(f"in params[{name}]: {error}") from None


def check_parts(params: Parameters, parts: Sequence[str], optional: Sequence[str] = ()) -> None:
    """Raise unless ``params`` is a dict of these parts, and of no others but the optional ones."""
    if not isinstance(params, dict):
        raise TypeError(f"params must be a dict, got {type(params).__name__}")
    if not set(parts) <= params.keys() <= {*parts, *optional}:
        raise ValueError(f"params has the keys {sorted(map(str, params))}, expected {sorted(parts)}")


def check_blocks(params: Parameters) -> Sequence[Parameters]:
    """The blocks of ``params``; raise unless they are a list with at least one."""
    blocks = params["blocks"]
    if not isinstance(blocks, list | tuple):
        raise TypeError(f"params[blocks] must be a list, got {type(blocks).__name__}")
    if not blocks:
        raise ValueError("params[blocks] is empty, expected at least one block")
    return blocks
