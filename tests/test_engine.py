"""The engine, on a runner that recites: what it answers is known, by the colour of the page that it is shown."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

from got_helpers import tiny_tokenizer
from PIL import Image
from test_files import complaint

from ocr2.errors import BadPrompt, OcrError, TooLong
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.engine import NGRAM, Engine, Reading
from ocr2.types import Box, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from ocr2.got.generate import Runner

TOKENS = tiny_tokenizer()
CONFIG = GOTConfig(
    EncoderConfig(side=128, width=64, layers=2, heads=2, mlp=128, window=3, global_layers=(1,), neck=32, out=(64, 64)),
    DecoderConfig(vocabulary=TOKENS.size, width=64, layers=2, heads=4, kv_heads=4, mlp=128),
    context=512,
    image_token=TOKENS.image,
)
"""A view is four image tokens. A whole prompt about one is some 130."""
COLORS = ("white", "red", "green", "blue", "yellow", "cyan", "magenta", "black")


class Reciter:
    """A runner without a network: it recites the texts of the pages it is shown, then ends. Bans don't stop it."""

    def __init__(self, *texts: str | Sequence[int] | BaseException, context: int = 512) -> None:
        """The text of the white page, of the red one, and so on as in COLORS: as ids, or an error to raise."""
        self.context, self.ahead = context, 0
        colors = [Image.new("RGB", (1, 1), color).getpixel((0, 0)) for color in COLORS]
        self.texts = dict(zip(colors, texts, strict=False))
        self.rows: list[tuple[list[int], int]] = []
        """What is recited in each row, and how much of it is."""
        self.shown: list[tuple[list[tuple[int, ...]], str]] = []
        """The colour of each view of each question, and the prompt in words."""
        self.shapes: list[tuple[int, int]] = []

    def resize(self, rows: int, length: int) -> None:
        self.rows = (self.rows + [([], 0)] * rows)[:rows]
        self.shapes.append((rows, length))

    def begin(
        self,
        rows: Sequence[int],
        questions: Sequence[tuple[list[np.ndarray], list[int]]],
        bans: Sequence[Sequence[int]],
    ) -> tuple[list[int], list[float], list[list[int]]]:
        for row, (views, ids) in zip(rows, questions, strict=True):
            colors = [tuple(view[:, 0, 0].tolist()) for view in views]
            assert ids.count(TOKENS.image) == sum(view.shape[1] * view.shape[2] // 64**2 for view in views)
            self.shown.append((colors, TOKENS.decode(ids)))
            told: list[int] = []
            for text in [self.texts[color] for color in dict.fromkeys(colors)]:
                if isinstance(text, BaseException):
                    raise text
                told += TOKENS.encode(text) if isinstance(text, str) else text
            answer = len(ids) - 1 - ids[::-1].index(TOKENS.start) + 1 + len(TOKENS.encode("assistant\n"))
            self.rows[row] = [*told, TOKENS.end], len(ids) - answer
        return [self.next(row)[0] for row in rows], [self.next(row)[1] for row in rows], [[]] * len(rows)

    def step(
        self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], list[list[float]], list[list[list[int]]]]:
        for row, (token,) in enumerate(tokens):
            told, count = self.rows[row]
            assert told[count] == token
            self.rows[row] = told, count + 1
        next_ = [self.next(row) for row in range(len(tokens))]
        return [[token] for token, _ in next_], [[score] for _, score in next_], [[[]] for _ in next_]

    def move(self, source: int, target: int) -> None:
        self.rows[target] = self.rows[source]

    def next(self, row: int) -> tuple[int, float]:
        told, count = self.rows[row]
        return told[count], score(count)


def score(count: int) -> float:
    """How sure the reciter is of a token that so many came before."""
    return 1 / (1 + count / 100)


def engine(*texts: str | Sequence[int] | BaseException, rows: int = 2, limit: int = 4096, context: int = 512) -> Engine:
    """An engine that answers so about pages in COLORS."""
    runner: Runner = Reciter(*texts, context=context)
    return Engine(runner, TOKENS, replace(CONFIG, context=context), rows, rows * context, limit)


def page(color: str = "white", width: int = 20, height: int = 10) -> Image.Image:
    return Image.new("RGB", (width, height), color)


Told = list[tuple[int, str | Reading | OcrError]]


def readings(told: Told) -> dict[int, Reading | OcrError]:
    """The answer to each question; it is the last that is told of it, once, and its pieces are its text."""
    pieces: dict[int, str] = {}
    found: dict[int, Reading | OcrError] = {}
    for number, news in told:
        assert number not in found
        if isinstance(news, str):
            assert news
            pieces[number] = pieces.get(number, "") + news
        else:
            found[number] = news
            assert pieces.pop(number, "") == (news.text if isinstance(news, Reading) else "")
    assert not pieces
    return found


