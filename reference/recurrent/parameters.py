"""What the recurrent components share: the parameters' names, their checks, and one step of each kind."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, sigmoid

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_integer, check_shape

Parameters: TypeAlias = dict[str, Tensor]
# A hidden state, or an LSTM's pair of hidden state and cell.
State: TypeAlias = Any

KINDS = ("rnn", "gru", "lstm")
GATES = {"rnn": ("h",), "gru": ("z", "r", "h"), "lstm": ("i", "f", "o", "c")}
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
RESETS = ("before", "after")


class Form(NamedTuple):
    """Which kind of recurrence, in which of its forms."""

    kind: str
    nonlinearity: str = "tanh"
    reset: str = "before"


def check_form(form: Form) -> None:
    """Raise ValueError for an unknown kind, nonlinearity or place of the reset gate."""
    check_choice("kind", form.kind, KINDS)
    check_choice("nonlinearity", form.nonlinearity, tuple(ACTIVATIONS))
    check_choice("reset", form.reset, RESETS)


def check_input(name: str, x: Tensor, axes: int) -> None:
    """Raise TypeError unless ``x`` is floating, ValueError unless it has this many axes."""
    check_floating(name, x)
    check_axes(name, x, axes)


def check_parameters(form: Form, params: Parameters, inputs: int, dtype: torch.dtype, name: str = "params") -> int:
    """The number of hidden units; raise unless the keys, shapes and dtypes are those of the kind."""
    if not isinstance(params, dict):
        raise TypeError(f"{name} must be a dict of tensors, got {type(params).__name__}")
    gates = GATES[form.kind]
    expected = {f"{prefix}{gate}" for gate in gates for prefix in ("W_x", "W_h", "b_")}
    if form.kind == "gru" and form.reset == "after":
        expected |= {"b_hh"} & params.keys()
    if params.keys() != expected:
        raise ValueError(f"{name} has the keys {sorted(map(str, params))}, expected {sorted(expected)}")
    check_floating(f"{name}[W_h{gates[0]}]", params[f"W_h{gates[0]}"])
    check_axes(f"{name}[W_h{gates[0]}]", params[f"W_h{gates[0]}"], 2)
    hidden = params[f"W_h{gates[0]}"].shape[0]
    for key, value in params.items():
        check_shape(f"{name}[{key}]", value, {"W_x": (inputs, hidden), "W_h": (hidden, hidden)}.get(key[:3], (hidden,)))
        check_dtype(f"{name}[{key}]", value, dtype)
    return hidden


def check_dtype(name: str, value: Tensor, dtype: torch.dtype) -> None:
    """Raise TypeError unless ``value`` has this dtype: nothing is promoted."""
    if value.dtype != dtype:
        raise TypeError(f"{name} is {value.dtype}, expected {dtype} as the rest")


def check_state(kind: str, state: State, shape: Sequence[int], dtype: torch.dtype, name: str = "state") -> None:
    """Raise unless ``state`` is what the kind carries: a tensor of this shape, a pair of them for an LSTM."""
    if kind != "lstm":
        check_shape(name, state, shape)
        check_dtype(name, state, dtype)
        return
    if not isinstance(state, tuple | list):
        raise TypeError(f"{name} must be a pair (h, c), got {type(state).__name__}")
    if len(state) != 2:
        raise ValueError(f"{name} holds {len(state)} tensors, expected the pair (h, c)")
    for part, value in zip("hc", state, strict=True):
        check_shape(f"{name} {part}", value, shape)
        check_dtype(f"{name} {part}", value, dtype)


def check_indices(name: str, indices: Tensor, count: int) -> None:
    """Raise TypeError for anything but integers and IndexError outside ``0..count-1``."""
    check_integer(name, indices)
    if indices.numel():
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= count:
            raise IndexError(f"{name} reaches from {low} to {high}, expected 0..{count - 1}")


def zero_state(kind: str, shape: Sequence[int], like: Tensor) -> State:
    """The state before the first step: zeros, for an LSTM a pair of distinct tensors."""
    return (like.new_zeros(shape), like.new_zeros(shape)) if kind == "lstm" else like.new_zeros(shape)


def hidden_part(state: State) -> Tensor:
    """What a state shows to the outside: h, for an LSTM the first of the pair."""
    return state if isinstance(state, Tensor) else state[0]


def project(kind: str, x: Tensor, params: Parameters) -> Tensor:
    """What every gate takes from the input, side by side: (..., D) to (..., gates · H)."""
    gates = GATES[kind]
    weight = torch.cat([params[f"W_x{gate}"] for gate in gates], dim=1)
    return x @ weight + torch.cat([params[f"b_{gate}"] for gate in gates])


def recurrence(form: Form, params: Parameters) -> Callable[[Tensor, State], State]:
    """The step (projected input (B, gates · H), state) → state, its recurrent weights laid side by side once."""
    weights = [params[f"W_h{gate}"] for gate in GATES[form.kind]]
    hidden = weights[0].shape[0]
    if form.kind == "rnn":
        activation = ACTIVATIONS[form.nonlinearity]
        return lambda projected, h: activation(projected + h @ weights[0])
    if form.kind == "lstm":
        weight = torch.cat(weights, dim=1)

        def lstm_step(projected: Tensor, state: State) -> State:
            h, c = state
            sums = projected + h @ weight
            i, f, o = sigmoid(sums[:, : 3 * hidden]).chunk(3, dim=1)
            c = f * c + i * torch.tanh(sums[:, 3 * hidden :])
            return o * torch.tanh(c), c

        return lstm_step
    if form.reset == "before":
        gate_weight = torch.cat(weights[:2], dim=1)

        def gru_step_before(projected: Tensor, h: State) -> State:
            z, r = sigmoid(projected[:, : 2 * hidden] + h @ gate_weight).chunk(2, dim=1)
            candidate = torch.tanh(projected[:, 2 * hidden :] + (r * h) @ weights[2])
            return z * h + (1 - z) * candidate

        return gru_step_before
    weight = torch.cat(weights, dim=1)
    bias = params.get("b_hh")

    def gru_step_after(projected: Tensor, h: State) -> State:
        product = h @ weight
        z, r = sigmoid(projected[:, : 2 * hidden] + product[:, : 2 * hidden]).chunk(2, dim=1)
        inner = product[:, 2 * hidden :] if bias is None else product[:, 2 * hidden :] + bias
        return z * h + (1 - z) * torch.tanh(projected[:, 2 * hidden :] + r * inner)

    return gru_step_after
