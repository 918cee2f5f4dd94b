"""A masked language model, trained from sentences to a model that fills gaps."""

from collections.abc import Callable

import torch
from torch import Tensor

from lawbook.reference.bert import bert_encoder, mask_lm_head
from lawbook.reference.checks import check_axes, check_integer, check_shape, check_whole
from lawbook.reference.losses import cross_entropy, log_softmax
from lawbook.reference.training.checkpoints import Path, fingerprint
from lawbook.reference.training.loop import OnEpoch, Params, Recipe, check_run, fit, uniform

PAD, CLS, SEP, MASK, WORD = range(5)
SIZE, INNER, HEADS, BLOCKS = 32, 64, 2, 2
CHOSEN, HIDDEN, REPLACED = 0.2, 0.8, 0.1
RECIPE = Recipe(batch=32, lr=0.004, clip=1.0)


def train_bert(
    tokens: Tensor,
    lengths: Tensor,
    vocab: int,
    epochs: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Callable[[Tensor, Tensor, Tensor], Tensor], Tensor]:
    """Train a network that fills gaps in sentences from the words before and behind them.

        minimize over params   mean over chosen positions t of   −log P(tokens[i, t] | the sentence with the chosen ones hidden)

    where the contract leaves open which network it is, and how it is trained: what is judged is which words it finds for gaps
    in sentences that it never saw. Here it is BERT with two blocks of 32 units, trained by Adam in batches of 32. In every
    sentence a fifth of the words, and one at least, are chosen anew each time: of them 0.8 are <mask>, 0.1 any word, and 0.1 as
    they were.

    Args:
        tokens: (n, T), integers below ``vocab``, n and T at least 1. 0 is <pad>, 1 <cls>, 2 <sep>, 3 <mask>; words begin at 4,
            and they alone are to be foretold. Each row holds a word at least.
        lengths: (n,), integers from 1 to T: what stands in a row from there on is padding, and means nothing.
        vocab: how many tokens there are, at least 5.
        epochs: passes through the data in total, at least 1.
        seed: fixes all that is random: the same call gives the same result, to the last bit. At least 0.
        checkpoint: a path. After every epoch the state is written there in the safetensors format, as a whole: whatever
            happens, the file holds the last finished epoch. Where it is there at first, training goes on from it, and ends
            where one run of all epochs ends, to the last bit.
        on_epoch: called as on_epoch(epoch, loss) after every epoch that is run, 0, 1, …, once the checkpoint is written,
            with the Python float that enters the history. What it raises reaches the caller.

    Returns:
        model: tokens (b, t), lengths (b,), positions (b, p), each below the row's length → (b, p, vocab), float32:
            log-probabilities of what stands at these positions, given all tokens as they are, with <mask> where the caller
            puts it. t is at most T. In evaluation mode, deterministic, without a graph, each row by itself.
        history: (epochs,) float64: the mean training loss of every epoch.

    Raises:
        IndexError: a token is out of range.
        ValueError: shapes do not fit, a length is out of range, a row holds no word, there is no row or no epoch; or the
            checkpoint is damaged, belongs to other data or another seed, or has seen more epochs. It is left as it is.
        TypeError: ``tokens`` or ``lengths`` hold no whole numbers.

    Source: note 004, BERT (train_bert); Devlin et al. 2018, arXiv:1810.04805, §3.1.
    """
    words = _words(tokens, lengths, vocab)
    check_run(epochs, seed)
    task = fingerprint("train_bert", tokens=tokens, lengths=lengths, vocab=vocab, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    params = _begin(vocab, tokens.shape[1], generator)
    given = tokens.long()

    def objective(params: Params, rows: Tensor, generator: torch.Generator) -> Tensor:
        hidden, chosen = _hide(given[rows], words[rows], vocab, generator)
        row, position = chosen.nonzero().unbind(1)
        encoded = _encode(params, hidden, lengths[rows])
        logits = _answer(params, encoded[row, position][:, None], torch.zeros(len(row), 1, dtype=torch.int64))
        return cross_entropy(logits[:, 0], given[rows][chosen], reduction="none")

    params, history = fit(task, params, objective, len(tokens), RECIPE, epochs, generator, checkpoint, on_epoch)

    @torch.no_grad()
    def model(tokens: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        return log_softmax(_answer(params, _encode(params, tokens, lengths), positions), -1)

    return model, history


def _words(tokens: Tensor, lengths: Tensor, vocab: int) -> Tensor:
    """Where words stand, (n, T); raise unless the data is what the contract says."""
    check_integer("tokens", tokens)
    check_integer("lengths", lengths)
    check_axes("tokens", tokens, 2)
    check_whole("vocab", vocab, WORD + 1)
    if 0 in tokens.shape:
        raise ValueError(f"tokens has shape {tuple(tokens.shape)}, expected at least one row of at least one token")
    check_shape("lengths", lengths, (len(tokens),))
    if not bool(((tokens >= 0) & (tokens < vocab)).all()):
        raise IndexError(f"tokens holds {int(tokens.min())}..{int(tokens.max())}, expected 0..{vocab - 1}")
    if not bool(((lengths >= 1) & (lengths <= tokens.shape[1])).all()):
        raise ValueError(f"lengths holds {lengths.tolist()}, expected 1..{tokens.shape[1]}")
    words = (tokens >= WORD) & (torch.arange(tokens.shape[1]) < lengths[:, None])
    if not bool(words.any(1).all()):
        raise ValueError(f"row {int(words.any(1).long().argmin())} of tokens holds no word, expected one at least")
    return words


def _hide(tokens: Tensor, words: Tensor, vocab: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens with some words hidden, and which were chosen."""
    draws = torch.where(words, torch.rand(words.shape, generator=generator), 2.0)
    # The least draw of each row in any case.
    chosen = (draws < CHOSEN) | (draws == draws.amin(1, keepdim=True))
    fate = torch.rand(words.shape, generator=generator)
    others = torch.randint(WORD, vocab, words.shape, generator=generator)
    hidden = torch.where(fate < HIDDEN, MASK, torch.where(fate < HIDDEN + REPLACED, others, tokens))
    return torch.where(chosen, hidden, tokens), chosen


def _begin(vocab: int, most: int, generator: torch.Generator) -> Params:
    params = {}
    for name, rows in (("token", vocab), ("position", most)):
        params[name] = 0.5 * uniform((rows, SIZE), 1, generator, torch.float32)
    for k in range(BLOCKS):
        for name in ("W_q", "W_k", "W_v", "W_o"):
            params[f"{k}.{name}"] = uniform((SIZE, SIZE), SIZE, generator, torch.float32)
        params[f"{k}.W_1"] = uniform((SIZE, INNER), SIZE, generator, torch.float32)
        params[f"{k}.W_2"] = uniform((INNER, SIZE), INNER, generator, torch.float32)
        params |= {f"{k}.b_1": torch.zeros(INNER), f"{k}.b_2": torch.zeros(SIZE)}
        params |= {f"{k}.{name}": torch.ones(SIZE) for name in ("gamma1", "gamma2")}
        params |= {f"{k}.{name}": torch.zeros(SIZE) for name in ("beta1", "beta2")}
    params["mlm.W_1"] = uniform((SIZE, SIZE), SIZE, generator, torch.float32)
    params["mlm.W_2"] = uniform((SIZE, vocab), SIZE, generator, torch.float32)
    ends = {"b_1": torch.zeros(SIZE), "b_2": torch.zeros(vocab), "gamma": torch.ones(SIZE), "beta": torch.zeros(SIZE)}
    return params | {f"mlm.{name}": p for name, p in ends.items()}


def _encode(params: Params, tokens: Tensor, lengths: Tensor) -> Tensor:
    blocks = [
        {
            "attention": {name: params[f"{k}.{name}"] for name in ("W_q", "W_k", "W_v", "W_o")},
            "norm1": {"gamma": params[f"{k}.gamma1"], "beta": params[f"{k}.beta1"]},
            "ffn": {name: params[f"{k}.{name}"] for name in ("W_1", "b_1", "W_2", "b_2")},
            "norm2": {"gamma": params[f"{k}.gamma2"], "beta": params[f"{k}.beta2"]},
        }
        for k in range(BLOCKS)
    ]
    tables = {"token": params["token"], "position": params["position"], "segment": torch.zeros(1, SIZE)}
    return bert_encoder(tokens, torch.zeros_like(tokens), lengths, {"embeddings": tables, "blocks": blocks}, HEADS)


def _answer(params: Params, encoded: Tensor, positions: Tensor) -> Tensor:
    head = {name.removeprefix("mlm."): p for name, p in params.items() if name.startswith("mlm.")}
    return mask_lm_head(encoded, positions, head)
