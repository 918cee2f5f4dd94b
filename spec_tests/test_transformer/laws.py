"""What the laws of the transformer share: fixed parameters, silent layers, padding, and one position after the other."""

import torch

from lawbook.fixtures.tree import leaves
from lawbook.spec_tests.spec import require
from lawbook.spec_tests.test_attention.laws import ramp

KEY_BIAS = ("['b_k']",)
"""How the path of a key's bias ends, which adds the same to all scores of a query: it may be left out."""

PARTS = "qkvo"


def attention(size, bias=True):
    """Fixed parameters of attention."""
    biases = {f"b_{part}": ramp(size) for part in PARTS} if bias else {}
    return {f"W_{part}": ramp(size, size) for part in PARTS} | biases


def norm(size):
    """Fixed scale and shift."""
    return dict(gamma=1 + ramp(size), beta=ramp(size))


def ffn(size, hidden, outputs=None):
    """Fixed parameters of a position-wise network."""
    outputs = outputs or size
    return dict(W_1=ramp(size, hidden), b_1=ramp(hidden, value=0.3), W_2=ramp(hidden, outputs), b_2=ramp(outputs))


def encoder_parameters(size, hidden, bias=True):
    """Fixed parameters of a block of the encoder."""
    return dict(attention=attention(size, bias), norm1=norm(size), ffn=ffn(size, hidden), norm2=norm(size))


def decoder_parameters(size, hidden, bias=True):
    """Fixed parameters of a block of the decoder."""
    attentions = dict(self_attention=attention(size, bias), cross_attention=attention(size, bias))
    return {**attentions, "norm1": norm(size), "norm2": norm(size), "ffn": ffn(size, hidden), "norm3": norm(size)}


def decoder_stack(size, hidden, vocabulary, layers=1):
    """Fixed parameters of a decoder."""
    blocks = [decoder_parameters(size, hidden) for _ in range(layers)]
    return dict(embedding=ramp(vocabulary, size), blocks=blocks, W_out=ramp(size, vocabulary), b_out=ramp(vocabulary))


def encoder_stack(size, hidden, vocabulary, layers=1):
    """Fixed parameters of an encoder."""
    return dict(embedding=ramp(vocabulary, size), blocks=[encoder_parameters(size, hidden) for _ in range(layers)])


def changed(params, **parts):
    """The parameters with some entries of some parts changed: ``changed(params, ffn=dict(W_2=…))``."""
    return {**params, **{name: {**params[name], **entries} for name, entries in parts.items()}}


def silent(part):
    """What makes a layer's result 0, whatever it is given: its last weight and bias."""
    return {name: torch.zeros_like(part[name]) for name in ("W_o", "b_o", "W_2", "b_2") if name in part}


def without_biases(part):
    """Attention's weights alone."""
    return {f"W_{name}": part[f"W_{name}"] for name in PARTS}


def with_one_bias(parameters, name):
    """A block's parameters whose attention of this name has a bias for the queries alone."""
    part = parameters[name]
    return {**parameters, name: {**without_biases(part), "b_q": part["b_q"]}}


def padded(case, steps, batch):
    """Lengths below the number of tokens, and (B, T, 1) where tokens count; (None, None) for a single token."""
    if steps < 2:
        return None, None
    lens = torch.randint(1, steps, (batch,), generator=case.generator(4))
    return lens, (torch.arange(steps) < lens[:, None])[..., None]


def require_no_nan(grads, what):
    """Raise LawBroken for a gradient that holds nan."""
    for path, grad in leaves(grads):
        if isinstance(grad, torch.Tensor):
            require(not grad.isnan().any(), f"the gradient for {path} holds nan from {what}", got=grad)


def one_by_one(call, tokens, cache=None):
    """What a decoder finds token by token, each call with the cache of the one before; and the last cache."""
    found = []
    for at in range(tokens.shape[1]):
        result, cache = call(tokens[:, at : at + 1], cache)
        found.append(result)
    return torch.cat(found, 1), cache
