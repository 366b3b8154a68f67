"""New characters: one token each, after all others, and nothing else is spelled differently."""

from __future__ import annotations

import pickle
import unicodedata
from typing import TYPE_CHECKING

import pytest
import torch
from got_helpers import tiny_got, tiny_tokenizer
from tokenizers import normalizers

from ocr2.errors import BadCheckpoint
from ocr2.got.extend import extended, grow, normal, spelled
from ocr2.got.prompt import PAD, Tokenizer
from ocr2.recipes import nano, tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW = "²ÿĠŃΩ℃龘𠮷\u0323"
"""Letters that stand for bytes (the first four), others of two to four bytes, and an accent."""
TEXTS = ("the OCR in a tin", f"{PAD} is text", "中文 ä 字", "\n\t  a  b ", "₂0 Å")


def composing() -> Tokenizer:
    """One that puts letters and accents together, as Qwen's does."""
    tokenizer = tiny_tokenizer()
    tokenizer.inner.normalizer = normalizers.NFC()
    return tokenizer


def loaded_nano() -> Tokenizer:
    return Tokenizer.load(nano.VOCABULARY)


MADE = pytest.mark.parametrize("make", [tiny_tokenizer, composing, tiny.tokenizer, loaded_nano])


@MADE
def test_new_characters_are_one_token_each_after_all_others(make: Callable[[], Tokenizer], tmp_path: Path) -> None:
    before = make()
    new = spelled(before, NEW)
    more = extended(before, NEW)
    assert more.size == before.size + len(new)
    assert sorted(more.encode(char)[0] for char in new) == list(range(before.size, more.size))
    text = f"x{NEW} y{NEW[::-1]}zΩΩ"
    more.save(tmp_path)
    for tokenizer in (more, Tokenizer.load(tmp_path), pickle.loads(pickle.dumps(more))):
        ids = tokenizer.encode(text)
        assert ids == more.encode(text)
        assert tokenizer.decode(ids) == normal(before, text)
        assert sum(token >= before.size for token in ids) == sum(char in new for char in normal(before, text))
    assert before.size == make().size, "the given one is as it was"


@MADE
def test_what_has_none_of_them_is_spelled_as_before(make: Callable[[], Tokenizer]) -> None:
    before = make()
    more = extended(before, NEW)
    assert [more.encode(text) for text in TEXTS] == [before.encode(text) for text in TEXTS]
    assert [more.decode(before.encode(text)) for text in TEXTS] == [normal(before, text) for text in TEXTS]
    special = [before.pad, before.start, before.end, before.open, before.close, before.image]
    assert [more.pad, more.start, more.end, more.open, more.close, more.image] == special


def test_a_letter_and_its_accent_stay_one_character() -> None:
    before = composing()
    more = extended(before, "\u0323é")
    apart = unicodedata.normalize("NFD", "ḍé")
    assert len(apart) == 4
    assert more.decode(more.encode(apart)) == "ḍé"
    assert more.encode("ḍ") == before.encode("ḍ")
    assert len(more.encode("é")) == len(more.encode("e\u0301")) == 1


@MADE
def test_a_vocabulary_grows_again(make: Callable[[], Tokenizer]) -> None:
    first = extended(make(), NEW[::2])
    second = extended(first, NEW)
    assert second.decode(second.encode(NEW)) == NEW
    assert [second.encode(char) for char in spelled(make(), NEW[::2])] == [
        first.encode(char) for char in spelled(make(), NEW[::2])
    ]
    assert extended(second, NEW) is second


def test_what_stands_for_damage_gets_no_token() -> None:
    assert spelled(tiny_tokenizer(), "a\ufffdΩ") == ["Ω"]


def test_a_vocabulary_with_gaps_is_refused() -> None:
    import json

    from tokenizers import Tokenizer as Inner

    record = json.loads(loaded_nano().inner.to_str())
    record["model"]["vocab"]["far away"] = 99_999
    with pytest.raises(BadCheckpoint, match="leaves out numbers"):
        extended(Tokenizer(Inner.from_str(json.dumps(record))), "龘")


def test_a_new_row_is_the_mean_of_those_that_spelled_it() -> None:
    model, before = tiny_got(), tiny_tokenizer()
    table = model.decoder.embed.weight.detach().clone()
    more = extended(before, "Ω龘²")
    numbers = grow(model, before, more)
    assert numbers == range(before.size, before.size + 3)
    assert model.config.decoder.vocabulary == model.decoder.config.vocabulary == more.size
    assert model.decoder.embed.weight.shape == model.decoder.head.weight.shape == (more.size, 64)
    assert model.decoder.head.weight is model.decoder.embed.weight
    assert torch.equal(model.decoder.embed.weight[: before.size], table)
    for char in "Ω龘²":
        expected = table[before.encode(char)].mean(0)
        torch.testing.assert_close(model.decoder.embed.weight[more.encode(char)[0]].detach(), expected)


def test_rows_to_spare_are_taken_first() -> None:
    model, before = tiny_got(), tiny_tokenizer()
    grow(model, before, extended(before, "Ω龘²"))
    table = model.decoder.embed.weight
    grow(model, before, more := extended(before, "字"))
    assert model.decoder.embed.weight is table
    expected = table[before.encode("字")].mean(0)
    torch.testing.assert_close(table[more.encode("字")[0]], expected)
