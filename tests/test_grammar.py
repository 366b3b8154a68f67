"""Invented formulas."""

import re
from pathlib import Path
from random import Random

import pytest
from text_helpers import write_corpus

from ocr2.characters.formula.grammar import Grammar
from ocr2.characters.latex import normal
from ocr2.data.corpus import Corpus


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    corpus = Corpus([write_corpus(Path(tmp_path_factory.mktemp("corpus")))])
    return [Grammar(corpus, Random(seed)).formula() for seed in range(400)]


def test_every_formula_has_one_spelling(invented: list[str]) -> None:
    for formula in invented:
        assert normal(normal(formula)) == normal(formula)


def test_formulas_are_of_all_kinds(invented: list[str]) -> None:
    text = "\n".join(map(normal, invented))
    parts = (
        r"\frac \sqrt \sum_ \int \begin{aligned} \begin{cases} matrix} \lim_ \hat{ \mathbb \left( \text{ \tag{ \hline "
        r"\binom \overset \alpha \Omega"
    )
    assert [part for part in re.split(" ", parts) if part not in text] == []
    assert any("\u4e00" <= char <= "\u9fff" for char in text)
    assert len(set(invented)) == len(invented)
    lengths = sorted(len(normal(formula)) for formula in invented)
    assert lengths[0] < 25 and 40 < lengths[200] < 200


def test_the_same_seed_gives_the_same_formula(tmp_path: Path) -> None:
    corpus = Corpus([write_corpus(tmp_path / "texts")])
    assert Grammar(corpus, Random(5)).formula() == Grammar(corpus, Random(5)).formula()
