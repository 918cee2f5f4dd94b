"""Constants, the identity, normal and uniform numbers."""

import scipy
import torch

from lawbook.fixtures.cases import initialization as domains
from lawbook.fixtures.published import initialization as published
from lawbook.reference import initialization
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_initialization.laws import SEEDS, STOCHASTIC, DtypeLaws, check_sample, check_support

NOTHING = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor; the domain draws the dtype",
    "nan_not_hidden": "no argument is a tensor that could hold nan",
    "extremes_stay_finite": "the values are the arguments' own",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def bad_shapes(**rest):
    """Shapes that nobody can fill."""
    return (
        Invalid(ValueError, "a negative size", **{**rest, "shape": (2, -1)}),
        Invalid(TypeError, "half a size", **{**rest, "shape": (2, 1.5)}),
    )


class TestInitZeros(Spec):
    component = initialization.init_zeros
    cases = domains.init_zeros
    declines = NOTHING
    edges = (dict(shape=()), dict(shape=(0,)), dict(shape=(3, 0, 2)), dict(shape=(1, 1)))
    invalid = bad_shapes()

    def test_everything_is_zero(self, impl, case):
        """Every element is 0, without a sign."""
        found = impl(case)
        require(bool((found == 0).all()), "an element is not 0")
        require(not bool(torch.signbit(found).any()), "a zero has a minus sign")

    def test_every_call_gives_a_tensor_of_its_own(self, impl):
        """Writing to one result leaves the next one alone."""
        first = impl.call(shape=(2, 3))
        first += 1
        require(bool((impl.call(shape=(2, 3)) == 0).all()), "results of two calls share their memory")


class TestInitConstant(Spec):
    component = initialization.init_constant
    cases = domains.init_constant
    declines = NOTHING
    edges = (
        dict(shape=(), value=2.0),
        dict(shape=(0,), value=2.0),
        dict(shape=(3, 0, 2), value=1.0),
        dict(shape=(1, 1), value=-3),
    )
    invalid = bad_shapes(value=1.0)

    def test_everything_is_the_value(self, impl, case):
        """Every element is the value as the dtype rounds it."""
        found = impl(case)
        require(bool((found == torch.tensor(case.value, dtype=found.dtype)).all()), f"an element is not {case.value}")

    def test_a_whole_number_fills_a_floating_tensor(self, impl):
        """The dtype is the asked one, not the value's."""
        found = impl.call(shape=(2, 3), value=3)
        require(found.dtype == torch.float32, f"the result is {found.dtype}, expected torch.float32")


class TestInitEye(Spec):
    component = initialization.init_eye
    cases = domains.init_eye
    declines = NOTHING
    edges = (dict(shape=(0, 3)), dict(shape=(3, 0)), dict(shape=(1, 1)), dict(shape=(1, 4)))
    invalid = (
        *bad_shapes(),
        Invalid(ValueError, "one size", shape=(3,)),
        Invalid(ValueError, "three sizes", shape=(3, 3, 3)),
    )

    def test_passes_inputs_on(self, impl, case):
        """x · wᵀ is x as far as there are outputs, and 0 beyond."""
        rows, columns = case.shape
        case = case.but(dtype="float32")
        x = case.noise((4, columns)).float()
        expected = torch.zeros(4, rows)
        expected[:, : min(rows, columns)] = x[:, : min(rows, columns)]
        require(torch.equal(x @ impl(case).T, expected), "an input is lost, mixed or scaled")

    def test_swapped_sizes_transpose_it(self, impl, case):
        """The matrix of swapped sizes is the transpose."""
        rows, columns = case.shape
        return impl(case, shape=(columns, rows)), impl(case).T


