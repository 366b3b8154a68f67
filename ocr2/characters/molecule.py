"""Molecules: SMILES, in RDKit's one spelling of each.

<smiles>CC(=O)Oc1ccccc1C(=O)O</smiles>
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ocr2.errors import BadInput, OcrError, RendererMissing, RenderFailed
from ocr2.metrics import edit_distance
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.fonts import faces, path
from ocr2.renderers.molecule import BOND, Look
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from numpy.typing import NDArray

    from ocr2.characters import Corpus
    from ocr2.types import Point

BACKENDS = ("rdkit",)
SIDE = 1024
"""The most pixels a side has."""
USUAL = 512
"""That it has, where bonds aren't too short for it."""
SHORTEST = 21.0
"""Pixels of a bond."""
LABEL = 8.5
"""Pixels of its labels, at least."""
_MARKED = re.compile(r"\s*<smiles>\s*([^<>\s]*)\s*</smiles>\s*")
_SPELLED = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:/\\.%*~]+")
_ATOM = re.compile(r"\[\d*([A-Z][a-z]?|[a-z]{1,2}|\*)[^\]]*\]|Cl|Br|[BCNOPSFIbcnops*]")
_FONTS = ("DejaVu Sans", "PT Sans", "PT Serif", "STIX", "Crimson Text")

# molecules to be: what a * stands for is anything of the kinds that are named
_CORES = (
    "c1ccccc1", "c1ccc(*)cc1", "c1cccc(*)c1", "c1ccc(*)c(*)c1", "c1cc(*)cc(*)c1", "c1ccncc1", "c1ccc(*)nc1",
    "c1cncc(*)c1", "c1ccoc1", "c1cc(*)oc1", "c1ccsc1", "c1cc(*)sc1", "c1cn(*)cn1", "c1cc(*)n(*)n1", "c1nc(*)no1",
    "C1CCCCC1", "C1CCC(*)CC1", "C1CCN(*)CC1", "N1CCN(*)CC1", "N1CCOCC1", "C1CCCC1", "C1CC1", "C1CCOC1", "C1CN(*)C1",
    "c1ccc2ccccc2c1", "c1ccc2[nH]ccc2c1", "c1ccc2ncc(*)cc2c1", "c1ccc2oc(*)cc2c1", "c1nc2ccccc2[nH]1",
    "C1=CC(=O)C=CC1=O", "c1ncnc2[nH]cnc12", "c1cc(=O)[nH]c(=O)n1*", "C1CCC2CCCCC2C1", "C1C2CC3CC1CC(C2)C3",
    "c1cnc(*)nc1",
)  # fmt: skip
_LINKS = (
    "C*", "CC*", "CCC*", "C(=O)*", "C(=O)N*", "NC(=O)*", "C(=O)O*", "OC(=O)*", "O*", "OC*", "N*", "NC*", "S*",
    "S(=O)(=O)*", "S(=O)(=O)N*", "C#C*", "/C=C/*", "/C=C\\*", "C(C)*", "C(O)*", "[C@H](C)*", "[C@@H](O)*",
    "[C@@H](N)C(=O)*", "N(C)*", "C(C)(C)*", "[C@H](CO)O*", "N=N*", "/C=N/N*",
)  # fmt: skip
_ENDS = (
    "C", "C", "CC", "CCC", "C(C)C", "C(C)(C)C", "O", "OC", "OCC", "N", "NC", "N(C)C", "F", "Cl", "Br", "I", "C#N",
    "C(F)(F)F", "[N+](=O)[O-]", "C(=O)O", "C(=O)OC", "C(=O)N", "C=O", "C(=O)C", "S", "SC", "S(=O)(=O)C", "S(=O)(=O)N",
    "CO", "CCO", "C=C", "C#C", "OC(F)(F)F", "C(=O)[O-]", "[NH3+]", "P(=O)(O)O", "B(O)O", "CCCCCC", "[Si](C)(C)C",
    "OCc1ccccc1",
)  # fmt: skip
_STARTS = (
    "C", "CC", "CC(C)", "O", "CO", "N", "CN(C)", "F", "Cl", "Br", "N#C", "OC(=O)", "NC(=O)", "CC(=O)", "C=C",
)  # fmt: skip
_IONS = ("Cl", "[Na+]", "[K+]", "[Cl-]", "Br", "O", "[Br-]", "OS(=O)(=O)O", "OC(=O)C(F)(F)F")


