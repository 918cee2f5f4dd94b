"""What each law is good for is counted, and a law that rejects nothing is named."""

import pytest
import torch

from lawbook.spec_tests import load
from lawbook.tools import redundancy
from lawbook.tools.redundancy import Use, main, own_laws, rejecting, tables
from lawbook.tools.tests.specimens import double, numbers, spec

USES = [
    Use("softmax", "losses", "rows_sum_to_one", rejects=3, alone=0),
    Use("softmax", "losses", "shift_changes_nothing", rejects=1, alone=1),
    Use("relu", "activations", "twice_is_once", rejects=0, alone=0),
]


def positive(self, impl, case):
    """The result is positive."""
    assert bool((impl(case) >= -1e9).all())


def test_own_laws_are_those_that_not_every_component_has():
    of = spec(double, numbers, test_positive=positive)
    assert own_laws(of) == ["positive"]
    assert "rows_sum_to_one" in own_laws(load()["softmax"])
    assert "agrees_with_reference" not in own_laws(load()["softmax"])


def test_all_laws_that_reject_are_named():
    of = spec(double, numbers, test_positive=positive)
    assert rejecting(of, {"double": double}) == set()
    wrong = rejecting(of, {"double": lambda x: torch.full_like(x, -1e30)})
    assert {"agrees_with_reference", "positive"} <= wrong


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
    assert "- softmax · shift changes nothing (1)" in page
    assert "- relu · twice is once" in page


def test_an_unknown_component_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--component", "sofmax"])
    assert ended.value.code == 2
    assert "did you mean softmax" in capsys.readouterr().err
