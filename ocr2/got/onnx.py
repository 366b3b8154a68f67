"""The model on onnxruntime: a folder with encoder.onnx and decoder.onnx reads without torch.

B rows, T tokens of each, W the decoder's width, V the vocabulary, L layers, H heads of keys and values of width D, S
tokens that the cache has room for, P places that logits are wanted for, A the tokens guessed ahead.
"""

from __future__ import annotations

import json
import os
from base64 import b85decode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime

from ocr2.errors import BadCheckpoint, BadInput, BadOutput
from ocr2.got.config import GOTConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocr2.got.model import GOT
    from ocr2.got.prompt import Tokenizer

    Question = tuple[Sequence[np.ndarray], Sequence[int]]
    Chosen = tuple[list[list[int]], list[list[float]], list[list[list[int]]]]
    Ports = dict[str, tuple[str, tuple[int | str, ...]]]
    """Type and shape of inputs or outputs by their names; a name in a shape is for any length."""

FORMAT, VERSION = "ocr2-onnx", 3
Precision = Literal["int8", "fp32"]
PARTS = ("encoder", "decoder")
_PROBE = b85decode(
    "2nafq0SXuj0eA`lcM<`4A`MMpbWL?^Np5syXJv8{0dOiy2m}Za5CcL1cS=Bie}8{}e}8{}e}8{}e}8{}e}8{}e}8{}e}8{}e}8{}"
    "e}8{}e}8{}e}8{}e}8{}e}8{}e}8{}e}8{}e}8{k6AA%%5)KLs2m%ra3IYfL3IYfOViO7hc@ho^3<w4i2nqrS0SW>L5JChB01yo"
)
"""A graph: (1, 4) bytes by a matrix (4, 16) of 127."""
_CHUNK = 512
"""Tokens of a question that are read at once: their scores are T × S numbers for each head."""
_STEP = 256
"""The cache grows by this many tokens: each time it is copied, and each step reads all of it."""


def export(model: GOT, folder: str | Path, tokenizer: Tokenizer, precision: Precision = "int8") -> None:
    """Writes a folder that `ocr2 read --model FOLDER` reads without torch: whole, or not at all.

    An older model of that name is replaced. Raises BadOutput where it can't be written, or has a network of another
    kind than nano's.
    """
    try:
        from ocr2.got import graphs
    except ModuleNotFoundError as error:
        raise BadOutput(f"to export needs the package {error.name}: pip install 'ocr2[onnx]'") from error
    from ocr2.got.checkpoint import _whole, _write_json, _write_tokenizer
    from ocr2.got.model import MEAN, STD, changed

    if precision not in ("int8", "fp32"):
        raise BadInput(f"precision {precision!r} is unknown: expected int8 or fp32")
    if changed(model):
        raise BadOutput("the model was changed after it was made (int8, compiled): export the one it was made from")
    weights = {name: values.detach().float().cpu().numpy() for name, values in model.named_parameters()}
    if broken := [name for name, values in weights.items() if not np.isfinite(values).all()]:
        raise BadOutput(f"{broken[0]} has infinite or undefined numbers: expected a model whose training went well")
    files = {
        "encoder.onnx": graphs.encoder(model.config, weights, (MEAN, STD), precision == "int8"),
        "decoder.onnx": graphs.decoder(model.config, weights, precision == "int8"),
    }
    record = {"format": FORMAT, "version": VERSION, "precision": precision, **model.config.to_json()}
    with _whole(Path(folder)) as part:
        _write_json(part / "config.json", record)
        for name, content in files.items():
            (part / name).write_bytes(content)
        _write_tokenizer(part, tokenizer)


def is_exported(folder: Path) -> bool:
    """Whether a folder has the graphs of a GOT model, whatever its config says."""
    return (folder / "decoder.onnx").exists()


