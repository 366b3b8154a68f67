r"""What stands in a line of Mathpix Markdown: letters, formulas, marks of footnotes, molecules.

    The **area** is \( \pi r^{2} \), as *others*[^1] have shown.

LaTeX's and Markdown's forms of the same thing are both read, and what isn't known is text. `written` has one for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class Text:
    """A run of letters."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False


@dataclass(frozen=True)
class Math:
    """A formula within a line."""

    latex: str


@dataclass(frozen=True)
class Mark:
    """Where a footnote is pointed at."""

    name: str


@dataclass(frozen=True)
class Molecule:
    """A structural formula within a line."""

    smiles: str


@dataclass(frozen=True)
class Break:
    """The end of a line."""


Span = Text | Math | Mark | Molecule | Break
Spans = tuple[Span, ...]

DEEPEST = 8
"""How often braces and stars stand in each other; what is deeper is text."""
LONGEST = 6000
"""Characters that stand in braces."""
_FORMULA = (
    r"(?<!\\)\\\((?P<round>(?:[^\\]|\\[^()])*+)\\\)"
    r"|(?<!\\)\\\[(?P<square>(?:[^\\]|\\[^][])*+)\\\]"
    r"|(?<!\\)\$\$(?P<double>(?:\\.|[^$\\])+?)\$\$"
    r"|(?<![\\$])\$(?![\s$])(?P<dollar>(?:\\.|[^$\\])+?)(?<!\s)\$(?![\d$])"
)
_INLINE = re.compile(
    _FORMULA + r"|(?<!\\)(?P<ticks>`{1,9})(?P<code>.+?)(?P=ticks)(?!`)"
    r"|<smiles>(?P<smiles>[^<]*)</smiles>"
    r"|\[\^(?P<mark>[^\]\s]{1,12})\]"
    r"|(?P<break>\n|\\\\(?:\[[^\]]*\])?[ \t]*\n?|<br\s*/?>[ \t]*\n?)"
    r"|\\(?P<command>textbf|textit|emph|textsl|texttt|textrm|textsf|textsc|textup|text|underline|mbox|url)(?=\{)"
    r"|\[(?P<link>[^][\n]+)\]\((?:[^)\s\]]|\](?!\())++\)"
    r"|\*\*\*(?=[^\s*])(?P<both>(?:(?!\s\*{3}[^\s*]).)+?)(?<=[^\s\\])\*\*\*(?!\*)"
    r"|\*\*(?=[^\s*])(?P<bold>(?:(?!\s\*\*[^\s*]).)+?)(?<=[^\s\\])\*\*(?!\*)"
    r"|(?<!\*)\*(?=[^\s*])(?P<italic>(?:\\.|[^*\\])*?(?<=[^\s]))\*(?!\*)"
    r"|\\(?P<sign>[!\"#$%&'*+,\-./:;<=>?@^_`{|}~])",
    re.DOTALL,
)
_COMMANDS = {"textbf": {"bold": True}, "textit": {"italic": True}, "emph": {"italic": True}, "textsl": {"italic": True}}
_COMMANDS |= {"texttt": {"code": True}}
_STRESSES: dict[str, dict[str, Any]] = {
    "link": {},
    "both": {"bold": True, "italic": True},
    "bold": {"bold": True},
    "italic": {"italic": True},
}
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_LOOSE = re.compile(r"(?<!\\)\\[()\[\]]")


def spans(text: str) -> Spans:
    """What stands in a text without blocks in it. Raises BadInput for a formula that doesn't end."""
    found = list(merged(_run(text.strip(), Text(""))))
    while found and isinstance(found[-1], Break):
        found.pop()
    while found and isinstance(found[0], Break):
        found.pop(0)
    return tuple(found)


