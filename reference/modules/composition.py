"""Layers one after the other, and functions applied to every module of a tree."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from lawbook.reference.checks import check_tensor


def sequential(layers: Sequence[Callable[[Any], Any]], x: Tensor) -> Tensor:
    """Hand the input through layers, each taking what the one before gave.

        y = f_n(… f_2(f_1(x)))

    Args:
        layers: functions of one tensor, in the order in which they are applied; none give ``x``.
        x: a tensor.

    Returns:
        What the last layer gave.

    Raises:
        TypeError: a layer cannot be called, or ``x`` is no tensor. No layer is called then.

    Source: note 001 §4.5, note 004 (sequential blocks).
    """
    check_tensor("x", x)
    for k, layer in enumerate(layers):
        if not callable(layer):
            raise TypeError(f"layers[{k}] is {type(layer).__name__}, expected a function")
    for layer in layers:
        x = layer(x)
    return x


def apply_recursively(children: Mapping[str, Sequence[str]], root: str, function: Callable[[str], Any]) -> list[Any]:
    """Apply a function once to every module below a root, and to the root.

        visit(m):  visit every child of m in order, then apply the function to m;  a module that was visited is skipped

    Args:
        children: the names of every module's children, by the module's own name; a module may have several parents.
        root: the name where it begins; what it does not reach is left alone.
        function: takes a module's name.

    Returns:
        What the function returned, in the order of the calls: children before their parents, the root last.

    Raises:
        ValueError: a name is unknown, or a module contains itself. The function is not called then.

    Conventions: PyTorch's ``Module.apply`` visits a module that two parents share once for each parent, while
    ``Module.modules`` and this function know it again.

    Source: note 001 §4.5 (model.apply), note 004 (initialization by apply).
    """
    order: list[str] = []
    _visit(children, root, order, above=())
    return [function(name) for name in order]


def _visit(children: Mapping[str, Sequence[str]], name: str, order: list[str], above: tuple[str, ...]) -> None:
    if name not in children:
        raise ValueError(f"module {name!r} is unknown, expected one of {', '.join(map(repr, children))}")
    if name in above:
        raise ValueError(f"module {name!r} contains itself, by way of {' → '.join(above)}")
    if name in order:
        return
    for child in children[name]:
        _visit(children, child, order, (*above, name))
    order.append(name)
