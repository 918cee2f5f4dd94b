"""A long short-term memory whose input and forget gates have changed places."""

import torch


def lstm_cell(x, state, params):
    h, c = state

    def gate(name):
        return x @ params["W_x" + name] + h @ params["W_h" + name] + params["b_" + name]

    keep, write, out = (torch.sigmoid(gate(name)) for name in "ifo")
    c = keep * c + write * torch.tanh(gate("c"))
    return out * torch.tanh(c), c
