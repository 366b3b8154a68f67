"""Tools run apart, in a process of their own: one that crashes, hangs or eats memory takes nothing with it.

    svg = apart("ocr2.renderers.tikz:drawn", source, seconds=10)

Each process that draws has one such child, which keeps the tools that it has loaded. One that doesn't answer in time,
or dies, is replaced at the next call. Functions are named, as in "package.module:function", and what goes in and comes
out of them is pickled; the two processes trust each other, sources are data to both.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from ocr2.errors import OcrError, RenderFailed

SECONDS = 20.0
"""That a call may take, on the wall clock, unless it asks for others: a thousand times what most take."""
LOADING = 60.0
"""Seconds more for the first call of a child, which loads its tools."""
_LATER = 5.0
"""Seconds after which a child ends itself that nobody has ended: its parent must be gone."""
MEMORY = 3 << 30
"""Bytes that a child may take, where the system can tell it (Linux)."""

_lock = threading.Lock()
_child: _Child | None = None
_others: list[_Child] = []
"""Those of the process that this one is a fork of: let go, they would end what is being said to them."""


def apart(function: str, *args: Any, seconds: float = SECONDS) -> Any:
    """What the function answers. Raises the OcrError that it raises, and RenderFailed for anything else: another error,
    a crash, no answer within so many seconds, too much memory.
    """
    global _child
    with _lock:
        if _child is None:
            _child = _Child()
        answer: Any = ""
        try:
            answer = _child.ask(function, args, seconds)
        finally:
            if isinstance(answer, str):  # or interrupted: what it answers later must not be the next call's
                _child.end()
                _child = None
        if isinstance(answer, str):
            raise RenderFailed(f"{function.partition(':')[0].rpartition('.')[2]}: {answer}")
    error, value = answer
    if error is not None:
        raise error
    return value


def _forked() -> None:
    """In a fork, the child is the other process's, and another thread of that may hold the lock."""
    global _lock, _child
    _others.extend([_child] if _child else [])
    _lock, _child = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class _Child:
    """The other process, seen from this one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.told = tempfile.TemporaryFile()  # noqa: SIM115 its last words, read when it is dead
        command = [sys.executable, "-c", "from ocr2.renderers.apart import serve; serve()"]
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.told
        )
        self.fresh = True
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.end)

    def _listen(self) -> None:
        """Hands on what the child answers, and None when it is dead."""
        assert self.process.stdout
        try:
            while True:
                self.answers.put(_received(self.process.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self.answers.put(None)

    def ask(self, function: str, args: tuple[Any, ...], seconds: float) -> Any:
        """The child's answer; a string that says why there is none."""
        assert self.process.stdin
        seconds += LOADING * self.fresh
        self.fresh = False
        try:
            _sent(self.process.stdin, (function, args, seconds + _LATER))
            answer = self.answers.get(timeout=seconds)
        except queue.Empty:
            return f"took longer than {seconds:g} seconds: give a simpler source"
        except OSError:
            answer = None
        if answer is None:
            return f"crashed ({self._last_words()}): give a simpler source, or report it to the tool's makers"
        return answer

    def _last_words(self) -> str:
        code = self.process.wait()
        self.told.seek(0)
        words = self.told.read().decode(errors="replace").strip().splitlines()
        return f"exit status {code}" + (f", {words[-1]:.200}" if words else "")

    def end(self) -> None:
        """Ends the child, and frees what it took."""
        atexit.unregister(self.end)
        if self.owner != os.getpid():
            return
        self.process.kill()
        self.process.wait()
        self.told.close()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with suppress(OSError):  # of what it was not yet told
                pipe.close()


def _sent(pipe: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, protocol=5)
    pipe.write(len(content).to_bytes(8, "little"))
    pipe.write(content)
    pipe.flush()


def _received(pipe: IO[bytes]) -> Any:
    size = pipe.read(8)
    content = pipe.read(int.from_bytes(size, "little")) if len(size) == 8 else b""
    if not content:
        raise EOFError
    return pickle.loads(content)  # noqa: S301 the other end is this very module


def serve() -> None:
    """What the child does: answers until nobody asks any more, or a call takes too much memory.

    The tools' own output goes where nobody looks.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    _confine()
    while True:
        try:
            function, args, seconds = _received(inward)
        except EOFError:
            return
        _alarm(seconds)
        _sent(outward, _answer(function, args))
        _alarm(0)


def _answer(function: str, args: tuple[Any, ...]) -> tuple[OcrError | None, Any]:
    module, _, name = function.partition(":")
    try:
        return None, getattr(import_module(module), name)(*args)
    except OcrError as error:
        return error, None
    except MemoryError as error:  # what it still holds would be missed by the next call
        raise SystemExit("too much memory") from error
    except BaseException as error:  # noqa: BLE001 a tool may raise anything; a panic in Rust is no Exception
        told = f"{type(error).__name__}: {error}".strip()
        return RenderFailed(f"{module.rpartition('.')[2]}: {told:.300}"), None


def _alarm(seconds: float) -> None:
    """Ends this process after so many seconds, whatever a tool does then; 0 calls it off."""
    import signal

    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _confine() -> None:
    """No more memory than MEMORY, no core files, as far as the system can tell it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
