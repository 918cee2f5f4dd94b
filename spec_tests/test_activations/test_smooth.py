"""Laws of smooth activations, elu and selu."""

import math

import numpy as np
import torch
from torch import int64, ones, tensor, zeros

from lawbook.fixtures.cases import activations as domains
from lawbook.fixtures.implementation import NotOffered
from lawbook.reference import activations
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_activations.laws import Saturating, Smooth

NO_FLOATS = (Invalid(TypeError, "whole numbers", x=zeros(2, 3, dtype=int64)),)
EDGES = ({"x": zeros(0, 3)}, {"x": zeros(())}, {"x": ones(1, 1)})


def _at(case, value):
    return torch.full_like(case.x, value)


def _apart(values):
    """Every element as a row of its own."""
    return values.reshape(-1, 1)


def _slopes(impl, case, **changes):
    return impl.vjp(case, [torch.ones_like(case.x)], wrt=("x",), **changes)[1]["x"]


def _close_to_zero(x):
    """Magnitudes up to 1e-4, all that is drawn among them: beyond, terms of fifth order would show in float64."""
    return 1e-4 * x / (1 + x.abs())


class TestSigmoid(Saturating, Smooth):
    component = activations.sigmoid
    cases = domains.smooth
    limits = (0.0, 1.0)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES

    def test_mirrored_it_makes_one(self, impl, case):
        """σ(x) + σ(−x) = 1."""
        return _apart(impl(case) + impl(case, x=-case.x)), _apart(torch.ones_like(case.x))

    def test_the_odds_are_the_exponential(self, impl, case):
        """σ(x) = exp(x) · σ(−x)."""
        x = case.x.clamp(-60, 60)
        return _apart(impl(case, x=x)), _apart(torch.exp(x) * impl(case, x=-x))

    def test_slope_is_the_product_of_both_shares(self, impl, case):
        """σ′ = σ(x) · (1 − σ(x)), beside a slope of one."""
        product = activations.sigmoid(case.x) * activations.sigmoid(-case.x)
        return _apart(1 + _slopes(impl, case)), _apart(1 + product)

    def test_gradient_of_saturated_numbers_is_finite(self, impl, case):
        """At ±300, and at ±1e4, the gradient is a number: 0 but for rounding."""
        for size in (300.0, 1e4):
            slopes = torch.stack([_slopes(impl, case, x=_at(case, size * sign)) for sign in (1, -1)])
            require(slopes.isfinite().all(), f"slopes at ±{size:g} are {slopes.flatten().tolist()}")

    def test_between_zero_and_one(self, impl, case):
        """0 ≤ σ ≤ 1, and ½ at 0."""
        y = impl(case)
        require(((y >= 0) & (y <= 1)).all(), f"results span {y.min()}..{y.max()}, expected 0..1")
        return impl(case, x=_at(case, 0.0)), _at(case, 0.5)


class TestTanh(Saturating, Smooth):
    component = activations.tanh
    low_gradients = True
    cases = domains.smooth
    limits = (-1.0, 1.0)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES

    def test_it_is_odd(self, impl, case):
        """tanh(−x) = −tanh(x)."""
        return _apart(impl(case, x=-case.x)), _apart(-impl(case))

    def test_a_sigmoid_stretched(self, impl, case):
        """tanh(x) + 1 = 2σ(2x), for positive x."""
        x = case.x.abs()
        return _apart(1 + impl(case, x=x)), _apart(2 * activations.sigmoid(2 * x))

    def test_close_to_the_identity_near_zero(self, impl, case):
        """tanh(x) = x − x³/3 for small x."""
        x = _close_to_zero(case.x)
        return _apart(impl(case, x=x)), _apart(x - x * x * x / 3)

    def test_slope_is_one_less_the_square(self, impl, case):
        """tanh′ + tanh² = 1."""
        return _apart(_slopes(impl, case) + impl(case).square()), _apart(torch.ones_like(case.x))

    def test_between_minus_one_and_one(self, impl, case):
        """−1 ≤ tanh ≤ 1."""
        y = impl(case)
        require(((y >= -1) & (y <= 1)).all(), f"results span {y.min()}..{y.max()}, expected −1..1")


