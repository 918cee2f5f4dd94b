"""Laws of descent with one rate for all parameters."""

from itertools import pairwise

import torch
from torch import ones

from lawbook.fixtures.cases import optimization as domains
from lawbook.reference import optimization
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_optimization.laws import PUSHES, START, Walks, edges, invalid, pushed, steps_of

ROUND = domains.Quadratic(1.0)


class TestGradientDescent(Spec):
    component = optimization.gradient_descent
    cases = domains.gradient_descent
    extremes = domains.gradient_descent_extremes
    differentiable = ("initial",)
    twice = True
    edges = (
        {"gradient_fn": ROUND, "initial": START, "lr": 0.5, "steps": 0},
        {"gradient_fn": ROUND, "initial": torch.zeros(0), "lr": 0.5, "steps": 2},
        {"gradient_fn": ROUND, "initial": ones(1, 1), "lr": 0.5, "steps": 1},
    )
    invalid = (
        Invalid(TypeError, "whole numbers for the start", gradient_fn=ROUND, initial=ones(2).long(), lr=0.5, steps=2),
        Invalid(ValueError, "a negative rate", gradient_fn=ROUND, initial=START, lr=-0.5, steps=2),
        Invalid(TypeError, "half a step", gradient_fn=ROUND, initial=START, lr=0.5, steps=1.5),
        Invalid(ValueError, "fewer steps than none", gradient_fn=ROUND, initial=START, lr=0.5, steps=-1),
    )
    declines = {"samples_independent": "a function may mix its arguments: there is no batch"}

    def rows(self, case):
        return tuple(range(1, case.initial.ndim + 1)) or 0

    def test_each_step_follows_the_gradient(self, impl, case):
        """w_t − w_{t−1} = −lr · ∇f(w_{t−1})."""
        found = impl(case)
        before = torch.cat([case.initial[None], found[:-1]])
        slopes = torch.stack([case.gradient_fn(w) for w in before.unbind(0)])
        return found, before - case.lr * slopes

    def test_walk_can_be_interrupted(self, impl, case):
        """Going on from where a shorter walk ended is the longer walk."""
        first = impl(case, steps=2)
        return torch.cat([first, impl(case, initial=first[-1], steps=2)]), impl(case, steps=4)

    def test_minimum_is_never_left(self, impl, case):
        """Where the gradient is 0 nothing moves."""
        bowl = domains.Quadratic(1.5, 0.25, 2.0)
        found = impl(case, gradient_fn=bowl, initial=torch.full_like(case.initial, 2.0), lr=0.5)
        require(bool((found == 2).all()), f"left the minimum at 2 for {found.tolist()}")

    def test_descends_below_the_critical_rate(self, impl, case):
        """On a quadratic of largest curvature λ every step at a rate of 0.5/λ and of 1.9/λ leads downhill."""
        bowl, start = _bowl(case)
        for share in (0.5, 1.9):
            found = impl(case, gradient_fn=bowl, initial=start, lr=share / bowl.sharpest(start.numel()), steps=3)
            heights = [_height(bowl, w) for w in (start, *found.unbind(0))]
            # A step multiplies each part of the way to the minimum by 1 − lr · curvature, at most 0.9 in size here.
            falls = all(after < 0.95 * before for before, after in pairwise(heights))
            require(falls, f"at a rate of {share}/λ the heights are {heights}")

    def test_diverges_beyond_the_critical_rate(self, impl, case):
        """Along the sharpest direction a rate of 3/λ doubles the distance to the minimum in every step."""
        bowl, start = _bowl(case)
        start = torch.full_like(start, 3.0)
        found = impl(case, gradient_fn=bowl, initial=start, lr=3 / bowl.sharpest(start.numel()), steps=4)
        factors = torch.tensor([-2.0, 4.0, -8.0, 16.0], dtype=case.dtype)
        return found - bowl.centre, factors.reshape(-1, *[1] * start.ndim) * (start - bowl.centre)

    def test_critical_rate_swings(self, impl, case):
        """At exactly 2/λ the walk along the sharpest direction swings between two points."""
        start = torch.full_like(case.initial, 3.0)
        found = impl(case, gradient_fn=domains.Quadratic(0.5, 0.0, 1.0), initial=start, lr=4.0, steps=4)
        swing = torch.tensor([-1.0, 3.0, -1.0, 3.0], dtype=case.dtype)
        return found, swing.reshape(-1, *[1] * start.ndim).expand_as(found)


def _bowl(case):
    """A quadratic whose curvatures are between 1 and 4 times the smallest, and a start beside its minimum."""
    n = case.initial.numel()
    bowl = domains.Quadratic(0.5, 1.5 / n, 1.0)
    return bowl, case.noise(case.initial.shape).abs() + 2


