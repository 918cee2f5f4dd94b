"""Coverage per chapter: files find their chapter, figures add up, and a real run measures inside the workers."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lawbook.tools import coverage
from lawbook.tools.report.files import read_coverage
from lawbook.tools.report.verdict import VerdictError
from lawbook.tools.tests import samples

KNOWN = {"losses", "convolution", "sequences"}


@pytest.mark.parametrize(
    ("path", "chapter"),
    [
        ("/x/reference/losses.py", "losses"),
        ("/x/reference/losses/binary.py", "losses"),
        ("/x/reference/losses/__init__.py", "losses"),
        ("/x/reference/checks.py", None),
        ("/x/mine.py", None),
    ],
)
def test_files_find_their_chapter(path, chapter):
    assert coverage.chapter_of(Path(path), KNOWN) == chapter


def test_sources_are_found_without_importing(tmp_path, monkeypatch):
    package = tmp_path / "mine"
    (package / "inner").mkdir(parents=True)
    for file in (package / "__init__.py", package / "inner" / "losses.py"):
        file.write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    assert coverage.source_files("mine") == [package / "__init__.py", package / "inner" / "losses.py"]
    assert coverage.source_files(str(package / "inner" / "losses.py")) == [package / "inner" / "losses.py"]
    assert any(path.name == "losses.py" for path in coverage.source_files("torch"))


def test_figures_add_up_by_chapter():
    def measured(lines, of, branches=0, of_branches=0):
        return {"covered_lines": lines, "num_statements": of, "covered_branches": branches, "num_branches": of_branches}

    names = ["losses/a.py", "losses/b.py", "sequences.py", "checks.py", "other.py"]
    sources = {"reference": [Path("/r") / name for name in names[:4]], "implementation": [Path("/i/losses.py")]}
    found = {
        "/r/losses/a.py": measured(3, 4, 1, 2),
        "/r/losses/b.py": measured(5, 6, 2, 2),
        "/r/sequences.py": measured(0, 9),
        "/r/checks.py": measured(7, 8),
        "/i/losses.py": measured(2, 2),
    }
    verdict = samples.verdict({"softmax": samples.component()})
    figures = coverage.by_chapter(verdict, sources, found, KNOWN)
    assert figures["chapters"] == {
        "losses": {
            "components": 1,
            "provided": 1,
            "laws": 1,
            "reference": {"lines": [8, 10], "branches": [3, 4]},
            "implementation": {"lines": [2, 2], "branches": [0, 0]},
        },
        coverage.OTHER: {
            "components": 0,
            "provided": 0,
            "laws": 0,
            "reference": {"lines": [7, 8], "branches": [0, 0]},
            "implementation": None,
        },
    }
    stream = io.StringIO()
    Console(file=stream, width=120).print(coverage.table(figures))
    assert "80% (8/10)" in stream.getvalue()


def test_what_is_written_is_what_the_page_reads(tmp_path):
    figures = coverage.by_chapter(samples.verdict(), {"reference": [], "implementation": []}, {}, KNOWN)
    file = tmp_path / "coverage.json"
    file.write_text(json.dumps(figures))
    assert read_coverage(file) == figures
    file.write_text("[]")
    with pytest.raises(VerdictError):
        read_coverage(file)


def test_a_real_run_measures_inside_the_workers(tmp_path):
    """One file with a branch that no case takes: its line is missing from the figures."""
    (tmp_path / "mine.py").write_text(
        "import torch\ndef softmax(x, dim):\n    if x is None:\n        return None\n    return torch.softmax(x, dim)\n"
    )
    # Only one chapter, and of the other components nothing is provided: the run is short.
    command = [sys.executable, "-c", "from lawbook.tools.cli import main; main()", "coverage", "--impl", "mine.py"]
    command += ["--chapter", "losses", "--json", "figures.json", "-n", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (tmp_path / "figures.json").exists(), done.stdout + done.stderr
    chapters = json.loads((tmp_path / "figures.json").read_text())["chapters"]
    assert chapters["losses"]["provided"] == 1
    assert chapters["losses"]["reference"]["lines"][0] > 0
    assert chapters[coverage.OTHER]["implementation"] == {"lines": [4, 5], "branches": [1, 2]}
    assert not (tmp_path / ".coverage").exists()
