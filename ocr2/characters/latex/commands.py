"""What each command of LaTeX makes of what follows it, and how scripts are set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters.latex import symbols
from ocr2.characters.latex.nodes import Call, Fence, Middle, Row, Scripts, Sign, Sized, Space, Table, Tag, Upright

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocr2.characters.latex.reader import Reader

MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix")
_ALIGNED = ("align", "eqnarray", "aligned", "split", "flalign", "alignat", "alignedat")
_GATHERED = ("gather", "gathered", "multline")
_WHOLE = ("equation", "displaymath", "math")
_UNIT = {"em": 1.0, "ex": 0.43, "pt": 0.1, "mm": 0.285, "cm": 2.85, "in": 7.2, "mu": 1 / 18, "pc": 1.2, "px": 0.075}


def based(nodes: Row, grouped: bool, sub: Row, sup: Row, limits: str) -> Row:
    """The nodes, with the scripts on the last of them; on nothing, after a group that ends in scripts."""
    if not nodes or isinstance(nodes[-1], (Scripts, Space, Tag)):
        return (*nodes, Scripts(None, sub, sup))
    *before, base = nodes
    name = base.name if isinstance(base, Sign) else ""
    if isinstance(base, Call) and base.name == "\\mathop":
        return (*before, _stacked(base.args[0], sub, sup))
    if name in symbols.SUMS | symbols.LIMITS:
        limits = "\\nolimits" if grouped and len(nodes) == 1 and not limits else limits.replace("\\limits", "")
    elif name in symbols.INTEGRALS:
        limits = limits.replace("\\nolimits", "")
    elif limits == "\\limits" and not isinstance(base, Call):
        return (*before, _stacked((base,), sub, sup))
    else:
        limits = ""
    return (*before, Scripts(base, sub, sup, limits))


def _stacked(base: Row, sub: Row, sup: Row) -> Call:
    """The base with something right below or above it."""
    if sub:
        base = (Call("\\underset", (sub, base)),)
    if sup:
        base = (Call("\\overset", (sup, base)),)
    call = base[0]
    assert isinstance(call, Call)
    return call


def _set(reader: Reader, name: str) -> Row:
    """Something over or under something else, which are scripts of what has them there anyway."""
    script = reader.argument()
    base = reader.argument()
    if not script:
        return base
    below = name == "\\underset"
    if len(base) == 1:
        only = base[0]
        known = symbols.SUMS | symbols.LIMITS
        if isinstance(only, Sign) and only.name in known:
            return (Scripts(only, script if below else (), () if below else script),)
        if isinstance(only, Scripts) and isinstance(only.base, Sign) and only.base.name in known and not only.limits:
            if below and not only.sub:
                return (only._replace(sub=script),)
            if not below and not only.sup:
                return (only._replace(sup=script),)
    if below and len(base) == 1 and isinstance(base[0], Call) and base[0].name == "\\overset":
        above, inner = base[0].args  # what is below is said first
        return (Call("\\overset", (above, (Call("\\underset", (script, inner)),))),)
    return (Call(name, (script, base)),)


def _operator(reader: Reader) -> Row:
    starred = reader.peek() == "*"
    if starred:
        reader.take()
    row = reader.argument("mathrm")
    name = "".join(node.name if isinstance(node, Sign) and node.font == "mathrm" else "?" for node in row)
    if not name.isalpha():
        return (Call("\\mathop", (row,)),) if starred else row
    if starred:
        known = f"\\{name}"
        return (Sign(known),) if known in symbols.LIMITS else (Call("\\mathop", ((Upright(name, True),),)),)
    return (Upright(name, True),)


def _mathop(reader: Reader) -> Row:
    row = reader.argument()
    name = "".join(node.name if isinstance(node, Sign) and node.font == "mathrm" else "?" for node in row)
    if len(row) == 1 and isinstance(row[0], Sign) and row[0].name in symbols.SUMS | symbols.LIMITS:
        return row
    if f"\\{name}" in symbols.LIMITS:
        return (Sign(f"\\{name}"),)
    return (Call("\\mathop", (row,)),)


def _fence(reader: Reader) -> Row:
    left = reader.delimiter()
    inner = reader.row()
    if reader.take() != "\\right":
        raise reader.wrong("a \\left without its \\right")
    right = reader.delimiter()
    return (Fence(left, inner, right),)


def _sized(name: str) -> Callable[[Reader], Row]:
    size, side = (name[:-1], name[-1]) if name[-1] in "lrm" else (name, "")

    def read(reader: Reader) -> Row:
        return (Sized(size, side, reader.delimiter()),)

    return read


def _gap(reader: Reader) -> Row:
    """The gap that a length makes, with or without braces."""
    if reader.peek() == "*":
        reader.take()
    text = reader.raw() if reader.peek() == "{" else ""
    if not text:
        found = re.match(
            r"\s*-?\s*[\d.\s]*\s*[a-z]\s*[a-z](\s*(plus|minus)\s*[\d.]+\s*[a-z]+)*", reader.source[reader.place :]
        )
        if not found:
            raise reader.wrong("a gap without its length")
        text = found[0]
        reader.place += len(text)
    length = re.match(r"(-?[\d.]+)([a-z][a-z])", re.sub(r"\s+", "", text))
    if not length or length[2] not in _UNIT or not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", length[1]):
        raise reader.wrong(f"a gap of {text[:20]!r}")
    return (Space(float(length[1]) * _UNIT[length[2]]),)


def _environment(reader: Reader) -> Row:
    name = reader.raw().replace(" ", "")
    plain = name.removesuffix("*")
    if plain in _WHOLE:
        rows, _ = reader.rows(name)
        if len(rows) > 1 or len(rows[0]) > 1:
            raise reader.wrong(f"rows in {name}")
        return rows[0][0]
    columns = ""
    if name in ("array", "subarray"):
        if reader.peek() == "[":
            reader.raw("[", "]")
        columns = _columns(reader, reader.raw())
    elif plain in ("alignat", "alignedat"):
        reader.raw()
    elif plain in ("aligned", "gathered") and reader.peek() == "[":
        reader.raw("[", "]")
    rows, rules = reader.rows(name)
    if plain == "eqnarray":
        rows = tuple((*row[:1], tuple(node for cell in row[1:] for node in cell)) for row in rows)
    names = {"smallmatrix": "matrix", "dcases": "cases", "subarray": "substack", "cases": "cases", "array": "array"}
    kind = (
        "aligned"
        if plain in _ALIGNED
        else "gathered"
        if plain in _GATHERED
        else plain
        if plain in MATRICES
        else names.get(plain)
    )
    if kind is None:
        raise reader.wrong(f"the environment {name}")
    return (Table(kind, columns if kind == "array" else "", rows, rules),)


def _columns(reader: Reader, text: str) -> str:
    """How the columns stand, and the rules between them: "c|c"."""
    text = re.sub(r"\s+|[@!]\s*\{[^{}]*\}", "", text)
    text = re.sub(r"\*\{(\d{1,2})\}\{([lcr|]+)\}", lambda found: found[2] * int(found[1]), text)
    if not re.fullmatch(r"[lcr|]+", text):
        raise reader.wrong(f"the columns {text!r}")
    return text.replace("||", "|")


def _primitive(name: str) -> Callable[[Reader], Row]:
    """A matrix as plain TeX has it."""

    def read(reader: Reader) -> Row:
        if reader.take() != "{":
            raise reader.wrong(f"\\{name} without its rows")
        rows, rules = reader.rows("}")
        return (Table(name, "", rows, rules),)

    return read


def _not(reader: Reader) -> Row:
    row = reader.argument()
    only = row[0] if len(row) == 1 and isinstance(row[0], Sign) else None
    if only is None or not (only.name in symbols.RELATIONS | symbols.ARROWS or only.name in "=<>|"):
        raise reader.wrong("\\not of what is no relation")
    known = {"=": "\\neq", "\\in": "\\notin", "\\leq": "\\nleq", "\\geq": "\\ngeq", "\\rightarrow": "\\nrightarrow"}
    return (Sign(known[only.name]),) if only.name in known else (Call("\\not", (row,)),)


def _calls(name: str, count: int) -> Callable[[Reader], Row]:
    def read(reader: Reader) -> Row:
        return (Call(name, tuple(reader.argument() for _ in range(count))),)

    return read


def _optional(name: str) -> Callable[[Reader], Row]:
    def read(reader: Reader) -> Row:
        option = reader.option()
        return (Call(name, (reader.argument(),), option or None),)

    return read


def _root(reader: Reader) -> Row:
    """As plain TeX has it: \\root n \\of x."""
    found = re.match(r"\s*(.*?)\\of(?![A-Za-z])", reader.source[reader.place :], re.S)
    if not found:
        raise reader.wrong("a \\root without its \\of")
    stop = reader.place + found.end(1)
    index: Row = ()
    while reader.place < stop and reader.peek() != "\\of":
        index += reader.scripted()
    reader.take()
    return (Call("\\sqrt", (reader.argument(),), index or None),)


def _built(reader: Reader) -> Row:
    """As plain TeX has it: \\buildrel a \\over b."""
    above: Row = ()
    while reader.peek() not in ("\\over", ""):
        above += reader.scripted()
    reader.take()
    return (Call("\\overset", (above, reader.argument())),)


def _unseen(count: int) -> Callable[[Reader], Row]:
    def read(reader: Reader) -> Row:
        for _ in range(count):
            reader.raw()
        return ()

    return read


def _same(reader: Reader) -> Row:
    return reader.argument()


def _colored(reader: Reader) -> Row:
    reader.raw()
    return reader.argument()


def _tagged(reader: Reader) -> Row:
    return (reader.tag(reader.raw()),)


def _middle(reader: Reader) -> Row:
    return (Middle(reader.delimiter()),)


COMMANDS: dict[str, Callable[[Reader], Row]] = {
    "\\operatorname": _operator,
    "\\mathop": _mathop,
    "\\left": _fence,
    "\\middle": _middle,
    "\\begin": _environment,
    "\\not": _not,
    "\\root": _root,
    "\\buildrel": _built,
    "\\tag": _tagged,
    "\\label": _unseen(1),
    "\\color": _unseen(1),
    "\\vspace": _unseen(1),
    "\\phantom": _unseen(1),
    "\\hphantom": _unseen(1),
    "\\vphantom": _unseen(1),
    "\\textcolor": _colored,
    "\\fbox": lambda reader: (Call("\\boxed", (reader.words(reader.raw(), ""),)),),
    "\\underbar": _calls("\\underline", 1),
    "\\overset": lambda reader: _set(reader, "\\overset"),
    "\\stackrel": lambda reader: _set(reader, "\\overset"),
    "\\underset": lambda reader: _set(reader, "\\underset"),
    "\\substack": _primitive("substack"),
    "\\cases": _primitive("cases"),
    "\\matrix": _primitive("matrix"),
    "\\pmatrix": _primitive("pmatrix"),
    **{f"\\{name}": _calls("\\frac", 2) for name in ("frac", "dfrac", "tfrac", "cfrac")},
    **{f"\\{name}": _calls("\\binom", 2) for name in ("binom", "dbinom", "tbinom")},
    **{name: _optional(name) for name in ("\\sqrt", "\\xrightarrow", "\\xleftarrow")},
    **{f"\\{name}": _gap for name in ("hspace", "hskip", "kern", "mkern", "mskip", "mspace")},
    **{
        f"\\{name}": _same
        for name in (
            "mathord",
            "mathbin",
            "mathrel",
            "mathopen",
            "mathclose",
            "mathpunct",
            "mathinner",
            "smash",
            "ensuremath",
        )
    },
    **{
        f"\\{size}{side}": _sized(size + side)
        for size in ("big", "Big", "bigg", "Bigg")
        for side in ("", "l", "r", "m")
    },
}
"""By its name what a command reads, and makes of it."""
