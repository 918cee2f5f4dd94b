"""Parameters in files: the safetensors format, which holds numbers and nothing that could run."""

import contextlib
import json
import math
import os
import secrets
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.reference.checks import check_tensor

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
CODES = {dtype: code for code, dtype in DTYPES.items()}
METADATA = "__metadata__"
# The format's own limit.
LONGEST_HEADER = 100_000_000


def save_parameters(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> int:
    """Write named tensors to a file in the safetensors format.

        file = n as 8 bytes, little-endian; n bytes of JSON; the tensors' bytes, one after the other without gaps

    where the JSON maps every name to ``dtype``, ``shape`` and ``data_offsets`` [begin, end), counted from the JSON's end.

    The file appears, or changes, as a whole: a failed save leaves what was there before, and nothing else.

    Args:
        path: where to; a file there is replaced.
        state: dense tensors by name, of any shape and layout in memory: floating (8-bit formats aside), int8 … int64,
            uint8 or bool.

    Returns:
        How many numbers were written.

    Raises:
        TypeError: ``state`` is no dict, a name is no text, a value is no dense tensor with data, or its dtype is not in
            the table.
        ValueError: a name is ``__metadata__``, which the format keeps for itself.
        OSError: the file cannot be written.

    Source: note 004 (files); the safetensors format, https://github.com/huggingface/safetensors.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state is {type(state).__name__}, expected tensors by name")
    for name, tensor in state.items():
        _check_entry(name, tensor)
    # Large elements first: every tensor then begins at a multiple of its element's size.
    names = sorted(state, key=lambda name: (-state[name].element_size(), name))
    header, parts, begin = {}, [], 0
    for name in names:
        data = _bytes(state[name])
        entry = {"dtype": CODES[state[name].dtype], "shape": list(state[name].shape)}
        header[name] = {**entry, "data_offsets": [begin, begin + len(data)]}
        parts.append(data)
        begin += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    _write_whole(path, [struct.pack("<Q", len(text)), text, *parts])
    return sum(tensor.numel() for tensor in state.values())


def load_parameters(
    path: str | os.PathLike[str], expected: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Tensor]:
    """Read named tensors from a file in the safetensors format.

    Nothing in the file is run, whatever it holds; a file that is not wholly in order is refused.

    Args:
        path: a file.
        expected: the shape of every tensor by name; then the file must hold these and no others. None takes what is there.

    Returns:
        Tensors by name, with the bits that were saved. They share no memory with the file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: the file is not in the format: it is too short, its header is not JSON of the right form or does not
            begin with its brace, has a name twice or an unknown dtype, or the offsets do not fit the shapes, overlap, leave
            gaps, or do not end with the file (whether an entry may hold more than dtype, shape and offsets is left open);
            or, with ``expected``, a name is missing, surplus, or its shape is another.

    Source: note 004 (files); the safetensors format, https://github.com/huggingface/safetensors.
    """
    with open(path, "rb") as file:
        content = file.read()
    header, data = _split(content)
    header.pop(METADATA, None)
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    end = 0
    for name, (_, _, span) in sorted(entries.items(), key=lambda item: item[1][2]):
        if span[0] != end:
            raise ValueError(f"the data of {name!r} begins at {span[0]}, expected {end}: it overlaps or leaves a gap")
        end = span[1]
    if end != len(data):
        raise ValueError(f"the file holds {len(data)} bytes of data, its header describes {end}")
    if expected is not None:
        _check_expected({name: shape for name, (_, shape, _) in entries.items()}, expected)
    return {
        name: torch.frombuffer(bytearray(data[begin:end]), dtype=dtype).reshape(shape)
        if end > begin
        else torch.empty(shape, dtype=dtype)
        for name, (dtype, shape, (begin, end)) in entries.items()
    }


def _check_entry(name: object, tensor: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name {name!r} is {type(name).__name__}, expected text")
    if name == METADATA:
        raise ValueError(f"the name {METADATA!r} is the format's own")
    check_tensor(f"state[{name!r}]", tensor)
    assert isinstance(tensor, Tensor)
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise TypeError(f"state[{name!r}] is {tensor.layout} on {tensor.device}, expected a dense tensor with data")
    if tensor.dtype not in CODES:
        raise TypeError(f"state[{name!r}] is {tensor.dtype}, expected one of {', '.join(map(str, CODES))}")


def _bytes(tensor: Tensor) -> bytes:
    # A copy: one element of any stride counts as contiguous, but cannot be seen as bytes.
    flat = tensor.detach().cpu().reshape(-1).clone(memory_format=torch.contiguous_format)
    words = flat.view(torch.uint8).numpy() if flat.numel() else np.empty(0, np.uint8)
    return words.tobytes()


def _write_whole(path: str | os.PathLike[str], parts: list[bytes]) -> None:
    """Write to a file beside the path, and put it in its place when it is complete."""
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(f"{target} is a folder, expected a file")
    beside = f"{target}.{secrets.token_hex(8)}.part"
    try:
        with open(beside, "xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and data."""
    if len(content) < 8:
        raise ValueError(f"the file has {len(content)} bytes, expected at least 8 for the length of its header")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(len(content) - 8, LONGEST_HEADER):
        raise ValueError(f"the header is said to have {length} bytes, {len(content) - 8} follow")
    text = content[8 : 8 + length]
    if not text.startswith(b"{"):
        raise ValueError(f"the header begins with {text[:1]!r}, expected an open brace")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the header is not JSON: {error}") from None
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"{METADATA} is {metadata!r}, expected texts by name")
    return header, content[8 + length :]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a name appears twice among {[name for name, _ in pairs]}")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"the header holds {text}, which is not JSON")


def _entry(name: str, entry: Any) -> tuple[torch.dtype, tuple[int, ...], tuple[int, int]]:
    """Dtype, shape and place of one tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} is {entry!r}, expected dtype, shape and data_offsets")
    code, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"the dtype of {name!r} is {code!r}, expected one of {', '.join(DTYPES)}")
    if not _are_sizes(shape) or not _are_sizes(span) or len(span) != 2:
        raise ValueError(f"{name!r} has the shape {shape!r} and data_offsets {span!r}, expected whole numbers")
    dtype = DTYPES[code]
    if span[1] - span[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name!r} of shape {shape} and dtype {code} does not take {span[1] - span[0]} bytes")
    return dtype, tuple(shape), (span[0], span[1])


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_expected(shapes: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]]) -> None:
    missing, surplus = sorted(set(expected) - set(shapes)), sorted(set(shapes) - set(expected))
    if missing or surplus:
        raise ValueError(f"missing: {', '.join(missing) or 'nothing'}; surplus: {', '.join(surplus) or 'nothing'}")
    for name, shape in expected.items():
        if tuple(shape) != tuple(shapes[name]):
            raise ValueError(f"{name!r} has shape {tuple(shapes[name])}, expected {tuple(shape)}")
