"""Fine-tuning: what learns and what stays, from each format of data, in each layout of weights; what can't be done."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from got_helpers import tiny_got, tiny_tokenizer
from PIL import Image, ImageDraw, ImageFont
from safetensors import safe_open

import ocr2
from ocr2.data.formats import FORMATS
from ocr2.data.labels import write
from ocr2.errors import BadCheckpoint, BadInput
from ocr2.got import checkpoint
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.model import GOT
from ocr2.got.prompt import Tokenizer
from ocr2.recipes import finetune, tiny
from ocr2.recipes.finetune import FineTuning, Mode, frequent
from ocr2.shards import write as write_shards
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.data.formats import Samples

TEXTS = ("a Ω", "3 ²", "℃ k", "Ω³")
NEW = "Ω²℃³"


def drawn(text: str) -> Image.Image:
    page = Image.new("L", (128, 64), 255)
    ImageDraw.Draw(page).text((4, 4), text, 0, ImageFont.load_default(36))
    return page


class Cards:
    """The texts, each on a card of its own, as often as is asked."""

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def __len__(self) -> int:
        return len(TEXTS) * self.times

    def __getitem__(self, index: int) -> Sample:
        text = TEXTS[index % len(TEXTS)]
        return Sample((drawn(text),), Prompt(), text, "text", f"cards/{index}")


def untaught(ahead: int = 0) -> GOT:
    """A model that knows nothing, of a shape like nano's."""
    encoder = EncoderConfig(
        side=128,
        square=False,
        stem="conv",
        width=32,
        layers=1,
        heads=2,
        mlp=64,
        global_layers=(0,),
        positions="rotary",
        neck=32,
        out=(48, 64),
    )
    decoder = DecoderConfig(
        vocabulary=tiny.WORDS, width=96, layers=2, heads=4, kv_heads=4, mlp=128, theta=1e4, ahead=ahead
    )
    torch.manual_seed(0)
    return GOT(GOTConfig(encoder, decoder, context=256, image_token=tiny.tokenizer().image))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, labels, and a file of characters."""
    place = tmp_path_factory.mktemp("finetune")
    checkpoint.save(untaught(), place / "base", tiny.tokenizer())
    checkpoint.save(untaught(ahead=2), place / "guessing", tiny.tokenizer())
    assert list(write(Cards(), place / "cards.jsonl", FORMATS["swift"], range(4))) == [None] * 4
    (place / "characters.txt").write_text("\ufeff" + "\n".join(NEW) + "\n", encoding="utf-8")
    return place


def run(place: Path, out: Path, mode: Mode = "decoder", steps: int = 2, **changes: Any) -> FineTuning:
    given: dict[str, Any] = {"data": [place / "cards.jsonl"], "init": [place / "base"], **changes}
    return FineTuning(out=out, mode=mode, asked=steps, **given)


@pytest.fixture(scope="module")
def learned(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run made that has the cards by heart."""
    out = tmp_path_factory.mktemp("learned")
    steps = list(run(place, out, "lora", 55, characters=place / "characters.txt").steps())
    assert steps[-1].loss < 0.1 * steps[0].loss
    return out


@pytest.mark.parametrize("folder", ["model", "onnx"])
def test_new_characters_are_read(folder: str, learned: Path) -> None:
    reader = ocr2.load(str(learned / folder), threads=1)
    assert [reader.read(drawn(text)).text for text in TEXTS] == list(TEXTS)
    tokenizer = Tokenizer.load(learned / folder)
    assert all(len(tokenizer.encode(char)) == 1 for char in NEW)


def test_a_run_that_is_done_is_not_done_again(place: Path, learned: Path) -> None:
    before = (learned / "model" / "model.safetensors").read_bytes()
    assert list(run(place, learned, "lora", 55, characters=place / "characters.txt").steps()) == []
    assert (learned / "model" / "model.safetensors").read_bytes() == before


def test_only_what_learns_has_an_optimizers_state(learned: Path) -> None:
    with safe_open(learned / "state.safetensors", framework="pt") as file:
        names = {name.partition("/")[2] for name in file.keys() if name.startswith("first/")}  # noqa: SIM118
    assert {name.partition(".")[0] for name in names} == {"adapters", "connector"}


