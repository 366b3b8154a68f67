"""Exported models: what onnxruntime tells against what torch tells, and what is said of folders that aren't whole."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")
pytest.importorskip("onnx", reason="exporting needs it: pip install 'ocr2[onnx]'")

import onnx
import torch
from got_helpers import tiny_tokenizer
from got_reference import TINY, scattered

from ocr2 import reader
from ocr2.errors import BadCheckpoint, BadInput, BadOutput
from ocr2.got import load as loading
from ocr2.got import onnx as exported
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.generate import Answer, Question, generate
from ocr2.got.model import GOT
from ocr2.got.onnx import OnnxRunner, described, export
from ocr2.got.precision import multiplies_bytes
from ocr2.got.runner import TorchRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conftest import Ran

TOKENIZER = tiny_tokenizer()
NANO = GOTConfig(
    EncoderConfig(
        side=512, square=False, stem="conv", width=32, layers=3, heads=2, mlp=64, window=6, global_layers=(1,),
        positions="rotary", pool=4, neck=16, out=(16, 32),
    ),
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=4, kv_heads=4, mlp=64, theta=1e4, ahead=3, guessed=100),
    context=1200,
    image_token=TOKENIZER.image,
)  # fmt: skip
CONFIGS = {
    "nano": NANO,
    "square": replace(
        NANO,
        encoder=replace(NANO.encoder, side=128, square=True, stem="patch", pool=1),
        decoder=replace(NANO.decoder, kv_heads=2, ahead=0),
    ),
}
SIZES = [(64, 64), (64, 512), (448, 128), (320, 192), (512, 512), (192, 448)]
"""6, 7, 8, 10 and 16 patches in windows of at most 6, among others: with and without padding."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def models() -> dict[str, GOT]:
    return {name: scattered(GOT(config)) for name, config in CONFIGS.items()}


