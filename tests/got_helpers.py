"""What the tests of GOT share."""

import torch
from tokenizers import Tokenizer as Inner
from tokenizers import decoders, models, pre_tokenizers

from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.model import GOT
from ocr2.got.prompt import LETTERS, NEEDED, Tokenizer

MERGES = ["t h", "th e", "i n", "Ġ the", "e r", "O C", "OC R", "ä ¸"]


def tiny_tokenizer() -> Tokenizer:
    """256 bytes by their value, a few merges, then <|endoftext|> <|im_start|> <|im_end|> <img> </img> <imgpad>."""
    names = [*LETTERS, *(merge.replace(" ", "") for merge in MERGES)]
    pairs = [tuple(merge.split()) for merge in MERGES]
    inner = Inner(models.BPE({name: n for n, name in enumerate(names)}, pairs))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(NEEDED))
    return Tokenizer(inner)


def tiny_got() -> GOT:
    """A GOT with random weights for that tokenizer, of a shape that `transformers` knows."""
    tokenizer = tiny_tokenizer()
    encoder = EncoderConfig(
        side=128, width=64, layers=2, heads=2, mlp=128, window=3, global_layers=(1,), neck=32, out=(64, 64)
    )
    decoder = DecoderConfig(vocabulary=tokenizer.size, width=64, layers=2, heads=4, kv_heads=4, mlp=128)
    torch.manual_seed(0)
    return GOT(GOTConfig(encoder, decoder, context=512, image_token=tokenizer.image)).eval()
