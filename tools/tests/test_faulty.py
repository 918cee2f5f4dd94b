"""The naive test beside the laws: what it sees, what it does not, and what the table says."""

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.registry import NEEDS, Faulty
from lawbook.reference import losses
from lawbook.spec_tests import load
from lawbook.tools import faulty
from lawbook.tools.cli import app
from lawbook.tools.refusal import Refusal

SOFTMAX = load()["softmax"]
COMPOUND = [known for some in registry.load().values() for known in some if known.compound]


def known(function, laws=("agrees_with_reference",), seen="SMX-02 someone/something#1"):
    return Faulty(function.__name__, "softmax", function, laws, "a | mistake", seen)


class TestNaive:
    def test_sees_a_missing_denominator(self):
        found = faulty.naive(SOFTMAX, known(lambda x, dim: x.exp()))
        assert found == {"1e-2": True, "default": True}

    def test_sees_an_exception(self):
        def broken(x, dim):
            raise RuntimeError

        assert faulty.naive(SOFTMAX, known(broken)) == {"1e-2": True, "default": True}

    def test_sees_one_percent_at_the_finer_tolerance_only(self):
        found = faulty.naive(SOFTMAX, known(lambda x, dim: losses.softmax(x, dim) * 1.005))
        assert found == {"1e-2": False, "default": True}

    def test_does_not_see_what_overflows_elsewhere(self):
        def overflowing(x, dim):
            return x.exp() / x.exp().sum(dim, keepdim=True) if x.ndim else torch.ones_like(x)

        bug = known(overflowing, ("agrees_with_reference", "extremes_stay_finite"))
        found = faulty.judge(SOFTMAX, bug)
        assert found.by_laws
        assert found.naive == {"1e-2": False, "default": False}

    def test_the_reference_itself_is_not_caught_and_the_laws_that_should_reject_it_are_named(self):
        found = faulty.judge(SOFTMAX, known(losses.softmax))
        assert found.naive == {"1e-2": False, "default": False}
        assert found.missed == ["agrees_with_reference: pass"]
        assert not found.by_laws


def test_rows_and_errata_are_told_from_other_sources():
    def of(seen):
        return faulty.sources(known(losses.softmax, seen=seen))

    assert of("E31; RNN-08 ENOT-AutoDL/onnx2torch#256") == ["E31", "RNN-08"]
    assert of("note 004") == of("torch.pow") == of("") == []


def test_table_counts_by_chapter_and_in_all(tmp_path):
    console = Console(record=True, width=100)
    file = tmp_path / "bugs.md"
    assert faulty.run([], ["softmax", "kl_divergence"], file, console) == 0
    text = file.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| softmax |")]
    assert len(rows) == sum(bool(faulty.sources(f)) for f in faulty.registry.load()["softmax"]) > 2
    assert "| all | " in text
    assert "losses" in console.export_text()


class TestCompound:
    @pytest.mark.parametrize("known", COMPOUND, ids=lambda known: known.name)
    def test_says_in_one_line_what_is_wrong_and_when(self, known):
        said = known.function.__doc__
        assert said
        assert "\n" not in said
        assert said.endswith(".")

    def test_each_needs_two_conditions(self):
        for known in COMPOUND:
            # Several arguments in combination are several conditions.
            assert len(set(known.needs)) >= 2 or known.needs == ("combination of arguments",), known.name

    def test_every_condition_and_every_chapter_has_some(self):
        assert {need for known in COMPOUND for need in known.needs} == set(NEEDS)
        assert {load()[known.component].chapter for known in COMPOUND} == {spec.chapter for spec in load().values()}

    def test_a_condition_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match="needs holds full moon, expected some of gradient"):
            registry.faulty(losses.softmax, rejected_by="agrees_with_reference", hint="none", needs=("full moon",))

    def test_page_lists_these_alone_and_what_quick_misses(self, tmp_path):
        file = tmp_path / "compound.md"
        assert faulty.run([], ["softmax", "log_softmax"], file, Console(), compound=True) == 0
        text = file.read_text(encoding="utf-8")
        rows = [line for line in text.splitlines() if line.startswith(("| softmax |", "| log_softmax |"))]
        assert len(rows) == sum(known.component in ("softmax", "log_softmax") for known in COMPOUND)
        assert "| half precision, beyond 256 elements | low precision | default |" in text
        assert "| half precision | 2 | 2 | 0 |" in text

    def test_the_command_takes_the_option(self):
        result = CliRunner().invoke(app, ["faulty", "--compound", "--component", "log_softmax"])
        assert result.exit_code == 0
        assert "mistakes" in result.output


def test_unknown_names_are_refused():
    with pytest.raises(Refusal, match="softmacks"):
        faulty.run([], ["softmacks"], None, Console())
