"""pytest's side of a trial: refusals in one sentence, exit statuses, expected failures, runs that are cut short."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lawbook.tools.report.verdict import read

RIGHT = """
import torch

def softmax(x, dim):
    return torch.softmax(x, dim)

def log_softmax(x, dim):
    return torch.log_softmax(x, dim)
"""
SEEDING = RIGHT.replace("    return torch.softmax", "    torch.manual_seed(0)\n    return torch.softmax")


@pytest.fixture
def trial(tmp_path):
    """Run pytest over the losses with an implementation; the finished process."""

    def command(source, *more):
        (tmp_path / "mine.py").write_text(source)
        start = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "1", "--profile", "quick"]
        return [*start, "--pyargs", "lawbook.spec_tests.test_losses", "--impl", "mine.py", "--verdict", "v.json", *more]

    def run(source, *more):
        return subprocess.run(command(source, *more), cwd=tmp_path, capture_output=True, text=True, check=False)

    run.folder, run.command = tmp_path, command
    return run


SOFTMAX = ("--component", "softmax")
PREPARED = """import time

import torch

done = []


def prepare(component):
    {}
    done.append(component)


ADAPTER = {{"prepare": prepare}}


def softmax(x, dim):
    return torch.softmax(x, dim)
"""


class TestRefusals:
    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("import os; os._exit(0)", "the implementation ended the process while it was imported"),
            ("while True: pass", "the implementation took too long to import"),
            ("import no_such_thing", "importing mine.py failed: ModuleNotFoundError: No module named 'no_such_thing'"),
            ("raise SystemExit(0)", "importing mine.py failed: SystemExit: 0"),
            ("ADAPTER = {'bridge': 'cupy'}", "names the bridge 'cupy'"),
        ],
        ids=["exits", "loops", "lacks a module", "leaves", "broken adapter"],
    )
    def test_a_file_that_cannot_be_imported(self, trial, source, sentence):
        run = trial(source, *SOFTMAX, "--law-timeout", "3")
        assert run.returncode == 2
        assert sentence in run.stdout.partition("= lawbook =")[2].splitlines()[1]
        verdict = trial.folder / "v.json"
        assert not verdict.exists() or not json.loads(verdict.read_text())["complete"]

    def test_what_an_adapter_prepares_is_not_on_the_clock_of_a_case(self, trial):
        # A limit that the cases keep to on a machine with other work, too.
        run = trial(PREPARED.format("if not done: time.sleep(22)"), *SOFTMAX, "--law-timeout", "20")
        assert run.returncode == 0, run.stdout + run.stderr

    def test_what_an_adapter_prepares_without_end_is_ended(self, trial):
        run = trial(PREPARED.format("while True: pass"), *SOFTMAX, "--law-timeout", "0.5")
        assert run.returncode == 1
        assert "preparing it took too long" in run.stdout

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("[softmax", "are not TOML"),
            ('[softmax]\nglobal_stat = "a slip of the pen"', "There is no law 'global_stat' of softmax"),
            ('[sofmax]\nglobal_state = "a slip of the pen"', "There is no component 'sofmax'"),
        ],
    )
    def test_expected_failures_that_cannot_be_meant(self, trial, content, sentence):
        (trial.folder / "expected.toml").write_text(content)
        run = trial(RIGHT, *SOFTMAX, "--expected", "expected.toml")
        assert run.returncode == 2
        assert sentence in run.stdout + run.stderr
        assert "Traceback" not in run.stdout + run.stderr

    def test_a_verdict_that_cannot_be_written(self, trial):
        run = trial(RIGHT, *SOFTMAX, "--verdict", "no/such/folder/v.json")
        assert run.returncode == 2
        assert "the verdict cannot be written to no/such/folder/v.json" in run.stdout + run.stderr


class TestExpectedFailures:
    def expect(self, trial, source, profile="default"):
        (trial.folder / "expected.toml").write_text('[softmax]\nglobal_state = "it seeds itself"\n')
        chosen = (*SOFTMAX, "--component", "log_softmax", "--law", "global_state", "--profile", profile)
        run = trial(source, *chosen, "--expected", "expected.toml")
        return run, read(trial.folder / "v.json")["components"]

    def test_a_known_deviation_is_not_held_against_it(self, trial):
        run, components = self.expect(trial, SEEDING)
        assert run.returncode == 0, run.stdout
        law = components["softmax"]["laws"]["global_state"]
        assert (law["outcome"], law["reason"]) == ("expected_failure", "it seeds itself")
        assert components["softmax"]["outcome"] == "expected_failure"
        assert components["log_softmax"]["outcome"] == "pass"

    def test_one_that_is_gone_is(self, trial):
        run, components = self.expect(trial, RIGHT)
        assert run.returncode == 1
        assert components["softmax"]["outcome"] == "fail"
        assert "take it off the expected failures" in run.stdout

    def test_of_a_few_cases_it_is_not_asked(self, trial):
        run, components = self.expect(trial, RIGHT, "quick")
        assert run.returncode == 0, run.stdout
        assert components["softmax"]["outcome"] == "pass"


class TestCutShort:
    def test_stopping_at_the_first_failure_is_no_verdict(self, trial):
        run = trial(SEEDING, "-x")
        assert run.returncode == 2
        assert "the run was cut short" in run.stdout
        verdict = json.loads((trial.folder / "v.json").read_text())
        assert not verdict["complete"]

    def test_a_killed_controller_leaves_what_was_judged_in_the_journal(self, trial):
        slow = RIGHT.replace(
            "    return torch.log_softmax", "    import time; time.sleep(1)\n    return torch.log_softmax"
        )
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = trial.command(slow, *SOFTMAX, "--component", "log_softmax")
        process = subprocess.Popen(command, cwd=trial.folder, start_new_session=True, **silent)
        journal = trial.folder / "v.json.journal"
        try:
            for _ in range(600):
                if journal.is_file() and journal.read_text().count('"event": "law"') >= 2:
                    break
                time.sleep(0.1)
            process.kill()
            assert process.wait(30) == -signal.SIGKILL
        finally:
            os.killpg(process.pid, signal.SIGKILL)
        events = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
        assert events[0]["event"] == "start"
        assert events[0]["total"] > len(events) > 2
        assert all(event["event"] == "law" for event in events[1:])
        assert not (trial.folder / "v.json").exists()


def test_a_thread_that_never_ends_does_not_keep_the_run(trial):
    threading = RIGHT.replace(
        "    return torch.softmax",
        "    import threading, time\n    threading.Thread(target=time.sleep, args=(10_000,)).start()\n    return torch.softmax",
    )
    run = trial(threading, *SOFTMAX, "--law", "agrees_with_reference")
    assert run.returncode == 0, run.stdout
    assert read(trial.folder / "v.json")["complete"]


def test_exploring_draws_a_seed_and_says_it(trial):
    run = trial(RIGHT, *SOFTMAX, "--law", "agrees_with_reference", "--explore")
    assert run.returncode == 0, run.stdout
    seed = read(trial.folder / "v.json")["seed"]
    assert seed != 0
    assert f"seed: {seed}," in run.stdout


def test_other_tests_beside_the_laws_do_not_count_as_laws(trial):
    (trial.folder / "test_beside.py").write_text(
        "from lawbook.spec_tests.test_losses import TestSoftmax\n\n"
        "class TestOther:\n    def test_it(self):\n        pass\n"
    )
    command = [part for part in trial.command(RIGHT) if part not in ("--pyargs", "lawbook.spec_tests.test_losses")]
    run = subprocess.run([*command, "test_beside.py"], cwd=trial.folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    verdict = read(trial.folder / "v.json")
    assert verdict["complete"]
    assert set(verdict["components"]) == {"softmax"}


def test_without_an_implementation_it_says_how_to_name_one(trial):
    command = [part for part in trial.command(RIGHT, *SOFTMAX) if part not in ("--impl", "mine.py")]
    run = subprocess.run(command, cwd=trial.folder, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "name the implementation on trial: --impl NAME|MODULE|FILE" in run.stdout + run.stderr
