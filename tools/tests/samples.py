"""Hand-made verdicts for the tests of the reports and the command line."""

import copy
import signal


def law(outcome="pass", cases=25, worst=0.12, reason=None, failure=None, seconds=0.01):
    """One law's entry."""
    return {
        "outcome": outcome,
        "cases": cases,
        "worst": worst,
        "seconds": seconds,
        "reason": reason,
        "failure": failure,
    }


def failure(kind="value", **more):
    """What a failing law carries."""
    return {
        "message": "softmax · agrees with the reference\n  x = [[nan, 1.0]]   dim = 1\n  got <b>nan</b>",
        "kind": kind,
        "case": {"x": {"tensor": [[1.0, "nan"]], "dtype": "float32", "shape": [1, 2]}, "dim": 1},
        "cotangent": None,
        "wrt": None,
        "expected": {"tensor": [[0.5, 0.5]], "dtype": "float64", "shape": [1, 2]},
        "got": {"tensor": [["nan", 1.0]], "dtype": "float32", "shape": [1, 2]},
        "position": "[0, 1]",
        "error": "inf",
        "allowed": 5e-07,
        "hint": "exponentials without subtracting the maximum",
        "failing_cases": 10,
        "tried_cases": 10,
        **more,
    }


def component(chapter="losses", outcome="pass", laws=None, prerequisites=()):
    """One component's entry."""
    return {
        "chapter": chapter,
        "outcome": outcome,
        "seconds": 0.25,
        "prerequisites": list(prerequisites),
        "laws": {"agrees_with_reference": law()} if laws is None else laws,
    }


def verdict(components=None, **more):
    """A complete verdict; by default one of every outcome."""
    return copy.deepcopy(
        {
            "schema": 1,
            "lawbook": "0.1.0",
            "implementation": {"name": "mine", "version": "1.2", "source": "mine.py"},
            "profile": "default",
            "seed": 0,
            "device": "cpu",
            "dtype": "float32",
            "complete": True,
            "selection": {"chapters": [], "components": [], "laws": []},
            "machine": {"system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0", "processors": 2, "workers": 2},
            "started": "2026-01-01T03:00:00+00:00",
            "seconds": 21.3,
            "components": every_outcome() if components is None else components,
            **more,
        }
    )


def every_outcome():
    """Components of three chapters with every outcome there is."""
    return {
        "cross_entropy": component(
            outcome="fail",
            laws={"agrees_with_reference": law("fail", failure=failure(hint=None, position="[0]"), worst=5821.0)},
            prerequisites=("log_softmax",),
        ),
        "log_softmax": component(
            outcome="crash",
            laws={
                "agrees_with_reference": law("crash", 0, None, "the worker was killed by signal 11"),
                "gradient_agrees": law("timeout", 3, None, "longer than 60 s"),
                "memory_layout": law("pass", worst="nan"),
                "rows_sum_to_one": law("error", 1, None, "ZeroDivisionError: division by zero", failure("other")),
            },
        ),
        "softmax": component(
            laws={
                "accelerator_agrees": law("not_run", 0, None, "no device given"),
                "agrees_with_reference": law(worst=0.4),
                "second_derivative_agrees": law("not_applicable", 0, None, "its second derivative is not judged"),
            }
        ),
        "conv2d": component(
            "convolution",
            "expected_failure",
            {
                "agrees_with_reference": law(),
                "invalid_input_raises": law("expected_failure", 4, None, "the library broadcasts | instead"),
            },
        ),
        "bleu": component("sequences", "not_provided", {}),
        "vocab": component("sequences", "not_run", {"agrees_with_reference": law("not_run", 0, None, "not selected")}),
    }


def heed_interrupts() -> None:
    """Called in a child before it begins: what a shell starts in the background ignores interrupts, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
