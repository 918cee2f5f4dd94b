"""Recurrent cells whose gates are taken by way of the hyperbolic tangent: the reference in it rounds as they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from lawbook.reference.recurrent import parameters


@contextmanager
def gates_by_tanh() -> Iterator[None]:
    """The reference's gates as ½ + ½ tanh(½ x).

    Nothing else in exact arithmetic. A gate that is nearly closed is off by half a unit in the last place of an open one, as
    gates are that kernels approximate by a rational function: not by a share of itself, but nothing beside what it gates.
    """
    with patch.object(parameters, "sigmoid", _by_tanh):
        yield


def _by_tanh(x: Tensor) -> Tensor:
    return 0.5 * torch.tanh(0.5 * x) + 0.5
