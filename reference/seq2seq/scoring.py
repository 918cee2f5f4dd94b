"""How far predictions are from the label: while learning, and afterwards."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_choice, check_floating, check_integer, check_shape, check_whole

AVERAGES = ("steps", "tokens")


def masked_softmax_ce(pred: Tensor, label: Tensor, valid_len: Tensor, average: str = "steps") -> Tensor:
    """Cross entropy of every sequence, to which padding adds nothing.

        steps:   loss_b = (1 / T)   Σ_{t < n_b} −log softmax(pred_bt)[label_bt]
        tokens:  loss_b = (1 / n_b) Σ_{t < n_b} −log softmax(pred_bt)[label_bt]

    where n_b is the row's valid length. A row of length 0 has a loss of 0 either way.

    Args:
        pred: logits, (B, T, V), floating.
        label: (B, T), integers below V within the valid length; beyond it they are not looked at.
        valid_len: (B,), whole numbers; 0 and below leave nothing, T and beyond everything.
        average: over all "steps", padding included, or over the "tokens" that count.

    Returns:
        (B,). What padding holds, nan included, has no influence and a gradient of 0.

    Raises:
        ValueError: shapes do not go together, no step, or the average is unknown.
        IndexError: a label that counts is outside 0..V−1.
        TypeError: ``pred`` is not floating, or ``label`` or ``valid_len`` hold no integers.

    Conventions: "steps" is note 004's, where long padding makes the loss small; "tokens" does not depend on how much
    padding there is. torch.nn.functional.cross_entropy with ignore_index averages over the tokens of the whole batch.

    Source: note 004, loss of seq2seq.
    """
    check_floating("pred", pred)
    check_axes("pred", pred, 3)
    check_integer("label", label)
    check_shape("label", label, pred.shape[:2])
    check_integer("valid_len", valid_len)
    check_shape("valid_len", valid_len, pred.shape[:1])
    check_choice("average", average, AVERAGES)
    steps = pred.shape[1]
    if steps == 0:
        raise ValueError("pred has 0 steps, expected at least 1")
    inside = torch.arange(steps, device=pred.device) < valid_len[:, None]
    label = torch.where(inside, label, 0)
    if label.numel() and not 0 <= int(label.min()) <= int(label.max()) < pred.shape[2]:
        raise IndexError(
            f"label reaches from {int(label.min())} to {int(label.max())}, expected 0..{pred.shape[2] - 1}"
        )
    # Zeros in place of padded logits: 0 · nan is nan in the gradient.
    pred = torch.where(inside[..., None], pred, 0)
    shifted = pred - pred.amax(-1, keepdim=True).detach()
    loss = shifted.exp().sum(-1).log() - shifted.gather(-1, label[..., None])[..., 0]
    total = torch.where(inside, loss, 0).sum(1)
    return total / (steps if average == "steps" else inside.sum(1).clamp(min=1))


def bleu(pred: Sequence[Hashable], label: Sequence[Hashable], k: int, weights: Sequence[float] | None = None) -> float:
    """How many of a prediction's n-grams stand in the label, for n up to ``k``.

        bleu = exp(min(0, 1 − len(label) / len(pred))) · Π_{n=1..k} p_n^{w_n},      w_n = ½ⁿ

    where p_n is the share of the prediction's n-grams that occur in the label, each at most as often as there. A prediction
    that is empty or has no n-gram in common for some n ≤ k scores 0, and so does one shorter than ``k``.

    Args:
        pred: tokens, or a string of tokens between spaces.
        label: the same.
        k: the longest n-gram, at least 1.
        weights: the k exponents, at least 0; None for ½ⁿ.

    Returns:
        A number in [0, 1]. With positive weights it is 1 exactly when prediction and label have the same n-grams for every
        n ≤ k, as often; so if they are equal and of at least k tokens.

    Raises:
        ValueError: ``k`` is below 1, there are not as many weights, or one is negative.
        TypeError: ``k`` is no whole number.

    Conventions: weights ½ⁿ are those of note 004: they fall with n, and p^{½ⁿ} rises, so that long matches are rewarded.
    Papineni et al., sacrebleu and nltk take 1/k each. Nothing is smoothed here: sacrebleu smooths by default
    (smooth_method="exp") and not with "none"; nltk, asked for nothing, takes 2.2e-308 for a p_n of 0. This is of one
    sentence with one label, not of a corpus.

    Source: note 004, BLEU; Papineni et al. 2002, ACL.
    """
    check_whole("k", k, 1)
    exponents = [0.5**n for n in range(1, k + 1)] if weights is None else list(weights)
    if len(exponents) != k:
        raise ValueError(f"weights holds {len(exponents)} numbers, expected {k}")
    if min(exponents) < 0:
        raise ValueError(f"weights holds {min(exponents)}, expected at least 0")
    pred, label = (list(x.split()) if isinstance(x, str) else list(x) for x in (pred, label))
    if len(pred) < k:
        return 0.0
    # log of the brevity penalty: at most 0.
    score = math.exp(min(0.0, 1 - len(label) / len(pred)))
    for n, weight in enumerate(exponents, start=1):
        ours, theirs = _ngrams(pred, n), _ngrams(label, n)
        matches = sum((ours & theirs).values())
        if matches == 0:
            return 0.0
        score *= (matches / sum(ours.values())) ** weight
    return score


def _ngrams(tokens: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    """How often each n-gram occurs, as a tuple: joined to strings, different ones may become equal."""
    return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))
