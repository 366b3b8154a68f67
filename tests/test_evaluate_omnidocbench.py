import itertools
import json
import random
import re

import numpy as np
import pytest
from hangs import ended
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.omniblocks import as_formula, as_table, as_text, blocks, cells, rows
from ocr2.evaluate.omnidocbench import OMNIDOCBENCH
from ocr2.evaluate.omnimatch import Match, assigned, matched
from ocr2.metrics import levenshtein

TABLE = "<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>"


def piece(category, order, text, number, **more):
    field = {"equation_isolated": "latex", "table": "html"}.get(category, "text")
    return {"category_type": category, "order": order, "anno_id": number, field: text, "ignore": False, **more}


def entry(pieces, name="page.png", language="english", relation=()):
    return {
        "layout_dets": pieces,
        "page_info": {
            "page_no": 0,
            "height": 8,
            "width": 8,
            "image_path": name,
            "page_attribute": {"language": language},
        },
        "extra": {"relation": list(relation)},
    }


def written(folder, pages):
    (folder / "images").mkdir(exist_ok=True)
    for page in pages:
        Image.new("RGB", (8, 8), "white").save(folder / "images" / page["page_info"]["image_path"])
    (folder / "OmniDocBench.json").write_text(json.dumps(pages), encoding="utf-8")
    return folder


def scores(folder, pieces, answer, mode="corrected", relation=()):
    (item,) = OMNIDOCBENCH.items(written(folder, [entry(pieces, relation=relation)]))
    return OMNIDOCBENCH.score(item, Answer(answer), mode)


def test_a_page_is_cut_into_paragraphs_formulas_and_tables():
    text = (
        "\\title{\nTitle}\n\nText with \\( x^2 \\) in it.\n\n\\[ a + b \\]\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "\\begin{tabular}{|l|c|}\n\\hline A & $\\beta$ \\\\\n\\hline\n\\end{tabular}\n\n"
        f"{TABLE}\n\n![figure](x.png)\n\n$$ c $$"
    )
    found = blocks(text)
    assert [block.kind for block in found] == [
        *("text", "text", "formula", "table", "table", "table", "formula", "inline"),
    ]
    assert [block.place for block in found[:-1]] == sorted(block.place for block in found[:-1])
    assert found[0].text == "Title"
    assert found[2].text == "\\[ a + b \\]" and found[-1].text == "\\[ x^2 \\]"
    assert [cells(block.text) for block in found[3:6]] == [["a", "b", "1", "2"], ["A", "β"], ["a", "b", "1", "2"]]


def test_lines_part_paragraphs_where_nothing_else_does():
    assert [block.text for block in blocks("one\ntwo")] == ["one", "two"]
    assert [block.text for block in blocks("one\ntwo\n\nthree")] == ["one\ntwo", "three"]
    assert blocks("") == []


