"""The runner with its cache, against the whole sequence computed anew each time."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_reference import TINY, scattered
from torch import Tensor

from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.generate import Question, generate
from ocr2.got.model import GOT, carry
from ocr2.got.runner import TorchRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocr2.got.runner import Record, Run

    Asked = tuple[list[np.ndarray], list[int]]

NANO = GOTConfig(
    EncoderConfig(
        side=256, square=False, stem="conv", width=32, layers=3, heads=2, mlp=64, window=4, global_layers=(1,),
        positions="rotary", pool=4, neck=16, out=(16, 32),
    ),
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=4, kv_heads=4, mlp=64, theta=1e4),
    context=700,
    image_token=2,
)  # fmt: skip
CONFIGS = {
    "580m": TINY,
    "nano": NANO,
    "ahead": replace(NANO, decoder=replace(NANO.decoder, ahead=3)),
    "stage 1": replace(TINY, decoder=OPTConfig(vocabulary=300, width=32, layers=2, heads=4, mlp=64, positions=700)),
}
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=list(CONFIGS))
def model(request: pytest.FixtureRequest) -> GOT:
    found: GOT = scattered(GOT(CONFIGS[request.param]))
    return found


def questions(config: GOTConfig, lengths: Sequence[int], seed: int = 0) -> list[Asked]:
    """A question with so many words each, about one to three views, of any size where the model takes any."""
    rng, asked = random.Random(seed), []
    for words in lengths:
        sizes = [(config.encoder.side,) * 2] * rng.randint(1, 3)
        if not config.encoder.square:
            sizes = [(64 * rng.randint(1, 4), 64 * rng.randint(1, 4)) for _ in sizes]
        views = [np.random.default_rng(rng.randrange(999)).integers(0, 256, (3, *size), np.uint8) for size in sizes]
        image = [config.image_token] * sum(config.encoder.tokens(*size) for size in sizes)
        asked.append((views, [7, *image, *rng.choices(range(3, 290), k=words)]))
    return asked


@torch.inference_mode()
def expected(
    model: GOT, question: Asked, answer: Sequence[int] = (), banned: Sequence[int] = ()
) -> tuple[int, float, list[int]]:
    """The likeliest token after a question and some of its answer, its probability and guesses: all computed anew."""
    views, ids = question
    features = model.features([torch.from_numpy(view)[None] for view in views])
    state = model.decoder(model.embeddings(torch.tensor([[*ids, *answer]]), features))[0, -1]
    scores = model.decoder.head(state).softmax(-1)
    allowed = scores.clone()
    allowed[[model.config.image_token, *banned]] = -1
    best, guesses = int(allowed.argmax()), []
    for head in model.ahead:
        logits = model.decoder.head(head(state))
        logits[model.config.image_token] = -torch.inf
        guesses.append(int(logits.argmax()))
    return best, float(scores[best]), guesses


class Check:
    """A runner, and beside it what each of its rows holds; every answer is held against the slow truth."""

    def __init__(self, runner: TorchRunner) -> None:
        self.runner, self.rows, self.rng = runner, {}, random.Random(0)

    def begin(self, rows: Sequence[int], asked: Sequence[Asked], bans: Sequence[Sequence[int]] | None = None) -> None:
        self.rows |= {row: (question, []) for row, question in zip(rows, asked, strict=True)}
        bans = bans or [()] * len(rows)
        for row, banned, *told in zip(rows, bans, *self.runner.begin(rows, asked, bans), strict=True):
            self.same(row, banned, [0], [tuple(told)])

    def step(self, count: int, bans: Sequence[Sequence[int]] | None = None) -> None:
        """Each row takes its last token and guesses of which the first few are right."""
        bans = bans or [()] * count
        starts = [self.size(row) - 1 for row in range(count)]
        together = 1 + min(self.runner.ahead, self.runner.cache.length - max(starts) - 1)
        given, right = [], [self.rng.randint(0, together - 1) for _ in range(count)]
        for row in range(count):
            question, answer = self.rows[row]
            said = list(answer)
            for place in range(right[row]):
                said.append(expected(self.runner.model, question, said, () if place else bans[row])[0])
            wrong = self.rng.choices(range(290, 299), k=together)
            given.append([*said[len(answer) - 1 :], *wrong][:together])
        told = self.runner.step(starts, given, bans)
        for row, (banned, tokens, *places) in enumerate(zip(bans, given, *told, strict=True)):
            self.same(row, banned, tokens, list(zip(*places, strict=True)))

    def same(
        self, row: int, banned: Sequence[int], given: list[int], places: list[tuple[int, float, list[int]]]
    ) -> None:
        """What a step tells of a row; that of the right guesses becomes its answer."""
        (question, answer), guessed = self.rows[row], []
        for place, (token, score, guesses) in enumerate(places):
            if place and given[place] != answer[-1]:
                break
            truth = expected(self.runner.model, question, answer, () if place else banned)
            assert (token, score) == pytest.approx(truth[:2], abs=1e-4)
            assert guesses in (truth[2], [])
            guessed.append(guesses)
            answer.append(token)
        assert len(places) == len(given)
        assert len(guessed[-1]) == self.runner.ahead or banned  # a ban may put the runner wrong

    def size(self, row: int) -> int:
        """How many tokens a row has, the last one of its answer among them."""
        question, answer = self.rows[row]
        return len(question[1]) + len(answer)

    def move(self, source: int, target: int) -> None:
        self.runner.move(source, target)
        self.rows[target] = self.rows[source][0], list(self.rows[source][1])

    def answers(self) -> list[list[int]]:
        return [answer for _, answer in self.rows.values()]


def eager(device: torch.device) -> Record:
    """Records nothing: what a CUDA graph would do is done again, on the same tensors."""

    def record(run: Run) -> Run:
        run()  # a recorder runs it first
        return run

    return record


RUNNERS: dict[str, Callable[[GOT], TorchRunner]] = {
    "plain": TorchRunner,
    "together": lambda model: TorchRunner(model, together=3),
    "recorded": lambda model: TorchRunner(model, together=16, recorder=eager),
}


@pytest.fixture(params=list(RUNNERS))
def check(request: pytest.FixtureRequest, model: GOT) -> Check:
    return Check(RUNNERS[request.param](model))


def test_a_cache_changes_no_answer(check: Check) -> None:
    check.runner.resize(5, 200)
    check.begin([3, 0, 4, 1, 2], questions(check.runner.model.config, (3, 60, 1, 14, 33)))
    for _ in range(8):
        check.step(5)
    assert len({token for answer in check.answers() for token in answer}) > 4


def test_rows_come_and_go(check: Check) -> None:
    """Growing, shrinking and moving rows; steps of fewer rows than there are; a cache that isn't a power of 2."""
    asked = questions(check.runner.model.config, (5, 50, 9, 21, 2))
    check.runner.resize(1, 90)
    check.begin([0], asked[:1])
    check.step(1)
    check.runner.resize(3, 90)
    check.begin([2, 1], asked[1:3])
    for _ in range(3):
        check.step(3)
    check.step(2)
    check.begin([2], asked[3:4])
    check.step(3)
    check.runner.resize(4, 300)
    check.begin([3], asked[3:4])
    check.step(4)
    check.move(3, 0)
    check.step(3)
    check.runner.resize(2, 300)
    check.begin([1], asked[4:])
    check.step(2)
    check.step(1)


