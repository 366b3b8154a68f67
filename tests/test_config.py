"""Architectures as numbers: what is written is read back, and what is impossible has a name."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from ocr2.errors import BadCheckpoint
from ocr2.got.config import PRESETS, DecoderConfig, EncoderConfig, GOTConfig, OPTConfig

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
    del record["decoder"]["ahead"], record["decoder"]["guessed"]  # as it was before there were any
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
        ({"kind": []}, r"decoder kind \[\] is unknown: expected 'qwen2' or 'opt'"),
        ({"kind": {}}, "decoder kind {} is unknown"),
        ({"kind": None}, "decoder kind None is unknown"),
        ({"layers": 10**7}, "decoder layers=10000000: expected 1 to 1,024"),
        ({"vocabulary": 10**12}, "decoder vocabulary=1000000000000: expected 1 to 16,777,216"),
        ({"ahead": 10**6}, "decoder ahead=1000000: expected 0 to 256"),
        ({"guessed": 151861}, "decoder guessed=151861 is more than the vocabulary of 151860"),
        ({"theta": math.nan}, "decoder theta=nan: expected 1 to 1,000,000,000,000"),
        ({"theta": 10**400}, "decoder theta=10{79}: expected"),
        ({"eps": math.inf}, "decoder eps=inf: expected 1e-30 to 1"),
        ({"kind": "opt", "positions": 10**9}, "decoder positions=1000000000: expected 1 to 1,048,576"),
        ({"width": 6, "heads": 2, "kv_heads": 1}, "decoder width/heads=3: its halves are turned, so make it even"),
    ],
)
def test_decoders_that_are_none(decoder: dict[str, Any], named: str) -> None:
    with pytest.raises(BadCheckpoint, match=named):
        GOTConfig.from_json({"decoder": decoder})


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"context": 10**15}, "the model's context=1000000000000000: expected 1 to 1,048,576"),
        ({"encoder": {"side": 64 * 10**7}}, "encoder side=640000000: expected 64 to 16,384"),
        ({"encoder": {"layers": 10**7}}, "encoder layers=10000000: expected 1 to 1,024"),
        ({"encoder": {"width": 12 * 10**6}}, "encoder width=12000000: expected 1 to 65,536"),
        ({"encoder": {"out": [0, 32]}}, r"encoder out=\(0, 32\): expected 1 to 65,536"),
        ({"encoder": {"out": []}}, r"encoder out=\(\): expected two numbers"),
        ({"encoder": {"global_layers": [1] * 10**6}}, r"encoder global_layers=\(1, .{76}: expected some of 0 to 11$"),
        ({"encoder": {"global_layers": "1" * 999}}, "EncoderConfig global_layers='1{79}: expected"),
        ({"encoder": {"stem": "conv", "width": 4, "heads": 1}}, "encoder width=4: stem='conv' begins with an eighth"),
        ({"x" * 999: 1}, "GOTConfig has no field 'x{79}: expected"),
    ],
)
def test_numbers_that_no_model_has(record: dict[str, Any], named: str) -> None:
    with pytest.raises(BadCheckpoint, match=named):
        GOTConfig.from_json(record)


def test_numbers_far_beyond_any_model() -> None:
    large = GOTConfig(EncoderConfig(side=16384), DecoderConfig(layers=1024, ahead=256), context=1 << 20)
    assert GOTConfig.from_json(json.loads(json.dumps(large.to_json()))) == large


def test_fewer_than_none() -> None:
    with pytest.raises(BadCheckpoint, match="decoder ahead=-1: expected 0 to 256"):
        DecoderConfig(ahead=-1)
    with pytest.raises(BadCheckpoint, match="image_token=-1"):
        GOTConfig.from_json({"image_token": -1})
