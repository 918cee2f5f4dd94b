"""The judge: how far a result may be from the truth, once its form is right (`form.py` looks at that first).

Truth is computed in float64. An element passes when its error is at most

    8 × (yardstick + 2 units in the last place of the row's scale)

where the *row* is the slice along the component's own axis, its scale the largest finite magnitude of the truth in it,
and the *yardstick* what rounding alone may do to this case: the largest, over the row, of

    |reference in the working dtype − truth|,    at the inputs and at two inputs moved by one unit in the last place,
    |truth at the moved inputs − truth|,
    |reference with every operation rounded at random − truth|,    twice (see rounding.py),

and, before a result that is close to passing is rejected, fourteen times more, and

    |reference with every sum taken term by term − truth|,    forwards and backwards, in float32 (float64 for float64).

Flushing numbers below the dtype's smallest normal one to zero is legal, in between as well as at the end: that number counts
as one more unit. (Once, not eight times, in float16, where it is as large as 6e-5 and no library flushes.) What is flushed in
between may be multiplied afterwards: the reference without such numbers shows by how much, up to a millionfold.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.tree import is_floating, leaves, map_leaves, ordered, values
from lawbook.spec_tests.rounding import Flushing, RandomRounding, SequentialSums, SumsByHalves

FACTOR = 8.0
ULPS = 2.0

Axes = int | tuple[int, ...]


class LawBroken(AssertionError):
    """A law does not hold; what was seen stands in ``evidence``."""

    def __init__(self, message: str, **evidence: Any):
        super().__init__(message)
        self.evidence = evidence


@dataclass(frozen=True)
class Deviation:
    """The worst element of a result."""

    position: str
    got: Any
    expected: Any
    error: float
    allowed: float


def ulp(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The distance to the next number of ``dtype``, in float64; 0 at 0 and at infinities."""
    mantissa, exponent = torch.frexp(x.double())
    step = torch.ldexp(torch.full_like(mantissa, torch.finfo(dtype).eps), exponent - 1)
    return torch.where((x == 0) | ~torch.isfinite(x), 0.0, step)


def moved(case: Case, sign: int) -> Case:
    """The case with every floating input moved by one unit in the last place, up or down at random.

    The two moves (``sign`` 0 and 1) agree on every other element, so that whatever cancels in one shows in the other.
    Zeros stay: they are structure (padding, masks), not rounded numbers.
    """
    generator = case.generator(9000)

    def move(leaf: Any) -> Any:
        if not is_floating(leaf) or leaf.numel() == 0:
            return leaf
        signs = torch.randint(0, 2, leaf.shape, generator=generator).double() * 2 - 1
        if sign:
            signs = signs * (1 - 2 * ((torch.arange(leaf.numel()) + sign) % 2)).reshape(leaf.shape)
            sign_of_leaf[0] = not sign_of_leaf[0]
            signs = signs if sign_of_leaf[0] else -signs
        wide = leaf.double()
        return (wide + signs * ulp(leaf, leaf.dtype)).to(leaf.dtype)

    sign_of_leaf = [False]
    return case.nudged(map_leaves(move, case.arguments), sign)


def shrunk(case: Case) -> Case:
    """The case with every floating input one unit in the last place closer to zero: stays inside bounded domains."""
    return case.nudged(
        map_leaves(
            lambda leaf: (
                (leaf.double() - ulp(leaf, leaf.dtype) * leaf.sign()).to(leaf.dtype) if is_floating(leaf) else leaf
            ),
            case.arguments,
        ),
        0,
    )


Evaluate = Callable[[Case], Any]
Order = Callable[[], AbstractContextManager[None]]
Spreads = list[Tensor | None]
Yardstick = Callable[[int], Spreads]
"""Level → what rounding may do to every floating leaf: 0 a glance, 1 at moved inputs too, 2 with many more random roundings."""

MORE_ROUNDINGS = 14
OTHER_ROUNDINGS = 4
RUNNING_SUMS = 4
"""So many times each way: what is left where a running sum cancels is luck, and another of terms rounded otherwise."""
FLUSHED = 2.0**20
"""At most so many smallest normal numbers may be lost where one below is taken for 0 half-way, and multiplied afterwards."""
HOPELESS = 1e4
"""No more roundings are tried for a result so many times beyond the allowed error and beyond the last place of the largest
value: they never widen the yardstick so far."""


