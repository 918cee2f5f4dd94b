"""The form of a result, which is looked at before its numbers: type, structure, shape and dtype."""

from typing import Any

import torch
from torch import Tensor

from lawbook.spec_tests.judge import LawBroken, plain


def check_form(got: Any, contract: Any, what: str = "the result") -> None:
    """Type, structure, shape and dtype, in this order, against the reference's own result in the working dtype."""
    if isinstance(contract, dict):
        if not isinstance(got, dict) or set(got) != set(contract):
            shown = f"a dict of {sorted(map(str, got))}" if isinstance(got, dict) else type(got).__name__
            raise LawBroken(f"{what} is {shown}, expected a dict of {sorted(map(str, contract))}", got=got)
        for key, part in contract.items():
            check_form(got[key], part, f"{what}[{key!r}]")
    elif isinstance(contract, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(contract):
            shown = f"{len(got)} parts" if isinstance(got, list | tuple) else type(got).__name__
            raise LawBroken(f"{what} is {shown}, expected {len(contract)} parts", got=got)
        for i, part in enumerate(contract):
            check_form(got[i], part, f"{what}[{i}]")
    elif isinstance(contract, Tensor):
        if not isinstance(got, Tensor):
            raise LawBroken(f"{what} is {_kind(got)}, expected a tensor", got=got)
        if (got.layout, got.device.type) != (contract.layout, contract.device.type):
            raise LawBroken(f"{what} is {_place(got)}, expected {_place(contract)}")
        if got.shape != contract.shape:
            raise LawBroken(f"{what} has shape {tuple(got.shape)}, expected {tuple(contract.shape)}", got=got)
        if got.dtype != contract.dtype:
            raise LawBroken(
                f"{what} has dtype {_name(got.dtype)}, expected {_name(contract.dtype)}", got=got, only_dtype=True
            )
    elif isinstance(contract, bool) or contract is None or isinstance(contract, str):
        if type(plain(got)) is not type(contract):
            raise LawBroken(f"{what} is {_kind(got)}, expected {_kind(contract)}", got=got)
    elif isinstance(contract, int | float):
        number = plain(got)
        if isinstance(number, bool) or not isinstance(number, type(contract)):
            raise LawBroken(f"{what} is {_kind(got)}, expected {_kind(contract)}", got=got)


def _kind(x: Any) -> str:
    if isinstance(x, Tensor):
        return f"a tensor of shape {tuple(x.shape)}"
    if x is None or isinstance(x, dict | list | tuple):
        return "None" if x is None else type(x).__name__
    return f"{type(x).__name__} {x!r}"[:80]


def _place(x: Tensor) -> str:
    return f"a {str(x.layout).removeprefix('torch.')} tensor on {x.device.type}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
