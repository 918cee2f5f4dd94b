"""Laws of learning rates that fall with the epochs."""

import torch

from lawbook.fixtures.cases import optimization as domains
from lawbook.fixtures.published import optimization as published
from lawbook.reference import optimization
from lawbook.spec_tests.spec import Invalid, Spec, require

NO_TENSORS = {
    "extremes_stay_finite": "rates are given as plain numbers",
    "nan_not_hidden": "rates are given as plain numbers",
    "low_precision": "rates are given as plain numbers, whatever the dtype of the parameters",
}


class Schedules:
    """What all schedules share."""

    declines = NO_TENSORS

    def test_one_rate_an_epoch(self, impl, case):
        """There are as many rates as epochs."""
        rates = impl(case)
        require(len(rates) == case.epochs, f"{len(rates)} rates for {case.epochs} epochs")

    def test_scales_with_the_base_rate(self, impl, case):
        """Four times the base rate gives four times every rate."""
        return _numbers(impl(case, base_lr=4 * case.base_lr)), 4 * _numbers(impl(case))

    def test_more_epochs_go_on(self, impl, case):
        """A longer schedule begins with the shorter one."""
        return _numbers(impl(case, epochs=case.epochs + 3)[: case.epochs]), _numbers(impl(case))

    def test_factor_of_one_keeps_the_rate(self, impl, case):
        """With gamma = 1 nothing changes."""
        rates = _numbers(impl(case, gamma=1.0))
        return rates, torch.full_like(rates, case.base_lr)


def _numbers(rates):
    return torch.tensor([float(rate) for rate in rates], dtype=torch.float64)


class TestStepLr(Schedules, Spec):
    component = optimization.step_lr
    cases = domains.step_lr
    edges = ({"base_lr": 0.5, "step_size": 3, "epochs": 0}, {"base_lr": 0.5, "step_size": 1, "epochs": 1})
    invalid = (
        Invalid(ValueError, "a step of 0 epochs", base_lr=0.5, step_size=0, epochs=3),
        Invalid(ValueError, "a negative base rate", base_lr=-0.5, step_size=2, epochs=3),
        Invalid(ValueError, "a step of −1 epochs", base_lr=0.5, step_size=-1, epochs=3),
        Invalid(ValueError, "a step of 0 epochs, and no epoch", base_lr=0.5, step_size=0, epochs=0),
        Invalid(ValueError, "fewer epochs than none", base_lr=0.5, step_size=2, epochs=-1),
        Invalid(ValueError, "a negative factor", base_lr=0.5, step_size=2, epochs=3, gamma=-0.5),
    )

    def test_changes_after_every_step(self, impl, case):
        """The rate of an epoch is gamma times that of step_size epochs earlier, and constant in between."""
        rates = _numbers(impl(case, epochs=4 * case.step_size))
        levels = rates.reshape(4, case.step_size)
        return [(levels[1:], case.gamma * levels[:-1]), (levels, levels[:, :1].expand_as(levels))]

    def test_step_of_one_is_exponential(self, impl, case):
        """With a step of one epoch it falls in every epoch."""
        exponential = optimization.exponential_lr(case.base_lr, case.gamma, case.epochs)
        return _numbers(impl(case, step_size=1)), _numbers(exponential)

    def test_published_factor_of_note_004(self, impl):
        """With the note's factor of 0.8 and a step of 50 a rate of 0.3 is 0.3, 0.24 and 0.192."""
        rates = impl.call(base_lr=0.3, step_size=50, epochs=101, gamma=published.STYLE_GAMMA)
        shown = [f"{rates[epoch]:.4f}" for epoch in (0, 49, 50, 99, 100)]
        require(shown == ["0.3000", "0.3000", "0.2400", "0.2400", "0.1920"], f"gave {shown}")


