"""Uniform, whole and normal random numbers, and permutations."""

import scipy
import torch

from lawbook.fixtures.cases.tensors import random as domains
from lawbook.reference import tensors
from lawbook.spec_tests.chance import ALARM, SEEDS, check_unrelated
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_initialization.laws import SeedLaws, check_sample, check_support
from lawbook.spec_tests.test_tensors.creation_laws import bad_sizes
from lawbook.spec_tests.test_tensors.random_laws import (
    DECLINED,
    DECLINED_WHOLE,
    MANY,
    PLENTY,
    WholeSeedLaws,
    check_equally_likely,
    check_even,
    check_shares,
)

EMPTY = (dict(size=(0,), seed=0), dict(size=(3, 0, 2), seed=0))


def bad_seeds(**rest):
    """What is no seed."""
    return (
        Invalid(TypeError, "no seed", **{**rest, "seed": None}),
        Invalid(TypeError, "half a seed", **{**rest, "seed": 1.5}),
    )


class TestRand(SeedLaws, Spec):
    component = tensors.rand
    cases = domains.rand
    declines = DECLINED
    edges = EMPTY
    invalid = (*bad_sizes(seed=0), *bad_seeds(size=(2, 3)))
    plenty = PLENTY

    def distribution(self, **_):
        return scipy.stats.uniform()

    def test_has_the_uniform_distribution(self, impl):
        """1e5 numbers: distribution, variance, independence and fineness, for two seeds."""
        for seed in SEEDS:
            check_sample(impl.call(**MANY, seed=seed), scipy.stats.uniform(), f"seed = {seed}")

    def test_never_reaches_one(self, impl, case):
        """Every number is at least 0 and less than 1."""
        found = impl(case)
        require(bool(((found >= 0) & (found < 1)).all()), "a number lies outside of [0, 1)", got=found)

    def test_comes_close_to_its_ends(self, impl):
        """Of 1e5 numbers the least and the greatest lie within 1/2000 of the ends, and none is 1.

        The chance that none of n falls into a share q of the interval is (1 − q)ⁿ < exp(−n q) = exp(−50) < 1e-21.
        """
        found = impl.call(**MANY, seed=SEEDS[1])
        low, high = float(found.min()), float(found.max())
        require(low < 1 / 2000 and 1 - 1 / 2000 < high < 1, f"values reach from {low:.6g} to {high:.9g}")


class TestRandint(WholeSeedLaws, Spec):
    component = tensors.randint
    cases = domains.randint
    declines = DECLINED_WHOLE
    edges = (
        *(dict(low=0, high=10, **rest) for rest in EMPTY),
        dict(low=3, high=4, size=(), seed=0),
        dict(low=-7, high=-6, size=(1, 1), seed=5),
    )
    invalid = (
        *bad_sizes(low=0, high=10, seed=0),
        *bad_seeds(low=0, high=10, size=(2, 3)),
        Invalid(ValueError, "an interval without numbers", low=3, high=3, size=(2, 3), seed=0),
        Invalid(ValueError, "an interval upside down", low=5, high=3, size=(2, 3), seed=0),
    )
    plenty = {"low": -5, "high": 2**20, "size": (50, 40)}

    def distribution(self, low, high, **_):
        return scipy.stats.uniform(low - 0.5, high - low)

    def test_every_number_is_equally_likely(self, impl):
        """1e5 numbers from a few, about zero, above it and below it: both ends as often as the others."""
        for seed, (low, high) in enumerate(((0, 10), (-3, 4), (5, 7), (-20, -10)), start=SEEDS[0]):
            what = f"low = {low}, high = {high}"
            found = impl.call(low=low, high=high, **MANY, seed=seed)
            check_equally_likely(found, low, high, what)
            centred = (found.double() - (low + high - 1) / 2) / ((high - low) / 2)
            check_unrelated(centred, 2.0, what)

    def test_stays_within_its_ends(self, impl, case):
        """No number is below low, none is high or above."""
        found = impl(case)
        inside = (found >= case.low) & (found < case.high)
        require(bool(inside.all()), f"a number lies outside of {case.low}…{case.high - 1}", got=found)

    def test_every_bit_is_random(self, impl):
        """Of 1e5 numbers below 2⁴⁰ every binary digit is 1 as often as 0: none is made of a coarser one."""
        found = impl.call(low=0, high=2**40, **MANY, seed=SEEDS[0]).reshape(-1)
        bits = [int((found >> bit & 1).sum()) for bit in range(40)]
        check_shares(bits, {f"have bit {bit}": 0.5 for bit in range(40)}, len(found), "high = 2⁴⁰")

    def test_wide_intervals_are_evenly_filled(self, impl):
        """Intervals whose length does not divide a power of two are filled evenly, up to 3 · 2⁶¹ numbers."""
        for high, count in ((3 * 2**61, 100_000), (260_000_000, 500_000), (3 * 2**40, 100_000)):
            found = impl.call(low=0, high=high, size=(count,), seed=SEEDS[1])
            check_even(found.double() / high, f"high = {high}")


