"""Texts are read, cleaned, told apart and divided; bad ones are named."""

from __future__ import annotations

import io
import json
import lzma
import pickle
import tarfile
import unicodedata
from random import Random
from typing import TYPE_CHECKING

import pytest
from text_helpers import CHINESE, ENGLISH, write_corpus

from ocr2.data import corpus as module
from ocr2.data.corpus import Corpus, clean, gb2312, is_held, language, runs
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "texts")


def many(folder: Path, count: int = 2000) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "many.txt").write_text("".join(f"Sentence number {n} of a longer text.\n" for n in range(count)))
    return folder


def test_paragraphs_are_told_apart_by_language(folder: Path) -> None:
    corpus = Corpus([folder])
    for speech, text, file in (("en", ENGLISH, "english.txt"), ("zh", CHINESE, "chinese.txt")):
        expected = [line for line in text.splitlines() if not is_held(line.encode())]
        assert [passage.text for passage in corpus.passages(speech)] == expected
        assert {passage.file for passage in corpus.passages(speech)} == {file}
        assert corpus.count(speech) == len(expected) > 3
        drawn = {corpus.paragraph(Random(seed), speech) for seed in range(100)}
        assert drawn == set(expected)


def test_compressed_text_is_the_same_text(folder: Path) -> None:
    plain = list(Corpus([folder]).passages("zh"))
    (folder / "chinese.txt").unlink()
    (folder / "deeper").mkdir()
    (folder / "deeper" / "chinese.txt.xz").write_bytes(lzma.compress(CHINESE.encode()))
    assert [passage.text for passage in Corpus([folder]).passages("zh")] == [passage.text for passage in plain]


def test_one_paragraph_in_fifty_is_held_back_and_it_is_always_the_same(tmp_path: Path) -> None:
    folder = many(tmp_path)
    trained, held = ({passage.text for passage in Corpus([folder], back).passages("en")} for back in (False, True))
    assert len(trained) + len(held) == 2000 and not trained & held
    assert 20 <= len(held) <= 60
    (tmp_path / "many.txt").rename(tmp_path / "other.txt")
    (tmp_path / "more.txt").write_text("Another sentence of quite another text.\n")
    assert held <= {passage.text for passage in Corpus([tmp_path], True).passages("en")}


def test_which_are_held_back_never_changes() -> None:
    """These ones: a model that was trained before must not have seen them."""
    held = [n for n in range(300) if is_held(f"Sentence number {n} of a longer text.".encode())]
    assert held == [16, 36, 44, 46, 70, 120, 141, 224, 252]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  two\tspaces \u00a0here\u3000too  ", "two spaces here too"),
        ("e\u0301te\u0301 \ufb01n", "été fin"),
        ("zero\u200bwidth\ufeff so\u00adft \x07bell", "zerowidth soft bell"),
        ("中文，混排English文字", "中文，混排English文字"),
        ("ภาษาไทย ทั้งหมด", ""),
        ("mostly English with one ไ", "mostly English with one"),
        ("private \ue000 and beyond \U0001f600 it", "private and beyond it"),
    ],
)
def test_text_is_cleaned(raw: str, text: str) -> None:
    assert clean(raw) == text
    assert unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize(
    ("text", "is_text"),
    [
        ("It is a truth universally acknowledged.", True),
        ("第一条 为了规范城市管理，制定本条例。", True),
        ("CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1", False),
        (r"\int _ { 0 } ^ { 1 } x d x = \frac { 1 } { 2 }", False),
        ("12 34 5.6 7.8 9.10 11 12 13 14 15", False),
    ],
)
def test_running_text_is_told_from_what_is_not(text: str, is_text: bool) -> None:
    assert runs(text) is is_text


def test_language_is_that_of_most_words() -> None:
    assert language("He said 你好 to everyone in the room, and then he left.") == "en"
    assert language("他说 hello world，然后就走了。") == "zh"


