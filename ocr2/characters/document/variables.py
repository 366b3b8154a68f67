"""The formulas of a page: a few symbols that come again and again, and what is said of them, in LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr2.characters.latex import normal
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters import Corpus

_LATIN = "abcdefghijkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ"
_GREEK = (
    *(r"\alpha", r"\beta", r"\gamma", r"\delta", r"\epsilon", r"\theta", r"\lambda", r"\mu", r"\sigma", r"\tau"),
    *(r"\phi", r"\psi", r"\omega", r"\eta", r"\rho", r"\pi", r"\Delta", r"\Gamma", r"\Omega", r"\Phi", r"\Sigma"),
)
_INDICES = ("i", "j", "k", "n", "0", "1", "2", "i j", "n+1", "i-1", "t")
_POWERS = ("2", "2", "3", "n", "-1", "*", "k", "(n)")
_RELATIONS = ("=", "=", "=", r"\leq", r"\geq", "<", ">", r"\neq", r"\approx", r"\in", r"\to", r"\subset", r"\sim")
_SETS = (r"\mathbb{R}", r"\mathbb{R}^{n}", r"\mathbb{Z}", r"\mathbb{N}", r"\mathcal{F}", r"\Omega")
LONGEST = 240
"""Characters of a corpus' formula, which is mostly written with spaces."""
_SIGNS = ("+", "-", "+", "-", r"\cdot", r"\times", "")


class Variables:
    """The symbols of one page."""

    def __init__(self, rng: Random) -> None:
        """Some symbols, and some phrases of them."""
        self.rng = rng
        self.names = [self._name() for _ in range(rng.randint(3, 7))]
        self.phrases = [self._phrase() for _ in range(rng.randint(2, 6))]

    def _name(self) -> str:
        """A letter, with an index or an accent perhaps."""
        rng = self.rng
        name = rng.choice(_LATIN) if rng.random() < 0.7 else rng.choice(_GREEK)
        if rng.random() < 0.08:
            name = rf"\{rng.choice(('hat', 'bar', 'tilde', 'mathbf', 'mathcal'))}{{{rng.choice(_LATIN.upper())}}}"
        if rng.random() < 0.35:
            name += f"_{{{rng.choice(_INDICES)}}}"
        return name

    def phrase(self) -> str:
        """What stands within a line: mostly a symbol that was there before."""
        return normal(self.rng.choice(self.names if self.rng.random() < 0.55 else self.phrases))

    def _phrase(self) -> str:
        rng = self.rng
        kind = rng.randrange(9)
        one, other = rng.choice(self.names), rng.choice(self.names)
        if kind < 2:
            return f"{one} {rng.choice(_RELATIONS)} {other}"
        if kind == 2:
            return f"{one} = {rng.randint(0, 99) / rng.choice((1, 1, 10)):g}"
        if kind == 3:
            return rf"{one} \in {rng.choice(_SETS)}"
        if kind == 4:
            letter = rng.choice(_LATIN)
            return rf"{letter}_{{1}}, \ldots, {letter}_{{n}}"
        if kind == 5:
            return f"{rng.choice('fghFGPQ')}({rng.choice(_LATIN)})"
        if kind == 6:
            return rf"O(n^{{{rng.randint(2, 4)}}})" if rng.random() < 0.5 else r"O(n \log n)"
        if kind == 7:
            return self._term(1)
        return f"{self._term(1)} {rng.choice(_RELATIONS)} {self._term(1)}"

    def statement(self, corpus: Corpus) -> str:
        """What stands in a line of its own: a relation between sums, or a formula of the corpus'."""
        if corpus.has("formula") and self.rng.random() < 0.5:
            for _ in range(6):
                source = corpus.item(self.rng, "formula")
                try:
                    found = normal(source) if len(source) < LONGEST else ""
                except BadInput:
                    continue
                if found and len(found) < LONGEST // 2 and "\\tag" not in found:
                    return found
        return normal(f"{self._sum(2)} {self.rng.choice(_RELATIONS[:8])} {self._sum(2)}")

    def _sum(self, depth: int) -> str:
        terms = [self._term(depth) for _ in range(self.rng.choice((1, 1, 2, 2, 3)))]
        text = terms[0]
        for term in terms[1:]:
            sign = self.rng.choice(_SIGNS)
            text += f" {sign} {term}" if sign else f" {term}"
        return text

    def _term(self, depth: int) -> str:
        rng = self.rng
        kind = rng.randrange(10) if depth else 0
        if kind < 3:
            return rng.choice(self.names) if rng.random() < 0.85 else str(rng.randint(1, 99))
        inner = self._term(depth - 1)
        if kind == 3:
            return rf"\frac{{{inner}}}{{{self._term(depth - 1)}}}"
        if kind == 4:
            return f"{rng.choice(_LATIN)}^{{{rng.choice(_POWERS)}}}"
        if kind == 5:
            return rf"\sqrt{{{inner}}}"
        if kind == 6 and depth > 1:
            return rf"\sum_{{i=1}}^{{{rng.choice(('n', 'N', 'm', 'k'))}}} {inner}"
        if kind == 7 and depth > 1:
            return rf"\int_{{{rng.choice('0ab')}}}^{{{rng.choice(('1', 'x', 't'))}}} {inner} \, d {rng.choice('xtsu')}"
        if kind == 8:
            return rf"\{rng.choice(('sin', 'cos', 'log', 'exp', 'max'))} ({inner})"
        return f"{rng.choice('fghFGPQ')}({inner})"