class TestRandn(SeedLaws, Spec):
    component = tensors.randn
    cases = domains.randn
    declines = DECLINED
    edges = EMPTY
    invalid = (*bad_sizes(seed=0), *bad_seeds(size=(2, 3)))
    plenty = PLENTY

    def distribution(self, **_):
        return scipy.stats.norm()

    def test_has_the_normal_distribution(self, impl):
        """1e5 numbers: distribution, variance, independence and fineness, for two seeds."""
        for seed in SEEDS:
            check_sample(impl.call(**MANY, seed=seed), scipy.stats.norm(), f"seed = {seed}")

    def test_large_numbers_are_as_rare_as_they_should(self, impl):
        """Of 1e6 numbers as many lie beyond one, two, three and four deviations, on either side, as should."""
        found = impl.call(size=(1000, 1000), seed=SEEDS[0])
        for side, name in ((found, "above"), (-found, "below −")):
            chances = {f"lie {name} {k}".replace("− ", "−"): float(scipy.stats.norm.sf(k)) for k in (1, 2, 3, 4)}
            check_shares([int((side > k).sum()) for k in (1, 2, 3, 4)], chances, found.numel(), "tails")

    def test_is_always_finite(self, impl, case):
        """No number is infinite or nan."""
        found = impl(case)
        require(bool(torch.isfinite(found).all()), "a number is not finite", got=found)


class TestNormal(SeedLaws, Spec):
    component = tensors.normal
    cases = domains.normal
    declines = DECLINED
    edges = (
        *(dict(mean=2.0, std=3.0, **rest) for rest in EMPTY),
        dict(mean=2.5, std=0.0, size=(), seed=0),
        dict(mean=-1.0, std=0.0, size=(1, 1), seed=3),
    )
    invalid = (
        *bad_sizes(mean=0.0, std=1.0, seed=0),
        *bad_seeds(mean=0.0, std=1.0, size=(2, 3)),
        Invalid(ValueError, "a negative deviation", mean=0.0, std=-1.0, size=(2, 3), seed=0),
    )
    plenty = {"mean": 2.0, "std": 3.0, "size": (50, 40)}

    def distribution(self, mean, std, **_):
        return scipy.stats.norm(mean, std)

    def test_has_the_normal_distribution(self, impl):
        """1e5 numbers about any mean are mean + std · randn: distribution, variance, independence and fineness."""
        for seed, (mean, std) in enumerate(((0.0, 1.0), (-3.0, 0.5), (10.0, 4.0)), start=SEEDS[0]):
            found = impl.call(mean=mean, std=std, **MANY, seed=seed)
            check_sample(found, scipy.stats.norm(mean, std), f"mean = {mean}, std = {std}")

    def test_no_deviation_gives_the_mean(self, impl, case):
        """With a deviation of 0 every number is the mean."""
        found = impl(case, std=0.0)
        require(bool((found == torch.tensor(case.mean).float()).all()), f"a number is not {case.mean}", got=found)

    def test_whole_means_and_deviations_too(self, impl):
        """mean = 0 and std = 1, as the note writes them, are 0.0 and 1.0."""
        check_support(impl.call(mean=0, std=1, **PLENTY, seed=SEEDS[0]), scipy.stats.norm(), "mean = 0, std = 1")
        check_sample(impl.call(mean=0, std=1, **MANY, seed=SEEDS[0]), scipy.stats.norm(), "mean = 0, std = 1")


