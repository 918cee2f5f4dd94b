"""What each law is good for is counted, and a law that rejects nothing is named."""

import pytest
import torch

from lawbook.fixtures.faulty.registry import Faulty
from lawbook.spec_tests import load
from lawbook.tools import redundancy
from lawbook.tools.redundancy import Rejection, Use, main, own_laws, tables, uses
from lawbook.tools.tests.specimens import double, numbers, spec

USES = [
    Use("softmax", "losses", "rows_sum_to_one", rejects="no_shift"),
    Use("softmax", "losses", "shift_changes_nothing", rejects="no_shift", alone=["no_shift"]),
    Use("relu", "activations", "twice_is_once", rejects=""),
]


def positive(self, impl, case):
    """The result is positive."""
    assert bool((impl(case) >= -1e9).all())


def test_own_laws_are_those_that_not_every_component_has():
    of = spec(double, numbers, test_positive=positive)
    assert own_laws(of) == ["positive"]
    assert "rows_sum_to_one" in own_laws(load()["softmax"])
    assert "agrees_with_reference" not in own_laws(load()["softmax"])


def wrong(name, function, law="agrees_with_reference"):
    return Faulty(name, "double", function, (law,), "", "")


def test_a_law_is_held_against_every_faulty_implementation_until_it_rejects_one():
    of = spec(double, numbers, test_positive=positive)
    offset = wrong("offset", lambda x: 2 * x + 1)
    assert uses(of, [offset]) == [Use("double", of.chapter, "positive", "", [])]
    far = wrong("far", lambda x: torch.full_like(x, -1e30))
    assert uses(of, [offset, far]) == [Use("double", of.chapter, "positive", "far", [])]


def long(self, impl):
    """A thousand numbers are doubled too."""
    assert impl.call(x=torch.ones(1000)).sum() == 2000


def test_what_only_one_law_rejects_is_named():
    of = spec(double, numbers, test_long=long)
    short = wrong("short", lambda x: 2 * x if x.numel() < 1000 else x, "long")
    assert uses(of, [short]) == [Use("double", of.chapter, "long", "short", ["short"])]
    assert Rejection(of, wrong("right", double)).first(2) == []


def test_a_law_that_rejects_nothing_is_named_and_fails(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(redundancy, "by_component", lambda *_: iter([USES]))
    assert main(["--markdown", str(tmp_path / "redundancy.md")]) == 1
    said = capsys.readouterr().out
    assert "REJECTS NOTHING  relu · twice_is_once" in said
    assert "3 own laws, 1 reject nothing, 1 reject something alone" in said
    monkeypatch.setattr(redundancy, "by_component", lambda *_: iter([USES[:2]]))
    assert main([]) == 0


def test_the_tables_count_by_chapter_and_name_the_indispensable():
    page = tables(USES)
    assert "| losses | 2 | 2 | 1 |" in page
    assert "| all | 3 | 2 | 1 |" in page
    assert "- softmax · shift changes nothing (no_shift)" in page
    assert "- relu · twice is once" in page


def test_an_unknown_component_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--component", "sofmax"])
    assert ended.value.code == 2
    assert "did you mean softmax" in capsys.readouterr().err
