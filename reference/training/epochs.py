"""One pass through the data, and when there has been enough of them."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_range, check_whole
from lawbook.reference.losses import accuracy

Params = Mapping[str, Tensor]


def train_epoch(
    net: Callable[[Params, Tensor], Tensor],
    params: Params,
    batches: Sequence[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    updater: Callable[[Params, Params, int], Params],
    reduction: str = "sum",
) -> tuple[dict[str, Tensor], float, float]:
    """Go once through the data, with a step after every batch.

        scores = net(params, X),   losses = loss(scores, y)
        params ← updater(params, ∂/∂params Σ losses, B)         reduction "sum"
               ← updater(params, ∂/∂params Σ losses / B, 1)     reduction "mean"

    so that an updater that divides by the number it is given takes the same steps either way. Gradients are those of the
    batch alone. The epoch itself leaves nothing to chance: the order is that of ``batches``.

    Args:
        net: (params, X) → scores (B, C).
        params: tensors by name, floating: where training begins. They are not changed.
        batches: pairs of X, (B, …), and y, (B,) int64; at least one, none of them empty. Sizes may differ.
        loss: (scores, y) → losses, one a sample: (B,).
        updater: (params, gradients, number to divide by) → new parameters.
        reduction: "sum" or "mean".

    Returns:
        params: those after the last step, without a graph.
        loss: Σ losses / Σ B, each as it was before the step that it led to; a Python float.
        accuracy: the share of samples whose largest score, before that step, is their label's; a Python float.

    Raises:
        ValueError: there is no batch or an empty one, the losses are not one a sample, or ``reduction`` is unknown.
        TypeError: a parameter is not floating.

    Conventions: an optimizer of ``torch.optim`` is used with the mean; the note's own updaters divide the sum by the batch's
        size. Mixing them up divides twice, or not at all.

    Source: note 004 (softmax regression from scratch, train_epoch_ch3; recurrent networks, train_epoch_ch8, where the mean
        is taken and the updater told of one sample).
    """
    check_choice("reduction", reduction, ("sum", "mean"))
    for name, p in params.items():
        check_floating(f"params[{name!r}]", p)
    if not batches or not all(len(y) for _, y in batches):
        raise ValueError(f"batches have sizes {[len(y) for _, y in batches]}, expected at least one sample in each")
    params = {name: p.detach().clone() for name, p in params.items()}
    total, right, count = 0.0, 0, 0
    for X, y in batches:
        leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
        with torch.enable_grad():
            scores = net(leaves, X)
            losses = loss(scores, y)
            if losses.shape != y.shape:
                raise ValueError(f"loss gave shape {tuple(losses.shape)} for {len(y)} samples, expected one for each")
            objective = losses.sum() if reduction == "sum" else losses.mean()
        found = torch.autograd.grad(objective, list(leaves.values()), allow_unused=True, materialize_grads=True)
        total += float(losses.detach().double().sum())
        right += int(accuracy(scores.detach(), y))
        count += len(y)
        with torch.no_grad():
            gradients = dict(zip(leaves, found, strict=True))
            params = dict(updater(params, gradients, len(y) if reduction == "sum" else 1))
    return dict(params), total / count, right / count


def early_stopping(
    history: Tensor,
    run_epoch: Callable[[int], Params],
    patience: int,
    mode: str = "min",
    min_delta: float = 0.0,
) -> tuple[int | None, int, dict[str, Tensor] | None]:
    """Stop once the score has not become better for a while, and keep the best epoch's parameters.

        epoch t is better  ⟺  history_t < best − min_delta        mode "min"
                              history_t > best + min_delta        mode "max"

    where best is the score of the last epoch that was better, at first +∞ for "min" and −∞ for "max". Training stops after
    the epoch that is the ``patience``-th in a row that is not better, or after the last one. A score of nan is never better.

    Args:
        history: (E,) floating: the score on the validation data after each epoch that may be run.
        run_epoch: trains for epoch t = 0, 1, … and gives the network's parameters by name. They are the live ones: the next
            epoch overwrites them. It is called once for every epoch that is run, in order, and for no other.
        patience: at least 1.
        mode: "min" for losses, "max" for accuracies.
        min_delta: by how much, strictly, an epoch must be better to count; at least 0.

    Returns:
        best: the last epoch that was better; None where none was.
        epochs: how many epochs were run.
        checkpoint: the parameters after the epoch ``best``, in memory of their own; None where there is none.

    Raises:
        ValueError: ``patience`` is below 1, ``min_delta`` negative, ``mode`` unknown, or ``history`` has not one axis.
        TypeError: ``history`` is not floating, or ``patience`` no whole number.

    Conventions: Keras and torchkeras count so. Flax's EarlyStopping and PyTorch's ReduceLROnPlateau act one epoch later: their
        patience is how many epochs in a row are put up with.

    Source: note 002 §6.3.4 (fit with monitor, patience and mode; ckpt_path keeps the best); Prechelt 1998, Early Stopping —
        But When?
    """
    check_floating("history", history)
    check_axes("history", history, 1)
    check_whole("patience", patience, 1)
    check_choice("mode", mode, ("min", "max"))
    check_range("min_delta", min_delta, 0)
    sign = 1 if mode == "min" else -1
    best, least, waited, epochs = None, math.inf, 0, 0
    checkpoint = None
    for epoch, score in enumerate((sign * history).tolist()):
        live = run_epoch(epoch)
        epochs += 1
        if score < least - min_delta:
            best, least, waited = epoch, score, 0
            checkpoint = {name: p.detach().clone() for name, p in live.items()}
        else:
            waited += 1
        if waited == patience:
            break
    return best, epochs, checkpoint
