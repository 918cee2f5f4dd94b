"""Boxes out of networks: proposals of a region proposal network, and the grid of YOLO."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_shape, check_whole
from lawbook.reference.detection.anchors import offset_inverse
from lawbook.reference.detection.boxes import widened
from lawbook.reference.detection.suppression import nms


def rpn_proposals(
    objectness: Tensor, offsets: Tensor, anchors: Tensor, nms_threshold: float, top_n: int
) -> tuple[Tensor, Tensor]:
    """The proposals of a region proposal network for one image.

        box = offset_inverse(anchor, offset), clipped to the image [0, 1] × [0, 1]; without area left it is dropped
        kept = the first top_n of nms(boxes, objectness, nms_threshold)

    Args:
        objectness: (A,), floating: any scores, such as logits.
        offsets: (A, 4), dtype of ``objectness``.
        anchors: (A, 4), corners in units of the image, dtype of ``objectness``.
        nms_threshold: in [0, 1].
        top_n: at most so many proposals, at least 1.

    Returns:
        (boxes, scores): (K, 4), corners, and (K,) their objectness, falling; K ≤ min(A, top_n). Of equal scores the first
        anchor's comes first. Half precision is computed in float32.

    Raises:
        ValueError: shapes that do not fit, or a number outside of its bounds.
        TypeError: an argument is not floating, or ``top_n`` is not whole.

    Conventions: torchvision keeps a number of the best before suppression too and drops boxes below a size.

    Source: note 004 "Faster R-CNN"; Ren et al. 2015, arXiv:1506.01497.
    """
    check_floating("objectness", objectness)
    check_axes("objectness", objectness, 1)
    check_floating("offsets", offsets)
    check_floating("anchors", anchors)
    check_shape("offsets", offsets, (len(objectness), 4))
    check_shape("anchors", anchors, (len(objectness), 4))
    top_n = check_whole("top_n", top_n, 1)
    boxes = offset_inverse(widened(anchors), widened(offsets)).clamp(0, 1)
    # Not ``> 0``: that would drop a nan.
    inside = (~(boxes[:, 2:] <= boxes[:, :2])).all(dim=1).nonzero()[:, 0]
    kept = inside[nms(boxes[inside], objectness[inside], nms_threshold)[:top_n]]
    return boxes[kept].to(objectness.dtype), objectness[kept]


def yolo_decode(predictions: Tensor) -> tuple[Tensor, Tensor]:
    """The boxes that YOLO's grid of predictions stands for.

        centre = ((column + x) / S, (row + y) / S),  size = (w, h)     for (x, y, w, h, confidence) of every cell's box

    x and y are places in the cell, w and h shares of the image, all in [0, 1]: the centre lies in the cell.

    Args:
        predictions: (…, S, S, B, 5), floating: rows, columns, boxes of a cell; S at least 1.

    Returns:
        (boxes, confidence): (…, S·S·B, 4), corners in units of the image, and (…, S·S·B), dtype of ``predictions``: row by
        row, cell by cell, box by box. Boxes may reach beyond the image.

    Raises:
        ValueError: the last axes are not S, S, B, 5.
        TypeError: ``predictions`` is not floating.

    Conventions: this is the first version, whose network gives these numbers itself; later ones take the logistic function of
        x and y, and exponentials of w and h times the sizes of prior boxes.

    Source: note 004 "YOLO"; Redmon et al. 2016, arXiv:1506.02640.
    """
    check_floating("predictions", predictions)
    shape = predictions.shape
    if len(shape) < 4 or shape[-1] != 5 or shape[-4] != shape[-3] or shape[-3] < 1:
        raise ValueError(f"predictions has shape {tuple(shape)}, expected (…, S, S, B, 5)")
    cells = torch.arange(shape[-3], dtype=predictions.dtype, device=predictions.device)
    corner = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), dim=-1)[:, :, None]
    place, size, confidence = predictions.split((2, 2, 1), dim=-1)
    centre = (corner + place) / shape[-3]
    boxes = torch.cat((centre - size / 2, centre + size / 2), dim=-1)
    # A copy: without it the confidences would be a window onto the predictions.
    return boxes.flatten(-4, -2), confidence.flatten(-4).clone()
