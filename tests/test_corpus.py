"""Texts are read, cleaned, told apart and divided; bad ones are named."""

from __future__ import annotations

import lzma
import pickle
import unicodedata
from random import Random
from typing import TYPE_CHECKING

import pytest
from text_helpers import CHINESE, ENGLISH, write_corpus

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


def test_folders_without_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no text files: expected one with \*\.txt or \*\.txt\.xz"):
        Corpus([tmp_path])
    with pytest.raises(BadInput, match=r"nowhere is not a folder: expected"):
        Corpus([tmp_path / "nowhere"])
    with pytest.raises(BadInput, match="no folders"):
        Corpus([])


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