def spread(
    evaluate: Evaluate, case: Case, truth: Any, precision: torch.dtype | None = None, orders: tuple[Order, ...] = ()
) -> Yardstick:
    """The yardstick of every floating leaf of the truth, element by element, in float64; roundings are the precision's.

    Under each of ``orders`` the function is evaluated in another order, which is as good.
    """
    true = numbers(truth)
    dtype = precision or case.dtype
    levels: list[Spreads] = []

    def yardstick(level: int) -> Spreads:
        while len(levels) <= level:
            found = list(levels[-1]) if levels else [torch.zeros_like(x) if is_floating(x) else None for x in true]
            LEVELS[len(levels)](found, evaluate, case, true, dtype)
            if levels:
                evaluations = _glance if len(levels) == 1 else _other_roundings
                for order in orders:
                    with order():
                        evaluations(found, evaluate, case, true, dtype)
            levels.append(found)
        return levels[level]

    return yardstick


def _glance(found: Spreads, evaluate: Evaluate, case: Case, true: list[Any], dtype: torch.dtype) -> None:
    _widen(found, _own(evaluate, case), true, dtype)
    _widen(found, _rounded(evaluate, case, 0, dtype), true, dtype)


def _neighbours(found: Spreads, evaluate: Evaluate, case: Case, true: list[Any], dtype: torch.dtype) -> None:
    _widen(found, _rounded(evaluate, case, 1, dtype), true, dtype)
    for sign in (0, 1):
        # A move may leave the contract's domain, such as a probability beyond one: then inwards.
        for neighbour in (moved(case, sign), shrunk(case)):
            there = _attempt(evaluate, neighbour.to(torch.float64))
            if there is not None:
                _widen(found, there, true, dtype)
                _widen(found, _own(evaluate, neighbour), there, dtype)
                break


def _many_roundings(found: Spreads, evaluate: Evaluate, case: Case, true: list[Any], dtype: torch.dtype) -> None:
    for k in range(MORE_ROUNDINGS):
        _widen(found, _rounded(evaluate, case, 2 + k, dtype), true, dtype)
    wide = case.to(torch.float64)
    if dtype == torch.float64:
        _widen(found, _summed(evaluate, wide, SumsByHalves()), true, dtype)
    for backwards in (False, True):
        _widen(found, _summed(evaluate, wide, SequentialSums(backwards, dtype)), true, dtype)
        for k in range(RUNNING_SUMS):
            with RandomRounding(dtype, case.seed + k), SequentialSums(backwards, dtype):
                there = _attempt(evaluate, wide)
            _widen(found, there, true, dtype)
    _flushed(found, evaluate, case, true, dtype)


def _flushed(found: Spreads, evaluate: Evaluate, case: Case, true: list[Any], dtype: torch.dtype) -> None:
    """What is lost without denormal numbers, which float16 always has.

    Factors may come in another order: what is within ``FACTOR`` of the smallest normal number may have been below it.
    """
    if dtype == torch.float16:
        return
    lost: Spreads = [torch.zeros_like(known) if known is not None else None for known in found]
    with Flushing(FACTOR * torch.finfo(dtype).tiny):
        _widen(lost, _attempt(evaluate, case.to(torch.float64)), true, dtype)
    for i, (known, more) in enumerate(zip(found, lost, strict=True)):
        if known is not None and more is not None:
            found[i] = torch.maximum(known, more.clamp(max=FLUSHED * torch.finfo(dtype).tiny))


def _other_roundings(found: Spreads, evaluate: Evaluate, case: Case, true: list[Any], dtype: torch.dtype) -> None:
    for k in range(1, OTHER_ROUNDINGS):
        _widen(found, _rounded(evaluate, case, k, dtype), true, dtype)
    for backwards in (False, True):
        _widen(found, _summed(evaluate, case.to(torch.float64), SequentialSums(backwards, dtype)), true, dtype)


LEVELS = (_glance, _neighbours, _many_roundings)


def _widen(found: Spreads, a: list[Any] | None, b: list[Any] | None, dtype: torch.dtype) -> None:
    """Raise the yardstick to the distance between two results; results of other shapes say nothing."""
    if a is None or b is None or len(a) != len(found) or len(b) != len(found):
        return
    for i, (known, x, y) in enumerate(zip(found, a, b, strict=True)):
        if known is not None and isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape == y.shape == known.shape:
            found[i] = torch.maximum(known, _errors(x, y.double(), dtype))


