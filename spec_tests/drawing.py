"""Drawing cases: Hypothesis draws a domain once for all laws of a component, and finds the smallest case that fails."""

import contextlib
import io
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, Verbosity

from lawbook.fixtures.cases.kit import Case, Domain, Draft
from lawbook.spec_tests.arguments import within_range

KEPT_CASES = 512
KEPT_DOMAINS = 8
ROUND = 10
"""Drafts drawn in one go: from the eleventh on Hypothesis varies what it has drawn, and near copies find nothing new."""
ROUNDS = 2
"""At most so many times as many rounds as would do if every draft were new."""
LONG = 8
"""Drafts of so many draws are near copies when they differ in one; shorter ones when they differ in none."""

_cases: OrderedDict[Any, Case] = OrderedDict()
_drafts: OrderedDict[Any, list[Draft]] = OrderedDict()


def case_of(component: str, domain: Domain, draft: Draft, dtype: torch.dtype) -> Case:
    """The case of a draft: one object for all laws of the component, so that truths are computed once."""
    key = (component, domain, draft.key, dtype)
    case = _cases.get(key)
    if case is None:
        # Scaled before it is rounded: what is infinite in float16 cannot be made small.
        usual = draft.case(torch.float64 if dtype == torch.float16 else dtype)
        case = _cases[key] = within_range(usual, dtype).to(dtype)
        if len(_cases) > KEPT_CASES:
            _cases.popitem(last=False)
    return case


def drafts(component: str, domain: Domain, seed: int, count: int) -> list[Draft]:
    """``count`` drafts of the domain, a function of component and seed; near copies of earlier ones only fill up."""
    key = (component, domain, seed, count)
    if key not in _drafts:
        kept: list[Draft] = []
        copies: list[Draft] = []
        for round_ in range(ROUNDS * (count // ROUND + 1)):
            for draft in _round(component, domain, seed, round_):
                (copies if any(_near(draft.key, other.key) for other in kept) else kept).append(draft)
            if len(kept) >= count:
                break
        _drafts[key] = (kept + copies)[:count]
        if len(_drafts) > KEPT_DOMAINS:
            _drafts.popitem(last=False)
    return _drafts[key]


def draw(component: str, domain: Domain, seed: int, round_: int, body: Callable[[Draft], None]) -> None:
    """One round of drafts, always the same for the same seed; when ``body`` raises, Hypothesis shrinks."""

    @hypothesis.settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @hypothesis.seed(zlib.crc32(component.encode()) + 1_000_003 * seed + 7_919 * round_)
    @hypothesis.given(domain.strategy)
    def drive(draft: Draft) -> None:
        body(draft)

    with contextlib.redirect_stderr(io.StringIO()):
        drive()


def _round(component: str, domain: Domain, seed: int, round_: int) -> list[Draft]:
    found: list[Draft] = []

    def body(draft: Draft) -> None:
        draft.round = round_
        found.append(draft)

    draw(component, domain, seed, round_, body)
    return found


def _near(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two drafts say the same but for the last draw, the seed of the values, and at most one other."""
    if len(a) != len(b):
        return False
    differing = sum(x != y for x, y in zip(a[:-1], b[:-1], strict=True))
    return differing <= (1 if len(a) > LONG else 0)
