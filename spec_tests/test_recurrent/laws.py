"""Values and rearrangements that several of the chapter's Specs share."""

import torch

GATES = {"rnn": "h", "gru": "zrh", "lstm": "ifoc"}
SHUT, OPEN = -1000.0, 1000.0  # in every dtype σ of these is exactly 0 and 1


def ramp(*shape, value=0.5):
    """Numbers from −value to value, in order."""
    count = torch.Size(shape).numel()
    return torch.linspace(-value, value, count, dtype=torch.float64).reshape(shape)


def parameters(kind, inputs, hidden):
    """Fixed parameters for edge sizes and bad input."""
    params = {}
    for gate in GATES[kind]:
        shapes = {f"W_x{gate}": (inputs, hidden), f"W_h{gate}": (hidden, hidden), f"b_{gate}": (hidden,)}
        params |= {name: ramp(*shape) for name, shape in shapes.items()}
    return dict(sorted(params.items()))


def without(mapping, *names):
    """The mapping without some keys."""
    return {key: value for key, value in mapping.items() if key not in names}


def gate_fixed(params, **biases):
    """Parameters whose gates of these names hold one value whatever they read: zero weights and that bias."""
    fixed = dict(params)
    for gate, bias in biases.items():
        fixed |= {name + gate: torch.zeros_like(params[name + gate]) for name in ("W_x", "W_h")}
        fixed["b_" + gate] = torch.full_like(params["b_" + gate], bias)
    return fixed


def hidden_size(params):
    """H of one dict."""
    return params["W_hh" if "W_hh" in params else "W_hi"].shape[0]


def map_state(function, *states):
    """``function`` of h, or of h and of c; None stays None."""
    if states[0] is None:
        return None
    if isinstance(states[0], tuple | list):
        return tuple(function(*parts) for parts in zip(*states, strict=True))
    return function(*states)


def swap_layout(case, x):
    """Between the case's own layout and (T, B, …); its own inverse."""
    return x.transpose(0, 1) if case.batch_first else x


def swap_halves(x, axis):
    """The first and the second half along an axis change places."""
    return torch.cat(x.chunk(2, axis)[::-1], axis)


def gradients(function, arguments, cotangents):
    """Vector–Jacobian products of ``function(*arguments)``, which returns as many tensors as there are cotangents."""
    with torch.enable_grad():
        inputs = [argument.detach().requires_grad_(True) for argument in arguments]
        results = function(*inputs)
        return torch.autograd.grad(results, inputs, cotangents)
