"""What decoding asks of a network, answered by torch: read questions, then make one token more for every row.

B rows, T tokens of the longest, W the decoder's width, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ocr2.got.decoder import Cache, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from ocr2.got.model import GOT

    Question = tuple[Sequence[np.ndarray], Sequence[int]]
    Chosen = tuple[list[int], list[float]]

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
        self.model, self.context = model.eval(), model.config.context
        assert model.connector.bias is not None
        self.example = model.connector.bias.detach().new_empty(0)  # of the type and on the device of all that follows
        self.together = together or (16 if self.example.is_cuda else 1)
        self.recorder = recorder or (graphs if self.example.is_cuda else None)
        self.cache = Cache(model.config.decoder, 0, 0, self.example)
        self.lengths: list[int] = []
        """How many tokens each row of the cache has."""
        self._recorded: _Recorded | None = None

    @torch.inference_mode()
    def resize(self, rows: int, length: int) -> None:
        """Make room for `rows` × `length` tokens; the first rows keep what they hold."""
        self._recorded = None  # what was recorded is about the old cache
        self.cache.resize(rows, length)
        self.lengths = (self.lengths + [0] * rows)[:rows]

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], questions: Sequence[Question], bans: Sequence[Sequence[int]]) -> Chosen:
        """The first token of the answer to each question, with its probability; row i now holds question i."""
        parts = [slice(start, start + self.together) for start in range(0, len(rows), self.together)]
        logits = torch.cat([self._read(rows[part], questions[part]) for part in parts])
        return self.choose(logits, bans)

    def _read(self, rows: Sequence[int], questions: Sequence[Question]) -> Tensor:
        """(B, V): the logits after each question."""
        lengths = [len(ids) for _, ids in questions]
        # shorter ones are padded at the end: what comes later is not seen, and is written over
        padded = [[*ids] + [ids[-1]] * (max(lengths) - len(ids)) for _, ids in questions]
        features = self.features([view for views, _ in questions for view in views])
        place = Place(self.cache, self._tensor(rows), self._tensor([0] * len(rows)))
        states = self.model.decoder(self.model.embeddings(self._tensor(padded), features), place)  # (B, T, W)
        for row, length in zip(rows, lengths, strict=True):
            self.lengths[row] = length
        return self.model.decoder.head(states[self._tensor(range(len(rows))), self._tensor(lengths) - 1])

    @torch.inference_mode()
    def step(self, tokens: Sequence[int], bans: Sequence[Sequence[int]]) -> Chosen:
        """The token after each of `tokens`, which are the next of the first rows, with its probability."""
        count = len(tokens)
        if self.recorder:
            logits = self._replayed(tokens)
        else:
            logits = self._forward(self._tensor(tokens), self._tensor(self.lengths[:count]), self._span(count, _STEP))
        for row in range(count):
            self.lengths[row] += 1
        return self.choose(logits, bans)

    @torch.inference_mode()
    def move(self, source: int, target: int) -> None:
        """Put a row in the place of another."""
        self.cache.move(source, target)
        self.lengths[target] = self.lengths[source]

    @torch.inference_mode()
    def features(self, views: Sequence[np.ndarray]) -> Tensor:
        """(N, W): the image tokens of all views, in their order; those of one size are encoded together."""
        found = []
        for _, same in groupby(views, lambda view: view.shape):
            stacked = torch.stack([torch.from_numpy(view) for view in same])
            found += [self.model.features([part.to(self.example.device)]) for part in stacked.split(self.together)]
        return torch.cat(found)

    def choose(self, logits: Tensor, bans: Sequence[Sequence[int]]) -> Chosen:
        """The likeliest token of each row of (B, V) that isn't banned, and its probability before any was.

        An image token is never an answer.
        """
        logits = logits.float()
        total = logits.logsumexp(-1)
        rows = [row for row, banned in enumerate(bans) for _ in banned]
        logits[:, self.model.config.image_token] = -torch.inf
        if rows:
            logits[rows, [token for banned in bans for token in banned]] = -torch.inf
        best, ids = logits.max(-1)
        return ids.tolist(), (best - total).exp().tolist()

    def _forward(self, tokens: Tensor, start: Tensor, span: int) -> Tensor:
        """(B, V): the logits after one token more in each of the first rows."""
        place = Place(self.cache, torch.arange(len(tokens), device=tokens.device), start, span)
        embedded = self.model.decoder.embed(tokens[:, None]).to(self.example.dtype)
        return self.model.decoder.head(self.model.decoder(embedded, place)[:, 0])

    def _replayed(self, tokens: Sequence[int]) -> Tensor:
        """The same, recorded: for each power of 2 rows, and every so many tokens, once."""
        assert self.recorder
        if not self._recorded:
            self._recorded = _Recorded(self._forward, self.recorder(self.example.device), self._blank())
        count = len(tokens)
        rows = min(1 << (count - 1).bit_length(), self.cache.rows)
        # rows without a question add a token too: after what they hold, seen by nobody, written over later
        start = [min(length, self.cache.length - 1) for length in self.lengths[:rows]]
        return self._recorded([*tokens] + [0] * (rows - count), start, self._span(count, _RECORDED_STEP))[:count]

    def _blank(self) -> Tensor:
        return self.example.new_empty(self.cache.rows, self.model.config.decoder.vocabulary)

    def _span(self, count: int, step: int) -> int:
        """How many tokens of the cache attention looks at when the first `count` rows take one more."""
        return min(-(-(max(self.lengths[:count]) + 1) // step) * step, self.cache.length)

    def _tensor(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.long, device=self.example.device)


class _Recorded:
    """The steps of one cache: (B, V) logits after (B) tokens at (B) places, by what was recorded for their number."""

    def __init__(self, forward: Callable[[Tensor, Tensor, int], Tensor], record: Record, logits: Tensor) -> None:
        self.forward, self.record, self.logits = forward, record, logits
        self.numbers = torch.zeros(2, len(logits), dtype=torch.long, device=logits.device)
        self.runs: dict[tuple[int, int], Run] = {}

    def __call__(self, tokens: list[int], start: list[int], span: int) -> Tensor:
        """The logits, until the next call."""
        count = len(tokens)
        numbers, logits = self.numbers[:, :count], self.logits[:count]
        numbers.copy_(torch.tensor([tokens, start]))

        def run() -> None:
            logits.copy_(self.forward(numbers[0], numbers[1], span))

        if (count, span) not in self.runs:
            self.runs[count, span] = self.record(run)  # may run it: that writes what the next line writes
        self.runs[count, span]()
        return logits


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
