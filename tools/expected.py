"""Expected failures: known deviations of an implementation, each with its reason."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lawbook.spec_tests.arguments import HALVES

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawResult

SOMETIMES = "sometimes: "
"""Before the reason of a deviation that not every seed meets."""
IN_ONE_DTYPE = {f"in {name}: ": getattr(torch, name) for name in ("float64", "bfloat16", "float16")}
"""Before the reason of a deviation that only results of one dtype show; in other dtypes the law is held."""


class BadExpected(Exception):
    """The file of expected failures cannot be read; the message says why in one sentence."""


def read_expected(path: str | Path) -> dict[str, dict[str, str]]:
    """Component → law → reason, from a TOML file with a table for every component."""
    try:
        return _checked(tomllib.loads(Path(path).read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise BadExpected(f"cannot read the expected failures {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadExpected(f"the expected failures {path} are not TOML: {error}") from None


def shipped(implementation: str) -> dict[str, dict[str, str]]:
    """The findings that come with a built-in adapter."""
    folder = resources.files("lawbook.fixtures.adapters") / implementation
    file = folder / "expected.toml"
    if "/" in implementation or not file.is_file():
        return {}
    return _checked(tomllib.loads(file.read_text(encoding="utf-8")), f"{implementation}/expected.toml")


def reason_of(known: dict[str, str], law: str, dtype: torch.dtype) -> str | None:
    """Why a component's law is expected to fail, if it is; in half precision what fails in low precision may always."""
    reason = known.get(law)
    for prefix, only in IN_ONE_DTYPE.items():
        if reason is not None and reason.startswith(prefix) and only != dtype:
            reason = None
    return known.get("low_precision") if reason is None and dtype in HALVES else reason


def weigh(result: LawResult, reason: str | None, strict: bool) -> None:
    """A known deviation is an expected failure; where it was found, one that is gone is reported too.

    Args:
        result: what became of the law; changed.
        reason: why it is expected to fail, if it is.
        strict: whether a deviation must show.
    """
    if reason is None:
        return
    if result.outcome in ("fail", "error"):
        result.outcome, result.reason = "expected_failure", reason
    elif result.outcome == "pass" and strict and not reason.startswith(SOMETIMES):
        result.outcome = "fail"
        result.reason = result.text = f"expected to fail ({reason}), but it holds: take it off the expected failures"


def _checked(table: dict[str, object], path: str) -> dict[str, dict[str, str]]:
    for component, laws in table.items():
        if not isinstance(laws, dict) or not all(isinstance(r, str) and r.strip() for r in laws.values()):
            raise BadExpected(f"in {path}, [{component}] must map laws to reasons in words")
    return table  # type: ignore[return-value]
