"""Attention in the order of fused kernels: the reference in it rounds as they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from lawbook.reference.attention import scoring
from lawbook.reference.attention.masks import weighted_sum


@contextmanager
def divided_last() -> Iterator[None]:
    """The reference's attention with its weights divided by their sum at the very end.

    Nothing else in exact arithmetic. Of the slope Σ_j w_j g_j, which is taken off every g_j, it makes the cotangent times the
    result, as fused kernels do (Dao et al. 2022, arXiv:2205.14135, §3.1): where the terms cancel, other digits are lost.
    """
    with patch.object(scoring, "attend", _divided_last):
        yield


def _divided_last(scores: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    if scores.shape[-1] == 0:
        return weighted_sum(scores, values, mask)
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    top = scores.amax(-1, keepdim=True).detach()
    weights = torch.exp(scores - torch.where(top == -torch.inf, 0, top))
    total = weights.sum(-1, keepdim=True)
    return weighted_sum(weights, values, mask) / torch.where(total == 0, 1, total)