def read(one: Engine, image: Image.Image | None = None, prompt: Prompt | None = None) -> Reading:
    """The answer about one page."""
    ((_, reading),) = readings(list(one.answers([([image or page()], prompt or Prompt())]))).items()
    assert isinstance(reading, Reading)
    return reading


# Text


@pytest.mark.parametrize(
    "text", ["", "x", "the theory\n\n  in  there", "中文，第二行。\n丑", "a😀b👩‍👩‍👧 𠀀", "Straße\t\r\n\x00<|im_end|>"]
)
def test_pieces_make_the_text_and_every_character_has_a_score(text: str) -> None:
    reading = read(engine(text))
    ids = TOKENS.encode(text)
    assert (reading.text, reading.stop, reading.tokens) == (text, "eos", len(ids))
    ends = [len(TOKENS.decode(ids[:count]).rstrip("\ufffd")) for count in range(len(ids) + 1)]  # characters by then
    expected = [score(n) for n, (start, stop) in enumerate(pairwise(ends)) for _ in range(start, stop)]
    assert list(reading.scores) == expected
    assert len(reading.scores) == len(text)


def test_bytes_that_are_no_text() -> None:
    reading = read(engine([0xE4, 0xB8, ord("a"), 0xFF, ord("b"), 0xC3]))
    assert (reading.text, reading.stop, reading.tokens) == ("\ufffda\ufffdb\ufffd", "eos", 6)
    assert len(reading.scores) == 5


@pytest.mark.parametrize(("limit", "text"), [(1, "\ufffd"), (2, "\ufffd"), (3, "\ufffd"), (4, "😀"), (5, "😀\ufffd")])
def test_a_text_cut_within_a_character(limit: int, text: str) -> None:
    reading = read(engine("😀😀", limit=limit))
    assert (reading.text, reading.stop, reading.tokens, len(reading.scores)) == (text, "length", limit, len(text))


def test_special_tokens_are_no_text() -> None:
    reading = read(engine([ord("a"), TOKENS.start, TOKENS.open, ord("b")]))
    assert (reading.text, reading.tokens, len(reading.scores)) == ("ab", 4, 2)


@pytest.mark.parametrize("end", [TOKENS.end, TOKENS.pad], ids=["im_end", "endoftext"])
def test_what_ends_a_text_ends_an_answer(end: int) -> None:
    reading = read(engine([ord("a"), end, ord("b")]))
    assert (reading.text, reading.tokens, reading.stop) == ("a", 1, "eos")


def test_a_context_that_is_full() -> None:
    reading = read(engine("".join(chr(65 + n * n % 57) for n in range(900))))
    assert reading.stop == "length"
    assert reading.prompt_tokens + reading.tokens == 512


def test_a_loop_is_cut() -> None:
    told = list(engine("Title\n" + "ab" * 190).answers([([page()], Prompt())]))
    (reading,) = readings(told).values()
    assert (reading.text, reading.stop) == ("Title\nab", "repeat")


# Prompts


@pytest.mark.parametrize(
    ("prompt", "asked", "ngram", "views"),
    [
        (Prompt(), "OCR: ", NGRAM, 1),
        (Prompt(format=True), "OCR with format: ", NGRAM, 1),
        (Prompt(box=Box(0, 0, 10, 5)), "[0, 0, 500, 500] OCR: ", NGRAM, 1),
        (Prompt(point=(10, 5)), "[500, 500] OCR: ", NGRAM, 1),
        (Prompt(color="green", format=True), "[green] OCR with format: ", NGRAM, 1),
        (Prompt(tiles=2), "OCR with format upon the patch reference: ", 0, 3),
        (Prompt(tiles=1), "OCR with format upon the patch reference: ", 0, 1),
        (Prompt(pages=3), "OCR with format across multi pages: ", 0, 3),
    ],
)
def test_what_is_asked(prompt: Prompt, asked: str, ngram: int, views: int) -> None:
    one = engine("the text", "in red", "in green")
    images = [page(color) for color in COLORS[: prompt.pages]]
    question = one.question(images, prompt)
    assert (question.ngram, len(question.views), NGRAM) == (ngram, views, 20)
    ((_, reading),) = readings(list(one.answers([(images, prompt)]))).items()
    assert isinstance(reading, Reading)
    assert reading.text == "".join(["the text", "in red", "in green"][: prompt.pages])
    assert (
        reading.prompt_tokens
        == len(question.ids)
        == sum(4 for _ in question.views) + len([token for token in question.ids if token != TOKENS.image])
    )
    ((_, words),) = one.runner.shown  # type: ignore[attr-defined]
    assert f"\n{asked}" in words


