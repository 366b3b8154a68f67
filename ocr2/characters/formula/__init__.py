r"""Formulas: LaTeX in display style, in one spelling for one picture.

\[ \int_{0}^{\infty}e^{-x^{2}}dx=\frac{\sqrt{\pi}}{2} \]
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ocr2.characters.formula.grammar import Grammar
from ocr2.characters.formula.places import places
from ocr2.characters.latex import body, normal
from ocr2.errors import BadInput, RendererMissing, RenderFailed
from ocr2.metrics import edit_distance
from ocr2.metrics.formatted import DISPLAYED
from ocr2.renderers import latex, mathpix, mathra
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.mathml import mathml, unknown
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    import numpy as np
    from numpy.typing import NDArray

    from ocr2.characters import Corpus

_T = TypeVar("_T")
BACKENDS = ("mathpix", "mathra", "pdflatex")
SIZE = 24.0
"""Pixels of an em of a plain drawing."""
SMALLEST, LARGEST = 16.0, 40.0
"""Pixels of an em: those of the smallest script are half as many."""
SIDE = 1024
"""The most pixels a side has."""
LONGEST = 400
"""Characters of an invented formula: longer ones seldom fit on a line that can be read."""
OTHER = 0.3
"""How often a formula is set in another typeface than TeX's."""
_INKS = ("black", "black", "black", "#111", "#222", "#333", "#101040", "#301010")
_PREAMBLE = r"\usepackage{amsmath,amssymb,amsfonts,cancel}"
_ENVIRONMENT = re.compile(rf"\\begin\{{({'|'.join(DISPLAYED)}|math)\*?\}}.*\\end\{{\1\*?\}}", re.S)

_FORMULA = re.compile(
    r"\\\[(?:[^\\]|\\[^][])*+\\\]|\\\((?:[^\\]|\\[^()])*+\\\)|\$\$.*?\$\$|(?<!\\)\$[^$]*\$"
    rf"|\\begin\{{(?P<name>(?:{'|'.join(DISPLAYED)}|math)\*?)\}}"
    r"(?:[^\\]|\\(?!(?:begin|end)\{(?P=name)\}).)*+\\end\{(?P=name)\}",
    re.S,
)
_INLINE = re.compile(r"\\\(|\$(?!\$)")


def compose(corpus: Corpus, rng: Random) -> str:
    """A formula of the corpus, or, where it has none or one time in three, an invented one.

    Raises BadInput for a formula of the corpus that has no one spelling.
    """
    if corpus.has("formula") and rng.random() < 0.67:
        return marked(normal(corpus.item(rng, "formula")))
    while len(invented := normal(Grammar(corpus, rng).formula())) > LONGEST:
        pass
    return marked(invented)


def marked(formula: str) -> str:
    r"""The formula with what marks it as one: `\[ … \]`."""
    return f"\\[ {formula} \\]"


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The formula in display style; with `rng` in some size, weight and colour, and by default now and then in mathra's
    typeface, if it has all of it; no type of formulas is held back.

    Raises BadInput for an unknown backend or nothing to draw; RenderFailed for what the backend can't draw, in its
    words, or what would be too wide to read; RendererMissing.
    """
    name = chosen(backend, BACKENDS)
    formula = body(readable(source))
    if not formula:
        raise BadInput("an empty formula: expected LaTeX")
    size = SIZE if rng is None else rng.uniform(SMALLEST, LARGEST)
    margin = 8.0 if rng is None else rng.uniform(5, 24)
    if name == "pdflatex":
        return _printed(formula, size)
    ink = "black" if rng is None else rng.choice(_INKS)
    drawn = None
    if name == "mathra" or (rng is not None and not backend and rng.random() < OTHER):
        try:
            drawn, name = mathra.formula(formula, True, ink), "mathra"
        except (RenderFailed, RendererMissing):
            if backend:
                raise
    if drawn is None:
        drawn = _known(formula, lambda known: mathpix.formulas([(known, True)], ink)[0])
    size = _fitting(size, max(drawn.width, drawn.height + drawn.depth), margin, source)
    framed = drawn.padded(margin / size)
    svg = framed.svg
    if rng is not None:
        weight = max(0.0, rng.gauss(4, 9)) if name == "mathpix" else 0.0  # thousandths of an em
        svg = svg.replace('stroke-width="0"', f'stroke-width="{weight:.1f}"', 1)
        svg = svg.replace(mathpix.HAN, rng.choice((mathpix.HAN, "Noto Serif SC")))
    tool = mathpix.version() if name == "mathpix" else f"{name} {need(name).version}"
    found = partial(_placed, source, formula, framed._replace(raw=drawn.raw)) if drawn.raw else None
    return Drawing(svg.encode(), "svg", tool, size / mathpix.EM, places=found)


def _placed(source: str, formula: str, drawn: mathpix.Formula) -> NDArray[np.float32]:
    """Where parts of the source are seen, in its picture."""
    found = places(formula, drawn.raw)
    found[:, :2] += source.index(formula)
    found[:, 2:] = (found[:, 2:] / 1000 + (drawn.left, drawn.height)) * mathpix.EM
    return found


def _known(formula: str, tool: Callable[[str], _T]) -> _T:
    """What the tool makes of the formula, or else of its one spelling. Raises RenderFailed for what it doesn't know."""
    try:
        return tool(formula)
    except RenderFailed:
        with suppress(BadInput, RenderFailed):
            return tool(normal(formula))
        raise


