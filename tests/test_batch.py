"""Samples in tensors, and that a model learns from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_helpers import tiny_tokenizer
from got_reference import TINY
from PIL import Image

from ocr2.errors import TooLong
from ocr2.got import prompt as prompts
from ocr2.got.batch import IGNORED, Batch, collate, combined, prepare
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.model import GOT
from ocr2.got.views import look
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from ocr2.got.prompt import Tokenizer

IMAGE = tiny_tokenizer().image
SQUARE = replace(TINY, image_token=IMAGE, context=1024)
NANO = GOTConfig(
    EncoderConfig(
        side=128, square=False, stem="conv", width=32, layers=2, heads=2, mlp=64, window=4, global_layers=(1,),
        positions="rotary", pool=2, neck=16, out=(16, 32),
    ),
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=4, kv_heads=4, mlp=64, theta=1e4),
    context=1024,
    image_token=IMAGE,
)  # fmt: skip
STAGE1 = replace(SQUARE, decoder=OPTConfig(vocabulary=300, width=32, layers=2, heads=4, mlp=64, positions=1024))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tiny_tokenizer()


def sample(text: str, *sizes: tuple[int, int], prompt: Prompt | None = None, origin: str = "") -> Sample:
    """A sample with a page of each size, width × height; each in its own grey."""
    sizes = sizes or ((100, 60),)
    images = tuple(Image.new("RGB", size, (50 + 40 * n,) * 3) for n, size in enumerate(sizes))
    return Sample(images, prompt or Prompt(pages=len(sizes)), text, "text", origin)


def test_prompt_answer_end_padding(tokenizer: Tokenizer) -> None:
    samples = [sample("the page", origin="a"), sample("", origin="b"), sample("O<|im_end|>", origin="c")]
    batch = collate(samples, tokenizer, SQUARE)
    asked = prompts.encode(Prompt(), tokenizer, 4, 100, 60)
    for row, found in enumerate(samples):
        answer = [*tokenizer.encode(found.text), tokenizer.end]
        padding = batch.ids.shape[1] - len(asked) - len(answer)
        assert batch.ids[row].tolist() == [*asked, *answer, *[tokenizer.pad] * padding]
        assert batch.labels[row].tolist() == [*[IGNORED] * len(asked), *answer, *[IGNORED] * padding]
    assert batch.ids.shape[1] == len(asked) + max(len(tokenizer.encode(found.text)) for found in samples) + 1
    assert batch.labels[1].tolist().count(tokenizer.end) == batch.labels[2].tolist().count(tokenizer.end) == 1
    assert batch.ids.dtype == batch.labels.dtype == torch.long
    assert batch.origins == ("a", "b", "c")


def test_views_are_those_that_a_reader_sees(tokenizer: Tokenizer) -> None:
    samples = [sample("a"), sample("b"), sample("c", (128, 128))]
    (square,) = collate(samples, tokenizer, SQUARE).views
    assert (square.shape, square.dtype) == ((3, 3, 128, 128), torch.uint8)
    views = collate(samples, tokenizer, NANO).views
    assert [tuple(view.shape) for view in views] == [(2, 3, 64, 128), (1, 3, 128, 128)]
    for given, found in zip(samples, [*views[0], *views[1]], strict=True):
        assert (found.numpy() == look(given.images, given.prompt, NANO.encoder)[0]).all()


def test_views_keep_the_order_of_their_places(tokenizer: Tokenizer) -> None:
    """Views of one size are stacked only where they follow each other."""
    sizes = [(60, 60), (128, 128), (60, 60), (60, 60)]
    batch = collate([sample("x", size) for size in sizes], tokenizer, NANO)
    assert [len(view) for view in batch.views] == [1, 1, 2]
    assert (batch.ids == IMAGE).sum(1).tolist() == [1, 4, 1, 1]
    model = GOT(NANO).eval()
    with torch.no_grad():
        together = model.embeddings(batch.ids, model.features(batch.views))
        for row, size in enumerate(sizes):
            one = collate([sample("x", size)], tokenizer, NANO)
            alone = model.embeddings(one.ids, model.features(one.views))
            torch.testing.assert_close(together[row, : alone.shape[1]], alone[0], atol=1e-5, rtol=1e-5)


def test_several_pages_and_tiles(tokenizer: Tokenizer) -> None:
    samples = [
        sample("one\n\ntwo", (60, 60), (128, 128)),
        sample("wide", (512, 256), prompt=Prompt(tiles=2)),
        sample("last", (60, 100)),
    ]
    batch = collate(samples, tokenizer, NANO)
    assert [tuple(view.shape) for view in batch.views] == [
        (1, 3, 64, 64),
        (3, 3, 128, 128),  # the second page, and two tiles
        (1, 3, 64, 128),  # the thumbnail of the tiled page
        (1, 3, 128, 64),
    ]
    assert (batch.ids == IMAGE).sum(1).tolist() == [1 + 4, 2 * 4 + 2, 2]
    assert IMAGE not in batch.labels


def test_regions_are_asked_about(tokenizer: Tokenizer) -> None:
    batch = collate([sample("x", (100, 50), prompt=Prompt(point=(50, 25)))], tokenizer, NANO)
    assert "[500, 500] OCR: " in tokenizer.decode(batch.ids[0].tolist())


def test_too_long(tokenizer: Tokenizer) -> None:
    batch = collate([sample("z" * 50)], tokenizer, SQUARE)
    exact = replace(SQUARE, context=batch.ids.shape[1])
    assert collate([sample("z" * 50)], tokenizer, exact).ids.shape == batch.ids.shape
    with pytest.raises(
        TooLong, match=r"^tables/7: \d+ tokens of prompt and 52 of answer .* context of \d+: cut the text"
    ):
        collate([sample("a"), sample("z" * 51, origin="tables/7")], tokenizer, exact)


def test_too_long_for_a_stage(tokenizer: Tokenizer) -> None:
    length = collate([sample("z" * 50)], tokenizer, SQUARE).ids.shape[1]
    assert len(prepare(sample("z" * 50), tokenizer, SQUARE, length)) == length
    with pytest.raises(TooLong, match=rf"are more than the {length - 1} of this stage: cut the text"):
        prepare(sample("z" * 50), tokenizer, SQUARE, length - 1)


def test_tokens_that_are_learned_and_all_tokens(tokenizer: Tokenizer) -> None:
    batch = collate([sample("the page"), sample(""), sample("OCR" * 9, (128, 128))], tokenizer, NANO)
    assert batch.size == int((batch.labels[:, 1:] >= 0).sum()) == int((batch.labels >= 0).sum())
    assert batch.tokens == int((batch.ids != tokenizer.pad).sum()) < batch.ids.numel()
    counted = Batch(batch.views, batch.ids, batch.labels)
    assert (counted.size, counted.tokens) == (batch.size, batch.tokens)
    for same in (batch.to("meta"), replace(batch, views=())):
        assert (same.size, same.tokens) == (batch.size, batch.tokens)


def test_prepared_one_by_one_and_put_together(tokenizer: Tokenizer) -> None:
    samples = [sample("one", (60, 60), (128, 128), origin="a"), sample("the end", (60, 60), origin="b"), sample("")]
    rows = [prepare(found, tokenizer, NANO) for found in samples]
    assert [len(row.views) for row in rows] == [2, 1, 1]
    for row, found in zip(rows, samples, strict=True):
        assert row.ids[row.asked :].tolist() == [*tokenizer.encode(found.text), tokenizer.end]
        assert row.origin == found.origin
    one, other = combined(rows, tokenizer.pad), collate(samples, tokenizer, NANO)
    assert one.origins == other.origins
    for part, same in zip([*one.views, one.ids, one.labels], [*other.views, other.ids, other.labels], strict=True):
        assert torch.equal(part, same)


def test_to_a_device(tokenizer: Tokenizer) -> None:
    batch = collate([sample("a", origin="here"), sample("b", (128, 128))], tokenizer, NANO)
    moved = batch.to("meta")
    assert {part.device.type for part in (*moved.views, moved.ids, moved.labels)} == {"meta"}
    assert [view.shape for view in moved.views] == [view.shape for view in batch.views]
    assert moved.origins == batch.origins == ("here", "")
    assert batch.ids.device.type == "cpu"


@pytest.mark.parametrize("config", [SQUARE, NANO, STAGE1], ids=["580m", "nano", "stage 1"])
def test_a_model_learns(config: GOTConfig, tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    batch = collate([sample("the in"), sample("OCR", (40, 30), (128, 128))], tokenizer, config)
    model = GOT(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = torch.stack([*model(batch).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