def test_what_never_ends_takes_no_long_time():
    for part in ("\\[", "$", "![", "<table>", "|\n", "\\begin{tabular}", "```a\n", "\\title{", "\\("):
        blocks(part * (40_000 // len(part)))
    with ended(8):
        assert rows("\\[" + "\\begin{array}{c} " * 6000 + "\\]")[0].startswith("\\[\\begin")
        assert as_formula("{" * 50_000 + "a" + "}" * 50_000) == "a"


def test_braces_around_letters_are_taken_out_from_within():
    rng = random.Random(0)
    for _ in range(2000):
        text = "".join(rng.choices("{}{}ab+^<", k=rng.randint(0, 14)))
        wanted = text.strip(".")
        while wanted != (wanted := re.sub(r"\{([A-Za-z0-9.+\-]*)\}", r"\1", wanted)):
            pass
        assert as_formula(text) == wanted


@pytest.mark.parametrize(
    ("source", "corrected", "published"),
    [
        ("Ab, c-d!\n", "Abcd", "Abcd"),
        ("and/not", "andnot", "andot"),
        ("① 中文，$\\alpha_1 + x^{2}$", "1中文α_1x2", "1中文α_1x2"),
        ("$5 and more", "5andmore", "5andmore"),
    ],
)
def test_text_is_compared_by_letters_and_digits(source, corrected, published):
    assert as_text(source) == corrected
    assert as_text(source, published=True) == published


def test_formulas_are_compared_without_fonts_spaces_and_numbers():
    one = as_formula(r"\[ \mathbf{E} = \left( m c^{2} \right) \tag{1} \]")
    assert one == as_formula("$$E=(mc^2)$$") == "e=(mc^2)"
    assert as_formula(r"\leftarrow") == r"\leftarrow"
    assert rows(r"\[\begin{array}{l} a \\ b \end{array}\]") == [r"\[a\]", r"\[b\]"]
    assert rows(r"\[\begin{array}{cc} a & b \\ c & d \end{array}\]") == [
        r"\[\begin{array}{cc} a & b \\ c & d \end{array}\]"
    ]


def test_tables_are_compared_without_heads_styles_and_wrappers():
    html = (
        '<TABLE border="1"><thead><tr style="x"><th colspan="2">a&lt;b ✓</th></tr></thead>'
        "<tr><td>-</td><td>$ 1 $</td></tr></TABLE>"
    )
    wanted = '<table><tr><td colspan="2">a&lt;b √</td></tr><tr><td>—</td><td>1</td></tr></table>'
    assert as_table(html) == f"<html><body>{wanted}</body></html>"
    assert as_table("no table") == ""


def test_the_assignment_costs_the_least():
    rng = np.random.default_rng(0)
    for _ in range(150):
        height, width = (int(side) for side in rng.integers(0, 6, 2))
        costs = rng.integers(0, 9, (height, width)) / 8
        pairs = assigned(costs)
        across, along = (costs, width) if height <= width else (costs.T, height)
        least = min(
            sum(across[row, column] for row, column in enumerate(way))
            for way in itertools.permutations(range(along), len(across))
        )
        assert sum(costs[pair] for pair in pairs) == pytest.approx(least)
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == min(height, width)


def test_paragraphs_are_matched_merged_and_split():
    assert matched(["Abc", "Defghi"], ["Defghi", "Abc"], []) == [Match((0,), (1,)), Match((1,), (0,))]
    assert Match((0,), (1, 2)) in matched(["abcdefghijklmno", "0123456789"], ["0123456789", "abcdefgh", "ijklmno"], [])
    assert matched(["abcdefghij", "klmno", "pqrst"], ["abcdefghijklmnopqrst"], []) == [Match((0, 1, 2), (0,))]
    assert matched(["abc"], ["xyz", "header"], ["header"]) == [Match((0,), (0,))]
    assert matched(["abc", "d"], [], []) == [Match((0,), ()), Match((1,), ())]
    assert matched([], ["abc"], []) == []


def test_a_hostile_page_is_matched_in_bounded_time():
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(2, 9))) for _ in range(200)]
    truth = ["".join(rng.choices(words, k=rng.randint(5, 60))) for _ in range(60)]
    predicted = ["".join(rng.choices(words, k=3)) for _ in range(600)]
    found = matched(truth, predicted, [])
    assert sorted(number for match in found for number in match.truth) == list(range(60))


def test_very_many_pieces_are_matched_in_bounded_time():
    with ended(10):
        assert len(matched(["A first paragraph", "and the second one", "a third"], ["a"] * 20_000, [])) == 3


def test_the_truth_itself_is_perfect_and_nothing_is_worst(tmp_path):
    pieces = [
        piece("title", 1, "A title", 0),
        piece("text_block", 2, "Some text, and $x^2$ in it.", 1),
        piece("equation_isolated", 3, "$$\\frac{a}{b}$$", 2),
        piece("table", 4, TABLE, 3),
        piece("header", None, "Running head", 4),
        piece("figure", 5, "", 5),
    ]
    answer = f"Running head\n\n# A title\n\nSome text, and \\( x^2 \\) in it.\n\n\\[ {{a \\over b}} \\]\n\n{TABLE}"
    found = scores(tmp_path, pieces, answer)
    assert found.pop("formula_edit_distance") > 0  # of the spelling; the picture is the same
    perfect = {name: 0.0 if name.endswith("distance") else 1.0 for name in found}
    assert found == perfect
    assert len(found) == 6
    lost = scores(tmp_path, pieces, "")
    assert all(value == (1.0 if name.endswith("distance") else 0.0) for name, value in lost.items())
    assert OMNIDOCBENCH.worth(found) == 1.0 and OMNIDOCBENCH.worth(lost) == 0.0


