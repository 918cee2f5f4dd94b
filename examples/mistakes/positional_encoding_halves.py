"""A positional encoding with all sines before all cosines."""

import torch


def positional_encoding(T, D, dtype=torch.float32):
    if not isinstance(T, int) or not isinstance(D, int) or not dtype.is_floating_point:
        raise TypeError("sizes are whole numbers, and the dtype is floating")
    if T < 0 or D < 1:
        raise ValueError("there are at least 0 positions and 1 column")
    pairs = torch.arange(0, D, 2, dtype=torch.float64)
    angles = torch.arange(T, dtype=torch.float64)[:, None] / 10000 ** (pairs / D)
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :D].to(dtype)
