import json
import random

import numpy as np
import pytest
from fuzzysearch import find_near_matches
from fuzzysearch.levenshtein import find_near_matches_levenshtein as raw
from hangs import ended
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate import olmmath
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.olmmath import formulas, stands
from ocr2.evaluate.olmocr import OLMOCR_BENCH, as_markdown, interval
from ocr2.evaluate.olmtables import tables
from ocr2.evaluate.olmtests import TYPES, near, parsed, plain, repeats
from ocr2.evaluate.peers import Predictions
from ocr2.evaluate.run import scored

MARKDOWN = "\n| Head 1 | Head 2 | Head 3 |\n|---|:-:|---|\n| A1 | A2 | A3 |\n| B1 | B2 | B3 |\n"
HTML = (
    "<table><thead><tr><td rowspan=2>City</td><td colspan='2'>People</td></tr>"
    "<tr><td>men</td><td>women</td></tr></thead><tr><th>Oslo</th><td>1<br>x</td><td>&lt;2</td></tr><tr><th>Rome</th><td>3</td><td>4</td></tr></table>"
)


def told(kind, /, **fields):
    return {"pdf": "a.pdf", "page": 1, "id": "1", "type": kind, **fields}


def passes(page, kind, /, **fields):
    return parsed(json.dumps(told(kind, **fields)), "here").failure(page) == ""


def test_texts_are_compared_without_marks_on_one_line():
    assert plain("A  b\tc\nd<br/>e") == "A b c d e"
    assert plain("**bold** and *it* and __b__, “q” – ‘s’ \u00b5") == "bold and it and b, \"q\" - 's' \u03bc"
    assert plain("_italic__ is *bold*") == "italic_ is bold"
    assert plain("cafe\u0301") == "caf\u00e9"


def test_present_and_absent():
    page = "This is some target text in a document"
    assert passes(page, "present", text="target text") and not passes(page, "absent", text="target text")
    assert not passes(page, "present", text="missing text") and passes(page, "absent", text="missing text")
    assert passes("some targett textt here", "present", text="target text", max_diffs=2)
    assert not passes("some targettt text here", "absent", text="target text", max_diffs=2)
    assert passes("some targetttt text here", "absent", text="target text", max_diffs=2)
    assert not passes(page, "present", text="TARGET") and passes(page, "present", text="TARGET", case_sensitive=False)


@pytest.mark.parametrize("short", ["", "\n", " ", "a b"])
def test_what_is_too_short_has_no_text(short):
    assert not passes(short, "present", text="an expression of good will")
    assert passes(short, "absent", text="PHONE 478")


def test_present_at_the_beginning_or_the_end():
    page = "beginning of text, middle part, but not the end"
    assert passes(page, "present", text="beginning", first_n=20) and not passes(page, "present", text="end", first_n=20)
    assert passes(page, "present", text="end", last_n=20) and not passes(page, "present", text="beginning", last_n=20)
    assert passes(page, "present", text="the end", first_n=15, last_n=10)
    assert passes(page, "absent", text="middle", first_n=15, last_n=10)


def test_order():
    page = "This has first and then second in order"
    assert passes(page, "order", before="first", after="second")
    assert not passes(page, "order", before="second", after="first")
    assert not passes(page, "order", before="first", after="third")
    assert passes("firsst, then secand", "order", before="first", after="second", max_diffs=1)
    assert passes("A B A B", "order", before="B", after="A")
    assert not passes("target once", "order", before="target", after="target")


