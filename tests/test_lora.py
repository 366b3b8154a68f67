"""Adapters: nothing at first, and afterwards in the weights; new rows of the vocabulary learn while old ones stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from got_helpers import tiny_got, tiny_tokenizer

from ocr2.got import lora
from ocr2.got.batch import IGNORED, Batch
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.model import GOT, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = range(100, 103)


def guessing() -> GOT:
    """A model with heads for further tokens."""
    encoder = EncoderConfig(
        side=128, width=32, layers=1, heads=2, mlp=32, window=2, global_layers=(), neck=16, out=(16, 24)
    )
    decoder = DecoderConfig(vocabulary=300, width=32, layers=2, heads=2, kv_heads=2, mlp=48, ahead=2)
    torch.manual_seed(1)
    return GOT(GOTConfig(encoder, decoder, context=128, image_token=tiny_tokenizer().image))


def batch(model: GOT) -> Batch:
    generator = torch.Generator().manual_seed(2)
    views = torch.randint(0, 256, (2, 3, 128, 128), generator=generator, dtype=torch.uint8)
    image = torch.full((2, 4), model.config.image_token)
    text = torch.cat([torch.randint(0, 110, (2, 9), generator=generator), torch.tensor([[100, 101], [102, 7]])], 1)
    ids = torch.cat([image, text], 1)
    labels = torch.cat([torch.full_like(image, IGNORED), text], 1)
    return Batch((views,), ids, labels)


@pytest.fixture(params=[tiny_got, guessing])
def model(request: pytest.FixtureRequest) -> Iterator[GOT]:
    model: GOT = request.param()
    yield model


def taught(model: GOT) -> None:
    """A few steps of what is beside the model, and of nothing else."""
    optimizer = torch.optim.AdamW([*model.adapters.parameters()], lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        torch.stack([*model(batch(model)).values()]).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("new", [range(0), NEW])
def test_a_model_answers_as_before_when_it_gets_adapters(model: GOT, new: range) -> None:
    before = model.states(batch(model)), model(batch(model))
    lora.adapt(model, new)
    after = model.states(batch(model)), model(batch(model))
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]


def test_merged_it_answers_as_with_its_adapters(model: GOT) -> None:
    untaught = model(batch(model))
    lora.adapt(model, NEW)
    taught(model)
    beside = model(batch(model))
    assert all(abs(beside[name] - loss) > 1e-3 for name, loss in untaught.items()), "it has learned something"
    lora.merge(model)
    merged = model(batch(model))
    assert merged.keys() == beside.keys()
    for name in merged:
        torch.testing.assert_close(merged[name], beside[name], atol=1e-5, rtol=1e-5)
    assert not changed(model), "it is a plain model again"
    assert model.decoder.head.weight is model.decoder.embed.weight


def test_the_weights_stay_until_adapters_are_merged(model: GOT) -> None:
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    lora.adapt(model, NEW)
    taught(model)
    assert all(torch.equal(model.get_parameter(name), each) for name, each in before.items())
    rows = model.adapters.words.rows.detach().clone()
    lora.merge(model)
    changed = {name for name, each in model.named_parameters() if not torch.equal(each, before[name])}
    assert changed == {
        name
        for name in before
        if name.startswith(("decoder.layers", "ahead")) and "norm" not in name and not name.endswith("bias")
    } | {"decoder.embed.weight"}
    assert torch.equal(model.decoder.embed.weight[NEW.start : NEW.stop], rows)


def test_adapters_are_beside_every_linear_map_of_the_decoder(model: GOT) -> None:
    lora.adapt(model)
    names = {name.rpartition(".")[0] for name, each in model.named_parameters() if each.ndim == 2}
    expected = {name for name in names if name.startswith(("decoder.layers", "ahead"))}
    assert expected
    assert all(each.numel() for each in model.parameters()), "FSDP can't spread what is empty"
    assert set(model.adapters.maps) == {name.replace(".", "/") for name in expected}


def test_new_rows_have_the_gradient_that_they_have_in_the_table(model: GOT) -> None:
    torch.stack([*model(batch(model)).values()]).sum().backward()
    expected = model.decoder.embed.weight.grad
    assert expected is not None
    lora.adapt(model, NEW)
    torch.stack([*model(batch(model)).values()]).sum().backward()
    found = model.adapters.words.rows.grad
    torch.testing.assert_close(found, expected[NEW.start : NEW.stop], atol=1e-6, rtol=1e-4)
    assert found.abs().sum() > 0
