"""What reads a sequence into a state, and what writes one from it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_shape
from lawbook.reference.recurrent import gru
from lawbook.reference.recurrent.parameters import check_dtype, check_indices


def encode_decode(encoder: Callable[[Any], Any], decoder: Callable[[Any, Any], Any], source: Any, target: Any) -> Any:
    """Read the source into a state, and write from that state.

        decoder(target, encoder(source))

    The source reaches the decoder through the state alone, which passes once.

    Args:
        encoder: source → state, of any kind.
        decoder: (target, state) → result.
        source: what the encoder reads.
        target: what the decoder reads beside the state; under teacher forcing the target one step late.

    Returns:
        What the decoder returns.

    Raises:
        TypeError: encoder or decoder cannot be called.

    Source: note 004, encoder–decoder; Sutskever, Vinyals and Le 2014, arXiv:1409.3215.
    """
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        if not callable(part):
            raise TypeError(f"{name} must be a function, got {type(part).__name__}")
    return decoder(target, encoder(source))


def seq2seq_encoder(
    tokens: Tensor, params: dict[str, Any], state: Tensor | None = None, reset: str = "after"
) -> tuple[Tensor, Tensor]:
    """An embedding and layers of gated recurrent units that read a batch of token sequences.

        output, state = gru(embedding[tokens], state)

    Args:
        tokens: (B, T), integers below V, T at least 1.
        params: {embedding (V, D), gru: one dict a layer as in ``gru``, for D inputs}, floating of one dtype.
        state: (layers, B, H); None stands for zeros.
        reset: of the GRU, "before" or "after", as in ``gru_cell``.

    Returns:
        output: (T, B, H), time first: the last layer's state at every step.
        state: (layers, B, H), every layer's state after the last step; state[-1] is output[-1].

    Raises:
        IndexError: a token outside 0..V−1.
        ValueError: no step, a part of ``params`` is missing or unknown, or shapes do not go together.
        TypeError: ``tokens`` holds no integers, or ``params`` no floating tensors of one dtype.

    Conventions: "after" is torch.nn.GRU, which the notes use. Padding is read as any other token.

    Source: note 004, seq2seq encoder; Cho et al. 2014, arXiv:1406.1078.
    """
    embedding = _embedding(tokens, params, {"embedding", "gru"})
    layers = _layers(params)
    return gru(embedding[tokens.T], state, layers, num_layers=len(layers), reset=reset)


def seq2seq_decoder(
    tokens: Tensor, params: dict[str, Any], state: tuple[Tensor, Tensor], reset: str = "after"
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A recurrent decoder that sees the encoder's context at every step.

        output, hidden' = gru([embedding[tokens], context], hidden),      logits = output W_hq + b_q

    where the same context stands beside the embedding of every token and passes on unchanged: reading tokens one by one,
    each time from the state returned, is reading them all at once.

    Args:
        tokens: (B, T), integers below V, T at least 1.
        params: {embedding (V, D), gru: one dict a layer as in ``gru``, for D + C inputs, W_hq (H, V), b_q (V,)},
            floating of one dtype.
        state: the pair (context (B, C), hidden (layers, B, H)); after the encoder, context is its last layer's final
            state, state[-1], and hidden all of them.
        reset: of the GRU, "before" or "after", as in ``gru_cell``.

    Returns:
        logits: (B, T, V), batch first.
        state: the pair (context, hidden').

    Raises:
        IndexError: a token outside 0..V−1.
        ValueError: no step, the state no pair, a part of ``params`` is missing or unknown, or shapes do not go together.
        TypeError: ``tokens`` holds no integers, dtypes differ, or ``params`` and state no floating tensors.

    Conventions: embedding before context, as in note 004. There the context is taken anew from the state it is called with,
    so that step by step it is another function; here it is fixed.

    Source: note 004, seq2seq decoder; Cho et al. 2014, arXiv:1406.1078.
    """
    embedding = _embedding(tokens, params, {"embedding", "gru", "W_hq", "b_q"})
    layers = _layers(params)
    if not isinstance(state, tuple | list):
        raise TypeError(f"state must be a pair (context, hidden), got {type(state).__name__}")
    if len(state) != 2:
        raise ValueError(f"state holds {len(state)} parts, expected the pair (context, hidden)")
    context, hidden = state
    check_floating("context", context)
    check_axes("context", context, 2)
    check_shape("context", context, (len(tokens), context.shape[1]))
    check_dtype("context", context, embedding.dtype)
    check_axes("hidden", hidden, 3)
    for name, shape in (("W_hq", (hidden.shape[2], len(embedding))), ("b_q", (len(embedding),))):
        check_floating(f"params[{name}]", params[name])
        check_shape(f"params[{name}]", params[name], shape)
        check_dtype(f"params[{name}]", params[name], embedding.dtype)
    inputs = embedding[tokens.T]
    inputs = torch.cat([inputs, context.expand(len(inputs), -1, -1)], dim=2)
    output, hidden = gru(inputs, hidden, layers, num_layers=len(layers), reset=reset)
    # A clone: the context returned shares no memory with the one given.
    return (output @ params["W_hq"] + params["b_q"]).transpose(0, 1), (context.clone(), hidden)


def _embedding(tokens: Tensor, params: dict[str, Any], parts: set[str]) -> Tensor:
    """The table of embeddings, once tokens and the parts of ``params`` are in order."""
    if not isinstance(params, dict):
        raise TypeError(f"params must be a dict, got {type(params).__name__}")
    if params.keys() != parts:
        raise ValueError(f"params has the keys {sorted(map(str, params))}, expected {sorted(parts)}")
    check_floating("params[embedding]", params["embedding"])
    check_axes("params[embedding]", params["embedding"], 2)
    check_axes("tokens", tokens, 2)
    check_indices("tokens", tokens, len(params["embedding"]))
    return params["embedding"]


def _layers(params: dict[str, Any]) -> list[dict[str, Tensor]]:
    layers = params["gru"]
    return [layers] if isinstance(layers, dict) else list(layers)
