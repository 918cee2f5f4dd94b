"""A law's own source, with all it needs to run outside lawbook's engine."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from lawbook.tools.refusal import Refusal

ENGINE = "lawbook.spec_tests"
SHIMS = {"require", "skip_case"}
GIVEN = {"skip", "dtype"}
"""What the script's own Law class offers instead of the engine's Spec."""


@dataclass
class LawSource:
    """Parts of a script, each as source text."""

    imports: set[str] = field(default_factory=set)
    helpers: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything that was pasted."""
        return "\n".join([*self.helpers.values(), *self.members.values()])


def extract(spec: Any, law: str) -> LawSource:
    """The law, the methods and constants of its Spec that it uses, and the functions of its module that it calls."""
    found = LawSource()
    _member(spec, f"test_{law}", spec.law(law), found)
    return found


def _member(spec: type, name: str, function: Callable[..., Any], found: LawSource) -> None:
    text = textwrap.dedent(inspect.getsource(function))
    found.members[name] = text
    tree = ast.parse(text)
    _globals(tree, function, found)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            _attribute(spec, node.attr, found)


def _attribute(spec: type, name: str, found: LawSource) -> None:
    if name in found.members or name in GIVEN:
        return
    value = inspect.getattr_static(spec, name, None)
    if isinstance(value, staticmethod) and name == "component":
        function = value.__func__
        found.imports.add(f"from {function.__module__} import {function.__name__}")
        found.members[name] = f"component = staticmethod({function.__name__})\n"
        return
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, FunctionType) and not _of_engine(value.__module__):
        _member(spec, name, value, found)
        return
    if _literal(value):
        found.members[name] = f"{name} = {value!r}\n"
        return
    raise Refusal(f"The law relies on lawbook's engine (self.{name}), so no script can stand alone.")


def _globals(tree: ast.AST, function: Callable[..., Any], found: LawSource) -> None:
    for name in _names(tree):
        if name in function.__globals__ and name not in SHIMS:
            _global(name, function.__globals__[name], function, found)


def _global(name: str, value: Any, user: Callable[..., Any], found: LawSource) -> None:
    if isinstance(value, ModuleType):
        parent, _, last = value.__name__.rpartition(".")
        whole = value.__name__ if not parent else None
        found.imports.add(f"import {whole}" + (f" as {name}" if name != whole else "")) if whole else found.imports.add(
            f"from {parent} import {last}" + (f" as {name}" if name != last else "")
        )
        return
    home = getattr(value, "__module__", None)
    if isinstance(value, FunctionType) and (home == user.__module__ or str(home).startswith(ENGINE)):
        if name not in found.helpers:
            text = textwrap.dedent(inspect.getsource(value))
            found.helpers[name] = text
            _globals(ast.parse(text), value, found)
        return
    if _literal(value):
        found.helpers.setdefault(name, f"{name} = {value!r}\n")
        return
    if isinstance(home, str) and not _of_engine(home) and hasattr(value, "__name__"):
        found.imports.add(f"from {home} import {value.__name__}" + (f" as {name}" if name != value.__name__ else ""))
        return
    if name not in found.helpers:
        _assignment(name, user.__module__, user, found)


def _assignment(name: str, module: str, user: Callable[..., Any], found: LawSource) -> None:
    """A constant without a short ``repr``: the statement that sets it, in the module or where that has it from."""
    text = inspect.getsource(sys.modules[module])
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and any((part.asname or part.name) == name for part in node.names):
            return _assignment(name, str(node.module), user, found)
        if isinstance(node, ast.Assign) and any(name in _names(target) for target in node.targets):
            home = sys.modules[module].__dict__
            for used in _names(node.value):
                if used != name and used in home:
                    _global(used, home[used], user, found)
            # After what it is made of, as the statement runs at once.
            found.helpers[name] = f"{ast.get_source_segment(text, node)}\n"
            return None
    raise Refusal(f"The law relies on {name} of {module}, which has no source, so no script can stand alone.")


def _names(tree: ast.AST) -> list[str]:
    """Names the source reads, annotations aside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs):
                argument.annotation = None
    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def _of_engine(module: str) -> bool:
    return module.startswith(ENGINE) and not module.removeprefix(ENGINE).startswith(".test_")


def _literal(value: Any) -> bool:
    """Whether ``repr`` is source: numbers, strings, None and structures of them."""
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(_literal, value))
    if isinstance(value, dict):
        return all(map(_literal, value)) and all(map(_literal, value.values()))
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and value == value)
