"""Helpers that several of the chapter's Specs share."""

import torch

GATES = {"rnn": "h", "gru": "zrh", "lstm": "ifoc"}


def parameters(kind, inputs, hidden, value=0.5):
    """Fixed parameters for edge sizes and bad input: small numbers that rise through every tensor."""
    params = {}
    for gate in GATES[kind]:
        shapes = {f"W_x{gate}": (inputs, hidden), f"W_h{gate}": (hidden, hidden), f"b_{gate}": (hidden,)}
        params |= {name: ramp(*shape, value=value) for name, shape in shapes.items()}
    return params


def ramp(*shape, value=0.5):
    """Numbers from −value to value, in order."""
    count = torch.Size(shape).numel()
    return torch.linspace(-value, value, count, dtype=torch.float64).reshape(shape)


def without(mapping, *names):
    """The mapping without some keys."""
    return {key: value for key, value in mapping.items() if key not in names}


def replaced(params, **changes):
    """Parameters with some tensors replaced by the results of functions of them."""
    return {**params, **{name: change(params[name]) for name, change in changes.items()}}


def each(dicts, change):
    """``change`` applied to every dict of a stack."""
    return [change(params) for params in dicts]


def swapped_directions(x):
    """A stack's list or state with forward and backward changing places."""
    if isinstance(x, list):
        return [x[i ^ 1] for i in range(len(x))]
    if isinstance(x, tuple):
        return tuple(map(swapped_directions, x))
    return x[[i ^ 1 for i in range(len(x))]] if x is not None else None


def map_state(function, state):
    """``function`` of h, or of h and c."""
    return tuple(map(function, state)) if isinstance(state, tuple | list) else function(state)


def time_major(case, x):
    """The sequence with steps first."""
    return x.transpose(0, 1) if case.batch_first else x


def as_laid_out(case, x):
    """A sequence with steps first in the layout of the case."""
    return x.transpose(0, 1) if case.batch_first else x
