"""How dropout is judged: exactly where nothing is left to chance, else by shares and products at fixed seeds.

Every statistic may be exceeded by a correct implementation with a chance of at most ALARM. All laws of the three dropouts
together look at fewer than 1000 of them, so that a run raises a false alarm with a chance below 1e-10. The limits
follow from the binomial distribution and from Hoeffding's inequality; none was chosen by what implementations do.
"""

import math

import scipy
import torch

from lawbook.fixtures.published import generalization as published
from lawbook.spec_tests.chance import ALARM, SEEDS, check_unrelated
from lawbook.spec_tests.spec import Invalid, require

STREAMS = "libraries have streams of their own: a seed does not stand for the same elements in all of them; "
STOCHASTIC = {
    "agrees_with_reference": STREAMS + "distribution laws judge which elements are dropped, other laws the values, and "
    "'empty and size-1 dimensions' the cases without chance",
    "gradient_agrees": STREAMS
    + "'the gradient passes where the value did' judges it by the implementation's own choice",
    "repeated_calls_agree": STREAMS + "'same seed same elements' says it of the implementation's own",
    "memory_layout": STREAMS + "'kept are scaled, others are zero' runs on transposed memory too",
    "low_precision": STREAMS + "'half precisions are kept' judges the dtypes",
    "extremes_stay_finite": "a kept element may be as large as its dtype holds times 1 / (1 − p), which is the caller's affair",
    "nan_not_hidden": "a dropped nan is 0 where an implementation selects and nan where it multiplies; both are in use",
    "accelerator_agrees": STREAMS + "no two devices have the same stream",
}


def refused(x, flat):
    """What every dropout refuses; ``flat`` is a tensor with an axis too few, or None where any shape will do."""
    shapes = () if flat is None else (Invalid(ValueError, "an axis too few", x=flat, p=0.5, seed=0),)
    return (
        Invalid(ValueError, "a chance above 1", x=x, p=1.5, seed=0),
        Invalid(ValueError, "a chance below 0", x=x, p=-0.1, seed=0),
        Invalid(ValueError, "a chance above 1 outside of training", x=x, p=1.5, seed=0, training=False),
        Invalid(ValueError, "a chance below 0 outside of training", x=x, p=-0.1, seed=0, training=False),
        Invalid(TypeError, "no seed", x=x, p=0.5, seed=None),
        *shapes,
    )


def without_chance(*tensors):
    """Arguments with which nothing is left to chance: rates 0 and 1, and evaluation."""
    settings = (dict(p=0.0), dict(p=1.0), dict(p=0.5, training=False), dict(p=1.0, training=False))
    return tuple(dict(x=x, seed=7, **setting) for x in tensors for setting in settings)


def check_choices(kept, p, what):
    """Require that flags are independent of each other, each True with the chance 1 − p.

    Their number is binomial: the limits are its quantiles at ALARM / 2. Centred flags lie in an interval of length 1
    within [−1, 1] and have the mean 0, so that they can be held to ``check_unrelated``.
    """
    count, found = kept.numel(), int(kept.sum())
    low, high = (int(end) for end in scipy.stats.binom.ppf((ALARM / 2, 1 - ALARM / 2), count, 1 - p))
    require(
        low <= found <= high,
        f"{what}: {1 - found / count:.4f} are dropped, expected {p}; chance allows "
        f"{1 - high / count:.4f} to {1 - low / count:.4f}",
    )
    check_unrelated(kept.double() - (1 - p), 1.0, what)


