"""What style transfer minimizes: distances of content and of style, and roughness."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_same_shape, check_shape


def content_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """The mean square between two features, of which the second is a target.

        l = mean (y_hat − y)²

    where ``y`` is a constant: no gradient reaches it.

    Args:
        y_hat: features of the image that changes, any shape, floating, not empty.
        y: features of the content image, the same shape; nothing is broadcast.

    Returns:
        A scalar, dtype of ``y_hat``.

    Raises:
        TypeError: an argument is not floating.
        ValueError: the shapes differ, or there is no element.

    Conventions: Gatys, Ecker and Bethge take half the sum.

    Source: note 004, style transfer (content_loss); Gatys, Ecker and Bethge 2016.
    """
    check_floating("y_hat", y_hat)
    check_floating("y", y)
    check_same_shape("y_hat", y_hat, "y", y)
    if not y_hat.numel():
        raise ValueError(f"y_hat has shape {tuple(y_hat.shape)}, expected at least one element")
    return (y_hat - y.detach()).square().mean()


def gram(features: Tensor) -> Tensor:
    """How the channels of an image's features go together, wherever they do.

        G = X · Xᵀ / (C·H·W)

    where X is the features as a matrix (C, H·W): a row a channel, a column a position. G is symmetric and positive
    semi-definite, and does not change when positions are exchanged: it holds the style and not the place.

    Args:
        features: (1, C, H, W), floating, not empty.

    Returns:
        (C, C), dtype of ``features``.

    Raises:
        TypeError: ``features`` is not floating.
        ValueError: it is no batch of exactly one, or empty.

    Conventions: note 004 and PyTorch's tutorial divide by C·H·W; Gatys, Ecker and Bethge divide only in the loss. The
        note's reshaping to (C, N·H·W) would cut channels of several images together: one image is all it is right for.

    Source: note 004, style transfer (gram); Gatys, Ecker and Bethge 2016.
    """
    check_floating("features", features)
    check_axes("features", features, 4)
    if features.shape[0] != 1 or 0 in features.shape:
        raise ValueError(f"features has shape {tuple(features.shape)}, expected (1, C, H, W), not empty")
    found = products_of_rows(features[0].flatten(1))
    # The two halves of a matrix product may round apart; the result is symmetric to the last digit.
    return (found + found.T) / 2


def products_of_rows(x: Tensor) -> Tensor:
    """Every row times every row, divided by the number of elements."""
    return x @ x.T / x.numel()


def style_loss(y_hat: Tensor, gram_target: Tensor) -> Tensor:
    """The mean square between the style of features and a target.

        l = mean (gram(y_hat) − gram_target)²

    It is 0 exactly where the styles are equal, whatever the images show. No gradient reaches the target.

    Args:
        y_hat: (1, C, H, W), floating, not empty.
        gram_target: (C, C), the style image's ``gram``; the images may differ in size.

    Returns:
        A scalar, dtype of ``y_hat``.

    Raises:
        TypeError: an argument is not floating.
        ValueError: ``y_hat`` is no batch of exactly one, or the target is not (C, C).

    Source: note 004, style transfer (style_loss); Gatys, Ecker and Bethge 2016.
    """
    found = gram(y_hat)
    check_floating("gram_target", gram_target)
    check_shape("gram_target", gram_target, found.shape)
    return (found - gram_target.detach()).square().mean()


def tv_loss(image: Tensor) -> Tensor:
    """Total variation: how much neighbouring pixels differ.

        l = ½ · (mean |x[…, i + 1, j] − x[…, i, j]| + mean |x[…, i, j + 1] − x[…, i, j]|)

    Each mean is over the pairs there are; over none, in an image of one row or one column, it is 0. Equal neighbours have
    the slope 0.

    Args:
        image: (N, C, H, W), floating, not empty.

    Returns:
        A scalar, dtype of ``image``.

    Raises:
        TypeError: ``image`` is not floating.
        ValueError: it has not four axes, or is empty.

    Conventions: the formula of note 004 is a sum, its code the means above. The sum is the two means times the numbers of
        pairs, N·C·(H − 1)·W and N·C·H·(W − 1), without the ½; TensorFlow's image.total_variation is that sum for each image.

    Source: note 004, style transfer (tv_loss); Rudin, Osher and Fatemi 1992.
    """
    check_floating("image", image)
    check_axes("image", image, 4)
    if not image.numel():
        raise ValueError(f"image has shape {tuple(image.shape)}, expected at least one pixel")
    total = image.new_zeros(())
    for axis in (2, 3):
        if image.shape[axis] > 1:
            total = total + image.diff(dim=axis).abs().mean()
    return total / 2


def transfer_loss(
    contents: Sequence[Tensor], styles: Sequence[Tensor], tv: Tensor, weights: tuple[float, float, float]
) -> Tensor:
    """Weigh content, style and smoothness against each other.

        l = w_content · Σ contents + w_style · Σ styles + w_tv · tv

    Args:
        contents, styles: the losses of the layers, lists of scalars, perhaps empty.
        tv: a scalar, floating.
        weights: (w_content, w_style, w_tv), factors, at least 0; they need not be whole.

    Returns:
        A scalar, dtype of ``tv``.

    Raises:
        TypeError: a loss is not floating.
        ValueError: a loss is no scalar, there are not three weights, or one is negative.

    Conventions: note 004 writes ``10 * styles_l``, which repeats a list ten times: the sum is ten times as large as the
        weight says, and a weight of 0.5 would be an error. Here a weight is a factor, and the only one.

    Source: note 004, style transfer (compute_loss); Gatys, Ecker and Bethge 2016.
    """
    if len(weights) != 3 or not all(weight >= 0 for weight in weights):
        raise ValueError(f"weights is {weights}, expected three numbers of at least 0")
    for name, losses in (("contents", contents), ("styles", styles), ("tv", [tv])):
        for loss in losses:
            check_floating(name, loss)
            if loss.ndim:
                raise ValueError(f"{name} holds a loss of shape {tuple(loss.shape)}, expected scalars")
    total = weights[2] * tv
    for weight, losses in zip(weights, (contents, styles), strict=False):
        if losses:
            total = total + weight * torch.stack(list(losses)).sum()
    return total
