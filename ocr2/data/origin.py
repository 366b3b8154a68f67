"""Where a sample comes from, as JSON: what made it, and of what."""

from __future__ import annotations

import json
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr2.types import Line

ILLEGIBLE = "###"
"""What stands for text that nobody can read, as PaddleOCR has it."""


def origin(engine: str, seed: int | str, index: int, **more: object) -> str:
    """The engine's name and version, the seed and number that make the sample again, and what else is known of it:
    `backend` (the tool and its version), `source` (files), `licence`, `fonts`. What is empty is left out.
    """
    told = {"engine": engine, "version": _version(), "seed": seed, "index": index}
    return json.dumps(told | {name: value for name, value in more.items() if value}, ensure_ascii=False)


def told(page: str) -> object:
    """Where a page that is part of a sample comes from: what its origin says but for its lines, or its own words."""
    try:
        found = json.loads(page)
    except ValueError:
        return page
    return {name: value for name, value in found.items() if name != "lines"} if isinstance(found, dict) else found


def with_lines(origin: str, lines: tuple[Line, ...]) -> str:
    """The same, with the places of a page's lines: what makes it a sample for detectors of text, too."""
    return json.dumps(json.loads(origin) | {"lines": places(lines)}, ensure_ascii=False)


def places(lines: tuple[Line, ...]) -> list[dict[str, Any]]:
    """The lines as PaddleOCR's labels have them, and what stands after each."""
    return [
        {
            "transcription": line.text or ILLEGIBLE,
            "points": [[round(x, 2), round(y, 2)] for x, y in line.place],
            "end": line.end,
        }
        for line in lines
    ]


@cache
def _version() -> str:
    return f"ocr2 {metadata.version('ocr2')}"
