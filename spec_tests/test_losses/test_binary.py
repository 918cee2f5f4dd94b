"""Laws of losses of independent yes-or-no questions."""

import math

import torch
from torch import full, ones, tensor, zeros

from lawbook.fixtures.cases import losses as domains
from lawbook.fixtures.published import losses as published
from lawbook.reference import losses
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


def _samples(case, **scores):
    """Weights of every element are taken apart with the samples; those of a column stay."""
    ((name, score),) = scores.items()
    if case.reduction != "none" or not score.ndim:
        return None
    weights = {key: case.arguments.get(key) for key in ("weight", "pos_weight")}
    apart = {key: 0 for key, weight in weights.items() if weight is not None and weight.ndim == score.ndim}
    return Batch(output=0, **{name: 0, "t": 0}, **apart)


class TestBceLoss(Spec):
    component = losses.bce_loss
    extremes = domains.certain
    cases = domains.bce_loss
    differentiable = ("p", "t")
    twice = True
    declines = {"nan_not_hidden": "the contract refuses nan: it is no probability"}
    invalid = (
        Invalid(ValueError, "a column of truths for a row of answers", p=full((3,), 0.5), t=ones(3, 1)),
        Invalid(ValueError, "a probability above one", p=tensor([0.5, 1.5]), t=ones(2)),
        Invalid(ValueError, "a negative probability", p=tensor([0.5, -0.5]), t=ones(2)),
        Invalid(ValueError, "a truth above one", p=full((2,), 0.5), t=tensor([0.0, 1.5])),
        Invalid(ValueError, "an unknown reduction", p=full((3,), 0.5), t=ones(3), reduction="average"),
        Invalid(ValueError, "a weight that does not broadcast", p=full((2, 3), 0.5), t=ones(2, 3), weight=ones(2)),
        Invalid(ValueError, "a weight of more axes", p=full((2, 3), 0.5), t=ones(2, 3), weight=ones(1, 2, 3)),
    )
    edges = (
        {"p": zeros(0, 3), "t": zeros(0, 3), "reduction": "sum"},
        {"p": zeros(0), "t": zeros(0), "reduction": "none"},
        {"p": full((1, 1), 0.25), "t": ones(1, 1)},
        {"p": waves(300).sigmoid(), "t": (waves(300) + 1) / 2},
    )

    def batch(self, case):
        return _samples(case, p=case.p)

    def test_yes_and_no_are_alike(self, impl, case):
        """The answer 1 − p to the opposite question costs the same."""
        # Of multiples of 2⁻²⁰ the difference to 1 is exact.
        p, t = ((x * 2**20).round() / 2**20 for x in (case.p, case.t))
        return impl(case, p=1 - p, t=1 - t), impl(case, p=p, t=t)

    def test_certain_and_right_costs_nothing(self, impl, case):
        """p = t in {0, 1} costs exactly 0."""
        hard = case.t.round()
        cost = impl(case, p=hard, t=hard)
        require((cost == 0).all(), f"certain and right costs {cost.max().item()}, expected 0")

    def test_certain_and_wrong_costs_a_hundred(self, impl, case):
        """The logarithm of 0 counts as −100."""
        hard = case.t.round()
        cost = impl(case, p=1 - hard, t=hard, weight=None, reduction="none")
        return cost, torch.full_like(cost, 100)

    def test_gradient_at_certainty_is_finite(self, impl, case):
        """At p = 0 and p = 1 the gradient is some finite number."""
        gradient = impl.vjp(case, p=case.p.round(), wrt=("p",))[1]["p"]
        require(gradient.isfinite().all(), f"the gradient to p is {gradient.tolist()}, expected finite numbers")

    def test_undecided_costs_log_two(self, impl, case):
        """p = ½ costs log 2, whatever the truth."""
        cost = impl(case, p=torch.full_like(case.p, 0.5), weight=None)
        count = case.p.numel() if case.reduction == "sum" else 1
        return cost, torch.full_like(cost, math.log(2)) * count

    def test_weights_scale(self, impl, case):
        """Doubled weights double the loss, under the mean too."""
        weight = torch.ones_like(case.p) if case.weight is None else case.weight
        return impl(case, weight=2 * weight), 2 * impl(case)

    def test_reductions_agree(self, impl, case):
        """mean · elements = sum = the sum of none."""
        total = impl(case, reduction="sum")
        return [
            (impl(case, reduction="none").sum(), total),
            (impl(case, reduction="mean") * case.p.numel(), total),
        ]

    def test_published_values(self, impl):
        """The note's easy and hard samples cost 0.1054 and 0.6931."""
        for sample, printed in ((published.EASY, published.BCE_EASY), (published.HARD, published.BCE_HARD)):
            value = float(impl.call(p=tensor(sample["p"]), t=tensor(sample["truth"])))
            require(f"{value:.4f}" == printed, f"got {value:.4f}, the note prints {printed}")


