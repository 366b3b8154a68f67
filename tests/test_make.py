"""Samples are made by any number of processes, with the same bytes; a run that was stopped goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pdf_helpers import pdf, text
from PIL import Image
from text_helpers import ENGLISH, write_corpus

from ocr2.cli import commands, make
from ocr2.data.corpus import Corpus
from ocr2.data.engines import ENGINES, Materials, engine_of
from ocr2.data.lines import Lines
from ocr2.data.make import here, on_ray, planned
from ocr2.data.paddle import pages
from ocr2.errors import BadInput, BadOutput, OcrError, RendererMissing
from ocr2.shards import Encoding, Shards

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

TEX = (
    "\\documentclass{article}\\begin{document}\n\\section{Ships}\n" + ENGLISH.replace("\n", "\n\n") + "\\end{document}"
)
PHOTO = Path(__file__).parent.parent / "examples" / "photo.jpg"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("texts"))
    (folder / "notes.tex").write_text(TEX)
    return folder


@pytest.fixture(scope="module")
def having(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Materials:
    pdfs, photos = (tmp_path_factory.mktemp(name) for name in ("pdfs", "photos"))
    lines = ENGLISH.splitlines()
    pages = [
        "".join(text(30, 360 - 20 * n, line[place : place + 42]) for n, line in enumerate(lines)) for place in range(14)
    ]
    (pdfs / "two.pdf").write_bytes(pdf(*pages))
    (photos / "photo.jpg").write_bytes(PHOTO.read_bytes())
    return Materials(Corpus([texts]), pdfs=(pdfs,), photos=(photos,), label=make.Label())


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.tar"))
    }


def is_gone(group: int) -> bool:
    """Whether all processes of the group end soon."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_makes_samples(name: str, having: Materials) -> None:
    engine, made = engine_of(name, having, 3), []
    for index in range(12):
        try:
            made.append(engine[index])
        except OcrError:  # not every page has what is looked for
            continue
        except IndexError:
            break
        if len(made) == 2:
            break
    assert made and all(sample.text.strip() and sample.origin.startswith('{"engine": ') for sample in made)
    assert engine_of(name, having, 3).identity == engine.identity != engine_of(name, having, 4).identity  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "folder"), [("pdf", "--pdfs"), ("photo", "--photos"), ("region-pdf", "--pdfs")])
def test_an_engine_without_its_material_says_what_to_give(name: str, folder: str, texts: Path) -> None:
    with pytest.raises(BadInput, match=f"give a folder of them .{folder} DIR"):
        engine_of(name, Materials(Corpus([texts])), 0)
    with pytest.raises(BadInput, match="'runes' is no engine: expected word-en, "):
        engine_of("runes", Materials(Corpus([texts])), 0)


def test_any_number_of_processes_makes_the_same_bytes(tmp_path: Path, texts: Path) -> None:
    runner = CliRunner()
    for workers in (1, 3):
        out = tmp_path / str(workers)
        options = ["--count", "14", "--each", "4", "--seed", "7", "--corpus", texts, "-o", out, "--workers", workers]
        told = runner.invoke(commands, ["make", "molecule,word-en", *map(str, options)], catch_exceptions=False)
        assert told.exit_code == 0 and told.stdout.startswith("28 made\n")
    assert len(bytes_of(tmp_path / "1")) == 8
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "3")
    assert len(Shards(tmp_path / "1" / "molecule")) == 14


def test_ray_makes_the_same_bytes(tmp_path: Path, texts: Path) -> None:
    pytest.importorskip("ray", reason="ray: pip install 'ocr2[ray]'")
    script = f"""
from pathlib import Path
import ray
from ocr2.data.corpus import Corpus
from ocr2.data.engines import Materials
from ocr2.data.lines import Lines
from ocr2.data.make import here, on_ray, planned
from ocr2.shards import Encoding
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
for name, shards in (("ray", on_ray), ("here", lambda works: here(works, 1))):
    works = planned("molecule", Materials(Corpus([{str(texts)!r}])), 1, 9, Path({str(tmp_path)!r}, name), each=3,
                    encoding=Encoding())
    print(sum(shard.samples for shard in shards(works)))
"""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert told.stdout.split() == ["9", "9"], told.stderr
    assert len(bytes_of(tmp_path / "ray")) == 3
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "here")


