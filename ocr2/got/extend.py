"""Characters that a model has no token for: a tokenizer and a model go in, both come out with one for each.

    more = extended(tokenizer, "⁹Ω")
    grow(model, tokenizer, more)

What had a token has the same one afterwards, and texts without the new characters are spelled as before.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ocr2.errors import BadCheckpoint
from ocr2.got.prompt import LETTERS, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    import tokenizers

    from ocr2.got.model import GOT

NO_CHARACTER = "\ufffd"
"""What decoders put where a text was damaged."""


def normal(tokenizer: Tokenizer, text: str) -> str:
    """The text as the tokenizer sees it: Qwen's puts a letter and its accent together."""
    normalizer = tokenizer.inner.normalizer
    return str(normalizer.normalize_str(text)) if normalizer else text


def spelled(tokenizer: Tokenizer, characters: Iterable[str]) -> list[str]:
    """Those of the characters that take two tokens or more, each once, in the order of their code points."""
    return [char for char in sorted({*characters} - {NO_CHARACTER}) if len(tokenizer.encode(char)) > 1]


def extended(tokenizer: Tokenizer, characters: Iterable[str]) -> Tokenizer:
    """One that has a token of its own for each of the characters, after all that it had; the given one is unchanged.

    Raises BadCheckpoint for a tokenizer that leaves out numbers.
    """
    import tokenizers

    new = spelled(tokenizer, characters)
    if not new:
        return tokenizer
    inner = tokenizers.Tokenizer.from_str(tokenizer.inner.to_str())
    known = inner.get_vocab()
    letters = [char for char in new if char in known]
    if "<0x0A>" in known:  # texts spell themselves there, and "▁" alone is another's name
        new = [char for char in new if char not in known]
    elif letters:
        inner = _paired(inner, letters)
    # after the normalizer: an accent that has its letter before it is none of the new characters
    inner.add_tokens([tokenizers.AddedToken(char, normalized=True) for char in new if char not in known])
    made, first = Tokenizer(inner), 1 + max(known.values())
    if sorted(token for char in new for token in made.encode(char)) != list(range(first, first + len(new))):
        raise BadCheckpoint(
            "the tokenizer leaves out numbers between its tokens, and new ones would fall among them: take the one "
            "that came with the model"
        )
    return made


def _paired(inner: tokenizers.Tokenizer, characters: list[str]) -> tokenizers.Tokenizer:
    """The same with tokens for characters that are letters in a byte-level vocabulary, where they stand for bytes.

    Under their own names they would be those bytes' tokens. So they are what their two bytes make: merged before
    anything else, which no other text is touched by, since no other has these two in a row.
    """
    import tokenizers

    record = json.loads(inner.to_str())
    vocabulary, merges = record["model"]["vocab"], record["model"]["merges"]
    for token in record["added_tokens"]:  # their numbers follow from the vocabulary's size if they aren't in it
        vocabulary.setdefault(token["content"], token["id"])
    first = 1 + max(vocabulary.values())
    for number, char in enumerate(characters, first):
        pair = [LETTERS[byte] for byte in char.encode()]
        vocabulary["".join(pair)] = number
        merges.insert(0, pair)
    return tokenizers.Tokenizer.from_str(json.dumps(record))


def grow(model: GOT, old: Tokenizer, new: Tokenizer) -> range:
    """Rows for the tokens that only `new` has, in place; their numbers.

    Each begins as the mean of the rows of the tokens that spelled it before. The table grows where it has no rows to
    spare, and the config with it.
    """
    first, last = (1 + max(each.inner.get_vocab().values()) for each in (old, new))
    decoder, table = model.decoder, model.decoder.embed.weight.detach()
    if last > len(table):
        rows = table.new_zeros(last, table.shape[1])
        rows[: len(table)] = table
        decoder.embed = nn.Embedding(last, table.shape[1], _weight=rows)
        decoder.head = nn.Linear(table.shape[1], last, bias=False, device="meta")  # the embedding, in a moment
        decoder.tie()
        decoder.config = replace(decoder.config, vocabulary=last)
        model.config = replace(model.config, decoder=decoder.config)
    with torch.no_grad():
        for number in range(first, last):
            spelling = old.encode(new.decode([number]))
            decoder.embed.weight[number] = decoder.embed.weight[spelling].float().mean(0)
    return range(first, last)
