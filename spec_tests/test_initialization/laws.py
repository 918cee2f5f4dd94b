"""How samples are judged: by statistics whose distribution is known, at fixed seeds.

Every statistic may be exceeded by a correct implementation with a chance of ALARM. All laws of the chapter together
look at fewer than 1000 of them, so that a run raises a false alarm with a chance below 1e-10. The limits follow from
the distributions; no figure was chosen by looking at what implementations do.
"""

import math

import scipy
import torch

from lawbook.reference import initialization
from lawbook.spec_tests.chance import ALARM, SEEDS, check_unrelated
from lawbook.spec_tests.spec import require

STOCHASTIC = {
    "agrees_with_reference": "libraries have streams of their own: a seed does not stand for the same numbers in all of "
    "them; distribution laws judge the values, and 'same stream same tensor' those drawn from PyTorch's",
    "repeated_calls_agree": "the values are not the reference's; 'same seed same tensor' says it of the implementation's own",
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor; 'half precisions stay finite' judges the dtypes",
    "extremes_stay_finite": "no argument has extreme values",
    "nan_not_hidden": "no argument can hold nan",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def sequence(values):
    """The numbers in the order of memory, in float64."""
    return values.double().reshape(-1)


def check_distribution(values, distribution, what):
    """Require that the values are a sample of a continuous distribution, by Kolmogorov and Smirnov's statistic.

    The greatest distance between the sample's and the true distribution function has a law of its own
    (scipy.stats.kstwo), which does not depend on the distribution: the limit is its quantile at ALARM. For 1e5 values
    it is 0.0124. Rounding to float32 moves the distance by less than 1e-6.
    """
    x = sequence(values)
    require(bool(torch.isfinite(x).all()), f"{what}: a value is not finite")
    distance = float(scipy.stats.kstest(x.numpy(), distribution.cdf).statistic)
    limit = float(scipy.stats.kstwo.isf(ALARM, len(x)))
    require(
        distance <= limit,
        f"{what}: the share of values below a point is {distance:.4f} off somewhere, chance allows {limit:.4f} "
        f"({_figures(x, distribution)})",
    )


def check_second_moment(values, distribution, what):
    """Require the mean square about the true mean, within what chance allows.

    Of a normal sample, n · (mean square) / variance is χ² with n degrees of freedom: both limits are its quantiles at
    ALARM / 2. Of a bounded one the squares lie in [0, bound²], so that by Hoeffding's inequality they err by
    t · bound² with a chance below 2 exp(−2 n t²).
    """
    x = sequence(values)
    count, variance = len(x), float(distribution.var())
    centred = x - float(distribution.mean())
    found = float(centred.square().mean())
    low, high = distribution.support()
    if math.isinf(high):
        lower, upper = (float(scipy.stats.chi2.ppf(ALARM / 2, count)), float(scipy.stats.chi2.isf(ALARM / 2, count)))
        lower, upper = variance * lower / count, variance * upper / count
    else:
        reach = ((high - low) / 2) ** 2 * math.sqrt(math.log(2 / ALARM) / (2 * count))
        lower, upper = variance - reach, variance + reach
    require(
        lower <= found <= upper,
        f"{what}: the variance is {found:.6g}, expected {variance:.6g}; chance allows {lower:.6g} to {upper:.6g}",
    )


def check_support(values, distribution, what):
    """Require that no value lies beyond the ends of the distribution, as the values' dtype rounds them."""
    low, high = (torch.tensor(end, dtype=values.dtype) for end in distribution.support())
    least, most = values.min(), values.max()
    inside = bool(least >= low) and bool(most <= high)
    require(
        inside,
        f"{what}: values from {float(least):.9g} to {float(most):.9g}, expected {float(low):.9g} to {float(high):.9g}",
    )


def check_reach(values, distribution, what):
    """Require that the least and the largest value come as near to the ends of the distribution as chance wants.

    All n values lie below t with the chance F(t)ⁿ; t of the largest is rejected where that is below ALARM / 2, and likewise the
    least. Of 1e5 numbers of a normal distribution cut off at two deviations the largest lies within 0.27 % of the bound.
    """
    x = sequence(values)
    below, above = float(distribution.cdf(float(x.max()))), float(distribution.sf(float(x.min())))
    limit = (ALARM / 2) ** (1 / len(x))
    require(
        min(below, above) >= limit,
        f"{what}: {len(x)} values from {float(x.min()):.6g} to {float(x.max()):.6g} leave out {1 - min(below, above):.3g} of the "
        f"distribution at one end; chance allows {1 - limit:.3g}",
    )


def check_independence(values, distribution, what):
    """Require that neighbours, and values half an axis apart, know nothing of each other along every axis.

    The distribution function turns independent values into independent uniform ones in [−1, 1]; equal values would give
    mean products of 1/3.
    """
    check_unrelated(torch.from_numpy(distribution.cdf(values.double().numpy())) * 2 - 1, 2.0, what)


def check_fineness(values, what):
    """Require as many different values as numbers of 20 random bits would give.

    The k-th of n numbers repeats an earlier one with a chance of at most k / 2²⁰, whatever came before, so of n = 2000
    no more are repeated than a binomial variable of n trials and the chance n / 2²⁰ says; the limit is its quantile
    at ALARM. Float32 uniform numbers have 23 or 24 random bits; those of eight bits take some 500 values in all.
    """
    count = 2000
    x = sequence(values)[:count]
    repeated = count - len(torch.unique(x))
    limit = int(scipy.stats.binom.isf(ALARM, count, count / 2**20))
    require(repeated <= limit, f"{what}: {repeated} of {count} values are repeated, chance allows {limit}: too coarse")


def check_sample(values, distribution, what):
    """All of the above."""
    check_distribution(values, distribution, what)
    check_second_moment(values, distribution, what)
    check_support(values, distribution, what)
    check_reach(values, distribution, what)
    check_independence(values, distribution, what)
    check_fineness(values, what)


def uniform(bound):
    """U[−bound, bound]."""
    return scipy.stats.uniform(-bound, 2 * bound)


def normal(std, truncated=False):
    """N(0, std²), or its truncated form of the same variance."""
    if not truncated:
        return scipy.stats.norm(0, std)
    return scipy.stats.truncnorm(-2, 2, scale=std / scipy.stats.truncnorm.std(-2, 2))


def _figures(x, distribution):
    return (
        f"mean {float(x.mean()):.6g} for {float(distribution.mean()):.6g}, "
        f"deviation {float(x.std()):.6g} for {float(distribution.std()):.6g}"
    )


def parts(result):
    """The result's tensors."""
    return result if isinstance(result, tuple) else (result,)


class SeedLaws:
    """What a seed means, for every component that takes one.

    Class attributes:
        plenty: arguments of about 2000 values.
        many: what changes in them for 1e5 values.
        distribution: scipy's law of the result for a set of arguments, a tuple of them where the result is one.
    """

    plenty: dict
    many: dict = {"shape": (400, 250)}

    def test_same_seed_same_tensor(self, impl, case):
        """The same seed gives the same bits again, also after a call with another seed."""
        first = parts(impl(case))
        impl(case, seed=case["seed"] + 1)
        again = parts(impl(case))
        same = all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        require(same, "the same seed gives other values at a later call")

    def test_another_seed_another_tensor(self, impl):
        """Tensors of different seeds know nothing of each other.

        The distribution function turns their elements into independent v in [−1, 1]: products have a mean above t with a
        chance below 2 exp(−m t² / 2), as in ``check_independence``; equal tensors would give 1/3.
        """
        laws = parts(self.distribution(**self.plenty))
        for near in (1, 1000):
            tensors = [parts(impl.call(**self.plenty, seed=seed)) for seed in (5, 5 + near)]
            for a, b, law in zip(*tensors, laws, strict=True):
                a, b = (torch.from_numpy(law.cdf(sequence(x).numpy())) * 2 - 1 for x in (a, b))
                found, limit = float((a * b).mean()), math.sqrt(2 * math.log(2 / ALARM) / len(a))
                require(
                    abs(found) <= limit,
                    f"tensors of seeds 5 and {5 + near} go together, {found:.4f}; chance allows ±{limit:.4f}",
                )

    def test_same_stream_same_tensor(self, impl):
        """Numbers drawn from PyTorch's generator with this seed stand in its order and have its signs.

        Says nothing of implementations with a stream of their own: that theirs be the reference's numbers up to order
        and sign, to a few units in the last place of the largest, has no chance worth naming.
        """
        for seed in SEEDS:
            for got, truth in zip(
                parts(impl.call(**self.plenty, seed=seed)), parts(self.component(**self.plenty, seed=seed)), strict=True
            ):
                # Both as far as one rounding of a factor and of a sum may take them.
                close = 4 * torch.finfo(truth.dtype).eps * float(truth.abs().max())
                sizes, true_sizes = (x.reshape(-1).abs().sort().values for x in (got, truth))
                if float((sizes - true_sizes).abs().max()) <= close:
                    require(
                        float((got - truth).abs().max()) <= close,
                        "the numbers are those of PyTorch's generator with this seed, in another order or with another sign",
                    )


class DtypeLaws(SeedLaws):
    """The same for those that are asked for a dtype."""

    def test_half_precisions_stay_finite(self, impl):
        """In float16 and bfloat16 none of 1e5 values is infinite or nan, and they do not all sit on a few points.

        Eight random bits still give 256 values; that 1e5 draws take fewer than 50 of them has no chance worth naming.
        """
        for dtype in (torch.float16, torch.bfloat16):
            if not impl.implementation.has_dtype(dtype):
                continue
            many = {**self.plenty, **self.many, "dtype": str(dtype).removeprefix("torch.")}
            for value in parts(impl.call(**many, seed=7)):
                require(value.dtype == dtype, f"the result is {value.dtype}, expected {dtype}")
                bad = int((~torch.isfinite(value)).sum())
                require(bad == 0, f"{bad} of {value.numel()} values are not finite in {dtype}")
                different = len(torch.unique(value.double()))
                require(different >= 50, f"{value.numel()} values in {dtype} take only {different} different ones")


class FanLaws(DtypeLaws):
    """What holds for weights scaled by fans. ``options`` are sets of the component's own arguments, taken in turn."""

    plenty = {"shape": (50, 40)}

    def judge(self, impl, *settings):
        """1e5 values for each set of arguments."""
        for seed, arguments in enumerate(settings, start=SEEDS[0]):
            found = impl.call(**arguments, seed=seed)
            said = ", ".join(f"{name} = {value}" for name, value in arguments.items())
            check_sample(found, self.distribution(**arguments), said)

    def test_dense_weights_have_their_distribution(self, impl):
        """1e5 weights of a dense layer: distribution, variance, bound, independence and fineness, wide, tall, of one input."""
        self.judge(impl, *self.settings(dict(shape=(400, 250)), dict(shape=(100, 1000)), dict(shape=(100_000, 1))))

    def test_convolution_kernels_count_their_elements(self, impl):
        """1e5 weights of a convolution: fans are channels times the kernel's elements, in both layouts."""
        self.judge(
            impl,
            *self.settings(
                dict(shape=(64, 32, 7, 7)),
                dict(shape=(7, 7, 32, 64), layout="channels_last"),
                dict(shape=(16, 500, 13)),
            ),
        )

    def test_grouped_kernels_count_their_group(self, impl):
        """1e5 weights of a grouped and of a depthwise convolution: fans count the channels of one group."""
        self.judge(
            impl,
            *self.settings(
                dict(shape=(128, 16, 7, 7), groups=8),
                dict(shape=(2048, 1, 7, 7), groups=1024),
                dict(shape=(7, 7, 1, 2048), groups=2048, layout="channels_last"),
            ),
            dict(shape=(7, 7, 16, 128), groups=8, layout="channels_last", **self.options[1]),
        )

    def test_transposed_kernels_swap_their_fans(self, impl):
        """1e5 weights of a transposed convolution: what are outputs of a convolution are its inputs."""
        self.judge(
            impl,
            *self.settings(
                dict(shape=(32, 64, 7, 7), transposed=True),
                dict(shape=(128, 16, 7, 7), groups=4, transposed=True),
                dict(shape=(7, 7, 64, 32), layout="channels_last", transposed=True),
            ),
            # Groups, direction and mode are easily right alone and wrong together.
            *(dict(shape=(128, 16, 7, 7), groups=4, transposed=True, **option) for option in self.options[1:]),
        )

    def test_no_weight_is_beyond_the_bound(self, impl, case):
        """Small weights keep to the ends of their distribution too, and are finite."""
        given = {name: value for name, value in case.arguments.items() if name not in ("seed", "dtype")}
        found = impl(case)
        require(bool(torch.isfinite(found).all()), "a weight is not finite")
        distribution = self.distribution(**given)
        if distribution is None:
            require(bool((found == 0).all()), "a deviation of 0 gives weights other than 0")
        else:
            check_support(found, distribution, "a small weight")

    def settings(self, *shapes):
        """Sets of arguments: every shape, with a rotation of the component's own options."""
        return [{**shape, **self.options[k % len(self.options)]} for k, shape in enumerate(shapes)]


def fans(shape, layout="channels_first", groups=1, transposed=False):
    """The true fans."""
    return initialization.fan_in_and_fan_out(shape, layout, groups, transposed)


def ratio_limits(width, depth, samples, rectified=False):
    """Between which limits the mean square may lie after ``depth`` layers that keep it on average, but for ALARM.

    One layer of N(0, 1/width) weights multiplies the mean square by R. However many samples there are, R is a convex
    combination of what it is for each alone, and that is χ²(width)/width, whatever the layer's input. So for convex
    powers E[R^s] ≤ E[(χ²/width)^s] = (2/width)^s Γ(width/2 + s) / Γ(width/2), layers multiply, and by Markov's
    inequality the product exceeds exp(t) with a chance below E[R^s]^depth exp(−s t), s ≥ 1 or, from below, s < 0.
    A rectifier under N(0, 2/width) keeps K ~ Binomial(width, ½) of the units, and R = 2 χ²(K)/width. For negative s
    the few K below width/4 are left out and their chance is added.
    """
    # Half of the chance for each side.
    bound = -math.log(ALARM / 4)

    def moment(s):
        if not rectified:
            return s * math.log(2 / width) + scipy.special.gammaln(width / 2 + s) - scipy.special.gammaln(width / 2)
        kept = torch.arange(max(1, width // 4), width + 1).double().numpy()
        chance = scipy.stats.binom.logpmf(kept, width, 0.5)
        return scipy.special.logsumexp(
            chance + s * math.log(4 / width) + scipy.special.gammaln(kept / 2 + s) - scipy.special.gammaln(kept / 2)
        )

    if rectified:
        few = depth * samples * float(scipy.stats.binom.cdf(width // 4, width, 0.5))
        if few > ALARM / 4:
            raise ValueError(f"width is {width}, too few units for a bound")
    powers = [1 + k / 4 for k in range(200)]
    upper = min((depth * moment(s) + bound) / s for s in powers)
    lower = max(-(depth * moment(-s) + bound) / s for s in (k / 4 for k in range(1, 200)) if s < width / 8)
    return math.exp(lower), math.exp(upper)
