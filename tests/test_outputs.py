"""What the writers promise, checked by other readers: json, xml.etree, an hOCR validator written here, and pdfium."""

import base64
import cmath
import io
import json
import math
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from operator import attrgetter

import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat
from pypdfium2 import raw

from ocr2.errors import BadInput, BadOutput, RendererMissing
from ocr2.layout import words
from ocr2.outputs import BETWEEN, FORMATS, joined
from ocr2.result import Result
from ocr2.types import EXPORTED, Box, Line, Page, Piece, Prompt, Quad, Transcript, join

WIDTH, HEIGHT = 600, 800


def parse(document: str) -> ET.Element:
    return ET.fromstring(document.removeprefix("<!DOCTYPE html>"))


def upright(x0, y0, x1, y1) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def turned(x0, y0, x1, y1) -> Quad:
    """A box whose text runs from bottom to top."""
    return (x0, y1), (x0, y0), (x1, y0), (x1, y1)


def at(text, x0, y0, x1, y1, end="\n", score=0.9) -> Line:
    return Line(text, upright(x0, y0, x1, y1), score, end)


def result(*lines, text=None, image=None, origin="scan.png", **asked) -> Result:
    text = join(lines) if text is None else text
    return Result(origin, 1, WIDTH, HEIGHT, Transcript(text, lines=lines, **asked), image)


def write(form, *results) -> str:
    return b"".join(FORMATS[form](results)).decode()


LATIN = result(
    at("A Title", 50, 30, 300, 80, "\n\n"),
    at("The quick brown fox jumps over the la-", 50, 100, 550, 125),
    at("zy dog, and then it goes on its way.", 50, 130, 548, 155, "\n\n", score=0.98765),
    at("Tea", 50, 300, 90, 325, " "),
    at("1.50", 400, 300, 470, 325),
    at("Cake", 50, 330, 110, 355, " "),
    at("3.20", 400, 330, 470, 355),
)
CHINESE = result(at("中文测试2024年的文字", 50, 100, 450, 130), at("第二行。a😀b 𠀀字", 50, 135, 450, 165))
TURNED = result(
    Line("Words that run up", turned(100, 200, 130, 600), 0.9),
    Line("the page 字 twice", turned(140, 200, 170, 600), 0.9),
)
SKEWED = result(Line("a skewed line", ((250.26, 100), (550, 130), (547, 160), (247, 130)), 0.5))
ODD = result(at('<b>&amp; "q"</b>\x00\x0b\ud800 ok', -20, 780, 700, 900), origin='a "b";<c>&.png')
BLANK = result()
PLAIN = result(text="# Title\n\n$x < y$ & *z*")
PARTLY = result(  # some lines have no place
    Line("*Lost* & first", None, 0.5),
    at("a line in its place", 50, 100, 550, 125, "\n"),
    Line("lost below it", None, 0.5, "\n\n"),
    Line("<b>lost</b> as well", None, 0.5),
    at("another 字 there", 50, 200, 400, 225),
    Line("the last \\(x\\) 𠀀", None, 0.5),
)
MARKUP = result(  # all have, but they mean something
    at("# Title", 50, 30, 300, 80, "\n\n"), at("$x < y$ & *z*", 50, 100, 550, 125), prompt=Prompt(format=True)
)
FLOWED = result(  # a paragraph in one line, whose words were printed in three
    at("# A Title", 50, 30, 300, 80, "\n\n"),
    Line(
        "The **quick** brown fox jumps over the lazy dog",
        upright(50, 100, 550, 185),
        0.9,
        "\n\n",
        pieces=(
            Piece("The **quick** brown fox", upright(50, 100, 550, 125)),
            Piece(" jumps over the ", upright(50, 130, 550, 155)),
            Piece("lazy dog", upright(50, 160, 250, 185)),
        ),
    ),
    Line("lost", None, 0.5),
    at("Another 字 one", 50, 300, 400, 325),
    tokens=30,
)
EVERY = [LATIN, CHINESE, TURNED, SKEWED, ODD, BLANK, PLAIN, PARTLY, MARKUP, FLOWED]


def test_the_formats_are_these():
    assert sorted(FORMATS) == ["hocr", "html", "json", "jsonl", "md", "pdf", "text"]


def test_a_result_is_made_of_a_page_and_its_transcript():
    page = Page(Image.new("RGB", (30, 20)), number=3, origin="a.pdf")
    made = Result.of(page, Transcript("hi"))
    assert (made.origin, made.number, made.width, made.height, made.image) == ("a.pdf", 3, 30, 20, page.image)


# JSON


def test_json_comes_back_the_same():
    line = Line("a b", ((1.5, 2.0), (3.1, 2.0), (3.1, 4.0), (1.5, 4.0)), 0.1234, " ", (0.1, 0.5, 0.9123))
    asked = Prompt(format=True, box=Box(1, 2, 3.5, 4))
    for prompt in (Prompt(), asked, Prompt(color="red"), Prompt(point=(3, 4.5)), Prompt(tiles=6), Prompt(pages=2)):
        transcript = Transcript("a b\ud83d", "table", prompt, "repeat", 0.5, (line, line), 1.234)
        before = Result("x.pdf", 7, 10, 20, transcript)
        assert Result.from_json(json.loads(json.dumps(before.to_json()))) == before
    record = Result("x.pdf", 7, 10, 20, Transcript("", prompt=asked)).to_json()
    assert record["prompt"] == {"format": True, "box": [1, 2, 3.5, 4]}
    assert "prompt" not in LATIN.to_json()


