"""Single-shot detection: blocks that halve an image, predictions of several scales in one row, loss and errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.activations import relu
from lawbook.reference.checks import check_axes, check_floating, check_integer, check_shape, check_whole
from lawbook.reference.convolution import conv2d
from lawbook.reference.detection.anchors import multibox_prior
from lawbook.reference.losses import cross_entropy
from lawbook.reference.normalization import batch_norm
from lawbook.reference.pooling import adaptive_max_pool2d, max_pool2d

Layer = Mapping[str, Tensor]
Moving = Sequence[tuple[Tensor, Tensor]]

SIZES = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))
RATIOS = ((1.0, 2.0, 0.5),) * 5


def flatten_predictions(pred: Tensor) -> Tensor:
    """Lay the predictions of a feature map out in a row, pixel by pixel.

        y[n, (i·W + j)·C + c] = pred[n, c, i, j]

    All channels of a pixel stand together, so that with channels counted anchor by anchor the row is that of the anchors.

    Args:
        pred: (N, C, H, W), any kind of numbers.

    Returns:
        (N, H·W·C), dtype of ``pred``. It may share memory with ``pred``.

    Raises:
        ValueError: ``pred`` has not 4 axes.

    Source: note 004, SSD (``flatten_pred``).
    """
    check_axes("pred", pred, 4)
    return pred.permute(0, 2, 3, 1).flatten(1)


def concat_predictions(preds: Sequence[Tensor]) -> Tensor:
    """Put the predictions of several feature maps into one row, map by map.

        y[n] = [flatten_predictions(pred₁)[n], flatten_predictions(pred₂)[n], …]

    Args:
        preds: at least one tensor (N, C_k, H_k, W_k), N and the dtype the same for all.

    Returns:
        (N, Σ_k H_k·W_k·C_k).

    Raises:
        ValueError: no predictions, one that has not 4 axes, or batches of different sizes.
        TypeError: dtypes differ.

    Source: note 004, SSD (``concat_pred``).
    """
    preds = list(preds)
    if not preds:
        raise ValueError("preds is empty, expected at least one tensor")
    for k, pred in enumerate(preds):
        check_axes(f"preds[{k}]", pred, 4)
        if len(pred) != len(preds[0]):
            raise ValueError(f"preds[{k}] has {len(pred)} samples, expected {len(preds[0])} as preds[0]")
        if pred.dtype != preds[0].dtype:
            raise TypeError(f"preds[{k}] is {pred.dtype}, expected {preds[0].dtype} as preds[0]")
    return torch.cat([flatten_predictions(pred) for pred in preds], 1)


def class_predictor_channels(anchors: int, classes: int) -> int:
    """Count the channels that predict the classes of all anchors of a pixel.

        a·(q + 1)

    with the background as a class of its own, the first. Channel i·(q + 1) + j is the score of class j for anchor i.

    Args:
        anchors: a, anchors a pixel, at least 1.
        classes: q, classes without the background, at least 1.

    Returns:
        An int.

    Raises:
        ValueError: a number is below 1.
        TypeError: a number is not whole.

    Source: note 004, SSD (``cls_predictors``).
    """
    return check_whole("anchors", anchors, 1) * (check_whole("classes", classes, 1) + 1)


def box_predictor_channels(anchors: int) -> int:
    """Count the channels that predict the offsets of all anchors of a pixel.

        4·a

    Channel 4·i + k is the k-th of the four offsets of anchor i.

    Args:
        anchors: a, anchors a pixel, at least 1.

    Returns:
        An int.

    Raises:
        ValueError: ``anchors`` is below 1.
        TypeError: ``anchors`` is not whole.

    Source: note 004, SSD (``bbox_predictors``).
    """
    return 4 * check_whole("anchors", anchors, 1)


def downsample_block(x: Tensor, params: Sequence[Layer], training: bool = True, moving: Moving | None = None) -> Tensor:
    """Two convolutions with normalization, then pooling: half as high, half as wide.

        h₀ = x,   h_k = ReLU(BatchNorm(h_{k−1} ⋆ weight_k + bias_k))  for k = 1, 2,   y = maxpool_2×2(h₂)

    The kernels are 3×3 with padding 1, which keeps the size: an element of the result sees 6×6 elements of ``x``, rows
    2i − 2 to 2i + 3 and columns alike. Batch normalization is ``batch_norm`` with eps 1e-5: by the batch's own statistics
    in training, by the moving ones else.

    Args:
        x: (N, C, H, W), floating, H and W at least 2.
        params: two layers, each with ``weight`` (O, C_k, 3, 3), ``bias``, ``gamma`` and ``beta`` (O,).
        training: whether the batch's own statistics are used.
        moving: mean and variance (O,) of each layer; they are read outside training only, and stay as they are. None:
            the batch's own statistics serve in either mode.

    Returns:
        (N, O, ⌊H/2⌋, ⌊W/2⌋), dtype of ``x``.

    Raises:
        ValueError: shapes that do not fit, kernels that are not 3×3, or fewer than two values a channel in training.
        TypeError: ``x`` is not floating.

    Source: note 004, SSD (``down_sample_blk``, whose kernels of 2×2 contradict its text: with padding 1 they make the image
        larger); Liu et al. 2016, arXiv:1512.02325.
    """
    check_floating("x", x)
    check_axes("x", x, 4)
    if len(params) != 2 or (moving is not None and len(moving) != 2):
        raise ValueError(f"params has {len(params)} layers, expected 2, and moving as many or None")
    if min(x.shape[2:]) < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected at least two rows and two columns")
    for k, layer in enumerate(params):
        out = len(layer["weight"])
        check_shape(f"params[{k}]['weight']", layer["weight"], (out, x.shape[1], 3, 3))
        mean, var = (None, None) if moving is None else moving[k]
        x = conv2d(x, layer["weight"], layer["bias"], padding=1)
        x = relu(batch_norm(x, layer["gamma"], layer["beta"], mean, var, training=training)[0])
    return max_pool2d(x, 2)[0]


def ssd_base(
    x: Tensor,
    params: Sequence[Sequence[Layer]],
    training: bool = True,
    moving: Sequence[Moving] | None = None,
) -> Tensor:
    """Three blocks in a row: an eighth of the height and width.

        y = downsample_block(downsample_block(downsample_block(x, params₁), params₂), params₃)

    Args:
        x: (N, C, H, W), floating, H and W at least 8.
        params: three blocks as ``downsample_block`` takes them; note 004 has 16, 32 and 64 channels.
        training, moving: as for ``downsample_block``; ``moving`` is one entry a block, or None.

    Returns:
        (N, O, ⌊H/8⌋, ⌊W/8⌋), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``downsample_block``; or not three blocks.

    Source: note 004, SSD (``base_net``, which returns within its loop and has one block only).
    """
    if len(params) != 3 or (moving is not None and len(moving) != 3):
        raise ValueError(f"params has {len(params)} blocks, expected 3, and moving as many or None")
    for k, block in enumerate(params):
        x = downsample_block(x, block, training, None if moving is None else moving[k])
    return x


def tiny_ssd(
    x: Tensor,
    params: Mapping[str, Any],
    sizes: Sequence[Sequence[float]] = SIZES,
    ratios: Sequence[Sequence[float]] = RATIOS,
    training: bool = True,
    moving: Mapping[str, Any] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Predict classes and offsets for the anchors of five feature maps, each half the one before.

        f₁ = ssd_base(x),   f_k = downsample_block(f_{k−1})  for k = 2, 3, 4,   f₅ = the largest element of each plane of f₄
        anchors = [multibox_prior of f₁, …, of f₅]
        class_preds, box_preds = concat_predictions(f_k ⋆ weight_k + bias_k),  3×3 kernels with padding 1

    For 256×256 pixels the maps are 32², 16², 8², 4² and 1; with four anchors a pixel that is 5,444 anchors. All three
    results count map by map, row by row, and the anchors of a pixel in the order of ``multibox_prior``.

    Args:
        x: (N, C, H, W), floating, H and W at least 64.
        params: ``"base"``, as ``ssd_base`` takes it; ``"blocks"``, three as ``downsample_block`` takes them; ``"classes"``
            and ``"boxes"``, five layers each with ``weight`` (channels, C_k, 3, 3) and ``bias`` (channels,), with
            ``class_predictor_channels`` and ``box_predictor_channels`` channels.
        sizes, ratios: of the anchors of each map, five of either; all maps have the same number of anchors a pixel.
        training: as for ``downsample_block``.
        moving: ``"base"`` and ``"blocks"`` as ``ssd_base`` and ``downsample_block`` take it, or None.

    Returns:
        (anchors, class_preds, box_preds): (1, A, 4), float32 whatever ``x``; (N, A, q + 1), scores, the background first;
        (N, 4·A), in the dtype of ``x``. The number of classes q follows from the channels.

    Raises:
        ValueError: shapes or counts that do not fit.
        TypeError: ``x`` is not floating.

    Source: note 004, SSD (``TinySSD``); Liu et al. 2016, arXiv:1512.02325.
    """
    check_floating("x", x)
    check_axes("x", x, 4)
    counts = {name: len(params[name]) for name in ("blocks", "classes", "boxes")}
    if tuple(counts.values()) != (3, 5, 5) or len(sizes) != 5 or len(ratios) != 5:
        raise ValueError(
            f"got {counts}, {len(sizes)} sizes and {len(ratios)} ratios, expected 3 blocks and 5 of the others"
        )
    anchors_a_pixel = {len(s) + len(r) - 1 for s, r in zip(sizes, ratios, strict=True)}
    if len(anchors_a_pixel) > 1:
        raise ValueError(f"sizes and ratios make {sorted(anchors_a_pixel)} anchors a pixel, expected one number")
    count = anchors_a_pixel.pop()
    channels = len(params["classes"][0]["weight"])
    if channels % count or channels < 2 * count:
        raise ValueError(
            f"{channels} channels predict classes, expected a multiple of {count} anchors, at least twice that"
        )
    moved: Any = {"base": None, "blocks": (None,) * 3} if moving is None else moving
    maps = [ssd_base(x, params["base"], training, moved["base"])]
    for block, statistics in zip(params["blocks"], moved["blocks"], strict=True):
        maps.append(downsample_block(maps[-1], block, training, statistics))
    maps.append(adaptive_max_pool2d(maps[-1], 1))
    anchors = [multibox_prior(f.shape[2], f.shape[3], s, r) for f, s, r in zip(maps, sizes, ratios, strict=True)]
    scores = [_predicted(f, layer, channels) for f, layer in zip(maps, params["classes"], strict=True)]
    boxes = [
        _predicted(f, layer, box_predictor_channels(count)) for f, layer in zip(maps, params["boxes"], strict=True)
    ]
    joined = torch.cat(anchors, 1).to(x.new_empty(0, dtype=torch.float32))
    return joined, concat_predictions(scores).view(len(x), joined.shape[1], -1), concat_predictions(boxes)


