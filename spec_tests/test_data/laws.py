"""How random orders are judged: exactly where they must be permutations, else by counts whose distribution is known.

Every count may be exceeded by a correct implementation with a chance of at most ALARM; the laws of the chapter look at
fewer than 1000 of them. The limits follow from the distributions; none was chosen by what implementations do.
"""

import math
from functools import cache
from itertools import permutations

import scipy
import torch

from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import require

STREAMS = "libraries have streams of their own: a seed does not stand for the same order in all of them; "
STOCHASTIC = {
    "agrees_with_reference": STREAMS + "laws about orders judge it",
    "repeated_calls_agree": STREAMS + "'same seed same order' says it of the implementation's own",
}
CPU = "data sets are read on the CPU"
NOT_COMPUTED = {
    "extremes_stay_finite": "nothing is computed",
    "accelerator_agrees": CPU,
}
NO_TENSOR = {
    **NOT_COMPUTED,
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor",
    "nan_not_hidden": "no argument can hold nan",
    "no_aliasing": "no argument is a tensor",
}
VIEWS = {"no_aliasing": "rows may be views: a data set need not copy what it holds"}

# n! coincidences of fewer than n, and the chance of more is below 1/n!.
FEW = next(n for n in range(1, 30) if 1 / math.factorial(n) < ALARM)


def check_permutation(order, n, what):
    """Require every position of 0..n − 1 once."""
    require(len(order) == n, f"{what} has {len(order)} positions, expected {n}")
    wrong = (order.sort().values != torch.arange(n)).nonzero()
    require(not len(wrong), f"{what} is no permutation of 0..{n - 1}: {order.tolist()[:20]}")


def check_scattered(order, what):
    """Require that a permutation is one of those that chance gives.

    Of a uniform permutation, k positions are fixed, or followed by the next number, or by the one before, with an expected
    number of k-subsets of at most 1/k!: FEW or more have a chance below ALARM each. Of the positions of one fifth, a
    hypergeometric number lies in another fifth: the limits are its quantiles, with ALARM shared by all 50.
    """
    n, at = len(order), torch.arange(len(order))
    step = order[1:] - order[:-1]
    for found, said in (
        (order == at, "stand where they stood"),
        (order == at.flip(0), "stand where the reverse has them"),
        (step == 1, "are followed by the next one"),
        (step == -1, "are followed by the one before"),
    ):
        count = int(found.sum())
        require(count < FEW, f"{what}: {count} of {n} {said}; chance allows {FEW - 1}")
    fifths = 5
    parts = torch.tensor_split(order, fifths)
    for k, part in enumerate(parts):
        for j, home in enumerate(torch.tensor_split(at, fifths)):
            count = int(((part >= home[0]) & (part <= home[-1])).sum())
            low, high = _between(n, len(home), len(part))
            require(
                low <= count <= high,
                f"{what}: {count} of fifth {j} are in fifth {k}; chance allows {low} to {high}",
            )


@cache
def _between(n, wanted, drawn):
    low, high = scipy.stats.hypergeom.ppf((ALARM / 50, 1 - ALARM / 50), n, wanted, drawn)
    return int(low), int(high)


def check_every_order(draw, what, seeds=600):
    """Require that each of the six orders of three comes up as often as chance allows, over seeds 0, 1, 2, …

    Orders of different seeds are independent, so each comes up a binomial number of times with the chance 1/6.
    """
    found = [tuple(draw(seed).tolist()) for seed in range(seeds)]
    low, high = scipy.stats.binom.ppf((ALARM / 12, 1 - ALARM / 12), seeds, 1 / 6)
    for order in permutations(range(3)):
        count = found.count(order)
        require(
            low <= count <= high,
            f"{what}: the order {order} comes up {count} times in {seeds}; chance allows {int(low)} to {int(high)}",
        )


def check_unlike(a, b, what):
    """Require that two independent permutations agree in fewer than FEW places."""
    count = int((a == b).sum())
    require(count < FEW, f"{what}: {count} of {len(a)} places are the same; chance allows {FEW - 1}")


def check_stream(order, truth, what):
    """Require an order to be PyTorch's for the seed, or to know nothing of it.

    An implementation with a stream of its own agrees with it, or with its reverse, in FEW places or more with a chance
    below ALARM; one that draws ``torch.randperm`` from ``torch.Generator().manual_seed(seed)`` keeps its order, so that a
    seed stands for the same order throughout PyTorch.
    """
    if not torch.equal(order, truth):
        check_unlike(order, truth, f"{what} and PyTorch's order of the same seed")
        check_unlike(order, truth.flip(0), f"{what} and the reverse of PyTorch's order of the same seed")


def marked(tensors):
    """Tensors of the same forms in which every element says its row, and each tensor has marks of its own.

    Small numbers, so that every dtype holds them; flags tell even rows from odd ones.
    """
    found = []
    for k, tensor in enumerate(tensors):
        rows = torch.arange(len(tensor)).reshape(-1, *[1] * (tensor.ndim - 1)).expand(tensor.shape)
        found.append(rows % 2 == 1 if tensor.dtype == torch.bool else (rows + 64 * k).to(tensor.dtype))
    return found


def rows_of(batch, tensors, what):
    """The rows a batch of marked tensors holds; LawBroken when its tensors do not say the same."""
    found = None
    for k, (part, tensor) in enumerate(zip(batch, tensors, strict=True)):
        require(
            part.shape[1:] == tensor.shape[1:] and part.dtype == tensor.dtype,
            f"{what}: part {k} is {part.dtype} {tuple(part.shape)}, expected rows of {tuple(tensor.shape[1:])}",
        )
        flat = part.reshape(len(part), -1).to(torch.int64) - (0 if part.dtype == torch.bool else 64 * k)
        require(bool((flat == flat[:, :1]).all()), f"{what}: a row of part {k} holds elements of several rows")
        said = flat[:, 0]
        if found is None:
            found = said
        elif part.dtype == torch.bool:
            require(torch.equal(said, found % 2), f"{what}: part {k} has other rows than part 0")
        else:
            require(torch.equal(said, found), f"{what}: part {k} has the rows {said.tolist()}, part 0 {found.tolist()}")
    return found


def check_sizes(batches, n, batch_size, drop_last, what):
    """Require full batches, and a last one with what is left unless it is dropped."""
    left = 0 if drop_last else n % batch_size
    expected = [batch_size] * (n // batch_size) + [left] * bool(left)
    found = [len(batch[0]) for batch in batches]
    require(found == expected, f"{what} has batches of {found}, expected {expected}")
