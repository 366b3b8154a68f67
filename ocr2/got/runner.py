"""What decoding asks of a network, answered by torch: read questions, then make a token more for every row, or some.

B rows, T tokens of each, or of the longest; W the decoder's width, V the vocabulary, A the tokens guessed ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ocr2.got.decoder import Cache, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ocr2.got.model import GOT

    Question = tuple[Sequence[np.ndarray], Sequence[int]]
    Chosen = tuple[list[list[int]], list[list[float]], list[list[list[int]]]]


class _Told(NamedTuple):
    """What a forward pass tells of B rows."""

    logits: Tensor
    """(B, T, V) in float32, none of them an image token's, which is never an answer."""
    total: Tensor
    """(B, T): the logarithm of the sum of all their exponentials, the image token's too."""
    place: Tensor
    """(B,): the last place where all tokens before are the likeliest ones."""
    guesses: Tensor
    """(B, A): what may follow the token after that place."""

    def first(self, count: int) -> _Told:
        """That of the first rows."""
        return _Told(*(part[:count] for part in self))


Run = Callable[[], None]
"""Something that reads tensors and writes others, all of them always in the same place."""
Record = Callable[[Run], Run]
"""Makes a faster one of it, which does the same."""

_STEP, _RECORDED_STEP = 64, 256
"""Attention looks at multiples of this many tokens of the cache: few shapes, little waste. Recording takes time."""


