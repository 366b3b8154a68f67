"""Published language models as GOT's first decoders, held against what `transformers` computes with them."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from got_helpers import tiny_tokenizer

from ocr2.errors import BadCheckpoint
from ocr2.got import pretrained
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.model import GOT
from ocr2.got.prompt import NEEDED

WORDS = 96
ENCODER = EncoderConfig(side=128, width=32, layers=1, heads=2, mlp=32, global_layers=(0,), neck=16, out=(16, 16))
DECODERS = {
    "qwen2": DecoderConfig(vocabulary=WORDS + 6, width=64, layers=2, heads=4, kv_heads=2, mlp=96, theta=1e4),
    "opt": OPTConfig(vocabulary=WORDS + 6, width=64, layers=2, heads=4, mlp=96, positions=80),
}


def published(kind: str, folder: Path) -> torch.nn.Module:
    """A random language model of that kind, as its authors would publish it."""
    torch.manual_seed(1)
    if kind == "qwen2":
        sizes = {"num_key_value_heads": 2, "intermediate_size": 96, "rope_theta": 1e4, "tie_word_embeddings": True}
        sizes |= {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = transformers.Qwen2Config(vocab_size=WORDS, **sizes)
        model = transformers.Qwen2ForCausalLM(config)
    else:
        config = transformers.OPTConfig(
            vocab_size=WORDS, hidden_size=64, num_hidden_layers=2, ffn_dim=96, num_attention_heads=4,
            max_position_embeddings=64, word_embed_proj_dim=64,
        )  # fmt: skip
        model = transformers.OPTForCausalLM(config)
    for values in model.parameters():
        torch.nn.init.normal_(values, std=0.1)
    model.save_pretrained(folder)
    return model.eval()


def got(kind: str) -> GOT:
    return GOT(GOTConfig(ENCODER, DECODERS[kind], context=64, image_token=WORDS + 5)).eval()


@pytest.mark.parametrize("kind", ["qwen2", "opt"])
def test_a_language_model_says_the_same_as_a_decoder_of_ours(kind: str, tmp_path: Path) -> None:
    theirs, ours = published(kind, tmp_path), got(kind)
    new = ours.decoder.embed.weight[WORDS:].clone()
    pretrained.fill(ours, tmp_path)
    ids = torch.randint(WORDS, (2, 20), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(ids).logits
        logits = ours.decoder.head(ours.decoder(ours.decoder.embed(ids)))
    assert torch.allclose(logits[..., :WORDS], expected, atol=1e-5)
    assert torch.equal(ours.decoder.embed.weight[WORDS:], new), "special tokens are learned anew"
    assert ours.decoder.head.weight is ours.decoder.embed.weight


def test_a_vocabulary_longer_than_ours_is_cut(tmp_path: Path) -> None:
    theirs = published("qwen2", tmp_path)
    ours = GOT(GOTConfig(ENCODER, DecoderConfig(90, 64, 2, 4, 2, 96, 1e4), context=64, image_token=89))
    pretrained.fill(ours, tmp_path)
    assert torch.equal(ours.decoder.embed.weight, theirs.get_input_embeddings().weight[:90])


def test_models_that_are_not_the_stage_s_decoder_are_refused(tmp_path: Path) -> None:
    published("opt", tmp_path)
    with pytest.raises(BadCheckpoint, match="holds a model of type opt: expected qwen2"):
        pretrained.fill(got("qwen2"), tmp_path)
    wider = GOT(GOTConfig(ENCODER, OPTConfig(102, 128, 2, 4, 96, 80), context=64, image_token=101))
    with pytest.raises(BadCheckpoint, match=r"expected \(96, 128\)"):
        pretrained.fill(wider, tmp_path)
    deeper = GOT(GOTConfig(ENCODER, OPTConfig(102, 64, 3, 4, 96, 80), context=64, image_token=101))
    with pytest.raises(BadCheckpoint, match=r"lacks tensor layers\.2\."):
        pretrained.fill(deeper, tmp_path)


def test_its_tokenizer_gets_what_prompts_need(tmp_path: Path) -> None:
    inner = tiny_tokenizer().inner
    model = json.loads(inner.to_str())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("\n".join(" ".join(pair) for pair in model["merges"]))
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    tokenizer = pretrained.tokenizer(tmp_path)
    ids = tokenizer.encode("the inner<img>")
    assert tokenizer.decode(ids) == "the inner<img>"
    assert tokenizer.image not in ids
    first = len(model["vocab"])
    assert [tokenizer.inner.token_to_id(name) for name in NEEDED] == list(range(first, first + len(NEEDED)))


def test_qwen_s_special_tokens_get_their_places(tmp_path: Path) -> None:
    inner = tiny_tokenizer().inner  # which has some of them, as Qwen's own has
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    tokenizer = pretrained.tokenizer(tmp_path)
    assert tokenizer.inner.token_to_id("<|extra_204|>") == tokenizer.inner.token_to_id("<|extra_0|>") + 204
    assert len(set(map(tokenizer.inner.token_to_id, NEEDED))) == len(NEEDED)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    with pytest.raises(BadCheckpoint, match="no tokenizer that can be read"):
        pretrained.tokenizer(tmp_path)
