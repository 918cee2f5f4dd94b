"""What chance allows: limits of statistics that a correct implementation exceeds with a chance of ALARM."""

import math

from torch import Tensor

from lawbook.spec_tests.spec import require

ALARM = 1e-13
"""The chance that one statistic of a correct implementation raises a false alarm; a chapter looks at fewer than 1000."""

SEEDS = (11, 12)


def check_unrelated(values: Tensor, span: float, what: str) -> None:
    """Require that values of mean 0 know nothing of their neighbours, nor of where they stand on any axis.

        |mean of v_i · v_j over m pairs| ≤ √(2 · log(2 / ALARM) / m)
        |mean of v over a slice of n|    ≤ span · √(log(2 · slices / ALARM) / (2n))

    by Hoeffding's inequality, where pairs are disjoint: neighbours, and values half an axis apart, along every axis.

    Args:
        values: any shape, within [−1, 1], independent and of mean 0 if the implementation is right.
        span: the length of the interval that the values lie in, at most 2.
        what: what they are, for the message.

    Raises:
        LawBroken: a limit is exceeded.

    Source: Hoeffding 1963, Journal of the American Statistical Association 58.
    """
    for axis, size in enumerate(values.shape):
        if size < 2:
            continue
        rows = values.movedim(axis, 0).reshape(size, -1)
        for gap in {1, size // 2}:
            blocks = size // (2 * gap)
            pairs = rows[: blocks * 2 * gap].reshape(blocks, 2, gap, -1)
            products = pairs[:, 0] * pairs[:, 1]
            limit, found = math.sqrt(2 * math.log(2 / ALARM) / products.numel()), float(products.mean())
            require(
                abs(found) <= limit,
                f"{what}: values {gap} apart on axis {axis} go together, {found:.4f}; chance allows ±{limit:.4f}",
            )
        means = rows.mean(1)
        worst = int(means.abs().argmax())
        limit, found = span * math.sqrt(math.log(2 * size / ALARM) / (2 * rows.shape[1])), float(means[worst])
        require(
            abs(found) <= limit,
            f"{what}: slice {worst} of axis {axis} leans to one side, {found:.4f}; chance allows ±{limit:.4f}",
        )
