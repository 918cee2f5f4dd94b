"""What several workers do together, written as one program that plays all of them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating, check_range, check_shape, check_tensor, check_whole

Params = Mapping[str, Tensor]
Losses = Callable[[Params, Tensor, Tensor], Tensor]


def split_batch(x: Tensor, n: int) -> list[Tensor]:
    """Cut a batch into one shard for each worker, as even as can be.

        shard k = x[s_k : s_{k+1}],   sizes ⌈N/n⌉ for the first N mod n shards and ⌊N/n⌋ for the others

    Args:
        x: (N, …), any dtype; N may be 0.
        n: how many workers there are, at least 1. With more workers than samples the last shards are empty.

    Returns:
        A list of exactly ``n`` tensors, in the batch's order.

    Raises:
        ValueError: ``n`` is below 1, or ``x`` has no axis.
        TypeError: ``n`` is no whole number, or ``x`` no tensor.

    Conventions: ``torch.tensor_split`` and ``numpy.array_split`` cut so. ``torch.chunk`` cuts shards of ⌈N/n⌉ and may give
        fewer than ``n``; PyTorch's ``DistributedSampler`` deals samples out in turn and repeats some until all have as many.

    Source: note 004 (several GPUs, data parallelism).
    """
    check_tensor("x", x)
    n = check_whole("n", n, 1)
    if x.ndim == 0:
        raise ValueError("x has no axis, expected samples along the first one")
    size, longer = divmod(len(x), n)
    starts = [k * size + min(k, longer) for k in range(n + 1)]
    return [x[start:end].clone() for start, end in pairwise(starts)]


def all_reduce(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Give every worker the sum of what all of them hold.

        result_k = Σ_j tensors_j   for every worker k

    Args:
        tensors: one for each worker, at least one; of one shape and dtype.

    Returns:
        A list with a tensor for each worker, the same numbers in each to the last bit, each in memory of its own.

    Raises:
        ValueError: there is no worker, or shapes or dtypes differ.
        TypeError: something is no tensor.

    Conventions: in which order the sum is taken is the library's own affair (a ring, a tree, one worker for all).

    Source: note 004 (several GPUs, data parallelism: gradients are added up and handed back); MPI_Allreduce.
    """
    if not tensors:
        raise ValueError("tensors is empty, expected one for each worker")
    for k, x in enumerate(tensors):
        check_tensor(f"tensors[{k}]", x)
        if x.shape != tensors[0].shape or x.dtype != tensors[0].dtype:
            raise ValueError(
                f"tensors[{k}] is {x.dtype} {tuple(x.shape)}, expected {tensors[0].dtype} {tuple(tensors[0].shape)}"
            )
    total = torch.stack(list(tensors)).sum(0, dtype=tensors[0].dtype)
    return [total.clone() for _ in tensors]


def data_parallel_gradient(
    loss_fn: Losses,
    params: Params,
    X: Tensor,
    y: Tensor,
    n: int,
    weights: Tensor | None = None,
    reduction: str = "mean",
) -> dict[str, Tensor]:
    """The gradient of a batch's loss, by workers that each hold all parameters and a shard of the batch.

        g_k = ∂/∂params Σ_{i in shard k} w_i · loss_i          each worker alone
        gradient = Σ_k g_k                                     reduction "sum"
                 = Σ_k g_k / Σ_k Σ_{i in shard k} w_i          reduction "mean"

    where both sums over workers are all-reduced. A worker counts by its samples: the mean of the workers' means is another
    number as soon as shards are uneven.

    Args:
        loss_fn: (params, X, y) → the losses of these samples, one each: (B,). It treats every sample alone.
        params: tensors by name, floating. One that the losses do not depend on has the gradient 0.
        X: (N, …), N at least 1.
        y: (N, …).
        n: how many workers there are, at least 1; more than N leaves some without samples. ``split_batch`` says who gets what.
        weights: (N,) floating, at least 0, with a sum above 0; None stands for 1 each.
        reduction: "mean" or "sum".

    Returns:
        The gradient of every parameter, by name: shape and dtype of the parameter.

    Raises:
        ValueError: first sizes differ or are 0, ``n`` is below 1, a weight is negative or all are 0, the losses are not one
            a sample, or ``reduction`` is unknown.
        TypeError: a parameter is not floating, or ``n`` no whole number.
        Exception: a worker fails or dies. Nothing is returned then: a gradient without its shard would be another one. An
            implementation with processes of its own waits for a dead worker for 60 seconds at most.

    Conventions: PyTorch's DistributedDataParallel divides the sum of the workers' gradients by ``n``: for a mean over the
        batch each worker's loss is its weighted sum times n / Σ w.

    Source: note 004 (several GPUs, data parallelism in five steps).
    """
    weights = _checked(params, X, y, weights, reduction)
    shards = zip(split_batch(X, n), split_batch(y, n), split_batch(weights, n), strict=True)
    totals = _all_reduced([_local_gradient(loss_fn, params, *shard) for shard in shards])[0]
    weight = totals.pop("")
    return {name: total / weight if reduction == "mean" else total for name, total in totals.items()}


