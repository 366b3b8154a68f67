"""Fewer bits: held against float32, number by number and then answer by answer."""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_reference import TINY, ours, question
from torch import Tensor, nn

from ocr2.errors import BadInput
from ocr2.got import precision
from ocr2.got.config import GOTConfig, OPTConfig
from ocr2.got.precision import Int8Linear, converted, fastest, learns_in, multiplies_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.got.model import GOT

INT8 = pytest.mark.skipif(not multiplies_bytes(), reason="this processor doesn't multiply bytes (AVX-512 VNNI)")
STAGE1 = replace(TINY, decoder=OPTConfig(vocabulary=300, width=32, layers=2, heads=4, mlp=64, positions=512))
AHEAD = replace(TINY, decoder=replace(TINY.decoder, ahead=2))
CONFIGS = pytest.mark.parametrize("config", [TINY, STAGE1, AHEAD], ids=["580m", "stage 1", "ahead"])


@pytest.fixture(autouse=True, scope="module")
def settings() -> Iterator[None]:
    """The same numbers each time; one thread, for the networks are tiny."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def error(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm())


@INT8
class TestInt8Linear:
    @torch.no_grad()
    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("shape", [(5,), (1, 1), (3, 7), (2, 3, 4)])
    def test_nearly_the_float_one(self, shape: tuple[int, ...], bias: bool) -> None:
        linear, x = nn.Linear(256, 96, bias=bias), torch.randn(*shape, 256)
        small = Int8Linear(linear)
        assert small(x).dtype == torch.float32
        assert (small.bias is None) == (not bias)
        assert error(small(x), linear(x)) < 0.015

    @torch.no_grad()
    def test_outliers_cost_only_their_own_token_and_channel(self) -> None:
        linear, x = nn.Linear(256, 96), torch.randn(64, 256)
        x[7] *= 1000
        linear.weight[5] *= 1000
        found, truth = Int8Linear(linear)(x), linear(x)
        for row in (6, 7):
            assert error(found[row, 6:], truth[row, 6:]) < 0.02
            assert error(found[row, :6], truth[row, :6]) < 0.02

    @torch.no_grad()
    def test_nothing(self) -> None:
        linear = nn.Linear(32, 8)
        small = Int8Linear(linear)
        assert torch.equal(small(torch.zeros(3, 32)), linear.bias.expand(3, 8))
        assert small(torch.empty(0, 32)).shape == (0, 8)
        with torch.no_grad():
            linear.weight.zero_()
        assert torch.equal(Int8Linear(linear)(torch.ones(2, 32)), linear.bias.expand(2, 8))

    @torch.no_grad()
    def test_a_row_does_not_depend_on_the_others(self) -> None:
        small, x = Int8Linear(nn.Linear(192, 80)), torch.randn(37, 192) * torch.logspace(-3, 3, 37)[:, None]
        whole = small(x)
        for part in (1, 2, 5, 16):
            assert torch.equal(torch.cat([small(rows) for rows in x.split(part)]), whole)
        assert torch.equal(small(x.flip(0)).flip(0), whole)

    @torch.no_grad()
    def test_more_channels_than_are_converted_at_once(self) -> None:
        linear, x = nn.Linear(16, 5000), torch.randn(2, 16)
        assert error(Int8Linear(linear)(x), linear(x)) < 0.02

    @torch.no_grad()
    def test_from_bfloat16(self) -> None:
        linear, x = nn.Linear(64, 32).bfloat16(), torch.randn(4, 64)
        assert error(Int8Linear(linear)(x), deepcopy(linear).float()(x)) < 0.02


def logits(model: GOT) -> Tensor:
    view, ids = question()
    return model.decoder.head(model.decoder(model.embeddings(ids, model.features([view])))).float()


class TestConverted:
    @CONFIGS
    @torch.no_grad()
    def test_bf16(self, config: GOTConfig) -> None:
        truth, model = logits(ours(config)), converted(ours(config), "bf16")
        assert {part.dtype for part in model.parameters()} == {torch.bfloat16}
        assert error(logits(model), truth) < 0.1
        assert {part.dtype for part in converted(model, "fp32").parameters()} == {torch.float32}

    @INT8
    @CONFIGS
    @torch.no_grad()
    def test_int8(self, config: GOTConfig) -> None:
        truth, model = logits(ours(config)), converted(ours(config), "int8")
        assert not [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
        assert isinstance(model.decoder.head, Int8Linear)
        assert not [name for name, part in model.named_parameters() if part.requires_grad]
        assert error(logits(model), truth) < 0.1
        for small, head in zip(model.ahead, ours(config).ahead, strict=True):
            x = torch.randn(5, 32)
            assert error(small(x), head(x)) < 0.02

    @INT8
    @CONFIGS
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
    def test_embeddings_are_looked_up_in_16_bits(self, config: GOTConfig, dtype: torch.dtype) -> None:
        model = ours(config).to(dtype)
        before = model.decoder.embed.weight.detach().clone()
        found = converted(model, "int8").decoder.embed.weight
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, before.bfloat16())  # exact for those that were so
        assert {part.dtype for part in model.parameters() if part is not found} == {torch.float32}

    def test_a_precision_that_is_none(self) -> None:
        with pytest.raises(BadInput, match="precision 'int4' is unknown: expected fp32, bf16, int8"):
            converted(ours(), "int4")  # type: ignore[arg-type]

    def test_a_processor_without_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(precision, "multiplies_bytes", lambda: False)
        model = ours()
        with pytest.raises(BadInput, match="AVX-512 VNNI, and this processor lacks it: choose fp32 or bf16"):
            converted(model, "int8")
        assert isinstance(model.decoder.head, nn.Linear)
        assert fastest(torch.device("cpu")) == "fp32"

    def test_another_device(self) -> None:
        with pytest.raises(BadInput, match="the model is on meta: choose fp32 or bf16"):
            converted(ours().to("meta"), "int8")
        assert fastest(torch.device("meta")) == "fp32"

    @INT8
    def test_the_fastest_here(self) -> None:
        assert fastest(torch.device("cpu")) == "int8"


def benchmark() -> Any:
    """benchmarks/got_precision.py."""
    spec = spec_from_file_location("got_precision", Path(__file__).parent.parent / "benchmarks" / "got_precision.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@INT8
def test_a_trained_model_says_the_same() -> None:
    """It has learned to tell 8 words apart; given its own answers, each precision makes the same choices."""
    bench = benchmark()
    tokenizer = bench.small_tokenizer()
    samples = [
        bench.drawn(word, 44) for word in ("Region", "based", "object", "Prejudice", "Sawyer", "fish", "42", "one day")
    ]
    model = bench.trained(bench.NANO, tokenizer, samples, steps=200)
    for record in bench.compare(lambda: deepcopy(model), tokenizer, samples):
        assert record["right"] == 1, "float32 hasn't learned them"
        assert record["same"] >= 0.99, record


@pytest.mark.parametrize(
    ("processor", "device", "expected"),
    [
        ({"_is_avx512_bf16_supported"}, "cpu", "bf16"),
        ({"_is_amx_tile_supported"}, "cpu", "bf16"),
        (set(), "cpu", "fp32"),
        (set(), "cuda", "bf16"),
        ({"_is_avx512_bf16_supported"}, "mps", "fp32"),
    ],
)
def test_what_models_learn_in(processor: set[str], device: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in processor)
    assert learns_in(torch.device(device)) == expected


def test_a_torch_that_does_not_tell_learns_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert learns_in(torch.device("cpu")) == "fp32"
