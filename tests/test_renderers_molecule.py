"""Molecules by RDKit."""

import re

import pytest

from ocr2.errors import BadInput
from ocr2.renderers.apart import apart
from ocr2.renderers.molecule import Look

pytest.importorskip("rdkit", reason="engines: pip install 'ocr2[engines]'")


def canonical(smiles: str, seed: int | None = None) -> str:
    name: str = apart("ocr2.renderers.molecule:canonical", smiles, seed)
    return name


def drawn(smiles: str, look: Look) -> str:
    svg: str = apart("ocr2.renderers.molecule:drawn", smiles, look)[0]
    return svg


@pytest.mark.parametrize(
    ("smiles", "name"),
    [
        ("OCC", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("[CH3:1][OH:2]", "CO"),
        ("C[C@@H](N)C(O)=O", "C[C@@H](N)C(=O)O"),
        ("[Na+].[Cl-]", "[Cl-].[Na+]"),
        ("F/C=C/F", "F/C=C/F"),
        ("C[C@H](C)C", "CC(C)C"),
    ],
)
def test_a_molecule_has_one_spelling(smiles: str, name: str) -> None:
    assert canonical(smiles) == name == canonical(name)


def test_a_double_bond_gets_the_geometry_that_its_drawing_has() -> None:
    assert canonical("CC=CC") == "CC=CC"
    assert {canonical("CC=CC", seed) for seed in range(8)} == {"C/C=C/C", "C/C=C\\C"}
    assert canonical("CC=CC", 3) == canonical("CC=CC", 3)
    assert canonical("C=CC(=N)N", 1) == "C=CC(=N)N"


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C(", "syntax|unclosed|parse|parenthes"),
        ("CC(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("hello", "syntax|parse"),
        ("", "0 characters"),
        ("C C", "spaces"),
        ("C" * 101, "101 atoms"),
        ("[H][H]", "0 atoms"),
    ],
)
def test_what_is_no_molecule_has_rdkit_s_reason(smiles: str, reason: str) -> None:
    with pytest.raises(BadInput, match=f"(?i){reason}"):
        canonical(smiles)


def test_a_drawing_is_of_shapes_and_as_told() -> None:
    svg = drawn("CC(=O)Oc1ccccc1C(=O)O", Look(palette="black"))
    assert "<text" not in svg and "class" not in svg
    assert set(re.findall("(?:fill|stroke):(#[0-9A-F]{6})", svg)) <= {"#000000", "#FFFFFF"}
    assert "#FF0000" in drawn("CCO", Look(palette="default"))
    width = [float(re.search(r"width='(\d+)px'", drawn("CCCC", Look(bond=bond)))[1]) for bond in (20.0, 40.0)]  # type: ignore[index]
    assert width[1] == pytest.approx(2 * width[0], rel=0.1)


@pytest.mark.parametrize("coordgen", [False, True])
def test_stereo_is_drawn(coordgen: bool) -> None:
    pictures = [
        drawn(smiles, Look(coordgen=coordgen)) for smiles in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O")
    ]
    assert len(set(pictures)) == 3
    assert drawn("F/C=C/F", Look(coordgen=coordgen)) != drawn("F/C=C\\F", Look(coordgen=coordgen))


def test_likeness_knows_molecules_by_what_they_are() -> None:
    def like(one: str, other: str) -> tuple[str | None, str | None, float | None]:
        found: tuple[str | None, str | None, float | None] = apart("ocr2.renderers.molecule:likeness", one, other)
        return found

    assert like("OCC", "CCO") == ("CCO", "CCO", 1.0)
    name, _, alike = like("CCN", "CCO")
    assert name == "CCN" and alike is not None and 0 < alike < 1
    assert like("(((", "CCO") == (None, "CCO", None)
