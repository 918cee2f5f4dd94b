"""Expected failures: known deviations of an implementation, each with its reason."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawResult

SOMETIMES = "sometimes: "
"""Before the reason of a deviation that not every seed meets."""
IN_FLOAT64 = "in float64: "
"""Before the reason of a deviation that only results with so many digits show; in other dtypes the law is held."""


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


def weigh(result: LawResult, reason: str | None, strict: bool, dtype: torch.dtype) -> None:
    """A known deviation is an expected failure; where it was found, one that is gone is reported too.

    Args:
        result: what became of the law; changed.
        reason: why it is expected to fail, if it is.
        strict: whether a deviation must show.
        dtype: the working dtype.
    """
    if reason is None or (reason.startswith(IN_FLOAT64) and dtype != torch.float64):
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
