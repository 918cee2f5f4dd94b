"""What BERT is trained to lower, and how many numbers it learns."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_integer, check_shape, check_whole
from lawbook.reference.losses import log_softmax
from lawbook.reference.recurrent.parameters import check_dtype, check_indices
from lawbook.reference.transformer.counting import block_parts


def bert_loss(
    mlm_logits: Tensor, mlm_labels: Tensor, mlm_weights: Tensor, nsp_logits: Tensor, nsp_labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """How badly hidden tokens and next sentences were foretold.

        mlm = Σ_bp w_bp · (−log softmax(mlm_logits[b, p])[label_bp]) / Σ_bp w_bp
        nsp = mean_b −log softmax(nsp_logits[b])[label_b]
        loss = mlm + nsp

    Args:
        mlm_logits: (B, P, V), floating.
        mlm_labels: (B, P), integers below V; where the weight is 0 any number, and not looked at.
        mlm_weights: (B, P), at least 0, of the logits' dtype: 1 for predictions, 0 for padding.
        nsp_logits: (B, 2), of the same dtype.
        nsp_labels: (B,), 0 or 1.

    Returns:
        (mlm, nsp, loss), each (). Without any weight mlm is 0. Predictions of weight 0 have no influence and a gradient of 0,
        whatever they hold.

    Raises:
        IndexError: a label, of a weight above 0, is outside its classes.
        ValueError: shapes do not go together, the batch is empty, or a weight is negative.
        TypeError: logits or weights are not floating, labels hold no integers, or dtypes differ.

    Conventions: note 004's source divides by Σ w + 1e-8. Hugging Face has no weights: a label of −100 weighs nothing.

    Source: note 004, BERT (masked language model and next sentence prediction); Devlin et al. 2018, arXiv:1810.04805, A.2.
    """
    for name, x, axes in (
        ("mlm_logits", mlm_logits, 3),
        ("mlm_weights", mlm_weights, 2),
        ("nsp_logits", nsp_logits, 2),
    ):
        check_floating(name, x)
        check_axes(name, x, axes)
        check_dtype(name, x, mlm_logits.dtype)
    check_integer("mlm_labels", mlm_labels)
    check_integer("nsp_labels", nsp_labels)
    batch, count, classes = mlm_logits.shape
    for name, x, shape in (
        ("mlm_labels", mlm_labels, (batch, count)),
        ("mlm_weights", mlm_weights, (batch, count)),
        ("nsp_logits", nsp_logits, (batch, 2)),
        ("nsp_labels", nsp_labels, (batch,)),
    ):
        check_shape(name, x, shape)
    if not batch:
        raise ValueError("mlm_logits has no sample, expected at least one")
    if (mlm_weights < 0).any():
        raise ValueError(f"mlm_weights goes down to {float(mlm_weights.min())}, expected at least 0")
    counts = mlm_weights != 0
    labels = torch.where(counts, mlm_labels.long(), 0)
    check_indices("mlm_labels", labels, max(classes, 1))
    check_indices("nsp_labels", nsp_labels, 2)
    # A product with a weight of 0 would keep nan, in the value and in the gradient.
    surprise = _surprise(torch.where(counts[..., None], mlm_logits, 0), labels)
    total = mlm_weights.sum()
    mlm = (torch.where(counts, mlm_weights, 0) * surprise).sum() / torch.where(total == 0, 1, total)
    nsp = _surprise(nsp_logits, nsp_labels.long()).mean()
    return mlm, nsp, mlm + nsp


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    return -log_softmax(logits, -1).gather(-1, labels[..., None])[..., 0]


def bert_parameter_count(
    layers: int,
    hidden: int,
    heads: int,
    vocab: int,
    ffn: int | None = None,
    max_len: int = 512,
    segments: int = 2,
    pretraining: bool = False,
) -> int:
    """How many parameters BERT has.

        embeddings = (V + S + L) D + 2 D
        block      = 4 D² + 4 D + 2 D F + F + D + 4 D
        pooler     = D² + D
        heads of pretraining = D² + D + 2 D + V + 2 D + 2

    where the mask head's output layer shares the table of token embeddings and has a bias of its own.

    Args:
        layers: how many blocks, at least 1.
        hidden: D, at least 1 and divisible by ``heads``.
        heads: at least 1. Their number changes nothing.
        vocab: V, at least 1.
        ffn: F, at least 1; None for 4 D.
        max_len: L, the rows of the position table, at least 1.
        segments: S, at least 1.
        pretraining: whether the heads of both tasks are counted.

    Returns:
        A whole number: for the published base model (12, 768, 12, 30522) 109,482,240, for large (24, 1024, 16, 30522)
        335,141,888.

    Raises:
        ValueError: a size is below 1, or ``hidden`` not divisible by ``heads``.
        TypeError: a size is no whole number, or ``pretraining`` no truth value.

    Conventions: the paper rounds to 110M and 340M. Note 004's model has no norm on its embeddings, and an output layer
    of its own in the mask head, D V numbers more.

    Source: note 004, BERT (base and large); Devlin et al. 2018, arXiv:1810.04805, §3.
    """
    ffn = 4 * hidden if ffn is None else ffn
    sizes = dict(layers=layers, hidden=hidden, heads=heads, vocab=vocab, ffn=ffn, max_len=max_len, segments=segments)
    for name, size in sizes.items():
        check_whole(name, size, 1)
    if hidden % heads:
        raise ValueError(f"hidden is {hidden}, expected a multiple of heads, {heads}")
    if not isinstance(pretraining, bool):
        raise TypeError(f"pretraining must be a truth value, got {pretraining!r}")
    attention, network, norm = block_parts(hidden, ffn, True)
    square = hidden * hidden + hidden
    total = (vocab + segments + max_len) * hidden + norm + layers * (attention + network + 2 * norm) + square
    return total + (square + norm + vocab + 2 * hidden + 2 if pretraining else 0)
