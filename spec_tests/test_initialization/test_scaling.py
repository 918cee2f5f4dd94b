"""Fans, gains, and the weights that are scaled by them."""

import math

import scipy

from lawbook.fixtures.cases import initialization as domains
from lawbook.fixtures.published import initialization as published
from lawbook.reference import initialization
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_initialization.laws import (
    ALARM,
    SEEDS,
    STOCHASTIC,
    DtypeLaws,
    FanLaws,
    check_sample,
    check_support,
    fans,
    normal,
    uniform,
)
from lawbook.spec_tests.test_initialization.test_filling import NOTHING, bad_shapes


def bad_weights(**rest):
    """Weights without fans."""
    return (
        *bad_shapes(**rest),
        Invalid(ValueError, "a vector", **{**rest, "shape": (5,)}),
        Invalid(ValueError, "a number", **{**rest, "shape": ()}),
    )


GROUPED = (
    Invalid(ValueError, "groups that do not divide the channels", shape=(4, 3, 2), groups=3),
    Invalid(ValueError, "no group", shape=(4, 3, 2), groups=0),
    Invalid(ValueError, "an unknown layout", shape=(4, 3), layout="sideways"),
)


class TestFanInAndFanOut(Spec):
    component = initialization.fan_in_and_fan_out
    cases = domains.fan_in_and_fan_out
    declines = {**NOTHING, "low_precision": "the result is whole numbers"}
    edges = (
        dict(shape=(0, 3)),
        dict(shape=(3, 0, 5)),
        dict(shape=(1, 1)),
        dict(shape=(1, 1, 1, 1), groups=1),
        dict(shape=(4, 1, 3), groups=4),
    )
    invalid = (*bad_weights(), *GROUPED)

    def test_every_output_sums_over_fan_in(self, impl, case):
        """Every weight is counted once: output channels times fan_in are all weights.

        Of a transposed kernel the axis that counts all groups is the input's, and it is fan_out.
        """
        fan_in, fan_out = impl(case)
        weights = math.prod(case.shape)
        whole = case.shape[0] if case.layout == "channels_first" else case.shape[-1]
        counted = whole * (fan_out if case.transposed else fan_in)
        require(
            counted == weights, f"{whole} channels of {fan_in} inputs, {fan_out} outputs do not make {weights} weights"
        )

    def test_transposing_swaps_the_fans(self, impl, case):
        """The same weight read the other way round has its fans swapped."""
        if len(case.shape) == 2:
            return skip_case
        there, back = impl(case), impl(case, transposed=not case.transposed)
        require(tuple(there) == tuple(back)[::-1], f"{tuple(there)} became {tuple(back)}")

    def test_layouts_hold_the_same_weight(self, impl, case):
        """(whole, part, *kernel) channels first has the fans of (*kernel, part, whole) channels last."""
        if case.layout == "channels_first":
            whole, part, *kernel = case.shape
            other = dict(shape=(*kernel, part, whole), layout="channels_last")
        else:
            *kernel, part, whole = case.shape
            other = dict(shape=(whole, part, *kernel), layout="channels_first")
        a, b = impl(case), impl(case, **other)
        require(tuple(a) == tuple(b), f"{tuple(a)} in one layout, {tuple(b)} in the other")

    def test_a_group_is_a_convolution_of_its_own(self, impl, case):
        """With groups the fans are those of one group's slice of the weight."""
        axis = 0 if case.layout == "channels_first" else -1
        shape = list(case.shape)
        shape[axis] //= case.groups
        a, b = impl(case), impl(case, shape=tuple(shape), groups=1)
        require(tuple(a) == tuple(b), f"{tuple(a)}, but one of {case.groups} groups alone has {tuple(b)}")

    def test_known_kernels(self, impl):
        """Dense 10 → 4; 5×5 convolution of 3 → 8 channels; depthwise 3×3 of 6 channels with 2 outputs each."""
        for arguments, expected in (
            (dict(shape=(4, 10)), (10, 4)),
            (dict(shape=(10, 4), layout="channels_last"), (10, 4)),
            (dict(shape=(8, 3, 5, 5)), (75, 200)),
            (dict(shape=(5, 5, 3, 8), layout="channels_last"), (75, 200)),
            (dict(shape=(12, 1, 3, 3), groups=6), (9, 18)),
            (dict(shape=(3, 8, 5, 5), transposed=True), (75, 200)),
        ):
            found = tuple(impl.call(**arguments))
            require(found == expected, f"{arguments} gives {found}, expected {expected}")


