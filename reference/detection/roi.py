"""Regions of interest: images read between their elements, and boxes of any size made features of one size."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import (
    check_axes,
    check_choice,
    check_floating,
    check_positive,
    check_same_shape,
    check_whole,
)
from lawbook.reference.convolution.sizes import per_axis

Sizes = int | Sequence[int]


def roi_pool(features: Tensor, rois: Sequence[Tensor], output_size: Sizes, scale: float = 1.0) -> Tensor:
    """Divide boxes of any size into a given number of bins and keep the largest element of each.

        y[r, c, i, j] = max of features[n, c, u, v]  over  s + ⌊i·h / m⌋ ≤ u < s + ⌈(i + 1)·h / m⌉  and v alike
        s = round(scale · y1),   h = round(scale · y2) − s + 1

    where n is the image of box r and m the number of bins of the axis. Both of a box's corners belong to it, so that the
    box (0, 0, W − 1, H − 1) is the whole plane. Neighbouring bins share elements where m does not divide h. What of a bin
    lies outside the plane does not count; a bin that lies outside with all its elements gives 0.

    Args:
        features: (N, C, H, W), floating, C, H and W at least 1.
        rois: N tensors (R_n, 4), floating: the boxes of each image, (x1, y1, x2, y2) with x1 ≤ x2 and y1 ≤ y2, finite.
        output_size: (m₁, m₂), or one number for both, at least 1.
        scale: elements of the features per unit of the boxes, above 0: 1/16 for boxes in pixels and features 16 times
            smaller than the image.

    Returns:
        (R, C, m₁, m₂), dtype of ``features``, the boxes of all images one after the other; nan where a bin holds nan. Of
        equal largest elements any may receive the gradient, or all of them a share; boxes receive none.

    Raises:
        ValueError: shapes that do not fit, a box that ends before it begins or is not finite, a number below its bound.
        TypeError: ``features`` or boxes are not floating.

    Conventions: rounding a half may go either way. torchvision takes boxes like this or as (R, 5) with the image's number
        in front, as ONNX's ``MaxRoiPool`` does, and gives a box that ends before it begins a size of 1.

    Source: note 004, R-CNN and Fast R-CNN; Girshick 2015, arXiv:1504.08083.
    """
    boxes, image = _boxes(features, rois, scale)
    corners = torch.floor(boxes + 0.5).long()
    (rows, some_row), (columns, some_column) = (
        _bins(corners[:, axis], corners[:, axis + 2], m, n)
        for axis, m, n in zip((1, 0), per_axis("output_size", output_size, 2, 1), features.shape[2:], strict=True)
    )
    # (R, m₁, m₂, largest bin), a place in the plane for every element of every bin.
    places = (rows[:, :, None, :, None] * features.shape[3] + columns[:, None, :, None, :]).flatten(3)
    planes = features[image].flatten(2)
    elements = planes.gather(2, places.flatten(1).unsqueeze(1).expand(-1, planes.shape[1], -1))
    largest = elements.view(*planes.shape[:2], *places.shape[1:]).max(-1).values
    return torch.where((some_row.unsqueeze(2) & some_column.unsqueeze(1)).unsqueeze(1), largest, 0.0)


def bilinear_sample(image: Tensor, x: Tensor, y: Tensor, outside: str = "zeros") -> Tensor:
    """Read an image between its elements: linearly along the rows, then along the columns.

        result[c, p] = (1 − b)·((1 − a)·q₁₁ + a·q₂₁) + b·((1 − a)·q₁₂ + a·q₂₂)
        a = x_p − ⌊x_p⌋,  b = y_p − ⌊y_p⌋,  q₁₁ = image[c, ⌊y_p⌋, ⌊x_p⌋],  q₂₁ one column further,  q₁₂ one row further

    Element (row i, column j) stands at y = i, x = j. Outside the image, with

        "zeros"    every element is 0, so that the values fall to 0 within one step from the border,
        "border"   the nearest element of the border goes on.

    Args:
        image: (C, H, W), floating, H and W at least 1.
        x: columns, any shape, floating, finite; read as they are, also where they are finer than the image's dtype.
        y: rows, the shape of ``x``.
        outside: ``"zeros"`` or ``"border"``.

    Returns:
        (C, *x.shape), dtype of ``image``. On a line of elements, where the slope to x or y jumps, either slope is right.

    Raises:
        ValueError: ``image`` has not three axes, no row or no column (it may have no channel), ``x`` and ``y`` differ in
            shape or are not finite, or an unknown ``outside``.
        TypeError: an argument is not floating.

    Conventions: ``torch.nn.functional.grid_sample`` counts from −1 to 1 across the image; RoI align continues the border
        for one step and has zeros beyond.

    Source: note 004, Mask R-CNN; Jaderberg et al. 2015, arXiv:1506.02025.
    """
    check_floating("image", image)
    check_floating("x", x)
    check_floating("y", y)
    check_axes("image", image, 3)
    check_same_shape("y", y, "x", x)
    check_choice("outside", outside, ("zeros", "border"))
    if 0 in image.shape[1:]:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected at least one row and one column")
    for name, places in (("x", x), ("y", y)):
        if not bool(torch.isfinite(places).all()):
            raise ValueError(f"{name} is {places.tolist()}, expected finite numbers")
    return _read(image, x, y, zeros=outside == "zeros")


def roi_align(
    features: Tensor,
    rois: Sequence[Tensor],
    output_size: Sizes,
    scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
    mode: str = "avg",
) -> Tensor:
    """Divide boxes of any size into a given number of bins and average samples read between the elements of each.

        y[r, c, i, j] = mean (or max) of f_c(s₁ + (i + (k + ½)/g₁)·b₁,  s₂ + (j + (l + ½)/g₂)·b₂)  over 0 ≤ k < g₁, 0 ≤ l < g₂
        aligned:  s = scale · start − ½,   b = scale · (end − start) / m
        else:     s = scale · start,       b = max(scale · (end − start), 1) / m

    where f_c is channel c of the box's image read bilinearly and m the number of bins of the axis. Nothing is rounded: the
    result changes continuously with the box, and on a linear ramp it is the ramp at each bin's centre. ``aligned``
    places the centre of element (0, 0) at (½, ½), as pixels of an image are counted.

    Along each axis g is ``sampling_ratio``, or where that is 0 the number of elements a bin spans, ⌈b⌉, each axis and each
    box its own. A bin of no extent has no samples then and gives 0.

    Outside the features the border goes on for one step: a sample below −1 or above H (W) is 0 and counts in the mean.

    Args:
        features: (N, C, H, W), floating, C, H and W at least 1.
        rois: N tensors (R_n, 4), floating: the boxes of each image, (x1, y1, x2, y2) with x1 ≤ x2 and y1 ≤ y2, finite.
        output_size: (m₁, m₂), or one number for both, at least 1.
        scale: elements of the features per unit of the boxes, above 0.
        sampling_ratio: samples along each axis of a bin, or 0.
        aligned: which of the two rules.
        mode: ``"avg"`` or ``"max"``, of complete samples either way.

    Returns:
        (R, C, m₁, m₂), dtype of ``features``, the boxes of all images one after the other. Of equal largest samples any
        may receive the gradient, or all of them a share; the gradient to the boxes is no part of the contract.

    Raises:
        ValueError: shapes that do not fit, a box that ends before it begins or is not finite, a number below its bound,
            an unknown ``mode``.
        TypeError: ``features`` or boxes are not floating.

    Conventions: aligned is ``aligned=True`` in torchvision and Detectron2 (which came later and call it so) and
        ``half_pixel`` in ONNX, the default from version 16 on; the first Detectron and torchvision's default are the
        other. torchvision knows the mean only; it takes −1 for 0.

    Source: note 004, Mask R-CNN; He et al. 2017, arXiv:1703.06870.
    """
    boxes, image = _boxes(features, rois, scale)
    counts = per_axis("output_size", output_size, 2, 1)
    check_whole("sampling_ratio", sampling_ratio, 0)
    check_choice("mode", mode, ("avg", "max"))
    start = boxes[:, :2] - (0.5 if aligned else 0.0)
    extent = boxes[:, 2:] - boxes[:, :2]
    if not aligned:
        extent = extent.clamp_min(1.0)
    found = []
    for n, (x1, y1), (width, height) in zip(image.tolist(), start, extent, strict=True):
        rows = _sampled(y1, height, counts[0], sampling_ratio)
        columns = _sampled(x1, width, counts[1], sampling_ratio)
        found.append(_pooled(features[n], rows, columns, mode))
    return torch.stack(found) if found else features.new_zeros(0, features.shape[1], *counts)


def _boxes(features: Tensor, rois: Sequence[Tensor], scale: float) -> tuple[Tensor, Tensor]:
    """All boxes in elements of the features, in single precision at least, and the image of each."""
    check_floating("features", features)
    check_axes("features", features, 4)
    if 0 in features.shape[1:]:
        raise ValueError(f"features has shape {tuple(features.shape)}, expected only the first axis to be empty")
    check_positive("scale", scale)
    if isinstance(rois, Tensor) or len(rois) != len(features):
        found = f"a tensor {tuple(rois.shape)}" if isinstance(rois, Tensor) else f"{len(rois)} tensors"
        raise ValueError(f"rois is {found}, expected {len(features)} tensors, one an image")
    for n, boxes in enumerate(rois):
        check_floating(f"rois[{n}]", boxes)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"rois[{n}] has shape {tuple(boxes.shape)}, expected (boxes, 4)")
        if not bool(torch.isfinite(boxes).all()) or not bool((boxes[:, 2:] >= boxes[:, :2]).all()):
            raise ValueError(f"rois[{n}] is {boxes.tolist()}, expected finite x1 ≤ x2 and y1 ≤ y2")
    image = torch.tensor([n for n, boxes in enumerate(rois) for _ in boxes], dtype=torch.int64, device=features.device)
    if not len(image):
        return features.new_zeros(0, 4), image
    joined = torch.cat(list(rois)).detach()
    return joined.to(torch.promote_types(joined.dtype, torch.float32)) * scale, image


def _bins(first: Tensor, last: Tensor, m: int, n: int) -> tuple[Tensor, Tensor]:
    """The elements of each of a box's m bins along an axis, (boxes, m, largest bin), and which bins hold any.

    A smaller bin repeats its first element: that changes no maximum.
    """
    length = (last - first + 1).unsqueeze(1)
    bins = torch.arange(m, device=first.device)
    # In whole numbers: i · (h / m) in floating point may fall below a whole number it should be.
    start = (first.unsqueeze(1) + bins * length // m).clamp(0, n)
    end = (first.unsqueeze(1) - (-(bins + 1) * length // m)).clamp(0, n)
    largest = max(1, int((end - start).max())) if len(first) else 1
    places = start.unsqueeze(-1) + torch.arange(largest, device=first.device)
    places = torch.where(places < end.unsqueeze(-1), places, start.unsqueeze(-1))
    return places.clamp_max(n - 1), end > start


def _sampled(start: Tensor, extent: Tensor, m: int, ratio: int) -> Tensor:
    """The places of the samples along an axis: (bins, samples a bin)."""
    size = extent / m
    g = ratio or math.ceil(float(size))
    bins, within = (torch.arange(count, dtype=size.dtype, device=size.device) for count in (m, g))
    return start + (bins.unsqueeze(1) + (within + 0.5) / max(g, 1)) * size


def _pooled(plane: Tensor, rows: Tensor, columns: Tensor, mode: str) -> Tensor:
    """Mean or maximum of the samples of every bin: (C, m₁, m₂)."""
    shape = (*rows.shape, *columns.shape)
    if 0 in shape:
        return plane.new_zeros(plane.shape[0], len(rows), len(columns))
    y = rows[:, :, None, None].expand(shape)
    x = columns.expand(shape)
    near = (y >= -1) & (y <= plane.shape[1]) & (x >= -1) & (x <= plane.shape[2])
    samples = torch.where(near, _read(plane, x, y, zeros=False), 0.0).movedim(2, 3).flatten(3)
    return samples.mean(-1) if mode == "avg" else samples.amax(-1)


def _read(image: Tensor, x: Tensor, y: Tensor, zeros: bool) -> Tensor:
    """``bilinear_sample`` without its checks."""
    height, width = image.shape[1:]
    left, top = x.detach().floor(), y.detach().floor()
    a, b = (x - left).to(image.dtype), (y - top).to(image.dtype)
    # Two steps outside are as good as any number of them. Rows and columns may be finer than the places' dtype.
    i, j = (place.double().clamp(-2, size).long() for place, size in ((top, height), (left, width)))
    flat = image.flatten(1)

    def element(row: Tensor, column: Tensor) -> Tensor:
        inner_row, inner_column = row.clamp(0, height - 1), column.clamp(0, width - 1)
        values = flat[:, inner_row * width + inner_column]
        return torch.where((inner_row == row) & (inner_column == column), values, 0.0) if zeros else values

    upper = (1 - a) * element(i, j) + a * element(i, j + 1)
    lower = (1 - a) * element(i + 1, j) + a * element(i + 1, j + 1)
    return (1 - b) * upper + b * lower
