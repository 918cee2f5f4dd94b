"""Adam whose averages keep the zeros they start with."""

import torch


def adam(initial, gradients, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False):
    if lr < 0 or eps <= 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError("a setting lies outside of its bounds")
    if gradients.shape[1:] != initial.shape:
        raise ValueError("gradients have one axis more than the parameters")
    if not (initial.is_floating_point() and gradients.is_floating_point()):
        raise TypeError("parameters and gradients are floating")
    w, first, second, path = initial, torch.zeros_like(initial), torch.zeros_like(initial), []
    for gradient in gradients:
        if decoupled:
            w = w * (1 - lr * weight_decay)
        else:
            gradient = gradient + weight_decay * w
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        w = w - lr * first / (second.sqrt() + eps)
        path.append(w)
    return torch.stack(path) if path else initial.new_empty((0, *initial.shape))
