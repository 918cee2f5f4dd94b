"""How random tensors are judged: by statistics whose distribution is known, at fixed seeds.

Every statistic may be exceeded by a correct implementation with a chance of ALARM. All laws of random tensors together
look at fewer than 1000 of them, so that a run raises a false alarm with a chance below 1e-10. The limits follow from
the distributions; no figure was chosen by looking at what implementations do.
"""

import math

import scipy
import torch

from lawbook.spec_tests.chance import ALARM, SEEDS
from lawbook.spec_tests.spec import require
from lawbook.spec_tests.test_initialization.laws import STOCHASTIC, SeedLaws, sequence

DECLINED = {**STOCHASTIC, "low_precision": "the result is float32"}
DECLINED_WHOLE = {**DECLINED, "low_precision": "the result is int64"}

PLENTY = {"size": (50, 40)}
MANY = {"size": (400, 250)}


class WholeSeedLaws(SeedLaws):
    """The same for whole numbers, which are compared to the last digit."""

    def test_same_stream_same_tensor(self, impl):
        """Numbers that are the reference's for this seed stand in its order, not in the reverse one or another.

        Says nothing of implementations with a stream of their own: that theirs be the reference's numbers up to order has
        no chance worth naming.
        """
        for seed in SEEDS:
            got, truth = impl.call(**self.plenty, seed=seed), self.component(**self.plenty, seed=seed)
            if torch.equal(sequence(got).sort().values, sequence(truth).sort().values):
                require(torch.equal(got, truth), "the numbers are the reference's for this seed, in another order")


def check_shares(counts, chances, total, what):
    """Require that each count lies between the quantiles, at ALARM / 2, of a binomial variable of ``total`` trials."""
    for count, (name, chance) in zip(counts, chances.items(), strict=True):
        low = float(scipy.stats.binom.ppf(ALARM / 2, total, chance))
        high = float(scipy.stats.binom.isf(ALARM / 2, total, chance))
        require(
            low <= count <= high,
            f"{what}: {count} of {total} {name}, expected {total * chance:.0f}; chance allows {low:.0f} to {high:.0f}",
        )


def check_equally_likely(values, low, high, what):
    """Require whole numbers from ``low`` to ``high − 1`` that are all equally frequent, by Pearson's statistic.

        Σ (count − n/k)² / (n/k) ≤ the quantile of χ² with k − 1 degrees of freedom at ALARM

    With n/k of some thousands the statistic's law is χ² as closely as matters here: at ALARM a count is eight deviations
    off, where the skewness of 1/√(n/k) changes the chance by a factor of less than four.
    """
    x = values.reshape(-1)
    least, most = int(x.min()), int(x.max())
    require(least >= low and most < high, f"{what}: values from {least} to {most}, expected {low} to {high - 1}")
    counts = torch.bincount(x - low, minlength=high - low).double()
    expected = len(x) / (high - low)
    found = float(((counts - expected) ** 2 / expected).sum())
    limit = float(scipy.stats.chi2.isf(ALARM, high - low - 1))
    worst = int((counts - expected).abs().argmax())
    require(
        found <= limit,
        f"{what}: {int(counts[worst])} of {len(x)} values are {low + worst}, expected {expected:.0f}; "
        f"χ² is {found:.1f}, chance allows {limit:.1f}",
    )


def check_even(share, what):
    """Require values in [0, 1) that are uniform, by the greatest distance of the distribution functions.

        sup |share of values below t − t| ≤ √(log(2 / ALARM) / (2n))

    by the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant.

    Source: Massart 1990, Annals of Probability 18.
    """
    x, count = share.sort().values, len(share)
    rank = torch.arange(count, dtype=torch.float64) / count
    distances = torch.maximum((x - rank).abs(), (rank + 1 / count - x).abs())
    worst, limit = int(distances.argmax()), math.sqrt(math.log(2 / ALARM) / (2 * count))
    found = float(distances[worst])
    require(
        found <= limit,
        f"{what}: {(worst + 1) / count:.4f} of the values lie in the lower {float(x[worst]):.4f} of the interval; "
        f"chance allows {limit:.4f} more or less",
    )
