"""Groups of parameters with options of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lawbook.reference.optimization.descent import sgd_momentum

OPTIONS = ("lr", "weight_decay", "momentum")


def per_parameter_options(
    groups: Sequence[Mapping[str, Any]],
    gradients: Sequence[Sequence[Tensor]],
    lr: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
) -> list[list[Tensor]]:
    """Descend with options that differ by group, such as no decay for biases or a higher rate for a new head.

        v_t = momentum · v_{t−1} + g_t + weight_decay · w_{t−1},   w_t = w_{t−1} − lr · v_t

    for every parameter, with its group's options where the group has them and the defaults elsewhere.

    Args:
        groups: dicts with "params", a list of floating tensors, and any of "lr", "weight_decay" and "momentum".
        gradients: for every group a list with (T, *shape) for every parameter.
        lr, weight_decay, momentum: what holds for groups that do not say, at least 0.

    Returns:
        For every group a list with w_1, …, w_T of every parameter, (T, *shape).

    Raises:
        TypeError: a tensor is not floating, or the dtypes differ.
        ValueError: a group without "params" or with an unknown option, gradients that do not fit, or a negative number.

    Conventions: an option that does not exist, such as "weight_dacay", is refused here; torch.optim keeps it silently.

    Source: note 002 §6.3.5 (decay of 1e-5 for weights and 0 for biases under momentum 0.9); note 004, fine-tuning.
    """
    if len(groups) != len(gradients):
        raise ValueError(f"gradients are for {len(gradients)} groups, expected {len(groups)}")
    defaults, found = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}, []
    for i, (group, grads) in enumerate(zip(groups, gradients, strict=True)):
        unknown = sorted(set(group) - {"params", *OPTIONS})
        if "params" not in group or unknown:
            raise ValueError(f"groups[{i}] has {', '.join(unknown) or 'no params'}, expected params and {OPTIONS}")
        options = defaults | {name: group[name] for name in OPTIONS if name in group}
        if len(group["params"]) != len(grads):
            raise ValueError(f"gradients[{i}] are {len(grads)}, expected {len(group['params'])}, one a parameter")
        pairs = zip(group["params"], grads, strict=True)
        found.append([sgd_momentum(w, g, **options, velocity="gradients") for w, g in pairs])
    return found