def test_rare_characters_are_those_that_come_seldom(folder: Path) -> None:
    corpus = Corpus([folder])
    assert corpus.han.startswith("之") and len(set(corpus.han)) == len(corpus.han)
    assert set(gb2312()) <= set(corpus.han) and len(gb2312()) == 6763
    assert "之" not in corpus.rare and "龠" in corpus.rare


def test_a_corpus_goes_to_other_processes_without_its_texts(folder: Path) -> None:
    corpus = Corpus([folder])
    first = corpus.paragraph(Random(1), "en"), corpus.rare
    data = pickle.dumps(corpus)
    assert len(data) < 1000
    there = pickle.loads(data)
    assert (there.paragraph(Random(1), "en"), there.rare) == first


def test_folders_without_anything_are_refused(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"has no text files or other sources: expected one with \*\.txt \(running text"):
        Corpus([tmp_path])
    with pytest.raises(BadInput, match=r"nowhere is not a folder: expected"):
        Corpus([tmp_path / "nowhere"])


def test_a_missing_language_is_told(tmp_path: Path) -> None:
    corpus = Corpus([many(tmp_path)])
    with pytest.raises(BadInput, match=r"no Chinese paragraph in .*some of them in Chinese"):
        corpus.paragraph(Random(0), "zh")
    assert corpus.paragraph(Random(0), "en")
    (tmp_path / "many.txt").write_text(CHINESE, encoding="utf-8")
    with pytest.raises(BadInput, match=r"no English paragraph in"):
        Corpus([tmp_path]).paragraph(Random(0), "en")
    with pytest.raises(BadInput, match=r"no English paragraph among those held back in"):
        Corpus([tmp_path], held=True).paragraph(Random(0), "en")


