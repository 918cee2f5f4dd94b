"""``lawbook new-adapter``: a file to begin with, in which nothing is provided yet."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lawbook.tools.catalogue import Registry, chosen, signature
from lawbook.tools.refusal import Refusal

HEAD = '''"""An implementation on trial by lawbook.

A function counts as provided as soon as it exists, so every one below is commented out. To begin, take the
comment marks off one function, write its body, and run

    lawbook check {file} --component {first}

`lawbook show {first}` prints its contract and the laws it is judged by. Arguments and results are torch tensors.
For other arrays set "bridge" to "numpy" (arrays come and go as NumPy's).
"""

import torch

ADAPTER = {{"name": "{stem}", "version": "0", "bridge": "torch"}}
'''


def skeleton(specs: Registry, file: Path, chapters: Sequence[str] = ()) -> str:
    """The file's text."""
    found = chosen(specs, chapters)
    if not found:
        raise Refusal("There is no component to write a skeleton for.")
    parts = [HEAD.format(file=file, stem=file.stem, first=found[0][0])]
    parts += [block(spec) for _, spec in found]
    return "\n\n".join(parts)


def block(spec: Any) -> str:
    """One component's function, commented out, with the contract's docstring."""
    documentation = inspect.getdoc(spec.component) or ""
    # Formulas hold backslashes now and then; a raw string takes them as they stand.
    quotes = 'r"""' if "\\" in documentation else '"""'
    body = [f"def {signature(spec)}:", *_indented(f'{quotes}{documentation}\n"""'), "    return ..."]
    return "\n".join(f"# {line}".rstrip() for line in body) + "\n"


def write(specs: Registry, file: Path, chapters: Sequence[str] = ()) -> None:
    """Write the skeleton; an existing file is never touched."""
    if file.suffix != ".py":
        raise Refusal(f"{file} must end in .py, as it is imported.")
    text = skeleton(specs, file, chapters)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise Refusal(f"{file} exists already; it is left as it is.") from error
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error.strerror or error}.") from error


def _indented(text: str) -> list[str]:
    return [f"    {line}" if line.strip() else "" for line in text.splitlines()]
