"""What a benchmark is: items to read, a score for each answer, and tables of them beside what was published.

for item in FOX.items(Path("Fox_benchmark_data")):
    answer = Answer(reader.answer(item.pages(), item.prompt).text)
    print(item.id, FOX.score(item, answer, "corrected"))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ocr2.types import Line, Page, Stop

Mode = Literal["corrected", "published"]
"""Whether to count as the published script does, faults included, or as its paper means it."""


@dataclass(frozen=True)
class Item:
    """One question with its right answer."""

    id: str
    """Unlike any other of its benchmark; what files of predictions are named by."""
    pages: Callable[[], Sequence[Page]]
    """The pages that it is about, opened when they are asked for. Raises BadInput."""
    truth: str
    """What stands there: what a report shows beside the answer."""
    kind: str = "text"
    """The kind of character that it is, by its name in CHARACTERS."""
    task: str = ""
    """The part of the benchmark that it belongs to."""
    prompt: Prompt = field(default_factory=Prompt)
    language: str = ""
    """ "en", "zh", or "" where there is none."""
    more: Any = None
    """What its benchmark needs beside the truth to score it."""


@dataclass(frozen=True)
class Answer:
    """What a reader said."""

    text: str = ""
    lines: tuple[Line, ...] = ()
    """The lines with their places, where the reader knows them."""
    seconds: float = 0.0
    """How long it took, on the wall clock; of pages read together, each has its share."""
    error: str = ""
    """Why there is no text; "" where there is."""
    cpu: float = 0.0
    """Processor seconds, of all threads together and of programs that the reader runs; shared likewise."""
    stop: Stop = "eos"
    """Why the reader stopped."""


@dataclass(frozen=True)
class Scored:
    """An answer with what it is worth."""

    item: Item
    answer: Answer
    scores: dict[str, float] | None
    """By the measure's name; {} where the measure failed, None where the sample doesn't count."""
    error: str = ""
    """Why it lost all it could: the reader's error, or the score's; "" where it was read and scored."""


Cell = str | float | None
"""None is printed as a dash."""


@dataclass(frozen=True)
class Table:
    """Results beside published ones, laid out as in the paper."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """As many cells each as there are columns; the first one names the row."""
    notes: tuple[str, ...] = ()
    """Footnotes: the rules that change a number."""
    digits: int = 3
    """Of fractions."""


class Benchmark(Protocol):
    """A set of items, and how its authors score them. Instances are in BENCHMARKS, by name."""

    @property
    def title(self) -> str:
        """What it is, in a line, with the paper that it is from."""

    @property
    def source(self) -> str:
        """Where users get it, and the licence; "" where it is made on demand."""

    def items(self, folder: Path) -> Iterable[Item]:
        """Its items, from a folder in the published layout. Raises BadInput that names the file that is missing."""

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """How good an answer is, by each measure of what the sample has; None where it doesn't count, as the published
        script leaves it out, or there is nothing to read.
        """

    def worth(self, scores: dict[str, float]) -> float:
        """One figure of a sample's scores, 0 (all is lost) to 1 (all is right): what a report sorts by."""

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """The paper's tables with the column, or row, of the reader `name` beside what was published."""
