"""The naive test beside the laws: what it sees, what it does not, and what the table says."""

import pytest
import torch
from rich.console import Console

from lawbook.fixtures.faulty.registry import Faulty
from lawbook.reference import losses
from lawbook.spec_tests import load
from lawbook.tools import faulty
from lawbook.tools.refusal import Refusal

SOFTMAX = load()["softmax"]


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


def test_unknown_names_are_refused():
    with pytest.raises(Refusal, match="softmacks"):
        faulty.run([], ["softmacks"], None, Console())
