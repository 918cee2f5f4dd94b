"""Laws of arithmetic that makes a new tensor."""

import math

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases.tensors import arithmetic as domains
from lawbook.reference.tensors import arithmetic
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

INF, NAN = math.inf, math.nan
OVERFLOW = "finite numbers give finite results but for overflow of the dtype itself"
MISMATCHED = (
    Invalid(ValueError, "sizes 2 and 3", x=ones(2), y=ones(3)),
    Invalid(ValueError, "a row of 2 against three columns", x=ones(2, 3), y=ones(2)),
    Invalid(ValueError, "no elements against 2", x=ones(0), y=ones(2)),
)
EMPTY = (
    {"x": ones(0), "y": ones(0)},
    {"x": ones(0, 3), "y": ones(1, 3)},
    {"x": ones(1), "y": ones(2, 0)},
    {"x": ones(()), "y": 3 * ones(1, 1)},
    {"x": 2 * ones(1), "y": 3 * ones(1)},
)


def special_values_agree(got, expected, what):
    """Require nan, infinities, zeros with their signs and numbers, one by one."""
    expected = torch.tensor(expected, dtype=got.dtype)
    same = (got == expected) & (got.signbit() == expected.signbit()) | (got.isnan() & expected.isnan())
    at = int(same.logical_not().nonzero()[0]) if not same.all() else 0
    require(same.all(), f"{what(at)} gives {got[at].item():g}, expected {expected[at].item():g}", got=got)


def axis_of_rows(shape):
    """An axis of size 1 where there is one: the judge then looks at every element by itself."""
    return shape.index(1) if 1 in shape else -1


class Elementwise(Spec):
    """Two tensors, broadcast, element by element."""

    differentiable = ("x", "y")
    invalid = MISMATCHED
    edges = EMPTY
    second = "y"
    ieee: tuple[tuple[float, float, float], ...] = ()

    def shape_of(self, case):
        other = case[self.second]
        return torch.broadcast_shapes(case.x.shape, other.shape if torch.is_tensor(other) else ())

    def rows(self, case):
        return axis_of_rows(self.shape_of(case))

    def batch(self, case):
        shape = self.shape_of(case)
        whole = {
            name: 0 for name in ("x", self.second) if torch.is_tensor(case[name]) and _has_axis(case[name].shape, shape)
        }
        return Batch(output=0, **whole) if whole and shape[0] > 1 else None

    def test_broadcasting_repeats(self, impl, case):
        """Axes that are missing or of size 1 count as if they were repeated."""
        shape = self.shape_of(case)
        repeated = {
            name: case[name].expand(shape).contiguous() for name in ("x", self.second) if torch.is_tensor(case[name])
        }
        return impl(case), impl(case, **repeated)

    def test_special_values_follow_ieee(self, impl):
        """Zeros of both signs, infinities and nan give what IEEE 754 says."""
        x, y, expected = ([row[k] for row in self.ieee] for k in range(3))
        arguments = {"x": tensor(x, dtype=self.dtype), self.second: tensor(y, dtype=self.dtype)}
        special_values_agree(impl.call(**arguments), expected, lambda k: f"{self.name} of {x[k]:g} and {y[k]:g}")

    def test_whole_numbers_beside_floating_ones(self, impl, case):
        """Integers beside a floating tensor count as the numbers they are, none is truncated to them."""
        shape = self.shape_of(case)
        whole = torch.randint(1, 5, shape, generator=case.generator(1))
        halves = case.noise(shape).round() + 2.5
        beside = impl(case, **{"x": halves, self.second: whole})
        require(beside.is_floating_point(), f"the result is {beside.dtype}, expected a floating dtype")
        return beside.to(case.dtype), impl(case, **{"x": halves, self.second: whole.to(case.dtype)})

    def test_the_wider_dtype_wins(self, impl, case):
        """A tensor in float64 beside one of any floating dtype gives float64."""
        shape = self.shape_of(case)
        narrow, wide = case.noise(shape).abs() + 1, case.noise(shape, 1).double()
        result = impl(case, **{"x": narrow, self.second: wide})
        require(result.dtype == torch.float64, f"the result is {result.dtype}, expected torch.float64")
        return result, impl(case, **{"x": narrow.double(), self.second: wide})


