"""Soaking: what is judged, what is kept, and what is reported."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest
from rich.console import Console

from lawbook.fixtures.implementation import Implementation
from lawbook.reference.activations import relu
from lawbook.spec_tests import load
from lawbook.tools.refusal import Refusal
from lawbook.tools.soak import Plan, Worker, _tasks, judged, run, soak


def wrong_on_some_seeds(x):
    """The right answer but where the first number is above one."""
    return relu(x) * (1.5 if x.numel() and x.reshape(-1)[0] > 1 else 1)


def console():
    return Console(file=io.StringIO(), width=200)


def test_every_alarm_names_its_seed_and_law():
    plan = Plan("relu", seeds=3, profile="quick")
    wrong = judged(load()["relu"], Implementation([{"relu": wrong_on_some_seeds}], "wrong"), plan, 5, 3)
    assert wrong.cases > 0
    assert {alarm["seed"] for alarm in wrong.alarms} <= {5, 6, 7}
    assert any(alarm["law"] == "agrees_with_reference" and alarm["text"] for alarm in wrong.alarms)
    right = judged(load()["relu"], Implementation([{"relu": relu}], "right"), plan, 5, 3)
    assert not right.alarms


@pytest.mark.parametrize(
    ("reason", "dtype", "profile", "alarms"),
    [
        ("it is said to", "float32", "default", ["samples_independent"]),
        ("it is said to", "float32", "quick", []),
        ("it is said to", "float64", "default", []),
        ("sometimes: it is said to", "float32", "default", []),
    ],
)
def test_a_finding_that_is_gone_is_an_alarm_where_findings_are_made(monkeypatch, reason, dtype, profile, alarms):
    monkeypatch.setattr("lawbook.tools.soak.shipped", lambda name: {"relu": {"samples_independent": reason}})
    plan = Plan("mine", seeds=1, profile=profile, dtype=dtype)
    block = judged(load()["relu"], Implementation([{"relu": relu}], "mine"), plan, 0, 1)
    assert [alarm["law"] for alarm in block.alarms] == alarms
    assert all("expected to fail (it is said to), but it holds" in alarm["text"] for alarm in block.alarms)


def test_workers_may_compute_with_several_threads():
    # In a process of its own, that begins with as many threads as there are processors.
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    start = "from lawbook.tools.cli import main; main()"
    command = [sys.executable, "-c", start, "soak", "reference", "--component", "matmul", "--seeds", "1"]
    done = subprocess.run(
        [*command, "--threads", "2"], env=free, capture_output=True, text=True, timeout=100, check=True
    )
    assert "alarms: 0" in done.stdout


def test_a_soak_goes_on_where_it_stopped(tmp_path):
    log = tmp_path / "soak.jsonl"
    plan = Plan("reference", components=("relu",), seeds=2, profile="quick")
    first = soak(plan, log, 1, console())
    assert [(b.component, b.first, b.seeds) for b in first.blocks] == [("relu", 0, 2)]
    more = soak(Plan("reference", components=("relu",), seeds=3, profile="quick"), log, 1, console())
    assert [(b.first, b.seeds) for b in more.blocks] == [(0, 2), (2, 1)]
    kept = [json.loads(line) for line in log.read_text().splitlines()]
    assert kept[0]["implementation"] == "reference"
    assert kept[1]["cases"] == first.blocks[0].cases


def test_a_file_that_is_wrong_raises_the_alarm_and_the_status(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def relu(x):\n    return x\n")
    screen = console()
    status = run(Plan(str(file), components=("relu",), seeds=1, profile="quick"), None, 1, screen)
    said = screen.file.getvalue()
    assert status == 1
    assert "ALARM relu · agrees with reference · seed 0" in said


def test_a_seed_that_ends_the_process_is_an_alarm_and_the_others_are_judged(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    file = tmp_path / "mine.py"
    file.write_text(
        "import os, tempfile, torch\n"
        "def relu(x):\n"
        "    tempfile.mkstemp(suffix='.left')\n"
        "    first = float(x.reshape(-1)[0]) if x.numel() else 0\n"
        "    if first > 4: os._exit(3)\n"
        "    return torch.where(x > 0, x, x * 0)\n"
    )
    soaked = soak(Plan(str(file), components=("relu",), seeds=3, profile="quick"), None, 1, console())
    assert sorted(block.first for block in soaked.blocks) == [0, 1, 2]
    crashed = [alarm for _, alarm in soaked.alarms if alarm["law"] == "crash"]
    assert crashed
    assert all("exit status 3" in alarm["text"] for alarm in crashed)
    assert not list(temporary.rglob("*.left")), "what a process leaves behind goes with the soak"


def test_a_soak_that_is_asked_to_end_leaves_no_process_behind(tmp_path, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text("import signal\ndef relu(x):\n    signal.pause()\n")
    begun: list[Worker] = []

    def asked_to_end(pipes):
        os.kill(os.getpid(), signal.SIGTERM)
        return []

    monkeypatch.setattr("lawbook.tools.soak.Worker", lambda *task: begun.append(Worker(*task)) or begun[-1])
    monkeypatch.setattr("lawbook.tools.soak.wait", asked_to_end)
    soaked = soak(Plan(str(file), components=("relu",), seeds=1, profile="quick"), None, 1, console())
    assert soaked.stopped == "interrupted"
    assert [worker.ended() for worker in begun] == ["SIGKILL"]


def test_no_block_is_begun_beyond_the_cases_asked_for(tmp_path):
    soaked = soak(Plan("reference", components=("relu",), cases=1, profile="quick"), None, 1, console())
    assert soaked.stopped == "cases"
    assert len(soaked.blocks) == 1


def test_a_sample_is_spread_over_components_and_seeds():
    names = [f"component {i}" for i in range(40)]
    tasks = list(_tasks(Plan("reference", seeds=100, cases=1), names, set()))
    judged_on = [(name, seed) for name, first, seeds in tasks for seed in range(first, first + seeds)]
    assert sorted(judged_on) == sorted((name, seed) for name in names for seed in range(100))
    for turn in range(20):
        part = tasks[40 * turn : 40 * (turn + 1)]
        assert {name for name, _, _ in part} == set(names)
        assert {first for _, first, _ in part} == set(range(0, 100, 5))


def test_what_a_sample_has_judged_is_not_judged_again():
    plan = Plan("reference", seeds=7, cases=1)
    first = list(_tasks(plan, ["relu", "tanh"], set()))
    assert first == [("relu", 0, 5), ("tanh", 5, 2), ("relu", 5, 2), ("tanh", 0, 5)]
    finished = {("relu", seed) for seed in range(5)}
    assert list(_tasks(plan, ["relu", "tanh"], finished)) == first[1:]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan("torch"), "Say when to stop"),
        (Plan("torch", components=("reluu",), seeds=1), "did you mean relu"),
        (Plan("torch", chapters=("losing",), seeds=1), "no chapter 'losing'"),
        (Plan("no_such_thing", seeds=1), "neither a built-in adapter"),
    ],
)
def test_what_cannot_be_soaked_is_refused(plan, said):
    with pytest.raises(Refusal, match=said):
        soak(plan, None, 1, console())


def test_a_log_of_other_conditions_or_damaged_is_refused(tmp_path):
    log = tmp_path / "soak.jsonl"
    log.write_text(json.dumps(Plan("torch", dtype="float64").conditions()) + "\n")
    with pytest.raises(Refusal, match="other conditions: dtype 'float64'"):
        soak(Plan("torch", seeds=1), log, 1, console())
    log.write_text("rubbish\n")
    with pytest.raises(Refusal, match="not the log of a soak"):
        soak(Plan("torch", seeds=1), log, 1, console())