class TorchRunner:
    """A model and its cache. The rows of a call are the first of the cache."""

    def __init__(
        self, model: GOT, together: int | None = None, recorder: Callable[[torch.device], Record] | None = None
    ) -> None:
        """So many questions, and views, are taken in `together`: by default one on a processor, to save memory.

        `recorder` is what records steps, CUDA graphs on a GPU and nothing elsewhere.
        """
        self.model, self.context, self.ahead = model.eval(), model.config.context, model.config.decoder.ahead
        assert model.connector.bias is not None
        self.example = model.connector.bias.detach().new_empty(0)  # of the type and on the device of all that follows
        self.together = together or (16 if self.example.is_cuda else 1)
        self.recorder = recorder or (graphs if self.example.is_cuda else None)
        self.cache = Cache(model.config.decoder, 0, 0, self.example)
        self._recorded: _Recorded | None = None

    @torch.inference_mode()
    def resize(self, rows: int, length: int) -> None:
        """Make room for `rows` × `length` tokens; the first rows keep what they hold."""
        self._recorded = None  # what was recorded is about the old cache
        self.cache.resize(rows, length)

    @torch.inference_mode()
    def begin(
        self, rows: Sequence[int], questions: Sequence[Question], bans: Sequence[Sequence[int]]
    ) -> tuple[list[int], list[float], list[list[int]]]:
        """The first token of the answer to each question, its probability and guesses; row i now holds question i."""
        parts = [slice(start, start + self.together) for start in range(0, len(rows), self.together)]
        states = torch.cat([self._read(rows[part], questions[part]) for part in parts])[:, None]
        ids, scores, guesses = self.choose(self._told(states), bans)
        return [row[0] for row in ids], [row[0] for row in scores], [row[0] for row in guesses]

    def _read(self, rows: Sequence[int], questions: Sequence[Question]) -> Tensor:
        """(B, W): the states after each question."""
        lengths = [len(ids) for _, ids in questions]
        # shorter ones are padded at the end: what comes later is not seen, and is written over
        padded = [[*ids] + [ids[-1]] * (max(lengths) - len(ids)) for _, ids in questions]
        features = self.features([view for views, _ in questions for view in views])
        place = Place(self.cache, self._tensor(rows), self._tensor([0] * len(rows)))
        states: Tensor = self.model.decoder(self.model.embeddings(self._tensor(padded), features), place)  # (B, T, W)
        return states[self._tensor(range(len(rows))), self._tensor(lengths) - 1]

    @torch.inference_mode()
    def step(self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]) -> Chosen:
        """What follows each of `tokens`, which come after the first `starts` of the first rows.

        Guesses are made at the last place of each row where all tokens before are the chosen ones, and at no other.
        """
        # a graph is for one number of tokens: fewer are rare, at the context's end
        if self.recorder and len(tokens[0]) == 1 + self.ahead:
            told = self._replayed(starts, tokens)
        else:
            numbers = self._tensor([[start, *row] for start, row in zip(starts, tokens, strict=True)])
            told = self._forward(numbers, self._span(starts, len(tokens[0]), _STEP))
        return self.choose(told, bans)

    @torch.inference_mode()
    def move(self, source: int, target: int) -> None:
        """Put a row in the place of another."""
        self.cache.move(source, target)

    @torch.inference_mode()
    def features(self, views: Sequence[np.ndarray]) -> Tensor:
        """(N, W): the image tokens of all views, in their order; those of one size are encoded together."""
        found = []
        for _, same in groupby(views, lambda view: view.shape):
            stacked = torch.stack([torch.from_numpy(view) for view in same])
            found += [self.model.features([part.to(self.example.device)]) for part in stacked.split(self.together)]
        return torch.cat(found)

    def choose(self, told: _Told, bans: Sequence[Sequence[int]]) -> Chosen:
        """The likeliest tokens that aren't banned, their probabilities as if none were, and what is guessed."""
        logits, total, place, guesses = told
        if rows := [row for row, banned in enumerate(bans) for _ in banned]:
            logits[rows, 0, [token for banned in bans for token in banned]] = -torch.inf
        best, ids = logits.max(-1)  # (B, T)
        scores = (best - total).exp().double().view(torch.long)
        # together: from a GPU each of them would take as long
        numbers = torch.cat([ids, scores, place[:, None], guesses], 1).cpu().numpy()
        count = ids.shape[1]
        further: list[list[list[int]]] = [[[] for _ in range(count)] for _ in bans]
        for row, (at, *found) in zip(further, numbers[:, 2 * count :].tolist(), strict=True):
            row[at] = found
        return numbers[:, :count].tolist(), numbers[:, count : 2 * count].view(np.float64).tolist(), further

    def _forward(self, numbers: Tensor, span: int) -> _Told:
        """What is told after some tokens more in the first rows, given as (B, 1 + T): where they start, then they."""
        tokens = numbers[:, 1:]
        place = Place(self.cache, torch.arange(len(tokens), device=tokens.device), numbers[:, 0], span)
        embedded = self.model.decoder.embed(tokens).to(self.example.dtype)
        return self._told(self.model.decoder(embedded, place), tokens)

    def _told(self, states: Tensor, tokens: Tensor | None = None) -> _Told:
        """What the states (B, T, W) of tokens (B, T) tell."""
        logits = self.model.decoder.head(states).float()
        total = logits.logsumexp(-1)
        logits[..., self.model.config.image_token] = -torch.inf
        place = torch.zeros(len(states), dtype=torch.long, device=states.device)
        if tokens is not None and self.ahead:
            right = logits[:, :-1].argmax(-1) == tokens[:, 1:]
            place = right.cumprod(1).sum(1)
        guesses = self.model.guesses(states[torch.arange(len(states), device=states.device), place])
        return _Told(logits, total, place, guesses)

    def _replayed(self, starts: Sequence[int], tokens: Sequence[Sequence[int]]) -> _Told:
        """The same, recorded: for each power of 2 rows, and every so many tokens, once."""
        assert self.recorder
        if not self._recorded:
            self._recorded = _Recorded(self._forward, self.recorder(self.example.device), self._blank())
        count, together = len(tokens), 1 + self.ahead
        rows = min(1 << (count - 1).bit_length(), self.cache.rows)
        # rows without a question add tokens too, where they do no harm
        idle = [[self.cache.length - together] + [0] * together] * (rows - count)
        numbers = [[start, *row] for start, row in zip(starts, tokens, strict=True)] + idle
        return self._recorded(numbers, self._span(starts, together, _RECORDED_STEP)).first(count)

    def _blank(self) -> _Told:
        """Room for what is told of every row of the cache."""
        rows, together = self.cache.rows, 1 + self.ahead
        logits = self.example.new_empty(rows, together, self.model.config.decoder.vocabulary, dtype=torch.float32)
        place = logits.new_empty(rows, dtype=torch.long)
        return _Told(logits, logits.new_empty(rows, together), place, place.new_empty(rows, self.ahead))

    def _span(self, starts: Sequence[int], count: int, step: int) -> int:
        """How many tokens of the cache attention looks at when rows take `count` more."""
        return min(-(-(max(starts) + count) // step) * step, self.cache.length)

    def _tensor(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.long, device=self.example.device)


class _Recorded:
    """The steps of one cache: what is told after (B, 1 + T) numbers, by what was recorded for their number."""

    def __init__(self, forward: Callable[[Tensor, int], _Told], record: Record, told: _Told) -> None:
        self.forward, self.record, self.told = forward, record, told
        rows, together = told.total.shape
        self.numbers = torch.zeros(rows, 1 + together, dtype=torch.long, device=told.total.device)
        self.runs: dict[tuple[int, int], Run] = {}

    def __call__(self, given: list[list[int]], span: int) -> _Told:
        """What is told of them, until the next call."""
        count = len(given)
        numbers, told = self.numbers[:count], self.told.first(count)
        numbers.copy_(torch.tensor(given))

        def run() -> None:
            for part, found in zip(told, self.forward(numbers, span), strict=True):
                part.copy_(found)

        if (count, span) not in self.runs:
            self.runs[count, span] = self.record(run)  # may run it: that writes what the next line writes
        self.runs[count, span]()
        return told


def graphs(device: torch.device) -> Record:
    """Records CUDA graphs: hundreds of small kernels start as one. They share their memory: one runs at a time."""
    pool, stream = torch.cuda.graph_pool_handle(), _side(device)

    def recorded(run: Run) -> Run:
        # cuDNN makes a plan for every shape, which takes longer than what it saves
        with torch.cuda.device(device), sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # what is set up at the first call must not be in the graph
                run()
            graph = torch.cuda.CUDAGraph()
            # other threads may go on with their own work on the GPU
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                run()
            torch.cuda.current_stream().wait_stream(stream)
        return graph.replay

    return recorded


@cache
def _side(device: torch.device) -> torch.cuda.Stream:
    """One stream for all recording on a device: cuBLAS keeps tens of megabytes for each that it has seen."""
    return torch.cuda.Stream(device)