class TestElu(Saturating, Smooth):
    component = activations.elu
    low_gradients = True
    cases = domains.elu
    limits = (-1.0, torch.inf)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES

    def test_positive_numbers_are_kept(self, impl, case):
        """y = x above 0, to the bit."""
        x = case.x.abs()
        y = impl(case, x=x)
        require((y == x).all(), f"got {y.tolist()}, expected {x.tolist()}")

    def test_its_pieces_meet_at_zero(self, impl, case):
        """Just below 0, y = alpha · (x + x²/2)."""
        x = -1e-4 * _close_to_zero(case.x).abs()
        return _apart(impl(case, x=x)), _apart(case.alpha * (x + x * x / 2))

    def test_slope_at_zero_is_alpha(self, impl, case):
        """At 0, of either sign, y = 0 and the slope is that of the negative side."""
        for zero in (0.0, -0.0):
            require((impl(case, x=_at(case, zero)) == 0).all(), "the result at 0 is not 0")
        return [(_slopes(impl, case, x=_at(case, zero)), _at(case, case.alpha)) for zero in (0.0, -0.0)]

    def test_it_approaches_minus_alpha(self, impl, case):
        """Far below 0, y = −alpha."""
        return impl(case, x=_at(case, -200.0)), _at(case, -case.alpha)

    def test_slope_below_zero_is_the_height_above_the_floor(self, impl, case):
        """y′ − y = alpha below 0."""
        x = -case.x.abs()
        return _apart(_slopes(impl, case, x=x) - impl(case, x=x)), _apart(_at(case, case.alpha))


class TestSelu(Smooth):
    component = activations.selu
    cases = domains.selu
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("elu",)

    def test_a_scaled_elu(self, impl, case):
        """selu = 1.0507… · elu with alpha = 1.6733…"""
        scale, alpha = 1.0507009873554804934, 1.6732632423543772848
        return _apart(impl(case)), _apart(scale * activations.elu(case.x, alpha))

    def test_slope_at_zero_is_that_of_the_negative_side(self, impl, case):
        """At 0 the slope is 1.0507… · 1.6733…"""
        return _slopes(impl, case, x=_at(case, 0.0)), _at(case, 1.0507009873554804934 * 1.6732632423543772848)

    def test_normal_numbers_keep_mean_zero_and_variance_one(self, impl, case):
        """For x from N(0, 1): E[y] = 0 and E[y²] = 1, by quadrature."""
        nodes, weights = np.polynomial.legendre.leggauss(40)
        panels = [torch.from_numpy(nodes) * 1.5 + centre for centre in np.arange(-10.5, 12, 3)]
        x = torch.cat(panels).to(case.dtype)
        share = torch.cat([torch.from_numpy(weights) * 1.5] * len(panels)).to(case.dtype)
        share = share * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5
        y = impl(case, x=x)
        mean, square = (share * y).sum(), (share * y * y).sum()
        return torch.stack([1 + mean, square]), torch.ones(2, dtype=case.dtype)


