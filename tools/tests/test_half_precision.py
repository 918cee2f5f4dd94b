"""Half precision as the working dtype: what the law of low precision asks, in every universal law, and no more."""

import pytest
import torch

from lawbook.fixtures.cases.kit import domain
from lawbook.spec_tests.spec import require
from lawbook.tools.tests.specimens import double, implementation, judge, numbers, spec

HALVES = (torch.bfloat16, torch.float16)


@domain
def thousands(d):
    """Numbers whose squares float16 does not hold, and some that it does not hold themselves."""
    return {"x": d.tensor((3,), ("normal",)).then(lambda x: x.sign() * 1e5 * (1 + x.abs()))}


def square(x):
    return x * x


@pytest.mark.parametrize("dtype", HALVES)
class TestHalfPrecision:
    def test_universal_laws_are_judged(self, dtype):
        of = spec(double, numbers)
        for law in (
            "agrees_with_reference",
            "shape_and_dtype",
            "memory_layout",
            "nan_not_hidden",
            "repeated_calls_agree",
        ):
            assert judge(of, law, double, dtype=dtype).outcome == "pass"
        assert judge(of, "agrees_with_reference", lambda x: 2.5 * x, dtype=dtype).outcome == "fail"
        assert judge(of, "shape_and_dtype", lambda x: 2 * x.float(), dtype=dtype).outcome == "fail"

    def test_inputs_are_within_range(self, dtype):
        assert judge(spec(square, thousands), "agrees_with_reference", square, dtype=dtype).outcome == "pass"

        def finite(x):
            require(bool(torch.isfinite(x * x).all()), "too large")
            return x * x

        assert judge(spec(square, thousands), "agrees_with_reference", finite, dtype=dtype).outcome == "pass"

    def test_own_laws_are_equations_of_more_digits(self, dtype):
        def adds(self, impl, case):
            """It is a sum."""
            return impl(case), case.x + case.x

        of = spec(double, numbers, test_adds=adds)
        assert judge(of, "adds", lambda x: 3 * x).outcome == "fail"
        assert judge(of, "adds", lambda x: 3 * x, dtype=dtype).outcome == "not_applicable"

    def test_what_the_low_precision_law_declines_is_not_judged(self, dtype):
        result = judge(
            spec(double, numbers, declines={"low_precision": "too coarse"}), "global_state", double, dtype=dtype
        )
        assert (result.outcome, result.reason) == ("not_applicable", "too coarse")

    def test_nor_in_a_dtype_that_it_leaves_out(self, dtype):
        for kept in HALVES:
            of = spec(double, numbers, low_precisions=(kept,))
            expected = "pass" if kept == dtype else "not_applicable"
            assert judge(of, "agrees_with_reference", double, dtype=dtype).outcome == expected

    def test_gradients_where_that_law_asks_for_them(self, dtype):
        def detached(x):
            return 2 * x.detach() + 0 * x

        for asked, outcome in ((True, "fail"), (False, "not_applicable")):
            of = spec(double, numbers, differentiable=("x",), twice=True, low_gradients=asked)
            assert judge(of, "gradient_agrees", detached, dtype=dtype).outcome == outcome
            assert judge(of, "second_derivative_agrees", detached, dtype=dtype).outcome == "not_applicable"
            of = spec(double, numbers, differentiable=("x",), low_gradients=asked, edges=({"x": torch.ones(1)},))
            assert judge(of, "edge_sizes", detached, dtype=dtype).outcome == ("fail" if asked else "pass")

    def test_extremes_are_those_of_float32(self, dtype):
        of = spec(double, numbers, extremes=thousands)
        assert judge(of, "extremes_stay_finite", double).outcome == "pass"
        assert judge(of, "extremes_stay_finite", double, dtype=dtype).outcome == "not_applicable"

    def test_other_authorities_are_not_asked(self, dtype):
        mine = implementation(double=lambda x: 3 * x)
        of = spec(double, numbers)
        assert judge(of, "agrees_with_reference", double, authority=lambda name: mine).outcome == "fail"
        result = judge(of, "agrees_with_reference", double, dtype=dtype, authority=lambda name: mine)
        assert result.outcome == "not_applicable"
