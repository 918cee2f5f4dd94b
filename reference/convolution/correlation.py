"""Cross-correlation of single images, its transpose, its matrix, and learning its kernel."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_positive, check_shape, check_whole
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.convolution.windows import Sizes, accumulate, counts, windows


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Two-dimensional cross-correlation.

        Y[i, j] = Σ_{a, b} X[i + a, j + b] · K[a, b]

    A convolution in the mathematical sense would flip the kernel: X[i − a, j − b].

    Args:
        X: (H, W), floating.
        K: (kh, kw), dtype of ``X``, no larger than ``X``, not empty.

    Returns:
        (H − kh + 1, W − kw + 1), dtype of ``X``.

    Raises:
        ValueError: an argument has not two axes, or the kernel is empty or larger than ``X``.
        TypeError: ``X`` is not floating, or ``K`` has another dtype.

    Source: note 004 "convolution layer".
    """
    check_pair(X, 2, K, 2)
    return torch.einsum("ijab,ab->ij", patches(X, K), K)


def corr2d_multi_in(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation of an image of several channels with one kernel.

        Y = Σ_c corr2d(X[c], K[c])

    Args:
        X: (C, H, W), floating.
        K: (C, kh, kw), dtype of ``X``.

    Returns:
        (H − kh + 1, W − kw + 1), dtype of ``X``.

    Raises:
        ValueError: an argument has not three axes, the channels differ, or the kernel is empty or larger than ``X``.
        TypeError: ``X`` is not floating, or ``K`` has another dtype.

    Source: note 004 "several input channels".
    """
    check_pair(X, 3, K, 3)
    check_channels(X, K, 0)
    return torch.einsum("cijab,cab->ij", patches(X, K), K)


def corr2d_multi_in_out(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation of an image of several channels with one kernel for each output channel.

        Y[o] = Σ_c corr2d(X[c], K[o, c])

    Args:
        X: (C, H, W), floating.
        K: (O, C, kh, kw), dtype of ``X``.

    Returns:
        (O, H − kh + 1, W − kw + 1), dtype of ``X``.

    Raises:
        ValueError: wrong numbers of axes, the channels differ, or the kernel is empty or larger than ``X``.
        TypeError: ``X`` is not floating, or ``K`` has another dtype.

    Source: note 004 "several output channels".
    """
    check_pair(X, 3, K, 4)
    check_channels(X, K, 1)
    return torch.einsum("cijab,ocab->oij", patches(X, K), K)


def corr2d_1x1(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation with 1×1 kernels: a matrix product over the channels, each pixel alone.

        Y[o, i, j] = Σ_c K[o, c, 0, 0] · X[c, i, j]

    Args:
        X: (C, H, W), floating.
        K: (O, C, 1, 1), dtype of ``X``.

    Returns:
        (O, H, W), dtype of ``X``.

    Raises:
        ValueError: wrong numbers of axes, the channels differ, or the kernel is not 1×1.
        TypeError: ``X`` is not floating, or ``K`` has another dtype.

    Source: note 004 "1×1 convolution"; Lin, Chen and Yan 2014, arXiv:1312.4400.
    """
    check_pair(X, 3, K, 4)
    check_channels(X, K, 1)
    check_shape("K", K, (*K.shape[:2], 1, 1))
    return torch.einsum("cij,oc->oij", X, K[:, :, 0, 0])


def transposed_corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Every element of the input stamps the kernel, scaled by it, onto the output.

        Y[u, v] = Σ X[i, j] · K[a, b]  over i + a = u and j + b = v

    It is the adjoint of ``corr2d`` with the same kernel, and the full convolution of ``X`` and ``K``.

    Args:
        X: (h, w), floating, not empty.
        K: (kh, kw), dtype of ``X``, not empty; it may be larger than ``X``.

    Returns:
        (h + kh − 1, w + kw − 1), dtype of ``X``.

    Raises:
        ValueError: an argument has not two axes or is empty.
        TypeError: ``X`` is not floating, or ``K`` has another dtype.

    Source: note 004 "transposed convolution" (where the output is written h − kh + 1, which is too small).
    """
    check_pair(X, 2, K, 2)
    if 0 in X.shape or 0 in K.shape:
        raise ValueError(f"X has shape {tuple(X.shape)} and K {tuple(K.shape)}, expected no empty axis")
    sizes = [n + k - 1 for n, k in zip(X.shape, K.shape, strict=True)]
    return accumulate(torch.einsum("ij,ab->ijab", X, K), sizes, (1, 1), (1, 1))


def kernel_to_matrix(K: Tensor, input_shape: tuple[int, int]) -> Tensor:
    """The matrix that carries out a cross-correlation on flattened images.

        W · vec(X) = vec(corr2d(X, K)),    Wᵀ · vec(Y) = vec(transposed_corr2d(Y, K))

    where vec lists an image row by row: W[(i, j), (i + a, j + b)] = K[a, b], and 0 elsewhere.

    Args:
        K: (kh, kw), floating, not empty.
        input_shape: (H, W) of the images, at least the kernel's.

    Returns:
        ((H − kh + 1)·(W − kw + 1), H·W), dtype of ``K``.

    Raises:
        ValueError: ``K`` has not two axes, is empty or larger than the images, or ``input_shape`` has not two numbers.
        TypeError: ``K`` is not floating.

    Source: note 004 "transposed convolution, relation to matrices" (for a 2×2 kernel on 3×3 images).
    """
    check_floating("K", K)
    check_axes("K", K, 2)
    if len(input_shape) != 2:
        raise ValueError(f"input_shape is {input_shape!r}, expected (H, W)")
    rows, columns = counts(input_shape, K.shape)
    pixels = torch.arange(input_shape[0] * input_shape[1], device=K.device).view(*input_shape)
    seen = windows(pixels, K.shape, (1, 1), (1, 1)).reshape(rows * columns, K.numel())
    return K.new_zeros(rows * columns, pixels.numel()).scatter(1, seen, K.reshape(1, -1).expand(seen.shape))


def learn_kernel(X: Tensor, Y: Tensor, kernel_size: Sizes, steps: int, lr: float) -> tuple[Tensor, Tensor]:
    """Learn a kernel from an image and its cross-correlation, by gradient descent.

        L(K) = Σ_{i, j} (corr2d(X, K) − Y)²,    K₀ = 0,    K_{t+1} = K_t − lr · ∂L/∂K(K_t)

    The gradient is 2·corr2d(X, corr2d(X, K) − Y). The loss falls at every step when lr is below 1 / λ, with λ the
    largest eigenvalue of AᵀA and A the matrix whose rows are the windows of ``X``.

    Args:
        X: (H, W), floating.
        Y: (H − kh + 1, W − kw + 1), dtype of ``X``.
        kernel_size: (kh, kw), or one number for both, at least 1.
        steps: number of updates, at least 0.
        lr: learning rate, above 0.

    Returns:
        The kernel after all steps, (kh, kw), and the losses, (steps,): ``losses[t]`` is L(K_t), before update t.

    Raises:
        ValueError: shapes that do not fit, ``steps`` below 0, ``lr`` not above 0.
        TypeError: ``X`` is not floating, or ``Y`` has another dtype.

    Conventions: the sum of squares, without a half or a mean, from zeros. Note 004 starts at random and writes
        ``// 2``, whose floor has no gradient; the losses that it prints are those of the plain square with lr 0.03
        (its lr of 0.06 diverges on that square; it belongs to half the square).

    Source: note 004 "learning a kernel".
    """
    check_pair(X, 2, Y, 2)
    kernel_size, steps = per_axis("kernel_size", kernel_size, 2, 1), check_whole("steps", steps, 0)
    check_positive("lr", lr)
    check_shape("Y", Y, counts(X.shape, kernel_size))
    kernel, losses = X.new_zeros(kernel_size), []
    for _ in range(steps):
        residual = corr2d(X, kernel) - Y
        losses.append(residual.square().sum())
        kernel = kernel - lr * 2 * corr2d(X, residual)
    return kernel, torch.stack(losses) if losses else X.new_zeros(0)


def patches(X: Tensor, K: Tensor) -> Tensor:
    """Every window of the last two axes of ``X`` that the last two of ``K`` see: (…, rows, columns, kh, kw)."""
    kernel = K.shape[-2:]
    counts(X.shape[-2:], kernel)
    return windows(X, kernel, (1, 1), (1, 1))


def check_pair(X: Tensor, axes: int, other: Tensor, other_axes: int) -> None:
    """Raise unless both are floating tensors of one dtype with these numbers of axes."""
    for name, tensor, count in (("X", X, axes), ("the second argument", other, other_axes)):
        check_floating(name, tensor)
        check_axes(name, tensor, count)
    if X.dtype != other.dtype:
        raise TypeError(f"the second argument is {other.dtype}, expected the dtype of X, {X.dtype}")


def check_channels(X: Tensor, K: Tensor, axis: int) -> None:
    """Raise ValueError unless ``K`` has the channels of ``X`` along ``axis``."""
    if X.shape[0] != K.shape[axis]:
        raise ValueError(f"K has {K.shape[axis]} input channels, expected the {X.shape[0]} of X")