def _attempt(evaluate: Evaluate, case: Case) -> list[Any] | None:
    """The result, or None where the case lies outside of what contract or law speak of."""
    try:
        return numbers(evaluate(case))
    except (ValueError, IndexError, Raised, LawBroken):
        return None


def _rounded(evaluate: Evaluate, case: Case, salt: int, dtype: torch.dtype) -> list[Any] | None:
    with RandomRounding(dtype, case.seed + salt):
        return _attempt(evaluate, case.to(torch.float64))


def _summed(evaluate: Evaluate, wide: Case, sums: SequentialSums) -> list[Any] | None:
    with sums:
        return _attempt(evaluate, wide)


def _own(evaluate: Evaluate, case: Case) -> list[Any] | None:
    """The reference in the working dtype; through float32 where the back end lacks a half-precision kernel."""
    try:
        return _attempt(evaluate, case)
    except RuntimeError:
        result = _attempt(evaluate, case.to(torch.float32))
        return result and [leaf.to(case.dtype) if is_floating(leaf) else leaf for leaf in result]


def coarsest(dtype: torch.dtype, leaves: list[Any]) -> torch.dtype:
    """The dtype of the fewest digits, among this one and those of the floating leaves."""
    return max([dtype, *(leaf.dtype for leaf in leaves if is_floating(leaf))], key=lambda one: torch.finfo(one).eps)


def numbers(tree: Any) -> list[Any]:
    """The leaves of a tree in the judge's order, Python floats as tensors: they are judged as such."""
    return [_tensor(leaf) for leaf in values(ordered(tree))]


def _tensor(leaf: Any) -> Any:
    return torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else leaf


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """|a − b|, zero where both are the same infinity or both nan, infinite where only one is finite."""
    distance = (a - b).abs()
    same = (a == b) | (a.isnan() & b.isnan())
    return torch.where(same, 0.0, torch.nan_to_num(distance, nan=torch.inf, posinf=torch.inf))


def row_max(x: Tensor, rows: Axes) -> Tensor:
    """The maximum along the rows, kept for broadcasting back."""
    if x.ndim == 0 or x.numel() == 0:
        return x
    axes = [rows] if isinstance(rows, int) else list(rows)
    axes = [axis for axis in axes if -x.ndim <= axis < x.ndim] or [-1]
    return x.amax(axes, keepdim=True)


def plain(x: Any) -> Any:
    """A Python number in place of a tensor without axes: libraries whose arrays are foreign hand numbers back so."""
    return x.item() if isinstance(x, Tensor) and x.ndim == 0 else x


class Comparison:
    """The outcome of holding a result against the truth: the worst share of the allowed error, and where."""

    def __init__(self) -> None:
        self.share = 0.0
        self.deviation: Deviation | None = None

    def note(self, share: float, deviation: Deviation) -> None:
        """Keep the worst."""
        if self.deviation is None or share > self.share or math.isnan(share):
            self.share = math.inf if math.isnan(share) else share
            self.deviation = deviation