def described(folder: Path) -> tuple[GOTConfig, str] | None:
    """The architecture of an exported folder and its precision; None where it is no such folder.

    Raises BadCheckpoint for a config that is wrong, or is none beside graphs.
    """
    path = folder / "config.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if is_exported(folder):
            raise BadCheckpoint(f"{path} can't be read ({error!s:.200}): copy or export the model again") from error
        return None
    kind = record.pop("format", record.get("model_type")) if isinstance(record, dict) else None
    if kind is None and is_exported(folder):
        raise BadCheckpoint(f"{path} has no format, beside graphs: expected {FORMAT!r}; copy or export the model again")
    if kind != FORMAT:
        return None
    version, precision = record.pop("version", None), record.pop("precision", None)
    if version != VERSION:
        raise BadCheckpoint(
            f"{path}: version {version!r:.80}: expected {VERSION}; export the model anew, with this ocr2"
        )
    if precision not in ("int8", "fp32"):
        raise BadCheckpoint(f"{path}: precision {precision!r:.80}: expected int8 or fp32; export the model anew")
    try:
        return GOTConfig.from_json(record), precision
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{path}: {error}") from error


def ports(config: GOTConfig) -> dict[str, tuple[Ports, Ports]]:
    """Inputs and outputs of encoder and decoder."""
    it, head = config.decoder, config.decoder.width // config.decoder.heads
    sides: tuple[int | str, ...] = (config.encoder.side,) * 2 if config.encoder.square else ("height", "width")
    ids: Ports = {"ids": ("int64", ("B", "T")), "features": ("float", ("N", it.width))}
    where: Ports = {"starts": ("int64", ("B",)), "wanted": ("int64", ("P",))}
    keys: Ports = {f"keys.{n}": ("float", ("B", it.kv_heads, head, "S")) for n in range(it.layers)}
    values: Ports = {f"values.{n}": ("float", ("B", it.kv_heads, "S", head)) for n in range(it.layers)}
    told: Ports = {
        "logits": ("float", ("B", "P", it.vocabulary)),
        "kept": ("float", (2 * it.layers, "B", it.kv_heads, "T", head)),
    }
    guesses: Ports = {"guesses": ("int64", ("B", it.ahead)), "place": ("int64", ("B",))}
    return {
        "encoder": ({"views": ("uint8", ("V", 3, *sides))}, {"features": ("float", ("V", "N", it.width))}),
        "decoder": (ids | where | keys | values, told | (guesses if it.ahead else {})),
    }