class TestBceWithLogits(Spec):
    component = losses.bce_with_logits
    low_gradients = True
    extremes = domains.bce_with_logits_extremes
    cases = domains.bce_with_logits
    differentiable = ("x",)
    twice = True
    invalid = (
        Invalid(ValueError, "a column of truths for a row of scores", x=zeros(3), t=ones(3, 1)),
        Invalid(ValueError, "an unknown reduction", x=zeros(3), t=ones(3), reduction="average"),
        Invalid(ValueError, "a weight that does not broadcast", x=zeros(2, 3), t=ones(2, 3), weight=ones(2)),
        Invalid(ValueError, "a weight of more axes", x=zeros(2, 3), t=ones(2, 3), weight=ones(1, 2, 3)),
    )
    edges = (
        {"x": zeros(0, 3), "t": zeros(0, 3), "reduction": "sum"},
        {"x": zeros(0), "t": zeros(0), "reduction": "none"},
        {"x": zeros(1, 1), "t": ones(1, 1)},
        {"x": 3 * waves(300), "t": (waves(300) + 1) / 2},
    )

    def batch(self, case):
        return _samples(case, x=case.x)

    def test_binary_cross_entropy_of_the_sigmoid(self, impl, case):
        """Where σ(x) is not saturated, this is bce_loss of σ(x)."""
        x = case.x.clamp(-8, 8)
        truth = losses.bce_loss(torch.sigmoid(x), case.t, case.weight, case.reduction)
        return impl(case, x=x, pos_weight=None), truth

    def test_yes_and_no_are_alike(self, impl, case):
        """The opposite score on the opposite question costs the same."""
        return impl(case, x=-case.x, t=1 - case.t, pos_weight=None), impl(case, pos_weight=None)

    def test_gradient_is_probability_minus_truth(self, impl, case):
        """∂(Σ l)/∂x = σ(x) − t, also at ±1e4."""
        one = torch.ones((), dtype=case.dtype)
        changes = {"weight": None, "pos_weight": None, "reduction": "sum"}
        return impl.vjp(case, [one], wrt=("x",), **changes)[1]["x"], torch.sigmoid(case.x) - case.t

    def test_gradient_to_the_truth_is_minus_the_score(self, impl, case):
        """∂(Σ l)/∂t = −x."""
        one = torch.ones((), dtype=case.dtype)
        changes = {"weight": None, "pos_weight": None, "reduction": "sum"}
        gradient = impl.vjp(case, [one], wrt=("t",), **changes)[1]["t"]
        # The difference of two logarithms of at least log 2 is right too: they are the scale of its rounding.
        scale = case.x.abs() + 1
        return scale + gradient, scale - case.x

    def test_pos_weight_scales_the_positives_only(self, impl, case):
        """A pos_weight of 3 triples the loss of a truth of 1 and leaves that of a truth of 0."""
        three = torch.full_like(case.x, 3)
        yes, no = torch.ones_like(case.t), torch.zeros_like(case.t)
        return [
            (impl(case, t=yes, pos_weight=three), 3 * impl(case, t=yes, pos_weight=None)),
            (impl(case, t=no, pos_weight=three), impl(case, t=no, pos_weight=None)),
        ]

    def test_reductions_agree(self, impl, case):
        """mean · elements = sum = the sum of none."""
        total = impl(case, reduction="sum")
        return [
            (impl(case, reduction="none").sum(), total),
            (impl(case, reduction="mean") * case.x.numel(), total),
        ]

    def test_published_pair(self, impl):
        """On the note's six logits it equals bce_loss of their sigmoids."""
        x, t = tensor(published.BINARY_LOGITS), tensor(published.BINARY_TRUTH)
        got, expected = float(impl.call(x=x, t=t)), float(losses.bce_loss(torch.sigmoid(x.double()), t.double()))
        require(f"{got:.4f}" == f"{expected:.4f}", f"got {got:.4f}, expected {expected:.4f}")