def _run(text: str, style: Text, depth: int = 0) -> Iterator[Span]:
    place = 0
    if depth > DEEPEST:
        yield from _letters(text, style)
        return
    while found := _INLINE.search(text, place):
        yield from _letters(text[place : found.start()], style)
        place = found.end()
        latex = next(filter(None, found.group("round", "square", "double", "dollar")), "")
        if latex.strip():
            yield Math(" ".join(latex.split()))
        elif found["command"]:
            inner, end = braced(text, place)
            place = end or place
            more: dict[str, Any] = _COMMANDS.get(found["command"], {})
            yield from _run(inner, replace(style, **more), depth + 1) if end else [replace(style, text=found[0])]
        elif stressed := next((name for name in _STRESSES if found[name]), ""):
            yield from _run(found[stressed], replace(style, **_STRESSES[stressed]), depth + 1)
        else:
            yield from _thing(found, style)
    yield from _letters(text[place:], style)


def _thing(found: re.Match[str], style: Text) -> Iterator[Span]:
    """What has nothing within it that is to be read."""
    if found["code"]:
        yield replace(style, text=found["code"].strip("\n "), code=True)
    elif found["smiles"]:
        yield Molecule(found["smiles"].strip())
    elif found["mark"]:
        yield Mark(found["mark"])
    elif found["break"]:
        yield Break()
    elif found["sign"]:
        yield replace(style, text=found["sign"])


def _letters(text: str, style: Text) -> Iterator[Text]:
    if loose := _LOOSE.search(text):
        part = text[max(0, loose.start() - 10) : loose.start() + 30]
        raise BadInput(f"a formula without its other end, at {part!r}: expected \\( … \\) or \\[ … \\]")
    if text:
        yield replace(style, text=re.sub(r"\s+", " ", text))


def merged(some: Iterable[Span]) -> Iterator[Span]:
    """The spans, with letters of one style in one, and no space at line ends."""
    last: Span = Break()
    held: Text | None = None
    for span in some:
        if isinstance(span, Text):
            if held and held == replace(span, text=held.text):
                held = replace(held, text=held.text + span.text)
                continue
            if held:
                yield held
            held = replace(span, text=span.text.lstrip()) if isinstance(last, Break) and not held else span
        else:
            if held:
                text = held.text.rstrip() if isinstance(span, Break) else held.text
                if text:
                    yield replace(held, text=text)
            held = None
            yield span
        last = span
    if held and held.text:
        yield held


def braced(text: str, start: int) -> tuple[str, int]:
    """What stands in the braces that open there, and where it goes on behind them; 0 where they don't close soon."""
    end = _closings(text).get(start, 0)
    return (text[start + 1 : end], end + 1) if 0 < end - start < LONGEST else ("", 0)


@lru_cache(maxsize=2 * DEEPEST)
def _closings(text: str) -> dict[int, int]:
    """Where the braces close, by where they open."""
    opened: list[int] = []
    closings = {}
    for found in _BRACE.finditer(text):
        if found[0] == "{":
            opened.append(found.start())
        elif found[0] == "}" and opened:
            closings[opened.pop()] = found.start()
    return closings


def written(some: Spans) -> str:
    """The one spelling of a line. Raises BadInput for what has none: a backslash among the letters."""
    return "".join(map(_written, some))


def _written(span: Span) -> str:
    if isinstance(span, Math):
        return rf"\( {span.latex} \)"
    if isinstance(span, Mark):
        return f"[^{span.name}]"
    if isinstance(span, Molecule):
        return f"<smiles>{span.smiles}</smiles>"
    if isinstance(span, Break):
        return "\n"
    if span.code:
        return f"`{span.text}`"
    if "\\" in span.text or "[^" in span.text or "](" in span.text:
        raise BadInput(f"{span.text[:60]!r} can't be written as Markdown: expected text without \\, [^ and ](")
    text = re.sub(r"[*$`]", r"\\\g<0>", span.text)
    stars = "*" * (2 * span.bold + span.italic)
    inner = text.strip()
    if not stars or not inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{stars}{inner}{stars}{after}"


def letters(some: Spans) -> str:
    """The letters alone, to be asked what fonts they need."""
    return "".join(span.text for span in some if isinstance(span, Text))