class OnnxRunner:
    """The graphs of a folder and a cache. The rows of a call are the first of the cache."""

    def __init__(
        self, folder: Path, config: GOTConfig, threads: int | None = None, careful: bool | None = None
    ) -> None:
        """On so many threads, by default all processors that it may use. Raises BadCheckpoint.

        `careful` is for processors that overflow; by default this one is asked.
        """
        threads = threads or _processors()
        careful = overflows() if careful is None else careful
        self.config, self.context, self.ahead = config, config.context, config.decoder.ahead
        self.encoder, self.decoder = (session(folder / f"{part}.onnx", threads, careful) for part in PARTS)
        expected = ports(config)
        for part, loaded in zip(PARTS, (self.encoder, self.decoder), strict=True):
            _check_ports(folder / f"{part}.onnx", loaded, *expected[part])
        it = config.decoder
        self.names = [f"{part}.{n}" for part in ("keys", "values") for n in range(it.layers)]
        self.outputs = list(expected["decoder"][1])
        self.values = np.zeros((it.layers, 0, it.kv_heads, 0, it.width // it.heads), np.float32)
        """(L, rows, H, S, D)."""
        self.keys = self.values.swapaxes(3, 4)
        """(L, rows, H, D, S): a product is quickest where what it makes is next to each other."""
        self._try(folder)

    def resize(self, rows: int, length: int) -> None:
        """Make room for so many rows; the first keep what they hold. Room for tokens is made as they come."""
        self._grow(rows, min(self.values.shape[3], length))

    def move(self, source: int, target: int) -> None:
        """Put one row in the place of another."""
        for part in (self.keys, self.values):
            part[:, target] = part[:, source]

    def begin(
        self, rows: Sequence[int], questions: Sequence[Question], bans: Sequence[Sequence[int]]
    ) -> tuple[list[int], list[float], list[list[int]]]:
        """The first token of the answer to each question, its probability and guesses; row i now holds question i."""
        replies = [self._read(row, *question, ban) for row, question, ban in zip(rows, questions, bans, strict=True)]
        tokens, scores, guesses = ([part[0][0] for part in parts] for parts in zip(*replies, strict=True))
        return tokens, scores, guesses

    def _read(self, row: int, views: Sequence[np.ndarray], ids: Sequence[int], ban: Sequence[int]) -> Chosen:
        """What follows a question, which is read some tokens at a time."""
        asked = np.array(ids, np.int64)[None]
        features = self.features(views)
        self._reserve(asked.shape[1])
        for start in range(0, asked.shape[1], _CHUNK):
            part = asked[:, start : start + _CHUNK]
            last = part.shape[1] - 1
            told = self._run(slice(row, row + 1), np.array([start]), part, np.array([last]), features)
            features = features[np.count_nonzero(part == self.config.image_token) :]
        return self._chosen(told, [ban])

    def step(self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]) -> Chosen:
        """What follows each of `tokens`, which come after the first `starts` of the first rows.

        Guesses are made at the last place of each row where all tokens before are the chosen ones, and at no other.
        """
        given = np.array(tokens, np.int64)
        rows, count = given.shape
        self._reserve(max(starts) + count)
        told = self._run(slice(0, rows), np.array(starts), given, np.arange(count), self.features(()))
        return self._chosen(told, bans)

    def features(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """(N, W): the image tokens of all views, in their order.

        One by one: two to sixteen together took 0.92 to 1.14 times as long (nano, one thread).
        """
        found = [self.encoder.run(["features"], {"views": view[None]})[0][0] for view in views]
        return np.concatenate([*found, np.zeros((0, self.config.decoder.width), np.float32)])

    def _run(
        self, rows: slice, starts: np.ndarray, ids: np.ndarray, wanted: np.ndarray, features: np.ndarray
    ) -> list[np.ndarray]:
        """The decoder's outputs for tokens (B, T) after the first `starts` (B); the cache of the rows holds them."""
        if not len(features):
            features = np.zeros((1, self.config.decoder.width), np.float32)  # for no token
        feed = {"ids": ids, "features": features, "starts": starts, "wanted": wanted}
        # a part of a question is given what is before it alone; a step takes the cache as it lies, without a copy
        room = slice(None) if len(wanted) == ids.shape[1] else slice(max(1, int(starts[0])))
        feed |= zip(self.names, [*self.keys[:, rows, :, :, room], *self.values[:, rows, :, room]], strict=True)
        told: list[np.ndarray] = self.decoder.run(self.outputs, feed)
        keys, values = np.split(told[1], 2)  # (L, B, H, T, D) each
        for n, start in enumerate(starts.tolist()):
            row, places = rows.start + n, slice(start, start + ids.shape[1])
            self.keys[:, row, :, :, places] = keys[:, n].swapaxes(2, 3)
            self.values[:, row, :, places] = values[:, n]
        return told

    def _chosen(self, told: list[np.ndarray], bans: Sequence[Sequence[int]]) -> Chosen:
        """The likeliest token at each place that isn't banned, at the first, and its probability before any was.

        An image token is never an answer.
        """
        logits = told[0]  # (B, P, V)
        with np.errstate(all="ignore"):  # what isn't a number is told by its score
            logits -= logits.max(-1, keepdims=True)
            total = np.exp(logits).sum(-1)
            logits[..., self.config.image_token] = -np.inf
            for row, banned in enumerate(bans):
                if len(banned):
                    logits[row, 0, list(banned)] = -np.inf
            ids = logits.argmax(-1)  # (B, P)
            best = np.take_along_axis(logits, ids[..., None], -1)
            scores = np.exp(best)[..., 0] / total
        guesses: list[list[list[int]]] = [[[] for _ in range(ids.shape[1])] for _ in ids]
        if self.ahead:
            for places, place, found in zip(guesses, told[3].tolist(), told[2].tolist(), strict=True):
                places[place] = found
        return ids.tolist(), scores.tolist(), guesses

    def _reserve(self, length: int) -> None:
        if length > self.values.shape[3]:
            self._grow(self.values.shape[1], min(-(-length // _STEP) * _STEP, self.context))

    def _grow(self, rows: int, length: int) -> None:
        """Another cache, with what there is room for of this one."""
        layers, old_rows, heads, old_length, width = self.values.shape
        if (rows, length) != (old_rows, old_length):
            kept, places = (slice(None), slice(min(rows, old_rows)), slice(None)), slice(min(length, old_length))
            keys = np.zeros((layers, rows, heads, width, length), np.float32)
            keys[*kept, :, places] = self.keys[*kept, :, places]
            self.keys = keys
            values = np.zeros((layers, rows, heads, length, width), np.float32)
            values[*kept, places] = self.values[*kept, places]
            self.values = values

    def _try(self, folder: Path) -> None:
        """Run both once on an empty view: what only looks like the model is noticed here, not on the first page."""
        it = self.config
        side = it.encoder.side if it.encoder.square else 64
        try:
            features = self.features([np.zeros((3, side, side), np.uint8)])
            self.resize(1, 1)
            self._reserve(1)
            one = np.ones((1, 1), np.int64)
            told = self._run(slice(0, 1), np.array([0]), one * it.image_token, np.array([0]), features)
            shapes = [tuple(part.shape) for part in (features, *told)]
        except Exception as error:
            raise BadCheckpoint(
                f"{folder}: its graphs can't be run ({_first(error)}): export the model anew"
            ) from error
        finally:
            self.resize(0, 0)
        tokens, heads = it.encoder.tokens(side, side), (it.decoder.kv_heads, 1, it.decoder.width // it.decoder.heads)
        expected: list[tuple[int, ...]] = [(tokens, it.decoder.width), (1, 1, it.decoder.vocabulary)]
        expected += [(2 * it.decoder.layers, 1, *heads), *[(1, self.ahead), (1,)][: 2 * bool(self.ahead)]]
        if shapes != expected:
            raise BadCheckpoint(f"{folder}: its graphs tell {shapes}: expected {expected}, as config.json says")


def session(path: Path, threads: int, careful: bool) -> onnxruntime.InferenceSession:
    """A graph ready to run; `careful` where this processor `overflows`.

    Raises BadCheckpoint for what is none, or names other files.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # errors come as exceptions: they needn't be printed too
    options.enable_mem_pattern = False  # it would remember every size of view that it ever saw
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # don't burn a core while waiting
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if careful:
        options.add_session_config_entry("session.x64quantprecision", "1")  # exact, and slower
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadCheckpoint(f"{path} can't be read ({error.strerror}): copy or export the model again") from error
    if b"location" in content:  # weights in another file, of any path, are told by this word
        raise BadCheckpoint(f"{path} keeps weights in other files, which are not read: expected all of them in it")
    try:
        # Its fallback is this provider once more, and is told on stdout.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:
        raise BadCheckpoint(
            f"{path} can't be loaded ({_first(error)}): expected a graph that ocr2 exported, undamaged, and "
            "onnxruntime 1.19 or newer"
        ) from error


@cache
def overflows() -> bool:
    """Whether this processor adds products of bytes in 16 bits, which are too few: those of x86 without VNNI do."""
    product = onnxruntime.InferenceSession(_PROBE, providers=["CPUExecutionProvider"])
    largest = np.full((1, 4), 255, np.uint8)
    return bool((product.run(None, {"x": largest})[0] != 4 * 255 * 127).any())


def _check_ports(path: Path, loaded: onnxruntime.InferenceSession, given: Ports, told: Ports) -> None:
    """Raises BadCheckpoint where a graph has other inputs or outputs than the config calls for."""
    for kind, found, expected in (("input", loaded.get_inputs(), given), ("output", loaded.get_outputs(), told)):
        try:
            there = {port.name: (port.type, port.shape) for port in found}
        except UnicodeDecodeError as error:
            raise BadCheckpoint(f"{path} has an {kind} with a damaged name: copy or export the model again") from error
        if there.keys() != expected.keys():
            raise BadCheckpoint(
                f"{path} has the {kind}s {', '.join(there):.200}: expected {', '.join(expected):.200}, as config.json "
                "says; export the model anew"
            )
        for name, (type_, shape) in expected.items():
            found_type, found_shape = there[name]
            if found_type != f"tensor({type_})" or not _fits(found_shape, shape):
                raise BadCheckpoint(
                    f"{path}: {kind} {name} is {found_type} of {found_shape}: expected {type_} of {list(shape)}, as "
                    "config.json says; export the model anew"
                )


def _fits(found: Sequence[Any], expected: Sequence[int | str]) -> bool:
    pairs: Iterator[tuple[Any, int | str]] = zip(found, expected, strict=False)
    return len(found) == len(expected) and all(isinstance(two, str) or one == two for one, two in pairs)


def _first(error: Exception) -> str:
    """The first line of what onnxruntime says."""
    return f"{(str(error).splitlines() or [type(error).__name__])[0]:.200}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
