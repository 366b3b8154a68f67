"""Tools run apart can't take anything with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers import apart as module
from ocr2.renderers.apart import apart


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOADING", 10.0)


def test_what_a_function_answers_comes_back() -> None:
    assert apart("math:sqrt", 4) == 2.0
    assert apart("os:getpid") == apart("os:getpid") != os.getpid()


def test_large_answers_come_back_whole() -> None:
    assert apart("builtins:bytes", 30_000_000) == bytes(30_000_000)


def test_its_errors_are_raised_here() -> None:
    with pytest.raises(BadInput, match="'x' is no shape or language"):
        apart("ocr2.data.lines:Lines", None, "x", "en", 0)
    with pytest.raises(RenderFailed, match="math: ValueError"):
        apart("math:sqrt", -1)
    assert apart("math:sqrt", 9) == 3.0


def test_a_crash_takes_nothing_with_it() -> None:
    with pytest.raises(RenderFailed, match=r"os: crashed \(exit status -6"):
        apart("os:abort")
    assert apart("math:sqrt", 4) == 2.0


def test_what_hangs_is_ended() -> None:
    apart("math:sqrt", 1)
    with pytest.raises(RenderFailed, match=r"took longer than 0\.3 seconds"):
        apart("time:sleep", 3600, seconds=0.3)
    assert apart("math:sqrt", 4) == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on this system")
def test_what_eats_memory_is_refused() -> None:
    before = apart("os:getpid")
    with pytest.raises(RenderFailed, match="too much memory"):
        apart("builtins:bytearray", 1 << 34)
    assert apart("os:getpid") != before
    assert apart("math:sqrt", 4) == 2.0


def test_what_a_tool_prints_is_not_an_answer(capfd: pytest.CaptureFixture[str]) -> None:
    assert apart("builtins:print", "a" * 100) is None
    assert apart("os:write", 1, b"12345678") == 8
    assert apart("math:sqrt", 4) == 2.0
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_a_child_of_its_own() -> None:
    mine = apart("os:getpid")
    reading, writing = os.pipe()
    forked = os.fork()
    if not forked:
        try:
            os.write(writing, str(apart("os:getpid")).encode())
        finally:
            os._exit(0)
    os.waitpid(forked, 0)
    assert int(os.read(reading, 99)) != mine
    os.close(reading), os.close(writing)
    assert apart("os:getpid") == mine


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_a_call_that_was_interrupted_answers_no_other() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    apart("math:sqrt", 1)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            apart("time:sleep", 0.5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert apart("math:sqrt", 4) == 2.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_forked_while_another_thread_asks_can_ask_too() -> None:
    apart("math:sqrt", 1)
    other = threading.Thread(target=apart, args=("time:sleep", 0.8))
    other.start()
    while not module._lock.locked():
        time.sleep(0.01)
    forked = os.fork()
    if not forked:
        signal.alarm(30)
        os._exit(apart("math:sqrt", 4) != 2.0)
    assert os.waitpid(forked, 0)[1] == 0
    other.join()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_a_child_that_nobody_ends_ends_by_itself() -> None:
    code = (
        "from ocr2.renderers import apart as a; a.LOADING = 0; a._LATER = 0.2; a.apart('math:sqrt', 1)\n"
        "print(a._child.process.pid, flush=True)\n"
        "a.apart('builtins:sum', range(10**12), seconds=2)"  # which lets no other thread of Python's run
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(200):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").is_file() and Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return  # it has ended, and nobody asks how
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("it went on")
