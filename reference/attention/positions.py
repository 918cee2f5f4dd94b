"""Positions as sines and cosines, and shifts as rotations."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_whole

BASE = 10000.0


def positional_encoding(T: int, D: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Sines and cosines of each position, from fast to slow.

        P[i, 2j] = sin(i ω_j)      P[i, 2j + 1] = cos(i ω_j)      ω_j = 10000^(−2j / D)

    For odd D the last column is a sine without its cosine.

    Args:
        T: how many positions, at least 0.
        D: how many columns, at least 1, even or odd.
        dtype: of the result, floating. Angles are computed in double precision: in half precision position 1045 is 1044.

    Returns:
        (T, D), every element in [−1, 1].

    Raises:
        ValueError: ``T`` is negative, or ``D`` below 1.
        TypeError: ``T`` or ``D`` is no whole number, or ``dtype`` is not a floating one.

    Conventions: tensor2tensor lays all sines before all cosines and takes 10000^(−j / (D/2 − 1)).

    Source: note 004, positional encoding; Vaswani et al. 2017, arXiv:1706.03762, §3.5.
    """
    check_whole("T", T, 0)
    check_whole("D", D, 1)
    _check_dtype(dtype)
    angles = torch.arange(T, dtype=torch.float64)[:, None] * _frequencies(D)
    pairs = torch.stack([torch.sin(angles), torch.cos(angles)], dim=2).flatten(1)
    return pairs[:, :D].to(dtype)


def relative_shift_matrix(delta: int, j: int, D: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The rotation that moves pair j of a positional encoding by ``delta`` positions, whatever the position.

        [  cos(δ ω_j)  sin(δ ω_j) ]   [ P[i, 2j]     ]     [ P[i + δ, 2j]     ]
        [ −sin(δ ω_j)  cos(δ ω_j) ] · [ P[i, 2j + 1] ]  =  [ P[i + δ, 2j + 1] ]      ω_j = 10000^(−2j / D)

    Args:
        delta: δ, a whole number, negative to move back.
        j: which pair of columns, 0 ≤ j < ⌊D/2⌋: the last column of an odd D has no partner.
        D: how many columns the encoding has, at least 2.
        dtype: of the result, floating.

    Returns:
        (2, 2).

    Raises:
        IndexError: there is no pair ``j``.
        ValueError: ``D`` is below 2.
        TypeError: an argument is no whole number, or ``dtype`` is not a floating one.

    Source: note 004, relative positions; Vaswani et al. 2017, arXiv:1706.03762, §3.5.
    """
    check_whole("delta", delta)
    check_whole("D", D, 2)
    if not 0 <= check_whole("j", j) < D // 2:
        raise IndexError(f"j is {j}, expected 0..{D // 2 - 1} for {D} columns")
    _check_dtype(dtype)
    angle = delta * _frequencies(D)[j]
    sine, cosine = torch.sin(angle), torch.cos(angle)
    return torch.stack([cosine, sine, -sine, cosine]).reshape(2, 2).to(dtype)


def _frequencies(D: int) -> Tensor:
    """ω_j for every pair, the last one of an odd D included."""
    return BASE ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)


def _check_dtype(dtype: torch.dtype) -> None:
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype}, expected a floating one")
