"""Decoding. A model that is a hash of what its rows hold, so that any mix-up shows; a plain loop is the truth."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pytest
import torch
from transformers import NoRepeatNGramLogitsProcessor

from ocr2.errors import BadCheckpoint, BadPrompt, TooLong
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.generate import LOOP, MISMATCH, Answer, Guard, Ngrams, Question, Runner, Token, generate
from ocr2.got.model import GOT
from ocr2.got.runner import TorchRunner

END = 0
Model = Callable[[int, list[int]], int]
"""What comes after a prompt about a view (its first byte) and what is answered so far; a ban takes the next id."""


class Sham:
    """A runner without a network, which knows what each row of its cache holds and keeps to its size.

    It guesses so many tokens `ahead`; so large a share of them, `right`, is what comes next if nothing is banned.
    """

    def __init__(self, model: Model, context: int, budget: int, ahead: int = 0, right: float = 1.0) -> None:
        self.model, self.context, self.budget = model, context, max(budget, context)
        self.ahead, self.right, self.rng = ahead, right, random.Random(f"{ahead} {right}")
        self.cache: list[tuple[int, list[int]]] = []
        self.length = 0
        self.shapes: list[tuple[int, int]] = []
        self.begun: list[tuple[int, ...]] = []
        self.moves = self.steps = 0
        self.widths: set[int] = set()
        """The numbers of tokens that steps were about."""

    def resize(self, rows: int, length: int) -> None:
        assert rows * length <= self.budget
        assert length <= self.context
        assert (rows, length) != (len(self.cache), self.length) or not rows
        self.cache = [(view, ids[:length]) for view, ids in self.cache[:rows]]
        self.cache += [(0, []) for _ in range(rows - len(self.cache))]
        self.length = length
        self.shapes.append((rows, length))

    def begin(
        self,
        rows: Sequence[int],
        questions: Sequence[tuple[list[np.ndarray], list[int]]],
        bans: Sequence[Sequence[int]],
    ) -> tuple[list[int], list[float], list[list[int]]]:
        assert len(set(rows)) == len(rows) == len(questions) > 0
        for row, (views, ids) in zip(rows, questions, strict=True):
            assert len(ids) <= self.length
            self.cache[row] = int(views[0][0, 0, 0]) if views else 0, list(ids)
            self.begun.append(tuple(ids))
        told = [self.next(*self.cache[row], banned) for row, banned in zip(rows, bans, strict=True)]
        return [token for token, _, _ in told], [score for _, score, _ in told], [guesses for _, _, guesses in told]

    def step(
        self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], list[list[float]], list[list[list[int]]]]:
        assert 0 < len(starts) == len(tokens) == len(bans) <= len(self.cache)
        (width,) = {len(given) for given in tokens}
        assert 1 <= width <= 1 + self.ahead
        self.widths.add(width)
        self.steps += 1
        told = []
        for (view, ids), start, given, banned in zip(self.cache, starts, tokens, bans, strict=False):
            assert start <= len(ids)
            ids[start:] = given
            assert len(ids) <= self.length
            ends = range(start + 1, len(ids) + 1)
            told.append([self.next(view, ids[:end], banned if end == ends[0] else ()) for end in ends])
        ids, scores, guesses = ([[place[part] for place in row] for row in told] for part in range(3))
        return ids, scores, guesses  # type: ignore[return-value]

    def move(self, source: int, target: int) -> None:
        view, ids = self.cache[source]
        self.cache[target] = view, list(ids)
        self.moves += 1

    def next(self, view: int, ids: list[int], bans: Sequence[int]) -> tuple[int, float, list[int]]:
        token, score = preferred(self.model, view, ids, bans)
        guesses: list[int] = []
        while len(guesses) < self.ahead and self.rng.random() < 0.97:  # there may be fewer
            follows = [*ids, token, *guesses]
            right = self.rng.random() < self.right
            guesses.append(self.model(view, follows) if right else self.rng.choice([END, *follows[-9:]]))
        return token, score, guesses


def preferred(model: Model, view: int, ids: list[int], bans: Sequence[int]) -> tuple[int, float]:
    token = model(view, ids)
    while token in bans:
        token += 1
    return token, 1 / (1 + token + len(ids))


def hashed(alphabet: int, memory: int = 0, wordy: int = 300) -> Model:
    """Any of the alphabet, after all that was before (a short `memory` runs in loops); one in `wordy` is the end."""

    def model(view: int, ids: list[int]) -> int:
        value = hash((view, *ids[-memory:]))
        return END if wordy and value % wordy == 1 else 1 + value // 1000 % alphabet

    return model


def recited(*parts: Sequence[int]) -> Model:
    """The parts one after the other, then the end; the prompt is one token."""
    text = [*chain(*parts)]
    return lambda view, ids: text[len(ids) - 1] if len(ids) <= len(text) else END


def alone(model: Model, question: Question, context: int, guard: bool) -> Answer:
    """The truth: no rows, no cache, n-grams looked for one by one."""
    ids, answer, scores, watch = list(question.ids), [], [], Guard(context)
    view = int(question.views[0][0, 0, 0]) if question.views else 0
    while len(answer) < min(question.limit, context - len(question.ids)):
        n = question.ngram
        starts = range(len(ids) - n + 1) if n else ()
        bans = [ids[i + n - 1] for i in starts if ids[i : i + n - 1] == ids[len(ids) - n + 1 :]]
        token, score = preferred(model, view, ids, bans)
        if token == END:
            return Answer(tuple(answer), tuple(scores), "eos")
        ids.append(token)
        answer.append(token)
        scores.append(score)
        if guard and (cut := watch.add(token)):
            return Answer(tuple(answer[:-cut]), tuple(scores[:-cut]), "repeat")
    return Answer(tuple(answer), tuple(scores), "length")


def asked(rng: random.Random, count: int, limit: int = 400) -> list[Question]:
    """Prompts of 1 to 900 tokens."""
    return [
        Question(
            [np.full((3, 2, 2), rng.randrange(256), np.uint8)],
            rng.choices(range(1, 9), k=rng.choice([1, 30, 300, 500, 513, 900])),
            rng.randint(1, limit),
            rng.choice([0, 1, 3, 20]),
        )
        for _ in range(count)
    ]


def answers(stream: Iterator[tuple[int, Token | Answer]]) -> list[Answer]:
    """The answers in the order of their questions, each of them the same as its tokens in the stream."""
    tokens: dict[int, list[Token]] = {}
    found: dict[int, Answer] = {}
    for number, item in stream:
        assert number not in found
        if isinstance(item, Token):
            tokens.setdefault(number, []).append(item)
        else:
            found[number] = item
    for number, answer in found.items():
        assert [Token(*pair) for pair in zip(answer.ids, answer.scores, strict=True)] == tokens.pop(number, [])
    assert not tokens
    return [found[number] for number in range(len(found))]


def answer(model: Model, question: Question, guard: bool = True, context: int = 8192) -> Answer:
    """The one answer, guesses or not."""
    runners = Sham(model, context, 0), Sham(model, context, 0, ahead=3, right=0.9)
    told = [answers(generate(runner, [question], ends=(END,), rows=1, budget=0, guard=guard)) for runner in runners]
    assert told[0] == told[1]
    return told[0][0]


# Rows and their cache


def check(rng: random.Random, ahead: int, count: int, limit: int) -> Sham:
    """Asserts that answers to random questions are the true ones, with that many guesses, of any quality."""
    model = hashed(rng.choice([2, 5, 1000]), rng.choice([0, 0, 1, 3]), rng.choice([0, 30, 300]))
    questions, context, guard = asked(rng, count, limit), rng.choice([901, 1000, 1024, 4096]), rng.random() < 0.7
    budget = rng.choice([0, 3000, 5000, 10**6])
    runner = Sham(model, context, budget, ahead, rng.choice([0.0, 0.3, 0.7, 0.9, 1.0]))
    stream = generate(runner, questions, ends=(END,), rows=rng.choice([1, 2, 5, 30]), budget=budget, guard=guard)
    assert answers(stream) == [alone(model, question, context, guard) for question in questions]
    assert runner.shapes[-1] == (0, 0)
    return runner


@pytest.mark.parametrize("seed", range(16))
def test_rows_and_budget_change_no_answer(seed: int) -> None:
    assert check(random.Random(seed), 0, 10, 400).widths <= {1}


# Guesses


@pytest.mark.parametrize("seed", range(40))
def test_guesses_change_no_answer(seed: int) -> None:
    rng = random.Random(f"guesses {seed}")
    for ahead in (1, 3, rng.choice([2, 5, 9])):
        check(rng, ahead, 8, 150)


def test_guesses_up_to_the_end_of_the_context() -> None:
    """Rows that are near it bring fewer, and so do those beside them; the end token may be among them."""
    model, widths = hashed(1000, wordy=40), set()
    for prompt in range(900, 960):
        questions = [Question((), [*[7] * prompt, n + 1], ngram=0) for n in range(4)]
        runner = Sham(model, 961, 2000, ahead=4)
        found = answers(generate(runner, questions, ends=(END,), rows=2, budget=2000))
        assert found == [alone(model, question, 961, True) for question in questions]
        widths |= runner.widths
    assert widths == {2, 3, 4, 5}


@pytest.mark.parametrize(("right", "steps"), [(0.0, 999), (1.0, 250)])
def test_right_guesses_save_steps(right: float, steps: int) -> None:
    class Sure(Sham):
        """No guess is left out, and a wrong one is never right by chance."""

        def next(self, view: int, ids: list[int], bans: Sequence[int]) -> tuple[int, float, list[int]]:
            token, score = preferred(self.model, view, ids, bans)
            guesses = [token]
            for _ in range(self.ahead):
                guesses.append(self.model(view, [*ids, *guesses]))
            return token, score, guesses[1:] if self.right else [-1] * self.ahead

    runner = Sure(hashed(10**6, wordy=0), 4096, 0, ahead=3, right=right)
    answers(generate(runner, [Question((), [1], 1000, ngram=0)], ends=(END,), rows=1, budget=0))
    assert runner.steps == steps
    assert runner.widths == {4}


def test_a_guess_that_is_banned_is_not_taken() -> None:
    """The model would say the same three again; the ban is known only after the guess before was taken."""
    model, question = recited([7, 8, 9, 7, 8, 9, 7, 8]), Question((), [1], ngram=3)
    runner = Sham(model, 512, 0, ahead=9)
    (found,) = answers(generate(runner, [question], ends=(END,), rows=1, budget=0))
    assert found == alone(model, question, 512, True)
    assert found.ids == (7, 8, 9, 7, 8, 10, 7, 8)


def test_guesses_have_room_where_rows_begin() -> None:
    """A question that leaves no room for guesses isn't begun again and again."""
    model = hashed(1000, wordy=0)
    questions = [Question((), [n + 1] * size, 40) for n, size in enumerate([300, 510, 511, 512, 505])]
    runner = Sham(model, 1024, 1536, ahead=3)
    assert answers(generate(runner, questions, ends=(END,), rows=3, budget=1536)) == [
        alone(model, question, 1024, True) for question in questions
    ]
    assert len(runner.begun) <= 7


