"""Choosing a model: capacity, folds, and the gap between training and validation."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_whole


def polynomial_features(x: Tensor, degree: int) -> Tensor:
    """Powers of a number, each divided by its factorial.

        f_i = xⁱ / i!,   i = 0 … degree

    Args:
        x: any shape, floating.
        degree: the highest power, at least 0.

    Returns:
        ``x``'s shape with an axis of degree + 1 features at the end, dtype of ``x``.

    Raises:
        ValueError: ``degree`` is below 0.
        TypeError: ``x`` is not floating, or ``degree`` is not a whole number.

    Conventions: the factorials keep high powers small, as in the note, whose code with max_degree = 20 has the powers
        0 … 19, degree 19 here. scikit-learn's PolynomialFeatures does not divide.

    Source: note 004, polynomial regression.
    """
    check_floating("x", x)
    degree = check_whole("degree", degree, 0)
    features = [torch.ones_like(x)]
    for i in range(1, degree + 1):
        # The power alone may overflow where its share by the factorial does not.
        features.append(features[-1] * (x / i))
    return torch.stack(features, -1)


def k_fold_indices(n: int, k: int, i: int) -> tuple[Tensor, Tensor]:
    """Which samples train and which validate in round i of k-fold cross-validation.

        valid = fold i of 0 … n − 1 cut into k stretches,   train = all others

    where the first n mod k folds hold ⌊n / k⌋ + 1 samples and the others ⌊n / k⌋: every sample validates in one round.

    Args:
        n: the number of samples, at least k.
        k: the number of folds, at least 2.
        i: the round, 0 … k − 1.

    Returns:
        train, valid: int64, ascending.

    Raises:
        ValueError: ``k`` is below 2 or above ``n``.
        IndexError: ``i`` is outside 0 … k − 1.
        TypeError: an argument is not a whole number.

    Conventions: scikit-learn's KFold, numpy.array_split and torch.tensor_split give the remainder to the first folds,
        one each. The note's code makes all folds ⌊n / k⌋ and never uses the last n mod k samples.

    Source: note 004, k-fold cross-validation and its code for house prices.
    """
    k = check_whole("k", k, 2)
    n = check_whole("n", n)
    if n < k:
        raise ValueError(f"n is {n}, expected at least k, {k}: every fold needs a sample")
    i = check_whole("i", i)
    if not 0 <= i < k:
        raise IndexError(f"i is {i}, expected 0..{k - 1}")
    size, longer = divmod(n, k)
    start = i * size + min(i, longer)
    stop = start + size + (i < longer)
    return torch.cat([torch.arange(0, start), torch.arange(stop, n)]), torch.arange(start, stop)


def train_valid_gap(train_losses: Tensor, valid_losses: Tensor) -> Tensor:
    """How much worse a model does on samples it was not fitted to.

        gap = mean(valid_losses) − mean(train_losses)

    where a model of too much capacity has a small training loss and a large gap.

    Args:
        train_losses: a loss for each training sample or fold, (N,), floating, N at least 1.
        valid_losses: a loss for each validation sample or fold, (M,), M at least 1, of the same dtype.

    Returns:
        A number, the dtype of the losses.

    Raises:
        ValueError: a tensor has not one axis, or is empty.
        TypeError: a tensor is not floating, or the dtypes differ.

    Source: note 004, model selection: training and generalization error, overfitting.
    """
    for name, losses in (("train_losses", train_losses), ("valid_losses", valid_losses)):
        check_floating(name, losses)
        check_axes(name, losses, 1)
        if not len(losses):
            raise ValueError(f"{name} is empty, expected at least one loss")
    if train_losses.dtype != valid_losses.dtype:
        raise TypeError(f"valid_losses is {valid_losses.dtype}, expected that of train_losses, {train_losses.dtype}")
    return valid_losses.mean() - train_losses.mean()
