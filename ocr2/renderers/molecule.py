"""Molecules, drawn by RDKit as chemists draw them: skeletons, with wedges where their stereo is known.

    name = canonical("OCC")                    # "CCO": one spelling of each molecule
    svg, atoms = drawn(name, Look())
    content = placed(name)                     # a Mol file; all three are called apart

What RDKit says while it reads is the reason that an error gives.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.types import Point

MOST_ATOMS = 100
"""Besides hydrogen."""
LONGEST = 1000
"""Characters of a SMILES."""
NEAREST = 0.35
"""Atoms that aren't bonded are at least so many lengths of a bond apart, or a drawing can't be read."""
BOND = 1.5
"""Its length, in RDKit's units."""


class Look(NamedTuple):
    """How a molecule is drawn. Lengths are pixels of the SVG."""

    bond: float = 32.0
    """Length of a bond."""
    line: float = 1.8
    """Width of its lines."""
    gap: float = 0.18
    """Between the lines of a double bond, in bonds."""
    label: float = 0.62
    """Height of labels, in lengths of RDKit, of which a bond has 1.5."""
    rotated: float = 0.0
    """Degrees."""
    palette: str = "black"
    """Colours of atoms: "black", "default", "cdk", "avalon"."""
    font: str = ""
    """Path of a font; "" is RDKit's own."""
    coordgen: bool = False
    """Whether Schrödinger's CoordGen says where atoms go."""
    methyls: bool = False
    """Whether CH3 is written out."""
    margin: float = 8.0


def canonical(smiles: str, seed: int | None = None) -> str:
    """RDKit's one spelling of the molecule: isomeric, of stereo only what a drawing shows; called apart.

    With a seed, a double bond whose geometry isn't told gets one, since a drawing can't but have one. Raises BadInput
    with RDKit's reason for what is no molecule.
    """
    mol = _read(smiles)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    if seed is not None:
        _settle(mol, Random(seed))
    name = _named(mol)
    seen = _seen(_read(name))
    if seen != name:  # some stereo can't be shown: what can, is what a drawing without the rest shows
        name = seen if seen and _seen(_read(seen)) == seen and _flat(seen) == _flat(name) else _flat(name)
    return name


def _named(mol: Any) -> str:
    """Its canonical SMILES, which is that of what it says."""
    name = str(_chem().MolToSmiles(mol))
    return str(_chem().MolToSmiles(_read(name)))


def _flat(smiles: str) -> str:
    """The same without stereo."""
    mol = _read(smiles)
    _chem().RemoveStereochemistry(mol)
    return _named(mol)


def drawn(smiles: str, look: Look) -> tuple[str, list[Point]]:
    """An SVG of paths, as large as the molecule is, and where its atoms are, in the order of the SMILES; called apart.

    Raises BadInput, RenderFailed.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    mol = _read(smiles)
    for coordgen in dict.fromkeys((look.coordgen, not look.coordgen)):
        _place(mol, coordgen)
        if _nearest(mol) >= NEAREST and _seen(mol, placed=True) == _chem().MolToSmiles(mol):
            break
    else:
        raise RenderFailed(f"{smiles[:60]} has atoms on top of each other, or stereo that can't be shown")
    drawer = rdMolDraw2D.MolDraw2DSVG(-1, -1)
    _styled(drawer.drawOptions(), look)
    drawer.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(mol))
    drawer.FinishDrawing()
    svg = str(drawer.GetDrawingText())
    svg = re.sub(r"<\?xml.*?\?>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r" (?:class|xmlns:\w+|xml:space|baseProfile|version)\s*=\s*'[^']*'", "", svg).strip()
    atoms = [drawer.GetDrawCoords(atom) for atom in range(mol.GetNumAtoms())]
    return svg, [(float(atom.x), float(atom.y)) for atom in atoms]


def placed(smiles: str) -> str:
    """The molecule as a Mol file (V2000) with places in the plane, which reads as the same molecule again.

    Called apart. Raises BadInput, and RenderFailed where no places tell all of its stereo.
    """
    chem = _chem()
    mol = _read(smiles)
    name = _named(mol)
    for coordgen in (False, True):
        _place(mol, coordgen)
        block = _block(mol)
        read = chem.MolFromMolBlock(block)
        if read is not None and chem.MolToSmiles(read) == name:
            return block
    raise RenderFailed(f"{smiles[:60]} has stereo that a Mol file in the plane can't tell: write its SMILES")


def likeness(predicted: str, truth: str) -> tuple[str | None, str | None, float | None]:
    """The one spelling of each, None for what is no molecule; and the Tanimoto coefficient of their Morgan
    fingerprints (radius 2, 2048 bits), None where either is none; called apart.
    """
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    names: list[str | None] = []
    prints = []
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    for smiles in (predicted, truth):
        try:
            name = canonical(smiles)
            prints.append(maker.GetFingerprint(_read(name)))
            names.append(name)
        except BadInput:
            names.append(None)
    return names[0], names[1], float(DataStructs.TanimotoSimilarity(*prints)) if len(prints) == 2 else None


class _Told(logging.Handler):
    """What RDKit says while it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@cache
