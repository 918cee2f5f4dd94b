"""Data sets: rows by their position, parts of a whole, samples made into a batch."""

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_integer, check_tensor, check_whole

Row = tuple[Tensor, ...]

IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def tensor_dataset(tensors: Sequence[Tensor], positions: Tensor) -> tuple[int, list[Row]]:
    """Rows of tensors that count samples along their first axis.

        length = n;    item(i) = (tensors[0][i], tensors[1][i], …)

    Args:
        tensors: one or more, (n, …) each, of any dtype; features and labels, say.
        positions: (P,), whole numbers within −n..n−1; negative ones count from the end.

    Returns:
        The length, and P items, each a tuple with one row of every tensor. Rows may be views.

    Raises:
        ValueError: there is no tensor, one has no axis, first sizes differ, or ``positions`` has not one axis.
        TypeError: ``positions`` are no whole numbers.
        IndexError: a position is out of range.

    Source: note 002 §6.1.1 and §6.1.2 (TensorDataset).
    """
    length = check_rows("tensors", tensors)
    return length, [rows(tensors, i) for i in check_positions(positions, length)]


def concat_datasets(a: Sequence[Tensor], b: Sequence[Tensor], positions: Tensor) -> tuple[int, list[Row]]:
    """Two data sets as one: the items of the first, then those of the second.

        length = n + m;    item(i) = a's item(i) for i < n, b's item(i − n) from there on

    Args:
        a: the tensors of a data set of n items, (n, …) each.
        b: the tensors of one of m items, (m, …) each; their number, further sizes and dtypes may be others than a's.
        positions: (P,), whole numbers within −(n + m)..n + m − 1; negative ones count from the end.

    Returns:
        The length, and P items, each a tuple of rows. Rows may be views.

    Raises:
        ValueError: of one data set there is no tensor, one has no axis, first sizes differ, or ``positions`` has not
            one axis.
        TypeError: ``positions`` are no whole numbers.
        IndexError: a position is out of range.

    Source: note 002 §6.1.2 (the addition of data sets).
    """
    first, second = check_rows("a", a), check_rows("b", b)
    length = first + second
    return length, [rows(a, i) if i < first else rows(b, i - first) for i in check_positions(positions, length)]


def random_split(n: int, lengths: Sequence[int], *, seed: int) -> list[Tensor]:
    """The positions 0..n − 1, dealt at random into parts of given lengths.

        parts = slices of a uniform permutation of 0..n − 1

    Args:
        n: how many samples there are.
        lengths: of the parts; 0 is allowed.
        seed: a whole number of at least 0; the same seed gives the same parts.

    Returns:
        One int64 tensor of positions for every length, in random order.

    Raises:
        ValueError: ``n`` or a length is negative, or the lengths do not add up to ``n``.
        TypeError: a length or ``n`` is no whole number (shares such as 0.8 are not taken).

    Conventions:
        As in ``random_sampler``: PyTorch's permutation keeps its order, others are free.

    Source: note 002 §6.1.2 (random_split).
    """
    n = check_whole("n", n)
    sizes = [check_whole(f"lengths[{k}]", length, 0) for k, length in enumerate(lengths)]
    if sum(sizes) != n:
        raise ValueError(f"lengths {sizes} add up to {sum(sizes)}, expected n, {n}")
    return [part.clone() for part in torch.randperm(n, generator=stream(seed)).split(sizes)] if sizes else []


def collate(samples: Sequence[Sequence[Tensor | float | int]]) -> Row:
    """Samples as one batch: every field is stacked along a new first axis.

        batch[k] = stack(samples[0][k], samples[1][k], …)

    Args:
        samples: one or more, each a sequence of the same number of fields. A field is a tensor, of the same shape and
            dtype in all samples, or a number of the same kind in all of them.

    Returns:
        One tensor for every field: (len(samples), …) of the field's dtype, (len(samples),) of float64 for Python's
        floats, of int64 for its whole numbers.

    Raises:
        ValueError: there is no sample, a sample has another number of fields, or a field is ragged: its shapes differ.
        TypeError: a field's dtypes or kinds differ, or a field is neither tensor nor number.

    Source: note 002 §6.1.1 (collate_fn).
    """
    if not len(samples):
        raise ValueError("samples is empty, expected at least one")
    counts = [len(sample) for sample in samples]
    if min(counts) != max(counts):
        raise ValueError(f"samples have {counts} fields, expected the same number in all of them")
    return tuple(_stacked(k, [sample[k] for sample in samples]) for k in range(counts[0]))


