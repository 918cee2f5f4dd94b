"""Learning rates that fall with the epochs."""

from collections.abc import Sequence

from lawbook.reference.checks import check_positive, check_range, check_whole


def step_lr(base_lr: float, step_size: int, epochs: int, gamma: float = 0.1) -> list[float]:
    """Lower the rate every so many epochs.

        lr_e = base_lr · gamma^⌊e / step_size⌋,   e = 0, …, epochs − 1

    Args:
        base_lr: the rate of the first epoch, at least 0.
        step_size: epochs between two changes, at least 1.
        epochs: how many, at least 0.
        gamma: the factor, above 0.

    Returns:
        The rate of every epoch, a list of numbers.

    Raises:
        TypeError: ``step_size`` or ``epochs`` is no whole number.
        ValueError: a number is out of its range.

    Source: note 001 §6.2 (StepLR); note 004, style transfer (factor 0.8).
    """
    step_size = check_whole("step_size", step_size, 1)
    _check(base_lr, gamma)
    return [base_lr * gamma ** (epoch // step_size) for epoch in range(check_whole("epochs", epochs, 0))]


def multi_step_lr(base_lr: float, milestones: Sequence[int], epochs: int, gamma: float = 0.1) -> list[float]:
    """Lower the rate at given epochs.

        lr_e = base_lr · gamma^|{m ∈ milestones: m ≤ e}|,   e = 0, …, epochs − 1

    where a milestone that stands there twice counts twice, and their order does not matter.

    Args:
        base_lr: the rate before the first milestone, at least 0.
        milestones: epochs from which on the rate is lower, each at least 0; none is allowed, as are later ones than the
            last epoch.
        epochs: how many, at least 0.
        gamma: the factor, above 0.

    Returns:
        The rate of every epoch, a list of numbers.

    Raises:
        TypeError: a milestone or ``epochs`` is no whole number.
        ValueError: a number is out of its range.

    Conventions: the epoch of the milestone itself has the lower rate in PyTorch and in optax.piecewise_constant_schedule;
    Keras' PiecewiseConstantDecay begins with the step after it.

    Source: note 001 §6.2 (MultiStepLR).
    """
    milestones = [check_whole("milestones", milestone, 0) for milestone in milestones]
    _check(base_lr, gamma)
    return [
        base_lr * gamma ** sum(milestone <= epoch for milestone in milestones)
        for epoch in range(check_whole("epochs", epochs, 0))
    ]


def exponential_lr(base_lr: float, gamma: float, epochs: int) -> list[float]:
    """Lower the rate by the same factor in every epoch.

        lr_e = base_lr · gammaᵉ,   e = 0, …, epochs − 1

    Args:
        base_lr: the rate of the first epoch, at least 0.
        gamma: the factor, above 0.
        epochs: how many, at least 0.

    Returns:
        The rate of every epoch, a list of numbers.

    Raises:
        TypeError: ``epochs`` is no whole number.
        ValueError: a number is out of its range.

    Source: note 001 §6.2 (ExponentialLR with 0.99).
    """
    _check(base_lr, gamma)
    return [base_lr * gamma**epoch for epoch in range(check_whole("epochs", epochs, 0))]


def _check(base_lr: float, gamma: float) -> None:
    check_range("base_lr", base_lr, 0)
    check_positive("gamma", gamma)
