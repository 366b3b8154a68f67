"""The answers of a model to many questions, the likeliest token each time, as many at once as a cache has room for.

Needs no torch: a `Runner` is whatever runs the network, and the words here are about what it is asked next. The cache
has rows 0…n-1 of one common length; each row is a question with its answer so far. A row whose answer is complete is
given to the next question at once. The rows in the cache are always the oldest questions that are not answered yet.

A runner may guess some tokens ahead. They are given to it at the next step together with the last one, which costs
little more; those that the network itself chooses, seeing all before them, are a part of the answer, and the first that
it doesn't choose is forgotten. So the answer is the same as one token at a time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ocr2.errors import BadCheckpoint, BadPrompt, TooLong

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ocr2.types import Stop

FIRST_LENGTH = 512
"""The cache's length at first, in tokens; it doubles as the answers grow."""
LONGEST_PERIOD, MISMATCH = 256, 8
"""The longest loop that the guard knows, in tokens; and how many matches a token takes back that doesn't repeat."""
LOOP = 256 + 4 * np.arange(LONGEST_PERIOD, 0, -1)
"""The score that makes a loop of each period, the longest first. A wrong cut loses the rest of a page, a late one some
time, so pages that repeat themselves are let be: 250 dots in a row, 29 equal rows of 10 tokens, 50 numbered empty rows
of 16. Loops that a ban on 20-grams forces to vary are noticed after 600 to 1300 tokens, unless they shift as well."""


class Runner(Protocol):
    """A network with a cache of keys and values. A ban is the ids that may not be the next token of a row."""

    context: int
    """The longest sequence."""
    ahead: int
    """How many tokens are guessed after the next one, at most."""

    def resize(self, rows: int, length: int) -> None:
        """Make the cache `rows` × `length` tokens, with what its first rows hold; 0 × 0 frees it."""

    def begin(
        self,
        rows: Sequence[int],
        questions: Sequence[tuple[list[np.ndarray], list[int]]],
        bans: Sequence[Sequence[int]],
    ) -> tuple[list[int], list[float], list[list[int]]]:
        """Read views, (3, height, width) bytes, and ids into those rows.

        The next token of each, its probability, and up to `ahead` guesses of what follows it.
        """

    def step(
        self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], list[list[float]], list[list[list[int]]]]:
        """Add tokens to the first rows, the same number to each and at most 1 + `ahead`, after the first `starts[i]`.

        What a row held beyond is forgotten, and what rows after the last of them hold may be lost. For each row and
        place what `begin` tells, if the tokens up to there are right. Guesses may be fewer, or none: they are wanted at
        the last place where all tokens before are the chosen ones. Bans are about the first place alone.
        """

    def move(self, source: int, target: int) -> None:
        """Put a row in the place of another."""


@dataclass(frozen=True)
class Question:
    """What a model is asked."""

    views: Sequence[np.ndarray]
    """(3, height, width) bytes each."""
    ids: Sequence[int]
    """The prompt, with an image token in each place for one."""
    limit: int = 4096
    """The most tokens that are asked of the model, the end token among them."""
    ngram: int = 20
    """So many tokens don't come twice in a row, prompt and answer together; 0: they may."""

    def __post_init__(self) -> None:
        if not self.ids:
            raise BadPrompt("the prompt has no ids: expected at least one")
        if self.limit < 1 or self.ngram < 0:
            raise BadPrompt(f"limit={self.limit}, ngram={self.ngram}: expected at least 1, and at least 0")

    def check(self, context: int) -> None:
        """Raises TooLong where a context of so many tokens has no room for an answer."""
        if len(self.ids) >= context:
            raise TooLong(
                f"the prompt is {len(self.ids)} tokens long, image tokens included: "
                f"expected less than the model's context of {context}; ask about fewer pages or tiles at once"
            )


@dataclass(frozen=True)
class Token:
    """One token of an answer, and its probability."""

    id: int
    score: float


@dataclass(frozen=True)
class Answer:
    """All tokens of an answer, without the end token, and their probabilities."""

    ids: tuple[int, ...]
    scores: tuple[float, ...]
    stop: Stop
    """"eos": the model was done; "length": the limit or the context is full; "repeat": the rest was a loop."""