def test_json_has_null_for_no_place_and_counts_where_there_are_some():
    record = PARTLY.to_json()
    assert [line["quad"] is None for line in record["lines"]] == [True, False, True, True, False, True]
    assert Result.from_json(json.loads(json.dumps(record))) == PARTLY
    assert not {"tokens", "prompt_tokens"} & set(record)
    counted = result(text="x", tokens=7, prompt_tokens=286)
    assert {"tokens": 7, "prompt_tokens": 286}.items() <= counted.to_json().items()
    assert Result.from_json(counted.to_json()) == counted


def test_json_has_pieces_where_there_are_some():
    record = FLOWED.to_json()
    assert ["pieces" in line for line in record["lines"]] == [False, True, False, False]
    assert record["lines"][1]["quad"] == [[50, 100], [550, 100], [550, 185], [50, 185]]
    assert record["lines"][1]["pieces"][2] == {
        "text": "lazy dog",
        "quad": [[50, 160], [250, 160], [250, 185], [50, 185]],
    }
    assert Result.from_json(json.loads(json.dumps(record))) == FLOWED


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["score"], float("nan"), "lines[1].score"),
        (["score"], 10**400, "lines[1].score"),
        (["score"], True, "lines[1].score"),
        (["centers"], [10**400], "lines[1].centers"),
        (["centers"], [0.5, float("inf")], "lines[1].centers"),
        (["quad", 0, 1], float("-inf"), "lines[1].quad[0]"),
        (["pieces"], {}, "lines[1].pieces"),
        (["pieces", 1], "x", "lines[1].pieces[1]"),
        (["pieces", 1, "text"], None, "lines[1].pieces[1].text"),
        (["pieces", 1, "text"], "other", "lines[1].pieces"),
        (["pieces", 2, "quad"], None, "lines[1].pieces[2].quad"),
        (["pieces", 2, "quad", 3], [1], "lines[1].pieces[2].quad[3]"),
    ],
)
def test_malformed_lines_are_refused(path, value, named):
    record = json.loads(json.dumps(FLOWED.to_json()))
    inner = record["lines"][1]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(BadInput, match=re.escape(repr(named))):
        Result.from_json(record)


def test_json_is_rounded():
    record = SKEWED.to_json()
    assert record["lines"][0]["quad"][0] == [250.3, 100]
    assert LATIN.to_json()["lines"][2]["score"] == 0.9877


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["width"], "600", "width"),
        (["page"], True, "page"),
        (["stop"], "tired", "stop"),
        (["lines"], {}, "lines"),
        (["lines", 1], 5, "lines[1]"),
        (["lines", 1, "quad"], [[0, 0]], "lines[1].quad"),
        (["lines", 1, "quad", 2], [0, "1"], "lines[1].quad[2]"),
        (["lines", 1, "quad"], False, "lines[1].quad"),
        (["tokens"], "many", "tokens"),
        (["lines", 0, "centers"], [None], "lines[0].centers"),
        (["lines", 0, "score"], None, "lines[0].score"),
        (["prompt"], {"box": [3, 3, 1, 1]}, "prompt"),
        (["prompt"], {"color": "pink"}, "prompt"),
        (["prompt"], {"point": [1, 2, 3]}, "prompt.point"),
        (["prompt"], {"tiles": True}, "prompt.tiles"),
        (["prompt"], {"pages": "2"}, "prompt.pages"),
    ],
)
def test_a_malformed_record_is_refused_by_the_name_of_its_field(path, value, named):
    record = json.loads(json.dumps(LATIN.to_json()))
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(BadInput, match=re.escape(repr(named))):
        Result.from_json(record)


def test_a_missing_field_is_named():
    record = LATIN.to_json()
    del record["lines"][2]["end"]
    with pytest.raises(BadInput, match=re.escape("'lines[2].end' is missing")):
        Result.from_json(record)


def test_json_is_an_array_and_jsonl_a_record_a_line():
    records = [r.to_json() for r in (LATIN, CHINESE, BLANK)]
    assert json.loads(write("json", LATIN, CHINESE, BLANK)) == records
    lines = write("jsonl", LATIN, CHINESE, BLANK).splitlines()
    assert [json.loads(line) for line in lines] == records
    assert "中文测试" in lines[1]


# Text and Markdown


def test_text_has_a_form_feed_between_pages():
    assert write("text", PLAIN, BLANK, CHINESE) == f"{PLAIN.transcript.text}\n\f\f{CHINESE.transcript.text}\n"


def test_markdown_flows_prose_keeps_tables_and_finds_headings():
    prose = "The quick brown fox jumps over the lazy dog, and then it goes on its way."
    assert write("md", LATIN) == f"# A Title\n\n{prose}\n\nTea 1.50\\\nCake 3.20\n"


