"""A classifier, trained from its data to a model that answers."""

from collections.abc import Callable

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_integer, check_shape, check_whole
from lawbook.reference.generalization import mlp
from lawbook.reference.losses import cross_entropy
from lawbook.reference.training.checkpoints import Path, fingerprint
from lawbook.reference.training.loop import OnEpoch, Params, Recipe, check_run, fit, uniform

HIDDEN = 64
RECIPE = Recipe(batch=32, lr=0.01)


def train_classifier(
    X: Tensor,
    y: Tensor,
    classes: int,
    epochs: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Train a network that tells classes apart.

        minimize over params   mean_i −log softmax(net(params, X_i))[y_i]

    where the contract leaves open which network it is, and how it is trained: what is judged is how well it does on samples
    that it never saw. Here it is a perceptron with one hidden layer of 64 units over inputs that are centred and scaled,
    trained by Adam in batches of 32.

    Args:
        X: samples, (n, …), floating, n at least 1; features may be of unlike sizes and lie away from 0.
        y: classes, (n,), whole numbers 0..classes − 1.
        classes: how many there are, at least 2.
        epochs: passes through the data in total, at least 1.
        seed: fixes all that is random: the same call gives the same result, to the last bit. At least 0.
        checkpoint: a path. After every epoch the state is written there in the safetensors format, as a whole: whatever
            happens, the file holds the last finished epoch. Where it is there at first, training goes on from it, and ends
            where one run of all epochs ends, to the last bit.
        on_epoch: called as on_epoch(epoch, loss) after every epoch that is run, 0, 1, …, once the checkpoint is written,
            with the Python float that enters the history. What it raises reaches the caller.

    Returns:
        model: X (b, …) → scores (b, classes), the dtype of ``X``: in evaluation mode, deterministic, without a graph, each
            sample by itself.
        history: (epochs,) float64: the mean training loss of every epoch.

    Raises:
        ValueError: shapes do not fit, a class is out of range, there is no sample or no epoch; or the checkpoint is damaged,
            belongs to other data or another seed, or has seen more epochs. It is left as it is.
        TypeError: ``X`` is not floating, or ``y`` holds no whole numbers.

    Source: note 004 (softmax regression and multilayer perceptrons, train_ch3); note 002 §6.3 (training loops).
    """
    check_floating("X", X)
    check_integer("y", y)
    check_axes("y", y, 1)
    if X.ndim < 2 or len(X) == 0:
        raise ValueError(f"X has shape {tuple(X.shape)}, expected at least one sample, and an axis of features")
    check_shape("y", y, (len(X),))
    check_whole("classes", classes, 2)
    if not bool(((y >= 0) & (y < classes)).all()):
        raise ValueError(f"y holds {int(y.min())}..{int(y.max())}, expected 0..{classes - 1}")
    check_run(epochs, seed)
    task = fingerprint("train_classifier", X=X, y=y, classes=classes, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    flat = X.detach().flatten(1)
    centre = flat.mean(0)
    spread = (flat - centre).square().mean(0).sqrt()
    spread = torch.where(spread > 0, spread, 1)
    params = {
        "W_xh": uniform((flat.shape[1], HIDDEN), flat.shape[1], generator, X.dtype),
        "b_h": X.new_zeros(HIDDEN),
        "W_hq": uniform((HIDDEN, classes), HIDDEN, generator, X.dtype),
        "b_q": X.new_zeros(classes),
    }
    scaled, labels = (flat - centre) / spread, y.long()

    def objective(params: Params, rows: Tensor, _: torch.Generator) -> Tensor:
        return cross_entropy(_scores(params, scaled[rows]), labels[rows], reduction="none")

    params, history = fit(task, params, objective, len(X), RECIPE, epochs, generator, checkpoint, on_epoch)

    @torch.no_grad()
    def model(X: Tensor) -> Tensor:
        return _scores(params, (X.flatten(1) - centre) / spread)

    return model, history


def _scores(params: Params, X: Tensor) -> Tensor:
    return mlp(X, [params["W_xh"], params["W_hq"]], [params["b_h"], params["b_q"]])
