r"""What a LaTeX file defines for itself: `\newcommand{\R}{\mathbb{R}}`, and what everyone defines so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters.document.spans import braced

if TYPE_CHECKING:
    from collections.abc import Container


def _names(listed: str) -> list[str]:
    return listed.split()


DEEPEST = 8
"""How often macros within macros are expanded."""
LONGEST = 20_000
"""Characters of a text with its macros expanded."""
_OPERATORS = _names(
    "Hom Ext Tor Spec Proj Sch Mod QCoh Coh Ker Im Coker coker colim id Ob Mor Aut End Pic Gal Cov Sym Set Sets Sh Ab "
    "NL Spf Char rank rk tr Tr diag sgn argmin argmax lcm supp span Var Cov dom cod Fix Frac Quot Hilb Isom Stab Ann"
    " Supp Ass depth codim trdeg length Fl Lie"
)
_USUAL = {
    **{name: (0, rf"\operatorname{{{name}}}") for name in _OPERATORS},
    **{letter: (0, rf"\mathbb{{{letter}}}") for letter in "RNZQCFE"},
    **{"eps": (0, r"\varepsilon"), "abs": (1, r"\left|#1\right|"), "norm": (1, r"\left\|#1\right\|")},
    **{"set": (1, r"\left\{#1\right\}"), "defeq": (0, ":="), "coloneqq": (0, ":="), "eqdef": (0, ":=")},
    **{"CC": (0, r"\mathbb{C}"), "RR": (0, r"\mathbb{R}"), "NN": (0, r"\mathbb{N}"), "ZZ": (0, r"\mathbb{Z}")},
    **{"SheafHom": (0, r"\mathcal{H}\mathit{om}"), "dd": (0, r"\mathrm{d}")},
}
_DEFINED = re.compile(
    r"\\(?P<how>newcommand|renewcommand|providecommand|DeclareRobustCommand|DeclareMathOperator|def)\*?\s*"
    r"(?:\{\s*\\(?P<braced>[A-Za-z]+)\s*\}|\\(?P<bare>[A-Za-z]+))\s*(?P<args>\[\d\])?(?P<option>\[)?"
    r"(?P<hashes>(?:#\d)*)\s*(?=\{)"
)


class Macros:
    """The macros of a file that are simple: without options, and not too deep."""

    def __init__(self, tex: str) -> None:
        """Those that a file defines, whose text is given, and the usual ones."""
        self.known: dict[str, tuple[int, str]] = dict(_USUAL)
        self.own: set[str] = set()
        for found in _DEFINED.finditer(tex):
            name = found["braced"] or found["bare"]
            body, end = braced(tex, found.end())
            if not end or found["option"]:
                self.known.pop(name, None)
                continue
            count = int(found["args"][1]) if found["args"] else found["hashes"].count("#")
            body = rf"\operatorname{{{body}}}" if found["how"] == "DeclareMathOperator" else body.strip()
            self.known[name] = (count, body)
            self.own.add(name)

    def expanded(self, tex: str) -> str:
        """A formula with its macros replaced by what they mean; what isn't simple stays."""
        return self._expanded(tex, self.known.keys())

    def in_text(self, tex: str) -> str:
        """Running text with the file's own macros replaced; those in formulas are left."""
        return self._expanded(tex, self.own)

    def _expanded(self, tex: str, names: Container[str]) -> str:
        for _ in range(DEEPEST):
            new = self._once(tex, names)
            if new == tex or len(new) > LONGEST:
                return tex
            tex = new
        return tex

    def _once(self, tex: str, names: Container[str]) -> str:
        parts, place = [], 0
        for found in re.finditer(r"\\(?:([A-Za-z]+)|.)", tex, re.DOTALL):
            name = found[1]
            if found.start() < place or not name or name not in names or name not in self.known:
                continue
            count, body = self.known[name]
            end = found.end()
            given: list[str] = []
            while len(given) < count:
                end += len(tex[end:]) - len(tex[end:].lstrip())
                inner, after = braced(tex, end) if tex[end : end + 1] == "{" else (tex[end : end + 1], end + 1)
                if not after or inner in ("", "\\"):
                    break
                given.append(inner)
                end = after
            if len(given) < count:
                continue
            for number, value in enumerate(given, 1):
                body = body.replace(f"#{number}", value)
            glue = " " if re.search(r"\\[A-Za-z]+$", body) and tex[end : end + 1].isalpha() else ""
            parts += [tex[place : found.start()], body, glue]
            place = end
        return "".join([*parts, tex[place:]])
