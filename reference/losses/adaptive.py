"""A softmax over very many classes that spends little on rare ones."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_positive, check_shape, check_whole
from lawbook.reference.losses.classification import check_labels
from lawbook.reference.losses.distributions import log_softmax


def adaptive_log_softmax(
    x: Tensor, target: Tensor, params: Mapping[str, Tensor], cutoffs: Sequence[int], div_value: float = 4.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Split classes by rank into a head and clusters, and predict the cluster before the class.

        log P(c) = log_softmax(head)_c                                           for c < cutoffs[0]
        log P(c) = log_softmax(head)_{cutoffs[0] + i} + log_softmax(tail_i)_j    for c = cutoffs[i] + j
        head = x Wᵀ + b,    tail_i = (x Pᵢᵀ) Qᵢᵀ

    where the head holds the frequent classes and one entry for each of the k = len(cutoffs) clusters.

    Args:
        x: (N, D), floating.
        target: (N,), integers in 0..n_classes−1.
        params: "head.weight" W (cutoffs[0] + k, D); "head.bias" b (cutoffs[0] + k,), which may be missing; for each
            cluster i "tail.{i}.0.weight" P (hᵢ, D) and "tail.{i}.1.weight" Q (sizeᵢ, hᵢ), where
            hᵢ = ⌊D / div_value^(i+1)⌋ and sizeᵢ = cutoffs[i+1] − cutoffs[i]; that of the last cluster is free and
            settles n_classes. The names are those of the state of torch.nn.AdaptiveLogSoftmaxWithLoss.
        cutoffs: rising whole numbers above 0, at least one: the first class of each cluster.
        div_value: above 0, how much narrower each further cluster's projection is.

    Returns:
        output: (N,), the log-probability of each target.
        loss: scalar, −mean(output); nan for N = 0.
        log_prob: (N, n_classes), of all classes.

    Raises:
        TypeError: ``x`` or a parameter is not floating, or ``target`` not integer.
        ValueError: shapes, names or ``cutoffs`` do not fit together.
        IndexError: a target is outside 0..n_classes−1.

    Source: note 002 §6.3.1; Grave et al. 2016, arXiv:1609.04309.
    """
    check_floating("x", x)
    check_axes("x", x, 2)
    check_positive("div_value", div_value)
    projections = _checked_params(x.shape[1], params, cutoffs, div_value)
    head = x @ params["head.weight"].T
    if "head.bias" in params:
        head = head + params["head.bias"]
    head = log_softmax(head, 1)
    first = cutoffs[0]
    parts = [head[:, :first]]
    for i, (project, classify) in enumerate(projections):
        parts.append(head[:, first + i, None] + log_softmax(x @ project.T @ classify.T, 1))
    log_prob = torch.cat(parts, 1)
    check_labels("target", target, log_prob.shape[1])
    check_shape("target", target, (x.shape[0],))
    output = log_prob.gather(1, target.long()[:, None])[:, 0]
    return output, -output.mean(), log_prob


def _checked_params(
    features: int, params: Mapping[str, Tensor], cutoffs: Sequence[int], div_value: float
) -> list[tuple[Tensor, Tensor]]:
    starts = [check_whole("cutoffs", cutoff, 1) for cutoff in cutoffs]
    if not starts or any(a >= b for a, b in itertools.pairwise(starts)):
        raise ValueError(f"cutoffs are {list(cutoffs)}, expected rising numbers, at least one")
    names = {"head.weight"} | {f"tail.{i}.{j}.weight" for i in range(len(starts)) for j in (0, 1)}
    if names != set(params) - {"head.bias"}:
        raise ValueError(f"params has {sorted(params)}, expected {sorted(names)} and perhaps head.bias")
    for name, parameter in params.items():
        check_floating(f"params[{name!r}]", parameter)
    entries = starts[0] + len(starts)
    check_shape("params['head.weight']", params["head.weight"], (entries, features))
    if "head.bias" in params:
        check_shape("params['head.bias']", params["head.bias"], (entries,))
    projections = []
    for i, start in enumerate(starts):
        project, classify = params[f"tail.{i}.0.weight"], params[f"tail.{i}.1.weight"]
        width = int(features // div_value ** (i + 1))
        size = starts[i + 1] - start if i + 1 < len(starts) else max(len(classify), 1)
        check_shape(f"params['tail.{i}.0.weight']", project, (width, features))
        check_shape(f"params['tail.{i}.1.weight']", classify, (size, width))
        projections.append((project, classify))
    return projections