@pytest.mark.parametrize("mode", ["decoder", "lora", "whole"])
def test_what_stays_is_the_same_to_the_last_bit(mode: Mode, place: Path, tmp_path: Path) -> None:
    base = checkpoint.load(place / "guessing").bfloat16()
    list(run(place, tmp_path, mode, init=[place / "guessing"]).steps())
    made = checkpoint.load(tmp_path / "model")
    assert made.config == base.config
    same = {name for name, each in base.named_parameters() if torch.equal(each, made.get_parameter(name))}
    matrices = {name for name, each in base.named_parameters() if each.ndim > 1}
    encoder = {name for name, _ in base.named_parameters() if name.startswith("encoder.")}
    assert not (matrices & same) - encoder, "decoder, connector and guesses learn"
    assert encoder & same == (set() if mode == "whole" else encoder) or mode == "whole"
    if mode == "whole":
        assert not matrices & same
    if mode == "lora":
        assert same > encoder, "norms stay"


def made_as(name: str, place: Path) -> Path:
    """The cards in a format."""
    if name == "shards":
        list(write_shards(Cards(), place / "shards", range(4)))
        return place / "shards"
    if name == "folder":
        (place / "pairs").mkdir()
        for n, text in enumerate(TEXTS):
            drawn(text).save(place / "pairs" / f"{n}.png")
            (place / "pairs" / f"{n}.txt").write_text(text + "\n", encoding="utf-8")
        return place / "pairs"
    path = place / {"got": "cards.json", "swift": "cards.jsonl", "rec": "cards.txt"}[name]
    assert list(write(Cards(), path, FORMATS[name], range(4))) == [None] * 4
    return path


@pytest.mark.parametrize("name", ["got", "swift", "rec", "shards", "folder"])
def test_each_format_is_learned_from(name: str, place: Path, tmp_path: Path) -> None:
    data = made_as(name, tmp_path)
    alike, other = (run(place, tmp_path / str(n), data=[each]) for n, each in enumerate([place / "cards.jsonl", data]))
    expected, found = (list(each.steps()) for each in (alike, other))
    assert [step.tokens for step in found] == [step.tokens for step in expected]
    assert not found[-1].dropped


def test_several_data_count_by_their_samples(place: Path, tmp_path: Path) -> None:
    list(write_shards(Cards(times=3), tmp_path / "shards", range(12)))
    both = run(place, tmp_path / "out", data=[place / "cards.jsonl", tmp_path / "shards"])
    taken = [both.samples()[n].origin for n in range(1600)]
    assert sum(origin.startswith("cards/") for origin in taken) == 1600
    assert both.recipe.stage.data == {"1 cards.jsonl": 4e-6, "2 shards": 12e-6}


def test_steps_follow_from_the_number_of_samples(place: Path, tmp_path: Path) -> None:
    few = FineTuning(data=[place / "cards.jsonl"], init=[place / "base"], out=tmp_path)
    assert few.recipe.stage.steps == 200
    lines = (place / "cards.jsonl").read_text(encoding="utf-8")
    (place / "many.jsonl").write_text(lines * 500, encoding="utf-8")
    many = FineTuning(data=[place / "many.jsonl"], init=[place / "base"], out=tmp_path)
    assert many.recipe.stage.steps == 375, "three passes, 16 samples a step"
    fewer = FineTuning(data=[place / "many.jsonl"], init=[place / "base"], out=tmp_path, rows=3)
    assert (fewer.recipe.rows, fewer.recipe.stage) == (3, many.recipe.stage)