class TestGelu(Smooth):
    component = activations.gelu
    low_gradients = True
    cases = domains.gelu
    extremes = domains.gelu_extremes
    invalid = (*NO_FLOATS, Invalid(ValueError, "an unknown approximation", x=ones(2), approximate="erf"))
    edges = (*EDGES, {"x": zeros(0, 3), "approximate": "tanh"}, {"x": ones(1, 1), "approximate": "tanh"})

    def test_mirrored_it_makes_the_identity(self, impl, case):
        """f(x) − f(−x) = x."""
        return _apart(impl(case) - impl(case, x=-case.x)), _apart(case.x)

    def test_half_of_a_small_number(self, impl, case):
        """Near 0, y ≈ x/2: nothing but the half is lost."""
        x = 1e-12 * _close_to_zero(case.x)
        return _apart(impl(case, x=x)), _apart(x / 2)

    def test_weighed_by_the_normal_distribution(self, impl, case):
        """The exact form is x · Φ(x), for positive x."""
        x = case.x.abs()
        phi = (1 + torch.erf(x / 2**0.5)) / 2
        return _apart(impl(case, x=x, approximate="none")), _apart(x * phi)

    def test_both_forms_are_close(self, impl, case):
        """The exact form and the approximation differ by less than 1e-3."""
        if torch.finfo(case.dtype).bits < 32:
            return self.skip
        x = case.x.clamp(-8, 8)
        gap = (impl(case, x=x, approximate="none") - impl(case, x=x, approximate="tanh")).abs()
        require((gap < 1e-3).all(), f"they differ by {gap.max().item()}, expected less than 1e-3")


class TestSilu(Smooth):
    component = activations.silu
    low_gradients = True
    cases = domains.smooth
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("sigmoid",)

    def test_weighed_by_the_sigmoid(self, impl, case):
        """y = x · σ(x)."""
        return _apart(impl(case)), _apart(case.x * activations.sigmoid(case.x))

    def test_mirrored_it_makes_the_identity(self, impl, case):
        """f(x) − f(−x) = x."""
        return _apart(impl(case) - impl(case, x=-case.x)), _apart(case.x)

    def test_slope_at_zero_is_a_half(self, impl, case):
        """f′(0) = ½."""
        return _slopes(impl, case, x=_at(case, 0.0)), _at(case, 0.5)


class TestMish(Smooth):
    component = activations.mish
    low_gradients = True
    cases = domains.smooth
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("softplus", "tanh")

    def test_weighed_by_the_tanh_of_the_softplus(self, impl, case):
        """y = x · tanh(softplus(x))."""
        weight = activations.tanh(activations.softplus(case.x, threshold=1e4))
        return _apart(impl(case)), _apart(case.x * weight)

    def test_rational_in_the_exponential(self, impl, case):
        """y = x · n / (n + 2) with n = e² + 2e, e = exp(x)."""
        x = case.x.clamp(-80, 20)
        e = torch.exp(x)
        n = e * (e + 2)
        return _apart(impl(case, x=x)), _apart(x * n / (n + 2))

    def test_slope_at_zero(self, impl, case):
        """f′(0) = tanh(log 2) = 3/5."""
        return _slopes(impl, case, x=_at(case, 0.0)), _at(case, 0.6)