# Rows that come and go


def test_the_youngest_wait_when_the_answers_outgrow_the_budget() -> None:
    model, questions = hashed(1000, wordy=0), [Question((), [n], 1500 - 200 * (n % 3), ngram=0) for n in range(1, 9)]
    runner = Sham(model, 2048, 4096)
    order: list[int] = []

    def stream() -> Iterator[tuple[int, Token | Answer]]:
        for number, item in generate(runner, questions, ends=(END,), rows=8, budget=4096):
            order.extend([number] if isinstance(item, Answer) else [])
            yield number, item

    assert answers(stream()) == [alone(model, question, 2048, True) for question in questions]
    again = [ids for ids in runner.begun if len(ids) > 1]
    assert [(ids[0], len(ids)) for ids in again[:4]] == [(3, 1025), (4, 1025), (5, 513), (6, 513)]
    assert all(abs(number - place) <= 2 for place, number in enumerate(order))  # the oldest are answered first
    assert set(runner.shapes[:3]) == {(8, 512), (4, 1024), (2, 2048)}


def test_the_cache_shrinks_when_that_lets_in_another() -> None:
    limits = [600, 600] + [30] * 50
    runner = Sham(hashed(1000, wordy=0), 1024, 2048)
    answers(generate(runner, [Question((), [1], n) for n in limits], ends=(END,), rows=4, budget=2048))
    assert runner.shapes == [(4, 512), (2, 1024), (4, 512), (0, 0)]


