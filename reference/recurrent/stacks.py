"""What is built of recurrent steps: states, stacks of cells, a language model, and writing on from a prefix."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_shape, check_whole
from lawbook.reference.recurrent.parameters import (
    KINDS,
    Form,
    Parameters,
    State,
    check_dtype,
    check_form,
    check_indices,
    check_input,
    check_parameters,
    check_state,
    hidden_part,
    project,
    recurrence,
    zero_state,
)


def begin_state(kind: str, layers: int, directions: int, batch_size: int, hidden_size: int) -> State:
    """The state before the first step.

        h_0 = 0, and for an LSTM c_0 = 0

    Args:
        kind: "rnn", "gru" or "lstm".
        layers: how many layers, at least 1.
        directions: 1 or 2.
        batch_size: B, at least 0.
        hidden_size: H, at least 0.

    Returns:
        Zeros (layers · directions, B, H), float32; for an LSTM the pair (h, c) of two tensors that share no storage.

    Raises:
        ValueError: an unknown kind, no layer, directions other than 1 and 2, or a negative size.
        TypeError: a size is no whole number.

    Source: note 001 RNN, note 004 (begin_state).
    """
    check_choice("kind", kind, KINDS)
    check_choice("directions", check_whole("directions", directions), (1, 2))
    count = check_whole("layers", layers, 1) * directions
    shape = (count, check_whole("batch_size", batch_size, 0), check_whole("hidden_size", hidden_size, 0))
    return zero_state(kind, shape, torch.empty(0, dtype=torch.float32))


def deep_recurrent(
    cells: Sequence[tuple[str, Parameters]], x: Tensor, states: Sequence[State | None], reset: str = "before"
) -> tuple[Tensor, list[State]]:
    """A stack of cells that need not be alike: each layer reads the layer below at the same step.

        h_t^(0) = cell_0(x_t, h_{t−1}^(0)),   h_t^(l) = cell_l(h_t^(l−1), h_{t−1}^(l))

    where an LSTM passes its h upwards and keeps its c.

    Args:
        cells: a pair (kind, params) a layer, from below; kinds and params those of ``rnn_cell`` (with tanh),
            ``gru_cell`` and ``lstm_cell``. Layers may differ in kind and in their number of units.
        x: (T, B, D), floating, T at least 1.
        states: one a layer: (B, H_l), for an LSTM the pair (h, c); None stands for zeros.
        reset: the form of the GRU cells, "before" or "after".

    Returns:
        output: (T, B, H) of the uppermost layer.
        states: a list, each layer's state after the last step.

    Raises:
        ValueError: no cell, as many states as there are not cells, no step, or a shape or key that does not fit.
        TypeError: ``x`` is not floating, or the dtypes differ.

    Source: note 004, deep recurrent networks; Graves, Mohamed and Hinton 2013, arXiv:1303.5778.
    """
    check_input("x", x, 3)
    if len(cells) == 0:
        raise ValueError("cells is empty, expected at least one")
    if len(states) != len(cells):
        raise ValueError(f"states holds {len(states)}, expected one for each of the {len(cells)} cells")
    if len(x) == 0:
        raise ValueError("x has 0 steps, expected at least 1")
    finals = []
    for layer, ((kind, params), state) in enumerate(zip(cells, states, strict=True)):
        form = Form(kind, reset=reset)
        check_form(form)
        hidden = check_parameters(form, params, x.shape[2], x.dtype, f"params of cells[{layer}]")
        state = zero_state(kind, (x.shape[1], hidden), x) if state is None else state
        check_state(kind, state, (x.shape[1], hidden), x.dtype, f"states[{layer}]")
        # A whole layer may run before the next one starts: nothing flows downwards.
        step, outputs = recurrence(form, params), []
        for projected in project(kind, x, params).unbind(0):
            state = step(projected, state)
            outputs.append(hidden_part(state))
        x = torch.stack(outputs)
        finals.append(state)
    return x, finals


def rnn_language_model(tokens: Tensor, state: Tensor, params: Parameters) -> tuple[Tensor, Tensor]:
    """Scores of every next token from a recurrent network that reads one-hot tokens.

        h_t = tanh(onehot(token_t) W_xh + h_{t−1} W_hh + b_h),   output_t = h_t W_hq + b_q

    Args:
        tokens: (B, T), integers in 0..V−1, T at least 1.
        state: h_0, (B, H).
        params: {W_xh (V, H), W_hh (H, H), b_h (H,), W_hq (H, V), b_q (V,)}, floating.

    Returns:
        output: (T · B, V), time-major: first step 0 of every row, then step 1, … so it goes with tokens.T.reshape(-1).
        state: h_T, (B, H).

    Raises:
        ValueError: no step, a key missing or unknown, or a shape that does not fit.
        TypeError: ``tokens`` holds no integers, or ``params`` and ``state`` no floating tensors of one dtype.
        IndexError: a token outside 0..V−1.

    Source: note 003 and note 004, recurrent networks from scratch; Mikolov et al. 2010, Interspeech.
    """
    if not isinstance(params, dict):
        raise TypeError(f"params must be a dict of tensors, got {type(params).__name__}")
    if params.keys() != {"W_xh", "W_hh", "b_h", "W_hq", "b_q"}:
        raise ValueError(f"params has the keys {sorted(params)}, expected W_hh, W_hq, W_xh, b_h, b_q")
    inner = {key: params[key] for key in ("W_xh", "W_hh", "b_h")}
    check_floating("params[W_xh]", inner["W_xh"])
    check_axes("params[W_xh]", inner["W_xh"], 2)
    vocabulary, dtype = inner["W_xh"].shape[0], inner["W_xh"].dtype
    hidden = check_parameters(Form("rnn"), inner, vocabulary, dtype)
    for key, shape in (("W_hq", (hidden, vocabulary)), ("b_q", (vocabulary,))):
        check_shape(f"params[{key}]", params[key], shape)
        check_dtype(f"params[{key}]", params[key], dtype)
    check_axes("tokens", tokens, 2)
    check_indices("tokens", tokens, vocabulary)
    check_state("rnn", state, (tokens.shape[0], hidden), dtype)
    if tokens.shape[1] == 0:
        raise ValueError("tokens has 0 steps, expected at least 1")
    # A one-hot row times a matrix is a row of the matrix.
    projected = params["W_xh"][tokens.T] + params["b_h"]
    step, outputs = recurrence(Form("rnn"), inner), []
    for one in projected.unbind(0):
        state = step(one, state)
        outputs.append(state)
    return torch.cat(outputs) @ params["W_hq"] + params["b_q"], state


def warm_up_predict(
    prefix: Sequence[str], steps: int, model: Callable[[int, Any], tuple[Tensor, Any]], vocab: Sequence[str]
) -> list[str]:
    """Read a prefix for its state's sake, then write on: each token predicted is the next one read.

        scores, state = model(token, state);   next token = argmax scores

    where scores are ignored during the warm-up but for those of the prefix's last token, which start the prediction.

    Args:
        prefix: tokens, or a string of one-character tokens; at least one.
        steps: how many tokens to predict, at least 0.
        model: (token: int, state) → (scores (V,), state); the state of the first call is None.
        vocab: the V distinct tokens by index.

    Returns:
        A list: the prefix's tokens and the ``steps`` predicted ones. Of equal scores the first counts. The model is
        called once for each token read: len(prefix) + steps − 1 times, or len(prefix) − 1 times when ``steps`` is 0.

    Raises:
        ValueError: an empty prefix, a token that is not in ``vocab``, a negative number of steps, or scores whose
            shape is not (V,).
        TypeError: ``steps`` is no whole number.

    Source: note 004 (predict_ch8).
    """
    steps = check_whole("steps", steps, 0)
    if len(prefix) == 0:
        raise ValueError("prefix is empty, expected at least one token")
    index = {token: i for i, token in enumerate(vocab)}
    unknown = [token for token in prefix if token not in index]
    if unknown:
        raise ValueError(f"prefix holds {unknown[0]!r}, expected tokens of vocab")
    tokens, state = [index[token] for token in prefix], None
    for token in tokens[:-1]:
        _, state = model(token, state)
    for _ in range(steps):
        scores, state = model(tokens[-1], state)
        check_shape("scores", scores, (len(vocab),))
        tokens.append(int((scores == scores.max()).nonzero()[0]))
    return [vocab[token] for token in tokens]
