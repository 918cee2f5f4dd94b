"""The order in which samples are read, and batches of them."""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_integer, check_whole
from lawbook.reference.data.datasets import Row, check_rows, collate, rows, stream


def sequential_sampler(n: int) -> Tensor:
    """Positions in their order.

        0, 1, …, n − 1

    Args:
        n: how many samples there are.

    Returns:
        (n,) int64.

    Raises:
        ValueError: ``n`` is negative.
        TypeError: ``n`` is no whole number.

    Source: note 002 §6.1.1 (the sampler without shuffling).
    """
    return torch.arange(check_whole("n", n, 0))


def random_sampler(n: int, *, seed: int) -> Tensor:
    """Positions in random order, every one of them once.

        a permutation of 0..n − 1, each of the n! with the same chance

    Args:
        n: how many samples there are.
        seed: the same seed gives the same order.

    Returns:
        (n,) int64.

    Raises:
        ValueError: ``n`` is negative.
        TypeError: ``n`` or ``seed`` is no whole number.

    Conventions:
        Which order belongs to a seed is each library's own affair. Only an implementation that draws ``torch.randperm``
        from ``torch.Generator().manual_seed(seed)`` is held to more: it keeps that order, so that a seed stands for the
        same one throughout PyTorch.

    Source: note 002 §6.1.1 (the sampler with shuffling); Fisher and Yates 1938.
    """
    return torch.randperm(check_whole("n", n, 0), generator=stream(seed))


def batch_sampler(indices: Tensor, batch_size: int, drop_last: bool) -> list[Tensor]:
    """Positions cut into batches, in their order.

        batches[k] = indices[k · batch_size : (k + 1) · batch_size]

    Args:
        indices: (n,) whole numbers, in the order in which samples are to be read.
        batch_size: at least 1.
        drop_last: whether a last batch that is not full is left out.

    Returns:
        A list of int64 tensors, as many as ``num_batches`` says: all of ``batch_size`` but for the last.

    Raises:
        ValueError: ``batch_size`` is below 1, or ``indices`` has not one axis.
        TypeError: ``indices`` or ``batch_size`` are no whole numbers, or ``drop_last`` is no bool.

    Source: note 002 §6.1.1 (batch_sampler, drop_last).
    """
    check_integer("indices", indices)
    check_axes("indices", indices, 1)
    count = num_batches(len(indices), batch_size, drop_last)
    indices = indices.to(torch.int64)
    return [indices[k * batch_size : (k + 1) * batch_size].clone() for k in range(count)]


def num_batches(n: int, batch_size: int, drop_last: bool) -> int:
    """How many batches one pass has.

        ⌊n / batch_size⌋ with ``drop_last``, else ⌈n / batch_size⌉

    Args:
        n: how many samples there are.
        batch_size: at least 1.
        drop_last: whether a last batch that is not full is left out.

    Returns:
        A whole number, exact for any ``n``.

    Raises:
        ValueError: ``n`` is negative or ``batch_size`` below 1.
        TypeError: they are no whole numbers, or ``drop_last`` is no bool.

    Source: note 002 §6.1.3 (drop_last).
    """
    n, batch_size = check_whole("n", n, 0), check_whole("batch_size", batch_size, 1)
    if not isinstance(drop_last, bool):
        raise TypeError(f"drop_last is {drop_last!r}, expected True or False")
    # Division of whole numbers: as floats, large ones would be rounded.
    return n // batch_size if drop_last else -(-n // batch_size)


def data_loader(
    tensors: Sequence[Tensor],
    batch_size: int,
    shuffle: bool = False,
    drop_last: bool = False,
    *,
    seed: int,
    num_workers: int = 0,
    passes: int = 1,
) -> list[list[Row]]:
    """Batches of samples, pass after pass.

        order = 0..n − 1, or with ``shuffle`` a new uniform permutation for every pass
        pass = [collate(rows of the batch) for batch in batch_sampler(order, batch_size, drop_last)]

    Args:
        tensors: one or more, (n, …) each, of any dtype; features and labels, say.
        batch_size: at least 1.
        shuffle: whether the order is random, another one for each pass.
        drop_last: whether a last batch that is not full is left out.
        seed: the same seed gives the same batches.
        num_workers: how many processes gather the batches; 0: the calling one. The batches do not depend on it.
        passes: how many times the data is gone through.

    Returns:
        For each pass the list of its batches, each a tuple with a tensor for every given one: (batch, …).

    Raises:
        ValueError: there is no tensor, first sizes differ, ``batch_size`` is below 1, ``num_workers`` or ``passes``
            negative.
        TypeError: a number is no whole one.

    Source: note 002 §6.1.1 and §6.1.3 (DataLoader).
    """
    n = check_rows("tensors", tensors)
    check_whole("num_workers", num_workers, 0)
    generator = stream(seed)
    orders = [
        torch.randperm(n, generator=generator) if shuffle else sequential_sampler(n)
        for _ in range(check_whole("passes", passes, 0))
    ]
    plans = [batch_sampler(order, batch_size, drop_last) for order in orders]
    if not num_workers:
        return [[_gathered(tensors, batch) for batch in plan] for plan in plans]
    return [_gathered_by_workers(tensors, plan, num_workers) for plan in plans]


def data_iter(batch_size: int, features: Tensor, labels: Tensor, *, seed: int) -> list[tuple[Tensor, Tensor]]:
    """One shuffled pass through features and labels.

        batches of a uniform permutation; the last one holds what is left

    Args:
        batch_size: at least 1.
        features: (n, …).
        labels: (n, …).
        seed: the same seed gives the same order.

    Returns:
        A list of ⌈n / batch_size⌉ pairs (features, labels) of a batch.

    Raises:
        ValueError: ``features`` and ``labels`` differ in their first size, or ``batch_size`` is below 1.
        TypeError: ``batch_size`` is no whole number.

    Source: note 004 (linear regression from scratch, data_iter).
    """
    (batches,) = data_loader((features, labels), batch_size, shuffle=True, seed=seed)
    return [(x, y) for x, y in batches]


def _gathered(tensors: Sequence[Tensor], batch: Tensor) -> Row:
    return collate([rows(tensors, i) for i in batch.tolist()])


def _work(tensors: Sequence[Tensor], plan: list[Tensor], answers: Connection) -> None:
    """What a worker does: its share of the batches, in their order."""
    torch.set_num_threads(1)
    for batch in plan:
        answers.send(_gathered(tensors, batch))
    # Until all are taken: memory goes from one process to the other only while both are there.
    answers.recv()


def _gathered_by_workers(tensors: Sequence[Tensor], plan: list[Tensor], count: int) -> list[Row]:
    """Batch k is gathered by worker k mod ``count``, and taken from it in turn: the order is the plan's."""
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)
    workers, answers = [], []
    try:
        for w in range(count):
            here, there = context.Pipe()
            worker = context.Process(target=_work, args=(tensors, plan[w::count], there), daemon=True)
            worker.start()
            # Open in the worker alone: if that dies, there is an end to waiting for it.
            there.close()
            workers.append(worker)
            answers.append(here)
        return [answers[k % count].recv() for k in range(len(plan))]
    finally:
        for worker, here in zip(workers, answers, strict=True):
            here.close()
            worker.terminate()
            worker.join()
