"""Laws of optimizers with a rate of its own for every parameter."""

import torch

from lawbook.fixtures.cases import optimization as domains
from lawbook.fixtures.published import optimization as published
from lawbook.reference import optimization
from lawbook.spec_tests.spec import Spec, require
from lawbook.spec_tests.test_optimization.laws import (
    ScaleFree,
    edges,
    invalid,
    pushed,
    sizes_of_gradients,
    steps_of,
)

EPS_OF_ZERO = (ValueError, "an eps of 0, which divides 0 by 0", {"eps": 0.0})
NEGATIVE_EPS = (ValueError, "a negative eps", {"eps": -1e-8})


class TestAdagrad(ScaleFree, Spec):
    component = optimization.adagrad
    cases = domains.adagrad
    extremes = domains.adagrad_extremes
    edges = edges(lr=0.5)
    invalid = invalid(
        NEGATIVE_EPS,
        (ValueError, "a negative decay of the rate", {"lr_decay": -0.1}),
        (ValueError, "a negative accumulator", {"initial_accumulator": -1.0}),
        EPS_OF_ZERO,
    )
    stretch = {"eps": 1, "initial_accumulator": 2}
    bare = {"initial_accumulator": 0.0, "eps": 1e-20}

    def test_first_step_has_the_size_of_the_rate(self, impl, case):
        """From an empty accumulator the first step is lr · g / (|g| + eps): lr in size, for large and small gradients."""
        g = sizes_of_gradients(case)
        found = impl(case, initial=torch.zeros_like(g), gradients=g[None], weight_decay=0.0, initial_accumulator=0.0)
        return found[0], -case.lr * g / (g.abs() + case.eps)

    def test_steps_shrink_with_the_root_of_time(self, impl, case):
        """Under a constant gradient the steps are lr / √t."""
        found, given = _constant(impl, case, 9, lr_decay=0.0, initial_accumulator=0.0, eps=1e-20)
        return found, pushed(given, *(-case.lr / t**0.5 for t in range(1, 10)))

    def test_rate_decays_from_the_second_step_on(self, impl, case):
        """lr_decay divides the rate by 1 + (t − 1) · lr_decay: the first step is not touched."""
        found, given = _constant(impl, case, 4, lr_decay=1.0, initial_accumulator=0.0, eps=1e-20)
        return found, pushed(given, *(-case.lr / t / t**0.5 for t in range(1, 5)))

    def test_old_squares_are_never_forgotten(self, impl, case):
        """A gradient of 3 before one of 4 makes its step 4/5 of lr, however long ago it was."""
        found, given = _steps(impl, case, (3.0, *[0.0] * 20, 4.0), lr_decay=0.0, initial_accumulator=0.0, eps=1e-20)
        return found[-1], pushed(given, -case.lr * 4 / 5)[0]

    def test_eps_is_added_to_the_root(self, impl, case):
        """With eps = 1 a gradient of 3 on an accumulator of 16 moves by lr · 3 / (5 + 1)."""
        found, given = _steps(impl, case, (3.0,), lr_decay=0.0, initial_accumulator=16.0, eps=1.0)
        return found, pushed(given, -case.lr * 3 / 6)


class TestRmsprop(ScaleFree, Spec):
    component = optimization.rmsprop
    cases = domains.rmsprop
    extremes = domains.rmsprop_extremes
    edges = edges(lr=0.5)
    invalid = invalid(
        NEGATIVE_EPS,
        (ValueError, "a negative share", {"alpha": -0.1}),
        (ValueError, "a negative momentum", {"momentum": -0.5}),
        (ValueError, "a share above 1", {"alpha": 1.5}),
        EPS_OF_ZERO,
    )
    stretch = {"eps": 1}
    bare = {"eps": 1e-20}

    def test_first_step_is_longer_than_the_rate(self, impl, case):
        """Starting from 0 without correction, the first step is lr / √(1 − alpha) in size when eps is small."""
        g = sizes_of_gradients(case)
        found = impl(case, initial=torch.zeros_like(g), gradients=g[None], weight_decay=0.0, eps=1e-20)
        return found[0], -case.lr * torch.sign(g) / (1 - case.alpha) ** 0.5

    def test_steps_settle_at_the_rate(self, impl, case):
        """Under a constant gradient of any size the steps become lr."""
        found, given = _constant(impl, case, 60, alpha=0.5, momentum=0.0, eps=1e-20)
        return found[-1], pushed(given, -case.lr)[0]

    def test_old_squares_are_forgotten(self, impl, case):
        """Long after a large gradient the steps are what they would be without it."""
        course = (4096.0, *[1.0] * 90)
        found, given = _steps(impl, case, course, alpha=0.5, momentum=0.0, eps=1e-20)
        return found[-1], pushed(given, -case.lr)[0]

    def test_momentum_sums_scaled_gradients(self, impl, case):
        """Momentum keeps a share of the scaled step: after one gradient the steps fall by that factor."""
        found, given = _steps(impl, case, (1.0, 0.0, 0.0), alpha=0.75, momentum=0.5, eps=1e-20)
        return found, pushed(given, *(-case.lr * 2 * share for share in (1.0, 0.5, 0.25)))

    def test_eps_is_added_to_the_root(self, impl, case):
        """With eps = 1 and alpha = 3/4 a first gradient of 6 moves by lr · 6 / (3 + 1)."""
        found, given = _steps(impl, case, (6.0,), alpha=0.75, momentum=0.0, eps=1.0)
        return found, pushed(given, -case.lr * 6 / 4)

    def test_published_share_of_note_001(self, impl):
        """With the note's alpha of 0.2 the first step is lr / √0.8, and a gradient of 0 gives no nan."""
        found = impl.call(**published.RMSPROP)
        shown = [f"{value:.4f}" for value in found[0].tolist()]
        require(tuple(shown) == published.RMSPROP_FIRST_STEP, f"gave {shown}")