def ssd_loss(class_preds: Tensor, labels: Tensor, box_preds: Tensor, box_labels: Tensor, masks: Tensor) -> Tensor:
    """Take the cross entropy of the classes and the absolute error of the offsets, one loss a sample.

        l_n = 1/A · Σ_a −log softmax(class_preds[n, a])[labels[n, a]]
            + 1/(4A) · Σ_k |(box_preds − box_labels)[n, k] · masks[n, k]|

    Background anchors count among the classes; among the offsets their mask is 0, so that what is predicted for them does
    not matter, but they count in the mean. The slope of |·| at 0 is 0.

    Args:
        class_preds: (N, A, q + 1), scores, floating, A at least 1.
        labels: (N, A), integers in 0..q.
        box_preds, box_labels: (N, 4·A), floating.
        masks: (N, 4·A), floating, 0 or 1: those of background anchors are 0.

    Returns:
        (N,), dtype of ``class_preds``.

    Raises:
        ValueError: shapes that do not fit, or no anchors.
        TypeError: predictions are not floating, or labels not whole.
        IndexError: a label is outside 0..q.

    Conventions: the paper divides both sums by the number of anchors that are matched, keeps three background anchors for
        each of them, and takes smooth L1.

    Source: note 004, SSD (``calc_loss``, which leaves out the line of the classes); Liu et al. 2016, arXiv:1512.02325.
    """
    _check_classes(class_preds, labels)
    _check_boxes(box_preds, box_labels, masks)
    check_shape("box_preds", box_preds, (len(labels), 4 * labels.shape[1]))
    if not labels.shape[1]:
        raise ValueError(f"class_preds has shape {tuple(class_preds.shape)}, expected at least one anchor")
    classes = cross_entropy(class_preds.movedim(-1, 1), labels, reduction="none", ignore_index=-1).mean(1)
    return classes + ((box_preds - box_labels) * masks).abs().mean(1)


