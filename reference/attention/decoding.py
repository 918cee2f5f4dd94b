"""One step of a decoder that attends to the source."""

from typing import Any

import torch
from torch import Tensor

from lawbook.reference.attention.masks import allowed_pairs, check_scores, softmax_where, weighted_sum
from lawbook.reference.attention.scoring import additive_scores, check_parameters
from lawbook.reference.checks import check_axes, check_floating, check_integer, check_shape
from lawbook.reference.recurrent import gru
from lawbook.reference.recurrent.parameters import check_dtype, check_indices

PARTS = {"embedding", "attention", "gru", "W_hq", "b_q"}


def bahdanau_decoder_step(
    token: Tensor,
    state: Tensor,
    encoder_outputs: Tensor,
    valid_len: Tensor | None,
    params: dict[str, Any],
    reset: str = "after",
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of a recurrent decoder whose context is chosen anew from the source at every step.

        weights = masked_softmax(w_v · tanh(h W_q + e_t W_k))      h = state[−1], before this step; e the encoder's outputs
        context = Σ_t weights_t e_t
        output, state' = gru([context, embedding[token]], state)
        logits = output W_hq + b_q

    Args:
        token: (B,), integers below V: what the decoder reads.
        state: (layers, B, H), floating.
        encoder_outputs: (B, S, E), keys and values at once.
        valid_len: None, or (B,), whole numbers: how many of the source's first tokens count; 0 leaves a context of zeros.
        params: {embedding (V, D), attention {W_q (H, A), W_k (E, A), w_v (A,)}, gru: one dict a layer as in ``gru`` for
            E + D inputs, W_hq (H, V), b_q (V,)}, of the state's dtype.
        reset: of the GRU, "before" or "after", as in ``gru_cell``.

    Returns:
        logits: (B, V).
        state': (layers, B, H).
        weights: (B, S), over the source; exactly 0 on padding. What padding holds, nan included, reaches neither result
        nor gradient.

    Raises:
        ValueError: a part of ``params`` is missing or unknown, or shapes do not go together.
        IndexError: a token outside 0..V−1.
        TypeError: ``token`` or ``valid_len`` holds no integers, an argument is not floating, or dtypes differ.

    Conventions: context before embedding, as in note 004; the state passes through all layers, the last one is the query.
    "after" is torch.nn.GRU, which the notes use.

    Source: note 004, Bahdanau attention; Bahdanau, Cho and Bengio 2014, arXiv:1409.0473, §3.1.
    """
    check_integer("token", token)
    check_axes("token", token, 1)
    check_scores("state", state)
    check_scores("encoder_outputs", encoder_outputs)
    if not isinstance(params, dict):
        raise TypeError(f"params must be a dict, got {type(params).__name__}")
    if params.keys() != PARTS:
        raise ValueError(f"params has the keys {sorted(map(str, params))}, expected {sorted(PARTS)}")
    batch, hidden = len(token), state.shape[2]
    check_shape("state", state, (len(state), batch, hidden))
    check_shape("encoder_outputs", encoder_outputs, (batch, *encoder_outputs.shape[1:]))
    check_dtype("encoder_outputs", encoder_outputs, state.dtype)
    embedding, attention = params["embedding"], params["attention"]
    check_floating("params[embedding]", embedding)
    check_axes("params[embedding]", embedding, 2)
    check_indices("token", token, len(embedding))
    check_shape("params[W_hq]", params["W_hq"], (hidden, params["W_hq"].shape[-1]))
    check_shape("params[b_q]", params["b_q"], (params["W_hq"].shape[1],))
    units = attention["w_v"].shape if isinstance(attention, dict) and "w_v" in attention else (None,)
    sizes = {"W_q": (hidden, *units), "W_k": (encoder_outputs.shape[2], *units), "w_v": units}
    check_parameters(attention, sizes, state.dtype)

    mask = None
    if valid_len is not None:
        check_shape("valid_len", valid_len, (batch,))
        mask = allowed_pairs(valid_len, batch, 1, encoder_outputs.shape[1], state)
    weights = softmax_where(additive_scores(state[-1][:, None], encoder_outputs, mask, attention), mask)
    context = weighted_sum(weights, encoder_outputs, mask)
    x = torch.cat([context[:, 0], embedding[token]], dim=1)
    output, state = gru(x[None], state, params["gru"], num_layers=len(state), reset=reset)
    return output[0] @ params["W_hq"] + params["b_q"], state, weights[:, 0]
