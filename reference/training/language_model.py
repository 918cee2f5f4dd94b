"""A language model, trained from a text to the chances of every next token."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_axes, check_integer, check_whole
from lawbook.reference.losses import cross_entropy, log_softmax
from lawbook.reference.recurrent import gru
from lawbook.reference.recurrent.parameters import GATES, check_indices
from lawbook.reference.training.checkpoints import Path, fingerprint
from lawbook.reference.training.loop import OnEpoch, Params, Recipe, check_run, fit, uniform

EMBEDDED, HIDDEN = 24, 64
WINDOW = 20
RECIPE = Recipe(batch=16, lr=0.01, clip=1.0)


def train_language_model(
    corpus: Tensor,
    vocab: int,
    epochs: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Train a network that says how likely each token is to come next.

        minimize over params   mean_t −log p(corpus_{t+1} | corpus_t, corpus_{t−1}, …)

    where the contract leaves open which network it is, how far back it looks and how it is trained. Here it is a gated
    recurrent unit of 64 over embeddings of 24, which begins with a state of zeros every 20 tokens, trained by Adam on
    batches of 16 such windows, its gradients clipped to a norm of 1.

    Args:
        corpus: a text, (T,), whole numbers 0..vocab − 1, T at least 2.
        vocab: how many tokens there are, at least 2.
        epochs, seed, checkpoint, on_epoch: as for ``train_classifier``.

    Returns:
        model: prefix (b, t), t at least 1, whole numbers → (b, vocab) float32: the logarithms of the probabilities of the
            token after each prefix, each row's probabilities adding up to 1. In evaluation mode, deterministic, without a
            graph, each prefix by itself.
        history: (epochs,) float64: the mean loss of every epoch, in nats a token, each token's as it was before the step
            that it led to.

    Raises:
        ValueError: the corpus has not one axis or fewer than two tokens, there is no epoch; or the checkpoint is refused, as
            for ``train_classifier``.
        IndexError: a token outside of 0..vocab − 1.
        TypeError: ``corpus`` holds no whole numbers.

    Source: note 004 (recurrent networks, train_ch8; language models and data sets); Cho et al. 2014, arXiv:1406.1078.
    """
    check_integer("corpus", corpus)
    check_axes("corpus", corpus, 1)
    if len(corpus) < 2:
        raise ValueError(f"corpus has {len(corpus)} tokens, expected at least 2: one to read and one to predict")
    check_whole("vocab", vocab, 2)
    check_indices("corpus", corpus, vocab)
    check_run(epochs, seed)
    task = fingerprint("train_language_model", corpus=corpus, vocab=vocab, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    params = {
        "embedding": uniform((vocab, EMBEDDED), 1, generator, torch.float32),
        **gru_parameters("gru.", EMBEDDED, HIDDEN, generator),
        "W_hq": uniform((HIDDEN, vocab), HIDDEN, generator, torch.float32),
        "b_q": torch.zeros(vocab),
    }
    size = min(WINDOW, len(corpus) - 1)
    windows = -(-(len(corpus) - 1) // size)
    text = torch.full((windows * size + 1,), -1)
    text[: len(corpus)] = corpus
    inputs, targets = text[:-1].view(windows, size), text[1:].view(windows, size)

    def objective(params: Params, rows: Tensor, _: Generator) -> Tensor:
        # The last window may end early: there is nothing to predict behind the text.
        there = targets[rows].T >= 0
        scores = _scores(params, inputs[rows].clamp(min=0))[there]
        return cross_entropy(scores, targets[rows].T[there], reduction="none")

    params, history = fit(task, params, objective, windows, RECIPE, epochs, generator, checkpoint, on_epoch)

    @torch.no_grad()
    def model(prefix: Tensor) -> Tensor:
        check_axes("prefix", prefix, 2)
        check_indices("prefix", prefix, vocab)
        return log_softmax(_scores(params, prefix)[-1], -1)

    return model, history


def gru_parameters(name: str, inputs: int, hidden: int, generator: Generator) -> Params:
    """The parameters of a gated recurrent unit, under names that begin with ``name``."""
    found = {}
    for gate in GATES["gru"]:
        found[f"{name}W_x{gate}"] = uniform((inputs, hidden), inputs, generator, torch.float32)
        found[f"{name}W_h{gate}"] = uniform((hidden, hidden), hidden, generator, torch.float32)
        found[f"{name}b_{gate}"] = torch.zeros(hidden)
    return found


def under(params: Params, name: str) -> Params:
    """The parameters whose names begin so, by the rest of their names."""
    return {key.removeprefix(name): p for key, p in params.items() if key.startswith(name)}


def _scores(params: Params, tokens: Tensor) -> Tensor:
    """(b, t) → (t, b, vocab): the scores of the token after each."""
    output, _ = gru(params["embedding"][tokens.T], None, under(params, "gru."), reset="after")
    return output @ params["W_hq"] + params["b_q"]
