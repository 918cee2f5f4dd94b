"""The same elements in another shape: axes swapped, split, merged, added and removed, and tensors put together."""

import builtins
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axis, check_tensor, check_whole

__all__ = [
    "broadcast_shapes",
    "cat",
    "mT",
    "permute",
    "reshape",
    "squeeze",
    "stack",
    "transpose",
    "unsqueeze",
    "view",
]


def transpose(x: Tensor, d0: int, d1: int) -> Tensor:
    """Swap two axes.

        y[…, j, …, i, …] = x[…, i, …, j, …]

    Args:
        x: a tensor with at least one axis.
        d0, d1: the axes, which may be the same.

    Returns:
        A view: the sizes and strides of the two axes are swapped, the memory is that of ``x``.

    Raises:
        IndexError: an axis beyond the last.

    Conventions: ``transpose`` of NumPy and JAX takes an order of all axes, as ``permute`` here; theirs of this kind is
    ``swapaxes``.

    Source: note 001 §3.4, §7.1.
    """
    check_tensor("x", x)
    order = list(range(x.ndim))
    first, second = check_axis("d0", d0, x.ndim), check_axis("d1", d1, x.ndim)
    order[first], order[second] = second, first
    return permute(x, order)


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Put the axes in another order.

        axis k of the result is axis dims_k of x

    Args:
        x: a tensor of any shape.
        dims: every axis once.

    Returns:
        A view: sizes and strides are put in order, the memory is that of ``x``.

    Raises:
        IndexError: an axis beyond the last. ValueError: an axis is missing or named twice.

    Source: note 001 §3.4, §7.1.
    """
    check_tensor("x", x)
    order = [check_axis("dims", axis, x.ndim) for axis in dims]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"dims is {tuple(dims)}, expected every one of {x.ndim} axes once")
    return x.as_strided([x.shape[axis] for axis in order], [x.stride(axis) for axis in order])


def mT(x: Tensor) -> Tensor:
    """Transpose every matrix of a stack.

        y[…, j, i] = x[…, i, j]

    Args:
        x: (…, rows, columns).

    Returns:
        (…, columns, rows), a view.

    Raises:
        ValueError: ``x`` has fewer than two axes.

    Source: note 001 §3.4, §7.1.
    """
    check_tensor("x", x)
    if x.ndim < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected at least two axes")
    return transpose(x, -2, -1)


def reshape(x: Tensor, size: Sequence[int]) -> Tensor:
    """Read the elements, row by row, into another shape.

        the k-th element of the result is the k-th of x, both counted row by row

    Args:
        x: a tensor of any shape.
        size: the new sizes; one of them may be −1 and is then inferred from the number of elements.

    Returns:
        A view whenever the strides of ``x`` allow for one (as ``view``), else a copy.

    Raises:
        ValueError: another number of elements, two sizes of −1, a size below −1, or a −1 that any number would fit, because
        another size is 0.

    Source: note 001 §7.2.
    """
    check_tensor("x", x)
    size = _resolved(size, x.numel())
    stride = _strides_of_view(x, size)
    if stride is None:
        x = x.clone(memory_format=torch.contiguous_format)
        stride = _contiguous(size)
    return x.as_strided(size, stride)


def view(x: Tensor, size: Sequence[int]) -> Tensor:
    """See the same memory in another shape.

        the k-th element of the result is the k-th of x, both counted row by row

    A new axis can be told by one stride only when the axes of ``x`` that it is made of follow each other in memory: each of
    their strides is the next one's stride times its size. So a contiguous tensor takes any shape, and a transposed one only
    those that keep its two axes apart.

    Args:
        x: a tensor of any shape.
        size: the new sizes; one of them may be −1 and is then inferred from the number of elements.

    Returns:
        A view: writing to it writes to ``x``.

    Raises:
        ValueError: the strides of ``x`` would make a copy necessary, or ``reshape`` would refuse the sizes.

    Conventions: NumPy says ``reshape(…, copy=False)``; its ``view``, as JAX's, is about dtypes. Arrays of JAX share nothing.

    Source: note 001 §7.2.
    """
    check_tensor("x", x)
    resolved = _resolved(size, x.numel())
    stride = _strides_of_view(x, resolved)
    if stride is None:
        raise ValueError(
            f"size is {tuple(size)}, which x of shape {tuple(x.shape)} and strides {x.stride()} cannot show"
        )
    return x.as_strided(resolved, stride)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Add an axis of size 1.

        y[…, 0, …] = x[…, …]

    Args:
        x: a tensor of any shape.
        dim: where the new axis stands in the result; −1 makes it the last.

    Returns:
        A view with one axis more.

    Raises:
        IndexError: ``dim`` is no axis of the result.

    Source: note 001 §7.3.
    """
    check_tensor("x", x)
    dim = check_axis("dim", dim, x.ndim + 1)
    size, stride = list(x.shape), list(x.stride())
    size.insert(dim, 1)
    stride.insert(dim, 1)
    return x.as_strided(size, stride)


