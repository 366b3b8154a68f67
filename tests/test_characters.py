"""Every kind of character composes, draws, knows and scores its own."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from math import isfinite
from random import Random

import numpy as np
import pytest
from text_helpers import CHINESE, ENGLISH, write_corpus

from ocr2.characters import CHARACTERS, EXPORTED, Character, exported, forms, kind_of, text
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, RenderFailed

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

NAUGHT = ("distance", "error")
"""What measures of mistakes are called: the others are perfect at 1."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


@pytest.fixture(params=CHARACTERS, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def character(kind: str) -> Character:
    return CHARACTERS[kind]


def test_the_same_seed_composes_the_same(character: Character, corpus: Corpus) -> None:
    sources = [character.compose(corpus, Random(seed)) for seed in range(20)]
    assert sources == [character.compose(corpus, Random(seed)) for seed in range(20)]
    assert len(set(sources)) > 15


def test_what_is_drawn_is_seen(character: Character, corpus: Corpus) -> None:
    for seed in range(8):
        source = character.compose(corpus, Random(seed))
        plain, drawn = character.draw(source, None), character.draw(source, Random(seed))
        for image in (plain.pixels(), drawn.pixels()):
            assert image.std() > 4 and image.dtype == np.uint8 and image.ndim in (2, 3)
            edges = image[0], image[-1], image[:, 0], image[:, -1]
            assert sum((edge == 255).mean() for edge in edges) / 4 > 0.9, "ink at the edge"
        assert plain.pixels().tobytes() == character.draw(source, None).pixels().tobytes()
        assert drawn.pixels().tobytes() == character.draw(source, Random(seed)).pixels().tobytes()


@pytest.mark.parametrize("unseen", ["\0", "\x07", "\x9f", "\u200b", "\u202e", "\ud800", "\ue000", "\uffff"])
def test_what_no_picture_can_show_is_refused(character: Character, corpus: Corpus, unseen: str) -> None:
    source = character.compose(corpus, Random(5))
    with pytest.raises(BadInput):
        character.draw(source[: len(source) // 2] + unseen + source[len(source) // 2 :], None)


def test_what_is_drawn_loads_nothing(character: Character, corpus: Corpus) -> None:
    for seed in range(4):
        drawn = character.draw(character.compose(corpus, Random(seed)), Random(seed))
        if drawn.format == "svg":
            addresses = re.findall(r"""(?:href|src)\s*=\s*["']([^"']*)|url\(([^)]*)\)|@import""", drawn.svg())
            assert all(found.startswith(("#", "data:")) for pair in addresses for found in pair if found)


def test_another_backend_is_refused(character: Character, corpus: Corpus) -> None:
    source = character.compose(corpus, Random(1))
    with pytest.raises(BadInput, match="'brush' doesn't draw this: expected"):
        character.draw(source, None, "brush")
    assert character.draw(source, None, character.BACKENDS[0]).tool.startswith(character.BACKENDS[0])


NONSENSE = ("", " ", "\x00", "\ud800", "\\", "{" * 9999, "\u0e01\u0e02", "\\input{/etc/passwd}", "1e999")


@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_an_error_and_not_a_crash(character: Character, nonsense: str) -> None:
    assert character.looks_like(nonsense) in (True, False)
    assert all(isfinite(value) for value in character.score(nonsense, "x").values())
    assert all(isfinite(value) for value in character.score("x", nonsense).values())
    try:
        assert character.draw(nonsense, None).pixels().size
    except (BadInput, RenderFailed) as error:
        assert len(str(error)) > 10


def test_its_own_is_perfect_and_another_is_not(character: Character, corpus: Corpus) -> None:
    one, other = (character.compose(corpus, Random(seed)) for seed in (1, 2))
    scores = character.score(one, one)
    assert scores and scores == {name: 0.0 if name.endswith(NAUGHT) else 1.0 for name in scores}
    assert character.score(other, one) != scores


def test_each_kind_knows_its_own(kind: str, corpus: Corpus) -> None:
    for seed in range(20):
        source = CHARACTERS[kind].compose(corpus, Random(seed))
        assert CHARACTERS[kind].looks_like(source)
        assert kind_of(source) == kind


def test_text_is_the_last_kind_and_what_nothing_else_is() -> None:
    assert list(CHARACTERS)[-1] == "text"
    assert kind_of("") == "text" and not text.looks_like(" \n")


def test_a_fifth_of_text_is_random() -> None:
    for source, rare in ((ENGLISH.splitlines()[1], ""), (CHINESE.splitlines()[4], "龠龀龁")):
        words = source.split() if not rare else list(source)
        kept = []
        for seed in range(600):
            salted = text.salted(source, Random(seed), rare)
            left = Counter(salted.split() if not rare else list(salted))
            kept.append((left & Counter(words)).total() / len(words))
        assert sum(kept) / len(kept) == pytest.approx(0.8, abs=0.05)
        assert sum(share == 1 for share in kept) == pytest.approx(0.6 * 600, abs=50)


def test_random_strings_have_every_sign_and_no_space() -> None:
    tokens = [text.token(Random(seed)) for seed in range(5000)]
    assert {chr(code) for code in range(33, 127)} - set("".join(tokens)) <= {"\\", "`", "|"}
    assert all(token and token == token.strip() and " " not in token for token in tokens)
    assert all(any(map(str.isalnum, token)) for token in tokens)


def test_gibberish_is_as_long_as_it_should_be() -> None:
    for seed in range(200):
        length = seed % 60 + 1
        assert 0 < len(text.gibberish(Random(seed), length, "")) <= length
        assert 0 < len(text.gibberish(Random(seed), length, "龠龀")) <= length


def test_mixed_text_has_both_languages() -> None:
    for one, other in ((ENGLISH.splitlines()[1], CHINESE.splitlines()[0]), (CHINESE, ENGLISH.splitlines()[0])):
        for seed in range(20):
            both = text.mixed(one, other, Random(seed))
            assert both.startswith(one[:10]) and len(both) > len(one) - 8
            assert any("\u4e00" <= char <= "\u9fff" for char in both) and any("a" <= char <= "z" for char in both)


def test_a_page_of_text_is_as_high_as_its_text_and_its_type_as_large() -> None:
    short, long = text.draw("A few words.", None), text.draw("\n\n".join([ENGLISH] * 4), None)
    (low, one), (high, other) = short.pixels().shape, long.pixels().shape
    assert one == other == text.SIDE and low < 300 < high <= text.SIDE


def test_text_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match="doesn't fit on a page"):
        text.draw(ENGLISH * 30, None)
    for nothing in ("", " \n "):
        with pytest.raises(BadInput, match="nothing that the fonts can draw"):
            text.draw(nothing, None)


@pytest.mark.parametrize("rng", [None, Random(1)])
@pytest.mark.parametrize("strange", ["\u0e01", "\u05d0", "\u0627", "\U0001f600", "e\u0301"])
def test_text_is_not_drawn_without_some_of_its_letters(strange: str, rng: Random | None) -> None:
    with pytest.raises(BadInput, match=f"no font here has .*U\\+{ord(strange[-1]):04X}"):
        text.draw(f"Some words {strange} and others", rng)


def test_text_is_drawn_in_type_that_has_it_all() -> None:
    for seed in range(8):
        drawn = text.draw("\u2211" * 20, Random(seed)).pixels()  # a sign that many faces haven't
        assert (drawn < 128).sum() > 20


# --- what transcripts are written as ----------------------------------------------------------------------------------

KNOWN = {*EXPORTED, "md", "html", "json"}


def test_forms_are_known_and_every_notation_is_of_some_kind(character: Character, kind: str) -> None:
    assert set(character.EXPORTS) <= KNOWN - {"svg"} and forms(kind)[-1] == "svg"
    assert set(EXPORTED) == {form for each in CHARACTERS for form in forms(each) if form in EXPORTED}
    assert len(set(EXPORTED.values())) == len(EXPORTED)


def test_an_svg_is_the_plain_drawing(character: Character, kind: str, corpus: Corpus) -> None:
    source = character.compose(corpus, Random(3))
    assert exported(source, "svg", kind).decode() == character.draw(source, None).svg()


def test_what_is_composed_is_written_in_its_own_notation(character: Character, kind: str, corpus: Corpus) -> None:
    own = {"molecule": "smiles", "music": "kern", "geometry": "tikz", "table": "latex", "formula": "latex"}
    for seed in range(5):
        source = character.compose(corpus, Random(seed))
        if kind in own:
            assert "".join(exported(source, own[kind]).decode().split()) in "".join(source.split())


def test_what_it_cannot_be_written_as_is_told_with_what_it_can() -> None:
    for transcript, form, told in [
        ("Some words.", "musicxml", "this is plain text, and can't be written as musicxml: expected svg"),
        ("| a | b |\n|---|---|", "kern", "this is a table, and can't be written as kern: expected csv, latex"),
        ("**kern\n4c\n*-", "csv", "this is music, and can't be written as csv: expected kern, musicxml, midi, svg"),
        ("x", "docx", "can't be written as docx"),
    ]:
        with pytest.raises(BadInput, match=re.escape(told)):
            exported(transcript, form)
    assert exported("| a | b |\n|---|---|", "csv", "rune") == b"a,b\r\n"


def test_nonsense_is_refused_or_written(kind: str) -> None:
    for nonsense in NONSENSE:
        for form in forms(kind):
            with suppress(BadInput, RenderFailed):
                assert isinstance(exported(nonsense, form, kind), bytes)


def test_answers_without_their_marks_are_what_is_asked_for() -> None:
    assert exported("CC(=O)O", "smiles") == b"CC(=O)O\n"
    for form in ("mol", "musicxml", "tikz"):
        with pytest.raises(BadInput, match=f"this is plain text, and can't be written as {form}: expected svg"):
            exported("A page of text, as there are many.", form)
