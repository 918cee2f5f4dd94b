"""What colours become: brightness, contrast, saturation and hue of images with three channels."""

import math

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating, check_range

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the gray of a colour (ITU-R BT.601)."""


def adjust_brightness(image: Tensor, factor: float) -> Tensor:
    """Mix an image with black.

        y = clamp(factor · image, 0, 1)

    Args:
        image: (…, 3, H, W), floating, in [0, 1].
        factor: at least 0; 0 is black, 1 the image itself.

    Returns:
        Shape and dtype of ``image``, in [0, 1].

    Raises:
        ValueError: ``image`` has not three channels, or ``factor`` is negative or not finite.
        TypeError: ``image`` is not floating.

    Conventions: Pillow and torchvision multiply; TensorFlow, dm-pix and kornia *add* a number of the same name. Images of
        bytes, of levels 0..255, are another contract: an implementation may refuse them; if it takes them, levels stop
        at 255. Pillow and torchvision then cut the fraction off.

    Source: note 004 (data augmentation, ``ColorJitter``); torchvision's ``adjust_brightness``.
    """
    check_colors(image)
    check_factor(factor)
    return (factor * image).clamp(0, 1)


def adjust_contrast(image: Tensor, factor: float, center: str = "gray") -> Tensor:
    """Mix an image with its mean.

        y = clamp(factor · image + (1 − factor) · m, 0, 1)
        m = mean over all pixels of 0.299·red + 0.587·green + 0.114·blue, one number an image    (gray)
        m = mean over the pixels of each channel, three numbers an image                         (channel)

    Args:
        image: (…, 3, H, W), floating, in [0, 1], H and W at least 1.
        factor: at least 0; 0 is the mean everywhere, 1 the image itself.
        center: which mean, ``"gray"`` or ``"channel"``.

    Returns:
        Shape and dtype of ``image``, in [0, 1].

    Raises:
        ValueError: ``image`` has not three channels or no pixels, ``factor`` is negative or not finite, or another ``center``.
        TypeError: ``image`` is not floating.

    Conventions: Pillow and torchvision take the gray mean, TensorFlow and dm-pix each channel's own (neither clamps).
        Of bytes Pillow rounds the gray of every pixel and their mean to whole levels; torchvision cuts the fraction of
        the gray off and does not round the mean.

    Source: note 004 (data augmentation, ``ColorJitter``); torchvision's ``adjust_contrast``.
    """
    check_colors(image, 1)
    check_factor(factor)
    check_choice("center", center, ("gray", "channel"))
    middle = gray(image).mean((-3, -2, -1), keepdim=True) if center == "gray" else image.mean((-2, -1), keepdim=True)
    return (factor * image + (1 - factor) * middle).clamp(0, 1)


def adjust_saturation(image: Tensor, factor: float, method: str = "blend") -> Tensor:
    """Mix every pixel with its gray, or scale its saturation.

        y = clamp(factor · image + (1 − factor) · (0.299·red + 0.587·green + 0.114·blue), 0, 1)     (blend)
        y = v − min(factor, v / (v − u)) · (v − image)                                               (hsv)

    with v the largest and u the smallest channel of the pixel: hsv keeps hue and v and multiplies (v − u)/v, up to 1.

    Args:
        image: (…, 3, H, W), floating, in [0, 1].
        factor: at least 0; 0 leaves grays, 1 the image itself.
        method: ``"blend"`` or ``"hsv"``.

    Returns:
        Shape and dtype of ``image``, in [0, 1]. Pixels whose channels are equal stay; one with a nan is nan throughout.

    Raises:
        ValueError: ``image`` has not three channels, ``factor`` is negative or not finite, or another ``method``.
        TypeError: ``image`` is not floating.

    Conventions: Pillow's ``ImageEnhance.Color`` and torchvision blend, TensorFlow, dm-pix and kornia scale in HSV. Of bytes
        Pillow rounds the gray of every pixel, torchvision cuts its fraction off.

    Source: note 004 (data augmentation, ``ColorJitter``); torchvision's ``adjust_saturation``.
    """
    check_colors(image)
    check_factor(factor)
    check_choice("method", method, ("blend", "hsv"))
    if method == "blend":
        return (factor * image + (1 - factor) * gray(image)).clamp(0, 1)
    largest, chroma = _value_and_chroma(image)
    room = torch.where(chroma > 0, largest, 0) / torch.where(chroma > 0, chroma, 1)
    # Rounding must not lead below 0 where all of the saturation there is room for is taken.
    return (largest - room.clamp_max(factor) * (largest - image)).clamp(0, 1)


def adjust_hue(image: Tensor, factor: float) -> Tensor:
    """Turn the colour wheel of every pixel: red becomes yellow, green, cyan, blue, magenta and red again.

        y[n] = v − (v − u) · clamp(min(k, 4 − k), 0, 1),   k = (n + 6·(h + factor)) mod 6,   n = 5, 3, 1 for the three channels

    with v the largest and u the smallest channel of the pixel and its hue h, of six parts:

        6h = (green − blue)/(v − u) if red is largest, 2 + (blue − red)/(v − u) if green, 4 + (red − green)/(v − u) if blue

    Args:
        image: (…, 3, H, W), floating, in [0, 1].
        factor: part of a whole turn, any finite number; 1 is all the way round.

    Returns:
        Shape and dtype of ``image``, in [0, 1]. Largest and smallest channel of every pixel keep their values.

    Raises:
        ValueError: ``image`` has not three channels, or ``factor`` is not finite.
        TypeError: ``image`` is not floating.

    Conventions: torchvision refuses factors beyond ±½; TensorFlow takes −1 to 1; kornia takes radians. Pillow has no such
        function; through its mode HSV hue, saturation and value have 256 steps each.

    Source: note 004 (data augmentation, ``ColorJitter``); Smith 1978, Color Gamut Transform Pairs.
    """
    check_colors(image)
    if not math.isfinite(factor):
        raise ValueError(f"factor is {factor}, expected a finite number")
    largest, chroma = _value_and_chroma(image)
    red, green, blue = image.split(1, -3)
    # Of gray pixels the hue does not matter.
    width = torch.where(chroma > 0, chroma, 1)
    of_red, of_green, of_blue = (green - blue) / width, 2 + (blue - red) / width, 4 + (red - green) / width
    sixths = torch.where(red == largest, of_red, torch.where(green == largest, of_green, of_blue))
    wheel = torch.cat([(n + sixths + 6 * (factor % 1)) % 6 for n in (5, 3, 1)], -3)
    return largest - chroma * torch.minimum(wheel, 4 - wheel).clamp(0, 1)


def gray(image: Tensor) -> Tensor:
    """The gray of every pixel, (…, 1, H, W)."""
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(-3, keepdim=True)


def check_colors(image: Tensor, smallest: int = 0) -> None:
    """Raise ValueError unless ``image`` is (…, 3, H, W), floating."""
    check_floating("image", image)
    if image.ndim < 3 or image.shape[-3] != 3 or min(image.shape[-2:]) < smallest:
        least = f" with H and W at least {smallest}" if smallest else ""
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (..., 3, H, W){least}")


def check_factor(factor: float) -> None:
    """Raise ValueError unless ``factor`` is a finite number of at least 0."""
    check_range("factor", factor, 0)
    if math.isinf(factor):
        raise ValueError("factor is inf, expected a finite number")


def _value_and_chroma(image: Tensor) -> tuple[Tensor, Tensor]:
    """The largest channel of every pixel, and how far the smallest is below it."""
    largest = image.amax(-3, keepdim=True)
    return largest, largest - image.amin(-3, keepdim=True)
