"""A line of LaTeX as spans of Mathpix Markdown."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ocr2.characters import latex
from ocr2.characters.document.blocks import Note
from ocr2.characters.document.spans import Mark, Math, Spans, Text, braced, merged, spans, written
from ocr2.data.texwords import (
    ACCENTS,
    AS_IS,
    CITES,
    REFERENCES,
    REFERS,
    SHOWN,
    SILENT,
    SILENT_WITH,
    STYLES,
    SWITCHES,
)

if TYPE_CHECKING:
    from collections import Counter

    from ocr2.data.macros import Macros

DEEPEST = 40
"""How often braces stand in each other."""
_TOKEN = re.compile(
    r"\\(?P<name>[A-Za-z]+)\*?[ \t]*\n?[ \t]*|\\(?P<sign>.)|(?P<math>\$)|(?P<open>\{)|(?P<close>\})"
    r"|(?P<space>[ \t\n~]+)|(?P<quote>``|''|`)|(?P<dash>-{2,3})|(?P<odd>[&#^_])|(?P<text>[^\\${}\s~`'\-&#^_]+|.)",
    re.DOTALL,
)
_LETTER = re.compile(r"\s*(?:\{\\?([A-Za-zı])\}|\\?([A-Za-z]))")
_QUOTES = {"``": "“", "''": "”", "`": "‘", "'": "’", "--": "–", "---": "—"}


class Odd(Exception):
    """What can't be shown, in a word."""


@dataclass
class Counted:
    """What a file's text has numbers for."""

    counts: Counter[str]
    """How many there were before: of sections, statements, formulas, …"""
    numbers: dict[str, str] = field(default_factory=dict)
    """Of what is referred to."""
    notes: list[Note] = field(default_factory=list)

    def number(self, kind: str, key: str) -> str:
        """Of a key, the same as before, or the next."""
        key = f"{kind} {key.strip()}"
        if key not in self.numbers:
            known = sum(each.startswith(kind) for each in self.numbers)
            self.numbers[key] = str(self.counts[kind] + known + 1)
        return self.numbers[key]


def line(tex: str, macros: Macros, counted: Counted) -> Spans:
    """What the text shows, as it is read again when it is written. Raises Odd for what can't be shown, and where that
    would be something else, BadInput for formulas.
    """
    text = written(_Line(macros.in_text(tex), macros, counted).spans())
    again = spans(text)
    if written(again) != text.strip():
        raise Odd("text that can't be written as Markdown")
    return again


