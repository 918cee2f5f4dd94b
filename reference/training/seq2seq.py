"""A translator, trained from pairs of sequences to the sequence that belongs to a new one."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from lawbook.reference.checks import check_axes, check_integer, check_shape, check_whole
from lawbook.reference.losses import cross_entropy
from lawbook.reference.recurrent import packed_recurrent
from lawbook.reference.recurrent.parameters import check_indices
from lawbook.reference.seq2seq import seq2seq_decoder, teacher_forcing_input
from lawbook.reference.training.checkpoints import Path, fingerprint
from lawbook.reference.training.language_model import gru_parameters, under
from lawbook.reference.training.loop import OnEpoch, Params, Recipe, check_run, fit, uniform

PAD, BOS, EOS = 0, 1, 2
EMBEDDED, HIDDEN = 16, 64
RECIPE = Recipe(batch=32, lr=0.01, clip=1.0)


def train_seq2seq(
    source: Tensor,
    source_lengths: Tensor,
    target: Tensor,
    target_lengths: Tensor,
    vocab: int,
    epochs: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Callable[[Tensor, Tensor, int], Tensor], Tensor]:
    """Train a network that answers one sequence with another.

        minimize over params   mean_{i, t < n_i} −log p(target_it | target_i0 … target_i,t−1, source_i)

    where 0 is padding, 1 begins a sequence and 2 ends it, in sources and targets alike. The contract leaves open which
    network it is, and how it is trained. Here an encoder and a decoder are gated recurrent units of 64 over embeddings of
    16, the decoder sees the encoder's last state at every step, and the target itself while it is trained; it answers with
    the likeliest token, step by step.

    Args:
        source: (n, S), whole numbers 0..vocab − 1, n and S at least 1. What stands behind a row's length is padding and
            plays no part.
        source_lengths: (n,), whole numbers 1..S.
        target: (n, T), each row ending in 2 at its length; nothing begins it.
        target_lengths: (n,), whole numbers 1..T, the end included.
        vocab: how many tokens there are, at least 4.
        epochs, seed, checkpoint, on_epoch: as for ``train_classifier``.

    Returns:
        model: (source (b, S'), lengths (b,), max_length ≥ 1) → (b, max_length) int64: the tokens of the answers, 2 where an
            answer ends, and 0 from there on; neither 0 nor 1 before. Deterministic, each source by itself.
        history: (epochs,) float64: the mean loss of every epoch, in nats a token of the targets, each as it was before the
            step that it led to.

    Raises:
        ValueError: shapes do not fit, there is no row, a length is out of range, a target does not end in 2, there is no
            epoch; or the checkpoint is refused, as for ``train_classifier``.
        IndexError: a token outside of 0..vocab − 1.
        TypeError: a tensor holds no whole numbers.

    Source: note 004 (sequence to sequence, train_seq2seq and predict_seq2seq); Sutskever et al. 2014, arXiv:1409.3215.
    """
    check_whole("vocab", vocab, 4)
    _check_rows("source", source, source_lengths, vocab)
    _check_rows("target", target, target_lengths, vocab)
    check_shape("target_lengths", target_lengths, (len(source),))
    if not bool((target.gather(1, target_lengths.long()[:, None] - 1) == EOS).all()):
        raise ValueError(f"target has rows that do not end in {EOS} at their length")
    check_run(epochs, seed)
    given = {"source": source, "source_lengths": source_lengths, "target": target, "target_lengths": target_lengths}
    task = fingerprint("train_seq2seq", **given, vocab=vocab, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    params = {
        "embedding": uniform((vocab, EMBEDDED), 1, generator, torch.float32),
        **gru_parameters("encoder.", EMBEDDED, HIDDEN, generator),
        **gru_parameters("decoder.", EMBEDDED + HIDDEN, HIDDEN, generator),
        "W_hq": uniform((HIDDEN, vocab), HIDDEN, generator, torch.float32),
        "b_q": torch.zeros(vocab),
    }
    inside = torch.arange(target.shape[1]) < target_lengths[:, None]
    inputs, targets = teacher_forcing_input(target.long(), BOS), target.long()

    def objective(params: Params, rows: Tensor, _: Generator) -> Tensor:
        state = _encoded(params, source[rows], source_lengths[rows])
        scores = seq2seq_decoder(inputs[rows], _decoder(params), state)[0]
        return cross_entropy(scores[inside[rows]], targets[rows][inside[rows]], reduction="none")

    params, history = fit(task, params, objective, len(source), RECIPE, epochs, generator, checkpoint, on_epoch)

    @torch.no_grad()
    def model(source: Tensor, lengths: Tensor, max_length: int) -> Tensor:
        _check_rows("source", source, lengths, vocab)
        check_whole("max_length", max_length, 1)
        state, token, going = _encoded(params, source, lengths), torch.full((len(source), 1), BOS), None
        found = []
        for _ in range(max_length):
            scores, state = seq2seq_decoder(token, _decoder(params), state)
            # Neither padding nor a beginning is an answer.
            token = scores[:, :, EOS:].argmax(2) + EOS
            found.append(token if going is None else torch.where(going, token, PAD))
            going = found[-1] > EOS
        return torch.cat(found, 1)

    return model, history


def _encoded(params: Params, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder begins with: the encoder's state at the end of each row, as context and as its own state."""
    embedded = params["embedding"][source.T.long()]
    _, state = packed_recurrent(embedded, lengths, "gru", None, under(params, "encoder."), reset="after")
    return state[-1], state


def _decoder(params: Params) -> dict[str, Tensor | Params]:
    return {"gru": under(params, "decoder."), **{name: params[name] for name in ("embedding", "W_hq", "b_q")}}


def _check_rows(name: str, tokens: Tensor, lengths: Tensor, vocab: int) -> None:
    check_integer(name, tokens)
    check_integer(f"{name}_lengths", lengths)
    check_axes(name, tokens, 2)
    if 0 in tokens.shape:
        raise ValueError(f"{name} has shape {tuple(tokens.shape)}, expected at least one row and one token")
    check_shape(f"{name}_lengths", lengths, (len(tokens),))
    if not bool(((lengths >= 1) & (lengths <= tokens.shape[1])).all()):
        raise ValueError(
            f"{name}_lengths holds {int(lengths.min())}..{int(lengths.max())}, expected 1..{tokens.shape[1]}"
        )
    check_indices(name, tokens, vocab)
