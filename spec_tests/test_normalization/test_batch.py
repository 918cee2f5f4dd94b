"""Laws of batch normalization and of the mixture it is part of."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import normalization as domains
from lawbook.fixtures.published import normalization as published
from lawbook.reference import normalization
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_normalization.laws import (
    INFINITY,
    ChannelLaws,
    MovingLaws,
    NormLaws,
    UnitLaws,
    first,
    per_channel,
)

TOGETHER = "in training samples share their statistics; an own law says that in evaluation each is alone"


def _evaluated_alone(spec, impl, case):
    """Every sample's part of an evaluated batch, and the same samples evaluated one by one."""
    case = spec.tracked(case).but(training=False)
    alone = [first(impl(case, x=sample[None])) for sample in case.x[:3]]
    return torch.cat(alone), first(impl(case))[:3]


class TestBatchNorm(ChannelLaws, MovingLaws, UnitLaws, Spec):
    component = normalization.batch_norm
    low_gradients = True
    cases = domains.batch_norm
    extremes = domains.batch_norm_extremes
    differentiable = ("x", "gamma", "beta")
    twice = True
    declines = {"samples_independent": TOGETHER}
    invalid = (
        Invalid(ValueError, "one value a channel in training", x=ones(1, 3), training=True),
        Invalid(ValueError, "one value a channel without moving statistics", x=ones(1, 3, 1), training=False),
        Invalid(
            ValueError,
            "one value a channel in training with the biased moving variance",
            x=ones(1, 3),
            moving_mean=zeros(3),
            moving_var=ones(3),
            training=True,
            unbiased=False,
        ),
        Invalid(ValueError, "no value a channel in training", x=zeros(0, 3), training=True),
        Invalid(ValueError, "one axis", x=ones(3), moving_mean=zeros(3), moving_var=ones(3)),
        Invalid(ValueError, "one axis without moving statistics", x=ones(3), training=True),
        Invalid(ValueError, "gamma of another size", x=ones(2, 3), gamma=ones(2), training=True),
        Invalid(ValueError, "beta of one value", x=ones(2, 3), beta=ones(1), training=True),
        Invalid(ValueError, "one moving statistic", x=ones(2, 3), moving_mean=zeros(3), training=True),
        Invalid(
            ValueError, "moving statistics of another size", x=ones(2, 3), moving_mean=zeros(2), moving_var=ones(2)
        ),
        Invalid(ValueError, "moving statistics of one value", x=ones(2, 3), moving_mean=zeros(1), moving_var=ones(1)),
        Invalid(ValueError, "an eps of 0", x=ones(2, 3), eps=0.0, training=True),
        Invalid(
            ValueError,
            "a momentum above 1",
            x=ones(2, 3),
            moving_mean=zeros(3),
            moving_var=ones(3),
            momentum=1.5,
            training=True,
        ),
        Invalid(
            ValueError,
            "a negative momentum",
            x=ones(2, 3),
            moving_mean=zeros(3),
            moving_var=ones(3),
            momentum=-0.5,
            training=True,
        ),
        Invalid(TypeError, "whole numbers", x=ones(2, 3, dtype=torch.int64), training=True),
    )
    edges = (
        dict(x=zeros(0, 3), moving_mean=tensor([1.0, 2.0, 3.0]), moving_var=ones(3)),
        dict(x=ones(1, 3), moving_mean=tensor([1.0, 2.0, 3.0]), moving_var=tensor([1.0, 0.25, 4.0])),
        dict(x=zeros(2, 0), moving_mean=zeros(0), moving_var=zeros(0), training=True),
        dict(x=tensor([[1.0], [3.0]]), gamma=tensor([2.0]), beta=tensor([-1.0]), training=True),
        dict(x=tensor([[[1.0, 4.0]]]), moving_mean=zeros(1), moving_var=ones(1), training=True),
    )

    def rows(self, case):
        return (0, *range(2, case.x.ndim))

    @staticmethod
    def own(case):
        return case.but(training=True)

    def units(self, case, x):
        return x.transpose(0, 1).flatten(1)

    def filled(self, x, eps):
        moving = dict(moving_mean=zeros(2, dtype=x.dtype), moving_var=ones(2, dtype=x.dtype))
        both = torch.stack([x, x], 1)
        for shaped in (both, both.reshape(-1, 4, 2).transpose(1, 2)):
            yield dict(x=shaped.contiguous(), eps=eps, training=True, **moving)

    def test_evaluation_is_of_each_sample_alone(self, impl, case):
        """Outside training the rest of the batch does not matter."""
        return _evaluated_alone(self, impl, case)

    def test_evaluation_is_affine(self, impl, case):
        """Outside training it is y = γ (x − moving mean) / √(moving variance + eps) + β."""
        case = self.tracked(case)
        mean, var = per_channel(case.moving_mean, case.x), per_channel(case.moving_var, case.x)
        y = (case.x - mean) / torch.sqrt(var + case.eps)
        return first(impl(case, gamma=None, beta=None, training=False)), y

    def test_a_bias_before_it_cancels(self, impl, case):
        """In training a bias added to every channel before it changes nothing but the moving mean, by its share."""
        case = self.tracked(case).but(training=True)
        bias = case.noise(case.x.shape[1:2], 3)
        y, mean, var = impl(case, x=case.x + per_channel(bias, case.x))
        without, mean_without, var_without = impl(case)
        return [(y, without), (mean, mean_without + case.momentum * bias), (var, var_without)]

    def test_positions_count_like_samples(self, impl, case):
        """A pixel is a sample: images and the rows of their pixels give the same."""
        case = case.but(training=True)
        rows = case.x.transpose(0, 1).flatten(1).T
        y, *moving = impl(case)
        there, *moving_there = impl(case, x=rows)
        return [(y.transpose(0, 1).flatten(1).T, there), (tuple(moving), tuple(moving_there))]

    def test_evaluating_the_batch_just_trained_on(self, impl, case):
        """With momentum 1 and the biased moving variance, evaluation of the same batch gives what training gave."""
        case = self.after_double(self.tracked(case).but(unbiased=False)).but(momentum=1.0)
        y, mean, var = impl(case, training=True)
        return first(impl(case, moving_mean=mean, moving_var=var, training=False)), y

    def test_moving_values_of_the_note(self, impl):
        """Note 004: with a share of 0.9 kept and the biased variance, 0 and 1 move to 0.3 and 1.3 for 1 and 5."""
        _, mean, var = impl.call(
            x=tensor([[1.0], [5.0]]),
            moving_mean=zeros(1),
            moving_var=ones(1),
            eps=published.EPS,
            momentum=1 - published.KEPT,
            training=True,
            unbiased=False,
        )
        for name, found, printed in (("moving_mean", mean, "0.3000"), ("moving_var", var, "1.3000")):
            require(f"{found.item():.4f}" == printed, f"{name} is {found.item():.4f}, expected {printed}")

    def test_published_image_batch(self, impl):
        """Note 002: a channel of large whole numbers has the mean 0 and the deviation 1 afterwards."""
        x = torch.arange(published.HEIGHT * published.WIDTH, dtype=torch.float32)
        step = published.CHANNELS * published.HEIGHT * published.WIDTH
        x = x + step * torch.arange(published.BATCH, dtype=torch.float32)[:, None]
        y = first(impl.call(x=x.reshape(published.BATCH, 1, published.HEIGHT, published.WIDTH), training=True)).double()
        mean, deviation = f"{y.mean().abs().item():.4f}", f"{y.std().item():.4f}"
        require(
            (mean, deviation) == (published.MEAN, published.DEVIATION),
            f"mean {mean} and deviation {deviation}, expected {published.MEAN} and {published.DEVIATION}",
        )


