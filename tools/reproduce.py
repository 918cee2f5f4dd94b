"""``lawbook reproduce``: a short script that fails the same way without lawbook's engine."""

import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import BUILT_IN, CannotLoad, Implementation, built_in, load
from lawbook.fixtures.tree import floating, leaves
from lawbook.spec_tests.layouts import KINDS
from lawbook.spec_tests.spec import Spec
from lawbook.spec_tests.universal import UniversalLaws
from lawbook.tools import catalogue
from lawbook.tools.lawsource import extract
from lawbook.tools.literal import decode, source
from lawbook.tools.refusal import Refusal, require_known
from lawbook.tools.report.verdict import FAILING, Verdict, arguments, number

UNIVERSAL = {name.removeprefix("test_") for name in vars(UniversalLaws) if name.startswith("test_")}
MODES = {
    "gradient_agrees": "gradient",
    "second_derivative_agrees": "gradient",
    "memory_layout": "layout",
    "repeated_calls_agree": "repeat",
    "samples_independent": "batch",
    "accelerator_agrees": "device",
    "inputs_unmodified": "modified",
    "no_aliasing": "alias",
    "global_state": "state",
    "nan_not_hidden": "spoil",
}
"""How a universal law's counterexample is shown, where its failure's kind does not say more."""

BY_KIND = {
    "gradient": "gradient",
    "second_derivative": "gradient",
    "raises": "raises",
    "modified": "modified",
    "nan": "nan",
}
STATE = {
    "torch's random generator": "torch.get_rng_state().tolist()",
    "NumPy's random generator": "repr(numpy.random.get_state())",
    "Python's random generator": "random.getstate()",
    "the default dtype": "torch.get_default_dtype()",
    "the default device": "str(torch.get_default_device())",
    "the grad mode": "torch.is_grad_enabled()",
    "the thread count": "torch.get_num_threads()",
    "deterministic algorithms": "torch.are_deterministic_algorithms_enabled()",
    "flushing of denormal numbers": "bool((torch.tensor([1e-39]) * 1.0 == 0).all())",
    "NumPy's error handling": "numpy.geterr()",
    "the working directory": "os.getcwd()",
}

RECORDED = "while gradients are recorded"
BETWEEN = "with another call before the backward pass"
"""What a message says of a value or a gradient that is wrong under these circumstances only."""

DRAWING = (".vjp(", ".noise(", ".generator(", "case.seed")
"""What a law's text holds when it draws from the case's own generator."""


def script(verdict: Verdict, component: str, law: str) -> str:
    """The script's text.

    Raises:
        Refusal: the verdict holds no such failure, or its counterexample was not kept as data.
    """
    entry = _entry(verdict, component, law)
    failure = entry["failure"]
    specs = catalogue.registry()
    require_known("component", [component], specs)
    require_known("law", [law], specs[component].laws())
    return Script(verdict, specs[component], law, failure).render()


def _entry(verdict: Verdict, component: str, law: str) -> dict[str, Any]:
    require_known("component", [component], verdict["components"], "in this verdict")
    laws = verdict["components"][component]["laws"]
    require_known("law", [law], laws, f"judged for {component} in this verdict")
    entry = laws[law]
    if entry["failure"] is None:
        outcome = entry["outcome"].replace("_", " ")
        if entry["outcome"] in FAILING:
            again = f"lawbook check {verdict['implementation']['source']} --component {component} --law {law}"
            why = entry["reason"] or "no reason kept"
            raise Refusal(f"{component}, {law}: {outcome} ({why}), and no counterexample was kept; try again: {again}.")
        raise Refusal(f"{component}, {law}: there is nothing to reproduce, its outcome is {outcome}.")
    return entry


