"""Laws that all optimizers share; an optimizer is judged by its trajectory along given gradients."""

import torch
from torch import ones, zeros

from lawbook.spec_tests.spec import Batch, Invalid, require
from lawbook.spec_tests.universal import UniversalLaws

START = torch.tensor([1.0, -2.0])
PUSHES = torch.tensor([[0.5, 1.0], [-1.0, 2.0], [3.0, 0.25]])


def invalid(*more, **hyper):
    """Bad input of every optimizer; ``hyper`` is a valid set of hyper-parameters."""
    good = {"initial": START, "gradients": PUSHES, **hyper}
    return (
        Invalid(ValueError, "gradients of another shape", **{**good, "gradients": ones(3, 3)}),
        Invalid(ValueError, "gradients without an axis of steps", **{**good, "gradients": ones(2)}),
        Invalid(TypeError, "whole numbers for the start", **{**good, "initial": ones(2, dtype=torch.int64)}),
        Invalid(ValueError, "a negative rate", **{**good, "lr": -0.1}),
        Invalid(ValueError, "a negative decay", **{**good, "weight_decay": -0.1}),
        *(Invalid(error, what, **{**good, **changes}) for error, what, changes in more),
    )


def edges(**hyper):
    """No steps, no parameters, one of both."""
    return (
        {"initial": START, "gradients": zeros(0, 2), **hyper},
        {"initial": zeros(0), "gradients": zeros(3, 0), **hyper},
        {"initial": ones(1, 1), "gradients": 2 * ones(1, 1, 1), **hyper},
    )


def pushed(case, *values):
    """Gradients that are one number for all parameters at each step."""
    steps = torch.tensor(values, dtype=case.dtype)
    return steps.reshape(-1, *[1] * case.initial.ndim).expand(-1, *case.initial.shape).clone()


def steps_of(case, found):
    """What each step added."""
    return torch.diff(torch.cat([case.initial[None], found]), dim=0)


def sizes_of_gradients(case):
    """One gradient a parameter, the first of the case, with whole numbers for those that are close to 0."""
    first = case.gradients[0]
    return torch.where(first.abs() < 1e-3, torch.full_like(first, 3), first)


class Walks:
    """What holds for every optimizer that starts with no memory."""

    differentiable = ("initial", "gradients")
    stretch = {}
    """Hyper-parameters that are in units of the gradient, each with its power of that unit."""

    def rows(self, case):
        # A parameter's own walk: its neighbours may be of quite another size.
        return 0

    def batch(self, case):
        return Batch(output=1, initial=0, gradients=1) if case.initial.ndim else None

    def test_gradient_agrees(self, impl, case):
        """The trajectory is differentiable: its vector–Jacobian product is the reference's, for start and gradients.

        A first gradient of 0 has a law of its own.
        """
        if "apart from zero" not in case.memo:
            first = case.gradients[0]
            # Decay that joins the gradient may just cancel it.
            decay = 0.0 if getattr(case, "decoupled", False) else case.weight_decay
            small = torch.where((first + decay * case.initial).abs() < 1e-3, 3 - decay * case.initial, first)
            # Kept, as other laws ask for the same truth under other circumstances.
            case.memo["apart from zero"] = case.but(gradients=torch.cat([small[None], case.gradients[1:]]))
        return UniversalLaws.test_gradient_agrees(self, impl, case.memo["apart from zero"])

    def test_later_gradients_do_not_matter(self, impl, case):
        """The first steps are the same whether or not others follow."""
        some = 1 + case.seed % len(case.gradients)
        changes = {
            name: case[name][:some]
            for name in ("gradients", "lr", "batch_size")
            if name in case.arguments and not isinstance(case[name], int | float)
        }
        return impl(case, **changes), impl(case)[:some]

    def test_zero_gradients_leave_the_start(self, impl, case):
        """Without decay, gradients of 0 move nothing: no nan, and not one bit."""
        found = impl(case, gradients=torch.zeros_like(case.gradients), weight_decay=0.0)
        require(bool((found == case.initial).all()), f"gradients of 0 lead to {found.tolist()}")

    def test_gradient_through_zero_gradients_is_finite(self, impl, case):
        """Where all gradients are 0 the trajectory still has a derivative, and it is finite."""
        grads = impl.vjp(
            case, wrt=("initial", "gradients"), gradients=torch.zeros_like(case.gradients), weight_decay=0.0
        )
        for name, grad in grads[1].items():
            require(bool(torch.isfinite(grad).all()), f"the derivative with respect to {name} is {grad.tolist()}")

    def test_rate_of_zero_stays(self, impl, case):
        """With a rate of 0 the parameters stay what they are."""
        found = impl(case, lr=0.0)
        require(bool((found == case.initial).all()), f"a rate of 0 leads to {found.tolist()}")

    def test_mirror_image(self, impl, case):
        """From −w along −g the walk is the mirror image."""
        return impl(case, initial=-case.initial, gradients=-case.gradients), -impl(case)

    def test_walk_does_not_depend_on_where_it_starts(self, impl, case):
        """Without decay the steps are the same from any start."""
        case = case.but(weight_decay=0.0)
        start = case.noise(case.initial.shape).round()
        return impl(case, initial=start) - start, impl(case, initial=torch.zeros_like(start))

    def test_zeros_before_the_first_gradient_do_not_move(self, impl, case):
        """Parameters wait for their first gradient."""
        waiting = torch.zeros_like(case.gradients[:1])
        changes = {"gradients": torch.cat([waiting, case.gradients[:1]]), "weight_decay": 0.0}
        found = impl(case, **changes, **self.shortened(case, 2))
        require(bool((found[0] == case.initial).all()), f"moved to {found[0].tolist()} without a gradient")
        truth = self.component(**{**case.arguments, **changes, **self.shortened(case, 2)})
        return found[1], truth[1]

    def shortened(self, case, steps):
        """Hyper-parameters that are given for each step, for so many steps."""
        return {
            name: (list(case[name]) * steps)[:steps]
            for name in ("lr", "batch_size")
            if isinstance(case.arguments.get(name), list)
        }


class ScaleFree(Walks):
    """Optimizers whose steps do not depend on the gradients' scale."""

    def test_scale_of_the_gradients_does_not_matter(self, impl, case):
        """Gradients four times as large, with what is in their units four times as large, give the same walk."""
        case = case.but(weight_decay=0.0)
        scaled = {name: case[name] * 4.0**power for name, power in self.stretch.items()}
        return impl(case, gradients=4 * case.gradients, **scaled), impl(case)

    def test_each_parameter_has_its_own_scale(self, impl, case):
        """Two parameters, one with gradients a thousand times the other's, walk alike when eps is small."""
        course = case.noise((6,)).abs() + 0.5
        gradients = torch.stack([course, 1024 * course], dim=1)
        found = impl(case, initial=torch.zeros(2, dtype=case.dtype), gradients=gradients, weight_decay=0.0, **self.bare)
        return found[:, 0], found[:, 1]