@pytest.mark.parametrize(
    ("first", "second", "flowed"),
    [
        ("one two", "three", "one two three"),
        ("exam-", "ple", "example"),
        ("Jean-", "Paul", "Jean-Paul"),
        ("pages 3-", "four", "pages 3- four"),
        ("中文测", "试完。", "中文测试完。"),
        ("中文", "GPU", "中文 GPU"),
        ("한국", "어는", "한국 어는"),
    ],
)
def test_rows_are_glued_as_their_script_wants(first, second, flowed):
    assert write("md", result(at(first, 0, 0, 200, 20), at(second, 0, 25, 200, 45))) == flowed + "\n"


def test_a_short_row_keeps_its_break_in_any_direction():
    rows = [("a full row of prose", 400), ("short", 150), ("another row", 390), ("end", 60)]
    flat = [at(text, 50, 50 + 30 * n, 50 + wide, 75 + 30 * n) for n, (text, wide) in enumerate(rows)]
    up = [Line(t, turned(50 + 30 * n, 600 - wide, 75 + 30 * n, 600), 1) for n, (t, wide) in enumerate(rows)]
    for lines in (flat, up):
        assert write("md", result(*lines)) == "a full row of prose short\\\nanother row end\n"


def test_a_paragraph_runs_on_in_the_next_column():
    """Also where that column is at the right: rows of the left one are no shorter for it."""
    rows = [("the last rows of", 50, 600), ("a column of prose", 50, 630), ("run on at the top", 500, 40)]
    lines = [at(text, x, y, x + 400, y + 25) for text, x, y in rows]
    assert write("md", result(*lines)) == "the last rows of a column of prose run on at the top\n"


@pytest.mark.parametrize("start", ["e.g. rows", "i.e., rows", "(e.g. rows", "U.S. rows", "p.m. rows"])
def test_an_abbreviation_is_no_item_of_a_list(start):
    assert write("md", result(at("one row and", 0, 0, 200, 20), at(start, 0, 25, 200, 45))) == f"one row and {start}\n"


@pytest.mark.parametrize(
    ("start", "written"),
    [
        ("a) rows", "\\\na) rows"),
        ("(4) rows", "\\\n(4) rows"),
        ("5.Rows", "\\\n5.Rows"),
        ("b. rows", "\\\nb. rows"),
        ("3. rows", "\n\n3. rows"),
        ("6、行", "\n\n6. 行"),
        ("• rows", "\n\n- rows"),
        ("·行", "\n\n- 行"),
    ],
)
def test_an_item_of_a_list_starts_anew(start, written):
    page = result(at("a row and", 0, 0, 200, 20), at(start, 0, 25, 200, 45))
    assert write("md", page) == f"a row and{written}\n"


def test_lists_are_lists():
    rows = ["It takes:", "- flour, 1. sifted", "- # of eggs: 3", "2. Mix.", "3. Bake.", "7. Eat."]
    lines = [at(text, 0, 30 * n, 300, 30 * n + 20) for n, text in enumerate(rows)]
    later = [at("8. Wash up.", 0, 300, 300, 320), at("1. Rest & sleep.", 0, 400, 300, 420)]
    page = result(*(replace(line, end="\n\n" if line is lines[-1] else "\n") for line in lines), *later)
    assert write("md", page) == (
        "It takes:\n\n- flour, 1. sifted\n- \\# of eggs: 3\n\n2. Mix.\n3. Bake.\n\n7) Eat.\n\n8) Wash up.\n\n"
        "1. Rest & sleep.\n"
    )
    body = write("html", page)
    assert "<p>It takes:</p>\n<ul><li>flour, 1. sifted</li><li># of eggs: 3</li></ul>" in body
    assert '<ol start="2"><li>Mix.</li><li>Bake.</li></ol>\n<ol start="7"><li>Eat.</li></ol>' in body
    assert body.count("<ol>") == 1 and "<ol><li>Rest &amp; sleep.</li></ol>" in body


def test_levels_of_headings():
    body = at("body text of the page that is the usual size", 0, 300, 500, 320, "\n\n")
    heights = {"big": 37, "medium": 28, "plain": 25, "7": 60}
    lines = [at(text, 0, 0, 100, height, "\n\n") for text, height in heights.items()]
    assert write("md", result(body, *lines)).split("\n\n")[1:] == ["# big", "## medium", "plain", "7\n"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# not a heading", r"\# not a heading"),
        ("#5 stays, C# too", "#5 stays, C# too"),
        ("> quote", r"\> quote"),
        ("- 41 -", r"\- 41 -"),
        ("- item", "- item"),
        ("-5 + 3 - 2", "-5 + 3 - 2"),
        ("---", r"\---"),
        ("* item", r"\* item"),
        ("1. item", "1. item"),
        ("1. 2. item", r"1. 2\. item"),
        ("2019) x", r"2019\) x"),
        ("1.5 kg", "1.5 kg"),
        ("*bold* 2 * 3", r"\*bold\* 2 * 3"),
        ("_it_ snake_case", r"\_it\_ snake_case"),
        ("a`b`", r"a\`b\`"),
        ("[1] and [a](b)", r"[1] and [a\](b)"),
        ("[a]: b", r"[a\]: b"),
        ("a < b <br> </p>", r"a < b \<br> \</p>"),
        ("AT&T &amp; R&D", r"AT&T \&amp; R&D"),
        ("a\\b \\* c\\", r"a\b \\\* c" + "\\\\"),
        ("~5 ~~no~~", r"~5 \~\~no\~\~"),
        ("a | b", "a | b"),
        ("| --- |", r"\| --- |"),
    ],
)
def test_markdown_escapes_what_would_mean_something_and_no_more(text, escaped):
    assert write("md", result(at(text, 0, 0, 100, 20))) == escaped + "\n"


