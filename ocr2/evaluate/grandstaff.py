r"""GrandStaff: systems of piano music as Humdrum **kern (A. Ríos-Vila et al., "End-to-end optical music recognition for
pianoform sheet music", IJDAR 2023; and its camera version).

The folder has `grandstaff_dataset`, with NAME.krn, NAME.jpg and NAME_distorted.jpg, and a list of the test set, a path
a line. A truth is spelled as Sheet Music Transformer's loader does it: bars have no numbers, and the marks that other
spellings of kern put between the parts of a note are gone.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Item, Table
from ocr2.evaluate.folders import Folder, ids, is_there, lines_of, opened, sound, text_of
from ocr2.metrics.kern import Edits, counts, rates
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored

_log = logging.getLogger(__name__)
_LISTS = (
    "partitions_grandstaff/types/test.txt",
    "partitions_grandstaff/test.txt",
    "partitions/test.txt",
    "grandstaff_dataset/partitions/test.txt",
    "test.txt",
)
"""Where the list of the test set may be: the data has moved since it was first published."""
_DATA = "grandstaff_dataset"
_RATES = {"character_error": "CER % ↓", "symbol_error": "SER % ↓", "line_error": "LER % ↓"}


@dataclass(frozen=True)
class GrandStaff:
    """Its test set, as drawn or as if photographed."""

    camera: bool = False
    """Take the distorted images."""
    title: str = "GrandStaff: piano music as **kern (IJDAR 2023)"
    source: str = "https://grfia.dlsi.ua.es/musicdocs/grandstaff.tgz, with the licence that is told there"

    @property
    def task(self) -> str:
        """The name of its one task."""
        return "camera" if self.camera else "grandstaff"

    def items(self, folder: Path) -> list[Item]:
        """The items of the test set. As in the published loader, what is listed and isn't there is passed over.

        Raises BadInput where nothing is there.
        """
        at = Folder(folder, f"the folder {_DATA} and one of {', '.join(_LISTS)}", self.source).within("GrandStaff")
        listed = next((at.path / name for name in _LISTS if (at.path / name).is_file()), None)
        if listed is None:
            raise at.missing("list of the test set")
        found = list(self._found(at, listed))
        if not found:
            raise at.missing(f"file that {listed} names")
        names = ids(name for name, _, _ in found)
        prompt = Prompt(format=True)
        return [
            Item(name, opened(image), _truth(kern), "music", self.task, prompt)
            for name, (_, kern, image) in zip(names, found, strict=True)
        ]

    def _found(self, at: Folder, listed: Path) -> Iterator[tuple[str, Path, Path]]:
        """Name, kern and image of what is listed and there."""
        ending, lost = "_distorted.jpg" if self.camera else ".jpg", 0
        for line, where in lines_of(listed):
            path = PurePosixPath(line.strip())
            if path.is_absolute() or ".." in path.parts:
                raise BadInput(f"{where}: {line!r:.200} is no path in {at.path}")
            name = str(path.with_suffix("")).removeprefix(f"{_DATA}/")
            for root in (at.path, at.path / _DATA, listed.parent.parent):
                kern = next(
                    (each for each in (root / f"{name}.krn", root / f"{name}{path.suffix}") if is_there(each)), None
                )
                image = root / f"{name}{ending}"
                if kern and is_there(image):
                    yield name, kern, image
                    break
            else:
                lost += 1
        if lost:
            _log.warning("%d of the files that %s names aren't there, or have no %s: left out", lost, listed, ending)

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float]:
        """Error rates of characters, symbols and lines, with the edits and lengths that the corpus's are made of.

        A transcript is spelled as the truth is. Published: it is taken as it is, for the networks that were scored so
        spell no other way.
        """
        said = answer.text if mode == "published" else spelled(answer.text)
        found = counts(said, item.truth)
        scores = {name: edits.rate for name, edits in found.items()}
        for name, edits in found.items():
            scores |= {_edits(name): float(edits.edits), _length(name): float(edits.length)}
        return scores

    def worth(self, scores: dict[str, float]) -> float:
        """What is left of 1 after the symbol error rate."""
        return max(0.0, 1 - scores["symbol_error"])

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """CER, SER and LER of the whole test set, in per cent."""
        whole = rates(_counted(each) for each in scored)
        row = (name, *(100 * whole[measure] if measure in whole else None for measure in _RATES))
        told = ["All edits over all lengths: long systems weigh more, and it can be more than 100."]
        if mode == "published":
            told.append("Transcripts are compared as they are: numbers of bars in them are errors.")
        columns = ("Method", *_RATES.values())
        return [Table(self.title, columns, (row,), tuple(told), digits=1)]


GRANDSTAFF = GrandStaff()
CAMERA_GRANDSTAFF = GrandStaff(camera=True, title="Camera GrandStaff: the same as if photographed (IJDAR 2023)")


def spelled(kern: str) -> str:
    """Kern as Sheet Music Transformer's loader spells it: bars without numbers, notes without marks between parts."""
    plain = re.sub(r"(?<==)\d+", "", kern.strip("\n "))
    return re.sub(r"\*\*b?ekern(_1\.0)?", "**kern", plain).replace("·", "").replace("@", "")


def _truth(path: Path) -> str:
    return spelled(sound(text_of(path), str(path)))


def _edits(measure: str) -> str:
    return measure.replace("error", "edits")


def _length(measure: str) -> str:
    return measure.replace("error", "length")


def _counted(each: Scored) -> dict[str, Edits]:
    """The sample's edits; an empty transcript's, where it couldn't be scored."""
    scores = each.scores
    if not scores:
        return counts("", each.item.truth)
    return {measure: Edits(int(scores[_edits(measure)]), int(scores[_length(measure)])) for measure in _RATES}
