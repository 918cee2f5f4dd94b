"""Features of a network's layers, and the image that is moved until its features fit."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_range, check_whole
from lawbook.reference.style_transfer.objective import content_loss, gram, style_loss, transfer_loss, tv_loss

Layer = Callable[[Tensor], Tensor]

# Adam's usual numbers, which note 004 takes.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def extract_features(
    x: Tensor, layers: Sequence[Layer], style_ids: Sequence[int], content_ids: Sequence[int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run an image through a network and keep what some of its layers give.

        h_0 = layers[0](x),   h_k = layers[k](h_{k−1})
        contents = (h_k for k in content_ids),   styles = (h_k for k in style_ids),   both in the order of the layers

    Layers beyond the deepest one needed are not run, and each other one once.

    Args:
        x: any shape, floating.
        layers: functions of one tensor. A layer may write into what it is given: that changes neither ``x`` nor features
            kept before.
        style_ids, content_ids: positions in ``layers``, in any order; one that comes twice is kept once, and one of both
            in both. Without any, no layer is run.

    Returns:
        (contents, styles).

    Raises:
        TypeError: ``x`` is not floating, or a position not whole.
        IndexError: a position is outside of 0..len(layers) − 1; none counts from the end.

    Conventions: VGG as torchvision has it rectifies in place. In note 004, which keeps the very tensors, the convolutions'
        results that are chosen have become those of the ReLU behind them when the loss is computed.

    Source: note 004, style transfer (extract_features); Gatys, Ecker and Bethge 2016.
    """
    check_floating("x", x)
    for name, ids in (("style_ids", style_ids), ("content_ids", content_ids)):
        for k in ids:
            if not 0 <= check_whole(name, k) < len(layers):
                raise IndexError(f"{name} holds {k}, expected 0..{len(layers) - 1}")
    chosen = {*style_ids, *content_ids}
    contents, styles = [], []
    h = x.clone() if chosen else x
    for k in range(max(chosen, default=-1) + 1):
        h = layers[k](h)
        if k in chosen:
            kept, h = h, h.clone()
            contents += [kept] * (k in content_ids)
            styles += [kept] * (k in style_ids)
    return contents, styles


def synthesize(
    content: Tensor,
    style: Tensor,
    layers: Sequence[Layer],
    style_ids: Sequence[int],
    content_ids: Sequence[int],
    steps: int,
    lr: float = 0.3,
    weights: tuple[float, float, float] = (1.0, 1e3, 10.0),
    lr_decay: float = 0.8,
    decay_every: int = 50,
) -> tuple[Tensor, Tensor]:
    """Move the pixels of an image until it has its content in another one's style.

        x_0 = content,   x_t = x_{t−1} − lr_t · Adam's direction of ∇l(x_{t−1}),   lr_t = lr · lr_decay^⌊(t − 1) / decay_every⌋
        l(x) = transfer_loss(content losses, style losses, tv_loss(x), weights)

    where the content losses compare the features of x with those of ``content``, the style losses their grams with those of
    ``style``, layer by layer. Adam keeps 0.9 of the gradients and 0.999 of their squares, with an eps of 1e-8 beside the
    root, as in the chapter on optimization. Nothing changes but the image: not the network, nor either argument.

    Args:
        content: (1, C, H, W), floating, not empty.
        style: (1, C, H′, W′), dtype of ``content``.
        layers, style_ids, content_ids: as for ``extract_features``; what the layers give are batches of one with channels.
        steps: how many, at least 0.
        lr: the first rate, at least 0.
        weights: of content, style and total variation, at least 0.
        lr_decay, decay_every: by which factor the rate falls, from 0 to 1, and after how many steps each time, at least 1.

    Returns:
        x_steps, (1, C, H, W), and l(x_0), …, l(x_steps), (steps + 1,); both of ``content``'s dtype, without a graph.

    Raises:
        TypeError: an image is not floating, or a number not whole that must be.
        ValueError: an image is no batch of exactly one, a number lies outside its bounds, or features do not fit.
        IndexError: a position is no layer's.

    Source: note 004, style transfer (train); Gatys, Ecker and Bethge 2016; Kingma and Ba 2015, arXiv:1412.6980.
    """
    for name, image in (("content", content), ("style", style)):
        check_floating(name, image)
        check_axes(name, image, 4)
        if image.shape[0] != 1 or 0 in image.shape or image.shape[1] != content.shape[1]:
            raise ValueError(f"{name} has shape {tuple(image.shape)}, expected (1, C, H, W), not empty")
    steps, decay_every = check_whole("steps", steps, 0), check_whole("decay_every", decay_every, 1)
    check_range("lr", lr, 0)
    check_range("lr_decay", lr_decay, 0, 1)
    with torch.no_grad():
        content_targets, _ = extract_features(content, layers, (), content_ids)
        _, style_features = extract_features(style, layers, style_ids, ())
        style_targets = [gram(features) for features in style_features]

    def loss(x: Tensor) -> Tensor:
        contents, styles = extract_features(x, layers, style_ids, content_ids)
        content_losses = [content_loss(*pair) for pair in zip(contents, content_targets, strict=True)]
        style_losses = [style_loss(*pair) for pair in zip(styles, style_targets, strict=True)]
        return transfer_loss(content_losses, style_losses, tv_loss(x), weights)

    x = content.detach().clone()
    m, v, losses = torch.zeros_like(x), torch.zeros_like(x), []
    for t in range(1, steps + 1):
        with torch.enable_grad():
            x = x.requires_grad_(True)
            value = loss(x)
            # With respect to the pixels alone: a network's own parameters receive nothing.
            (gradient,) = torch.autograd.grad(value, x)
        losses.append(value.detach())
        with torch.no_grad():
            m = BETA1 * m + (1 - BETA1) * gradient
            v = BETA2 * v + (1 - BETA2) * gradient * gradient
            rate = lr * lr_decay ** ((t - 1) // decay_every)
            x = x - rate * (m / (1 - BETA1**t)) / ((v / (1 - BETA2**t)).sqrt() + EPS)
    with torch.no_grad():
        losses.append(loss(x))
    return x.detach(), torch.stack(losses).detach()
