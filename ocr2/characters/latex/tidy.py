"""Nodes tidied, so that what looks the same is the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocr2.characters.latex import symbols
from ocr2.characters.latex.commands import MATRICES
from ocr2.characters.latex.nodes import Call, Fence, Middle, Scripts, Sign, Sized, Space, Styled, Table, Tag, Upright
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.characters.latex.nodes import Node, Row

WIDE, SEEN = 0.9, 0.24
"""Gaps, in em: what is a \\quad; what is a space beside words."""
_LOW = symbols.GREEK | symbols.ORDINARY | symbols.OPERATIONS | symbols.RELATIONS | symbols.CAPITAL_GREEK
_FENCED = {("(", ")"): "pmatrix", ("[", "]"): "bmatrix", ("\\{", "\\}"): "Bmatrix", ("|", "|"): "vmatrix"}
_FENCED |= {("\\|", "\\|"): "Vmatrix"}


def tidied(row: Row) -> Row:
    """A whole formula, with its number at the end. Raises BadInput where there are numbers within."""
    tags = [node for node in row if isinstance(node, Tag)]
    rest = _row(tuple(node for node in row if not isinstance(node, Tag)))
    if len(tags) > 1:
        raise BadInput("two numbers of one formula: expected one \\tag")
    if len(rest) == 1 and isinstance(rest[0], Table) and rest[0].name == "align" and tags:
        raise BadInput("numbers of lines and of all of them: expected either")
    return (*rest, *tags)


def _row(row: Row) -> Row:
    """Its nodes tidied, and those that aren't seen left out."""
    flat: list[Node] = []
    for node in _dotted(map(_whole, _paired(row))):
        flat += _opened(node)
    return tuple(_spaced(flat))


def _whole(node: Node) -> Node:
    """A node whose parts are tidied."""
    match node:
        case Call(name, args, option):
            return Call(name, tuple(_row(arg) for arg in args), _row(option) if option else None)
        case Scripts(base, sub, sup, limits):
            return Scripts(_whole(base) if base else None, _row(sub), _row(sup), limits)
        case Fence(left, inner, right):
            return Fence(left, _row(inner), right)
        case Table():
            return _table(node)
        case Tag():
            raise BadInput("the number of a formula within it: expected \\tag at its end")
        case _:
            return node


def _dotted(nodes: Iterator[Node]) -> Iterator[Node]:
    """The nodes, of which three full stops are \\ldots."""
    waiting = 0
    for node in nodes:
        if node == Sign("."):
            waiting += 1
            if waiting == 3:
                yield Sign("\\ldots")
                waiting = 0
            continue
        yield from (Sign("."),) * waiting
        waiting = 0
        yield node
    yield from (Sign("."),) * waiting


def _paired(nodes: Row) -> list[Node]:
    """The nodes, of which delimiters with sizes of their own are fences where they have a partner."""
    found: list[Node] = []
    for node in nodes:
        closing = node.base if isinstance(node, Scripts) else node
        start = _partner(found, closing) if isinstance(closing, Sized) else None
        if start is None:
            found.append(node)
            continue
        opening = found[start]
        assert isinstance(closing, Sized) and isinstance(opening, Sized)
        fence = Fence(opening.sign, tuple(found[start + 1 :]), closing.sign)
        found[start:] = [node._replace(base=fence) if isinstance(node, Scripts) else fence]
    return found


def _partner(found: list[Node], closing: Sized) -> int | None:
    """Where the delimiter is that this one closes; which side one is of that may be either, its command says."""
    closers = symbols.OPENERS.values()
    if closing.sign not in closers and (closing.side != "r" or closing.sign in symbols.OPENERS):
        return None
    for place in range(len(found) - 1, -1, -1):
        node = found[place]
        if isinstance(node, Sized):
            opens = node.sign in symbols.OPENERS or (node.side == "l" and node.sign not in closers)
            return place if opens else None
    return None


def _opened(node: Node) -> Row:
    """What a node comes to: that of an empty group is nothing, of one line no table."""
    match node:
        case Fence():
            return _fence(node)
        case Scripts(base, sub, sup, limits):
            if not sub and not sup:
                return _opened(base) if base else ()
            *before, last = (_opened(base) if base else ()) or (None,)
            if isinstance(last, Scripts):
                return (*before, last, Scripts(None, sub, sup))
            return (*before, Scripts(last, sub, sup, limits))
        case Call("\\mathop", (inner,)):
            return inner
        case Call("\\underset" | "\\overset", (script, inner)) if not script:
            return inner
        case Call("\\frac" | "\\binom" | "\\not"):
            return (node,)
        case Call(name, (inner,), option) if not inner and not option and name != "\\sqrt":
            return ()
        case Table():
            return _unlined(node)
        case _:
            return (node,)


def _fence(node: Fence) -> Row:
    """A fence that is high; delimiters and what they hold where it is flat; a matrix or cases where it holds one."""
    left, inner, right = node
    if left == right == ".":
        return inner
    if len(inner) == 1 and isinstance(inner[0], Table):
        table = inner[0]
        if table.name == "matrix" and (left, right) in _FENCED:
            return (table._replace(name=_FENCED[left, right]),)
        if table.name == "substack" and len(table.rows) == 2 and (left, right) == ("(", ")"):
            return (Call("\\binom", (table.rows[0][0], table.rows[1][0])),)
        lined = table.name == "array" and table.columns in ("l", "ll") and not any(table.rules)
        if (left, right) == ("\\{", ".") and lined:
            return (Table("cases", "", table.rows),)
    if "." not in (left, right) and all(_is_flat(part) for part in inner):
        plain = tuple(Sign(part.sign) if isinstance(part, Middle) else part for part in inner)
        return (Sign(left), *plain, Sign(right))
    return (node,)


