r"""What stands in a cell, as LaTeX writes it: text with `\textbf{…}` and `\( … \)`, read and written.

Read is what people and models write, with accents, dashes, quotes and sizes; another command is an error, for what it
shows isn't known.
"""

from __future__ import annotations

import re
import unicodedata

from ocr2.characters.table.grid import Content, Piece, settled
from ocr2.errors import BadInput

DEEPEST = 20
"""How deep braces may stand in braces."""
STYLES = {"b": "textbf", "i": "textit", "u": "underline"}

_TOKEN = re.compile(r"\\[A-Za-z]+\*?[ \t\n]*|\\.|``|''|---|--|\$\$?|[{}~]|[^\\{}$~`'\-]+|.", re.DOTALL)
_STYLED = {
    **dict.fromkeys(("textbf", "bf", "bfseries", "mathbf", "bold"), "b"),
    **dict.fromkeys(("textit", "emph", "it", "itshape", "textsl", "em", "slshape"), "i"),
    **dict.fromkeys(("underline", "uline"), "u"),
}
_DECLARED = {"bf", "bfseries", "it", "itshape", "em", "slshape"}
_SHOWN = {"text", "textrm", "textsf", "texttt", "textnormal", "textmd", "textup", "textsc", "mbox", "hbox", "mathrm"}
_SILENT = {
    *("centering", "raggedright", "raggedleft", "arraybackslash", "noindent", "protect", "relax", "displaystyle"),
    *("tiny", "scriptsize", "footnotesize", "small", "normalsize", "large", "Large", "LARGE", "huge", "Huge"),
    *("rm", "sf", "tt", "sffamily", "rmfamily", "ttfamily", "upshape", "mdseries", "normalfont", "strut", "hfill"),
    *("textstyle", "bigstrut", "Tstrut", "Bstrut", "selectfont", "boldmath", "unboldmath", "null", "/"),
}
_SPACES = {",", ";", ":", " ", "quad", "qquad", "enspace", "thinspace", "space", "\n", "!", "enskip", "nobreakspace"}
_SKIPPED = {"vspace": 1, "hspace": 1, "cellcolor": 1, "color": 1, "rowcolor": 1, "columncolor": 1, "label": 1}
"""Commands without ink, and how many arguments they have."""
_LAST = {"textcolor": 2, "scalebox": 2, "resizebox": 3, "fontsize": 2, "raisebox": 2, "parbox": 2, "colorbox": 2}
"""Commands that show their last argument, and how many they have; `fontsize` shows none."""
_SIGNS = {
    **dict(zip("&%$#_{}", "&%$#_{}", strict=True)),
    **{"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<"},
    **{"textgreater": ">", "textunderscore": "_", "ldots": "…", "dots": "…", "textellipsis": "…", "textendash": "–"},
    **{"textemdash": "—", "textbullet": "•", "textquotesingle": "'", "textasciigrave": "`", "textquoteleft": "‘"},
    **{"textquoteright": "’", "textquotedblleft": "“", "textquotedblright": "”", "textquotedbl": '"', "dag": "†"},
    **{"ddag": "‡", "dagger": "†", "S": "§", "P": "¶", "copyright": "©", "textcopyright": "©", "textregistered": "®"},
    **{"texttrademark": "™", "pounds": "£", "textsterling": "£", "euro": "€", "texteuro": "€", "EUR": "€"},
    **{"textyen": "¥", "yen": "¥", "textcent": "¢", "textdegree": "°", "degree": "°", "textpm": "±", "texttimes": "×"},
    **{"textdiv": "÷", "textmu": "μ", "textperiodcentered": "·", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ"},
    **{"OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð"},
    **{"DH": "Ð", "th": "þ", "TH": "Þ", "guillemotleft": "«", "guillemotright": "»", "checkmark": "✓", "-": ""},
    **{"textonehalf": "½", "textonequarter": "¼", "textordfeminine": "ª", "textordmasculine": "º", "slash": "/"},
    **{"LaTeX": "LaTeX", "TeX": "TeX", "textnumero": "№", "textohm": "Ω", "textcelsius": "℃", "par": "\n"},
    **{"newline": "\n", "linebreak": "\n", "\\": "\n", "tabularnewline": "\n", "backslash": "\\", "lbrace": "{"},
    **{"rbrace": "}", "textquotedblbase": "„", "textexclamdown": "¡", "textquestiondown": "¿", "textparagraph": "¶"},
    **{"textsection": "§", "textdagger": "†", "textdaggerdbl": "‡", "textasteriskcentered": "*", "@": ""},
}
_ACCENTS = {
    **{"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307"},
    **{"c": "\u0327", "v": "\u030c", "H": "\u030b", "u": "\u0306", "r": "\u030a", "k": "\u0328", "d": "\u0323"},
    **{"b": "\u0331"},
}
_MARKS = {"``": "“", "''": "”", "---": "—", "--": "–", "~": " "}
_ESCAPES = {
    **{char: "\\" + char for char in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
}
_LIGATURES = re.compile(r"-(?=-)|'(?=')|`(?=`)")


def written(content: Content) -> str:
    """The content as LaTeX: its one spelling."""
    shown = ""
    for piece in content:
        text = f"\\( {piece.text} \\)" if piece.math else escaped(piece.text)
        for style in reversed(piece.style):
            text = f"\\{STYLES[style]}{{{text}}}"
        shown += text
    lines = shown.replace("\n", r" \\ ")
    return f"\\makecell{{{lines}}}" if "\n" in shown else shown


def escaped(text: str) -> str:
    """Plain text as LaTeX: what would be a command, a dash or a quote of it isn't."""
    plain = "".join(_ESCAPES.get(char, char) for char in text)
    return _LIGATURES.sub(lambda match: match[0] + "{}", plain)


def content_of(latex: str) -> Content:
    """The content that LaTeX writes so. Raises BadInput for commands that aren't known, and unbalanced ones."""
    return settled(_Reader(latex, 0).pieces(""))


def group(latex: str, start: int) -> tuple[str, int]:
    """The LaTeX between the brace at a place, white space aside, and its partner, and the place after that.

    Without a brace it is one character or command. Raises BadInput where there is none, or no partner.
    """
    while start < len(latex) and latex[start].isspace():
        start += 1
    if start >= len(latex):
        raise BadInput(f"nothing follows {latex[-30:]!r}: expected {{…}}")
    if latex[start] != "{":
        token = re.compile(r"\\[A-Za-z]+|\\?.", re.DOTALL).match(latex, start)
        assert token
        return token[0], token.end()
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(latex, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return latex[start + 1 : match.start()], match.end()
    raise BadInput(f"no }} for the {{ before {latex[start + 1 : start + 31]!r}")


def option(latex: str, start: int, ends: str = "[]") -> tuple[str, int]:
    """What stands in brackets at a place, white space aside, and the place after them; "" where there are none."""
    found = re.compile(rf"\s*\{ends[0]}([^\{ends[1]}]*)\{ends[1]}").match(latex, start)
    return (found[1], found.end()) if found else ("", start)


class _Reader:
    """Reads one piece of LaTeX from its start to its end."""

    def __init__(self, latex: str, depth: int) -> None:
        if depth > DEEPEST:
            raise BadInput(f"braces in braces, {DEEPEST} deep, in a table's cell: expected fewer")
        self.latex, self.depth, self.place = latex, depth, 0

    def pieces(self, style: str) -> list[Piece]:
        """All of it, in that style."""
        found: list[Piece] = []
        while self.place < len(self.latex):
            token = _TOKEN.match(self.latex, self.place)
            assert token
            start, self.place = self.place, token.end()
            text = token[0]
            if text == "{":
                inner, self.place = group(self.latex, start)
                found += self.inner(inner, style)
            elif text == "}":
                raise BadInput(f"a }} too many after {self.latex[:start][-30:]!r}")
            elif text[0] == "$":
                found.append(self.formula(text, text))
            elif text[0] == "\\" and len(text) > 1:
                added, style = self.command(text[1:].rstrip() or " ", style)
                found += added
            else:
                found.append(Piece(_MARKS.get(text, text).replace("\n", " "), False, style))
        return found

    def inner(self, latex: str, style: str) -> list[Piece]:
        return _Reader(latex, self.depth + 1).pieces(style)

    def argument(self) -> str:
        inner, self.place = group(self.latex, self.place)
        return inner

    def formula(self, opening: str, ending: str) -> Piece:
        end = re.compile(rf"(?<!\\)((?:\\\\)*){re.escape(ending)}").search(self.latex, self.place)
        if not end:
            raise BadInput(f"no {ending} for the {opening} before {self.latex[self.place :][:30]!r}")
        inner, self.place = self.latex[self.place : end.end(1)], end.end()
        if not inner.strip():
            raise BadInput(f"an empty formula {opening}{ending}: leave it out")
        return Piece(inner, True)

    def command(self, name: str, style: str) -> tuple[list[Piece], str]:  # noqa: C901 a line for each sort of command
        r"""What the command shows, and the style after it; `name` is without its backslash."""
        name = name.rstrip("*") or name
        shown: list[Piece] = []
        if name in "([":
            return [self.formula(f"\\{name}", f"\\{')' if name == '(' else ']'}")], style
        if name in _ACCENTS and name not in _SIGNS:
            return [Piece(self.accented(_ACCENTS[name]), False, style)], style
        if name in _SIGNS:
            return [Piece(_SIGNS[name], False, style)], style
        if name in _STYLED:
            wanted = "".join(sorted({*style, _STYLED[name]}))
            return ([], wanted) if name in _DECLARED else (self.inner(self.argument(), wanted), style)
        if name in _SPACES:
            return [Piece(" " if name != "!" else "", False, style)], style
        if name in _SHOWN:
            shown = self.inner(self.argument(), style)
        elif name in _SKIPPED:
            _, self.place = option(self.latex, self.place)
            for _ in range(_SKIPPED[name]):
                self.argument()
        elif name in _LAST:
            _, self.place = option(self.latex, self.place)
            arguments = [self.argument() for _ in range(_LAST[name])]
            shown = self.inner(arguments[-1], style) if name != "fontsize" else []
        elif name in ("makecell", "thead", "shortstack", "begin"):
            shown = self.stacked(name, style)
        elif name in ("textsuperscript", "textsubscript"):
            script = "^" if name == "textsuperscript" else "_"
            shown = [Piece(f"{script}{{{self.argument()}}}", True)]
        elif name == "ensuremath":
            shown = [Piece(self.argument(), True)]
        elif name not in _SILENT:
            raise BadInput(f"\\{name} in a table's cell isn't known here: expected text, \\textbf{{…}} and \\( … \\)")
        return shown, style

    def accented(self, accent: str) -> str:
        base = "".join(piece.text for piece in self.inner(self.argument(), ""))
        base = base.replace("ı", "i").replace("ȷ", "j") or " "
        return unicodedata.normalize("NFC", base[0] + accent + base[1:]) if base != " " else ""

    def stacked(self, name: str, style: str) -> list[Piece]:
        r"""The lines of `\makecell{a \\ b}`, and of a tabular of one column."""
        if name != "begin":
            _, self.place = option(self.latex, self.place)
            return self.inner(self.argument(), style)
        environment = self.argument()
        end = self.latex.find(f"\\end{{{environment}}}", self.place)
        if environment != "tabular" or end < 0:
            raise BadInput(f"\\begin{{{environment}}} in a table's cell: expected text and formulas")
        _, self.place = option(self.latex, self.place)
        spec = self.argument()
        inner, self.place = self.latex[self.place : end], end + len("\\end{tabular}")
        if not re.fullmatch(r"(@\{\})?[lcr](@\{\})?", "".join(spec.split())) or re.search(r"(?<!\\)&|\\hline", inner):
            raise BadInput("a table in a table's cell: expected text and formulas, or one column without rules")
        return self.inner(re.sub(r"\\\\\s*\[[^\]]*\]", r"\\\\", inner), style)
