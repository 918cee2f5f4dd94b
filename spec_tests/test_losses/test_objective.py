"""Laws of similarity, of the softmax over many classes, of what an objective is put together from, and of accuracy."""

import torch
from torch import eye, int64, ones, tensor, zeros

from lawbook.fixtures.cases import losses as domains
from lawbook.reference import losses
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


class TestCosineSimilarity(Spec):
    component = losses.cosine_similarity
    cases = domains.cosine_similarity
    differentiable = ("x", "y")
    twice = True
    invalid = (
        Invalid(ValueError, "shapes that do not broadcast", x=ones(2, 3), y=ones(2, 4)),
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), y=ones(2, 3), dim=2),
        Invalid(ValueError, "an eps of 0", x=ones(2, 3), y=ones(2, 3), eps=0.0),
    )
    edges = (
        {"x": zeros(1, 2), "y": ones(1, 2), "eps": 1e-23},
        {"x": zeros(0, 3), "y": zeros(0, 3)},
        {"x": zeros(2, 0), "y": zeros(2, 0)},
        {"x": ones(1, 1), "y": -ones(1, 1)},
        {"x": zeros(2, 3), "y": ones(2, 3)},
    )
    declines = {"extremes_stay_finite": "squares of large elements overflow in the contract's own formula"}

    def batch(self, case):
        same = case.x.shape == case.y.shape
        return Batch(output=0, x=0, y=0) if same and case.dim % case.x.ndim else None

    def test_between_minus_one_and_one(self, impl, case):
        """A cosine is at least −1 and at most 1."""
        cosine = impl(case)
        return cosine, cosine.clamp(-1, 1)

    def test_length_does_not_count(self, impl, case):
        """A positive factor on either vector changes nothing."""
        return impl(case, x=4 * case.x, y=3 * case.y), impl(case)

    def test_short_vectors_have_a_direction(self, impl, case):
        """A norm of 1e-5, above eps, is divided by like any other."""
        x = case.x / case.x.square().sum(case.dim, keepdim=True).sqrt()
        return impl(case, x=1e-5 * x), impl(case, x=x)

    def test_sides_may_be_exchanged(self, impl, case):
        """The angle from x to y is that from y to x."""
        return impl(case, x=case.y.expand_as(case.x), y=case.x), impl(case)

    def test_opposite_vectors(self, impl, case):
        """x with itself gives 1, with its opposite −1, and a zero vector gives 0."""
        there = (case.x.square().sum(case.dim) > 0).to(case.dtype)
        zero = torch.zeros_like(case.x)
        return [
            (impl(case, y=case.x), there),
            (impl(case, y=-case.x), -there),
            (impl(case, y=zero), torch.zeros_like(there)),
        ]

    def test_gradient_of_short_vectors(self, impl, case):
        """Below eps the norm is a constant: the gradient to x is y / (eps · ‖y‖)."""
        eps = 2.0
        y = case.y.expand_as(case.x)
        longest = case.x.square().sum(case.dim, keepdim=True).sqrt().clamp(min=eps)
        size = y.square().sum(case.dim, keepdim=True).sqrt().clamp(min=eps)
        cotangent = case.noise(case.x.sum(case.dim).shape)
        found = impl.vjp(case, [cotangent], wrt=("x",), x=case.x / longest, y=y, eps=eps)[1]["x"]
        return found, cotangent.unsqueeze(case.dim) * y / (eps * size)

    def test_one_hot_words_are_orthogonal(self, impl):
        """Different words as one-hot vectors have similarity 0, equal ones 1."""
        words = eye(4)
        cosine = impl.call(x=words[:, None], y=words[None], dim=2)
        require(torch.equal(cosine.double(), eye(4).double()), f"got {cosine.tolist()}, expected the identity matrix")


def _head(entries):
    return {"head.weight": ones(entries, 4)}


def _clusters(first):
    """Two clusters behind two classes, the first one of that size."""
    tails = {"tail.0.0.weight": ones(2, 4), "tail.0.1.weight": ones(first, 2)}
    return _head(4) | tails | {"tail.1.0.weight": ones(1, 4), "tail.1.1.weight": ones(3, 1)}


