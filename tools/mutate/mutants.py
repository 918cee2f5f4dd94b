"""Making mutants: every place in the reference where an operator can change one thing."""

from __future__ import annotations

import ast
import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.tree import BaseNode, Leaf, NodeOrLeaf

REFERENCE = "lawbook.reference"
NEIGHBOURS = {
    "Binary": "Add_Sub Sub_Add Mul_Div Mul_Add Div_Mul Div_FloorDiv FloorDiv_Div FloorDiv_Mul Mod_FloorDiv Pow_Mul "
    "BitAnd_BitOr BitOr_BitAnd",
    "Comparison": "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is",
    "Unary": "Delete_Not Delete_USub Delete_Invert",
}
"""What an operator may become: its inverse and what students mistake it for. Exchanges that can only raise a TypeError are
left out, they would flatter the score."""
OTHERS = "NumberReplacer AddNot ReplaceAndWithOr ReplaceOrWithAnd ReplaceTrueWithFalse ReplaceFalseWithTrue " + (
    "ReplaceBreakWithContinue ReplaceContinueWithBreak ZeroIterationForLoop"
)
Place = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One change of one function (or class, or constant) at the top of a module.

    ``number`` counts mutants of one function whose lines read the same before and after.
    """

    module: str
    function: str
    operator: str
    line: int
    before: str
    after: str
    number: int
    source: str

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What it is known by as long as its function's line stays as it is."""
        return self.module, self.function, self.before, self.after, self.number

    @property
    def chapter(self) -> str:
        """The chapter, or the shared module, it is in."""
        return self.module.removeprefix(REFERENCE + ".").partition(".")[0]

    def diff(self) -> str:
        """What is changed, with the lines around."""
        was = path_of(self.module).read_text(encoding="utf-8").splitlines()
        where = f"{self.module}.{self.function}"
        return "\n".join(difflib.unified_diff(was, self.source.splitlines(), where, self.operator, lineterm="", n=2))


def modules() -> list[str]:
    """The reference's modules by name."""
    package = importlib.import_module(REFERENCE)
    found = pkgutil.walk_packages(package.__path__, REFERENCE + ".")
    return sorted(module.name for module in found)


def path_of(module: str) -> Path:
    """Its source file."""
    return Path(str(importlib.import_module(module).__file__))


@cache
def operators() -> tuple[str, ...]:
    """The operators' names."""
    pairs = (f"Replace{kind}Operator_{pair}" for kind, found in NEIGHBOURS.items() for pair in found.split())
    return tuple(f"core/{name}" for name in (*pairs, *OTHERS.split()))


def mutants_of(module: str, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Mutant]:
    """Every mutant of a module, or of the definitions that are wanted, from top to bottom."""
    source = path_of(module).read_text(encoding="utf-8")
    lines, loaded = source.splitlines(keepends=True), importlib.import_module(module)
    tree = ast.parse(source)
    described = _describing(tree)
    for node in tree.body:
        name = _name(node)
        if name is None or name in described or not wanted(name) or isinstance(vars(loaded).get(name), UnionType):
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        last = node.end_lineno or node.lineno
        seen: dict[tuple[str, str], int] = {}
        for operator, row, changed in _changes("".join(lines[first:last]), _silent(node, first)):
            whole = "".join([*lines[:first], changed, *lines[last:]])
            before, after = _changed_lines(lines[first:last], changed.splitlines(keepends=True))
            number = seen[before, after] = seen.get((before, after), -1) + 1
            yield Mutant(module, name, operator.removeprefix("core/"), first + row, before, after, number, whole)


def _changes(code: str, silent: list[tuple[Place, Place]]) -> Iterator[tuple[str, int, str]]:
    """Operator, line and changed code of every change that a law could speak of."""
    tree = parso.parse(code)
    nodes = list(ast_nodes(tree))
    for name in operators():
        operator = get_operator(name)()
        for node in nodes:
            for index, (start, _) in enumerate(list(operator.mutation_positions(node))):
                if any(begin <= start < end for begin, end in silent):
                    continue
                changed = _changed(tree, node, operator, index)
                if changed != code and _compiles(changed):
                    yield name, start[0], changed


