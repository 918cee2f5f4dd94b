"""Programs changed in ways that a law can tell the outcome of."""

import torch

from lawbook.reference.autograd.graph import evaluate

STEP = 2.0**-400

# Operands and settings; the shapes broadcast in one direction, in the other, and in both.
WIDE, LONG, HIGH, ROW, OTHER = (2, 3), (3,), (2, 1), (1, 3), (3, 4)
ALONE = (
    ("add", (WIDE, LONG), ()),
    ("sub", (HIGH, WIDE), ()),
    ("mul", (HIGH, ROW), ()),
    ("div", (WIDE, LONG), ()),
    ("matmul", (WIDE, OTHER), ()),
    ("matmul", (WIDE, LONG), ()),
    ("matmul", (LONG, OTHER), ()),
    ("matmul", (LONG, LONG), ()),
    ("exp", (WIDE,), ()),
    ("tanh", (WIDE,), ()),
    ("sin", (WIDE,), ()),
    ("log", (WIDE,), ()),
    ("scale", (WIDE,), (-2.0,)),
    ("sum", (WIDE,), (0,)),
    ("mean", (WIDE,), ()),
    ("reshape", (WIDE,), (3, 2)),
    ("transpose", ((2, 3, 4),), (1, 2, 0)),
    ("broadcast_to", (ROW,), (5, 2, 3)),
    ("index", (WIDE,), (1, 2)),
    ("where", (WIDE, LONG, HIGH), ()),
    ("double_until", (WIDE,), (100.0,)),
)


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


def alone(case):
    """Cases of single operations, on inputs that belong to the case: a third of all operations for each."""
    for k, (name, shapes, settings) in enumerate(ALONE):
        if k % 3 == case.seed % 3:
            inputs = [case.noise(shape, 200 + 10 * k + i) for i, shape in enumerate(shapes)]
            if name in ("div", "log"):
                # Away from zero, on the side where there is a logarithm.
                inputs[-1] = inputs[-1].abs() + 0.5
            yield case.but(program=((name, tuple(range(len(shapes))), settings),), inputs=inputs)


def complex_step(case, tangents):
    """The derivative along a direction from values alone: the imaginary part a tiny imaginary step away.

    Nothing is subtracted, so nothing cancels, and the step is so small that its square vanishes: no derivative rule of
    the reference enters, and no error but rounding.
    """
    inputs = [torch.complex(x.double(), STEP * t.double()) for x, t in zip(case.inputs, tangents, strict=True)]
    return (evaluate(case.program, inputs)[-1].imag / STEP).to(case.dtype)