def test_a_cache_that_is_given_back(check: Check) -> None:
    check.runner.resize(2, 80)
    check.begin([0, 1], questions(check.runner.model.config, (4, 4)))
    check.step(2)
    check.runner.resize(0, 0)
    assert not any(layer.numel() for layer in check.runner.cache.keys)
    check.runner.resize(1, 80)
    check.begin([0], questions(check.runner.model.config, (7,), seed=1))
    check.step(1)


def test_to_the_end_of_the_cache(check: Check) -> None:
    """Past every multiple of tokens that attention looks at, up to a length that is none."""
    (asked,) = questions(check.runner.model.config, (200,))
    check.runner.resize(3, len(asked[1]) + 70)
    check.begin([0], [asked])
    check.begin([1], questions(check.runner.model.config, (5,)))
    while check.size(0) <= check.runner.cache.length:
        check.step(2)


def test_banned_tokens_and_their_probabilities(check: Check) -> None:
    """A ban is about one row; the probability is the model's own, as if nothing were banned."""
    asked = questions(check.runner.model.config, (4, 9, 2))
    first = [expected(check.runner.model, question)[0] for question in asked]
    check.runner.resize(3, 100)
    check.begin([0, 1, 2], asked, [[first[0]], [], [first[2], 5, 6]])
    second = [expected(check.runner.model, question, answer)[0] for question, answer in check.rows.values()]
    check.step(3, [[], [second[1], 8], [second[2]]])
    check.step(3)


@pytest.mark.parametrize("recorder", [None, eager])
def test_the_image_token_is_no_answer(model: GOT, recorder: Callable[[torch.device], Record] | None) -> None:
    with torch.no_grad():
        model.decoder.norm.forward = torch.ones_like  # all states are the same: one token is always the likeliest
        model.decoder.head.weight[model.config.image_token] = 1
        model.decoder.head.weight[9] = 0.9
    check = Check(TorchRunner(model, recorder=recorder))
    check.runner.resize(1, 100)
    check.begin([0], questions(model.config, (4,)))
    check.step(1)
    assert set(check.answers()[0]) == {9}
    assert len(check.answers()[0]) > 1


