"""The runner with its cache, against the whole sequence computed anew each time."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_reference import TINY, scattered
from torch import Tensor

from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.generate import Question, generate
from ocr2.got.model import GOT
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
def expected(model: GOT, question: Asked, answer: Sequence[int] = (), banned: Sequence[int] = ()) -> tuple[int, float]:
    """The likeliest token after a question and some of its answer, and its probability: all computed anew."""
    views, ids = question
    features = model.features([torch.from_numpy(view)[None] for view in views])
    states = model.decoder(model.embeddings(torch.tensor([[*ids, *answer]]), features))
    scores = model.decoder.head(states[0, -1]).softmax(-1)
    allowed = scores.clone()
    allowed[[model.config.image_token, *banned]] = -1
    best = int(allowed.argmax())
    return best, float(scores[best])


class Check:
    """A runner, and beside it what each of its rows holds; every answer is held against the slow truth."""

    def __init__(self, runner: TorchRunner) -> None:
        self.runner, self.rows = runner, {}

    def begin(self, rows: Sequence[int], asked: Sequence[Asked], bans: Sequence[Sequence[int]] | None = None) -> None:
        self.rows |= {row: (question, []) for row, question in zip(rows, asked, strict=True)}
        bans = bans or [()] * len(rows)
        self.same(rows, bans, *self.runner.begin(rows, asked, bans))

    def step(self, count: int, bans: Sequence[Sequence[int]] | None = None) -> None:
        bans = bans or [()] * count
        self.same(range(count), bans, *self.runner.step([self.rows[row][1][-1] for row in range(count)], bans))

    def move(self, source: int, target: int) -> None:
        self.runner.move(source, target)
        self.rows[target] = self.rows[source][0], list(self.rows[source][1])

    def same(self, rows: Sequence[int], bans: Sequence[Sequence[int]], tokens: list[int], scores: list[float]) -> None:
        for row, banned, token, score in zip(rows, bans, tokens, scores, strict=True):
            question, answer = self.rows[row]
            assert (token, score) == pytest.approx(expected(self.runner.model, question, answer, banned), abs=1e-4)
            answer.append(token)

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
    check.step(2)  # row 2 waits, and is right afterwards
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
    assert check.runner.lengths == []
    check.runner.resize(1, 80)
    check.begin([0], questions(check.runner.model.config, (7,), seed=1))
    check.step(1)


def test_to_the_end_of_the_cache(check: Check) -> None:
    """Past every multiple of tokens that attention looks at, up to a length that is none."""
    (asked,) = questions(check.runner.model.config, (200,))
    check.runner.resize(3, len(asked[1]) + 70)
    check.begin([0], [asked])
    check.begin([1], questions(check.runner.model.config, (5,)))
    while check.runner.lengths[0] < check.runner.cache.length:
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
    assert check.answers() == [[9, 9]]


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
    list(generate(runner, asked, end=-1, rows=3, budget=9999, guard=False))
    # 3 rows stay 3. Attention looks at 256, 512 tokens, then, in a cache of 700, at 512 or less again
    assert len(runs) == 2


@GPU
@pytest.mark.parametrize("kind", list(CONFIGS))
@torch.inference_mode()
def test_cuda_graphs_change_nothing(kind: str) -> None:
    model = scattered(GOT(CONFIGS[kind])).cuda()
    runner, asked = TorchRunner(model), questions(model.config, (5, 50, 9, 21, 2, 280))
    graph, plain = runner._replayed, runner._forward

    def both(tokens: Sequence[int]) -> Tensor:
        start = list(runner.lengths[: len(tokens)])
        expected = plain(runner._tensor(tokens), runner._tensor(start), max(start) + 1)
        found = graph(tokens)  # writes the same again
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
        return found.clone()

    runner._replayed = both
    for rows, length in ((5, 200), (6, 400), (6, 512), (3, 512)):  # each resize makes what was recorded worthless
        runner.resize(rows, length)
        tokens, _ = runner.begin(list(range(min(rows, 5))), asked[: min(rows, 5)], [()] * min(rows, 5))
        if rows == 6:
            tokens += runner.begin([5], asked[5:], [()])[0]
        for count in (rows, rows, 1, 2, rows):
            runner.step(tokens[:count], [()] * count)
    runner.resize(0, 0)


@GPU
def test_a_gpu_answers_as_a_processor_does() -> None:
    model = scattered(GOT(NANO))
    asked = [Question(*question, limit=40) for question in questions(NANO, (5, 50, 9, 21, 2))]
    found = []
    for device in ("cpu", "cuda"):
        told = generate(TorchRunner(model.to(device)), asked, end=-1, rows=4, budget=9999)
        found.append({number: news.ids for number, news in told if hasattr(news, "stop")})
    assert found[0] == found[1]
