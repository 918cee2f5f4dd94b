"""The figures of what the suite catches: kept by chapter, shown on the page and in the docs."""

from pathlib import Path

import pytest

from lawbook.tools import figures, teeth
from lawbook.tools.refusal import Refusal
from lawbook.tools.report import html
from lawbook.tools.soak import Block, Plan, Soaked, by_chapter
from lawbook.tools.tests.samples import component, verdict

MEASUREMENTS = Path(__file__).parents[2] / "docs" / "measurements.md"
MUTANTS = {"killed": 9, "survived": 3, "equivalent": 1, "unjudged": 0, "score": 0.75, "median_cases": 2.0}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FILE", tmp_path / "figures.json")
    return figures.FILE


def test_figures_of_one_kind_replace_those_of_the_same_chapters_only(file):
    figures.keep("laws", {"losses": {"own": 5, "reject": 4}, "pooling": {"own": 2, "reject": 2}})
    figures.keep("bugs", {"losses": {"all": 3, "laws": 3, "allclose": 1}})
    figures.keep("laws", {"losses": {"own": 6, "reject": 6}, "tensors": {"own": 1, "reject": 1}})
    known = figures.read()
    assert list(known) == ["tensors", "losses", "pooling"]
    assert known["losses"] == {"bugs": {"all": 3, "laws": 3, "allclose": 1}, "laws": {"own": 6, "reject": 6}}
    assert known["pooling"] == {"laws": {"own": 2, "reject": 2}}


def test_soaks_of_several_implementations_stand_together(file):
    for run, cases in (("torch", 100), ("jax", 20), ("torch", 200)):
        figures.keep("soak", {"losses": {run: {"seeds": 50, "cases": cases, "alarms": 0}}})
    assert {run: found["cases"] for run, found in figures.read()["losses"]["soak"].items()} == {"torch": 200, "jax": 20}


def test_what_was_not_measured_is_a_dash_and_the_last_line_the_sum(file):
    figures.keep("mutants", {"losses": MUTANTS, "pooling": MUTANTS})
    figures.keep("bugs", {"losses": {"all": 3, "laws": 2, "allclose": 1}})
    losses, pooling, everything = figures.rows(figures.read())
    assert losses == ["losses", "–", "–", "2 of 3", "1 of 3", "–", "9 of 12 (75.0%)", "2"]
    assert pooling == ["pooling", "–", "–", "–", "–", "–", "9 of 12 (75.0%)", "2"]
    assert everything == ["all", "–", "–", "2 of 3", "1 of 3", "–", "18 of 24 (75.0%)", "–"]


def test_a_soak_covers_as_many_seeds_as_its_least_component():
    blocks = [
        Block("relu", 0, 10, cases=100),
        Block("relu", 10, 5, cases=50, alarms=[{"seed": 12, "law": "mirror", "text": ""}]),
        Block("relu6", 0, 10, cases=70),
    ]
    plan = Plan("torch", components=("relu", "relu6"), dtype="float64", offset=3)
    assert by_chapter(plan, Soaked(blocks)) == {"activations": {"seeds": 10, "cases": 220, "alarms": 1}}
    assert plan.title() == "torch, float64, offset 3"
    assert (
        Plan("jax", threads=2, flush=True, profile="quick").title()
        == "jax, quick profile, 2 threads, denormals flushed"
    )


def test_no_figures_no_table(file):
    assert figures.rows(figures.read()) == []
    assert "How far to trust this page" not in html.render([verdict({"relu": component()})])


def test_the_page_shows_them(file):
    figures.keep("soak", {"losses": {"torch": {"seeds": 50, "cases": 1234, "alarms": 0}}})
    page = html.render([verdict({"relu": component()})])
    assert "How far to trust this page" in page
    assert "<td>1,234</td>" in page


@pytest.mark.parametrize("content", ["{", "[1]", '{"losses": {"guesses": 3}}'])
def test_a_damaged_file_is_refused(file, content):
    file.write_text(content)
    with pytest.raises(Refusal, match="does not hold lawbook's figures"):
        figures.read()


def test_figures_of_half_a_chapter_are_not_kept(file, capsys):
    with pytest.raises(SystemExit):
        teeth.main(["--component", "relu", "--figures"])
    assert "figures of whole chapters" in capsys.readouterr().err
    assert not file.exists()


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(Refusal, match="cannot be kept in"):
        figures.keep("laws", {"losses": {"own": 1, "reject": 1}}, tmp_path / "no folder" / "figures.json")


def test_the_docs_show_the_figures_that_are_kept():
    assert figures.markdown(figures.read()) in MEASUREMENTS.read_text(encoding="utf-8")