def _has_axis(shape, of):
    """Whether a shape has the first axis of the shape it broadcasts to, in full."""
    return len(of) > 0 and len(shape) == len(of) and shape[0] == of[0]


def _numbers(case):
    """The two arguments as floating tensors, in one order for every law."""
    return case.x.to(case.dtype), case.y.to(case.dtype)


class TestAdd(Elementwise):
    component = arithmetic.add
    cases = domains.add
    declines = {"extremes_stay_finite": OVERFLOW}
    ieee = (
        (INF, -INF, NAN),
        (INF, 1.0, INF),
        (-INF, -INF, -INF),
        (-0.0, -0.0, -0.0),
        (0.0, -0.0, 0.0),
        (-2.0, 2.0, 0.0),
        (NAN, 1.0, NAN),
    )

    def test_order_does_not_matter(self, impl, case):
        """x + y = y + x."""
        return impl(case, x=case.y, y=case.x), impl(case)

    def test_zero_changes_nothing(self, impl, case):
        """x + 0 = x."""
        return impl(case, y=torch.zeros_like(case.x)), case.x

    def test_two_bools_give_their_or(self, impl):
        """True where either is; the result stays bool."""
        got = impl.call(x=tensor([False, False, True, True]), y=tensor([False, True, False, True]))
        require(got.dtype == torch.bool, f"two bools give {got.dtype}, expected torch.bool")
        require(got.tolist() == [False, True, True, True], f"FF, FT, TF, TT give {got.tolist()}, expected their or")


class TestSub(Elementwise):
    component = arithmetic.sub
    cases = domains.sub
    prerequisites = ("add", "neg")
    invalid = (*MISMATCHED, Invalid(TypeError, "two bools", x=tensor([True]), y=tensor([False])))
    declines = {"extremes_stay_finite": OVERFLOW}
    ieee = (
        (INF, INF, NAN),
        (-INF, INF, -INF),
        (1.0, INF, -INF),
        (0.0, 0.0, 0.0),
        (-0.0, 0.0, -0.0),
        (0.0, -0.0, 0.0),
        (1.0, NAN, NAN),
    )

    def test_adds_the_negative(self, impl, case):
        """x − y = x + (−y)."""
        return impl(case), arithmetic.add(case.x, arithmetic.neg(case.y))

    def test_exchange_turns_the_sign(self, impl, case):
        """y − x = −(x − y)."""
        return impl(case, x=case.y, y=case.x), -impl(case)

    def test_gradients_are_opposite(self, impl, case):
        """What x gains in slope y loses."""
        x, y = _numbers(case.but(x=case.x.expand(self.shape_of(case)), y=case.y.expand(self.shape_of(case))))
        grads = impl.vjp(case, wrt=("x", "y"), x=x, y=y)[1]
        return grads["x"], -grads["y"]


