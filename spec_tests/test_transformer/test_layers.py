"""What blocks are made of."""

import torch

from lawbook.fixtures.cases import transformer as domains
from lawbook.fixtures.published import transformer as published
from lawbook.reference import convolution, normalization, transformer
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_transformer.laws import ffn


class TestPositionWiseFfn(Spec):
    component = transformer.position_wise_ffn
    cases = domains.position_wise_ffn
    differentiable = ("x", "params")
    twice = True
    extremes = domains.position_wise_ffn_extremes
    _good = dict(x=ramp(2, 3, 4), params=ffn(4, 5, 2))
    edges = (
        dict(x=ramp(1, value=1.0), params=ffn(1, 1, 1)),
        {**_good, "x": ramp(0, 3, 4)},
        {**_good, "x": ramp(2, 0, 4), "activation": "gelu"},
        {**_good, "x": ramp(4)},
        dict(x=waves(2, 3, 20), params=ffn(20, 40, 18)),
    )
    invalid = (
        Invalid(ValueError, "inputs wider than W_1", **{**_good, "x": ramp(2, 3, 5)}),
        Invalid(ValueError, "a number for an input", **{**_good, "x": torch.tensor(0.5)}),
        Invalid(ValueError, "weights that do not meet", **{**_good, "params": {**ffn(4, 5, 2), "W_2": ramp(4, 2)}}),
        Invalid(ValueError, "a bias of another size", **{**_good, "params": {**ffn(4, 5, 2), "b_1": ramp(4)}}),
        Invalid(ValueError, "a missing bias", **{**_good, "params": {"W_1": ramp(4, 5), "b_1": ramp(5)}}),
        Invalid(ValueError, "an unknown activation", **_good, activation="none"),
    )
    prerequisites = ("relu", "gelu")

    def batch(self, case):
        return Batch(0, x=0) if case.x.ndim > 1 else None

    def test_positions_are_independent(self, impl, case):
        """Each position by itself gives its own part of the result."""
        x = case.x.reshape(-1, case.x.shape[-1])
        alone = [impl(case, x=position) for position in x]
        found = impl(case)
        return found.reshape(-1, found.shape[-1]), torch.stack(alone)

    def test_it_is_two_convolutions_of_kernel_1(self, impl, case):
        """Along the positions it is a convolution of kernel 1, the activation, and another one."""
        params = case.params
        x = case.x.reshape(1, -1, case.x.shape[-1]).transpose(1, 2)
        hidden = convolution.conv1d(x, params["W_1"].T[..., None], params["b_1"])
        hidden = transformer.layers.ACTIVATIONS[case.activation](hidden)
        found = convolution.conv1d(hidden, params["W_2"].T[..., None], params["b_2"])
        require(params["W_1"].T[..., None].shape[2] == published.KERNEL, "the kernel is not 1")
        return impl(case), found.transpose(1, 2).reshape(*case.x.shape[:-1], -1)

    def test_units_have_no_order(self, impl, case):
        """Hidden units may change places, each with its weights and its bias."""
        order = torch.randperm(len(case.params["b_1"]), generator=case.generator(5))
        W_1, b_1, W_2 = (case.params[name] for name in ("W_1", "b_1", "W_2"))
        params = {**case.params, "W_1": W_1[:, order], "b_1": b_1[order], "W_2": W_2[order]}
        return impl(case, params=params), impl(case)

    def test_silent_units_leave_the_last_bias(self, impl, case):
        """With W_2 of zeros every position gets b_2."""
        found = impl(case, params={**case.params, "W_2": torch.zeros_like(case.params["W_2"])})
        return found, case.params["b_2"].expand_as(found)


class TestAddNorm(Spec):
    component = transformer.add_norm
    cases = domains.add_norm
    differentiable = ("x", "y", "gamma", "beta")
    twice = True
    extremes = domains.add_norm_extremes
    edges = (
        dict(x=ramp(1), y=ramp(1)),
        dict(x=ramp(0, 3), y=ramp(0, 3), gamma=ramp(3), beta=ramp(3)),
        dict(x=ramp(2, 3, 1), y=ramp(2, 3, 1), gamma=ramp(1), beta=ramp(1)),
    )
    invalid = (
        Invalid(
            TypeError, "a scale of whole numbers", x=ramp(2, 3), y=ramp(2, 3), gamma=torch.ones(3).long(), beta=ramp(3)
        ),
        Invalid(ValueError, "a layer's output that would be broadcast", x=ramp(2, 3), y=ramp(1, 3)),
        Invalid(ValueError, "shapes that differ", x=ramp(2, 3), y=ramp(3, 3)),
        Invalid(ValueError, "numbers without features", x=torch.tensor(0.5), y=torch.tensor(1.5)),
        Invalid(ValueError, "a scale of another size", x=ramp(2, 3), y=ramp(2, 3), gamma=ramp(2), beta=ramp(3)),
        Invalid(TypeError, "a layer's output of whole numbers", x=ramp(2, 3), y=torch.ones(2, 3, dtype=torch.int64)),
        Invalid(ValueError, "no eps", x=ramp(2, 3), y=ramp(2, 3), eps=0.0),
    )
    prerequisites = ("layer_norm",)

    def batch(self, case):
        return Batch(0, x=0, y=0) if case.x.ndim > 1 else None

    def test_nothing_added_is_layer_norm(self, impl, case):
        """With y of zeros it is layer normalization."""
        found = impl(case, y=torch.zeros_like(case.y))
        return found, normalization.layer_norm(case.x, case.x.shape[-1:], case.gamma, case.beta, case.eps)

    def test_either_may_come_first(self, impl, case):
        """x and y may change places."""
        return impl(case, x=case.y, y=case.x), impl(case)

    def test_opposites_leave_the_shift(self, impl, case):
        """Where y is −x every position gets beta."""
        found = impl(case, y=-case.x)
        beta = torch.zeros_like(found[..., :]) if case.beta is None else case.beta.expand_as(found)
        return found, beta

    def test_a_constant_added_changes_nothing(self, impl, case):
        """The same number added to all features of a position is taken away again."""
        shift = torch.randint(-3, 4, case.x.shape[:-1], generator=case.generator(5))[..., None].to(case.dtype)
        return impl(case, y=case.y + shift), impl(case)

    def test_positions_are_normalized_one_by_one(self, impl, case):
        """Each position by itself gives its own part of the result."""
        if case.x.ndim < 2:
            return skip_case
        x, y = (z.reshape(-1, z.shape[-1]) for z in (case.x, case.y))
        alone = [impl(case, x=x[k], y=y[k]) for k in range(len(x))]
        return impl(case).reshape(x.shape), torch.stack(alone)
