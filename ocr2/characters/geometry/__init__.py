"""Geometry: figures and curves of functions as TikZ (GOT §3.3.2).

    \\begin{tikzpicture}
    \\draw (0,0) -- (5,0) -- (1.2,3) -- cycle;
    \\node[below left] at (0,0) {$A$};
    \\end{tikzpicture}

A statement a line; how figures are spelled is told in `figures.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters.geometry.constructions import construction
from ocr2.characters.geometry.graphs import graph
from ocr2.errors import BadInput, RenderFailed
from ocr2.metrics import edit_distance
from ocr2.renderers import latex
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ocr2.characters import Corpus

BACKENDS = ("tikra", "pdflatex")
SIDE = 1024
"""Pixels of the longest side of a picture."""
LONGEST = 20_000
"""Characters of a source."""
TAKEN = 1200
"""Characters of the longest picture of a corpus that is composed."""
SECONDS = 10.0
PREAMBLE = (
    "\\usepackage{amsmath,amssymb}\\usepackage{tikz}\n\\usetikzlibrary{arrows,arrows.meta,angles,quotes,calc,"
    "intersections,positioning,patterns,decorations.markings,decorations.pathmorphing,decorations.pathreplacing,"
    "shapes.geometric,through,backgrounds,fit,3d}\n"
)
_PICTURE = re.compile(r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}", re.DOTALL)
_UNSEEN = re.compile(
    r"\\(path|clip|phantom|pgf|def|newcommand|input|include|only|tikzset|tikzstyle|usetikz|let|pic\b|nodepart|nicefrac"
    r"|tiny|scriptsize|ldots|text|begin\{(?!tikzpicture|scope))"
    r"|white|opacity|invisible|transparent|draw=none|\\coordinate|remember picture|overlay|alt=|decorat|circuit|gate"
    r"|sloped|text width|align|pattern|label distance|cross out|split|scale=|shading|shadow"
)
"""What leaves no ink, needs what stands outside the picture, or isn't drawn alike by TeX."""
_OPEN_END = re.compile(r"(--|-\||\|-|\.\.)\s*(;|\\end|\\draw|\\fill|\\node|$)")


def compose(corpus: Corpus, rng: Random) -> str:
    """A figure or curves, invented; now and then a picture of the corpus, where it has some that can be drawn."""
    if corpus.has("tikz") and rng.random() < 0.06:
        for _ in range(3):
            picture = _taken(corpus.item(rng, "tikz"), rng)
            if picture:
                return picture
    return graph(rng) if rng.random() < 0.28 else construction(rng)


def _taken(source: str, rng: Random) -> str:
    """A picture of a source, in our spelling; "" where it has none that is drawn as it is written."""
    found = [text for text in _PICTURE.findall(source) if len(text) <= TAKEN and not _UNSEEN.search(text)]
    if not found:
        return ""
    picture = tidied(rng.choice(found))
    try:
        checked(picture)
        _, width, height = apart("ocr2.renderers.tikz:drawn", picture, seconds=SECONDS)
    except (BadInput, RenderFailed):  # one of hundreds: there are others
        return ""
    return picture if len(picture) <= TAKEN and max(width, height) <= 600 and min(width, height) >= 20 else ""


def tidied(source: str) -> str:
    """The source without comments, a statement a line, with single spaces."""
    plain = re.sub(r"(?<!\\)%.*", "", source.strip())
    plain = " ".join(plain.split())
    lines, depth, start = [], 0, 0
    for place, char in enumerate(plain):
        depth += (char in "{[") - (char in "}]")
        if char == ";" and depth == 0:
            lines.append(plain[start : place + 1])
            start = place + 1
    lines.append(plain[start:])
    spaced = "\n".join(line.strip() for line in lines if line.strip())
    spaced = re.sub(r"(\\begin\{tikzpicture\}(?:\s*\[[^\]]*\])?)\s*", r"\1\n", spaced)
    return re.sub(r"\s*(\\end\{tikzpicture\})\s*", r"\n\1\n", spaced).strip()