class TestMul(Elementwise):
    component = arithmetic.mul
    cases = domains.mul
    twice = True
    declines = {"extremes_stay_finite": OVERFLOW}
    ieee = (
        (0.0, INF, NAN),
        (-0.0, 3.0, -0.0),
        (-0.0, -3.0, 0.0),
        (-INF, 2.0, -INF),
        (-INF, -INF, INF),
        (0.0, NAN, NAN),
    )

    def test_order_does_not_matter(self, impl, case):
        """x · y = y · x."""
        return impl(case, x=case.y, y=case.x), impl(case)

    def test_one_changes_nothing(self, impl, case):
        """x · 1 = x."""
        return impl(case, y=torch.ones_like(case.x)), case.x

    def test_each_factor_is_the_slope_of_the_other(self, impl, case):
        """The gradient to x is y and the gradient to y is x, each times the cotangent."""
        x, y = _numbers(case.but(x=case.x.expand(self.shape_of(case)), y=case.y.expand(self.shape_of(case))))
        cotangent = case.noise(x.shape)
        grads = impl.vjp(case, [cotangent], wrt=("x", "y"), x=x, y=y)[1]
        return [(grads["x"].reshape(-1, 1), (cotangent * y).reshape(-1, 1)), (grads["y"], cotangent * x)]

    def test_matrices_are_multiplied_place_by_place(self, impl):
        """The Hadamard product of note 001, of two matrices of whole numbers."""
        got = impl.call(x=tensor([[1, 3], [2, 4]]), y=tensor([[2, 4], [1, 3]]))
        require(got.tolist() == [[2, 12], [2, 12]], f"it is {got.tolist()}, expected [[2, 12], [2, 12]]")

    def test_two_bools_give_their_and(self, impl):
        """True where both are; the result stays bool."""
        got = impl.call(x=tensor([False, False, True, True]), y=tensor([False, True, False, True]))
        require(got.dtype == torch.bool, f"two bools give {got.dtype}, expected torch.bool")
        require(got.tolist() == [False, False, False, True], f"FF, FT, TF, TT give {got.tolist()}, expected their and")


class TestDiv(Elementwise):
    component = arithmetic.div
    cases = domains.div
    twice = True
    extremes = domains.div_extremes
    prerequisites = ("mul",)
    ieee = (
        (1.0, 0.0, INF),
        (1.0, -0.0, -INF),
        (-1.0, 0.0, -INF),
        (0.0, 0.0, NAN),
        (-0.0, 3.0, -0.0),
        (INF, INF, NAN),
        (-1.0, INF, -0.0),
        (INF, -0.0, -INF),
        (NAN, 1.0, NAN),
    )

    def test_multiplying_takes_it_back(self, impl, case):
        """(x / y) · y = x."""
        shape = self.shape_of(case)
        return impl(case) * case.y, case.x.expand(shape)

    def test_quotients_of_whole_numbers_are_not_rounded(self, impl, case):
        """7 / 2 = 3.5, also below 0, and the result is floating."""
        x = torch.randint(-99, 100, case.x.shape, generator=case.generator(1))
        y = torch.tensor([-4, -2, 2, 4, 8])[torch.randint(0, 5, case.y.shape, generator=case.generator(2))]
        quotient = impl(case, x=x, y=y)
        require(quotient.is_floating_point(), f"the quotient is {quotient.dtype}, expected a floating dtype")
        return quotient.to(case.dtype), x.to(case.dtype) / y.to(case.dtype)

    def test_common_factor_does_not_matter(self, impl, case):
        """2ⁿ x over 2ⁿ y is x over y, and the slope to y shrinks by 2ⁿ, far beyond where squares of y leave the dtype's range."""
        # Beyond the square root of the largest number.
        factor = 2.0 ** int(0.6 * math.log2(torch.finfo(case.dtype).max))
        plain, slope = impl.vjp(case, [torch.ones(self.shape_of(case), dtype=case.dtype)], wrt=("y",))
        equations = []
        for scale in (factor, 1 / factor):
            ones_ = torch.ones_like(plain)
            value, scaled = impl.vjp(case, [ones_], wrt=("y",), x=case.x * scale, y=case.y * scale)
            equations += [(value, plain), (scaled["y"] * scale, slope["y"])]
        return equations


