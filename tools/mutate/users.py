"""Whose laws judge a mutant: the component it is in, or those that use its function, nearest first."""

from __future__ import annotations

import ast
import importlib
import types
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from lawbook.spec_tests import load
from lawbook.spec_tests.spec import Spec
from lawbook.tools.mutate.mutants import REFERENCE, modules, path_of

Definition = tuple[str, str]
"""Module and name at its top."""
NEAREST = 8
"""So many components judge a function that several use."""
FARTHER = 2
"""No component that is so many steps farther away than the nearest, and more, is asked: those that train networks use nearly
everything, and take minutes."""


@cache
def users() -> dict[Definition, list[str]]:
    """For every definition of the reference the components that must find a mistake in it."""
    uses = {definition: found for module in modules() for definition, found in _uses(module).items()}
    found: dict[Definition, dict[str, int]] = defaultdict(dict)
    specs = load()
    for name, helpers in _helpers(uses, specs).items():
        uses[specs[name].component.__module__, name] |= helpers
    for name, spec in specs.items():
        reached, distance = {(spec.component.__module__, spec.component.__qualname__.partition(".")[0])}, 0
        frontier = set(reached)
        while frontier:
            for definition in frontier:
                found[definition][name] = distance
            frontier = {used for definition in frontier for used in uses.get(definition, ())} - reached
            reached |= frontier
            distance += 1
    return {definition: _nearest(by) for definition, by in found.items()}


def _helpers(definitions: Iterable[Definition], components: Mapping[str, type[Spec]]) -> dict[str, set[Definition]]:
    """What stands beside a component under its name, such as ``lenet_init``: laws use what an implementation offers of it."""
    found: dict[str, set[Definition]] = defaultdict(set)
    for module, name in definitions:
        owners = [
            c for c, spec in components.items() if name.startswith(f"{c}_") and spec.component.__module__ == module
        ]
        if owners and name not in components:
            found[max(owners, key=len)].add((module, name))
    return found


def _nearest(distances: dict[str, int]) -> list[str]:
    itself = [name for name, distance in distances.items() if distance == 0]
    near = [name for name, distance in distances.items() if distance < min(distances.values()) + FARTHER]
    return itself or sorted(near, key=lambda name: distances[name])[:NEAREST]


def _uses(module: str) -> dict[Definition, set[Definition]]:
    """What every definition of a module refers to."""
    loaded = importlib.import_module(module)
    found: dict[Definition, set[Definition]] = {}
    for node in _body(module):
        names = [getattr(node, "name", None)]
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names += [target.id for target in targets if isinstance(target, ast.Name)]
        for name in filter(None, names):
            found[module, name] = {d for part in ast.walk(node) for d in _referred(part, loaded)} - {(module, name)}
    return found


def _referred(part: ast.AST, module: types.ModuleType) -> list[Definition]:
    if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
        owner = vars(module).get(part.value.id)
        if isinstance(owner, types.ModuleType) and owner.__name__.startswith(REFERENCE):
            return _definition(owner, part.attr)
    if isinstance(part, ast.Name) and part.id in vars(module):
        return _definition(module, part.id)
    return []


def _definition(module: types.ModuleType, name: str) -> list[Definition]:
    value = vars(module).get(name)
    if isinstance(value, types.ModuleType):
        return []
    home = getattr(value, "__module__", None)
    if callable(value) and isinstance(home, str):
        qualified = getattr(value, "__qualname__", name).partition(".")[0]
        return [(home, qualified)] if home.startswith(REFERENCE) else []
    return [_home(module.__name__, name)]


def _home(module: str, name: str) -> Definition:
    """Where a value is defined that does not say so itself, such as a table."""
    home, there = _imports(module).get(name, ("", ""))
    return _home(home, there) if home.startswith(REFERENCE) else (module, name)


@cache
def _imports(module: str) -> dict[str, Definition]:
    """Name in the module → where it was imported from."""
    found: dict[str, Definition] = {}
    for node in _body(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


@cache
def _body(module: str) -> list[ast.stmt]:
    return ast.parse(path_of(module).read_text(encoding="utf-8")).body