def test_views_of_several_sizes_keep_their_order(model: GOT) -> None:
    asked = questions(model.config, range(6))
    views = [view for found, _ in asked for view in found]
    with torch.inference_mode():
        alone = torch.cat([model.features([torch.from_numpy(view)[None]]) for view in views])
    for together in (1, 2, 16):
        torch.testing.assert_close(TorchRunner(model, together).features(views), alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_steps_are_recorded_once() -> None:
    runs: list[int] = []

    def counted(device: torch.device) -> Record:
        def record(run: Run) -> Run:
            runs.append(1)
            return run

        return record

    runner = TorchRunner(scattered(GOT(NANO)), 16, counted)
    asked = [Question(*question, limit=300, ngram=0) for question in questions(NANO, [3] * 3)]
    list(generate(runner, asked, ends=(), rows=3, budget=9999, guard=False))
    # 3 rows stay 3. Attention looks at 256, 512 tokens, then, in a cache of 700, at 512 or less again
    assert len(runs) == 2


class Lucky(GOT):
    """Its guesses are what followed a token before, in answers that it has been told: right as often as not."""

    follows: dict[int, int]

    def guesses(self, states: Tensor) -> Tensor:
        chain = [self.decoder.head(states).argmax(-1).tolist()]
        for _ in self.ahead:
            chain.append([self.follows.get(token, 9) for token in chain[-1]])
        return torch.tensor(chain[1:]).T


class Counted(TorchRunner):
    """How many tokens each step was about."""

    widths: tuple[int, ...] = ()

    def step(self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]) -> Any:
        self.widths += (len(tokens[0]),)
        return super().step(starts, tokens, bans)


@pytest.mark.parametrize("recorder", [None, eager])
def test_verified_answers_are_those_of_one_token_at_a_time(
    recorder: Callable[[torch.device], Record] | None,
) -> None:
    """Rows of different lengths, some up to the context's end."""
    config = replace(NANO, context=120, decoder=replace(NANO.decoder, ahead=3))
    model = scattered(Lucky(config))
    asked = [
        Question(*question, limit=limit, ngram=ngram)
        for question, limit, ngram in zip(
            questions(config, (5, 50, 9, 21, 2, 33)), (60, 200, 40, 200, 50, 7), (0, 0, 20, 3, 0, 0), strict=True
        )
    ]
    alone = scattered(GOT(replace(config, decoder=NANO.decoder)))
    carry(model, alone)
    runners, told = (Counted(alone), Counted(model, recorder=recorder)), []
    for runner in runners:
        told.append([*generate(runner, asked, ends=(), rows=3, budget=9999, guard=False)])
        ids = [news.ids for _, news in told[0] if hasattr(news, "stop")]
        model.follows = dict(pair for answer in ids for pair in pairwise(answer))
    for number, question in enumerate(asked):
        one, other = ([news for place, news in all_ if place == number] for all_ in told)
        assert one[-1].ids == other[-1].ids
        assert one[-1].scores == pytest.approx(other[-1].scores, abs=1e-4)
        assert len(one) == len(other) == len(one[-1].ids) + 1
        assert one[-1].stop == other[-1].stop == "length"
        assert len(one[-1].ids) == min(question.limit, 120 - len(question.ids))
    assert set(runners[0].widths) == {1}
    assert set(runners[1].widths) > {4}
    assert len(runners[1].widths) < 0.8 * len(runners[0].widths)


@GPU
@pytest.mark.parametrize("kind", list(CONFIGS))
@torch.inference_mode()
def test_cuda_graphs_change_nothing(kind: str) -> None:
    model = scattered(GOT(CONFIGS[kind])).cuda()
    runner, asked = TorchRunner(model), questions(model.config, (5, 50, 9, 21, 2, 280))
    graph, plain = runner._replayed, runner._forward

    def both(starts: Sequence[int], tokens: Sequence[Sequence[int]]) -> Any:
        numbers = runner._tensor([[start, *row] for start, row in zip(starts, tokens, strict=True)])
        expected = plain(numbers, max(starts) + len(tokens[0]))
        found = graph(starts, tokens)  # writes the same again
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
        return type(found)(*(part.clone() for part in found))

    runner._replayed = both
    for rows, length in ((5, 200), (6, 400), (6, 512), (3, 512)):  # each resize makes what was recorded worthless
        runner.resize(rows, length)
        begun = min(rows, 5)
        last, _, guesses = runner.begin(list(range(begun)), asked[:begun], [()] * begun)
        if rows == 6:
            more, _, others = runner.begin([5], asked[5:], [()])
            last, guesses = last + more, guesses + others
        starts = [len(ids) for _, ids in asked[:rows]]
        for count in (rows, rows, 1, 2, rows):
            tokens = [[token, *further] for token, further in zip(last, guesses, strict=True)]
            runner.step(starts[:count], tokens[:count], [()] * count)
            starts = [start + 1 + runner.ahead for start in starts]
    runner.resize(0, 0)


@GPU
@pytest.mark.parametrize("kind", ["nano", "ahead"])
def test_a_gpu_answers_as_a_processor_does(kind: str) -> None:
    model = scattered(GOT(CONFIGS[kind]))
    asked = [Question(*question, limit=40) for question in questions(NANO, (5, 50, 9, 21, 2))]
    found = []
    for device in ("cpu", "cuda"):
        told = generate(TorchRunner(model.to(device)), asked, ends=(), rows=4, budget=9999)
        found.append({number: news.ids for number, news in told if hasattr(news, "stop")})
    assert found[0] == found[1]
