"""What the tests of GOT share."""

from tokenizers import Tokenizer as Inner
from tokenizers import decoders, models, pre_tokenizers

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
