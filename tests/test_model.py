"""GOT's network against slower or independent truths: `transformers` on the same random weights, naive attention."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_reference import IMAGE, TINY, as_released, normalised, ours, question, scattered, theirs, write
from torch import Tensor

from ocr2.got import checkpoint
from ocr2.got.batch import Batch
from ocr2.got.config import PRESETS, DecoderConfig, GOTConfig, OPTConfig
from ocr2.got.decoder import Cache, Decoder, Place
from ocr2.got.encoder import (
    Encoder,
    _folded,
    _in_slices,
    biased_attention,
    pooled,
    relative_bias,
    window_partition,
    window_unpartition,
)
from ocr2.got.model import GOT
from ocr2.got.opt import OPTDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOSE = {"atol": 1e-4, "rtol": 0}
NANO = replace(
    PRESETS["nano"],
    encoder=replace(
        PRESETS["nano"].encoder,
        side=512,
        width=32,
        layers=3,
        mlp=64,
        window=5,
        global_layers=(1,),
        neck=16,
        out=(32, 64),
    ),
    decoder=DecoderConfig(vocabulary=300, width=48, layers=2, heads=4, kv_heads=4, mlp=64, theta=1e4, ahead=3),
)
LARGE = replace(TINY, encoder=replace(TINY.encoder, side=640, layers=2))
"""Its global layer has more places than a bias is made for."""
STAGE1 = replace(TINY, decoder=OPTConfig(vocabulary=300, width=48, layers=2, heads=4, mlp=64, positions=512))


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """The same numbers each time; one thread, for the networks are tiny."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@torch.no_grad()
def answered(model: GOT, view: Tensor, ids: Tensor, count: int) -> list[int]:
    """The ids that are likeliest, one after the other, all computed anew each time."""
    x, said = model.embeddings(ids, model.features([view])), []
    for _ in range(count):
        said.append(model.decoder.head(model.decoder(x)[:, -1]).argmax(-1, keepdim=True))
        x = torch.cat([x, model.decoder.embed(said[-1])], 1)
    return torch.cat(said, 1)[0].tolist()


@torch.no_grad()
def logits(model: GOT, view: Tensor, ids: Tensor) -> Tensor:
    return model.decoder.head(model.decoder(model.embeddings(ids, model.features([view]))))


@torch.no_grad()
def same(model: GOT, reference: Any, side: int = 128, answer: int = 64) -> None:
    """Asserts that both see and say the same."""
    view, ids = question(side)
    pixels = normalised(view)
    seen = reference.get_image_features(pixel_values=pixels).pooler_output
    torch.testing.assert_close(model.features([view]), seen.flatten(0, 1), **CLOSE)
    torch.testing.assert_close(logits(model, view, ids), reference(input_ids=ids, pixel_values=pixels).logits, **CLOSE)
    said = reference.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=pixels,
        max_new_tokens=answer,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )[0, ids.shape[1] :].tolist()
    assert answered(model, view, ids, answer) == said
    assert len(set(said)) > 1


