"""Layers without windows: linear, embedding, one-hot, flatten, and weights that are used twice."""

import torch
from torch import Tensor

from lawbook.reference.checks import (
    check_axes,
    check_axis,
    check_floating,
    check_integer,
    check_shape,
    check_tensor,
    check_whole,
)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Map every vector by one matrix and shift it.

        y = x · weightᵀ + bias

    Args:
        x: (…, in), floating; any leading axes, none included.
        weight: (out, in).
        bias: (out,); None stands for 0.

    Returns:
        (…, out), the dtype of ``x``.

    Raises:
        TypeError: an argument is not a floating tensor.
        ValueError: ``x`` has no axis, or the sizes do not fit.

    Conventions: the weight is (out, in) as in PyTorch; JAX and Keras keep (in, out).

    Source: note 001 §4, note 002 §6.2.1.
    """
    check_floating("x", x)
    check_floating("weight", weight)
    check_axes("weight", weight, 2)
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (…, {weight.shape[1]}) to fit the weight")
    y = x @ weight.T
    if bias is None:
        return y
    check_floating("bias", bias)
    check_shape("bias", bias, weight.shape[:1])
    return y + bias


def embedding(indices: Tensor, table: Tensor, padding_idx: int | None = None) -> Tensor:
    """Look rows of a table up.

        y[…, :] = table[indices[…], :]

    which is ``one_hot(indices) · table`` without the product.

    Args:
        indices: any shape, integers in 0..rows−1.
        table: (rows, dim), floating.
        padding_idx: a row that receives no gradient, counted from either end; it is looked up like any other.

    Returns:
        (*indices.shape, dim), the dtype of ``table``.

    Raises:
        TypeError: ``indices`` does not hold integers, or ``table`` is not floating.
        ValueError: ``table`` does not have two axes.
        IndexError: an index, or ``padding_idx``, is beyond the table. A negative index is beyond it.

    Source: note 001 (word embeddings), note 002 §6.2.1.
    """
    check_integer("indices", indices)
    check_floating("table", table)
    check_axes("table", table, 2)
    rows = table.shape[0]
    _check_positions("indices", indices, rows)
    if padding_idx is not None:
        padding_idx = check_axis("padding_idx", padding_idx, rows)
        blocked = (torch.arange(rows, device=table.device) == padding_idx).unsqueeze(1)
        table = torch.where(blocked, table.detach(), table)
    # Indexing by a single number would give a view of the table.
    return table.index_select(0, indices.long().reshape(-1)).reshape(*indices.shape, table.shape[1])


def one_hot(indices: Tensor, num_classes: int) -> Tensor:
    """Write every index as a row with a single 1.

        y[…, c] = 1 where c = indices[…], else 0

    Args:
        indices: any shape, integers in 0..num_classes−1.
        num_classes: at least 1.

    Returns:
        (*indices.shape, num_classes), int64.

    Raises:
        TypeError: ``indices`` does not hold integers.
        ValueError: ``num_classes`` is below 1.
        IndexError: an index is beyond the classes.

    Source: note 003 (28 characters), note 004 (language models).
    """
    check_integer("indices", indices)
    num_classes = check_whole("num_classes", num_classes, 1)
    _check_positions("indices", indices, num_classes)
    return (indices.unsqueeze(-1) == torch.arange(num_classes, device=indices.device)).long()


def flatten(x: Tensor, start_dim: int = 1) -> Tensor:
    """Join all axes from ``start_dim`` on into one, in the order of memory.

        y[…, Σ_k i_k · Π_{l>k} n_l] = x[…, i_1, …, i_m]

    Args:
        x: any shape and dtype.
        start_dim: the first axis that is joined, counted from either end; 1 keeps the batch.

    Returns:
        The axes before ``start_dim`` and one more, the dtype of ``x``. It may share memory with ``x``. A tensor without
        axes becomes a vector of one element.

    Raises:
        TypeError: ``x`` is not a tensor.
        IndexError: there is no such axis.

    Source: note 002 §6.2.1, note 004 (softmax regression, LeNet).
    """
    check_tensor("x", x)
    axis = check_axis("start_dim", start_dim, max(x.ndim, 1))
    joined = 1
    for size in x.shape[axis:]:
        joined *= size
    return x.reshape(*x.shape[:axis], joined)


def fixed_hidden_mlp(x: Tensor, params: dict[str, Tensor], constant: Tensor) -> Tensor:
    """Use one linear layer twice, with a constant matrix in between, and halve the result until it is small.

        h = linear(relu(linear(x) · constant + 1))
        y = Σ h / 2ᵏ

    where k is the least whole number with Σ|h| / 2ᵏ ≤ 1, at least 0.

    Args:
        x: (batch, n), floating, finite. An infinite h, which no halving makes small, is left open.
        params: ``weight`` (n, n) and ``bias`` (n,) of the linear layer.
        constant: (n, n); it is no parameter and receives no gradient.

    Returns:
        A scalar within [−1, 1], the dtype of ``x``. Halvings count as constants in its gradient.

    Raises:
        TypeError: an argument is not a floating tensor.
        ValueError: names of ``params`` or shapes do not fit.

    Source: note 004 (FixedHiddenMLP).
    """
    _check_names(params, ("weight", "bias"))
    check_floating("x", x)
    check_axes("x", x, 2)
    check_floating("constant", constant)
    n = x.shape[1]
    check_shape("params['weight']", params["weight"], (n, n))
    check_shape("constant", constant, (n, n))
    hidden = torch.relu(linear(x, params["weight"], params["bias"]) @ constant.detach() + 1)
    result = linear(hidden, params["weight"], params["bias"])
    # What is infinite itself would be halved for ever; a sum may overflow at first.
    while result.isfinite().all() and result.detach().abs().sum() > 1:
        result = result / 2
    return result.sum()


def shared_linear(x: Tensor, weight: Tensor, times: int) -> Tensor:
    """Use the same weight in several layers, each followed by a rectifier.

        h_0 = x,    h_t = relu(h_{t−1} · weightᵀ),    y = h_times

    The weight's gradient is the sum of what every use would receive alone. The rectifier's slope at 0 is 0, as in ``relu``.

    Args:
        x: (…, n), floating.
        weight: (n, n).
        times: how often, at least 0; 0 gives the input.

    Returns:
        Shape and dtype of ``x``. Without a layer it may be ``x`` itself.

    Raises:
        TypeError: ``x`` or ``weight`` is not floating, or ``times`` is not whole.
        ValueError: the sizes do not fit, or ``times`` is below 0.

    Source: note 004 (tied parameters).
    """
    check_floating("x", x)
    check_floating("weight", weight)
    if x.ndim == 0:
        raise ValueError("x has no axis, expected (…, n)")
    check_shape("weight", weight, (x.shape[-1], x.shape[-1]))
    for _ in range(check_whole("times", times, 0)):
        x = torch.relu(linear(x, weight))
    return x


def lazy_linear(batches: list[Tensor], out_features: int, *, seed: int) -> dict[str, object]:
    """Take the input size of a linear layer from the first batch it meets, and keep it.

        weight, bias ~ U(−1/√in, 1/√in)    where in is the size of the first batch's last axis
        y_k = x_k · weightᵀ + bias

    Args:
        batches: tensors (…, in) of one floating dtype, at least one, all with the same last size.
        out_features: at least 1.
        seed: decides the weight and the bias.

    Returns:
        ``in_features``, the size that was found, ``weight`` (out, in), ``bias`` (out,) and ``outputs``, a list with (…, out)
        for every batch; all tensors of the dtype of the first batch.

    Raises:
        TypeError: a batch is not floating, or ``seed`` is not a whole number.
        ValueError: there is no batch, a batch has another last size than the first, or a size is below 1.

    Conventions: the default of PyTorch's linear layer; the stream of random numbers is each library's own.

    Source: note 004 (deferred initialization).
    """
    if not batches:
        raise ValueError("batches is empty, expected at least one: the first one decides the input size")
    for k, x in enumerate(batches):
        check_floating(f"batches[{k}]", x)
        if x.ndim == 0 or x.shape[-1] != batches[0].shape[-1]:
            first = tuple(batches[0].shape)
            raise ValueError(f"batches[{k}] has shape {tuple(x.shape)}, expected the last size of the first, {first}")
    rows = check_whole("out_features", out_features, 1)
    columns = check_whole("the last size of the first batch", batches[0].shape[-1], 1)
    generator = torch.Generator().manual_seed(check_whole("seed", seed))
    drawn = torch.rand(rows, columns + 1, generator=generator, dtype=torch.float64)
    drawn = ((2 * drawn - 1) / columns**0.5).to(batches[0])
    weight, bias = drawn[:, :-1].clone(), drawn[:, -1].clone()
    outputs = [linear(x, weight, bias) for x in batches]
    return {"in_features": columns, "weight": weight, "bias": bias, "outputs": outputs}


def _check_positions(name: str, indices: Tensor, count: int) -> None:
    outside = (indices < 0) | (indices >= count)
    if bool(outside.any()):
        raise IndexError(f"{name} holds {int(indices[outside][0])}, expected 0..{count - 1}")


def _check_names(params: dict[str, Tensor], names: tuple[str, ...]) -> None:
    if set(params) != set(names):
        raise ValueError(f"params holds {sorted(params)}, expected {sorted(names)}")