def compose(corpus: Corpus, rng: Random) -> str:
    """A molecule of the corpus, or, where it has none or one time in six, an invented one.

    Raises BadInput for one that RDKit can't read, RendererMissing.
    """
    need("rdkit")
    seed = rng.getrandbits(32)
    given = corpus.has("smiles") and rng.random() < 0.84
    smiles = corpus.item(rng, "smiles").split()[0] if given else invented(rng)
    return marked(apart("ocr2.renderers.molecule:canonical", smiles, seed))


def invented(rng: Random) -> str:
    """A molecule of rings, what links them and what is at their ends; one in twenty is a salt."""
    smiles = _filled(rng.choice(_STARTS) + rng.choice(_LINKS + _CORES), rng, 4)
    smiles = re.sub(r"[/\\]{2,}", "/", smiles)  # of two double bonds in a row
    return f"{smiles}.{rng.choice(_IONS)}" if rng.random() < 0.05 else smiles


def _filled(part: str, rng: Random, deep: int) -> str:
    """The part with something at each of its places."""

    def one(found: re.Match[str]) -> str:
        kind = rng.random()
        if deep <= 0 or kind < 0.4:
            return rng.choice(_ENDS)
        if kind < 0.7:
            return _filled(_renumbered(rng.choice(_CORES), deep), rng, deep - 2)
        return _filled(rng.choice(_LINKS), rng, deep - 1)

    return re.sub(r"\*", one, part)


def _renumbered(core: str, deep: int) -> str:
    """The ring with numbers of its own, so that it may stand within another."""
    return re.sub(r"(?<!\[)(\d)", lambda found: f"%{10 * (deep + 1) + int(found[1])}", core)


def marked(smiles: str) -> str:
    """The SMILES with what marks it as one."""
    return f"<smiles>{smiles}</smiles>"


def body(source: str) -> str:
    """The SMILES without it."""
    found = _MARKED.fullmatch(source)
    return found[1] if found else source.strip()


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The molecule's skeleton; with `rng` in some type, colours, line widths, turned somehow; `held` in type
    that is never trained on.

    Raises BadInput for an unknown backend or, with RDKit's reason, what is no molecule; RenderFailed for one that is
    too large to read or can't be drawn flat; RendererMissing.
    """
    chosen(backend, BACKENDS)
    need("resvg")
    readable(source)
    look = Look() if rng is None else _look(rng, held)
    svg, atoms = _drawn(body(source), _legible(look))
    longest = max(_size(svg))
    if longest > USUAL:
        bond = max(SHORTEST, look.bond * USUAL / longest)
        svg, atoms = _drawn(body(source), _legible(look._replace(bond=bond, line=min(look.line, bond / 14))))
        if (longest := max(_size(svg)) + 2 * look.margin) > SIDE:
            raise RenderFailed(f"{body(source)[:60]} takes {longest:.0f} pixels: expected a molecule of up to {SIDE}")
    content, told = _framed(svg, look.margin).encode(), f"rdkit {need('rdkit').version}"
    return Drawing(content, "svg", told, places=partial(_placed, source, atoms, look.margin))


def _legible(look: Look) -> Look:
    """The look with labels that aren't too small."""
    return look._replace(label=max(look.label, LABEL * BOND / look.bond))


def _placed(source: str, atoms: list[Point], margin: float) -> NDArray[np.float32]:
    """Where the atoms of a marked SMILES are seen; nothing, where it writes more of them than are drawn."""
    start = source.index(body(source))
    found = [match.span(match.lastindex or 0) for match in _ATOM.finditer(body(source))]
    if len(found) != len(atoms):
        return np.zeros((0, 4), np.float32)
    return np.column_stack([np.array(found) + start, np.array(atoms) + margin]).astype(np.float32)