ALONE = {
    "instance": tensor([0.0, -INFINITY, -INFINITY]),
    "layer": tensor([-INFINITY, 0.0, -INFINITY]),
    "batch": tensor([-INFINITY, -INFINITY, 0.0]),
}


def _evenly(gamma=None, beta=None, of_mean=3, of_var=3, **rest):
    """Arguments of an even mixture, with so many logits."""
    return dict(gamma=gamma, beta=beta, mean_logits=zeros(of_mean), var_logits=zeros(of_var), **rest)


class TestSwitchableNorm(ChannelLaws, MovingLaws, NormLaws, Spec):
    component = normalization.switchable_norm
    cases = domains.switchable_norm
    extremes = domains.switchable_norm_extremes
    differentiable = ("x", "gamma", "beta", "mean_logits", "var_logits")
    twice = True
    prerequisites = ("instance_norm", "group_norm", "batch_norm")
    declines = {"samples_independent": TOGETHER}

    invalid = (
        Invalid(ValueError, "two axes", **_evenly(x=ones(2, 3), training=True)),
        Invalid(ValueError, "a single position", **_evenly(x=ones(2, 3, 1), training=True)),
        Invalid(ValueError, "no sample in training", **_evenly(x=ones(0, 3, 2), training=True)),
        Invalid(ValueError, "two logits", **_evenly(x=ones(2, 3, 2), of_mean=2, training=True)),
        Invalid(ValueError, "four logits", **_evenly(x=ones(2, 3, 2), of_var=4, training=True)),
        Invalid(ValueError, "gamma of another size", **_evenly(x=ones(2, 3, 2), gamma=ones(2), training=True)),
        Invalid(ValueError, "one moving statistic", **_evenly(x=ones(2, 3, 2), moving_mean=zeros(3), training=True)),
        Invalid(ValueError, "an eps of 0", **_evenly(x=ones(2, 3, 2), eps=0.0, training=True)),
        Invalid(TypeError, "whole numbers", **_evenly(x=ones(2, 3, 2, dtype=torch.int64), training=True)),
    )
    edges = (
        _evenly(x=zeros(0, 3, 2), moving_mean=zeros(3), moving_var=ones(3)),
        _evenly(x=tensor([[[1.0, 3.0]]]), moving_mean=zeros(1), moving_var=ones(1), training=True),
        _evenly(x=tensor([[[1.0, 3.0], [2.0, 2.0]]]), gamma=tensor([2.0, 1.0]), training=True),
    )

    def rows(self, case):
        return tuple(range(2, case.x.ndim))

    def filled(self, x, eps):
        moving = dict(moving_mean=zeros(1, dtype=x.dtype), moving_var=ones(1, dtype=x.dtype))
        for logits in ALONE.values():
            weights = dict(mean_logits=logits.to(x.dtype), var_logits=logits.to(x.dtype))
            yield dict(x=x[None, None], gamma=None, beta=None, eps=eps, training=True, **weights, **moving)

    def _alone(self, case, mean, var=None):
        return dict(mean_logits=ALONE[mean].to(case.dtype), var_logits=ALONE[var or mean].to(case.dtype))

    def test_instance_alone_is_instance_norm(self, impl, case):
        """With layer and batch switched off it is instance normalization."""
        expected = normalization.instance_norm(case.x, case.gamma, case.beta, case.eps)
        return first(impl(case, **self._alone(case, "instance"))), expected

    def test_layer_alone_is_one_group(self, impl, case):
        """With instance and batch switched off it is group normalization of one group."""
        expected = normalization.group_norm(case.x, 1, case.gamma, case.beta, case.eps)
        return first(impl(case, **self._alone(case, "layer"))), expected

    def test_batch_alone_is_batch_norm(self, impl, case):
        """With instance and layer switched off it is batch normalization, in either mode."""
        rest = {k: v for k, v in case.arguments.items() if k not in ("mean_logits", "var_logits")}
        return impl(case, **self._alone(case, "batch")), normalization.batch_norm(**rest)

    def test_mean_and_variance_have_weights_of_their_own(self, impl, case):
        """The mean may be the instance's and the variance the layer's."""
        axes = tuple(range(1, case.x.ndim))
        mean = case.x.mean(axes[1:], keepdim=True)
        var = (case.x - case.x.mean(axes, keepdim=True)).square().mean(axes, keepdim=True)
        y = first(impl(case, gamma=None, beta=None, **self._alone(case, "instance", "layer")))
        return y, (case.x - mean) / torch.sqrt(var + case.eps)

    def test_only_differences_of_logits_count(self, impl, case):
        """Adding one number to all three scores changes nothing."""
        shifted = dict(mean_logits=case.mean_logits + 2, var_logits=case.var_logits - 3)
        return impl(case, **shifted), impl(case)

    def test_evaluation_is_of_each_sample_alone(self, impl, case):
        """Outside training the rest of the batch does not matter."""
        return _evaluated_alone(self, impl, case)

    def test_moving_values_do_not_depend_on_the_weights(self, impl, case):
        """The moving statistics are the batch's, whichever statistics are chosen."""
        case = self.tracked(case).but(training=True)
        return tuple(impl(case, **self._alone(case, "instance"))[1:]), tuple(impl(case)[1:])
