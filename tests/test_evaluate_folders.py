"""Folders of benchmarks: what is wrong in them is told by file and entry, and ids are good names of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.folders import Folder, entries, ids, opened, picture


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        (b"\xff\xfe[", "is no UTF-8"),
        ("{}", "is no list of objects"),
        ('[{"a": 1}, 2]', "is no list of objects"),
        ("[]", "is an empty list"),
    ],
)
def test_files_that_are_no_list_of_objects(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = written(tmp_path / "truth.json", content)
    with pytest.raises(BadInput, match=words) as raised:
        entries(path)
    assert str(path) in str(raised.value)


def test_a_byte_order_mark_and_fields_that_nobody_asks_for_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "truth.json", b'\xef\xbb\xbf[{"image": "a.png", "len": 5}]')
    assert entries(path)[0].text("image") == "a.png"


def test_errors_name_the_entry_and_the_field(tmp_path: Path) -> None:
    path = written(tmp_path / "truth.json", json.dumps([{"a": "x"}, {"a": 5}, {"a": "\ud800"}]))
    first, second, third = entries(path)
    with pytest.raises(BadInput, match=r"truth\.json, entry 1 has no 'b': it has 'a'"):
        first.value("b")
    for entry in (second, third):
        with pytest.raises(BadInput, match=r"truth\.json, entry [23], 'a' is .*: expected a string"):
            entry.text("a")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a.png", "x/../../a.png", "..\\a.png", "", "a\0.png", "a" * 5000, 7, None]
)
def test_images_that_lead_elsewhere_are_refused(tmp_path: Path, name: object) -> None:
    (tmp_path / "in").mkdir()
    Image.new("L", (1, 1)).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match=r"here: |here, "):
        picture(tmp_path / "in", name, "here")


def test_pages_are_opened_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (30, 20), 200).save(path)
    with pytest.raises(BadInput, match=r"b\.png isn't there"):
        picture(tmp_path, "b.png", "entry 1")
    pages = opened(picture(tmp_path, "a.png", "entry 1"))
    (page,) = pages()
    assert page.image.size == (30, 20)
    assert page.image.mode == "RGB"
    path.write_bytes(b"GIF")
    with pytest.raises(BadInput, match=r"a\.png"):
        pages()


def test_what_is_missing_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    at = Folder(tmp_path, "truth.json and img/", "https://example.org")
    for missing, words in ((lambda: at.file("truth.json"), "truth.json"), (lambda: at.folder("img"), "folder img")):
        with pytest.raises(BadInput, match=f"has no {words}: expected truth.json and img/, from https://example.org"):
            missing()
    gone = Folder(tmp_path / "nowhere", "truth.json", "https://example.org")
    with pytest.raises(BadInput, match=r"nowhere is no folder: expected truth\.json, from https"):
        gone.file("truth.json")


def test_ids_are_unlike_each_other_and_good_names_of_files() -> None:
    names = ["a/b c", "a_b_c", "A_B_C", "a_b_c-2", "", "..", "页 1", "x" * 500]
    found = list(ids(names))
    assert found == ["a_b_c", "a_b_c-2", "A_B_C-3", "a_b_c-2-2", "item", "item-2", "页_1", "x" * 120]
    assert list(ids(names)) == found
    assert len({name.casefold() for name in found}) == len(names)
    assert all(Path(name).name == name for name in found)
