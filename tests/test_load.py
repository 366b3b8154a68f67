"""Model folders: what is one, and what is said of those that aren't."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran

import ocr2
from ocr2.errors import BadCheckpoint, ModelMissing
from ocr2.got import load as got
from ocr2.ppocr.load import load, read_config
from ocr2.ppocr.pipeline import PipelineConfig

WEIGHTS = Path(ocr2.__file__).parent / "weights" / "ppocr"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model that ships."""
    return Path(shutil.copytree(WEIGHTS, tmp_path / "model"))


def changed(folder: Path, **values: object) -> None:
    record = json.loads((folder / "config.json").read_text())
    for name, value in values.items():
        part, _, key = name.rpartition("__")
        (record[part] if part else record)[key] = value
    (folder / "config.json").write_text(json.dumps(record))


def test_the_embedded_config_says_everything() -> None:
    record = json.loads((WEIGHTS / "config.json").read_text())
    assert record == json.loads(json.dumps(asdict(PipelineConfig())))
    assert read_config(WEIGHTS) == PipelineConfig()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("detector", "PP-OCRv6_det_small"), ("classifier", "ch_ppocr_mobile_v2.0_cls_mobile")],
)
def test_the_networks_are_those_of_rapidocr(ours: str, theirs: str) -> None:
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        pytest.skip("pip install 'ocr2[bench]'")
    original = Path(spec.origin).parent / "models" / f"{theirs}.onnx"
    assert (WEIGHTS / f"{ours}.onnx").read_bytes() == original.read_bytes()


def test_a_folder_is_a_model(folder: Path) -> None:
    changed(folder, drop_below=0.25, detector__pixels=500_000)
    (folder / "classifier.onnx").unlink()
    pipeline = load(str(folder), threads=1)
    assert pipeline.config.drop_below == 0.25
    assert pipeline.config.detector.pixels == 500_000
    assert pipeline.classifier is None
    assert (len(pipeline.alphabet), pipeline.alphabet[0], pipeline.alphabet[-1]) == (18710, "", " ")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"turn_above": "x"}, "turn_above is 'x', and should be like 0.9"),
        ({"drop_below": None}, "drop_below is None"),
        ({"detector__pixels": "many"}, "pixels is 'many'"),
        ({"detector__mean": [1]}, r"mean is \[1\]"),
        ({"recognizer__tallness": 3}, "tallness"),
        ({"detector": 5}, "can't be read"),
        ({"detector__pixels": -1}, "expected pixels from 1024 on"),
        ({"recognizer__squeeze": 2.0}, "0 < squeeze <= 1"),
    ],
)
def test_nonsense_in_the_config_is_named(folder: Path, values: dict[str, object], said: str) -> None:
    changed(folder, **values)
    with pytest.raises(BadCheckpoint, match=said) as error:
        load(str(folder))
    assert str(folder / "config.json") in str(error.value)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(
        BadCheckpoint, match="is not a model: expected one of the names ppocr, ppocrv2, a folder"
    ) as error:
        load(str(tmp_path))
    for name in got.NAMES:
        assert f"or a GOT model: {name}, a folder" in str(error.value)
    with pytest.raises(BadCheckpoint, match="is not a model"):
        load("no-such-model")


def test_missing_cut_and_swapped_networks_are_named(folder: Path) -> None:
    detector = folder / "detector.onnx"
    data = detector.read_bytes()
    detector.write_bytes(data[:5000])
    with pytest.raises(BadCheckpoint, match=f"{detector} can't be loaded"):
        load(str(folder))
    detector.unlink()
    with pytest.raises(BadCheckpoint, match=str(detector)):
        load(str(folder))
    shutil.copy(folder / "classifier.onnx", detector)
    with pytest.raises(BadCheckpoint, match=r"the detector gives|doesn't take an image"):
        load(str(folder))
    detector.write_bytes(data)
    shutil.copy(detector, folder / "classifier.onnx")
    with pytest.raises(BadCheckpoint, match=r"the classifier gives|doesn't take an image"):
        load(str(folder))


def test_a_recogniser_that_does_not_say_what_it_reads(folder: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="pip install onnx")
    path = folder / "recognizer.onnx"
    model = onnx.load(path)
    listed = next(p.value for p in model.metadata_props if p.key == "character")
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(BadCheckpoint, match=r"list its characters in .*characters\.txt"):
        load(str(folder))
    (folder / "characters.txt").write_text("中文\n", encoding="gbk")
    with pytest.raises(BadCheckpoint, match="expected UTF-8"):
        load(str(folder))
    (folder / "characters.txt").write_text("a\nb\nc\n", encoding="utf-8")
    with pytest.raises(BadCheckpoint, match="tells 18710 characters apart, not 5"):
        load(str(folder))
    (folder / "characters.txt").write_text(listed, encoding="utf-8", newline="")
    assert len(load(str(folder), threads=1).alphabet) == 18710


def test_nano_lacks_its_weights(tmp_path: Path, ocr2: Callable[..., Ran]) -> None:
    """What to do instead is said by the one name that a build may lack."""
    (tmp_path / "nano").mkdir()
    with pytest.raises(ModelMissing) as error:
        got.load("nano", weights=tmp_path)
    assert str(error.value) == (
        "--model nano: this build of ocr2 has no weights for it: read with --model ppocr, or train it: "
        "ocr2 train nano --data CORPORA --out OUT writes OUT/onnx, which is read with --model OUT/onnx"
    )
    if (got.WEIGHTS / "nano" / "config.json").exists():
        return
    ran = ocr2("read", EXAMPLES / "page.png", "--model", "nano")
    assert (ran.status, ran.out, ran.err) == (2, b"", [f"ocr2: {error.value}"])


def test_nano_is_read_as_soon_as_it_is_there(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="to make one: pip install 'ocr2[got]'")
    pytest.importorskip("onnx", reason="to export one: pip install 'ocr2[onnx]'")
    from test_onnx import NANO, TOKENIZER

    from ocr2.got.model import GOT
    from ocr2.got.onnx import OnnxRunner, export

    export(GOT(NANO), tmp_path / "nano", TOKENIZER)
    engine = got.load("nano", 1, weights=tmp_path)
    assert got.is_got("nano")
    assert isinstance(engine.runner, OnnxRunner)
    assert engine.config == NANO