def test_places_are_those_of_fuzzysearch():
    rng, seen = random.Random(0), 0
    for _ in range(2000):
        wanted, text = ("".join(rng.choices("abc ", k=rng.randint(*sizes))) for sizes in ((2, 9), (0, 60)))
        most = rng.randint(0, len(wanted) // 2)
        there, theirs = near(wanted, text, most), find_near_matches(wanted, text, max_l_dist=most)
        seen += bool(theirs)
        if not most:
            assert there == ([theirs[0].start, theirs[-1].start] if theirs else [])
            continue
        ranks = {(each.start, each.dist, each.end - each.start) for each in raw(wanted, text, most)}
        assert len(there) == len(theirs)
        for place, each in zip(there, theirs, strict=True):  # of equals in one place, theirs is any
            assert (place, each.dist, each.end - each.start) in ranks and place <= each.start
    assert seen > 500


def test_hostile_transcripts_take_no_long_time():
    with ended(20):  # each takes a minute, or all memory
        assert not passes(
            "second text hexx " * 4000, "order", before="first text here", after="second text here", max_diffs=3
        )
        for form, part, end in ("heading", "<h1>", "</hx>"), ("bold", "<b>", "</b"), ("italic", "<i>", "</I >"):
            assert not passes(part * 20_000 + end, "format", text="Heading", format=form)
        assert [len(tables(part * 20_000)) for part in ("<a ", "<!--", "<td colspan=", "<sup", "<!")] == [0] * 5
        wide = "<table><tr><td colspan=300 rowspan=300>x</td></tr></table>"
        assert len(tables(wide * 1000)) == 1  # all slots of a transcript together
        column = "<table>" + "<tr><td>x</td></tr>" * 4000 + "</table>"
        assert not passes(column, "table", cell="x", top_heading="y", max_diffs=0)
        assert not passes(column, "table", cell="x", up="y", max_diffs=0)


def test_of_very_many_formulas_not_all_are_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(olmmath, "_signs", lambda formula: drawn.append(formula) or ((0,) if formula == "z" else ()))
    assert not stands("z", " ".join(f"${n}$" for n in range(3000)))
    assert len(drawn) == 1 + olmmath.MOST_DRAWN


def test_format():
    page = "# A title\n\nwith **bold words**, *italic* ones, <em>more</em> and <h2>Second</h2>"
    assert passes(page, "format", text="A title", format="heading") and passes(
        page, "format", text="Second", format="heading"
    )
    assert passes(page, "format", text="bold", format="bold") and not passes(
        page, "format", text="italic", format="bold"
    )
    assert passes(page, "format", text="italic", format="italic") and passes(
        page, "format", text="more", format="italic"
    )
    assert not passes(page, "format", text="bold words", format="italic")
    assert passes(page, "format", text="A TITLE", format="heading", case_sensitive=False)


def test_footnote():
    page = "It was so.[^1] Later<sup>2</sup> it wasn't³.\n\n[^1]: A source"
    assert passes(page, "footnote", marker="1", appears_before_marker="It was so.")
    assert not passes(page, "footnote", marker="1", appears_before_marker="A source")
    assert passes(page, "footnote", marker="2", appears_after_marker="it wasn't")
    assert passes(page, "footnote", marker="3") and not passes(page, "footnote", marker="4")
    assert not passes("[^1]: A source", "footnote", marker="1")


def test_baseline():
    assert passes("text", "baseline") and not passes("\n -- ", "baseline")
    assert passes("x" + "ab" * 30, "baseline") and not passes("x" + "ab" * 31, "baseline")
    assert not passes("text 中文", "baseline") and not passes("text \U0001f600", "baseline")
    assert passes("text 中文", "baseline", check_disallowed_characters=False)
    assert passes("![a picture](x.png) a", "baseline", max_length=1, max_length_skips_image_alt_tags=True)
    assert not passes("some text", "baseline", max_length=3)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("abab", [1, 2, 1]),
        ("aabaabaa", [2, 1, 2]),
        ("abc", [1, 1, 1]),
        ("", [0, 0, 0]),
        ("a" * 10_000, [10_000, 5000, 3333]),
    ],
)
def test_repeats_at_the_end_are_counted(text, counts):
    assert [repeats(text, size) for size in (1, 2, 3)] == counts


@pytest.mark.parametrize(
    ("relation", "right", "wrong"),
    [
        ("up", "Head 2", "A1"),
        ("down", "B2", "A3"),
        ("left", "A1", "A3"),
        ("right", "A3", "Head 3"),
        ("top_heading", "Head 2", "Head 1"),
        ("left_heading", "A1", "B1"),
    ],
)
def test_markdown_tables(relation, right, wrong):
    for page in (
        MARKDOWN,
        MARKDOWN.strip(),
        "Text\n" + MARKDOWN.strip() + "  \t ",
        MARKDOWN.replace("|---|:-:|---|\n", ""),
    ):
        assert passes(page, "table", cell="A2", **{relation: right})
        assert not passes(page, "table", cell="A2", **{relation: wrong})
    assert not passes(MARKDOWN, "table", cell="A2", ignore_markdown_tables=True)