def synchronous_sgd(
    loss_fn: Losses, params: Params, batches: Sequence[Sequence[tuple[Tensor, Tensor]]], lr: float
) -> list[dict[str, Tensor]]:
    """Descend along the gradient of the mean loss, workers in step with each other.

        p ← p − lr · Σ_k ∂/∂p Σ_{i in batch k} loss_i / Σ_k (size of batch k)     every worker, at every step

    so that n workers with b samples each go the way of one worker with n · b.

    Args:
        loss_fn: as in ``data_parallel_gradient``.
        params: tensors by name, floating: where every worker begins.
        batches: for each worker its batches (X, y), one a step, as many for each worker. Sizes may differ, and a worker may
            have no sample in a step as long as another has one.
        lr: at least 0.

    Returns:
        The parameters of every worker after the last step, the same in each to the last bit.

    Raises:
        ValueError: there is no worker, numbers of batches or first sizes differ, no worker has a sample in a step, ``lr`` is
            negative, or the losses are not one a sample.
        TypeError: a parameter is not floating.
        Exception: a worker fails or dies, as in ``data_parallel_gradient``.

    Source: note 004 (distributed training, synchronous SGD).
    """
    steps = {len(own) for own in batches}
    if len(steps) != 1:
        raise ValueError(f"workers have {sorted(steps)} batches, expected at least one worker and as many for each")
    check_range("lr", lr, 0)
    for step in zip(*batches, strict=True):
        _checked(params, torch.cat([X for X, _ in step]), torch.cat([y for _, y in step]), None, "mean")
        if any(len(X) != len(y) for X, y in step):
            raise ValueError("a worker's X and y differ in their first sizes")
    replicas = [{name: p.detach().clone() for name, p in params.items()} for _ in batches]
    for step in zip(*batches, strict=True):
        totals = _all_reduced(
            [
                _local_gradient(loss_fn, own, X, y, _ones(own, len(X)))
                for own, (X, y) in zip(replicas, step, strict=True)
            ]
        )
        replicas = [
            {name: p - lr * (total[name] / total[""]) for name, p in own.items()}
            for own, total in zip(replicas, totals, strict=True)
        ]
    return replicas


def model_parallel_forward(stages: Sequence[tuple[Callable[[Params, Tensor], Tensor], Params]], x: Tensor) -> Tensor:
    """Hand a batch through a model whose parts lie on different devices.

        y = f_n(p_n, … f_2(p_2, f_1(p_1, x)))

    where device k holds p_k alone, and sends what it computed to device k + 1. Gradients go the same way back, so that every
    device gets those of its own parameters.

    Args:
        stages: a pair (function, parameters by name) for each device, at least one. A function takes its parameters and what
            the device before gave.
        x: the first device's input.

    Returns:
        What the last device gave.

    Raises:
        ValueError: there is no stage.
        TypeError: a stage's function cannot be called, or ``x`` is no tensor. No stage is run then.

    Source: note 004 (several GPUs, model parallelism).
    """
    check_tensor("x", x)
    if not stages:
        raise ValueError("stages is empty, expected one for each device")
    for k, (function, _) in enumerate(stages):
        if not callable(function):
            raise TypeError(f"stages[{k}] has {type(function).__name__} in place of a function")
    for function, params in stages:
        x = function(params, x)
    return x


def _checked(params: Params, X: Tensor, y: Tensor, weights: Tensor | None, reduction: str) -> Tensor:
    """The weights, once everything is as it should be."""
    check_choice("reduction", reduction, ("mean", "sum"))
    for name, p in params.items():
        check_floating(f"params[{name!r}]", p)
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y) or not len(X):
        raise ValueError(
            f"X and y have shapes {tuple(X.shape)} and {tuple(y.shape)}, expected as many samples, at least 1"
        )
    if weights is None:
        return _ones(params, len(X))
    check_floating("weights", weights)
    check_shape("weights", weights, (len(X),))
    if bool((weights < 0).any()) or bool(weights.sum() == 0):
        raise ValueError(f"weights are {weights.tolist()}, expected none below 0 and a sum above 0")
    return weights


def _ones(params: Params, count: int) -> Tensor:
    # Of the parameters' dtype and device, where there are any.
    return next(iter(params.values()), torch.ones(())).new_ones(count)


def _local_gradient(loss_fn: Losses, params: Params, X: Tensor, y: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """What a worker computes alone: the gradient of its weighted sum of losses and, under "", its sum of weights."""
    own = {name: p.detach().requires_grad_() for name, p in params.items()}
    with torch.enable_grad():
        losses = loss_fn(own, X, y)
        if losses.shape != weights.shape:
            raise ValueError(
                f"loss_fn gave shape {tuple(losses.shape)} for {len(X)} samples, expected one loss for each"
            )
        loss = (weights * losses).sum()
    found = (
        torch.autograd.grad(loss, list(own.values()), allow_unused=True, materialize_grads=True)
        if loss.requires_grad
        else [torch.zeros_like(p) for p in own.values()]
    )
    return {**dict(zip(own, found, strict=True)), "": weights.sum()}


def _all_reduced(parts: Sequence[Params]) -> list[dict[str, Tensor]]:
    """``all_reduce`` of every entry: what each worker holds afterwards."""
    totals = {name: all_reduce([part[name] for part in parts]) for name in parts[0]}
    return [{name: total[k] for name, total in totals.items()} for k in range(len(parts))]
