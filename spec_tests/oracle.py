"""The truth about a case, computed once and kept with the case."""

from collections.abc import Callable
from typing import Any

import torch

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Implementation, copy
from lawbook.fixtures.tree import floating, is_floating, map_leaves
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests.form import check_form
from lawbook.spec_tests.judge import Axes, Comparison, LawBroken, Order, Yardstick, coarsest, compare, spread


class Oracle:
    """Truth, form and yardsticks of one component.

    Args:
        component: the reference function; it gives the form of the result and what rounding may do.
        authority: who says the truth in float64; the reference itself, or another library when the reference is on trial.
        orders: other orders of the reference's operations, which are as good.
        heartbeat: called before the reference computes: its time is not that of what is on trial.
    """

    def __init__(
        self,
        component: Callable[..., Any],
        authority: Implementation | None = None,
        orders: tuple[Order, ...] = (),
        heartbeat: Callable[[], None] = lambda: None,
    ):
        self.reference = Trial(Implementation([{component.__name__: component}], "reference"), component.__name__)
        self.authority = Trial(authority, component.__name__) if authority else self.reference
        self._orders = orders
        self._heartbeat = heartbeat
        # Cases are kept by name: another component of the same name must not meet this one's truths.
        self._key = (component, authority.name if authority else "reference")

    def accepts(self, case: Case) -> bool:
        """Whether the reference takes these arguments."""
        try:
            self._plain(case)
        except Exception:
            return False
        return True

    def form(self, case: Case) -> Any:
        """The reference's own result in the working dtype: structure, shapes and dtypes are the contract's."""
        return self._kept(case, "form", lambda: self._plain(case))

    def precision(self, case: Case) -> torch.dtype:
        """The dtype to judge in: the working one; if that is float64, and the contract answers in a coarser one, that one."""
        return case.dtype if case.dtype != torch.float64 else coarsest(case.dtype, floating(self.form(case)))

    def value(self, case: Case) -> Any:
        """The truth, in float64."""
        return self._kept(case, "value", lambda: self.authority.call(**self._wide(case).arguments))

    def value_spread(self, case: Case) -> Yardstick:
        """The yardstick of the value: of the reference alone, or its distance to the authority would widen it."""

        def make() -> Yardstick:
            truth = self.reference.call(**self._wide(case).arguments)
            return spread(self._plain, case, truth, self.precision(case), self._orders)

        return self._kept(case, "value spread", make)

    def gradient(self, case: Case, wrt: tuple[str, ...], second: bool) -> Any:
        """The true vector–Jacobian product (or its derivative) with the case's own cotangents."""
        return self._kept(
            case, ("gradient", wrt, second), lambda: products(self.authority, self._wide(case), wrt, second)[1]
        )

    def gradient_spread(self, case: Case, wrt: tuple[str, ...], second: bool) -> Yardstick:
        """The yardstick of the gradient."""

        def evaluate(at: Case) -> Any:
            self._heartbeat()
            return products(self.reference, at, wrt, second)[1]

        return self._kept(
            case,
            ("gradient spread", wrt, second),
            lambda: spread(evaluate, case, evaluate(self._wide(case)), orders=self._orders),
        )

    def check_value(self, got: Any, case: Case, rows: Axes) -> float:
        """The worst share of the allowed error; LawBroken beyond it or where the form is another."""
        return self.check_like(got, case, self.value(case), self.value_spread(case), rows)

    def check_like(self, got: Any, case: Case, truth: Any, yardstick: Yardstick, rows: Axes, what: str = "") -> float:
        """The same against a given truth, such as a slice of the full one."""
        try:
            check_form(got, _as_form(truth, self.form(case)))
        except LawBroken as broken:
            broken.evidence = {"kind": "value", "expected": truth, **broken.evidence}
            raise
        return settle(compare(got, truth, self.precision(case), rows, yardstick), "value", got, truth, what)

    def _plain(self, case: Case) -> Any:
        self._heartbeat()
        # Not by ``call``: what the reference refuses shows as its own exception. Copies, as a reference may be contracted
        # to write into its arguments.
        implementation = self.reference.implementation
        return implementation.to_torch(implementation.function(self.reference.component)(**copy(case.arguments)))  # type: ignore[misc]

    def _wide(self, case: Case) -> Case:
        return self._kept(case, "wide", lambda: case.to(torch.float64))

    def _kept(self, case: Case, what: Any, make: Callable[[], Any]) -> Any:
        key = (self._key, what)
        if key not in case.memo:
            case.memo[key] = make()
        return case.memo[key]


def products(trial: Trial, case: Case, wrt: tuple[str, ...], second: bool) -> tuple[Any, dict[str, Any]]:
    """Value and vector–Jacobian product; with ``second`` the derivative of that product along a random direction."""
    return trial.products(
        copy(case.arguments),
        wrt,
        lambda k, like: case.noise(like.shape, 7000 + k).to(like.dtype),
        (lambda k, like: case.noise(like.shape, 8000 + k).to(like.dtype)) if second else None,
    )


def settle(outcome: Comparison, kind: str, got: Any, truth: Any, what: str = "", **more: Any) -> float:
    """The share, or LawBroken with the worst element."""
    if outcome.share <= 1 or outcome.deviation is None:
        return outcome.share
    worst = outcome.deviation
    raise LawBroken(
        what,
        kind=kind,
        got=got,
        expected=truth,
        position=worst.position,
        got_worst=worst.got,
        expected_worst=worst.expected,
        error=worst.error,
        allowed=worst.allowed,
        **more,
    )


def _as_form(truth: Any, form: Any) -> Any:
    """The truth's shapes with the contract's dtypes; where the shapes are the contract's, the contract itself."""
    shapes = [leaf.shape for leaf in floating(truth)]
    if shapes == [leaf.shape for leaf in floating(form)]:
        return form
    dtypes = iter([leaf.dtype for leaf in floating(form)])
    return map_leaves(lambda leaf: leaf.to(next(dtypes)) if is_floating(leaf) else leaf, truth)
