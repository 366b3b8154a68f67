"""GOT-nano's vocabulary: made from corpora, the same each time, and every text comes back as it was."""

import json
import lzma
import tarfile
from pathlib import Path

import pytest

import ocr2
from ocr2.errors import BadInput
from ocr2.got.config import PRESETS
from ocr2.got.prompt import NEEDED, Tokenizer
from ocr2.recipes import vocabulary

NANO = Path(ocr2.__file__).parent / "weights" / "nano"
TEXTS = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune must want a wife.",
    "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？ GB/T 7714—2015 第３章",
    "\\begin{tabular}{|l|r|} \\hline $\\frac{\\alpha}{2}$ & 3.14 \\\\ \\hline \\end{tabular}",
    "**kern\t**kern\n*clefF4\t*clefG2\n16CC#LL\t8.ff;\n",
    "CC(C)(C)OC(=O)N[C@@H](Cc1ccccc1)C(=O)O",
    "▁ 𠮷 \ufffd <0x0A> <|im_end|>  two  spaces\n\n\t\r\n end ",
    "".join(map(chr, range(0x20, 0x7F))),
)


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    tokenizer = Tokenizer.load(NANO)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not {tokenizer.end, tokenizer.image} & set(ids), "no text can end its own answer"


def test_it_fits_the_preset() -> None:
    tokenizer, config = Tokenizer.load(NANO), PRESETS["nano"]
    assert (tokenizer.size, tokenizer.image) == (config.decoder.vocabulary, config.image_token)


def test_the_most_frequent_entries_are_those_that_are_guessed() -> None:
    tokenizer, guessed = Tokenizer.load(NANO), PRESETS["nano"].decoder.guessed
    texts = [*TEXTS[:1], *TEXTS[2:5]]
    ids = [number for text in texts for number in tokenizer.encode(text)]
    assert sum(number < guessed for number in ids) > 0.95 * len(ids)
    assert tokenizer.end < guessed


def test_chinese_characters_are_entries_and_never_part_of_longer_ones() -> None:
    tokenizer = Tokenizer.load(NANO)
    text = "的一是了我不人在他有這個上們來到時大地為子中你說生國年着就那和要她出也得里后自以会"
    assert len(tokenizer.encode(text)) == len(text)
    assert not [name for name in tokenizer.inner.get_vocab() if len(name) > 1 and vocabulary._HAN.search(name)]


def test_entries_are_longer_than_letters_in_english_and_in_notations() -> None:
    tokenizer = Tokenizer.load(NANO)
    assert len(TEXTS[0]) / len(tokenizer.encode(TEXTS[0])) > 3
    assert len(TEXTS[2]) / len(tokenizer.encode(TEXTS[2])) > 1.8


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    folder = tmp_path / "corpora"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXTS[0] + "\n" + TEXTS[1] + "\n")
    with lzma.open(folder / "b.jsonl.xz", "wt", encoding="utf8") as file:
        file.write(json.dumps({"rows": [["Qzqz", "Qzqz"]], "source": "Www"}) + "\n")
    (tmp_path / "member.krn").write_text(TEXTS[3])
    with tarfile.open(folder / "c.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "member.krn")
    return folder


def test_it_is_made_of_all_files_and_the_same_each_time(corpora: Path) -> None:
    first, again = (vocabulary.vocabulary(corpora).inner.to_str() for _ in range(2))
    assert first == again
    entries = json.loads(first)["model"]["vocab"]
    assert [entries[name] for name in vocabulary.SPECIAL] == list(range(6))
    assert set(vocabulary.SPECIAL) == set(NEEDED)
    assert "Qz" in entries
    assert "Ww" not in entries, "where a record is from is no text"
    assert len(entries) <= vocabulary.SIZE


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no corpora: expected files that end in"):
        vocabulary.vocabulary(tmp_path)
    whole = lzma.compress(b"one paragraph\n" * 1000)
    (tmp_path / "cut.txt.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"cut\.txt\.xz can't be read .* copy it again"):
        vocabulary.vocabulary(tmp_path)


def test_the_command_writes_it_and_says_what_is_wrong(corpora: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    done = CliRunner().invoke(vocabulary.main, [str(corpora), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert Tokenizer.load(tmp_path / "out").decode(Tokenizer.load(tmp_path / "out").encode("Qzqz")) == "Qzqz"
    done = CliRunner().invoke(vocabulary.main, [str(tmp_path / "nowhere"), str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "has no corpora" in done.output
