"""Implementations are found, asked and understood, whatever arrays they compute with."""

import ast
import importlib
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from lawbook.fixtures import adapters
from lawbook.fixtures import implementation as implementations
from lawbook.fixtures.cases.kit import Case, domain
from lawbook.fixtures.implementation import CannotLoad, Implementation, Raised, Unfit, as_implementation
from lawbook.fixtures.trial import Trial
from lawbook.reference import losses
from lawbook.spec_tests import load as load_specs
from lawbook.spec_tests.spec import require
from lawbook.spec_tests.test_losses import TestSoftmax as SoftmaxSpec
from lawbook.tools.tests.specimens import adapter, double, implementation, judge, spec, trial


class TestLoading:
    def test_built_in_adapters_and_the_reference_by_name(self):
        assert implementations.built_in() == ["jax", "keras", "numpy", "onnx", "torch", "transformers"]
        assert implementations.load("torch").function("softmax") is not None
        found = implementations.load("reference")
        assert found.function("softmax") is losses.softmax
        assert found.has_gradients

    def test_a_file(self, tmp_path):
        (tmp_path / "helper_of_mine.py").write_text("FACTOR = 3\n")
        file = tmp_path / "mine.py"
        file.write_text("from helper_of_mine import FACTOR\ndef softmax(x, dim): return x * FACTOR\n")
        found = implementations.load(str(file))
        assert (found.name, found.source, found.version) == ("mine", str(file), "unknown")
        assert found.function("softmax") is not None
        assert found.function("log_softmax") is None
        assert found.files() == [str(file)]
        assert str(tmp_path) not in sys.path

    def test_what_an_import_warns_of_is_no_error(self, tmp_path):
        """In lawbook's own tests, as in other projects that tell pytest so, warnings are errors."""
        file = tmp_path / "warns.py"
        file.write_text(
            "import warnings\nwarnings.warn('a library is slow without another')\ndef softmax(x, dim): return x\n"
        )
        assert implementations.load(str(file)).function("softmax") is not None
        with pytest.raises(UserWarning):
            warnings.warn("still an error", stacklevel=1)

    def test_a_module_and_the_submodules_of_a_package(self, tmp_path, monkeypatch):
        package = tmp_path / "a_library_for_this_test"
        package.mkdir()
        (package / "__init__.py").write_text("__version__ = '1.5'\ndef softmax(x, dim): return 'package'\n")
        (package / "losses.py").write_text("def softmax(x, dim): return 1\ndef mse_loss(): return 2\n")
        (package / "_private.py").write_text("raise RuntimeError('imported')\n")
        (package / "test_own.py").write_text("raise RuntimeError('imported')\n")
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        found = implementations.load("a_library_for_this_test")
        assert (found.name, found.version) == ("a_library_for_this_test", "1.5")
        assert found.function("softmax")(0, 0) == "package"
        assert found.function("mse_loss")() == 2

    def test_what_a_fixture_may_return(self):
        class Mine:
            ADAPTER = {"name": "mine", "version": "3"}

            def __init__(self, factor):
                self.factor = factor

            def double(self, x):
                return self.factor * x

        module = types.ModuleType("some.module")
        module.double = double
        ready = implementation(double=double)
        assert as_implementation(ready) is ready
        assert as_implementation(module).name == "module"
        assert as_implementation({"double": double}).function("double") is double
        instance = as_implementation(Mine(5))
        assert (instance.name, instance.version) == ("mine", "3")
        assert Trial(instance, "double").call(x=torch.ones(1)).item() == 5

    def test_modules_and_plain_values_of_that_name_are_no_functions(self):
        assert implementation(double=np.linalg).function("double") is None
        assert implementation(double=3).function("double") is None

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("import nothing_of_that_name", "importing mine.py failed: ModuleNotFoundError"),
            ("def f(:", "importing mine.py failed: SyntaxError"),
            ("raise SystemExit(0)", "importing mine.py failed: SystemExit"),
            ("1 / 0", "importing mine.py failed: ZeroDivisionError: division by zero"),
            ("ADAPTER = None", "is NoneType, expected a dict"),
            ("ADAPTER = {'bridge': 'cupy'}", "'cupy', expected 'torch', 'numpy' or 'dlpack'"),
            ("ADAPTER = {'bridge': 'dlpack'}", "gives no 'from_dlpack'"),
            ("ADAPTER = {'brigde': 'numpy', 'vpj': 1}", "unknown entries: brigde, vpj"),
            ("ADAPTER = {'vjp': 'jax.vjp'}", "'vjp' that is str, expected a function"),
            ("ADAPTER = {'prepare': True}", "'prepare' that is bool, expected a function"),
            ("ADAPTER = {'unsupported': ['softmax']}", "must map components"),
            ("ADAPTER = {'unsupported': {'softmax': {'half': 'no'}}}", "must map components"),
            ("ADAPTER = {'unsupported': {'softmax': None}}", "must map components"),
        ],
    )
    def test_a_broken_file_is_refused_in_one_sentence(self, tmp_path, content, complaint):
        file = tmp_path / "mine.py"
        file.write_text(content + "\n")
        with pytest.raises(CannotLoad) as refused:
            implementations.load(str(file))
        assert complaint in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_what_a_file_imports_from_the_standard_library_is_not_its_own(self, tmp_path):
        file = tmp_path / "mine.py"
        file.write_text("from math import exp\nfrom functools import partial\n\nrelu = partial(max, 0)\n")
        loaded = implementations.load(str(file))
        assert loaded.function("exp") is None
        assert loaded.function("relu")(3) == 3

    def test_what_a_built_in_adapter_imports_is_none_of_its_components(self):
        components, taken = set(load_specs()), []
        for file in Path(adapters.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("lawbook."):
                    names = {alias.asname or alias.name for alias in node.names}
                    taken += [f"{file.name}: {name} of {node.module}" for name in sorted(names & components)]
        assert taken == []

    @pytest.mark.parametrize(
        ("what", "complaint"),
        [
            ("no_such.py", "there is no file"),
            ("some/where", "there is no file"),
            (
                "pytorch_of_no_one",
                "neither a built-in adapter (jax, keras, numpy, onnx, torch, transformers, reference), nor a module, nor a file",
            ),
            ("lawbook.nothing", "no implementation 'lawbook.nothing'"),
        ],
    )
    def test_what_is_not_there(self, what, complaint):
        with pytest.raises(CannotLoad) as refused:
            implementations.load(what)
        assert complaint in str(refused.value)


class TestCalls:
    CASE = Case({"x": torch.ones(2, 3), "params": {"w": torch.ones(2), "names": ["a"]}}, torch.float32)

    def test_every_call_gets_fresh_clones(self):
        def spoil(x, params):
            x.fill_(9)
            params["w"].fill_(9)
            params.clear()
            return x

        spoiler = trial(spoil=spoil)
        spoiler(self.CASE)
        assert bool((self.CASE.x == 1).all())
        assert self.CASE.params["names"] == ["a"]
        assert bool((self.CASE.params["w"] == 1).all())

    @pytest.mark.parametrize(
        "error", [ValueError("no"), SystemExit(3), GeneratorExit(), MemoryError(), RecursionError()]
    )
    def test_whatever_it_raises_is_held(self, error):
        def fail(**_):
            raise error

        with pytest.raises(Raised) as raised:
            trial(fail=fail)(self.CASE)
        assert raised.value.error is error

    def test_an_exception_that_cannot_be_shown_is_held_too(self):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("mute")

        def fail(**_):
            raise Mute

        with pytest.raises(Raised, match="cannot be shown"):
            trial(fail=fail)(self.CASE)

    @pytest.mark.parametrize("strange", [object(), (x for x in "ab"), {1, 2}, [torch.ones(1), open], b"bytes", 3j])
    def test_what_is_neither_tensor_nor_number_is_unfit(self, strange):
        with pytest.raises(Unfit, match="expected a tensor, a number, or a structure"):
            trial(f=lambda **_: strange)(self.CASE)

    def test_a_function_that_is_returned_takes_tensors_and_answers_with_tensors(self):
        seen = []

        def f(**given):
            def model(x, times):
                seen.append(type(x))
                return given["x"] * 0 + x * times

            return model, np.ones(1)

        numpy = adapter(ADAPTER={"bridge": "numpy"}, f=f)
        x = torch.ones(2)
        model, one = Trial(numpy, "f").call(x=x)
        assert torch.equal(model(x, 3), torch.full((2,), 3.0))
        assert seen == [np.ndarray]
        assert torch.equal(one, torch.ones(1, dtype=torch.float64))
        with pytest.raises(Raised, match="TypeError"):
            model(x)

    def test_numbers_strings_none_and_structures_pass(self):
        given = {"a": [1, 2.5, None, True], "b": ("text", torch.ones(1))}
        assert trial(f=lambda **_: given)(self.CASE)["a"] == (1, 2.5, None, True)


def softplus(x):
    return torch.log1p(torch.exp(x))


@domain
def small(d):
    """Vectors and matrices of a few numbers."""
    return {"x": d.tensor(d.shape(1, 2), ("integers", "normal", "uniform"))}


SOFTPLUS = spec(softplus, small, differentiable=("x",), twice=True)
GRADIENTS = ("gradient_agrees", "second_derivative_agrees")


def numpy_softplus(x):
    return np.log1p(np.exp(x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TestNumPy:
    def numpy(self, function=numpy_softplus, **declared):
        return adapter(ADAPTER={"bridge": "numpy", **declared}, softplus=function)

    def test_arrays_go_in_and_come_out_with_their_dtype(self):
        seen = []

        def look(x):
            seen.append((type(x), x.dtype))
            return numpy_softplus(x)

        assert judge(SOFTPLUS, "agrees_with_reference", self.numpy(look)).outcome == "pass"
        assert judge(SOFTPLUS, "low_precision", self.numpy(look)).outcome == "pass"
        assert {str(dtype) for kind, dtype in seen if kind is np.ndarray} == {"float32", "float16"}

    def test_strided_memory_arrives_strided(self):
        strides = []

        def look(x):
            strides.append(x.flags["C_CONTIGUOUS"])
            return numpy_softplus(x)

        assert judge(SOFTPLUS, "memory_layout", self.numpy(look)).outcome == "pass"
        assert False in strides

    @pytest.mark.parametrize("law", GRADIENTS)
    def test_without_vjp_gradients_do_not_apply(self, law):
        result = judge(SOFTPLUS, law, self.numpy())
        assert (result.outcome, result.reason) == ("not_applicable", "specimen offers no gradients")

    def test_an_own_law_about_gradients_does_not_apply_either(self):
        def slope(self, impl, case):
            """The slope lies between 0 and 1."""
            require((impl.vjp(case, [torch.ones_like(case.x)])[1]["x"] > 0).all(), "it falls")

        of = spec(softplus, small, differentiable=("x",), test_slope=slope)
        assert judge(of, "slope", softplus).outcome == "pass"
        assert judge(of, "slope", self.numpy()).outcome == "not_applicable"

    def test_what_is_written_to_an_argument_is_seen(self):
        def spoil(x):
            x *= 2
            return numpy_softplus(x / 2)

        assert judge(SOFTPLUS, "inputs_unmodified", self.numpy(spoil)).outcome == "fail"

    def test_a_view_of_an_argument_is_seen(self):
        twice = spec(lambda x: x * 1.0, small)
        twice_of = {"specimen": lambda x: x[...], "copy": lambda x: x.copy()}
        name = twice.name
        outcomes = {
            kind: judge(twice, "no_aliasing", adapter(ADAPTER={"bridge": "numpy"}, **{name: function})).outcome
            for kind, function in twice_of.items()
        }
        assert outcomes == {"specimen": "fail", "copy": "pass"}

    def test_numpy_scalars_are_tensors_without_axes(self):
        total = spec(lambda x: x.sum(), small)
        numpy = adapter(ADAPTER={"bridge": "numpy"}, **{total.name: lambda x: x.sum()})
        assert judge(total, "agrees_with_reference", numpy).outcome == "pass"
        wide = adapter(ADAPTER={"bridge": "numpy"}, **{total.name: lambda x: x.sum(dtype=np.float64)})
        assert "dtype float64, expected float32" in judge(total, "shape_and_dtype", wide).text

    def test_bfloat16_is_none_of_its_dtypes(self):
        result = judge(SOFTPLUS, "agrees_with_reference", self.numpy(), dtype=torch.bfloat16)
        assert result.outcome == "not_provided"
        assert "bfloat16" in result.reason


def softplus_vjp(function, arguments, wrt, cotangents):
    """First and second vector–Jacobian products of softplus, by hand."""
    x = arguments["x"]
    assert wrt == ("x",)
    if function is numpy_softplus:
        return {"x": cotangents[0] * sigmoid(x)}
    # ``function`` computes the first product; its derivative is wanted.
    step = x.dtype.type(1e-3)
    there, back = (function(**{**arguments, "x": x + way * step})["x"] for way in (1, -1))
    rise = (there - back) / (2 * step)
    return {"x": cotangents[0] * rise}


class TestVjp:
    def adapter(self, vjp):
        return adapter(ADAPTER={"bridge": "numpy", "vjp": vjp}, softplus=numpy_softplus)

    def test_gradients_are_judged_through_it(self):
        assert judge(SOFTPLUS, "gradient_agrees", self.adapter(softplus_vjp)).outcome == "pass"

    def test_wrong_ones_are_rejected(self):
        def wrong(function, arguments, wrt, cotangents):
            return {"x": cotangents[0] * sigmoid(arguments["x"]) * 1.001}

        result = judge(SOFTPLUS, "gradient_agrees", self.adapter(wrong))
        assert (result.outcome, result.failure.kind) == ("fail", "gradient")

    def test_second_derivatives_are_derivatives_of_the_first(self):
        """By finite differences in float64, which are coarse: far beyond the allowed error, yet close."""
        result = judge(SOFTPLUS, "second_derivative_agrees", self.adapter(softplus_vjp), dtype=torch.float64)
        assert result.failure.kind == "second_derivative"
        assert result.failure.evidence["error"] < 1e-6

    def test_second_derivatives_through_a_library(self):
        jax = pytest.importorskip("jax")
        found = implementations.load("jax")
        assert found.bridge == "dlpack"
        assert jax.config.jax_enable_x64
        for law in GRADIENTS:
            assert judge(SoftmaxSpec, law, found, cases=5).outcome == "pass", law

    def test_compiled_programs_do_not_pile_up(self, monkeypatch, tmp_path):
        """The system maps only so many of them into a process; then the next one ends it."""
        jax = pytest.importorskip("jax")
        from lawbook.fixtures.adapters import jax as jax_adapter

        monkeypatch.setattr(jax_adapter, "LOOK", 3)
        monkeypatch.setattr(jax_adapter, "_compilations", 0)
        monkeypatch.setattr(jax_adapter, "ALLOWED", tmp_path / "allowed")
        relu = implementations.load("jax").function("relu")
        kept = []
        for allowed in (10**9, 0):
            (tmp_path / "allowed").write_text(str(allowed))
            jax_adapter._compiled.cache_clear()
            for n in range(1, 12):
                x = np.linspace(-1, 1, 100 + n + (allowed > 0) * 20)
                assert np.array_equal(relu(x=jax.numpy.asarray(x)), np.maximum(x, 0))
                (program,) = [
                    jax_adapter._compiled(relu.__wrapped__, jax_adapter._split({"x": jax.numpy.asarray(x)})[1])
                ]
                kept.append(program._cache_size())
        roomy, crowded = kept[:11], kept[11:]
        assert max(roomy) == 11
        assert 0 < max(crowded) <= 3 + 2

    def test_one_program_serves_every_floating_setting(self):
        """Only those that ask for a number's value while they are traced are compiled for each of them."""
        jax = pytest.importorskip("jax")
        from lawbook.fixtures.adapters import jax as jax_adapter

        traced = []

        def scaled(x, factor):
            traced.append(factor)
            return x * factor

        def asking(x, factor):
            traced.append(factor)
            return x * factor if factor > 0.5 else -x

        x = jax.numpy.asarray([1.0, -2.0])
        for function, expected, times in (
            (scaled, ([0.25, -0.5], [0.75, -1.5]), 1),
            (asking, ([-1, 2], [0.75, -1.5]), 3),
        ):
            traced.clear()
            called = jax_adapter.compiled(function)
            for factor, right in zip((0.25, 0.75), expected, strict=True):
                assert called(x=x, factor=factor).tolist() == right
                assert called(x=x, factor=factor).tolist() == right
            assert len(traced) == times

    def test_one_program_serves_every_seed(self):
        """Beside a number that must be known as well; what asks for the seed's value is compiled for each of them."""
        jax = pytest.importorskip("jax")
        from lawbook.fixtures.adapters import jax as jax_adapter

        traced = []

        def drawn(x, rate, seed):
            traced.append(seed)
            return x + jax.random.uniform(jax.random.key(seed), x.shape, x.dtype) if rate > 0 else x

        def asking(x, seed):
            traced.append(seed)
            return x * 2 if seed % 2 else x

        x = jax.numpy.asarray([1.0, -2.0])
        for function, settings, times in ((drawn, {"rate": 0.5}, 2), (asking, {}, 3)):
            truth = [function(x=x, seed=seed, **settings).tolist() for seed in (3, 4, 3)]
            traced.clear()
            called = jax_adapter.compiled(function)
            assert [called(x=x, seed=seed, **settings).tolist() for seed in (3, 4, 3)] == truth
            assert len(traced) == times, traced

    def test_one_that_raises_or_returns_nonsense_is_an_error(self):
        def broken(function, arguments, wrt, cotangents):
            raise NotImplementedError("no derivative")

        assert judge(SOFTPLUS, "gradient_agrees", self.adapter(broken)).outcome == "error"
        assert judge(SOFTPLUS, "gradient_agrees", self.adapter(lambda *_: {})).outcome == "error"
        assert judge(SOFTPLUS, "gradient_agrees", self.adapter(lambda *_: {"x": None})).outcome == "fail"


class TestDlpack:
    def test_any_array_that_speaks_it(self):
        class Array:
            """A foreign array: it only offers DLPack."""

            def __init__(self, held):
                self.held = held

            def __dlpack__(self, **options):
                return self.held.__dlpack__()

            def __dlpack_device__(self):
                return self.held.__dlpack_device__()

        foreign = adapter(
            ADAPTER={"bridge": "dlpack", "from_dlpack": lambda x: Array(torch.from_dlpack(x))},
            softplus=lambda x: Array(softplus(x.held)),
        )
        assert judge(SOFTPLUS, "agrees_with_reference", foreign).outcome == "pass"
        assert judge(SOFTPLUS, "low_precision", foreign).outcome == "pass"
        assert judge(SOFTPLUS, "memory_layout", foreign).outcome == "not_applicable"
        assert judge(SOFTPLUS, "gradient_agrees", foreign).outcome == "not_applicable"


class TestUnsupported:
    def test_a_component_that_is_refused_is_not_provided(self):
        def refuse(x):
            raise NotImplementedError

        declared = adapter(ADAPTER={"unsupported": {"softplus": "no logarithm"}}, softplus=refuse)
        result = judge(SOFTPLUS, "agrees_with_reference", declared)
        assert (result.outcome, result.reason) == ("not_provided", "declared unsupported: no logarithm")
        absent = adapter(ADAPTER={"unsupported": {"softplus": "no logarithm"}})
        assert judge(SOFTPLUS, "agrees_with_reference", absent).outcome == "not_provided"

    def test_a_component_that_answers_all_the_same_fails(self):
        declared = adapter(ADAPTER={"unsupported": {"softplus": "no logarithm"}}, softplus=softplus)
        result = judge(SOFTPLUS, "agrees_with_reference", declared)
        assert result.outcome == "fail"
        assert "declares softplus unsupported, yet calling it does not raise" in result.text
        assert judge(SOFTPLUS, "global_state", declared).outcome == "not_provided"

    def only(self, *dtypes):
        def picky(x):
            if x.dtype not in dtypes:
                raise TypeError(f"no kernel for {x.dtype}")
            return softplus(x)

        return picky

    HALVES = {"float16": "no kernel", "bfloat16": "no kernel"}

    def test_dtypes_that_are_refused_do_not_count(self):
        one = adapter(
            ADAPTER={"unsupported": {"softplus": {"bfloat16": "no kernel"}}},
            softplus=self.only(torch.float32, torch.float16),
        )
        result = judge(SOFTPLUS, "low_precision", one)
        assert result.outcome == "pass"
        assert 0 < result.cases < 25, "only the cases in float16 were judged"
        none = adapter(ADAPTER={"unsupported": {"softplus": self.HALVES}}, softplus=self.only(torch.float32))
        result = judge(SOFTPLUS, "low_precision", none)
        assert (result.outcome, result.reason) == (
            "not_applicable",
            "specimen supports neither bfloat16 nor float16 here",
        )

    def test_dtypes_that_are_answered_all_the_same_fail(self):
        declared = adapter(ADAPTER={"unsupported": {"softplus": self.HALVES}}, softplus=softplus)
        result = judge(SOFTPLUS, "low_precision", declared)
        assert result.outcome == "fail"
        assert "declared unsupported in" in result.text

    def test_the_working_dtype_may_be_unsupported_as_well(self):
        declared = adapter(
            ADAPTER={"unsupported": {"softplus": {"float64": "single precision only"}}},
            softplus=self.only(torch.float32),
        )
        assert judge(SOFTPLUS, "agrees_with_reference", declared).outcome == "pass"
        assert judge(SOFTPLUS, "agrees_with_reference", declared, dtype=torch.float64).outcome == "not_provided"

    def test_other_dtypes_that_are_lacking_fail(self):
        lacking = adapter(softplus=self.only(torch.float32))
        assert judge(SOFTPLUS, "low_precision", lacking).outcome == "error"


def test_dict_results_meet_key_by_key_in_gradients_too():
    def both(x):
        return {"exp": torch.exp(x), "square": x * x}

    of = spec(both, small, differentiable=("x",))

    def backwards(x):
        return {"square": x * x, "exp": torch.exp(x)}

    for law in ("agrees_with_reference", "gradient_agrees", "nan_not_hidden", "repeated_calls_agree"):
        assert judge(of, law, backwards).outcome == "pass", law
    assert isinstance(implementation(both=both), Implementation)


@pytest.mark.parametrize(
    "x", [torch.arange(6.0).view(2, 3).T, torch.ones(0, 3), torch.tensor(2.0), torch.ones(1).expand(4)]
)
def test_copies_at_an_offset_lie_as_clones_do(monkeypatch, x):
    monkeypatch.setattr(implementations, "clone_offset", 3)
    found = implementations.copy(x)
    assert torch.equal(found, x)
    assert (found.stride(), found.storage_offset()) == (x.clone().stride(), 3)
