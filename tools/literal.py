"""Values of a verdict as tensors, and as Python source that builds them again."""

import pprint
from typing import Any

import torch

from lawbook.tools.refusal import Refusal

SPECIAL = ("nan", "inf", "-inf")
WIDTH = 110


def decode(value: Any, name: str = "value") -> Any:
    """The value that an encoded one stands for.

    Raises:
        Refusal: it was kept as a text only, such as a function.
    """
    if isinstance(value, list):
        return [decode(part, f"{name}[{i}]") for i, part in enumerate(value)]
    if not isinstance(value, dict):
        return float(value) if isinstance(value, str) and value in SPECIAL else value
    if "tensor" in value:
        elements = _floats(value["tensor"]) if is_floating(value) else value["tensor"]
        return torch.tensor(elements, dtype=getattr(torch, value["dtype"])).reshape(value["shape"])
    if "tuple" in value:
        return tuple(decode(part, f"{name}[{i}]") for i, part in enumerate(value["tuple"]))
    if "dict" in value:
        return {key: decode(part, f"{name}[{key!r}]") for key, part in value["dict"].items()}
    if is_dtype(value):
        return getattr(torch, value["opaque"].removeprefix("torch."))
    raise Refusal(f"{name} of the counterexample was not kept as data ({value['opaque']}), so no script can build it.")


def source(value: Any, name: str = "value", indent: int = 0, column: int | None = None) -> str:
    """Python source of an encoded value; ``torch``, ``nan`` and ``inf`` are taken to be imported.

    ``indent`` is that of the statement, ``column`` where the value itself begins.
    """
    column = indent if column is None else column
    pad = " " * (indent + 4)
    if isinstance(value, list):
        return _sequence("[", [source(part, f"{name}[{i}]", indent + 4) for i, part in enumerate(value)], "]", indent)
    if not isinstance(value, dict):
        return value if isinstance(value, str) and value in SPECIAL else repr(value)
    if "tensor" in value:
        return _tensor(value, column)
    if "tuple" in value:
        parts = [source(part, f"{name}[{i}]", indent + 4) for i, part in enumerate(value["tuple"])]
        return _sequence("(", parts, ",)" if len(parts) == 1 else ")", indent)
    if "dict" in value:
        parts = [
            f"{key!r}: {source(part, f'{name}[{key!r}]', indent + 4, indent + 6 + len(repr(key)))}"
            for key, part in value["dict"].items()
        ]
        return "{\n" + "".join(f"{pad}{part},\n" for part in parts) + " " * indent + "}" if parts else "{}"
    if is_dtype(value):
        return value["opaque"]
    decode(value, name)
    raise AssertionError("decode refuses what is opaque")


def is_dtype(value: dict[str, Any]) -> bool:
    """Whether an opaque value is one of torch's dtypes."""
    name = str(value.get("opaque", ""))
    return name.startswith("torch.") and isinstance(getattr(torch, name.removeprefix("torch."), None), torch.dtype)


def is_floating(value: dict[str, Any]) -> bool:
    """Whether an encoded tensor holds floating numbers."""
    return getattr(torch, value["dtype"]).is_floating_point


def _floats(elements: Any) -> Any:
    return [_floats(part) for part in elements] if isinstance(elements, list) else float(elements)


def _tensor(value: dict[str, Any], column: int) -> str:
    shape, dtype = value["shape"], f"torch.{value['dtype']}"
    if 0 in shape:
        return f"torch.zeros({tuple(shape)}, dtype={dtype})"
    elements = _floats(value["tensor"]) if is_floating(value) else value["tensor"]
    lead = " " * (column + len("torch.tensor("))
    text = pprint.pformat(elements, width=max(40, WIDTH - len(lead)), compact=True).replace("\n", f"\n{lead}")
    return f"torch.tensor({text}, dtype={dtype})"


def _sequence(left: str, parts: list[str], right: str, indent: int) -> str:
    line = left + ", ".join(parts) + right
    if len(line) + indent <= WIDTH and "\n" not in line:
        return line
    pad = " " * (indent + 4)
    return left + "\n" + "".join(f"{pad}{part},\n" for part in parts) + " " * indent + right[-1]