def _is_flat(node: Node) -> bool:
    """Whether it is no higher than a letter."""
    match node:
        case Sign(name):
            return (
                name in _LOW or name in symbols.PLAIN or name[0] != "\\" or name in symbols.FUNCTIONS | symbols.ARROWS
            )
        case Space() | Upright() | Styled() | Middle():
            return True
        case Scripts(base, sub, sup):
            low = all(part == Sign("\\prime") for part in sup) and all(
                isinstance(part, (Sign, Upright)) for part in sub
            )
            return low and base is not None and _is_flat(base)
        case _:
            return False


def _table(node: Table) -> Table:
    """A table of tidied cells: no empty rows at its end, no empty cells at its rows' ends, numbers behind them."""
    rows, numbered = [], False
    for row in node.rows:
        tags = [part for cell in row for part in cell if isinstance(part, Tag)]
        cells = [_row(tuple(part for part in cell if not isinstance(part, Tag))) for cell in row]
        while len(cells) > 1 and not cells[-1]:
            cells.pop()
        cells[-1] = (*cells[-1], *tags[:1])
        numbered = numbered or bool(tags)
        rows.append(tuple(cells))
    rules = list(node.rules or ("",) * (len(rows) + 1))
    while len(rows) > 1 and rows[-1] == ((),):
        rows.pop()
        rules[-2:] = [rules[-2] + rules[-1]]
    name = _table_name(node, numbered, tuple(rows), any(rules))
    return Table(name, node.columns if name == "array" else "", tuple(rows), tuple(rules) if any(rules) else ())


def _table_name(node: Table, numbered: bool, rows: tuple[tuple[Row, ...], ...], ruled: bool) -> str:
    """What its environment is called. Raises BadInput for one that can't be as it is."""
    name, most = node.name, max(map(len, rows))
    if numbered and name not in ("aligned", "gathered"):
        raise BadInput(f"the number of a line in {name}: expected \\tag in lines that are a formula")
    if name == "array" and len(node.columns.replace("|", "")) < most:
        raise BadInput(f"rows of {most} cells in the columns {node.columns}")
    if ruled and name != "array":
        raise BadInput(f"rules in {name}: expected them in an array")
    if name in ("gathered", "substack", "cases") and most > 1 + (name == "cases"):
        raise BadInput(f"{most} columns in {name}")
    if name == "array" and not set(node.columns) - {"c"} and not ruled:
        return "matrix"
    return "align" if numbered else name


def _unlined(node: Table) -> Row:
    """A table; its one line, where that needs none."""
    if len(node.rows) > 1 or node.name in ("cases", *MATRICES[1:]) or node.rules:
        return (node,)
    cells = node.rows[0]
    if node.name in ("aligned", "gathered", "align", "substack") or (len(cells) == 1 and "|" not in node.columns):
        return tuple(part for cell in cells for part in cell)
    return (node,)


@dataclass
class _Words:
    """Upright letters that are gathered."""

    text: str = ""
    operator: bool = False
    led: bool = False
    """Whether there is a gap before them."""


def _spaced(nodes: list[Node] | Row) -> Iterator[Node]:
    """The nodes, with those gaps that are seen: wide ones, and those beside words; upright letters are words."""
    words: _Words | None = None
    gap, first = 0.0, True
    for node in nodes:
        if isinstance(node, Space):
            gap += node.em
            continue
        upright = _upright(node)
        if gap >= WIDE or (upright is None and words):
            if words:
                yield from _said(words, SEEN <= gap < WIDE)
                words = None
                gap = gap if gap >= WIDE else 0.0
            if gap >= WIDE and not first:
                yield Space(1.0)
                gap = 0.0
            elif gap >= WIDE:
                gap = 0.0
        first = False
        if upright is None:
            yield node
            gap = 0.0
            continue
        words = _added(words, upright, gap)
        gap = 0.0
        if isinstance(node, Scripts):
            *before, last = _said(words, False)
            words = None
            yield from before
            yield _with(last, node)
    if words:
        yield from _said(words, False)


def _upright(node: Node) -> Upright | None:
    """The upright letters of a node, or of what has scripts."""
    base = node.base if isinstance(node, Scripts) and not node.limits else node
    if isinstance(base, Sign) and base.font == "mathrm":
        return Upright(base.name)
    return base if isinstance(base, Upright) else None


def _added(words: _Words | None, more: Upright, gap: float) -> _Words:
    if words is None:
        return _Words(more.text, more.operator, gap >= SEEN)
    apart = gap >= SEEN or more.operator or words.operator
    return _Words(words.text + " " * apart + more.text, more.operator, words.led)


def _said(words: _Words, trailing: bool) -> Row:
    """The words: a function's name, letters, or a text with the gaps beside it."""
    text = words.text
    letters = re.fullmatch("[A-Za-z]+", text)
    if letters and f"\\{text}" in (symbols.FUNCTIONS | symbols.LIMITS) - {"\\bmod"}:
        return (Sign(f"\\{text}"),)
    if len(text.strip()) < 2 and text.isascii():
        return (Upright(text.strip()),)
    return (Upright(" " * (words.led and text[0] != " ") + text + " " * (trailing and text[-1] != " ")),)


def _with(last: Node, node: Scripts) -> Node:
    """The scripts on the words; a limit's stand beside upright letters, but below the limit."""
    if isinstance(last, Sign) and last.name in symbols.LIMITS:
        return Scripts(Upright(last.name[1:]), node.sub, node.sup)
    return node._replace(base=last)