def test_markdown_leaves_a_transcript_without_lines_alone_and_rules_off_pages():
    assert write("md", PLAIN, BLANK, PLAIN) == f"{PLAIN.transcript.text}\n\n---\n\n\n---\n\n{PLAIN.transcript.text}\n"


@pytest.mark.parametrize("prompt", [Prompt(format=True), Prompt(tiles=6), Prompt(pages=2)])
def test_markdown_leaves_alone_what_is_markdown_already(prompt):
    lines = at("# Title", 0, 0, 90, 20), at("*a* &amp;", 0, 30, 90, 50), at("b", 0, 60, 90, 80)
    assert write("md", result(*lines, prompt=prompt)) == "# Title\n*a* &amp;\nb\n"
    assert [p.text for p in parse(write("html", result(*lines, prompt=prompt))).iter("p")] == ["# Title"]
    assert write("md", PARTLY) == PARTLY.transcript.text + "\n"


@pytest.mark.parametrize("lost", [(), (1,), (0, 1, 2)])
def test_an_answer_in_tokens_is_its_own_text_whether_or_not_its_lines_have_places(lost):
    lines = at("# Title", 0, 0, 90, 20), at("*a* &amp;", 0, 30, 90, 50), at("b", 0, 60, 90, 80)
    read = result(*(replace(line, quad=None) if n in lost else line for n, line in enumerate(lines)), tokens=9)
    assert write("md", read) == "# Title\n*a* &amp;\nb\n"
    (paragraph,) = parse(write("html", read)).iter("p")
    assert list(paragraph.itertext()) == ["# Title", "*a* &amp;", "b"]


# HTML


def test_html_is_well_formed_escaped_and_structured():
    document = parse(write("html", *EVERY))
    sections = document.findall("body/section")
    assert [s.get("data-file") for s in sections[3:5]] == ["scan.png", 'a "b";<c>&.png']
    assert [child.tag for child in sections[0]] == ["h1", "p", "p"]
    assert sections[0][2].find("br") is not None and "".join(sections[0][2].itertext()) == "Tea 1.50Cake 3.20"
    assert "".join(sections[4].itertext()).strip() == '<b>&amp; "q"</b> ok'
    assert len(sections[5]) == 0
    assert [p.text for p in sections[6]] == ["# Title", "$x < y$ & *z*"]


# What is more than text

TABLE = "\\begin{tabular}{|l|c|}\n\\hline a & \\( x^{2} \\) \\\\\n\\hline <b> & 2 \\\\\n\\hline\n\\end{tabular}"
CHART = "{'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}"
KERN = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-"
PAGE = "# Title\n\nSome \\( x \\) and\n\n\\[ y \\]\n\n" + TABLE


def more(kind, text) -> Result:
    return result(text=text, kind=kind, tokens=9, prompt=Prompt(format=True))


@pytest.mark.parametrize(
    ("kind", "text", "written"),
    [
        ("table", TABLE, "| a | $x^{2}$ |\n| --- | :---: |\n| \\<b> | 2 |\n"),
        ("chart", CHART, "**Rain**\n\n| Month | mm |\n| --- | ---: |\n| May | 61 |\n| June | 47.5 |\n"),
        ("formula", "\\[ y \\]", "$$\ny\n$$\n"),
        ("music", KERN, f"```kern\n{KERN}\n```\n"),
        ("molecule", "<smiles>CCO</smiles>", "```smiles\n<smiles>CCO</smiles>\n```\n"),
        ("document", PAGE, "# Title\n\nSome $x$ and\n\n$$\ny\n$$\n\n| a | $x^{2}$ |\n| --- | :---: |\n| \\<b> | 2 |\n"),
        ("table", "no table", "no table\n"),
        ("chart", "{'title'", "{'title'\n"),
        ("rune", "*x*", "*x*\n"),
    ],
)
def test_markdown_of_what_is_more_than_text(kind, text, written):
    assert write("md", more(kind, text)) == written


def test_json_has_what_a_table_or_chart_says_and_reads_back():
    for form in ("json", "jsonl"):
        records = json.loads(write("json", more("table", TABLE), more("chart", CHART), more("table", "none"), PLAIN))
        assert records[0]["table"] == [["a", "\\( x^{2} \\)"], ["<b>", "2"]]
        assert records[1]["chart"]["values"] == {"May": 61, "June": 47.5} and records[1]["chart"]["source"] is None
        assert not {"table", "chart"} & {*records[2], *records[3]}, form
        assert [Result.from_json(record) for record in records[:2]] == [more("table", TABLE), more("chart", CHART)]


