"""Tables painted by ourselves: what they show, and that it is where Typst would put it."""

from random import Random

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import table
from ocr2.characters.table import data, painting
from ocr2.characters.table.drawing import Style, plain, spare, styled
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput
from ocr2.renderers import fonts, typst

pytest.importorskip("typst", reason="engines: pip install 'ocr2[engines]'")
STIX = Style((fonts.faces("serif")[0], *spare()))


def painted(source, style=STIX, size=20, largest=2000):
    parsed = table.parsed(source)
    assert painting.paintable(parsed, style)
    return painting.painted(parsed, style, 5, (size, 8), largest)


def lines(image, axis):
    """How thick each rule is that goes through most of the picture."""
    dark = (image < 128).mean(axis=axis) > 0.6
    starts = np.flatnonzero(np.diff(np.concatenate([[0], dark.astype(int), [0]])))
    return (starts[1::2] - starts[::2]).tolist()


def test_it_looks_as_typst_draws_it(tmp_path):
    corpus = Corpus([write_corpus(tmp_path)])
    compared = 0
    for number in range(60):
        grid = data.invented(corpus, Random(number))
        style = styled(grid, Random(number))
        style = painting.paintable(grid, style)
        if not style:
            continue
        ours = painting.painted(grid, style, 10, (20, 20), 4000)
        theirs = typst.pixels(table._page(grid, style, 5), 2)
        assert np.allclose(ours.shape[:2], theirs.shape[:2], rtol=0.12, atol=8), number
        ink = [(255 - image.reshape(*image.shape[:2], -1).mean(2)).sum() for image in (ours, theirs)]
        assert 0.6 < ink[0] / ink[1] < 1.6, number
        compared += 1
    assert compared > 30


def test_rules_are_as_many_and_as_thick_as_the_source_has():
    booktabs = r"\begin{tabular}{ll} \toprule long words here & b \\ \midrule c & d \\ \bottomrule \end{tabular}"
    for size in (8, 11, 20, 32):
        top, middle, bottom = lines(painted(booktabs, size=size), 1)
        assert top > middle
        assert bottom > middle
    double = r"\begin{tabular}{|l||l|} \hline\hline a & b \\ \hline c & d \\ \hline \end{tabular}"
    assert len(lines(painted(double), 1)) == 4
    assert len(lines(painted(double), 0)) == 4
    partial = r"\begin{tabular}{lll} a & b & c \\ \cline{2-3} d & e & f \\ \end{tabular}"
    rule = painted(partial) < 128
    row = rule.sum(axis=1).argmax()
    assert rule[row, : rule.shape[1] // 4].sum() == 0
    assert rule[row, rule.shape[1] // 2 :].mean() > 0.8


def test_a_rule_stops_at_a_cell_that_spans_it():
    source = r"\begin{tabular}{|l|l|} \hline \multicolumn{2}{|c|}{wide} \\ \hline a & b \\ \hline \end{tabular}"
    image = painted(source)
    middle = image[:, image.shape[1] // 2 - 12 : image.shape[1] // 2 + 12]
    upper, lower = middle[: len(middle) // 2], middle[len(middle) // 2 + 2 : -8]
    assert (lower < 128).all(axis=0).any()
    assert not (upper < 128).all(axis=0).any()


@pytest.mark.parametrize("text", ["\\( x^{2} \\)", "\\textit{slanted}", "word " * 12])
def test_what_only_typst_can_is_left_to_it(text):
    source = f"\\begin{{tabular}}{{l}} {text} \\\\ b \\\\ \\end{{tabular}}"
    assert not painting.paintable(table.parsed(source), STIX)
    assert table.draw(source, Random(1)).tool.startswith("typst ")


def test_tex_own_type_is_times_where_it_lacks_letters():
    for text, can in (
        ("Mass (kg)", True),
        ("a < b", True),
        ("1 ± 2 “so”", True),
        ("José", False),
        ("Ω", False),
        ("质量 (kg)", True),
    ):
        grid = table.parsed(f"\\begin{{tabular}}{{l}} {text} \\\\ b \\\\ \\end{{tabular}}")
        assert (painting.paintable(grid, plain(grid)) == plain(grid)) is can, text


def test_bold_is_bolder_and_colours_are_kept():
    thin, bold = (
        painted(f"\\begin{{tabular}}{{l}} {text} \\\\ \\end{{tabular}}") for text in ("word", r"\textbf{word}")
    )
    assert (bold < 128).sum() > 1.15 * (thin < 128).sum()
    coloured = Style(STIX.faces, ink="#222244", head="#e6e6e6")
    image = painted(r"\begin{tabular}{l} a \\ b \\ \end{tabular}", coloured)
    assert image.ndim == 3
    assert (image == (0xE6, 0xE6, 0xE6)).all(axis=2).mean() > 0.2


def test_a_large_table_is_drawn_smaller():
    rows = r" \\ ".join(" & ".join(f"cell {row} {column}" for column in range(6)) for row in range(40))
    source = f"\\begin{{tabular}}{{llllll}} {rows} \\\\ \\end{{tabular}}"
    assert max(painted(source, size=20, largest=1024).shape) <= 1024
    assert max(painted(source, size=20, largest=100).shape) == max(painted(source, size=8, largest=9999).shape)


def test_characters_without_a_font_are_an_error():
    grid = table.parsed("\\begin{tabular}{l} ประเทศไทย \\\\ \\end{tabular}")
    with pytest.raises(BadInput, match="no font here has"):
        painting.paintable(grid, STIX)
