"""Dropout: of single elements, of whole channels, and with a given mask."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_axes, check_floating, check_range, check_same_shape, check_whole


def dropout(x: Tensor, p: float = 0.5, *, seed: int, training: bool = True) -> Tensor:
    """Zero each element with chance p, and scale the others so that the mean is kept.

        y_i = m_i x_i / (1 − p),   m_i independent, 1 with chance 1 − p, else 0

    where nothing is dropped or scaled outside training.

    Args:
        x: any shape, floating.
        p: the chance of being dropped, 0 … 1; 0 gives ``x``, 1 zeros.
        seed: a whole number of at least 0. The same seed and shape drop the same elements, another seed an independent
            choice of them, and the global random generators are neither read nor moved.
        training: False gives ``x``.

    Returns:
        A new tensor, shape and dtype of ``x``.

    Raises:
        ValueError: ``p`` is outside 0 … 1.
        TypeError: ``x`` is not floating, or ``seed`` not a whole number.

    Conventions: p is the share dropped (PyTorch, Keras, flax), where the paper's p is the share kept. The paper scales
        weights by its p after training; scaling in training leaves evaluation alone. Which elements belong to a seed is
        each library's own affair.

    Source: note 001 §2, nn.Dropout; note 004, dropout; Srivastava et al. 2014, JMLR 15.
    """
    check_floating("x", x)
    return _dropped(x, p, seed, training, x.shape)


def dropout2d(x: Tensor, p: float = 0.5, *, seed: int, training: bool = True) -> Tensor:
    """Zero each channel of each image with chance p, and scale the others.

        y_nc = m_nc x_nc / (1 − p),   m_nc independent, 1 with chance 1 − p, else 0

    where neighbouring pixels say much the same, so that dropping single ones would hide little.

    Args:
        x: (N, C, H, W), floating.
        p, seed, training: as in ``dropout``.

    Returns:
        A new tensor, shape and dtype of ``x``.

    Raises:
        ValueError: ``x`` has not four axes, or ``p`` is outside 0 … 1.
        TypeError: ``x`` is not floating, or ``seed`` not a whole number.

    Conventions: channels are the second axis, as in PyTorch; Keras' SpatialDropout2D has them last by default.

    Source: note 002 §6, nn.Dropout2d; Tompson et al. 2015, arXiv:1411.4280.
    """
    check_floating("x", x)
    check_axes("x", x, 4)
    return _dropped(x, p, seed, training, (*x.shape[:2], 1, 1))


def dropout3d(x: Tensor, p: float = 0.5, *, seed: int, training: bool = True) -> Tensor:
    """Zero each channel of each volume with chance p, and scale the others.

        y_nc = m_nc x_nc / (1 − p),   m_nc independent, 1 with chance 1 − p, else 0

    Args:
        x: (N, C, D, H, W), floating.
        p, seed, training: as in ``dropout``.

    Returns:
        A new tensor, shape and dtype of ``x``.

    Raises:
        ValueError: ``x`` has not five axes, or ``p`` is outside 0 … 1.
        TypeError: ``x`` is not floating, or ``seed`` not a whole number.

    Conventions: as in ``dropout2d``.

    Source: note 002 §6, nn.Dropout3d; Tompson et al. 2015, arXiv:1411.4280.
    """
    check_floating("x", x)
    check_axes("x", x, 5)
    return _dropped(x, p, seed, training, (*x.shape[:2], 1, 1, 1))


def apply_dropout_mask(x: Tensor, mask: Tensor, p: float) -> Tensor:
    """Dropout with a given choice of elements.

        y_i = x_i / (1 − p)   where mask_i,   else 0

    where the gradient passes by the same elements, with the same factor.

    Args:
        x: any shape, floating.
        mask: which elements are kept, bool, shape of ``x``.
        p: the chance with which the mask was drawn to drop an element, 0 … 1; 1 gives zeros whatever the mask says.

    Returns:
        A new tensor, shape and dtype of ``x``.

    Raises:
        ValueError: shapes differ, or ``p`` is outside 0 … 1.
        TypeError: ``x`` is not floating, or ``mask`` not bool.

    Conventions: flax and Keras select, so that a dropped nan or inf becomes 0; the note and PyTorch multiply by 0, so
        that it becomes nan. For finite numbers both are the same.

    Source: note 004, dropout.
    """
    check_floating("x", x)
    check_same_shape("mask", mask, "x", x)
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, got {mask.dtype}")
    check_range("p", p, 0, 1)
    if p == 1:
        mask = torch.zeros_like(mask)
    return torch.where(mask, x / (1 - p) if p < 1 else x, 0)


def _dropped(x: Tensor, p: float, seed: int, training: bool, choices: Sequence[int]) -> Tensor:
    """Dropout that decides once for every element of a tensor of shape ``choices``."""
    check_range("p", p, 0, 1)
    seed = check_whole("seed", seed)
    if not training or p == 0:
        return x.clone()
    kept = torch.rand(tuple(choices), generator=Generator().manual_seed(seed), dtype=torch.float64) >= p
    return apply_dropout_mask(x, kept.to(x.device).expand(x.shape), p)