def test_html_shows_what_is_more_than_text():
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    pytest.importorskip("verovio", reason="engines: pip install 'ocr2[engines]'")
    kinds = {"table": TABLE, "chart": CHART, "formula": "\\[ y \\]", "music": KERN, "document": PAGE, "rune": "<x>"}
    pages = parse(write("html", *(more(kind, text) for kind, text in kinds.items()))).findall("body/section")
    shown = dict(zip(kinds, pages, strict=True))
    assert [element.tag for element in shown["document"]] == ["h1", "p", "p", "table"]
    assert len(shown["document"].findall(".//{*}math")) == 3 and len(shown["table"].findall(".//{*}math")) == 1
    assert shown["formula"].find(".//{*}math").get("display") == "block"
    assert shown["chart"].findtext("table/caption") == "Rain"
    picture = shown["music"].find("figure/img").get("src")
    assert picture.startswith("data:image/svg+xml;base64,") and shown["music"].findtext(".//pre") == KERN
    ET.fromstring(base64.b64decode(picture.partition(",")[2]))
    assert shown["rune"].findtext("p") == "<x>"


def test_html_of_what_is_none_of_its_kind_is_its_text():
    pages = [more("table", "a < b\nc"), more("music", "no music <\x00>"), more("document", " "), more("molecule", "?")]
    body = parse(write("html", *pages)).find("body")
    assert ["".join(section.itertext()).strip() for section in body] == ["a < bc", "no music <>", "", "?"]


def test_html_without_the_engines_keeps_the_sources_and_says_so_once(monkeypatch, caplog):
    from ocr2.characters import CHARACTERS, markup

    def absent(*_):
        raise RendererMissing("verovio draws music, and the package verovio is missing: pip install 'ocr2[engines]'")

    monkeypatch.setattr(CHARACTERS["music"], "draw", absent)
    monkeypatch.setitem(CHARACTERS["formula"].EXPORTS, "mathml", absent)
    markup.told.cache_clear()
    pages = parse(write("html", more("music", KERN), more("document", PAGE), more("music", KERN))).find("body")
    assert [pages[0].findtext("pre"), pages[2].findtext("pre")] == [KERN, KERN]
    assert [p.text for p in pages[1].iter("p")] == ["Some \\( x \\) and", "\\[ y \\]"]
    assert len(caplog.records) == 1 and "pip install 'ocr2[engines]'" in caplog.text
    markup.told.cache_clear()