class DropoutLaws:
    """What holds for dropout of any unit.

    Class attributes:
        many: a shape with about 1e5 units.
        shared: the axes along which one choice holds for all elements.
    """

    many: tuple
    shared: tuple = ()

    def kept(self, y):
        """Which units of a result of ones are kept; elements of one unit must agree."""
        kept = y != 0
        if not self.shared:
            return kept
        any_kept, all_kept = kept.sum(self.shared) > 0, (~kept).sum(self.shared) == 0
        require(torch.equal(any_kept, all_kept), "a channel is kept in part")
        return all_kept

    def nonzero(self, case):
        """The case with ones in place of zeros, so that a zero of the result is a dropped element."""
        return case.but(x=torch.where(case.x == 0, 1.0, case.x))

    def test_kept_are_scaled_and_others_are_zero(self, impl, case):
        """In training every element is x / (1 − p) or 0, whatever the layout of x."""
        case = self.nonzero(case).but(training=True)
        if case.seed % 2:
            case = case.but(x=case.x.transpose(-1, -2).contiguous().transpose(-1, -2) if case.x.ndim > 1 else case.x)
        y = impl(case)
        self.kept(y)
        return y, torch.where(y != 0, case.x / (1 - case.p if case.p < 1 else 1), 0)

    def test_scale_is_exact(self, impl, case):
        """At p = ½ kept elements are doubled, at p = ¾ fourfold, bit by bit."""
        case = self.nonzero(case).but(training=True)
        for p, factor in ((0.5, 2.0), (0.75, 4.0)):
            y = impl(case, p=p)
            expected = torch.where(y != 0, factor * case.x, 0)
            require(torch.equal(y, expected), f"at p = {p} kept elements are not {factor:g} times as large")

    def test_nothing_dropped_is_the_identity(self, impl, case):
        """With p = 0 the result is x, bit by bit."""
        require(torch.equal(impl(case, p=0.0, training=True), case.x), "p = 0 changes x")

    def test_everything_dropped_is_zero(self, impl, case):
        """With p = 1 the result is zeros."""
        found = impl(case, p=1.0, training=True)
        require(bool((found == 0).all()), "p = 1 leaves something other than zeros")

    def test_evaluation_is_the_identity(self, impl, case):
        """Outside training the result is x, bit by bit, whatever p."""
        require(torch.equal(impl(case, training=False), case.x), "evaluation changes x")

    def test_same_seed_same_elements(self, impl, case):
        """The same seed gives the same bits again, also after a call with another seed, and other values lose the same ones."""
        case = self.nonzero(case)
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        require(torch.equal(first, impl(case)), "the same seed drops other elements at a later call")
        other = impl(case, x=torch.ones_like(case.x))
        require(torch.equal(first == 0, other == 0), "what is dropped depends on the values")

    def test_the_gradient_passes_where_the_value_did(self, impl, case):
        """The gradient is scaled like the value where it was kept, and 0 where it was dropped."""
        case = self.nonzero(case)
        cotangent = case.noise(case.x.shape, 3)
        y, found = impl.vjp(case, cotangent, ("x",))
        factor = 1 / (1 - case.p) if case.training and case.p < 1 else 1.0
        return found["x"], torch.where(y != 0, cotangent * factor, 0)

    def test_drops_its_share_independently(self, impl):
        """Of 1e5 units the share p is dropped, each by itself: no axis, neighbour or sample decides for another.

        So how many are dropped varies: that just the share is, to the unit, has a chance below 0.0043 at these rates.
        """
        rates, just_the_share = (*published.NOTE_004_RATES, *published.NOTE_004_NETWORK_RATES), []
        for p in rates:
            for seed in SEEDS:
                kept = self.kept(impl.call(x=torch.ones(self.many), p=p, seed=seed))
                check_choices(kept, p, f"p = {p}")
                dropped = (~kept).flatten(1).sum(1)
                least, units = int(dropped.min()), kept[0].numel()
                require(int(dropped.max()) > least, f"p = {p}: every sample loses just {least} of its {units} units")
                just_the_share.append(int(dropped.sum()) == round(p * kept.numel()))
        require(
            not all(just_the_share),
            f"at every rate ({', '.join(map(str, rates))}) just the share is dropped, to the unit",
        )

    def test_the_mean_is_kept(self, impl):
        """Of 1e5 units that are 1 the mean stays 1, within what chance allows.

        Results lie in [0, 1 / (1 − p)]: by Hoeffding's inequality the mean of n errs by t / (1 − p) with a chance below
        2 exp(−2 n t²).
        """
        for p in published.NOTE_004_RATES:
            y = impl.call(x=torch.ones(self.many), p=p, seed=SEEDS[0])
            units = y.numel() // math.prod(y.shape[axis] for axis in self.shared)
            found, limit = float(y.double().mean()), math.sqrt(math.log(2 / ALARM) / (2 * units)) / (1 - p)
            require(abs(found - 1) <= limit, f"p = {p}: ones have the mean {found:.4f}; chance allows 1 ± {limit:.4f}")

    def test_another_seed_drops_others(self, impl):
        """Choices of different seeds are independent."""
        x = torch.ones(self.many)
        for near in (1, 1000):
            a, b = (self.kept(impl.call(x=x, p=0.5, seed=seed)) for seed in (5, 5 + near))
            # Two fair choices that know nothing of each other agree like a fair coin.
            check_choices(a == b, 0.5, f"seeds 5 and {5 + near} compared")

    def test_half_precisions_are_kept(self, impl):
        """float16 and bfloat16 come back as they are, doubled or zero at p = ½, and lose their share."""
        for dtype in (torch.float16, torch.bfloat16):
            if not impl.implementation.has_dtype(dtype):
                continue
            x = torch.full(self.many, 1.5, dtype=dtype)
            y = impl.call(x=x, p=0.5, seed=SEEDS[0])
            require(y.dtype == dtype, f"{dtype} becomes {y.dtype}")
            require(bool(((y == 0) | (y == 3)).all()), f"{dtype}: kept elements of 1.5 are not 3")
            check_choices(self.kept(y), 0.5, str(dtype).removeprefix("torch."))