def checked(source: str) -> str:
    """The source. Raises BadInput for one that can't be TikZ."""
    if len(source) > LONGEST:
        raise BadInput(f"TikZ of {len(source):,} characters: expected up to {LONGEST:,}")
    if not re.search(r"\\begin\{tikzpicture\}|\\tikz\b", source):
        raise BadInput("no TikZ in the source: expected \\begin{tikzpicture} … \\end{tikzpicture}")
    if source.count("\\begin{tikzpicture}") != source.count("\\end{tikzpicture}"):
        raise BadInput("\\begin{tikzpicture} and \\end{tikzpicture} aren't as many: expected a pair")
    plain = re.sub(r"\\[{}\[\]%\\]", "", re.sub(r"(?<!\\)%.*", "", source))
    _check_pairs(plain)
    if found := _OPEN_END.search(plain):
        raise BadInput(f"a path of the TikZ ends with {found[1]}: expected a point after it")
    if found := re.search(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\uffef]", plain):
        raise BadInput(f"{found[0]!r} in the TikZ: no font of TikZ's has it, expected Latin letters and mathematics")
    return source


def _check_pairs(plain: str) -> None:
    """Raises BadInput where braces or brackets aren't in pairs."""
    open_: list[str] = []
    for char in plain:
        if char in "{[":
            open_.append(char)
        elif char in "}]" and (not open_ or open_.pop() != "{["["}]".index(char)]):
            if char == "]":
                raise BadInput("a ] in the TikZ that no [ opens: balance its brackets")
            raise BadInput("a } in the TikZ that no { opens: balance its braces")
    if open_:
        raise BadInput(f"a {open_[-1]} in the TikZ is never closed: balance its braces and brackets")


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The picture, at 1.6 pixels a point; with `rng` at another size, with other lines, arrows and type, of
    which none is held back.

    Raises BadInput for what is no TikZ, RenderFailed for what the tool can't draw or would leave out, RendererMissing.
    """
    tool = need(chosen(backend, BACKENDS))
    checked(readable(source))
    scale = 1.6
    if rng is not None:
        scale = rng.uniform(1.4, 1.85)  # no thinner, or pale lines are lost
        source = _varied(source, rng, scale)
    told = f"{tool.name} {tool.version}"
    if tool.name == "pdflatex":
        return Drawing(latex.page(source, PREAMBLE), "pdf", told, scale)
    if rng is not None:
        image = apart("ocr2.renderers.tikz:painted", source, scale, SIDE, seconds=SECONDS)
        return Drawing(image, "pixels", told, outline=lambda: _drawn(source)[0])
    svg, width, height = _drawn(source)
    return Drawing(svg.encode(), "svg", told, min(scale, SIDE / max(width, height)))


def _drawn(source: str) -> tuple[str, float, float]:
    found: tuple[str, float, float] = apart("ocr2.renderers.tikz:drawn", source, seconds=SECONDS)
    return found


def _varied(source: str, rng: Random, scale: float) -> str:
    """The source with options that nobody writes down: how thick plain lines are, arrow heads, the size of type."""
    options = [f"line width={rng.uniform(0.48, 0.54):.2f}pt"]
    if not re.search("thick|thin|line width", source):
        options = [f"line width={rng.choice([wide for wide in (0.4, 0.5, 0.6, 0.8, 1.0) if wide * scale > 0.7])}pt"]
    if not re.search(r"font|every node|\\(tiny|small|large|Large|footnotesize|scriptsize)\b", source):
        options.append(f"every node/.style={{font=\\{rng.choice(('small', 'normalsize', 'normalsize', 'large'))}}}")
    if not re.search("stealth|latex|>=", source):
        options += rng.choice(([], [">=stealth"], [">=latex"]))
    given = re.search(r"\\begin\{tikzpicture\}(\s*\[)?", source)
    if not given:
        return source
    put = f"\\begin{{tikzpicture}}[{', '.join(options)}" + (", " if given[1] else "]")
    return source[: given.start()] + put + source[given.end() :]


def looks_like(text: str) -> bool:
    """Whether it has a TikZ picture, and little else."""
    return bool(re.match(r"\s*(\\begin\{tikzpicture\}|\\tikz(?![A-Za-z]))", text))


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance over the longer's length (0 is perfect), and whether they are equal; blanks don't count."""
    one, other = tidied(predicted), tidied(truth)
    return {"edit_distance": edit_distance(one, other), "exact": float(one == other)}


def _tikz(transcript: str) -> bytes:
    """The picture, to be put in a document. Raises BadInput for what is no TikZ or reaches out of the picture."""
    source = checked(readable(transcript.strip()))
    latex.check(source)
    return f"{source}\n".encode()


EXPORTS: Mapping[str, Callable[[str], bytes]] = {"tikz": _tikz}
"""What a transcript can be written as."""