class TestCalculateGain(Spec):
    component = initialization.calculate_gain
    cases = domains.calculate_gain
    declines = {**NOTHING, "low_precision": "no argument is a tensor"}
    edges = (dict(nonlinearity="relu"), dict(nonlinearity="leaky_relu"), dict(nonlinearity="leaky_relu", param=0))
    invalid = (
        Invalid(ValueError, "an unknown nonlinearity", nonlinearity="step"),
        Invalid(TypeError, "a slope in words", nonlinearity="leaky_relu", param="steep"),
        Invalid(TypeError, "True for a slope", nonlinearity="leaky_relu", param=True),
    )

    def test_known_values(self, impl):
        """1 for linear maps and sigmoid, 5/3 for tanh, √2 for relu, 3/4 for selu, √(2/1.0001) for leaky_relu."""
        for name, printed in (
            ("linear", "1.0000"),
            ("conv2d", "1.0000"),
            ("sigmoid", "1.0000"),
            ("tanh", "1.6667"),
            ("relu", "1.4142"),
            ("selu", "0.7500"),
            ("leaky_relu", "1.4141"),
        ):
            found = float(impl.call(nonlinearity=name))
            require(f"{found:.4f}" == printed, f"{name} has the gain {found:.6f}, expected {printed}")

    def test_rectifiers_keep_the_second_moment(self, impl, case):
        """gain² times the second moment of leaky_relu on N(0, 1), which is (1 + slope²)/2, is 1."""
        slope = 0.01 if case.param is None else case.param
        gain = impl(case, nonlinearity="leaky_relu")
        return float(gain) ** 2 * (1 + slope**2) / 2, 1.0

    def test_the_slope_leads_from_relu_to_linear(self, impl):
        """A slope of 0 is relu, a slope of 1 is linear, and the sign does not matter."""
        relu, linear = impl.call(nonlinearity="relu"), impl.call(nonlinearity="linear")
        flat, full, falling = (impl.call(nonlinearity="leaky_relu", param=p) for p in (0.0, 1.0, -1.0))
        shown = [f"{float(g):.6f}" for g in (flat, full, falling)]
        expected = [f"{float(g):.6f}" for g in (relu, linear, linear)]
        require(shown == expected, f"slopes 0, 1 and -1 give {shown}, expected {expected}")


class TestXavierUniform(FanLaws, Spec):
    component = initialization.xavier_uniform
    cases = domains.xavier_uniform
    declines = STOCHASTIC
    prerequisites = ("fan_in_and_fan_out",)
    edges = (dict(shape=(0, 3), seed=0), dict(shape=(2, 0, 3), seed=0), dict(shape=(1, 1), gain=0.0, seed=0))
    invalid = (*bad_weights(seed=0), Invalid(ValueError, "a negative gain", shape=(2, 3), gain=-1.0, seed=0))
    options = ({}, {"gain": 5 / 3}, {"gain": 0.5})

    def distribution(self, shape, gain=1.0, **of):
        return uniform(gain * math.sqrt(6 / sum(fans(shape, **of)))) if gain else None


class TestXavierNormal(FanLaws, Spec):
    component = initialization.xavier_normal
    cases = domains.xavier_normal
    declines = STOCHASTIC
    prerequisites = ("fan_in_and_fan_out",)
    edges = (dict(shape=(0, 3), seed=0), dict(shape=(2, 0, 3), seed=0), dict(shape=(1, 1), gain=0.0, seed=0))
    invalid = (*bad_weights(seed=0), Invalid(ValueError, "a negative gain", shape=(2, 3), gain=-1.0, seed=0))
    options = ({}, {"gain": 5 / 3, "truncated": True}, {"gain": 0.5})

    def distribution(self, shape, gain=1.0, truncated=False, **of):
        return normal(gain * math.sqrt(2 / sum(fans(shape, **of))), truncated) if gain else None


KAIMING_OPTIONS = (
    {},
    {"a": 0.5, "mode": "fan_out"},
    {"nonlinearity": "tanh"},
    # A slope that its nonlinearity has no use for.
    {"nonlinearity": "relu", "a": 1.0},
)
KAIMING_EDGES = (dict(shape=(0, 3), seed=0), dict(shape=(2, 0, 3), seed=0), dict(shape=(4, 0), mode="fan_out", seed=0))
KAIMING_INVALID = (
    *bad_weights(seed=0),
    Invalid(ValueError, "an unknown mode", shape=(2, 3), mode="fan_sum", seed=0),
    Invalid(ValueError, "an unknown nonlinearity", shape=(2, 3), nonlinearity="step", seed=0),
)