class TestAgainstTransformers:
    @pytest.mark.parametrize(("side", "kv_heads"), [(128, 2), (128, 4), (640, 2)])
    def test_their_weights(self, tmp_path: Path, side: int, kv_heads: int) -> None:
        reference = theirs(side, kv_heads)
        reference.save_pretrained(tmp_path)
        same(checkpoint.load(tmp_path), reference, side, 64 if side == 128 else 4)

    def test_the_release(self, tmp_path: Path) -> None:
        reference = theirs()
        write(tmp_path, *as_released(reference))
        model = checkpoint.load(tmp_path)
        assert model.config == TINY
        same(model, reference)

    def test_ours_exported(self, tmp_path: Path) -> None:
        from transformers import GotOcr2ForConditionalGeneration

        checkpoint.export(ours(), tmp_path)
        same(ours(), GotOcr2ForConditionalGeneration.from_pretrained(tmp_path))

    def test_opt(self) -> None:
        from transformers import OPTConfig as Config
        from transformers import OPTForCausalLM

        sizes = {"vocab_size": 300, "hidden_size": 48, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = Config(**sizes, word_embed_proj_dim=48, max_position_embeddings=512)
        reference = scattered(OPTForCausalLM(config))
        decoder = OPTDecoder(STAGE1.decoder).eval()
        decoder.load_state_dict(opt_state(reference.model.decoder))
        x = torch.randn(2, 37, 48)
        with torch.no_grad():
            logits = reference(inputs_embeds=x, attention_mask=torch.ones(2, 37)).logits
            torch.testing.assert_close(decoder.head(decoder(x)), logits, **CLOSE)


def opt_state(reference: Any) -> dict[str, Tensor]:
    """The weights of OPT's decoder under our names."""
    theirs = reference.state_dict()
    parts = {
        "embed": ["embed_tokens"],
        "positions": ["embed_positions"],
        "norm": ["final_layer_norm"],
        "head": ["embed_tokens"],
    }
    for n in range(2):
        layer, attention = f"layers.{n}", f"layers.{n}.self_attn"
        parts |= {
            f"{layer}.norm1": [f"{attention}_layer_norm"],
            f"{layer}.attention.qkv": [f"{attention}.{name}_proj" for name in "qkv"],
            f"{layer}.attention.out": [f"{attention}.out_proj"],
            f"{layer}.norm2": [f"{layer}.final_layer_norm"],
            f"{layer}.up": [f"{layer}.fc1"],
            f"{layer}.down": [f"{layer}.fc2"],
        }
    return {
        f"{name}.{leaf}": torch.cat([theirs[f"{part}.{leaf}"] for part in names])
        for name, names in parts.items()
        for leaf in ("weight", "bias")
        if f"{names[0]}.{leaf}" in theirs
    }


DECODERS = [
    pytest.param(Decoder(TINY.decoder), id="qwen2"),
    pytest.param(OPTDecoder(OPTConfig(vocabulary=300, width=32, layers=2, heads=4, mlp=64, positions=64)), id="opt"),
]


@pytest.mark.parametrize("decoder", DECODERS)
@torch.no_grad()
def test_a_cache_changes_nothing(decoder: Decoder | OPTDecoder) -> None:
    scattered(decoder)
    lengths, steps = torch.tensor([5, 9, 2]), (1, 2, 1)
    x = torch.randn(3, 20, 32)
    alone = [decoder(row[None, : length + sum(steps)])[0] for row, length in zip(x, lengths, strict=True)]
    cache = Cache(decoder.config, 4, 16)
    for layer in (*cache.keys, *cache.values):
        layer.fill_(9)  # of rows that were here before
    for rows in ([2], [1, 0]):  # in any order, padded at the end
        at = torch.tensor(rows)
        count = int(lengths[at].max())
        states = decoder(x[at, :count], Place(cache, at, torch.zeros_like(at)))
        for row, state in zip(rows, states, strict=True):
            torch.testing.assert_close(state[: lengths[row]], alone[row][: lengths[row]])
    start = lengths
    for count in steps:
        span = int(start.max()) + count
        next_ = torch.stack([row[at : at + count] for row, at in zip(x, start.tolist(), strict=True)])
        states = decoder(next_, Place(cache, torch.arange(3), start, span))
        for row, state in enumerate(states):
            torch.testing.assert_close(state, alone[row][start[row] : start[row] + count])
        start = start + count


@torch.no_grad()
def test_a_cache_moves_and_grows() -> None:
    decoder, x = scattered(Decoder(TINY.decoder)), torch.randn(1, 6, 32)
    whole = decoder(x)
    cache = Cache(decoder.config, 2, 5)
    decoder(x[:, :5], Place(cache, torch.tensor([1]), torch.tensor([0])))
    cache.move(1, 0)
    cache.resize(1, 8)
    place = Place(cache, torch.tensor([0]), torch.tensor([5]), 6)
    torch.testing.assert_close(decoder(x[:, 5:], place), whole[:, 5:])


class TestAttention:
    def parts(self, h: int = 5, w: int = 7) -> tuple[Tensor, ...]:
        q, k, v = torch.randn(3, 2, 3, h, w, 8)
        return q, k, v, torch.randn(2 * h - 1, 8), torch.randn(2 * w - 1, 8)

    def naive(self, q: Tensor, k: Tensor, v: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Every query and key by itself: the bias of key (k, l) for query (i, j) is q · y[i - k] + q · x[j - l]."""
        _, _, h, w, d = q.shape
        out = torch.empty_like(q)
        for i in range(h):
            for j in range(w):
                one = q[:, :, i, j]
                scores = (one[:, :, None, None] * k).sum(-1) / math.sqrt(d)
                scores += torch.stack([one @ y[i - n + h - 1] for n in range(h)], -1)[..., None]
                scores += torch.stack([one @ x[j - n + w - 1] for n in range(w)], -1)[..., None, :]
                weights = scores.flatten(2).softmax(-1).unflatten(-1, (h, w))
                out[:, :, i, j] = (weights[..., None] * v).sum((2, 3))
        return out.flatten(2, 3)

    @pytest.mark.parametrize("way", [_folded, _in_slices, biased_attention])
    def test_every_way_is_the_naive_one(self, way: Any) -> None:
        for h, w in ((5, 7), (11, 9)):  # less and more than a slice of queries
            q, k, v, y, x = self.parts(h, w)
            bias = relative_bias(q, y, x)
            mixed = way(*(part.flatten(2, 3) for part in (q, k, v)), *bias)
            torch.testing.assert_close(mixed, self.naive(q, k, v, y, x), atol=1e-5, rtol=1e-5)

    def test_folded_has_gradients(self) -> None:
        q, k, v, y, x = (part.requires_grad_() for part in self.parts())
        flat = [part.flatten(2, 3) for part in (q, k, v)]
        gradients = torch.autograd.grad(_folded(*flat, *relative_bias(q, y, x)).sin().sum(), (q, k, v, y, x))
        expected = torch.autograd.grad(self.naive_again(q, k, v, y, x).sin().sum(), (q, k, v, y, x))
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)

    def naive_again(self, q: Tensor, k: Tensor, v: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """The same in one piece, so that it has gradients."""
        h, w = q.shape[2:4]
        rows = (torch.arange(h)[:, None] - torch.arange(h)) + h - 1
        columns = (torch.arange(w)[:, None] - torch.arange(w)) + w - 1
        scores = torch.einsum("bnijd,bnkld->bnijkl", q, k) / math.sqrt(q.shape[-1])
        scores = scores + torch.einsum("bnijd,ikd->bnijk", q, y[rows])[..., None]
        scores = scores + torch.einsum("bnijd,jld->bnijl", q, x[columns])[..., None, :]
        weights = scores.flatten(-2).softmax(-1).unflatten(-1, (h, w))
        return torch.einsum("bnijkl,bnkld->bnijd", weights, v).flatten(2, 3)


@pytest.mark.parametrize("grid", [(8, 8), (9, 6), (1, 7)])
def test_windows_undone(grid: tuple[int, int]) -> None:
    x, fill = torch.randn(2, *grid, 4), torch.arange(4.0)
    windows = window_partition(x, (3, 3), fill)
    assert windows.shape[1:] == (3, 3, 4)
    assert torch.equal(window_unpartition(windows, (3, 3), grid), x)
    assert torch.equal(windows[0, 0], x[0, 0, :3])
    if grid == (8, 8):
        assert torch.equal(windows[8, 2, 2], fill)  # the last of the first view's nine


def test_pooled() -> None:
    x = torch.randn(1, 2, 4, 8, 3)
    assert torch.allclose(pooled(x, 4)[0, 0, 0, 1], x[0, 0, :, 4:].mean((0, 1)), atol=1e-6)


def batch(config: GOTConfig, *sizes: tuple[int, int]) -> Any:
    """Two rows with a view of each size in the first and one of the first size in the second."""
    views = [torch.randint(256, (1, 3, *size), dtype=torch.uint8) for size in (*sizes, sizes[0])]
    counts = [config.encoder.tokens(*view.shape[2:]) for view in views]
    ids = torch.randint(3, 290, (2, sum(counts) + 12))
    for row, tokens in enumerate((sum(counts[:-1]), counts[-1])):
        ids[row, 3 : 3 + tokens] = config.image_token
    labels = ids.clone()
    labels[:, :-7] = -100
    labels[1, -2:] = -100
    return SimpleNamespace(views=views, ids=ids, labels=labels)


MODELS = [
    pytest.param(TINY, ((128, 128),), id="580m"),
    pytest.param(NANO, ((128, 320), (64, 512)), id="nano"),
    pytest.param(STAGE1, ((128, 128),), id="stage 1"),
]


@pytest.mark.parametrize("config", [NANO, STAGE1], ids=["nano", "stage 1"])
@torch.no_grad()
def test_what_is_random_at_first(config: GOTConfig) -> None:
    """The decoder's maps keep the size of what goes in; all words are alike."""
    model = GOT(config)
    assert model.decoder.head.weight is model.decoder.embed.weight
    for name, part in model.named_modules():
        if isinstance(part, (torch.nn.Linear, torch.nn.Embedding)):
            inner = name.startswith(("decoder.layers", "ahead"))
            std = part.in_features**-0.5 if inner else 0.02
            assert float(part.weight.std()) == pytest.approx(std, rel=0.15), name


def total(losses: dict[str, Tensor]) -> Tensor:
    """All that is learned."""
    return torch.stack(list(losses.values())).sum()


@pytest.mark.parametrize(("config", "sizes"), MODELS)
def test_every_parameter_learns(config: GOTConfig, sizes: tuple[tuple[int, int], ...]) -> None:
    model, data = GOT(config), batch(config, *sizes)
    losses = model(data)
    assert list(losses) == (["next", "ahead"] if config.decoder.ahead else ["next"])
    assert losses["next"].item() == pytest.approx(math.log(300), abs=0.3)  # random weights know nothing
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize(("config", "sizes"), MODELS)
def test_checkpointing_changes_nothing(config: GOTConfig, sizes: tuple[tuple[int, int], ...]) -> None:
    data, gradients = batch(config, *sizes), []
    for checkpointing in (False, True):
        model = ours(replace(config, checkpointing=checkpointing)).train()
        gradients.append(torch.autograd.grad(total(model(data)), list(model.parameters())))
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


def guessing(count: int) -> GOT:
    """A model that guesses among so many tokens."""
    return ours(replace(NANO, decoder=replace(NANO.decoder, guessed=count)))


@pytest.mark.parametrize(("chunk", "guessed"), [(1024, 0), (3, 0), (1024, 150), (3, 7)])
def test_the_losses_are_means_over_labels(chunk: int, guessed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocr2.got.model._CHUNK", chunk)
    model, data = guessing(guessed), batch(NANO, (128, 128))
    with torch.no_grad():
        states = model.states(data)
        found, sums, count = model(data), [0.0] * 4, 0
        for row, labels in enumerate(data.labels.tolist()):
            for place, label in enumerate(labels[1:]):
                if label < 0:
                    continue
                count += 1
                for k in range(4):
                    state = model.ahead[k - 1](states[row, place]) if k else states[row, place]
                    known = (k and guessed) or 300
                    if place + 1 + k < len(labels) and 0 <= labels[place + 1 + k] < known:
                        sums[k] -= model.decoder.head(state)[:known].log_softmax(-1)[labels[place + 1 + k]].item()
    assert count == 7 + 5
    assert found["next"].item() == pytest.approx(sums[0] / count, rel=1e-5)
    assert found["ahead"].item() == pytest.approx(sum(sums[1:]) / count / 3, rel=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3])
@torch.no_grad()
def test_losses_of_answers_shorter_than_what_is_guessed(length: int) -> None:
    states, labels = torch.randn(2, length, 48), torch.full((2, length), 7)
    losses = ours(NANO).losses(states, labels)
    assert [bool(loss > 0) for loss in losses.values()] == [length > 1, length > 2]


@torch.no_grad()
def test_guesses() -> None:
    states = torch.randn(5, 48)
    model, few = ours(NANO), guessing(20)
    for head in (*model.ahead, *few.ahead):
        head.down.weight.zero_()  # now each says what comes next
    logits = model.decoder.head(states)
    logits[:, NANO.image_token] = -math.inf
    assert torch.equal(model.guesses(states), logits.argmax(-1)[:, None].expand(5, 3))
    assert torch.equal(few.guesses(states), logits[:, :20].argmax(-1)[:, None].expand(5, 3))
    assert ours().guesses(states[:, :32]).shape == (5, 0)


@pytest.mark.parametrize("height", [64, 192, 512])
@torch.no_grad()
def test_views_of_any_size(height: int) -> None:
    model = ours(NANO)
    views = [torch.randint(256, (count, 3, height, width), dtype=torch.uint8) for count, width in ((2, 64), (1, 448))]
    features = model.features(views)
    assert features.shape == (NANO.encoder.tokens(height, 64) * 2 + NANO.encoder.tokens(height, 448), 48)
    alone = model.features([views[0][1:]])
    torch.testing.assert_close(features[len(alone) : 2 * len(alone)], alone, **CLOSE)


@pytest.mark.parametrize(("config", "sizes"), MODELS)
@torch.no_grad()
def test_bfloat16(config: GOTConfig, sizes: tuple[tuple[int, int], ...]) -> None:
    model, data = GOT(config), batch(config, *sizes)
    losses = model(data)
    for name, loss in model.to(torch.bfloat16)(data).items():
        assert loss.item() == pytest.approx(losses[name].item(), rel=0.02)


@torch.no_grad()
def test_views_of_one_column_in_bfloat16() -> None:
    encoder = ours(PRESETS["nano"]).encoder
    pixels = torch.rand(4, 3, 256, 64)
    exact = encoder(pixels)
    encoder.to(torch.bfloat16)
    for once_there in (0.0, 1e4, math.nan):
        rubbish = [torch.full((4 << n,), once_there) for n in range(1, 18) for _ in range(20)]
        del rubbish  # what is allocated next holds it
        assert (encoder(pixels.bfloat16()) - exact).norm() < 0.05 * exact.norm()


def test_autocast_leaves_the_decoder_in_float32_between_its_maps() -> None:
    model, data = ours(NANO).train(), batch(NANO, (128, 128))
    with torch.autocast("cpu", torch.bfloat16):
        states = model.states(data)
        losses = model(data)
    assert states.dtype == torch.float32
    for name, loss in model(data).items():
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(loss.item(), rel=0.02)


class TestCompiled:
    """One graph, and the same numbers."""

    @pytest.fixture(autouse=True)
    def fresh(self) -> None:
        torch.compiler.reset()

    @pytest.mark.parametrize("config", [TINY, NANO, STAGE1], ids=["580m", "nano", "stage 1"])
    def test_training_on_batches_of_many_lengths(self, config: GOTConfig) -> None:
        model, data = ours(config).train(), batch(config, (128, 128))
        compiled = torch.compile(model.states, fullgraph=True, backend="eager")
        for more in range(2, 40, 3):
            answer = torch.randint(3, 290, (2, more))
            ids, labels = (torch.cat([part, answer], 1) for part in (data.ids, data.labels))
            longer = Batch(data.views, ids, labels)
            torch.testing.assert_close(model.losses(compiled(longer), labels), model(longer), **CLOSE)

    @pytest.mark.parametrize("config", [TINY, LARGE, NANO], ids=["580m", "large", "nano"])
    def test_encoder(self, config: GOTConfig) -> None:
        encoder = scattered(Encoder(config.encoder))
        pixels = torch.randn(1, 3, config.encoder.side, config.encoder.side)
        with torch.no_grad():
            compiled = torch.compile(encoder, fullgraph=True, backend="eager")(pixels)
            torch.testing.assert_close(compiled, encoder(pixels), **CLOSE)

    @pytest.mark.parametrize("decoder", DECODERS)
    @torch.no_grad()
    def test_decoder(self, decoder: Decoder | OPTDecoder) -> None:
        scattered(decoder)
        compiled = torch.compile(decoder, fullgraph=True, backend="eager")
        x, rows = torch.randn(2, 9, 32), torch.arange(2)
        whole = decoder(x)
        torch.testing.assert_close(compiled(x), whole)
        cache = Cache(decoder.config, 2, 16)
        states = compiled(x[:, :8], Place(cache, rows, torch.zeros_like(rows)))
        torch.testing.assert_close(states, whole[:, :8])
        states = compiled(x[:, 8:], Place(cache, rows, torch.full_like(rows, 8), 9))
        torch.testing.assert_close(states, whole[:, 8:])


def test_image_tokens_take_their_places_in_order() -> None:
    model = ours()
    ids = torch.tensor([[1, IMAGE, IMAGE, 2], [IMAGE, 3, 4, IMAGE]])
    features = torch.randn(4, 32)
    x = model.embeddings(ids, features)
    assert torch.equal(torch.stack([x[0, 1], x[0, 2], x[1, 0], x[1, 3]]), features)
    assert torch.equal(x[1, 1], model.decoder.embed.weight[3])