def image_folder_index(paths: Sequence[str]) -> tuple[list[str], dict[str, int], list[tuple[str, int]]]:
    """Classes and labelled files of a folder with one subfolder for every class.

        classes = sorted names of first folders;    the label of a file = the place of its first folder among them

    Files count as images by their ending, in any case: .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp. Others,
    and files in no subfolder, are passed over; so is a folder without an image.

    Args:
        paths: of files, relative to the folder, with "/" between their parts: "cat/5.png", "dog/young/7.jpg". No path
            is there twice; their order does not matter.

    Returns:
        The classes, the number of each, and (path, number) of every image: class by class, folder by folder, by name,
        as Python sorts texts.

    Raises:
        ValueError: there is no image in any subfolder, or a path is absolute.
        TypeError: a path is no text.

    Source: note 002 §6.1.2 (ImageFolder).
    """
    found = []
    for path in [paths] if isinstance(paths, str) else paths:
        if not isinstance(path, str) or path is paths:
            raise TypeError(f"paths holds {path!r}, expected a sequence of texts")
        if path.startswith("/"):
            raise ValueError(f"the path {path!r} is absolute, expected one relative to the folder")
        name, _, rest = path.partition("/")
        # The class is the first folder itself: its name may be part of another's, or of a file's.
        if rest and os.path.splitext(rest)[1].lower() in IMAGES:
            folder, _, file = path.rpartition("/")
            found.append((name, folder, file))
    if not found:
        raise ValueError(f"none of the {len(paths)} paths is an image in a subfolder, expected at least one")
    classes = sorted({name for name, _, _ in found})
    numbers = {name: k for k, name in enumerate(classes)}
    return classes, numbers, [(f"{folder}/{file}", numbers[name]) for name, folder, file in sorted(found)]


def stream(seed: int) -> torch.Generator:
    """A generator of its own: the global one is left as it is."""
    return torch.Generator().manual_seed(check_whole("seed", seed))


def check_rows(name: str, tensors: Sequence[Tensor]) -> int:
    """How many rows all tensors have; ValueError when they differ, or there is none."""
    if not len(tensors):
        raise ValueError(f"{name} is empty, expected at least one tensor")
    for k, tensor in enumerate(tensors):
        check_tensor(f"{name}[{k}]", tensor)
        if not tensor.ndim:
            raise ValueError(f"{name}[{k}] has no axis, expected samples along the first one")
    sizes = [len(tensor) for tensor in tensors]
    if min(sizes) != max(sizes):
        raise ValueError(f"{name} have first sizes {sizes}, expected the same one")
    return sizes[0]


def check_positions(positions: Tensor, length: int) -> list[int]:
    """The positions counted from the front; IndexError beyond −length..length − 1."""
    check_integer("positions", positions)
    check_axes("positions", positions, 1)
    found = []
    for i in positions.tolist():
        if not -length <= i < length:
            raise IndexError(f"positions holds {i}, expected {-length}..{length - 1}")
        found.append(i % length)
    return found


def rows(tensors: Sequence[Tensor], i: int) -> Row:
    """The rows of one sample."""
    return tuple(tensor[i] for tensor in tensors)


def _stacked(k: int, values: list[Tensor | float | int]) -> Tensor:
    """One field of all samples."""
    kinds = {type(value) for value in values}
    if len(kinds) > 1 or not isinstance(values[0], Tensor | float | int):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(f"field {k} holds {', '.join(names)}, expected tensors alone, floats alone, or whole numbers")
    if not isinstance(values[0], Tensor):
        return torch.tensor(values, dtype=torch.float64 if isinstance(values[0], float) else torch.int64)
    tensors = [value for value in values if isinstance(value, Tensor)]
    shapes = list(dict.fromkeys(tuple(tensor.shape) for tensor in tensors))
    if len(shapes) > 1:
        raise ValueError(f"field {k} is ragged: shapes {shapes}, expected one")
    dtypes = list(dict.fromkeys(tensor.dtype for tensor in tensors))
    if len(dtypes) > 1:
        raise TypeError(f"field {k} holds {dtypes}, expected one dtype")
    return torch.cat([tensor.unsqueeze(0) for tensor in tensors])
