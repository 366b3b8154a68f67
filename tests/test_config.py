"""Architectures as numbers: what is written is read back, and what is impossible has a name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ocr2.errors import BadCheckpoint
from ocr2.got.config import PRESETS, DecoderConfig, GOTConfig, OPTConfig

STAGE1 = GOTConfig(decoder=OPTConfig(), context=2048, image_token=0)


@pytest.mark.parametrize("config", [*PRESETS.values(), STAGE1], ids=[*PRESETS, "stage 1"])
def test_round_trip(config: GOTConfig) -> None:
    assert GOTConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_how_it_trains_is_not_written() -> None:
    config = replace(PRESETS["nano"], checkpointing=True)
    assert GOTConfig.from_json(config.to_json()) == PRESETS["nano"]


def test_tokens_ahead() -> None:
    assert (PRESETS["580m"].decoder.ahead, PRESETS["nano"].decoder.ahead, STAGE1.decoder.ahead) == (0, 3, 0)
    record = PRESETS["580m"].to_json()
    del record["decoder"]["ahead"]  # as it was before there were any
    assert GOTConfig.from_json(record) == PRESETS["580m"]


@pytest.mark.parametrize(
    ("decoder", "named"),
    [
        ({"ahead": -1}, "DecoderConfig ahead=-1: expected something like 0"),
        ({"ahead": 1.5}, "DecoderConfig ahead=1.5: expected something like 0"),
        ({"ahead": True}, "DecoderConfig ahead=True: expected something like 0"),
        ({"kind": "opt", "ahead": 3}, "OPTConfig has no field 'ahead': expected vocabulary, "),
        ({"layers": 0}, "DecoderConfig layers=0: expected something like 24"),
        ({"layers": -3}, "DecoderConfig layers=-3"),
        ({"kind": "gpt"}, "decoder kind 'gpt' is unknown: expected 'qwen2' or 'opt'"),
    ],
)
def test_decoders_that_are_none(decoder: dict[str, Any], named: str) -> None:
    with pytest.raises(BadCheckpoint, match=named):
        GOTConfig.from_json({"decoder": decoder})


def test_fewer_than_none() -> None:
    with pytest.raises(BadCheckpoint, match="decoder ahead=-1: expected 0 tokens or more"):
        DecoderConfig(ahead=-1)
    with pytest.raises(BadCheckpoint, match="image_token=-1"):
        GOTConfig.from_json({"image_token": -1})
