"""The model as two ONNX graphs, made node by node: a config and its weights go in, the contents of files come out.

V views; h × w the grid of patches; B rows, T tokens of each; W width, H heads, D = W / H, S places of the cache, the
first of which a row has filled; P places that logits are wanted for, A tokens guessed ahead, L layers, N image tokens.
What goes into the graphs and comes out is told by `ports` in onnx.py. They know any multiples of 64 for the sides of a
view, any number of rows and tokens, and any length of the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ocr2.errors import BadOutput
from ocr2.got.config import DecoderConfig
from ocr2.got.nodes import MICROSOFT, Graph, quantized
from ocr2.got.onnx import ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.got.config import GOTConfig
    from ocr2.got.nodes import Weights

    Colors = tuple[Sequence[float], Sequence[float]]

PATCH = 16
_FLOAT, _LONG = TensorProto.FLOAT, TensorProto.INT64


def encoder(config: GOTConfig, weights: Weights, colors: Colors, int8: bool) -> bytes:
    """Views → features. `colors` are the mean and the deviation that pixels are normalised by."""
    if config.encoder.positions != "rotary":
        raise BadOutput(f"an encoder with positions={config.encoder.positions!r} has no ONNX export: expected 'rotary'")
    return _Encoder(Graph(weights, int8), config).graph(colors)


def decoder(config: GOTConfig, weights: Weights, int8: bool) -> bytes:
    """Ids, features and a cache → logits, what the cache is to keep, and guesses where there are heads for them."""
    if not isinstance(config.decoder, DecoderConfig):
        raise BadOutput("an OPT decoder has no ONNX export: expected a model of stage 2 or 3")
    return _Decoder(Graph(weights, int8), config, config.decoder).graph()


class _Encoder:
    def __init__(self, g: Graph, whole: GOTConfig) -> None:
        self.g, self.whole, self.config = g, whole, whole.encoder
        self.turns: dict[tuple[str, str, int], tuple[str, str]] = {}
        """Cosines and sines for a grid, given by the names of its sides and the pixels between its places."""

    def graph(self, colors: Colors) -> bytes:
        g = self.g
        mean, deviation = (np.array(part, np.float32).reshape(3, 1, 1) for part in colors)
        pixels = g.op("Mul", g.op("Cast", "views", to=_FLOAT), g.array("contrast", 1 / (255 * deviation)))
        x = self.stem(g.op("Sub", pixels, g.array("dark", mean / deviation)))  # (V, h, w, W)
        self.h, self.w = g.size(x, 1), g.size(x, 2)
        for n in range(self.config.layers):
            x = self.layer(x, f"encoder.layers.{n}", n in self.config.global_layers)
        g.named("features", g.linear(self.down(x), "connector"))
        return g.finished(*ports(self.whole)["encoder"])

    def stem(self, x: str) -> str:
        if self.config.stem == "patch":
            x = self.convolution(x, "encoder.stem", PATCH, 0)
            return str(self.g.op("Transpose", x, perm=(0, 2, 3, 1)))
        for n in range(0, 12, 3):
            x = self.convolution(x, f"encoder.stem.{n}", 2, 1)
            x = self.g.op("Transpose", x, perm=(0, 2, 3, 1))
            x = self.g.op("Gelu", self.norm(x, f"encoder.stem.{n + 1}", 1e-5))
            if n < 9:
                x = self.g.op("Transpose", x, perm=(0, 3, 1, 2))
        return self.g.linear(x, "encoder.stem.12")

    def convolution(self, x: str, name: str, stride: int, padding: int) -> str:
        weight = self.g.weight(f"{name}.weight")
        bias = [self.g.weight(f"{name}.bias")] if f"{name}.bias" in self.g.weights else []
        return str(self.g.op("Conv", x, weight, *bias, strides=(stride, stride), pads=(padding,) * 4))

    def norm(self, x: str, name: str, eps: float | None = None) -> str:
        parts = self.g.weight(f"{name}.weight"), self.g.weight(f"{name}.bias")
        return str(self.g.op("LayerNormalization", x, *parts, axis=-1, epsilon=eps or self.config.eps))

    def layer(self, x: str, name: str, everywhere: bool) -> str:
        g = self.g
        attend = self.globally if everywhere else self.in_windows
        mixed = attend(self.norm(x, f"{name}.norm1"), f"{name}.attention")
        x = g.op("Add", x, g.linear(mixed, f"{name}.attention.out"))
        y = g.op("Gelu", g.linear(self.norm(x, f"{name}.norm2"), f"{name}.mlp.0"))
        return str(g.op("Add", x, g.linear(y, f"{name}.mlp.2")))

    def globally(self, x: str, name: str) -> str:
        """Queries of all patches, keys and values of the means of pool × pool: a linear map's mean is the mean's."""
        g, width, pool = self.g, self.config.width, self.config.pool
        grid, few = (self.h, self.w), x
        if pool > 1:
            grid = self.divided(self.h, pool), self.divided(self.w, pool)
            few = g.reshape(x, 0, grid[0], pool, grid[1], pool, width)
            few = g.op("ReduceMean", few, g.longs(2, 4), keepdims=0)
        q = self.turned(g.reshape(g.linear(x, f"{name}.qkv", slice(0, width)), 0, -1, width), (self.h, self.w), 1)
        both = g.reshape(g.linear(few, f"{name}.qkv", slice(width, 3 * width)), 0, -1, 2 * width)
        k, v = g.op("Split", both, outputs=2, axis=-1, num_outputs=2)
        return g.reshape(self.attention(q, self.turned(k, grid, pool), v), 0, self.h, self.w, width)

    def in_windows(self, x: str, name: str) -> str:
        """Windows of one size, as even as they can be. Padding is zeros before the linear map, its bias after it."""
        g, width = self.g, self.config.width
        (rows, high), (columns, wide) = self.windows(self.h), self.windows(self.w)
        padded = g.op("Mul", rows, high), g.op("Mul", columns, wide)
        below, beside = g.op("Sub", padded[0], self.h), g.op("Sub", padded[1], self.w)
        x = g.op("Pad", x, g.shape(0, 0, 0, 0, 0, below, beside, 0))
        x = g.op("Transpose", g.reshape(x, 0, rows, high, columns, wide, width), perm=(0, 1, 3, 2, 4, 5))
        x = g.reshape(x, -1, g.op("Mul", high, wide), width)  # (V · windows, places, W)
        q, k, v = g.op("Split", g.linear(x, f"{name}.qkv"), outputs=3, axis=-1, num_outputs=3)
        x = self.attention(self.turned(q, (high, wide), 1), self.turned(k, (high, wide), 1), v)
        x = g.op("Transpose", g.reshape(x, -1, rows, columns, high, wide, width), perm=(0, 1, 3, 2, 4, 5))
        x = g.reshape(x, -1, *padded, width)
        return str(g.op("Slice", x, g.longs(0, 0), g.shape(self.h, self.w), g.longs(1, 2)))

    def windows(self, side: str) -> tuple[str, str]:
        """How many windows cover a side, and how many patches long each is."""
        count = self.divided(side, self.config.window)
        return count, str(self.g.op("Div", self.g.op("Sub", self.g.op("Add", side, count), self.g.longs(1)), count))

    def divided(self, side: str, by: int) -> str:
        """Rounded up."""
        return str(self.g.op("Div", self.g.op("Add", side, self.g.longs(by - 1)), self.g.longs(by)))

    def attention(self, q: str, k: str, v: str) -> str:
        """(B, places, W) → the same shape."""
        return str(self.g.op("MultiHeadAttention", q, k, v, domain=MICROSOFT, num_heads=self.config.heads))

    def turned(self, x: str, grid: tuple[str, str], stride: int) -> str:
        """(B, h w, W) turned by its places: see `rotate` in encoder.py."""
        key = (*grid, stride)
        if key not in self.turns:
            self.turns[key] = self.rotations(*grid, stride)
        return str(self.g.op("RotaryEmbedding", x, self.g.longs(0), *self.turns[key], domain=MICROSOFT))

    def rotations(self, h: str, w: str, stride: int) -> tuple[str, str]:
        """Cosines and sines, (h w, D / 2) each."""
        g, quarter = self.g, self.config.width // self.config.heads // 4
        frequency = g.array("frequency", np.float32(100.0) ** (-np.arange(quarter, dtype=np.float32) / quarter))
        parts = []
        for side, axes in ((h, (1, 2)), (w, (0, 2))):
            places = g.op("Range", *[g.op("Squeeze", n) for n in (g.longs(0), side, g.longs(1))])
            places = g.op("Mul", g.op("Cast", places, to=_FLOAT), g.floats(float(stride)))
            places = g.op("Unsqueeze", g.op("Add", places, g.floats((stride - 1) / 2)), g.longs(*axes))
            parts.append(g.op("Expand", g.op("Mul", places, frequency), g.shape(h, w, quarter)))
        angle = g.reshape(g.op("Concat", *parts, axis=-1), -1, 2 * quarter)
        return g.op("Cos", angle), g.op("Sin", angle)

    def down(self, x: str) -> str:
        """The neck and the two last convolutions: (V, h, w, W) → (V, N, C)."""
        g, eps = self.g, self.config.eps
        x = self.norm(g.op("MatMul", x, self.matrix("encoder.neck.0.weight")), "encoder.neck.1", eps)
        x = self.convolution(g.op("Transpose", x, perm=(0, 3, 1, 2)), "encoder.neck.2", 1, 1)
        x = self.norm(g.op("Transpose", x, perm=(0, 2, 3, 1)), "encoder.neck.3", eps)
        x = self.convolution(g.op("Transpose", x, perm=(0, 3, 1, 2)), "encoder.down.0", 2, 1)
        x = self.convolution(x, "encoder.down.1", 2, 1)
        return str(g.op("Transpose", g.reshape(x, 0, self.config.out[1], -1), perm=(0, 2, 1)))

    def matrix(self, name: str) -> str:
        """A convolution of 1 × 1 as a matrix (inputs, outputs)."""
        return self.g.array(name, self.g.weights[name][..., 0, 0].T)


class _Decoder:
    def __init__(self, g: Graph, whole: GOTConfig, config: DecoderConfig) -> None:
        self.g, self.whole, self.config, self.image = g, whole, config, whole.image_token
        self.head_width = config.width // config.heads
        self.kept: list[str] = []

    def graph(self) -> bytes:
        g, it = self.g, self.config
        x = self.embedded()  # (B, T, W)
        self.prepare()
        for n in range(it.layers):
            x = self.layer(x, n, f"decoder.layers.{n}")
        states = g.op("Gather", self.norm(x, "decoder.norm", it.eps), "wanted", axis=1)  # (B, P, W)
        logits = self.head(states)
        g.named("logits", logits)
        kept = g.op("Concat", *self.kept[::2], *self.kept[1::2], axis=0)
        g.named("kept", g.reshape(kept, 2 * it.layers, -1, it.kv_heads, self.t, self.head_width))
        if it.ahead:
            self.guess(states, logits)
        return g.finished(*ports(self.whole)["decoder"])

    def embedded(self) -> str:
        """Embeddings of ids, with the next of the features at each place for an image token."""
        g, table = self.g, self.g.weights["decoder.embed.weight"]
        if g.int8:
            whole, scale = quantized(table)
            rows = g.op("Cast", g.op("Gather", g.array("embed", whole), "ids"), to=_FLOAT)
            scales = g.op("Gather", g.array("embed.scale", scale), "ids")
            words = g.op("Mul", rows, g.op("Unsqueeze", scales, g.longs(-1)))
        else:
            words = g.op("Gather", g.array("embed", table), "ids")
        image = g.op("Equal", "ids", g.longs(self.image))
        flat = g.reshape(g.op("Cast", image, to=_LONG), -1)
        order = g.op("Sub", g.op("CumSum", flat, g.array("axis", np.array(0, np.int64))), g.longs(1))
        order = g.op("Reshape", g.op("Max", order, g.longs(0)), g.op("Shape", "ids"))
        return str(g.op("Where", g.op("Unsqueeze", image, g.longs(-1)), g.op("Gather", "features", order), words))

    def prepare(self) -> None:
        """What all layers share: how far to turn, and what is seen of the cache and of this call."""
        g, half = self.g, self.head_width // 2
        self.t = g.size("ids", 1)
        steps = g.op("Range", *[g.op("Squeeze", n) for n in (g.longs(0), self.t, g.longs(1))])  # (T)
        places = g.op("Add", g.op("Unsqueeze", "starts", g.longs(1)), steps)  # (B, T)
        frequency = np.float32(self.config.theta) ** (-np.arange(half, dtype=np.float32) / half)
        angle = g.op("Cast", g.reshape(places, -1, 1), to=_FLOAT)
        angle = g.op("Mul", angle, g.array("frequency", frequency))  # (B T, D / 2)
        root = g.floats(self.head_width**-0.25)  # of queries and of keys: scores are divided by √D
        self.turn = g.op("Mul", g.op("Cos", angle), root), g.op("Mul", g.op("Sin", angle), root)
        whole = g.op("Range", *[g.op("Squeeze", n) for n in (g.longs(0), g.op("Size", "ids"), g.longs(1))])
        self.order = g.op("Reshape", whole, g.op("Shape", "ids"))  # (B, T): the row of `turn`
        s = g.size("keys.0", 3)
        room = g.op("Range", *[g.op("Squeeze", n) for n in (g.longs(0), s, g.longs(1))])  # (S)
        filled = g.op("Less", room, g.op("Unsqueeze", "starts", g.longs(1, 2, 3)))  # (B, 1, 1, S)
        before = g.op("LessOrEqual", steps, g.op("Unsqueeze", steps, g.longs(1)))  # (T, T)
        self.past, self.call = (g.op("Where", seen, g.floats(0), g.floats(-np.inf)) for seen in (filled, before))
        self.parts = g.shape(s, self.t)
        # tokens that are multiplied together, M: one in a step, where all are wanted; else all
        m = g.op("Where", g.op("Equal", g.op("Size", "wanted"), self.t), g.longs(1), self.t)
        self.apart, self.seen_apart = (g.shape(0, 0, -1, m, last) for last in (self.head_width, s))
        self.seen = g.shape(0, 0, -1, s)
        self.groups = self.config.heads // self.config.kv_heads
        if self.groups > 1:  # the queries that share keys stand below each other
            self.call = g.op("Tile", self.call, g.longs(self.groups, 1))

    def norm(self, x: str, name: str, eps: float) -> str:
        weight = self.g.weight(f"{name}.weight")
        return str(self.g.op("SimplifiedLayerNormalization", x, weight, axis=-1, epsilon=eps, stash_type=1))

    def layer(self, x: str, n: int, name: str) -> str:
        g, it = self.g, self.config
        mixed = self.attention(self.norm(x, f"{name}.norm1", it.eps), n, f"{name}.attention")
        x = g.op("Add", x, g.linear(mixed, f"{name}.attention.out"))
        both = g.linear(self.norm(x, f"{name}.norm2", it.eps), f"{name}.gate_up")
        gate, up = g.op("Split", both, outputs=2, axis=-1, num_outputs=2)
        return str(g.op("Add", x, g.linear(g.op("Mul", self.silu(gate), up), f"{name}.down")))

    def silu(self, x: str) -> str:
        return str(self.g.op("QuickGelu", x, domain=MICROSOFT, alpha=1.0))

    def attention(self, x: str, n: int, name: str) -> str:
        """Causal attention to the filled part of the cache and to this call: one softmax over the scores of both.

        In a step, each token's product with the cache is one of its own: for several at once, onnxruntime rearranges
        all of the cache first.
        """
        g, it, d = self.g, self.config, self.head_width
        qk, v = g.op(
            "Split", g.linear(x, f"{name}.qkv"), g.longs((it.heads + it.kv_heads) * d, it.kv_heads * d),
            outputs=2, axis=-1,
        )  # fmt: skip
        qk = g.op("RotaryEmbedding", qk, self.order, *self.turn, domain=MICROSOFT)  # (B, T, (heads + KV) D)
        qk, v = (g.op("Transpose", g.reshape(part, 0, 0, -1, d), perm=(0, 2, 1, 3)) for part in (qk, v))
        q, k = g.op("Split", qk, g.longs(it.heads, it.kv_heads), outputs=2, axis=1)  # (B, H, T, D)
        self.kept += [k, v]
        if self.groups > 1:
            q = g.reshape(q, 0, it.kv_heads, -1, d)
        keys, values = (g.op("Unsqueeze", f"{name}.{n}", g.longs(2)) for name in ("keys", "values"))
        before = g.op("MatMul", g.op("Reshape", q, self.apart), keys)  # (B, H, T / M, M, S)
        now = g.op("FusedMatMul", q, k, domain=MICROSOFT, transB=1)  # (B, H, T, T)
        scores = g.op("Add", g.op("Reshape", before, self.seen), self.past), g.op("Add", now, self.call)
        shares = g.op("Softmax", g.op("Concat", *scores, axis=-1), axis=-1)
        past, call = g.op("Split", shares, self.parts, outputs=2, axis=-1)
        past = g.reshape(g.op("MatMul", g.op("Reshape", past, self.seen_apart), values), 0, 0, -1, d)
        mixed = g.op("Add", past, g.op("MatMul", call, v))  # (B, H, T, D)
        if self.groups > 1:
            mixed = g.reshape(mixed, 0, it.heads, -1, d)
        return g.reshape(g.op("Transpose", mixed, perm=(0, 2, 1, 3)), 0, 0, it.width)

    def head(self, states: str) -> str:
        """Logits of (…, W) states; the weights are the embedding's, which are stored once."""
        g = self.g
        if g.int8:  # turned when the graph is loaded
            return g.whole_product(states, g.op("Transpose", "embed", perm=(1, 0)), "embed.scale")
        return str(g.op("FusedMatMul", states, "embed", domain=MICROSOFT, transB=1))

    def guess_head(self, states: str, nowhere: str) -> str:
        """Logits of (B, A, W) states, for those tokens that are guessed. Its weights are made when the graph is loaded.

        In 8 bits they are the negative embedding: onnxruntime can't mend the overflow of older processors (see
        `session`) for a weight that two nodes share.
        """
        g, among = self.g, (self.g.longs(0), self.g.longs(self.config.guessed or self.config.vocabulary))
        table, nowhere = (g.op("Slice", each, *among) for each in ("embed", nowhere))
        if not g.int8:
            return str(g.op("Add", g.op("FusedMatMul", states, table, domain=MICROSOFT, transB=1), nowhere))
        turned = g.op("Transpose", g.op("Neg", table), perm=(1, 0))
        return str(g.op("Sub", nowhere, g.whole_product(states, turned, g.op("Slice", "embed.scale", *among))))

    def guess(self, states: str, logits: str) -> None:
        """The likeliest tokens after the next one, at the last place where all tokens before are the chosen ones."""
        g, it = self.g, self.config
        nowhere = np.zeros(it.vocabulary, np.float32)
        nowhere[self.image] = -np.inf  # an image token is never an answer
        nowhere_ = g.array("nowhere", nowhere)
        chosen = g.op("ArgMax", g.op("Add", logits, nowhere_), axis=-1, keepdims=0)  # (B, P)
        given = g.op("Gather", "ids", "wanted", axis=1)
        end = np.iinfo(np.int64).max
        wrong = g.op(
            "Not",
            g.op(
                "Equal",
                g.op("Slice", given, g.longs(1), g.longs(end), g.longs(1)),
                g.op("Slice", chosen, g.longs(0), g.longs(-1), g.longs(1)),
            ),
        )
        errors = g.op("CumSum", g.op("Cast", wrong, to=_LONG), g.array("along", np.array(1, np.int64)))
        right = g.op("Cast", g.op("Equal", errors, g.longs(0)), to=_LONG)
        place = g.op("ReduceSum", right, g.longs(1), keepdims=0)  # (B)
        g.named("place", place)
        at = g.op("GatherND", states, g.op("Unsqueeze", place, g.longs(1)), batch_dims=1)  # (B, W)
        heads = []
        for k in range(it.ahead):
            y = self.silu(g.linear(self.norm(at, f"ahead.{k}.norm", 1e-6), f"ahead.{k}.up"))
            heads.append(g.op("Unsqueeze", g.op("Add", at, g.linear(y, f"ahead.{k}.down")), g.longs(1)))
        further = self.guess_head(g.op("Concat", *heads, axis=1), nowhere_)  # (B, A, vocabulary)
        g.named("guesses", g.op("ArgMax", further, axis=-1, keepdims=0))
