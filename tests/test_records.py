"""What JSON holds of a sample. Damaged records are in test_shards."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from ocr2.errors import BadInput, BadOutput
from ocr2.records import checked, encoded, parsed, record
from ocr2.types import Box, Prompt, Sample

PAGE = Image.new("L", (8, 8))


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        (Prompt(), {}),
        (Prompt(format=True, color="red"), {"format": True, "color": "red"}),
        (Prompt(box=Box(1, 2.5, 3, 4)), {"box": [1, 2.5, 3, 4]}),
        (Prompt(point=(0, 2**53)), {"point": [0, 2**53]}),
        (Prompt(tiles=12), {"tiles": 12}),
        (Prompt(pages=2), {"pages": 2}),
    ],
    ids=str,
)
def test_prompts_come_back(prompt: Prompt, asked: dict[str, object]) -> None:
    made = record(Sample((PAGE,) * prompt.pages, prompt, "ü 𝔘\n\0", "text", "here"))
    expected = {"text": "ü 𝔘\n\0", "kind": "text", "origin": "here", "prompt": asked, "modes": ["L"] * prompt.pages}
    assert made == expected
    assert json.loads(encoded(made)) == parsed(encoded(made), "a.json") == expected
    assert checked(made, "a.json") == prompt


def test_errors_say_where() -> None:
    with pytest.raises(BadInput, match=r"^a\.tar: 7\.json can't be read as JSON"):
        parsed(b"{", "a.tar: 7.json")
    with pytest.raises(BadInput, match=r"^a\.tar: 7\.json has no 'text'"):
        checked({}, "a.tar: 7.json")
    with pytest.raises(BadOutput, match=r"^'here': a shard could not give this sample back: .*surrogates not allowed"):
        record(Sample((PAGE,), Prompt(), "\ud800", "text", "here"))
    with pytest.raises(
        BadOutput, match=r"^'here': a shard .* back: its record has a prompt .* tiles=True: expected int"
    ):
        record(Sample((PAGE,), Prompt(tiles=True), "", "text", "here"))
