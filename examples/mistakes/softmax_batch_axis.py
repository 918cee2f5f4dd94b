"""Softmax that always runs over the batch."""

import torch


def softmax(x, dim):
    if not x.is_floating_point():
        raise TypeError("scores must be floating")
    if not -x.ndim <= dim < x.ndim:
        raise IndexError("no such axis")
    if not x.numel():
        return x.clone()
    weights = torch.exp(x - x.amax(0, keepdim=True))
    return weights / weights.sum(0, keepdim=True)
