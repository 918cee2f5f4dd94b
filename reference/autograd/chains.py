"""Gradients worked out by hand, and the chain rule they rest on."""

import torch
from torch import Tensor

from lawbook.reference.autograd.graph import Node, evaluate
from lawbook.reference.autograd.sweeps import Backward
from lawbook.reference.checks import check_axes, check_floating, check_shape


def control_flow_gradient(a: Tensor) -> tuple[Tensor, Tensor]:
    """A number doubled until it is large, and its derivative through the loop and the branch that were taken.

        b = 2a;  while |b| < 1000: b = 2b;        d = b if b > 0 else 100 b        grad = ∂d/∂a = d / a

    The graph is what was carried out: as many doublings as this number took.

    Args:
        a: a floating number, shape (), not zero.

    Returns:
        ``(d, grad)``, both of shape () and the dtype of ``a``.

    Raises:
        ValueError: ``a`` has axes. Zero and nan are never large: they are refused here, but left open, as the note's loop has no
            end there.
        TypeError: ``a`` is not floating.

    Source: note 004 (gradients of Python control flow, ``def f(a)``).
    """
    check_floating("a", a)
    check_shape("a", a, ())
    if not bool(a.abs() > 0):
        raise ValueError(f"a is {float(a.detach())}, expected a number other than zero")
    program: list[Node] = []
    values = [a]

    def carry_out(factor: float) -> None:
        program.append(("scale", (len(program),), (factor,)))
        values.append(evaluate([("scale", (0,), (factor,))], [values[-1]])[-1])

    carry_out(2.0)
    while bool(values[-1].abs() < 1000):
        carry_out(2.0)
    if not bool(values[-1] > 0):
        carry_out(100.0)
    return values[-1].clone(), Backward(program, values, torch.ones_like(a)).gradient(0, a).clone()


def inner_product_gradient(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The gradient of a squared error of one inner product.

        z = (⟨x, w⟩ − y)²        ∂z/∂w = 2 (⟨x, w⟩ − y) x

    Args:
        x: (n,), floating.
        w: (n,), floating: what is differentiated by.
        y: (), floating.

    Returns:
        (n,): the shape of ``w``.

    Raises:
        ValueError: ``x`` and ``w`` are not vectors of one size, or ``y`` has axes.
        TypeError: an argument is not floating.

    Conventions: the notes write the derivative of a number by a vector as a row, 2 (⟨x, w⟩ − y) xᵀ; the gradient has the
    shape of ``w``.

    Source: note 004 (automatic differentiation, example 1).
    """
    for name, tensor in (("x", x), ("w", w), ("y", y)):
        check_floating(name, tensor)
    check_axes("x", x, 1)
    check_shape("w", w, x.shape)
    check_shape("y", y, ())
    return 2 * ((x * w).sum() - y) * x


def least_squares_gradient(X: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The gradient of a sum of squared errors.

        z = ‖X w − y‖²        ∂z/∂w = 2 Xᵀ (X w − y)

    Args:
        X: (m, n), floating.
        w: (n,), floating: what is differentiated by.
        y: (m,), floating.

    Returns:
        (n,): the shape of ``w``.

    Raises:
        ValueError: ``X`` has not two axes, or ``w`` and ``y`` are not of its sizes.
        TypeError: an argument is not floating.

    Conventions: the sum, neither halved nor divided by m. The notes write the derivative as a row,
    2 (X w − y)ᵀ X; the gradient has the shape of ``w``.

    Source: note 004 (automatic differentiation, example 2).
    """
    for name, tensor in (("X", X), ("w", w), ("y", y)):
        check_floating(name, tensor)
    check_axes("X", X, 2)
    check_shape("w", w, X.shape[1:])
    check_shape("y", y, X.shape[:1])
    return 2 * (X.T @ (X @ w - y))


def vector_chain_rule(J_outer: Tensor, J_inner: Tensor) -> Tensor:
    """The Jacobian of a composition: the product of the Jacobians, the outer one on the left.

        y = g(u),  u = f(x):        ∂y/∂x = ∂y/∂u · ∂u/∂x

    Args:
        J_outer: ∂y/∂u, (m, k), floating.
        J_inner: ∂u/∂x, (k, n), floating.

    Returns:
        ∂y/∂x, (m, n).

    Raises:
        ValueError: one of them has not two axes, or the inner sizes differ.
        TypeError: one of them is not floating.

    Conventions: rows belong to what is differentiated, columns to what it is differentiated by (numerator layout, as in
    the notes). In the other layout all three are transposed and the order turns round.

    Source: note 004 (vector chain rule).
    """
    check_floating("J_outer", J_outer)
    check_floating("J_inner", J_inner)
    check_axes("J_outer", J_outer, 2)
    check_axes("J_inner", J_inner, 2)
    check_shape("J_inner", J_inner, (J_outer.shape[1], J_inner.shape[1]))
    return J_outer @ J_inner
