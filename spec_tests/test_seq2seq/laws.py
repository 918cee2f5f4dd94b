"""What several of the chapter's Specs share."""

import torch

from lawbook.spec_tests.spec import require

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


def number(x):
    """A score as a tensor."""
    return torch.tensor(float(x), dtype=torch.float64)


def printed(found, expected):
    """Require that the numbers found, to as many decimals, are those printed."""
    found = [f"{float(x):.{len(text.partition('.')[2])}f}" for x, text in zip(found, expected, strict=True)]
    require(found == list(expected), f"{found} are not the printed {list(expected)}")