class TestMultiStepLr(Schedules, Spec):
    component = optimization.multi_step_lr
    cases = domains.multi_step_lr
    edges = (
        {"base_lr": 0.5, "milestones": [1], "epochs": 0},
        {"base_lr": 0.5, "milestones": [], "epochs": 1},
        {"base_lr": 0.5, "milestones": [0], "epochs": 1},
    )
    invalid = (
        Invalid(ValueError, "a negative base rate", base_lr=-0.5, milestones=[2], epochs=3),
        Invalid(ValueError, "a negative milestone", base_lr=0.5, milestones=[-1, 2], epochs=3),
        Invalid(ValueError, "fewer epochs than none", base_lr=0.5, milestones=[2], epochs=-1),
        Invalid(ValueError, "a negative factor", base_lr=0.5, milestones=[2], epochs=3, gamma=-0.5),
    )
    prerequisites = ("step_lr",)

    def test_order_of_the_milestones_does_not_matter(self, impl, case):
        """Milestones in another order are the same milestones."""
        return _numbers(impl(case, milestones=case.milestones[::-1])), _numbers(impl(case))

    def test_each_milestone_multiplies_from_its_epoch_on(self, impl, case):
        """One more milestone at epoch 2 leaves epochs 0 and 1, and multiplies all later rates by gamma."""
        more = _numbers(impl(case, milestones=[*case.milestones, 2]))
        factors = [1.0 if epoch < 2 else case.gamma for epoch in range(case.epochs)]
        return more, _numbers(factors) * _numbers(impl(case))

    def test_repeated_milestone_counts_twice(self, impl, case):
        """Two milestones at one epoch multiply by gamma²."""
        rates = _numbers(impl(case, milestones=[1, 1], epochs=3))
        return rates, _numbers([case.base_lr, case.base_lr * case.gamma**2, case.base_lr * case.gamma**2])

    def test_without_milestones_nothing_changes(self, impl, case):
        """No milestone, no change; nor does one change anything that lies beyond the last epoch."""
        constant = torch.full((case.epochs,), case.base_lr, dtype=torch.float64)
        return [
            (_numbers(impl(case, milestones=[])), constant),
            (_numbers(impl(case, milestones=[case.epochs])), constant),
        ]

    def test_equal_distances_are_steps(self, impl, case):
        """Milestones at 3, 6 and 9 are a step of three epochs."""
        steps = optimization.step_lr(case.base_lr, 3, 12, case.gamma)
        return _numbers(impl(case, milestones=[3, 6, 9], epochs=12)), _numbers(steps)


class TestExponentialLr(Schedules, Spec):
    component = optimization.exponential_lr
    cases = domains.exponential_lr
    edges = ({"base_lr": 0.5, "gamma": 0.5, "epochs": 0}, {"base_lr": 0.5, "gamma": 0.5, "epochs": 1})
    invalid = (
        Invalid(ValueError, "a negative base rate", base_lr=-0.5, gamma=0.5, epochs=3),
        Invalid(ValueError, "a negative factor", base_lr=0.5, gamma=-0.5, epochs=3),
        Invalid(ValueError, "fewer epochs than none", base_lr=0.5, gamma=0.5, epochs=-1),
    )

    def test_each_epoch_multiplies(self, impl, case):
        """Each rate is gamma times the one before."""
        rates = _numbers(impl(case, epochs=case.epochs + 1))
        return rates[1:], case.gamma * rates[:-1]

    def test_starts_at_the_base_rate(self, impl, case):
        """The first epoch has the base rate."""
        return _numbers(impl(case)[:1]), _numbers([case.base_lr])

    def test_published_factor_of_note_001(self, impl):
        """With the note's factor of 0.99 a rate of 1 has halved after 69 epochs."""
        rates = impl.call(base_lr=1.0, gamma=published.EXPONENTIAL_GAMMA, epochs=70)
        shown = [f"{rates[epoch]:.4f}" for epoch in (0, 1, 2, 68, 69)]
        require(shown == ["1.0000", "0.9900", "0.9801", "0.5049", "0.4998"], f"gave {shown}")
