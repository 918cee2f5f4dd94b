"""Attention in the order of fused kernels: the reference in it rounds as they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from torch import Tensor

from lawbook.reference.attention import scoring
from lawbook.reference.attention.masks import exponentials, weighted_sum


@contextmanager
def divided_last() -> Iterator[None]:
    """The reference's attention with its weights divided by their sum at the very end.

    Nothing else in exact arithmetic. Of the slope Σ_j w_j g_j, which is taken off every g_j, it makes the cotangent times the
    result, as fused kernels do (Dao et al. 2022, arXiv:2205.14135, §3.1): where the terms cancel, other digits are lost.
    """
    with patch.object(scoring, "attend", _divided_last):
        yield


def _divided_last(scores: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    weights, total = exponentials(scores, mask)
    return weighted_sum(weights, values, mask) / total
