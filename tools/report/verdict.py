"""Reading a verdict: a damaged or foreign file is one clear sentence."""

import json
import math
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lawbook.tools.refusal import Refusal

FAILING = ("crash", "timeout", "error", "fail")
JUDGED = (*FAILING, "expected_failure", "pass")
"""Outcomes of laws that were judged, the gravest first."""

Verdict = dict[str, Any]


class VerdictError(Refusal):
    """The file holds no verdict that this version can read; the text is one sentence for the user."""


def read(path: str | Path) -> Verdict:
    """The verdict in the file, checked against the schema.

    Raises:
        VerdictError: the file is missing, is no JSON, is no verdict, or is of another schema.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise VerdictError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise VerdictError(f"{path} is no verdict: it is not text.") from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VerdictError(f"{path} is damaged or no verdict: not JSON ({error}).") from error
    complaint = validate(data)
    if complaint:
        raise VerdictError(f"{path} is no lawbook verdict: {complaint}.")
    return data


def validate(data: object) -> str | None:
    """What is wrong with the data, or None when they are a verdict."""
    if not isinstance(data, dict) or "schema" not in data:
        return "it has no schema number"
    if data["schema"] != 1:
        return f"its schema is {data['schema']!r}, this version of lawbook reads 1"
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(data))
    if error is None:
        return None
    message = error.message if len(error.message) <= 200 else error.message[:199] + "…"
    return f"{message} (at {error.json_path})"


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(
        json.loads(resources.files("lawbook.tools").joinpath("verdict.schema.json").read_text())
    )


def arguments(failure: dict[str, Any]) -> dict[str, Any]:
    """The counterexample's arguments by name, encoded; empty where the law draws no case."""
    case = failure["case"] or {}
    return case["dict"] if set(case) == {"dict"} else case


def number(value: float | str | None) -> float | None:
    """The figure as a float: the strings "nan", "inf" and "-inf" stand for what JSON lacks."""
    return None if value is None else float(value)


def figure(value: float | str | None) -> str:
    """A figure for people: three digits, a dash for none."""
    value = number(value)
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.2f}" if value == 0 or 0.01 <= abs(value) < 1000 else f"{value:.1e}"
