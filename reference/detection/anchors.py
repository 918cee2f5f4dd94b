"""Anchors: the boxes predictions start from, which objects they stand for, and what is to be learned."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import (
    check_axes,
    check_floating,
    check_positive,
    check_range,
    check_same_shape,
    check_whole,
)
from lawbook.reference.detection.boxes import box_center_to_corner, box_corner_to_center, check_boxes, overlaps


def multibox_prior(height: int, width: int, sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Anchors of several sizes and aspect ratios, centred on every pixel of a feature map.

        centre of pixel (i, j):  ((j + 0.5) / W, (i + 0.5) / H)
        width = s · √r · H / W,  height = s / √r    in units of the image's width and height

    for the pairs (s₁, r₁), (s₂, r₁), …, (s_n, r₁), (s₁, r₂), …, (s₁, r_m). In pixels, an anchor is s·H·√r wide and
    s·H/√r high: its ratio is r whatever the image's, its area s²·H² whatever the ratio.

    Args:
        height, width: H and W of the feature map, at least 1.
        sizes: n numbers above 0, at least one.
        ratios: m numbers above 0, at least one.

    Returns:
        (1, H·W·(n + m − 1), 4), corners, float32: pixel by pixel along the rows, each with all its anchors in the order
        above; a new tensor at every call. Anchors may reach beyond the image.

    Raises:
        ValueError: a size below its bound, no sizes or no ratios.
        TypeError: ``height`` or ``width`` is not whole.

    Conventions: note 004's text names (s₁, r₁), …, (s₁, r_m), (s₂, r₁), …; its code and its section on SSD have the order
        above. Its text gives the width as s·√r of the image's, the ratio then being one of shares of the image.

    Source: note 004 "anchor boxes" (``multibox_prior``); Liu et al. 2016, arXiv:1512.02325.
    """
    height, width = check_whole("height", height, 1), check_whole("width", width, 1)
    for name, numbers in (("sizes", sizes), ("ratios", ratios)):
        if len(numbers) == 0:
            raise ValueError(f"{name} is {numbers!r}, expected at least one number")
        for number in numbers:
            check_positive(f"every number of {name}", number)
    s = torch.tensor([*sizes, *[sizes[0]] * (len(ratios) - 1)], dtype=torch.float64)
    root = torch.tensor([*[ratios[0]] * len(sizes), *ratios[1:]], dtype=torch.float64).sqrt()
    half = torch.stack((s * root * height / width, s / root), dim=-1) / 2
    y = (torch.arange(height, dtype=torch.float64) + 0.5) / height
    x = (torch.arange(width, dtype=torch.float64) + 0.5) / width
    centre = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).view(-1, 1, 2)
    return torch.cat((centre - half, centre + half), dim=-1).view(1, -1, 4).to(torch.float32)


def assign_anchors(ground_truth: Tensor, anchors: Tensor, threshold: float = 0.5) -> Tensor:
    """Which object every anchor stands for.

        first   object[a] = arg max_g IoU(a, g)  where that IoU is at least the threshold, else −1
        then    object[a*] = g*  for the largest IoU (a*, g*) of all; its anchor and its box are struck out, and again

    until boxes or anchors are used up: every box has an anchor of its own where there are enough, however small the overlap,
    and keeps it whatever the threshold says.

    Args:
        ground_truth: (G, 4), corners, floating or whole numbers; G may be 0.
        anchors: (A, 4), corners, floating or whole numbers.
        threshold: in [0, 1].

    Returns:
        (A,), int64: the box's index, −1 for background. Of equal overlaps an anchor takes the first box, and the first
        anchor (then its first box) is served first. Overlaps are those of ``box_iou`` before they are rounded to half
        precision.

    Raises:
        ValueError: a set is not (N, 4), or ``threshold`` is outside of its bounds.
        TypeError: a set is neither floating nor whole.

    Source: note 004 "anchor boxes" (``assign_anchor_to_bbox``).
    """
    check_axes("ground_truth", ground_truth, 2)
    check_axes("anchors", anchors, 2)
    check_boxes("ground_truth", ground_truth)
    check_boxes("anchors", anchors)
    check_range("threshold", threshold, 0, 1)
    count, boxes = len(anchors), len(ground_truth)
    if not count or not boxes:
        return torch.full((count,), -1, device=anchors.device)
    iou = overlaps(anchors.detach(), ground_truth.detach())
    largest, nearest = iou.max(dim=1)
    assigned = torch.where(largest >= threshold, nearest, -1)
    for _ in range(min(count, boxes)):
        # Whole numbers: dividing a position beyond 2²⁴ in float32 loses it.
        anchor, box = divmod(int(iou.argmax()), boxes)
        assigned[anchor] = box
        iou[anchor, :] = -1
        iou[:, box] = -1
    return assigned


