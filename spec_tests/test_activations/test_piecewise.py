"""Laws of activations made of pieces."""

import torch
from torch import int64, ones, zeros

from lawbook.fixtures.cases import activations as domains
from lawbook.reference import activations
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_activations.laws import Activation, Elementwise, Saturating

WHOLE = zeros(2, 3, dtype=int64)
NO_FLOATS = (Invalid(TypeError, "whole numbers", x=WHOLE),)
EDGES = ({"x": zeros(0, 3)}, {"x": zeros(())}, {"x": ones(1, 1)})


def _at(case, value):
    return torch.full_like(case.x, value)


def _slope(impl, case, at):
    """The slope at one number, for every element of the case."""
    return impl.vjp(case, [torch.ones_like(case.x)], wrt=("x",), x=_at(case, at))[1]["x"]


class TestRelu(Saturating, Elementwise):
    component = activations.relu
    cases = domains.relu
    limits = (0.0, torch.inf)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES

    def test_positive_and_negative_part_make_the_whole(self, impl, case):
        """relu(x) − relu(−x) = x."""
        return (impl(case) - impl(case, x=-case.x))[..., None], case.x[..., None]

    def test_positive_numbers_are_kept_and_others_are_zero(self, impl, case):
        """y is x or 0, to the bit."""
        y, wanted = impl(case), torch.where(case.x > 0, case.x, 0 * case.x)
        require((y == wanted).all(), f"got {y.tolist()}, expected {wanted.tolist()}")

    def test_twice_is_once(self, impl, case):
        """relu(relu(x)) = relu(x)."""
        once = impl(case)
        require((impl(case, x=once) == once).all(), "applied again it changes its own result")

    def test_slope_at_zero_is_zero(self, impl, case):
        """At 0, of either sign, the slope is 0."""
        return [(_slope(impl, case, zero), _at(case, 0.0)) for zero in (0.0, -0.0)]

    def test_it_is_the_leaky_one_that_does_not_leak(self, impl, case):
        """relu = leaky_relu with a slope of 0."""
        return impl(case)[..., None], activations.leaky_relu(case.x, 0.0)[..., None]


class TestRelu6(Saturating, Elementwise):
    component = activations.relu6
    cases = domains.relu6
    limits = (0.0, 6.0)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("relu",)

    def test_between_zero_and_six(self, impl, case):
        """0 ≤ y ≤ 6, and both are reached."""
        y = impl(case)
        require(((y >= 0) & (y <= 6)).all(), f"results span {y.min()}..{y.max()}, expected 0..6")
        return [(impl(case, x=_at(case, 6.0)), _at(case, 6.0)), (impl(case, x=_at(case, 1e4)), _at(case, 6.0))]

    def test_below_six_it_is_relu(self, impl, case):
        """relu6 of numbers up to 6 is relu."""
        x = case.x.clamp(max=6)
        return impl(case, x=x)[..., None], activations.relu(x)[..., None]

    def test_flat_at_both_joints(self, impl, case):
        """The slope at 0 and at 6 is 0."""
        return [(_slope(impl, case, joint), _at(case, 0.0)) for joint in (0.0, 6.0)]


class TestLeakyRelu(Elementwise):
    component = activations.leaky_relu
    cases = domains.leaky_relu
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = (*EDGES[:1], {"x": -ones(())}, {"x": ones(1, 1)})

    def test_a_slope_of_one_changes_nothing(self, impl, case):
        """negative_slope = 1 is the identity."""
        return impl(case, negative_slope=1.0)[..., None], case.x[..., None]

    def test_a_slope_of_zero_is_relu(self, impl, case):
        """negative_slope = 0 is relu, to the gradient."""
        value, gradients = impl.vjp(case, [torch.ones_like(case.x)], wrt=("x",), negative_slope=0.0)
        slopes = torch.where(case.x > 0, torch.ones_like(case.x), torch.zeros_like(case.x))
        return [(value[..., None], activations.relu(case.x)[..., None]), (gradients["x"][..., None], slopes[..., None])]

    def test_positive_factors_pass_through(self, impl, case):
        """f(4x) = 4 f(x)."""
        return impl(case, x=4 * case.x)[..., None], 4 * impl(case)[..., None]

    def test_slope_at_zero_is_that_of_the_negative_side(self, impl, case):
        """At 0 the slope is negative_slope."""
        return _slope(impl, case, 0.0), _at(case, case.negative_slope)