def test_plain_text_waits_for_no_engines():
    script = (
        "import sys; from ocr2.outputs import FORMATS; from ocr2.result import Result; from ocr2.types import *\n"
        "line = Line('a', ((0, 0), (9, 0), (9, 9), (0, 9)), 1.0)\n"
        "reads = Transcript('a', lines=(line,)), Transcript('b', tokens=1)\n"
        "pages = [Result('', 1, 9, 9, read) for read in reads]\n"
        "for form in ('text', 'md', 'html', 'json', 'hocr'): list(FORMATS[form](pages))\n"
        "import ocr2.cli.read\n"
        "print([name for name in sys.modules if name.startswith(('ocr2.characters', 'ocr2.renderers', 'cv2'))])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_pages_of_a_notation_stand_one_after_the_other():
    assert b"".join(joined([b"a,b\r\n", b"c\r\n"], "csv")) == b"a,b\r\n\r\nc\r\n"
    assert b"".join(joined([b"CCO\n", b"C"], "smiles")) == b"CCO\nC\n"
    assert b"".join(joined([b"x", b"y\n"], "latex")) == b"x\n\ny\n"
    assert b"".join(joined([b"MThd"], "midi")) == b"MThd"
    assert set(BETWEEN) < set(EXPORTED)


# hOCR

XHTML = "{http://www.w3.org/1999/xhtml}"
NESTING = {"ocr_page": None, "ocr_par": "ocr_page", "ocr_line": "ocr_par", "ocrx_word": "ocr_line"}
NUMBER = r"-?\d+(\.\d+)?"
PROPERTIES = {
    "bbox": r"\d+ \d+ \d+ \d+",
    "image": r'"[^";]+"',
    "x_source": r'"[^";]+"( "[^";]+")*',
    "ppageno": r"\d+",
    "baseline": rf"{NUMBER} -?\d+",
    "textangle": NUMBER,
    "x_size": NUMBER,
    "x_wconf": NUMBER,
}


def properties(element) -> dict[str, str]:
    found = dict(part.split(" ", 1) for part in element.get("title").split("; "))
    for name, value in found.items():
        assert re.fullmatch(PROPERTIES[name], value), (name, value)
    return found


def validate_hocr(document: str) -> ET.Element:
    """Check a document against hOCR 1.2 (kba.github.io/hocr-spec/1.2) as far as our classes go; its root."""
    root = parse(document)
    metas = {meta.get("name"): meta.get("content") for meta in root.iter(f"{XHTML}meta") if meta.get("name")}
    assert metas["ocr-system"].startswith("ocr2 ")
    assert root.findtext(f"{XHTML}head/{XHTML}title")
    capable = metas["ocr-capabilities"].split()
    parents = {child: parent for parent in root.iter() for child in parent}
    elements = [element for element in root.iter() if element.get("class")]
    ids = [element.get("id") for element in elements]
    assert len(set(ids)) == len(ids) and all(ids)
    for element in elements:
        kind, parent = element.get("class"), parents[element]
        assert kind in capable
        assert parent.get("class") == NESTING[kind]
        given = properties(element)
        x0, y0, x1, y1 = map(int, given["bbox"].split())
        assert x0 < x1 and y0 < y1
        if NESTING[kind]:
            px0, py0, px1, py1 = map(int, properties(parent)["bbox"].split())
            assert px0 - 1 <= x0 and py0 - 1 <= y0 and x1 <= px1 + 1 and y1 <= py1 + 1
        else:
            assert given["bbox"] == f"0 0 {WIDTH} {HEIGHT}"
        if kind == "ocrx_word":
            assert 0 <= int(given["x_wconf"]) <= 100
            assert element.text.strip() == element.text != ""
    numbers = [properties(e)["ppageno"] for e in elements if e.get("class") == "ocr_page"]
    assert numbers == [str(n) for n in range(len(numbers))]
    return root


def of_class(root, kind):
    return [element for element in root.iter() if element.get("class") == kind]


def test_hocr_is_valid_and_says_what_was_read():
    root = validate_hocr(write("hocr", *EVERY))
    pages = of_class(root, "ocr_page")
    assert ["".join(line.itertext()) for line in of_class(pages[0], "ocr_line")] == [
        "A Title",
        "The quick brown fox jumps over the la-",
        "zy dog, and then it goes on its way.",
        "Tea 1.50",
        "Cake 3.20",
    ]
    assert len(of_class(pages[0], "ocr_par")) == 3
    assert properties(of_class(pages[0], "ocrx_word")[-1]) == {"bbox": "400 330 470 355", "x_wconf": "90"}
    assert properties(of_class(pages[2], "ocr_line")[0])["textangle"] == "90"
    assert properties(of_class(pages[3], "ocr_line")[0])["baseline"] == "0.1 -30"
    assert properties(pages[4])["x_source"] == '"a %22b%22%3B<c>&.png" "1"'
    assert properties(of_class(pages[4], "ocr_line")[0])["bbox"] == "0 780 600 800"
    assert [w.text for w in of_class(pages[4], "ocrx_word")] == ["<b>&amp;", '"q"</b>', "ok"]
    assert len(pages[5]) == 0
    assert ["".join(line.itertext()) for line in of_class(pages[6], "ocr_line")] == ["# Title", "$x < y$ & *z*"]


def test_hocr_lines_without_a_place_may_be_anywhere():
    root = validate_hocr(write("hocr", PARTLY))
    lines = of_class(root, "ocr_line")
    assert ["".join(line.itertext()) for line in lines] == [line.text for line in PARTLY.transcript.lines]
    whole = {"bbox": f"0 0 {WIDTH} {HEIGHT}"}
    assert [properties(line) == whole for line in lines] == [line.quad is None for line in PARTLY.transcript.lines]
    assert [len(line) for line in lines] == [0, 5, 0, 0, 3, 0]
    mixed = result(at("Tea", 50, 300, 90, 325, " "), Line("1.50", None, 1))
    (line,) = of_class(validate_hocr(write("hocr", mixed)), "ocr_line")
    assert "".join(line.itertext()) == "Tea 1.50" and properties(line) == whole


def test_hocr_has_a_row_for_each_piece_of_a_line():
    root = validate_hocr(write("hocr", FLOWED))
    rows = [("".join(line.itertext()), properties(line)["bbox"]) for line in of_class(root, "ocr_line")]
    assert rows == [
        ("# A Title", "50 30 300 80"),
        ("The **quick** brown fox", "50 100 550 125"),
        ("jumps over the", "50 130 550 155"),
        ("lazy dog", "50 160 250 185"),
        ("lost", f"0 0 {WIDTH} {HEIGHT}"),
        ("Another 字 one", "50 300 400 325"),
    ]
    assert [len(paragraph) for paragraph in of_class(root, "ocr_par")] == [1, 3, 2]
    assert properties(of_class(root, "ocrx_word")[10])["bbox"] == "50 160 150 185"


@pytest.mark.parametrize(
    ("good", "bad"),
    [("bbox 400 330 470 355", "bbox 400 330 670 355"), ("x_wconf 90", "x_wconf 190"), ("ocr_par ocr_line", "ocr_par")],
)
def test_the_validator_sees_what_is_wrong(good, bad):
    document = write("hocr", LATIN)
    assert good in document
    with pytest.raises(AssertionError):
        validate_hocr(document.replace(good, bad))


def test_words_divide_the_quad_by_width_or_by_centers():
    line = at("ab 中", 0, 0, 100, 10)
    assert words(line) == [("ab", upright(0, 0, 40, 10)), ("中", upright(60, 0, 100, 10))]
    known = Line("ab c", line.quad, 1, "\n", (0.1, 0.2, 0.5, 0.9))
    assert [(text, round(quad[0][0]), round(quad[1][0])) for text, quad in words(known)] == [
        ("ab", 5, 35),
        ("c", 70, 100),
    ]
    assert words(Line("ab", turned(0, 0, 10, 100), 1))[0][1] == turned(0, 0, 10, 100)
    assert words(at("  ", 0, 0, 9, 9)) == []


# PDF


def drawn(read: Result, dpi=None) -> Result:
    """The result with an image: a frame where each line is."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    for line in filter(attrgetter("quad"), read.transcript.lines):
        ImageDraw.Draw(image).polygon(line.quad, fill="#ddeeff", outline="black")
    if dpi:
        image.info["dpi"] = dpi
    return Result(read.origin, read.number, read.width, read.height, read.transcript, image)


@pytest.fixture(scope="module")
def pdf():
    pages = [drawn(LATIN, (100, 100)), drawn(CHINESE, (0, "?")), drawn(TURNED), drawn(SKEWED), drawn(BLANK), drawn(ODD)]
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"](pages))) as document:
        yield pages, document


def test_pdf_pages_have_the_size_of_their_images(pdf):
    _, document = pdf
    sizes = [tuple(round(side, 2) for side in page.get_size()) for page in document]
    assert sizes == [(432, 576)] + [(288, 384)] * 5
    (image,) = document[0].get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE])
    assert image.get_px_size() == (WIDTH, HEIGHT)
    assert image.get_filters() == ["DCTDecode"]


def test_pdf_text_is_found_in_order(pdf):
    pages, document = pdf
    for read, page in zip(pages[:5], document, strict=False):
        text = page.get_textpage().get_text_range().replace("\r\n", "\n").replace("\ufffe", "-\n")
        expected = "\n".join(line for line in read.transcript.text.split("\n") if line)
        assert text == expected


def code_units(text: str) -> str:
    """The text as pdfium counts it: a character beyond 16 bits is two."""
    data = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(data[n : n + 2], "little")) for n in range(0, len(data), 2))


def test_pdf_words_lie_over_their_quads(pdf):
    pages, document = pdf
    checked = 0
    for read, page in zip(pages[:4], document, strict=False):
        textpage = page.get_textpage()
        scale, start = page.get_width() / WIDTH, 0
        extracted = "".join(chr(raw.FPDFText_GetUnicode(textpage, n)) for n in range(textpage.count_chars()))
        for text, quad in (found for line in read.transcript.lines for found in words(line)):
            sought = code_units(text.rstrip("-"))  # pdfium has its own mark for a hyphen that ends a row
            start = extracted.index(sought, start)
            boxes = [textpage.get_charbox(n) for n in range(start, start + len(sought))]
            x = (min(box[0] for box in boxes) + max(box[2] for box in boxes)) / 2 / scale
            y = HEIGHT - (min(box[1] for box in boxes) + max(box[3] for box in boxes)) / 2 / scale
            box, tolerance = Box.around(quad), 10 if text.endswith("-") else 2
            assert abs(x - (box.x0 + box.x1) / 2) < tolerance, text
            assert abs(y - (box.y0 + box.y1) / 2) < 2, text
            start, checked = start + len(sought), checked + 1
    assert checked == sum(len(line.text.split()) for read in pages[:4] for line in read.transcript.lines) == 37


def test_pdf_text_is_invisible(pdf):
    pages, document = pdf
    for read, page in zip(pages, document, strict=True):
        rendered = page.render(scale=WIDTH / page.get_width()).to_pil().convert("RGB")
        difference = ImageStat.Stat(ImageChops.difference(rendered, read.image))
        assert rendered.size == (WIDTH, HEIGHT)
        assert max(difference.mean) < 1 and max(top for _, top in difference.extrema) < 100


@pytest.mark.parametrize("quarter", range(4))
def test_pdf_words_a_little_askew_are_level(quarter):
    """Else poppler doesn't find them whole; a long word would be in the wrong place, and stays as it is."""

    def slants(text, degrees):
        turn = cmath.rect(1, math.radians(90 * quarter + degrees))
        corners = (complex(300, 400) + corner * turn for corner in (-200 - 15j, 200 - 15j, 200 + 15j, -200 + 15j))
        line = Line(text, tuple((corner.real, corner.imag) for corner in corners), 0.9)
        with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(result(line))]))) as document:
            matrices = [found.get_matrix() for found in document[0].get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT])]
        return [abs(math.remainder(math.degrees(math.atan2(matrix.b, matrix.a)), 90)) for matrix in matrices]

    assert slants("some words here", 4) == pytest.approx([0, 0, 0] if quarter != 2 else [4], abs=0.01)
    assert slants("中文没有空格的一整行文字", 4) == pytest.approx([4], abs=0.01)
    assert slants("some words here", 20)[0] == pytest.approx(20, abs=0.01)