def test_html_tables_with_spans():
    (grid,) = tables(HTML)
    assert grid.texts[2, 1] == "1\nx" and grid.texts[2, 2] == "<2"
    assert grid.up(1, 1) == grid.up(1, 2) == {(0, 1)} and grid.down(0, 1) == {(1, 1), (1, 2)}
    assert grid.right(0, 0) == {(0, 1), (1, 1)} and grid.left(1, 1) == {(0, 0)}
    assert grid.headings((3, 2), grid.up) == {(0, 1), (1, 2)} and grid.headings((3, 2), grid.left) == {(3, 0)}
    assert passes(HTML, "table", cell="4", up="<2", left_heading="Rome", top_heading="People", right=None)
    assert passes(HTML, "table", cell="women", left="men", up="People", left_heading="City")
    assert not passes(HTML, "table", cell="4", top_heading="men")


def test_a_cell_with_wrong_letters():
    for given, right in (("some longer text", True), ("some longr text", True), ("some lonxxx text", False)):
        page = MARKDOWN.replace("A3", given)
        assert passes(page, "table", cell="some longer text", max_diffs=1) is right
        assert passes(page, "table", cell="A2", right="some longer text", max_diffs=1) is right
    assert not passes(MARKDOWN.replace("A3", "some longr text"), "table", cell="some longer text")


def test_nested_unclosed_and_huge_tables_are_read_in_bounded_time():
    outer, inner = tables("<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>")
    assert set(outer.texts.values()) == {"ab", "b"} and set(inner.texts.values()) == {"b"}
    assert tables("<table><tr><td colspan=99999999 rowspan=99999999>a</td></tr></table>") == ()
    assert [len(tables(part * 3000)) for part in ("<td>", "<table>", "<tr><td>", "</table>", "<b>")] == [0, 0, 0, 0, 0]


def test_formulas_are_taken_out_in_turn():
    assert formulas(r"a \( x \) b \[ y \] $$ z $$ and $w$ \( \( v \)") == ["x", r"\( v", "y", "z", "w"]
    assert formulas("$x$ and $$y$$", dollars=False) == []
    assert formulas("\\(" * 20_000) == []


@pytest.mark.parametrize(
    ("formula", "other", "right"),
    [
        ("a+b", "a + b", True),
        ("c-d", "a+b", False),
        ("a+b", r"\begin{align*}a+b\end{align*}", True),
        (r"\lambda_g = \lambda_{g'}", r"\lambda_{g}=\lambda_{g^{\prime}}", True),
        (r"\left\{ \left( 0_{X},-1\right) \right\}", r"\{(0_{X}, -1)\}", True),
        (
            r"u \in (R/\operatorname{Ann}_R(x_i))^{\times}",
            r"u \in\left(R / \operatorname{Ann}_{R}\left(x_{i}\right)\right)^{\times}",
            True,
        ),
        (r"\frac{a}{b}", "a / b", False),
        (r"\left[ a + b \right]", r"\left\{ a + b \right\}", False),
        (r"\frac{1}{2}", r"\displaystyle\frac{1}{2}", True),
        (r"\begin{pmatrix} a & b \end{pmatrix}", r"\begin{bmatrix} a & b \end{bmatrix}", False),
        (r"\frac{2}{3\sqrt{3} a}\int (\alpha - 2a)", r"\frac{2}{3 \sqrt{3a}} \int (\alpha - 2a)", False),
        (r"\int \beta d\alpha", r"\text{area } AN'P' = \int \beta  d\alpha = 2", True),
        (r"T_{ij}^{kl}", r"T^{kl}_{ij}", True),
        (r"\frac{\partial f}{\partial x}", r"\frac{\partial_f}{\partial_x}", False),
        ("x_{i,j}", "x_{j,i}", False),
        (r"\hat{x}", r"\widehat{x}", False),
        (r"\phi", r"\varphi", False),
        (r"\sum_{i=1}^{n} x_i", r"\sum\limits_{i=1}^{n} x_i", True),
        (r"\begin{align*} a &= b \\ c &= d \end{align*}", r"\begin{aligned} a &= b \\ c &= d \end{aligned}", True),
        ("3x^2", r"\int_a^b{ 3x ^ 2dx}", True),
        ("x^2", "x_2", False),
        ("x^2", "2x", False),
        (r"\undefinedcommand x", r"\undefinedcommand x", True),
        (r"\undefinedcommand x", "x", False),
    ],
)
def test_formulas_are_compared_as_they_look(formula, other, right):
    assert stands(formula, f"text \\( {other} \\) text") is right
    assert passes(f"$${other}$$", "math", math=formula) is right


