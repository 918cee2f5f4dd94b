"""Laws of distributions over classes and of how far apart two of them are."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import losses as domains
from lawbook.reference import losses
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

INFINITY = float("inf")


class TestSoftmax(Spec):
    component = losses.softmax
    low_gradients = True
    extremes = domains.softmax_extremes
    cases = domains.softmax
    differentiable = ("x",)
    twice = True
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dim=2),
        Invalid(TypeError, "whole numbers", x=ones(2, 3, dtype=torch.int64), dim=1),
    )
    edges = (
        {"x": zeros(0, 3), "dim": 1},
        {"x": zeros(2, 0), "dim": 1},
        {"x": ones(1, 1), "dim": 0},
        {"x": tensor([[-INFINITY, -INFINITY], [0.0, 1.0]]), "dim": 1},
        {"x": tensor(2.0), "dim": 0},
    )

    def rows(self, case):
        return case.dim

    def batch(self, case):
        return Batch(output=0, x=0) if case.dim % case.x.ndim else None

    def test_rows_sum_to_one(self, impl, case):
        """Every row adds up to one."""
        total = impl(case).sum(case.dim)
        return total, torch.ones_like(total)

    def test_shift_changes_nothing(self, impl, case):
        """Adding one number to all scores of a row changes nothing."""
        shift = case.noise(case.x.sum(case.dim, keepdim=True).shape).round()
        return impl(case, x=case.x + shift), impl(case)

    def test_masked_scores_get_exactly_zero(self, impl, case):
        """A score of −inf gets probability 0, exactly."""
        masked = impl(case)[case.x == -INFINITY]
        require((masked == 0).all(), f"a score of −inf got {masked.max().item() if len(masked) else 0}, expected 0")

    def test_reversed_scores_give_reversed_probabilities(self, impl, case):
        """The order of the classes does not matter."""
        return impl(case, x=case.x.flip(case.dim)), impl(case).flip(case.dim)

    def test_axis_counts_from_either_end(self, impl, case):
        """An axis may be named from the front or from the back."""
        count = case.x.ndim
        return impl(case, dim=case.dim - count if case.dim >= 0 else case.dim + count), impl(case)

    def test_gradient_of_a_row_sums_to_zero(self, impl, case):
        """Since a shift changes nothing, the gradient along a row adds up to zero."""
        gradient = impl.vjp(case, wrt=("x",))[1]["x"].sum(case.dim)
        return gradient, torch.zeros_like(gradient)


class TestLogSoftmax(Spec):
    component = losses.log_softmax
    low_gradients = True
    extremes = domains.softmax_extremes
    cases = domains.softmax
    differentiable = ("x",)
    twice = True
    prerequisites = ("softmax",)
    invalid = TestSoftmax.invalid
    edges = TestSoftmax.edges

    def rows(self, case):
        return case.dim

    def batch(self, case):
        return Batch(output=0, x=0) if case.dim % case.x.ndim else None

    def test_exponentials_sum_to_one(self, impl, case):
        """The exponentials of every row add up to one."""
        total = impl(case).exp().sum(case.dim)
        return total, torch.ones_like(total)

    def test_logarithm_of_softmax(self, impl, case):
        """Where softmax is not vanishingly small, this is its logarithm."""
        seen = case.x - case.x.amax(case.dim, keepdim=True) > -20
        truth = torch.where(seen, losses.softmax(case.x, case.dim), torch.ones_like(case.x))
        return torch.where(seen, impl(case), torch.zeros_like(case.x)), truth.log()

    def test_shift_changes_nothing(self, impl, case):
        """Adding one number to all scores of a row changes nothing."""
        shift = case.noise(case.x.sum(case.dim, keepdim=True).shape).round()
        return impl(case, x=case.x + shift), impl(case)

    def test_differences_are_those_of_the_scores(self, impl, case):
        """log p_i − log p_j = x_i − x_j: applying it twice is applying it once."""
        once = impl(case)
        return impl(case, x=once), once


class TestDistributionCrossEntropy(Spec):
    component = losses.distribution_cross_entropy
    cases = domains.distribution_cross_entropy
    differentiable = ("p", "q")
    twice = True
    invalid = (
        Invalid(ValueError, "shapes that only broadcast", p=ones(2, 3) / 3, q=ones(3) / 3),
        Invalid(ValueError, "different numbers of classes", p=ones(2, 3) / 3, q=ones(2, 4) / 4),
    )
    edges = (
        {"p": zeros(0, 3), "q": zeros(0, 3)},
        {"p": zeros(2, 0), "q": zeros(2, 0)},
        {"p": ones(1), "q": ones(1)},
        {"p": waves(5, 300).softmax(1), "q": waves(300, 5).T.softmax(1)},
    )
    declines = {"extremes_stay_finite": "the cross entropy is truly infinite where q is 0 and p is not"}

    def batch(self, case):
        return Batch(output=0, p=0, q=0) if case.p.ndim > 1 else None

    def test_never_below_the_entropy(self, impl, case):
        """H(p, q) ≥ H(p): whoever believes in another distribution is more surprised."""
        excess = impl(case) - impl(case, q=case.p)
        return excess, excess.clamp(min=0)

    def test_of_a_certain_class_is_its_surprise(self, impl, case):
        """With p certain of the first class it is −log q_1."""
        p = torch.zeros_like(case.p)
        p[..., 0] = 1
        return impl(case, p=p), -case.q[..., 0].log()

    def test_of_a_uniform_belief_is_the_logarithm_of_the_count(self, impl, case):
        """With q uniform over C classes it is log C, whatever p."""
        classes = case.q.shape[-1]
        q = torch.full_like(case.q, classes).reciprocal()
        return impl(case, q=q), case.p.sum(-1) * torch.full_like(case.p[..., 0], classes).log()

    def test_class_impossible_for_both_adds_nothing(self, impl, case):
        """0 · log 0 is 0: an extra class of which both are sure that it never comes changes nothing."""
        return impl(case, p=_with_zero(case.p), q=_with_zero(case.q)), impl(case)

    def test_gradient_of_a_class_impossible_for_both_is_finite(self, impl, case):
        """No nan or infinity reaches the gradient from a class that is 0 in both."""
        _, grads = impl.vjp(case, p=_with_zero(case.p), q=_with_zero(case.q), wrt=("p", "q"))
        for name, grad in grads.items():
            require(grad.isfinite().all(), f"the gradient to {name} is {grad.tolist()}, expected finite numbers")


def _with_zero(x):
    return torch.cat([x, torch.zeros_like(x[..., :1])], -1)


class TestKlDivergence(Spec):
    component = losses.kl_divergence
    low_gradients = True
    cases = domains.kl_divergence
    differentiable = ("log_input", "target")
    twice = True
    invalid = (
        Invalid(ValueError, "shapes that only broadcast", log_input=zeros(2, 3), target=ones(3) / 3),
        Invalid(ValueError, "an unknown reduction", log_input=zeros(2, 3), target=ones(2, 3), reduction="average"),
    )
    edges = (
        {"log_input": zeros(0, 3), "target": zeros(0, 3), "reduction": "none"},
        {"log_input": zeros(0, 3), "target": zeros(0, 3), "reduction": "sum"},
        {"log_input": zeros(1, 1), "target": ones(1, 1), "reduction": "batchmean"},
        {"log_input": waves(5, 300).log_softmax(1), "target": waves(300, 5).T.softmax(1)},
    )
    declines = {
        "extremes_stay_finite": "the divergence is truly infinite where log_input is −inf and the target is not 0"
    }

    def batch(self, case):
        return Batch(output=0, log_input=0, target=0) if case.reduction == "none" else None

    def test_never_negative(self, impl, case):
        """The divergence of distributions is at least 0."""
        divergence = impl(case, reduction="none").sum(-1)
        return divergence, divergence.clamp(min=0)

    def test_zero_between_equals(self, impl, case):
        """A distribution does not diverge from itself."""
        itself = impl(case, log_input=case.target.log(), reduction="none")
        # t · (log t − x) and t · log t − t · x are both right: the target is the scale of their rounding.
        return itself + case.target, case.target

    def test_one_hot_target_gives_the_cross_entropy(self, impl, case):
        """A certain target has no entropy: what is left is −log_input of its class."""
        target = torch.zeros_like(case.target)
        target[..., 0] = 1
        return impl(case, target=target, reduction="none")[..., 0], -case.log_input[..., 0]

    def test_zero_target_adds_nothing(self, impl, case):
        """0 · log 0 is 0."""
        loss = impl(case, target=_first_zero(case.target), reduction="none")[..., 0]
        return loss, torch.zeros_like(loss)

    def test_class_impossible_for_both_adds_nothing(self, impl, case):
        """A class of probability 0 with a log_input of −inf adds 0, not nan."""
        log_input = case.log_input.clone()
        log_input[..., 0] = -INFINITY
        loss = impl(case, log_input=log_input, target=_first_zero(case.target), reduction="none")[..., 0]
        require((loss == 0).all(), f"a class that is impossible for both adds {loss.flatten()[0].item()}, expected 0")

    def test_gradient_to_a_zero_target_is_finite(self, impl, case):
        """No nan reaches the gradient from a target of 0."""
        gradient = impl.vjp(case, target=_first_zero(case.target), wrt=("target",))[1]["target"]
        require(gradient.isfinite().all(), f"the gradient to target is {gradient.tolist()}, expected finite numbers")

    def test_gradient_to_the_input_is_minus_the_target(self, impl, case):
        """∂(Σ l)/∂log_input = −target."""
        one = torch.ones((), dtype=case.dtype)
        return impl.vjp(case, [one], wrt=("log_input",), reduction="sum")[1]["log_input"], -case.target

    def test_reductions_agree(self, impl, case):
        """mean · elements = batchmean · batch = sum = the sum of none."""
        total = impl(case, reduction="sum")
        return [
            (impl(case, reduction="none").sum(), total),
            (impl(case, reduction="mean") * case.target.numel(), total),
            (impl(case, reduction="batchmean") * case.target.shape[0], total),
        ]


def _first_zero(target):
    target = target.clone()
    target[..., 0] = 0
    return target