def offset_boxes(anchors: Tensor, boxes: Tensor, eps: float = 1e-6) -> Tensor:
    """Where boxes lie relative to anchors: what a detector learns to predict.

        (10·(cx − cx_a) / w_a,  10·(cy − cy_a) / h_a,  5·log(eps + w / w_a),  5·log(eps + h / h_a))

    The factors are 1 / 0.1 and 1 / 0.2, the usual deviations of the four.

    Args:
        anchors: (…, 4), corners, floating, with width and height above 0 (not checked).
        boxes: shape of ``anchors``, corners; box k belongs to anchor k.
        eps: added to the ratios, at least 0: boxes without area stay finite.

    Returns:
        Shape and dtype of ``anchors``.

    Raises:
        ValueError: the last axis has not 4 elements, shapes differ, or ``eps`` is negative.
        TypeError: an argument is not floating.

    Conventions: note 004's code adds 1e-6, so that equal boxes have 5e-6 for a size; its formula and torchvision add nothing.

    Source: note 004 "anchor boxes" (``offset_boxes``); Girshick et al. 2014, arXiv:1311.2524.
    """
    check_floating("anchors", anchors)
    check_floating("boxes", boxes)
    check_boxes("anchors", anchors)
    check_same_shape("boxes", boxes, "anchors", anchors)
    check_range("eps", eps, 0)
    centre_a, size_a = box_corner_to_center(anchors).split(2, dim=-1)
    centre, size = box_corner_to_center(boxes).split(2, dim=-1)
    return torch.cat((10 * (centre - centre_a) / size_a, 5 * torch.log(eps + size / size_a)), dim=-1)


def offset_inverse(anchors: Tensor, offsets: Tensor) -> Tensor:
    """The boxes that predicted offsets stand for.

        cx = cx_a + w_a·o₁ / 10,  cy = cy_a + h_a·o₂ / 10,  w = w_a·exp(o₃ / 5),  h = h_a·exp(o₄ / 5)

    Args:
        anchors: (…, 4), corners, floating.
        offsets: shape of ``anchors``; those of anchor k.

    Returns:
        Shape and dtype of ``anchors``, corners.

    Raises:
        ValueError: the last axis has not 4 elements, or shapes differ.
        TypeError: an argument is not floating.

    Source: note 004 "anchor boxes" (``offset_inverse``).
    """
    check_floating("anchors", anchors)
    check_floating("offsets", offsets)
    check_boxes("anchors", anchors)
    check_same_shape("offsets", offsets, "anchors", anchors)
    centre, size = box_corner_to_center(anchors).split(2, dim=-1)
    shift, stretch = offsets.split(2, dim=-1)
    return box_center_to_corner(torch.cat((centre + size * shift / 10, size * torch.exp(stretch / 5)), dim=-1))


def multibox_target(anchors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What every anchor is to predict: offsets, whether they count, and a class.

        object = assign_anchors(boxes, anchors, 0.5)          for every image alone
        class = 1 + the object's class, 0 (background) without an object
        offset = offset_boxes(anchor, the object's box), 0 without an object; mask = 1 or 0 alike

    Args:
        anchors: (A, 4) or (1, A, 4), corners, floating, with width and height above 0 (not checked).
        labels: (B, G, 5), dtype of ``anchors``: class (0, 1, …) and corners of every object. Rows with the class −1 pad
            images with fewer objects, wherever they stand: their boxes mean nothing.

    Returns:
        (offset, mask, classes): (B, 4·A) and (B, 4·A) in the dtype of ``anchors``, anchor by anchor, and (B, A), int64.

    Raises:
        ValueError: ``anchors`` is neither (A, 4) nor (1, A, 4), or ``labels`` is not (B, G, 5).
        TypeError: an argument is not floating.

    Conventions: note 004 hands padding to the matching like any other box, where it takes an anchor away.

    Source: note 004 "anchor boxes" (``multibox_target``).
    """
    anchors = flat_anchors(anchors)
    check_floating("labels", labels)
    check_axes("labels", labels, 3)
    if labels.shape[2] != 5:
        raise ValueError(f"labels has shape {tuple(labels.shape)}, expected (images, objects, 5)")
    batch, count = len(labels), len(anchors)
    offset = anchors.new_zeros(batch, count, 4)
    mask = anchors.new_zeros(batch, count, 4)
    classes = torch.zeros(batch, count, dtype=torch.int64, device=anchors.device)
    for image, padded in enumerate(labels):
        objects = padded[padded[:, 0] >= 0]
        assigned = assign_anchors(objects[:, 1:], anchors)
        matched = assigned >= 0
        own = objects[assigned[matched]]
        offset[image, matched] = offset_boxes(anchors[matched], own[:, 1:].to(anchors.dtype))
        mask[image, matched] = 1
        classes[image, matched] = own[:, 0].long() + 1
    return offset.flatten(1), mask.flatten(1), classes


def flat_anchors(anchors: Tensor) -> Tensor:
    """Anchors as (A, 4), the batch of one that ``multibox_prior`` makes left off."""
    check_floating("anchors", anchors)
    check_boxes("anchors", anchors)
    flat = anchors.squeeze(0) if anchors.ndim == 3 else anchors
    if flat.ndim != 2:
        raise ValueError(f"anchors has shape {tuple(anchors.shape)}, expected (A, 4) or (1, A, 4)")
    return flat
