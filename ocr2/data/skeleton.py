"""A molecule, found in its picture: are there all of its bonds, as many lines in each, and a label at each hetero atom?

RDKit says where atoms may be, in its two layouts; how the picture is turned and how large it is, is tried out.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

MOST = 8
"""Turns that are tried closely."""
STEP = 3
"""Degrees between the turns that are tried first."""
LEAST = 60
"""Of the darkness of ink: a faint line."""
FITS = 1.6
"""Pixels from a bond to ink, on average, where the molecule is found."""


class Skeleton(NamedTuple):
    """A layout of a molecule, y down."""

    places: Points
    """(N, 2) Of its atoms, in lengths of a bond."""
    bonds: list[tuple[int, int, int]]
    """Two atoms, and how many lines: 0 for a wedge, of which any number may be seen."""
    ringed: list[bool]
    """Whether a bond is one of an aromatic ring, where single and double ones may change places."""
    labelled: list[str]
    """(N) What is written there; "" where nothing is."""


def skeletons(smiles: str) -> list[Skeleton]:
    """Both layouts; called apart."""
    from rdkit import Chem
    from rdkit.Chem import rdCoordGen, rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    found = []
    for coordgen in (False, True):
        mol = Chem.MolFromSmiles(smiles)
        (rdCoordGen.AddCoords if coordgen else rdDepictor.Compute2DCoords)(mol)
        rdDepictor.NormalizeDepiction(mol)
        ringed = [bond.GetIsAromatic() for bond in mol.GetBonds()]
        mol = rdMolDraw2D.PrepareMolForDrawing(mol)
        places = mol.GetConformer().GetPositions()[:, :2] * (1, -1)
        some = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b) for b in mol.GetBonds()]
        unit = np.median([np.hypot(*(places[a] - places[b])) for a, b, _ in some]) if some else 1.0
        plain = Chem.BondDir.NONE
        bonds = [(a, b, int(o.GetBondTypeAsDouble()) if o.GetBondDir() == plain else 0) for a, b, o in some]
        labelled = [
            "" if atom.GetSymbol() == "C" and atom.GetDegree() and not atom.GetFormalCharge() else atom.GetSymbol()
            for atom in mol.GetAtoms()
        ]
        ringed += [False] * (len(bonds) - len(ringed))
        found.append(Skeleton(places / unit, bonds, ringed, labelled))
    return found


def unseen(dark: NDArray[np.uint8], shapes: list[Skeleton]) -> list[str] | None:
    """What of a molecule isn't in a picture, cut to it, 255 where it is darkest; None where it isn't found at all."""
    shaded = cv2.copyMakeBorder(dark, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=0)
    padded = (shaded > LEAST).astype(np.uint8)
    far = np.minimum(cv2.distanceTransform(1 - padded, cv2.DIST_L2, 3), 8.0)
    found = []
    for shape in shapes:
        for error, places in _fitted(far, shape, dark.shape):
            if error <= FITS:
                inks = [(shaded > least).astype(np.uint8) for least in (LEAST, 2 * LEAST)]
                found += [_compared(ink, shape, places) for ink in inks]
    return min(found, key=len) if found else None


def _middles(shape: Skeleton) -> Points:
    """(M, N) Weights of atoms whose sums are points on bonds."""
    rows = np.zeros((3 * len(shape.bonds), len(shape.places)))
    for n, (a, b, _) in enumerate(shape.bonds):
        for k, share in enumerate((0.38, 0.5, 0.62)):
            rows[3 * n + k, [a, b]] = 1 - share, share
    return rows


def _fitted(far: NDArray[np.float32], shape: Skeleton, size: tuple[int, ...]) -> list[tuple[float, Points]]:
    """How far bonds are from ink where the layout fits well, and where its atoms then are: a molecule that is nearly
    symmetric fits in several ways.
    """
    rows = _middles(shape)

    def placed(turn: float, scale: float, x: float, y: float) -> Points:
        cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        return cast("Points", shape.places @ np.array([[cos, sin], [-sin, cos]]) * scale + (x, y))

    def error(at: tuple[float, ...]) -> float:
        points = (rows @ placed(*at)).round().astype(int).clip(0, (far.shape[1] - 1, far.shape[0] - 1))
        return float(far[points[:, 1], points[:, 0]].mean())

    tried = []
    for turn in range(0, 360, STEP):
        flat = placed(turn, 1, 0, 0)
        low, high = flat.min(axis=0), flat.max(axis=0)
        for room, dx, dy in product((2, 14, 30), (-6, 0, 6), (-6, 0, 6)):
            spans = [(side - room) / wide for side, wide in zip(size[::-1], high - low, strict=True) if wide > 0.5]
            scale = min(spans)
            if not 12 < scale < 60 or max(spans) > 1.8 * scale:
                continue
            x, y = np.array(size[::-1]) / 2 + 60 - (low + high) / 2 * scale + (dx, dy)
            at = (float(turn), scale, float(x), float(y))
            tried.append((error(at), at))
    best: list[tuple[float, ...]] = []
    for _, at in sorted(tried):
        if all(abs((at[0] - other[0] + 180) % 360 - 180) > 15 for other in best):
            best.append(at)
        if len(best) == MOST:
            break
    return [(least, placed(*at)) for least, at in (_descended(error, at) for at in best)]


def _descended(error: Callable[[tuple[float, ...]], float], at: tuple[float, ...]) -> tuple[float, tuple[float, ...]]:
    """The least error near a place, and that place."""
    steps, least = [3.0, 1.5, 4.0, 4.0], error(at)
    while max(steps) > 0.2:
        better = False
        for n, sign in product(range(4), (-1, 1)):
            next_ = tuple(value + sign * steps[n] * (k == n) for k, value in enumerate(at))
            if (now := error(next_)) < least - 1e-6:
                at, least, better = next_, now, True
        steps = steps if better else [step / 2 for step in steps]
    return least, at


def _compared(ink: NDArray[np.uint8], shape: Skeleton, at: Points) -> list[str]:
    """Bonds without ink or with other numbers of lines, and atoms without their labels."""
    found = []
    told = total = 0
    for (a, b, lines), ringed in zip(shape.bonds, shape.ringed, strict=True):
        start, along = at[a], at[b] - at[a]
        length = float(np.hypot(*along))
        across = np.array([-along[1], along[0]]) / length
        counts = []
        for share in np.linspace(0.4, 0.6, 7):
            offsets = np.arange(-0.3 * length, 0.3 * length, 0.5)[:, None]
            points = (start + share * along + offsets * across).round().astype(int)
            row = ink[points[:, 1].clip(0, ink.shape[0] - 1), points[:, 0].clip(0, ink.shape[1] - 1)]
            counts.append(int((np.diff(np.concatenate([[0], row])) == 1).sum()))
        seen = int(np.median(counts))
        told, total = told + lines * ringed, total + seen * ringed
        if not max(counts) or (lines and (seen not in (1, 2) if ringed else seen != lines)):
            found.append(f"{seen} lines between atoms {a + 1} and {b + 1}: expected {lines or 'a wedge'}")
    if told != total and not found:
        found.append(f"{total} lines in aromatic rings: expected {told}")
    for n, label in enumerate(shape.labelled):
        if label:
            x, y = at[n]
            length = np.median([np.hypot(*(at[a] - at[b])) for a, b, _ in shape.bonds])
            radius = 0.28 * length
            spot = ink[int(y - radius) : int(y + radius) + 1, int(x - radius) : int(x + radius) + 1]
            if spot.sum() < 3:
                found.append(f"no {label} at atom {n + 1}")
    return found