def class_errors(class_preds: Tensor, labels: Tensor) -> Tensor:
    """Count the anchors whose largest score is not that of their class.

        #{(n, a): arg max_j class_preds[n, a, j] ≠ labels[n, a]}

    Divided by the number of anchors it is the class error. Background anchors count like all others.

    Args:
        class_preds: (N, A, q + 1), floating.
        labels: (N, A), integers in 0..q.

    Returns:
        A scalar, int64. Of equal largest scores the first counts.

    Raises:
        ValueError: shapes that do not fit.
        TypeError: ``class_preds`` is not floating, or ``labels`` not whole.
        IndexError: a label is outside 0..q.

    Conventions: note 004 counts the anchors that are right, and subtracts their share from 1.

    Source: note 004, SSD (``cls_eval``).
    """
    _check_classes(class_preds, labels)
    return (class_preds.argmax(-1) != labels).sum()


def box_errors(box_preds: Tensor, box_labels: Tensor, masks: Tensor) -> Tensor:
    """Add up the absolute errors of the offsets that count.

        Σ |(box_labels − box_preds) · masks|

    Divided by the number of all offsets, masked ones included, it is the note's mean absolute error.

    Args:
        box_preds, box_labels: (N, 4·A), floating.
        masks: (N, 4·A), floating, 0 or 1.

    Returns:
        A scalar, dtype of ``box_preds``.

    Raises:
        ValueError: shapes that differ.
        TypeError: an argument is not floating.

    Source: note 004, SSD (``bbox_eval``).
    """
    _check_boxes(box_preds, box_labels, masks)
    return ((box_labels - box_preds) * masks).abs().sum()


def _predicted(features: Tensor, layer: Layer, channels: int) -> Tensor:
    check_shape("the weight of a predictor", layer["weight"], (channels, features.shape[1], 3, 3))
    return conv2d(features, layer["weight"], layer["bias"], padding=1)


def _check_classes(class_preds: Tensor, labels: Tensor) -> None:
    check_floating("class_preds", class_preds)
    check_axes("class_preds", class_preds, 3)
    check_integer("labels", labels)
    check_shape("labels", labels, class_preds.shape[:2])
    beyond = labels[(labels < 0) | (labels >= class_preds.shape[2])]
    if beyond.numel():
        raise IndexError(f"labels holds {beyond[0].item()}, expected 0..{class_preds.shape[2] - 1}")


def _check_boxes(box_preds: Tensor, box_labels: Tensor, masks: Tensor) -> None:
    check_floating("box_preds", box_preds)
    check_axes("box_preds", box_preds, 2)
    for name, x in (("box_labels", box_labels), ("masks", masks)):
        check_floating(name, x)
        check_shape(name, x, box_preds.shape)
