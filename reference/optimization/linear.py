"""Linear regression: data, model, loss, its gradient, and the solution that needs no descent."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_integer, check_range, check_shape, check_whole


def synthetic_linear_data(w: Tensor, b: float, n: int, noise_std: float = 0.01, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw features and noisy labels of a linear model.

        X ~ N(0, 1),   y = X w + b + ε,   ε ~ N(0, noise_std²)

    where all elements of X and ε are independent. The seed decides X and ε / noise_std; ``w``, ``b`` and ``noise_std``
    do not change them.

    Args:
        w: (d,) or (d, 1), floating.
        b: a number.
        n: how many samples, at least 0.
        noise_std: the noise's standard deviation, at least 0.
        seed: of a random generator of its own; the global one is left alone.

    Returns:
        X: (n, d), of the dtype of ``w``.
        y: (n, 1), whatever the shape of ``w``; part of the graph of ``w``.

    Raises:
        TypeError: ``w`` is not floating, or ``n`` no whole number.
        ValueError: ``w`` has another shape, ``n`` or ``noise_std`` is negative.

    Source: note 004, linear regression from scratch (labels with noise of 0.01) and weight decay (w of shape (d, 1)).
    """
    _check_weight(w)
    n = check_whole("n", n, 0)
    check_range("noise_std", noise_std, 0)
    column = w.reshape(-1, 1)
    generator = torch.Generator(w.device).manual_seed(seed)
    # Drawn in one width, so that every dtype sees the same numbers but for rounding.
    drawn = torch.randn(n, len(column) + 1, generator=generator, dtype=torch.float64, device=w.device).to(w.dtype)
    features, noise = drawn[:, :-1].contiguous(), drawn[:, -1:]
    return features, features @ column + b + noise_std * noise


