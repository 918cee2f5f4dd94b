"""Softplus as its formula stands: log(1 + exp(x)) has no digits left where x is very negative."""

import torch


def softplus(x, beta=1.0, threshold=20.0):
    if not x.is_floating_point():
        raise TypeError("x is floating")
    if not beta > 0:
        raise ValueError("beta is above 0")
    y = torch.log(1 + torch.exp(beta * x)) / beta
    return torch.where(beta * x > threshold, x, y)
