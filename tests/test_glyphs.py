"""Places of characters: from an engine through views and batches to what a model learns of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_helpers import tiny_tokenizer
from PIL import Image
from test_batch import NANO, SQUARE, STAGE1

from ocr2.data.lines import places
from ocr2.errors import BadInput
from ocr2.got.batch import Batch, Prepared, collate, prepare
from ocr2.got.checkpoint import save
from ocr2.got.decoder import Call, rotations
from ocr2.got.glyphs import Glyphs, Sight
from ocr2.got.model import GOT
from ocr2.types import Line, Place, Prompt, Sample, join

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.got.prompt import Tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tiny_tokenizer()


LINES = (
    Line("ab c", ((20, 24), (60, 24), (60, 40), (20, 40)), 1.0, "\n", (0.125, 0.375, 0.625, 0.875)),
    Line("d", ((70, 70), (90, 80), (90, 100), (70, 90)), 1.0, "\n", (0.5,)),
)


def lined(lines: tuple[Line, ...] = LINES, size: tuple[int, int] = (128, 128), prompt: Prompt | None = None) -> Sample:
    """A page that has ink in all its corners, so that it is shown as it is."""
    page = Image.new("L", size, 255)
    for corner in ((0, 0), (size[0] - 4, size[1] - 4)):
        page.paste(0, (*corner, corner[0] + 4, corner[1] + 4))
    return Sample((page,), prompt or Prompt(), join(lines), "text", "a page", places(lines))


def looks(row: Prepared, tokenizer: Tokenizer) -> list[tuple[str, tuple[int, int]]]:
    """The tokens of the answer that look somewhere, and where."""
    return [(tokenizer.decode([row.ids[place]]), (x, y)) for sign, place, x, y in row.glyphs.tolist() if sign < 0]


def test_places_of_characters(tokenizer: Tokenizer) -> None:
    """Row, view, the character, x and y; then where each token looks: at what comes next of what is seen."""
    batch = collate([lined(LINES[1:]), lined()], tokenizer, NANO)
    signs = {tokenizer.encode(char)[0]: char for char in "abcd"}
    where = {"a": (25, 32), "b": (35, 32), "c": (55, 32), "d": (80, 85)}
    found = [(row, view, signs[sign], (x, y)) for row, view, sign, _, x, y in batch.glyphs.tolist() if sign >= 0]
    assert found == [(0, 0, "d", where["d"]), *((1, 1, char, where[char]) for char in "abcd")]
    for row, _, sign, place, x, y in batch.glyphs.tolist():
        if sign < 0:
            answer = batch.ids[row, place:].tolist()
            ahead = tokenizer.decode(answer[: answer.index(tokenizer.end)]).split()[0][0]
            assert batch.labels[row, place] >= 0
            assert (x, y) == where[ahead]


def test_each_token_looks_at_the_first_part_that_goes_on_where_it_begins(tokenizer: Tokenizer) -> None:
    text = "the the"
    line = Line(text, LINES[0].quad, 1.0, "\n", tuple((n + 0.5) / len(text) for n in range(len(text))))
    row = prepare(lined((line,)), tokenizer, NANO)
    spans = tokenizer.encoding(text).offsets
    assert len(spans) < len(text), "a tokenizer with words"
    assert len(row.glyphs) == 6 + len(spans)
    middles = [int(20 + 40 * center) for center in line.centers]
    begun = [next(n for n in range(start, len(text)) if text[n] != " ") for start, _ in spans]
    assert looks(row, tokenizer) == [
        (text[start:end], (middles[n], 32)) for (start, end), n in zip(spans, begun, strict=True)
    ]


def test_parts_of_several_characters(tokenizer: Tokenizer) -> None:
    """A command is known by its last token; what is between two looks at the second, what is after both nowhere."""
    sample = lined(())
    parts = (Place(0, 5, 30, 40), Place(6, 7, 90, 100))
    row = prepare(replace(sample, text="\\frac{a}", places=parts), tokenizer, NANO)
    seen = [(sign, x, y) for sign, _, x, y in row.glyphs.tolist() if sign >= 0]
    assert seen == [(tokenizer.encode("\\frac")[-1], 30, 40), (tokenizer.encode("a")[0], 90, 100)]
    offsets = tokenizer.encoding("\\frac{a}").offsets
    expected = [(30, 40) if start < 5 else (90, 100) for start, _ in offsets if start < 7]
    assert [where for _, where in looks(row, tokenizer)] == expected
    assert len(expected) < len(offsets)


def test_places_move_with_what_is_shown_of_a_page(tokenizer: Tokenizer) -> None:
    """Cut edges and a smaller view (here a seventh), and a square of another shape."""
    page = Image.new("L", (1400, 1000), 255)
    page.paste(0, (700, 350, 1099, 450))
    line = Line("a", ((700, 350), (1099, 350), (1099, 450), (700, 450)), 1.0, "\n", (0.5,))
    sample = Sample((page,), Prompt(), "a", "text", "", places((line,)))
    for config in (NANO, SQUARE):
        row = prepare(sample, tokenizer, config)
        (_, _, x, y), looked = row.glyphs.tolist()
        assert looked == [-1, row.asked, x, y]
        dark = np.argwhere(row.views[0][1] < 128)
        assert np.abs(dark.mean(0) - (y, x)).max() < 1.5, config


def test_what_has_no_places(tokenizer: Tokenizer) -> None:
    """Lines without centers, characters that aren't tokens or aren't seen, tiles, samples without places."""
    bare = tuple(replace(line, centers=()) for line in LINES)
    hidden = tuple(replace(line, quad=tuple((x + 500, y) for x, y in line.place)) for line in LINES)
    for lines in (bare, hidden, ()):
        assert prepare(lined(lines), tokenizer, NANO).glyphs.shape == (0, 4)
    spelled = prepare(lined((replace(LINES[1], text="\U0001f9ff"),)), tokenizer, NANO).glyphs
    assert len(spelled) == len(tokenizer.encode("\U0001f9ff")) > 1
    assert {*spelled[:, 0]} == {-1}
    tiled = lined(size=(256, 128), prompt=Prompt(tiles=2))
    assert len(prepare(tiled, tokenizer, NANO).views) == 3
    assert prepare(tiled, tokenizer, NANO).glyphs.shape == (0, 4)
    batch = collate([lined(()), lined()], tokenizer, NANO)
    assert set(batch.glyphs[:, 0].tolist()) == {1}
    assert collate([lined(())], tokenizer, NANO).glyphs.shape == (0, 6)


def test_a_sight_tells_every_four_pixels_apart() -> None:
    """The same cell gives another state for each place in it, and no other cell changes any."""
    torch.manual_seed(0)
    for stride in (16, 32, 64):
        sight, seen = Sight(8, stride, 12), torch.randn(2, 128 // stride, 128 // stride, 8)
        y, x = (each.flatten() + stride for each in torch.meshgrid(*[torch.arange(0, stride, 4)] * 2, indexing="ij"))
        view = torch.ones_like(x)
        states = sight(seen, view, x, y)
        assert states.shape == ((stride // 4) ** 2, 12)
        assert len(states.detach().round(decimals=4).unique(dim=0)) == len(states)
        torch.testing.assert_close(sight(seen, view, x + 3, y + 3), states)
        other = torch.randn_like(seen)
        other[1, 1, 1] = seen[1, 1, 1]
        torch.testing.assert_close(sight(other, view, x, y), states)


def test_scores_are_those_that_attention_goes_by() -> None:
    """The first head's mixture is what its softmax makes of them."""
    torch.manual_seed(0)
    layer, config, x = GOT(NANO).decoder.layers[1], NANO.decoder, torch.randn(2, 9, 32)
    attention, width = layer.attention, 8
    attention.qkv.bias.data.normal_()
    scores = layer.looks(x, config.theta)
    assert scores.shape == (2, 9, 9)
    assert (scores.isinf() == torch.ones(9, 9).triu(1).bool()).all()
    values = attention.qkv(layer.norm1(x))[..., 2 * 32 : 2 * 32 + width]
    attention.out.weight.data.copy_(torch.eye(32))
    call = Call.of(x, None)
    call = call._replace(turn=rotations(call.positions, width, config.theta, x.dtype))
    mixed = attention(layer.norm1(x), 0, call)[..., :width]
    torch.testing.assert_close(scores.softmax(-1) @ values, mixed)


