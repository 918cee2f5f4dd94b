"""What a student reads when a law fails, and the evidence a report keeps."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lawbook.fixtures import implementation
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised, Unfit, words
from lawbook.spec_tests.calls import calls, changes
from lawbook.spec_tests.diagnosis import Diagnosis, diagnose
from lawbook.spec_tests.judge import LawBroken

if TYPE_CHECKING:
    from lawbook.spec_tests.running import LawRun

ENGINE = Path(implementation.__file__).parent
"""Where the calls into an implementation are written."""

MANY = 64
"""Tensors of more elements are shown in part."""

LONG = 1_000
"""Of a tuple or list whose text is longer the first parts are shown."""

OPAQUE = 20_000
"""Tensors of more elements are not written into a verdict."""


@dataclass
class Failure:
    """One counterexample."""

    kind: str
    headline: str
    message: str
    case: dict[str, Any]
    evidence: dict[str, Any]
    share: float
    hint: str | None
    failing_cases: int
    tried_cases: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """The failure for a verdict file."""
        seen = self.evidence
        return {
            "message": self.message,
            "kind": self.kind,
            "case": {name: encode(value) for name, value in self.case.items()},
            "seed": self.seed,
            "cotangent": encode(seen.get("cotangent")),
            "direction": encode(seen.get("direction")),
            "wrt": seen.get("wrt"),
            "expected": encode(seen.get("expected")),
            "got": encode(seen.get("got")),
            "position": seen.get("position"),
            "error": number(seen.get("error")),
            "allowed": number(seen.get("allowed")),
            "hint": self.hint,
            "failing_cases": self.failing_cases,
            "tried_cases": self.tried_cases,
        }


def describe(run: "LawRun", error: Exception, case: Case, seen: list[Case]) -> Failure:
    """The failure of a law on its smallest case."""
    spec = run.spec_class
    evidence = dict(getattr(error, "evidence", {}))
    arguments = evidence.pop("case", None) or getattr(error, "arguments", None) or case.arguments
    headline, kind = _headline(error, evidence)
    # An exception is its own explanation.
    diagnosis = Diagnosis(1, 1, None) if isinstance(error, Raised) else diagnose(run, seen or [case])
    lines = [
        f"{spec.name} · {run.law.replace('_', ' ')} · chapter {spec.chapter}{_source(spec)}",
        f"  the law: {spec.laws()[run.law]}",
        *(f"  {name} = {line}" for name, line in _shown_arguments(arguments)),
    ]
    if arguments is case.arguments and not spec.is_universal(run.law):
        lines += _shown_calls(run, case)
    if headline:
        lines.append(f"  {headline}")
    if "got_worst" in evidence:
        lines += _shown_values(evidence)
    lines += _traced(error)
    if diagnosis.hint:
        which = f"all {diagnosis.failing} failing cases" if diagnosis.failing > 1 else "the one failing case"
        lines.append(f"  On {which} this equals a known mistake: {diagnosis.hint}.")
    lines.append(f"  reproduce: lawbook reproduce VERDICT {spec.name} {run.law}")
    share = evidence["error"] / evidence["allowed"] if evidence.get("allowed") else math.inf
    return Failure(
        kind=kind,
        headline=headline or f"error {_g(evidence.get('error'))}, allowed {_g(evidence.get('allowed'))}",
        message="\n".join(lines),
        case=arguments,
        evidence=evidence,
        share=share,
        hint=diagnosis.hint,
        failing_cases=max(1, diagnosis.failing),
        tried_cases=max(1, diagnosis.tried),
        seed=case.seed,
    )


def _headline(error: Exception, evidence: dict[str, Any]) -> tuple[str, str]:
    if isinstance(error, Raised):
        return f"it raised {type(error.error).__name__}: {_short(error.error)}", "error"
    if isinstance(error, Unfit):
        return f"it {error}", "value"
    if isinstance(error, LawBroken):
        return str(error), str(evidence.get("kind", "law"))
    if isinstance(error, AssertionError):
        return _short(error), "law"
    return f"the law could not be evaluated on what came back: {type(error).__name__}: {_short(error)}", "error"


def _short(error: BaseException) -> str:
    text = words(error).strip()
    return text.splitlines()[0][:300] if text else "(no message)"


def _traced(error: Exception) -> list[str]:
    """Where in the implementation's own source it raised."""
    if not isinstance(error, Raised) or error.error.__traceback__ is None:
        return []
    trace: Any = error.error.__traceback__
    places = []
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [place for place in places if Path(place[0]).parent != ENGINE]
    if not own:
        # The call itself failed, on its arguments' names most likely: there is no line of the implementation's to show.
        return []
    # Of the file that was called the line it got to, in a function that it called perhaps.
    file = own[0][0]
    line = [number for name, number in own if name == file][-1]
    return [f"  raised in {file.rpartition('/')[2]}, line {line}"]


