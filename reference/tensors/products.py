"""Products of matrices."""

from torch import Tensor

from lawbook.reference.checks import check_axes, check_tensor
from lawbook.reference.tensors.arithmetic import check_shapes_broadcast


def mm(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices.

        z[i, j] = Σ_k a[i, k] · b[k, j]

    where nothing is broadcast, and a sum over no k is 0.

    Args:
        a: (n, k), floating or integers.
        b: (k, m), the dtype of ``a``.

    Returns:
        (n, m), the dtype of ``a``.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: an argument has not exactly two axes, or the inner sizes differ.

    Conventions: PyTorch refuses two dtypes, NumPy and JAX take the wider one; the contract leaves it open. NumPy and JAX have
    no product for matrices alone.

    Source: note 001 §4.3, note 003.
    """
    check_axes("a", a, 2)
    check_axes("b", b, 2)
    _check_inner(a, b, a.shape[-1], b.shape[-2])
    return _multiply(a, b)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Multiply vectors, matrices and stacks of matrices.

        z[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]

    where the leading axes, those that count the matrices of a stack, broadcast against each other, the last two never do. A
    vector on the left is a row, on the right a column, and its own axis is missing from the result.

    Args:
        a: (…, n, k) or (k,), floating or integers.
        b: (…, k, m) or (k,), the dtype of ``a``.

    Returns:
        (…, n, m); without n for a vector ``a``, without m for a vector ``b``; the dtype of ``a``.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: an argument has no axes, the inner sizes differ, or the leading axes do not broadcast.

    Conventions: np.dot agrees up to two axes, but pairs every matrix of one stack with every matrix of the other. PyTorch
    refuses two dtypes, NumPy and JAX take the wider one; the contract leaves it open.

    Source: note 001 §4.3, note 003.
    """
    for name, x in (("a", a), ("b", b)):
        check_tensor(name, x)
        if x.ndim == 0:
            raise ValueError(f"{name} has no axes, expected at least one")
    row, column = a.ndim == 1, b.ndim == 1
    left = a[None] if row else a
    right = b[:, None] if column else b
    _check_inner(a, b, left.shape[-1], right.shape[-2])
    check_shapes_broadcast("the stack in a", left.shape[:-2], "that in b", right.shape[:-2])
    product = _multiply(left, right)
    if row:
        product = product.squeeze(-2)
    return product.squeeze(-1) if column else product


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    terms = a[..., :, :, None] * b[..., None, :, :]
    # The dtype is named since PyTorch would add up every kind of integers in int64.
    return terms.sum(-2, dtype=terms.dtype)


def _check_inner(a: Tensor, b: Tensor, last: int, first: int) -> None:
    if last != first:
        raise ValueError(
            f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}: expected equal inner sizes, got {last} and {first}"
        )
