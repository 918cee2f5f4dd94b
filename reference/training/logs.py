"""What TensorBoard shows: scalars, histograms, images and graphs, written to event files."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_integer, check_tensor, check_whole
from lawbook.reference.training.event_files import PathLike, double, doubles, message, single, text, whole, write_events


def log_scalars(log_dir: PathLike, tag: str, values: Tensor, steps: Tensor | None = None) -> None:
    """Write numbers to an event file, such as the loss of every epoch.

        event_k = (now, steps_k, tag, values_k),   k = 0, …, n − 1, in this order

    Numbers are stored in single precision: the nearest one, ±∞ beyond its range. Infinities and nan are kept as they are:
    that a loss is no number is what a log is read for.

    Args:
        log_dir: the folder. It is made, with its parents, where it is not there. The call writes a file of its own, named
            …tfevents…, and leaves all others as they are, those of calls at the same time too.
        tag: under which name the numbers are shown; any text, and a / in it groups.
        values: (n,), of any real dtype.
        steps: (n,) integers, in any order, also negative or several times the same; 0, …, n − 1 where they are not given.

    Raises:
        TypeError: ``tag`` is no text, ``values`` hold complex numbers, or ``steps`` hold none that are whole.
        ValueError: ``values`` have not one axis, or there are not as many steps.

    Source: note 002 §6.4 (TensorBoard, add_scalar); event.proto and summary.proto of TensorFlow.
    """
    _check_tag(tag)
    _check_real("values", values)
    check_axes("values", values, 1)
    if steps is None:
        steps = torch.arange(len(values))
    check_integer("steps", steps)
    if steps.shape != values.shape:
        raise ValueError(f"steps have shape {tuple(steps.shape)}, expected {tuple(values.shape)}")
    found = values.detach().cpu().to(torch.float32).tolist()
    summaries = (_summary(k, tag, single(2, _single(v))) for k, v in zip(steps.tolist(), found, strict=True))
    write_events(log_dir, list(summaries))


def log_histogram(log_dir: PathLike, tag: str, values: Tensor, step: int = 0, bins: int = 30) -> None:
    """Write how numbers are distributed to an event file, such as the weights of a layer.

        min, max, num = n, sum = Σ v, sum_squares = Σ v²,   and counts c_k of the buckets with upper limits l_0 ≤ … ≤ l_K:
        #{v < l_k} ≤ c_0 + … + c_k ≤ #{v ≤ l_k},   c_0 + … + c_K = n,   l_k − l_{k−1} ≤ (max − min) / bins

    The limits are evenly spaced from min to max. As only upper limits are stored, the first bucket, up to min, is empty.
    Everything is in double precision. Where all numbers are equal, a bucket may be as wide as 1.

    Args:
        log_dir, tag: as for ``log_scalars``.
        values: of any shape and real dtype, at least one, finite.
        step: of what in training.
        bins: how many buckets, at least 1. Empty ones at either end may be left out.

    Raises:
        TypeError: ``tag`` is no text, ``values`` hold complex numbers, or ``step`` or ``bins`` is not whole.
        ValueError: ``values`` are none, or not all finite, or ``bins`` is below 1.

    Source: note 002 §6.4 (TensorBoard, add_histogram); histogram.proto of TensorFlow.
    """
    _check_tag(tag)
    _check_real("values", values)
    step, bins = check_whole("step", step), check_whole("bins", bins, 1)
    wide = values.detach().cpu().double().flatten()
    if not len(wide) or not bool(wide.isfinite().all()):
        raise ValueError(f"values of shape {tuple(values.shape)} are none or not finite, expected finite ones")
    low, high = float(wide.min()), float(wide.max())
    first, last = (low - 0.5, high + 0.5) if low == high else (low, high)
    edges = torch.linspace(first, last, bins + 1, dtype=torch.float64)
    # An edge belongs to the bucket above, but for the last one.
    counts = torch.bincount(torch.searchsorted(edges[1:-1].contiguous(), wide, right=True), minlength=bins)
    figures = (low, high, float(len(wide)), float(wide.sum()), float((wide * wide).sum()))
    content = b"".join(double(k, figure) for k, figure in enumerate(figures, 1))
    content += doubles(6, edges.tolist()) + doubles(7, [0.0, *counts.double().tolist()])
    write_events(log_dir, [_summary(step, tag, message(5, content))])


def log_image(log_dir: PathLike, tag: str, image: Tensor, step: int = 0) -> None:
    """Write a colour picture to an event file, as a PNG that holds every pixel.

        level = ⌊255 x + 1/2⌋ for x in [0, 1],   the byte itself for uint8

    Args:
        log_dir, tag: as for ``log_scalars``.
        image: (3, H, W), red, green and blue, floating in [0, 1] or uint8; not empty.
        step: of what in training.

    Raises:
        TypeError: ``tag`` is no text, ``image`` is neither floating nor uint8, or ``step`` is not whole.
        ValueError: the shape is another, or a floating value lies outside of [0, 1] or is nan. A picture of bytes that are
            held in a floating dtype would be all white.

    Conventions: PyTorch's SummaryWriter cuts 255 x off in place of rounding, and values outside of [0, 1] too.

    Source: note 002 §6.4 (TensorBoard, add_image); summary.proto of TensorFlow; PNG Specification, W3C.
    """
    _check_tag(tag)
    step = check_whole("step", step)
    check_axes("image", image, 3)
    if image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (3, H, W), not empty")
    levels = image.detach().cpu()
    if levels.is_floating_point():
        if not bool(((levels >= 0) & (levels <= 1)).all()):
            raise ValueError(f"image has values from {levels.min()} to {levels.max()}, expected 0 to 1")
        levels = (levels.double() * 255 + 0.5).floor().to(torch.uint8)
    elif levels.dtype != torch.uint8:
        raise TypeError(f"image is {image.dtype}, expected a floating dtype or uint8")
    _, height, width = levels.shape
    content = whole(1, height) + whole(2, width) + whole(3, 3) + message(4, _png(levels))
    write_events(log_dir, [_summary(step, tag, message(4, content))])


def log_graph(log_dir: PathLike, nodes: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Write a graph of computations to an event file: what each is called, what it does, and what it takes.

        node = (name, op, inputs),   an edge from every input to it

    Nodes and each one's inputs keep their order, and an input that comes twice stays twice: a − b and b − a, x and x · x are
    different graphs.

    Args:
        log_dir: as for ``log_scalars``.
        nodes: name → (op, names of the nodes whose results it takes). Inputs may come later than what takes them, and a node
            may take itself, as loops do. A / in a name groups.

    Raises:
        TypeError: a name or an op is no text.
        ValueError: a name is empty, or an input is no node.

    Source: note 002 §6.4 (TensorBoard, add_graph); graph.proto and node_def.proto of TensorFlow.
    """
    found = b""
    for name, (op, inputs) in nodes.items():
        for part in (name, op, *inputs):
            if not isinstance(part, str):
                raise TypeError(f"node {name!r} holds {part!r}, expected text")
        unknown = [source for source in inputs if source not in nodes]
        if unknown or not name:
            raise ValueError(f"node {name!r} takes {unknown}, expected names of nodes, and one of its own")
        found += message(1, text(1, name) + text(2, op) + b"".join(text(3, source) for source in inputs))
    write_events(log_dir, [message(4, found)])


def _summary(step: int, tag: str, value: bytes) -> bytes:
    return whole(2, step) + message(5, message(1, text(1, tag) + value))


def _single(value: float) -> bytes:
    return struct.pack("<f", value)


def _check_tag(tag: str) -> None:
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a text, got {type(tag).__name__}")


def _check_real(name: str, x: Tensor) -> None:
    check_tensor(name, x)
    if x.is_complex():
        raise TypeError(f"{name} must be real, got {x.dtype}")


def _png(levels: Tensor) -> bytes:
    """The picture (3, H, W) of bytes: a signature, and chunks of a length, a kind, data and a check sum."""
    _, height, width = levels.shape
    # Every row begins with the number of its filter: 0, none.
    rows = torch.cat([levels.new_zeros(height, 1), levels.permute(1, 2, 0).reshape(height, -1)], 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.numpy().tobytes())), (b"IEND", b""))
    found = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        found += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return found