def _source(spec: Any) -> str:
    for line in (spec.component.__doc__ or "").splitlines():
        if line.strip().startswith("Source:"):
            return f" ({line.strip().removeprefix('Source:').split(';')[0].strip().rstrip('.')})"
    return ""


def _shown_arguments(arguments: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, show(value)) for name, value in arguments.items()]


def _shown_calls(run: "LawRun", case: Case) -> list[str]:
    """The calls that the law makes with other arguments than the case's: all of a few, the last one of many."""
    recorded = calls(run, case)
    changed = [changes(call, case) for call in recorded.last]
    if not any(changed):
        return []
    if recorded.made > len(changed):
        return [f"  called {recorded.made} times, the last time with {_listed(changed[-1])}"]
    return [f"  called with {_listed(change)}" for change in changed]


def _listed(change: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {show(value)}" for name, value in change.items()) or "the case's own"


def _shown_values(evidence: dict[str, Any]) -> list[str]:
    got, expected = evidence.get("got"), evidence.get("expected")
    lines = []
    if isinstance(got, Tensor) and isinstance(expected, Tensor) and got.numel() <= 12:
        lines += [f"  got       {show(got)}", f"  expected  {show(expected)}"]
    else:
        lines += [f"  got       {_g(evidence['got_worst'])}", f"  expected  {_g(evidence['expected_worst'])}"]
    where = f"worst at {evidence['position']}: " if evidence.get("position") else ""
    lines.append(f"            {where}error {_g(evidence['error'])}, allowed {_g(evidence['allowed'])}")
    return lines


def _g(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def show(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, Tensor):
        if not _is_plain(value):
            return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
        if value.numel() > MANY:
            first = ", ".join(_number(x) for x in value.flatten()[:6].tolist())
            return f"shape {tuple(value.shape)}, beginning {first}, …"
        return _nested(value.tolist()) + (f" with shape {tuple(value.shape)}" if value.numel() == 0 else "")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return _sequence([show(part) for part in value])
    return _number(value) if isinstance(value, float) else described(value)


def _sequence(parts: list[str]) -> str:
    """A tuple of what is shown of its parts: of a long one the first of them, and how many there are."""
    shown: list[str] = []
    length = 0
    for part in parts:
        if shown and length + len(part) > LONG:
            return f"({', '.join(shown)}, … {len(parts)} in all)"
        shown.append(part)
        length += len(part)
    return "(" + ", ".join(shown) + ("," if len(parts) == 1 else "") + ")"


def described(value: Any) -> str:
    """The value's own representation without memory addresses, which differ from run to run."""
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:200]
    except Exception:
        return f"{type(value).__name__} object"


def _nested(x: Any) -> str:
    return "[" + ", ".join(map(_nested, x)) + "]" if isinstance(x, list) else _number(x)


def _number(x: Any) -> str:
    return f"{x:.6g}" + ("." if float(x).is_integer() and abs(x) < 1e6 else "") if isinstance(x, float) else str(x)


def number(x: Any) -> Any:
    """A float for JSON: nan and infinities as words."""
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if math.isnan(x) else ("inf" if x > 0 else "-inf")
    return x


def encode(value: Any) -> Any:
    """A tree of tensors for JSON; ``None`` stays."""
    if isinstance(value, Tensor):
        if value.numel() > OPAQUE or not _is_plain(value):
            return {"opaque": f"{value.dtype} tensor of shape {tuple(value.shape)}".removeprefix("torch.")}
        return {
            "tensor": _encoded_list(value.detach().double().tolist() if value.is_floating_point() else value.tolist()),
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
        }
    if isinstance(value, dict):
        coded = {str(key): encode(part) for key, part in value.items()}
        return {"dict": coded}
    if isinstance(value, tuple):
        return {"tuple": [encode(part) for part in value]}
    if isinstance(value, list):
        return [encode(part) for part in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return number(value)
    if isinstance(value, torch.dtype):
        return {"opaque": str(value)}
    return {"opaque": described(value)}


def _encoded_list(x: Any) -> Any:
    return [_encoded_list(part) for part in x] if isinstance(x, list) else number(x)


def _is_plain(x: Tensor) -> bool:
    """Whether a tensor's numbers can be read and written down: dense, real, not quantized, with storage."""
    return x.layout == torch.strided and not (x.is_quantized or x.is_complex() or x.is_meta)
