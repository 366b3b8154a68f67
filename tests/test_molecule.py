"""Molecules: composed, drawn, told from other transcripts, scored."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import molecule
from ocr2.characters.molecule import compose, draw, invented, looks_like, score
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, RendererMissing, RenderFailed
from ocr2.renderers.apart import apart

pytest.importorskip("rdkit", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(Path(tmp_path_factory.mktemp("corpus")))])


def test_what_is_composed_can_be_drawn_and_is_itself(corpus: Corpus) -> None:
    drawn = 0
    for seed in range(40):
        rng = Random(seed)
        truth = compose(corpus, rng)
        assert looks_like(truth) and molecule.body(truth) == apart(
            "ocr2.renderers.molecule:canonical", molecule.body(truth)
        )
        try:
            image = draw(truth, rng).pixels()
        except RenderFailed as error:
            assert "on top of each other" in str(error) or "pixels" in str(error)
            continue
        drawn += 1
        assert 10 < max(image.shape[:2]) <= 1025
        edge = np.concatenate([image[0].ravel(), image[-1].ravel(), image[:, 0].ravel(), image[:, -1].ravel()])
        assert (edge > 250).all() and (image < 128).any(), truth
    assert drawn > 36


def test_invented_molecules_are_molecules() -> None:
    found = set()
    for seed in range(150):
        found.add(apart("ocr2.renderers.molecule:canonical", invented(Random(seed))))
    assert len(found) > 120
    text = " ".join(found)
    assert "@" in text and "/" in text and "." in text and "c1" in text


def test_the_same_seed_gives_the_same_molecule_and_picture(corpus: Corpus) -> None:
    for seed in range(3):
        first, second = compose(corpus, Random(seed)), compose(corpus, Random(seed))
        assert first == second
        assert draw(first, Random(seed)).svg() == draw(first, Random(seed)).svg()
    assert len({draw("<smiles>CCO</smiles>", Random(seed)).svg() for seed in range(6)}) == 6


def test_a_plain_drawing_is_black_and_has_what_there_is() -> None:
    image = draw("OCC", None).pixels()
    assert image.ndim == 2 and (image == draw(" <smiles> CCO </smiles> ", None).pixels()).all()
    assert draw("CCCCCC", None).pixels().shape[1] > draw("CCC", None).pixels().shape[1]


def test_large_molecules_have_shorter_bonds() -> None:
    assert max(draw("C" * 52, None).pixels().shape) <= 1025
    small, large = (draw("C" * count, None).pixels().shape[1] for count in (12, 36))
    assert large < 3 * small


def test_what_can_t_be_drawn_is_told() -> None:
    with pytest.raises(BadInput, match="expected rdkit"):
        draw("C", None, "crayon")
    with pytest.raises(BadInput, match="valence"):
        draw("<smiles>CC(C)(C)(C)C</smiles>", None)
    with pytest.raises(BadInput, match="0 characters"):
        draw("<smiles></smiles>", None)
    with pytest.raises(RenderFailed, match="pixels"):
        draw("C" * 100, None)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("<smiles>CCO</smiles>", True),
        (" <smiles>C</smiles>\n", True),
        ("CCO", False),
        ("<smiles></smiles>", False),
        ("<smiles>C</smiles><smiles>C</smiles>", False),
        ("x <smiles>C</smiles>", False),
    ],
)
def test_molecules_are_known(text: str, known: bool) -> None:
    assert looks_like(text) is known


def test_a_score_compares_molecules() -> None:
    assert score("<smiles>OCC</smiles>", "<smiles>CCO</smiles>") == {
        "exact": 1.0,
        "tanimoto": 1.0,
        "edit_distance": 1.0 / 3 * 2,
    }
    near = score("<smiles>CCN</smiles>", "<smiles>CCO</smiles>")
    assert near["exact"] == 0 and 0 < near["tanimoto"] < 1 and near["edit_distance"] == pytest.approx(1 / 3)
    assert score("C[C@H](N)O", "C[C@@H](N)O")["exact"] == 0
    assert score("((((", "<smiles>CCO</smiles>") == {"exact": 0.0, "tanimoto": 0.0, "edit_distance": 1.0}
    assert score("", "<smiles>CCO</smiles>")["exact"] == 0


def test_a_score_needs_no_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise RendererMissing("rdkit")

    monkeypatch.setattr(molecule, "apart", missing)
    assert score("<smiles>CCO</smiles>", "<smiles>CCO</smiles>") == {"exact": 1.0, "edit_distance": 0.0}