def test_pdf_text_upside_down_stays_in_order():
    line = Line("this way up", ((500, 700), (300, 700), (300, 670), (500, 670)), 0.9)
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(result(line))]))) as document:
        assert document[0].get_textpage().get_text_range() == "this way up"


@pytest.mark.parametrize("read", [PARTLY, PLAIN, MARKUP, result(Line("all", None, 1), Line("lost", None, 1))])
def test_pdf_has_lines_without_a_place_in_order(read):
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(read)]))) as document:
        text = document[0].get_textpage().get_text_range()
        assert text.split("\r\n") == [line for line in read.transcript.text.split("\n") if line]
        rendered = document[0].render(scale=WIDTH / document[0].get_width()).to_pil().convert("RGB")
        assert max(ImageStat.Stat(ImageChops.difference(rendered, drawn(read).image)).mean) < 1


def test_pdf_lines_without_a_place_hide_no_other():
    """They are in the last fiftieth of the page, or, where no line has a place, from its top on."""

    def middles(read):
        with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(read)]))) as document:
            page = document[0]
            textpage, scale = page.get_textpage(), page.get_width() / WIDTH
            text = textpage.get_text_range()
            boxes = [
                textpage.get_charbox(text.index(line.strip())) for line in read.transcript.text.split("\n") if line
            ]
        return [HEIGHT - (bottom + top) / 2 / scale for _, bottom, _, top in boxes]

    assert middles(PARTLY) == pytest.approx([785.3, 112.5, 789.3, 793.3, 212.5, 797.3], abs=1)
    assert middles(PLAIN) == pytest.approx([5.3, 21.3], abs=1)


