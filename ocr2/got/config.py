"""The architecture as numbers: what `GOT` is built from, and what is saved beside its weights. Needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from ocr2.errors import BadCheckpoint

T = TypeVar("T")
STRIDE = 64
"""Pixels along a side of an image token: a patch is 16, and two convolutions halve twice."""


@dataclass(frozen=True)
class EncoderConfig:
    """VitDet (GOT §3.1): patches, attention within windows with some global layers, a neck, two stride-2 convolutions.

    The defaults are the paper's VitDet-B.
    """

    side: int = 1024
    """The longest side of a view in pixels."""
    square: bool = True
    """Every view is `side` × `side`, whatever the page's shape; else it is as small as the page needs."""
    enlarged: float = 1.0
    """How many times larger small pictures of small type are shown, at most, where views aren't square."""
    stem: Literal["patch", "conv"] = "patch"
    """How pixels become patches of 16 × 16: one linear map, or four 3 × 3 convolutions of stride 2."""
    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp: int = 3072
    window: int = 14
    """Patches along a side of an attention window."""
    global_layers: tuple[int, ...] = (2, 5, 8, 11)
    """Layers that attend to the whole view, counted from 0."""
    positions: Literal["relative", "rotary"] = "relative"
    """Learned absolute and decomposed relative positions (VitDet), or rotary ones in two dimensions."""
    pool: int = 1
    """Global layers attend to the means of this many × this many patches."""
    neck: int = 256
    """Channels after the neck."""
    out: tuple[int, int] = (512, 1024)
    """Channels after each of the last two convolutions; the second is the width of an image token."""
    eps: float = 1e-6

    def __post_init__(self) -> None:
        _bounded("encoder", self)
        _divides("encoder", heads=self.heads, width=self.width)
        _one_of("stem", self.stem, "patch", "conv")
        _one_of("positions", self.positions, "relative", "rotary")
        layers = self.global_layers
        if len(layers) > self.layers or not all(0 <= layer < self.layers for layer in layers):
            raise BadCheckpoint(f"encoder global_layers={layers!r:.80}: expected some of 0 to {self.layers - 1}")
        if len(self.out) != 2:
            raise BadCheckpoint(f"encoder out={self.out!r:.80}: expected two numbers, one for each of two convolutions")
        if self.pool not in (1, 2, 4):
            raise BadCheckpoint(f"encoder pool={self.pool}: expected 1, 2 or 4, as a view is 4, 8, … patches wide")
        if self.side % STRIDE:
            raise BadCheckpoint(f"encoder side={self.side}: expected a multiple of {STRIDE} pixels")
        if self.positions == "relative" and not (self.square and self.pool == 1):
            raise BadCheckpoint("encoder positions='relative' are learned for square views and pool=1: use 'rotary'")
        if self.positions == "rotary" and self.width // self.heads % 4:
            raise BadCheckpoint(f"encoder width/heads={self.width // self.heads}: 'rotary' wants a multiple of 4")
        if self.stem == "conv" and self.width < 8:
            raise BadCheckpoint(f"encoder width={self.width}: stem='conv' begins with an eighth of it, so at least 8")

    @property
    def least_tokens(self) -> int:
        """How many image tokens the smallest view becomes."""
        return (self.side // STRIDE) ** 2 if self.square else 1

    def tokens(self, height: int, width: int) -> int:
        """How many image tokens a view of that size becomes."""
        return (height // STRIDE) * (width // STRIDE)


@dataclass(frozen=True)
class DecoderConfig:
    """Qwen2 (GOT §3.1); the defaults are Qwen-0.5B. Rotary positions, RMSNorm, gated SiLU; embeddings are tied."""

    vocabulary: int = 151860
    width: int = 1024
    layers: int = 24
    heads: int = 16
    kv_heads: int = 16
    mlp: int = 2816
    theta: float = 1e6
    """The base of the rotary positions' wavelengths."""
    eps: float = 1e-6
    ahead: int = 0
    """How many further tokens are guessed with each next one, by a head each: verified, they are an answer sooner."""
    guessed: int = 0
    """Tokens that are guessed ahead: the first of the vocabulary, where those are the most frequent; 0 is all."""

    def __post_init__(self) -> None:
        _bounded("decoder", self)
        if self.guessed > self.vocabulary:
            raise BadCheckpoint(f"decoder guessed={self.guessed} is more than the vocabulary of {self.vocabulary}")
        _divides("decoder", heads=self.heads, width=self.width)
        _divides("decoder", kv_heads=self.kv_heads, heads=self.heads)
        if self.width // self.heads % 2:
            raise BadCheckpoint(
                f"decoder width/heads={self.width // self.heads}: its halves are turned, so make it even"
            )


@dataclass(frozen=True)
class OPTConfig:
    """OPT (GOT §3.2, the decoder of stage 1); the defaults are OPT-125M. Learned positions, LayerNorm, ReLU; tied."""

    vocabulary: int = 50272
    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp: int = 3072
    positions: int = 2048
    """The longest sequence."""
    eps: float = 1e-5

    def __post_init__(self) -> None:
        _bounded("decoder", self)
        _divides("decoder", heads=self.heads, width=self.width)

    @property
    def kv_heads(self) -> int:
        """As many as heads: what a cache asks of any decoder."""
        return self.heads

    @property
    def ahead(self) -> int:
        """It guesses no further tokens: it only teaches."""
        return 0

    @property
    def guessed(self) -> int:
        """All would be."""
        return 0


@dataclass(frozen=True)
class GOTConfig:
    """The whole model. `GOTConfig()` is the paper's of 580 M parameters; PRESETS has all that are named."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig | OPTConfig = field(default_factory=DecoderConfig)
    context: int = 8192
    """The longest sequence: prompt, image tokens and answer together."""
    image_token: int = 151859
    """The id that image tokens take the place of, `<imgpad>`."""
    asked: str = ""
    """The one question that the model knows, whatever the prompt; "" for all of GOT's."""
    checkpointing: bool = False
    """Training keeps each layer's input only and computes the rest again: less memory, a third more time."""

    def __post_init__(self) -> None:
        _bounded("the model's", self)
        if not 0 <= self.image_token < self.decoder.vocabulary:
            raise BadCheckpoint(f"image_token={self.image_token} is not in the vocabulary of {self.decoder.vocabulary}")
        if isinstance(self.decoder, OPTConfig) and self.context > self.decoder.positions:
            raise BadCheckpoint(f"context={self.context} is more than the decoder's positions={self.decoder.positions}")

    def to_json(self) -> dict[str, Any]:
        """A record of plain numbers and lists: the architecture, without how it was trained."""
        record = asdict(self) | {"decoder": {"kind": _KINDS[type(self.decoder)], **asdict(self.decoder)}}
        del record["checkpointing"]
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> GOTConfig:
        """What `to_json` wrote. Raises BadCheckpoint, which names the first field that is wrong."""
        rest = _mapping(record, "the config")
        encoder, decoder = _mapping(rest.pop("encoder", {}), "encoder"), _mapping(rest.pop("decoder", {}), "decoder")
        kind = decoder.pop("kind", "qwen2")
        kinds = {name: kind for kind, name in _KINDS.items()}
        if not isinstance(kind, str) or kind not in kinds:
            raise BadCheckpoint(f"decoder kind {kind!r:.80} is unknown: expected {' or '.join(map(repr, kinds))}")
        return filled(cls, rest | {"encoder": filled(EncoderConfig, encoder), "decoder": filled(kinds[kind], decoder)})


def filled(kind: type[T], record: dict[str, Any]) -> T:
    """The dataclass with the record's values, lists as tuples. Raises BadCheckpoint for a field that doesn't fit."""
    defaults = {known.name: known for known in fields(kind)}  # type: ignore[arg-type]
    example = kind()
    for name, value in record.items():
        if name not in defaults:
            raise BadCheckpoint(f"{kind.__name__} has no field {name!r:.80}: expected {', '.join(defaults)}")
        like = getattr(example, name)
        if isinstance(like, tuple):
            fits = isinstance(value, (list, tuple)) and all(type(number) is int for number in value)
        else:
            fits = type(value) is type(like) or (type(like) is float and type(value) is int)
            fits = fits or (name == "decoder" and type(value) in _KINDS)
        if not fits or (type(value) is int and value < (name not in _FROM_ZERO)):
            raise BadCheckpoint(f"{kind.__name__} {name}={value!r:.80}: expected something like {like!r}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()})


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{name} is {value!r:.80}: expected an object with the fields of GOTConfig")
    return dict(value)


def _one_of(name: str, value: str, *known: str) -> None:
    if value not in known:
        raise BadCheckpoint(f"encoder {name}={value!r}: expected {' or '.join(map(repr, known))}")


def _bounded(part: str, config: EncoderConfig | DecoderConfig | OPTConfig | GOTConfig) -> None:
    """Raises BadCheckpoint for a number that no network has: a file's config may say anything."""
    for name, (least, most) in _BOUNDS.items():
        value = getattr(config, name, least)
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, str) and not least <= number <= most:  # nor is NaN
                raise BadCheckpoint(f"{part} {name}={value!r:.80}: expected {least:,} to {most:,}")


def _divides(part: str, **pair: int) -> None:
    (small, divisor), (large, dividend) = pair.items()
    if dividend % divisor:
        raise BadCheckpoint(f"{part} {large}={dividend} is not a multiple of {small}={divisor}")


_FROM_ZERO = ("image_token", "ahead", "guessed")
"""The numbers that may be 0; all others are at least 1."""
_BOUNDS: dict[str, tuple[float, float]] = {
    **{"side": (STRIDE, 1 << 14), "window": (1, 1 << 10), "neck": (1, 1 << 16), "out": (1, 1 << 16)},
    **{"width": (1, 1 << 16), "layers": (1, 1 << 10), "heads": (1, 1 << 10), "kv_heads": (1, 1 << 10)},
    **{"mlp": (1, 1 << 20), "vocabulary": (1, 1 << 24), "positions": (1, 1 << 20), "context": (1, 1 << 20)},
    **{"enlarged": (1, 1 << 4), "ahead": (0, 1 << 8), "guessed": (0, 1 << 24), "eps": (1e-30, 1), "theta": (1, 10**12)},
}
"""The least and the most that a number may be: far beyond any model, and little enough to be gone through."""
_KINDS: dict[type, str] = {DecoderConfig: "qwen2", OPTConfig: "opt"}

PRESETS = {
    "580m": GOTConfig(),
    "nano": GOTConfig(
        EncoderConfig(
            square=False,
            enlarged=2.0,
            stem="conv",
            width=256,
            layers=6,
            heads=4,
            mlp=1024,
            window=16,
            global_layers=(1, 3, 5),
            positions="rotary",
            pool=4,
            neck=128,
            out=(256, 512),
        ),
        DecoderConfig(
            vocabulary=16384, width=512, layers=6, heads=8, kv_heads=8, mlp=1408, theta=1e4, ahead=3, guessed=9216
        ),
        context=4096,
        image_token=2,
    ),
}
"""The paper's model, and the one that is small enough for a laptop: views as small as the page needs, strokes seen
through convolutions first, global attention to pooled patches only, the next four tokens told at once."""
