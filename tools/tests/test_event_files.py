"""The reader of event files: what it accepts, and what it does not let pass."""

import io

import pytest
import torch

from lawbook.fixtures.cases.folders import Folder
from lawbook.reference.training import event_files as writer
from lawbook.reference.training import log_scalars
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.test_training import event_files


def test_check_sums_are_castagnoli_s():
    # RFC 3720, B.4.
    for data, crc in ((b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):
        assert writer.crc32c(data) == crc
        assert event_files._crc32c(data) == crc


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, (1 << 40) + 1, -1, -(1 << 62)])
def test_whole_numbers_are_read_back(value):
    ((number, kind, found),) = event_files.fields(writer.whole(5, value))
    assert (number, kind, event_files._signed(found)) == (5, 0, value)


def test_no_wrong_byte_goes_unnoticed():
    folder = Folder()
    log_scalars(folder, "a", torch.tensor([1.5, 2.5]))
    (content,) = event_files.files(folder).values()
    assert len(event_files.records(content)) == 3
    for at in range(len(content)):
        wrong = bytearray(content)
        wrong[at] ^= 1
        with pytest.raises(LawBroken):
            event_files.records(bytes(wrong))
    whole = 0
    for length in range(len(content)):
        try:
            whole += len(event_files.records(content[:length])) < 3
        except LawBroken:
            continue
    # Nothing, the first record alone, and the first two are whole files.
    assert whole == 3


def test_every_filter_of_a_picture_is_undone():
    image = pytest.importorskip("PIL.Image")
    generator = torch.Generator().manual_seed(0)
    slope = torch.arange(40)[:, None, None] * 3 + torch.arange(30)[None, :, None] * 2 + torch.arange(3) * 20
    seen = set()
    for noise in (1, 4, 256):
        pixels = ((slope + torch.randint(0, noise, (40, 30, 3), generator=generator)) % 256).to(torch.uint8)
        buffer = io.BytesIO()
        image.fromarray(pixels.numpy()).save(buffer, "PNG")
        assert torch.equal(event_files.decode_png(buffer.getvalue()), pixels.permute(2, 0, 1))
        seen.add(buffer.getvalue())
    assert len(seen) == 3


def test_filters_by_hand():
    above, line = [10, 20, 30, 40], bytes([1, 2, 3, 4])
    assert event_files._unfiltered(0, line, above, 1) == [1, 2, 3, 4]
    assert event_files._unfiltered(1, line, above, 1) == [1, 3, 6, 10]
    assert event_files._unfiltered(2, line, above, 2) == [11, 22, 33, 44]
    assert event_files._unfiltered(3, line, above, 1) == [6, 15, 25, 36]
    assert event_files._unfiltered(4, line, above, 1) == [11, 22, 33, 44]
