"""A model ready to read: images and prompts go in, pieces of text come out as they are certain, then the readings.

Needs no torch itself: whatever runs the network is handed in.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocr2.errors import BadPrompt, OcrError, TooLong
from ocr2.got import prompt as prompts
from ocr2.got.generate import Question, Token, generate
from ocr2.got.views import look
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from PIL import Image

    from ocr2.got.config import GOTConfig
    from ocr2.got.generate import Runner
    from ocr2.got.prompt import Tokenizer
    from ocr2.types import Stop

NGRAM = 20
"""The release lets no 20 tokens come twice in the answer to one view; tiles and pages may repeat themselves."""


@dataclass(frozen=True)
class Reading:
    """A whole answer."""

    text: str
    scores: tuple[float, ...]
    """The probability of each character: that of the token that completed it."""
    stop: Stop
    tokens: int
    """How many the text is made of."""
    prompt_tokens: int
    """How many the prompt is made of, image tokens among them."""


@dataclass
class Engine:
    """Answers many questions at once, as many as `rows`, in a cache of `budget` tokens."""

    runner: Runner
    tokenizer: Tokenizer
    config: GOTConfig
    rows: int
    budget: int
    limit: int = 4096
    """The most tokens of an answer, as in the release."""
    busy: bool = field(default=False, init=False)
    """Whether there are answers on their way: the cache is theirs."""

    def answers(
        self, asked: Iterable[tuple[Sequence[Image.Image], Prompt]]
    ) -> Iterator[tuple[int, str | Reading | OcrError]]:
        """The number of a question (0, 1, …) with each piece of its answer, at last with the whole of it.

        A question that can't be asked has its error for an answer. Questions are taken as there is room for them.
        Raises BadPrompt while other answers are on their way.
        """
        if self.busy:
            raise BadPrompt("the reader is busy with other pages: take all their answers first, or load another reader")
        numbered, ended = enumerate(asked), False
        self.busy = True
        try:
            while not ended:
                ended = yield from self._round(numbered)
        finally:
            self.busy = False

    def _round(
        self, numbered: Iterator[tuple[int, tuple[Sequence[Image.Image], Prompt]]]
    ) -> Generator[tuple[int, str | Reading | OcrError], None, bool]:
        """The same, until all questions are answered, or `rows` were refused: those must not heap up untold.

        Returns whether all are.
        """
        ended = False
        refused: list[tuple[int, OcrError]] = []
        answers: dict[int, _Answer] = {}
        """Those on their way, by the question's number."""
        numbers: list[int] = []
        """The number of each question that could be asked."""

        def questions() -> Iterator[Question]:
            nonlocal ended
            for number, (images, prompt) in numbered:
                try:
                    question = self.question(images, prompt)
                except OcrError as error:
                    refused.append((number, error))
                    if len(refused) == self.rows:
                        return
                    continue
                numbers.append(number)
                answers[number] = _Answer(self.tokenizer, len(question.ids))
                yield question
            ended = True

        ends = self.tokenizer.end, self.tokenizer.pad  # <|endoftext|> ends Qwen's own texts
        for place, news in generate(self.runner, questions(), ends=ends, rows=self.rows, budget=self.budget):
            while refused:
                yield refused.pop(0)
            number = numbers[place]
            if isinstance(news, Token):
                if piece := answers[number].add(news):
                    yield number, piece
            else:
                answer = answers.pop(number)
                if rest := answer.finish():
                    yield number, rest
                text, counts = "".join(answer.text), (len(news.ids), answer.asked)
                yield number, Reading(text, tuple(answer.scores), news.stop, *counts)
        yield from refused
        return ended

    def check(self, prompt: Prompt) -> None:
        """Raises TooLong where the context has no room for so many pages: before any is looked at. Raises BadPrompt for
        any but the whole of a page where the model knows one question alone.
        """
        if self.config.asked and prompt != Prompt(prompt.format):
            raise BadPrompt(
                f"this model knows one question, {self.config.asked!r:.80}, about the whole of a page: ask for no "
                "region, tiles or several pages together"
            )
        if (least := prompt.pages * (self.config.encoder.least_tokens + 1)) > self.config.context:
            raise TooLong(
                f"{prompt.pages} pages together are at least {least} tokens, more than the model's context of "
                f"{self.config.context}: read fewer pages together, with --pages"
            )

    def question(self, images: Sequence[Image.Image], prompt: Prompt) -> Question:
        """What the model is asked. Raises BadPrompt, or TooLong where there are more views than the context holds."""
        self.check(prompt)
        views = look(images, prompt, self.config.encoder)
        count = sum(self.config.encoder.tokens(*view.shape[1:]) for view in views)
        ids = prompts.encode(prompt, self.tokenizer, count, *images[0].size, self.config.asked)
        question = Question(views, ids, self.limit, 0 if prompt.tiles or prompt.pages > 1 else NGRAM)
        question.check(self.config.context)
        return question


@dataclass
class _Answer:
    """Text as its tokens come: a character may begin in one and end in another."""

    tokenizer: Tokenizer
    asked: int
    """How many tokens the prompt took."""
    text: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    score: float = 0.0
    """That of the last token."""

    def __post_init__(self) -> None:
        self.decoder = getincrementaldecoder("utf-8")("replace")

    def add(self, token: Token) -> str:
        """The characters that the token completes."""
        self.score = token.score
        return self._take(self.decoder.decode(self.tokenizer.pieces([token.id])[0]))

    def finish(self) -> str:
        """What is left of a character that was cut short."""
        return self._take(self.decoder.decode(b"", final=True))

    def _take(self, piece: str) -> str:
        self.text.append(piece)
        self.scores += [self.score] * len(piece)
        return piece
