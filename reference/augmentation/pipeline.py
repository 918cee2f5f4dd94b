"""Steps one after the other: composed transforms, images as tensors, and what fine-tuning does with rates."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_range, check_shape, check_tensor


def compose(transforms: Sequence[Callable[[Any], Any]], image: Any) -> Any:
    """Apply transforms one after the other, the first one first.

        y = t_n(… t_2(t_1(image)) …)

    Args:
        transforms: functions of one argument, each given what the one before returned.
        image: what the first is given; any value.

    Returns:
        What the last returned; without transforms the image itself.

    Raises:
        TypeError: a transform cannot be called; none is called then.

    Conventions: as torchvision's ``Compose``: the list is read from the left. Composition in mathematics, t_n ∘ … ∘ t_1,
        is written from the right.

    Source: note 002 §6.1.2, note 004 (``transforms.Compose``).
    """
    for k, transform in enumerate(transforms):
        if not callable(transform):
            raise TypeError(f"transforms[{k}] is {type(transform).__name__}, expected something to call")
    for transform in transforms:
        image = transform(image)
    return image


def to_tensor(image: Tensor) -> Tensor:
    """An image of bytes, channels last, as floating numbers with channels first.

        y[c, i, j] = image[i, j, c] / 255

    Args:
        image: (H, W, C) uint8, or (H, W) for a single channel.

    Returns:
        (C, H, W) float32 in [0, 1], laid out in memory in that order or any other.

    Raises:
        ValueError: ``image`` has neither two nor three axes.
        TypeError: ``image`` is not uint8.

    Conventions: as torchvision's ``ToTensor``, which leaves other dtypes unscaled; here they are refused. 255 becomes 1, so
        that 256 is not the divisor.

    Source: note 002 §6.1.2, note 004 (``transforms.ToTensor``).
    """
    check_tensor("image", image)
    if image.dtype != torch.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}")
    if image.ndim not in (2, 3):
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (H, W, C) or (H, W)")
    channels_last = image[..., None] if image.ndim == 2 else image
    return channels_last.permute(2, 0, 1).to(torch.float32) / 255


def normalize(image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Subtract a mean from every channel and divide by a deviation.

        y[…, c, i, j] = (image[…, c, i, j] − mean[c]) / std[c]

    Args:
        image: (…, C, H, W), floating.
        mean: (C,), floating.
        std: (C,), floating, above 0.

    Returns:
        Shape and dtype of ``image``.

    Raises:
        ValueError: ``image`` has fewer than three axes, ``mean`` or ``std`` is not (C,), or a deviation is not above 0.
        TypeError: an argument is not floating.

    Conventions: numbers are those of a data set, computed once (ImageNet: note 004), not the image's own.

    Source: note 004 (semantic segmentation, ``Normalize`` with mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225)).
    """
    check_floating("image", image)
    if image.ndim < 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (..., C, H, W)")
    for name, x in (("mean", mean), ("std", std)):
        check_floating(name, x)
        check_shape(name, x, image.shape[-3:-2])
    # Written so that nan passes: it is to show in the result.
    if bool((std <= 0).any()):
        raise ValueError(f"std is {std.tolist()}, expected numbers above 0")
    return (image - mean[:, None, None]) / std[:, None, None]


def fine_tune_groups(
    names: Sequence[str], base_lr: float, head_names: Sequence[str], factor: float = 10.0
) -> list[dict[str, Any]]:
    """Divide a network's parameters into a body that keeps close to what it learnt and a head that learns faster.

        lr = base_lr            for the body: every name that is not in head_names
        lr = factor · base_lr   for the head: every name that is

    Args:
        names: the parameters' names, such as "layer1.weight" and "fc.bias", all different.
        base_lr: at least 0.
        head_names: whole names of the new layer's parameters, all of them among ``names``.
        factor: how much faster the head learns, at least 0.

    Returns:
        Two dicts with "params", a list of names in the order of ``names``, and "lr": the body's, then the head's. Either
        list may be empty.

    Raises:
        ValueError: a name comes twice, a head's name is not there, or a number is negative or not finite.

    Conventions: whole names are compared: "fc" is neither "fc.weight" nor "encoder.fc.weight".

    Source: note 004 (fine-tuning). Its code gives the body ten times the rate; its text says that the head, which starts
        from random numbers, takes the larger one.
    """
    for name, value in (("base_lr", base_lr), ("factor", factor)):
        check_range(name, value, 0)
        if math.isinf(value):
            raise ValueError(f"{name} is inf, expected a finite number")
    for what, listed in (("names", list(names)), ("head_names", list(head_names))):
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise ValueError(f"{what} has {', '.join(twice)} twice, expected different names")
    missing = sorted(set(head_names) - set(names))
    if missing:
        raise ValueError(f"head_names has {', '.join(missing)}, expected some of {', '.join(names)}")
    body = [name for name in names if name not in set(head_names)]
    head = [name for name in names if name in set(head_names)]
    return [{"params": body, "lr": base_lr}, {"params": head, "lr": factor * base_lr}]
