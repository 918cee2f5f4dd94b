"""Mean IoU that counts classes which do not appear as wrong."""

import torch


def mean_iou(pred, label, classes, ignore=None):
    if pred.is_floating_point() or label.is_floating_point() or not isinstance(classes, int):
        raise TypeError("classes are whole numbers")
    if pred.shape != label.shape or classes < 1:
        raise ValueError("pred and label have one shape, and there is a class")
    counts = torch.ones_like(label, dtype=torch.bool) if ignore is None else label != ignore
    for some in (pred, label[counts]):
        if ((some < 0) | (some >= classes)).any():
            raise IndexError("there is no such class")
    pred, label = pred[counts], label[counts]
    if label.numel() == 0:
        return float("nan")
    scores = []
    for c in range(classes):
        both, either = ((pred == c) & (label == c)).sum().item(), ((pred == c) | (label == c)).sum().item()
        scores.append(both / either if either else 0.0)
    return sum(scores) / classes
