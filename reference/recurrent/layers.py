"""Recurrent layers over whole sequences: several layers, two directions, rows of unequal length."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_range, check_shape, check_whole
from lawbook.reference.recurrent.parameters import (
    Form,
    Parameters,
    State,
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


def rnn(
    x: Tensor,
    state: Tensor | None,
    params: Parameters | Sequence[Parameters],
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    dropout: float = 0.0,
    nonlinearity: str = "tanh",
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """A simple recurrent network over a sequence.

        h_t = tanh(x_t W_xh + h_{t−1} W_hh + b_h)

    where the input of layer l > 0 is the output of layer l − 1. The backward direction reads the steps from the last
    to the first with weights of its own; its output at step t is what it has made of steps T−1 … t, and stands behind
    the forward direction's on the last axis: (forward, backward).

    Args:
        x: (T, B, D), or (B, T, D) if ``batch_first``; floating, T at least 1.
        state: (layers · directions, B, H), whatever ``batch_first``; None stands for zeros.
        params: one dict a layer and direction, in the order layer 0 forward, layer 0 backward, layer 1 forward, …;
            keys and shapes those of ``rnn_cell``, D being directions · H from the second layer on. A single dict may
            stand for a list of one.
        num_layers: how many layers, at least 1.
        bidirectional: whether each layer runs in both directions.
        batch_first: whether the first two axes of ``x`` and of the output are (B, T).
        dropout: the chance with which each element of a layer's output is zeroed on its way to the next layer,
            independently for each step, sample and unit; what is kept is divided by 1 − dropout. The last layer's
            output and the recurrent connections are spared. 0..1; 0 is exact, 1 passes zeros on.
        nonlinearity: "tanh" or "relu".
        seed: of the generator that draws what is dropped; needed where something is left to chance.

    Returns:
        output: (T, B, directions · H), or (B, T, directions · H) if ``batch_first``: the last layer's states.
        state: (layers · directions, B, H): each direction's state after the last step that it read, which for the
            backward direction is step 0.

    Raises:
        ValueError: ``x`` holds no step, the number of dicts or a shape does not fit, a key is missing or unknown, the
            nonlinearity is unknown, ``dropout`` outside 0..1, or a seed is needed and missing.
        TypeError: ``x`` is not floating, ``params`` no dicts of tensors, or the dtypes differ.

    Conventions: PyTorch's layouts, with two biases merged into one and weights transposed.

    Source: note 000, note 001 RNN, note 002 §6.2.3, note 004; Schuster and Paliwal 1997, IEEE Trans. Signal
    Processing 45(11), for two directions; Zaremba, Sutskever and Vinyals 2014, arXiv:1409.2329, for the dropout.
    """
    form = Form("rnn", nonlinearity=nonlinearity)
    return _layers(form, x, state, params, num_layers, bidirectional, batch_first, dropout, seed)


def gru(
    x: Tensor,
    state: Tensor | None,
    params: Parameters | Sequence[Parameters],
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    dropout: float = 0.0,
    reset: str = "before",
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent units over a sequence.

        h_t = gru_cell(x_t, h_{t−1}, params, reset)

    where layers, directions and dropout are those of ``rnn``.

    Args:
        x: (T, B, D), or (B, T, D) if ``batch_first``; floating, T at least 1.
        state: (layers · directions, B, H); None stands for zeros.
        params: one dict a layer and direction as in ``rnn``; keys and shapes those of ``gru_cell``.
        num_layers, bidirectional, batch_first, dropout, seed: as in ``rnn``.
        reset: "before" or "after", as in ``gru_cell``.

    Returns:
        output: (T, B, directions · H), or (B, T, directions · H) if ``batch_first``.
        state: (layers · directions, B, H).

    Raises:
        ValueError, TypeError: as ``rnn`` and ``gru_cell``.

    Conventions: see ``gru_cell`` for the place of the reset gate and for PyTorch's two biases.

    Source: note 002 §6.2.3, note 004; Cho et al. 2014, arXiv:1406.1078.
    """
    return _layers(Form("gru", reset=reset), x, state, params, num_layers, bidirectional, batch_first, dropout, seed)


