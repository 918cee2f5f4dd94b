"""What the command line says when it cannot do what was asked."""

import difflib
from collections.abc import Iterable


class Refusal(Exception):
    """One clear sentence for the user; the exit status is 2."""


def require_known(kind: str, asked: Iterable[str], known: Iterable[str], where: str = "") -> None:
    """Refuse names that do not exist (``where``), with the closest ones that do."""
    known = sorted(known)
    for name in asked:
        if name in known:
            continue
        missing = " ".join(filter(None, (f"There is no {kind} {name!r}", where)))
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if close:
            raise Refusal(f"{missing}; did you mean {' or '.join(close)}?")
        some = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
        raise Refusal(f"{missing}; known are {some or 'none'}.")