def _fitting(size: float, longest: float, margin: float, source: str) -> float:
    """Pixels of an em so that a formula of so many fits. Raises RenderFailed where they would be too few to read."""
    fitting = min(size, (SIDE - 2 * margin) / longest)
    if fitting < SMALLEST:
        most = (SIDE - 2 * margin) / SMALLEST
        raise RenderFailed(
            f"a formula {longest:.0f} em long, {source[:40]!r}: expected up to {most:.0f}, or shorter lines"
        )
    return fitting


def _printed(formula: str, size: float) -> Drawing:
    """By LaTeX, in Computer Modern."""
    if re.search("[\u2e80-\uffef]", formula):
        raise RenderFailed("pdflatex has no Chinese type: choose another backend")
    numbered = re.sub(r"\\tag\{([^{}]*)\}", r"\\qquad\\text{(\1)}", formula)
    numbered = re.sub(r"\\(begin|end)\{(align|gather)\*?\}", r"\\\1{\2ed}", numbered)
    numbered = re.sub(r"\\(?:begin|end)\{(?:equation|displaymath|math)\*?\}", "", numbered)
    script = r"\usepackage{mathrsfs}" * ("\\mathscr" in numbered)  # whose type not every TeX has
    content = latex.page(f"$\\displaystyle {numbered}$", _PREAMBLE + script, "pdflatex")
    found = re.search(rb"/MediaBox\s*\[\s*\S+\s+\S+\s+(\S+)\s+(\S+?)\s*\]", content)
    assert found
    size = _fitting(size, max(map(float, found.groups())) / 10, 0, formula)
    return Drawing(content, "pdf", f"pdflatex {need('pdflatex').version}", size / 10)


def looks_like(text: str) -> bool:
    r"""Whether all of it is one formula that is marked as one: `\[ \]`, `$$ $$`, `\( \)`, `$ $` or its environment."""
    text = text.strip()
    inner = body(text)
    if inner != text:
        return bool(inner) and not re.search(r"(?<!\\)(?:\\\\)*(\$|\\\[|\\\]|\\\(|\\\))", inner) and "\n\n" not in inner
    return bool(_ENVIRONMENT.fullmatch(text)) and text.count("\\begin{equation") < 2


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance over the longer's length (0 is perfect), and whether they are the same (1), in their one spelling.

    What has none is compared as it is, without spaces.
    """
    ours, theirs = _comparable(predicted), _comparable(truth)
    return {"edit_distance": edit_distance(ours, theirs), "exact": float(ours == theirs)}


def _comparable(text: str) -> str:
    try:
        return normal(text)
    except BadInput:
        return re.sub(r"\s+", "", body(text))


def _latex(transcript: str) -> bytes:
    """The formula, to be put in a document. Raises BadInput for none, or for one that reaches out of the page."""
    source = readable(transcript.strip())
    if not body(source):
        raise BadInput("an empty formula: expected LaTeX")
    latex.check(source)
    return f"{marked(source) if body(source) == source and not _ENVIRONMENT.fullmatch(source) else source}\n".encode()


def _told(formulas: list[tuple[str, bool]]) -> list[str]:
    """MathML of each; among others, one that isn't known is its LaTeX in an `<merror>`.

    Raises RenderFailed where none is known, RendererMissing.
    """
    failures: list[RenderFailed] = []

    def one(formula: str, display: bool) -> str:
        try:
            return _known(formula, lambda known: mathml([(known, display)])[0])
        except RenderFailed as error:
            failures.append(error)
            return unknown(formula, display)

    try:
        return mathml(formulas)
    except RenderFailed:  # of one of them
        told = [one(*each) for each in formulas]
    if len(failures) == len(formulas):
        raise failures[0]
    return told


def listed(formulas: list[tuple[str, bool]]) -> bytes:
    """A `<math>`, to be pasted into a page or a document; of several formulas as many, in a `<div>` of XHTML. Each is
    LaTeX without delimiters, and whether it stands by itself or in a line.

    Raises BadInput for an empty one and for what can't be seen, RenderFailed where none is known, RendererMissing.
    """
    if not all(readable(formula) for formula, _ in formulas):
        raise BadInput("an empty formula: expected LaTeX")
    told = _told(formulas)
    if len(told) > 1:
        told = ['<div xmlns="http://www.w3.org/1999/xhtml">', *told, "</div>"]
    return "".join(f"{line}\n" for line in told).encode()


def _mathml(transcript: str) -> bytes:
    """The formula, or several one after the other, as `listed` writes them. Raises what that raises."""
    source = transcript.strip()
    several = [found[0] for found in _FORMULA.finditer(source)]
    if len(several) < 2 or _FORMULA.sub("", source).strip(" \t\n\r,;."):
        several = [source]
    return listed([(body(one), not _INLINE.match(one)) for one in several])


EXPORTS: Mapping[str, Callable[[str], bytes]] = {"latex": _latex, "mathml": _mathml}
"""What a transcript can be written as."""
