"""Reading event files: by a reader of lawbook's own, which checks every sum, and by TensorBoard's where it is installed."""

import importlib.util
import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import torch

from lawbook.fixtures.implementation import NotOffered
from lawbook.spec_tests.spec import require

VARINT, DOUBLE, BYTES, SINGLE = 0, 1, 2, 5


@dataclass
class Event:
    """An event: when, at which step, and what of it there is."""

    wall_time: float = 0.0
    step: int = 0
    version: str | None = None
    graph: list | None = None
    values: list = field(default_factory=list)


def files(folder):
    """Name → content of the folder's event files, in the order of their names."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if "tfevents" in name:
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
    return found


def events(folder):
    """The events of all files but for each one's first, which must say the version."""
    found = []
    for name, content in files(folder).items():
        of_file = [_event(data) for data in records(content)]
        require(len(of_file) > 0, f"{name} holds no event, expected the version at least")
        require(
            of_file[0].version == "brain.Event:2",
            f"{name} begins with the version {of_file[0].version!r}, expected 'brain.Event:2'",
        )
        found += of_file[1:]
    return found


def values(folder):
    """(step, tag, kind, content) of every summary, in the files' order."""
    return [(event.step, *value) for event in events(folder) for value in event.values]


def graphs(folder):
    """Every graph, as a list of (name, op, inputs)."""
    return [event.graph for event in events(folder) if event.graph is not None]


def records(content):
    """The records of a file, whose check sums must be right."""
    at = 0
    found: list[bytes] = []
    while at < len(content):
        require(at + 12 <= len(content), f"the file ends within the length of record {len(found)}")
        length, check = struct.unpack_from("<QI", content, at)
        require(
            check == _masked(content[at : at + 8]),
            f"the length of record {len(found)} has the check sum {check:#x}, expected {_masked(content[at : at + 8]):#x}",
        )
        require(at + 16 + length <= len(content), f"the file ends within record {len(found)}, of {length} bytes")
        data = content[at + 12 : at + 12 + length]
        (check,) = struct.unpack_from("<I", content, at + 12 + length)
        require(
            check == _masked(data), f"record {len(found)} has the check sum {check:#x}, expected {_masked(data):#x}"
        )
        found.append(data)
        at += 16 + length
    return found


def _masked(data):
    crc = _crc32c(data)
    return (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) % (1 << 32)


def _crc32c(data):
    """Bit by bit, as the polynomial says: slow, and nothing like what writers do."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        crc = _EIGHT[crc & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _eight(value):
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 * (value & 1))
    return value


_EIGHT = [_eight(value) for value in range(256)]


def fields(content):
    """(number, kind, value) of a message's fields, in their order."""
    at = 0
    found: list[tuple] = []
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(content, at)
        else:
            require(kind in (DOUBLE, BYTES, SINGLE), f"field {key >> 3} has the kind {kind}, which there is not")
            size = {DOUBLE: 8, SINGLE: 4}.get(kind)
            if size is None:
                size, at = _varint(content, at)
            require(at + size <= len(content), f"field {key >> 3} of {size} bytes goes beyond its message")
            value, at = content[at : at + size], at + size
        found.append((key >> 3, kind, value))
    return found


def _varint(content, at):
    value = shift = 0
    while True:
        require(at < len(content) and shift < 70, "a whole number goes beyond its message")
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _event(content):
    event = Event()
    for number, _, value in fields(content):
        if number == 1:
            (event.wall_time,) = struct.unpack("<d", value)
        elif number == 2:
            event.step = _signed(value)
        elif number == 3:
            event.version = value.decode()
        elif number == 4:
            event.graph = [_node(node) for k, _, node in fields(value) if k == 1]
        elif number == 5:
            event.values += [_value(part) for k, _, part in fields(value) if k == 1]
    return event


def _node(content):
    found = fields(content)
    name, op = ("".join(value.decode() for k, _, value in found if k == number) for number in (1, 2))
    return name, op, [value.decode() for k, _, value in found if k == 3]


def _value(content):
    tag, kind, found = "", None, None
    for number, _, value in fields(content):
        if number == 1:
            tag = value.decode()
        elif number == 2:
            kind, found = "scalar", struct.unpack("<f", value)[0]
        elif number == 4:
            kind, found = "image", _image(value)
        elif number == 5:
            kind, found = "histogram", _histogram(value)
    return tag, kind, found


FIGURES = {1: "min", 2: "max", 3: "num", 4: "sum", 5: "sum_squares"}


def _histogram(content):
    found: dict[str, Any] = dict.fromkeys(FIGURES.values(), 0.0) | {"limits": [], "counts": []}
    for number, _, value in fields(content):
        numbers = struct.unpack(f"<{len(value) // 8}d", value)
        if number in FIGURES:
            found[FIGURES[number]] = numbers[0]
        else:
            # One by one or all together: both mean the same.
            found["limits" if number == 6 else "counts"] += [*numbers]
    return found


def _image(content):
    found = {number: value for number, _, value in fields(content)}
    return {"height": found.get(1), "width": found.get(2), "channels": found.get(3), "pixels": decode_png(found[4])}


def decode_png(content):
    """(C, H, W) bytes of a PNG of eight bits a channel, not interlaced."""
    require(content[:8] == b"\x89PNG\r\n\x1a\n", f"the picture begins with {content[:8]!r}, which is no PNG")
    at, data, header = 8, b"", (0,) * 7
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, chunk = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", content, at + 8 + length)
        require(check == zlib.crc32(kind + chunk), f"the chunk {kind!r} of the PNG has a wrong check sum")
        header = struct.unpack(">IIBBBBB", chunk) if kind == b"IHDR" else header
        data += chunk if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour, compression, filtering, interlaced = header
    require(compression == filtering == 0, f"the PNG has the header {header}, expected compression and filter 0")
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 0)
    require(depth == 8 and channels and not interlaced, f"the PNG has the header {header}, expected 8 bits a channel")
    raw = zlib.decompress(data)
    row, above, rows = 1 + width * channels, [0] * (width * channels), []
    for k in range(height):
        above = _unfiltered(raw[k * row], raw[k * row + 1 : (k + 1) * row], above, channels)
        rows.append(above)
    return torch.tensor(rows, dtype=torch.uint8).reshape(height, width, channels).permute(2, 0, 1)


def _unfiltered(kind, line, above, channels):
    found: list[int] = []
    for i, byte in enumerate(line):
        left, corner = (found[i - channels], above[i - channels]) if i >= channels else (0, 0)
        guess = left + above[i] - corner
        paeth = min((left, above[i], corner), key=lambda x: abs(guess - x))
        found.append((byte + (0, left, above[i], (left + above[i]) // 2, paeth)[kind]) & 255)
    return found


def tensorboard(folder):
    """TensorBoard's own reader of the folder."""
    if importlib.util.find_spec("tensorboard") is None:
        raise NotOffered("TensorBoard is not installed: its own reader reads nothing here")
    from tensorboard.backend.event_processing.event_accumulator import (
        COMPRESSED_HISTOGRAMS,
        GRAPH,
        HISTOGRAMS,
        IMAGES,
        SCALARS,
        EventAccumulator,
    )

    everything = {COMPRESSED_HISTOGRAMS: 1, GRAPH: 0, HISTOGRAMS: 0, IMAGES: 0, SCALARS: 0}
    return EventAccumulator(os.fspath(folder), size_guidance=everything).Reload()
