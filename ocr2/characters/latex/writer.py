"""Nodes written as LaTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from ocr2.characters.latex.nodes import (
    Call,
    Fence,
    Middle,
    Scripts,
    Sign,
    Sized,
    Space,
    Styled,
    Table,
    Tag,
    Upright,
)

if TYPE_CHECKING:
    from ocr2.characters.latex.nodes import Node, Row


def written(row: Row) -> str:
    """The row, with a space only where a letter would become part of a command."""
    parts: list[str] = []
    place = 0
    while place < len(row):
        node = row[place]
        place += 1
        if isinstance(node, Sign) and node.font:
            run = [node.name]
            while place < len(row) and _font(row[place]) == node.font:
                follower = row[place]
                place += 1
                if isinstance(follower, Scripts):
                    assert isinstance(follower.base, Sign)
                    parts.append(_fonted([*run, follower.base.name], node.font) + _scripts(follower))
                    break
                assert isinstance(follower, Sign)
                run.append(follower.name)
            else:
                parts.append(_fonted(run, node.font))
        else:
            parts.append(_node(node))
    return joined(parts)


def joined(parts: list[str]) -> str:
    """The parts behind each other."""
    text = ""
    for part in parts:
        text += " " * bool(part[:1].isalpha() and re.search(r"\\[A-Za-z]+$", text)) + part
    return text


def _font(node: Node) -> str:
    """The font of a sign, or of one that has scripts."""
    base = node.base if isinstance(node, Scripts) and not node.limits else node
    return base.font if isinstance(base, Sign) else ""


def _fonted(names: list[str], font: str) -> str:
    text = joined(names)
    for name in reversed(font.split()):
        text = f"\\{name}{{{text}}}"
    return text


def _scripts(node: Scripts) -> str:
    sub = f"_{{{written(node.sub)}}}" if node.sub else ""
    sup = f"^{{{written(node.sup)}}}" if node.sup else ""
    return node.limits + sub + sup


def _node(node: Node) -> str:
    match node:
        case Scripts(base):
            return ("{}" if base is None else _node(base)) + _scripts(node)
        case Call(name, args, option):
            inner = "".join(f"{{{written(arg)}}}" for arg in args)
            return name + ("" if option is None else _bracketed(written(option))) + inner
        case Fence(left, held, right):
            return joined([joined([f"\\left{left}", written(held)]), f"\\right{right}"])
        case Table():
            return _table(node)
        case _:
            return _leaf(node)


def _leaf(node: Sign | Space | Upright | Styled | Middle | Sized | Tag) -> str:
    match node:
        case Sign(name, font):
            return _fonted([name], font) if font else name
        case Upright(text):
            return f"\\mathrm{{{text}}}" if re.fullmatch("[A-Za-z]+", text) else f"\\text{{{text}}}"
        case Styled(text, command):
            return f"\\{command}{{{text}}}"
        case Middle(sign):
            return f"\\middle{sign}"
        case Sized(size, _, sign):
            return f"\\{size}{sign}"
        case Tag(text):
            return f"\\tag{{{text}}}"
        case Space():
            return "\\quad"
        case _:
            assert_never(node)


def _bracketed(text: str) -> str:
    return f"[{{{text}}}]" if "]" in text else f"[{text}]"


def _table(node: Table) -> str:
    r"""An environment; a cell that begins with a bracket or star is none of the \\ before it."""
    rows = ["&".join(_cell(cell) for cell in row) for row in node.rows]
    if node.name == "substack":
        return "\\substack{" + "\\\\".join(rows) + "}"
    rules = node.rules or ("",) * (len(rows) + 1)
    lines = [joined([rule, row]) for rule, row in zip(rules, rows, strict=False)]
    last = f"\\\\{rules[-1]}" if rules[-1] else ""
    columns = f"{{{node.columns}}}" if node.columns else ""
    return f"\\begin{{{node.name}}}{columns}" + "\\\\".join(lines) + last + f"\\end{{{node.name}}}"


def _cell(row: Row) -> str:
    text = written(row)
    return f"{{{text[0]}}}{text[1:]}" if text[:1] in ("[", "*") else text