def _height(bowl, w):
    away = w.double() - bowl.centre
    return float(bowl.curvature * away.square().sum() + bowl.coupling * away.sum() ** 2) / 2


class TestSgd(Walks, Spec):
    component = optimization.sgd
    cases = domains.sgd
    extremes = domains.sgd_extremes
    edges = (*edges(lr=0.5), {"initial": START, "gradients": PUSHES, "lr": 0.5, "batch_size": [4, 4, 1]})
    invalid = invalid(
        (ValueError, "a batch of no samples", {"batch_size": 0}),
        (ValueError, "sizes for too few batches", {"batch_size": [4, 4]}),
        lr=0.5,
    )

    def test_steps_add_up(self, impl, case):
        """Without decay the parameters end at the start less lr times the sum of all mean gradients."""
        case = case.but(weight_decay=0.0)
        sizes = _sizes(case)
        return impl(case)[-1], case.initial - case.lr * (case.gradients / sizes).sum(0)

    def test_last_batch_divides_by_its_own_size(self, impl, case):
        """When all samples have one gradient, a last batch of 3 moves as far as a batch of 8."""
        one = case.gradients[0]
        given = case.but(weight_decay=0.0, gradients=torch.stack([8 * one, 8 * one, 3 * one]), batch_size=[8, 8, 3])
        step = -case.lr * one
        return impl(given) - case.initial, torch.stack([step, 2 * step, 3 * step])

    def test_decay_is_not_divided_by_the_batch(self, impl, case):
        """Without gradients each step shrinks the parameters by 1 − lr · weight_decay, whatever the size of the batch."""
        decay = case.weight_decay or 0.25
        found = impl(case, gradients=torch.zeros_like(case.gradients), weight_decay=decay)
        powers = torch.arange(1, len(found) + 1, dtype=case.dtype).reshape(-1, *[1] * case.initial.ndim)
        return found, case.initial * (1 - case.lr * decay) ** powers

    def test_sums_and_means_agree(self, impl, case):
        """Sums with their sizes walk as means with a size of 1 do."""
        return impl(case), impl(case, gradients=case.gradients / _sizes(case), batch_size=1)


def _sizes(case):
    sizes = case.batch_size if isinstance(case.batch_size, list) else [case.batch_size] * len(case.gradients)
    return torch.tensor(sizes, dtype=case.dtype).reshape(-1, *[1] * case.initial.ndim)


class TestSgdMomentum(Walks, Spec):
    component = optimization.sgd_momentum
    cases = domains.sgd_momentum
    extremes = domains.sgd_momentum_extremes
    edges = (*edges(lr=0.5, momentum=0.5), *edges(lr=0.5, momentum=0.5, velocity="gradients", nesterov=True))
    invalid = invalid(
        (ValueError, "a negative momentum", {"momentum": -0.5}),
        (ValueError, "Nesterov's look ahead with dampening", {"nesterov": True, "dampening": 0.5}),
        (ValueError, "Nesterov's look ahead without momentum", {"nesterov": True, "momentum": 0.0}),
        (ValueError, "rates for too few steps", {"lr": [0.5, 0.5]}),
        (ValueError, "an unknown velocity", {"velocity": "sums"}),
        lr=0.5,
        momentum=0.5,
    )
    prerequisites = ("sgd",)

    def test_without_momentum_it_is_sgd(self, impl, case):
        """A momentum of 0 is plain descent, which nothing dampens."""
        rate = _rate(case)
        plain = case.but(lr=rate, momentum=0.0, nesterov=False)
        return impl(plain), optimization.sgd(case.initial, case.gradients, rate, case.weight_decay)

    def test_steps_grow_to_the_terminal_velocity(self, impl, case):
        """Under a constant gradient the steps become lr / (1 − momentum) times that gradient."""
        given = _resting(case, [1.0] * 60, lr=0.25, momentum=0.5)
        last = steps_of(given, impl(given))[-1]
        return last, torch.full_like(last, -0.25 / (1 - 0.5))

    def test_each_step_keeps_a_share_of_the_last(self, impl, case):
        """After one gradient of 1 the steps fall by the factor momentum: −lr, −lr · momentum, −lr · momentum², …"""
        given = _resting(case, [1.0, 0.0, 0.0, 0.0, 0.0], lr=0.5, momentum=0.75)
        return steps_of(given, impl(given)), pushed(given, *(-0.5 * 0.75**t for t in range(5)))

    def test_look_ahead_adds_the_next_share(self, impl, case):
        """With Nesterov the first step is (1 + momentum) times as long, and the velocity itself is unchanged."""
        given = _resting(case, [1.0, 0.0, 0.0, 0.0], lr=0.5, momentum=0.75).but(nesterov=True)
        expected = (1 + 0.75, 0.75**2, 0.75**3, 0.75**4)
        return steps_of(given, impl(given)), pushed(given, *(-0.5 * share for share in expected))

    def test_first_velocity_is_not_dampened(self, impl, case):
        """Dampening weakens every gradient but the first: −lr, −lr · (momentum + 1 − dampening), …"""
        given = _resting(case, [1.0, 1.0, 1.0], lr=0.5, momentum=0.75).but(dampening=0.25)
        velocities = (1.0, 0.75 + 0.75, 0.75 * 1.5 + 0.75)
        return steps_of(given, impl(given)), pushed(given, *(-0.5 * v for v in velocities))

    def test_velocities_agree_at_a_constant_rate(self, impl, case):
        """Summing steps or gradients is the same walk while the rate stays."""
        case = case.but(lr=_rate(case))
        return impl(case, velocity="steps"), impl(case, velocity="gradients")

    def test_rate_of_zero_stops_one_velocity_only(self, impl, case):
        """When the rate falls to 0, a velocity of gradients stops at once, and one of steps runs out."""
        given = _resting(case, [1.0, 1.0, 1.0], lr=[0.5, 0.0, 0.0], momentum=0.5)
        stopped = steps_of(given, impl(given, velocity="gradients"))
        coasting = steps_of(given, impl(given, velocity="steps"))
        return [(stopped, pushed(given, -0.5, 0.0, 0.0)), (coasting, pushed(given, -0.5, -0.25, -0.125))]

    def test_decay_is_part_of_the_gradient(self, impl, case):
        """Decay without gradients is a walk along weight_decay · w: two steps, written out."""
        given = case.but(gradients=torch.zeros_like(pushed(case, 0.0, 0.0)), lr=0.5, momentum=0.5, weight_decay=0.25)
        given = given.but(dampening=0.0, nesterov=False)
        first = 0.875 * case.initial
        velocity = 0.5 * 0.125 * case.initial + 0.125 * first
        return impl(given), torch.stack([first, first - velocity])


