"""GOT's own sets: scene text, and formatted pages with sheet music and geometry (arXiv 2409.01704, §4.2.2 to 4.2.5).

They come beside GOT's weights, each as JSON files of questions and answers and a folder of images, whose names aren't
told anywhere: every JSON file of conversations in the folder is read, and the images are looked for beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ocr2.characters import kind_of
from ocr2.evaluate import published
from ocr2.evaluate.benchmark import Item
from ocr2.evaluate.folders import Folder, entries, ids, is_there, opened, picture, sound
from ocr2.evaluate.fox import conversation
from ocr2.evaluate.published import means, notes
from ocr2.files import natural
from ocr2.metrics import formatted
from ocr2.metrics.words import suite
from ocr2.types import MOST_TILES, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored, Table
    from ocr2.evaluate.folders import Entry

_SOURCE = "the folder of benchmarks beside the weights that https://github.com/Ucas-HaoranWei/GOT-OCR2.0 links to"
_EXPECTED = 'JSON files of [{"image", "conversations"}, …], and the images'
_LANGUAGES = re.compile(r"(?<![a-z])(?:(en|english)|(cn|zh|ch|chinese))(?![a-z])", re.IGNORECASE)
_CHINESE = re.compile("[\u4e00-\u9fa5]")


@dataclass(frozen=True)
class Scene:
    """Signs, labels and shops in photos, counted by characters."""

    title: str = "GOT's scene text (arXiv 2409.01704, table 2)"
    source: str = _SOURCE

    def items(self, folder: Path) -> list[Item]:
        """Its items: English or Chinese by the name of the file, or else by the text. Raises BadInput."""
        found = []
        for file, entry, name, path in _conversations(Folder(folder, _EXPECTED, self.source)):
            truth = conversation(entry)[1]
            told = _LANGUAGES.search(file.stem)
            chinese = bool(told[2]) if told else bool(_CHINESE.search(truth))
            language = "zh" if chinese else "en"
            found.append(Item(name, opened(path), truth, task=f"scene-{language}", language=language))
        return found

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """GOT's measures, of characters. Published: precision and recall are changed over; None of an empty text."""
        return suite(answer.text, item.truth, tokens="characters", published=mode == "published")

    def worth(self, scores: dict[str, float]) -> float:
        """What is left of 1 after the edit distance."""
        return 1 - scores["edit_distance"]

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """GOT's table 2."""
        told = f"The paper's numbers are of 400 pictures, half of them Chinese; these are of {len(scored):,}."
        return [published.SCENE.beside(name, means(scored), [told, *notes(scored, mode)])]


@dataclass(frozen=True)
class Formatted:
    """Pages in Markdown with LaTeX, corrected from Mathpix's; and music and geometry, where the folder has them."""

    tiles: int = 0
    """Ask for pages in so many tiles; 0 is one view."""
    title: str = "GOT's formatted pages (arXiv 2409.01704, table 3)"
    source: str = _SOURCE

    def items(self, folder: Path) -> list[Item]:
        """Its items, each of the kind that its truth is. Raises BadInput."""
        found = []
        for _, entry, name, path in _conversations(Folder(folder, _EXPECTED, self.source)):
            truth = conversation(entry)[1]
            kind = kind_of(truth)
            task = kind if kind in ("music", "geometry") else "pages"
            prompt = Prompt(format=True, tiles=self.tiles if task == "pages" else 0)
            language = "zh" if _CHINESE.search(truth) else "en"
            found.append(Item(name, opened(path), truth, kind, task, prompt, language))
        return found

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """GOT's measures, of words: of a page, and of its formulas and tables ("formula_f1"), as `formatted.suite` has
        them, which tells what published is; of music and geometry, of the source.
        """
        count = formatted.suite if item.task == "pages" else suite
        return count(answer.text, item.truth, published=mode == "published")

    def worth(self, scores: dict[str, float]) -> float:
        """What is left of 1 after the edit distance of the whole page."""
        return 1 - scores["edit_distance"]

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """GOT's table 3, and text without formulas and tables, which it doesn't have."""
        found = means(scored)
        parts = {"text": "", "formula": "formula_", "table": "table_", "prose": "text_"}

        def reached(task: str, measure: str) -> float | None:
            return found("pages", f"{parts[task]}{measure}") if task in parts else found(task, measure)

        told = ["Formulas and tables are of the pages that have any; the paper's, of those where both sides have any."]
        return [
            published.FORMATTED.beside(name, reached, [*(told if mode == "corrected" else []), *notes(scored, mode)])
        ]


SCENE = Scene()
FORMATTED = Formatted()
FORMATTED_TILES = Formatted(MOST_TILES, "GOT's formatted pages, in tiles (arXiv 2409.01704, table 3)")


def _conversations(at: Folder) -> Iterator[tuple[Path, Entry, str, Path]]:
    """Each entry of the folder's conversations with its file, id and image. Raises BadInput."""
    files = sorted(at.path.glob("*.json"), key=lambda path: natural(path.name))
    asked = [(path, entry) for path in files for entry in entries(path) if "conversations" in entry.fields]
    if not asked:
        raise at.missing("JSON file of conversations")
    firsts = dict(reversed(asked))
    roots = {path: _root(at, path, entry) for path, entry in firsts.items()}
    names = ids(f"{path.stem}-{PurePosixPath(entry.text('image')).stem}" for path, entry in asked)
    for (path, entry), name in zip(asked, names, strict=True):
        yield path, entry, name, picture(roots[path], entry.value("image"), entry.where)


def _root(at: Folder, path: Path, first: Entry) -> Path:
    """The folder of a file's images: its own, or one in it that has the first of them."""
    name = sound(first.value("image"), f"{first.where}, 'image'")
    below = sorted((each for each in at.path.iterdir() if each.is_dir()), key=lambda each: each.name != path.stem)
    for root in (at.path, *below):
        if is_there(root / name):
            return root
    raise at.missing(f"image {name}, which {path.name} names, nor has a folder in it")