class TestPrelu(Activation):
    component = activations.prelu
    cases = domains.prelu
    extremes = domains.prelu
    differentiable = ("x", "weight")
    # Whether a weight of nan shows at x = 0 says nothing.
    nan_arguments = ("x",)
    prerequisites = ("leaky_relu",)
    invalid = (
        Invalid(ValueError, "two weights for three channels", x=ones(2, 3), weight=ones(2)),
        Invalid(ValueError, "a weight for each of the samples", x=ones(3), weight=ones(3)),
        Invalid(ValueError, "weights in two axes", x=ones(2, 3), weight=ones(1, 3)),
        Invalid(TypeError, "whole numbers", x=WHOLE, weight=ones(3)),
    )
    edges = (
        {"x": zeros(0, 3), "weight": ones(3)},
        {"x": ones(()), "weight": ones(1)},
        {"x": -ones(1, 1), "weight": ones(1)},
    )

    def test_one_weight_for_all_is_leaky_relu(self, impl, case):
        """Equal weights are a negative slope of that value."""
        slope = case.weight[:1]
        everywhere = torch.where(case.x > 0, case.x, slope.reshape([1] * case.x.ndim) * case.x)[..., None]
        return [
            (impl(case, weight=slope)[..., None], everywhere),
            (impl(case, weight=slope.expand_as(case.weight).clone())[..., None], everywhere),
        ]

    def test_weights_belong_to_their_channels(self, impl, case):
        """Channels and weights in reverse give the result in reverse."""
        if case.x.ndim < 2:
            return self.skip
        return impl(case, x=case.x.flip(1), weight=case.weight.flip(0)), impl(case).flip(1)

    def test_gradient_to_the_weight_is_what_leaks(self, impl, case):
        """∂(Σ y)/∂weight[c] = the sum of the negative numbers of channel c."""
        gradient = impl.vjp(case, [torch.ones_like(case.x)], wrt=("weight",))[1]["weight"]
        leaks = torch.where(case.x > 0, torch.zeros_like(case.x), case.x)
        by_channel = len(case.weight) > 1
        return gradient, leaks.movedim(1, 0).flatten(1).sum(1) if by_channel else leaks.sum().reshape(1)

    def test_slope_at_zero_is_the_weight(self, impl, case):
        """At 0 the slope is the weight."""
        one = torch.ones_like(case.weight[:1])
        return _slope(impl, case.but(weight=one / 4), 0.0), _at(case, 0.25)


class TestThreshold(Elementwise):
    component = activations.threshold
    cases = domains.threshold
    extremes = domains.threshold
    invalid = (Invalid(TypeError, "whole numbers", x=WHOLE, threshold=1.0, value=0.0),)
    edges = tuple({**edge, "threshold": 0.5, "value": 20.0} for edge in EDGES)

    def test_kept_above_and_replaced_below(self, impl, case):
        """y is x above the threshold and the value elsewhere, to the bit."""
        y, wanted = impl(case), torch.where(case.x > case.threshold, case.x, _at(case, case.value))
        require((y == wanted).all(), f"got {y.tolist()}, expected {wanted.tolist()}")

    def test_the_threshold_itself_is_replaced(self, impl, case):
        """x = threshold gives the value."""
        y = impl(case, x=_at(case, case.threshold))
        require((y == case.value).all(), f"got {y.tolist()} at the threshold, expected {case.value}")

    def test_flat_where_it_replaces(self, impl, case):
        """The slope is 1 above the threshold and 0 elsewhere, the threshold included."""
        slopes = impl.vjp(case, [torch.ones_like(case.x)], wrt=("x",))[1]["x"]
        wanted = (case.x > case.threshold).to(case.dtype)
        require((slopes == wanted).all(), f"slopes are {slopes.tolist()}, expected {wanted.tolist()}")

    def test_both_zero_is_relu(self, impl, case):
        """threshold = value = 0 is relu."""
        return impl(case, threshold=0.0, value=0.0)[..., None], activations.relu(case.x)[..., None]


