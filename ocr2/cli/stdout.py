"""Results on standard output."""

from __future__ import annotations

import os
import sys

from ocr2.errors import BadOutput


def put(content: bytes) -> None:
    """Writes it there, at once. Raises BadOutput; a pipe that nobody reads ends the run, without a word."""
    if sys.stdout is None:  # as Python has it where it was closed before the start
        raise BadOutput("standard output is closed: leave it open, or have the result written to a file")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # click ends the run
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes the rest to
        raise BadOutput(
            f"standard output can't be written ({error.strerror}): make room, or have it written to a file"
        ) from error
