"""A folder for the temporary files of processes that may be killed: what they leave behind goes with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


def folder() -> tempfile.TemporaryDirectory:
    """A new one, to be entered; orphans may still write into it when it goes."""
    return tempfile.TemporaryDirectory(prefix="lawbook-", ignore_cleanup_errors=True)


def use(path: str) -> None:
    """Temporary files of this process and of those it starts lie there from now on."""
    os.environ["TMPDIR"] = tempfile.tempdir = path


@contextmanager
def scratch() -> Iterator[None]:
    """Within it, temporary files of this process and of those it starts lie in a new folder."""
    with folder() as path, mock.patch.dict(os.environ), mock.patch.object(tempfile, "tempdir"):
        use(path)
        yield
