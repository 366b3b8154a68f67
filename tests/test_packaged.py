"""Without any folder there are texts, molecules and scores, from packages; what is missing is told."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from random import Random
from typing import TYPE_CHECKING

import pytest

from ocr2.data import packaged
from ocr2.data.corpus import Corpus, clean, is_held, language, runs
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

REASON = "engines: pip install 'ocr2[engines]'"
KERN = "**kern\t**kern\n4c\t4e\n*-\t*-\n"


@pytest.fixture(params=["en", "zh"])
def speech(request: pytest.FixtureRequest) -> str:
    pytest.importorskip({"en": "wordfreq", "zh": "jieba"}[request.param], reason=REASON)
    return str(request.param)


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with scores, which can't be imported."""
    folder = tmp_path / "site" / "music21"
    (folder / "corpus" / "bach").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('it was imported')")
    for number in range(200):
        (folder / "corpus" / "bach" / f"{number:03}.krn").write_text(f"!!!OPS: {number}\n{KERN}")
    (folder / "corpus" / "bach" / "rights.krn").write_bytes(
        b"!!!YEC: Copyright 2000, J. Mart\xedn\n!!!YEM: Rights reserved.\n" + KERN.encode()
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No packages."""
    real = util.find_spec
    names = {package.name for package in packaged.PACKAGES.values()}
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in names else real(name))


def test_paragraphs_are_running_text_of_their_language(speech: str) -> None:
    corpus = Corpus([])
    texts = [corpus.paragraph(Random(seed), speech) for seed in range(300)]
    assert len(set(texts)) == 300
    for text in texts:
        assert runs(text) and language(text) == speech
        assert clean(text.replace("…", "...")) == text, "there is nothing in it that isn't printed"
        assert text[-1] in ('.?!”"' if speech == "en" else "。？！”")
    whole = "".join(texts)
    assert set("，。；：？！“”（）《》、%" if speech == "zh" else ",.;:?!“”\"'’()—-$%") <= set(whole)
    words = {word.strip('.,;:?!"“”()') for word in whole.split(" ")} if speech == "en" else set(whole)
    assert len(words) > (4000 if speech == "en" else 2000)


def test_frequent_words_are_frequent() -> None:
    pytest.importorskip("wordfreq", reason=REASON)
    corpus = Corpus([])
    words = " ".join(corpus.paragraph(Random(seed), "en").lower() for seed in range(300)).split(" ")
    assert words.count("people") > 5 * words.count("harbour")
    assert " I " in " ".join(corpus.paragraph(Random(seed), "en") for seed in range(50))
    assert not {"i", "monday", "london"} & {
        word for seed in range(300) for word in corpus.paragraph(Random(seed), "en").split()
    }


def test_the_same_seed_writes_the_same_in_any_process(speech: str) -> None:
    code = (
        "import sys\nfrom random import Random\nfrom ocr2.data.corpus import Corpus\n"
        f"sys.stdout.reconfigure(encoding='utf-8')\nprint(Corpus([]).paragraph(Random(3), {speech!r}))"
    )
    found = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8", env=env).stdout
        for env in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    }
    assert found == {Corpus([]).paragraph(Random(3), speech) + "\n"}


def test_held_back_paragraphs_are_made_up_too(speech: str) -> None:
    for held in (False, True):
        for seed in range(40):
            assert is_held(Corpus([], held).paragraph(Random(seed), speech).encode()) is held


def test_made_up_paragraphs_are_not_counted(speech: str) -> None:
    corpus = Corpus([])
    assert corpus.count(speech) == 0 and not list(corpus.passages(speech))
    package = packaged.PACKAGES[speech]
    passage = corpus.passage(Random(0), speech)
    assert passage.file.startswith(f"{package.name} ") and passage.file[-1].isdigit()
    assert passage.origin.licence == package.licence
    assert corpus.words(Random(0), speech, 3)


def test_rare_characters_are_those_of_the_words() -> None:
    pytest.importorskip("jieba", reason=REASON)
    corpus = Corpus([])
    assert {"人", "的"} & set(corpus.han[:20]) and len(corpus.rare) > 5000 and "人" not in corpus.rare


def test_molecules_are_those_of_rdkit_which_is_not_imported() -> None:
    pytest.importorskip("rdkit", reason=REASON)
    code = (
        "import sys\nfrom random import Random\nfrom ocr2.data.corpus import Corpus\ncorpus = Corpus([]).traced()\n"
        "assert corpus.has('smiles')\nprint(corpus.item(Random(1), 'smiles'), *corpus.sources, *corpus.licences)\n"
        "assert 'rdkit' not in sys.modules, 'imported'"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    from rdkit import Chem

    assert Chem.MolFromSmiles(told.split()[0]) is not None
    assert "rdkit 20" in told and "Data/NCI/first_5K.smi" in told and "BSD-3-Clause" in told
    corpora = Corpus([]), Corpus([], held=True)
    trained, held = ({corpus.item(Random(seed), "smiles") for seed in range(300)} for corpus in corpora)
    assert len(trained) > 250 and not trained & held


def test_scores_are_those_of_music21_which_is_not_imported(music: Path) -> None:
    corpus = Corpus([])
    assert corpus.has("kern")
    traced = corpus.traced()
    held = Corpus([], held=True)
    found = {traced.item(Random(seed), "kern") for seed in range(3000)}
    kept = found | {held.item(Random(seed), "kern") for seed in range(50)}
    assert len(kept) == 201 > len(found) and all(text.endswith(KERN) for text in found)
    (rights,) = (text for text in kept if "Mart" in text)
    assert "Martín" in rights
    assert "music21: bach/000.krn" in traced.sources
    assert any(licence.startswith("Copyright 2000, J. Martín; Rights reserved; ") for licence in traced.licences)
    assert traced.licences[0].endswith("each score's own, see music21/corpus/license.txt")


def test_a_folder_s_scores_come_instead(music: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.krn").write_text("**kern\n1c\n*-\n")
    assert Corpus([tmp_path / "mine"]).item(Random(0), "kern") == "**kern\n1c\n*-\n"


def test_what_is_missing_is_told(bare: None) -> None:
    corpus = Corpus([])
    for speech, name in (("en", "English"), ("zh", "Chinese")):
        with pytest.raises(BadInput, match=rf"no {name} texts: expected \*\.txt .* in a folder, or pip install 'ocr2"):
            corpus.paragraph(Random(0), speech)
        with pytest.raises(BadInput, match=f"no {name} texts"):
            corpus.words(Random(0), speech, 2)
    for kind, name in (("smiles", "molecules"), ("kern", "scores")):
        assert not corpus.has(kind)
        with pytest.raises(BadInput, match=rf"no {name}: expected .* in a folder, or pip install 'ocr2\[engines\]'"):
            corpus.item(Random(0), kind)
    with pytest.raises(BadInput, match=r"no formulas: expected formulas\*\.txt .* in a folder$"):
        corpus.item(Random(0), "formula")
    assert len(corpus.han) == 6763, "those of GB 2312"


def test_other_versions_are_another_corpus(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    none = Corpus([]).identity
    monkeypatch.undo()
    pytest.importorskip("jieba", reason=REASON)
    known = Corpus([]).identity
    monkeypatch.setattr(packaged.metadata, "version", lambda name: "99")
    assert len({none, known, Corpus([]).identity}) == 3
