"""Layer normalization by the unbiased variance, as torch.var computes it when nothing is said."""

import torch


def layer_norm(x, normalized_shape, gamma=None, beta=None, eps=1e-5):
    shape = tuple(normalized_shape)
    if not x.is_floating_point():
        raise TypeError("x is floating")
    if not shape or tuple(x.shape[-len(shape) :]) != shape or not eps > 0:
        raise ValueError("x ends in the normalized shape, and eps is above 0")
    for parameter in (gamma, beta):
        if parameter is not None and tuple(parameter.shape) != shape:
            raise ValueError("gamma and beta have the normalized shape")
    axes = tuple(range(-len(shape), 0))
    y = (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, keepdim=True) + eps)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta
