"""Formulas and pages as Mathpix draws them: by mathpix-markdown-it, with MathJax in it, which comes with this package.

    formula, = formulas([(r"\\frac{a}{b}", True)])   # an SVG, and how wide, high and deep it is, in em
    html = page("# Title\\n\\nText with $x^2$.")      # a page of its own, nothing of which is loaded from elsewhere

A formula's picture is of paths alone, but for what Computer Modern hasn't: Chinese, which is text in `HAN`. It knows
nothing of the formulas drawn before it: none defines a command, and none is numbered but by its own `\\tag`.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from typing import TYPE_CHECKING, NamedTuple

from ocr2.errors import RenderFailed
from ocr2.renderers import v8
from ocr2.renderers.apart import apart
from ocr2.renderers.fonts import covered, faces
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from collections.abc import Sequence

BUNDLE = "mathpix-markdown-it"
EM = 16.0
"""Pixels of an em, as the SVGs have it."""
HAN, OTHER = "Noto Sans SC", "DejaVu Serif"
"""Families of what MathJax has no paths for: Chinese, and other signs."""
RULE = 0.067
"""How thick the rules of an array are, in em: as those of its frame are."""
BEARING, OVERHANG = 0.05, 0.18
"""Room around a formula, in em, for what sticks out of its box, as an italic letter does; and beside an accent."""
GAP = 2.0
"""Room between a formula and its number, in em."""
LONGEST = 10_000
"""Characters of a formula."""

# MathJax, put together anew of the bundle's parts: without numbering, links, styles and whatever outlives a formula
_ENGINE = """
(sources) => {
  part(80984).liteAdaptor().parser.constructor.CDATA_ATTR = {};  // attributes that it would write as they are
  if (!globalThis.setter) {
    const names = ["base", "ams", "boldsymbol", "unicode", "color", "mhchem", "enclose", "extpfeil", "empheq", "cases",
                   "cancel", "fix-unicode"];
    const adaptor = part(80984).liteAdaptor();
    part(80353).RegisterHTMLHandler(adaptor);
    const tex = new (part(4928).TeX)({packages: names, tags: "none", maxMacros: 1000, maxBuffer: 15360,
                                      formatError: (jax, error) => { throw Error(error.message) }});
    const svg = new (part(84016).SVG)({fontCache: "none"});
    const page = part(81039).mathjax.document("", {InputJax: tex, OutputJax: svg});
    globalThis.setter = (source, display) => {
      page.clear();
      tex.reset();
      const item = new page.options.MathItem(source, tex, display);
      item.setMetrics(16, 8, 640, 1e6, 1);
      item.root = tex.compile(item, page);
      return item;
    };
    setter.svg = (item) => adaptor.innerHTML(page.outputJax.typeset(item, page));
    setter.mathml = (item) => new (part(14347).SerializedMmlVisitor)().visitTree(item.root);
  }
  return sources.map(([source, display]) => {
    try { return [setter.FORM(setter(source, display)), ""]; }
    catch (error) { return ["", String(error.message || error)]; }
  });
}
"""
_SETTER, _TELLER = (_ENGINE.replace("FORM", form) for form in ("svg", "mathml"))
_FORBIDDEN = re.compile(
    r"(?<!\\)(?:\\\\)*(\\(?:newcommand|renewcommand|providecommand|newenvironment|renewenvironment|def|let"
    r"|DeclareMathOperator|Newextarrow|definecolor|icon|href|class|style|cssId|require|mmlToken)(?![A-Za-z]))"
)
_OPEN = re.compile(r"<svg [^>]*>")
_NUMBERED = re.compile(
    r'<svg data-table="true"[^>]* viewBox="(\S+) (\S+) \S+ (\S+)">(.*)</svg>'
    r'<svg data-labels="true"[^>]* viewBox="(\S+) [^"]*">(.*)</svg>',
    re.S,
)
_LINE = re.compile(r'<(?:line data-line|rect data-frame)="\w+"[^>]*>')
_TEXT = re.compile(r'<text data-variant="([^"]*)"([^>]*?) font-family="serif"[^>]*>(.*?)</text>', re.S)
_DASHES = {"mjx-dashed": ' stroke-dasharray="140"', "mjx-dotted": ' stroke-linecap="round" stroke-dasharray="0,140"'}


class Formula(NamedTuple):
    """A formula, drawn."""

    svg: str
    """By itself, in pixels, for type of `EM` pixels."""
    width: float
    """In em, as are the others."""
    height: float
    """Above the base line."""
    depth: float
    """Below it."""
    left: float = 0.0
    """Left of where it begins, as far as its picture goes."""
    raw: str = ""
    """As MathJax writes it, where MathJax drew it: what it calls the parts of its picture."""

    def padded(self, room: float) -> Formula:
        """The same, with so many em of room on each side."""
        inner = self.svg[self.svg.index(">") + 1 : self.svg.rindex("</svg>")]
        found = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', self.svg)
        assert found
        x, y, width, height = map(float, found.groups())
        more = 1000 * room
        return _framed(inner, (x - more, y - more, width + 2 * more, height + 2 * more))


def version() -> str:
    """Of the tool: "mathpix-markdown-it 2.0.40"."""
    return f"{BUNDLE} {need('mathpix').version}"


def formulas(sources: Sequence[tuple[str, bool]], color: str = "black") -> list[Formula]:
    """The formulas: each LaTeX without delimiters, and whether it stands by itself (display style) or in a line.

    Raises RenderFailed for the first that MathJax can't draw, in its words, RendererMissing.
    """
    need("mathpix")
    for source, _ in sources:
        _checked(source)
    answers = apart(f"{__name__}:drawn", list(sources))
    return [_formula(source, answer, color) for (source, _), answer in zip(sources, answers, strict=True)]


def drawn(sources: list[tuple[str, bool]]) -> list[tuple[str, str]]:
    """Of each formula the SVG as MathJax writes it, or why there is none; called apart."""
    answers: list[tuple[str, str]] = v8.called(BUNDLE, _SETTER, sources)
    return answers


def told(sources: Sequence[tuple[str, bool]]) -> list[str]:
    """The formulas as MathML, as MathJax writes it, with its own attributes. Raises as `formulas`."""
    need("mathpix")
    for source, _ in sources:
        _checked(source)
    found = []
    for (source, _), (mathml, error) in zip(sources, apart(f"{__name__}:spoken", list(sources)), strict=True):
        if error or "data-mjx-error" in mathml:
            raise RenderFailed(f"MathJax: {error or 'an error in the formula'}: {source:.80}")
        found.append(mathml)
    return found


def spoken(sources: list[tuple[str, bool]]) -> list[tuple[str, str]]:
    """Of each formula the MathML, or why there is none; called apart."""
    answers: list[tuple[str, str]] = v8.called(BUNDLE, _TELLER, sources)
    return answers


def _checked(source: str) -> None:
    """Raises RenderFailed for what is no formula by itself."""
    if len(source) > LONGEST:
        raise RenderFailed(f"a formula of {len(source)} characters: expected up to {LONGEST}")
    if found := _FORBIDDEN.search(source):
        raise RenderFailed(
            f"{found[1]} in the formula {source:.60}: expected one without definitions, links and styles"
        )


def _formula(source: str, answer: tuple[str, str], color: str) -> Formula:
    svg, error = answer
    if error or "data-mjx-error" in svg:
        raise RenderFailed(f"MathJax: {error or 'an error in the formula'}: {source:.80}")
    opened = _OPEN.match(svg)
    assert opened
    inner = svg[opened.end() : svg.rindex("</svg>")]
    if numbered := _NUMBERED.search(inner):
        middle, top, high, table, label, right = numbered.groups()
        wide = 2 * float(middle) + 1
        start, labels = wide + 1000 * GAP, float(label) + 1
        inner = (
            '<g stroke="currentColor" fill="currentColor" stroke-width="0">'
            f'<g>{table}</g><g transform="translate({start:.1f},0)">{right}</g></g>'
        )
        box = (0.0, float(top), start + labels, float(high))
    elif 'width="100%"' not in opened[0] and (given := re.search(' viewBox="([^"]*)"', opened[0])):
        left, top, wide, high = map(float, given[1].split())
        box = (left, top, wide, high)
    else:
        raise RenderFailed(f"a formula as wide as its page, which is none here: {source:.80}")
    beside = OVERHANG if 'data-mml-node="mover"' in inner or r"\not" in source else BEARING
    return boxed(_mended(inner, color), box, beside)._replace(raw=svg)


def boxed(inner: str, box: tuple[float, float, float, float], beside: float = BEARING) -> Formula:
    """The picture in its box (left, top, width, height; thousandths of an em), with some em of room beside it."""
    room, above = 1000 * beside, 1000 * BEARING
    x, y, width, height = box[0] - room, box[1] - above, box[2] + 2 * room, box[3] + 2 * above
    return _framed(inner, (x, y, width, height))


def _framed(inner: str, box: tuple[float, float, float, float]) -> Formula:
    x, y, width, height = box
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width / 1000 * EM:.3f}" height="{height / 1000 * EM:.3f}" '
        f'viewBox="{x:.1f} {y:.1f} {width:.1f} {height:.1f}">{inner}</svg>'
    )
    return Formula(svg, width / 1000, -y / 1000, (y + height) / 1000, -x / 1000)


def _mended(inner: str, color: str) -> str:
    """What MathJax leaves to a style sheet and to a browser's fonts, said in the picture itself."""
    if found := re.search(r'="([^"]*url\s*\([^"]*)"', inner, re.I):
        raise RenderFailed(f"{unescape(found[1])[:60]} in the formula, which is elsewhere: expected a colour")
    inner = _LINE.sub(_ruled, inner)
    inner = _TEXT.sub(_lettered, inner)
    inner = re.sub(r' (?:data-(?!background)[\w-]+|id|class)="[^"]*"', "", inner)
    return inner.replace("currentColor", color)


def _ruled(found: re.Match[str]) -> str:
    dashes = next((dash for name, dash in _DASHES.items() if name in found[0]), "")
    return f'{found[0].rstrip("/>")} stroke-width="{1000 * RULE:g}" fill="none"{dashes}{"/" * found[0].endswith("/>")}>'


def _lettered(found: re.Match[str]) -> str:
    """Text in a face that has it, in the cut that it asks for."""
    variant, rest, text = found.groups()
    family = next((family for family in (HAN, OTHER) if all(_has(family, char) for char in unescape(text))), None)
    if family is None:
        raise RenderFailed(f"no font here has {unescape(text)!r} (U+{ord(unescape(text)[0]):04X})")
    bold = ' font-weight="bold"' * ("bold" in variant)
    italic = ' font-style="italic"' * ("italic" in variant and family != HAN)
    return f'<text{rest} font-family="{family}"{bold}{italic}>{text}</text>'


@cache
def _has(family: str, char: str) -> bool:
    """Whether the family is the one to draw the character."""
    chinese = "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\uffef"
    face = next(face for face in faces("han" if family == HAN else "serif") if face.family == family)
    known = covered(face)
    return chinese == (family == HAN) and ord(char) < len(known) and bool(known[ord(char)])


# a page of Mathpix Markdown; to change whether equations are numbered, and back, makes MathJax forget what it has met
_SHOWER = """
(text) => {
  part(80984).liteAdaptor().parser.constructor.CDATA_ATTR = {};
  const math = part(45810).MathJax, model = part(28306).MathpixMarkdownModel;
  math.checkAccessibility(null, true);
  math.checkAccessibility(null, false);
  math.Reset();
  let last = 1;
  Math.random = () => (last = last * 16807 % 2147483647) / 2147483647;
  Date.now = () => 0;
  const options = {htmlTags: true, htmlSanitize: true, previewUuid: "page", openLinkInNewWindow: false, outMath: {
    include_svg: true, include_smiles: true, include_mathml: false, include_asciimath: false, include_latex: false,
    include_tsv: false, include_table_html: true}};
  return [model.markdownToHTML(text, options) || "", model.getMathpixStyle(true)];
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"


def page(markdown: str) -> str:
    """A whole page of Mathpix Markdown as HTML, with its tables, formulas and molecules: nothing in it is loaded from
    elsewhere, and nothing of it runs; pictures that are elsewhere are left out but for their names.

    Raises RenderFailed for a formula in it that MathJax can't draw, in its words, RendererMissing.
    """
    need("mathpix")
    body, style = apart(f"{__name__}:shown", markdown)
    if markdown.strip() and not body.strip():
        raise RenderFailed("mathpix-markdown-it can't read the page: expected Mathpix Markdown")
    if wrong := re.search('data-mjx-error="([^"]*)"', body):
        raise RenderFailed(f"MathJax: {unescape(wrong[1])}")
    body = re.sub(r"<(script|iframe|object|embed|link|base|meta|style)\b.*?(</\1>|/?>)", "", body, flags=re.S | re.I)
    body = re.sub(r"""(<img\b[^>]*?)\s+src\s*=\s*(["'])(?!data:image/).*?\2""", r"\1", body, flags=re.S | re.I)
    style = re.sub(r"@import\b[^;]*;|@font-face\s*\{[^}]*\}", "", style)
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    style += "#preview-content {padding: 24px}"
    body = f'<div id="preview-content"><div id="setText">\n{body}\n</div></div>'
    return f"<!DOCTYPE html>\n<html><head>{head}<style>{style}</style></head>\n<body>{body}</body></html>\n"


def shown(markdown: str) -> tuple[str, str]:
    """The page's body and its style sheet, as mathpix-markdown-it has them; called apart."""
    body, style = v8.called(BUNDLE, _SHOWER, markdown)
    return body, style