class TestHardtanh(Saturating, Elementwise):
    component = activations.hardtanh
    cases = domains.hardtanh
    limits = (-1.0, 1.0)
    extremes = domains.hardtanh
    invalid = (*NO_FLOATS, Invalid(ValueError, "bounds in the wrong order", x=ones(2), min_val=1.0, max_val=-1.0))
    edges = EDGES

    def test_kept_between_the_bounds(self, impl, case):
        """y is x between the bounds and the nearer bound elsewhere, to the bit."""
        y, wanted = impl(case), case.x.clamp(case.min_val, case.max_val)
        require((y == wanted).all(), f"got {y.tolist()}, expected {wanted.tolist()}")

    def test_twice_is_once(self, impl, case):
        """The bounded numbers are within the bounds."""
        once = impl(case)
        require((impl(case, x=once) == once).all(), "applied again it changes its own result")

    def test_mirrored_bounds_mirror_it(self, impl, case):
        """f(−x) between −max_val and −min_val is −f(x)."""
        return impl(case, x=-case.x, min_val=-case.max_val, max_val=-case.min_val)[..., None], -impl(case)[..., None]

    def test_flat_at_both_bounds(self, impl, case):
        """The slope at either bound is 0."""
        for bound in (case.min_val, case.max_val):
            slopes = _slope(impl, case, bound)
            require((slopes == 0).all(), f"slopes at {bound} are {slopes.tolist()}, expected 0")

    def test_from_zero_to_six_it_is_relu6(self, impl, case):
        """Bounds of 0 and 6 give relu6."""
        return impl(case, min_val=0.0, max_val=6.0)[..., None], activations.relu6(case.x)[..., None]


class TestHardsigmoid(Saturating, Elementwise):
    component = activations.hardsigmoid
    cases = domains.hard
    limits = (0.0, 1.0)
    extremes = domains.huge
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("relu6",)

    def test_a_sixth_of_a_shifted_relu6(self, impl, case):
        """y = relu6(x + 3) / 6."""
        return impl(case)[..., None], (activations.relu6(case.x + 3) / 6)[..., None]

    def test_mirrored_it_makes_one(self, impl, case):
        """f(x) + f(−x) = 1."""
        return (impl(case) + impl(case, x=-case.x))[..., None], torch.ones_like(case.x)[..., None]

    def test_its_pieces_meet(self, impl, case):
        """0 at −3, ½ at 0, 1 at 3."""
        return [(impl(case, x=_at(case, x)), _at(case, y)) for x, y in ((-3.0, 0.0), (0.0, 0.5), (3.0, 1.0))]

    def test_flat_at_both_joints(self, impl, case):
        """The slope is 0 at −3 and 3, and 1/6 between."""
        for joint in (-3.0, 3.0):
            slopes = _slope(impl, case, joint)
            require((slopes == 0).all(), f"slopes at {joint} are {slopes.tolist()}, expected 0")
        return _slope(impl, case, 1.5), torch.ones_like(case.x) / 6


class TestHardswish(Elementwise):
    component = activations.hardswish
    cases = domains.hard
    extremes = domains.huge
    twice = True
    invalid = NO_FLOATS
    edges = EDGES
    prerequisites = ("hardsigmoid",)

    def test_weighed_by_the_hardsigmoid(self, impl, case):
        """y = x · hardsigmoid(x)."""
        return impl(case)[..., None], (case.x * activations.hardsigmoid(case.x))[..., None]

    def test_mirrored_it_makes_the_identity(self, impl, case):
        """f(x) − f(−x) = x."""
        return (impl(case) - impl(case, x=-case.x))[..., None], case.x[..., None]

    def test_its_pieces_meet(self, impl, case):
        """0 at −3, 0 at 0, 3 at 3, and the least value −3/8 at −3/2."""
        points = ((-3.0, 0.0), (0.0, 0.0), (3.0, 3.0), (-1.5, -0.375))
        return [(impl(case, x=_at(case, x)), _at(case, y)) for x, y in points]

    def test_outer_slopes_at_the_joints(self, impl, case):
        """The slope is 0 at −3 and 1 at 3."""
        for joint, wanted in ((-3.0, 0.0), (3.0, 1.0)):
            slopes = _slope(impl, case, joint)
            require((slopes == wanted).all(), f"slopes at {joint} are {slopes.tolist()}, expected {wanted}")
