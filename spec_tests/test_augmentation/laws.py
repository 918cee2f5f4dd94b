"""What the Specs of augmentation share: pixels that tell their place, boxes of whole pixels, samples, chance."""

import itertools
import math

import scipy
import torch

from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Batch, require

VIEWS = {"no_aliasing": "the result may be a view: pixels need not be copied to be flipped or cut"}
MOVED_ONLY = {"extremes_stay_finite": "pixels are moved, not computed: infinities are among the usual cases"}
NAN_OF_NO_WEIGHT = {
    "nan_not_hidden": "whether a neighbour of weight 0 shows its nan (0 · nan) differs between libraries"
}
STREAMS = "libraries have streams of their own: a seed does not stand for the same numbers in all of them; "
STOCHASTIC = {
    "agrees_with_reference": STREAMS + "laws about bounds and distributions judge it",
    "repeated_calls_agree": STREAMS + "'same seed same numbers' says it of the implementation's own",
    "edge_sizes": STREAMS + "the smallest images are among the cases",
}
NO_TENSOR = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor",
    "nan_not_hidden": "no argument can hold nan",
    "no_aliasing": "no argument is a tensor",
    "extremes_stay_finite": "no argument has extreme values",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def samples(case, trailing):
    """Samples along the first axis where there is one before the ``trailing`` axes of one image, and no boxes."""
    if case.image.ndim <= trailing or case.arguments.get("boxes") is not None:
        return None
    return Batch(output=0, image=0)


def picture(result):
    """The image of a result that may hold boxes too."""
    return result[0] if isinstance(result, tuple | list) else result


def places(case, size):
    """A (1, H, W) image in which every pixel tells its own place: whole numbers, all different."""
    height, width = size
    return (1 + torch.arange(height * width, dtype=case.dtype)).reshape(1, height, width)


def whole_boxes(case, size, count=3):
    """Boxes of whole pixels, corners as lists of whole numbers."""
    generator, found = case.generator(70), []
    for _ in range(count):
        ends = [sorted(torch.randperm(n + 1, generator=generator)[:2].tolist()) for n in reversed(size)]
        (x1, x2), (y1, y2) = ends
        found.append([x1, y1, x2, y2])
    return found


def within(image, box):
    """The pixels in a box of whole pixels."""
    x1, y1, x2, y2 = (int(x) for x in box)
    return image[..., y1:y2, x1:x2]


def check_even(values, what):
    """Require that values are a sample of U[0, 1], by Kolmogorov and Smirnov's statistic, and not too coarse a one.

    Of 20 random bits each, the k-th of n values repeats an earlier one with a chance of at most k / 2²⁰. The greatest
    distance between the sample's share below a point and the point has a law of its own (scipy.stats.kstwo). Limits are
    quantiles at ALARM.
    """
    repeated = len(values) - len(values.unique())
    most = int(scipy.stats.binom.isf(ALARM, len(values), len(values) / 2**20))
    require(
        repeated <= most, f"{what}: {repeated} of {len(values)} values are repeated, chance allows {most}: too coarse"
    )
    distance = float(scipy.stats.kstest(values.numpy(), "uniform").statistic)
    limit = float(scipy.stats.kstwo.isf(ALARM, len(values)))
    require(
        distance <= limit,
        f"{what}: the share of values below a point is {distance:.3f} off somewhere, chance allows {limit:.3f} "
        f"(mean {float(values.mean()):.3f} of the interval for 0.5)",
    )


def check_pairs(table, what):
    """Require that columns of values in [−1, 1] of mean 0 know nothing of each other, row by row.

    The mean of n products of independent values is above t with a chance below 2 exp(−n t² / 2), by Hoeffding's
    inequality; columns that are the same would give 1/3.
    """
    limit = math.sqrt(2 * math.log(2 / ALARM) / len(table))
    for i, j in itertools.combinations(range(table.shape[1]), 2):
        found = float((table[:, i] * table[:, j]).mean())
        require(abs(found) <= limit, f"{what[i]} and {what[j]} go together, {found:.3f}; chance allows ±{limit:.3f}")


def check_shares(counts, what):
    """Require that outcomes of equal chances came up equally often: each count is binomial, with quantiles at ALARM / 2."""
    total = sum(counts)
    low, high = (int(end) for end in scipy.stats.binom.ppf((ALARM / 2, 1 - ALARM / 2), total, 1 / len(counts)))
    require(
        low <= min(counts) and max(counts) <= high,
        f"{what}: of {total} draws the outcomes came up {counts} times, chance allows {low} to {high}",
    )