def test_without_ray_its_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RendererMissing, match=r"pip install 'ocr2\[ray\]'"):
        list(on_ray([]))


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_killed_run_goes_on_without_loss_or_repetition(tmp_path: Path, texts: Path, how: signal.Signals) -> None:
    command = [
        *(sys.executable, "-m", "ocr2", "make", "line-en", "--count", "300", "--each", "30", "--corpus", str(texts)),
        *("--workers", "2", "-o", str(tmp_path / "cut")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 60
    while len(bytes_of(tmp_path / "cut")) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, how)
    assert process.wait(30) != 0
    if how == signal.SIGKILL:
        os.killpg(process.pid, signal.SIGKILL)  # its workers
    else:
        assert is_gone(process.pid)
    before = bytes_of(tmp_path / "cut")
    assert 3 <= len(before) < 10
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout == "300 made\n"
    works = planned(
        "line-en",
        Materials(Corpus([texts]), label=make.Label()),
        0,
        300,
        tmp_path / "whole",
        each=30,
        encoding=Encoding("jpg"),
    )
    assert sum(shard.samples for shard in here(works, 1)) == 300
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    assert {name: digest for name, digest in bytes_of(tmp_path / "cut").items() if name in before} == before


def test_pages_are_labels_for_detectors_too(tmp_path: Path, texts: Path) -> None:
    runner, shards, labels = CliRunner(), tmp_path / "shards", tmp_path / "det.txt"
    runner.invoke(
        commands,
        ["make", "page-en", "--count", "2", "--corpus", str(texts), "-o", str(shards)],
        catch_exceptions=False,
    )
    told = runner.invoke(
        commands, ["convert", str(shards / "page-en"), str(labels), "--to", "det"], catch_exceptions=False
    )
    assert told.exit_code == 0
    found = list(pages(labels))
    engine = Lines(Corpus([texts]), "page", "en", 0)
    assert [page.text for page in found] == [engine.page(index).text for index in range(2)]
    for page, index in zip(found, range(2), strict=True):
        for ours, theirs in zip(page.lines, engine.page(index).lines, strict=True):
            assert ours.text == theirs.text and np.abs(np.subtract(ours.place, theirs.place)).max() < 0.01


def test_a_finite_engine_needs_no_count(tmp_path: Path, having: Materials) -> None:
    works = planned("pdf", having, 0, None, tmp_path, each=1, encoding=Encoding("jpg"))
    assert len(works) == 14 and [shard.samples for shard in here(works[:2], 1)] == [1, 1]
    assert len(planned("pdf", having, 0, 9, tmp_path, each=5, encoding=Encoding())) == 2
    with pytest.raises(BadInput, match="molecule has no end: say how many"):
        planned("molecule", having, 0, None, tmp_path, each=1, encoding=Encoding())


def test_a_worker_that_dies_is_told_of(tmp_path: Path, having: Materials, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocr2.data import make as module

    works = planned("word-en", having, 0, 4, tmp_path, each=2, encoding=Encoding())
    monkeypatch.setattr(module, "_begin", os.abort)
    with pytest.raises(BadOutput, match=r"ended before its time.*the same command goes on"):
        list(here(works, 2))


def test_a_look_is_a_picture(tmp_path: Path, texts: Path) -> None:
    out = tmp_path / "look.png"
    told = CliRunner().invoke(
        commands, ["make", "molecule,word-zh", "--count", "3", "--corpus", str(texts), "--preview", str(out)]
    )
    assert told.exit_code == 0
    with Image.open(out) as image:
        assert image.format == "PNG" and image.width > 1500


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runes", "-o", "x"], "no kind runes: expected word-en"),
        ([",", "-o", "x"], "no kind: expected"),
        (["molecule"], "nothing to do: give --out DIR"),
        (["molecule", "-o", "x"], "molecule has no end"),
        (["molecule", "--count", "1", "--backend", "typst", "-o", "x"], "typst draws no molecule"),
        (["pdf", "-o", "x"], "give a folder of them (--pdfs DIR)"),
    ],
)
def test_what_cannot_be_made_is_said(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(commands, ["make", *arguments])
    assert told.exit_code and says in (told.output + str(told.exception))
    assert not os.listdir()


def test_where_nothing_could_be_made_the_whole_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "smiles.txt").write_text("C1CC(\n" * 2)
    asked = ["make", "molecule", "--count", "2", "--corpus", str(tmp_path), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(commands, asked)
    assert "0 made, 2 dropped" in told.output
    assert str(told.exception).endswith("syntax error while parsing: C1CC(")