def compare(
    got: Any,
    truth: Any,
    dtype: torch.dtype,
    rows: Axes | list[Axes],
    yardstick: Yardstick,
) -> Comparison:
    """Hold a result of the right form against the truth, element by element, row by row.

    The yardstick is only asked for when two units in the last place of the row's scale do not settle it; the share is
    then of those alone, which is the stricter figure. ``rows`` may be a list with an entry for every leaf.
    """
    outcome = Comparison()
    share, value = torch.zeros(1), 0.0
    for i, ((path, expected), found) in enumerate(zip(leaves(ordered(truth)), values(ordered(got)), strict=True)):
        if isinstance(expected, float):
            expected, found = _tensor(expected), _tensor(float(plain(found)))
        if not is_floating(expected):
            if not _equal(found, expected):
                outcome.note(math.inf, _first_difference(path, found, expected))
            continue
        if expected.numel() == 0:
            continue
        error = _errors(found, expected, dtype)
        finfo = torch.finfo(dtype)
        axes = rows[i] if isinstance(rows, list) else rows
        scale, inside = expected.abs(), None
        if not float(scale.max()) <= finfo.max:
            # What lies beyond the dtype's range is infinite there: it says nothing about its neighbours in the row.
            scale = torch.where(torch.isfinite(expected), scale, 0.0)
            inside = scale <= finfo.max
        flushed = finfo.tiny * (1.0 if dtype == torch.float16 else FACTOR)
        base = FACTOR * ULPS * finfo.eps * _over_rows(scale, inside, axes) + flushed
        allowed = base
        for level in range(len(LEVELS)):
            if level and value <= 1:
                break
            # Whole units of float64, up and down, are back where they began time and again: there more are always tried.
            if level == 2 and dtype != torch.float64 and _hopeless(error, share, scale, finfo.eps):
                break
            if bool((error > base).any()):
                yard = yardstick(level)[i]
                assert yard is not None
                finite = torch.isfinite(yard)
                allowed = base + FACTOR * _over_rows(yard, finite if inside is None else inside & finite, axes)
            share = torch.nan_to_num(error / allowed, nan=0.0, posinf=math.inf)
            value = float(share.max())
            if math.isinf(value):
                share = _overflown(share, allowed, found, expected, finfo.max)
                value = float(share.max())
        if value <= 1:
            outcome.share = max(outcome.share, value)
        elif value > outcome.share:
            worst = int(share.argmax())
            at = [int(k) for k in np.unravel_index(worst, tuple(expected.shape))]
            deviation = Deviation(
                f"{path}{at if at else ''}",
                found.flatten()[worst].item(),
                expected.flatten()[worst].item(),
                float(error.flatten()[worst]),
                float(allowed.expand_as(error).flatten()[worst]),
            )
            outcome.note(value, deviation)
    return outcome


def _overflown(share: Tensor, allowed: Tensor, found: Tensor, expected: Tensor, last: float) -> Tensor:
    """The shares, but an infinity is right where the range ends within what is allowed."""
    left = (last - found.detach().double().sign() * expected).clamp(min=0) / allowed
    return torch.where(torch.isinf(found) & torch.isfinite(expected) & (left <= 1), left, share)


def _over_rows(x: Tensor, shared: Tensor | None, rows: Axes) -> Tensor:
    """The maximum along the rows of what is shared there (None: all), and everywhere at least the element's own."""
    if shared is None:
        return row_max(x, rows)
    return torch.maximum(row_max(torch.where(shared, x, 0.0), rows), x)


def _hopeless(error: Tensor, share: Tensor, scale: Tensor, eps: float) -> bool:
    worst, largest = share.argmax(), float(scale.max())
    # A truth of nothing but zeros has no last place: what cancels to it may be of any size.
    beyond = largest > 0 and float(error.flatten()[worst]) > HOPELESS * eps * largest
    return float(share.flatten()[worst]) > HOPELESS and beyond


def _errors(found: Tensor, expected: Tensor, dtype: torch.dtype) -> Tensor:
    """The error of every element; infinite where nan and infinities do not match in place and sign."""
    found = found.detach().double()
    error = (found - expected).abs()
    # A finite sum has finite terms; the other way round it need not be.
    if math.isfinite(error.sum().item()):
        return error
    finite = torch.isfinite(expected)
    if bool(finite.all()) and bool(torch.isfinite(found).all()):
        return error
    # A finite truth beyond the dtype's range rounds to an infinity of its sign.
    beyond = finite & torch.isinf(expected.to(dtype))
    ideal = torch.where(beyond, torch.sign(expected) * torch.inf, expected)
    return torch.where(beyond & (found == ideal), 0.0, _distance(found, expected))


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, Tensor):
        return isinstance(found, Tensor) and bool((found == expected).all())
    found = plain(found)
    return bool(found == expected) or (expected != expected and found != found)


def _first_difference(path: str, found: Any, expected: Any) -> Deviation:
    if isinstance(expected, Tensor) and isinstance(found, Tensor) and expected.ndim:
        at = [int(k) for k in (found != expected).nonzero()[0]]
        a, b = found[tuple(at)].item(), expected[tuple(at)].item()
        path = f"{path}{at}"
    else:
        a, b = plain(found), plain(expected)
    error = abs(a - b) if isinstance(a, int | float) and isinstance(b, int | float) else math.inf
    return Deviation(path, a, b, float(error), 0.0)
