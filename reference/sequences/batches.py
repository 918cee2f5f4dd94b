"""Batches of a corpus for language models, and the perplexity of one."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_integer, check_whole
from lawbook.reference.data.datasets import stream

Batches = list[tuple[Tensor, Tensor]]


def random_batches(corpus: Tensor, batch_size: int, num_steps: int, *, seed: int) -> Batches:
    """One pass through a corpus in subsequences of random order.

        offset o uniform in 0 … num_steps − 1;   m = ⌊(n − o − 1) / num_steps⌋ subsequences, beginning at o + j · num_steps
        each batch: ``batch_size`` of them, in an order that is uniform anew in every pass;   Y is X one step on

    Args:
        corpus: (n,) whole numbers.
        batch_size: at least 1.
        num_steps: tokens in a subsequence, at least 1.
        seed: the same seed gives the same batches.

    Returns:
        A list of ⌊m / batch_size⌋ pairs X, Y of shape (batch_size, num_steps), dtype of ``corpus``. Subsequences that fill no
        batch are left out; another pass has others.

    Raises:
        ValueError: ``corpus`` has not one axis, or ``batch_size``, ``num_steps`` or ``seed`` is too small.
        TypeError: ``corpus`` does not hold whole numbers, or a number is none.

    Conventions: Y is shifted within the text, not within X: the last label of a row is the token behind the row. An offset of
        ``num_steps``, which some codes draw too, would only skip a whole subsequence.

    Source: note 003 (data format); note 004 (recurrent networks, reading the data).
    """
    n, batch_size, num_steps = _checked(corpus, batch_size, num_steps)
    generator = stream(seed)
    offset = int(torch.randint(0, num_steps, (), generator=generator))
    count = max(n - offset - 1, 0) // num_steps
    starts = offset + num_steps * torch.randperm(count, generator=generator).to(corpus.device)
    batches = starts[: count // batch_size * batch_size].reshape(-1, batch_size)
    steps = torch.arange(num_steps, device=corpus.device)
    return [(corpus[rows[:, None] + steps], corpus[rows[:, None] + steps + 1]) for rows in batches]


def sequential_batches(corpus: Tensor, batch_size: int, num_steps: int, *, seed: int) -> Batches:
    """One pass through a corpus in which every row goes on where it ended in the batch before.

        offset o uniform in 0 … num_steps − 1;   l = ⌊(n − o − 1) / batch_size⌋ tokens in a row
        row r reads from o + r · l on;   batch j: steps j · num_steps … (j + 1) · num_steps − 1 of each row;   Y is X one step on

    so that a state kept from one batch to the next belongs to the tokens before.

    Args:
        corpus, batch_size, num_steps, seed: as in ``random_batches``.

    Returns:
        A list of ⌊l / num_steps⌋ pairs X, Y of shape (batch_size, num_steps), dtype of ``corpus``.

    Raises:
        ValueError, TypeError: as in ``random_batches``.

    Source: note 003 (data format); note 004 (recurrent networks, reading the data).
    """
    n, batch_size, num_steps = _checked(corpus, batch_size, num_steps)
    offset = int(torch.randint(0, num_steps, (), generator=stream(seed)))
    length = max(n - offset - 1, 0) // batch_size
    X, Y = (corpus[start : start + batch_size * length].reshape(batch_size, length) for start in (offset, offset + 1))
    starts = range(0, length // num_steps * num_steps, num_steps)
    return [(X[:, i : i + num_steps].clone(), Y[:, i : i + num_steps].clone()) for i in starts]


def perplexity(log_probs: Tensor | None = None, mean_loss: Tensor | None = None) -> Tensor:
    """Between how many tokens a language model hesitates, on average.

        exp(− mean of log p(token))  =  exp(mean cross entropy)

    Args:
        log_probs: the natural logarithm of the probability that the model gave each true token, any shape, at most 0; −inf for
            one it held for impossible. Or
        mean_loss: (), the mean cross entropy over all tokens in nats, at least 0.

    Returns:
        (), dtype of the argument: 1 for certainty, V for a uniform choice among V, inf where a token was held for impossible.

    Raises:
        ValueError: both or none of the arguments are given, there is no token, a logarithm is above 0, or ``mean_loss`` is
            negative or has an axis.
        TypeError: the argument is not floating.

    Conventions: the mean is over all tokens. The mean of the perplexities of batches or sentences is another number, and with
        as many tokens in each never a smaller one.

    Source: note 004 (recurrent networks, perplexity).
    """
    if log_probs is not None and mean_loss is None:
        check_floating("log_probs", log_probs)
        if not log_probs.numel() or bool((log_probs > 0).any()):
            raise ValueError(f"log_probs are {log_probs}, expected at least one, and none above 0")
        return torch.exp(-log_probs.mean())
    if mean_loss is not None and log_probs is None:
        check_floating("mean_loss", mean_loss)
        check_axes("mean_loss", mean_loss, 0)
        if bool(mean_loss < 0):
            raise ValueError(f"mean_loss is {mean_loss}, expected at least 0")
        return torch.exp(mean_loss)
    raise ValueError("log_probs and mean_loss are both given, or none of them; expected one")


def _checked(corpus: Tensor, batch_size: int, num_steps: int) -> tuple[int, int, int]:
    check_integer("corpus", corpus)
    check_axes("corpus", corpus, 1)
    return len(corpus), check_whole("batch_size", batch_size, 1), check_whole("num_steps", num_steps, 1)