class TestSoftplus(Saturating, Smooth):
    component = activations.softplus
    low_gradients = True
    cases = domains.softplus
    limits = (0.0, torch.inf)
    extremes = domains.huge
    invalid = (
        *NO_FLOATS,
        Invalid(ValueError, "a corner without sharpness", x=ones(2), beta=0.0),
        Invalid(ValueError, "a negative sharpness", x=ones(2), beta=-0.5),
    )
    edges = EDGES

    def test_mirrored_it_lacks_the_identity(self, impl, case):
        """f(x) = x + f(−x), for positive x below the threshold."""
        x = case.x.abs().clamp(max=case.threshold / case.beta * 0.9)
        return _apart(impl(case, x=x)), _apart(x + impl(case, x=-x))

    def test_linear_past_the_threshold(self, impl, case):
        """y = x where beta · x exceeds the threshold, to the bit."""
        x = case.x.abs() + 1.25 * case.threshold / case.beta + 0.125
        y = impl(case, x=x)
        require((y == x).all(), f"got {y.tolist()}, expected {x.tolist()}")

    def test_the_threshold_is_20_by_default(self, impl):
        """Left out, the threshold lies between 19.99 and 20.01: below it numbers grow, beyond it they stay, in float64."""
        if self.lacks_dtype(impl, torch.float64):
            raise NotOffered(f"{impl.implementation.name} has no float64, in which alone it shows")
        x = tensor([19.99, 20.01], dtype=torch.float64)
        grown = (impl.call(x=x) > x).tolist()
        require(grown == [True, False], f"19.99 and 20.01 are made larger: {grown}, expected the first alone")

    def test_soft_at_the_threshold_itself(self, impl, case):
        """With a threshold of 0, x = 0 still gives log 2 / beta."""
        return impl(case, x=_at(case, 0.0), threshold=0.0), _at(case, math.log(2) / case.beta)

    def test_beta_is_a_unit_of_length(self, impl, case):
        """f(x; beta) = f(beta · x; 1) / beta, at the same threshold."""
        x = case.x.clamp(max=case.threshold / case.beta * 0.9)
        return _apart(impl(case, x=x)), _apart(impl(case, x=case.beta * x, beta=1.0) / case.beta)

    def test_slope_is_the_sigmoid(self, impl, case):
        """f′ = σ(beta · x) where it is not linear."""
        x = case.x.clamp(max=case.threshold / case.beta * 0.9)
        return _apart(_slopes(impl, case, x=x)), _apart(activations.sigmoid(case.beta * x))

    def test_slope_at_zero_is_a_half(self, impl, case):
        """f′(0) = ½, whatever beta."""
        return _slopes(impl, case, x=_at(case, 0.0), threshold=20.0), _at(case, 0.5)

    def test_a_large_threshold_does_not_overflow(self, impl, case):
        """With a threshold of 1e5 numbers up to 1e4 stay what they are."""
        x = case.x.clamp(1, 1e4)
        return _apart(impl(case, x=x + 30, beta=1.0, threshold=1e5)), _apart(x + 30 + torch.exp(-x - 30))


class TestLogsigmoid(Saturating, Smooth):
    component = activations.logsigmoid
    cases = domains.smooth
    limits = (-torch.inf, 0.0)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES

    def test_a_mirrored_softplus(self, impl, case):
        """log σ(x) = −softplus(−x)."""
        return _apart(impl(case)), _apart(-activations.softplus(-case.x, threshold=1e5))

    def test_mirrored_it_lacks_the_identity(self, impl, case):
        """log σ(−x) = log σ(x) − x, for positive x."""
        x = case.x.abs()
        return _apart(impl(case, x=-x)), _apart(impl(case, x=x) - x)

    def test_logarithm_of_the_sigmoid(self, impl, case):
        """exp of it is σ(x)."""
        x = case.x.clamp(min=-60)
        return _apart(torch.exp(impl(case, x=x))), _apart(activations.sigmoid(x))

    def test_slope_at_zero_is_a_half(self, impl, case):
        """(log σ)′(0) = ½."""
        return _slopes(impl, case, x=_at(case, 0.0)), _at(case, 0.5)

    def test_slope_is_the_other_share(self, impl, case):
        """(log σ)′ = σ(−x)."""
        return _apart(_slopes(impl, case)), _apart(activations.sigmoid(-case.x))


class TestScaledSigmoid(Smooth):
    component = activations.scaled_sigmoid
    cases = domains.smooth
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("sigmoid",)

    def test_four_sigmoids_less_two(self, impl, case):
        """y + 2 = 4σ(x), for positive x."""
        x = case.x.abs()
        return _apart(2 + impl(case, x=x)), _apart(4 * activations.sigmoid(x))

    def test_close_to_the_identity_near_zero(self, impl, case):
        """y = x − x³/12 for small x."""
        x = _close_to_zero(case.x)
        return _apart(impl(case, x=x)), _apart(x - x * x * x / 12)

    def test_slope_at_zero_is_one(self, impl, case):
        """f′(0) = 1."""
        return _slopes(impl, case, x=_at(case, 0.0)), torch.ones_like(case.x)

    def test_between_minus_two_and_two(self, impl, case):
        """−2 ≤ y ≤ 2."""
        y = impl(case)
        require(((y >= -2) & (y <= 2)).all(), f"results span {y.min()}..{y.max()}, expected −2..2")