@pytest.mark.parametrize("mode", ["decoder", "lora"])
def test_a_run_that_stopped_goes_on_as_if_it_had_not(mode: Mode, place: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    given: dict[str, Any] = {"mode": mode, "steps": 4, "characters": place / "characters.txt"}
    list(run(place, whole, **given).steps())
    assert [step.number for step in run(place, parts, **given, stop=lambda: True).steps()] == [1]
    assert [step.number for step in run(place, parts, **given).steps()] == [2, 3, 4]
    for name in ("state.safetensors", "model/model.safetensors"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_a_run_of_something_else_is_told_apart(place: Path, tmp_path: Path) -> None:
    list(run(place, tmp_path / "out", steps=1).steps())
    with torch.no_grad():
        (other := untaught()).connector.weight += 1
    checkpoint.save(other, tmp_path / "other", tiny.tokenizer())
    list(write_shards(Cards(), tmp_path / "shards", range(4)))
    changes: list[tuple[dict[str, Any], str]] = [
        ({"mode": "whole"}, "differs from this one in stage"),
        ({"init": [tmp_path / "other"]}, "differs from this one in init"),
        ({"characters": place / "characters.txt"}, "differs from this one in model"),
        ({"data": [tmp_path / "shards"]}, "differs from this one in stage.data"),
        ({"rows": 2}, "differs from this one in rows"),
    ]
    for change, words in changes:
        with pytest.raises(BadCheckpoint, match=words):
            list(run(place, tmp_path / "out", **({"steps": 1} | change)).steps())


def test_a_model_in_the_published_layout_is_read_with_afterwards(place: Path, tmp_path: Path) -> None:
    checkpoint.export(tiny_got(), tmp_path / "base", tiny_tokenizer())
    steps = list(run(place, tmp_path / "out", "lora", init=[tmp_path / "base"], data=[place / "cards.jsonl"]).steps())
    assert len(steps) == 2
    assert not (tmp_path / "out" / "onnx").exists(), "such an encoder has no graph"
    assert ocr2.load(str(tmp_path / "out" / "model"), threads=1).read(drawn("a")).prompt_tokens > 0
    made = checkpoint.load(tmp_path / "out" / "model")
    assert made.config == tiny_got().config
    assert made.connector.bias.dtype == torch.bfloat16


def test_frequent_characters_get_tokens_and_rare_ones_do_not(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Texts(Cards):
        def __getitem__(self, index: int) -> Sample:
            sample = super().__getitem__(index)
            return Sample(sample.images, sample.prompt, "Ωx" if index % 4 else "é²", "text", sample.origin)

    list(write(Texts(times=4), tmp_path / "cards.jsonl", FORMATS["swift"], range(16)))
    one = run(place, tmp_path / "out", data=[tmp_path / "cards.jsonl"], steps=1)
    assert frequent([*one.sources.values()], tiny.tokenizer()) == ["Ω"], "12 times; é and ² four times"
    with caplog.at_level(logging.INFO):
        list(one.steps())
    assert "1 new characters: Ω" in caplog.text
    assert Tokenizer.load(tmp_path / "out" / "model").size == tiny.tokenizer().size + 1


def test_weights_are_told_apart_by_themselves_alone(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "base", tmp_path / "model")
    before = checkpoint.fingerprint(tmp_path / "model")
    shutil.copy(tmp_path / "model" / "model.safetensors", tmp_path / "model" / "state.safetensors")
    assert checkpoint.fingerprint(tmp_path / "model") == before


def test_characters_that_come_at_regular_places_are_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Alternating:
        def unseen(self) -> list[Sample]:
            page = Image.new("L", (8, 8))
            return [Sample((page,), Prompt(), "xΩ"[n % 2] + "é" * (n < 3), "text", "") for n in range(210)]

    monkeypatch.setattr(finetune, "LOOKED", 200)
    assert frequent(cast("list[Samples]", [Alternating()]), tiny.tokenizer()) == ["Ω"]
    monkeypatch.setattr(finetune, "LOOKED", 20)
    assert "Ω" in frequent(cast("list[Samples]", [Alternating()]), tiny.tokenizer())


def test_a_sample_that_can_not_be_used_is_counted(place: Path, tmp_path: Path) -> None:
    lines = (place / "cards.jsonl").read_text(encoding="utf-8").splitlines()
    long = json.loads(lines[0])
    long["messages"][1]["content"] = "ab" * 200
    gone = json.loads(lines[1]) | {"images": ["nowhere.png"]}
    shutil.copytree(place / "cards", tmp_path / "cards")
    content = "\n".join([*lines, json.dumps(long), json.dumps(gone), "{", ""])
    (tmp_path / "mine.jsonl").write_text(content, encoding="utf-8")
    steps = list(run(place, tmp_path / "out", data=[place / "cards.jsonl", tmp_path / "mine.jsonl"]).steps())
    assert set(steps[-1].dropped) == {"TooLong", "BadInput"}


def test_what_can_not_be_begun_is_said(place: Path, tmp_path: Path) -> None:
    first = tiny.recipes()[0].config
    checkpoint.save(GOT(first), tmp_path / "opt", tiny.tokenizer())
    checkpoint.save(untaught(), tmp_path / "mute")
    (tmp_path / "graphs").mkdir()
    for name in ("config.json", "decoder.onnx"):
        (tmp_path / "graphs" / name).write_text("{}")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text((place / "base" / "config.json").read_text())
    (tmp_path / "pickled" / "pytorch_model.bin").touch()
    (tmp_path / "pickled" / "tokenizer.json").write_text((place / "base" / "tokenizer.json").read_text())
    (tmp_path / "language").mkdir()
    (tmp_path / "language" / "config.json").write_text('{"model_type": "qwen2"}')
    checkpoint.save(untaught(), tmp_path / "foreign", tiny_tokenizer())
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "long.txt").write_bytes(b"x" * (1 << 21))
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"data": []}, BadInput, "finetune has no data: expected --data"),
        ({"data": [tmp_path / "nowhere.jsonl"]}, BadInput, "can't be read"),
        ({"init": []}, BadInput, "begins with one model, and none is given"),
        ({"init": [place / "base"] * 2}, BadInput, "begins with one model, and 2 are given"),
        ({"init": [tmp_path / "nowhere"]}, BadCheckpoint, "doesn't exist"),
        ({"init": [tmp_path / "opt"]}, BadInput, "is of stage 1, whose decoder only teaches"),
        ({"init": [tmp_path / "mute"]}, BadCheckpoint, "has no tokenizer"),
        ({"init": [tmp_path / "graphs"]}, BadInput, "holds graphs, which read and can't learn"),
        ({"init": [tmp_path / "pickled"]}, BadCheckpoint, "is a pickle, which may run any code"),
        ({"init": [tmp_path / "language"]}, BadCheckpoint, "is of model_type 'qwen2': expected GOT"),
        ({"init": [tmp_path / "foreign"]}, BadCheckpoint, "take the tokenizer that came with the model"),
        ({"characters": tmp_path / "broken.txt"}, BadInput, "expected UTF-8 text"),
        ({"characters": tmp_path / "long.txt"}, BadInput, "is too long"),
        ({"characters": tmp_path / "nowhere.txt"}, BadInput, "can't be read"),
    ]
    for change, kind, words in cases:
        with pytest.raises(kind, match=words):
            list(run(place, tmp_path / "out", **change).steps())
    assert not (tmp_path / "out").exists()


