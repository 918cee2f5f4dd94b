"""How good a network is on data that it does not learn from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lawbook.reference.losses import accuracy

Net = Callable[[Tensor], Tensor]
Batches = Sequence[tuple[Tensor, Tensor]]


def evaluate_accuracy(net: Net, batches: Batches) -> float:
    """The share of samples that a network classifies rightly.

        Σ_batches Σ_i [argmax_c net(X)_ic = y_i] / Σ_batches B

    where the first of equal scores wins. Samples count alike, whatever batch they are in: the mean of the batches' shares is
    another number as soon as one batch is smaller.

    Args:
        net: X → scores (B, C). A ``torch.nn.Module`` is put in eval mode; afterwards, also after an error, every one of its
            modules is in the mode in which it was. Another function is just called. No gradient is recorded.
        batches: pairs of X, (B, …), and y, (B,) int64. Batches may differ in size, and be empty.

    Returns:
        A Python float in 0..1.

    Raises:
        ValueError: there is no sample, or numbers of scores and labels differ.

    Conventions: the note's function leaves the network in eval mode: training that goes on then does so without dropout,
        and with batch norm's running statistics.

    Source: note 004 (softmax regression from scratch, evaluate_accuracy; LeNet, evaluate_accuracy_gpu).
    """
    right = count = 0
    with evaluating(net):
        for X, y in batches:
            right += int(accuracy(net(X), y))
            count += len(y)
    if not count:
        raise ValueError("batches hold no sample, expected at least one")
    return right / count


def evaluate_loss(net: Net, batches: Batches, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The mean loss of a network.

        Σ_batches Σ_i loss(net(X), y)_i / Σ_batches (number of losses)

    Args:
        net: as in ``evaluate_accuracy``; its outputs are what ``loss`` takes.
        batches: pairs of X, (B, …), and y, (B, …). Labels that are as many as the outputs take their shape, so that (B,)
            and (B, 1) are not broadcast to (B, B).
        loss: (outputs, y) → losses, neither summed nor averaged: (B,) or (B, …).

    Returns:
        A Python float.

    Raises:
        ValueError: there is no loss at all, or ``loss`` gives a single number for a batch in place of a loss for each sample.

    Source: note 004 (polynomial regression, evaluate_loss).
    """
    total, count = 0.0, 0
    with evaluating(net):
        for X, y in batches:
            outputs = net(X)
            losses = loss(outputs, y.reshape(outputs.shape) if y.numel() == outputs.numel() else y)
            if losses.ndim == 0 or len(losses) != len(X):
                raise ValueError(f"loss gave shape {tuple(losses.shape)} for {len(X)} samples, expected one for each")
            total += float(losses.double().sum())
            count += losses.numel()
    if not count:
        raise ValueError("batches hold no sample, expected at least one")
    return total / count


@contextmanager
def evaluating(net: Net) -> Iterator[None]:
    """Eval mode and no gradients inside; afterwards every module's own mode again."""
    modes = {module: module.training for module in net.modules()} if isinstance(net, nn.Module) else {}
    if isinstance(net, nn.Module):
        net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
