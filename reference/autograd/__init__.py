"""Automatic differentiation: an explicit graph of named operations, swept forwards or backwards.

A *program* is plain data: a sequence of nodes ``(operation, operands, settings)``. Positions count the inputs first and
then the nodes, in order; every node names the positions it takes, all of them before its own. The program's value is what
stands at the last position. ``operations.OPERATIONS`` lists the operations and their settings.

Positions, axes and places along them count from 0. Left open is what a negative axis or place does, axis 0 of a number without
axes, and a matrix product of more than two axes: some count from the end, and multiply stacks.

    (("mul", (0, 0), ()), ("sum", (1,), ()))        of one input x:  Σ x²
"""

from lawbook.reference.autograd.chains import (
    control_flow_gradient,
    inner_product_gradient,
    least_squares_gradient,
    vector_chain_rule,
)
from lawbook.reference.autograd.recording import accumulate, detach, leaf_and_retained, no_grad
from lawbook.reference.autograd.sweeps import forward_cost, jvp, reverse_cost, vjp

__all__ = [
    "accumulate",
    "control_flow_gradient",
    "detach",
    "forward_cost",
    "inner_product_gradient",
    "jvp",
    "leaf_and_retained",
    "least_squares_gradient",
    "no_grad",
    "reverse_cost",
    "vector_chain_rule",
    "vjp",
]