class TestInitNormal(DtypeLaws, Spec):
    component = initialization.init_normal
    cases = domains.init_normal
    declines = STOCHASTIC
    edges = (
        dict(shape=(), mean=2.5, std=0.0, seed=0),
        dict(shape=(1, 1), mean=-1.0, std=0.0, seed=3),
        dict(shape=(0,), seed=0),
        dict(shape=(3, 0, 2), seed=0),
    )
    invalid = (
        *bad_shapes(seed=0),
        Invalid(ValueError, "a negative deviation", shape=(2, 3), std=-1.0, seed=0),
        Invalid(TypeError, "no seed", shape=(2, 3), seed=None),
        Invalid(TypeError, "half a seed", shape=(2, 3), seed=1.5),
    )
    plenty = {"shape": (50, 40), "mean": 2.0, "std": 3.0}

    def distribution(self, mean=0.0, std=1.0, **_):
        return scipy.stats.norm(mean, std)

    def test_has_the_normal_distribution(self, impl):
        """1e5 numbers about any mean: distribution, variance, independence and fineness."""
        for seed, (mean, std) in zip(SEEDS, ((0.0, 1.0), (-3.0, 0.5)), strict=True):
            found = impl.call(shape=(400, 250), mean=mean, std=std, seed=seed)
            check_sample(found, scipy.stats.norm(mean, std), f"mean = {mean}, std = {std}")

    def test_float64_is_normal_too(self, impl):
        """1e5 numbers in float64, none of which is rounded to float32."""
        found = impl.call(shape=(100_000,), mean=1.0, std=2.0, seed=SEEDS[0], dtype="float64")
        check_sample(found, scipy.stats.norm(1, 2), "float64")
        require(not torch.equal(found.float().double(), found), "every value is a float32 number")

    def test_no_deviation_gives_the_mean(self, impl, case):
        """With a deviation of 0 every element is the mean."""
        found = impl(case, std=0.0)
        require(bool((found == torch.tensor(case.mean, dtype=found.dtype)).all()), f"an element is not {case.mean}")

    def test_published_deviation_of_note_001(self, impl):
        """normal_(weight, mean=0, std=0.01) has the standard deviation, not the variance, 0.01."""
        found = impl.call(shape=(400, 250), mean=0.0, std=published.NOTE_001_STD, seed=SEEDS[1])
        check_sample(found, scipy.stats.norm(0, published.NOTE_001_STD), "std = 0.01")


class TestInitUniform(DtypeLaws, Spec):
    component = initialization.init_uniform
    cases = domains.init_uniform
    declines = STOCHASTIC
    edges = (
        dict(shape=(), low=2.5, high=2.5, seed=0),
        dict(shape=(1, 1), low=-1.0, high=-1.0, seed=3),
        dict(shape=(0,), seed=0),
        dict(shape=(3, 0, 2), seed=0),
    )
    invalid = (
        *bad_shapes(seed=0),
        Invalid(ValueError, "an interval upside down", shape=(2, 3), low=1.0, high=-1.0, seed=0),
        Invalid(TypeError, "no seed", shape=(2, 3), seed=None),
        Invalid(TypeError, "half a seed", shape=(2, 3), seed=1.5),
    )
    plenty = {"shape": (50, 40), "low": 2.0, "high": 5.0}

    def distribution(self, low=0.0, high=1.0, **_):
        return scipy.stats.uniform(low, high - low)

    def test_has_the_uniform_distribution(self, impl):
        """1e5 numbers of any interval: distribution, variance, ends, independence and fineness."""
        for seed, (low, high) in zip(SEEDS, ((0.0, 1.0), (-3.0, 0.5)), strict=True):
            found = impl.call(shape=(400, 250), low=low, high=high, seed=seed)
            check_sample(found, scipy.stats.uniform(low, high - low), f"low = {low}, high = {high}")

    def test_float64_is_uniform_too(self, impl):
        """1e5 numbers in float64, none of which is rounded to float32."""
        found = impl.call(shape=(100_000,), low=1.0, high=2.5, seed=SEEDS[0], dtype="float64")
        check_sample(found, scipy.stats.uniform(1, 1.5), "float64")
        require(not torch.equal(found.float().double(), found), "every value is a float32 number")

    def test_comes_close_to_its_ends(self, impl):
        """Of 1e5 numbers the least and the greatest lie within 1/2000 of the ends.

        The chance that none of n falls into a share q of the interval is (1 − q)ⁿ < exp(−n q) = exp(−50) < 1e-21.
        """
        found = impl.call(shape=(100_000,), low=-1.0, high=3.0, seed=SEEDS[1])
        low, high = float(found.min()), float(found.max())
        require(low < -1 + 4 / 2000 and high > 3 - 4 / 2000, f"values reach from {low:.6g} to {high:.6g} only")

    def test_stays_within_its_ends(self, impl, case):
        """No number lies outside, of any interval in any dtype; an interval of one point gives that point."""
        law = self.distribution(low=case.low, high=case.high) if case.low < case.high else None
        found = impl(case)
        if law is None:
            require(bool((found == torch.tensor(case.low, dtype=found.dtype)).all()), f"an element is not {case.low}")
        else:
            check_support(found, law, "the tensor")

    def test_published_interval_of_note_001(self, impl):
        """uniform_(weight, −1, 1) has the variance 1/3."""
        low, high = published.NOTE_001_INTERVAL
        found = impl.call(shape=(400, 250), low=low, high=high, seed=SEEDS[1])
        check_sample(found, scipy.stats.uniform(low, high - low), "low = -1, high = 1")
