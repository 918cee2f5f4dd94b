"""A detector, trained from pictures with boxes to a model that finds objects."""

from collections.abc import Callable

import torch
from torch import Tensor

from lawbook.reference.activations import relu
from lawbook.reference.checks import check_axes, check_floating, check_shape
from lawbook.reference.convolution import conv2d
from lawbook.reference.detection import (
    concat_predictions,
    multibox_detection,
    multibox_prior,
    multibox_target,
    ssd_loss,
)
from lawbook.reference.losses import softmax
from lawbook.reference.training.checkpoints import Path, fingerprint
from lawbook.reference.training.loop import OnEpoch, Params, Recipe, check_run, fit, uniform

WIDTHS = (12, 24, 24)
STRIDES = (2, 2, 1)
SIZES, RATIOS = (0.3, 0.42, 0.55), (1.0,)
RECIPE = Recipe(batch=8, lr=0.01)
LEAST_CONFIDENCE, MOST_OVERLAP = 0.4, 0.3


def train_detector(
    images: Tensor,
    labels: Tensor,
    epochs: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Train a network that finds objects in pictures: what each is, and where.

        minimize over params   mean_i ssd_loss(predictions for the anchors of image_i, multibox_target of labels_i)

    where the contract leaves open which network it is, which loss, and how it is trained: what is judged is what it finds in
    pictures that it never saw. Here it is a single-shot detector: three convolutions down to a quarter of the size, three
    anchors on each pixel there, Adam in batches of 8.

    Args:
        images: (n, 3, H, W), floating, from 0 to 1; n at least 1, H and W at least 8.
        labels: (n, m, 5), the images' dtype: class (0, 1, …) and corners x1, y1, x2, y2 of every object, in shares of width
            and height. Rows of the class −1 pad images with fewer objects, wherever they stand; their boxes mean nothing.
        epochs: passes through the data in total, at least 1.
        seed: fixes all that is random: the same call gives the same result, to the last bit. At least 0.
        checkpoint: a path. After every epoch the state is written there in the safetensors format, as a whole: whatever
            happens, the file holds the last finished epoch. Where it is there at first, training goes on from it, and ends
            where one run of all epochs ends, to the last bit.
        on_epoch: called as on_epoch(epoch, loss) after every epoch that is run, 0, 1, …, once the checkpoint is written,
            with the Python float that enters the history. What it raises reaches the caller.

    Returns:
        model: images (b, 3, H, W) → (b, k, 6), the images' dtype: class, confidence from 0 to 1, and corners. Rows of the
            class −1 are no detections, and mean nothing else; k does not depend on what the images show. In evaluation mode,
            deterministic, without a graph, each image by itself.
        history: (epochs,) float64: the mean training loss of every epoch.

    Raises:
        ValueError: shapes do not fit, there is no image or no epoch, a class is below −1 or no whole number, or an object has
            no width or no height, or its corners in the other order; or the checkpoint is damaged, belongs to other data or
            another seed, or has seen more epochs. It is left as it is. Below 8 pixels, too, though a network that takes
            such pictures is as good: the contract speaks of larger ones.
        TypeError: ``images`` or ``labels`` are not floating.

    Source: note 004, SSD (the training loop of its section); Liu et al. 2016, arXiv:1512.02325.
    """
    _check(images, labels)
    check_run(epochs, seed)
    task = fingerprint("train_detector", images=images, labels=labels, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    classes = max(1, int(labels[..., 0].max()) + 1 if labels.numel() else 1)
    params = _begin(classes, generator, images.dtype)
    pixels = images.detach()
    height, width = _features(params, pixels[:1]).shape[2:]
    anchors = multibox_prior(height, width, SIZES, RATIOS).to(images.dtype)
    offsets, masks, targets = multibox_target(anchors, labels.detach())

    def objective(params: Params, rows: Tensor, _: torch.Generator) -> Tensor:
        scores, boxes = _predict(params, pixels[rows])
        return ssd_loss(scores, targets[rows], boxes, offsets[rows], masks[rows])

    params, history = fit(task, params, objective, len(images), RECIPE, epochs, generator, checkpoint, on_epoch)

    @torch.no_grad()
    def model(images: Tensor) -> Tensor:
        scores, boxes = _predict(params, images)
        likely = softmax(scores, -1).transpose(1, 2)
        found = multibox_detection(likely, boxes, anchors, MOST_OVERLAP, LEAST_CONFIDENCE)
        return torch.cat([found[..., :2], found[..., 2:].clamp(0, 1)], -1)

    return model, history


def _begin(classes: int, generator: torch.Generator, dtype: torch.dtype) -> Params:
    params, inputs, anchors = {}, 3, len(SIZES) + len(RATIOS) - 1
    outputs = {f"conv{k}": width for k, width in enumerate(WIDTHS)}
    outputs |= {"classes": anchors * (classes + 1), "boxes": anchors * 4}
    for name, width in outputs.items():
        params[f"{name}.weight"] = uniform((width, inputs, 3, 3), 3 * inputs, generator, dtype)
        params[f"{name}.bias"] = torch.zeros(width, dtype=dtype)
        inputs = width if name.startswith("conv") else inputs
    return params


def _features(params: Params, images: Tensor) -> Tensor:
    x = images * 2 - 1
    for k, stride in enumerate(STRIDES):
        x = relu(conv2d(x, params[f"conv{k}.weight"], params[f"conv{k}.bias"], stride=stride, padding=1))
    return x


def _predict(params: Params, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (b, A, classes + 1) and offsets (b, 4·A)."""
    x = _features(params, images)
    scores, boxes = (
        concat_predictions([conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"], padding=1)])
        for name in ("classes", "boxes")
    )
    return scores.reshape(len(images), boxes.shape[1] // 4, -1), boxes


def _check(images: Tensor, labels: Tensor) -> None:
    check_floating("images", images)
    check_floating("labels", labels)
    check_axes("images", images, 4)
    check_axes("labels", labels, 3)
    if len(images) == 0 or images.shape[1] != 3 or min(images.shape[2:]) < 8:
        raise ValueError(f"images has shape {tuple(images.shape)}, expected (n, 3, H, W), H and W at least 8")
    check_shape("labels", labels, (len(images), labels.shape[1], 5))
    kinds = labels[..., 0]
    if not bool(((kinds >= -1) & (kinds == kinds.floor())).all()):
        raise ValueError(f"labels holds the classes {kinds.unique().tolist()}, expected −1, 0, 1, …")
    boxes = labels[kinds >= 0][:, 1:]
    if not bool((boxes[:, :2] < boxes[:, 2:]).all()):
        raise ValueError("labels holds an object whose corners are in another order than x1 < x2, y1 < y2")
