"""The universal laws: what holds for every component, whatever it computes."""

import contextlib
import itertools
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised, copy
from lawbook.fixtures.tree import floating, is_floating, leaves, map_leaves, ordered, values, widened
from lawbook.fixtures.trial import Trial
from lawbook.spec_tests import globals_guard
from lawbook.spec_tests.arguments import (
    HALVES,
    defaults,
    remember,
    remembered,
    require_same,
    same,
    with_nan,
    within_range,
)
from lawbook.spec_tests.crowds import FEWER, MANY, crowded, of_samples
from lawbook.spec_tests.form import check_form
from lawbook.spec_tests.judge import LawBroken, compare
from lawbook.spec_tests.memory import storage
from lawbook.spec_tests.oracle import products, settle
from lawbook.spec_tests.upset import Circumstances, is_long


class UniversalLaws(Circumstances):
    """Laws that every Spec inherits. ``impl`` is the component on trial, ``case`` one input."""

    # What a Spec declares and a trial sets; see there.
    oracle: Any
    dtype: torch.dtype
    device: Any
    tried: int
    skip: Any
    differentiable: tuple[str, ...]
    invalid: tuple[Any, ...]
    edges: tuple[dict[str, Any], ...]
    low_precisions: tuple[torch.dtype, ...]
    low_gradients: bool
    without_effect: tuple[str, ...]
    nan_arguments: tuple[str, ...] | None
    component: Any
    declines: dict[str, str]
    rows: Any
    batch: Any
    layouts: tuple[str, ...]
    lacks_dtype: Any
    refuses_dtype: Any
    name: str

    def test_agrees_with_reference(self, impl: Trial, case: Case) -> Any:
        """The result is the reference's, row by row, within what rounding may do."""
        return self.oracle.check_value(impl(case), case, self.rows(case))

    def test_gradient_agrees(self, impl: Trial, case: Case) -> Any:
        """The vector–Jacobian product with a random cotangent is the reference's, for every differentiable argument."""
        return self._gradient(impl, case, second=False)

    def test_second_derivative_agrees(self, impl: Trial, case: Case) -> Any:
        """The derivative of the vector–Jacobian product along a random direction is the reference's."""
        return self._gradient(impl, case, second=True)

    def test_shape_and_dtype(self, impl: Trial, case: Case) -> Any:
        """Type, structure, shape and dtype of the result are the contract's."""
        got = impl(case)
        form = self.oracle.form(case)
        try:
            check_form(got, form)
        except LawBroken as broken:
            broken.evidence = {"kind": "value", "expected": form, "got": got}
            raise

    def test_inputs_unmodified(self, impl: Trial, case: Case) -> Any:
        """The arguments are as they were after the call."""
        given = copy(case.arguments)
        impl.call_with(given)
        require_same(given, case.arguments, "after the call")

    def test_repeated_calls_agree(self, impl: Trial, case: Case) -> Any:
        """The same input gives the same result again, also after another input in between, and so its gradient."""
        first, second = impl(case), impl(case)
        other = map_leaves(lambda leaf: leaf.flip(-1) if is_floating(leaf) and leaf.ndim else leaf, case.arguments)
        # The other input may be illegal; what counts is the answer to the legal one afterwards.
        with contextlib.suppress(Raised):
            impl.call(**other)
        third = impl(case)
        self._backward_after(impl, case, other)
        self._same_again(first, case, "first")
        self._same_again(second, case, "second")
        wide = widened(second)
        check_form(third, self.oracle.form(case))
        outcome = compare(third, wide, case.dtype, self.rows(case), self.oracle.value_spread(case))
        return settle(outcome, "repeat", third, wide, "at the third call, after another input,")

    def test_memory_layout(self, impl: Trial, case: Case) -> Any:
        """Strides, offset and expansion of the arguments do not matter, nor do those of cotangents to gradients."""
        kinds = [self.layouts[case.seed % len(self.layouts)]]
        if is_long(case):
            kinds += [kind for kind in self.layouts if kind not in (*kinds, "expanded")]
        return max(self._laid_out(impl, case, kind) for kind in kinds)

    def test_no_aliasing(self, impl: Trial, case: Case) -> Any:
        """The result shares no memory with an argument."""
        given = copy(case.arguments)
        # The native result: making tensors of foreign arrays copies them.
        result, _ = impl.call_with(given)
        owners = {storage(leaf): path for path, leaf in leaves(given) if storage(leaf)}
        for path, leaf in leaves(result):
            owner = owners.get(storage(leaf))
            if owner is not None:
                raise LawBroken(f"{path or 'the result'} shares its memory with the argument {owner}", kind="alias")

    def test_samples_independent(self, impl: Trial, case: Case) -> Any:
        """Each sample of a batch is treated alone: by itself it gives its part, a reversed batch the reversed result."""
        batch = self.batch(case)
        sizes = {case[name].shape[axis] for name, axis in (batch.arguments if batch else {}).items()}
        if not batch or sizes == {0}:
            return self.skip
        size = max(sizes)
        whole = ordered(impl(case))
        if case.seed % 2:
            changed = {name: case[name].flip(axis) for name, axis in batch.arguments.items()}
            pick, what = (lambda x, axis: x.flip(axis)), "for the reversed batch"
        else:
            at = case.seed // 2 % size
            changed = {name: case[name].narrow(axis, at, 1) for name, axis in batch.arguments.items()}
            pick, what = (lambda x, axis: x.narrow(axis, at, 1)), f"for sample {at} alone"
        alone = impl(case.but(**changed))
        picked = batch.of_result(pick, whole)
        check_form(alone, picked, f"{what}, the result")
        wide = widened(picked)

        def yardstick(level: int) -> list[Any]:
            # A yardstick for every floating tensor, walked in the order in which the result's tensors are picked.
            yards = zip(self.oracle.value_spread(case)(level), values(whole), strict=True)
            found = iter([yard for yard, leaf in yards if isinstance(leaf, Tensor)])

            def picked_yard(_: Tensor, axis: int) -> Any:
                yard = next(found)
                return None if yard is None else pick(yard, axis)

            return list(values(batch.of_result(picked_yard, whole)))

        outcome = compare(alone, wide, case.dtype, self.rows(case), yardstick)
        return settle(outcome, "batch", alone, wide, what)

    def test_low_precision(self, impl: Trial, case: Case) -> Any:
        """In bfloat16 and float16 the result stays within the rounding of that dtype."""
        dtypes = [dtype for dtype in self.low_precisions if impl.implementation.has_dtype(dtype)]
        if not dtypes:
            return self.skip
        chosen = dtypes if is_long(case) else [dtypes[case.seed % len(dtypes)]]
        shares = [self._in_precision(impl, case, dtype) for dtype in chosen]
        judged = [share for share in shares if share is not self.skip]
        return max(judged) if judged else self.skip

    def _in_precision(self, impl: Trial, case: Case, dtype: torch.dtype) -> Any:
        low = case.memo.setdefault(("low", dtype), within_range(case, dtype).to(dtype))
        what = f"in {str(dtype).removeprefix('torch.')}"
        if self.refuses_dtype(impl, dtype):
            return self._refused(impl, low, what)
        try:
            got = impl(low)
            share = self.oracle.check_like(
                got, low, self.oracle.value(low), self.oracle.value_spread(low), self.rows(low), what
            )
            if not self.low_gradients or case.seed // 2 % 3:
                return share
            return max(share, self._gradient_under(impl, low, what, usual=case))
        except LawBroken as broken:
            broken.evidence["case"] = low.arguments
            if broken.evidence.get("only_dtype"):
                broken.args = (f"{what}: {broken.args[0]}",)
            raise

    def _refused(self, impl: Trial, case: Case, what: str) -> Any:
        """A dtype that is declared unsupported must really be refused; then there is nothing to judge."""
        try:
            got = impl(case)
        except Raised:
            return self.skip
        raise LawBroken(
            f"it is declared unsupported {what}, yet calling it does not raise",
            kind="raises",
            case=case.arguments,
            got=got,
        )

    def test_extremes_stay_finite(self, impl: Trial, case: Case) -> Any:
        """Extreme but legal values give the finite results they should."""
        return self.oracle.check_value(impl(case), case, self.rows(case))

    def test_nan_not_hidden(self, impl: Trial, case: Case) -> Any:
        """A nan among the inputs shows in the result exactly where it must."""
        spoiled = with_nan(case, self.nan_arguments, self.without_effect)
        if spoiled is None:
            return self.skip
        try:
            form = self.oracle.form(spoiled)
        except (ValueError, IndexError):
            return self.skip  # The contract refuses a nan there.
        truth = self.oracle.value(spoiled)
        try:
            got = impl(spoiled)
        except Raised as raised:
            if isinstance(raised.error, Exception):
                return None  # Refusing a nan does not hide it.
            raise
        check_form(got, form)
        for (path, expected), found in zip(leaves(ordered(truth)), values(ordered(got)), strict=True):
            if not is_floating(expected):
                continue
            wrong = (expected.isnan() != found.isnan()).nonzero()
            if len(wrong):
                at = tuple(int(k) for k in wrong[0])
                hidden = bool(expected[at].isnan())
                raise LawBroken(
                    f"{path}{list(at) if at else ''} is {found[at].item():g}, expected "
                    + ("nan: a nan of the input is hidden" if hidden else "a number: a nan of the input leaked there"),
                    kind="nan",
                    case=spoiled.arguments,
                    got=got,
                    expected=truth,
                )

    def test_edge_sizes(self, impl: Trial) -> Any:
        """Empty and size-1 dimensions and other borders of the domain give what the reference gives, gradients included."""
        worst = 0.0
        asked = self.differentiable and impl.implementation.has_gradients
        asked = asked and (self.low_gradients or self.dtype not in HALVES)
        for arguments in self.edges:
            case = Case(arguments, self.dtype)
            with remembered(case):
                worst = max(worst, self.oracle.check_value(impl(case), case, self.rows(case)))
                if asked:
                    worst = max(worst, self._gradient(impl, case, second=False) or 0.0)
            self.tried += 1
        return worst

    def test_many_samples(self, impl: Trial) -> Any:
        """A batch of 37 samples gives what the reference gives, gradients included."""
        found = []
        for case, batch in crowded(self):  # type: ignore[arg-type]
            try:
                found += self._as_the_reference(impl, of_samples(case, batch, MANY))
            except (LawBroken, Raised):
                for fewer in FEWER:
                    self._as_the_reference(impl, of_samples(case, batch, fewer))
                raise
            self.tried += 1
        return max(found) if found else self.skip

    def _as_the_reference(self, impl: Trial, case: Case) -> list[float]:
        """The laws of agreement, of value and gradient, as the Spec has them."""
        laws = [self.test_agrees_with_reference]
        if not type(self).inapplicable("gradient_agrees", impl.implementation, self.dtype):  # type: ignore[attr-defined]
            laws.append(self.test_gradient_agrees)
        with remembered(case):
            return [share for share in (law(impl, case) for law in laws) if isinstance(share, float)]

    def test_invalid_input_raises(self, impl: Trial) -> Any:
        """Arguments that the contract forbids raise, and nothing is half done."""
        for invalid in self.invalid:
            case = Case(invalid.arguments, self.dtype)
            given = copy(case.arguments)
            try:
                _, result = impl.call_with(given)
            except Raised as raised:
                if not isinstance(raised.error, Exception):
                    raise
                try:
                    require_same(given, case.arguments, "after the refused call")
                except LawBroken as broken:
                    remember(broken, case.arguments)
                    raise
            else:
                raise LawBroken(
                    f"accepts {invalid.what}, expected {invalid.error.__name__} (or another exception)",
                    kind="raises",
                    case=case.arguments,
                    got=result,
                )
            self.tried += 1

    def test_defaults_agree(self, impl: Trial, case: Case) -> Any:
        """Optional arguments that are left out count as the contract's defaults."""
        optional = {name: default for name, default in defaults(self.component).items() if name in case.arguments}
        # All of them at once, or one alone: whichever the other arguments allow.
        choices = list(dict.fromkeys([tuple(optional), *((name,) for name in optional)])) if optional else []
        start = case.seed % max(1, len(choices))
        for names in choices[start:] + choices[:start]:
            full = case.but(**{name: optional[name] for name in names})
            if self.oracle.accepts(full):
                return self._left_out(impl, full, names)
        return self.skip

    def test_global_state(self, impl: Trial, case: Case) -> Any:
        """Random generators, default dtype and device, grad mode, thread count and the like are left as found."""
        before = globals_guard.capture()
        try:
            impl(case)
            broken = globals_guard.changed(before)
        finally:
            globals_guard.restore(before)
        if broken:
            raise LawBroken(f"the call changed {', '.join(broken)}", kind="state")

    def test_accelerator_agrees(self, impl: Trial, case: Case) -> Any:
        """On the accelerator the result stays there and equals the CPU's truth."""
        given = self.device.send(copy(case.arguments))
        with self.device.in_use():
            got = impl.call_with(given)[1]
        strays = self.device.strays(got)
        if strays:
            raise LawBroken(f"the result of arguments on {self.device.name} is on {', '.join(strays)}", kind="device")
        return self.oracle.check_like(
            self.device.fetch(got),
            case,
            self.oracle.value(case),
            self.oracle.value_spread(case),
            self.rows(case),
            f"on {self.device.name}",
        )

    def _gradient(self, impl: Trial, case: Case, second: bool) -> float:
        wrt = tuple(name for name in self.differentiable if name in case.arguments)
        truth = self.oracle.gradient(case, wrt, second)
        result, got = products(impl, case, wrt, second)
        if not second:
            self._recorded(result, case)
        contract = map_leaves(lambda leaf: leaf.to(case.dtype) if is_floating(leaf) else leaf, truth)
        kind = "second_derivative" if second else "gradient"
        evidence = {
            "wrt": list(wrt),
            "cotangent": [case.noise(leaf.shape, 7000 + k) for k, leaf in enumerate(floating(result))],
        }
        if second:
            order = itertools.count(8000)
            evidence["direction"] = map_leaves(
                lambda leaf: case.noise(leaf.shape, next(order)) if is_floating(leaf) else None,
                ordered({name: case[name] for name in wrt}),
            )
        try:
            check_form(got, contract, "the gradient")
        except LawBroken as broken:
            broken.evidence = {"kind": kind, "expected": truth, "got": got, **evidence}
            raise
        # The gradient of an argument shaped like the result has the result's rows.
        shapes = {leaf.shape for leaf in floating(result)}
        rows = [self.rows(case) if isinstance(g, Tensor) and g.shape in shapes else -1 for g in values(ordered(truth))]
        outcome = compare(
            got,
            truth,
            case.dtype,
            rows,
            self.oracle.gradient_spread(case, wrt, second),
        )
        return settle(outcome, kind, got, truth, "", **evidence)

    def _left_out(self, impl: Trial, full: Case, names: tuple[str, ...]) -> float:
        given = {name: value for name, value in full.arguments.items() if name not in names}
        what = f"with {' and '.join(names)} left out it is not what the default gives"
        try:
            got = impl.call(**given)
        except Raised as raised:
            remember(raised, given)
            raise
        try:
            expected = impl(full)
        except Raised as raised:
            remember(raised, full.arguments)
            raise
        if same(got, expected):
            return 0.0
        wide = widened(expected)
        try:
            check_form(got, expected)
            if "agrees_with_reference" in self.declines:
                # Chance is the implementation's own, and no reference tells what rounding may do: a seed repeats it.
                raise LawBroken(what, kind="value", got=got, expected=wide)
            outcome = compare(got, wide, full.dtype, self.rows(full), self.oracle.value_spread(full))
            return settle(outcome, "value", got, wide, what)
        except LawBroken as broken:
            remember(broken, given)
            raise

    def _same_again(self, got: Any, case: Case, which: str) -> float:
        return self.oracle.check_like(
            got,
            case,
            self.oracle.value(case),
            self.oracle.value_spread(case),
            self.rows(case),
            f"at the {which} call on the same input",
        )
