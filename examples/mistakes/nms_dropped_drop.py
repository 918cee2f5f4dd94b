"""Non-maximum suppression in one pass: a box that was dropped itself still drops others."""

import torch


def nms(boxes, scores, threshold):
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1] or not 0 <= threshold <= 1:
        raise ValueError("boxes are (N, 4), scores (N,), and the threshold lies in [0, 1]")
    if boxes.is_complex() or not scores.is_floating_point():
        raise TypeError("boxes are real numbers and scores floating")
    order = torch.sort(scores, descending=True, stable=True).indices
    ranked = boxes[order].double()
    corner = torch.minimum(ranked[:, None, 2:], ranked[None, :, 2:])
    sides = (corner - torch.maximum(ranked[:, None, :2], ranked[None, :, :2])).clamp(min=0)
    shared = sides.prod(-1)
    area = (ranked[:, 2:] - ranked[:, :2]).prod(-1)
    overlap = torch.nan_to_num(shared / (area[:, None] + area - shared))
    better = torch.ones_like(overlap, dtype=torch.bool).tril(-1)
    return order[~((overlap > threshold) & better).any(1)]