def test_a_model_of_one_question_is_asked_that() -> None:
    one = engine("the table")
    one.config = replace(one.config, asked="Chart to table")
    for prompt in (Prompt(), Prompt(format=True)):
        assert [news.text for _, news in one.answers([([page()], prompt)]) if isinstance(news, Reading)] == [
            "the table"
        ]
    assert all(words.endswith("\nChart to tableassistant\n") for _, words in one.runner.shown)  # type: ignore[attr-defined]
    for prompt in (Prompt(color="red"), Prompt(tiles=2), Prompt(pages=2)):
        assert "one question, 'Chart to table'" in complaint(partial(one.check, prompt), BadPrompt)


def test_a_refused_question_is_told_beside_the_others() -> None:
    one = engine("the first one", "red", "green")
    box = Prompt(box=Box(0, 0, 20, 10))
    asked = [
        ([page()], box),
        ([page("red", 19)], box),
        ([page("red")], Prompt(pages=2)),
        ([page("red")], box),
        ([page("green", 1300)], Prompt(tiles=12)),
        ([page()] * 12, Prompt(pages=12)),
        ([page("green")], box),
        ([page("red", 20, 9)], box),
    ]
    found = readings(list(one.answers(asked)))
    texts = [found[number].text if isinstance(found[number], Reading) else None for number in range(8)]
    assert texts == ["the first one", None, None, "red", "green", "the first one", "green", None]
    assert str(found[1]) == "box=0,0,20,10 reaches outside the page of 19 × 10 pixels: give a place within it"
    assert str(found[2]) == "1 images for a prompt about 2 pages: give one image a page"
    assert [type(found[number]) for number in (1, 2, 7)] == [BadPrompt] * 3


@pytest.mark.parametrize("good", [0, 3])
def test_errors_do_not_heap_up(good: int) -> None:
    """A thousand pages that can't be asked about aren't all drawn before the first of them is told of."""
    taken = 0

    def asked() -> Iterator[tuple[list[Image.Image], Prompt]]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield [page()], Prompt() if number < good else Prompt(box=Box(0, 0, 99, 99))

    told = engine("the text", rows=4).answers(asked())
    seen: Told = []
    for _ in range(50):
        while not isinstance((news := next(told))[1], OcrError):
            seen.append(news)
        seen.append(news)
        assert taken <= len([True for _, item in seen if not isinstance(item, str)]) + 8
    seen += told
    assert taken == 1000
    assert sorted(readings(seen)) == list(range(1000))


def test_questions_are_taken_when_there_is_room() -> None:
    taken = 0

    def asked() -> Iterator[tuple[list[Image.Image], Prompt]]:
        nonlocal taken
        for color in COLORS[:4]:
            taken += 1
            yield [page(color)], Prompt()

    one = engine("the text " * 9, "red", "green", "blue")
    told = one.answers(asked())
    assert taken == 0
    ended = []
    for number, news in told:
        if isinstance(news, Reading):
            ended.append(number)
        assert taken <= len(ended) + 2
    assert ended == [1, 2, 3, 0]
    assert one.runner.shapes[-1] == (0, 0)  # type: ignore[attr-defined]
    assert list(one.answers([])) == []


def test_dropped_answers_free_the_cache() -> None:
    one = engine("the text")
    told = one.answers([([page()], Prompt())])
    next(told)
    told.close()  # type: ignore[attr-defined]
    assert one.runner.shapes[-1] == (0, 0)  # type: ignore[attr-defined]
    assert read(one).text == "the text"


# Too long


def test_too_many_pages() -> None:
    one = engine("x")
    one.check(Prompt(pages=102))
    message = (
        "103 pages together are at least 515 tokens, more than the model's context of 512: "
        "read fewer pages together, with --pages"
    )
    assert complaint(lambda: one.check(Prompt(pages=103)), TooLong) == message
    assert complaint(lambda: one.question([page()] * 103, Prompt(pages=103)), TooLong) == message
    with_prompt = complaint(lambda: one.question([page()] * 102, Prompt(pages=102)), TooLong)
    assert with_prompt.endswith(
        "image tokens included: expected less than the model's context of 512; ask about fewer pages or tiles at once"
    )


def test_too_many_tiles() -> None:
    one = engine("x", context=150)
    one.check(Prompt(tiles=12))
    assert read(one).text == "x"
    ((_, error),) = one.answers([([page(width=300)], Prompt(tiles=12))])
    assert isinstance(error, TooLong)
    assert "expected less than the model's context of 150" in str(error)


def test_no_torch() -> None:
    """The engine needs none itself."""
    script = "import sys; sys.modules['torch'] = None; import ocr2.got.engine, ocr2.got.views, ocr2.got.prompt"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
