"""Where pixels go: flips, turns, crops, and the boxes that go with them.

A box is (x₁, y₁, x₂, y₂): its left, upper, right and lower edge, in pixels from the image's upper left corner. Pixel
(i, j) covers the square from (x, y) = (j, i) to (j + 1, i + 1), so that its centre is at (j + ½, i + ½).
"""

import math

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating, check_range, check_tensor, check_whole
from lawbook.reference.convolution.sizes import per_axis

INTERPOLATIONS = ("bilinear", "nearest")

Boxed = tuple[Tensor, Tensor]
Cropped = tuple[Tensor, Tensor, Tensor]


def horizontal_flip(image: Tensor, boxes: Tensor | None = None) -> Tensor | Boxed:
    """Mirror an image left to right, boxes with it.

        y[…, i, j] = image[…, i, W − 1 − j],   (x₁, y₁, x₂, y₂) ↦ (W − x₂, y₁, W − x₁, y₂)

    Args:
        image: (…, H, W), any dtype.
        boxes: (N, 4), floating, corners (x₁, y₁, x₂, y₂) in pixels from the upper left corner, or None.

    Returns:
        The image, in shape and dtype of ``image``; with ``boxes`` the pair (image, boxes). It may be a view.

    Raises:
        ValueError: ``image`` has fewer than two axes, or ``boxes`` is not (N, 4).
        TypeError: ``image`` is no tensor, or ``boxes`` is not floating.

    Conventions: boxes end at the edges of pixels, so that the whole image is (0, 0, W, H); where they name the last
        pixel instead (the Pascal VOC files, from 1), x ↦ W − 1 − x counted from 0.

    Source: note 002 §6.1.2, note 004 (data augmentation).
    """
    check_image(image)
    flipped = image.flip(-1)
    if boxes is None:
        return flipped
    x1, y1, x2, y2 = corners(boxes)
    width = image.shape[-1]
    return flipped, torch.stack([width - x2, y1, width - x1, y2], -1)


def vertical_flip(image: Tensor, boxes: Tensor | None = None) -> Tensor | Boxed:
    """Mirror an image top to bottom, boxes with it.

        y[…, i, j] = image[…, H − 1 − i, j],   (x₁, y₁, x₂, y₂) ↦ (x₁, H − y₂, x₂, H − y₁)

    Args:
        image: (…, H, W), any dtype.
        boxes: (N, 4), floating, corners (x₁, y₁, x₂, y₂) in pixels from the upper left corner, or None.

    Returns:
        The image, in shape and dtype of ``image``; with ``boxes`` the pair (image, boxes). It may be a view.

    Raises:
        ValueError, TypeError: as ``horizontal_flip``.

    Source: note 002 §6.1.2, note 004 (data augmentation).
    """
    check_image(image)
    flipped = image.flip(-2)
    if boxes is None:
        return flipped
    x1, y1, x2, y2 = corners(boxes)
    height = image.shape[-2]
    return flipped, torch.stack([x1, height - y2, x2, height - y1], -1)


