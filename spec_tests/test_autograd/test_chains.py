"""Laws of gradients worked out by hand, and of the chain rule."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import autograd as domains
from lawbook.reference import autograd
from lawbook.spec_tests.spec import Invalid, Spec, require


class TestControlFlowGradient(Spec):
    component = autograd.control_flow_gradient
    cases = domains.control_flow_gradient
    extremes = domains.control_flow_gradient_extremes
    differentiable = ("a",)
    declines = {"nan_not_hidden": "nan is refused: it is never large"}
    edges = (dict(a=tensor(1000.0)), dict(a=tensor(-1e-3)))
    invalid = (Invalid(ValueError, "a pair of numbers", a=ones(2)),)

    def small(self, case):
        """A number below 1000 in magnitude."""
        return torch.where(case.a.abs() < 1000, case.a, 1 / case.a)

    def test_gradient_is_the_ratio(self, impl, case):
        """The function is a constant times its argument: the derivative is d / a."""
        d, grad = impl(case)
        return grad, d / case.a

    def test_gradient_counts_the_doublings(self, impl, case):
        """The derivative is a power of two, times 100 below zero."""
        factor = impl(case)[1] / (1 if case.a > 0 else 100)
        mantissa = float(torch.frexp(factor.double()).mantissa)
        require(mantissa == 0.5 and float(factor) >= 2, f"the derivative is {float(factor)} for a = {float(case.a)}")

    def test_half_takes_one_doubling_more(self, impl, case):
        """Half of a number arrives at the same place, twice as steeply."""
        a = self.small(case)
        (d, grad), (of_half, steeper) = impl(case, a=a), impl(case, a=a / 2)
        return (of_half, steeper), (d, 2 * grad)

    def test_stops_as_soon_as_it_is_large(self, impl, case):
        """Numbers between 0 and 1000 end in 1000 or more, below 2000."""
        d = float(impl(case, a=self.small(case).abs())[0])
        require(1000 <= d < 2000, f"the result is {d}")

    def test_numbers_done_by_hand(self, impl):
        """125 → 1000 with slope 8, 600 → 1200 with slope 2, −1 → −102400 with slope 102400; 500 stops at exactly 1000,
        499.75 only after 999.5."""
        for a, d, grad in ((125, 1000, 8), (600, 1200, 2), (-1, -102400, 102400), (500, 1000, 2), (499.75, 1999, 4)):
            found = tuple(float(x) for x in impl.call(a=tensor(float(a))))
            require(found == (d, grad), f"for {a}: {found}, expected {(d, grad)}")


def by_reverse_accumulation(program, inputs, wrt):
    """The gradient of a program with one number as its value."""
    return autograd.vjp(program, inputs, torch.ones_like(inputs[0].sum()))[1][wrt]


class TestInnerProductGradient(Spec):
    component = autograd.inner_product_gradient
    cases = domains.inner_product_gradient
    extremes = domains.inner_product_gradient_extremes
    differentiable = ("x", "w", "y")
    edges = (
        dict(x=zeros(0), w=zeros(0), y=tensor(1.0)),
        dict(x=tensor([2.0]), w=tensor([3.0]), y=tensor(1.0)),
    )
    invalid = (
        Invalid(ValueError, "vectors of other sizes", x=ones(2), w=ones(3), y=tensor(1.0)),
        Invalid(ValueError, "a matrix in place of x", x=ones(2, 3), w=ones(3), y=tensor(1.0)),
        Invalid(TypeError, "whole numbers", x=tensor([1, 2]), w=tensor([3, 4]), y=tensor(1)),
    )

    def test_equals_reverse_accumulation(self, impl, case):
        """The same as the engine finds for (⟨x, w⟩ − y)²."""
        program = (("matmul", (0, 1), ()), ("sub", (3, 2), ()), ("mul", (4, 4), ()))
        return impl(case), by_reverse_accumulation(program, [case.x, case.w, case.y], 1)

    def test_points_along_x(self, impl, case):
        """The gradient is a multiple of x."""
        grad = impl(case)
        return torch.outer(grad, case.x), torch.outer(case.x, grad)

    def test_twice_the_error_for_the_first_number(self, impl, case):
        """With x = (1, 0, 0, …) the gradient is twice the error, at the first place."""
        x = torch.zeros_like(case.x)
        x[0] = 1
        return impl(case, x=x), 2 * (case.w[0] - case.y) * x

    def test_minus_both_is_minus(self, impl, case):
        """With −w and −y the gradient is the opposite."""
        return impl(case, w=-case.w, y=-case.y), -impl(case)


class TestLeastSquaresGradient(Spec):
    component = autograd.least_squares_gradient
    cases = domains.least_squares_gradient
    extremes = domains.least_squares_gradient_extremes
    differentiable = ("X", "w", "y")
    edges = (
        dict(X=zeros(0, 2), w=ones(2), y=zeros(0)),
        dict(X=zeros(2, 0), w=zeros(0), y=ones(2)),
        dict(X=ones(1, 1), w=ones(1), y=zeros(1)),
    )
    invalid = (
        Invalid(ValueError, "as many targets as columns", X=ones(3, 2), w=ones(2), y=ones(2)),
        Invalid(ValueError, "as many weights as rows", X=ones(3, 2), w=ones(3), y=ones(3)),
        Invalid(TypeError, "whole numbers", X=tensor([[1, 2]]), w=tensor([3, 4]), y=tensor([1])),
    )
    prerequisites = ("inner_product_gradient",)

    def test_equals_reverse_accumulation(self, impl, case):
        """The same as the engine finds for the sum of the squares of X w − y."""
        program = (("matmul", (0, 1), ()), ("sub", (3, 2), ()), ("mul", (4, 4), ()), ("sum", (5,), ()))
        return impl(case), by_reverse_accumulation(program, [case.X, case.w, case.y], 1)

    def test_rows_add_up(self, impl, case):
        """It is the sum over the rows of the gradients of single squares: no mean, no half."""
        rows = [autograd.inner_product_gradient(x, case.w, y) for x, y in zip(case.X, case.y, strict=True)]
        return impl(case), torch.stack(rows).sum(0)

    def test_vanishes_where_the_fit_is_exact(self, impl, case):
        """With y = X w there is nothing to improve."""
        grad = impl(case, y=case.X @ case.w)
        return grad, torch.zeros_like(grad)

    def test_every_row_twice_doubles_it(self, impl, case):
        """Each row twice gives twice the gradient."""
        twice = impl(case, X=torch.cat([case.X, case.X]), y=torch.cat([case.y, case.y]))
        return twice, 2 * impl(case)


class TestVectorChainRule(Spec):
    component = autograd.vector_chain_rule
    cases = domains.vector_chain_rule
    extremes = domains.vector_chain_rule_extremes
    declines = {"nan_not_hidden": "Jacobians swept row by row carry 0 · nan from one row into the others, rightly"}
    differentiable = ("J_outer", "J_inner")
    edges = (
        dict(J_outer=zeros(2, 0), J_inner=zeros(0, 3)),
        dict(J_outer=zeros(0, 2), J_inner=ones(2, 3)),
        dict(J_outer=ones(1, 1), J_inner=ones(1, 1)),
    )
    invalid = (
        Invalid(ValueError, "inner sizes that differ", J_outer=ones(2, 3), J_inner=ones(2, 3)),
        Invalid(ValueError, "a vector in place of a Jacobian", J_outer=ones(2, 3), J_inner=ones(3)),
    )

    def test_shapes_multiply(self, impl, case):
        """(m, k) and (k, n) give (m, n)."""
        shape, expected = tuple(impl(case).shape), (case.J_outer.shape[0], case.J_inner.shape[1])
        require(shape == expected, f"the shape is {shape}, expected {expected}")

    def test_equals_the_jacobian_of_the_composition(self, impl, case):
        """With the Jacobians of tanh(A x) and sin(B u) it gives what reverse accumulation finds for sin(B tanh(A x))."""
        A, B = (J / (1 + J.abs()) for J in (case.J_inner, case.J_outer))
        x = case.noise(A.shape[1:], 5)
        u = torch.tanh(A @ x)
        inner, outer = (1 - u * u)[:, None] * A, torch.cos(B @ u)[:, None] * B
        program = (("matmul", (0, 2), ()), ("tanh", (3,), ()), ("matmul", (1, 4), ()), ("sin", (5,), ()))
        rows = [autograd.vjp(program, [A, B, x], row)[1][2] for row in torch.eye(len(B), dtype=case.dtype)]
        return impl(case, J_outer=outer, J_inner=inner), torch.stack(rows)

    def test_along_a_direction(self, impl, case):
        """A step goes through the inner map first, then through the outer one."""
        v = case.noise(case.J_inner.shape[1:], 6)
        return impl(case) @ v, case.J_outer @ (case.J_inner @ v)

    def test_a_map_that_changes_nothing(self, impl, case):
        """The identity on either side leaves a Jacobian as it is."""
        J = case.J_inner
        rows, columns = (torch.eye(size, dtype=case.dtype) for size in J.shape)
        return [(impl(case, J_outer=rows, J_inner=J), J), (impl(case, J_outer=J, J_inner=columns), J)]

    def test_three_maps_in_either_grouping(self, impl, case):
        """Of three maps either pair may be taken first."""
        third = case.noise((case.J_inner.shape[1], 2), 7)
        first = impl(case, J_outer=impl(case), J_inner=third)
        return first, impl(case, J_inner=impl(case, J_outer=case.J_inner, J_inner=third))
