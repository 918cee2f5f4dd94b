"""Laws of functions of one tensor, element by element."""

import math

import torch
from torch import arange, ones, tensor

from lawbook.fixtures.cases.tensors import arithmetic as domains
from lawbook.reference.tensors import arithmetic
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_tensors.test_arithmetic import axis_of_rows, special_values_agree

INF, NAN = math.inf, math.nan


class Function(Spec):
    """A function of every element by itself."""

    differentiable = ("x",)
    edges = ({"x": ones(0)}, {"x": ones(2, 0)}, {"x": 2 * ones(())}, {"x": 2 * ones(1, 1)})
    ieee: tuple[tuple[float, float], ...] = ()

    def rows(self, case):
        return axis_of_rows(case.x.shape)

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim else None

    def test_neighbours_do_not_matter(self, impl, case):
        """In another order and another shape every element has the same result."""
        backwards = impl(case, x=case.x.reshape(1, -1).flip(-1))
        return backwards.reshape(-1, 1), impl(case).reshape(1, -1).flip(-1).reshape(-1, 1)

    def test_special_values_follow_ieee(self, impl):
        """Zeros of both signs, infinities, nan and the ends of the domain give what IEEE 754 says."""
        x, expected = ([row[k] for row in self.ieee] for k in range(2))
        got = impl.call(x=tensor(x, dtype=self.dtype))
        special_values_agree(got, expected, lambda k: f"{self.name} of {x[k]:g}")


class OfWholeNumbers(Function):
    """Whole numbers give floating results."""

    whole: tuple[tuple[int, float], ...] = ()

    def test_whole_numbers_give_floating_results(self, impl):
        """Integers go in, floating numbers come out."""
        x, expected = ([row[k] for row in self.whole] for k in range(2))
        got = impl.call(x=tensor(x))
        require(got.is_floating_point(), f"integers give {got.dtype}, expected a floating dtype")
        shown = [f"{number:.4f}" for number in got.tolist()]
        require(shown == [f"{number:.4f}" for number in expected], f"{self.name} of {x} gives {shown}")


class TestNeg(Function):
    component = arithmetic.neg
    cases = domains.neg
    extremes = domains.all_exponents
    invalid = (Invalid(TypeError, "bools", x=tensor([True, False])),)
    ieee = ((0.0, -0.0), (-0.0, 0.0), (INF, -INF), (-2.5, 2.5), (NAN, -NAN))

    def test_twice_changes_nothing(self, impl, case):
        """−(−x) = x."""
        return impl(case, x=impl(case)), case.x

    def test_cancels_the_number(self, impl, case):
        """x + (−x) = 0."""
        x = torch.where(case.x.isinf(), 1, case.x)
        return x + impl(case, x=x), torch.zeros_like(x)


class TestSqrt(OfWholeNumbers):
    component = arithmetic.sqrt
    cases = domains.sqrt
    twice = True
    extremes = domains.sqrt_extremes
    declines = {"invalid_input_raises": "every tensor of numbers has roots: those of negative numbers are nan"}
    ieee = ((0.0, 0.0), (-0.0, -0.0), (-1.0, NAN), (INF, INF), (-INF, NAN), (NAN, NAN), (4.0, 2.0))
    whole = ((0, 0.0), (1, 1.0), (2, math.sqrt(2)), (9, 3.0), (-4, NAN))

    def test_square_of_the_root(self, impl, case):
        """√x · √x = x."""
        root = impl(case)
        return (root * root).reshape(-1, 1), case.x.reshape(-1, 1)

    def test_root_of_a_square(self, impl, case):
        """√(x · x) = |x|."""
        x = case.noise(case.x.shape)
        return impl(case, x=x * x).reshape(-1, 1), x.abs().reshape(-1, 1)


class TestLog(OfWholeNumbers):
    component = arithmetic.log
    cases = domains.log
    twice = True
    extremes = domains.sqrt_extremes
    prerequisites = ("exp",)
    declines = {"invalid_input_raises": "every tensor of numbers has logarithms: that of 0 is −inf, of less nan"}
    ieee = ((0.0, -INF), (-0.0, -INF), (-1.0, NAN), (1.0, 0.0), (INF, INF), (-INF, NAN), (NAN, NAN))
    whole = ((1, 0.0), (2, math.log(2)), (10, math.log(10)), (0, -INF), (-1, NAN))

    def test_takes_back_the_exponential(self, impl, case):
        """log(exp(x)) = x."""
        x = case.noise(case.x.shape) * 10
        return impl(case, x=arithmetic.exp(x)), x

    def test_products_become_sums(self, impl, case):
        """log(x · y) = log x + log y."""
        x, y = (case.noise(case.x.shape, k).abs() + 0.1 for k in (0, 1))
        return impl(case, x=x * y), impl(case, x=x) + impl(case, x=y)

    def test_powers_of_two_are_whole_multiples(self, impl, case):
        """log(2ⁿ) = n · log 2, for every n whose 2ⁿ is a normal number of the dtype."""
        reach = math.frexp(torch.finfo(case.dtype).max)[1]
        n = arange(2 - reach, reach, dtype=case.dtype)
        return impl(case, x=torch.exp2(n)).reshape(-1, 1), (n * math.log(2)).reshape(-1, 1)


class TestExp(OfWholeNumbers):
    component = arithmetic.exp
    cases = domains.exp
    twice = True
    extremes = domains.exp_extremes
    declines = {"invalid_input_raises": "every tensor of numbers has exponentials"}
    ieee = ((0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e4, INF), (-1e4, 0.0))
    whole = ((0, 1.0), (1, math.e), (-1, 1 / math.e), (2, math.e**2))

    def test_sums_become_products(self, impl, case):
        """exp(x + y) = exp(x) · exp(y)."""
        x, y = (case.noise(case.x.shape, k) * 5 for k in (0, 1))
        return impl(case, x=x + y).reshape(-1, 1), (impl(case, x=x) * impl(case, x=y)).reshape(-1, 1)

    def test_takes_back_the_logarithm(self, impl, case):
        """exp(log(x)) = x."""
        x = case.noise(case.x.shape).abs() + 0.1
        return impl(case, x=arithmetic.log(x)).reshape(-1, 1), x.reshape(-1, 1)

    def test_is_its_own_slope(self, impl, case):
        """d exp(x) / dx = exp(x)."""
        x = case.x.clamp(-60, 60)
        value, grads = impl.vjp(case, [torch.ones_like(x)], wrt=("x",), x=x)
        return grads["x"].reshape(-1, 1), value.reshape(-1, 1)
