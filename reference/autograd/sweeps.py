"""Reverse and forward accumulation over a program, and what they cost."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.autograd.graph import Node, Program, check_alike, check_program, evaluate, shapes_of
from lawbook.reference.autograd.operations import OPERATIONS
from lawbook.reference.checks import check_shape


class Backward:
    """One sweep from the last position to the first.

    Every node is met after all that take its value, so that its cotangent is complete when it is passed on: once, however
    many paths lead through it.

    Args:
        program: the nodes.
        values: the value at every position.
        cotangent: of the last position's shape.
        wanted: a flag for every position that says whether the sweep goes there; None: everywhere.

    Attributes:
        cotangents: what has arrived at every position; None where nothing leads back to it.
        visits: how many nodes have passed a cotangent on.
    """

    def __init__(
        self, program: Program, values: Sequence[Tensor], cotangent: Tensor, wanted: Sequence[bool] | None = None
    ):
        self.cotangents: list[Tensor | None] = [None] * len(values)
        self.cotangents[-1] = cotangent
        self.visits = 0
        self._wanted = wanted or [True] * len(values)
        inputs = len(values) - len(program)
        for at in range(len(values) - 1, inputs - 1, -1):
            arrived = self.cotangents[at]
            if arrived is not None:
                self._pass_on(program[at - inputs], values, values[at], arrived)

    def _pass_on(self, node: Node, values: Sequence[Tensor], value: Tensor, arrived: Tensor) -> None:
        name, operands, settings = node
        self.visits += 1
        parts = OPERATIONS[name].pull(arrived, [values[k] for k in operands], value, settings)
        for k, part in zip(operands, parts, strict=True):
            before = self.cotangents[k]
            if part is not None and self._wanted[k]:
                self.cotangents[k] = part if before is None else before + part

    def gradient(self, at: int, like: Tensor) -> Tensor:
        """The gradient at a position; zeros where nothing leads back to it."""
        found = self.cotangents[at]
        return torch.zeros_like(like) if found is None else found


def vjp(program: Program, inputs: Sequence[Tensor], cotangent: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A program's value, and its vector–Jacobian product by reverse accumulation.

        value = f(x₁, …, x_k)        grads_i = uᵀ ∂f/∂x_i

    where u is the cotangent. One sweep backwards gives the gradients of all inputs.

    Args:
        program: nodes ``(operation, operands, settings)``; see the chapter's introduction. No nodes: the last input.
        inputs: floating tensors of any shapes, at least one.
        cotangent: of the value's shape.

    Returns:
        ``(value, grads)`` with one gradient of each input's shape, zeros where the value does not depend on it.

    Raises:
        ValueError: an operation is unknown or does not fit its operands; the cotangent has another shape.
        IndexError: an operand does not stand before the node that takes it.
        TypeError: an input is not floating.

    Conventions: ``where`` passes nothing back to its condition, and to the side not taken exactly zero;
    ``double_until`` doubles until the largest magnitude reaches the bound, and its slope is the power of two that was
    used.

    Source: note 001 §9, note 004 (automatic differentiation); Linnainmaa 1970; Griewank and Walther 2008.
    """
    check_shape("cotangent", cotangent, check_program(program, inputs)[-1])
    values = evaluate(program, inputs)
    sweep = Backward(program, values, cotangent)
    return values[-1].clone(), tuple(sweep.gradient(k, x).clone() for k, x in enumerate(inputs))


def jvp(program: Program, inputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A program's value, and its Jacobian–vector product by forward accumulation.

        value = f(x₁, …, x_k)        tangent_out = Σ_i ∂f/∂x_i t_i

    Every value takes its tangent along: one sweep gives the derivative along one direction.

    Args:
        program: nodes ``(operation, operands, settings)``; see the chapter's introduction. No nodes: the last input.
        inputs: floating tensors of any shapes, at least one.
        tangents: t, one of each input's shape.

    Returns:
        ``(value, tangent_out)``, both of the value's shape.

    Raises:
        ValueError: an operation is unknown or does not fit its operands; the tangents are not those of the inputs.
        IndexError: an operand does not stand before the node that takes it.
        TypeError: an input is not floating.

    Source: note 004 (automatic differentiation, forward accumulation); Wengert 1964.
    """
    check_program(program, inputs)
    check_alike("tangents", tangents, inputs)
    values = evaluate(program, inputs)
    return values[-1].clone(), forward_tangents(program, values, tangents)[-1].clone()


def forward_tangents(program: Program, values: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[Tensor]:
    """The tangent at every position."""
    found = list(tangents)
    for (name, operands, settings), value in zip(program, values[len(tangents) :], strict=True):
        taken = [found[k] for k in operands], [values[k] for k in operands]
        found.append(OPERATIONS[name].push(*taken, value, settings))
    return found


def _ones(shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    return [torch.ones(tuple(shape)) for shape in shapes]


def reverse_cost(program: Program, shapes: Sequence[Sequence[int]]) -> dict[str, int]:
    """How many operations reverse accumulation differentiates to get the gradients of all inputs.

        sweeps = 1        visits = number of operations that the value depends on  ≤  length of the program

    A visit is one operation passing on what has arrived at its result. The number of inputs does not enter.

    Args:
        program: nodes ``(operation, operands, settings)``; see the chapter's introduction.
        shapes: of the inputs.

    Returns:
        ``{"sweeps": 1, "visits": visits}``.

    Raises:
        ValueError: an operation is unknown or does not fit its operands.
        IndexError: an operand does not stand before the node that takes it.

    Conventions: what counts is operations of the program, as in the notes, not the library's own: an operation that a
    library does in several steps is visited once. Operations that the value does not depend on are not visited, nor are
    those it depends on by the condition of ``where`` alone, through which nothing is passed back.

    Source: note 004 (complexity of automatic differentiation); Baur and Strassen 1983.
    """
    positions = shapes_of(program, shapes)
    values = evaluate(program, _ones(shapes))
    return {"sweeps": 1, "visits": Backward(program, values, torch.ones(positions[-1])).visits}


def forward_cost(program: Program, shapes: Sequence[Sequence[int]]) -> dict[str, int]:
    """How many operations forward accumulation differentiates to get the derivatives with respect to all inputs.

        sweeps = number of inputs        visits = sweeps · length of the program

    A visit is one operation passing a tangent on. One sweep gives the derivative along one direction: here one of each
    input, the others having a tangent of zeros.

    Args:
        program: nodes ``(operation, operands, settings)``; see the chapter's introduction.
        shapes: of the inputs.

    Returns:
        ``{"sweeps": sweeps, "visits": visits}``.

    Raises:
        ValueError: an operation is unknown or does not fit its operands.
        IndexError: an operand does not stand before the node that takes it.

    Conventions: every sweep passes all operations, as in the notes, also those that depend on another input alone or
    on which the value does not depend.

    Source: note 004 (complexity of automatic differentiation).
    """
    shapes_of(program, shapes)
    inputs, visits = _ones(shapes), 0
    values = evaluate(program, inputs)
    for chosen in range(len(inputs)):
        tangents = [torch.ones_like(x) if k == chosen else torch.zeros_like(x) for k, x in enumerate(inputs)]
        visits += len(forward_tangents(program, values, tangents)) - len(inputs)
    return {"sweeps": len(inputs), "visits": visits}
