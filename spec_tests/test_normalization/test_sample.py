"""Laws of the normalizations that treat every sample alone."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import normalization as domains
from lawbook.reference import normalization
from lawbook.spec_tests.spec import Batch, Invalid, Spec
from lawbook.spec_tests.test_normalization.laws import ChannelLaws, UnitLaws


class TestLayerNorm(UnitLaws, Spec):
    component = normalization.layer_norm
    low_gradients = True
    cases = domains.layer_norm
    extremes = domains.layer_norm_extremes
    differentiable = ("x", "gamma", "beta")
    twice = True
    invalid = (
        Invalid(ValueError, "another trailing size", x=ones(2, 3), normalized_shape=(2,)),
        Invalid(ValueError, "the first axis in place of the last", x=ones(3, 4), normalized_shape=(3,)),
        Invalid(ValueError, "more axes than there are", x=ones(3), normalized_shape=(1, 3)),
        Invalid(ValueError, "no axis", x=ones(3), normalized_shape=()),
        Invalid(ValueError, "gamma of another size", x=ones(2, 3), normalized_shape=(3,), gamma=ones(2)),
        Invalid(ValueError, "gamma that only broadcasts", x=ones(2, 3), normalized_shape=(2, 3), gamma=ones(3)),
        Invalid(ValueError, "beta of one value", x=ones(2, 3), normalized_shape=(3,), beta=ones(1)),
        Invalid(ValueError, "a negative eps", x=ones(2, 3), normalized_shape=(3,), eps=-1e-5),
        Invalid(TypeError, "whole numbers", x=ones(2, 3, dtype=torch.int64), normalized_shape=(3,)),
    )
    edges = (
        dict(x=zeros(0, 3), normalized_shape=(3,), gamma=ones(3), beta=ones(3)),
        dict(x=zeros(2, 0), normalized_shape=(0,)),
        dict(x=tensor([[5.0], [-7.0]]), normalized_shape=(1,), gamma=tensor([3.0]), beta=tensor([2.0])),
        dict(x=tensor([1.0, 2.0, 4.0]), normalized_shape=(3,)),
    )

    def rows(self, case):
        return tuple(range(-len(case.normalized_shape), 0))

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim > len(case.normalized_shape) else None

    def units(self, case, x):
        return x.flatten(-len(case.normalized_shape))

    def parameter_shape(self, case):
        return case.normalized_shape

    def by_parameter(self, case, parameter):
        return parameter

    def as_image(self, case):
        return case.but(x=case.x.reshape(*[1] * (4 - case.x.ndim), *case.x.shape))

    def filled(self, x, eps):
        yield dict(x=torch.stack([x, x]), normalized_shape=(len(x),), eps=eps)
        yield dict(x=torch.stack([x, x]).reshape(2, -1, 4), normalized_shape=(len(x) // 4, 4), eps=eps)

    def test_several_axes_are_one_flattened(self, impl, case):
        """Over several trailing axes it is what it is over all of them in a row."""
        gamma, beta = (case.noise(case.normalized_shape, salt) for salt in (1, 2))
        y = impl(case, gamma=gamma, beta=beta)
        x = self.units(case, case.x)
        flat = impl(case, x=x, normalized_shape=tuple(x.shape[-1:]), gamma=gamma.flatten(), beta=beta.flatten())
        return y, flat.reshape(y.shape)

    def test_more_samples_change_nothing(self, impl, case):
        """A sample in a larger batch is what it is alone, whatever the others."""
        together = impl(case, x=torch.stack([case.x, case.noise(case.x.shape, 3) * 100]))
        return together[0], impl(case)


class TestGroupNorm(ChannelLaws, UnitLaws, Spec):
    component = normalization.group_norm
    low_gradients = True
    cases = domains.group_norm
    extremes = domains.group_norm_extremes
    differentiable = ("x", "gamma", "beta")
    twice = True
    invalid = (
        Invalid(ValueError, "3 channels in 2 groups", x=ones(2, 3, 2), groups=2),
        Invalid(ValueError, "more groups than channels", x=ones(2, 3, 2), groups=6),
        Invalid(ValueError, "no group", x=ones(2, 3, 2), groups=0),
        Invalid(ValueError, "−1 groups", x=ones(2, 3, 2), groups=-1),
        Invalid(ValueError, "a single value a group, one sample", x=ones(1, 3), groups=3),
        Invalid(ValueError, "a single value a group, two samples", x=ones(2, 3), groups=3),
        Invalid(ValueError, "one axis", x=ones(4), groups=2),
        Invalid(ValueError, "gamma of the groups' size", x=ones(2, 4, 2), groups=2, gamma=ones(2)),
        Invalid(ValueError, "beta of one value", x=ones(2, 4, 2), groups=2, beta=ones(1)),
        Invalid(ValueError, "a negative eps", x=ones(2, 4, 2), groups=2, eps=-1e-5),
        Invalid(TypeError, "whole numbers", x=ones(2, 4, 2, dtype=torch.int64), groups=2),
    )
    edges = (
        dict(x=zeros(0, 4, 2), groups=2, gamma=ones(4), beta=ones(4)),
        dict(x=zeros(2, 4, 0), groups=2),
        dict(x=tensor([[1.0, 3.0, 2.0, 2.0]]), groups=2, gamma=tensor([1.0, 2.0, 3.0, 4.0])),
        dict(x=tensor([[[1.0, 4.0]]]), groups=1, beta=tensor([2.0])),
    )

    def rows(self, case):
        return tuple(range(2, case.x.ndim)) if case.x.ndim > 2 else -1

    def batch(self, case):
        return Batch(output=0, x=0)

    def units(self, case, x):
        return x.reshape(x.shape[0], case.groups, -1)

    def filled(self, x, eps):
        yield dict(x=torch.stack([x, x]).reshape(1, 2, -1), groups=2, eps=eps)
        yield dict(x=torch.stack([x, x]).reshape(2, 4, -1), groups=1, eps=eps)

    def test_one_group_is_layer_wise(self, impl, case):
        """One group is layer normalization over channels and positions, with parameters by channel."""
        shape = tuple(case.x.shape[1:])
        gamma, beta = (case.noise(case.x.shape[1:2], salt) for salt in (1, 2))
        wide = [self.by_parameter(case, p).expand(shape) for p in (gamma, beta)]
        return impl(case, groups=1, gamma=gamma, beta=beta), normalization.layer_norm(case.x, shape, *wide, case.eps)

    def test_a_group_for_every_channel_is_instance_norm(self, impl, case):
        """As many groups as channels are instance normalization."""
        x = case.x if case.x[0, 0].numel() > 1 else torch.stack([case.x, case.x.flip(1)], -1)
        y = impl(case, x=x, groups=x.shape[1])
        return y, normalization.instance_norm(x, case.gamma, case.beta, case.eps)

    def test_a_group_is_alone(self, impl, case):
        """Neighbouring channels make a group, and the others do not matter: by itself it gives its part."""
        case = case.but(gamma=None, beta=None)
        each = case.x.shape[1] // case.groups
        parts = [impl(case, x=part, groups=1) for part in case.x.split(each, 1)]
        return impl(case), torch.cat(parts, 1)


class TestInstanceNorm(ChannelLaws, UnitLaws, Spec):
    component = normalization.instance_norm
    cases = domains.instance_norm
    extremes = domains.instance_norm_extremes
    differentiable = ("x", "gamma", "beta")
    twice = True
    invalid = (
        Invalid(ValueError, "a single position, one sample", x=ones(1, 3, 1, 1)),
        Invalid(ValueError, "a single position, two samples", x=ones(2, 3, 1, 1)),
        Invalid(ValueError, "no positions axis", x=ones(2, 3)),
        Invalid(ValueError, "gamma for more channels", x=ones(2, 3, 4), gamma=ones(4)),
        Invalid(ValueError, "gamma for fewer channels", x=ones(2, 3, 4), gamma=ones(2), beta=ones(2)),
        Invalid(ValueError, "an eps of 0", x=ones(2, 3, 4), eps=0.0),
        Invalid(TypeError, "whole numbers", x=ones(2, 3, 4, dtype=torch.int64)),
    )
    edges = (
        dict(x=zeros(0, 3, 2), gamma=ones(3), beta=ones(3)),
        dict(x=zeros(2, 0, 2)),
        dict(x=tensor([[[1.0, 4.0]]]), gamma=tensor([3.0]), beta=tensor([2.0])),
    )

    def rows(self, case):
        return tuple(range(2, case.x.ndim))

    def batch(self, case):
        return Batch(output=0, x=0)

    def units(self, case, x):
        return x.flatten(2)

    def filled(self, x, eps):
        yield dict(x=torch.stack([x, x])[None], eps=eps)
        yield dict(x=torch.stack([x, x]).reshape(2, 1, -1, 4), eps=eps)

    def test_channels_are_alone(self, impl, case):
        """A channel by itself gives its part: the others do not matter."""
        case = case.but(gamma=None, beta=None)
        return impl(case), torch.cat([impl(case, x=channel) for channel in case.x.split(1, 1)], 1)

    def test_channels_of_samples_are_channels_of_a_batch_of_one(self, impl, case):
        """Without γ and β it is batch normalization in training of one sample with all samples' channels."""
        one = case.x.reshape(1, -1, *case.x.shape[2:])
        expected = normalization.batch_norm(one, eps=case.eps, training=True)[0].reshape(case.x.shape)
        return impl(case, gamma=None, beta=None), expected
