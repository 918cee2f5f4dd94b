"""Programs changed in ways that a law can tell the outcome of."""

import torch

from lawbook.reference.autograd.graph import evaluate

STEP = 2.0**-100


def last_of(program, count):
    """The position of the value."""
    return count + len(program) - 1


def shifted(program, count, by, renamed=None):
    """The program with ``by`` positions put in after the first ``count``; ``renamed`` maps old positions to new ones."""
    renamed = renamed or {}

    def place(k):
        return renamed.get(k, k if k < count else k + by)

    return tuple((name, tuple(map(place, operands)), settings) for name, operands, settings in program)


def apart(program, shapes):
    """The program with an input of its own for every use of an input, and the shapes of these inputs."""
    count = len(shapes)
    uses = [k for _, operands, _ in program for k in operands if k < count]
    numbers = iter(range(len(uses)))
    nodes = tuple(
        (name, tuple(next(numbers) if k < count else k - count + len(uses) for k in operands), settings)
        for name, operands, settings in program
    )
    return nodes, tuple(shapes[k] for k in uses)


def dot(tensors, others):
    """The sum of all products of elements that stand at the same place."""
    return torch.stack([(a * b).sum() for a, b in zip(tensors, others, strict=True)]).sum()


def directions(case, salt=0):
    """A random direction for every input."""
    return [case.noise(x.shape, 100 + salt + k) for k, x in enumerate(case.inputs)]


def complex_step(case, tangents):
    """The derivative along a direction from values alone: the imaginary part a tiny imaginary step away.

    Nothing is subtracted, so nothing cancels, and the step is so small that its square vanishes: no derivative rule of
    the reference enters, and no error but rounding.
    """
    inputs = [torch.complex(x.double(), STEP * t.double()) for x, t in zip(case.inputs, tangents, strict=True)]
    return (evaluate(case.program, inputs)[-1].imag / STEP).to(case.dtype)
