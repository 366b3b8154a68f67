"""LaTeX read: a formula's source as nodes, with what isn't seen in it left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters.latex import symbols
from ocr2.characters.latex.commands import COMMANDS, based
from ocr2.characters.latex.nodes import Call, Row, Sign, Space, Styled, Table, Tag, Upright
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.characters.latex.nodes import Node

LONGEST = 6000
"""Characters of a formula."""
DEEPEST = 40
"""Groups in groups."""
_TOKEN = re.compile(r"\\[A-Za-z]+|\\[\s\S]|\S")
_ENDS = ("", "}", "&", "\\\\", "\\cr", "\\end", "\\right")
_CUTS = {"bf": "mathbf", "it": "", "tt": "mathtt", "sf": "mathsf"}
_FRAKTUR = {"I": "\\Im", "R": "\\Re"}
"""Letters that are signs of their own."""
_INFIX = {"\\over": "\\frac", "\\choose": "\\binom", "\\atop": "\\substack"}


class Reader:
    """Makes nodes of LaTeX."""

    def __init__(self, source: str) -> None:
        """Of that source, without delimiters."""
        if len(source) > LONGEST:
            raise BadInput(f"a formula of {len(source)} characters: expected up to {LONGEST}")
        self.source = re.sub(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?", r"\1", source)
        self.place = 0
        self.depth = 0
        self.font = ""

    def wrong(self, what: str) -> BadInput:
        """An error, and where it is."""
        return BadInput(f"{what} in the formula near {self.source[max(0, self.place - 30) : self.place + 10]!r}")

    def formula(self) -> Row:
        """All of it: a row, or lines where there are some."""
        rows, rules = self.rows("")
        if len(rows) > 1 or len(rows[0]) > 1:
            return (Table("aligned" if max(map(len, rows)) > 1 else "gathered", "", rows, rules),)
        return rows[0][0]

    def peek(self) -> str:
        """The next sign or command; "" at the end."""
        found = _TOKEN.search(self.source, self.place)
        return "\\ " if found and found[0][1:].isspace() else found[0] if found else ""

    def take(self) -> str:
        """The next sign or command, which is then past."""
        found = _TOKEN.search(self.source, self.place)
        mark = self.peek()
        self.place = found.end() if found else len(self.source)
        return mark

    def row(self, end: str = "") -> Row:
        """Nodes up to where a row ends, in the font that it begins in."""
        font = self.font
        nodes: list[Node] = []
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} groups in groups")
        while (mark := self.peek()) not in _ENDS and mark != end:
            if mark in _INFIX:
                self.take()
                below = self.row(end)
                nodes = [_fraction(_INFIX[mark], tuple(nodes), below)]
            elif mark in ("\\eqno", "\\leqno"):
                self.take()
                start = self.place
                self.row(end)
                nodes.append(self.tag(self.source[start : self.place]))
            else:
                nodes += self.scripted()
        self.depth -= 1
        self.font = font
        return tuple(nodes)

    def group(self) -> Row:
        """What is between braces."""
        if self.take() != "{":
            raise self.wrong("no {")
        row = self.row()
        if self.take() != "}":
            raise self.wrong("a { without its }")
        return row

    def argument(self, font: str | None = None) -> Row:
        """A group, or the next thing."""
        kept = self.font
        if font is not None:
            self.font = _mixed(kept, font)
        if self.peek() == "{":
            row = self.group()
        elif self.peek() in _ENDS or self.peek() in "^_'":
            raise self.wrong("a command without what it applies to")
        else:
            row = self.atom(self.take())  # which may be a font that holds from here on
        if font is not None:
            self.font = kept
        return row

    def raw(self, opened: str = "{", closed: str = "}") -> str:
        """What is between braces, as it is written."""
        if self.peek() != opened:
            raise self.wrong(f"no {opened}")
        self.take()
        start, deep = self.place, 0
        while (mark := self.take()) != closed or deep:
            deep += (mark == "{") - (mark == "}")
            if not mark or deep < 0:
                raise self.wrong(f"a {opened} without its {closed}")
        return self.source[start : self.place - 1]

    def option(self) -> Row | None:
        """What is between brackets, where there are some."""
        if self.peek() != "[":
            return None
        self.take()
        row = self.row("]")
        if self.take() != "]":
            raise self.wrong("a [ without its ]")
        return row

    def scripted(self) -> Row:
        """The next thing with its scripts."""
        grouped = self.peek() == "{"
        nodes = () if self.peek() in ("^", "_", "'", "\\sp", "\\sb") else self.argument()
        sub: Row = ()
        sup: Row = ()
        limits, seen = "", set()
        while (mark := self.peek()) in (
            "^",
            "_",
            "'",
            "’",
            "\\sp",
            "\\sb",
            "\\limits",
            "\\nolimits",
            "\\displaylimits",
        ):
            self.take()
            if mark in ("'", "’"):
                sup += (Sign("\\prime"),)
            elif mark in ("\\limits", "\\nolimits", "\\displaylimits"):
                limits = mark if mark != "\\displaylimits" else ""
            else:
                which = "^" if mark in ("^", "\\sp") else "_"
                if which in seen:
                    raise self.wrong(f"two {which} of one base")
                seen.add(which)
                row = self.argument()
                sub, sup = (sub, sup + row) if which == "^" else (sub + row, sup)
        if not sub and not sup:
            return nodes
        return based(nodes, grouped, sub, sup, limits)

    def atom(self, mark: str) -> Row:
        """What a sign or command begins, without its scripts."""
        if mark == "{":
            self.place -= 1
            return self.group()
        name = mark[1:]
        if mark in symbols.SPACES:
            return (Space(symbols.SPACES[mark]),)
        if mark in symbols.UNSEEN:
            return ()
        if mark[0] == "\\" and name in symbols.FONTS:
            return self.fonted(name)
        if mark in COMMANDS:
            return COMMANDS[mark](self)
        if mark[0] == "\\" and name in symbols.TEXTS:
            return self.words(self.raw(), symbols.TEXTS[name])
        if mark in symbols.OVER:
            return (Call(mark, (self.argument(),)),)
        return self.sign(mark)

    def sign(self, mark: str) -> Row:
        """A letter, mark or named sign."""
        mark = symbols.UNICODE.get(mark, mark)
        mark = symbols.SAME.get(mark, mark)
        if mark in symbols.SIGNS or mark in symbols.PLAIN or mark in symbols.ESCAPED:
            return (_sign(mark, self.font),)
        if mark.isascii() and mark.isalpha():
            return (_sign(mark, self.font),)
        if _is_han(mark):
            return (Upright(mark),)
        raise self.wrong(f"{mark} is nothing known")

    def fonted(self, name: str) -> Row:
        """A font and what is in it; a switch holds to the end of its group."""
        if name in symbols.SWITCHES and self.peek() != "{":
            self.font = _mixed(self.font, symbols.FONTS[name])
            return ()
        if name in symbols.SWITCHES and name not in ("frak", "Bbb"):  # the font goes on behind the group
            self.font = _mixed(self.font, symbols.FONTS[name])
            return ()
        return self.argument(symbols.FONTS[name])

    def words(self, text: str, cut: str) -> Row:
        """Words, which may have formulas in them."""
        pieces = re.split(r"(?<!\\)\$", text)
        if len(pieces) % 2 == 0:
            raise self.wrong("a $ without its other")
        found: list[Node] = []
        for number, piece in enumerate(pieces):
            if number % 2:
                inner = Reader(piece)
                inner.depth = self.depth + 1
                found += inner.formula()
            else:
                found += self.lettered(piece, cut)
        return tuple(found)

    def lettered(self, text: str, cut: str) -> Row:
        """Words by themselves."""
        text = re.sub(r"\\(?:tiny|scriptsize|footnotesize|small|normalsize|large|rm|it|,|/)(?![A-Za-z])|[{}]", "", text)
        parts = text.split()
        if len(parts) > 1 and all(len(part) == 1 or part in symbols.ESCAPED for part in parts):
            text = "".join(parts)  # as corpora have it, sign by sign
        text = re.sub(r"(?:\s|~|\\[ ;:])+", " ", text).replace("\\quad", " ")
        found: list[Node] = []
        for piece in re.findall(r"\\[%#&$_{}]| |[^\\ ]+(?: [^\\ ]+)*|.", text):
            if piece == " ":
                found.append(Space(0.333))
            elif piece in symbols.ESCAPED:
                found.append(Sign(piece))
            elif re.search(r"[\\^_#&%$]", piece) or not all(char.isascii() or _is_han(char) for char in piece):
                raise self.wrong(f"words that aren't plain, {piece[:20]!r},")
            else:
                found += separated(piece, cut)
        return tuple(found)

    def tag(self, text: str) -> Tag:
        """The number of a formula."""
        text = re.sub(r"\\(?:rm|mathrm|hbox|mbox|text)(?![A-Za-z])|[\s{}~$]", "", text)
        text = text[1:-1] if text[:1] + text[-1:] == "()" else text
        if not re.fullmatch(r"[A-Za-z0-9.*'-]+", text):
            raise self.wrong(f"the number {text[:20]!r}, which is none,")
        return Tag(text)

    def delimiter(self) -> str:
        """What stands behind a \\left or \\big."""
        mark = self.take()
        if mark == "{":
            mark = self.take()
            if self.take() != "}":
                raise self.wrong("no delimiter")
        mark = symbols.SAME.get(mark, mark)
        mark = {"<": "\\langle", ">": "\\rangle"}.get(mark, mark)
        if mark not in symbols.DELIMITERS and mark != ".":
            raise self.wrong(f"{mark or 'nothing'} as a delimiter")
        return mark

    def rows(self, name: str) -> tuple[tuple[tuple[Row, ...], ...], tuple[str, ...]]:
        """The cells of an environment, with the rules above each row and below the last; its end is past then."""
        rows: list[tuple[Row, ...]] = []
        cells: list[Row] = []
        rules, rule = [], ""
        while True:
            while self.peek() in ("\\hline", "\\hdashline") and not cells:
                rule += self.take()
            cells.append(self.row())
            mark = self.take()
            if mark == "&":
                continue
            rows.append(tuple(cells))
            rules.append(rule)
            cells, rule = [], ""
            if mark in ("\\\\", "\\cr"):
                if self.source[self.place : self.place + 1] == "*":
                    self.place += 1
                if re.match(r"\s*\[\s*-?[\d.]+\s*[a-z]+\s*\]", self.source[self.place :]):
                    self.raw("[", "]")
            elif mark == name or (mark == "\\end" and name and self.raw().replace(" ", "") == name):
                break
            else:
                raise self.wrong(f"{mark or 'the end'} where {name or 'another sign'} was to end")
        return tuple(rows), (*rules, "")


def _fraction(name: str, above: Row, below: Row) -> Node:
    if name == "\\substack":
        return Table("substack", "", ((above,), (below,)))
    return Call(name, (above, below))


def _sign(name: str, font: str) -> Sign:
    """The sign in the font, where it looks otherwise in it."""
    bold, _, other = font.rpartition(" ")
    if font == "mathfrak" and name in _FRAKTUR:
        return Sign(_FRAKTUR[name])
    if other and symbols.HAVE[other].fullmatch(name):
        return Sign(name, font)
    if "boldsymbol" not in (bold, other):
        return Sign(name)
    if name.isdigit() or name in symbols.CAPITAL_GREEK:
        return Sign(name, "mathbf")
    slanted = name.isalpha() or name in (symbols.GREEK | symbols.ORDINARY) - {"\\varkappa"}
    return Sign(name, "boldsymbol" if slanted else "")


def _mixed(outer: str, inner: str) -> str:
    """The font of what stands in one font within another."""
    if not outer.startswith("boldsymbol") or inner == "boldsymbol":
        return inner
    if inner == "":
        return outer.split()[0]
    return "mathbf" if inner in ("mathrm", "mathbf") else f"boldsymbol {inner}"


def _is_han(text: str) -> bool:
    return bool(re.fullmatch("[\u3400-\u9fff\u3000-\u303f\uff01-\uff5e“”‘’—…]+", text))


def separated(text: str, cut: str) -> Row:
    """Words without the marks at their ends, which look the same in a formula; of a bold or other cut."""
    found = re.fullmatch(r"([.,:;!?]*)(.*?)([.,:;!?]*)", text)
    assert found
    before, words, after = found.groups()
    middle: tuple[Node, ...]
    if not re.search(r"[A-Za-z\u3400-\u9fff]", words):
        middle = tuple(_marks(words, cut))
    elif cut and words.isascii():
        plain = words.isalpha()
        middle = tuple(Sign(char, _CUTS[cut]) for char in words) if plain else (Styled(words, f"text{cut}"),)
    else:
        middle = (Upright(words),)
    return (*map(Sign, before), *middle, *map(Sign, after))


def _marks(words: str, cut: str) -> Iterator[Node]:
    """Digits and marks."""
    for char in words:
        if char == " ":
            yield Space(0.333)
        elif char in symbols.PLAIN or _is_han(char):
            yield Sign(char, "mathbf" if cut == "bf" and char.isdigit() else "") if char.isascii() else Upright(char)
        else:
            raise BadInput(f"{char} in the words of a formula: expected letters")
