"""What is kept of a sweep, and what is kept out of it: stores that add up, leaves, detached values, unrecorded code."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from lawbook.reference.autograd.graph import Program, check_program, evaluate
from lawbook.reference.autograd.operations import OPERATIONS
from lawbook.reference.autograd.sweeps import Backward
from lawbook.reference.checks import check_tensor, check_whole

Result = TypeVar("Result")


def accumulate(
    programs: Sequence[Program], inputs: Sequence[Tensor], clear_before: Collection[int] = ()
) -> tuple[tuple[Tensor, ...], ...]:
    """Sweep backwards through several programs of the same inputs, whose gradients add up until they are cleared.

        store_i ← 0  if s is in clear_before;        store_i ← store_i + ∂(Σ f_s) / ∂x_i        for s = 0, 1, …

    where Σ f_s is the sum of all elements of program s's value: the sweep starts with ones.

    Args:
        programs: one for every sweep, in order; see the chapter's introduction. The same one may stand there twice.
        inputs: floating tensors of any shapes, at least one.
        clear_before: the sweeps, counted from 0, before which the store is cleared.

    Returns:
        The store after every sweep: for each sweep one gradient of every input's shape, zeros where nothing has arrived.

    Raises:
        ValueError: an operation is unknown or does not fit its operands.
        IndexError: an operand does not stand before the node that takes it; a sweep to clear before does not exist.
        TypeError: an input is not floating.

    Conventions: PyTorch adds up in ``.grad`` until ``zero_grad`` (which leaves None, or zeros with
    ``set_to_none=False``); JAX returns gradients and keeps none.

    Source: note 001 §9, note 004 (automatic differentiation: x.grad.zero_()).
    """
    for program in programs:
        check_program(program, inputs)
    for s in clear_before:
        if not 0 <= check_whole("clear_before", s) < len(programs):
            raise IndexError(f"clear_before names sweep {s}, expected 0..{len(programs) - 1}")
    store = [torch.zeros_like(x) for x in inputs]
    after = []
    for s, program in enumerate(programs):
        if s in clear_before:
            store = [torch.zeros_like(x) for x in inputs]
        values = evaluate(program, inputs)
        sweep = Backward(program, values, torch.ones_like(values[-1]))
        store = [kept + sweep.gradient(k, x) for k, (kept, x) in enumerate(zip(store, inputs, strict=True))]
        after.append(tuple(kept.clone() for kept in store))
    return tuple(after)


def leaf_and_retained(
    program: Program, inputs: Sequence[Tensor], needs: Collection[int], retained: Collection[int] = ()
) -> dict[str, Any]:
    """Which positions are leaves, which need a gradient, and which keep theirs after one sweep backwards.

        needs(node) = some operand needs one        leaf = input, or needs none
        keeps = reached by the sweep, and (leaf that needs one, or inner node that was asked to retain it)

    The sweep starts at the value with ones and goes through positions that need a gradient alone.

    Args:
        program: nodes ``(operation, operands, settings)``; see the chapter's introduction.
        inputs: floating tensors of any shapes, at least one.
        needs: positions of the inputs whose gradient is wanted.
        retained: positions of nodes that are asked to keep theirs.

    Returns:
        ``{"leaf": flags, "needs": flags, "grads": {position: gradient}}`` with a flag for every position and the
        gradients that are kept.

    Raises:
        ValueError: the value needs no gradient, or a position asked to retain one does not; an operation is unknown or
            does not fit its operands.
        IndexError: an operand does not stand before the node that takes it; a position of ``needs`` is no input's, one of
            ``retained`` no node's.
        TypeError: an input is not floating.

    Conventions: PyTorch's: what needs no gradient counts as a leaf, even where it was computed. The condition of
    ``where`` is no operand that a gradient goes through. Where inner nodes' gradients are printed without having been
    asked for, PyTorch shows None and warns.

    Source: note 001 §9 (is_leaf, retain_grad).
    """
    check_program(program, inputs)
    count, last = len(inputs), len(inputs) + len(program) - 1
    for name, positions, low, high in (("needs", needs, 0, count - 1), ("retained", retained, count, last)):
        for at in positions:
            if not low <= check_whole(name, at) <= high:
                raise IndexError(f"{name} holds {at}, expected {low}..{high}")
    wanted = [k in needs for k in range(count)]
    for name, operands, _ in program:
        blind = OPERATIONS[name].blind
        wanted.append(any(wanted[k] for i, k in enumerate(operands) if i not in blind))
    for at in retained:
        if not wanted[at]:
            raise ValueError(f"retained holds {at}, which needs no gradient")
    if not wanted[-1]:
        raise ValueError(f"needs is {tuple(needs)}: the value needs no gradient")
    values = evaluate(program, inputs)
    # What needs no gradient is a constant of the program, which the sweep does not enter.
    sweep = Backward(program, values, torch.ones_like(values[-1]), wanted)
    keeps = [at for at in range(last + 1) if (wanted[at] if at < count else at in retained)]
    return {
        "leaf": tuple(at < count or not wanted[at] for at in range(last + 1)),
        "needs": tuple(wanted),
        "grads": {at: found.clone() for at in keeps if (found := sweep.cotangents[at]) is not None},
    }


def detach(x: Tensor) -> Tensor:
    """A tensor over the same memory that no gradient flows through.

        value = x        ∂ value / ∂ x = 0

    Args:
        x: any tensor.

    Returns:
        The values, shape and dtype of ``x``, in its own memory: what is written into one shows in the other.

    Raises:
        TypeError: ``x`` is not a tensor.

    Conventions: a clone is no way out of the graph: it has memory of its own, and gradients flow through it. JAX's
    ``stop_gradient`` is the same but for the memory, which its arrays do not share visibly.

    Source: note 001 §10, note 004 (u = y.detach()).
    """
    check_tensor("x", x)
    # Only the memory is handed on, which knows nothing of how its numbers came about.
    return torch.empty(0, dtype=x.dtype, device=x.device).set_(
        x.untyped_storage(), x.storage_offset(), x.shape, x.stride()
    )


def no_grad(f: Callable[[Tensor], Result], x: Tensor) -> Result:
    """What a function gives when nothing of it is recorded.

        value = f(x)        ∂ value / ∂ x = 0

    Whether operations are recorded is as before when the call returns, and also when the function raises.

    Args:
        f: a function of one tensor that returns a new one.
        x: a tensor.

    Returns:
        ``f(x)``, which needs no gradient.

    Raises:
        TypeError: ``f`` cannot be called.
        Whatever ``f`` raises.

    Conventions: a function that returns ``x`` itself returns it as it was, recorded or not, as in PyTorch.

    Source: note 001 §10 (torch.no_grad).
    """
    if not callable(f):
        raise TypeError(f"f is {type(f).__name__}, expected a function")
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        return f(x)
    finally:
        torch.set_grad_enabled(before)
