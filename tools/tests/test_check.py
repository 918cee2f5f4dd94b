"""``lawbook check`` watches a run: whatever becomes of it, the exit status is true."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from rich.console import Console

from lawbook.tools import check
from lawbook.tools.journal import Journal, path_of
from lawbook.tools.refusal import Refusal
from lawbook.tools.tests import samples
from lawbook.tools.tests.samples import heed_interrupts


def event(law="agrees_with_reference", outcome="pass", component="softmax"):
    return {
        "event": "law",
        "component": component,
        "chapter": "losses",
        "law": law,
        "outcome": outcome,
        "cases": 25,
        "worst": 0.5,
        "seconds": 0.01,
        "implementation": {"name": "mine", "version": "1", "source": "mine.py"},
    }


@pytest.fixture
def judged(monkeypatch, tmp_path):
    """Run ``check`` with a stand-in for pytest; the exit status and what was printed."""
    file = tmp_path / "verdict.json"

    def run(program, request=None):
        journal = path_of(file)
        head = f"import json, os, signal, sys, time\nverdict, journal = {str(file)!r}, {str(journal)!r}\n"
        head += "def note(event):\n    open(journal, 'a').write(json.dumps(event) + '\\n')\n"
        line = [sys.executable, "-c", head + textwrap.dedent(program)]
        monkeypatch.setattr(check.Request, "pytest_line", lambda *_: line)
        stream = io.StringIO()
        request = request or check.Request("reference", verdict=file)
        code = check.run(request, Console(file=stream, width=120))
        return code, stream.getvalue()

    run.file = file
    return run


def writing(data):
    return f"open(verdict, 'w').write({json.dumps(json.dumps(data))})\n"


GOOD = samples.verdict({"softmax": samples.component()})
BAD = samples.verdict(samples.every_outcome())


class TestExitStatus:
    def test_all_laws_hold(self, judged):
        code, text = judged(writing(GOOD))
        assert code == 0
        assert "pass: 1 of 1 provided components" in text

    def test_some_do_not(self, judged):
        code, text = judged(writing(BAD) + "sys.exit(1)")
        assert code == 1
        assert text.index("log_softmax ") < text.index("cross_entropy ")

    def test_the_sentinel_says_incomplete(self, judged):
        assert judged(writing({**GOOD, "complete": False}) + "sys.exit(2)")[0] == 2

    def test_a_run_that_ends_without_a_verdict(self, judged):
        code, text = judged(f"note({{'event': 'start', 'total': 9}})\nnote({event()!r})\nos._exit(0)")
        assert code == 2
        assert "incomplete" in text
        assert "1 of 1" not in text

    def test_every_law_holds_but_pytest_failed(self, judged):
        code, text = judged(writing(GOOD) + "sys.exit(3)")
        assert code == 2
        assert "the run itself failed" in text

    def test_nothing_judged(self, judged):
        code, text = judged(writing(samples.verdict({"bleu": samples.component(outcome="not_provided", laws={})})))
        assert code == 2
        assert "nothing judged" in text

    @pytest.mark.parametrize(
        ("program", "said"),
        [
            (
                "print('ERROR: importing mine.py failed: SyntaxError'); sys.exit(4)",
                "Importing mine.py failed: SyntaxError.",
            ),
            ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL before any law was judged"),
            ("sys.exit(3)", "ended with status 3 before any law was judged"),
            (
                writing({**GOOD, "components": {}, "complete": False})
                + "print('=' * 30, 'lawbook', '=' * 30)\nprint('there is no such device')\nsys.exit(2)",
                "There is no such device.",
            ),
        ],
    )
    def test_a_run_that_cannot_be_made_is_one_sentence(self, judged, program, said):
        with pytest.raises(Refusal) as refused:
            judged(program)
        assert said in str(refused.value)

    def test_a_damaged_verdict(self, judged):
        with pytest.raises(Refusal, match="damaged"):
            judged("open(verdict, 'w').write('{')")


class TestPreviousVerdict:
    def test_fewer_laws_than_last_time(self, judged):
        judged(writing(BAD))
        text = judged(writing(GOOD))[1]
        assert "fewer components than last time: 1, were 6" in text

    def test_a_dead_run_leaves_no_old_verdict_behind(self, judged):
        judged(writing(GOOD))
        with pytest.raises(Refusal):
            judged("sys.exit(3)")
        assert not judged.file.exists()


class TestFiles:
    def test_output_goes_to_a_log_beside_the_verdict(self, judged):
        judged("print('from pytest')\n" + writing(GOOD))
        assert judged.file.with_name("verdict.json.log").read_text() == "from pytest\n"

    def test_the_reproduce_line_names_the_verdict(self, judged):
        fails = samples.law("fail", failure=samples.failure(message="reproduce: lawbook reproduce VERDICT softmax x"))
        bad = samples.verdict({"softmax": samples.component(outcome="fail", laws={"agrees_with_reference": fails})})
        assert f"lawbook reproduce {judged.file} softmax x" in judged(writing(bad) + "sys.exit(1)")[1]

    def test_what_a_process_that_dies_leaves_behind_goes_with_the_run(self, judged, tmp_path):
        told = tmp_path / "told"
        judged(writing(GOOD) + f"import tempfile\nopen({str(told)!r}, 'w').write(tempfile.mkdtemp())\nos._exit(0)")
        assert told.read_text()
        assert not os.path.exists(told.read_text())

    def test_a_temporary_verdict_is_removed_when_all_is_well(self, monkeypatch, tmp_path):
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr(check, "temporary_folder", lambda: folder)
        line = [sys.executable, "-c", f"verdict = {str(folder / 'verdict.json')!r}\n" + writing(GOOD)]
        monkeypatch.setattr(check.Request, "pytest_line", lambda *_: line)
        assert check.run(check.Request("reference"), Console(file=io.StringIO())) == 0
        assert not (folder / "verdict.json").exists()


class TestInterrupt:
    def test_what_was_judged_so_far_is_shown_and_nothing_is_left_running(self, tmp_path):
        """A real process group: the run starts a worker of its own, and both must be gone."""
        pids = tmp_path / "pids"
        program = f"""
            import json, os, subprocess, sys, time
            from lawbook.tools import check
            from rich.console import Console
            child = '''
            import json, os, subprocess, sys, time
            with open({str(tmp_path / "verdict.json.journal")!r}, "w") as journal:
                print(json.dumps({{"event": "start", "total": 9}}), file=journal)
                print(json.dumps({event("agrees_with_reference", "fail")!r}), file=journal)
            worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open({str(pids)!r} + ".new", "w").write(f"{{os.getpid()}} {{worker.pid}}")
            os.rename({str(pids)!r} + ".new", {str(pids)!r})
            time.sleep(600)
            '''
            import pathlib, textwrap
            check.Request.pytest_line = lambda *_: [sys.executable, "-c", textwrap.dedent(child)]
            request = check.Request("reference", verdict=pathlib.Path({str(tmp_path / "verdict.json")!r}))
            sys.exit(check.run(request, Console(width=120)))
        """
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        for _ in range(600):
            if pids.exists():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "interrupted" in text
        assert "softmax" in text
        for pid in pids.read_text().split():
            assert not running(int(pid))


def running(pid):
    """Whether the process lives; one that only waits to be buried does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip().startswith("Z")