def _drawn(smiles: str, look: Look) -> tuple[str, list[Point]]:
    drawn: tuple[str, list[Point]] = apart("ocr2.renderers.molecule:drawn", smiles, look)
    return drawn


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r"width='([\d.]+)px' height='([\d.]+)px'", svg)
    assert found
    return float(found[1]), float(found[2])


def _framed(svg: str, margin: float) -> str:
    """The SVG with white all around."""
    width, height = _size(svg)
    box = f"{-margin:.1f} {-margin:.1f} {width + 2 * margin:.1f} {height + 2 * margin:.1f}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * margin:.0f}" height="{height + 2 * margin:.0f}"'
    )
    return f'{head} viewBox="{box}">{svg[svg.index(">") + 1 : svg.rindex("</svg>")]}</svg>'


def _look(rng: Random, held: bool) -> Look:
    """Any way to draw it."""
    bond = rng.uniform(22, 44)
    font = ""
    if rng.random() < 0.7 or held:
        known = (*faces("sans", held), *faces("serif", held))
        upright = [face for face in known if (face.family in _FONTS or held) and not face.italic]
        font = str(path(rng.choice([face for face in upright if not face.swollen and not face.variable])))
    return Look(
        bond=bond,
        line=rng.uniform(1.0, min(3.0, bond / 12)),
        gap=rng.uniform(0.12, 0.22),
        label=rng.uniform(0.5, 0.75),
        rotated=rng.choice((0.0, 0.0, 90.0, 180.0, rng.uniform(0, 360))),
        palette=rng.choice(("black", "black", "black", "default", "default", "cdk", "avalon")),
        font=font,
        coordgen=rng.random() < 0.4,
        methyls=rng.random() < 0.15,
        margin=rng.uniform(4, 20),
    )


def looks_like(text: str) -> bool:
    """Whether it is one SMILES that is marked as one."""
    found = _MARKED.fullmatch(text)
    return bool(found and found[1])


def score(predicted: str, truth: str) -> dict[str, float]:
    """Whether they are the same molecule (1), how alike they are (Tanimoto of Morgan fingerprints, 1 is the same; 0 for
    what is none), and the edit distance of the SMILES over the longer's length (0 is perfect).

    Without RDKit SMILES are compared as they are, and there is no likeness.
    """
    ours, theirs = body(predicted), body(truth)
    distance = edit_distance(ours, theirs)
    try:
        name, wanted, alike = apart("ocr2.renderers.molecule:likeness", ours, theirs)
    except RendererMissing:
        return {"exact": float(ours == theirs), "edit_distance": distance}
    except OcrError:
        name, wanted, alike = None, None, 0.0
    same = name == wanted if name and wanted else ours == theirs
    return {"exact": float(same), "tanimoto": float(alike or 0.0) if not same else 1.0, "edit_distance": distance}


def _smiles(transcript: str) -> bytes:
    """The SMILES as it was read, a line. Raises BadInput for what is no molecule, as far as can be told without RDKit
    where that is missing.
    """
    smiles = body(transcript)
    if not _SPELLED.fullmatch(smiles):
        raise BadInput(f"{smiles[:60]!r} is no SMILES: expected atoms and bonds, without spaces, as in CC(=O)O")
    with suppress(RendererMissing):
        apart("ocr2.renderers.molecule:canonical", smiles)
    return f"{smiles}\n".encode()


def _mol(transcript: str) -> bytes:
    """A Mol file with places in the plane. Raises BadInput, with RDKit's reason, for what is no molecule; RenderFailed,
    RendererMissing.
    """
    need("rdkit")
    block: str = apart("ocr2.renderers.molecule:placed", body(transcript))
    return block.encode()


EXPORTS: Mapping[str, Callable[[str], bytes]] = {"smiles": _smiles, "mol": _mol}
"""What a transcript can be written as."""
