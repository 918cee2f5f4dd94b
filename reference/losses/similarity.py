"""How much two vectors point the same way."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axis, check_floating, check_positive


def cosine_similarity(x: Tensor, y: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Take the cosine of the angle between vectors.

        cos = Σ x · y / (max(‖x‖, eps) · max(‖y‖, eps))

    where sums and norms run over ``dim``.

    Args:
        x: any shape, floating.
        y: a shape that broadcasts with that of ``x``.
        dim: the axis of the vectors in the broadcast shape.
        eps: above 0, the least norm of each vector.

    Returns:
        The broadcast shape without ``dim``, the dtype of ``x``, within [−1, 1] up to rounding. A zero vector gives 0.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes do not broadcast, or ``eps`` is not above 0.
        IndexError: there is no such axis.

    Conventions: each norm is bounded on its own; PyTorch before 1.13 and optax bound their product or their squares.

    Source: note 001 (words as one-hot vectors), note 002 §6.3.1.
    """
    check_floating("x", x)
    check_floating("y", y)
    check_positive("eps", eps)
    try:
        shape = torch.broadcast_shapes(x.shape, y.shape)
    except RuntimeError:
        raise ValueError(f"y has shape {tuple(y.shape)}, expected one that broadcasts with {tuple(x.shape)}") from None
    axis = check_axis("dim", dim, len(shape))
    return (_unit(x.expand(shape), axis, eps) * _unit(y.expand(shape), axis, eps)).sum(axis)


def _unit(x: Tensor, axis: int, eps: float) -> Tensor:
    square = x.square().sum(axis, keepdim=True)
    # √ has no finite slope at 0: short vectors never reach it.
    long = square > eps * eps
    return x / torch.where(long, torch.sqrt(torch.where(long, square, torch.ones_like(square))), eps)
