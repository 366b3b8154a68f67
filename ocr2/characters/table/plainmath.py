r"""Simple formulas as Typst writes them: letters, numbers, scripts, roots and a few signs, as most in tables are.

Typst sets them in TeX's own type, and a hundred times as fast as MathJax; any other is left to that.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\[A-Za-z]+|\\[%,;! ]|\d+(?:\.\d+)?|[A-Za-z]|[-+*=<>,.()\[\]|!:;'/^_{}]|\s+|(?P<other>.)", re.DOTALL
)
_GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
)
_NAMES = (
    "log",
    "ln",
    "lg",
    "exp",
    "sin",
    "cos",
    "tan",
    "max",
    "min",
    "sup",
    "inf",
    "lim",
    "det",
    "dim",
    "ker",
    "deg",
    "gcd",
)
_SIGNS = {
    **{"\\" + name: name for name in (*_GREEK, *_NAMES)},
    **{r"\epsilon": "epsilon.alt", r"\varepsilon": "epsilon", r"\phi": "phi.alt", r"\varphi": "phi"},
    **{r"\leq": "lt.eq", r"\le": "lt.eq", r"\geq": "gt.eq", r"\ge": "gt.eq", r"\neq": "eq.not", r"\ne": "eq.not"},
    **{r"\times": "times", r"\pm": "plus.minus", r"\mp": "minus.plus", r"\cdot": "dot.op", r"\infty": "infinity"},
    **{r"\in": "in", r"\approx": "approx", r"\sim": "tilde.op", r"\to": "arrow.r", r"\rightarrow": "arrow.r"},
    **{r"\partial": "partial", r"\nabla": "nabla", r"\cup": "union", r"\cap": "inter", r"\subset": "subset"},
    **{r"\forall": "forall", r"\exists": "exists", r"\ldots": "dots.h", r"\cdots": "dots.h.c", r"\ll": "lt.double"},
    **{r"\gg": "gt.double", r"\equiv": "equiv", r"\propto": "prop", r"\ell": "ell", r"\lt": "lt", r"\gt": "gt"},
    **{"<": "lt", ">": "gt", "|": '"|"', "/": "slash", ".": '"."', "[": "bracket.l", "]": "bracket.r"},
    **{"(": "paren.l", ")": "paren.r", "!": '"!"', ":": "colon", ";": '";"', ",": '","', r"\%": '"%"'},
    **{r"\,": "thin", r"\;": "thick", r"\ ": "space", r"\quad": "quad"},
}
_AROUND = {r"\sqrt": "sqrt", r"\bar": "macron", r"\hat": "hat", r"\tilde": "tilde", r"\dot": "dot", r"\vec": "arrow"}
_ALPHABETS = {r"\mathbb": "bb", r"\mathcal": "cal", r"\mathbf": "upright(bold", r"\mathrm": "upright"}


def typst(latex: str) -> str:
    """The formula in Typst's notation, without its dollars; "" where it is none of the simple ones."""
    tokens = [match[0] for match in _TOKEN.finditer(latex) if not match[0].isspace()]
    if any(match["other"] for match in _TOKEN.finditer(latex)) or len(tokens) > 200:
        return ""
    try:
        found, rest = _row(tokens, 0)
    except (KeyError, IndexError):
        return ""
    return found if rest == len(tokens) else ""


def _row(tokens: list[str], place: int, depth: int = 0) -> tuple[str, int]:
    """Atoms with their scripts, to the end or a brace that ends them. Raises KeyError, IndexError for what it can't."""
    found = []
    while place < len(tokens) and tokens[place] != "}":
        atom, place = _atom(tokens, place, depth)
        scripts: dict[str, str] = {}
        while place < len(tokens) and tokens[place] in "^_":
            mark = tokens[place]
            if mark in scripts:
                raise KeyError(mark)
            scripts[mark], place = _atom(tokens, place + 1, depth)
        found.append(atom + "".join(f"{mark}({script})" for mark, script in scripts.items()))
    return " ".join(found), place


def _atom(tokens: list[str], place: int, depth: int) -> tuple[str, int]:
    sign = tokens[place]
    if sign in _SIGNS:
        return _SIGNS[sign], place + 1
    if sign == "{":
        if depth > 5:
            raise KeyError(sign)
        inner, place = _row(tokens, place + 1, depth + 1)
        if tokens[place] != "}" or not inner:
            raise KeyError(sign)
        return f"{inner}", place + 1
    if sign in _AROUND:
        inner, place = _atom(tokens, place + 1, depth)
        return f"{_AROUND[sign]}({inner})", place
    if sign in _ALPHABETS:
        letters, end = tokens[place + 2 :], tokens[place + 2 :].index("}") if "}" in tokens[place + 2 :] else 0
        name = "".join(letters[:end])
        if tokens[place + 1] != "{" or not name.isascii() or not name.isalnum():
            raise KeyError(sign)
        shown = f'"{name}"' if sign == r"\mathrm" else " ".join(name)
        return f"{_ALPHABETS[sign]}({shown})" + ")" * (sign == r"\mathbf"), place + 3 + end
    if sign[0] == "\\" or sign in "^_}":
        raise KeyError(sign)
    return sign, place + 1
