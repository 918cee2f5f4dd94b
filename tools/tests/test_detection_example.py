"""The example that trains the detector: what it draws, and what it makes of predictions."""

import importlib.util
import struct
import zlib
from pathlib import Path

import pytest
import torch

from lawbook.reference import detection

PATH = Path(__file__).resolve().parents[2] / "examples" / "detection.py"


@pytest.fixture(scope="module")
def example():
    found = importlib.util.spec_from_file_location("detection_example", PATH)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_draws_the_same_pictures(example):
    first, second = (example.batch(generator(), 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_objects_lie_in_the_picture_and_apart(example):
    for _, labels in (example.drawn(generator(seed)) for seed in range(12)):
        boxes = labels[labels[:, 0] >= 0, 1:]
        assert bool(((boxes >= 0) & (boxes <= 1)).all())
        assert bool((detection.box_iou(boxes, boxes).fill_diagonal_(0) <= 0.05).all())


@pytest.mark.parametrize("kind", ["banana", "apple"])
def test_the_box_holds_what_is_drawn_and_no_more(example, kind):
    plain = torch.full((3, example.SIDE, example.SIDE), 0.5)
    picture, box = example.pasted(plain, kind, torch.empty(0, 4), generator(1))
    rows, columns = (picture != plain).any(0).nonzero().unbind(1)
    seen = torch.stack((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) / example.SIDE
    # The rim is blended over one pixel.
    assert float((box[0] - seen).abs().max()) <= 1 / example.SIDE


def test_right_predictions_have_no_errors_and_find_all(example):
    _, labels = example.batch(generator(2), 4)
    anchors = torch.cat([detection.multibox_prior(n, n, [0.2, 0.4], [1.0, 2.0, 0.5]) for n in (8, 4)], 1)
    offsets, _, classes = detection.multibox_target(anchors, labels)
    scores = 20 * torch.nn.functional.one_hot(classes, 3).float()
    found = example.judged((anchors, scores, offsets), labels)
    assert found["class error"] == found["box error"] == 0
    assert found["objects"] == int((labels[..., 0] >= 0).sum()) > 0
    assert found["share of the objects that are found"] == found["share of the detections that are right"] == 1
    assert found["mean overlap of those found"] == pytest.approx(1, abs=1e-5)


def test_the_picture_is_a_png_of_what_was_given(example, tmp_path):
    picture = torch.arange(2 * 3 * 3).view(2, 3, 3) / 255
    example.write_png(tmp_path / "x.png", picture)
    data = (tmp_path / "x.png").read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    begin = data.index(b"IDAT") + 4
    rows = zlib.decompress(data[begin : data.index(b"IEND") - 8])
    # Each row begins with its filter, 2: the difference from the row above.
    assert (width, height, rows[0], rows[10]) == (3, 2, 2, 2)
    assert list(rows[1:10]) == list(range(9))
    assert list(rows[11:]) == [9] * 9
