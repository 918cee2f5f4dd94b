"""The printed scripts fail as the verdict says, and hold for the reference."""

import json
import subprocess
import sys
import textwrap

import pytest
import torch

from lawbook.fixtures.implementation import load
from lawbook.spec_tests import load as specs
from lawbook.spec_tests.running import Settings, run_law
from lawbook.tools import reproduce
from lawbook.tools.literal import decode, source
from lawbook.tools.refusal import Refusal
from lawbook.tools.report.verdict import validate
from lawbook.tools.tests import samples

HEAD = """
import random
import numpy
import torch
from lawbook.reference import losses, recurrent
"""


def judged(file, component, law, dtype="float32", source=None):
    """The verdict of one law of one wrong implementation."""
    spec = specs()[component]
    implementation = load(source or str(file))
    result = run_law(spec, law, implementation, Settings(profile="quick", dtype=getattr(torch, dtype)))
    assert result.outcome in ("fail", "error"), (result.outcome, result.reason)
    entry = samples.law(result.outcome, result.cases, None, result.reason, result.failure.as_json())
    verdict = samples.verdict(
        {component: samples.component(spec.chapter, result.outcome, {law: entry})},
        implementation={"name": implementation.name, "version": "0", "source": implementation.source},
        dtype=dtype,
    )
    verdict = json.loads(json.dumps(verdict, sort_keys=True))
    assert validate(verdict) is None
    return verdict


def outcome(text):
    """What the script raises when it is run on its own; None when it ends well."""
    assert "spec_tests" not in text
    state = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    try:
        exec(compile(text, "script", "exec"), {"__name__": "__main__"})
    except (Exception, SystemExit) as error:
        return error
    finally:
        torch.set_rng_state(state[0])
        torch.set_default_dtype(state[1])
        torch.set_grad_enabled(state[2])
        torch.set_num_threads(state[3])
    return None


