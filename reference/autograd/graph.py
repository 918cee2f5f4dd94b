"""Programs: checked, and carried out node by node."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from lawbook.reference.autograd.operations import OPERATIONS, Settings, Shape
from lawbook.reference.checks import check_choice, check_floating, check_shape

Node = tuple[str, tuple[int, ...], Settings]
Program = Sequence[Node]


def shapes_of(program: Program, shapes: Iterable[Sequence[int]]) -> list[Shape]:
    """The shape at every position, from those of the inputs.

    Raises:
        ValueError: an operation is unknown, takes another number of operands, or does not fit their shapes.
        IndexError: an operand does not stand before the node that takes it.
    """
    found = [tuple(shape) for shape in shapes]
    if not found:
        raise ValueError("inputs are none, expected at least one")
    for name, operands, settings in program:
        check_choice("operation", name, tuple(OPERATIONS))
        operation, at = OPERATIONS[name], len(found)
        if len(operands) != operation.operands:
            raise ValueError(f"{name} at position {at} has {len(operands)} operands, expected {operation.operands}")
        for k in operands:
            if not 0 <= k < at:
                raise IndexError(f"{name} at position {at} takes position {k}, expected 0..{at - 1}")
        found.append(operation.shape([found[k] for k in operands], settings))
    return found


def evaluate(program: Program, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The value at every position: the inputs and, one after the other, what each node gives."""
    values = list(inputs)
    for name, operands, settings in program:
        values.append(OPERATIONS[name].value([values[k] for k in operands], settings))
    return values


def check_program(program: Program, inputs: Sequence[Tensor]) -> list[Shape]:
    """The shape at every position; TypeError unless all inputs are floating tensors."""
    for k, x in enumerate(inputs):
        check_floating(f"inputs[{k}]", x)
    return shapes_of(program, [tuple(x.shape) for x in inputs])


def check_alike(name: str, tensors: Any, inputs: Sequence[Tensor]) -> None:
    """Raise ValueError unless there is one tensor of the same shape for every input."""
    if len(tensors) != len(inputs):
        raise ValueError(f"{name} are {len(tensors)}, expected one for each of the {len(inputs)} inputs")
    for k, (tensor, x) in enumerate(zip(tensors, inputs, strict=True)):
        check_shape(f"{name}[{k}]", tensor, x.shape)
