"""Backward passes under other circumstances than right after a call on contiguous tensors."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from lawbook.fixtures.implementation import Trial
from lawbook.fixtures.tree import map_leaves


class Upset(Trial):
    """A trial whose backward passes meet other memory, or other calls since the forward pass.

    Args:
        trial: what is on trial.
        arrange: lays out arguments and cotangents, leaf by leaf.
        between: called with the trial as it is, between a forward pass and its backward pass.
    """

    def __init__(
        self,
        trial: Trial,
        arrange: Callable[[Any], Any] = lambda leaf: leaf,
        between: Callable[[Trial], None] | None = None,
    ):
        super().__init__(trial.implementation, trial.component)
        self._plain = trial
        self._arrange = arrange
        self._between = between

    def products(
        self,
        arguments: dict[str, Any],
        wrt: tuple[str, ...],
        cotangent: Callable[[int, Any], Tensor],
        direction: Callable[[int, Any], Tensor] | None,
    ) -> tuple[Any, dict[str, Any]]:
        """As ``Trial.products``."""
        given = map_leaves(self._arrange, arguments)
        return super().products(given, wrt, lambda k, like: self._arrange(cotangent(k, like)), direction)

    def meanwhile(self) -> None:
        """What was asked for."""
        if self._between is not None:
            self._between(self._plain)