def test_pdf_words_of_a_line_printed_as_several_stand_in_their_rows():
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(FLOWED)]))) as document:
        page = document[0]
        textpage, scale = page.get_textpage(), page.get_width() / WIDTH
        text = textpage.get_text_range()
        boxes = [textpage.get_charbox(text.index(word)) for word in ("quick", "jumps", "over", "lazy", "dog")]
    assert text.split("\r\n") == [
        "# A Title",
        "The **quick** brown fox",
        "jumps over the",
        "lazy dog",
        "lost",
        "Another 字 one",
    ]
    middles = [HEIGHT - (bottom + top) / 2 / scale for _, bottom, _, top in boxes]
    assert middles == pytest.approx([112.5, 142.5, 142.5, 172.5, 172.5], abs=1)


def test_pdf_takes_lines_without_extent_and_other_modes():
    image = Image.new("LA", (40, 30))
    lines = (Line("dot", ((5, 5),) * 4, 1),)
    read = Result("", 1, 40, 30, Transcript("dot", lines=lines), image)
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([read]))) as document:
        assert document[0].get_textpage().get_text_range() == "dot"


def test_pdf_needs_a_page_and_an_image():
    with pytest.raises(BadOutput, match="no pages"):
        list(FORMATS["pdf"]([]))
    with pytest.raises(BadOutput, match="has no image"):
        list(FORMATS["pdf"]([LATIN]))


@pytest.mark.parametrize(("dpi", "credible"), [(17, 17), (40, 40), (300, 300), (1, 150), (9600, 150)])
def test_a_pdf_page_is_as_large_as_the_resolution_says(dpi, credible):
    """Also where a very large page was drawn small; a camera's 1 dot an inch, which it doesn't know, says nothing."""
    read = drawn(LATIN, (dpi, dpi))
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([read]))) as document:
        assert document[0].get_size() == pytest.approx(
            (read.width * 72 / credible, read.height * 72 / credible), rel=1e-3
        )


@pytest.mark.parametrize(("size", "pixels"), [((70000, 40), (65500, 37)), ((1, 70000), (1, 65500))])
def test_pdf_takes_images_that_are_too_long_for_a_jpeg(size, pixels):
    """Smaller, on a page that is not too long for a PDF, with the text where it was."""
    width, height = size
    line = at("a long line", 0, 0, width, height)
    image = Image.new("L", size, 255)
    image.info["dpi"] = (100, 200)
    read = Result("", 1, width, height, Transcript("a long line", lines=(line,)), image)
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(LATIN), read]))) as document:
        page = document[1]
        assert max(page.get_size()) == 14400
        assert page.get_width() / page.get_height() == pytest.approx(2 * width / height, rel=1e-3)
        (shown,) = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE])
        assert shown.get_px_size() == pixels
        assert shown.get_bounds() == pytest.approx((0, 0, *page.get_size()), abs=0.01)
        assert page.get_textpage().get_text_range() == "a long line"


def test_pdf_comes_in_pieces_by_way_of_a_file(tmp_path, monkeypatch):
    noise = Image.frombytes("RGB", (1000, 1000), random.Random(0).randbytes(3_000_000))
    read = Result("", 1, 1000, 1000, Transcript(""), noise)
    chunks = list(FORMATS["pdf"]([read] * 2))
    assert [len(chunk) for chunk in chunks[:-1]] == [2**20] * (len(chunks) - 1)
    with pypdfium2.PdfDocument(b"".join(chunks)) as document:
        assert len(document) == 2
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(BadOutput, match=r"gone \(No such file or directory\), where it is put together: make room"):
        list(FORMATS["pdf"]([read]))


# All of them


def characters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("read", [PARTLY, PLAIN, MARKUP, FLOWED], ids=["partly", "plain", "markup", "flowed"])
def test_no_text_is_lost_in_any_format(read):
    text = characters(read.transcript.text)
    assert characters(write("text", read)) == characters(write("md", read)) == text
    assert characters("".join(parse(write("html", read)).find("body").itertext())) == text
    (page,) = of_class(validate_hocr(write("hocr", read)), "ocr_page")
    assert characters("".join(page.itertext())) == text
    for record in (*json.loads(write("json", read)), json.loads(write("jsonl", read))):
        assert Result.from_json(record).transcript == read.transcript
    with pypdfium2.PdfDocument(b"".join(FORMATS["pdf"]([drawn(read)]))) as document:
        assert characters(document[0].get_textpage().get_text_range()) == text


def test_no_pages_make_an_empty_document():
    assert (write("text"), write("md"), write("jsonl")) == ("", "", "")
    assert json.loads(write("json")) == []
    assert len(parse(write("html")).find("body")) == 0
    assert of_class(validate_hocr(write("hocr")), "ocr_page") == []


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"pdf"}))
def test_pages_are_written_as_they_come(form):
    taken = []

    def pages():
        for n in range(3):
            taken.append(n)
            yield LATIN

    written = io.BytesIO()
    for chunk in FORMATS[form](pages()):
        written.write(chunk)
        assert len(taken) <= max(written.getvalue().count(b"quick"), 1)
    assert taken == [0, 1, 2]