class TestRandperm(WholeSeedLaws, Spec):
    component = tensors.randperm
    cases = domains.randperm
    declines = DECLINED_WHOLE
    edges = (dict(n=0, seed=0), dict(n=1, seed=7))
    invalid = (
        Invalid(ValueError, "a negative number of numbers", n=-1, seed=0),
        Invalid(TypeError, "half a number", n=2.5, seed=0),
        *bad_seeds(n=5),
    )
    plenty = {"n": 2000}

    def distribution(self, n, **_):
        return scipy.stats.uniform(-0.5, n)

    def test_same_stream_same_tensor(self, impl):
        """The permutation is not the reference's for this seed in reverse order.

        That another stream give it has no chance worth naming.
        """
        for seed in SEEDS:
            got, truth = impl.call(**self.plenty, seed=seed), self.component(**self.plenty, seed=seed)
            require(not torch.equal(got.flip(0), truth), "the permutation is the reference's in reverse order")

    def test_every_number_comes_once(self, impl, case):
        """Sorted, the result is 0, 1, …, n − 1."""
        found = impl(case)
        require(torch.equal(found.sort().values, torch.arange(case.n)), "a number is missing or doubled", got=found)

    def test_every_position_is_uniform(self, impl):
        """In 1500 permutations of four numbers each number stands in each place equally often."""
        count = 1500
        found = torch.stack([impl.call(n=4, seed=seed) for seed in range(count)])
        places = {f"have the number {k} in place {place}": 0.25 for place in range(4) for k in range(4)}
        check_shares(
            [int((found[:, place] == k).sum()) for place in range(4) for k in range(4)], places, count, "n = 4"
        )

    def test_every_order_is_equally_likely(self, impl):
        """In 1500 permutations of three numbers each of the six orders comes equally often."""
        count = 1500
        found = torch.stack([impl.call(n=3, seed=seed) for seed in range(count)])
        orders = (found * torch.tensor([9, 3, 1])).sum(1).tolist()
        codes = [5, 7, 11, 15, 19, 21]
        chances = {f"are in order {code // 9}{code // 3 % 3}{code % 3}": 1 / 6 for code in codes}
        check_shares([orders.count(code) for code in codes], chances, count, "n = 3")

    def test_numbers_scatter_over_all_places(self, impl):
        """Of 1e5 numbers as many get from each quarter to each quarter as should, and neighbours know nothing of each other.

        Their number is hypergeometric: the limits are its quantiles at ALARM / 32, for sixteen pairs of quarters. Numbers that
        are drawn without replacement, n of them in all, differ from independent ones by correlations of 1/n; the limits of
        ``check_unrelated`` are wide enough for that, since they hold for any distribution within [−1, 1].
        """
        n = 100_000
        found = impl.call(n=n, seed=SEEDS[0])
        law = scipy.stats.hypergeom(n, n // 4, n // 4)
        low, high = float(law.ppf(ALARM / 32)), float(law.isf(ALARM / 32))
        counts = torch.bincount(torch.arange(n) * 4 // n * 4 + found * 4 // n, minlength=16)
        worst = int((counts - n / 16).abs().argmax())
        require(
            low <= float(counts[worst]) <= high,
            f"{int(counts[worst])} of {n} places in quarter {worst // 4} hold a number of quarter {worst % 4}, "
            f"expected {n // 16}; chance allows {low:.0f} to {high:.0f}",
        )
        check_unrelated((found.double() + 0.5) / n * 2 - 1, 2.0, "n = 100000")
        fixed = int((found == torch.arange(n)).sum())
        # k numbers stay in place with a chance below 1/k!, and 1/16! is below ALARM.
        require(fixed < 16, f"{fixed} of {n} numbers stay in place; chance allows 15")