class Script:
    """What the template is filled with."""

    def __init__(self, verdict: Verdict, spec: type[Spec], law: str, failure: dict[str, Any]):
        self.verdict = verdict
        self.spec = spec
        self.law = law
        self.failure = failure
        self.kind = failure["kind"]
        self.case = {name: decode(value, name) for name, value in arguments(failure).items()}
        self.implementation = _loaded(verdict["implementation"]["source"])
        self.imports = {"import torch"}
        self.target = "call" if self.implementation.bridge == "torch" else "function"

    @property
    def mode(self) -> str:
        """Which part of the template tells this failure."""
        if self.law not in UNIVERSAL:
            return "law"
        if self.law == "edge_sizes" and self.kind == "error":
            return "gradient" if self.spec.differentiable and self.implementation.has_gradients else "value"
        if RECORDED in self.failure["message"]:
            return "recorded"
        return BY_KIND.get(self.kind) or MODES.get(self.law, "value")

    def render(self) -> str:
        """The script's text."""
        mode, failure = self.mode, self.failure
        vjp = self.implementation.vjp is not None
        values = {
            "component": self.spec.name,
            "law": self.law,
            "version": self.verdict["lawbook"],
            "statement": self.spec.laws()[self.law],
            "mode": mode,
            "kind": self.kind,
            "bridge": self.implementation.bridge,
            "vjp": vjp,
            "dtype": self.verdict["dtype"],
            "case": source({"dict": arguments(failure)}, "the case", indent=4),
            "expected": source(failure["expected"], "the expected value")
            if failure.get("expected") is not None
            else "",
            "contract": "",
            "load": self._load(),
            "layout": "",
            "between": False,
            "seed": failure.get("seed"),
            **self._position(),
            **getattr(self, f"_{mode}", dict)(),
        }
        values["needs"] = self._needs(mode, values)
        if vjp or values["bridge"] == "dlpack":
            self.imports.add(f"from {self._module()} import ADAPTER")
        if values["bridge"] != "torch":
            self.imports.add("import numpy")
        mark = "# imports"
        text = _template().render(values, imports=mark)
        numbers = [name for name in ("inf", "nan") if re.search(rf"\b{name}\b", text)]
        if numbers:
            self.imports.add(f"from math import {', '.join(numbers)}")
        text = text.replace(mark, "\n".join(sorted(self.imports, key=_import_order)) + "\n", 1)
        return re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n")

    def _needs(self, mode: str, values: dict[str, Any]) -> dict[str, bool]:
        """Which helpers the script must bring along."""
        text = values.get("text", "")
        return {
            "convert": mode in ("repeat", "layout", "batch", "device", "law") or values["layout"] or values["between"],
            "flat": mode in ("device", "gradient", "recorded", "modified", "alias", "nan", "spoil", "law"),
            "close": bool(values["allowed"]),
            "form": bool(values["contract"]) or mode in ("batch", "repeat"),
            "vjp": ".vjp(" in text,
            "noise": any(use in text for use in DRAWING),
        }

    def _load(self) -> str:
        """Source that defines ``function``."""
        where, name = self.verdict["implementation"]["source"], self.spec.name
        if not _is_file(where):
            return f"from {self._module()} import {name} as {self.target}\n"
        self.imports |= {"import importlib.util", "import sys"}
        path = Path(where)
        lines = [
            f"sys.path.insert(0, {str(path.parent)!r})",
            f"found = importlib.util.spec_from_file_location({path.stem!r}, {str(path)!r})",
            "module = importlib.util.module_from_spec(found)",
            "found.loader.exec_module(module)",
            f"{self.target} = module.{name}",
        ]
        if self.implementation.vjp is not None or self.implementation.bridge == "dlpack":
            lines.append("ADAPTER = module.ADAPTER")
        return "\n".join(lines) + "\n"

    def _module(self) -> str:
        """The module that holds the component's function."""
        where, name = self.verdict["implementation"]["source"], self.spec.name
        if where == "reference":
            return self.spec.component.__module__
        if where in built_in():
            return f"{BUILT_IN}.{where}.{self.spec.chapter}"
        for module in self.implementation.modules:
            if callable(getattr(module, name, None)):
                return module.__name__
        raise Refusal(f"{where} no longer provides {name}.")

    def _position(self) -> dict[str, Any]:
        """Index and allowed error of the worst element; empty where the failure is not about one element."""
        position, allowed = self.failure.get("position"), number(self.failure.get("allowed"))
        if position is None or allowed is None:
            return {"position": "", "index": "", "allowed": ""}
        return {"position": position, "index": _expression(position), "allowed": repr(allowed)}

    def _contract(self) -> str:
        """Shapes and dtypes of the reference's own result, for failures that are not about one element's value."""
        dtype = _dtype_of(self.case, self.verdict["dtype"])
        return repr(form(self.spec.component(**Case(self.case, dtype).arguments)))

    def _value(self) -> dict[str, Any]:
        return {} if self.kind in ("error", "other") else {"contract": self._contract()}

    _repeat = _value

    def _device(self) -> dict[str, Any]:
        name = self.verdict["device"]
        if str(name).startswith("simulated"):
            raise Refusal(f"{name} is an accelerator of lawbook's own, so no script can stand alone.")
        return {"device": repr(name)}

    def _gradient(self) -> dict[str, Any]:
        wrt = tuple(self.failure.get("wrt") or self.spec.differentiable)
        paths = [path for path, _ in self._inputs(wrt)]
        found: dict[str, Any] = {
            "second": self.law == "second_derivative_agrees",
            "layout": self._layout_said() if self.law == "memory_layout" else "",
            "between": BETWEEN in self.failure["message"],
            "wrt": repr(wrt),
            "inputs": {
                path: f"arguments[{path.partition('[')[0]!r}]{path[len(path.partition('[')[0]) :]}" for path in paths
            },
            "cotangents": self._cotangents(),
        }
        if found["second"]:
            found["directions"] = self._directions(paths)
        position = self.failure.get("position")
        if position:
            leaf = max((path for path in paths if position.startswith(path)), key=len, default=None)
            if leaf is None:
                raise Refusal(f"The verdict's position {position!r} names no differentiable argument.")
            found |= {"leaf": leaf, "index": position[len(leaf) :], "expected_leaf": _expression(leaf)}
        elif self.kind in ("gradient", "second_derivative"):
            found["contract"] = repr({path: form(leaf) for path, leaf in self._inputs(wrt)})
        return found

    def _inputs(self, wrt: tuple[str, ...]) -> list[tuple[str, Tensor]]:
        """Path and tensor of every floating tensor in the differentiable arguments."""
        chosen = {name: self.case[name] for name in wrt if name in self.case}
        return [(path, x) for path, x in leaves(chosen) if isinstance(x, Tensor) and x.is_floating_point()]

    def _cotangents(self) -> str:
        given = self.failure.get("cotangent")
        if given is not None:
            return source(given, "the cotangent")
        if self.implementation.vjp is None:
            return ""
        result = floating(self.spec.component(**Case(self.case, _dtype_of(self.case, self.verdict["dtype"])).arguments))
        shown = ", ".join(f"torch.ones({tuple(x.shape)}, dtype={x.dtype})" for x in result)
        return f"[{shown}]"

    def _directions(self, paths: list[str]) -> str:
        """The random directions of the second derivative, by path."""
        given = self.failure.get("direction")
        if given is None:
            raise Refusal("The verdict does not say along which direction the second derivative was taken.")
        by_path = {path: encoded for path, encoded in _encoded_leaves(given["dict"]) if path in paths}
        return source({"dict": by_path}, "the direction")

    def _seed(self) -> int:
        seed = self.failure.get("seed")
        if seed is None:
            raise Refusal(f"The verdict does not say the case's seed, which {self.law} draws its noise from.")
        return seed

    def _layout_said(self) -> str:
        said = [kind for kind in KINDS if f"with {kind} arguments" in self.failure["message"]]
        return said[0] if said else ""

    def _recorded(self) -> dict[str, Any]:
        paths = [path for path, _ in self._inputs(self.spec.differentiable)]
        return {**self._value(), "inputs": repr(paths)}

    def _layout(self) -> dict[str, Any]:
        said = [kind for kind in [self._layout_said()] if kind]
        # Only a named layout has its expected values in the verdict: repeating rows makes another case.
        return {**self._value(), "layouts": repr(tuple(said or KINDS))}

    def _batch(self) -> dict[str, Any]:
        batch = self.spec().batch(Case(self.case, getattr(torch, self.verdict["dtype"])))
        if batch is None:
            raise Refusal(f"The case of {self.spec.name} has no batch of samples.")
        size = max(self.case[name].shape[axis] for name, axis in batch.arguments.items())
        alone = re.search(r"for sample (\d+) alone", self.failure["message"])
        if alone:
            samples: tuple[int | None, ...] = (int(alone[1]),)
        elif "for the reversed batch" in self.failure["message"]:
            samples = (None,)
        else:
            samples = (None, *range(size))
        output = batch.output
        endless = f"itertools.repeat({output!r})" if isinstance(output, int) else repr(output)
        self.imports |= {"import itertools"} if isinstance(output, int) else set()
        return {"samples": repr(samples), "batch_arguments": repr(batch.arguments), "batch_output": endless}

    def _state(self) -> dict[str, Any]:
        named = {name: look for name, look in STATE.items() if name in self.failure["message"]}
        for module in ("numpy", "random", "os"):
            if any(re.search(rf"\b{module}\.", look) for look in named.values()):
                self.imports.add(f"import {module}")
        return {"state": named or STATE}

    def _law(self) -> dict[str, Any]:
        found = extract(self.spec, self.law)
        self.imports |= found.imports
        text = found.text
        if any(use in text for use in DRAWING):
            self._seed()
        return {
            "helpers": list(found.helpers.values()),
            "members": list(found.members.values()),
            "text": text,
            "law_has_case": self.spec.domain_of(self.law) is not None,
            "equations": self.spec.domain_of(self.law) is not None
            and "return" in inspect.getsource(self.spec.law(self.law)),
        }


