"""The layouts that GOT's weights are published in: a config.json and tensors' names go in, ours come out, and back.

Two are known: the original release's ("GOT": Segment Anything's names for the encoder), and that of `transformers`
("got_ocr2", and "pp_chart2table", the same network with other weights). Needs no torch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ocr2.errors import BadCheckpoint, BadOutput
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig, filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    Shapes = Mapping[str, tuple[int, ...]]

Layout = Literal["ocr2", "release", "transformers"]

KINDS: dict[str, Layout] = {"GOT": "release", "got_ocr2": "transformers", "pp_chart2table": "transformers"}
"""The layout by config.json's model_type."""
HEAD = "lm_head.weight"
"""The decoder's last linear map, where it is stored although it is the embedding."""
VERSION = 1
"""Of our own layout."""
CONTEXT = 8192
"""The longest sequence that GOT was trained on (GOT §4.1); its decoder was made for 32768."""
CHART = "Chart to table"
"""The one question that PP-Chart2Table was trained on."""
IMAGE_TOKEN = 151859
"""The id of `<imgpad>`, where config.json doesn't say."""

_NAMES = (  # ours, the release's, transformers'; the last two without the leading "model."
    ("encoder.stem", "vision_tower_high.patch_embed.proj", "vision_tower.patch_embed.projection"),
    ("encoder.positions", "vision_tower_high.pos_embed", "vision_tower.pos_embed"),
    ("encoder.layers.N.norm1", "vision_tower_high.blocks.N.norm1", "vision_tower.layers.N.layer_norm1"),
    ("encoder.layers.N.attention.qkv", "vision_tower_high.blocks.N.attn.qkv", "vision_tower.layers.N.attn.qkv"),
    ("encoder.layers.N.attention.out", "vision_tower_high.blocks.N.attn.proj", "vision_tower.layers.N.attn.proj"),
    (
        "encoder.layers.N.attention.relative_y",
        "vision_tower_high.blocks.N.attn.rel_pos_h",
        "vision_tower.layers.N.attn.rel_pos_h",
    ),
    (
        "encoder.layers.N.attention.relative_x",
        "vision_tower_high.blocks.N.attn.rel_pos_w",
        "vision_tower.layers.N.attn.rel_pos_w",
    ),
    ("encoder.layers.N.norm2", "vision_tower_high.blocks.N.norm2", "vision_tower.layers.N.layer_norm2"),
    ("encoder.layers.N.mlp.0", "vision_tower_high.blocks.N.mlp.lin1", "vision_tower.layers.N.mlp.lin1"),
    ("encoder.layers.N.mlp.2", "vision_tower_high.blocks.N.mlp.lin2", "vision_tower.layers.N.mlp.lin2"),
    ("encoder.neck.0", "vision_tower_high.neck.0", "vision_tower.neck.conv1"),
    ("encoder.neck.1", "vision_tower_high.neck.1", "vision_tower.neck.layer_norm1"),
    ("encoder.neck.2", "vision_tower_high.neck.2", "vision_tower.neck.conv2"),
    ("encoder.neck.3", "vision_tower_high.neck.3", "vision_tower.neck.layer_norm2"),
    ("encoder.down.0", "vision_tower_high.net_2", "multi_modal_projector.conv_upsampler1"),
    ("encoder.down.1", "vision_tower_high.net_3", "multi_modal_projector.conv_upsampler2"),
    ("connector", "mm_projector_vary", "multi_modal_projector.multimodal_projector"),
)
_QWEN2 = (  # ours, and everybody's, after "language_model.model." in transformers' layout
    ("decoder.embed", "embed_tokens"),
    ("decoder.layers.N.norm1", "layers.N.input_layernorm"),
    ("decoder.layers.N.attention.qkv", "layers.N.self_attn.q_proj layers.N.self_attn.k_proj layers.N.self_attn.v_proj"),
    ("decoder.layers.N.attention.out", "layers.N.self_attn.o_proj"),
    ("decoder.layers.N.norm2", "layers.N.post_attention_layernorm"),
    ("decoder.layers.N.gate_up", "layers.N.mlp.gate_proj layers.N.mlp.up_proj"),
    ("decoder.layers.N.down", "layers.N.mlp.down_proj"),
    ("decoder.norm", "norm"),
)
_TABLES: dict[Layout, dict[str, list[str]]] = {
    "release": {ours: [theirs] for ours, theirs, _ in _NAMES} | {ours: both.split() for ours, both in _QWEN2},
    "transformers": {ours: [theirs] for ours, _, theirs in _NAMES}
    | {ours: [f"language_model.model.{name}" for name in both.split()] for ours, both in _QWEN2},
}