def test_every_type_is_a_test():
    assert set(TYPES) == {"present", "absent", "order", "table", "math", "baseline", "format", "footnote"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "expected"),
        (json.dumps(told("smell")), "the type 'smell' is unknown"),
        (json.dumps(told("present")), "has no 'text'"),
        (json.dumps(told("present", text="")), "an empty text"),
        (json.dumps(told("present", text="a", colour=1)), "'colour' is no field"),
        (json.dumps(told("present", text=3)), "'text' is 3: expected a string"),
        (json.dumps(told("present", text="a", max_diffs="1")), "'max_diffs'"),
        (json.dumps(told("present", text="a", max_diffs=-1)), "negative"),
        (json.dumps(told("order", before="abc", after="abc", max_diffs=2)), "more than half"),
        (json.dumps(told("format", text="a", format="blue")), "'blue'"),
        (json.dumps(told("footnote", marker="a b")), "without spaces"),
        (json.dumps(told("math", math=" ")), "an empty formula"),
        (json.dumps(told("baseline", page=0)), "negative"),
        (json.dumps(told("baseline", page=True)), "'page'"),
    ],
)
def test_broken_tests_are_named(line, message):
    with pytest.raises(BadInput, match=message) as caught:
        parsed(line, "tests.jsonl, line 7")
    assert "tests.jsonl, line 7" in str(caught.value)


def bench(folder, **lists):
    (folder / "pdfs" / "sub").mkdir(parents=True, exist_ok=True)
    pages = [Image.new("RGB", (40, 40), color) for color in ("red", "green", "blue")]
    for name in ("sub/a.pdf", "b.pdf"):
        pages[0].save(folder / "pdfs" / name, save_all=True, append_images=pages[1:])
    for name, tests in lists.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, tests)) + "\n\n", encoding="utf-8")
    return folder


def test_items_are_pages_with_their_tests(tmp_path):
    text = {**told("present", text="a"), "pdf": "sub/a.pdf", "page": 2}
    bench(
        tmp_path / "bench_data", old_scans=[text, {**text, "id": "2", "page": 3}], more=[told("baseline", pdf="b.pdf")]
    )
    items = list(OLMOCR_BENCH.items(tmp_path))
    assert [item.id for item in items] == ["b_pg1", "sub__a_pg2", "sub__a_pg3", "sub__a_pg1"]
    assert [item.task for item in items] == ["more", "old_scans", "old_scans", "baseline"]
    assert items[1].prompt.format and "present: text='a'" in items[1].truth
    (page,) = items[1].pages()
    assert page.number == 2 and np.argmax(page.image.getpixel((5, 5))) == 1


def test_scores_and_tables(tmp_path):
    tests = [
        told("present", id=str(number), pdf="b.pdf", text=text) for number, text in enumerate(("one", "two", "three"))
    ]
    cell = told("table", pdf="b.pdf", cell="x", right="y")
    bench(tmp_path, old_scans=tests, table_tests=[cell])
    (item,) = OLMOCR_BENCH.items(tmp_path)
    answer = Answer("one two \\begin{tabular}{|l|l|}\n\\hline x & y \\\\\n\\hline\n\\end{tabular}")
    corrected, published = (OLMOCR_BENCH.score(item, answer, mode) for mode in ("corrected", "published"))
    wanted = {"old_scans/0": 1, "old_scans/1": 1, "old_scans/2": 0, "table_tests/1": 1, "baseline/b.pdf_baseline": 1}
    assert corrected == wanted and published == {**wanted, "table_tests/1": 0}
    assert OLMOCR_BENCH.worth(corrected) == pytest.approx(0.8)
    assert not any(OLMOCR_BENCH.score(item, Answer("one", error="not read"), "published").values())
    files, kinds = OLMOCR_BENCH.tables([Scored(item, answer, corrected)], "ours", "corrected")
    mine = dict(zip(files.columns, files.rows[-1], strict=True))
    assert (
        mine["Old scans"] == pytest.approx(200 / 3) and mine["Tables"] == mine["Base"] == 100 and mine["ArXiv"] is None
    )
    assert mine["Overall"] == pytest.approx((200 / 3 + 100 + 100) / 3)
    assert ("present", 3, pytest.approx(200 / 3)) in kinds.rows
    assert any("HTML" in note for note in files.notes)
    for row in files.rows[:-1]:
        assert row[9] == pytest.approx(sum(row[1:9]) / 8, abs=0.06), row[0]
    nothing = OLMOCR_BENCH.tables([], "ours", "published")[0]
    assert nothing.rows[-1] == ("ours", *[None] * 10)


