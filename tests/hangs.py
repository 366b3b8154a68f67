"""What hangs is ended, and its test fails."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def ended(seconds: int) -> Iterator[None]:
    """Raises TimeoutError after so much processor time: many times what is needed, and little of what hanging takes."""

    def end(*_: object) -> None:
        raise TimeoutError(f"it hangs: {seconds} seconds of processor time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