def parts(layout: Layout, config: GOTConfig, ours: str) -> dict[str, int | None]:
    """The tensors that one of our parameters is stored as, one below the other: their names and rows (None: all)."""
    if layout == "ocr2":
        return {ours: None}
    number = re.search(r"layers\.(\d+)", ours)
    stem, leaf = re.sub(r"layers\.\d+", "layers.N", ours), ""
    if stem not in _TABLES[layout]:
        stem, _, leaf = stem.rpartition(".")
    names = [name + ("." + leaf if leaf else "") for name in _TABLES[layout][stem]]
    names = [re.sub(r"\bN\b", number[1], name) if number else name for name in names]
    decoder = config.decoder
    if len(names) == 1 or isinstance(decoder, OPTConfig):
        return dict.fromkeys(names)
    heads = (decoder.heads, decoder.kv_heads, decoder.kv_heads)
    rows = [decoder.mlp] * 2 if len(names) == 2 else [count * decoder.width // decoder.heads for count in heads]
    return dict(zip(names, rows, strict=True))


def plain(layout: Layout, name: str) -> str:
    """A stored tensor's name as `parts` has it, whichever version wrote it."""
    if layout == "ocr2":
        return name
    name = name.removeprefix("model.")
    if layout == "transformers" and name.startswith("language_model."):
        inner = name.removeprefix("language_model.").removeprefix("model.")
        return inner if inner == HEAD else f"language_model.model.{inner}"
    return name


def described(layout: Layout, record: dict[str, Any], shapes: Shapes) -> GOTConfig:
    """What config.json says; and the tensors' shapes (by `plain` name), where the release's leaves the encoder out.

    Raises BadCheckpoint, which names the first field that is wrong.
    """
    if layout == "ocr2":
        version = record.get("version")
        if version != VERSION:
            raise BadCheckpoint(f"version {version!r}: expected {VERSION}, or a newer ocr2 to read it")
        return GOTConfig.from_json({name: value for name, value in record.items() if name not in ("format", "version")})
    if layout == "release":
        text, image_token = record, record.get("im_patch_token", IMAGE_TOKEN)
        decoder, encoder = _decoder(text), _encoder_by_shapes(shapes)
    else:
        text, image_token = _part(record, "text_config"), record.get("image_token_index", IMAGE_TOKEN)
        decoder = _decoder(text)
        encoder = _encoder(_part(record, "vision_config"), decoder.width)
    context = text.get("max_position_embeddings", CONTEXT)
    context = min(context, CONTEXT) if type(context) is int else context
    rest = {"encoder": encoder, "decoder": decoder, "context": context, "image_token": image_token}
    return filled(GOTConfig, rest | {"asked": CHART if record.get("model_type") == "pp_chart2table" else ""})


_PUBLISHED = {
    **{"vocab_size": 151860, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    **{"num_key_value_heads": 16, "intermediate_size": 2816, "rms_norm_eps": 1e-6, "rope_theta": 1e6},
}
"""What transformers takes where config.json has no text_config."""
_UNSAID = {
    **{"vocab_size": 151936, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32},
    **{"num_key_value_heads": 32, "intermediate_size": 22016, "rms_norm_eps": 1e-6, "rope_theta": 1e4},
}
"""What it takes for a field that text_config leaves out: Qwen2's defaults there."""


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    part = record.get(name)
    if part is not None and not isinstance(part, dict):
        raise BadCheckpoint(f"{name} is {part!r:.80}: expected an object")
    return (_PUBLISHED if name == "text_config" else {}) if part is None else part


def _decoder(text: dict[str, Any]) -> DecoderConfig:
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", rope.get("type", "default")) != "default":
        raise BadCheckpoint(f"rotary positions are {rope!r:.80}: expected plain ones, as in GOT")
    _expect(text, hidden_act="silu", use_sliding_window=False)
    text = _UNSAID | text | ({"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else {})
    return filled(DecoderConfig, {ours: text[theirs] for ours, theirs in _TEXT.items()})


_TEXT = {
    "vocabulary": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "mlp": "intermediate_size",
    "theta": "rope_theta",
    "eps": "rms_norm_eps",
}
_VISION = {
    "side": "image_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp": "mlp_dim",
    "window": "window_size",
    "global_layers": "global_attn_indexes",
    "neck": "output_channels",
}


def _encoder(vision: dict[str, Any], width: int) -> EncoderConfig:
    """What vision_config says; `width` is the decoder's."""
    alike = {"patch_size": 16, "num_channels": 3, "layer_norm_eps": 1e-6, "hidden_act": "gelu"}
    pairs = {name: value[0] for name, value in vision.items() if isinstance(value, list) and value == value[:1] * 2}
    vision = vision | {name: value for name, value in pairs.items() if name in ("image_size", "patch_size")}
    _expect(vision, **alike, use_abs_pos=True, use_rel_pos=True, qkv_bias=True)
    said = {ours: vision[theirs] for ours, theirs in _VISION.items() if theirs in vision}
    neck = said.get("neck", EncoderConfig.neck)
    return filled(EncoderConfig, said | {"out": (2 * neck, width)})


def _expect(record: dict[str, Any], **alike: object) -> None:
    for name, value in alike.items():
        if record.get(name, value) != value:
            raise BadCheckpoint(f"{name} is {record[name]!r:.80}: expected {value!r}, as in GOT")


def _encoder_by_shapes(shapes: Shapes) -> EncoderConfig:
    """The encoder whose tensors have these shapes: layers with a table as long as the whole grid needs are global."""

    def shape(name: str, dimensions: int) -> tuple[int, ...]:
        name = f"vision_tower_high.{name}"
        if name not in shapes:
            raise BadCheckpoint(f"tensor model.{name} is missing: expected all of the release's; copy it again")
        if len(shapes[name]) != dimensions:
            raise BadCheckpoint(f"tensor model.{name} is {shapes[name]}: expected {dimensions} dimensions")
        return shapes[name]

    _, grid, _, width = shape("pos_embed", 4)
    layers = len({name.split(".")[2] for name in shapes if name.startswith("vision_tower_high.blocks.")})
    tables = [shape(f"blocks.{n}.attn.rel_pos_h", 2) for n in range(layers)] or [(1, width)]
    windows = {(entries + 1) // 2 for entries, _ in tables} - {grid}
    said = {
        **{"side": 16 * grid, "width": width, "layers": layers, "heads": width // max(tables[0][1], 1)},
        "mlp": shape("blocks.0.mlp.lin1.weight", 2)[0],
        "window": min(windows, default=EncoderConfig.window),
        "global_layers": tuple(n for n, (entries, _) in enumerate(tables) if entries == 2 * grid - 1),
        "neck": shape("neck.0.weight", 4)[0],
        "out": (shape("net_2.weight", 4)[0], shape("net_3.weight", 4)[0]),
    }
    return filled(EncoderConfig, said)


def exported(config: GOTConfig) -> dict[str, Any]:
    """The config.json of transformers' layout. Raises BadOutput for what it can't express."""
    encoder, decoder = config.encoder, config.decoder
    if not isinstance(decoder, DecoderConfig):
        raise BadOutput("transformers' GotOcr2 has no OPT decoder: export a model of stage 2 or 3, or save it as ours")
    if decoder.ahead:
        raise BadOutput(
            f"transformers' GotOcr2 guesses no further tokens, and this model has ahead={decoder.ahead}: save it as "
            "ours instead, or carry its weights into a GOT with ahead=0 and export that"
        )
    if config.asked:
        raise BadOutput(
            f"transformers' GotOcr2 is asked GOT's questions, and this model knows {config.asked!r:.80} alone: save it "
            "as ours instead"
        )
    expected = {"stem": "patch", "positions": "relative", "square": True, "eps": 1e-6}
    for name, value in (expected | {"out": (2 * encoder.neck, decoder.width)}).items():
        if getattr(encoder, name) != value:
            raise BadOutput(
                f"transformers' GotOcr2 has no encoder with {name}={getattr(encoder, name)!r}, only {value!r}: "
                "save the model as ours instead"
            )
    text = {theirs: getattr(decoder, ours) for ours, theirs in _TEXT.items()}
    vision = {theirs: getattr(encoder, ours) for ours, theirs in _VISION.items()}
    return {
        "architectures": ["GotOcr2ForConditionalGeneration"],
        "model_type": "got_ocr2",
        "image_token_index": config.image_token,
        "image_seq_length": encoder.tokens(encoder.side, encoder.side),
        "tie_word_embeddings": True,
        "text_config": text
        | {"model_type": "qwen2", "max_position_embeddings": config.context, "tie_word_embeddings": True},
        "vision_config": vision | {"model_type": "got_ocr2_vision"},
    }