def kaiming_std(shape, a=0.0, mode="fan_in", nonlinearity="leaky_relu", **of):
    """gain / √fan."""
    fan = fans(shape, **of)[mode == "fan_out"]
    return initialization.calculate_gain(nonlinearity, a) / math.sqrt(fan)


class TestKaimingUniform(FanLaws, Spec):
    component = initialization.kaiming_uniform
    cases = domains.kaiming_uniform
    declines = STOCHASTIC
    prerequisites = ("fan_in_and_fan_out", "calculate_gain")
    edges = KAIMING_EDGES
    invalid = KAIMING_INVALID
    options = KAIMING_OPTIONS

    def distribution(self, **given):
        return uniform(math.sqrt(3) * kaiming_std(**given))

    def test_published_linear_layer_of_note_002(self, impl):
        """With the slope √5 the bound is 1/√fan_in."""
        found = impl.call(shape=(400, 250), a=published.NOTE_002_SLOPE, seed=SEEDS[0])
        check_sample(found, uniform(1 / math.sqrt(250)), "a = √5")


class TestKaimingNormal(FanLaws, Spec):
    component = initialization.kaiming_normal
    cases = domains.kaiming_normal
    declines = STOCHASTIC
    prerequisites = ("fan_in_and_fan_out", "calculate_gain")
    edges = KAIMING_EDGES
    invalid = KAIMING_INVALID
    options = (KAIMING_OPTIONS[0], {**KAIMING_OPTIONS[1], "truncated": True}, *KAIMING_OPTIONS[2:])

    def distribution(self, truncated=False, **given):
        return normal(kaiming_std(**given), truncated)


class TestLinearDefaultInit(DtypeLaws, Spec):
    component = initialization.linear_default_init
    cases = domains.linear_default_init
    declines = STOCHASTIC
    edges = (dict(out_features=0, in_features=3, seed=0),)
    invalid = (
        Invalid(ValueError, "a negative size", out_features=-2, in_features=3, seed=0),
        Invalid(TypeError, "half an input", out_features=2, in_features=1.5, seed=0),
        Invalid(ValueError, "no input", out_features=2, in_features=0, seed=0),
        Invalid(TypeError, "no seed", out_features=2, in_features=3, seed=None),
    )
    plenty = {"out_features": 1000, "in_features": 2}
    many = {"out_features": 1000, "in_features": 100}

    def distribution(self, in_features, **_):
        law = scipy.stats.uniform(-1 / math.sqrt(in_features), 2 / math.sqrt(in_features))
        return law, law

    def test_weight_has_the_uniform_distribution(self, impl):
        """1e5 weights are uniform within ±1/√in, wide and tall."""
        for seed, (rows, columns) in zip(SEEDS, ((400, 250), (100, 1000)), strict=True):
            weight, _ = impl.call(out_features=rows, in_features=columns, seed=seed)
            check_sample(weight, uniform(1 / math.sqrt(columns)), f"the weight of {columns} inputs")

    def test_bias_has_the_uniform_distribution(self, impl):
        """1e5 biases are uniform within ±1/√in, which the weight's shape does not change."""
        _, bias = impl.call(out_features=100_000, in_features=4, seed=SEEDS[0])
        check_sample(bias, uniform(0.5), "the bias of 4 inputs")

    def test_weight_and_bias_are_independent(self, impl):
        """Bias and weights know nothing of each other.

        Of m pairs the mean product, in units of the bound's square, exceeds t with a chance below 2 exp(−m t² / 2).
        """
        weight, bias = impl.call(out_features=100_000, in_features=1, seed=SEEDS[1])
        found = float((weight[:, 0].double() * bias.double()).mean())
        limit = math.sqrt(2 * math.log(2 / ALARM) / 100_000)
        require(abs(found) <= limit, f"weight and bias go together, {found:.4f}; chance allows ±{limit:.4f}")

    def test_both_stay_within_the_bound(self, impl, case):
        """No weight and no bias is beyond 1/√in, in any dtype."""
        for value, what in zip(impl(case), ("a weight", "a bias"), strict=True):
            check_support(value, uniform(1 / math.sqrt(case.in_features)), what)