def test_a_test_passes_on_more_than_half_of_the_repeats(tmp_path):
    bench(
        tmp_path, old_scans=[told("present", pdf="b.pdf", text="one"), told("present", pdf="b.pdf", id="2", text="two")]
    )
    for n, text in enumerate(("one two", "one", "x"), 1):
        (tmp_path / "ours").mkdir(exist_ok=True)
        (tmp_path / "ours" / f"b_pg1_repeat{n}.md").write_text(text)
    given = Predictions(tmp_path / "ours")
    items = given.repeated(OLMOCR_BENCH.items(tmp_path))
    assert [item.id for item in items] == ["b_pg1_repeat1", "b_pg1_repeat2", "b_pg1_repeat3"]
    found = [scored(OLMOCR_BENCH, item, answer, "corrected") for item, answer in given.answers(items)]
    assert [each.answer.text for each in found] == ["one two", "one", "x"] and not given.notes
    table = OLMOCR_BENCH.tables(found, "ours", "corrected")[0]
    assert dict(zip(table.columns, table.rows[-1], strict=True))["Old scans"] == 50
    assert table.notes[0].startswith("3 tests of 1 pages")
    two = OLMOCR_BENCH.tables([found[0], found[2]], "ours", "corrected")[0]
    assert two.rows[-1][4] == 0  # half isn't more than half


def test_the_interval_is_that_of_a_bootstrap_within_files():
    rng = np.random.default_rng(1)
    groups = [list((rng.random(count) < share).astype(float)) for count, share in ((400, 0.3), (100, 0.8), (50, 0.5))]
    mean, half = interval(groups)
    assert mean == pytest.approx(100 * np.mean([np.mean(group) for group in groups]))
    means = [np.mean([np.mean(rng.choice(group, len(group))) for group in groups]) for _ in range(3000)]
    low, high = np.percentile(means, (2.5, 97.5))
    assert half == pytest.approx(50 * (high - low), rel=0.12)
    assert interval(groups) == (mean, half)
    assert interval([]) == (None, 0.0)


def test_latex_tables_and_headings_become_html_and_markdown():
    text = as_markdown("\\title{\nA  page\n}\n\\section*{First}\n\\begin{tabular}{l}\nx \\\\\n\\end{tabular} end")
    assert text.startswith("# A page\n## First\n") and "<td>x</td>" in text and text.endswith("</table>\n end")
    assert as_markdown("\\begin{tabular}{l} no end") == "\\begin{tabular}{l} no end"


def test_broken_folders_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"no \*\.jsonl: expected .* from https"):
        OLMOCR_BENCH.items(tmp_path)
    right = told("present", pdf="b.pdf", text="a")
    for tests, message in (
        ([right, right], "line 2 has the id '1', as .*line 1 has"),
        ([{**right, "pdf": "c.pdf"}], r"line 1: .*c\.pdf isn't there"),
        ([{**right, "pdf": "../c.pdf"}], "line 1: .* is no place in"),
        ([right, {**right, "type": "x"}], "line 2: the type 'x' is unknown"),
    ):
        with pytest.raises(BadInput, match=message):
            OLMOCR_BENCH.items(bench(tmp_path, old_scans=tests))
    with pytest.raises(BadInput, match="3 pages; page 9 was asked for"):
        next(iter(OLMOCR_BENCH.items(bench(tmp_path, old_scans=[{**right, "page": 9}])))).pages()