@pytest.fixture(scope="module")
def folders(models: dict[str, GOT], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Every model in every precision."""
    root = tmp_path_factory.mktemp("exported")
    found = {}
    for name, model in models.items():
        for precision in ("fp32", "int8"):
            found[name, precision] = root / f"{name}-{precision}"
            export(model, found[name, precision], TOKENIZER, precision)
    return found


@pytest.fixture(params=list(CONFIGS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(folders: dict[tuple[str, str], Path], tmp_path: Path) -> Path:
    """A copy of the nano in 8 bits, to be damaged."""
    return Path(shutil.copytree(folders["nano", "int8"], tmp_path / "model"))


def runner(folder: Path, config: GOTConfig) -> OnnxRunner:
    return OnnxRunner(folder, config, 1)


def view(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, *size), np.uint8)


def questions(config: GOTConfig, lengths: Sequence[int], **rules: int) -> list[Question]:
    """A question with so many words each, about up to three views."""
    rng, found = random.Random(0), []
    for number, words in enumerate(lengths):
        sides = config.encoder.side, config.encoder.side
        sizes = [sides if config.encoder.square else rng.choice(SIZES) for _ in range(1 + number % 3)]
        image = [config.image_token] * sum(config.encoder.tokens(*size) for size in sizes)
        ids = [7, *image, *rng.choices(range(250), k=words)]
        found.append(Question([view(size, seed) for seed, size in enumerate(sizes)], ids, **rules))
    return found


def answers(runner: Any, asked: Sequence[Question], rows: int, end: int = TOKENIZER.end) -> dict[int, Answer]:
    told = generate(runner, asked, ends=(end,), rows=rows, budget=4 * runner.context, guard=False)
    return {number: news for number, news in told if isinstance(news, Answer)}


def likeness(one: np.ndarray, two: np.ndarray) -> float:
    """The least cosine of vectors (…, W)."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    return float(((one * two).sum(-1) / lengths).min())


def decoded(runner: OnnxRunner, ids: Sequence[int], features: np.ndarray) -> np.ndarray:
    """(T, V): logits after each token."""
    runner.resize(1, 512)
    runner._reserve(len(ids))
    return runner._run(slice(0, 1), np.array([0]), np.array([ids]), np.arange(len(ids)), features)[0][0]


@torch.inference_mode()
def truth(model: GOT, ids: Sequence[int], features: torch.Tensor) -> np.ndarray:
    """(T, V): the same by torch."""
    states = model.decoder(model.embeddings(torch.tensor([ids]), features))
    return model.decoder.head(states)[0].numpy()


@pytest.mark.parametrize(("precision", "like"), [("fp32", 1 - 1e-6), ("int8", 0.995)])
def test_features_are_torchs(
    models: dict[str, GOT], folders: dict[tuple[str, str], Path], name: str, precision: str, like: float
) -> None:
    model = models[name]
    ours = runner(folders[name, precision], model.config)
    for size in [(128, 128)] if model.config.encoder.square else SIZES:
        seen = view(size)
        with torch.inference_mode():
            expected = model.features([torch.from_numpy(seen)[None]]).numpy()
        found = ours.features([seen])
        assert found.shape == expected.shape
        assert likeness(found, expected) > like
        if precision == "fp32":
            assert np.abs(found - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(("precision", "like"), [("fp32", 1 - 1e-6), ("int8", 0.995)])
def test_logits_are_torchs(
    models: dict[str, GOT], folders: dict[tuple[str, str], Path], name: str, precision: str, like: float
) -> None:
    model = models[name]
    features = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
    ids = [7, *[model.config.image_token] * 4, *range(20, 60)]
    expected = truth(model, ids, features)
    found = decoded(runner(folders[name, precision], model.config), ids, features.numpy())
    assert likeness(found, expected) > like
    if precision == "fp32":
        assert np.abs(found - expected).max() < 1e-4 * expected.std()


def test_answers_are_torchs(models: dict[str, GOT], folders: dict[tuple[str, str], Path], name: str) -> None:
    """Questions of many lengths, read in one part and in several, in rows that come and go."""
    model = models[name]
    asked = questions(model.config, [3, 40, 700, 9, 600, 21], limit=40)
    ours = answers(runner(folders[name, "fp32"], model.config), asked, 3)
    theirs = answers(TorchRunner(model), asked, 3)
    assert {number: answer.ids for number, answer in ours.items()} == {n: answer.ids for n, answer in theirs.items()}
    for number, answer in ours.items():
        assert answer.scores == pytest.approx(theirs[number].scores, abs=1e-4)
    assert len({answer.ids for answer in ours.values()}) > 3


def test_bans_and_the_contexts_end(models: dict[str, GOT], folders: dict[tuple[str, str], Path]) -> None:
    model = models["nano"]
    asked = questions(model.config, [1150, 1140, 5], ngram=2, limit=80)
    ours = answers(runner(folders["nano", "fp32"], model.config), asked, 2, end=-1)
    theirs = answers(TorchRunner(model), asked, 2, end=-1)
    for number, answer in theirs.items():
        assert (ours[number].ids, ours[number].stop) == (answer.ids, answer.stop)
    found = ours[2].ids
    assert len(set(pairwise(found))) == len(found) - 1
    assert len(found) == 80
    assert len(ours[0].ids) == NANO.context - len(asked[0].ids) < 80


class Slow:
    """The runner without its guesses: a token at a time."""

    ahead = 0

    def __init__(self, runner: OnnxRunner) -> None:
        self.runner, self.context = runner, runner.context

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)


def test_whole_numbers_say_the_same_whatever_is_beside_them(folders: dict[tuple[str, str], Path]) -> None:
    """Each token has a scale of its own: answers depend neither on other rows nor on how many tokens come at once."""
    ours = runner(folders["nano", "int8"], NANO)
    asked = questions(NANO, [3, 40, 9, 21], limit=60)
    together = answers(ours, asked, 4)
    alone = {number: answers(Slow(ours), [question], 1)[0] for number, question in enumerate(asked)}
    for number, answer in together.items():
        assert answer.ids == alone[number].ids
        assert answer.scores == pytest.approx(alone[number].scores, abs=1e-5)


def test_guesses_are_torchs(models: dict[str, GOT], folders: dict[tuple[str, str], Path]) -> None:
    """The runner itself, with rows moved, guesses right and wrong, and rows that start anew."""
    model, ours = models["nano"], runner(folders["nano", "fp32"], NANO)
    torchs = TorchRunner(model)
    asked = [(list(question.views), list(question.ids)) for question in questions(NANO, [30, 12, 5])]
    sizes = [len(asked[2][1]), len(asked[1][1])]
    told = []
    for those in (ours, torchs):
        those.resize(3, 512)
        begun = those.begin([2, 0, 1], [asked[2], asked[0], asked[1]], [(), (5,), ()])
        those.move(2, 0)
        first = those.step(sizes, [[begun[0][0], 4, 4, 4], [begun[0][2], 5, 5, 5]], [(), ()])
        second = those.step(sizes, [[begun[0][0], first[0][0][0], 4, 4], [begun[0][2], first[0][1][0], 5, 5]], [(), ()])
        told.append((begun, first, second))
    for one, two in zip(*told, strict=True):
        assert (one[0], one[2]) == (two[0], two[2])
        assert np.array(one[1]) == pytest.approx(np.array(two[1]), abs=1e-4)
    assert [bool(place) for place in told[0][2][2][0]][:2] == [False, True]


def test_a_token_of_zeros(tmp_path: Path) -> None:
    """It has no largest number to be quantised by."""
    model = scattered(GOT(NANO))
    with torch.no_grad():
        model.decoder.embed.weight[5] = 0
        model.encoder.layers[0].norm1.weight.zero_()
        model.encoder.layers[0].norm1.bias.zero_()
    export(model, tmp_path / "model", TOKENIZER)
    ours, ids = runner(tmp_path / "model", NANO), [5, 7, 5, 5]
    features = torch.zeros(1, 32)
    assert likeness(decoded(ours, ids, features.numpy()), truth(model, ids, features)) > 0.99
    with torch.inference_mode():
        expected = model.features([torch.from_numpy(view((64, 128)))[None]]).numpy()
    assert likeness(ours.features([view((64, 128))]), expected) > 0.99


def test_numbers_that_are_none_are_not_exported(tmp_path: Path) -> None:
    model = scattered(GOT(NANO))
    with torch.no_grad():
        model.decoder.norm.weight[3] = torch.nan
    with pytest.raises(BadOutput, match=r"decoder\.norm\.weight has infinite or undefined numbers"):
        export(model, tmp_path / "model", TOKENIZER)


def test_a_folder_has_what_it_needs(folders: dict[tuple[str, str], Path]) -> None:
    folder = folders["nano", "int8"]
    assert {path.name for path in folder.iterdir()} == {"config.json", "tokenizer.json", "encoder.onnx", "decoder.onnx"}
    record = json.loads((folder / "config.json").read_text())
    assert (record["format"], record["version"], record["precision"]) == ("ocr2-onnx", 3, "int8")
    assert described(folder) == (NANO, "int8")
    stored = onnx.load(folder / "decoder.onnx").graph.initializer
    assert [entry.name for entry in stored if 300 in entry.dims and len(entry.dims) == 2] == ["embed"]  # once, for both
    assert (folder / "decoder.onnx").stat().st_size < 0.6 * (folders["nano", "fp32"] / "decoder.onnx").stat().st_size


def test_the_same_model_is_the_same_bytes(models: dict[str, GOT], folder: Path, tmp_path: Path) -> None:
    export(models["nano"], tmp_path / "again", TOKENIZER, "int8")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


class Full:
    """A tokenizer that there is no space for."""

    def save(self, folder: Path) -> None:
        assert {path.name for path in folder.iterdir()} == {"config.json", "encoder.onnx", "decoder.onnx"}
        raise OSError(28, "No space left on device")


def test_an_older_export_is_replaced_or_stays(models: dict[str, GOT], folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BadOutput, match="No space left"):
        export(models["nano"], folder, Full(), "fp32")  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    export(models["square"], folder, TOKENIZER, "fp32")
    assert described(folder) == (CONFIGS["square"], "fp32")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadOutput, match=r"holds notes\.txt"):
        export(models["nano"], folder, TOKENIZER)


