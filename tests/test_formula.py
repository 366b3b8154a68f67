"""Formulas: composed, drawn, told from other transcripts, scored."""

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import formula
from ocr2.characters.formula import compose, draw, looks_like, score
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, OcrError, RenderFailed

pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("mathra", reason="engines: pip install 'ocr2[engines]'")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(Path(tmp_path_factory.mktemp("corpus")))])


class Given(Corpus):
    """A corpus of one formula."""

    def __init__(self, folder: Path, source: str) -> None:
        super().__init__([write_corpus(folder)])
        self.source = source

    def has(self, kind: str) -> bool:
        return kind == "formula"

    def item(self, rng: Random, kind: str) -> str:
        return self.source


def test_what_is_composed_can_be_drawn_and_is_itself(corpus: Corpus) -> None:
    drawn = 0
    for seed in range(40):
        rng = Random(seed)
        truth = compose(corpus, rng)
        assert looks_like(truth) and score(truth, truth) == {"edit_distance": 0.0, "exact": 1.0}
        assert truth == formula.marked(formula.normal(truth))
        try:
            image = draw(truth, rng).pixels()
        except RenderFailed as error:
            assert "em long" in str(error)
            continue
        drawn += 1
        assert max(image.shape) <= 1026 and (image < 100).any()
        edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (edge > 250).all(), truth
    assert drawn > 33


def test_formulas_of_a_corpus_are_spelled_as_ours(tmp_path: Path) -> None:
    given = Given(tmp_path / "a", r"x ^ { 2 } \, = { a \over b } ")
    assert any(compose(given, Random(seed)) == r"\[ x^{2}=\frac{a}{b} \]" for seed in range(5))
    broken = Given(tmp_path / "b", r"x ^ { 2 ")
    with pytest.raises(BadInput, match="without its }"):
        for seed in range(9):
            compose(broken, Random(seed))


def test_the_same_seed_gives_the_same_picture(corpus: Corpus) -> None:
    for seed in (1, 2):
        truth = compose(corpus, Random(seed))
        first = draw(truth, Random(seed)).svg()
        draw(r"\[ \text{something else}^{2} \]", Random(9))
        assert draw(truth, Random(seed)).svg() == first


@pytest.mark.parametrize(
    "source", ["x^2", r"\[x^2\]", r"\( x^2 \)", "$x^2$", "$$x^2$$", r"\begin{equation}x^2\end{equation}"]
)
def test_any_way_to_mark_a_formula_is_drawn(source: str) -> None:
    assert (draw(source, None).pixels() == draw("x^{2}", None).pixels()).all()


@pytest.mark.parametrize("backend", formula.BACKENDS)
def test_backends_agree(backend: str) -> None:
    if backend == "pdflatex" and not shutil.which("pdflatex"):
        pytest.skip("pdflatex isn't installed")
    source = r"\[ \int_{0}^{\infty}e^{-x^{2}}dx=\frac{\sqrt{\pi}}{2} \]"

    def extent(name: str) -> np.ndarray:
        drawing = draw(source, None, name)
        assert name in drawing.tool
        ys, xs = np.nonzero(drawing.pixels() < 128)
        return np.array([np.ptp(ys), np.ptp(xs)])

    assert extent(backend) == pytest.approx(extent("mathpix"), rel=0.25)


def test_with_a_seed_pictures_vary() -> None:
    shapes = {draw(r"\[ a+b \]", Random(seed)).pixels().shape[:2] for seed in range(6)}
    assert len(shapes) == 6


def test_long_formulas_are_shrunk_while_they_can_be_read() -> None:
    assert draw("a+" * 22 + "b", None).pixels().shape[1] <= 1025
    with pytest.raises(RenderFailed, match="em long"):
        draw("a+" * 60 + "b", None)


def test_what_can_t_be_drawn_is_told() -> None:
    with pytest.raises(BadInput, match="mathpix, mathra, pdflatex"):
        draw("x", None, "crayon")
    with pytest.raises(BadInput, match="empty"):
        draw(r"\[ \]", None)
    with pytest.raises(RenderFailed, match="Undefined control sequence"):
        draw(r"\foo", None)
    with pytest.raises(OcrError):
        draw(r"\text{中}", None, "pdflatex")


@pytest.mark.parametrize(
    "text",
    [
        r"\[ x \]",
        "$$x$$",
        "$x$",
        r"\(x\)",
        r"\begin{align}a&=b\\c&=d\end{align}",
        "\n\\[\nx\n\\]\n",
        r"\[ a\\[2pt] b \]",
    ],
)
def test_formulas_are_known(text: str) -> None:
    assert looks_like(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "Text with $x$ in it.",
        r"\[ x \] and \[ y \]",
        "$5 and $6",
        "$a$ $b$",
        r"\begin{tabular}{c}a\end{tabular}",
        r"\begin{tikzpicture}\end{tikzpicture}",
        "<smiles>C</smiles>",
        "**kern\n*-",
        "{'title': 'a'}",
        "| a |\n|---|",
        r"\[",
        "$$",
    ],
)
def test_other_transcripts_are_not_formulas(text: str) -> None:
    assert not looks_like(text)


def test_a_score_compares_pictures() -> None:
    assert score(r"$x _ 1 ^ {2}$", r"\[ x^2_1 \]") == {"edit_distance": 0.0, "exact": 1.0}
    near = score(r"\[ x^{3} \]", r"\[ x^{2} \]")
    assert near["exact"] == 0 and 0 < near["edit_distance"] < 0.3
    assert score(r"\[ \frac{a \]", r"\[ \frac{a}{b} \]")["exact"] == 0
    assert score("", r"\[ x \]")["edit_distance"] == 1
