"""Pictures in folders with their answers beside, as Hugging Face, Donut, Tesseract and kraken have them."""

from __future__ import annotations

import csv
import json
import logging
import os
import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from test_formats import noise

from ocr2.data.folders import MOST_ANSWER, Folder
from ocr2.data.formats import format_of, opened
from ocr2.errors import BadInput
from ocr2.types import Box, Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image


def picture(path: Path, seed: int = 0) -> Image.Image:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = noise(Random(seed), "L")
    image.save(path)
    return image


def metadata(folder: Path, *records: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metadata.jsonl"
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records))
    return path


def texts(samples: Any) -> list[str]:
    return [samples[n].text for n in range(len(samples))]


# metadata


def test_an_image_folder_is_read(tmp_path: Path) -> None:
    images = [picture(tmp_path / "train" / name, n) for n, name in enumerate(("a.png", "b/c.png"))]
    metadata(
        tmp_path / "train",
        {"file_name": "b/c.png", "text": "E = mc²", "label": 3},
        {"file_name": "a.png", "text": "\\[ x^2 \\]"},
    )
    (tmp_path / "README.md").write_text("---\ndataset_info\n---")
    found = opened(tmp_path)
    assert isinstance(found, Folder) and len(found) == 2
    assert (found[0].images, found[0].text, found[0].prompt) == ((images[1],), "E = mc²", Prompt())
    assert (found[1].images, found[1].kind, found[1].prompt) == ((images[0],), "formula", Prompt(format=True))
    assert json.loads(found[1].origin) == {"source": "metadata.jsonl", "line": 2}
    assert pickle.loads(pickle.dumps(found))[0] == found[0]
    with pytest.raises(IndexError):
        found[2]
    assert texts(opened(tmp_path / "train" / "metadata.jsonl")) == texts(found)


