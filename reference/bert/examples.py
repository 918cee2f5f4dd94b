"""From sentences to the examples that BERT is trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_integer, check_shape, check_whole
from lawbook.reference.data.datasets import stream

CLS, SEP = "<cls>", "<sep>"
SHARE = 0.15
PARTS = ("tokens", "segments", "positions", "labels", "is_next")

Sentence = Sequence[str]


def tokens_and_segments(a: Sentence, b: Sentence | None = None) -> tuple[list[str], list[int]]:
    """One input of one or two sequences of tokens, and which of them each token belongs to.

        tokens   = <cls> a <sep>          or  <cls> a <sep> b <sep>
        segments =   0   0   0            or    0   0   0   1   1

    Args:
        a: tokens, any number.
        b: tokens, or None. A sequence without tokens is not None: it has its <sep>.

    Returns:
        (tokens, segments), lists of one length.

    Raises:
        TypeError: a sequence is a string, or holds something other than strings.

    Conventions: RoBERTa has two separators between sequences, and no segments.

    Source: note 004, BERT (input representation); Devlin et al. 2018, arXiv:1810.04805, §3.
    """
    for name, part in (("a", a), ("b", b)):
        if part is not None and (isinstance(part, str) or not all(isinstance(token, str) for token in part)):
            raise TypeError(f"{name} must be a list of strings, got {part!r}")
    first = [CLS, *a, SEP]
    second = [] if b is None else [*b, SEP]
    return first + second, [0] * len(first) + [1] * len(second)


def mask_tokens(
    tokens: Tensor,
    candidates: Tensor | None,
    num: int | None,
    vocab: int,
    mask: int,
    special: Sequence[int],
    *,
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose tokens that are to be foretold, and hide most of them.

        of the chosen positions, each by itself:
            with chance 0.8   inputs = mask
            with chance 0.1   inputs = an ordinary token, each equally likely, the true one included
            with chance 0.1   inputs = the true token

    where ordinary tokens are 0..V−1 without ``mask`` and without ``special``. Positions are chosen without repetition,
    each equally likely, among candidates that hold no special token.

    Args:
        tokens: (T,), integers below V.
        candidates: (N,), integers below T: positions that may be chosen; None for all of them.
        num: how many to choose, at least 0; None for max(1, round(0.15 T)), halves to even. Where fewer may be chosen, all are.
        vocab: V, at least 1.
        mask: the token that hides others.
        special: tokens that are never chosen and never drawn, such as <cls>, <sep> and <pad>.
        seed: a whole number of at least 0.

    Returns:
        inputs: (T,), int64, the tokens but for what was chosen.
        positions: (n,), int64, rising.
        labels: (n,), int64, the true tokens at these positions.

    Raises:
        IndexError: a token is outside 0..V−1, or a candidate outside 0..T−1.
        ValueError: ``num`` is negative, no ordinary token is there, or ``mask`` or a special token is outside 0..V−1.
        TypeError: an argument is of another kind, or there is no seed.

    Conventions: what happens to the chosen ones adds up to 0.8, 0.1 and 0.1 of them; note that code which first asks
    "0.8?" must ask "one half?" of the rest. Hugging Face's collator chooses each token with chance 0.15, not a fixed
    number, draws from the whole vocabulary, and keeps labels as long as the tokens, −100 where nothing was chosen.

    Source: note 004, BERT (masked language model, 15 %); Devlin et al. 2018, arXiv:1810.04805, §3.1 and A.1.
    """
    check_integer("tokens", tokens)
    check_axes("tokens", tokens, 1)
    check_whole("vocab", vocab, 1)
    hidden = sorted({check_whole("mask", mask), *(check_whole("special", token) for token in special)})
    if hidden[0] < 0 or hidden[-1] >= vocab:
        raise ValueError(f"mask and special are {hidden}, expected tokens of 0..{vocab - 1}")
    _check_within("tokens", tokens, vocab)
    if candidates is None:
        candidates = torch.arange(len(tokens), device=tokens.device)
    check_integer("candidates", candidates)
    check_axes("candidates", candidates, 1)
    _check_within("candidates", candidates, len(tokens))
    num = max(1, round(SHARE * len(tokens))) if num is None else check_whole("num", num, 0)
    generator = stream(seed)

    ordinary = torch.ones(vocab, dtype=torch.bool).index_fill(0, torch.tensor(hidden), False)
    special_too = ordinary.index_fill(0, torch.tensor([mask]), mask not in special)
    words = ordinary.nonzero()[:, 0]
    if not len(words):
        raise ValueError(f"vocab is {vocab}, of which none is ordinary")
    inputs = tokens.long().clone()
    free = torch.unique(candidates.long())
    free = free[special_too.to(tokens.device)[inputs[free]]]
    positions = free[torch.randperm(len(free), generator=generator)[:num]].sort().values
    labels = inputs[positions]
    lot = torch.rand(len(positions), generator=generator)
    drawn = words[torch.randint(len(words), (len(positions),), generator=generator)]
    inputs[positions] = torch.where(lot < 0.8, mask, torch.where(lot < 0.9, drawn, labels))
    return inputs, positions, labels


