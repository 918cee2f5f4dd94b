"""Dropout: of single elements, of whole channels, and with a given mask."""

import torch

from lawbook.fixtures.cases import generalization as domains
from lawbook.reference import generalization
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_generalization.laws import STOCHASTIC, DropoutLaws, refused, without_chance
from lawbook.spec_tests.test_generalization.test_perceptrons import ramp


class TestDropout(DropoutLaws, Spec):
    component = generalization.dropout
    cases = domains.dropout
    differentiable = ("x",)
    declines = STOCHASTIC
    edges = without_chance(ramp(0), ramp(2, 0, 3), ramp(1, 1), ramp(2, 3))
    invalid = refused(ramp(2, 3), None)
    many = (50, 40, 50)


class TestDropout2d(DropoutLaws, Spec):
    component = generalization.dropout2d
    cases = domains.dropout2d
    differentiable = ("x",)
    declines = STOCHASTIC
    edges = without_chance(ramp(0, 2, 3, 3), ramp(2, 3, 0, 2), ramp(1, 1, 1, 1), ramp(2, 3, 2, 1))
    invalid = refused(ramp(2, 3, 2, 2), ramp(3, 2))
    many = (400, 250, 1, 2)
    shared = (2, 3)
    prerequisites = ("dropout",)


class TestDropout3d(DropoutLaws, Spec):
    component = generalization.dropout3d
    cases = domains.dropout3d
    differentiable = ("x",)
    declines = STOCHASTIC
    edges = without_chance(ramp(0, 2, 3, 3, 1), ramp(2, 3, 0, 2, 2), ramp(1, 1, 1, 1, 1), ramp(2, 3, 2, 1, 2))
    invalid = refused(ramp(2, 3, 2, 2, 2), ramp(3, 2))
    many = (400, 250, 1, 1, 2)
    shared = (2, 3, 4)
    prerequisites = ("dropout",)


class TestApplyDropoutMask(Spec):
    component = generalization.apply_dropout_mask
    cases = domains.apply_dropout_mask
    differentiable = ("x",)
    twice = True
    extremes = domains.apply_dropout_mask_extremes
    declines = {"nan_not_hidden": STOCHASTIC["nan_not_hidden"]}
    edges = (
        dict(x=ramp(0), mask=torch.ones(0).bool(), p=0.5),
        dict(x=ramp(2, 0), mask=torch.ones(2, 0).bool(), p=1.0),
        dict(x=ramp(1, 1), mask=torch.ones(1, 1).bool(), p=0.0),
    )
    invalid = (
        Invalid(ValueError, "a mask of another shape", x=ramp(2, 3), mask=torch.ones(3, 2).bool(), p=0.5),
        Invalid(ValueError, "a mask that would be broadcast", x=ramp(2, 3), mask=torch.ones(3).bool(), p=0.5),
        Invalid(ValueError, "a chance above 1", x=ramp(2), mask=torch.ones(2).bool(), p=1.5),
        Invalid(ValueError, "a chance below 0", x=ramp(2), mask=torch.ones(2).bool(), p=-0.5),
        Invalid(TypeError, "a mask of fractions", x=ramp(2), mask=torch.tensor([0.5, 1.0]), p=0.5),
    )

    def batch(self, case):
        return Batch(output=0, x=0, mask=0)

    def test_a_mask_and_its_complement_share_x(self, impl, case):
        """What a mask keeps and what its complement keeps add up to x / (1 − p)."""
        p = case.p if case.p < 1 else 0.5
        return impl(case, p=p) + impl(case, p=p, mask=~case.mask), case.x / (1 - p)

    def test_dropped_elements_are_zero(self, impl, case):
        """Where the mask says so the result is exactly 0."""
        found = impl(case)[~case.mask]
        require(bool((found == 0).all()), f"dropped elements are {found.tolist()}")

    def test_the_gradient_passes_by_the_same_mask(self, impl, case):
        """The gradient of a cotangent is the cotangent with the same elements dropped and the others scaled alike."""
        cotangent = case.noise(case.x.shape, 3)
        return impl.vjp(case, cotangent, ("x",))[1]["x"], impl(case, x=cotangent)

    def test_scale_is_exact(self, impl, case):
        """At p = ½ kept elements are doubled, at p = 0 unchanged, bit by bit."""
        for p, factor in ((0.5, 2.0), (0.0, 1.0)):
            expected = torch.where(case.mask, factor * case.x, 0)
            require(
                torch.equal(impl(case, p=p), expected), f"at p = {p} kept elements are not {factor:g} times as large"
            )

    def test_everything_dropped_is_zero(self, impl, case):
        """With p = 1 the result is zeros, whatever the mask."""
        require(bool((impl(case, p=1.0) == 0).all()), "p = 1 leaves something other than zeros")
