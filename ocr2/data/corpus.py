"""Running text to print: the paragraphs of a folder's text files, one a line, in English and Chinese.

    corpus = Corpus(["/data/texts"])
    corpus.paragraph(Random(7), "en")

Text is cleaned as it is read: composed characters (NFC), single spaces, ligatures spelled out; what no printed page
shows (control and zero-width characters, private ones, marks that stand alone) and scripts that no font here has are
left out, and so are lines that aren't running text at all (formulas, molecules, tables of numbers). One paragraph in
fifty, by its own digest, is held back for tests.
"""

from __future__ import annotations

import lzma
import re
import unicodedata
from collections import Counter
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

Language = Literal["en", "zh"]
NAMES: dict[Language, str] = {"en": "English", "zh": "Chinese"}
EXPECTED = "*.txt or *.txt.xz in UTF-8, a paragraph a line"
HAN = "\u3400-\u4dbf\u4e00-\u9fff"
LEAST = 8
"""Characters of the shortest paragraph that counts."""
LONGEST = 4000
"""Characters of the longest; the rest of it is left out."""
MOST_BYTES = 1 << 30
"""Of text, in all: a corpus is kept in memory."""
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
    """A paragraph, and the file it is from."""

    text: str
    file: str


class Corpus:
    """The paragraphs below some folders. Nothing is read before it is asked for, and then once in each process."""

    def __init__(self, folders: Sequence[str | Path], held: bool = False) -> None:
        """Those to train on, or those held back. Raises BadInput for a folder without text files."""
        self.folders = [str(folder) for folder in folders]
        self.held = held
        self.files: list[Path] = []
        for folder in folders:
            found = sorted(path for end in ("*.txt", "*.txt.xz") for path in Path(folder).rglob(end) if path.is_file())
            if not found:
                what = "has no text files" if Path(folder).is_dir() else "is not a folder"
                raise BadInput(f"{folder} {what}: expected one with {EXPECTED}")
            self.files += found
        if not self.files:
            raise BadInput(f"a corpus of no folders: expected folders with {EXPECTED}")

    def __getstate__(self) -> dict[str, object]:
        """Without the texts: the process that it goes to reads them by itself."""
        return {name: value for name, value in vars(self).items() if name not in ("_passages", "han", "rare")}

    @property
    def identity(self) -> str:
        """Of the same texts the same, in whatever folder they are: their files' names and sizes."""
        sizes = [(file.name, file.stat().st_size) for file in self.files]
        return blake2b(repr((sizes, self.held)).encode(), digest_size=8).hexdigest()

    @cached_property
    def _passages(self) -> dict[str, list[tuple[bytes, int]]]:
        """Of each language the paragraphs, in UTF-8, with the number of their file."""
        found: dict[str, list[tuple[bytes, int]]] = {"en": [], "zh": []}
        total = 0
        for number, file in enumerate(self.files):
            for text in paragraphs(file):
                data = text.encode()
                if is_held(data) != self.held:
                    continue
                total += len(data)
                if total > MOST_BYTES:
                    raise BadInput(
                        f"the texts of {', '.join(self.folders)} are more than {MOST_BYTES >> 30} GiB: give fewer"
                    )
                found[language(text)].append((data, number))
        return found

    def count(self, language: Language) -> int:
        """How many paragraphs there are. Raises BadInput as reading does."""
        return len(self._passages[language])

    def passages(self, language: Language) -> Iterator[Passage]:
        """All paragraphs in the order of their files. Raises BadInput as reading does."""
        for data, number in self._passages[language]:
            yield Passage(data.decode(), self.files[number].name)

    def passage(self, rng: Random, language: Language) -> Passage:
        """Any paragraph, and where it is from. Raises BadInput where there is none in that language."""
        some = self._passages[language]
        if not some:
            kept = " among those held back" if self.held else ""
            raise BadInput(
                f"no {NAMES[language]} paragraph{kept} in {', '.join(self.folders)}: expected {EXPECTED}, "
                f"{'most' if language == 'en' else 'some'} of them in {NAMES[language]}"
            )
        data, number = some[rng.randrange(len(some))]
        return Passage(data.decode(), self.files[number].name)

    def paragraph(self, rng: Random, language: Language) -> str:
        """Any paragraph. Raises BadInput where there is none in that language."""
        return self.passage(rng, language).text

    @cached_property
    def han(self) -> str:
        """Every Chinese character of the texts, and those of GB 2312, the most frequent first."""
        seen = Counter(char for data, _ in self._passages["zh"] for char in data.decode() if _HAN.match(char))
        for char in gb2312():
            seen[char] += 0
        return "".join(sorted(seen, key=lambda char: (-seen[char], char)))

    @cached_property
    def rare(self) -> str:
        """The Chinese characters but for the most frequent: what no decoder can guess."""
        return self.han[FREQUENT:]


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
    with _reading(file), lzma.open(file) if file.suffix == ".xz" else open(file, "rb") as lines:
        yield from _cleaned(lines)


def _cleaned(lines: IO[bytes]) -> Iterator[str]:
    for line in lines:
        text = clean(line.decode("utf-8-sig"))[:LONGEST].strip()
        if len(text) >= LEAST and runs(text):
            yield text


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not text in UTF-8 ({error.reason}): expected {EXPECTED}") from error
    except (lzma.LZMAError, EOFError) as error:
        raise BadInput(f"{file} is cut short or damaged ({error}): expected a whole .xz file; copy it again") from error
    except OSError as error:
        raise BadInput(f"{file} can't be read ({error.strerror}): make it readable") from error