def next_sentence_pairs(
    sentence: Sentence, next_sentence: Sentence, paragraphs: Sequence[Sequence[Sentence]], *, seed: int
) -> tuple[Sentence, Sentence, bool]:
    """A sentence with the one that follows it, or with another one: either with chance ½.

        with chance ½   (sentence, next_sentence, True)
        with chance ½   (sentence, other, False),   other ≠ next_sentence, each of the paragraphs' sentences equally likely

    Args:
        sentence, next_sentence: tokens, neighbours in the text.
        paragraphs: of the whole text, each a list of sentences.
        seed: a whole number of at least 0.

    Returns:
        (sentence, second, is_next).

    Raises:
        ValueError: all sentences equal ``next_sentence``.
        TypeError: there is no seed.

    Conventions: note 004's source draws a paragraph first, and may draw the true next sentence as the "random" one. BERT
    draws from another document.

    Source: note 004, BERT (next sentence prediction); Devlin et al. 2018, arXiv:1810.04805, §3.1.
    """
    true = list(next_sentence)
    others = [other for paragraph in paragraphs for other in paragraph if list(other) != true]
    if not others:
        raise ValueError("paragraphs hold no sentence but the next one, expected another")
    generator = stream(seed)
    if float(torch.rand((), generator=generator)) < 0.5:
        return list(sentence), true, True
    return list(sentence), list(others[int(torch.randint(len(others), (), generator=generator))]), False


def pad_bert_batch(examples: Sequence[Mapping[str, Any]], max_len: int, pad: int) -> dict[str, Tensor]:
    """Examples of different lengths as tensors of one shape.

    Args:
        examples: at least one, each {tokens (T,), segments (T,), positions (n,), labels (n,), is_next: a truth value}, integers.
        max_len: L, at least every T.
        pad: the token that fills up.

    Returns:
        {tokens (B, L), segments (B, L), valid_lens (B,), positions (B, P), weights (B, P), labels (B, P), is_next (B,)}:
        P = max(1, round(0.15 L)), halves to even. Behind the example stand ``pad``, segment 0, position 0, weight 0 and
        label 0. valid_lens counts the example's tokens, ``pad`` among them or not; weights are float32, 1 for an
        example's own predictions; the rest is int64, is_next 1 or 0.

    Raises:
        ValueError: there is no example; one is longer than ``max_len`` or has more than P predictions; a part is missing or
            unknown; or parts of an example do not go together.
        TypeError: a part holds no integers, or ``is_next`` is no truth value.

    Source: note 004, BERT (pre-training data); Devlin et al. 2018, arXiv:1810.04805, A.2.
    """
    check_whole("max_len", max_len, 0)
    check_whole("pad", pad)
    size = max(1, round(SHARE * max_len))
    if not examples:
        raise ValueError("examples is empty, expected at least one")
    for k, example in enumerate(examples):
        _check_example(f"examples[{k}]", example, max_len, size)

    def filled(name: str, width: int, fill: int) -> Tensor:
        rows = [example[name].long() for example in examples]
        return torch.stack([torch.cat([row, row.new_full((width - len(row),), fill)]) for row in rows])

    counts = torch.tensor([len(example["positions"]) for example in examples], dtype=torch.int64)
    return {
        "tokens": filled("tokens", max_len, pad),
        "segments": filled("segments", max_len, 0),
        "valid_lens": torch.tensor([len(example["tokens"]) for example in examples], dtype=torch.int64),
        "positions": filled("positions", size, 0),
        "weights": (torch.arange(size) < counts[:, None]).float(),
        "labels": filled("labels", size, 0),
        "is_next": torch.tensor([int(example["is_next"]) for example in examples], dtype=torch.int64),
    }


def _check_example(name: str, example: Mapping[str, Any], max_len: int, size: int) -> None:
    if not isinstance(example, Mapping):
        raise TypeError(f"{name} must be a dict, got {type(example).__name__}")
    if example.keys() != set(PARTS):
        raise ValueError(f"{name} has the keys {sorted(map(str, example))}, expected {sorted(PARTS)}")
    for part in PARTS[:-1]:
        check_integer(f"{name}[{part}]", example[part])
        check_axes(f"{name}[{part}]", example[part], 1)
    if not isinstance(example["is_next"], bool):
        raise TypeError(f"{name}[is_next] must be a truth value, got {example['is_next']!r}")
    check_shape(f"{name}[segments]", example["segments"], example["tokens"].shape)
    check_shape(f"{name}[labels]", example["labels"], example["positions"].shape)
    for part, most in (("tokens", max_len), ("positions", size)):
        if len(example[part]) > most:
            raise ValueError(f"{name}[{part}] has {len(example[part])} elements, expected at most {most}")


def _check_within(name: str, indices: Tensor, count: int) -> None:
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < count:
        raise IndexError(f"{name} runs from {int(indices.min())} to {int(indices.max())}, expected 0..{count - 1}")
