"""The loop inside of the trained components: batches in random order, Adam, and a checkpoint after every epoch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_whole
from lawbook.reference.optimization.adaptive import adam_step
from lawbook.reference.recurrent import clip_gradients
from lawbook.reference.training.checkpoints import Path, load_checkpoint, save_checkpoint

Params = dict[str, Tensor]
Objective = Callable[[Params, Tensor, Generator], Tensor]
OnEpoch = Callable[[int, float], object]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        batch: samples a step.
        lr: Adam's rate.
        clip: the largest norm of a step's gradient; None: any.
    """

    batch: int
    lr: float
    clip: float | None = None


def check_run(epochs: int, seed: int) -> None:
    """Raise unless there is an epoch to run and a seed to begin with."""
    check_whole("epochs", epochs, 1)
    check_whole("seed", seed)


def fit(
    task: Tensor,
    params: Params,
    objective: Objective,
    samples: int,
    recipe: Recipe,
    epochs: int,
    generator: Generator,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Params, Tensor]:
    """Train, from the checkpoint on where there is one.

        order of samples, batches of it;   params ← Adam(params, ∂/∂params mean of the batch's losses)

    Args:
        task: the task's ``fingerprint``.
        params: where training begins, by name, of one dtype; drawn from ``generator`` before. They are not changed.
        objective: (params, rows (B,), generator) → losses (L,), L ≥ 1: those of the samples at these rows, or of their
            tokens. What is random in it, such as dropout, it draws from the generator.
        samples: how many there are.
        recipe: batch, rate and clipping.
        epochs: the total number of passes, those in the checkpoint included.
        generator: where everything random comes from.
        checkpoint, on_epoch: as in the components' contracts.

    Returns:
        params: after the last epoch, without a graph.
        history: (epochs,) float64, each epoch's mean over all losses, as they were before the steps they led to.

    Raises:
        ValueError: the checkpoint is damaged, another task's, or has seen more epochs than ``epochs``.
    """
    sizes = {name: p.shape for name, p in params.items()}
    w = torch.cat([p.detach().reshape(-1) for p in params.values()])
    m, v, steps, history = torch.zeros_like(w), torch.zeros_like(w), 0, torch.zeros(0, dtype=torch.float64)
    found = None if checkpoint is None else load_checkpoint(checkpoint, task)
    if found is not None:
        w, m, v, history = (found[name] for name in ("params", "adam.m", "adam.v", "history"))
        steps = int(found["adam.steps"])
        generator.set_state(found["generator"])
    if len(history) > epochs:
        raise ValueError(f"epochs is {epochs}, and the checkpoint has seen {len(history)}: it cannot go back")
    for epoch in range(len(history), epochs):
        total, count = 0.0, 0
        for rows in torch.randperm(samples, generator=generator).split(recipe.batch):
            leaf = w.requires_grad_()
            with torch.enable_grad():
                losses = objective(_named(leaf, sizes), rows, generator)
                (g,) = torch.autograd.grad(losses.mean(), [leaf])
            if recipe.clip is not None:
                (g,) = clip_gradients([g], recipe.clip)
            total += float(losses.detach().double().sum())
            count += losses.numel()
            steps += 1
            with torch.no_grad():
                w, m, v = adam_step(w.detach(), g, m, v, steps, recipe.lr)
        history = torch.cat([history, torch.tensor([total / count], dtype=torch.float64)])
        if checkpoint is not None:
            state = {"params": w, "adam.m": m, "adam.v": v, "adam.steps": torch.tensor(steps)}
            save_checkpoint(checkpoint, task, {**state, "history": history, "generator": generator.get_state()})
        if on_epoch is not None:
            on_epoch(epoch, total / count)
    return _named(w.detach(), sizes), history


def uniform(shape: tuple[int, ...], fan_in: int, generator: Generator, dtype: torch.dtype) -> Tensor:
    """Weights from U[−1, 1] / √fan_in; a fan of 0 counts as 1."""
    draws = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    return (draws / max(1, fan_in) ** 0.5).to(dtype)


def _named(w: Tensor, sizes: dict[str, torch.Size]) -> Params:
    """The parts of the vector of all parameters, by name."""
    parts = w.split([size.numel() for size in sizes.values()])
    return {name: part.view(size) for (name, size), part in zip(sizes.items(), parts, strict=True)}