class TestPow(Elementwise):
    component = arithmetic.pow
    cases = domains.pow
    second = "exponent"
    differentiable = ("x", "exponent")
    twice = True
    extremes = domains.pow_extremes
    prerequisites = ("mul", "exp", "log")
    invalid = (
        Invalid(ValueError, "sizes 2 and 3", x=ones(2), exponent=ones(3)),
        Invalid(ValueError, "no elements against 2", x=ones(0), exponent=ones(2)),
        Invalid(ValueError, "an integer to the power of −1", x=tensor([1, 2]), exponent=-1),
        Invalid(ValueError, "integers, one of them to a negative integer", x=tensor([2, 2]), exponent=tensor([1, -1])),
        Invalid(TypeError, "text for an exponent", x=ones(2), exponent="2"),
    )
    edges = (
        {"x": tensor([3, 4], dtype=torch.int32), "exponent": 2},
        {"x": tensor([-1.0, 1.0]), "exponent": tensor([torch.nan, torch.nan])},
        {"x": ones(0), "exponent": ones(0)},
        {"x": ones(0, 3), "exponent": 2},
        {"x": ones(1), "exponent": ones(2, 0)},
        {"x": 3 * ones(()), "exponent": 2.0},
        {"x": 3 * ones(1), "exponent": 2 * ones(1, 1)},
        {"x": zeros(3), "exponent": 2},
        {"x": zeros(2), "exponent": 1},
        {"x": zeros(2), "exponent": 0},
        {"x": tensor([], dtype=torch.int64), "exponent": tensor([], dtype=torch.int64)},
    )
    ieee = (
        (0.0, 0.0, 1.0),
        (-0.0, 0.0, 1.0),
        (NAN, 0.0, 1.0),
        (INF, 0.0, 1.0),
        (1.0, NAN, 1.0),
        (1.0, INF, 1.0),
        (0.0, -1.0, INF),
        (-0.0, -1.0, -INF),
        (-0.0, -2.0, INF),
        (-8.0, 1 / 3, NAN),
        (-8.0, 3.0, -512.0),
        (-INF, 3.0, -INF),
        (-INF, 2.0, INF),
        (-INF, -3.0, -0.0),
        (2.0, -INF, 0.0),
        (0.5, -INF, INF),
        (2.0, 1e5, INF),
        (2.0, -1e5, 0.0),
        (-2.0, 100001.0, -INF),
        (NAN, 1.0, NAN),
    )

    def test_whole_exponents_multiply(self, impl, case):
        """x² = x · x and x³ = x · x · x, for negative x too, whether the exponent is a number or a tensor."""
        x = case.x
        two, three = (torch.full_like(x, exponent) for exponent in (2, 3))
        return [
            (impl(case, exponent=2).reshape(-1, 1), (x * x).reshape(-1, 1)),
            (impl(case, exponent=two).reshape(-1, 1), (x * x).reshape(-1, 1)),
            (impl(case, exponent=3).reshape(-1, 1), (x * x * x).reshape(-1, 1)),
            (impl(case, exponent=three).reshape(-1, 1), (x * x * x).reshape(-1, 1)),
        ]

    def test_exponents_add(self, impl, case):
        """x^(a + b) = x^a · x^b for positive x."""
        x, a, b = (case.noise(case.x.shape, k) for k in range(3))
        x = x.abs() + 0.1
        together = impl(case, x=x, exponent=a + b)
        return together.reshape(-1, 1), (impl(case, x=x, exponent=a) * impl(case, x=x, exponent=b)).reshape(-1, 1)

    def test_half_is_the_root(self, impl, case):
        """x^½ = √x for positive x, and x^−1 = 1 / x."""
        x = case.noise(case.x.shape).abs() + 0.1
        return [
            (impl(case, x=x, exponent=0.5).reshape(-1, 1), torch.sqrt(x).reshape(-1, 1)),
            (impl(case, x=x, exponent=-1).reshape(-1, 1), (1 / x).reshape(-1, 1)),
        ]

    def test_the_number_one_half_does_what_a_tensor_of_it_does(self, impl):
        """(−inf)^½ = inf and (−0)^½ = 0, whether ½ is a number or a tensor."""
        x = tensor([-INF, -0.0, 4.0], dtype=self.dtype)
        for exponent in (0.5, torch.full_like(x, 0.5)):
            got = impl.call(x=x, exponent=exponent)
            special_values_agree(got, [INF, 0.0, 2.0], lambda k: f"{x[k].item():g} to the power of a half")

    def test_powers_of_zero_have_their_slopes(self, impl, case):
        """At x = 0 the slope to x is 0 for exponents 0 and 2, 1 for 1, infinite for ½; the slope to the last three is 0."""
        exponent = tensor([0.0, 2.0, 1.0, 0.5], dtype=case.dtype)
        zero = torch.zeros_like(exponent)
        grads = impl.vjp(case, [torch.ones_like(zero)], wrt=("x", "exponent"), x=zero, exponent=exponent)[1]
        return [
            (grads["x"].reshape(-1, 1), tensor([[0.0], [0.0], [1.0], [INF]], dtype=case.dtype)),
            (grads["exponent"][1:], torch.zeros_like(exponent[1:])),
        ]

    def test_negative_numbers_have_slopes_to_whole_powers(self, impl, case):
        """For x < 0 and whole e, a tensor, the slope to x is e · xᵉ⁻¹."""
        x = -case.noise(case.x.shape).abs() - 0.5
        whole = torch.randint(2, 5, x.shape, generator=case.generator(1))
        slope = impl.vjp(case, [torch.ones_like(x)], wrt=("x",), x=x, exponent=whole.to(x.dtype))[1]["x"]
        powers = torch.where(whole == 2, x, torch.where(whole == 3, x * x, x * x * x))
        return slope.reshape(-1, 1), (whole * powers).reshape(-1, 1)

    def test_slope_of_the_zeroth_power_changes_with_the_exponent(self, impl, case):
        """At e = 0 and x > 0 the slope to x, e · xᵉ⁻¹, is 0, and its own slope to e is 1 / x."""
        x = case.noise(case.x.shape).abs() + 0.1
        given = {"x": x.clone(), "exponent": torch.zeros_like(x)}
        # Of the two gradients, exponent and x in this order, only that to x is followed.
        follow = (0.0, 1.0)
        found = impl.products(
            given,
            ("x", "exponent"),
            lambda _, like: torch.ones_like(like),
            lambda k, like: torch.full_like(like, follow[k]),
        )[1]
        return found["exponent"].reshape(-1, 1), (1 / x).reshape(-1, 1)

    def test_slope_to_the_exponent_is_the_logarithm(self, impl, case):
        """d xᵉ / de = xᵉ · log x for positive x, also where e = 0."""
        x = case.noise(case.x.shape).abs() + 0.1
        exponent = case.noise(case.x.shape, 1).round()
        value, grads = impl.vjp(case, [torch.ones_like(x)], wrt=("exponent",), x=x, exponent=exponent)
        return grads["exponent"].reshape(-1, 1), (value * torch.log(x)).reshape(-1, 1)

    def test_powers_of_integers_are_exact(self, impl):
        """3³⁹, 7²² and (−11)¹⁷ to the last digit, beyond what float64 holds."""
        bases, exponents = (3, 7, -11), (39, 22, 17)
        expected = [base**exponent for base, exponent in zip(bases, exponents, strict=True)]
        got = impl.call(x=tensor(bases), exponent=tensor(exponents))
        require(got.tolist() == expected, f"{bases} to the powers {exponents} are {got.tolist()}, expected {expected}")
        for base, exponent, power in zip(bases, exponents, expected, strict=True):
            got = impl.call(x=tensor([base]), exponent=exponent)
            require(got.tolist() == [power], f"{base} to the power {exponent} is {got.tolist()}, expected {power}")

    def test_integers_to_a_floating_power(self, impl):
        """4^½ and 4^−1 of integers are 2 and 1/4, floating."""
        for power, expected in ((0.5, [2.0, 4.0]), (-1.0, [0.25, 0.0625])):
            for exponent in (power, tensor([power])):
                got = impl.call(x=tensor([4, 16]), exponent=exponent)
                require(
                    got.is_floating_point(),
                    f"integers to the power {power} give {got.dtype}, expected a floating dtype",
                )
                require(
                    got.tolist() == expected, f"[4, 16] to the power {power} is {got.tolist()}, expected {expected}"
                )
