"""All of a sample but its pixels, as JSON, and back: what stands beside the pages in a shard.

    {"text": "E = mc²", "kind": "formula", "origin": "…", "prompt": {"format": true}, "modes": ["L"]}

Of the prompt it has what differs from the plain question; `modes` are those of the images.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput, BadOutput, BadPrompt
from ocr2.types import Box, Prompt

if TYPE_CHECKING:
    from ocr2.types import Sample

MODES = ("L", "RGB")
"""What Pillow calls images in shades of grey, and in colours: 8 bits each."""

_PROMPT = {"format": bool, "box": list, "point": list, "color": str, "tiles": int, "pages": int}
_DEFAULT = asdict(Prompt())
_FIELDS = "expected text, kind, origin, prompt and modes; make the shard again"


def record(sample: Sample) -> dict[str, Any]:
    """What JSON holds of a sample. Raises BadOutput for what it could not give back."""
    asked = {name: value for name, value in asdict(sample.prompt).items() if value != _DEFAULT[name]}
    if box := sample.prompt.box:
        asked["box"] = [box.x0, box.y0, box.x1, box.y1]
    if sample.prompt.point:
        asked["point"] = list(sample.prompt.point)
    modes = [image.mode for image in sample.images]
    made = {"text": sample.text, "kind": sample.kind, "origin": sample.origin, "prompt": asked, "modes": modes}
    try:
        checked(parsed(encoded(made), "its record"), "its record")
    except (BadInput, TypeError, ValueError, RecursionError) as error:
        raise BadOutput(f"{sample.origin!r:.80}: a shard could not give this sample back: {error}") from error
    return made


def encoded(record: dict[str, Any]) -> bytes:
    """A record as the bytes of a file."""
    return json.dumps(record, ensure_ascii=False).encode()


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """The object in the bytes of a file. Raises BadInput, which tells where they are, for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} can't be read as JSON: make the shard again") from error
    if not isinstance(found, dict):
        raise BadInput(f"{where} is no object: {_FIELDS}")
    return found


def checked(record: dict[str, Any], where: str) -> Prompt:
    """The prompt in a record. Raises BadInput for a record that is none of a sample, or one that can't be encoded."""
    for name in ("text", "kind", "origin"):
        if not isinstance(record.get(name), str):
            raise BadInput(f"{where} has no {name!r}: {_FIELDS}")
        if re.search("[\ud800-\udfff]", record[name]):
            raise BadInput(f"{where} has half a surrogate pair in {name!r}: expected whole characters")
    modes = record.get("modes")
    if not isinstance(modes, list) or any(mode not in MODES for mode in modes):
        raise BadInput(f"{where} has modes {modes!r:.80}: expected L or RGB for each image")
    if not isinstance(record.get("prompt"), dict):
        raise BadInput(f"{where} has no 'prompt': expected an object, empty for the plain question")
    try:
        return _prompt(record["prompt"])
    except (BadPrompt, TypeError, OverflowError) as error:
        raise BadInput(f"{where} has a prompt that can't be asked: {error}") from error


def _prompt(asked: dict[str, Any]) -> Prompt:
    for name, value in asked.items():
        if name not in _PROMPT:
            raise TypeError(f"{name!r:.40} is unknown: expected {', '.join(_PROMPT)}")
        if type(value) is not _PROMPT[name]:
            raise TypeError(f"{name}={value!r:.40}: expected {_PROMPT[name].__name__}")
    box = Box(*_numbers(asked["box"], 4)) if "box" in asked else None
    point = _numbers(asked["point"], 2) if "point" in asked else None
    return Prompt(**asked | {"box": box, "point": point})


def _numbers(values: list[Any], count: int) -> tuple[float, ...]:
    """So many numbers, none of them larger than computers count, as JSON knows some."""
    if len(values) != count or any(type(value) not in (int, float) for value in values):
        raise TypeError(f"{values!r:.80}: expected {count} numbers")
    if any(abs(value) > 2**53 for value in values):
        raise OverflowError(f"{values!r:.80}: expected pixels")
    return tuple(values)