def learned(batch: Batch, steps: int, glyphs: bool = True) -> tuple[GOT, list[dict[str, float]]]:
    torch.manual_seed(0)
    model = GOT(replace(NANO, decoder=replace(NANO.decoder, layers=4)))
    model.glyphs = Glyphs(model.config) if glyphs else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    told = []
    for _ in range(steps):
        losses = model(batch)
        sum(losses.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
        told.append({name: float(loss.detach()) for name, loss in losses.items()})
    return model, told


def test_a_model_learns_what_stands_where_and_where_to_look(tokenizer: Tokenizer) -> None:
    texts = ("a bc", "c ab", "b ca", "ac b")
    lines = [replace(LINES[0], text=text) for text in texts]
    samples = []
    for line in lines:
        sample = lined((line,))
        for center, char in zip(line.centers, line.text, strict=True):
            shade = {"a": 0, "b": 80, "c": 160, " ": 255}[char]
            middle = int(20 + 40 * center)
            sample.images[0].paste(shade, (middle - 4, 26, middle + 4, 38))
        samples.append(sample)
    batch = collate(samples, tokenizer, NANO)
    _, told = learned(batch, 250)
    assert {"next", "sight", "gaze"} == {*told[0]}
    assert told[-1]["sight"] < 0.2 < 5 < told[0]["sight"]
    assert told[-1]["gaze"] < 0.2 * told[0]["gaze"]


def test_what_teaches_is_no_part_of_what_is_saved(tmp_path: Path, tokenizer: Tokenizer) -> None:
    batch = collate([lined()], tokenizer, NANO)
    model, _ = learned(batch, 1)
    names = {name for name, _ in model.named_parameters() if name.startswith("glyphs.")}
    model.glyphs = None
    plain, _ = learned(batch, 0, glyphs=False)
    assert names
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in plain.named_parameters()]
    save(model, tmp_path / "model", tokenizer)
    assert {*model(batch)} == {"next"}


def test_without_places_it_learns_as_ever(tokenizer: Tokenizer) -> None:
    batch = collate([lined(())], tokenizer, NANO)
    assert learned(batch, 2)[1] == learned(batch, 2, glyphs=False)[1]


def test_decoders_without_inner_layers_are_refused() -> None:
    for config in (STAGE1, NANO):
        with pytest.raises(BadInput, match="expected Qwen2's, of three layers or more"):
            Glyphs(config)
