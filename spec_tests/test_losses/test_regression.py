"""Laws of losses of predicted numbers."""

import math

import torch
from torch import ones, zeros

from lawbook.fixtures.cases import losses as domains
from lawbook.reference import losses
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

INVALID = (
    Invalid(ValueError, "a column against a row", y_hat=ones(3, 1), y=zeros(3)),
    Invalid(ValueError, "a scalar against a row", y_hat=ones(3), y=zeros(())),
    Invalid(ValueError, "an unknown reduction", y_hat=ones(3), y=zeros(3), reduction="average"),
)
EDGES = (
    {"y_hat": zeros(0, 3), "y": zeros(0, 3), "reduction": "sum"},
    {"y_hat": zeros(0, 3), "y": zeros(0, 3), "reduction": "mean"},
    {"y_hat": zeros(2, 0), "y": zeros(2, 0), "reduction": "none"},
    {"y_hat": zeros(1, 1), "y": ones(1, 1)},
)


class Regression(Spec):
    """What all of them share."""

    differentiable = ("y_hat", "y")
    invalid = INVALID
    edges = EDGES
    declines = {"extremes_stay_finite": "finite differences give finite losses but for overflow of the dtype itself"}

    def batch(self, case):
        return Batch(output=0, y_hat=0, y=0) if case.reduction == "none" and case.y.ndim else None

    def test_shift_of_both_changes_nothing(self, impl, case):
        """Only the difference counts."""
        shift = case.noise(case.y.shape).round()
        return impl(case, y_hat=case.y_hat + shift, y=case.y + shift), impl(case)

    def test_the_sides_may_be_exchanged(self, impl, case):
        """Too much costs what too little costs."""
        return impl(case, y_hat=case.y, y=case.y_hat), impl(case)

    def test_a_perfect_prediction_costs_nothing(self, impl, case):
        """Equal values cost exactly 0."""
        cost = impl(case, y_hat=case.y)
        require((cost == 0).all(), f"a perfect prediction costs {cost.max().item()}, expected 0")

    def test_gradients_of_both_sides_are_opposite(self, impl, case):
        """What pulls the prediction up pulls the truth down."""
        grads = impl.vjp(case, wrt=("y_hat", "y"))[1]
        return grads["y_hat"], -grads["y"]

    def test_reductions_agree(self, impl, case):
        """mean · elements = sum = the sum of none."""
        total = impl(case, reduction="sum")
        return [
            (impl(case, reduction="none").sum(), total),
            (impl(case, reduction="mean") * case.y.numel(), total),
        ]


class TestL1Loss(Regression):
    component = losses.l1_loss
    cases = domains.l1_loss

    def test_grows_with_the_error(self, impl, case):
        """An error of 3 costs 3 in every element."""
        cost = impl(case, y_hat=torch.full_like(case.y, 3), y=torch.zeros_like(case.y), reduction="none")
        return cost, torch.full_like(cost, 3)

    def test_gradient_is_the_sign(self, impl, case):
        """∂(Σ l)/∂y_hat is −1, 0 or 1."""
        one = torch.ones((), dtype=case.dtype)
        return impl.vjp(case, [one], wrt=("y_hat",), reduction="sum")[1]["y_hat"], torch.sign(case.y_hat - case.y)


class TestMseLoss(Regression):
    component = losses.mse_loss
    low_gradients = True
    cases = domains.mse_loss
    twice = True

    def test_no_half_stands_in_front(self, impl, case):
        """An error of 3 costs 9 in every element."""
        cost = impl(case, y_hat=torch.full_like(case.y, 3), y=torch.zeros_like(case.y), reduction="none")
        return cost, torch.full_like(cost, 9)

    def test_gradient_is_twice_the_error(self, impl, case):
        """∂(Σ l)/∂y_hat = 2 · (y_hat − y)."""
        one = torch.ones((), dtype=case.dtype)
        return impl.vjp(case, [one], wrt=("y_hat",), reduction="sum")[1]["y_hat"], 2 * (case.y_hat - case.y)

    def test_square_of_the_absolute_error(self, impl, case):
        """Each element is the square of the L1 loss."""
        return impl(case, reduction="none"), losses.l1_loss(case.y_hat, case.y, "none").square()


