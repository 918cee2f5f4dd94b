"""A polite request to end (SIGTERM: a job's time limit, say) is heeded as an interrupt from the keyboard."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeded() -> Iterator[None]:
    """Within, both raise KeyboardInterrupt: what is finished is kept, and no worker is left behind."""
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