def rotate(image: Tensor, degrees: float, interpolation: str = "bilinear") -> Tensor:
    """Turn an image about its centre, counter-clockwise as it is seen; the size stays, corners are cut off.

        y[…, i, j] = image at (c_y + s·(j − c_x) + c·(i − c_y),  c_x + c·(j − c_x) − s·(i − c_y))
        c_y = (H − 1)/2,  c_x = (W − 1)/2,  c = cos θ,  s = sin θ,  θ = π·degrees/180

    as (row, column). Between pixels the image is

        the mean of the four around, weighted by nearness, those outside the image counting as 0    (bilinear)
        the pixel whose centre is nearest, 0 outside the image; of equally near ones any             (nearest)

    Args:
        image: (…, H, W), floating, H and W at least 1.
        degrees: any finite number; positive is counter-clockwise.
        interpolation: ``"bilinear"`` or ``"nearest"``.

    Returns:
        Shape and dtype of ``image``.

    Raises:
        ValueError: ``image`` has fewer than two axes or no pixels, ``degrees`` is not finite, another ``interpolation``.
        TypeError: ``image`` is not floating.

    Conventions: the centre is the image's, (W/2, H/2) where pixels are squares and so (W − 1)/2 where their centres are
        counted; with W/2 there, a quarter turn misses by one pixel. Positive angles turn counter-clockwise in
        torchvision, Pillow, SciPy and scikit-image, clockwise in Keras and in kornia's older versions. Pixels outside
        count as 0 in torchvision's tensors, JAX and SciPy's ``grid-constant``; Pillow and SciPy's ``constant`` do not
        mix them with pixels inside, so that only their borders differ.

    Source: note 002 §6.1.2 (``RandomRotation``); torchvision's ``rotate``.
    """
    check_floating("image", image)
    check_image(image, 1)
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    if not math.isfinite(degrees):
        raise ValueError(f"degrees is {degrees}, expected a finite number")
    height, width = image.shape[-2:]
    # Single precision at least: half precision cannot tell the places of a large image.
    dtype = torch.promote_types(image.dtype, torch.float32)
    down = (torch.arange(height, dtype=dtype, device=image.device) - (height - 1) / 2)[:, None]
    right = torch.arange(width, dtype=dtype, device=image.device) - (width - 1) / 2
    cosine, sine = _direction(degrees)
    row = (height - 1) / 2 + sine * right + cosine * down
    column = (width - 1) / 2 + cosine * right - sine * down
    if interpolation == "nearest":
        return _pixels(image, row.round().long(), column.round().long())
    above, before = row.floor(), column.floor()
    lower, later = (row - above).to(image.dtype), (column - before).to(image.dtype)
    i, j = above.long(), before.long()
    upper_row = _pixels(image, i, j) * (1 - later) + _pixels(image, i, j + 1) * later
    lower_row = _pixels(image, i + 1, j) * (1 - later) + _pixels(image, i + 1, j + 1) * later
    return upper_row * (1 - lower) + lower_row * lower


def crop(
    image: Tensor,
    top: int,
    left: int,
    height: int,
    width: int,
    boxes: Tensor | None = None,
    min_visibility: float = 0.0,
) -> Tensor | Cropped:
    """Cut a region out of an image, and out of its boxes.

        y[…, i, j] = image[…, top + i, left + j]
        x ↦ min(max(x − left, 0), width),   y ↦ min(max(y − top, 0), height)
        kept: the part of the box that is left has an area above 0, and of at least min_visibility times the whole box's

    Args:
        image: (…, H, W), any dtype.
        top, left: the region's first row and column, at least 0.
        height, width: the region's size, at least 1; it lies in the image.
        boxes: (N, 4), floating, corners (x₁, y₁, x₂, y₂) in pixels from the upper left corner, or None.
        min_visibility: the share of a box that must be left for it to be kept, in [0, 1]; exactly that share is enough.

    Returns:
        The region, (…, height, width), dtype of ``image``; with ``boxes`` (region, boxes, kept): all N boxes, cut off
        at the region's edges, and (N,) bool. The region may be a view.

    Raises:
        ValueError: ``image`` has fewer than two axes, the region is empty or not in the image, ``boxes`` is not (N, 4),
            or ``min_visibility`` is outside [0, 1].
        TypeError: ``image`` is no tensor, ``boxes`` is not floating, or a place or size is not whole.

    Conventions: a region that leaves the image is refused; Pillow and torchvision fill it with zeros, slices of tensors
        are silently shorter.

    Source: note 004 (semantic segmentation, ``voc_rand_crop``: image and labels are cut alike).
    """
    top, left, height, width = _region(image, top, left, height, width)
    check_range("min_visibility", min_visibility, 0, 1)
    region = image[..., top : top + height, left : left + width]
    if boxes is None:
        return region
    cut, kept = _cut(boxes, top, left, height, width, min_visibility)
    return region, cut, kept


