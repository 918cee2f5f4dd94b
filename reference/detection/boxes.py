"""Boxes: three ways to write them, and how far two of them overlap."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_tensor


def box_corner_to_center(boxes: Tensor) -> Tensor:
    """Boxes by two corners as boxes by centre and size.

        (x1, y1, x2, y2) → ((x1 + x2) / 2, (y1 + y2) / 2, x2 − x1, y2 − y1)

    Args:
        boxes: (…, 4), floating or whole numbers: a single box, n of them, or none.

    Returns:
        Shape of ``boxes``, a tensor of its own; dtype of ``boxes``, float32 for whole numbers.

    Raises:
        ValueError: the last axis has not 4 elements.
        TypeError: ``boxes`` is neither floating nor whole.

    Conventions: y grows downwards, (x1, y1) is the upper left corner. Note 004 says that a tensor of length 4 will do and
        indexes two axes; here any number of axes will do.

    Source: note 004 "bounding boxes" (``box_corner_to_center``).
    """
    low, high = _floating(boxes).split(2, dim=-1)
    return torch.cat(((low + high) / 2, high - low), dim=-1)


def box_center_to_corner(boxes: Tensor) -> Tensor:
    """Boxes by centre and size as boxes by two corners.

        (cx, cy, w, h) → (cx − w/2, cy − h/2, cx + w/2, cy + h/2)

    Args:
        boxes: (…, 4), floating or whole numbers: a single box, n of them, or none.

    Returns:
        Shape of ``boxes``, a tensor of its own; dtype of ``boxes``, float32 for whole numbers.

    Raises:
        ValueError: the last axis has not 4 elements.
        TypeError: ``boxes`` is neither floating nor whole.

    Source: note 004 "bounding boxes" (``box_center_to_corner``).
    """
    centre, size = _floating(boxes).split(2, dim=-1)
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def box_corner_to_xywh(boxes: Tensor) -> Tensor:
    """Boxes by two corners as boxes by the upper left corner and size.

        (x1, y1, x2, y2) → (x1, y1, x2 − x1, y2 − y1)

    Args:
        boxes: (…, 4), floating or whole numbers: a single box, n of them, or none.

    Returns:
        Shape and dtype of ``boxes``, a tensor of its own.

    Raises:
        ValueError: the last axis has not 4 elements.
        TypeError: ``boxes`` is neither floating nor whole.

    Conventions: what matplotlib's rectangles and COCO's annotations hold.

    Source: note 004 "bounding boxes" (``bbox_to_rect``).
    """
    check_boxes("boxes", boxes)
    low, high = boxes.split(2, dim=-1)
    return torch.cat((low, high - low), dim=-1)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of every box of one set with every box of another.

        iou[i, j] = |A_i ∩ B_j| / |A_i ∪ B_j|,  |A ∪ B| = |A| + |B| − |A ∩ B|,  0 where the union is empty

    The area of a box is (x2 − x1)·(y2 − y1): coordinates are places, not pixels that count along.

    Args:
        boxes1: (N, 4), corners with x1 ≤ x2 and y1 ≤ y2 (not checked), floating or whole numbers.
        boxes2: (M, 4), as ``boxes1``.

    Returns:
        (N, M), in [0, 1]: the floating dtype that both promote to, float32 for whole numbers. Boxes that touch and boxes
        without area give 0, with themselves too; a box with a nan has nan with all. Half precision is computed in float32
        and whole numbers in float64: areas overflow there first. Where edges coincide, the gradient may take either side or
        half of each.

    Raises:
        ValueError: a set is not (N, 4).
        TypeError: a set is neither floating nor whole.

    Conventions: older code adds 1 to widths and heights, for coordinates that name pixels (Pascal VOC, Detectron).

    Source: note 004 IoU (``box_iou``).
    """
    check_axes("boxes1", boxes1, 2)
    check_axes("boxes2", boxes2, 2)
    check_boxes("boxes1", boxes1)
    check_boxes("boxes2", boxes2)
    dtype = torch.promote_types(boxes1.dtype, boxes2.dtype)
    return overlaps(boxes1, boxes2).to(dtype if dtype.is_floating_point else torch.float32)


def overlaps(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """What ``box_iou`` says, in the dtype it is computed in: decisions are taken on this."""
    boxes1, boxes2 = widened(boxes1), widened(boxes2)
    low = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    high = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    sides = (high - low).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    union = _area(boxes1)[:, None] + _area(boxes2) - intersection
    # Twice, so that no gradient is nan. Not ``union > 0``: that would hide a nan.
    empty = union == 0
    return torch.where(empty, 0.0, intersection / torch.where(empty, 1.0, union))


def widened(x: Tensor) -> Tensor:
    """Half precision as float32, whole numbers as float64: products of two sides fit."""
    if not x.is_floating_point():
        return x.to(torch.float64)
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x


def check_boxes(name: str, boxes: Tensor) -> None:
    """Raise unless ``boxes`` is (…, 4) and floating or whole."""
    check_tensor(name, boxes)
    if boxes.is_complex() or boxes.dtype == torch.bool:
        raise TypeError(f"{name} must be floating or hold integers, got {boxes.dtype}")
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"{name} has shape {tuple(boxes.shape)}, expected a last axis of 4")


def _floating(boxes: Tensor) -> Tensor:
    check_boxes("boxes", boxes)
    return boxes if boxes.is_floating_point() else boxes.to(torch.float32)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