def _chem() -> Any:
    need("rdkit")
    from rdkit import Chem, rdBase

    rdBase.LogToPythonLogger()
    log = logging.getLogger("rdkit")
    log.propagate = False
    log.addHandler(_told())
    return Chem


@cache
def _told() -> _Told:
    return _Told()


def _read(smiles: str) -> Any:
    """RDKit's molecule. Raises BadInput."""
    chem, told = _chem(), _told()
    if not smiles or len(smiles) > LONGEST or re.search(r"\s", smiles):
        raise BadInput(
            f"a SMILES of {len(smiles)} characters, {smiles[:30]!r}: expected 1 to {LONGEST}, without spaces"
        )
    told.lines.clear()
    mol = chem.MolFromSmiles(smiles)
    if mol is None:
        reason = next(
            (re.sub(r"^\[[\d:]+\]\s*", "", line).strip() for line in told.lines if line.strip()), "unreadable"
        )
        raise BadInput(f"{smiles[:60]!r} is no molecule: {reason[:200]}")
    if not 1 <= mol.GetNumHeavyAtoms() <= MOST_ATOMS:
        raise BadInput(f"a molecule of {mol.GetNumHeavyAtoms()} atoms besides hydrogen: expected 1 to {MOST_ATOMS}")
    return mol


def _open(mol: Any) -> Iterator[tuple[Any, list[int]]]:
    """Every double bond that may have a geometry and has none, with an atom beside each of its ends."""
    chem = _chem()
    for found in chem.FindPotentialStereo(mol):
        if found.type == chem.StereoType.Bond_Double and found.specified != chem.StereoSpecified.Specified:
            bond = mol.GetBondWithIdx(found.centeredOn)
            ends = bond.GetBeginAtom(), bond.GetEndAtom()
            beside = [
                [neighbour.GetIdx() for neighbour in end.GetNeighbors() if neighbour.GetIdx() != other.GetIdx()]
                for end, other in (ends, ends[::-1])
            ]
            if all(beside):  # not of =NH, whose hydrogen isn't drawn
                yield bond, [min(atoms) for atoms in beside]


def _settle(mol: Any, rng: Random) -> None:
    """Gives every double bond that may have a geometry one."""
    stereo = _chem().BondStereo
    for bond, beside in list(_open(mol)):
        bond.SetStereoAtoms(*beside)
        bond.SetStereo(rng.choice((stereo.STEREOCIS, stereo.STEREOTRANS)))


def _place(mol: Any, coordgen: bool) -> None:
    """Puts atoms in the plane."""
    from rdkit.Chem import rdCoordGen, rdDepictor

    if coordgen:
        rdCoordGen.AddCoords(mol)
    else:
        rdDepictor.Compute2DCoords(mol)
    rdDepictor.NormalizeDepiction(mol)


def _seen(mol: Any, placed: bool = False) -> str:
    """What a reader of the drawing makes of it, who knows which double bonds' geometry means nothing."""
    if not placed:
        _place(mol, False)
    read = _chem().MolFromMolBlock(_block(mol))
    return "" if read is None else str(_chem().MolToSmiles(read))


def _block(mol: Any) -> str:
    """Its Mol file, in which a double bond whose geometry isn't told is one whose geometry means nothing."""
    chem = _chem()
    copy = chem.Mol(mol)
    for bond, _ in list(_open(copy)):
        bond.SetStereo(chem.BondStereo.STEREOANY)
    return str(chem.MolToMolBlock(copy))


def _nearest(mol: Any) -> float:
    """How near atoms that aren't bonded come, in bonds."""
    import numpy as np

    places = mol.GetConformer().GetPositions()[:, :2]
    if len(places) < 2:
        return 1.0
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    length = float(np.median([apart[pair] for pair in bonds])) if bonds else BOND
    np.fill_diagonal(apart, np.inf)
    for begin, end in bonds:
        apart[begin, end] = apart[end, begin] = np.inf
    return float(apart.min()) / length


def _styled(options: Any, look: Look) -> None:
    """Says so to RDKit."""
    options.scalingFactor = look.bond / BOND
    options.bondLineWidth = look.line
    options.scaleBondWidth = False
    options.multipleBondOffset = look.gap
    options.baseFontSize = look.label
    options.minFontSize = -1
    options.maxFontSize = -1
    options.rotate = look.rotated
    options.explicitMethyl = look.methyls
    options.padding = 0.02
    options.includeMetadata = False
    options.addStereoAnnotation = False
    if look.font:
        options.fontFile = look.font
    palettes = {
        "black": options.useBWAtomPalette,
        "cdk": options.useCDKAtomPalette,
        "avalon": options.useAvalonAtomPalette,
    }
    palettes.get(look.palette, options.useDefaultAtomPalette)()
