"""What several of the chapter's Specs share."""

import torch

NO_TENSORS = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor that would say the dtype",
    "nan_not_hidden": "no argument is a tensor that could hold nan",
    "extremes_stay_finite": "no argument has extreme values",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def ramp(*shape, value=0.5):
    """Numbers from −value to value, in order."""
    count = torch.Size(shape).numel()
    return torch.linspace(-value, value, count, dtype=torch.float64).reshape(shape)


def within(valid_len, steps):
    """(B, T), bool: which steps count."""
    return torch.arange(steps) < valid_len[:, None]