class TestJournal:
    def test_a_line_still_being_written_is_left_for_later(self, tmp_path):
        file = tmp_path / "journal"
        line = json.dumps(event())
        file.write_text(line[:20])
        journal = Journal(file)
        assert journal.follow() == []
        file.write_text(line + "\n")
        assert len(journal.follow()) == 1
        assert journal.follow() == []

    def test_damaged_lines_are_passed_over(self, tmp_path):
        file = tmp_path / "journal"
        file.write_text("\x00\x00\n[]\n" + json.dumps(event()) + "\n")
        journal = Journal(file)
        assert len(journal.follow()) == 1

    def test_a_partial_verdict_is_a_verdict(self, tmp_path):
        from lawbook.tools.report.verdict import validate

        file = tmp_path / "journal"
        events = [
            {"event": "start", "total": 5, "implementation": "mine.py", "seed": 0},
            event(),
            event("rows_sum_to_one", "fail"),
            event("accelerator_agrees", "not_run"),
            event(component="conv2d", outcome="not_provided"),
        ]
        file.write_text("".join(json.dumps(e) + "\n" for e in events))
        journal = Journal(file)
        journal.follow()
        partial = journal.partial(check.Request("mine.py").blank_verdict())
        assert validate(partial) is None
        assert partial["complete"] is False
        assert partial["implementation"]["name"] == "mine"
        assert partial["components"]["softmax"]["outcome"] == "fail"
        assert partial["components"]["conv2d"] == {
            "chapter": "losses",
            "outcome": "not_provided",
            "seconds": 0.0,
            "prerequisites": [],
            "laws": {},
        }


class TestLine:
    def test_the_printed_line_is_the_one_that_runs(self, tmp_path):
        request = check.Request("torch", chapters=["losses"], laws=["a", "b"], seed=3, device="cuda", workers="2")
        line = request.pytest_line(tmp_path / "v.json")
        text = " ".join(line)
        assert line[1:3] == ["-m", "pytest"]
        for part in ("-n 2", "--pyargs lawbook.spec_tests", "--impl torch", "--chapter losses", "--law a --law b"):
            assert part in text
        for part in ("--law-seed 3", "--device cuda", "--profile default", "--working-dtype float32"):
            assert part in text

    @pytest.mark.parametrize(("asked", "used"), [("0", "1"), ("1", "1"), ("8", "8"), ("auto", "auto")])
    def test_there_is_always_a_worker(self, asked, used):
        request = check.Request("reference", workers=asked)
        check.prepare(request)
        assert request.workers == used


class TestWithTheRealSuite:
    """One small run from another folder: the plugin's verdict satisfies the schema and the exit status is right."""

    def check(self, tmp_path, text, *options):
        file = tmp_path / "mine.py"
        file.write_text(text)
        command = [sys.executable, "-c", "from lawbook.tools.cli import main; main()", "check", "mine.py", "-n", "1"]
        command += ["--component", "softmax", "--profile", "quick", "--verdict", "v.json", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    def test_a_wrong_softmax(self, tmp_path):
        source = "import torch\ndef softmax(x, dim):\n    return torch.softmax(x, dim) * 1.01\n"
        done = self.check(tmp_path, source, "--law", "agrees_with_reference")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "softmax · agrees with reference" in done.stdout
        assert "--pyargs lawbook.spec_tests" in done.stdout
        assert not (tmp_path / ".hypothesis").exists()

    def test_a_broken_file(self, tmp_path):
        done = self.check(tmp_path, "import nothing_of_that_name\n", "--law", "agrees_with_reference")
        assert done.returncode == 2
        assert "nothing_of_that_name" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1

    def test_a_skeleton_provides_nothing(self, tmp_path):
        done = self.check(tmp_path, "# nothing yet\n", "--law", "agrees_with_reference")
        assert done.returncode == 2
        assert "nothing judged: none of 1 component is provided" in done.stdout