def test_distances_are_those_of_all_pieces_over_their_lengths(tmp_path):
    pieces = [piece("text_block", 1, "abcdefghij", 0), piece("text_block", 2, "klmnopqrstuvwxyz", 1)]
    found = scores(tmp_path, pieces, "klmnopqXstuvwxyz\n\nabcdefghXXij")
    edits = levenshtein("klmnopqXstuvwxyz", "klmnopqrstuvwxyz") + levenshtein("abcdefghXXij", "abcdefghij")
    assert found["text_edit_distance"] == pytest.approx(edits / (16 + 12))
    assert found["order_edit_distance"] == 1.0  # 2, 1 for 1, 2
    assert set(found) == {"text_edit_distance", "order_edit_distance"}


def test_text_cut_by_a_column_is_one_and_ignored_pieces_are_none(tmp_path):
    pieces = [
        piece("text_block", 3, "world and so on", 7),
        piece("text_block", 1, "Hello ", 4),
        piece("text_block", 2, "never seen", 9, ignore=True),
    ]
    relation = [{"source_anno_id": 4, "target_anno_id": 7, "relation_type": "truncated"}]
    assert scores(tmp_path, pieces, "Hello world and so on", relation=relation)["text_edit_distance"] == 0
    assert scores(tmp_path, pieces, "Hello world and so on")["order_edit_distance"] == 0


def test_a_table_in_latex_counts_and_a_wrong_cell_costs_its_part(tmp_path):
    pieces = [piece("table", 1, TABLE, 0)]
    latex = "\\begin{tabular}{|l|c|}\n\\hline a & b \\\\\n\\hline 1 & 3 \\\\\n\\hline\n\\end{tabular}"
    found = scores(tmp_path, pieces, latex)
    assert found["table_teds_structure"] == 1.0
    assert found["table_teds"] == pytest.approx(1 - 1 / 6)  # one of two rows and four cells
    none = scores(tmp_path, pieces, "a b 1 2")
    assert none == {"table_teds": 0.0, "table_teds_structure": 0.0, "table_edit_distance": 1.0}


def test_a_formula_read_as_text_is_text_as_published_only(tmp_path):
    pieces = [
        piece("equation_isolated", 1, r"\[ \alpha + 12 = 345 x \]", 0),
        piece("text_block", 2, "Quite other words", 1),
    ]
    answer = "α + 12 = 345 x\n\nQuite other words"
    corrected, published = (scores(tmp_path, pieces, answer, mode) for mode in ("corrected", "published"))
    assert "formula_likeness" in corrected and corrected["text_edit_distance"] == 0
    assert set(published) == {"text_edit_distance", "order_edit_distance"} and published["text_edit_distance"] == 0


def test_a_page_without_an_answer_is_left_out_as_published_only(tmp_path):
    (item,) = OMNIDOCBENCH.items(written(tmp_path, [entry([piece("text_block", 1, "abc", 0)])]))
    lost = Answer(error="not read")
    assert OMNIDOCBENCH.score(item, lost, "published") is None
    assert OMNIDOCBENCH.score(item, lost, "corrected") == {"text_edit_distance": 1.0, "order_edit_distance": 1.0}


def test_a_wrong_letter_makes_a_formula_less_alike(tmp_path):
    pieces = [piece("equation_isolated", 1, r"$$E = m c^{2} + \sum_{i} x_{i}$$", 0)]
    same = scores(tmp_path, pieces, r"\[ E=mc^2+\sum _ i x_i \]")["formula_likeness"]
    other = scores(tmp_path, pieces, r"\[ E = m C^{2} + \prod_{i} x_{i} \]")["formula_likeness"]
    assert same == 1.0 and 0 < other < 1