class TestAdaptiveLogSoftmax(Spec):
    component = losses.adaptive_log_softmax
    cases = domains.adaptive_log_softmax
    differentiable = ("x", "params")
    twice = True
    prerequisites = ("log_softmax",)
    _params = {"head.weight": ones(3, 4), "tail.0.0.weight": ones(2, 4), "tail.0.1.weight": ones(3, 2)}
    _call = {"x": ones(2, 4), "target": zeros(2, dtype=int64), "params": _params, "cutoffs": [2], "div_value": 2.0}
    invalid = (
        Invalid(IndexError, "a class beyond the last", **(_call | {"target": tensor([0, 5])})),
        Invalid(IndexError, "a negative class", **(_call | {"target": tensor([0, -1])})),
        Invalid(ValueError, "cutoffs that fall", **(_call | {"cutoffs": [3, 2]})),
        Invalid(ValueError, "one target for two samples", **(_call | {"target": tensor([0])})),
        Invalid(ValueError, "a head without classes", **(_call | {"cutoffs": [0], "params": _params | _head(1)})),
        Invalid(ValueError, "no cutoffs", **(_call | {"cutoffs": [], "params": _head(2)})),
        Invalid(ValueError, "equal cutoffs", **(_call | {"cutoffs": [2, 2], "params": _clusters(0)})),
        Invalid(ValueError, "a cluster of another size", **(_call | {"cutoffs": [2, 4], "params": _clusters(3)})),
        Invalid(
            ValueError,
            "a last cluster without classes",
            **(_call | {"params": _params | {"tail.0.1.weight": zeros(0, 2)}}),
        ),
        Invalid(
            TypeError,
            "a bias of whole numbers",
            **(_call | {"params": _params | {"head.bias": ones(3, dtype=int64)}}),
        ),
    )
    edges = (
        _call | {"x": ones(1, 4), "target": tensor([4])},
        _call | {"params": _params | {"tail.0.1.weight": ones(1, 2)}, "target": tensor([2, 0])},
    )
    declines = {"extremes_stay_finite": "log_softmax is judged there"}

    def test_probabilities_of_all_classes_sum_to_one(self, impl, case):
        """Head and clusters together are one distribution."""
        total = impl(case)[2].exp().sum(1)
        return total, torch.ones_like(total)

    def test_output_is_the_target_s_log_probability(self, impl, case):
        """The first part picks from the third, and the loss is its negative mean."""
        output, loss, log_prob = impl(case)
        return [(output, log_prob.gather(1, case.target[:, None])[:, 0]), (loss, -output.mean())]

    def test_clusters_hold_what_the_head_gives_them(self, impl, case):
        """The probabilities within a cluster add up to the head's entry for it."""
        head = case.x @ case.params["head.weight"].T
        if "head.bias" in case.params:
            head = head + case.params["head.bias"]
        first, log_prob = case.cutoffs[0], impl(case)[2]
        ends = [*case.cutoffs[1:], log_prob.shape[1]]
        shares = [
            log_prob[:, start:end].exp().sum(1, keepdim=True) for start, end in zip(case.cutoffs, ends, strict=True)
        ]
        return torch.cat([log_prob[:, :first].exp(), *shares], 1), losses.softmax(head, 1)

    def test_each_sample_is_its_own(self, impl, case):
        """Reversing the samples reverses outputs and log-probabilities, and leaves the loss."""
        output, loss, log_prob = impl(case)
        reversed_ = impl(case, x=case.x.flip(0), target=case.target.flip(0))
        return reversed_, (output.flip(0), loss, log_prob.flip(0))


