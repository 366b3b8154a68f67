r"""Formulas read and written: one spelling for one picture.

    normal(r"{\bf x} _ 1 ^{2} = {a \over b} \ , \nonumber")    # \mathbf{x}_{1}^{2}=\frac{a}{b},

What is not seen is left out, what looks the same is named the same:

* no spaces but between a command and a letter; braces where they are needed, and around every script; subscripts first
* gaps below 0.9 em and those at an edge are left out, wider ones are `\quad`; gaps beside and between upright words
  (0.24 em and more) are spaces in a \text
* sizes of type (`\displaystyle`, `\dfrac`, `\small`), colours, labels and classes (`\mathrel`) are left out; a
  delimiter's size too: those of a pair (`\left`, `\Big`) are as high as what they hold, which is said, by
  `\left … \right`, where they are higher than letters are
* a font is said of what looks otherwise in it: `\mathbf{x}+\mathbf{y}`; letters are italic anyway
* upright letters are `\mathrm`, a function's name where it is one, and \text where there is more in it than letters
* scripts set above and below are `\underset` and `\overset`, but for sums and limits, which have theirs there
* `\over` is `\frac`, `\choose` is `\binom`, a prime is `^{\prime}`, an array in delimiters is a `pmatrix` or the like,
  lines that are aligned are `aligned`, those that aren't are `gathered`; what has one line only has no environment

What can't be said so (definitions, boxes, pictures, unknown commands, braces that don't match) raises BadInput.
"""

from __future__ import annotations

from ocr2.characters.latex.reader import Reader
from ocr2.characters.latex.tidy import tidied
from ocr2.characters.latex.writer import written
from ocr2.errors import BadInput

_DELIMITED = (("\\[", "\\]"), ("\\(", "\\)"), ("$$", "$$"), ("$", "$"))


def body(source: str) -> str:
    r"""The formula without what marks it as one: `\[ \]`, `$$`, `$`."""
    source = source.strip()
    for left, right in _DELIMITED:
        if source.startswith(left) and source.endswith(right) and len(source) >= len(left) + len(right):
            return source[len(left) : -len(right)].strip()
    return source


def normal(source: str) -> str:
    """The formula in its one spelling, without delimiters. Raises BadInput for what has none."""
    try:
        row = tidied(Reader(body(source)).formula())
    except RecursionError as error:
        raise BadInput(f"too much within each other in the formula {source[:60]!r}: expected less") from error
    if not row:
        raise BadInput(f"the formula {source[:60]!r} shows nothing: expected signs to draw")
    return written(row)