def generate(
    runner: Runner,
    questions: Iterable[Question],
    *,
    ends: Collection[int],
    rows: int,
    budget: int,
    guard: bool = True,
) -> Iterator[tuple[int, Token | Answer]]:
    """The number of a question (0, 1, …) with each token of its answer once that is certain, at last with the Answer.

    An answer ends before the first of the tokens `ends`. At most `rows` questions are answered at once, in a cache of
    at most `budget` tokens (or the context, if that is more). A question is taken only when there is room for it. Its
    number of tokens should be seen to by whoever makes it (`Question.check`): TooLong, like any error of `questions`,
    ends the answers that are on their way too. With `guard`, an answer that runs in a loop is cut. Raises BadCheckpoint
    for a probability that is not a number.
    """
    assert rows > 0
    numbered = (_Row(number, question, runner.context, guard) for number, question in enumerate(questions))
    desk = _Desk(runner, numbered, rows, max(budget, runner.context))
    try:
        while True:
            if places := desk.admit():
                asked = [desk.rows[place] for place in places]
                sequences = [(list(row.question.views), [*row.question.ids, *row.ids]) for row in asked]
                replies = runner.begin(places, sequences, [row.bans for row in asked])
                for row, token, score, further in zip(asked, *replies, strict=True):
                    row.add(token, score, ends)
                    row.guesses = further
                    yield from row.news()
            elif desk.rows:
                starts, count = desk.extend()
                asked = list(desk.rows)
                tokens = [row.tokens(count) if count > 1 else row.ids[-1:] for row in asked]
                chosen, scores, guesses = runner.step(starts, tokens, [row.bans for row in asked])
                for row, given, ids, sure, beyond in zip(asked, tokens, chosen, scores, guesses, strict=True):
                    row.add(ids[0], sure[0], ends)
                    row.guesses = beyond[0]
                    if count > 1:
                        row.verify(given, ids, sure, beyond, ends)
                    yield from row.news()
            else:
                return
    finally:
        runner.resize(0, 0)