def test_what_can_not_be_exported(models: dict[str, GOT], tmp_path: Path) -> None:
    decoder = OPTConfig(vocabulary=300, width=32, layers=1, heads=4, mlp=64, positions=1200)
    with pytest.raises(BadOutput, match="expected 'rotary'"):
        export(GOT(TINY), tmp_path / "x", TOKENIZER)
    with pytest.raises(BadOutput, match="OPT"):
        export(GOT(replace(NANO, decoder=decoder)), tmp_path / "x", TOKENIZER)
    with pytest.raises(BadInput, match="expected int8 or fp32"):
        export(models["nano"], tmp_path / "x", TOKENIZER, "int4")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def changed(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text())
    for name, value in values.items():
        part, _, key = name.rpartition("__")
        (record[part] if part else record)[key] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"version": 1}, "version 1: expected 3; export the model anew"),
        ({"precision": "int4"}, "precision 'int4'"),
        ({"decoder__layers": 3}, r"has the inputs .*: expected .*keys\.2"),
        ({"decoder__vocabulary": 400}, r"output logits is .*300\]: expected .*400\]"),
        ({"decoder__heads": 8}, r"input keys\.0 is"),
        ({"decoder__ahead": 0}, "has the outputs"),
        ({"encoder__square": True}, r"input views is .*: expected .*512, 512\]"),
        ({"encoder__width": "wide"}, "EncoderConfig width='wide'"),
        ({"decoder__layers": 1024}, r"has the inputs .*: expected .*keys\.2"),
        ({"decoder__layers": 10**7}, "decoder layers=10000000: expected 1 to 1,024"),
        ({"decoder__kind": []}, r"decoder kind \[\] is unknown"),
        ({"context": 10**15}, "context=1000000000000000: expected 1 to 1,048,576"),
        ({"encoder__side": 64 * 10**7}, "encoder side=640000000: expected 64 to 16,384"),
        ({"image_token": 5}, "<imgpad> is token"),
    ],
)
def test_a_config_that_does_not_fit(folder: Path, values: dict[str, Any], said: str) -> None:
    changed(folder, **values)
    with pytest.raises(BadCheckpoint, match=said) as error:
        loading.load(str(folder), 1)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "5", '{"detector": {}}', "[" * 99999, None])
