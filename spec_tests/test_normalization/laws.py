"""What holds for every normalization: of a unit, the values that share a mean and a variance, only their pattern counts."""

import torch
from torch import Tensor, ones, ones_like

from lawbook.fixtures.implementation import copy
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import require
from lawbook.spec_tests.test_normalization.updated import updated

INFINITY = float("inf")
HALVES = (torch.float16, torch.bfloat16)
MANY = 70_000
"""More numbers than float16 can count."""


def first(result):
    """y of a result that may hold moving statistics too."""
    return result[0] if isinstance(result, tuple | list) else result


class NormLaws:
    """Laws of all five components. A Spec says what its units are.

    Methods to define:
        units(case, x): a tensor of the result's shape with every unit as a row along the last axis.
        by_parameter(case, parameter): gamma or beta as it meets the result.
        parameter_shape(case): the shape of gamma and beta.
        filled(x): arguments for x of shape (2, MANY / 2, 2), whose last axis must count as two units or as channels.
    """

    orders = (updated,)

    own = staticmethod(lambda case: case)
    """The case with every unit normalized by its own statistics."""

    def _gradient(self, impl, case, second):
        """Of the universal laws: a β without a γ has laws of its own, so one of ones stands beside it here."""
        return _judged(super()._gradient, impl, with_weight(case), second)

    def test_bias_without_weight_has_a_gradient(self, impl, case):
        """Where there is a β and no γ, the gradient is what it is with a γ of ones."""
        return _judged(super()._gradient, impl, without_weight(self, case), False)

    def test_bias_without_weight_has_a_second_derivative(self, impl, case):
        """Where there is a β and no γ, the second derivative is what it is with a γ of ones."""
        return _judged(super()._gradient, impl, without_weight(self, case), True)

    def test_gamma_and_beta_come_last(self, impl, case):
        """The result is γ times what it is without parameters, plus β, each at its own place."""
        gamma, beta = (case.noise(self.parameter_shape(case), salt) for salt in (1, 2))
        y = first(impl(case, gamma=gamma, beta=beta))
        return y, self.by_parameter(case, gamma) * first(impl(case, gamma=None, beta=None)) + self.by_parameter(
            case, beta
        )

    def test_channels_last_in_memory_changes_nothing(self, impl, case):
        """Images stored with their channels last have the same values, so the same result."""
        case = self.as_image(case)
        given = copy(case.arguments)
        given["x"] = given["x"].contiguous(memory_format=torch.channels_last)
        return first(impl.call_with(given)[1]), first(impl(case))

    def test_backward_leaves_the_arguments_alone(self, impl, case):
        """After the gradient is computed the arguments are what they were: others may still need them."""
        case = with_weight(case)
        given = copy(case.arguments)
        impl.products(given, self.differentiable, lambda k, like: case.noise(like.shape, 7000 + k).to(like.dtype), None)
        for name, before in case.arguments.items():
            if isinstance(before, Tensor):
                now = given[name].detach()
                require(torch.equal(now, before), f"{name} was changed by the backward pass", got=now, expected=before)

    def test_half_precision_counts_beyond_its_whole_numbers(self, impl):
        """Of 70,000 numbers half are 0 and half are 2: with eps = 3 every one becomes −0.5 or 0.5, in half precision too."""
        for dtype in HALVES:
            if self.lacks_dtype(impl, dtype):
                continue
            x = (torch.arange(MANY) % 2 * 2).to(dtype)
            for arguments in self.filled(x, 3.0):
                y = first(impl.call(**arguments))
                wrong = (y != arguments["x"].sub(1) / 2).nonzero()
                require(
                    not len(wrong),
                    f"in {dtype}: {len(wrong)} of {y.numel()} numbers are not ±0.5 but such as "
                    f"{y[tuple(wrong[0])].item() if len(wrong) else 0}",
                )

    def test_eps_is_not_lost_in_half_precision(self, impl):
        """A unit of one value throughout becomes 0 with an eps of 1e-8, which float16 cannot hold beside it."""
        for dtype in HALVES:
            if self.lacks_dtype(impl, dtype):
                continue
            # As many as a power of two: their mean is 1 exactly, also by way of the reciprocal of their number.
            for arguments in self.filled(ones(32, dtype=dtype), 1e-8):
                y = first(impl.call(**arguments))
                require((y == 0).all(), f"in {dtype}: {y.flatten()[0].item()}, expected 0")


