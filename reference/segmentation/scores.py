"""How good a map of classes is."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_integer, check_same_shape, check_whole
from lawbook.reference.losses.classification import check_labels


def pixel_accuracy(pred: Tensor, label: Tensor, classes: int, ignore: int | None = None) -> float:
    """The share of pixels whose class is right.

        |{i : pred_i = label_i, label_i ≠ ignore}|  /  |{i : label_i ≠ ignore}|

    over all pixels of all images together.

    Args:
        pred: predicted classes, any shape, integers in 0..classes−1.
        label: true classes, the same shape, integers in 0..classes−1, or ``ignore``.
        classes: how many classes there are, at least 1.
        ignore: pixels with this label do not count, whatever is predicted there; any whole number, a class or none
            (255 and −1 are usual). None: all count.

    Returns:
        A float in [0, 1]; nan when no pixel counts.

    Raises:
        TypeError: a tensor does not hold integers, or ``classes`` is not whole.
        ValueError: the shapes differ, or ``classes`` is below 1.
        IndexError: a prediction is no class, or a label neither a class nor ``ignore``.

    Source: note 004, semantic segmentation and fully convolutional networks; Long, Shelhamer and Darrell 2015,
        arXiv:1411.4038.
    """
    counts = _confusion(pred, label, classes, ignore)
    return float(counts.diagonal().sum() / counts.sum())


def mean_iou(pred: Tensor, label: Tensor, classes: int, ignore: int | None = None) -> float:
    """Intersection over union of predicted and true pixels, class by class, and the mean of the classes.

        IoU_c = |{pred = c} ∩ {label = c}|  /  |{pred = c} ∪ {label = c}|
        mean of IoU_c over the classes whose union is not empty

    where pixels whose label is ``ignore`` are in no set. A class that is neither predicted nor true is left out: it counts
    neither as 0 nor as 1. Pixels are counted over all images together, not image by image.

    Args:
        pred: predicted classes, any shape, integers in 0..classes−1.
        label: true classes, the same shape, integers in 0..classes−1, or ``ignore``.
        classes: how many classes there are, at least 1.
        ignore: as for ``pixel_accuracy``.

    Returns:
        A float in [0, 1]; nan when no pixel counts.

    Raises:
        TypeError: a tensor does not hold integers, or ``classes`` is not whole.
        ValueError: the shapes differ, or ``classes`` is below 1.
        IndexError: a prediction is no class, or a label neither a class nor ``ignore``.

    Conventions: an ``ignore`` that is a class is predicted in vain where other labels count, so its IoU is 0 there; so do
        MMSegmentation and Keras. torchmetrics leaves that class out of the mean, and takes absent classes for 0 unless told.

    Source: note 004, semantic segmentation; Everingham et al. 2010; Long, Shelhamer and Darrell 2015, arXiv:1411.4038.
    """
    counts = _confusion(pred, label, classes, ignore)
    both = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - both
    present = union > 0
    return float((both[present] / union[present]).mean())


def _confusion(pred: Tensor, label: Tensor, classes: int, ignore: int | None) -> Tensor:
    """How many counted pixels of each true class (rows) were given each class (columns), in float64: exact up to 2⁵³."""
    check_integer("pred", pred)
    check_integer("label", label)
    check_same_shape("pred", pred, "label", label)
    classes = check_whole("classes", classes, 1)
    check_labels("pred", pred, classes)
    check_labels("label", label, classes, ignore)
    # Wider than uint8, where 20 · 21 is 164.
    pred, label = pred.long(), label.long()
    counted = torch.ones_like(label, dtype=torch.bool) if ignore is None else label != ignore
    pairs = label[counted] * classes + pred[counted]
    return torch.bincount(pairs, minlength=classes * classes).double().view(classes, classes)
