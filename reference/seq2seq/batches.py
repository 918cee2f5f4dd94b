"""Sequences of unequal length as arrays of equal one."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_integer, check_shape, check_tensor, check_whole

Item = TypeVar("Item")


def truncate_pad(line: Sequence[Item], num_steps: int, pad: Item) -> list[Item]:
    """Cut a sequence, or lengthen it with ``pad``, to exactly ``num_steps`` items.

        line[:num_steps] + [pad] · max(0, num_steps − len(line))

    Args:
        line: any items.
        num_steps: the length wanted, at least 0.
        pad: what is appended.

    Returns:
        A new list of ``num_steps`` items.

    Raises:
        ValueError: ``num_steps`` is negative.
        TypeError: ``num_steps`` is no whole number.

    Source: note 004, prediction of seq2seq (truncate_pad).
    """
    num_steps = check_whole("num_steps", num_steps, 0)
    return [*line[:num_steps], *[pad] * (num_steps - len(line))]


def build_arrays(lines: Sequence[Sequence[str]], vocab: Mapping[str, int], num_steps: int) -> tuple[Tensor, Tensor]:
    """A batch of token sequences as indices of equal length, and how many of each row count.

        array_i = truncate_pad([vocab[token] for token in line_i] + [eos], num_steps, pad)
        valid_len_i = min(len(line_i) + 1, num_steps)

    Args:
        lines: N sequences of tokens.
        vocab: token → index, with "<pad>", "<eos>" and, where tokens may be unknown, "<unk>".
        num_steps: the length of every row, at least 1.

    Returns:
        array: (N, num_steps), int64.
        valid_len: (N,), int64. The end-of-sequence token counts; a line that is cut loses it.

    Raises:
        ValueError: ``vocab`` lacks "<pad>" or "<eos>", a token is unknown and there is no "<unk>", or ``num_steps``
            is below 1.
        TypeError: ``num_steps`` is no whole number.

    Conventions: counting what differs from padding is the same, unless a line itself holds "<pad>".

    Source: note 004, machine translation and seq2seq.
    """
    num_steps = check_whole("num_steps", num_steps, 1)
    for name in ("<pad>", "<eos>"):
        if name not in vocab:
            raise ValueError(f"vocab has no {name!r}")
    rows, lengths = [], []
    for line in lines:
        indices = [_index(token, vocab) for token in line]
        rows.append(truncate_pad([*indices, vocab["<eos>"]], num_steps, vocab["<pad>"]))
        lengths.append(min(len(indices) + 1, num_steps))
    array = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), num_steps)
    return array, torch.tensor(lengths, dtype=torch.int64)


def _index(token: str, vocab: Mapping[str, int]) -> int:
    if token in vocab:
        return vocab[token]
    if "<unk>" not in vocab:
        raise ValueError(f"token {token!r} is not in vocab, which has no '<unk>'")
    return vocab["<unk>"]


def teacher_forcing_input(target: Tensor, bos: int) -> Tensor:
    """What the decoder reads while it learns: the target, one step late, behind the beginning of the sequence.

        out[:, 0] = bos,      out[:, t] = target[:, t − 1]

    Args:
        target: (B, T), integers, T at least 1.
        bos: the index of the beginning of a sequence.

    Returns:
        (B, T), of the target's dtype; its last column is never read.

    Raises:
        ValueError: ``target`` has not two axes, or no step.
        TypeError: ``target`` holds no integers, or ``bos`` is no whole number.

    Source: note 004, training of seq2seq; Williams and Zipser 1989, Neural Computation 1.
    """
    check_integer("target", target)
    check_axes("target", target, 2)
    if target.shape[1] == 0:
        raise ValueError("target has 0 steps, expected at least 1")
    first = torch.full_like(target[:, :1], check_whole("bos", bos))
    return torch.cat([first, target[:, :-1]], dim=1)


def sequence_mask(x: Tensor, valid_len: Tensor, value: float = 0) -> Tensor:
    """Replace what lies beyond each row's length.

        out[b, t] = x[b, t] for t < valid_len[b], else value

    Args:
        x: (B, T, …), of any dtype.
        valid_len: (B,), whole numbers. 0 and below replace the whole row, T and beyond nothing.
        value: what stands in the place of padding, as the dtype of ``x`` holds it.

    Returns:
        A new tensor of the shape and dtype of ``x``, which is left as it was. What is replaced, nan included, has a
        gradient of 0.

    Raises:
        ValueError: ``x`` has fewer than two axes, or ``valid_len`` is not (B,).
        TypeError: ``x`` is no tensor, or ``valid_len`` holds no integers.

    Source: note 004, loss of seq2seq.
    """
    check_tensor("x", x)
    if x.ndim < 2:
        raise ValueError(f"x must have at least 2 axes, got shape {tuple(x.shape)}")
    check_integer("valid_len", valid_len)
    check_shape("valid_len", valid_len, (len(x),))
    inside = torch.arange(x.shape[1], device=x.device) < valid_len[:, None]
    return torch.where(inside.reshape(*inside.shape, *[1] * (x.ndim - 2)), x, torch.full_like(x, value))