def test_a_config_that_is_none_beside_graphs(folder: Path, content: str | None) -> None:
    """The graphs tell what the folder is."""
    path = folder / "config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert loading.is_got(str(folder))
    with pytest.raises(BadCheckpoint, match="copy or export the model again") as error:
        reader.load(folder, 1)
    assert str(error.value).startswith(f"{path} ")
    (folder / "decoder.onnx").unlink()
    assert described(folder) is None


@pytest.mark.parametrize("record", [{"format": "ocr2"}, {"model_type": "got_ocr2"}])
def test_graphs_beside_weights_of_another_layout(folder: Path, record: dict[str, str]) -> None:
    (folder / "config.json").write_text(json.dumps(record))
    assert described(folder) is None


@pytest.mark.parametrize("part", ["encoder.onnx", "decoder.onnx"])
def test_damaged_and_foreign_graphs(folder: Path, part: str) -> None:
    path = folder / part
    content = path.read_bytes()
    shipped = Path(loading.__file__).parent.parent / "weights" / "ppocr" / "classifier.onnx"
    other = folder / ("decoder.onnx" if part == "encoder.onnx" else "encoder.onnx")
    damaged = [b"", content[:-100], content[: len(content) // 2], b"no graph", shipped.read_bytes(), other.read_bytes()]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(BadCheckpoint, match=str(path)):
            loading.load(str(folder), 1)
    path.unlink()
    with pytest.raises(BadCheckpoint, match=f"{path} can't be read"):
        loading.load(str(folder), 1)


@pytest.mark.parametrize(
    ("part", "name", "said"),
    [
        ("encoder.onnx", b"LayerNormalization", "can't be loaded"),
        ("encoder.onnx", b"height", "has an input with a damaged name"),
        ("decoder.onnx", b"wanted", "has an input with a damaged name"),
        ("decoder.onnx", b"logits", "has an output with a damaged name"),
    ],
)
def test_names_that_are_no_text(
    folder: Path, part: str, name: bytes, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing but the error tells of them: stdout is for what was read."""
    path = folder / part
    path.write_bytes(path.read_bytes().replace(name, b"\xe7" + name[1:]))
    with pytest.raises(BadCheckpoint, match=f"{path} {said}"):
        loading.load(str(folder), 1)
    assert capfd.readouterr() == ("", "")


def test_graphs_that_only_look_right(folder: Path, models: dict[str, GOT], tmp_path: Path) -> None:
    """What a graph declares may differ from what it tells."""
    graph = onnx.load(folder / "encoder.onnx")
    wrong = onnx.helper.make_node("Concat", ["features.told", "features.told"], ["features"], axis=1)
    for node in graph.graph.node:
        node.output[:] = ["features.told" if name == "features" else name for name in node.output]
    graph.graph.node.append(wrong)
    onnx.save(graph, folder / "encoder.onnx")
    with pytest.raises(BadCheckpoint, match=r"its graphs tell \[\(2, 32\)"):
        loading.load(str(folder), 1)


@pytest.mark.parametrize("place", ["weights.bin", "../secret.bin"])
def test_weights_in_other_files_are_refused(folder: Path, place: str) -> None:
    graph = onnx.load(folder / "decoder.onnx")
    tensor = next(entry for entry in graph.graph.initializer if entry.name == "embed")
    (folder / place).write_bytes(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, place)
    tensor.ClearField("raw_data")
    (folder / "decoder.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(BadCheckpoint, match="keeps weights in other files"):
        loading.load(str(folder), 1)


def test_products_of_bytes_are_exact(folder: Path) -> None:
    """Where a processor would overflow, onnxruntime takes another way, and the answers are the same."""
    assert not (multiplies_bytes() and exported.overflows())
    asked = questions(NANO, [5, 30], limit=20)
    usual = answers(runner(folder, NANO), asked, 2)
    careful = answers(OnnxRunner(folder, NANO, 1, careful=True), asked, 2)
    assert {n: answer.ids for n, answer in careful.items()} == {n: answer.ids for n, answer in usual.items()}


ALONE = """
import sys
for name in ("torch", "onnx", "safetensors", "huggingface_hub"):
    sys.modules[name] = None
from ocr2.cli import main
main(sys.argv[1:])
"""


def test_it_reads_without_torch(folder: Path, tmp_path: Path, title: Any) -> None:
    """From the command line to the page's text, with every import of torch an error."""
    title.save(tmp_path / "page.png")
    command = [sys.executable, "-c", ALONE, "read", str(tmp_path / "page.png"), "--model", str(folder)]
    done = subprocess.run([*command, "--to", "json", "--threads", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = reader.load(folder, 1).read(tmp_path / "page.png").text
    assert json.loads(done.stdout)[0]["text"] == expected != ""


def test_a_card_may_lie_beside(models: dict[str, GOT], folder: Path, ocr2: Callable[..., Ran], title: Any) -> None:
    """It is read, and not thrown away by another export."""
    title.save(folder.parent / "page.png")
    alone = ocr2("read", folder.parent / "page.png", "--model", folder)
    (folder / "README.md").write_text("# Mine")
    ran = ocr2("read", folder.parent / "page.png", "--model", folder)
    assert (ran.status, ran.out) == (0, alone.out)
    with pytest.raises(BadOutput, match=r"holds README\.md"):
        export(models["nano"], folder, TOKENIZER)


def test_precision_and_device_are_the_folders(folder: Path, ocr2: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"")
    page = tmp_path / "page.png"
    assert loading.load(str(folder), 1, "int8", "cpu").rows == loading.ROWS_CPU
    ran = ocr2("read", page, "--model", folder, "--device", "cuda")
    assert (ran.status, len(ran.err)) == (2, 1)
    assert "is exported for processors, and --device is cuda" in ran.err[0]
    ran = ocr2("read", page, "--model", folder, "--precision", "bf16")
    assert (ran.status, len(ran.err)) == (2, 1)
    assert "is exported in int8, and --precision is bf16" in ran.err[0]
