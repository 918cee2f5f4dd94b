"""Backward passes under other circumstances than right after a call on contiguous tensors."""

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised, copy
from lawbook.fixtures.tree import is_floating, map_leaves, values
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.layouts import arrange, arranged

LONG = 16
"""Axes longer than this are rare, and the ends of blocks are met on them alone: every layout and half precision sees them."""

IN_VAIN = 2
"""Gradients that turn out wrong under any circumstances are not upset any further after so many cases of a law."""


def is_long(case: Case) -> bool:
    """Whether an axis of a tensor is longer than ``LONG``."""
    return max((size for leaf in values(case.arguments) for size in getattr(leaf, "shape", ())), default=0) > LONG


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


class Circumstances:
    """What universal laws ask of values and gradients under other circumstances."""

    oracle: Any
    layouts: tuple[str, ...]
    differentiable: tuple[str, ...]
    rows: Any
    test_gradient_agrees: Any
    in_vain: int = 0

    def _laid_out(self, impl: Trial, plain: Case, kind: str) -> float:
        case, given = arranged(plain, kind)
        got = impl.call_with(given)[1]
        what = f"with {kind} arguments"
        truth, spread = self.oracle.value(case), self.oracle.value_spread(case)
        share = self.oracle.check_like(got, case, truth, spread, self.rows(case), what)
        first = kind == self.layouts[plain.seed % len(self.layouts)]
        if kind == "expanded" or not first or plain.seed // 4 % 2:
            return share
        return max(share, self._gradient_under(impl, plain, what, lambda leaf: arrange(leaf, kind)))

    def _backward_after(self, impl: Trial, case: Case, other: dict[str, Any]) -> None:
        """The gradient is that of the call it belongs to, whatever was computed between the call and its backward pass."""
        if case.seed % 3:
            # What is kept from call to call is kept in every case.
            return

        def compute(trial: Trial) -> None:
            # What comes between is recorded too: only then does it leave anything behind for a backward pass.
            given = copy(other)
            for name in self.differentiable:
                for leaf in filter(is_floating, values(given.get(name))):
                    leaf.requires_grad_(True)
            with contextlib.suppress(Raised), torch.enable_grad():
                trial.call_with(given)

        self._gradient_under(impl, case, "with another call before the backward pass", between=compute)

    def _gradient_under(
        self, impl: Trial, case: Case, what: str, *how: Any, usual: Case | None = None, **more: Any
    ) -> float:
        """The law of the gradient once more, under other circumstances; 0 where it does not apply or cannot be upset."""
        implementation = impl.implementation
        foreign = implementation.bridge != "torch" or implementation.vjp is not None
        if foreign or type(self).inapplicable("gradient_agrees", implementation, self.dtype):  # type: ignore[attr-defined]
            return 0.0
        if self.in_vain >= IN_VAIN:
            return 0.0
        try:
            found = self.test_gradient_agrees(Upset(impl, *how, **more), case)
        except (LawBroken, Raised) as broken:
            try:
                self.test_gradient_agrees(impl, usual or case)
            except (LawBroken, Raised):
                # It is wrong under any circumstances: that is for the law of the gradient to say.
                self.in_vain += 1
                return 0.0
            if isinstance(broken, LawBroken):
                broken.args = (f"{broken.args[0]} {what}".strip(),)
            raise
        return found if isinstance(found, float) else 0.0

    def _recorded(self, result: Any, case: Case) -> None:
        """The value is the same while gradients are recorded, where other code runs as a rule."""
        truth, spread = self.oracle.value(case), self.oracle.value_spread(case)
        self.oracle.check_like(result, case, truth, spread, self.rows(case), "while gradients are recorded")
