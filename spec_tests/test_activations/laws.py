"""Laws that activations share."""

import copy

import torch

from lawbook.spec_tests.spec import Batch, Spec, require


class Activation(Spec):
    """Every element has a result of its own, judged by itself wherever the tensor has an axis of size 1."""

    differentiable = ("x",)

    def rows(self, case):
        return case.x.shape.index(1) if 1 in case.x.shape else -1

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim else None


class Elementwise(Activation):
    """The same function for every element."""

    def test_neighbours_do_not_matter(self, impl, case):
        """In another order and another shape every element has the same result."""
        backwards = impl(case, x=case.x.reshape(1, -1).flip(-1))
        return backwards.reshape(-1, 1), impl(case).reshape(1, -1).flip(-1).reshape(-1, 1)


class Saturating:
    """What has a limit on both sides, infinite ones included."""

    limits: tuple[float, float]

    def test_infinities_have_their_limits(self, impl):
        """At −inf and inf stands what the function approaches there, such as 0 behind a mask of −inf, and not nan."""
        x = torch.tensor([-torch.inf, torch.inf], dtype=self.dtype)
        found, expected = impl.call(x=x).tolist(), list(self.limits)
        require(found == expected, f"at −inf and inf it gives {found}, expected {expected}")


class Smooth(Elementwise):
    """Slopes are judged twice: by the universal laws as if a slope of one stood beside each, and by themselves.

    Most libraries take slopes from the result, such as y · (1 − y), which has no digits left where y is close to 1: right on
    the scale of a slope of one, wrong by itself.
    """

    twice = True

    def _gradient(self, impl, case, second):
        beside_one = copy.copy(self)
        beside_one.oracle = BesideOne(self.oracle)
        return super(Smooth, beside_one)._gradient(impl, case, second)

    def test_small_slopes_keep_their_digits(self, impl, case):
        """Every slope is accurate by itself, however flat the function is there."""
        slopes = impl.vjp(case, [torch.ones_like(case.x)], wrt=("x",))[1]["x"]
        return slopes.reshape(-1, 1), slopes_of(self.component, case).reshape(-1, 1)


class BesideOne:
    """An oracle whose gradients may be off by one more unit in the last place of the cotangent, a slope of one."""

    def __init__(self, oracle):
        self._oracle = oracle

    def __getattr__(self, name):
        return getattr(self._oracle, name)

    def gradient_spread(self, case, wrt, second):
        """The yardstick, widened."""
        found = self._oracle.gradient_spread(case, wrt, second)
        scale = case.noise(case.x.shape, 7000).double().abs()
        if second:
            scale = scale * case.noise(case.x.shape, 8000).double().abs()
        unit = torch.finfo(case.dtype).eps * scale
        return lambda level: [yard + unit for yard in found(level)]


def slopes_of(component, case):
    """The derivative of every result to its own element."""
    with torch.enable_grad():
        x = case.x.detach().clone().requires_grad_()
        return torch.autograd.grad(component(**{**case.arguments, "x": x}).sum(), x)[0]