def form(tree: Any) -> Any:
    """Structure, shapes and dtypes, as the scripts see them."""
    if isinstance(tree, dict):
        return {key: form(part) for key, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [form(part) for part in tree]
    return (tuple(tree.shape), str(tree.dtype)) if isinstance(tree, Tensor) else type(tree).__name__


def _expression(position: str) -> str:
    """A position as an index: the name of a dict's entry comes without quotes there."""
    name = re.match(r"[A-Za-z_]\w*", position)
    return f"[{name[0]!r}]{position[name.end() :]}" if name else position


def _dtype_of(case: dict[str, Any], default: str) -> torch.dtype:
    """The dtype the case works in: low precision has its own."""
    found = floating(case)
    return found[0].dtype if found else getattr(torch, default)


def _loaded(where: str) -> Implementation:
    try:
        return load(where)
    except CannotLoad as error:
        raise Refusal(f"The implementation cannot be loaded again: {error}.") from error


def _encoded_leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and encoded tensor of every leaf, the paths written as those of decoded trees."""
    for key, value in tree.items():
        here = f"{path}[{key!r}]" if path else key
        if value is None:
            continue
        if isinstance(value, list):
            value = {"tuple": value}
        if "tensor" in value:
            yield here, value
        elif "dict" in value:
            yield from _encoded_leaves(value["dict"], here)
        else:
            yield from _encoded_leaves({str(i): part for i, part in enumerate(value["tuple"])}, here)


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("lawbook.tools"), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["repr"] = repr
    return environment.get_template("reproduce.py.jinja")
