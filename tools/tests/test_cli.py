"""The command line: what it refuses and how, what it prints, and its exit status."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lawbook.spec_tests import load
from lawbook.tools import catalogue, cli
from lawbook.tools.tests import samples


def invoke(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def refused(*arguments):
    """The one sentence of a refusal."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    # Names of components and laws are known to the run alone, whose command is shown.
    assert [line for line in result.stdout.splitlines() if line and not line.startswith("python -m pytest")] == []
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def softmax(x, dim: int = -1):
    r"""The share of every exponential in the sum of its row.

        y = \exp(x) / \sum \exp(x)

    Args:
        x: (...), floating.

    Source: note 004, softmax regression; Bridle 1990.
    """


def conv2d(x, weight, stride=1):
    """Cross-correlation."""


class FakeSpec:
    """As much of a Spec as the catalogue needs."""

    def __init__(self, component, chapter, declines=None):
        self.component = component
        self.chapter = chapter
        self.declines = declines or {}
        self.prerequisites = ()
        self.differentiable = ("x",)
        self.twice = True
        self.nan_arguments = None

    def laws(self):
        return {
            "agrees_with_reference": "The result is the reference's.",
            "rows_sum_to_one": "Every row adds up to one.",
        }


@pytest.fixture(autouse=True)
def fake_registry(monkeypatch):
    specs = {
        "softmax": FakeSpec(softmax, "losses", {"agrees_with_reference": "there is none"}),
        "conv2d": FakeSpec(conv2d, "convolution"),
    }
    monkeypatch.setattr(catalogue, "registry", lambda: specs)


@pytest.fixture
def verdict(tmp_path):
    file = tmp_path / "verdict.json"
    file.write_text(json.dumps(samples.verdict()))
    return file


def test_help_is_quick_because_it_does_not_import_torch():
    code = "import sys, lawbook.tools.cli as cli; cli.completed([]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_every_command_has_help():
    commands = ("check", "list", "show", "report", "coverage", "new-adapter", "reproduce")
    text = invoke("--help").output
    for command in commands:
        assert command in text
        assert invoke(command, "--help").exit_code == 0


class TestList:
    def test_as_data(self):
        entries = json.loads(invoke("list", "--json").stdout)
        assert entries[1] == {
            "component": "conv2d",
            "chapter": "convolution",
            "laws": ["agrees_with_reference", "rows_sum_to_one"],
            "signature": "conv2d(x, weight, stride=1)",
        }
        assert [entry["component"] for entry in entries] == ["softmax", "conv2d"]

    def test_one_chapter(self):
        assert [entry["component"] for entry in json.loads(invoke("list", "--json", "--chapter", "losses").stdout)] == [
            "softmax"
        ]

    def test_as_a_table(self):
        text = invoke("list").stdout
        assert "2 components, 4 laws" in text
        assert "softmax(x, dim=-1)" in text

    def test_unknown_chapter(self):
        assert refused("list", "--chapter", "loses") == "There is no chapter 'loses'; did you mean losses?"


class TestShow:
    def test_contract_laws_declines_and_sources(self):
        text = invoke("show", "softmax").stdout
        assert "def softmax(x, dim=-1):" in text
        assert "x: (...), floating." in text
        assert "rows_sum_to_one: Every row adds up to one." in text
        assert "agrees_with_reference: there is none" in text
        assert "Bridle 1990" in text
        assert "gradients to x, second derivatives too" in text
        assert "nan in" not in text

    def test_the_arguments_that_are_spared_a_nan(self, monkeypatch):
        monkeypatch.setattr(catalogue, "registry", load)
        assert "nan in w alone" in invoke("show", "perceptron_step").stdout

    def test_unknown_component(self):
        assert refused("show", "softmx") == "There is no component 'softmx'; did you mean softmax?"


class TestReport:
    def test_the_table_without_options(self, verdict):
        result = invoke("report", verdict)
        assert result.exit_code == 0
        assert "5/6" in result.stdout
        assert "GPU laws: not run (no device given)" in result.stdout

    def test_every_file(self, verdict, tmp_path):
        files = {option: tmp_path / f"out.{option}" for option in ("html", "markdown", "badge", "junit")}
        result = invoke("report", verdict, *(part for option, file in files.items() for part in (f"--{option}", file)))
        assert result.exit_code == 0, result.output
        starts = {"html": "<!doctype html>", "markdown": "## mine", "badge": "<svg", "junit": "<?xml"}
        for option, file in files.items():
            assert file.read_text().startswith(starts[option])

    def test_markdown_goes_to_the_terminal_without_a_file(self, verdict):
        assert cli.completed(["report", "v", "--markdown"]) == ["report", "v", "--markdown", "-"]
        assert cli.completed(["report", "--markdown", "--badge", "b"]) == ["report", "--markdown", "-", "--badge", "b"]
        assert cli.completed(["report", "v", "--markdown", "f"]) == ["report", "v", "--markdown", "f"]
        assert invoke("report", verdict, "--markdown", "-").stdout.startswith("## mine 1.2")

    def test_damaged_file(self, tmp_path):
        file = tmp_path / "verdict.json"
        file.write_text('{"schema": 1, "lawb')
        assert "is damaged or no verdict" in refused("report", file)

    def test_missing_file(self, tmp_path):
        assert "cannot be read" in refused("report", tmp_path / "none.json")

    def test_one_damaged_file_among_good_ones(self, verdict, tmp_path):
        file = tmp_path / "other.json"
        file.write_text("{}")
        page = tmp_path / "page.html"
        assert "no lawbook verdict" in refused("report", verdict, file, "--html", page)
        assert not page.exists()

    def test_a_badge_is_of_one_verdict(self, verdict, tmp_path):
        assert refused("report", verdict, verdict, "--badge", tmp_path / "b.svg") == "A badge is made from one verdict."

    def test_unwritable_file(self, verdict, tmp_path):
        assert "cannot be written" in refused("report", verdict, "--html", tmp_path / "no" / "page.html")

    def test_foreign_coverage_file(self, verdict, tmp_path):
        page = tmp_path / "page.html"
        assert "lawbook coverage --json" in refused("report", verdict, "--html", page, "--coverage", verdict)