def squeeze(x: Tensor, dim: int | None = None) -> Tensor:
    """Remove axes of size 1.

        y[…, …] = x[…, 0, …]

    Args:
        x: a tensor of any shape.
        dim: the axis, which stays when its size is not 1; None removes every axis of size 1.

    Returns:
        A view.

    Raises:
        IndexError: an axis beyond the last.

    Conventions: PyTorch leaves an axis of another size as it is; NumPy and JAX refuse it.

    Source: note 001 §7.3.
    """
    check_tensor("x", x)
    asked = range(x.ndim) if dim is None else (check_axis("dim", dim, x.ndim),)
    kept = [axis for axis in range(x.ndim) if axis not in asked or x.shape[axis] != 1]
    return x.as_strided([x.shape[axis] for axis in kept], [x.stride(axis) for axis in kept])


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an axis they have.

        y[…, n_1 + … + n_{k−1} + i, …] = x_k[…, i, …]

    Args:
        tensors: at least one, of one dtype and of equal sizes but along ``dim``.
        dim: the axis.

    Returns:
        A copy: along ``dim`` the sizes add up.

    Raises:
        ValueError: no tensor, or sizes that differ along another axis. IndexError: an axis beyond the last.

    Source: note 001 §8.1.
    """
    _check_some(tensors)
    dim = check_axis("dim", dim, tensors[0].ndim)
    size = list(tensors[0].shape)
    for k, x in enumerate(tensors):
        if [*x.shape[:dim], *x.shape[dim + 1 :]] != [*size[:dim], *size[dim + 1 :]] or x.ndim != len(size):
            raise ValueError(f"tensors[{k}] has shape {tuple(x.shape)}, expected {tuple(size)} but along axis {dim}")
    size[dim] = builtins.sum(x.shape[dim] for x in tensors)
    joined, start = tensors[0].new_empty(size), 0
    for x in tensors:
        joined.narrow(dim, start, x.shape[dim]).copy_(x)
        start += x.shape[dim]
    return joined


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.

        y[…, k, …] = x_k[…, …]

    Args:
        tensors: at least one, of one dtype and one shape.
        dim: where the new axis stands in the result; −1 makes it the last.

    Returns:
        A copy with one axis more, of as many elements as there are tensors.

    Raises:
        ValueError: no tensor, or shapes that differ. IndexError: ``dim`` is no axis of the result.

    Source: note 001 §8.2.
    """
    _check_some(tensors)
    shape = tensors[0].shape
    dim = check_axis("dim", dim, len(shape) + 1)
    for k, x in enumerate(tensors):
        if x.shape != shape:
            raise ValueError(f"tensors[{k}] has shape {tuple(x.shape)}, expected {tuple(shape)}")
    joined = tensors[0].new_empty([*shape[:dim], len(tensors), *shape[dim:]])
    for k, x in enumerate(tensors):
        joined.select(dim, k).copy_(x)
    return joined


def broadcast_shapes(sizes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Tell the shape that tensors of several shapes have together.

        the last sizes stand below each other; of each column all that are not 1 are equal, and that is the result's

    Args:
        sizes: any number of shapes; a shorter one counts as if sizes of 1 stood before it.

    Returns:
        The common shape; () of none.

    Raises:
        ValueError: two sizes of a column are neither equal nor 1 (a size of 0 goes with 1 alone), or one is negative.

    Source: note 001 §6.3.
    """
    common: list[int] = []
    for shape in sizes:
        common = [1] * (len(shape) - len(common)) + common
        for k in range(-len(shape), 0):
            size = check_whole("sizes", shape[k], 0)
            if size != 1 and common[k] not in (1, size):
                raise ValueError(
                    f"sizes are {[tuple(s) for s in sizes]}, of which {size} and {common[k]} do not go together"
                )
            common[k] = common[k] if size == 1 else size
    return tuple(common)


def _resolved(size: Sequence[int], count: int) -> list[int]:
    """The sizes with −1 replaced by what is left of ``count``."""
    size = [check_whole("size", part, -1) for part in size]
    if size.count(-1) > 1:
        raise ValueError(f"size is {tuple(size)}, expected one −1 at most")
    known = math.prod(part for part in size if part != -1)
    if -1 in size and known and count % known == 0:
        size[size.index(-1)] = count // known
        return size
    if -1 in size or known != count:
        raise ValueError(f"size is {tuple(size)}, which {count} elements do not fit")
    return size


def _contiguous(size: Sequence[int]) -> list[int]:
    """The strides of a tensor that is written row by row."""
    return [math.prod(size[k + 1 :]) for k in range(len(size))]


def _strides_of_view(x: Tensor, size: Sequence[int]) -> list[int] | None:
    """The strides that show the memory of ``x`` in another shape; None where there are none."""
    if x.numel() == 0:
        return _contiguous(size)
    # Runs of axes that follow each other in memory: (elements, stride of the last axis).
    runs: list[tuple[int, int]] = []
    for n, step in zip(x.shape, x.stride(), strict=True):
        if n == 1:
            continue
        if runs and runs[-1][1] == n * step:
            runs[-1] = (runs[-1][0] * n, step)
        else:
            runs.append((n, step))
    # New axes are made from the last one on; each must lie within one run.
    stride, left, step = [0] * len(size), 1, 1
    for k in reversed(range(len(size))):
        if left == 1 and runs and size[k] != 1:
            left, step = runs.pop()
        if left % size[k]:
            return None
        stride[k] = step
        step *= size[k]
        left //= size[k]
    return stride


def _check_some(tensors: Sequence[Tensor]) -> None:
    if not len(tensors):
        raise ValueError("tensors is empty, expected at least one")
    for k, x in enumerate(tensors):
        check_tensor(f"tensors[{k}]", x)
