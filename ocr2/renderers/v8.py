"""Scripts that draw, run in V8: nothing of the system, of the disk or of a network is there for them to reach."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ocr2.errors import RenderFailed
from ocr2.renderers.tools import need, script

SECONDS = 15.0
"""That one call may take."""
MEMORY = 1 << 30
"""Bytes that the scripts of one context may take."""

# what scripts for browsers expect to find; timers never fire
_WORLD = """
var window = globalThis, self = globalThis, global = globalThis, navigator = {userAgent: ''}, process = {env: {}};
var console = {log() {}, warn() {}, error() {}, info() {}, debug() {}};
function setTimeout() { return 0 } function setInterval() { return 0 }
function clearTimeout() {} function clearInterval() {}
var crypto = {getRandomValues(bytes) { return bytes.map((_, n) => bytes[n] = Math.random() * 256) }};
"""


# a bundle keeps its parts to itself: this lets them be had, as `part(number)`
_OPENED = {"mathpix-markdown-it": ("window.loadMathJax=", "window.part=n,window.loadMathJax=")}


@cache
def _context(name: str) -> Any:
    need("mathpix" if name.startswith("mathpix") else "echarts")
    from py_mini_racer import MiniRacer

    context = MiniRacer()
    context.eval(_WORLD)
    context.eval(script(name).read_text(encoding="utf-8").replace(*_OPENED.get(name, ("", "")), 1))
    return context


def called(name: str, expression: str, *args: Any) -> Any:
    """What a function in that script's context returns for these arguments; they and it pass as JSON.

    Called apart, since V8 itself may give up. Raises RenderFailed, RendererMissing.
    """
    from py_mini_racer import JSEvalException, JSOOMException, JSTimeoutException

    listed = ", ".join(json.dumps(arg) for arg in args)
    try:
        told = _context(name).eval(f"JSON.stringify(({expression})({listed}))", timeout_sec=SECONDS, max_memory=MEMORY)
    except JSTimeoutException as error:
        _context.cache_clear()  # who knows what it was doing
        raise RenderFailed(f"{name} took longer than {SECONDS:g} seconds: give a simpler source") from error
    except JSOOMException as error:
        _context.cache_clear()
        raise RenderFailed(f"{name} took too much memory: give a simpler source") from error
    except JSEvalException as error:
        raise RenderFailed(f"{name}: {str(error).splitlines()[0]:.300}") from error
    return json.loads(told) if isinstance(told, str) else None  # nothing, or undefined