def _rate(case):
    return case.lr[0] if isinstance(case.lr, list) else case.lr


def _resting(case, gradients, **hyper):
    """The case from 0 along these gradients, without decay, dampening and look ahead."""
    start = case.but(initial=torch.zeros_like(case.initial))
    return start.but(gradients=pushed(start, *gradients), weight_decay=0.0, dampening=0.0, nesterov=False, **hyper)


class TestWeightDecayStep(Spec):
    component = optimization.weight_decay_step
    cases = domains.weight_decay_step
    extremes = domains.weight_decay_step_extremes
    differentiable = ("w", "g")
    twice = True
    edges = (
        {"w": torch.zeros(0, 2), "g": torch.zeros(0, 2), "lr": 0.5, "wd": 0.5},
        {"w": ones(1, 1), "g": -ones(1, 1), "lr": 0.5, "wd": 0.5},
    )
    invalid = (
        Invalid(ValueError, "a gradient of another shape", w=ones(3, 1), g=ones(3), lr=0.5, wd=0.1),
        Invalid(TypeError, "whole numbers", w=ones(3).long(), g=ones(3), lr=0.5, wd=0.1),
        Invalid(ValueError, "a negative rate", w=ones(3), g=ones(3), lr=-0.5, wd=0.1),
        Invalid(ValueError, "a negative decay", w=ones(3), g=ones(3), lr=0.5, wd=-0.1),
    )

    def batch(self, case):
        return Batch(output=0, w=0, g=0) if case.w.ndim else None

    def test_is_the_plain_step_on_the_penalized_loss(self, impl, case):
        """It is a plain step along the gradient of ⟨g, w⟩ + wd/2 · ‖w‖²."""
        with torch.enable_grad():
            w = case.w.detach().requires_grad_(True)
            objective = (case.g.detach() * w).sum() + case.wd / 2 * w.square().sum()
            (slope,) = torch.autograd.grad(objective, w)
        return impl(case), case.w - case.lr * slope

    def test_without_decay_it_is_sgd(self, impl, case):
        """wd = 0 leaves the plain step."""
        return impl(case, wd=0.0), optimization.sgd(case.w, case.g[None], case.lr)[0]

    def test_without_gradient_weights_shrink(self, impl, case):
        """A gradient of 0 leaves (1 − lr · wd) w: the weights keep their direction."""
        return impl(case, g=torch.zeros_like(case.g)), (1 - case.lr * case.wd) * case.w

    def test_decays_to_the_balance(self, impl, case):
        """Where wd · w = −g nothing moves."""
        if case.wd == 0:
            return skip_case
        return impl(case, g=-case.wd * case.w), case.w