def with_weight(case):
    """The case with a γ of ones where it has a β alone."""
    beta = case.arguments.get("beta")
    return case if beta is None or case.arguments.get("gamma") is not None else case.but(gamma=ones_like(beta))


def without_weight(spec, case):
    """The case with a β and no γ."""
    beta = case.noise(spec.parameter_shape(case), 1) if case.beta is None else case.beta
    return case.but(gamma=None, beta=beta)


def _judged(gradient, impl, case, second):
    """A gradient's share of the allowed error; what is wrong is said of the case as it was judged."""
    try:
        return gradient(impl, case, second)
    except LawBroken as broken:
        broken.evidence["case"] = case.arguments
        raise


class UnitLaws(NormLaws):
    """Laws of the components whose units are normalized by their own statistics alone."""

    def test_mean_zero_and_known_variance(self, impl, case):
        """Without γ and β every unit has the mean 0 and, of numbers about 0, the variance v / (v + eps)."""
        case = self.own(case)
        mean = self.units(case, first(impl(case, gamma=None, beta=None))).mean(-1)
        return [(mean, torch.zeros_like(mean)), self._variances(impl, case.but(x=case.noise(case.x.shape, 5)))]

    def test_variance_keeps_its_digits_far_from_zero(self, impl, case):
        """However large the mean is against the spread, every unit has the variance v / (v + eps)."""
        return self._variances(impl, self.own(case))

    def _variances(self, impl, case):
        """Every unit's variance, and what it must be."""
        y = self.units(case, first(impl(case, gamma=None, beta=None)))
        x = self.units(case, case.x)
        var = (x - x.mean(-1, keepdim=True)).square().mean(-1)
        return y.square().mean(-1), var / (var + case.eps)

    def test_a_large_offset_changes_nothing(self, impl, case):
        """Whole numbers about 40,000 give what they give about 0."""
        # A unit of one value throughout has a law of its own for smaller ones.
        case = self.own(case).but(eps=max(case.eps, 1e-3))
        x = case.x.clamp(-4, 4).round()
        return first(impl(case, x=x + 40000)), first(impl(case, x=x))

    def test_one_value_throughout_gives_beta(self, impl, case):
        """Numbers that are all the same give 0 before γ and β, however large they are against √eps."""
        case = self.own(case)
        value = 1_000_000 + case.noise((1,), 5)
        y = first(impl(case, x=value.expand(case.x.shape).contiguous()))
        beta = torch.zeros(()) if case.beta is None else self.by_parameter(case, case.beta)
        return y, beta.expand(y.shape).to(y.dtype)

    def test_scale_changes_nothing_when_eps_scales_along(self, impl, case):
        """Numbers times −2 with eps times 4 give the opposite."""
        case = self.own(case).but(gamma=None, beta=None)
        return first(impl(case, x=-2 * case.x, eps=4 * case.eps)), -first(impl(case))

    def test_gradient_of_a_unit_sums_to_zero(self, impl, case):
        """Since an offset changes nothing, the gradient over a unit adds up to zero."""
        case = self.own(case).but(gamma=None, beta=None)
        cotangent = case.noise(case.x.shape, 6)
        y = first(impl(case))
        rest = [torch.zeros_like(part) for part in self.statistics(case)]
        gradient = impl.vjp(case, [cotangent.reshape(y.shape), *rest], wrt=("x",))[1]["x"]
        unit = self.units(case, gradient)
        # What cancels within an element rounds by the size of the elements.
        size = unit.abs().sum(-1)
        return unit.sum(-1) + size, size

    def statistics(self, case):
        """The moving statistics among the results."""
        return ()


class ChannelLaws:
    """gamma and beta belong to the second axis."""

    def parameter_shape(self, case):
        return case.x.shape[1:2]

    def by_parameter(self, case, parameter):
        return per_channel(parameter, case.x)

    def as_image(self, case):
        samples, channels = case.x.shape[:2]
        positions = case.x.shape[2:]
        return case.but(x=case.x.reshape(samples, channels, positions[0] if positions else 1, -1))


def per_channel(parameter, x):
    """(C,) along the second axis of ``x``."""
    return parameter.reshape(-1, *[1] * (x.ndim - 2))


