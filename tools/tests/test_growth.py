"""The table of growth: what it measures, and what it makes of it. The clock is a stand-in."""

import itertools

import pytest

from lawbook.fixtures.implementation import load
from lawbook.tools import growth


def test_the_power_is_that_of_the_last_two_sizes():
    assert growth.exponent([10, 100, 1000], [5.0, 2.0, 200.0]) == pytest.approx(2)


def test_the_least_time_counts_and_the_first_call_does_not():
    calls = []
    ticks = iter([0, 5, 10, 12, 20, 29, 30, 33, 40, 44, 50, 56, 60, 66, 70, 76, 80, 86])
    assert growth.seconds(lambda: calls.append(1), lambda: next(ticks)) == 2
    assert len(calls) == 1 + growth.REPEATS


def test_every_component_has_a_line_of_every_implementation_that_has_it():
    ticks = itertools.count(0.0, 0.25)
    lines = growth.table([4, 8], [load("reference"), load("numpy")], lambda: next(ticks)).splitlines()
    assert lines[0] == "| component | given | implementation | n = 4 | n = 8 | grows as |"
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [
        *(name for name in ("box_iou", "nms", "assign_anchors") for _ in range(2)),
        "multibox_prior",  # NumPy's adapter has none.
        *("roi_align", "roi_align"),
    ]
    assert all(line.endswith("| 250 | 250 | n^0.0 |") for line in lines[2:])
