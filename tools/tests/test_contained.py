"""One run over an implementation whose every component misbehaves in another way: nothing ends the run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lawbook.tools.report.verdict import read
from lawbook.tools.tests.samples import heed_interrupts

WILD = """
import ctypes, os, sys, time
import numpy as np
import torch
import torch.nn.functional as F


def softmax(x, dim):
    os._exit(0)


def log_softmax(x, dim):
    ctypes.string_at(0)


def mse_loss(y_hat, y, reduction="mean"):
    while True:
        pass


def l1_loss(y_hat, y, reduction="mean"):
    ctypes.PyDLL(None).usleep(100_000_000)  # A loop in C that keeps the interpreter lock.


def corr2d(X, K):
    return np.ones(2**36)


def corr2d_1x1(X, K):
    return "a string"


def transposed_corr2d(X, K):
    return None


def corr2d_multi_in(X, K):
    sys.exit(0)


def corr2d_multi_in_out(X, K):
    raise KeyboardInterrupt


def unfold(x, *args, **kwargs):
    return unfold(x)


def zero_pad2d(x, padding):
    print("x" * 5_000_000)
    return F.pad(x, padding if not isinstance(padding, int) else (padding,) * 4)


def distribution_cross_entropy(p, q):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    return -(torch.special.xlogy(p, q)).sum(-1)


def rnn_cell(x, state, params, nonlinearity="tanh"):
    params.clear()
    return x


def symmetric_cross_entropy(logits, labels, num_classes, a=1.0, b=1.0):
    logits.resize_(0)
    return logits.sum()


class Rude(Exception):
    def __str__(self):
        raise RuntimeError("no message")


def accuracy(y_hat, y):
    raise Rude


def cosine_similarity(x, y, dim=1, eps=1e-8):
    return F.cosine_similarity(x, y, dim, eps)
"""

EXPECTED = {
    "softmax": {"crash"},
    "log_softmax": {"crash"},
    "mse_loss": {"timeout"},
    "l1_loss": {"timeout"},
    "corr2d": {"error"},
    "corr2d_1x1": {"fail", "error"},
    "transposed_corr2d": {"fail", "error"},
    "corr2d_multi_in": {"error"},
    "corr2d_multi_in_out": {"error"},
    "unfold": {"error"},
    "accuracy": {"error"},
    "symmetric_cross_entropy": {"fail", "error"},
    "rnn_cell": {"fail", "error"},
}


def trial(folder: Path, source: str, *more: str) -> list[str]:
    (folder / "wild.py").write_text(source)
    options = ["--impl", "wild.py", "--verdict", "verdict.json", "--profile", "quick", "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", "-q", "--pyargs", "lawbook.spec_tests", *options, *more]


def only(*components: str) -> list[str]:
    """The options that choose these components."""
    return [part for component in components for part in ("--component", component)]


def test_each_becomes_the_right_outcome_and_the_others_are_still_judged(tmp_path):
    beside = ("zero_pad2d", "distribution_cross_entropy", "cosine_similarity", "conv2d")
    command = trial(tmp_path, WILD, "-n", "2", "--law-timeout", "20", "--memory-limit", "3", *only(*EXPECTED, *beside))
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout[-3000:]
    verdict = read(tmp_path / "verdict.json")
    assert verdict["complete"]
    components = verdict["components"]
    wrong = {
        name: components[name]["outcome"] for name in EXPECTED if components[name]["outcome"] not in EXPECTED[name]
    }
    assert wrong == {}

    laws = components["cosine_similarity"]["laws"]
    assert laws["agrees_with_reference"]["outcome"] == "pass"
    assert laws["agrees_with_reference"]["cases"] == 8
    assert components["conv2d"]["outcome"] == "not_provided"

    # Printing is no fault, and not kept.
    assert components["zero_pad2d"]["laws"]["agrees_with_reference"]["outcome"] == "pass"
    assert len(run.stdout) < 1_000_000

    # Changed global state is reported, and put back.
    seeding = components["distribution_cross_entropy"]["laws"]["global_state"]
    assert seeding["outcome"] == "fail"
    assert "default dtype" in seeding["reason"]
    assert laws["global_state"]["outcome"] == "pass"


CALM = """
import torch


def softmax(x, dim):
    return torch.softmax(x, dim)


def log_softmax(x, dim):
    return torch.log_softmax(x, dim)
"""


def without_times(tree):
    if isinstance(tree, dict):
        return {k: without_times(v) for k, v in tree.items() if k not in ("seconds", "started", "machine")}
    return [without_times(x) for x in tree] if isinstance(tree, list) else tree


def test_two_runs_give_the_same_verdict_whatever_the_workers(tmp_path):
    texts = []
    source = CALM.replace("torch.log_softmax(x, dim)", "torch.log_softmax(x, 0)")
    for workers in ("1", "2"):
        subprocess.run(
            trial(tmp_path, source, "-n", workers, *only("softmax", "log_softmax")),
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        verdict = json.loads((tmp_path / "verdict.json").read_text())
        assert verdict["components"]["log_softmax"]["outcome"] == "fail"
        texts.append(json.dumps(without_times(verdict)))
    assert texts[0] == texts[1]


def test_interrupted_run_is_not_green_and_loses_nothing(tmp_path):
    slow = "def mse_loss(y_hat, y, reduction='mean'):\n    time.sleep(1)\n    return (y_hat - y).square().mean()\n"
    source = f"{CALM}\n\nimport time\n\n\n{slow}"
    process = subprocess.Popen(
        trial(tmp_path, source, "-n", "1", *only("softmax", "mse_loss")),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
        preexec_fn=heed_interrupts,
    )
    journal = tmp_path / "verdict.json.journal"
    while process.poll() is None and not (journal.is_file() and '"law"' in journal.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 2
    assert not json.loads((tmp_path / "verdict.json").read_text())["complete"]


def test_run_without_a_case_is_no_verdict(tmp_path):
    run = subprocess.run(
        trial(tmp_path, "", "-n", "1", *only("softmax")), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "nothing was judged" in run.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--component", "sofmax"], "sofmax"),
        (["--law", "agrees"], "agrees"),
        (["--impl", "no_such_module_here"], "no implementation 'no_such_module_here'"),
        (["--device", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_run_says_so_in_a_sentence(tmp_path, options, sentence):
    command = trial(tmp_path, CALM, "-n", "1", "--component", "softmax", *options)
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2, run.stdout
    assert sentence in run.stdout + run.stderr