class Penalty(Spec):
    """What both penalties share."""

    cases = domains.parameters
    differentiable = ("params",)
    invalid = (Invalid(TypeError, "whole numbers", params={"weight": ones(2, dtype=int64)}, factor=1.0),)
    edges = (
        {"params": {"weight": zeros(0, 3)}, "factor": 1.0},
        {"params": {"bias": ones(3)}, "factor": 1.0},
        {"params": {"weight": ones(1)}, "factor": 1.0},
    )
    declines = {"extremes_stay_finite": "sums of finite parameters are finite but for overflow of the dtype itself"}
    power: int

    def test_biases_are_left_out(self, impl, case):
        """With skip_bias other biases change nothing, and their gradient is 0."""
        other = {name: 3 * w + 1 if "bias" in name else w for name, w in case.params.items()}
        grads = impl.vjp(case, wrt=("params",), skip_bias=True)[1]["params"]
        for name, grad in grads.items():
            require("bias" not in name or (grad == 0).all(), f"{name} receives a gradient, expected none")
        return impl(case, params=other, skip_bias=True), impl(case, skip_bias=True)

    def test_biases_count_when_asked_for(self, impl, case):
        """Without skip_bias the names do not matter."""
        renamed = {name.replace("bias", "offset"): w for name, w in case.params.items()}
        return impl(case, skip_bias=False), impl(case, params=renamed, skip_bias=True)

    def test_doubled_parameters(self, impl, case):
        """Doubled parameters cost twice or four times as much."""
        doubled = {name: 2 * w for name, w in case.params.items()}
        return impl(case, params=doubled), 2**self.power * impl(case)

    def test_factor_scales(self, impl, case):
        """The penalty is the factor times that of factor 1."""
        return impl(case), case.factor * impl(case, factor=1.0)

    def test_parameters_add_up(self, impl, case):
        """The penalty of all parameters is the sum of the penalties of each."""
        return impl(case), sum(impl(case, params={name: w}) for name, w in case.params.items())


class TestL1Penalty(Penalty):
    component = losses.l1_penalty
    power = 1

    def test_gradient_is_the_sign(self, impl, case):
        """Each weight is pulled with the same force, factor · sign(w)."""
        one = torch.ones((), dtype=case.dtype)
        grads = impl.vjp(case, [one], wrt=("params",), skip_bias=False)[1]["params"]
        return [(grads[name], case.factor * torch.sign(w)) for name, w in case.params.items()]


class TestL2Penalty(Penalty):
    component = losses.l2_penalty
    power = 2
    twice = True

    def test_gradient_is_weight_decay(self, impl, case):
        """The ½ makes the gradient factor · w."""
        one = torch.ones((), dtype=case.dtype)
        grads = impl.vjp(case, [one], wrt=("params",), skip_bias=False)[1]["params"]
        return [(grads[name], case.factor * w) for name, w in case.params.items()]


class TestRegularizedObjective(Spec):
    component = losses.regularized_objective
    cases = domains.regularized_objective
    differentiable = ("loss", "penalties")
    twice = True
    prerequisites = ("l1_penalty", "l2_penalty")
    invalid = (
        Invalid(ValueError, "losses that were not reduced", loss=ones(3), penalties=(ones(()),)),
        Invalid(ValueError, "a penalty that is not a scalar", loss=ones(()), penalties=(ones(3),)),
        Invalid(ValueError, "losses and penalties of one shape", loss=ones(3), penalties=(ones(3),)),
    )
    edges = ({"loss": ones(()), "penalties": ()}, {"loss": ones(()), "penalties": (zeros(()),)})
    declines = {"extremes_stay_finite": "a sum of finite terms is finite but for overflow of the dtype itself"}

    def test_sum_of_the_terms(self, impl, case):
        """The objective is the loss and every penalty, once each."""
        return impl(case), sum(case.penalties, case.loss)

    def test_gradients_add(self, impl, case):
        """Every term receives the objective's gradient undiminished."""
        one = torch.ones((), dtype=case.dtype)
        grads = impl.vjp(case, [one], wrt=("loss", "penalties"))[1]
        return [(grads["loss"], one), *((grad, one) for grad in grads["penalties"])]

    def test_order_of_the_penalties_does_not_matter(self, impl, case):
        """Penalties may come in any order."""
        return impl(case, penalties=case.penalties[::-1]), impl(case)


