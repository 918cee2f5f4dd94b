"""Cross entropy whose weighted mean is divided by the number of samples that count."""

import torch


def cross_entropy(logits, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    losses = torch.nn.functional.cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index if not target.is_floating_point() else -100,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    if reduction == "mean":
        kept = losses.numel() if target.is_floating_point() else (target != ignore_index).sum()
        return losses.sum() / kept
    return {"sum": losses.sum, "none": losses.clone}[reduction]()