def _changed(tree: BaseNode, node: NodeOrLeaf, operator: Operator, index: int) -> str:
    """The code with one change. Operators work in place; the tree is mended afterwards, as parsing it anew takes long."""
    inner = [near for near in (node.parent, node) if isinstance(near, BaseNode)]
    children = [(near, list(near.children)) for near in inner]
    values = [(leaf, leaf.value) for leaf in (node, *getattr(node, "children", ())) if isinstance(leaf, Leaf)]
    now = operator.mutate(node, index)
    if node.parent and now is not node:
        siblings = node.parent.children
        at = next(i for i, sibling in enumerate(siblings) if sibling is node)
        siblings[at : at + 1] = [] if now is None else [now]
    code = str(tree.get_code())
    for near, found in children:
        near.children[:] = found
    for leaf, value in values:
        leaf.value = value
    return code


def _compiles(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return None if node.targets[0].id == "__all__" else node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return node.target.id
    return None


def _silent(node: ast.stmt, first: int) -> list[tuple[Place, Place]]:
    """Where no law listens: annotations, and what an exception says."""
    found: list[ast.expr | None] = []
    for part in ast.walk(node):
        if isinstance(part, ast.arg | ast.AnnAssign):
            found.append(part.annotation)
        if isinstance(part, ast.FunctionDef):
            found.append(part.returns)
            found += _wordings(part)
        if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call):
            found += part.exc.args
        if isinstance(part, ast.JoinedStr):
            found.append(part)
        if isinstance(part, ast.Call) and _checks(part.func):
            found += [argument for argument in part.args[:1] if _is_text(argument)]
    return [
        (_place(f, first, "lineno", "col_offset"), _place(f, first, "end_lineno", "end_col_offset")) for f in found if f
    ]


def _checks(function: ast.expr) -> bool:
    """A check of arguments, whose first argument is the name that its message says."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name.lstrip("_").startswith("check_")


def _is_text(value: ast.expr) -> bool:
    """Words, or a choice or a joining of words."""
    if isinstance(value, ast.IfExp):
        return _is_text(value.body) and _is_text(value.orelse)
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Add) and _is_text(value.left) and _is_text(value.right)
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def _wordings(function: ast.FunctionDef) -> list[ast.expr | None]:
    """Texts given a name that is read by nothing but raise statements."""
    parts = list(ast.walk(function))
    raised = {id(part) for statement in parts if isinstance(statement, ast.Raise) for part in ast.walk(statement)}
    loads = [part for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)]
    heard = {part.id for part in loads if id(part) not in raised}
    return [
        part.value
        for part in parts
        if isinstance(part, ast.Assign)
        and _is_text(part.value)
        and all(isinstance(target, ast.Name) and target.id not in heard for target in part.targets)
    ]


def _describing(module: ast.Module) -> set[str]:
    """Definitions that nothing but the making of docstrings reads."""
    described = [
        part
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and all(isinstance(t, ast.Attribute) and t.attr == "__doc__" for t in node.targets)
        for part in ast.walk(node.value)
    ]
    inside = {id(part) for part in described}
    loads = [part for part in ast.walk(module) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)]
    return {part.id for part in loads if id(part) in inside} - {part.id for part in loads if id(part) not in inside}


def _place(node: ast.expr, first: int, line: str, column: str) -> Place:
    return getattr(node, line) - first, getattr(node, column)


def _changed_lines(was: list[str], now: list[str]) -> tuple[str, str]:
    """The lines that differ, stripped."""
    alike = [old == new for old, new in zip(was, now, strict=False)]
    start = alike.index(False) if False in alike else len(alike)
    old = [line for line in difflib.ndiff(was[start:], now[start:]) if line[0] in "-+"]
    return tuple(" ".join(line[2:].strip() for line in old if line[0] == sign) for sign in "-+")  # type: ignore[return-value]
