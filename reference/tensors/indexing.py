"""Elements picked out of a tensor: by ranges, which share its memory, and by lists or masks, which copy."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor, check_whole

__all__ = ["index_pairs", "mask_select", "slice_step"]


def slice_step(
    x: Tensor, starts: Sequence[int | None], stops: Sequence[int | None], steps: Sequence[int | None]
) -> Tensor:
    """Pick every step-th element between two places, along each of the first axes.

        y = x[start_1:stop_1:step_1, start_2:stop_2:step_2, …]

    Args:
        x: a tensor; axes beyond those named are taken whole.
        starts: the first place along each axis. Below 0 it counts from the end; None stands for 0.
        stops: the place before which it ends, counted alike; None stands for the size.
        steps: at least 1; None stands for 1. Places beyond either end are moved to that end.

    Returns:
        A view: it shares the memory of ``x``, so that writing to one writes to the other.

    Raises:
        ValueError: a step is below 1, or the three lists differ in length. IndexError: there are more of them than axes.

    Conventions: PyTorch refuses steps below 0, NumPy and JAX take the elements backwards; all refuse 0.

    Source: note 001 §6.2.
    """
    check_tensor("x", x)
    if not len(starts) == len(stops) == len(steps):
        raise ValueError(
            f"starts, stops and steps have lengths {len(starts)}, {len(stops)}, {len(steps)}, expected one"
        )
    if len(steps) > x.ndim:
        raise IndexError(f"{len(steps)} ranges for the {x.ndim} axes of x")
    size, stride, offset = list(x.shape), list(x.stride()), x.storage_offset()
    for axis, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        every = 1 if step is None else check_whole("steps", step, 1)
        first = _place("starts", start, x.shape[axis], 0)
        last = _place("stops", stop, x.shape[axis], x.shape[axis])
        size[axis] = max(0, -((first - last) // every))
        offset += first * stride[axis]
        stride[axis] *= every
    return x.as_strided(size, stride, offset)


def index_pairs(x: Tensor, index_lists: Sequence[Any]) -> Tensor:
    """Pick elements by lists of places, one list for each of the first axes.

        y_b = x[i_b, j_b, …]

    where b runs over the shape that the lists have together: the first places of all lists name the first element, the second
    ones the second. Nested lists have several axes, and their shapes broadcast: ``[[0], [1]]`` beside ``[1, 2]`` pairs every
    row with every column.

    Args:
        x: a tensor; axes beyond those named are taken whole.
        index_lists: at least one list of places, which may be nested as long as it has a shape. Below 0 they count from the end.

    Returns:
        The lists' shape followed by the sizes of the axes that are not named; a copy.

    Raises:
        ValueError: lists whose shapes do not broadcast, a list without a shape, or no list. TypeError: places that are no whole
        numbers. IndexError: a place beyond an axis, or more lists than axes.

    Source: note 001 §6.3.
    """
    check_tensor("x", x)
    if not 1 <= len(index_lists) <= x.ndim:
        error = IndexError if index_lists else ValueError
        raise error(f"{len(index_lists)} lists for the {x.ndim} axes of x, expected at least one and no more than axes")
    places = [_places(axis, given, x.shape[axis], x.device) for axis, given in enumerate(index_lists)]
    try:
        places = list(torch.broadcast_tensors(*places))
    except RuntimeError:
        shapes = ", ".join(str(tuple(part.shape)) for part in places)
        raise ValueError(f"index_lists have shapes {shapes}, expected shapes that broadcast") from None
    # The place in a tensor whose first axes are written as one.
    row = torch.zeros_like(places[0])
    for axis, place in enumerate(places):
        row = row * x.shape[axis] + place
    named, rest = x.shape[: len(places)], x.shape[len(places) :]
    chosen = x.reshape(named.numel(), *rest).index_select(0, row.reshape(-1))
    return chosen.reshape(*row.shape, *rest)


def mask_select(x: Tensor, mask: Tensor) -> Tensor:
    """Pick what a mask marks.

        y = the x_i with mask_i, in order

    where i runs over the axes of the mask, which are the first axes of ``x``.

    Args:
        x: (*mask.shape, …).
        mask: bool; one axis marks rows, all axes mark single elements.

    Returns:
        (number of marks, …): the other axes of ``x`` are whole; a copy.

    Raises:
        TypeError: the mask is not bool. IndexError: its shape is not that of the first axes of ``x``; nothing is broadcast.

    Source: note 001 §6.4.
    """
    check_tensor("x", x)
    check_tensor("mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, got {mask.dtype}")
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"mask has shape {tuple(mask.shape)}, expected the first sizes of {tuple(x.shape)}")
    marked = mask.reshape(-1).nonzero().reshape(-1)
    return x.reshape(mask.numel(), *x.shape[mask.ndim :]).index_select(0, marked)


def _place(name: str, place: int | None, size: int, default: int) -> int:
    """A place between 0 and the size, counted from the end where it is negative."""
    if place is None:
        return default
    place = check_whole(name, place)
    return min(max(place + size if place < 0 else place, 0), size)


def _places(axis: int, given: Any, size: int, device: torch.device) -> Tensor:
    """A nested list as whole numbers from 0 to the size."""
    places = torch.tensor(given, device=device)
    if places.numel() == 0:
        places = places.long()
    if places.is_floating_point() or places.dtype == torch.bool:
        raise TypeError(f"index_lists[{axis}] holds {places.dtype}, expected whole numbers")
    if bool(((places < -size) | (places >= size)).any()):
        raise IndexError(f"index_lists[{axis}] is {given}, expected places from {-size} to {size - 1}")
    return torch.where(places < 0, places + size, places)
