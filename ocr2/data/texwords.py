"""What LaTeX's commands in running text show."""

from __future__ import annotations


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_SPACES = _names("quad qquad , ; : > par newline space nobreakspace enspace thinspace linebreak")
_SHOWN = (
    (
        "LaTeX",
        "LaTeX",
        "TeX",
        "TeX",
        "ldots",
        "…",
        "dots",
        "…",
        "textellipsis",
        "…",
        "S",
        "§",
        "P",
        "¶",
        "copyright",
        "©",
    ),
    (
        "ss",
        "ß",
        "o",
        "ø",
        "O",
        "Ø",
        "l",
        "ł",
        "L",
        "Ł",
        "ae",
        "æ",
        "AE",
        "Æ",
        "oe",
        "œ",
        "OE",
        "Œ",
        "aa",
        "å",
        "AA",
        "Å",
    ),
    ("i", "ı", "pounds", "£", "textendash", "–", "textemdash", "—", "slash", "/", "textregistered", "®", "dag", "†"),
    (
        "textquoteright",
        "’",
        "textquoteleft",
        "‘",
        "textquotedblleft",
        "“",
        "textquotedblright",
        "”",
        "lq",
        "‘",
        "rq",
        "’",
    ),
    ("textless", "<", "textgreater", ">", "textbar", "|", "textasciitilde", "~", "textunderscore", "_", "euro", "€"),
    ("textdegree", "°", "texteuro", "€", "XeTeX", "XeTeX", "LaTeXe", "LaTeX2ε", "pdfLaTeX", "pdfLaTeX"),
    ("BibTeX", "BibTeX", "!", "", "-", "", "/", "", "@", "", "\\", " ", " ", " ", "\n", " "),
    ("%", "%", "&", "&", "#", "#", "_", "_", "$", "$", "{", "{", "}", "}"),
)
SHOWN = {name: text for row in _SHOWN for name, text in zip(row[::2], row[1::2], strict=True)}
SHOWN |= dict.fromkeys(_SPACES, " ")
"""Commands without arguments, and their signs."""
ACCENTS = dict(
    zip(
        "`'^\"~=.uvHcdbrk",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0323\u0331\u030a\u0328",
        strict=True,
    )
)
"""Commands before a letter, and the signs that compose with it."""
STYLES = {"emph": "i", "textit": "i", "textsl": "i", "textbf": "b", "texttt": "c", "define": "bi", "strong": "b"}
STYLES |= dict.fromkeys(_names("pkg cls env opt file code"), "c")
"""Commands around a text that is then bold, italic, or code."""
SWITCHES = {"bf": "b", "bfseries": "b", "em": "i", "it": "i", "itshape": "i", "sl": "i", "tt": "c", "ttfamily": "c"}
"""Commands after which the text is, to the end of the braces."""
AS_IS = _names("textrm textsf textsc textmd textup text mbox hbox underline uline textnormal hologo href enquote")
"""Commands around a text that looks as any."""
SILENT = _names(
    "noindent medskip bigskip smallskip newpage clearpage cleardoublepage pagebreak maketitle tableofcontents centering"
    " small footnotesize normalsize large Large scriptsize tiny raggedright sloppy fussy protect relax null hfill vfill"
    " phantomsection indent appendix leavevmode xspace frontmatter mainmatter backmatter ignorespaces unskip allowbreak"
    " nolinebreak mentalpause sffamily rmfamily break selectfont endgroup begingroup rm sc sf normalfont upshape"
)
"""Commands that show nothing."""
SILENT_WITH = dict.fromkeys(
    _names(
        "label index indexdef indexfoot symlabel vspace hspace vskip pagestyle thispagestyle bibliography author"
        " bibliographystyle nocite input include pinyinindex pkgindex clsindex cmdindex envindex usepackage todo"
        " glsadd date graphicspath hypertarget mathindex msymindex"
    ),
    1,
)
SILENT_WITH |= dict.fromkeys(_names("setcounter addtocounter setlength addtolength indexsee addtocontents markboth"), 2)
SILENT_WITH |= {"addcontentsline": 3}
"""Commands that show nothing, and how many arguments they take."""
CITES = _names("cite citep citet parencite autocite textcite citealp")
REFERS = _names("ref eqref cref Cref autoref")
REFERENCES = (("eq", "({})"), ("fig", "Figure {}"), ("tab", "Table {}"), ("thm", "Theorem {}"), ("lem", "Lemma {}"))
"""How a reference is called, by how its key starts; any other is of a section."""