class _Desk:
    """Which questions are in which rows of the cache, and which wait. Those in the rows are always the oldest ones."""

    def __init__(self, runner: Runner, source: Iterator[_Row], most: int, budget: int) -> None:
        self.runner, self.source, self.most, self.budget = runner, source, most, budget
        self.rows: list[_Row] = []
        self.waiting: deque[_Row] = deque()
        """The oldest first: those whose place was needed by older ones, and at most one from the source."""
        self.shape = 0, self._doubled(0)
        """The cache's rows and length."""

    def admit(self) -> list[int]:
        """The rows that questions have newly come to; complete answers have left, and the rows are 0…n-1 again."""
        free = [place for place, row in enumerate(self.rows) if row.stop]
        sizes = [row.size for row in self.rows if not row.stop]
        length, places = self.shape[1], []
        while self._length([*sizes, 0]):  # there is room, for a short question at least
            if not self.waiting and (row := next(self.source, None)):
                self.waiting.append(row)
            if not self.waiting or not (enough := self._length([*sizes, self.waiting[0].size])):
                break
            length = enough
            sizes.append(self.waiting[0].size)
            place = free.pop(0) if free else len(self.rows)
            self.rows[place : place + 1] = [self.waiting.popleft()]
            places.append(place)
        for place in reversed(free):
            self._leave(place)
        self._resize(length)
        return places

    def extend(self) -> tuple[list[int], int]:
        """Make room for the last token and its guesses in every row; where they start, and how many they are together.

        Where the budget has no room, the youngest rows have to wait. Near the context's end there are fewer guesses.
        """
        while not (length := self._length(sizes := [row.size for row in self.rows])):
            place = max(range(len(self.rows)), key=lambda place: self.rows[place].number)
            self.waiting.appendleft(self.rows[place])
            self._leave(place)
        self._resize(length)
        return [size - 1 for size in sizes], 1 + min(self.runner.ahead, self.runner.context - max(sizes))

    def _length(self, sizes: list[int]) -> int:
        """The length of a cache for rows of these sizes: the present one or more, less where that helps; 0: none.

        Each row has room for its guesses, too, as far as the context has.
        """
        longest = min(max(sizes) + self.runner.ahead, self.runner.context)
        for length in (max(self.shape[1], self._doubled(longest)), self._doubled(longest * 4 // 3)):
            if len(sizes) <= self._rows(length):
                return length
        return 0

    def _doubled(self, size: int) -> int:
        length = FIRST_LENGTH
        while length < size:
            length *= 2
        return min(length, self.runner.context)

    def _rows(self, length: int) -> int:
        return min(self.most, self.budget // length)

    def _resize(self, length: int) -> None:
        shape = max(len(self.rows), min(self.shape[0], self._rows(length))), length
        if shape != self.shape:
            self.runner.resize(*shape)
            self.shape = shape

    def _leave(self, place: int) -> None:
        """Take a row away; the last one comes to its place."""
        last = self.rows.pop()
        if place < len(self.rows):
            self.runner.move(len(self.rows), place)
            self.rows[place] = last


class _Row:
    """A question with its answer so far. It keeps what it has when it has to wait."""

    def __init__(self, number: int, question: Question, context: int, guard: bool) -> None:
        question.check(context)
        self.number, self.question = number, question
        self.limit = min(question.limit, context - len(question.ids))
        self.ids: list[int] = []
        self.scores: list[float] = []
        self.stop: Stop | None = None
        self.guesses: Sequence[int] = ()
        """What may follow the last token."""
        self.told = 0
        """How many tokens the asker knows."""
        self.ngrams = Ngrams(question.ngram, question.ids) if question.ngram else None
        self.guard = Guard(self.limit) if guard else None

    @property
    def size(self) -> int:
        """How many tokens the cache holds of it when the model is asked for the next one."""
        return len(self.question.ids) + len(self.ids)

    @property
    def bans(self) -> Sequence[int]:
        """The ids that may not come next."""
        return self.ngrams.bans() if self.ngrams else ()

    def tokens(self, count: int) -> list[int]:
        """The last token and the guesses after it, `count` together; where guesses lack, any token is one."""
        known = [self.ids[-1], *self.guesses][:count]
        return known + known[-1:] * (count - len(known))

    def verify(
        self,
        given: Sequence[int],
        tokens: Sequence[int],
        scores: Sequence[float],
        guesses: Sequence[Sequence[int]],
        ends: Collection[int],
    ) -> None:
        """Take the tokens after each of those `given` that was guessed right; the first of `tokens` is taken."""
        for place in range(1, len(tokens)):
            # the runner knows the bans at the first place only: what is banned later is asked for again
            if self.stop or given[place] != tokens[place - 1] or tokens[place] in self.bans:
                return
            self.add(tokens[place], scores[place], ends)
            self.guesses = guesses[place]

    def add(self, token: int, score: float, ends: Collection[int]) -> None:
        """Take the next token; sets `stop` if it is the last one."""
        if math.isnan(score):
            raise BadCheckpoint(
                "the model answers with probabilities that are not numbers: its weights are broken or too large for "
                "their type; get the checkpoint anew, or load it in float32"
            )
        if token in ends:
            self.stop = "eos"
            return
        self.ids.append(token)
        self.scores.append(score)
        if self.ngrams:
            self.ngrams.add(token)
        if self.guard and (loop := self.guard.add(token)):
            del self.ids[-loop:], self.scores[-loop:]
            self.stop = "repeat"
        elif len(self.ids) == self.limit:
            self.stop = "length"

    def news(self) -> Iterator[tuple[int, Token | Answer]]:
        """The tokens that have become certain, and the answer when it is complete."""
        certain = len(self.ids) - (self.guard.doubt if self.guard and not self.stop else 0)
        for place in range(self.told, certain):
            yield self.number, Token(self.ids[place], self.scores[place])
        self.told = certain
        if self.stop:
            yield self.number, Answer(tuple(self.ids), tuple(self.scores), self.stop)


class Ngrams:
    """What may not come next lest an n-gram come twice: the same as transformers' NoRepeatNGramLogitsProcessor."""

    def __init__(self, size: int, ids: Iterable[int]) -> None:
        """Of `size` tokens each, in a sequence that begins with `ids`."""
        self.size = size
        self.tail: deque[int] = deque(maxlen=size - 1)
        self.key: tuple[int, ...] = ()
        """The tail, to look up."""
        self.after: dict[tuple[int, ...], tuple[int, ...]] = {}
        """What came after each n-1 tokens."""
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """Take the next token of the sequence."""
        if len(self.tail) == self.size - 1:
            seen = self.after.get(self.key, ())
            if token not in seen:
                self.after[self.key] = (*seen, token)
        self.tail.append(token)
        self.key = tuple(self.tail)

    def bans(self) -> tuple[int, ...]:
        """The tokens that came after the present last n-1 tokens before."""
        return self.after.get(self.key, ())


class Guard:
    """Notices that an answer has run into a loop, and how much of it is no more than repetition.

    For every period p it keeps a score: how many of the last tokens were the same as the one p before, less MISMATCH
    for each that was not, and never below 0.
    """

    def __init__(self, limit: int) -> None:
        """For an answer of at most `limit` tokens."""
        self.ids = np.full(LONGEST_PERIOD + limit, -1, np.int32)  # nothing is the same as what is before the answer
        self.count = 0
        self.scores = np.zeros(LONGEST_PERIOD, np.int32)  # the longest period first
        self.doubt = 0
        """How many of the last tokens may yet be cut, now or ever: the highest score. A score grows by at most 1 a
        token, so a later cut, which takes as many tokens as some score, never reaches back beyond that."""

    def add(self, token: int) -> int:
        """Take the next token; how many of the last ones are to be cut, so that one period stays; 0: no loop yet."""
        before = self.ids[self.count : self.count + LONGEST_PERIOD]
        self.scores = np.where(before == token, self.scores + 1, np.maximum(self.scores - MISMATCH, 0))
        self.ids[self.count + LONGEST_PERIOD] = token
        self.count += 1
        self.doubt = int(self.scores.max())
        return int(self.scores[self.scores >= LOOP].max(initial=0)) if self.doubt >= LOOP[-1] else 0