class TestAdam(ScaleFree, Spec):
    component = optimization.adam
    cases = domains.adam
    extremes = domains.adam_extremes
    edges = (*edges(lr=0.5), *edges(lr=0.5, weight_decay=0.5, decoupled=True))
    invalid = invalid(
        NEGATIVE_EPS,
        (ValueError, "a first beta of 1", {"betas": (1.0, 0.9)}),
        (ValueError, "a negative second beta", {"betas": (0.9, -0.1)}),
        EPS_OF_ZERO,
    )
    stretch = {"eps": 1}
    bare = {"eps": 1e-20}
    prerequisites = ("rmsprop",)

    def test_first_step_has_the_size_of_the_rate(self, impl, case):
        """The first step is lr · g / (|g| + eps), whatever the betas: lr in size, for large and small gradients."""
        g = sizes_of_gradients(case)
        found = impl(case, initial=torch.zeros_like(g), gradients=g[None], weight_decay=0.0)
        return found[0], -case.lr * g / (g.abs() + case.eps)

    def test_constant_gradient_gives_constant_steps(self, impl, case):
        """Both averages are corrected at every step: a constant gradient g moves by lr · g / (|g| + eps) each time."""
        # Betas whose powers float32 holds: of 1 − 0.999ᵗ, which libraries may compute in it, few digits are left.
        found, given = _constant(impl, case, 12, value=2.0, betas=(0.75, 0.9375))
        return found, pushed(given, *[-case.lr * 2 / (2 + case.eps)] * 12)

    def test_eps_is_added_to_the_corrected_root(self, impl, case):
        """With eps = 1 a first gradient of 3 moves by lr · 3 / (3 + 1), whatever the betas."""
        found, given = _steps(impl, case, (3.0,), eps=1.0)
        return found, pushed(given, -case.lr * 3 / 4)

    def test_without_memory_it_follows_the_sign(self, impl, case):
        """With both betas at 0 each step is lr · g / (|g| + eps)."""
        found = impl(case, betas=(0.0, 0.0), initial=torch.zeros_like(case.initial), weight_decay=0.0)
        g = case.gradients
        return found, (-case.lr * g / (g.abs() + case.eps)).cumsum(0)

    def test_averages_written_out(self, impl, case):
        """Two gradients, 1 and −1, with betas 1/2 and 3/4: m̂ = −1/3 and v̂ = 1 at the second step."""
        found, given = _steps(impl, case, (1.0, -1.0), betas=(0.5, 0.75), eps=1e-20)
        return found, pushed(given, -case.lr, case.lr / 3)

    def test_decoupled_decay_shrinks_the_weights(self, impl, case):
        """Decoupled, a gradient of 0 leaves weights that shrink by 1 − lr · weight_decay a step."""
        decay = case.weight_decay or 0.25
        still = torch.zeros_like(case.gradients)
        found = impl(case, gradients=still, weight_decay=decay, decoupled=True)
        powers = torch.arange(1, len(found) + 1, dtype=case.dtype).reshape(-1, *[1] * case.initial.ndim)
        return found, case.initial * (1 - case.lr * decay) ** powers

    def test_decay_in_the_gradient_is_divided_too(self, impl, case):
        """In the gradient, decay alone makes a first step of size lr, however weak it is."""
        start = torch.where(case.initial.abs() < 1e-3, torch.full_like(case.initial, 3), case.initial)
        still = pushed(case, 0.0)
        found = impl(case, initial=start, gradients=still, weight_decay=0.25, eps=1e-20, decoupled=False)
        return found[0], start - case.lr * torch.sign(start)

    def test_without_decay_both_forms_agree(self, impl, case):
        """With a decay of 0 it does not matter where it would go."""
        case = case.but(weight_decay=0.0)
        return impl(case, decoupled=True), impl(case, decoupled=False)


def _steps(impl, case, gradients, **hyper):
    """The steps from 0 along these gradients without decay, and the case they belong to."""
    given = case.but(initial=torch.zeros_like(case.initial), weight_decay=0.0, **hyper)
    given = given.but(gradients=pushed(given, *gradients))
    return steps_of(given, impl(given)), given


def _constant(impl, case, steps, value=3.0, **hyper):
    return _steps(impl, case, [value] * steps, **hyper)