def test_metadata_by_other_names_is_known_by_what_it_says(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    told = {
        "list.jsonl": '{"image": "a.png", "transcription": "x"}\n',
        "labels.csv": "filename;transcription\na.png;x\n",
        "labels.txt": "\ufefffile_name\tsize\ttext\r\na.png\t7\tx\r\n",
    }
    for name, content in told.items():
        (tmp_path / name).write_bytes(content.encode())
        assert format_of(tmp_path / name) == "folder"
        assert texts(opened(tmp_path / name)) == ["x"]
    (tmp_path / "rec.txt").write_text("a.png\tx, image, text\n")
    assert format_of(tmp_path / "rec.txt") == "rec"
    (tmp_path / "talk.jsonl").write_text('{"image": "a.png", "query": "OCR: ", "response": "x"}')
    assert format_of(tmp_path / "talk.jsonl") == "swift"


def test_tables_are_read_as_they_are_written(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    told = ['two\nlines, "quoted"', "µ²\u2028x", "plain", " \t;"]
    with open(tmp_path / "metadata.csv", "w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "file_name", "text", "question"])
        for n, text in enumerate(told):
            rows.writerow([n, "a.png", text, "OCR with format:" if n == 2 else ""])
            file.write("\r\n" * (n == 1))
    found = Folder(tmp_path)
    assert texts(found) == told
    assert [found[n].prompt.format for n in range(4)] == [False, False, True, False]
    assert [found.where(n).rpartition(" ")[2] for n in range(4)] == ["2", "4", "6", "7"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,text\na.png,x\n", "columns name, text: expected file_name and text"),
        ("file_name,size\na.png,1\n", "expected file_name and text"),
        ("file_name,text\n", "no records"),
        ('file_name,text\na.png,x\na.png,"open' + "x" * 140_000, r"line 3: .*is a quote not closed"),
        ('file_name,text\na.png,x\na.png,"open\na.png,y\n', r"line 3: .*is a quote not closed"),
        ("", "expected file_name and text"),
    ],
)
def test_tables_that_are_none_are_refused(content: str, message: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text(content)
    with pytest.raises(BadInput, match=rf"metadata\.csv.*{message}"):
        Folder(tmp_path)


def test_rows_of_another_length_are_told_with_their_line(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_bytes(b"file_name,text\na.png,x,y\na.png,\xff\na.png,fine\n")
    found = Folder(tmp_path)
    for n, message in ((0, r"3 fields.*quote.*line 2"), (1, r"UTF-8.*line 3")):
        with pytest.raises(BadInput, match=message):
            found[n]
    assert found[2].text == "fine"


def test_ground_truths_of_donut(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    told = [
        json.dumps({"gt_parse": {"text_sequence": "read 我"}}),
        {"gt_parse": {"text_sequence": "an object"}},
        json.dumps({"gt_parse": {"total": {"price": "9 €"}}, "meta": {"id": 3}}),
        "1813",
        '{"title": "no parse"}',
        "a {brace",
    ]
    found = opened(metadata(tmp_path, *({"file_name": "a.png", "ground_truth": truth} for truth in told)))
    assert texts(found) == ["read 我", "an object", '{"total": {"price": "9 €"}}', *told[3:]]
    assert [found[n].prompt.format for n in range(6)] == [False, False, True, False, False, False]


def test_what_is_asked_may_be_told(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    asked = ("<image>\nOCR:", "OCR with format: ", "[0, 0, 1000, 1000] OCR:", None, "")
    found = opened(metadata(tmp_path, *({"file_name": "a.png", "text": "x", "prompt": each} for each in asked)))
    assert [found[n].prompt.format for n in range(5)] == [False, True, False, False, False]
    assert isinstance(found[2].prompt.box, Box)


def test_a_list_of_pictures_is_one_of_pages(tmp_path: Path) -> None:
    images = tuple(picture(tmp_path / f"{n}.png", n) for n in range(3))
    metadata(tmp_path, {"file_names": ["0.png", {"path": "1.png"}, "2.png"], "text": "# all"})
    found = Folder(tmp_path)
    assert (found[0].images, found[0].prompt) == (images, Prompt(pages=3))


GOOD = {"file_name": "a.png", "text": "x"}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{broken", "no JSON"),
        ("[1]", "is no record"),
        ({"file_name": "a.png"}, "no answer among file_name: expected text"),
        ({"text": "x"}, "None is no picture's name"),
        (GOOD | {"text": 3}, "3 is no text: expected what stands in the picture as 'text'"),
        (GOOD | {"text": None}, "is no text"),
        (GOOD | {"text": " \n"}, "an empty 'text'"),
        (GOOD | {"text": "\ud800"}, "is no text"),
        ({"file_name": "a.png", "label": 3}, "is no text.*'label'"),
        ({"file_name": "a.png", "ground_truth": {"gt_parses": [{}, {}]}}, "several answers"),
        ({"file_name": "a.png", "ground_truth": {"gt_parse": {"text_sequence": 3}}}, "is no text"),
        (GOOD | {"file_name": "b.png"}, "b.png doesn't exist"),
        (GOOD | {"file_name": "."}, "is a folder"),
        (GOOD | {"file_name": "pipe"}, "pipe is a device or a pipe"),
        (GOOD | {"file_name": "../secret.png"}, "is not in"),
        (GOOD | {"file_name": "link.png"}, "is not in"),
        (GOOD | {"file_name": "/etc/passwd"}, "is not in"),
        (GOOD | {"file_name": "\ud800"}, "no picture's name"),
        (GOOD | {"file_name": "a" * 300}, "can't be opened|doesn't exist"),
        (GOOD | {"file_name": "a\0"}, "no picture's name"),
        (GOOD | {"file_name": []}, "no pictures"),
        (GOOD | {"file_name": [["a.png"]]}, "no picture's name"),
        (GOOD | {"file_name": "metadata.jsonl"}, "is not an image"),
        (GOOD | {"question": "Is this a cat?"}, "no question of GOT's"),
        (GOOD | {"question": 7}, "7 is no question"),
    ],
)
def test_bad_records_are_told_with_their_line(record: Any, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    picture(folder / "a.png")
    picture(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder / "pipe")
    metadata(folder, GOOD, record)
    found = Folder(folder)
    assert found[0].text == "x"
    with pytest.raises(BadInput, match=rf"(?s){message}.*metadata\.jsonl, line 2\)$"):
        found[1]


def test_links_of_hugging_faces_cache_lead_to_its_blobs_only(tmp_path: Path) -> None:
    cache = tmp_path / "datasets--us--lines"
    image = picture(cache / "blobs" / "0123.png")
    picture(tmp_path / "blobs" / "secret.png")
    snapshot = cache / "snapshots" / "89ab" / "train"
    (cache / "blobs" / "4567").write_text('{"file_name": "a.png", "text": "x"}\n{"file_name": "b.png", "text": "y"}')
    snapshot.mkdir(parents=True)
    for name, to in (("metadata.jsonl", "blobs/4567"), ("a.png", "blobs/0123.png"), ("b.png", "../blobs/secret.png")):
        (snapshot / name).symlink_to(os.path.relpath(cache / to, snapshot))
    found = opened(snapshot.parent)
    assert found[0].images == (image,)
    with pytest.raises(BadInput, match="is not in"):
        found[1]
    (cache / "blobs").rename(tmp_path / "elsewhere")
    (cache / "blobs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is not in"):
        found[0]


def test_pictures_of_metadata_may_be_elsewhere(tmp_path: Path) -> None:
    image = picture(tmp_path / "photos" / "x" / "a.png")
    metadata(tmp_path / "told" / "x", GOOD)
    found = opened(tmp_path / "told", images=tmp_path / "photos")
    assert found[0].images == (image,)
    found = opened(tmp_path / "told" / "x" / "metadata.jsonl", images=tmp_path / "photos" / "x")
    assert found[0].images == (image,)
    picture(tmp_path / "told" / "y" / "b.png")
    (tmp_path / "told" / "y" / "b.txt").write_text("b")
    with pytest.raises(BadInput, match="leave --images out"):
        opened(tmp_path / "told", images=tmp_path / "photos")


# pairs


def test_pairs_are_read(tmp_path: Path) -> None:
    content = {
        "a.txt": "plain\r\ntext\r\n",
        "b.gt.txt": "\ufeffline",
        "c/page.1.md": "# Heading\n\ntext\n",
        "c/page.2.TEX": "x^2",
        "d.krn": "**kern\n4c\n*-\n",
        "e.txt": "\\( x \\)",
    }
    for n, name in enumerate(("a.png", "b.tif", "c/page.1.jpg", "c/page.2.png", "d.PNG", "e.webp")):
        picture(tmp_path / name, n)
    for name, text in content.items():
        (tmp_path / name).write_bytes(text.encode())
    found = opened(tmp_path)
    assert isinstance(found, Folder) and len(found) == 6
    read = {
        json.loads(sample.origin)["source"].partition("/")[2]: sample for sample in map(found.__getitem__, range(6))
    }
    assert {name: sample.text for name, sample in read.items()} == {
        "a.txt": "plain\ntext",
        "b.gt.txt": "line",
        "c/page.1.md": "# Heading\n\ntext",
        "c/page.2.TEX": "x^2",
        "d.krn": "**kern\n4c\n*-",
        "e.txt": "\\( x \\)",
    }
    assert {name for name, sample in read.items() if sample.prompt == Prompt()} == {"a.txt", "b.gt.txt"}
    assert {name for name, sample in read.items() if sample.prompt == Prompt(format=True)} == read.keys() - {
        *("a.txt", "b.gt.txt")
    }
    assert (read["d.krn"].kind, read["e.txt"].kind) == ("music", "formula")
    assert read["a.txt"].images == (noise(Random(0), "L"),)
    assert pickle.loads(pickle.dumps(found))[3] == found[3]


def test_of_files_of_one_name_the_surest_are_taken(tmp_path: Path) -> None:
    for n, name in enumerate(("a.pdf.png", "a.bmp", "a.png", "b.bin.png", "b.nrm.png", "c.bin.png", "d.png")):
        picture(tmp_path / name, n)
    told = ("a.txt", "a.gt.txt", "a.tex", "a.md", "b.gt.txt", "c.txt", "d.html", "README.md")
    for name in told:
        (tmp_path / name).write_text(name)
    found = Folder(tmp_path)
    assert texts(found) == ["a.gt.txt", "a.md", "b.gt.txt"]
    assert found[0].images == found[1].images == (noise(Random(2), "L"),)
    assert found[2].images == (noise(Random(4), "L"),)


def test_pictures_without_text_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "a.md").write_text("# a")
    with caplog.at_level(logging.WARNING):
        assert len(Folder(tmp_path)) == 2
    assert "2 pictures have no text file beside" in caplog.text


def test_bad_pairs_are_told_with_their_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in "abcdefg":
        picture(folder / f"{name}.png")
        (folder / f"{name}.gt.txt").write_text(name)
    (folder / "a.gt.txt").write_text(" \n")
    (folder / "b.gt.txt").write_bytes(b"\xff")
    (folder / "c.gt.txt").write_text("x" * (MOST_ANSWER + 1))
    (folder / "d.png").write_text("no picture")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "e.gt.txt").unlink()
    (folder / "e.gt.txt").symlink_to(tmp_path / "secret.txt")
    found = Folder(folder)
    (folder / "f.gt.txt").unlink()
    messages = ("an empty text file", "no UTF-8", "more than 1 MiB", "not an image", "is not in", "can't be read")
    for n, message in enumerate(messages):
        with pytest.raises(BadInput, match=rf"{message}.*{'abcdef'[n]}\.gt\.txt\)$"):
            found[n]
    assert found[6].text == "g"


def test_names_that_are_no_text_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png").save(os.fsencode(tmp_path) + b"/\xff.png", "PNG")
    with open(os.fsencode(tmp_path) + b"/\xff.txt", "w") as file:
        file.write("odd")
    (tmp_path / "a.txt").write_text("a")
    found = Folder(tmp_path)
    assert texts(found) == ["a", "odd"]
    found[1].origin.encode()
    found.identity.encode()


# folders


def test_metadata_speaks_for_all_below_that_has_none(tmp_path: Path) -> None:
    for name in ("top", "one/a", "one/in/b", "one/own/c", "two/d"):
        picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"pair {name[-1]}")
    metadata(tmp_path / "one", {"file_name": "a.png", "text": "told a"}, {"file_name": "in/b.png", "text": "told b"})
    metadata(tmp_path / "one" / "own", {"file_name": "c.png", "text": "told c"})
    picture(tmp_path / ".hidden" / "e.png")
    (tmp_path / ".hidden" / "e.txt").write_text("hidden")
    (tmp_path / "linked").symlink_to(tmp_path / "two")
    assert texts(Folder(tmp_path)) == ["told a", "told b", "told c", "pair p", "pair d"]


def test_what_is_for_tests_is_not_learned_from(tmp_path: Path) -> None:
    for name in ("train", "test"):
        picture(tmp_path / "data" / name / "a.png")
        metadata(tmp_path / "data" / name, GOOD)
    for way in (opened, format_of):
        with pytest.raises(BadInput, match=r"data has train, test.*give one of them, such as .*data/train"):
            way(tmp_path)
    assert len(opened(tmp_path / "data" / "train")) == 1
    metadata(tmp_path / "data", GOOD | {"file_name": "test/a.png"})
    assert len(opened(tmp_path)) == 3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.png", "b.txt"), r"no pictures with answers: expected metadata.jsonl or metadata.csv with file_name"),
        (("train.jsonl", "train/0.png"), r"a label file, as train\.jsonl may be one, is to be given by its own name"),
        (("metadata.csv", "metadata.jsonl"), "expected one metadata"),
        (("metadata.parquet", "a.png", "a.txt"), "has metadata.parquet: expected one metadata"),
    ],
)
def test_folders_of_something_else_are_told(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.raises(BadInput, match=message):
        opened(tmp_path)


def test_links_that_lead_nowhere_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.png").symlink_to("b.png")
    (tmp_path / "c.png").symlink_to("gone.png")
    (tmp_path / "d.txt").symlink_to("a.txt")
    picture(tmp_path / "d.png")
    assert [sample.text for sample in opened(tmp_path)] == ["x", "x"]


def test_shards_stay_shards(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    assert format_of(tmp_path) == "folder"
    (tmp_path / "samples-000000.tar").touch()
    assert format_of(tmp_path) == "shards"


def test_other_samples_have_another_identity(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(name)
    picture(tmp_path / "more" / "a.png")
    metadata(tmp_path / "more", GOOD)
    seen = [Folder(tmp_path).identity]
    assert Folder(tmp_path).identity == seen[0]
    (tmp_path / "a.txt").write_text("longer")
    seen.append(Folder(tmp_path).identity)
    metadata(tmp_path / "more", GOOD, GOOD)
    seen.append(Folder(tmp_path).identity)
    (tmp_path / "b.txt").rename(tmp_path / "b.md")
    seen.append(Folder(tmp_path).identity)
    (tmp_path / "more").rename(tmp_path / "less")
    seen.append(Folder(tmp_path).identity)
    assert len(set(seen)) == 5


def test_what_samples_say_takes_no_pictures(tmp_path: Path) -> None:
    metadata(tmp_path, {"file_name": "a.png", "text": "one"}, {"file_name": "a.png", "text": ""})
    other = tmp_path / "pairs"
    other.mkdir()
    for name, content in (("b.png", "no picture"), ("b.txt", "two")):
        (other / name).write_text(content)
    for folder, said in ((tmp_path, "one"), (other, "two")):
        found = Folder(folder)
        assert found.unseen()[0].text == said
        with pytest.raises(BadInput, match=r"doesn't exist|is not an image"):
            found[0]
    with pytest.raises(BadInput, match="an empty 'text'"):
        Folder(tmp_path).unseen()[1]