def lstm(
    x: Tensor,
    state: tuple[Tensor, Tensor] | None,
    params: Parameters | Sequence[Parameters],
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    dropout: float = 0.0,
    seed: int | None = None,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A long short-term memory over a sequence.

        h_t, c_t = lstm_cell(x_t, (h_{t−1}, c_{t−1}), params)

    where layers, directions and dropout are those of ``rnn``; h goes on to the next layer, c stays in its own.

    Args:
        x: (T, B, D), or (B, T, D) if ``batch_first``; floating, T at least 1.
        state: the pair (h, c), both (layers · directions, B, H); None stands for zeros.
        params: one dict a layer and direction as in ``rnn``; keys and shapes those of ``lstm_cell``.
        num_layers, bidirectional, batch_first, dropout, seed: as in ``rnn``.

    Returns:
        output: h of the last layer, (T, B, directions · H), or (B, T, directions · H) if ``batch_first``.
        state: the pair (h, c), both (layers · directions, B, H).

    Raises:
        ValueError, TypeError: as ``rnn`` and ``lstm_cell``.

    Source: note 000, note 002 §6.2.3, note 004; Hochreiter and Schmidhuber 1997, Neural Computation 9(8); Graves and
    Schmidhuber 2005, Neural Networks 18, for two directions.
    """
    return _layers(Form("lstm"), x, state, params, num_layers, bidirectional, batch_first, dropout, seed)


def packed_recurrent(
    x: Tensor,
    lengths: Tensor,
    kind: str,
    state: State | None,
    params: Parameters | Sequence[Parameters],
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    nonlinearity: str = "tanh",
    reset: str = "before",
) -> tuple[Tensor, State]:
    """A recurrent layer over rows of unequal length: each row as if it were alone and as long as it is.

        output[:n, b], state[:, b] = layer(x[:n, b]),   output[n:, b] = 0,   where n = lengths[b]

    so the backward direction starts at each row's last step, not in the padding. Whatever the padding holds, nan
    included, reaches neither result nor gradient.

    Args:
        x: (T, B, D), or (B, T, D) if ``batch_first``; floating, T at least 1.
        lengths: (B,), integers in 0..T, in any order. A row of length 0 has zero output and keeps its state.
        kind: "rnn", "gru" or "lstm".
        state: (layers · directions, B, H), for an LSTM the pair (h, c); None stands for zeros.
        params, num_layers, bidirectional, batch_first: as in ``rnn``.
        nonlinearity: of kind "rnn"; "tanh" or "relu".
        reset: of kind "gru"; "before" or "after".

    Returns:
        output: (T, B, directions · H), or (B, T, directions · H) if ``batch_first``; T is that of ``x``.
        state: (layers · directions, B, H), for an LSTM the pair: forward after step n − 1, backward after step 0.

    Raises:
        ValueError: a length outside 0..T, an unknown kind, and whatever ``rnn`` refuses.
        TypeError: ``lengths`` holds no integers, and whatever ``rnn`` refuses.

    Conventions: PyTorch packs rows (pack_padded_sequence with enforce_sorted=False, total_length=T) and refuses length
    0; Keras masks, and by default repeats the last output in the padding instead of zeros.

    Source: note 000.
    """
    form = Form(kind, nonlinearity, reset)
    return _layers(form, x, state, params, num_layers, bidirectional, batch_first, lengths=lengths)


def _layers(
    form: Form,
    x: Tensor,
    state: State | None,
    params: Parameters | Sequence[Parameters],
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
    dropout: float = 0.0,
    seed: int | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Layers of one kind over a sequence; with ``lengths``, each row up to its own."""
    check_form(form)
    check_input("x", x, 3)
    check_range("dropout", dropout, 0, 1)
    if batch_first:
        x = x.transpose(0, 1)
    steps, batch, inputs = x.shape
    if steps == 0:
        raise ValueError(f"x has {steps} steps, expected at least 1")
    params, hidden = _check_stack(
        form, params, check_whole("num_layers", num_layers, 1), bidirectional, inputs, x.dtype
    )
    if state is None:
        state = zero_state(form.kind, (len(params), batch, hidden), x)
    check_state(form.kind, state, (len(params), batch, hidden), x.dtype)
    states = list(zip(*state, strict=True)) if form.kind == "lstm" else list(state)
    inside = None if lengths is None else _inside(lengths, steps, batch)
    if inside is not None:
        x = torch.where(inside, x, 0)
    drop = _dropout(dropout, seed) if num_layers > 1 and dropout > 0 else None

    directions = 2 if bidirectional else 1
    finals = []
    for first in range(0, len(params), directions):
        outputs = []
        for index in range(first, first + directions):
            output, final = _direction(form, x, states[index], params[index], index > first, inside)
            outputs.append(output)
            finals.append(final)
        x = torch.cat(outputs, dim=2) if bidirectional else outputs[0]
        if drop is not None and first + directions < len(params):
            x = drop(x)
    final = tuple(map(torch.stack, zip(*finals, strict=True))) if form.kind == "lstm" else torch.stack(finals)
    return (x.transpose(0, 1) if batch_first else x), final


def _direction(
    form: Form, x: Tensor, state: State, params: Parameters, backward: bool, inside: Tensor | None
) -> tuple[Tensor, State]:
    """One layer in one direction: its outputs in the order of the steps, and its state after the last one it read."""
    step = recurrence(form, params)
    projected = project(form.kind, x, params).unbind(0)
    outputs = []
    for t in reversed(range(len(projected))) if backward else range(len(projected)):
        new = step(projected[t], state)
        if inside is None:
            state = new
            outputs.append(hidden_part(state))
        else:
            state = _where(inside[t], new, state)
            outputs.append(torch.where(inside[t], hidden_part(new), 0))
    return torch.stack(outputs[::-1] if backward else outputs), state


def _where(mask: Tensor, new: State, old: State) -> State:
    if isinstance(new, Tensor):
        return torch.where(mask, new, old)
    return tuple(torch.where(mask, n, o) for n, o in zip(new, old, strict=True))


def _check_stack(
    form: Form,
    params: Parameters | Sequence[Parameters],
    num_layers: int,
    bidirectional: bool,
    inputs: int,
    dtype: torch.dtype,
) -> tuple[Sequence[Parameters], int]:
    """The dicts, one a layer and direction, and the number of hidden units, which all of them share."""
    if isinstance(params, dict):
        params = [params]
    directions = 2 if bidirectional else 1
    if len(params) != num_layers * directions:
        raise ValueError(f"params holds {len(params)} dicts, expected {num_layers} layers × {directions} directions")
    hidden = check_parameters(form, params[0], inputs, dtype, "params[0]")
    for index, one in enumerate(params[1:], start=1):
        width = inputs if index < directions else directions * hidden
        if check_parameters(form, one, width, dtype, f"params[{index}]") != hidden:
            raise ValueError(f"params[{index}] has another number of hidden units than params[0], {hidden}")
    return params, hidden


def _inside(lengths: Tensor, steps: int, batch: int) -> Tensor:
    """(T, B, 1): whether a step lies within its row's length."""
    check_shape("lengths", lengths, (batch,))
    check_indices("lengths", lengths, steps + 1)
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths)[:, :, None]


def _dropout(rate: float, seed: int | None):
    """The function that drops elements between layers, all of its calls drawing from one seeded generator."""
    if rate == 1:
        return torch.zeros_like
    if seed is None:
        raise ValueError(f"seed is None, expected a whole number, as dropout is {rate}")
    generator = torch.Generator().manual_seed(check_whole("seed", seed))

    def drop(x: Tensor) -> Tensor:
        kept = (torch.rand(x.shape, generator=generator) >= rate).to(x.device)
        return torch.where(kept, x / (1 - rate), 0)

    return drop
