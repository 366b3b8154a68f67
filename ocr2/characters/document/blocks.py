"""What a page is made of: its blocks, in the order in which they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ocr2.characters.document.spans import Spans


@dataclass(frozen=True)
class Heading:
    """A title or a heading."""

    spans: Spans
    level: int
    """0 the title of the page, 1 a section, 2 a subsection, …, 6."""


@dataclass(frozen=True)
class Author:
    """Who wrote it, and whatever else stands below the title."""

    spans: Spans


@dataclass(frozen=True)
class Abstract:
    """The paragraphs of an abstract; the word itself is not among them."""

    paragraphs: tuple[Spans, ...]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    spans: Spans


@dataclass(frozen=True)
class Display:
    r"""A formula in a line of its own: LaTeX without what stands around it, but with its \tag."""

    latex: str


@dataclass(frozen=True)
class Item:
    """An item of a list."""

    marker: str
    """As printed, "1." or "(a)"; "-" for any bullet."""
    spans: Spans
    level: int = 0
    """1 in a list within a list."""


@dataclass(frozen=True)
class List:
    """Items, and those of the lists within."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Table:
    """A table, as LaTeX, HTML or Markdown."""

    source: str


@dataclass(frozen=True)
class Code:
    """Lines to be shown as they are."""

    text: str


@dataclass(frozen=True)
class Note:
    """A footnote; its name is "" where it has none."""

    name: str
    spans: Spans


@dataclass(frozen=True)
class Rule:
    """A line across the page."""


Block: TypeAlias = Heading | Author | Abstract | Paragraph | Display | List | Table | Code | Note | Rule