def linear_regression(X: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Predict by an affine map.

        y_hat = X w + b

    Args:
        X: (n, d), floating.
        w: (d,) for one number a sample, or (d, k) for k.
        b: (k,), or one element, () or (1,), which is added to all.

    Returns:
        (n,) for w of (d,), (n, k) for w of (d, k).

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes do not fit; nothing but a ``b`` of one element is broadcast.

    Source: note 004, linreg.
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    check_floating("w", w)
    if w.ndim not in (1, 2) or len(w) != X.shape[1]:
        raise ValueError(f"w has shape {tuple(w.shape)}, expected ({X.shape[1]},) or ({X.shape[1]}, k)")
    check_floating("b", b)
    outputs = tuple(w.shape[1:]) or (1,)
    if tuple(b.shape) not in ((), (1,), outputs):
        raise ValueError(f"b has shape {tuple(b.shape)}, expected (), (1,) or {outputs}")
    return X @ w + b


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """Take half the squared error of every prediction.

        l = ½ (y_hat − y)²

    where the ½ cancels against the exponent in the gradient, y_hat − y.

    Args:
        y_hat: any shape, floating.
        y: as many numbers in a shape that differs by axes of size 1 only, as (n,) from (n, 1): it takes the shape of
            ``y_hat``. Broadcasting instead would give n × n differences.

    Returns:
        The shape of ``y_hat``: neither summed nor averaged.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ by more than axes of size 1.

    Conventions: half the squared error, as MXNet and optax.l2_loss; PyTorch's MSELoss and optax.squared_error have no ½,
    so their gradient is twice this one and asks for half the learning rate.

    Source: note 004, squared_loss.
    """
    check_floating("y_hat", y_hat)
    check_floating("y", y)
    sizes, others = ([size for size in x.shape if size != 1] for x in (y_hat, y))
    if sizes != others:
        raise ValueError(f"y has shape {tuple(y.shape)}, expected {tuple(y_hat.shape)} but for axes of size 1")
    return (y_hat - y.reshape(y_hat.shape)).square() / 2


def closed_form_solution(X: Tensor, y: Tensor) -> Tensor:
    """Solve linear regression without descent.

        w = X⁺ y,   the shortest w among those that make ‖X w − y‖² smallest

    where X⁺ is the pseudo-inverse. With independent columns it is (Xᵀ X)⁻¹ Xᵀ y; forming Xᵀ X squares the condition
    number, so the singular values of X itself are used, and those below max(n, d) · eps of the largest count as 0.

    Args:
        X: (n, d), float32 or float64. A column of ones stands for the bias.
        y: (n,) or (n, k).

    Returns:
        (d,) or (d, k).

    Raises:
        TypeError: an argument is not floating.
        ValueError: ``X`` has not two axes, or ``y`` another number of rows or more than two axes.

    Conventions: with dependent columns there are many minimizers; the shortest is that of torch.linalg.lstsq (drivers
    gelsy, gelsd and gelss), jnp.linalg.lstsq and numpy.linalg.lstsq. (Xᵀ X)⁻¹ does not exist then.

    Source: note 004, the explicit solution; Penrose 1956, Proc. Cambridge Philos. Soc. 52(1).
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    check_floating("y", y)
    if y.ndim not in (1, 2) or len(y) != len(X):
        raise ValueError(f"y has shape {tuple(y.shape)}, expected ({len(X)},) or ({len(X)}, k)")
    return torch.linalg.pinv(X, rtol=max(X.shape) * torch.finfo(X.dtype).eps) @ y


def minibatch_gradient(X: Tensor, y: Tensor, w: Tensor, b: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Take the gradient of the mean squared loss over a batch of samples.

        ∂L/∂w = 1/|B| Σ_{i ∈ B} e_i x_i,   ∂L/∂b = 1/|B| Σ_{i ∈ B} e_i,   e_i = x_iᵀ w + b − y_i

    where L = 1/|B| Σ ½ e_i² and B are the samples drawn.

    Args:
        X: (n, d), floating.
        y: (n,) or (n, 1).
        w: (d,) or (d, 1).
        b: () or (1,).
        batch: indices 0..n−1 of the samples, (size,), at least one. One that stands there twice counts twice.

    Returns:
        (∂L/∂w, ∂L/∂b) in the shapes of ``w`` and ``b``.

    Raises:
        TypeError: an argument is not floating, or ``batch`` holds no integers.
        ValueError: the shapes do not fit, or ``batch`` is empty.
        IndexError: an index outside of 0..n−1.

    Source: note 004, stochastic gradient descent on batches.
    """
    check_floating("X", X)
    check_axes("X", X, 2)
    _check_weight(w)
    check_shape("w", w.reshape(-1), (X.shape[1],))
    check_floating("b", b)
    if tuple(b.shape) not in ((), (1,)):
        raise ValueError(f"b has shape {tuple(b.shape)}, expected () or (1,)")
    check_floating("y", y)
    if tuple(y.shape) not in ((len(X),), (len(X), 1)):
        raise ValueError(f"y has shape {tuple(y.shape)}, expected ({len(X)},) or ({len(X)}, 1)")
    check_integer("batch", batch)
    check_axes("batch", batch, 1)
    if len(batch) == 0:
        raise ValueError("batch is empty, expected at least one index")
    if not 0 <= int(batch.min()) <= int(batch.max()) < len(X):
        raise IndexError(f"batch holds {batch.tolist()}, expected indices 0..{len(X) - 1}")
    # Bytes would be taken for a mask.
    batch = batch.long()
    x = X[batch]
    error = x @ w.reshape(-1) + b - y.reshape(-1)[batch]
    return (error @ x / len(batch)).reshape(w.shape), error.mean().reshape(b.shape)


def _check_weight(w: Tensor) -> None:
    check_floating("w", w)
    if w.ndim not in (1, 2) or (w.ndim == 2 and w.shape[1] != 1):
        raise ValueError(f"w has shape {tuple(w.shape)}, expected (d,) or (d, 1)")