class _Line:
    """A text on its way to be spans."""

    def __init__(self, tex: str, macros: Macros, counted: Counted) -> None:
        self.tex, self.macros, self.counted = tex.strip(), macros, counted
        self.place = self.depth = 0
        self.found: list[Text | Math | Mark] = []
        self.style = Text("")

    def spans(self) -> Spans:
        """What it shows. Raises Odd, BadInput."""
        self._group(False)
        return tuple(merged(self.found))

    def _group(self, closes: bool) -> None:
        """What stands to the end of the braces, or of the text, in a style that is over then."""
        style = self.style
        self.depth += 1
        if self.depth > DEEPEST:
            raise Odd("braces in too many others")
        while found := _TOKEN.match(self.tex, self.place):
            self.place = found.end()
            if found["close"]:
                if not closes:
                    raise Odd("braces that don't match")
                self.style = style
                self.depth -= 1
                return
            self._met(found)
        if closes:
            raise Odd("braces that don't match")

    def _met(self, found: re.Match[str]) -> None:
        if name := found["name"]:
            self._command(name)
        elif sign := found["sign"]:
            self._signed(sign)
        elif found["math"]:
            self._formula("$")
        elif found["open"]:
            self._group(True)
        elif found["odd"]:
            raise Odd(f"{found['odd']} in text")
        else:
            self._add(" " if found["space"] else _QUOTES.get(found[0], found[0]))

    def _add(self, text: str) -> None:
        self.found.append(replace(self.style, text=text))

    def _signed(self, sign: str) -> None:
        if sign == "(":
            self._formula("\\)")
        elif sign in SHOWN:
            self._add(SHOWN[sign])
        else:
            self._accented(sign)

    def _accented(self, sign: str) -> None:
        """The letter that follows, with an accent."""
        found = _LETTER.match(self.tex, self.place) if sign in ACCENTS else None
        if not found:
            raise Odd(f"\\{sign}")
        self.place = found.end()
        letter = found[1] or found[2]
        whole = unicodedata.normalize("NFC", letter.replace("ı", "i") + ACCENTS[sign])
        if len(whole) > 1:
            raise Odd(f"\\{sign}{letter}")
        self._add(whole)

    def _formula(self, closer: str) -> None:
        end = self.place
        while (end := self.tex.find(closer, end)) > 0 and self.tex[end - 1] == "\\" and closer == "$":
            end += 1
        if end < 0:
            raise Odd("a formula without an end")
        inner = self.tex[self.place : end]
        self.place = end + len(closer)
        if inner.strip():
            self.found.append(Math(latex.normal(self.macros.expanded(inner))))

    def _argument(self) -> str:
        """What stands in the braces that follow."""
        while self.tex[self.place : self.place + 1].isspace():
            self.place += 1
        inner, end = braced(self.tex, self.place)
        if not end:
            raise Odd("a command without braces")
        self.place = end
        return inner

    def _option(self) -> None:
        """Skips what stands in brackets."""
        while found := re.compile(r"\s*\[[^\]]*\]").match(self.tex, self.place):
            self.place = found.end()

    def _command(self, name: str) -> None:
        if name in SHOWN:
            self._add(SHOWN[name])
        elif name in SILENT:
            pass
        elif name in SWITCHES:
            self._style(SWITCHES[name])
        elif name in SILENT_WITH:
            for _ in range(SILENT_WITH[name]):
                self._option()
                self._argument()
        elif name in STYLES or name in AS_IS:
            self._styled(name)
        else:
            self._special(name)

    def _special(self, name: str) -> None:
        """Commands that are like no others."""
        if name == "footnote":
            self._noted()
        elif name == "verb":
            self._verbatim()
        elif name == "cmd":
            self.found.append(Text(f"\\{self._argument()}", code=True))
        elif name == "url":
            self._add(self._argument())
        elif name == "texorpdfstring":
            shown, _ = self._argument(), self._argument()
            self.tex, self.place = f"{{{shown}}}{self.tex[self.place :]}", 0
        elif name in CITES:
            self._option()
            numbers = sorted({int(self.counted.number("cite", key)) for key in self._argument().split(",")})
            self._add(f"[{', '.join(map(str, numbers))}]")
        elif name in REFERS:
            self._referred(name)
        else:
            self._accented(name)

    def _style(self, cut: str) -> None:
        style = self.style
        self.style = replace(
            style, bold=style.bold or "b" in cut, italic=style.italic or "i" in cut, code=style.code or "c" in cut
        )

    def _styled(self, name: str) -> None:
        if name == "href":
            self._argument()
        while self.tex[self.place : self.place + 1].isspace():
            self.place += 1
        if self.tex[self.place : self.place + 1] != "{":
            raise Odd("a command without braces")
        self.place += 1
        style = self.style
        self._style(STYLES.get(name, ""))
        if name == "enquote":
            self._add("“")
        self._group(True)
        self.style = style
        if name == "enquote":
            self._add("”")

    def _noted(self) -> None:
        self._option()
        inner = self._argument()
        if "\\footnote" in inner:
            raise Odd("a footnote in another")
        self.counted.counts["note"] += 1
        mark = str(self.counted.counts["note"])
        self.counted.notes.append(Note(mark, line(inner, self.macros, self.counted)))
        self.found.append(Mark(mark))

    def _verbatim(self) -> None:
        found = re.compile(r"(\S)([^\n]*?)\1").match(self.tex, self.place)
        if not found or "`" in found[2] or not found[2].strip():
            raise Odd("\\verb")
        self.place = found.end()
        self.found.append(Text(found[2].strip(), code=True))

    def _referred(self, name: str) -> None:
        """A reference, as a number."""
        key = self._argument().split(",")[0].strip()
        number = self.counted.number("statement", key)
        form = next((form for start, form in REFERENCES if key.lower().startswith(start)), "Section {}")
        self._add(f"({number})" if name == "eqref" else number if name == "ref" else form.format(number))
