"""What optimizers share: a trajectory is the list of parameters after each step."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_range, check_shape


def begin(initial: Tensor, gradients: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The parameters to start from and the gradient of every step; half precisions are computed in float32.

    Squares of gradients below 2e-4 vanish in float16, as does an eps of 1e-8: what is left is 0 / 0.
    """
    check_floating("initial", initial)
    check_floating("gradients", gradients)
    check_shape("gradients", gradients, (*gradients.shape[:1], *initial.shape))
    if gradients.ndim == 0:
        raise ValueError("gradients has no axis of steps, expected shape (T, *initial)")
    if initial.dtype != gradients.dtype:
        raise TypeError(f"gradients are {gradients.dtype}, expected the dtype of initial, {initial.dtype}")
    wide = torch.promote_types(initial.dtype, torch.float32)
    return initial.to(wide), gradients.to(wide).unbind(0)


def iterates(found: Iterable[Tensor], gradients: Tensor) -> Tensor:
    """The parameters after each step, (T, *shape), in the dtype of the gradients."""
    stacked = list(found)
    return torch.stack(stacked).to(gradients.dtype) if stacked else gradients.clone()


def per_step(name: str, value: Any, steps: int) -> Sequence[Any]:
    """One value for every step: the same one, or those given."""
    if not isinstance(value, list | tuple):
        return [value] * steps
    if len(value) != steps:
        raise ValueError(f"{name} has {len(value)} entries, expected {steps}, one a step")
    return value


def check_rates(**rates: float) -> None:
    """Raise ValueError for a negative rate or decay."""
    for name, rate in rates.items():
        check_range(name, rate, 0)


def root(x: Tensor) -> Tensor:
    """√x, with 0 for its slope at 0: |g| = √g² has none there, and nan in its place would spread."""
    positive = x > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, x, torch.ones_like(x))), x)