def test_the_model_to_begin_with_is_not_written_over(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "base", tmp_path / "mine" / "model")
    before = (tmp_path / "mine" / "model" / "model.safetensors").read_bytes()
    with pytest.raises(BadInput, match="would be gone: give another --out"):
        list(run(place, tmp_path / "mine", init=[tmp_path / "mine" / "model"]).steps())
    assert (tmp_path / "mine" / "model" / "model.safetensors").read_bytes() == before


def test_what_shards_say_is_known_without_looking_at_their_pictures(place: Path, tmp_path: Path) -> None:
    list(write_shards(Cards(times=5), tmp_path / "shards", range(20)))
    whole = (tmp_path / "shards" / "samples-000000.tar").read_bytes()
    (tmp_path / "shards" / "samples-000000.tar").write_bytes(whole.replace(b"\x89PNG", b"\x00PNG"))
    one = run(place, tmp_path / "out", data=[tmp_path / "shards"], steps=1)
    assert "Ω" in frequent([*one.sources.values()], tiny.tokenizer())
    with pytest.raises(BadInput, match="can't be read as an image"):
        one.sources["1 shards"][0]


def test_a_crash_costs_a_tenth_of_a_run_at_most(place: Path, tmp_path: Path) -> None:
    assert run(place, tmp_path, steps=400).recipe.stage.every == 40
    assert run(place, tmp_path, steps=50_000).recipe.stage.every == 1000
