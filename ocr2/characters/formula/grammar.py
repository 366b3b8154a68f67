r"""Formulas invented by a grammar: sums, fractions, integrals, matrices, cases, lines that are aligned, words.

A rule says what may stand for a name, and how often: `<sum>` in `\frac{<sum>}{<sum>}` is any sum.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters.latex import symbols

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters import Corpus

DEEPEST = 3
"""So many fractions, brackets and the like may be within each other."""


def _signs(names: frozenset[str], without: str = "") -> str:
    return " ".join(sorted(names - set(without.split())))


_LISTS = {
    "letter": "a a b b c c d d e e f f g g h h i j k k l l m m n n p p q q r r s s t t u u v v w w x x x x y y y z z z",
    "capital": "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
    "index": "i i i j j j k k l m n n p q r s t",
    "point": "A B C D E F G O P Q M N",
    "greek": _signs(symbols.GREEK, "\\digamma \\varkappa \\varpi \\varsigma \\upsilon"),
    "capital_greek": _signs(symbols.CAPITAL_GREEK),
    "rare_sign": _signs(symbols.ORDINARY | symbols.ARROWS | symbols.RELATIONS | symbols.OPERATIONS),
    "named": _signs(symbols.FUNCTIONS, "\\bmod"),
    "equal": "= = = = = = = = = = = \\lt \\gt \\leq \\geq \\neq \\approx \\equiv \\sim \\simeq \\propto \\cong "
    "\\leqslant \\geqslant \\ll \\gg \\to \\Rightarrow \\Leftrightarrow \\longrightarrow :=",
    "operation": "+ + + + + + + + - - - - - - - \\pm \\cdot \\times \\otimes \\oplus \\wedge \\circ \\mp",
    "set": "\\mathbb{R} \\mathbb{N} \\mathbb{Z} \\mathbb{C} \\mathbb{Q} \\mathbb{R}^{n} \\Omega A B S \\mathcal{X} "
    "\\mathbb{F}_{p}",
    "accent": "\\hat \\hat \\bar \\bar \\tilde \\tilde \\vec \\vec \\dot \\dot \\ddot \\widehat \\widetilde \\overline "
    "\\check \\breve \\acute \\mathring",
    "label": "max min eff in out tot ext d s ref th new old obs",
    "operator": "Tr rank span Var Cov diag sgn Res Hom Aut vol div rot softmax ReLU KL conv supp id",
    "english": "if for where otherwise and or when with as",
    "chinese": "若 其中 当 则 对于 且 或 满足 使得 因此 所以 其他 否则",
    "big": "\\sum \\sum \\sum \\sum \\sum \\prod \\prod \\bigcup \\bigcap \\bigoplus \\bigotimes \\coprod \\bigvee",
    "around": "\\oint \\oint \\iint \\iiint",
    "best": "\\max \\min \\sup \\inf \\operatorname*{argmax} \\operatorname*{argmin} \\limsup \\liminf",
    "d": "d d d d \\mathrm{d}",
    "above_sum": "n n N \\infty \\infty m n-1 K T",
}
"""Names that stand for one of these, each as often as it is there."""

_RULES: dict[str, tuple[tuple[int, str], ...]] = {
    "formula": (
        (34, "<left> <equal> <sum>"),
        (9, "<left> = <sum> <equal> <sum>"),
        (3, "<left> = <sum> = <sum> = <sum>"),
        (9, "<left> <equal> <sum>, \\quad \\text{<words> } <variable> <equal> <sum>"),
        (9, "\\begin{aligned}<left> &= <sum> \\\\ <line>\\end{aligned}"),
        (7, "<left> = \\begin{cases}<case>\\end{cases}"),
        (8, "<matrices>"),
        (3, "\\lim_{<variable> \\to <goal>} <term> = <sum>"),
        (3, "<left> = <best>_{<variable> \\in <set>} <fence>"),
        (7, "<sets>"),
        (7, "<physics>"),
        (2, "<ruled>"),
    ),
    "line": (
        (5, "&<equal> <sum>"),
        (4, "&<equal> <sum> \\\\ <line>"),
        (3, "<left> &<equal> <sum>"),
        (3, "<left> &<equal> <sum> \\\\ <line>"),
    ),
    "case": (
        (6, "<sum>, & <condition> \\\\ <sum>, & <condition>"),
        (3, "<sum>, & <condition> \\\\ <sum>, & \\text{otherwise}"),
        (2, "<sum>, & <condition> \\\\ <sum>, & \\text{其他}"),
        (2, "<sum> & <condition> \\\\ <case>"),
        (2, "<variable> <equal> <sum> \\\\ <variable> <equal> <sum>"),
    ),
    "condition": (
        (3, "\\text{if } <variable> <equal> <sum>"),
        (3, "<variable> <equal> <sum>"),
        (2, "\\text{当 } <variable> <equal> <sum>"),
    ),
    "goal": ((3, "0"), (3, "\\infty"), (1, "<variable>"), (1, "0^{+}"), (1, "-\\infty"), (1, "1")),
    "left": (
        (6, "<name>"),
        (5, "<name>(<variable>)"),
        (2, "<name>(<variable>,<variable>)"),
        (5, "<sum>"),
        (2, "<name>_{<below>}"),
    ),
    "sets": (
        (3, "<name> = \\left\\{ <variable> \\in <set> : <sum> <equal> <sum> \\right\\}"),
        (2, "<name> = \\left\\{ <variable> \\middle| <sum> <equal> <sum> \\right\\}"),
        (2, "\\forall <variable> \\in <set>, \\exists <variable> > 0 : <sum> <equal> <sum>"),
        (2, "<name> : <set> \\to <set>, \\quad <variable> \\mapsto <sum>"),
        (1, "<name> \\subseteq <set> \\setminus <set>"),
        (1, "<name> \\cap <set> = \\varnothing"),
        (1, "<name> \\notin <set> \\cup <set>"),
    ),
    "physics": (
        (1, "\\frac{\\partial^{2} <variable>}{\\partial <letter>^{2}} = <factor> \\nabla^{2} <variable>"),
        (1, "\\left[ <name> , <name> \\right] = i \\hbar <name>"),
        (1, "\\langle <variable> | <name> | <variable> \\rangle = <sum>"),
        (1, "\\left\\langle <term> \\right\\rangle = <sum>"),
        (1, "\\frac{d <variable>}{d t} + <factor> <variable> = <sum>"),
        (1, "\\nabla \\times \\mathbf{<capital>} = <term>"),
        (1, "\\oint_{<capital>} <name> \\cdot d \\mathbf{<letter>} = <term>"),
        (1, "\\ddot{<letter>} + <term> \\dot{<letter>} + <term> = 0"),
        (1, "<capital>^{<index> <index>}{}_{<index>} = \\partial_{<index>} <name>^{<index>} + <term>"),
        (1, "<name> \\xrightarrow{<letter>} <name> \\xrightarrow[<greek>]{<letter>} <name>"),
        (1, "\\left. \\frac{d <name>}{d <letter>} \\right|_{<letter>=0} = <sum>"),
        (1, "<letter> \\equiv <sum> \\pmod{<letter>}"),
        (1, "<number> \\bmod <number> = <number>"),
        (1, "\\angle <point> <point> <point> = <number>^{\\circ}"),
        (1, "\\triangle <point> <point> <point> \\sim \\triangle <point> <point> <point>"),
        (1, "50\\% <equal> <sum>"),
        (1, "<number> \\text{ <label>} = <number> \\text{ <label>}"),
    ),
    "sum": (
        (6, "<term>"),
        (2, "-<term>"),
        (8, "<term> <operation> <term>"),
        (4, "<term> <operation> <term> <operation> <term>"),
        (1, "<term> + <term> + \\cdots + <term>"),
    ),
    "term": ((5, "<factor>"), (3, "<factor> <factor>"), (1, "<factor> <factor> <factor>")),
    "factor": (
        (6, "<variable>"),
        (2, "<number>"),
        (4, "<power>"),
        (3, "<name>"),
        (4, "<fraction>"),
        (2, "<root>"),
        (3, "<fence>"),
        (3, "<function>"),
        (3, "<large>"),
        (2, "<integral>"),
        (1, "<decorated>"),
        (1, "<letter> <rare_sign> <letter>"),
    ),
    "variable": (
        (9, "<letter>"),
        (3, "<capital>"),
        (5, "<greek>"),
        (1, "<capital_greek>"),
        (4, "<letter>_{<below>}"),
        (2, "<greek>_{<below>}"),
        (1, "<letter>_{<below>}^{<above>}"),
    ),
    "below": (
        (6, "<index>"),
        (3, "<digit>"),
        (2, "<index> <index>"),
        (1, "<index>+1"),
        (1, "<index>-1"),
        (1, "<index>,<index>"),
        (2, "\\mathrm{<label>}"),
        (1, "<greek>"),
        (1, "\\infty"),
    ),
    "above": (
        (5, "2"),
        (2, "3"),
        (3, "<index>"),
        (2, "-1"),
        (2, "\\prime"),
        (1, "*"),
        (1, "\\dagger"),
        (2, "T"),
        (1, "\\mathrm{T}"),
        (1, "<index>+1"),
        (1, "\\frac{1}{2}"),
        (1, "1/2"),
        (1, "(<index>)"),
        (1, "<number>"),
    ),
    "name": (
        (5, "<letter>"),
        (5, "<capital>"),
        (2, "\\mathbf{<letter>}"),
        (2, "\\mathbf{<capital>}"),
        (2, "\\mathcal{<capital>}"),
        (1, "\\mathbb{<capital>}"),
        (1, "\\mathrm{<capital>}"),
        (1, "\\mathfrak{<letter>}"),
        (1, "\\mathfrak{<capital>}"),
        (1, "\\mathscr{<capital>}"),
        (1, "\\boldsymbol{<greek>}"),
        (1, "\\boldsymbol{<letter>}"),
        (1, "\\mathsf{<capital>}"),
        (1, "\\mathtt{<letter>}"),
        (3, "<accent>{<letter>}"),
        (2, "<accent>{<capital>}"),
        (2, "<accent>{<greek>}"),
        (1, "<accent>{\\mathbf{<letter>}}"),
        (1, "<capital_greek>"),
    ),
    "power": (
        (4, "<letter>^{<above>}"),
        (2, "<greek>^{<above>}"),
        (2, "<name>^{<above>}"),
        (1, "<name>_{<below>}^{<above>}"),
        (1, "e^{<sum>}"),
    ),
    "fraction": (
        (9, "\\frac{<sum>}{<sum>}"),
        (3, "\\frac{1}{<sum>}"),
        (2, "\\frac{<number>}{<number>}"),
        (1, "\\binom{<variable>}{<variable>}"),
        (1, "\\frac{d}{d <letter>}"),
        (2, "\\frac{\\partial <name>}{\\partial <variable>}"),
    ),
    "root": ((5, "\\sqrt{<sum>}"), (1, "\\sqrt[3]{<sum>}"), (1, "\\sqrt[n]{<term>}")),
    "fence": (
        (6, "\\left( <sum> \\right)"),
        (3, "\\left[ <sum> \\right]"),
        (1, "\\left\\{ <sum> \\right\\}"),
        (2, "\\left| <sum> \\right|"),
        (1, "\\left\\| <sum> \\right\\|_{2}"),
        (1, "\\left\\langle <term> , <term> \\right\\rangle"),
        (1, "\\left\\lfloor <sum> \\right\\rfloor"),
        (1, "\\left\\lceil <sum> \\right\\rceil"),
        (4, "\\left( <sum> \\right)^{<above>}"),
        (1, "\\left[ <sum> \\right]_{<variable>}^{<variable>}"),
    ),
    "function": (
        (4, "<named> <variable>"),
        (3, "<named> \\left( <sum> \\right)"),
        (1, "<named>^{2} <variable>"),
        (1, "\\log_{2} <variable>"),
        (2, "\\operatorname{<operator>} \\left( <sum> \\right)"),
        (1, "\\operatorname{<operator>}(<name>)"),
        (4, "<name> \\left( <sum> \\right)"),
    ),
    "large": (
        (4, "<big>_{<index>=1}^{<above_sum>} <term>"),
        (2, "<big>_{<index>=0}^{<above_sum>} <term>"),
        (2, "<big>_{<index>} <term>"),
        (1, "<big>_{<index> \\in <set>} <term>"),
        (1, "<big>_{<index> \\neq <index>} <term>"),
        (1, "<big>_{\\substack{<index>=1 \\\\ <index> \\neq <index>}}^{<above_sum>} <term>"),
        (1, "<big>_{1 \\leq <index> \\lt <index> \\leq n} <term>"),
    ),
    "integral": (
        (3, "\\int_{0}^{\\infty} <term> <d><letter>"),
        (2, "\\int_{-\\infty}^{\\infty} <term> <d><letter>"),
        (3, "\\int_{<letter>}^{<letter>} <term> <d><letter>"),
        (2, "\\int <term> <d><letter>"),
        (2, "\\int_{<set>} <term> <d><letter>"),
        (1, "\\int_{0}^{2\\pi} <term> <d>\\theta"),
        (2, "<around>_{<capital>} <term> <d><capital>"),
        (1, "\\int\\limits_{<letter>}^{<letter>} <term> <d><letter>"),
    ),
    "decorated": (
        (3, "\\overline{<sum>}"),
        (1, "\\underline{<term>}"),
        (1, "\\underbrace{<sum>}_{<number>}"),
        (1, "\\overbrace{<sum>}^{<variable>}"),
        (1, "\\widetilde{<letter> <letter>}"),
        (2, "\\overrightarrow{<point> <point>}"),
        (1, "\\boxed{<sum>}"),
        (1, "\\overset{<above>}{<letter>}"),
        (1, "\\underset{<letter>}{<capital>}"),
        (1, "\\cancel{<letter>}"),
    ),
    "cell": ((6, "<variable>"), (2, "0"), (2, "1"), (1, "-1"), (3, "<term>"), (1, "<sum>"), (2, "<number>")),
}
_SHALLOW = ("variable", "number", "power", "name")
"""All that a factor may be where nothing may be within it any more."""
_NESTING = ("fraction", "root", "fence", "function", "large", "integral", "decorated", "power")


class Grammar:
    """Invents formulas as a person may type them."""

    def __init__(self, corpus: Corpus, rng: Random) -> None:
        """With words of that corpus."""
        self.corpus = corpus
        self.rng = rng

    def formula(self) -> str:
        """Any formula."""
        made = self.made("formula", self.rng.choice((1, 1, 1, 2, 2, DEEPEST)))
        if self.rng.random() < 0.05 and "aligned" not in made:
            return f"{made} \\tag{{{self._label()}}}"
        return made + self.rng.choice(",..;") if self.rng.random() < 0.1 else made

    def made(self, name: str, deep: int) -> str:
        """What stands for the name, with so many things within each other at most."""
        special = {
            "number": self._number,
            "digit": lambda: str(self.rng.randint(0, 9)),
            "words": self._words,
            "matrices": self._matrices,
            "ruled": self._ruled,
        }
        if name in special:
            return special[name]()
        if name in _LISTS:
            return self.rng.choice(_LISTS[name].split(" "))
        rules = _RULES[name]
        if name == "factor" and deep <= 0:
            rules = tuple(rule for rule in rules if rule[1][1:-1] in _SHALLOW)
        template = self.rng.choices([rule for _, rule in rules], [often for often, _ in rules])[0]
        left = deep - (name in _NESTING)
        return re.sub("<([a-z_]+)>", lambda found: self.made(found[1], left), template)

    def _number(self) -> str:
        """Mostly a small one."""
        some = self.rng.randint(0, 12)
        return self.rng.choice(
            (str(some), str(some), str(self.rng.randint(10, 9999)), f"{some}.{self.rng.randint(0, 999)}")
        )

    def _label(self) -> str:
        """A number of a formula as books have it: 3, 2.14, A.1, 5a."""
        some = self.rng.randint(1, 99)
        chapter = self.rng.choice("123456789ABC")
        return self.rng.choice((f"{some}", f"{chapter}.{some}", f"{chapter}.{some}", f"{some}a"))

    def _words(self) -> str:
        """A word or a few."""
        kind = self.rng.random()
        if kind < 0.6:
            return self.made("english" if kind < 0.42 else "chinese", 0)
        some = self.corpus.words(self.rng, "en" if kind < 0.8 else "zh", self.rng.randint(1, 4))
        return " ".join(re.sub("[^A-Za-z\u4e00-\u9fff]+", " ", some).split()) or "if"

    def _matrix(self, rows: int, columns: int, kind: str = "") -> str:
        kind = kind or self.rng.choice(
            ["pmatrix", "pmatrix", "bmatrix", "bmatrix", "vmatrix", "Bmatrix", "Vmatrix", "matrix"]
        )
        cell = "number" if self.rng.random() < 0.4 else "cell"
        cells = [[self.made(cell, 1) for _ in range(columns)] for _ in range(rows)]
        if rows > 3 and columns > 3 and self.rng.random() < 0.6:
            for row in cells:
                row[-2] = "\\cdots"
            cells[-2] = ["\\vdots"] * (columns - 2) + ["\\ddots", "\\vdots"]
        return f"\\begin{{{kind}}}" + " \\\\ ".join(" & ".join(row) for row in cells) + f"\\end{{{kind}}}"

    def _matrices(self) -> str:
        """An equation of matrices."""
        rows, columns, kind = self.rng.randint(2, 4), self.rng.randint(1, 4), self.rng.random()
        if kind < 0.45:
            return f"{self.made('name', 1)} = {self._matrix(rows, columns)}"
        if kind < 0.75:
            return f"{self._matrix(rows, columns)} {self._matrix(columns, 1)} = {self._matrix(rows, 1)}"
        return f"\\det {self.made('name', 1)} = {self._matrix(rows, rows, 'vmatrix')} = {self.made('sum', 1)}"

    def _ruled(self) -> str:
        """A matrix with a rule in it, or a small table."""
        rows, columns = self.rng.randint(2, 4), self.rng.randint(2, 4)
        cells = [" & ".join(self.made("cell", 1) for _ in range(columns)) for _ in range(rows)]
        if self.rng.random() < 0.5:
            before = self.rng.randint(1, columns - 1)
            spec = "c" * before + "|" + "c" * (columns - before)
            return f"\\left[ \\begin{{array}}{{{spec}}}" + " \\\\ ".join(cells) + "\\end{array} \\right]"
        head = f"\\begin{{array}}{{c|{'c' * (columns - 1)}}}{cells[0]} \\\\ \\hline "
        return head + " \\\\ ".join(cells[1:]) + "\\end{array}"
