"""Masked softmax that gives masked scores a number close to zero, which is a score like any other."""

import torch


def masked_softmax(x, valid_lens=None):
    if not x.is_floating_point() or (valid_lens is not None and valid_lens.is_floating_point()):
        raise TypeError("scores are floating and lengths whole numbers")
    if x.ndim != 3 or (valid_lens is not None and valid_lens.shape not in (x.shape[:1], x.shape[:2])):
        raise ValueError("scores are (B, Q, K), lengths (B,) or (B, Q)")
    if valid_lens is None:
        return torch.softmax(x, -1)
    lengths = valid_lens[:, None] if valid_lens.ndim == 1 else valid_lens
    counts = torch.arange(x.shape[2]) < lengths[..., None]
    return torch.softmax(torch.where(counts, x, 1e-6), -1)