class MovingLaws:
    """Laws of the components with moving statistics."""

    def tracked(self, case):
        """The case with moving statistics, those at the start where it has none."""
        if case.moving_mean is not None:
            return case
        channels = case.x.shape[1]
        return case.but(
            moving_mean=torch.zeros(channels, dtype=case.dtype), moving_var=torch.ones(channels, dtype=case.dtype)
        )

    def statistics(self, case):
        return () if case.moving_mean is None else (case.moving_mean, case.moving_var)

    def after_double(self, case):
        """The case with moving statistics twice as large as the batch's own."""
        mean, var = _averaged(case.but(momentum=1.0), case.x, case.moving_mean, case.moving_var)
        return case.but(moving_mean=2 * mean, moving_var=2 * var)

    def test_mode_is_the_flag(self, impl, case):
        """Whether gradients are recorded does not decide the mode: training without and evaluation with them are themselves."""
        case = self.tracked(case)
        found = []
        for record in (False, True):
            with torch.set_grad_enabled(record):
                found.append([impl(case, training=training) for training in (True, False)])
        return list(zip(*found, strict=True))

    def test_evaluation_keeps_the_moving_values(self, impl, case):
        """Outside training the moving statistics come back as they were."""
        case = self.tracked(case)
        _, mean, var = impl(case, training=False)
        for name, now, before in (("moving_mean", mean, case.moving_mean), ("moving_var", var, case.moving_var)):
            require(torch.equal(now, before), f"{name} moved in evaluation", got=now, expected=before)

    def test_evaluation_uses_the_moving_values_of_training(self, impl, case):
        """After some training steps evaluation goes by the running averages of the batches' statistics."""
        case = self.tracked(case)
        batches = [case.x, case.noise(case.x.shape, 3), -2 * case.x]
        mean, var = case.moving_mean, case.moving_var
        for batch in batches:
            _, mean, var = impl(case, x=batch, moving_mean=mean, moving_var=var, training=True)
        expected = (case.moving_mean, case.moving_var)
        for batch in batches:
            expected = _averaged(case, batch, *expected)
        return [
            ((mean, var), expected),
            (
                first(impl(case, moving_mean=mean, moving_var=var, training=False)),
                first(self.component(**case.but(moving_mean=mean, moving_var=var, training=False).arguments)),
            ),
        ]

    def test_moving_values_take_the_share_of_the_new(self, impl, case):
        """Momentum is the share of the new: 0 keeps the old, 1 takes the batch's mean and variance, with n − 1 if unbiased."""
        case = self.tracked(case)
        wanted = _averaged(case.but(momentum=1.0), case.x, case.moving_mean, case.moving_var)
        kept = impl(case, training=True, momentum=0.0)[1:]
        return [
            (tuple(impl(self.after_double(case), training=True, momentum=1.0)[1:]), wanted),
            (tuple(kept), (case.moving_mean, case.moving_var)),
        ]

    def test_without_moving_values_both_modes_are_one(self, impl, case):
        """Where nothing is tracked the batch's own statistics serve in evaluation too."""
        case = case.but(moving_mean=None, moving_var=None)
        y, mean, var = impl(case, training=False)
        require(mean is None and var is None, f"moving statistics {mean}, {var} out of none")
        return y, first(impl(case, training=True))

    def test_no_gradient_through_the_moving_values(self, impl, case):
        """Moving statistics are bookkeeping: nothing flows back through them to x."""
        case = self.tracked(case).but(training=True)
        channels = case.x.shape[1:2]
        cotangents = [torch.zeros_like(case.x), case.noise(channels, 3), case.noise(channels, 4)]
        gradient = impl.vjp(case, cotangents, wrt=("x",))[1]["x"]
        require((gradient == 0).all(), f"a gradient of {gradient.abs().max().item()} flows back", got=gradient)


def _averaged(case, x, mean, var):
    """The moving statistics after the batch ``x``."""
    values = x.transpose(0, 1).flatten(1)
    count = values.shape[1]
    batch = values.mean(1)
    spread = (values - batch[:, None]).square().sum(1) / (count - 1 if case.unbiased else count)
    kept = 1 - case.momentum
    return kept * mean + case.momentum * batch, kept * var + case.momentum * spread
