"""`ocr2 eval` as people call it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from conftest import EXAMPLES, Ran

from ocr2.cli.eval import _Model
from ocr2.evaluate.benchmarks import BENCHMARKS, benchmark
from ocr2.evaluate.run import Answers

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

Command = Callable[..., Ran]
TITLE = "Region-based segmentation"


@pytest.fixture
def data(tmp_path: Path, title: Image.Image) -> Path:
    """Five pictures of one line, and one of a formula that isn't."""
    folder = tmp_path / "data"
    folder.mkdir()
    title.save(folder / "title.png")
    kinds = ["line", "line", "word", "word", "formula"]
    entries = [
        {"id": f"{kind}-{n}", "image": "title.png", "text": TITLE, "kind": kind, "lang": "en"}
        for n, kind in enumerate(kinds)
    ]
    (folder / "dev.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


def loaded(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def row(ran: Ran, name: str) -> list[str]:
    """The cells of the table's row of that name."""
    return next(line.split()[1:] for line in ran.out.decode().splitlines() if line.startswith(f"{name} "))


def test_all_of_it(ocr2: Command, data: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out.json", tmp_path / "out.html"
    ran = ocr2("eval", "jsonl", "--data", data, "--json", out, "--report", report, "--threads", 1)
    assert (ran.status, ran.err) == (0, [])
    told = ran.out.decode()
    assert "Text, ppocr" in told and row(ran, "line") == ["2", "0.000", "1.000", "1.000"]
    assert "1 of 5 samples ask for formatted text, or for a closer look, and were read as plain text." in told
    record = loaded(out)
    assert [sample["id"] for sample in record["samples"]] == ["line-0", "line-1", "word-2", "word-3", "formula-4"]
    assert {sample["text"] for sample in record["samples"]} == {TITLE}
    assert record["samples"][0]["lines"][0]["quad"] and record["samples"][0]["seconds"] > 0
    assert (record["model"], record["options"]) == ("ppocr", {"threads": 1})
    assert TITLE in report.read_text(encoding="utf-8")
    assert sorted(os.listdir(tmp_path)) == ["data", "out.html", "out.json"]


def test_parts_of_it(ocr2: Command, data: Path) -> None:
    ran = ocr2("eval", "jsonl", "--data", data, "--tasks", "word, line", "--limit", 1)
    assert ran.status == 0
    assert row(ran, "line")[0] == row(ran, "word")[0] == "1"
    assert "Of the tasks only word, line." in ran.out.decode()


def test_predictions(ocr2: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "nougat").mkdir()
    for name in ("line-0", "line-1", "word-2", "stranger"):
        (tmp_path / "nougat" / f"{name}.txt").write_text(TITLE if name != "line-1" else "")
    out = tmp_path / "out.json"
    ran = ocr2("eval", "jsonl", "--data", data, "--predictions", tmp_path / "nougat", "--json", out)
    told = ran.out.decode()
    assert ran.status == 1  # some have none
    assert "Text, nougat" in told and row(ran, "line")[:2] == ["2", "0.500"]
    assert "1 predictions are for no sample here and are left alone: stranger." in told
    assert "2 of 5 samples have no prediction and count as empty texts; the first is word-3:" in told
    assert "1 of 5 samples have an empty answer." in told
    again = ocr2("eval", "jsonl", "--data", data, "--predictions", out)
    assert (again.status, again.out.decode().splitlines()[:6]) == (1, told.splitlines()[:6])
    shown = ocr2("eval", "jsonl", "--data", data, "--json", out, "--resume")
    assert (shown.status, shown.out.decode()) == (1, told)


def test_what_was_read_several_times_counts_each_time(ocr2: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "nougat").mkdir()
    for name, said in (("line-0", TITLE), ("line-1_repeat1", TITLE), ("line-1_repeat2", ""), ("line-1_repeat10", "")):
        (tmp_path / "nougat" / f"{name}.md").write_text(said)
    out = tmp_path / "out.json"
    asked = ("eval", "jsonl", "--data", data, "--tasks", "line")
    ran = ocr2(*asked, "--predictions", tmp_path / "nougat", "--json", out)
    assert (ran.status, row(ran, "line")[:2]) == (0, ["4", "0.500"])
    assert [sample["id"].partition("_")[2] for sample in loaded(out)["samples"]] == [
        "",
        "repeat1",
        "repeat2",
        "repeat10",
    ]
    assert row(ocr2(*asked, "--predictions", out), "line")[:2] == ["4", "0.500"]


def test_an_earlier_run_is_scored_again(ocr2: Command, data: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "1.json", tmp_path / "2.json"
    first = ocr2("eval", "jsonl", "--data", data, "--json", one)
    again = ocr2("eval", "jsonl", "--data", data, "--predictions", one, "--json", other)
    assert (first.status, again.status, again.out) == (0, 0, first.out)
    assert loaded(other)["samples"] == loaded(one)["samples"]
    assert loaded(other)["read"]["versions"] == loaded(one)["versions"]


def test_a_killed_run_goes_on(ocr2: Command, data: Path, tmp_path: Path) -> None:
    entry = json.loads((data / "dev.jsonl").read_text().splitlines()[0])
    entries = [entry | {"id": f"line-{n}"} for n in range(400)]
    (data / "dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in entries))
    out = tmp_path / "out.json"
    partial = Answers.path_for(out)
    command = [sys.executable, "-m", "ocr2", "eval", "jsonl", "--data", data, "--json", out, "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (partial.exists() and partial.read_bytes().count(b"\n") > 3):
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert run.stderr
        assert run.stderr.read() == "ocr2: stopped; the same command with --resume goes on\n"
    assert run.returncode == 130
    assert not out.exists()
    kept = {record["id"]: record for record in map(json.loads, partial.read_text().splitlines()[1:])}
    assert 3 <= len(kept) < 400
    (data / "dev.jsonl").write_text("".join(json.dumps(each) + "\n" for each in entries[: len(kept) + 2]))
    assert ocr2("eval", "jsonl", "--data", data, "--json", out, "--resume").status == 0
    samples = loaded(out)["samples"]
    assert len(samples) == len(kept) + 2
    for sample in samples[: len(kept)]:
        assert (sample["seconds"], sample["text"]) == (kept[sample["id"]]["seconds"], TITLE)
    assert not partial.exists()
    whole = ocr2("eval", "jsonl", "--data", data, "--json", out, "--resume")
    assert (whole.status, whole.err) == (
        0,
        [f"ocr2: {out} is whole already: left as it is; leave --resume out to read anew"],
    )
    assert row(whole, "line")[0] == str(len(samples))


def test_a_stopped_run_is_told_to_go_on_only_where_it_can(
    ocr2: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ocr2.cli.eval.benchmark", interrupted)
    asked = ("eval", "jsonl", "--data", data, "--json", tmp_path / "out.json")
    assert ocr2(*asked).err == ["ocr2: stopped; the same command with --resume goes on"]
    assert ocr2(*asked, "--predictions", data).err == ["ocr2: stopped"]


def test_what_was_begun_otherwise_does_not_go_on(ocr2: Command, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    Answers(out, {"benchmark": "fox"}, resume=False).close()
    ran = ocr2("eval", "jsonl", "--data", data, "--json", out, "--resume")
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert "was begun by {'benchmark': 'fox'}" in ran.err[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["synthetic"], "of benchmark 'jsonl', not 'synthetic'"),
        (["jsonl", "--data", "other"], "of data 'data', not 'other'"),
        (["jsonl", "--published"], "of mode 'corrected', not 'published'"),
        (["jsonl", "--limit", 1], "of options {'tasks': ['line']}, not {'limit': 1, 'tasks': ['line']}"),
        (["jsonl", "--tasks", "word"], "of options {'tasks': ['line']}, not {'tasks': ['word']}"),
        (["jsonl", "--model", "tesseract"], "of model 'ppocr', not 'tesseract'"),
        (["jsonl", "--report", "out.html"], "out.json is whole, without out.html: give --predictions out.json"),
    ],
)
def test_what_is_whole_is_not_shown_for_another_run(
    ocr2: Command, data: Path, changed: list[object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    name, *options = changed
    asked = ("--tasks", "line", "--json", "out.json", "--data", data)
    assert ocr2("eval", "jsonl", *asked, "--threads", 1).status == 0
    assert ocr2("eval", "jsonl", *asked, "--resume", "--model", "ppocr").status == 0
    ran = ocr2("eval", name, *asked, "--resume", *options)
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert said in ran.err[0]


def test_a_broken_outcome_is_told(ocr2: Command, data: Path, tmp_path: Path) -> None:
    for text, said in [("{", "is no JSON"), ("{}", "no outcome"), ('{"tables": [1], "samples": []}', "a table")]:
        (tmp_path / "out.json").write_text(text)
        ran = ocr2("eval", "jsonl", "--data", data, "--json", tmp_path / "out.json", "--resume")
        assert (ran.status, ran.out) == (2, b"")
        assert said in ran.err[-1] and "leave --resume out to write it anew" in ran.err[-1]


def test_some_and_all_images_are_gone(ocr2: Command, data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "title.png", data / "bad.png")
    lines = (data / "dev.jsonl").read_text().splitlines()
    lines[0] = lines[0].replace("title.png", "bad.png")
    (data / "dev.jsonl").write_text("\n".join(lines))
    (data / "bad.png").write_bytes(b"no image")
    out = tmp_path / "out.json"
    ran = ocr2("eval", "jsonl", "--data", data, "--json", out)
    assert (ran.status, ran.err) == (1, [])
    assert "1 of 5 samples could not be read and count as empty texts; the first is line-0: " in ran.out.decode()
    assert loaded(out)["samples"][0]["scores"]["edit_distance"] == 1
    assert loaded(out)["counts"] == {"samples": 5, "not read": 1}
    (data / "title.png").write_bytes(b"")
    assert ocr2("eval", "jsonl", "--data", data).status == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jsonl"], "jsonl is read from a folder: give it with --data DIR; it is "),
        (["fox"], "fox is read from a folder: give it with --data DIR; it is from https://"),
        (["jsonl", "--data", "nowhere"], "nowhere"),
        (["fox", "--json", "a.out", "--report", "a.out"], "a.out can't be both --json and --report: give each a file"),
        (["jsonl", "--data", "DATA", "--tasks", "lines"], "no task lines: expected line, word, formula"),
        (["jsonl", "--data", "DATA", "--predictions", "nowhere"], "nowhere doesn't exist: expected a folder"),
        (["jsonl", "--data", "DATA", "--predictions", "DATA"], "DATA has no predictions: expected a file for each"),
        (["jsonl", "--data", "DATA", "--predictions", "DATA", "--model", "nano"], "leave --model out"),
        (["jsonl", "--data", "DATA", "--model", "rapidocr", "--device", "cpu"], "are for GOT models"),
        (["jsonl", "--data", "DATA", "--model", "ppocr", "--precision", "int8"], "is for GOT models"),
        (["jsonl", "--data", "DATA", "--model", "nowhere/"], "nowhere"),
        (["jsonl", "--data", "DATA", "--resume"], "--resume goes on with a file: say which with --json"),
        (["jsonl", "--data", "DATA", "--json", "no/out.json"], "no/out.json can't be written"),
        (["jsonl", "--data", "DATA", "--report", "no/out.html"], "no/out.html can't be written"),
    ],
)
def test_bad_options(
    ocr2: Command, data: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    ran = ocr2("eval", *[argument.replace("DATA", "data") for argument in arguments])
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith("ocr2: ") and said.replace("DATA", "data") in ran.err[0]
    assert os.listdir() == ["data"]


def test_a_benchmark_that_there_is_not(ocr2: Command) -> None:
    ran = ocr2("eval", "foxx")
    assert ran.status == 2
    assert "'foxx' is not one of 'fox'" in ran.err[-1]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_there(name: str, ocr2: Command, tmp_path: Path) -> None:
    marks = benchmark(name)
    assert marks.title and "\n" not in marks.title + marks.source
    if marks.source:
        ran = ocr2("eval", name, "--data", tmp_path)
        assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
        assert str(tmp_path) in ran.err[0]


def test_got_is_asked_the_items_own_prompts(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")
    from got_helpers import tiny_got, tiny_tokenizer

    from ocr2.evaluate.run import answered
    from ocr2.got import checkpoint

    checkpoint.export(tiny_got(), tmp_path / "GOT", tiny_tokenizer())
    asked = dict.fromkeys(["out", "model", "threads", "precision", "device", "data"])
    model = _Model("jsonl", None, False, asked | {"model": f"{tmp_path}/GOT/", "precision": "fp32"})
    assert (model.name, model.plain) == ("GOT", False)
    (tmp_path / "GOT").rename(tmp_path / "model")
    named = _Model("jsonl", None, False, asked | {"model": f"{tmp_path}/model", "precision": "fp32"})
    assert named.name == f"{tmp_path.name}/model"
    seen = []

    class Engine:
        """Remembers what it is asked."""

        busy = False

        def answers(self, questions: Any) -> Any:
            seen.extend(prompt for _, prompt in questions)
            return iter(())

    model.reader.engine = Engine()  # type: ignore[attr-defined]
    list(answered(benchmark("jsonl").items(data), model.read))
    assert [prompt.format for prompt in seen] == [False, False, False, False, True]


def test_the_example_page(ocr2: Command, tmp_path: Path) -> None:
    """PaddleOCR's labels, which score places too."""
    shutil.copy(EXAMPLES / "page.png", tmp_path / "page.png")
    box = [[0, 0], [300, 0], [300, 30], [0, 30]]
    (tmp_path / "Label.txt").write_text(f"page.png\t{json.dumps([{'transcription': TITLE, 'points': box}])}\n")
    ran = ocr2("eval", "paddle", "--data", tmp_path, "--threads", 1)
    assert ran.status == 0
    assert "Detection, ppocr" in ran.out.decode()
