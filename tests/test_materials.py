"""Files are told apart by their names, read item by item, and what is damaged or malicious in them is named."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from ocr2.data import materials
from ocr2.data.materials import ARCHIVED, Kept, Origin, holds, items, licence, licences
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

KERN = "!!!YEC: Copyright 1999, A. Nonymous\n**kern\t**kern\n4c\t4e\n*-\t*-\n"
TABLE = {"rows": [["Year", "Sum"], ["1999", "5"]], "title": "Sums", "source": "someone/sums"}
CHART = {"title": "A", "x_title": "x", "y_title": "y", "series": {"s": {"a": 1, "b": -2.5}}}


def packed(path: Path, members: dict[str, bytes], mode: str = "w:xz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def read(path: Path, kind: str = "") -> list[str]:
    return [item.data.decode() for item in items(path, (kind,) if kind else ARCHIVED)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("english.txt.xz", "text"),
        ("Formulas-2.TXT", "formula"),
        ("smiles.txt.xz", "smiles"),
        ("first_5K.smi", "smiles"),
        ("tables.wiki.jsonl.xz", "table"),
        ("chartdata.jsonl", "chart"),
        ("tikz.jsonl.xz", "tikz"),
        ("tikz-01.tex", "tikz"),
        ("a.tikz", "tikz"),
        ("paper.tex", "tex"),
        ("op1.krn.xz", "kern"),
        ("kern.tar.xz", "archive"),
        ("kern.tgz", "archive"),
        ("samples.jsonl", ""),
        ("page.png", ""),
        ("._english.txt", ""),
        (".xz", ""),
    ],
)
def test_what_a_file_holds_is_in_its_name(name: str, kind: str) -> None:
    assert holds(name) == kind


def test_formulas_come_line_by_line_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "formulas.txt").write_text("\ufeff  \\frac{a}{b}  \r\n\n\\alpha _ { 1 }\n", encoding="utf-8")
    assert read(tmp_path / "formulas.txt", "formula") == [r"\frac{a}{b}", r"\alpha _ { 1 }"]


def test_molecules_come_without_their_names(tmp_path: Path) -> None:
    path = tmp_path / "drugs.smi"
    path.write_text("SMILES name\nCCO ethanol\n[Na+].[Cl-]\t2\n*C(=O)N%12 |$R$|\n")
    assert read(path, "smiles") == ["CCO", "[Na+].[Cl-]", "*C(=O)N%12"]
    path.write_text("CCO\nC$C<C\n")
    with pytest.raises(BadInput, match=r"drugs\.smi, line 2, is no molecule \('C\$C<C'\): expected smiles\*\.txt"):
        read(path, "smiles")


def test_records_come_as_their_kind_s_json_and_say_where_they_are_from(tmp_path: Path) -> None:
    path = tmp_path / "tables.jsonl"
    path.write_text(json.dumps(TABLE | {"path": "a.csv", "licence": "MIT"}) + "\n\n")
    (item,) = items(path, ("table",))
    assert json.loads(item.data) == TABLE
    assert (item.source, item.licence) == ("someone/sums", "MIT")
    path.write_text(json.dumps(TABLE | {"source": "another"}, indent=None, separators=(",", ":")))
    (other,) = items(path, ("table",))
    assert other.key == item.key, "it is the same table"
    path = tmp_path / "chartdata.jsonl.xz"
    path.write_bytes(lzma.compress(json.dumps(CHART | {"how": "mean"}).encode()))
    assert [json.loads(text) for text in read(path, "chart")] == [CHART]
    (tmp_path / "tikz.jsonl").write_text(json.dumps({"tex": "\\draw (0,0) -- (1,1);", "source": "x"}))
    assert read(tmp_path / "tikz.jsonl", "tikz") == ["\\draw (0,0) -- (1,1);"]


@pytest.mark.parametrize(
    ("kind", "line", "reason"),
    [
        ("table", '{"rows": [["a"]', "is no such record"),
        ("table", "[1]", "no object"),
        ("table", '{"title": "a"}', "'rows' is missing"),
        ("table", '{"rows": []}', "no rows of cells"),
        ("table", '{"rows": [["a", 1]]}', "a cell that is no string"),
        ("table", '{"rows": [["a", "b"], ["c"]]}', "rows of 1 and 2 cells"),
        ("table", '{"rows": [["a"]], "title": 3}', "'title' is no string"),
        ("table", '{"rows": [["\\ud800"]]}', "surrogates not allowed"),
        ("table", "[" * 100_000, "is no such record"),
        ("chart", '{"series": {"a": {}}}', "no series of numbers"),
        ("chart", '{"series": {"a": {"b": true}}}', "a value that is no number"),
        ("chart", '{"series": {"a": {"b": NaN}}}', "a value that is no number"),
        ("chart", '{"series": {"a": {"b": 1e999}}}', "a value that is no number"),
        ("chart", '{"series": {"a": {"b": 1' + "0" * 400 + "}}}", "a value that is no number"),
        ("chart", '{"series": {"a": {"b": 1' + "0" * 5000 + "}}}", "is no such record"),
        ("tikz", '{"tex": " "}', "no tex"),
    ],
)
def test_bad_records_are_named_by_their_line(kind: str, line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / {"table": "tables.jsonl", "chart": "chartdata.jsonl", "tikz": "tikz.jsonl"}[kind]
    good = {"table": TABLE, "chart": CHART, "tikz": {"tex": "x"}}[kind]
    path.write_text(f"{json.dumps(good)}\n{line}\n")
    with pytest.raises(BadInput, match=rf"{path.name}, line 2, is no such record .*expected") as raised:
        read(path, kind)
    assert reason in str(raised.value)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_archives_give_their_scores_figures_and_documents(mode: str, tmp_path: Path) -> None:
    name = "all.tar" + mode[1:].replace(":", ".")
    path = packed(
        tmp_path / name,
        {
            "a/1.krn": KERN.replace("\n", "\r\n").encode(),
            "a/readme.txt": b"not this one",
            "../../b/2.tex": b"\\section{A}",
            "c/3.tikz": b"\\draw (0,0) circle (1);\n\n",
            "c/._3.tikz": b"\xff\xfe",
            "empty.tex": b" \n",
        },
        mode,
    )
    found = list(items(path, ARCHIVED))
    assert [(item.kind, item.data.decode(), item.source) for item in found] == [
        ("kern", KERN, "a/1.krn"),
        ("tex", "\\section{A}\n", "../../b/2.tex"),
        ("tikz", "\\draw (0,0) circle (1);\n", "c/3.tikz"),
    ]
    assert found[0].licence == "Copyright 1999, A. Nonymous"
    assert not list(items(path, ("table",)))
    assert sorted(each.name for each in tmp_path.rglob("*")) == [name], "nothing is written"
    figures = packed(tmp_path / "tikz.tar.xz", {"a.tex": b"\\draw;"})
    assert read(figures, "tikz") == ["\\draw;\n"] and not read(figures, "tex")


def test_links_in_archives_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.krn").write_text(KERN)
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("a.krn")
            member.type, member.linkname = kind, str(tmp_path / "secret.krn")
            archive.addfile(member)
    assert not read(path)


def header(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo("a.krn")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(records: dict[str, str]) -> bytes:
    member = tarfile.TarInfo("a.krn")
    member.pax_headers = records
    return member.tobuf(tarfile.PAX_FORMAT)


BOMBS = {
    "a large member": header(materials.MOST_ITEM + 1) + bytes(materials.MOST_ITEM + 512),
    "a member that isn't there": header(1000),
    "a larger one": header(materials.MOST_READ + 1),
    "a negative size": header(-1024),
    "a header of a gigabyte": header(1 << 30, tarfile.XHDTYPE) + bytes(1024),
    "a name of a gigabyte": header(1 << 30, tarfile.GNUTYPE_LONGNAME) + bytes(1024),
    "headers of headers": header(0, tarfile.XHDTYPE) * 3000,
    "a sparse map without end": pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "size": "600"}) + b"1" * 600,
    "a sparse map of words": pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "size": "600"}) + b"a\n" * 300,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_in_archives_are_refused_and_cost_little(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(BOMBS[name], 1))
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=r"bomb\.tar\.gz(: a\.krn)? (is|unpacks to) .*expected"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * materials.MOST_ITEM
    finally:
        tracemalloc.stop()


def test_archives_of_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "many.tar", {f"{n}.png": b"x" for n in range(20)}, "w")
    monkeypatch.setattr(materials, "MOST_MEMBERS", 19)
    with pytest.raises(BadInput, match=r"many\.tar unpacks to more than .* 19 files"):
        read(path)
    monkeypatch.setattr(materials, "MOST_MEMBERS", 20)
    assert not read(path)
    monkeypatch.setattr(materials, "MOST_READ", 19)
    with pytest.raises(BadInput, match=r"many\.tar unpacks to more than"):
        read(path)


def test_lines_and_files_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "MOST_ITEM", 100)
    path = tmp_path / "formulas.txt.xz"
    path.write_bytes(lzma.compress(b"x\n" * 40 + b"y" * 1000))
    with pytest.raises(BadInput, match=r"formulas\.txt\.xz has a line 41 of more than"):
        read(path, "formula")
    monkeypatch.setattr(materials, "MOST_READ", 79)
    with pytest.raises(BadInput, match=r"formulas\.txt\.xz has more than .* in it"):
        read(path, "formula")
    (tmp_path / "a.tex").write_text("x" * 101)
    with pytest.raises(BadInput, match=r"a\.tex is larger than"):
        read(tmp_path / "a.tex", "tex")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = packed(tmp_path / "whole.tar.xz", {f"{n}.krn": KERN.encode() * n for n in range(1, 99)}).read_bytes()
    plain = packed(tmp_path / "plain.tar", {"a.krn": KERN.encode() * 500}, "w").read_bytes()
    for name, data, reason in (
        ("cut.tar.xz", whole[: len(whole) // 2], "is cut short or damaged"),
        ("cut.tar.gz", gzip.compress(plain)[:90], "is cut short or damaged"),
        ("cut.tar", plain[:5000], "is cut short or damaged"),
        ("no.tar.gz", b"not gzip", "is cut short or damaged"),
        ("no.tar.xz", b"", "is cut short or damaged"),
        ("no.tar", b"x" * 5000, "is cut short or damaged"),
        ("a.krn", KERN.encode() + b"!! caf\xe9", r"is not text in UTF-8 \(.*, line 5\)"),
        ("a.tex", b"\xff\xfe", "is not text in UTF-8"),
        ("a.tikz.xz", b"none", "is cut short or damaged"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInput, match=f"{name} {reason}.*expected"):
            read(tmp_path / name, "") if "tar" in name else read(tmp_path / name, holds(name))
    bad = packed(tmp_path / "bad.tar", {"in/caf\udce9\n.krn": b"\n\n\xff"}, "w")
    with pytest.raises(BadInput, match=r"bad\.tar: in/caf\?\?\.krn is not text in UTF-8 \(.*, line 3\)"):
        read(bad)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "formulas.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"formulas\.txt can't be read \(No such file"):
        read(tmp_path / "formulas.txt", "formula")


def test_licences_are_told_of_files_and_of_parts_of_them(tmp_path: Path) -> None:
    assert licences(tmp_path) == {}
    told = {"a.txt": "CC0", "t.tar": "MIT", "t.tar: x+y": "GFDL", "t.tar: x+y/z/1.tex": "CC-BY"}
    (tmp_path / "licences.json").write_text(json.dumps(told))
    assert licences(tmp_path) == told
    expected = {"": "MIT", "other/1.tex": "MIT", "x+y/1.tex": "GFDL", "x+y/z/1.tex": "CC-BY", "x+y/z/2.tex": "GFDL"}
    assert {source: licence(told, "t.tar", source) for source in expected} == expected
    assert licence(told, "b.txt", "x") == ""
    for text, reason in (("{", "is no JSON"), ("[]", "other things"), ('{"a": 1}', "other things")):
        (tmp_path / "licences.json").write_text(text)
        with pytest.raises(BadInput, match=rf"licences\.json .*{reason}.*expected"):
            licences(tmp_path)


def test_items_are_kept_in_one_piece() -> None:
    kept = Kept()
    texts = ["é", "", "longer text", "中文"]
    for number, text in enumerate(texts):
        kept.add(text.encode(), Origin(f"file {number % 2}"))
    assert [kept[index] for index in range(len(kept))] == [
        (text, Origin(f"file {number % 2}")) for number, text in enumerate(texts)
    ]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        kept.add(b"CCO%04d" % number, Origin("file 0"))
    each = (tracemalloc.get_traced_memory()[0] - before) / 20_000
    tracemalloc.stop()
    assert each < 32, "8 bytes of text, 8 for its end, 4 for its origin, and what there is in reserve"
