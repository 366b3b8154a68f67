"""Characters as samples: the same wherever they are made, with all that was drawn on the picture."""

from __future__ import annotations

import json
import pickle
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from text_helpers import write_corpus

from ocr2.characters import CHARACTERS
from ocr2.data.corpus import Corpus
from ocr2.data.synth import SIDES, Synth, placed
from ocr2.errors import BadInput
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.characters import Character

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


@pytest.mark.parametrize("kind", CHARACTERS)
def test_a_sample_says_what_it_is_made_of(kind: str, corpus: Corpus) -> None:
    engine = Synth(kind, corpus, 3)
    sample = engine[5]
    told = json.loads(sample.origin)
    assert (told["engine"], told["seed"], told["index"]) == (kind, 3, 5)
    assert told["backend"].startswith(CHARACTERS[kind].BACKENDS) and told["version"].startswith("ocr2 ")
    assert sample.kind == kind and sample.prompt == Prompt(format=kind != "text")
    assert all(side in SIDES or side > SIDES[-1] for side in sample.images[0].size)
    assert pickle.loads(pickle.dumps(engine))[5] == sample
    others = [Synth(kind, corpus, 3)[4], Synth(kind, corpus, 4)[5]]
    assert all(other.text != sample.text for other in others)


def test_clean_pictures_are_the_drawing_alone(corpus: Corpus) -> None:
    character: Character = CHARACTERS["molecule"]
    sample = Synth("molecule", corpus, 1, strength=0)[0]
    rng = Random("molecule/1/0")
    character.compose(corpus, rng)
    drawn = character.draw(sample.text, rng).pixels()
    assert np.asarray(sample.images[0]).tobytes() == placed(drawn, rng)[0].tobytes()


def test_photos_of_paper_are_drawn_on(corpus: Corpus, tmp_path: Path) -> None:
    Image.new("RGB", (900, 900), (250, 240, 60)).save(tmp_path / "yellow.png")
    engine = Synth("molecule", corpus, 1, papers=tmp_path)
    seen = [np.asarray(engine[index].images[0]) for index in range(60)]
    assert any(image.ndim == 3 and image[..., 2].mean() < 0.8 * image[..., 0].mean() for image in seen)
    assert engine.identity != Synth("molecule", corpus, 1).identity
    with pytest.raises(BadInput, match="has no photos of paper"):
        (tmp_path / "none").mkdir()
        Synth("molecule", corpus, 1, papers=tmp_path / "none")


def test_nothing_is_cut_off_when_it_is_placed() -> None:
    for shape in ((1, 1), (64, 65), (300, 1024), (1300, 40), (500, 700, 3)):
        drawn = np.zeros(shape, np.uint8)
        for seed in range(9):
            found, (x, y) = placed(drawn, Random(seed))
            assert (found == 0).sum() == drawn.size
            rows, columns = np.nonzero(found.reshape(*found.shape[:2], -1)[..., 0] == 0)
            assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == shape[:2]
            assert (x, y) == (columns.min(), rows.min())
            assert found.shape[0] - shape[0] < 300 and found.shape[1] - shape[1] < 300


def test_what_there_isnt_is_refused(corpus: Corpus) -> None:
    with pytest.raises(BadInput, match="'runes' is no kind of character: expected "):
        Synth("runes", corpus, 0)
    with pytest.raises(BadInput, match="typst draws no molecule: expected rdkit"):
        Synth("molecule", corpus, 0, backend="typst")
    with pytest.raises(BadInput, match="strength=-1"):
        Synth("molecule", corpus, 0, strength=-1)