class TestSmoothL1Loss(Regression):
    component = losses.smooth_l1_loss
    cases = domains.smooth_l1_loss
    invalid = (*INVALID, Invalid(ValueError, "a negative joint", y_hat=ones(3), y=zeros(3), beta=-0.5))

    def test_quadratic_inside(self, impl, case):
        """An error of half of beta costs beta / 8."""
        cost = _cost_of(impl, case, case.beta / 2)
        return cost, torch.full_like(cost, case.beta / 8 if case.beta else 0)

    def test_linear_outside(self, impl, case):
        """Beyond beta one unit more costs one more."""
        return _cost_of(impl, case, case.beta + 2) - _cost_of(impl, case, case.beta + 1), torch.ones_like(case.y)

    def test_joint_is_smooth(self, impl, case):
        """At an error of beta the cost is beta / 2 and the slope 1, and so it is just around it."""
        if not case.beta:
            return self.skip
        costs, slopes = _around(impl, case, case.beta, ("beta", case.beta))
        return [(costs, torch.full_like(costs, case.beta / 2)), (slopes, torch.ones_like(slopes))]

    def test_joint_at_zero_is_the_absolute_error(self, impl, case):
        """beta = 0 is the L1 loss."""
        return impl(case, beta=0.0), losses.l1_loss(case.y_hat, case.y, case.reduction)

    def test_wide_joint_is_the_squared_error(self, impl, case):
        """With beta beyond every error, beta · l = ½ · (y_hat − y)²."""
        return impl(case, beta=2.0**20) * 2.0**20, 0.5 * losses.mse_loss(case.y_hat, case.y, case.reduction)


class TestHuberLoss(Regression):
    component = losses.huber_loss
    cases = domains.huber_loss
    prerequisites = ("smooth_l1_loss",)
    invalid = (*INVALID, Invalid(ValueError, "a joint at 0", y_hat=ones(3), y=zeros(3), delta=0.0))

    def test_smooth_l1_times_the_joint(self, impl, case):
        """huber_loss(delta) = delta · smooth_l1_loss(beta = delta)."""
        return impl(case), case.delta * losses.smooth_l1_loss(case.y_hat, case.y, case.delta, case.reduction)

    def test_quadratic_inside(self, impl, case):
        """An error of half of delta costs delta² / 8."""
        cost = _cost_of(impl, case, case.delta / 2)
        return cost, torch.full_like(cost, case.delta**2 / 8)

    def test_linear_outside(self, impl, case):
        """Beyond delta one unit more costs delta more."""
        more = _cost_of(impl, case, case.delta + 2) - _cost_of(impl, case, case.delta + 1)
        return more, torch.full_like(more, case.delta)

    def test_joint_is_smooth(self, impl, case):
        """At an error of delta the cost is delta² / 2 and the slope delta, and so it is just around it."""
        costs, slopes = _around(impl, case, case.delta, ("delta", case.delta))
        return [(costs, torch.full_like(costs, case.delta**2 / 2)), (slopes, torch.full_like(slopes, case.delta))]


def _cost_of(impl, case, error):
    """Every element's loss for one error."""
    return impl(case, y_hat=torch.full_like(case.y, error), y=torch.zeros_like(case.y), reduction="none")


def _around(impl, case, joint, named):
    """Costs and slopes one unit in the last place below the joint, at it, and above it."""
    at = torch.tensor(joint, dtype=case.dtype)
    errors = torch.stack([torch.nextafter(at, 0 * at), at, torch.nextafter(at, 2 * at)])
    changes = dict([named], y_hat=errors, y=torch.zeros_like(errors), reduction="none")
    costs, grads = impl.vjp(case, [torch.ones_like(errors)], wrt=("y_hat",), **changes)
    return costs, grads["y_hat"]


class TestLogRmse(Spec):
    component = losses.log_rmse
    cases = domains.log_rmse
    differentiable = ("preds", "labels")
    twice = True
    invalid = (Invalid(ValueError, "a column against a row", preds=2 * ones(3, 1), labels=ones(3)),)
    edges = ({"preds": zeros(0), "labels": zeros(0)}, {"preds": 3 * ones(1, 1), "labels": 2 * ones(1, 1)})
    declines = {"extremes_stay_finite": "labels of 0 have no logarithm, and all others give finite results"}

    def test_common_factor_changes_nothing(self, impl, case):
        """From 1 upwards only the ratio of prediction and label counts."""
        preds = case.preds.abs() + 1.5
        return impl(case, preds=4 * preds, labels=4 * case.labels), impl(case, preds=preds)

    def test_predictions_below_one_count_as_one(self, impl, case):
        """Whatever lies below 1, negative numbers included, is the same as 1."""
        low = torch.where(case.preds < 1, -case.preds.abs(), case.preds)
        one = torch.where(case.preds < 1, torch.ones_like(case.preds), case.preds)
        return impl(case, preds=low), impl(case, preds=one)

    def test_one_ratio_everywhere_gives_its_logarithm(self, impl, case):
        """Twice the label in every place costs log 2."""
        cost = impl(case, preds=2 * case.labels)
        return cost, torch.full_like(cost, math.log(2))

    def test_repeated_data_change_nothing(self, impl, case):
        """It is a mean: the same data twice cost the same."""
        twice = {"preds": torch.cat([case.preds, case.preds]), "labels": torch.cat([case.labels, case.labels])}
        return impl(case, **twice), impl(case)

    def test_gradient_of_a_perfect_fit_is_finite(self, impl, case):
        """Where predictions equal labels, neither nan nor infinity reaches the gradient."""
        gradient = impl.vjp(case, preds=case.labels, wrt=("preds",))[1]["preds"]
        require(gradient.isfinite().all(), f"the gradient to preds is {gradient.tolist()}, expected finite numbers")