def resized_crop(
    image: Tensor,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | tuple[int, ...],
    antialias: bool = True,
    boxes: Tensor | None = None,
    min_visibility: float = 0.0,
) -> Tensor | Cropped:
    """Cut a region out of an image and make it as large as wanted, by triangles about the centres of pixels.

        y[…, i, j] = Σ_{a, b} A[i, a] · B[j, b] · region[…, a, b]
        A[i, a] ∝ max(0, 1 − |a + ½ − (i + ½)·r| / d),   r = height / H′,   d = max(r, 1) with antialias, else 1

    every row of A adding up to one; B alike with width and W′. Boxes are cut as in ``crop`` and then grow with the
    image: x by W′/width, y by H′/height.

    Args:
        image: (…, H, W), floating.
        top, left, height, width: the region, as in ``crop``.
        size: (H′, W′), or one number for both, at least 1.
        antialias: whether a region that becomes smaller is averaged over all its pixels (True) or sampled between the
            two nearest ones on each axis; a region that becomes larger is the same either way.
        boxes, min_visibility: as in ``crop``.

    Returns:
        (…, H′, W′), dtype of ``image``; with ``boxes`` (region, boxes, kept) as in ``crop``.

    Raises:
        ValueError: as ``crop``, or ``size`` is below 1.
        TypeError: as ``crop``, or ``image`` is not floating.

    Conventions: Pillow, ``jax.image.resize`` and torchvision since 0.17 average, older versions of torchvision did so
        for Pillow's images and not for tensors. One number for ``size`` is a square (``RandomResizedCrop``), not the
        shorter side (``Resize``).

    Source: note 004 (data augmentation, ``RandomResizedCrop((200, 200), scale=(0.1, 1), ratio=(0.5, 2))``).
    """
    check_floating("image", image)
    top, left, height, width = _region(image, top, left, height, width)
    check_range("min_visibility", min_visibility, 0, 1)
    rows, columns = per_axis("size", size, 2, 1)
    region = image[..., top : top + height, left : left + width]
    region = region @ _triangles(width, columns, antialias, image).mT
    region = _triangles(height, rows, antialias, image) @ region
    if boxes is None:
        return region
    cut, kept = _cut(boxes, top, left, height, width, min_visibility)
    growth = cut.new_tensor([columns / width, rows / height] * 2)
    return region, cut * growth, kept


def check_image(image: Tensor, smallest: int = 0) -> None:
    """Raise ValueError unless ``image`` has rows and columns, ``smallest`` of each at least."""
    check_tensor("image", image)
    if image.ndim < 2 or min(image.shape[-2:]) < smallest:
        least = f" of at least {smallest}" if smallest else ""
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (..., H, W){least}")


def corners(boxes: Tensor) -> tuple[Tensor, ...]:
    """Left, upper, right and lower edges of (N, 4) boxes."""
    check_floating("boxes", boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes has shape {tuple(boxes.shape)}, expected (N, 4)")
    return boxes.unbind(1)


def _region(image: Tensor, top: int, left: int, height: int, width: int) -> tuple[int, int, int, int]:
    check_image(image)
    top, left = check_whole("top", top, 0), check_whole("left", left, 0)
    height, width = check_whole("height", height, 1), check_whole("width", width, 1)
    if top + height > image.shape[-2] or left + width > image.shape[-1]:
        raise ValueError(
            f"the region from ({top}, {left}) of {height} × {width} leaves the image of {tuple(image.shape[-2:])}"
        )
    return top, left, height, width


def _cut(boxes: Tensor, top: int, left: int, height: int, width: int, share: float) -> tuple[Tensor, Tensor]:
    x1, y1, x2, y2 = corners(boxes)
    cut = [(x1 - left).clamp(0, width), (y1 - top).clamp(0, height)]
    cut += [(x2 - left).clamp(0, width), (y2 - top).clamp(0, height)]
    visible = (cut[2] - cut[0]) * (cut[3] - cut[1])
    return torch.stack(cut, -1), (visible > 0) & (visible >= share * ((x2 - x1) * (y2 - y1)))


def _direction(degrees: float) -> tuple[float, float]:
    """Cosine and sine, exact for quarter turns."""
    turned = degrees % 360
    if turned % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(turned // 90) % 4]
    return math.cos(math.radians(turned)), math.sin(math.radians(turned))


def _pixels(image: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The pixels at whole places, 0 outside the image."""
    height, width = image.shape[-2:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    flat = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return torch.where(inside, image.flatten(-2)[..., flat], 0)


def _triangles(n: int, m: int, antialias: bool, like: Tensor) -> Tensor:
    """Weights of n pixels in each of m."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    ratio = n / m
    reach = max(ratio, 1.0) if antialias else 1.0
    centres = (torch.arange(m, dtype=dtype, device=like.device) + 0.5) * ratio
    pixels = torch.arange(n, dtype=dtype, device=like.device) + 0.5
    weights = (1 - (pixels - centres[:, None]).abs() / reach).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True)).to(like.dtype)