def test_damaged_files_are_named(folder: Path) -> None:
    whole = lzma.compress(ENGLISH.encode() * 50)
    for data, reason in (
        (whole[: len(whole) // 2], r"bad\.txt\.xz is cut short or damaged"),
        (b"not xz at all", r"bad\.txt\.xz is cut short or damaged"),
        (lzma.compress("caf\xe9 is a word of five letters".encode("latin-1")), r"bad\.txt\.xz is not text in UTF-8"),
    ):
        (folder / "bad.txt.xz").write_bytes(data)
        with pytest.raises(BadInput, match=reason):
            Corpus([folder]).count("en")
    (folder / "bad.txt.xz").unlink()
    (folder / "bad.txt").write_bytes(b"\xff\xfe\x00 some bytes")
    with pytest.raises(BadInput, match=r"bad\.txt is not text in UTF-8"):
        Corpus([folder]).paragraph(Random(0), "en")


MANY = 400


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something of every kind."""
    folder = write_corpus(tmp_path_factory.mktemp("full") / "all")
    (folder / "formulas.txt").write_text("".join(f"x_{{{n}}} + y\n" for n in range(MANY)))
    (folder / "smiles.txt.xz").write_bytes(lzma.compress("".join(f"{n * 'C'}O\n" for n in range(1, MANY)).encode()))
    with lzma.open(folder / "tables.jsonl.xz", "wt") as file:
        for n in range(MANY):
            file.write(json.dumps({"rows": [["a", str(n)]], "title": "t", "source": f"by {n % 2}", "path": "p"}) + "\n")
    with (folder / "chartdata.jsonl").open("w") as file:
        for n in range(MANY):
            file.write(json.dumps({"title": "t", "series": {"a": {"x": n, "y": 1.5}}, "source": "charts"}) + "\n")
    with tarfile.open(folder / "more.tar.xz", "w:xz") as archive:
        for n in range(MANY):
            for name, text in ((f"one/{n}.krn", f"**kern\n{n}c\n*-\n"), (f"two/{n}.tex", f"\\section{{{n}}}\n")):
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
    (folder / "figures").mkdir()
    for n in range(MANY):
        (folder / "figures" / f"{n}.tikz").write_text(f"\\draw (0,0) circle ({n});\n")
    told = {"english.txt": "CC0", "more.tar.xz: one": "CC-BY-4.0", "figures/0.tikz": "MIT"}
    (folder / "licences.json").write_text(json.dumps(told))
    return folder


KINDS = ("formula", "smiles", "kern", "table", "chart", "tikz", "tex")


@pytest.mark.parametrize("kind", KINDS)
def test_items_are_drawn_of_every_kind_and_one_in_fifty_is_held_back(full: Path, kind: str) -> None:
    found = []
    for held in (False, True):
        corpus = Corpus([full], held)
        assert corpus.has(kind)
        found.append({corpus.item(Random(seed), kind) for seed in range(20 * MANY)})
    trained, held_back = found
    assert MANY - 1 <= len(trained) + len(held_back) <= MANY and not trained & held_back
    assert 2 <= len(held_back) <= 20
    assert Corpus([full]).item(Random(5), kind) == Corpus([full]).item(Random(5), kind)


def test_items_are_as_the_characters_want_them(full: Path) -> None:
    corpus, rng = Corpus([full]), Random(1)
    assert corpus.item(rng, "formula").endswith("} + y")
    assert set(corpus.item(rng, "smiles")) == set("CO")
    assert corpus.item(rng, "kern").startswith("**kern\n")
    assert corpus.item(rng, "tex").startswith("\\section")
    assert corpus.item(rng, "tikz").startswith("\\draw")
    table = json.loads(corpus.item(rng, "table"))
    assert set(table) == {"rows", "title", "source"} and table["rows"][0][0] == "a"
    chart = json.loads(corpus.item(rng, "chart"))
    assert list(chart) == ["title", "x_title", "y_title", "series"] and chart["series"]["a"]["y"] == 1.5


def test_files_of_items_are_no_text(full: Path, tmp_path: Path) -> None:
    assert {passage.file for passage in Corpus([full]).passages("en")} == {"english.txt"}
    (tmp_path / "formulas.txt").write_text("this could be a sentence of some English text\n" * 9)
    (tmp_path / "many.txt").write_text("but this is the only one that is in this folder\n")
    assert {passage.text for passage in Corpus([tmp_path]).passages("en")} == {
        "but this is the only one that is in this folder"
    }


def test_a_folder_of_formulas_has_its_texts_from_packages(tmp_path: Path) -> None:
    pytest.importorskip("wordfreq", reason="engines: pip install 'ocr2[engines]'")
    (tmp_path / "formulas.txt").write_text("x + y\n")
    corpus = Corpus([tmp_path])
    assert corpus.item(Random(0), "formula") == "x + y" and not corpus.has("table")
    assert corpus.passage(Random(0), "en").file.startswith("wordfreq")


def test_what_there_is_none_of_is_told(full: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("It is a truth universally acknowledged.\n")
    (tmp_path / "smiles.txt").write_text("\n")
    (tmp_path / "formulas.txt").write_text("x + 1\n")
    corpus = Corpus([tmp_path])
    assert not corpus.has("table") and not corpus.has("smiles"), "a file without molecules isn't made up for"
    with pytest.raises(BadInput, match=r"no tables: expected tables\*\.jsonl .* in /"):
        corpus.item(Random(0), "table")
    with pytest.raises(BadInput, match=r"no formulas held back: expected formulas\*\.txt"):
        Corpus([tmp_path], held=True).item(Random(0), "formula")


def test_each_file_is_read_once_and_only_when_it_is_asked_for(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = module.items, []
    monkeypatch.setattr(module, "items", lambda file, kinds: seen.append(file.name) or real(file, kinds))
    corpus = Corpus([full])
    assert not seen
    for _ in range(3):
        corpus.item(Random(0), "table")
    assert seen == ["tables.jsonl.xz"]
    for kind in ("kern", "tex", "tikz"):
        corpus.item(Random(0), kind)
    assert seen.count("more.tar.xz") == 1 and len(seen) == MANY + 2


def test_too_much_of_a_kind_is_refused(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    with pytest.raises(BadInput, match=r"the formulas of .* are more than .* give fewer"):
        Corpus([full]).has("formula")
    with pytest.raises(BadInput, match=r"the texts of .* are more than"):
        Corpus([many(full.parent / "long")]).count("en")


def test_what_is_drawn_is_traced(full: Path) -> None:
    corpus = Corpus([full])
    traced = corpus.traced()
    assert traced.sources == traced.licences == [] and traced.held is False
    rng, again = Random(3), Random(3)
    for kind in KINDS:
        assert traced.has(kind) and traced.item(rng, kind) == corpus.item(again, kind)
    assert traced.paragraph(rng, "en") == corpus.paragraph(again, "en")
    assert traced.words(rng, "zh", 3) == corpus.words(again, "zh", 3)
    formula, smiles, kern, table, chart, tikz, tex, *texts = traced.sources
    assert [formula, smiles, chart, *texts] == [
        "formulas.txt",
        "smiles.txt.xz",
        "chartdata.jsonl: charts",
        "english.txt",
        "chinese.txt",
    ]
    assert kern.startswith("more.tar.xz: one/") and tex.startswith("more.tar.xz: two/") and tikz.endswith(".tikz")
    assert table in ("tables.jsonl.xz: by 0", "tables.jsonl.xz: by 1")
    assert traced.licences == ["CC-BY-4.0", "CC0"]
    traced.paragraph(rng, "en")
    assert len(traced.sources) == 9, "each once"
    assert traced.rare == corpus.rare and not corpus.traced().sources
    own = {
        str(passage.origin): passage.origin.licence
        for passage in (corpus.found(Random(n), "tikz") for n in range(9999))
    }
    assert {name for name, terms in own.items() if terms == "MIT"} == {"0.tikz"}


@pytest.mark.parametrize("speech", ["en", "zh"])
def test_words_are_cut_from_paragraphs(folder: Path, speech: str) -> None:
    corpus = Corpus([folder])
    whole = [passage.text for passage in corpus.passages(speech)]
    for count in (1, 2, 3):
        found = {corpus.words(Random(seed), speech, count) for seed in range(200)}
        assert len(found) > 50
        for text in found:
            assert any(text in paragraph for paragraph in whole) and text[0].isalnum() and text[-1].isalnum()
            assert len(text if speech == "zh" else text.split()) == count
    assert all(corpus.words(Random(seed), speech, 500) for seed in range(20))


def test_every_file_is_part_of_the_identity(full: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("It is a truth universally acknowledged.\n")
    known = {Corpus([tmp_path]).identity, Corpus([tmp_path], held=True).identity, Corpus([full]).identity}
    (tmp_path / "formulas.txt").write_text("x\n")
    known.add(Corpus([tmp_path]).identity)
    (tmp_path / "formulas.txt").write_text("x + 1\n")
    known.add(Corpus([tmp_path]).identity)
    assert len(known) == 5
    (tmp_path / "sub").mkdir()
    (tmp_path / "formulas.txt").rename(tmp_path / "sub" / "formulas.txt")
    assert Corpus([tmp_path]).identity in known


def test_a_read_corpus_goes_without_what_it_read(full: Path) -> None:
    corpus = Corpus([full])
    fresh = len(pickle.dumps(corpus))
    first = [corpus.item(Random(2), kind) for kind in KINDS], corpus.rare, corpus.traced().paragraph(Random(2), "en")
    data = pickle.dumps(corpus)
    assert len(data) == fresh
    there = pickle.loads(data)
    assert ([there.item(Random(2), kind) for kind in KINDS], there.rare, there.paragraph(Random(2), "en")) == first