def test_items_and_tables_of_both_versions(tmp_path):
    pieces = [
        *(piece("text_block", 1, "abcd", 0), piece("table", 2, TABLE, 1)),
        piece("equation_isolated", 3, "$$x$$", 2),
    ]
    pages = [
        entry(pieces, "a b[1].jpg"),
        entry(pieces, "zh.png", "simplified_chinese"),
        entry(pieces[:1], "x.png", "other"),
    ]
    items = list(OMNIDOCBENCH.items(written(tmp_path, pages)))
    assert [(item.id, item.language, item.prompt.format) for item in items] == [
        *(("a b[1]", "en", True), ("zh", "zh", True), ("x", "", True)),
    ]
    assert items[0].pages()[0].image.size == (8, 8)
    right = f"abcd\n\n{TABLE}\n\n\\[ x \\]"
    answers = [Answer(right), Answer(right.replace("abcd", "abXX")), Answer("", error="not read")]
    found = [
        Scored(item, answer, OMNIDOCBENCH.score(item, answer, "corrected"), answer.error)
        for item, answer in zip(items, answers, strict=True)
    ]
    old, new = OMNIDOCBENCH.tables(found, "ours", "corrected")
    mine = dict(zip(old.columns, old.rows[-1], strict=True))
    assert mine["Text edit ↓ EN"] == 0 and mine["Text edit ↓ ZH"] == 0.5
    assert mine["Overall ↓ EN"] == 0 and mine["Overall ↓ ZH"] == pytest.approx(0.5 / 4)
    got = next(dict(zip(old.columns, row, strict=True)) for row in old.rows if row[0] == "GOT-OCR")
    four = [got[f"{name} edit ↓ EN"] for name in ("Text", "Formula", "Table", "Order")]
    assert got["Overall ↓ EN"] == pytest.approx(sum(four) / 4, abs=0.0006)
    mine = dict(zip(new.columns, new.rows[-1], strict=True))
    assert mine["Text edit ↓"] == pytest.approx((0 + 0.5 + 1) / 3)
    assert mine["Overall ↑"] == pytest.approx(((1 - 0.5) * 100 + 100 + 100) / 3)
    assert mine["Formula CDM ↑"] is None and mine["Formula likeness ↑"] == 100
    assert any("likeness for CDM" in note for note in new.notes) and "Over 3 pages." in new.notes
    assert any("in the rows of v1.6, of formulas and tables, too" in note for note in new.notes)
    crashed = [*found[:2], Scored(items[2], Answer("abcd"), {}, "not scored")]
    row = OMNIDOCBENCH.tables(crashed, "ours", "corrected")[1].rows[-1]
    assert row[3] == mine["Text edit ↓"] and row[6] == pytest.approx(200 / 3)
    for row in new.rows[:-1]:
        told = dict(zip(new.columns, row, strict=True))
        mean = (100 * (1 - told["Text edit ↓"]) + told["Formula CDM ↑"] + told["Table TEDS ↑"]) / 3
        assert told["Overall ↑"] == pytest.approx(mean, abs=0.06), told["Method"]


def test_broken_folders_are_named(tmp_path):
    def error(change=lambda pages: None, pages=None):
        pages = pages or [entry([piece("text_block", 1, "abc", 0)])]
        written(tmp_path, pages)
        change(pages)
        (tmp_path / "OmniDocBench.json").write_text(json.dumps(pages))
        with pytest.raises(BadInput) as caught:
            list(OMNIDOCBENCH.items(tmp_path))
        return str(caught.value)

    with pytest.raises(BadInput, match=r"no OmniDocBench\.json: expected .* from https"):
        OMNIDOCBENCH.items(tmp_path)
    assert "entry 2" in error(pages=[entry([]), entry([])]) and "entry 1" in error(pages=[entry([]), entry([])])
    assert "'page_info'" in error(lambda pages: pages[0].pop("page_info"))
    assert "isn't there" in error(lambda pages: pages[0]["page_info"].update(image_path="other.png"))
    assert "'layout_dets'" in error(lambda pages: pages[0].update(layout_dets=3))
    assert "'text'" in error(lambda pages: pages[0]["layout_dets"][0].update(text=3))
    assert "'text'" in error(lambda pages: pages[0]["layout_dets"][0].pop("text"))
    assert "'order'" in error(lambda pages: pages[0]["layout_dets"][0].update(order="first"))
    assert "'anno_id'" in error(lambda pages: pages[0]["layout_dets"].append(pages[0]["layout_dets"][0]))
    assert "'relation'" in error(lambda pages: pages[0]["extra"].update(relation=[3]))
    (tmp_path / "OmniDocBench.json").write_text("[{")
    with pytest.raises(BadInput, match="no JSON"):
        OMNIDOCBENCH.items(tmp_path)
