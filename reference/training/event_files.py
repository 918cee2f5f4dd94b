"""The files that TensorBoard reads: records with check sums, and in each of them an event.

    record  =  length (uint64), check(length) (uint32), event (length bytes), check(event) (uint32),   little-endian
    check(b) = (c ≫ 15 | c ≪ 17) + 0xa282ead8   mod 2³²,   c = CRC-32C(b)

An event is a message of Protocol Buffers: fields one after another, each with the number of the field and the kind of what
follows, whole numbers seven bits a byte. The first event of a file says which version of the format it is.

Source: TFRecord and event.proto, summary.proto, graph.proto of TensorFlow; Protocol Buffers, Encoding; CRC-32C of RFC 3720.
"""

import itertools
import os
import socket
import struct
import time
from collections.abc import Iterable

VERSION = "brain.Event:2"
PathLike = str | os.PathLike[str]

_numbers = itertools.count()


def write_events(log_dir: PathLike, contents: Iterable[bytes]) -> None:
    """Write one event for each of the contents, which are fields of an event but for its time, to a new file.

    The folder and its parents are made where they are missing. The file's name holds the time, the machine, the process and
    a number, and a name that is taken already is never used again: what others write to the folder stays as it is.
    """
    os.makedirs(log_dir, exist_ok=True)
    records = [record(event(content)) for content in (text(3, VERSION), *contents)]
    while True:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        try:
            with open(os.path.join(log_dir, name), "xb") as file:
                file.write(b"".join(records))
            return
        except FileExistsError:
            continue


def event(content: bytes) -> bytes:
    """An event of now."""
    return double(1, time.time()) + content


def record(data: bytes) -> bytes:
    """The bytes with their length and the check sums of both."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def masked(crc: int) -> int:
    """The check sum as it is stored: turned and moved, as sums of data that hold sums themselves are weak."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Castagnoli's check sum, whose polynomial is 0x1EDC6F41, bits reversed."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = _table()


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, lowest first; negative ones as 64 bits of two's complement."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def whole(field: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(field << 3) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field with a number of 64 bits."""
    return varint(field << 3 | 1) + struct.pack("<d", value)


def message(field: int, content: bytes) -> bytes:
    """A field with bytes: a message in the message, a text, a list of numbers."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """A field with a text."""
    return message(field, value.encode())


def single(field: int, value: bytes) -> bytes:
    """A field with a number of 32 bits, given as these."""
    return varint(field << 3 | 5) + value


def doubles(field: int, values: Iterable[float]) -> bytes:
    """A field with a list of numbers of 64 bits."""
    return message(field, b"".join(struct.pack("<d", value) for value in values))