def test_the_next_question_comes_to_the_place_of_the_last_answer() -> None:
    runner = Sham(hashed(1000, wordy=0), 512, 10**6)
    answers(generate(runner, [Question((), [1], 10 + n) for n in range(12)], ends=(END,), rows=4, budget=10**6))
    assert runner.moves == 2  # as the last four end, before two have: the first, the second
    assert runner.shapes == [(4, 512), (0, 0)]


def test_several_answers_that_end_at_once() -> None:
    model = hashed(1000, wordy=0)
    questions = [Question((), [n + 1], limit) for n, limit in enumerate([5, 9, 5, 5, 9, 5])]
    found = answers(generate(Sham(model, 512, 10**6), questions, ends=(END,), rows=6, budget=10**6))
    assert found == [alone(model, question, 512, True) for question in questions]


@pytest.mark.parametrize(("rows", "budget"), [(1, 0), (3, 10**6), (100, 2048)])
def test_questions_are_taken_when_there_is_room(rows: int, budget: int) -> None:
    taken = done = 0

    def source() -> Iterator[Question]:
        nonlocal taken
        for question in asked(random.Random(1), 30, limit=40):
            taken += 1
            yield question

    runner = Sham(hashed(1000), 1024, budget)
    stream = generate(runner, source(), ends=(END,), rows=rows, budget=budget)
    assert taken == 0
    for _, item in stream:
        assert taken <= done + min(rows, max(budget, 1024) // 512) + 1
        done += isinstance(item, Answer)
    assert taken == done == 30


def test_no_questions() -> None:
    assert not list(generate(Sham(hashed(9), 512, 0), [], ends=(END,), rows=4, budget=0))


def test_what_is_left_behind() -> None:
    runner = Sham(hashed(1000), 1024, 10**6)
    stream = generate(runner, asked(random.Random(2), 9), ends=(END,), rows=4, budget=10**6)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert runner.cache == []

    def source() -> Iterator[Question]:
        yield from asked(random.Random(2), 2)
        raise OSError("the scanner is out of paper")

    with pytest.raises(OSError, match="out of paper"):
        list(generate(runner, source(), ends=(END,), rows=2, budget=10**6))
    assert runner.cache == []


# Where an answer ends


def test_the_limit_and_the_context_count_the_end_token() -> None:
    model = recited([7, 8, 9])
    assert answer(model, Question((), [1])) == Answer((7, 8, 9), (1 / 9, 1 / 11, 1 / 13), "eos")
    for limit, ids, stop in ((1, (7,), "length"), (3, (7, 8, 9), "length"), (4, (7, 8, 9), "eos")):
        found = answer(model, Question((), [1], limit))
        assert (found.ids, found.stop) == (ids, stop)
        assert answer(model, Question((), [1]), context=1 + limit) == found
    assert answer(recited(), Question((), [1], 1)) == Answer((), (), "eos")


def test_prompts_that_do_not_fit() -> None:
    runner = Sham(hashed(9), 600, 0)
    with pytest.raises(TooLong, match=r"600 tokens long.*less than the model's context of 600.*fewer pages"):
        list(generate(runner, [Question((), [1] * 600)], ends=(END,), rows=1, budget=0))
    assert not runner.begun
    Question((), [1] * 599).check(600)
    for wrong in ({"ids": []}, {"limit": 0}, {"ngram": -1}):
        with pytest.raises(BadPrompt, match="expected at least"):
            replace(Question((), [1]), **wrong)


def test_broken_weights() -> None:
    class Broken(Sham):
        def next(self, view: int, ids: list[int], bans: Sequence[int]) -> tuple[int, float, list[int]]:
            return 1, math.nan, []

    with pytest.raises(BadCheckpoint, match="not numbers: its weights are broken"):
        list(generate(Broken(hashed(9), 512, 0), [Question((), [1])], ends=(END,), rows=1, budget=0))


# N-grams


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("alphabet", [1, 2, 4])
def test_the_same_ngrams_as_in_transformers(n: int, alphabet: int) -> None:
    ids = random.Random(n).choices(range(alphabet), k=60)
    peer = NoRepeatNGramLogitsProcessor(n)
    for prompt in (0, 1, 20):
        ours = Ngrams(n, ids[:prompt])
        for end in range(prompt, len(ids)):
            scores = peer(torch.tensor([ids[:end]], dtype=torch.long), torch.zeros(1, alphabet))
            assert sorted(ours.bans()) == scores[0].isinf().nonzero().flatten().tolist()
            ours.add(ids[end])


# Loops


def test_the_guard_keeps_the_scores_that_it_says() -> None:
    rng = random.Random(0)
    ids, guard = rng.choices(range(3), k=600), Guard(600)
    for place, token in enumerate(ids):
        assert not guard.add(token) or place > 250
    for period in (1, 2, 7, 255, 256):
        score = 0
        for place, token in enumerate(ids):
            same = place >= period and ids[place - period] == token
            score = score + 1 if same else max(0, score - MISMATCH)
        assert guard.scores[-period] == score


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_reaches_back_beyond_the_doubt_of_any_time_before(seed: int) -> None:
    rng = random.Random(seed)
    loop, guard, sure = rng.choices(range(5), k=rng.randint(1, 60)), Guard(3000), 0
    for count in range(1, 3000):
        cut = guard.add(rng.randrange(5) if rng.random() < 0.02 else loop[count % len(loop)])
        assert count - guard.doubt >= sure
        sure = count - guard.doubt
        if cut:
            assert count - cut >= sure
            assert cut >= LOOP[-1]
            break
    else:
        pytest.fail("the loop wasn't noticed")


@pytest.mark.parametrize("period", [1, 3, 40, 256])
def test_of_a_loop_one_period_stays(period: int) -> None:
    text, loop = list(range(1000, 1500)), list(range(1, period + 1))
    model, question = recited(text, loop * (4000 // period)), Question((), [1], 4000, ngram=0)
    found = answer(model, question)
    assert (found.ids, found.stop) == ((*text, *loop), "repeat")
    whole = answer(model, question, guard=False)
    assert (len(whole.ids), whole.stop) == (4000, "length")


@pytest.mark.parametrize("period", [1, 10, 40, 100])
def test_a_loop_that_is_not_allowed_its_ngrams(period: int) -> None:
    def model(view: int, ids: list[int]) -> int:
        return 1000 * (1 + len(ids) % period)  # another token after it where it is banned

    found = answer(model, Question((), [1], ngram=20))
    assert found.stop == "repeat"
    assert period <= len(found.ids) < 700


def test_a_loop_is_not_told_before_it_is_cut() -> None:
    told = 0
    question = Question((), [1], ngram=0)
    for _, item in generate(
        Sham(recited(range(10, 50), [9] * 999), 2048, 0), [question], ends=(END,), rows=1, budget=0
    ):
        told += isinstance(item, Token)
    assert told == 41


def test_what_is_sure_is_told_at_once() -> None:
    runner = Sham(hashed(10**6, wordy=0), 2048, 0)
    stream = generate(runner, [Question((), [1])], ends=(END,), rows=1, budget=0)
    for count, _ in enumerate(islice(stream, 1000), 1):
        assert len(runner.cache[0][1]) == count  # the prompt, and all that was told but the last


NOTES = random.Random(0).choices(range(20, 27), k=300)


def digits(number: int) -> list[int]:
    return [100 + int(digit) for digit in str(number)]


@pytest.mark.parametrize(
    "text",
    [
        [1] * 250,  # a dotted line
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] * 29,  # rows of an empty table: & & & \\ \hline
        [*chain(*([*digits(n), *[1] * 12, 2] for n in range(1, 61)))],  # numbered rows of an empty table
        [
            *chain(*([*digits(n * n % 997), 1, *digits(n * 37 % 101), 1, 2] for n in range(1, 300)))
        ],  # a table of numbers
        [*chain(*([1, NOTES[n], 2, NOTES[-n], 3] for n in range(300)))],  # two voices in kern
        [*chain(*([1, 2] * n + [3, 2] + [1, 2] * (14 - n) + [4] for n in range(15)))],  # a unit matrix
    ],
)
def test_pages_that_repeat_themselves_are_left_whole(text: list[int]) -> None:
    found = answer(recited(text), Question((), [1], ngram=0))
    assert (found.ids, found.stop) == (tuple(text), "eos")


# A network


@pytest.fixture(scope="module")
def network() -> GOT:
    torch.manual_seed(0)
    encoder = EncoderConfig(
        side=128, square=False, stem="conv", width=32, layers=2, heads=2, mlp=64, window=4, global_layers=(1,),
        positions="rotary", pool=2, neck=16, out=(16, 32),
    )  # fmt: skip
    decoder = DecoderConfig(vocabulary=60, width=32, layers=2, heads=4, kv_heads=2, mlp=64, theta=1e4)
    model = GOT(GOTConfig(encoder, decoder, context=1024, image_token=2)).double().eval()
    for weight in model.decoder.layers.parameters():
        weight.data.mul_(8)  # as it is, it says the same again and again
    return model


def pages(rng: random.Random, count: int) -> list[Question]:
    """Questions about one or two views of several sizes."""
    asked = []
    for _ in range(count):
        sizes = [(64 * rng.randint(1, 2), 64 * rng.randint(1, 2)) for _ in range(rng.randint(1, 2))]
        views = [np.random.default_rng(rng.randrange(99)).integers(0, 256, (3, *size), np.uint8) for size in sizes]
        ids = [3, *[2] * sum(h * w // 64**2 for h, w in sizes), *rng.choices(range(4, 60), k=rng.choice([1, 9, 480]))]
        asked.append(Question(views, ids, rng.randint(1, 60), ngram=rng.choice([0, 3, 20])))
    return asked


def uncached(model: GOT, question: Question) -> list[int]:
    """Greedy decoding from the start for each token."""
    features = model.features([torch.from_numpy(view)[None] for view in question.views])
    ids, ngrams = list(question.ids), Ngrams(question.ngram or 9999, question.ids)
    for _ in range(question.limit):
        logits = model.decoder.head(model.decoder(model.embeddings(torch.tensor([ids]), features))[0, -1])
        logits[[model.config.image_token, *ngrams.bans()]] = -math.inf
        if (token := int(logits.argmax())) == END:
            break
        ids.append(token)
        ngrams.add(token)
    return ids[len(question.ids) :]


@torch.inference_mode()
def test_a_network_with_rows_and_cache_answers_as_without(network: GOT) -> None:
    questions = pages(random.Random(0), 9)
    runner: Runner = TorchRunner(network)
    one = [answers(generate(runner, [question], ends=(END,), rows=1, budget=0)) for question in questions]
    many = answers(generate(runner, questions, ends=(END,), rows=4, budget=1024))
    assert [found.ids for found in many] == [found.ids for [found] in one]
    np.testing.assert_allclose(
        [score for found in many for score in found.scores], [score for [found] in one for score in found.scores], 1e-5
    )
    assert [list(found.ids) for found in many[:5]] == [uncached(network, question) for question in questions[:5]]
    assert len({token for found in many for token in found.ids}) > 20


def test_it_needs_no_torch() -> None:
    code = "import sys, ocr2.got.generate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