class TestNewAdapter:
    def test_it_imports_and_provides_nothing(self, tmp_path):
        file = tmp_path / "mine.py"
        assert invoke("new-adapter", file).exit_code == 0
        space = {}
        exec(compile(file.read_text(), file, "exec"), space)
        assert not {"softmax", "conv2d"} & space.keys()

    def test_with_the_comment_marks_off_it_has_the_contracts_functions(self, tmp_path):
        file = tmp_path / "mine.py"
        invoke("new-adapter", file)
        text = "\n".join(line.removeprefix("# ").removeprefix("#") for line in file.read_text().splitlines())
        space = {}
        exec(compile(text, file, "exec"), space)
        assert space["softmax"].__doc__ == catalogue.inspect.getdoc(softmax) + "\n" or "exp" in space["softmax"].__doc__
        assert str(catalogue.inspect.signature(space["softmax"])) == "(x, dim=-1)"

    def test_one_chapter(self, tmp_path):
        file = tmp_path / "mine.py"
        invoke("new-adapter", file, "--chapter", "convolution")
        assert "def conv2d" in file.read_text()
        assert "def softmax" not in file.read_text()

    def test_an_existing_file_is_left_alone(self, tmp_path):
        file = tmp_path / "mine.py"
        file.write_text("precious")
        assert "exists already" in refused("new-adapter", file)
        assert file.read_text() == "precious"

    def test_a_file_that_cannot_be_imported_is_refused(self, tmp_path):
        assert "must end in .py" in refused("new-adapter", tmp_path / "mine.txt")


class TestReproduce:
    def test_names_are_checked_against_the_verdict(self, verdict):
        assert "did you mean softmax or log_softmax?" in refused(
            "reproduce", verdict, "softmx", "agrees_with_reference"
        )
        assert "did you mean agrees_with_reference?" in refused("reproduce", verdict, "softmax", "agrees_with_refrence")

    def test_nothing_to_reproduce(self, verdict):
        assert "its outcome is pass" in refused("reproduce", verdict, "softmax", "agrees_with_reference")

    def test_a_crash_keeps_no_counterexample(self, verdict):
        said = refused("reproduce", verdict, "log_softmax", "agrees_with_reference")
        assert "killed by signal 11" in said
        assert "lawbook check mine.py --component log_softmax" in said


class TestCheckRefuses:
    def test_unknown_names(self):
        assert "did you mean softmax or " in refused("check", "torch", "--component", "sofmax")
        assert "did you mean losses or " in refused("check", "torch", "--chapter", "loses")
        assert "did you mean rows_sum_to_one" in refused("check", "torch", "--law", "row_sum_to_one")

    def test_missing_implementation(self, tmp_path):
        assert refused("check", tmp_path / "none.py") == f"There is no file {tmp_path / 'none.py'}."
        assert "did you mean torch?" in refused("check", "trch")

    def test_unwritable_verdict(self, tmp_path):
        assert "it is a folder" in refused("check", "torch", "--verdict", tmp_path)
        assert "there is no folder" in refused("check", "torch", "--verdict", tmp_path / "no" / "v.json")

    def test_a_foreign_file_is_not_overwritten(self, tmp_path):
        file = tmp_path / "notes.txt"
        file.write_text("precious")
        assert "would overwrite" in refused("check", "torch", "--verdict", file)
        assert file.read_text() == "precious"

    def test_damaged_expected_failures(self, tmp_path):
        file = tmp_path / "expected.toml"
        file.write_text("[softmax")
        assert "not TOML" in refused("check", "torch", "--expected", file)
        file.write_text("softmax = 3")
        assert "must map laws to reasons" in refused("check", "torch", "--expected", file)
        assert "cannot read" in refused("check", "torch", "--expected", tmp_path / "none.toml").lower()

    def test_odd_number_of_workers(self):
        assert "not 'many'" in refused("check", "torch", "-n", "many")
