"""Random numbers that an augmentation is made of: where to crop, and how strongly to recolour."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator

from lawbook.reference.checks import check_range, check_whole

ATTEMPTS = 10
"""How often a region is drawn that may turn out too large for the image."""


def random_resized_crop_params(
    height: int,
    width: int,
    scale: Sequence[float] = (0.08, 1.0),
    ratio: Sequence[float] = (3 / 4, 4 / 3),
    *,
    seed: int,
) -> tuple[int, int, int, int]:
    """Draw a region of an image whose area and aspect ratio are random.

        area ~ U[scale₁, scale₂] · height · width,   log r ~ U[log ratio₁, log ratio₂]
        w = round(√(area · r)),   h = round(√(area / r)),   top ~ U{0, …, height − h},   left ~ U{0, …, width − w}

    drawn anew up to ten times until 1 ≤ w ≤ width and 1 ≤ h ≤ height. If none of the ten fits, it is the largest region
    about the centre whose ratio is within bounds:

        w = width,  h = min(height, round(width / ratio₁))    if width / height < ratio₁
        h = height, w = min(width, round(height · ratio₂))    if width / height > ratio₂
        the whole image                                        else

    each at least 1, with top = ⌊(height − h)/2⌋ and left = ⌊(width − w)/2⌋.

    Args:
        height, width: the image's size, at least 1.
        scale: least and greatest share of the area, 0 < scale₁ ≤ scale₂ ≤ 1.
        ratio: least and greatest ratio of width to height, 0 < ratio₁ ≤ ratio₂.
        seed: a whole number of at least 0; the same seed gives the same region, and global generators are left alone.

    Returns:
        (top, left, h, w), whole numbers; the region lies in the image.

    Raises:
        ValueError: a size is below 1, or bounds are out of order or outside what they may be.
        TypeError: a size or ``seed`` is not a whole number.

    Conventions: as torchvision's ``RandomResizedCrop.get_params``. The ratio is even on the logarithm's scale, so that 1/2 and
        2 are alike; TensorFlow's ``sample_distorted_bounding_box`` draws the ratio evenly. Which region belongs to a seed
        is each library's own affair.

    Source: note 004 (data augmentation: a random ratio, a random size, a random place); Szegedy et al. 2015, arXiv:1409.4842.
    """
    height, width = check_whole("height", height, 1), check_whole("width", width, 1)
    least, most = _bounds("scale", scale, 1.0)
    flattest, steepest = _bounds("ratio", ratio, math.inf)
    generator = _stream(seed)
    for _ in range(ATTEMPTS):
        area = height * width * _between(generator, least, most)
        r = math.exp(_between(generator, math.log(flattest), math.log(steepest)))
        w, h = round(math.sqrt(area * r)), round(math.sqrt(area / r))
        if 1 <= w <= width and 1 <= h <= height:
            top = int(torch.randint(height - h + 1, (), generator=generator))
            left = int(torch.randint(width - w + 1, (), generator=generator))
            return top, left, h, w
    return central_region(height, width, flattest, steepest)


def central_region(height: int, width: int, flattest: float, steepest: float) -> tuple[int, int, int, int]:
    """The largest region about the centre whose ratio of width to height is within bounds."""
    h, w = height, width
    if width < height * flattest:
        h = min(height, max(1, round(width / flattest)))
    elif width > height * steepest:
        w = min(width, max(1, round(height * steepest)))
    return (height - h) // 2, (width - w) // 2, h, w


def color_jitter_params(
    brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0, *, seed: int
) -> dict[str, Any]:
    """Draw by how much colours are changed, and in which order.

        factor ~ U[max(0, 1 − b), 1 + b]    for brightness, contrast and saturation, each with its own b
        shift ~ U[−hue, hue]
        order ~ the 24 orders of the four adjustments, each with the same chance

    all independent of each other.

    Args:
        brightness, contrast, saturation: the strength b of each, at least 0; 0 changes nothing.
        hue: 0 to ½; 0 changes nothing.
        seed: a whole number of at least 0; the same seed gives the same numbers, and global generators are left alone.

    Returns:
        A dict: "brightness", "contrast" and "saturation", the factors; "hue", the shift; "order", (4,) int64, a
        permutation of 0 to 3, which stand for the four in this order.

    Raises:
        ValueError: a strength is negative or not finite, or ``hue`` is beyond ½.
        TypeError: ``seed`` is not a whole number.

    Conventions: as torchvision's ``ColorJitter.get_params``. Keras draws brightness as a number to add. Which numbers belong
        to a seed is each library's own affair. Only an order that is ``torch.randperm(4)`` drawn first from
        ``torch.Generator().manual_seed(seed)``, as here and in torchvision, is held to more: it is not read backwards.

    Source: note 004 (data augmentation, ``ColorJitter(brightness=0.5, …)``: from half as bright to half as bright again).
    """
    strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    for name, strength in strengths.items():
        check_range(name, strength, 0)
        if math.isinf(strength):
            raise ValueError(f"{name} is inf, expected a finite number")
    check_range("hue", hue, 0, 0.5)
    generator = _stream(seed)
    found: dict[str, Any] = {"order": torch.randperm(4, generator=generator)}
    for name, strength in strengths.items():
        found[name] = _between(generator, max(0.0, 1 - strength), 1 + strength)
    return {**found, "hue": _between(generator, -hue, hue)}


def _stream(seed: int) -> Generator:
    return Generator().manual_seed(check_whole("seed", seed))


def _between(generator: Generator, low: float, high: float) -> float:
    """A number drawn evenly from an interval; rounding leaves it inside."""
    share = float(torch.rand((), generator=generator, dtype=torch.float64))
    return min(max(low + (high - low) * share, low), high)


def _bounds(name: str, pair: Sequence[float], limit: float) -> tuple[float, float]:
    if len(pair) != 2 or not 0 < pair[0] <= pair[1] <= limit or math.isinf(pair[1]):
        raise ValueError(f"{name} is {pair!r}, expected two finite numbers, 0 < low <= high <= {limit}")
    return float(pair[0]), float(pair[1])