class TestFocalLoss(Spec):
    component = losses.focal_loss
    extremes = domains.focal_loss_extremes
    cases = domains.focal_loss
    differentiable = ("p",)
    twice = True
    prerequisites = ("bce_loss",)
    declines = {"nan_not_hidden": "the contract refuses nan: it is no probability"}
    invalid = (
        Invalid(ValueError, "a column of truths for a row of answers", p=full((3,), 0.5), y=ones(3, 1)),
        Invalid(ValueError, "a probability above one", p=tensor([0.5, 1.5]), y=ones(2)),
        Invalid(ValueError, "a negative gamma", p=full((3,), 0.5), y=ones(3), gamma=-0.5),
        Invalid(ValueError, "an alpha above one", p=full((3,), 0.5), y=ones(3), alpha=1.5),
        Invalid(ValueError, "a negative alpha", p=full((3,), 0.5), y=ones(3), alpha=-0.5),
        Invalid(ValueError, "a truth above one", p=full((3,), 0.5), y=tensor([0.0, 1.0, 1.5])),
        Invalid(ValueError, "an unknown reduction", p=full((3,), 0.5), y=ones(3), reduction="average"),
    )
    edges = (
        {"p": zeros(0, 3), "y": zeros(0, 3), "reduction": "sum"},
        {"p": zeros(0), "y": zeros(0), "reduction": "none"},
        {"p": full((1, 1), 0.25), "y": ones(1, 1)},
        {"p": waves(300).sigmoid(), "y": (waves(300).sin() > 0).double()},
    )

    def batch(self, case):
        return Batch(output=0, p=0, y=0) if case.reduction == "none" and case.p.ndim else None

    def test_without_focus_it_is_half_the_binary_cross_entropy(self, impl, case):
        """gamma = 0 and alpha = ½ leave ½ · bce_loss."""
        return impl(case, gamma=0.0, alpha=0.5), 0.5 * losses.bce_loss(case.p, case.y, None, case.reduction)

    def test_never_above_the_weighted_cross_entropy(self, impl, case):
        """Focusing only takes away: more gamma, less loss."""
        less = impl(case, gamma=0.0) - impl(case)
        return less, less.clamp(min=0)

    def test_alpha_weighs_the_positives(self, impl, case):
        """alpha = 1 leaves only truths of 1, alpha = 0 only truths of 0."""
        yes, no = impl(case, y=torch.ones_like(case.y), alpha=0.0), impl(case, y=torch.zeros_like(case.y), alpha=1.0)
        require((yes == 0).all() and (no == 0).all(), "alpha = 0 must silence truths of 1, alpha = 1 truths of 0")

    def test_undecided_hard_answer(self, impl, case):
        """At p = ½ the loss is a · 2^−gamma · log 2."""
        cost = impl(case, p=torch.full_like(case.p, 0.5), reduction="none")
        share = case.alpha * case.y + (1 - case.alpha) * (1 - case.y)
        return cost, share * (math.log(2) * 0.5**case.gamma)

    def test_gradient_at_certainty_is_finite(self, impl, case):
        """At p = 0 and p = 1 the gradient is finite, for fractional gamma too."""
        for gamma in (case.gamma, 0.5):
            gradient = impl.vjp(case, p=case.p.round(), gamma=gamma, wrt=("p",))[1]["p"]
            require(gradient.isfinite().all(), f"the gradient to p is {gradient.tolist()}, expected finite numbers")

    def test_published_values(self, impl):
        """The note's easy and hard samples cost 0.0005 and 0.0866."""
        for sample, printed in ((published.EASY, published.FOCAL_EASY), (published.HARD, published.FOCAL_HARD)):
            value = float(impl.call(p=tensor(sample["p"]), y=tensor(sample["truth"])))
            require(f"{value:.4f}" == printed, f"got {value:.4f}, the note prints {printed}")