WRONG = {
    "value": (
        "softmax",
        "agrees_with_reference",
        """
        def softmax(x, dim):
            return x.exp() / x.exp().sum(dim, keepdim=True)
        """,
    ),
    "value in a row of its own": (
        "softmax",
        "agrees_with_reference",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim) * 1.001
        """,
    ),
    "shape": (
        "softmax",
        "agrees_with_reference",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim)[None]
        """,
    ),
    "kind": (
        "softmax",
        "agrees_with_reference",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim).tolist()
        """,
    ),
    "dtype": (
        "softmax",
        "shape_and_dtype",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim).double()
        """,
    ),
    "exception": (
        "softmax",
        "agrees_with_reference",
        """
        def softmax(x, dim):
            return x.softmax(dim).no_such_method()
        """,
    ),
    "gradient": (
        "softmax",
        "gradient_agrees",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim).detach() + 0 * x
        """,
    ),
    "gradient of nested arguments": (
        "rnn_cell",
        "gradient_agrees",
        """
        def rnn_cell(x, state, params, nonlinearity='tanh'):
            params = {**params, 'W_hh': params['W_hh'] * 2 - params['W_hh'].detach()}
            return recurrent.rnn_cell(x, state, params, nonlinearity)
        """,
    ),
    "second derivative": (
        "softmax",
        "second_derivative_agrees",
        """
        class Once(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, dim):
                y = losses.softmax(x, dim)
                ctx.dim = dim
                ctx.save_for_backward(y)
                return y
            @staticmethod
            def backward(ctx, g):
                y = ctx.saved_tensors[0].detach()
                return y * (g - (g * y).sum(ctx.dim, keepdim=True)), None
        def softmax(x, dim):
            return Once.apply(x, dim)
        """,
    ),
    "second derivative of nested arguments": (
        "rnn_cell",
        "second_derivative_agrees",
        """
        def rnn_cell(x, state, params, nonlinearity='tanh'):
            y = recurrent.rnn_cell(x, state, params, nonlinearity)
            w = params['W_hh']
            return y + (w.square() - 2 * w.detach() * w + w.detach().square()).sum()
        """,
    ),
    "bad input": (
        "softmax",
        "invalid_input_raises",
        """
        def softmax(x, dim):
            return losses.softmax(x.float(), dim % x.ndim)
        """,
    ),
    "law": (
        "softmax",
        "rows_sum_to_one",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim) * 0.5
        """,
    ),
    "law with a condition": (
        "rnn_cell",
        "tanh_states_stay_within_one",
        """
        def rnn_cell(x, state, params, nonlinearity='tanh'):
            return 3 * recurrent.rnn_cell(x, state, params, nonlinearity)
        """,
    ),
    "law with helpers": (
        "gru_cell",
        "open_update_gate_keeps_the_state",
        """
        def gru_cell(x, h, params, reset='before'):
            return 2 * recurrent.gru_cell(x, h, params, reset)
        """,
    ),
    "law with gradients": (
        "softmax",
        "gradient_of_a_row_sums_to_zero",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim) + x - x.detach()
        """,
    ),
    "inputs": (
        "softmax",
        "inputs_unmodified",
        """
        def softmax(x, dim):
            y = losses.softmax(x, dim)
            x.mul_(2)
            return y
        """,
    ),
    "calls": (
        "softmax",
        "repeated_calls_agree",
        """
        calls = []
        def softmax(x, dim):
            calls.append(1)
            return losses.softmax(x, dim) * (1 if len(calls) < 2 else 1.1)
        """,
    ),
    "layout": (
        "softmax",
        "memory_layout",
        """
        def softmax(x, dim):
            y = losses.softmax(x, dim)
            return y if x.is_contiguous() else y * 1.5
        """,
    ),
    "layout of a gradient": (
        "softmax",
        "memory_layout",
        """
        def softmax(x, dim):
            y = losses.softmax(x, dim)
            return y if x.is_contiguous() else y.detach() + 2 * (y - y.detach())
        """,
    ),
    "value while recorded": (
        "softmax",
        "gradient_agrees",
        """
        def softmax(x, dim):
            y = losses.softmax(x, dim)
            return y + y.detach() if x.requires_grad else y
        """,
    ),
    "call before the backward pass": (
        "softmax",
        "repeated_calls_agree",
        """
        kept = []
        class Softmax(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, dim):
                ctx.dim = dim
                kept[:] = [losses.softmax(x, dim)]
                return kept[0].clone()
            @staticmethod
            def backward(ctx, g):
                p = kept[0] if kept[0].shape == g.shape else torch.zeros_like(g)
                return p * (g - (p * g).sum(ctx.dim, keepdim=True)), None
        def softmax(x, dim):
            return Softmax.apply(x, dim)
        """,
    ),
    "alias": (
        "softmax",
        "no_aliasing",
        """
        def softmax(x, dim):
            return x.copy_(losses.softmax(x, dim))
        """,
    ),
    "batch": (
        "rnn_cell",
        "samples_independent",
        """
        def rnn_cell(x, state, params, nonlinearity='tanh'):
            return recurrent.rnn_cell(x, state - state.mean(0), params, nonlinearity)
        """,
    ),
    "low precision": (
        "softmax",
        "low_precision",
        """
        def softmax(x, dim):
            return losses.softmax(x, dim) * (1 if x.dtype == torch.float32 else 1.5)
        """,
    ),
    "nan": (
        "softmax",
        "nan_not_hidden",
        """
        def softmax(x, dim):
            return losses.softmax(x.nan_to_num(), dim)
        """,
    ),
    "end of the process at nan": (
        "softmax",
        "nan_not_hidden",
        """
        def softmax(x, dim):
            if x.isnan().any():
                raise SystemExit('nan')
            return losses.softmax(x, dim)
        """,
    ),
    "edge": (
        "softmax",
        "edge_sizes",
        """
        def softmax(x, dim):
            x.max()
            return losses.softmax(x, dim)
        """,
    ),
    "state": (
        "softmax",
        "global_state",
        """
        def softmax(x, dim):
            torch.manual_seed(x.numel())
            numpy.random.rand()
            return losses.softmax(x, dim)
        """,
    ),
    "integer result": (
        "conv_output_size",
        "agrees_with_reference",
        """
        def conv_output_size(n, kernel, padding=0, stride=1, dilation=1):
            return 0
        """,
    ),
}


@pytest.fixture(params=WRONG, ids=lambda name: name.replace(" ", "_"))
def case(request, tmp_path):
    component, law, text = WRONG[request.param]
    file = tmp_path / "mine.py"
    file.write_text(HEAD + textwrap.dedent(text))
    return judged(file, component, law), component, law


def test_the_script_fails_as_the_implementation_does(case):
    verdict, component, law = case
    error = outcome(reproduce.script(verdict, component, law))
    assert error is not None
    entry = verdict["components"][component]["laws"][law]
    assert isinstance(error, AssertionError) or entry["failure"]["kind"] == "error", error
    assert str(error)


def test_the_script_holds_for_the_reference(case):
    verdict, component, law = case
    verdict["implementation"] = {"name": "reference", "version": "0", "source": "reference"}
    assert outcome(reproduce.script(verdict, component, law)) is None


@pytest.mark.parametrize("law", ["agrees_with_reference", "gradient_agrees", "rows_sum_to_one", "inputs_unmodified"])
def test_numpy_arrays_are_bridged(tmp_path, law):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy\n"
        "from scipy.special import softmax as right\n"
        "def vjp(function, arguments, wrt, cotangents):\n    return {name: arguments[name] * 0 + 3 for name in wrt}\n"
        "ADAPTER = {'name': 'mine', 'version': '0', 'bridge': 'numpy', 'vjp': vjp}\n"
        "def softmax(x, dim):\n    y = right(x, axis=dim) * 2\n    x += 1\n    return y\n"
    )
    verdict = judged(file, "softmax", law)
    error = outcome(reproduce.script(verdict, "softmax", law))
    assert isinstance(error, AssertionError), error


def test_a_script_runs_by_itself(tmp_path):
    """In a process of its own, as a reader would run it: the status is not 0 and the assertion shows both values."""
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "def softmax(x, dim):\n    return losses.softmax(x, dim) * 2\n")
    verdict = judged(file, "softmax", "agrees_with_reference")
    script = tmp_path / "script.py"
    script.write_text(reproduce.script(verdict, "softmax", "agrees_with_reference"))
    done = subprocess.run([sys.executable, script], cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "AssertionError: got " in done.stderr
    assert ", expected " in done.stderr


def test_an_implementation_that_is_gone_is_refused(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "def softmax(x, dim):\n    return losses.softmax(x, dim) * 2\n")
    verdict = judged(file, "softmax", "agrees_with_reference")
    file.unlink()
    with pytest.raises(Refusal, match="cannot be loaded again"):
        reproduce.script(verdict, "softmax", "agrees_with_reference")


def test_a_case_that_is_no_data_is_refused(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "def softmax(x, dim):\n    return losses.softmax(x, dim) * 2\n")
    verdict = judged(file, "softmax", "agrees_with_reference")
    verdict["components"]["softmax"]["laws"]["agrees_with_reference"]["failure"]["case"] = {
        "x": {"opaque": "<function f>"}
    }
    with pytest.raises(Refusal, match="x of the counterexample was not kept as data"):
        reproduce.script(verdict, "softmax", "agrees_with_reference")


class TestLiterals:
    @pytest.mark.parametrize(
        "value",
        [
            torch.tensor([[1.0, float("nan")], [float("inf"), -float("inf")]]),
            torch.tensor(0.1, dtype=torch.float64),
            torch.tensor([0.1, 1e-30, -0.0], dtype=torch.bfloat16),
            torch.zeros(2, 0, 3),
            torch.tensor([True, False]),
            torch.arange(200).reshape(10, 20),
            torch.randn(3, 40, generator=torch.Generator().manual_seed(0)),
            {"params": {"W": torch.eye(2), "b": None}, "flags": [1, 2.5, "mean", True], "pair": (torch.ones(1), ())},
            (1,),
            float("-inf"),
            torch.float16,
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_source_builds_the_very_value(self, value):
        from lawbook.spec_tests.failures import encode

        encoded = json.loads(json.dumps(encode(value)))
        built = eval(source(encoded), {"torch": torch, "nan": float("nan"), "inf": float("inf")})
        assert same(built, value)
        assert same(decode(encoded), value)


def same(a, b):
    """Equal in kind, shape, dtype and to the bit, nan included."""
    if isinstance(b, torch.Tensor):
        form = isinstance(a, torch.Tensor) and a.shape == b.shape and a.dtype == b.dtype
        return form and bool(((a == b) | (a.isnan() & b.isnan() if b.is_floating_point() else a == b)).all())
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b
