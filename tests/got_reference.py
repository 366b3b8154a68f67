"""What the tests of GOT are held against: tiny models of `transformers`, with no weight left at zero or one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.model import GOT, MEAN, STD

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = 299
TINY = GOTConfig(
    EncoderConfig(side=128, width=32, layers=3, heads=2, mlp=64, window=3, global_layers=(1,), neck=16, out=(32, 32)),
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=4, kv_heads=2, mlp=48),
    context=512,
    image_token=IMAGE,
)
"""8 × 8 patches, so that windows of 3 × 3 are padded; two query heads for each of the decoder's keys and values."""


def scattered(model: nn.Module, seed: int = 0, std: float = 0.2) -> Any:
    """The model, with every parameter random: around one for the weights of norms, else around zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=std, generator=generator)
            if name.endswith("weight") and parameter.dim() == 1:
                parameter.add_(1)
    return model.eval()


def ours(config: GOTConfig = TINY, seed: int = 0) -> GOT:
    """A tiny GOT."""
    return scattered(GOT(config), seed)


def theirs(side: int = 128, kv_heads: int = 2) -> Any:
    """The model of TINY's sizes in `transformers`."""
    from transformers import GotOcr2Config, GotOcr2ForConditionalGeneration

    vision = {
        **{"image_size": side, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "mlp_dim": 64},
        **{"window_size": 3, "global_attn_indexes": [1], "output_channels": 16},
    }
    text = {
        **{"model_type": "qwen2", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": kv_heads, "rope_theta": 1e6},
        **{"max_position_embeddings": 512, "tie_word_embeddings": True},
    }
    config = GotOcr2Config(
        vision_config=vision, text_config=text, image_token_index=IMAGE, image_seq_length=(side // 64) ** 2
    )
    return scattered(GotOcr2ForConditionalGeneration(config))


def normalised(views: Tensor) -> Tensor:
    """(V, 3, side, side) bytes as `transformers` wants them."""
    return (views / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def question(side: int = 128) -> tuple[Tensor, Tensor]:
    """A view (1, 3, side, side) and a prompt (1, T) with its image tokens."""
    generator = torch.Generator().manual_seed(1)
    view = torch.randint(256, (1, 3, side, side), dtype=torch.uint8, generator=generator)
    words = torch.randint(290, (11,), generator=generator).tolist()
    return view, torch.tensor([[*words[:5], *[IMAGE] * (side // 64) ** 2, *words[5:]]])


RELEASE = {  # what the release calls the parts of transformers' model, in the order of replacement
    "model.vision_tower.": "model.vision_tower_high.",
    "patch_embed.projection": "patch_embed.proj",
    "vision_tower_high.layers.": "vision_tower_high.blocks.",
    "neck.conv1": "neck.0",
    "neck.layer_norm1": "neck.1",
    "neck.conv2": "neck.2",
    "neck.layer_norm2": "neck.3",
    ".layer_norm": ".norm",
    "model.multi_modal_projector.conv_upsampler1": "model.vision_tower_high.net_2",
    "model.multi_modal_projector.conv_upsampler2": "model.vision_tower_high.net_3",
    "model.multi_modal_projector.multimodal_projector": "model.mm_projector_vary",
    "model.language_model.": "model.",
}


def as_released(model: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config.json and the tensors of a model of `transformers`, as the original release has them."""
    text = model.config.text_config
    record = {name: getattr(text, name) for name in ("vocab_size", "hidden_size", "intermediate_size")} | {
        **{name: getattr(text, name) for name in ("num_hidden_layers", "num_attention_heads", "num_key_value_heads")},
        **{"model_type": "GOT", "architectures": ["GOTQwenForCausalLM"], "rms_norm_eps": 1e-6, "rope_theta": 1e6},
        **{"hidden_act": "silu", "max_position_embeddings": text.max_position_embeddings},
        **{"use_sliding_window": False, "tie_word_embeddings": True, "torch_dtype": "float32"},
        **{"im_patch_token": model.config.image_token_index, "im_start_token": 297},
    }
    state = {}
    for name, values in model.state_dict().items():
        for old, new in RELEASE.items():
            name = name.replace(old, new)
        state[name] = values.clone()
    return record, state


def write(folder: Path, record: dict[str, Any], state: dict[str, Tensor]) -> Path:
    """A folder with that config.json and those weights."""
    import json

    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(record))
    save_file(state, folder / "model.safetensors")
    return folder
