"""Pages as they were read, written down: text, Markdown, HTML, JSON, JSON lines, hOCR and searchable PDF.

Every writer takes results one at a time and yields the document's bytes as they come. The pieces of a page, from the
large to the small: paragraphs (end "\\n\\n") hold rows (end "\\n"), a row holds the lines printed beside each other,
and a line holds words. What is more than text, as a model's answer may be, is written as its kind is: tables as tables,
formulas as formulas, music as a picture.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import metadata
from itertools import count
from typing import Literal

from ocr2.errors import OcrError, RendererMissing
from ocr2.layout import Block, Row, blocks, height, is_flat, lines_of, paragraphs, printable, printed, unplaced, words
from ocr2.pdf import write_pdf
from ocr2.result import Result
from ocr2.types import Box, Line, Transcript, join

Writer = Callable[[Iterable[Result]], Iterator[bytes]]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")


def _text(results: Iterable[Result]) -> Iterator[bytes]:
    """The plain text, with a form feed between pages."""
    for n, result in enumerate(results):
        text = result.transcript.text
        yield _utf8(("\f" if n else "") + (text + "\n" if text else ""))


_MARKUP = re.compile(
    r"""^\#(?=\#{0,5}(\s|$)) | (?<=\s)\#(?=\#*$)    # a heading starts, or ends
    | ^> | ^[-+](?=\s|$) | ^[-=:|](?=[-=:|\s]*$)    # a quotation, list, rule, underline or table starts
    | (?<!\s)\* | \*(?!\s) | (?<![^\W_])_ | _(?![^\W_]) | ` | ~(?=~) | (?<=~)~
    | \\(?=[!-/:-@\[-`{-~]|$) | \](?=[(:]) | <(?=[A-Za-z/!?]) | &(?=\#?\w+;)""",
    re.VERBOSE,
)
"""Each character that would mean something to a Markdown reader, and only where it would."""


def _escape_markdown(text: str) -> str:
    escaped = _MARKUP.sub(r"\\\g<0>", text)
    return re.sub(r"^(\d{1,9})(?=[.)](\s|$))", r"\1\\", escaped)


def _marked(some: Iterable[Block]) -> Iterator[str]:
    """Paragraphs, headings and lists in Markdown, where another sign begins another list."""
    follows, sign = 0, "."
    for block in some:
        texts = [_escape_markdown(text) for text in block.stretches]
        first = block.number
        if first is None:
            yield "#" * block.level + " " * bool(block.level) + "\\\n".join(texts)
        else:
            if follows != first:
                sign = ")" if follows and sign == "." else "."
            yield "\n".join(f"{f'{n}{sign}' if first else '-'} {text}" for n, text in enumerate(texts, first))
        follows = first + len(texts) if first else 0


def _markdown(results: Iterable[Result]) -> Iterator[bytes]:
    """Paragraphs, headings, lists, a rule between pages; as it is what GOT answered as text, or what has no places."""
    for n, result in enumerate(results):
        body = result.transcript.text
        if marked := _by_kind(result.transcript, "md"):
            body = marked
        elif is_flat(result.transcript):
            body = "\n\n".join(_marked(blocks(result.transcript)))
        yield _utf8(("\n---\n\n" if n else "") + (body + "\n" if body else ""))


def _by_kind(read: Transcript, form: Literal["md", "html"]) -> str:
    """What is more than text in Markdown or HTML, by its kind; "" for text, and for what can't be written so."""
    if read.kind == "text" or is_flat(read):
        return ""
    from ocr2.characters import CHARACTERS, exported, markup  # brings OpenCV, which plain text needn't wait for

    kind = "document" if read.kind == "formula" else read.kind  # a page of nothing else
    if kind not in CHARACTERS:
        return ""
    try:
        if form in CHARACTERS[kind].EXPORTS:
            return exported(read.text, form, kind).decode().rstrip("\n")
        if form == "md":
            return markup.fenced(read.text, kind)
        return markup.figure(exported(read.text, "svg", kind).decode(), read.text, kind)
    except RendererMissing as error:
        markup.missing(error)
    except OcrError:
        pass
    return markup.verbatim(read.text) if kind in markup.NOTATIONS and form == "html" else ""


_HTML_HEAD = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8"/>
<title>Transcript</title>
<style>.page {max-width: 45em; margin: 2em auto} .page + .page {border-top: 1px solid; padding-top: 2em}
table {border-collapse: collapse; margin: 1em 0} table:not([border="0"]) :is(td, th) {border: 1px solid}
td, th {padding: .2em .6em} :is(td, th):not([align]) {text-align: left} [colspan]:not([align]) {text-align: center}
img {max-width: 100%; vertical-align: middle} .formula {text-align: center}</style>
</head>
<body>
"""


def _tagged(block: Block) -> str:
    """A paragraph, heading or list in HTML."""
    texts = [html.escape(text) for text in block.stretches]
    if block.number is not None:
        tag, start = ("ol", f' start="{block.number}"' * (block.number > 1)) if block.number else ("ul", "")
        return f"<{tag}{start}>{''.join(f'<li>{text}</li>' for text in texts)}</{tag}>"
    tag = f"h{block.level}" if block.level else "p"
    return f"<{tag}>{'<br/>'.join(texts)}</{tag}>"


def _html(results: Iterable[Result]) -> Iterator[bytes]:
    """One HTML5 document (well-formed XML too), a section for each page."""
    yield _utf8(_HTML_HEAD)
    for result in results:
        file = html.escape(printable(result.origin))
        page = [f'<section class="page" data-file="{file}" data-page="{result.number}">']
        if marked := _by_kind(result.transcript, "html"):
            page.append(printable(marked))
        for block in () if marked else blocks(result.transcript):
            page.append(_tagged(block))
        yield _utf8("\n".join([*page, "</section>\n"]))
    yield b"</body>\n</html>\n"


def _json(results: Iterable[Result]) -> Iterator[bytes]:
    """One array with a record for each page."""
    yield b"["
    for n, record in enumerate(_jsonl(results)):
        yield (b",\n" if n else b"\n") + record.rstrip(b"\n")
    yield b"\n]\n"


def _jsonl(results: Iterable[Result]) -> Iterator[bytes]:
    """One record a line, a line for each page; what a chart or a table says is in it by the name of its kind."""
    for result in results:
        yield _utf8(json.dumps(result.to_json() | _data(result.transcript), ensure_ascii=False) + "\n")


def _data(read: Transcript) -> dict[str, object]:
    """What a chart says, `{"chart": {"title": …, "values": …}}`, or a table, `{"table": [["a", "b"], …]}`."""
    if read.kind not in ("chart", "table"):
        return {}
    from ocr2.characters import exported

    try:
        return {read.kind: json.loads(exported(read.text, "json", read.kind))}
    except OcrError:
        return {}


_HOCR_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>Transcript</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="ocr2 {version}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_par ocr_line ocrx_word ocrp_wconf"/>
</head>
<body>
"""


def _hocr(results: Iterable[Result]) -> Iterator[bytes]:
    """One hOCR 1.2 document: pages, paragraphs, printed rows and words, each with its box.

    A line without a place may be anywhere: it has the page's box, for it must have one, and no words.
    """
    try:
        version = metadata.version("ocr2")
    except metadata.PackageNotFoundError:
        version = "unknown"
    yield _utf8(_HOCR_HEAD.format(version=version))
    for n, result in enumerate(results):
        yield _utf8(_hocr_page(n, result))
    yield b"</body>\n</html>\n"


def _hocr_page(index: int, result: Result) -> str:
    """The page's element. `ppageno` counts the document's pages; the number within the file is in `x_source`."""
    ids = (f"{index + 1}_{n}" for n in count(1))
    title = f"bbox 0 0 {result.width} {result.height}; ppageno {index}"
    # a quoted string may hold neither quotes nor semicolons, and the grammar has no escape but a URL's
    if result.origin:
        file = printable(result.origin).replace('"', "%22").replace(";", "%3B")
        title = f'image "{file}"; {title}; x_source "{file}" "{result.number}"'
    page = [f'<div class="ocr_page" id="page_{index + 1}" title="{html.escape(title)}">']
    for paragraph in paragraphs(printed(result.transcript.lines) or unplaced(result.transcript.text)):
        page.append(f'<p class="ocr_par" id="par_{next(ids)}" title="{_bbox(lines_of(paragraph), result)}">')
        page += [_hocr_row(row, result, ids) for row in paragraph]
        page.append("</p>")
    return "\n".join([*page, "</div>\n"])


def _hocr_row(row: Row, result: Result, ids: Iterator[str]) -> str:
    pieces = []
    for line in row:
        if not line.quad:
            pieces.append(replace(line, text=html.escape(printable(line.text))))
            continue
        spans = [
            f'<span class="ocrx_word" id="word_{next(ids)}" title="{_bbox([replace(line, quad=quad)], result)};'
            f' x_wconf {round(100 * min(max(line.score, 0), 1))}">{html.escape(printable(text))}</span>'
            for text, quad in words(line)
            if printable(text)
        ]
        pieces.append(replace(line, text=" ".join(spans)))
    title = _bbox(row, result)
    if all(line.quad for line in row):
        title += f"; {_slant(row, result)}; x_size {height(row):.1f}"
    return f'<span class="ocr_line" id="line_{next(ids)}" title="{title}">{join(tuple(pieces))}</span>'


def _bbox(lines: list[Line], result: Result) -> str:
    """The upright box around the lines in whole pixels, within the page and never empty; the page's for any place."""
    if not all(line.quad for line in lines):
        return f"bbox 0 0 {result.width} {result.height}"
    box = Box.around(tuple(point for line in lines for point in line.place))
    x0 = min(max(math.floor(box.x0), 0), result.width - 1)
    y0 = min(max(math.floor(box.y0), 0), result.height - 1)
    x1, y1 = min(max(math.ceil(box.x1), x0 + 1), result.width), min(max(math.ceil(box.y1), y0 + 1), result.height)
    return f"bbox {x0} {y0} {x1} {y1}"


def _slant(row: Row, result: Result) -> str:
    """The row's direction: a baseline in the frame of its box (its lower edge), or an angle where it is turned over."""
    (x, y), (x1, y1) = row[0].place[3], row[-1].place[2]
    angle = math.degrees(math.atan2(y - y1, x1 - x))
    if abs(angle) > 45:
        return f"textangle {round(angle, 1) % 360:g}"
    slope = (y1 - y) / (x1 - x) if x1 > x else 0.0
    left, bottom = (int(_bbox(row, result).split()[side]) for side in (1, 4))
    return f"baseline {round(slope, 3) + 0:g} {round(y + slope * (left - x) - bottom)}"


FORMATS: dict[str, Writer] = {
    "text": _text,
    "md": _markdown,
    "html": _html,
    "json": _json,
    "jsonl": _jsonl,
    "hocr": _hocr,
    "pdf": write_pdf,
}
"""The writers by the names the command line gives them."""

BETWEEN = {"csv": b"\r\n", "smiles": b"", "latex": b"\n", "tikz": b"\n"}
"""The notations of EXPORTED that hold several pages, and what stands between these; any other holds one."""


def joined(pages: Iterable[bytes], form: str) -> Iterator[bytes]:
    """Pages in one of EXPORTED, one after the other."""
    for n, page in enumerate(pages):
        whole = page if page.endswith(b"\n") or form not in BETWEEN else page + b"\n"
        yield BETWEEN.get(form, b"") + whole if n else whole