class TestReduce(Spec):
    component = losses.reduce
    cases = domains.reduce
    differentiable = ("loss",)
    twice = True
    invalid = (Invalid(ValueError, "an unknown reduction", loss=ones(3), reduction="average"),)
    edges = tuple(
        {"loss": loss, "reduction": how}
        for loss in (zeros(0), zeros(2, 0), ones(1, 1), ones(()))
        for how in ("mean", "sum", "none")
    )
    declines = {"extremes_stay_finite": "sums of finite losses are finite but for overflow of the dtype itself"}

    def batch(self, case):
        return Batch(output=0, loss=0) if case.reduction == "none" and case.loss.ndim else None

    def test_mean_times_count_is_the_sum(self, impl, case):
        """mean · elements = sum = the sum of none."""
        total = impl(case, reduction="sum")
        return [
            (impl(case, reduction="mean") * case.loss.numel(), total),
            (impl(case, reduction="none").sum(), total),
        ]

    def test_none_keeps_every_loss(self, impl, case):
        """Nothing is changed by "none"."""
        require(torch.equal(impl(case, reduction="none"), case.loss), "the losses come back changed")

    def test_gradient_is_spread_evenly(self, impl, case):
        """Each loss receives 1 under "sum" and 1 / elements under "mean"."""
        one, ones_ = torch.ones((), dtype=case.dtype), torch.ones_like(case.loss)
        return [
            (impl.vjp(case, [one], wrt=("loss",), reduction="sum")[1]["loss"], ones_),
            (impl.vjp(case, [one], wrt=("loss",), reduction="mean")[1]["loss"], ones_ / case.loss.numel()),
        ]


class TestAccuracy(Spec):
    component = losses.accuracy
    cases = domains.accuracy
    invalid = (
        Invalid(ValueError, "predictions in a column", y_hat=tensor([[0], [2]]), y=tensor([0, 2])),
        Invalid(ValueError, "one score a sample", y_hat=ones(2, 1), y=tensor([0, 2])),
        Invalid(ValueError, "one label for two samples", y_hat=ones(2, 3), y=tensor([0])),
    )
    edges = (
        {"y_hat": zeros(0, 3), "y": zeros(0, dtype=int64)},
        {"y_hat": zeros(0, dtype=int64), "y": zeros(0, dtype=int64)},
        {"y_hat": ones(1, 2), "y": tensor([0])},
    )
    declines = {
        "extremes_stay_finite": "the result is a count",
        "nan_not_hidden": "the result is a count; which score is largest is open where one is nan",
    }

    def test_rising_maps_change_nothing(self, impl, case):
        """Only the order of the scores counts: their ranks give the same."""
        if not case.y_hat.is_floating_point():
            return self.skip
        ranks = torch.unique(case.y_hat, return_inverse=True)[1].to(case.dtype)
        require(impl(case, y_hat=ranks) == impl(case), "the ranks of the scores give another count")

    def test_first_of_equal_scores_wins(self, impl, case):
        """With all scores equal the first class is predicted for every sample."""
        count = impl(case, y_hat=zeros(len(case.y), 3, dtype=case.dtype), y=case.y)
        first = int((case.y == 0).sum())
        require(count == first, f"equal scores count {count} right, expected the {first} of the first class")

    def test_perfect_and_wrong_predictions(self, impl, case):
        """All right counts every sample, all wrong none."""
        scored = case.y_hat.is_floating_point()
        right = torch.eye(case.y_hat.shape[1], dtype=case.dtype)[case.y] if scored else case.y_hat
        y = case.y if scored else case.y_hat
        got, none = impl(case, y_hat=right, y=y), impl(case, y_hat=right, y=y + 1)
        require(got == len(y) and none == 0, f"got {got} and {none} right of {len(y)}, expected all and none")

    def test_parts_add_up(self, impl, case):
        """It is a count: two halves of the samples add up."""
        half = len(case.y) // 2
        parts = [impl(case, y_hat=case.y_hat[at], y=case.y[at]) for at in (slice(half), slice(half, None))]
        require(sum(parts) == impl(case), f"the halves have {parts} right, the whole {impl(case)}")
