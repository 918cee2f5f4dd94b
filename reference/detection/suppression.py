"""What is made of predictions: one box for one object, the best of those that overlap."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_range, check_shape, check_tensor
from lawbook.reference.detection.anchors import flat_anchors, offset_inverse
from lawbook.reference.detection.boxes import check_boxes, overlaps, widened


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression: keep the best box, drop those that overlap it, and again with the rest.

        kept: b₁ = arg max score,  b₂ = arg max score among those with IoU(b₁, ·) ≤ threshold, …

    A box is dropped by kept boxes only, and only if the overlap is larger than the threshold.

    Args:
        boxes: (N, 4), corners, floating or whole numbers; N may be 0.
        scores: (N,), floating; −∞ may be among them.
        threshold: in [0, 1].

    Returns:
        (K,), int64: the kept boxes' indices by falling score, the smaller index first among equal scores. Overlaps are
        those of ``box_iou`` before they are rounded to half precision; boxes without area are never dropped. An overlap
        that equals the threshold in the dtype of the overlaps is not larger.

    Raises:
        ValueError: shapes that do not fit, or a ``threshold`` outside of its bounds.
        TypeError: ``boxes`` or ``scores`` is of another kind.

    Conventions: Pascal VOC's and Detectron's older code drops at the threshold too and adds 1 to the sides.

    Source: note 004 "non-maximum suppression" (``nms``).
    """
    check_axes("boxes", boxes, 2)
    check_boxes("boxes", boxes)
    check_floating("scores", scores)
    check_shape("scores", scores, boxes.shape[:1])
    check_range("threshold", threshold, 0, 1)
    boxes, left = boxes.detach(), scores.detach().argsort(descending=True, stable=True)
    kept = []
    while len(left):
        best, left = left[:1], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best], boxes[left])[0] <= threshold]
    return torch.cat(kept) if kept else left


def multibox_detection(
    class_probs: Tensor,
    offsets: Tensor,
    anchors: Tensor,
    nms_threshold: float = 0.5,
    pos_threshold: float = 0.009999999,
) -> Tensor:
    """Predicted boxes with class and confidence, those of one object suppressed but for the best.

        confidence, class = max over the classes but the first, background
        box = offset_inverse(anchor, offset)
        class = −1  where ``nms`` of the image's boxes, of all classes together, drops the box
        class = −1, confidence = 1 − confidence  where the confidence is below ``pos_threshold``

    Args:
        class_probs: (B, C + 1, A), floating, background first, C at least 1.
        offsets: (B, 4·A), dtype of ``class_probs``.
        anchors: (A, 4) or (1, A, 4), corners, dtype of ``class_probs``.
        nms_threshold: in [0, 1].
        pos_threshold: in [0, 1].

    Returns:
        (B, A, 6), dtype of ``class_probs``: class (0, 1, …, −1 for none), confidence, corners. In every image the boxes that
        nms keeps come first, by falling confidence, then the others in the order of their anchors. Of equally probable
        classes the first counts, and any may receive the gradient. Half precision is computed in float32.

    Raises:
        ValueError: shapes that do not fit, or a threshold outside of its bounds.
        TypeError: an argument is not floating.

    Conventions: a low confidence comes out as that of background, also for suppressed boxes; torchvision leaves such boxes
        out and suppresses class by class.

    Source: note 004 "non-maximum suppression" (``multibox_detection``).
    """
    check_floating("class_probs", class_probs)
    check_axes("class_probs", class_probs, 3)
    check_floating("offsets", offsets)
    anchors = flat_anchors(anchors)
    batch, classes, count = class_probs.shape
    if classes < 2:
        raise ValueError(f"class_probs has shape {tuple(class_probs.shape)}, expected background and a class at least")
    check_shape("offsets", offsets, (batch, 4 * count))
    check_shape("anchors", anchors, (count, 4))
    check_range("nms_threshold", nms_threshold, 0, 1)
    check_range("pos_threshold", pos_threshold, 0, 1)
    confidence, best = widened(class_probs)[:, 1:].max(dim=1)
    boxes = offset_inverse(widened(anchors).expand(batch, -1, -1), widened(offsets).view(batch, count, 4))
    found = []
    for image in range(batch):
        kept = nms(boxes[image], confidence[image], nms_threshold)
        dropped = torch.ones(count, dtype=torch.bool, device=anchors.device)
        dropped[kept] = False
        low = confidence[image] < pos_threshold
        label = torch.where(dropped | low, -1, best[image]).to(boxes.dtype)
        score = torch.where(low, 1 - confidence[image], confidence[image])
        rows = torch.cat((label[:, None], score[:, None], boxes[image]), dim=1)
        found.append(rows[torch.cat((kept, dropped.nonzero()[:, 0]))])
    stacked = torch.stack(found) if found else boxes.new_zeros(0, count, 6)
    return stacked.to(class_probs.dtype)


def filter_detections(detections: Tensor, threshold: float) -> Tensor:
    """The detections worth showing.

        row k is kept  iff  class[k] ≠ −1 and confidence[k] ≥ threshold

    Args:
        detections: (N, 6), floating: class, confidence, corners, such as one image of ``multibox_detection``.
        threshold: in [0, 1].

    Returns:
        (K, 6), dtype of ``detections``, a tensor of its own: the kept rows in their order.

    Raises:
        ValueError: ``detections`` is not (N, 6), or ``threshold`` is outside of its bounds.
        TypeError: ``detections`` is not floating.

    Source: note 004 "SSD" (``predict``, ``display``).
    """
    check_tensor("detections", detections)
    check_floating("detections", detections)
    if detections.ndim != 2 or detections.shape[1] != 6:
        raise ValueError(f"detections has shape {tuple(detections.shape)}, expected (N, 6)")
    check_range("threshold", threshold, 0, 1)
    return detections[(detections[:, 0] != -1) & (detections[:, 1] >= threshold)]
