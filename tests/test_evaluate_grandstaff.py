"""GrandStaff in its published layouts, small: a list of the test set, kern and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.grandstaff import CAMERA_GRANDSTAFF, GRANDSTAFF, spelled
from ocr2.evaluate.run import scored
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

KERN = "**kern\t**kern\n*clefF4\t*clefG2\n=12\t=12\n4F\t4a 4cc\n==\t==\n*-\t*-"
TRUTH = KERN.replace("12", "")
NAMES = ("joplin/breeze/original_m-0-3", "joplin/breeze/original_m-3-6")


def put(root: Path, listed: str, lines: list[str], kern: str = KERN, ending: str = ".krn") -> Path:
    for name in NAMES:
        start = root / "grandstaff_dataset" / name
        start.parent.mkdir(parents=True, exist_ok=True)
        start.with_name(f"{start.name}{ending}").write_text(kern + "\n", encoding="utf-8")
        Image.new("L", (80, 20), 255).save(f"{start}.jpg")
        Image.new("L", (81, 20), 255).save(f"{start}_distorted.jpg")
    (root / listed).parent.mkdir(parents=True, exist_ok=True)
    (root / listed).write_text("\n".join(lines), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("listed", "start", "ending"),
    [
        ("partitions_grandstaff/types/test.txt", "grandstaff_dataset/", ".krn"),
        ("grandstaff_dataset/partitions/test.txt", "", ".bekrn"),
        ("partitions/test.txt", "", ".krn"),
        ("test.txt", "grandstaff_dataset/", ".krn"),
    ],
)
def test_the_layouts_that_it_has_had(tmp_path: Path, listed: str, start: str, ending: str) -> None:
    put(tmp_path, listed, [f"{start}{name}{ending}" for name in NAMES] + [""])
    first, second = GRANDSTAFF.items(tmp_path)
    assert (first.id, second.id) == ("joplin_breeze_original_m-0-3", "joplin_breeze_original_m-3-6")
    assert (first.kind, first.task, first.prompt, first.truth) == ("music", "grandstaff", Prompt(format=True), TRUTH)
    assert first.pages()[0].image.size == (80, 20)
    camera = CAMERA_GRANDSTAFF.items(tmp_path)
    assert [item.task for item in camera] == ["camera", "camera"]
    assert camera[0].pages()[0].image.size == (81, 20)


def test_the_folder_above_will_do(tmp_path: Path) -> None:
    put(tmp_path / "GrandStaff", "partitions/test.txt", [f"{NAMES[0]}.krn"])
    assert len(GRANDSTAFF.items(tmp_path)) == 1


def test_other_spellings_of_kern_are_kern(tmp_path: Path) -> None:
    kern = "**ekern_1.0\t**bekern\n=7\t=7\n8@A@-·L\t4@a 4@cc\n==\t==\n*-\t*-"
    put(tmp_path, "test.txt", [f"{NAMES[0]}.bekrn"], kern, ".bekrn")
    assert GRANDSTAFF.items(tmp_path)[0].truth == "**kern\t**kern\n=\t=\n8A-L\t4a 4cc\n==\t==\n*-\t*-"
    assert spelled(spelled(kern)) == spelled(kern)


def test_numbers_of_bars_are_no_errors_unless_published(tmp_path: Path) -> None:
    put(tmp_path, "test.txt", [f"{NAMES[0]}.krn"])
    (item,) = GRANDSTAFF.items(tmp_path)
    right, published = (GRANDSTAFF.score(item, Answer(KERN + "\n"), mode) for mode in ("corrected", "published"))
    assert right["character_error"] == right["symbol_error"] == right["line_error"] == 0
    assert published["character_error"] == pytest.approx(5 / len(TRUTH))
    assert published["line_error"] == pytest.approx(2 / 6)
    assert GRANDSTAFF.worth(right) == 1
    assert GRANDSTAFF.worth(GRANDSTAFF.score(item, Answer("x " * 500), "corrected")) == 0


def test_the_table_is_all_edits_over_all_lengths(tmp_path: Path) -> None:
    put(tmp_path, "test.txt", [f"{name}.krn" for name in NAMES])
    (tmp_path / "grandstaff_dataset" / f"{NAMES[1]}.krn").write_text("**kern\n*-\n")
    long, short = GRANDSTAFF.items(tmp_path)
    told = [scored(GRANDSTAFF, item, Answer(text), "corrected") for item, text in ((long, TRUTH), (short, ""))]
    (table,) = GRANDSTAFF.tables(told, "ours", "corrected")
    characters, symbols, lines = len("**kern\n*-"), 3, 2
    assert table.columns == ("Method", "CER % ↓", "SER % ↓", "LER % ↓")
    assert table.rows == (
        (
            "ours",
            pytest.approx(100 * characters / (characters + len(TRUTH))),
            pytest.approx(100 * symbols / (symbols + 24)),
            pytest.approx(100 * lines / (lines + 6)),
        ),
    )
    assert table.digits == 1
    failed = [told[0], Scored(short, Answer("x"), {}, "not scored: why")]
    assert GRANDSTAFF.tables(failed, "ours", "corrected")[0].rows == table.rows
    assert GRANDSTAFF.tables([], "ours", "corrected")[0].rows == (("ours", None, None, None),)


def test_what_is_listed_and_not_there_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "test.txt", [f"{NAMES[0]}.krn", "joplin/none.krn", f"{NAMES[1]}.krn"])
    (tmp_path / "grandstaff_dataset" / f"{NAMES[1]}.jpg").unlink()
    assert len(GRANDSTAFF.items(tmp_path)) == 1
    assert "2 of the files that" in caplog.text


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match="has no list of the test set: expected the folder grandstaff_dataset and one of"
    ):
        GRANDSTAFF.items(tmp_path)
    put(tmp_path, "test.txt", ["joplin/none.krn"])
    with pytest.raises(BadInput, match=r"has no file that .*test\.txt names"):
        GRANDSTAFF.items(tmp_path)
    put(tmp_path, "test.txt", [f"{NAMES[0]}.krn", "../../secret.krn"])
    with pytest.raises(BadInput, match=r"test\.txt, line 2: .* is no path in"):
        GRANDSTAFF.items(tmp_path)
    put(tmp_path, "test.txt", [f"{NAMES[0]}.krn"])
    (tmp_path / "grandstaff_dataset" / f"{NAMES[0]}.krn").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(BadInput, match=r"m-0-3\.krn is no UTF-8"):
        GRANDSTAFF.items(tmp_path)
