"""Training: what one loop does is what a plain one would do; killed and resumed is never killed, number for number."""

from __future__ import annotations

import fcntl
import json
import math
import multiprocessing
import os
import random
import resource
import signal
import socket
import time
from contextlib import ExitStack, closing
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="training runs on torch: pip install 'ocr2[got]'")

import torch
from got_helpers import tiny_got, tiny_tokenizer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ocr2 import curves
from ocr2.errors import BadCheckpoint, BadInput, BadOutput, OcrError, TrainingFailed
from ocr2.got.batch import Batch
from ocr2.got.glyphs import Glyphs
from ocr2.got.model import GOT
from ocr2.ranks import Ranks
from ocr2.train import Stage, Step, fit, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGE = Stage("toy", 10, 1e-2, warmup=0.2, precision="fp32", ema=0.9, every=4, seed=3)
VOCABULARY = 13


@dataclass(frozen=True)
class Toy:
    """Letters (B, T) of which each is to be told anew."""

    letters: Tensor
    weight: Tensor
    origins: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.letters.numel()

    @property
    def tokens(self) -> int:
        return 2 * self.letters.numel()

    def to(self, device: torch.device) -> Toy:
        return replace(self, letters=self.letters.to(device), weight=self.weight.to(device))


class Model(nn.Module):
    """All that real ones have: a tied head, layers in a list, norms, random numbers, a buffer."""

    def __init__(self, dropout: float = 0.2, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(VOCABULARY, 6)
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.GELU()) for _ in range(3))
        self.layers2 = nn.Linear(6, 6)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, VOCABULARY, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.types: set[torch.dtype] = set()

    def forward(self, batch: Toy) -> dict[str, Tensor]:
        x = self.embed(batch.letters)
        for layer in self.called(batch):
            x = x + self.dropout(layer(x))
        x = self.layers2(x)
        self.types.add(x.dtype)
        self.seen += 1
        logits = self.head(x).float() * batch.weight
        next_ = nn.functional.cross_entropy(logits.flatten(0, 1), batch.letters.flatten())
        return {"next": next_, "size": logits.square().mean()}

    def called(self, batch: Toy) -> nn.ModuleList:
        return self.layers


class Uneven(Model):
    """One that doesn't call all of its layers, but as many as it has further rows to tell."""

    def called(self, batch: Toy) -> nn.ModuleList:
        return self.layers[: len(batch.letters) - 1]


def batch(n: int) -> Toy:
    draw = torch.Generator().manual_seed(n)
    letters = torch.randint(0, VOCABULARY, (1 + n % 3, 5), generator=draw)
    return Toy(letters, torch.ones(()), tuple(f"batch {n}, row {row}" for row in range(len(letters))))


def batches(position: Any, rank: int = 0, world: int = 1) -> Iterator[tuple[Toy, Any]]:
    n = rank if position is None else position["next"]
    while True:
        n += world
        yield batch(n - world), {"next": n, "dropped": {"too long": n // 4}}


def spoiled(at: int, weight: float, data: Any = batches) -> Any:
    """The same batches, but one of them is multiplied by something."""

    def give(position: Any) -> Iterator[tuple[Toy, Any]]:
        for toy, after in data(position):
            n = after["next"] - 1
            yield (replace(toy, weight=torch.tensor(weight)) if n == at else toy), after

    return give


def few(most: int, data: Any = batches) -> Any:
    """The same batches up to a number of them."""

    def give(position: Any) -> Iterator[tuple[Toy, Any]]:
        for toy, after in data(position):
            if after["next"] > most:
                return
            yield toy, after

    return give


def at_once() -> bool:
    """Whether to stop: yes."""
    return True


def trained(out: Path, stage: Stage = STAGE, model: nn.Module | None = None, **options: Any) -> list[Step]:
    return list(fit(model or Model(), options.pop("data", batches), stage, out, **options))


def told(steps: list[Step]) -> list[tuple[Any, ...]]:
    """What of steps is the same in each run."""
    return [(step.number, step.losses, step.loss, step.rate, step.norm, step.tokens, step.dropped) for step in steps]


def saved(out: Path) -> dict[str, Tensor]:
    return load_file(out / "state.safetensors")


def metadata(out: Path) -> dict[str, Any]:
    with safe_open(out / "state.safetensors", "pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["ocr2"])
    return found


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def plainly(stage: Stage, model: Model) -> dict[str, Tensor]:
    """AdamW, written down again from its paper, one number after the other; the means of the weights."""
    stream = batches(None)
    parameters = dict(model.named_parameters())
    first = {name: torch.zeros_like(each) for name, each in parameters.items()}
    second = {name: torch.zeros_like(each) for name, each in parameters.items()}
    means = {name: each.detach().clone() for name, each in parameters.items()}
    warm = math.ceil(stage.warmup * stage.steps)
    for n in range(1, stage.steps + 1):
        some: list[Toy] = []
        while len(some) < stage.accumulate or sum(len(toy.letters) for toy in some) < stage.samples:
            some.append(next(stream)[0])
        total = sum(toy.size for toy in some)
        losses = [model(toy) for toy in some]
        loss = sum(
            (each["next"] + 0.1 * each["size"]) * toy.size / total for each, toy in zip(losses, some, strict=True)
        )
        grads = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
        norm = torch.cat([grad.flatten() for grad in grads.values()]).norm()
        rate = stage.rate * (
            n / warm if n <= warm else 0.5 + 0.5 * math.cos(math.pi * (n - 1 - warm) / (stage.steps - warm))
        )
        with torch.no_grad():
            for name, each in parameters.items():
                grad = grads[name] * min(1.0, stage.clip / float(norm))
                first[name] = stage.betas[0] * first[name] + (1 - stage.betas[0]) * grad
                second[name] = stage.betas[1] * second[name] + (1 - stage.betas[1]) * grad**2
                up = first[name] / (1 - stage.betas[0] ** n)
                down = (second[name] / (1 - stage.betas[1] ** n)).sqrt() + 1e-8
                each -= rate * (up / down + (stage.decay * each if each.ndim > 1 else 0))
                keep = min(stage.ema, n / (n + 9))
                means[name] = keep * means[name] + (1 - keep) * each
    return means


class TestTheLoop:
    @pytest.mark.parametrize("gathered", [{}, {"accumulate": 3}, {"samples": 4}, {"accumulate": 2, "samples": 3}])
    @pytest.mark.parametrize("clip", [0.05, 1e6])
    def test_it_is_adamw_with_all_that_belongs_to_it(
        self, tmp_path: Path, gathered: dict[str, int], clip: float
    ) -> None:
        stage = replace(STAGE, clip=clip, losses={"size": 0.1}, **gathered)
        model, truth = Model(dropout=0), Model(dropout=0)
        trained(tmp_path, stage, model)
        means = plainly(stage, truth)
        for name, each in truth.named_parameters():
            torch.testing.assert_close(model.get_parameter(name), each, atol=2e-6, rtol=1e-5)
        learned = Model(seed=9)
        weights(tmp_path, learned)
        for name, mean in means.items():
            torch.testing.assert_close(learned.get_parameter(name), mean, atol=2e-6, rtol=1e-5)

    def test_it_learns_and_tells(self, tmp_path: Path) -> None:
        steps = trained(tmp_path, replace(STAGE, steps=60, losses={"size": 0.0}), Model(dropout=0))
        assert [step.number for step in steps] == list(range(1, 61))
        assert steps[-1].loss < 0.5 * steps[0].loss
        assert all(step.loss == pytest.approx(step.losses["next"]) and step.losses["size"] > 0 for step in steps)
        assert steps[-1].dropped == {"too long": 15}
        assert steps[3].tokens == batch(3).tokens
        assert all(step.memory > 2**20 and 0 <= step.waited < 1 and step.norm > 0 for step in steps)
        assert all(step.tokens_per_second * step.seconds == pytest.approx(step.tokens) for step in steps)

    def test_waiting_for_data_is_told(self, tmp_path: Path) -> None:
        def slow(position: Any) -> Iterator[tuple[Toy, Any]]:
            for each in batches(position):
                time.sleep(0.05)
                yield each

        steps = trained(tmp_path, replace(STAGE, steps=4), data=slow)
        assert all(step.waited > 0.5 and step.seconds > 0.05 for step in steps[1:])

    def test_products_are_in_bf16_and_weights_are_not(self, tmp_path: Path) -> None:
        model = Model().to(torch.bfloat16)
        steps = trained(tmp_path, replace(STAGE, precision="bf16"), model)
        assert model.types == {torch.bfloat16}
        assert {each.dtype for each in model.parameters()} == {torch.float32}
        assert {each.dtype for each in saved(tmp_path).values()} == {torch.float32, torch.int64}
        exact = trained(tmp_path / "exact", model=Model().to(torch.bfloat16))
        assert [step.loss for step in steps] == pytest.approx([step.loss for step in exact], rel=0.02)
        assert told(steps) != told(exact)

    def test_decay_is_for_matrices_only(self, tmp_path: Path) -> None:
        model, before = Model(), dict(Model().named_parameters())
        stage = replace(STAGE, steps=1, warmup=0, losses={"next": 0.0, "size": 0.0})
        trained(tmp_path, stage, model)
        for name, each in model.named_parameters():
            left = before[name] * (1 - stage.rate * stage.decay if each.ndim > 1 else 1)
            torch.testing.assert_close(each.detach(), left.detach(), atol=0, rtol=1e-6)

    def test_parameters_that_no_loss_comes_by(self, tmp_path: Path) -> None:
        model = Model()
        model.unused = nn.Linear(2, 2)
        trained(tmp_path, model=model)
        again = Model(seed=4)
        again.unused = nn.Linear(2, 2)
        weights(tmp_path, again, ema=False)
        assert torch.equal(again.unused.weight, model.unused.weight)

    def test_what_is_frozen_stays(self, tmp_path: Path) -> None:
        model, before = Model(), dict(Model().named_parameters())
        model.layers[0].append(nn.BatchNorm1d(5))
        stage = replace(STAGE, frozen=("layers.0", "embed"))
        steps = trained(tmp_path, stage, model)
        still = {name for name, each in before.items() if torch.equal(each, model.get_parameter(name))}
        assert still == {name for name in before if name.startswith(("layers.0.", "embed."))}
        assert model.layers[0][3].num_batches_tracked == 0, "what is frozen counts nothing"
        assert not [name for name in saved(tmp_path) if "embed" in name and not name.startswith("weights/")]
        assert len(steps) == 10
        trained(tmp_path / "next", model=model)
        assert not any(torch.equal(each, model.get_parameter(name)) for name, each in before.items()), "now all learn"

    @pytest.mark.parametrize(("frozen", "words"), [("layer", "no parameter of: expected embed, layers"), ("", "")])
    def test_frozen_names_that_are_none(self, tmp_path: Path, frozen: str, words: str) -> None:
        every = ("embed", "layers", "layers2")
        with pytest.raises(BadInput, match=words or "freezes all of the model"):
            trained(tmp_path, replace(STAGE, frozen=(frozen,) if frozen else every))

    def test_a_loss_that_the_model_has_not(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="weighs a loss 'nxt': expected some of the model's: next, size"):
            trained(tmp_path, replace(STAGE, losses={"nxt": 1.0}))

    def test_changes_are_drawn_anew_each_time_and_the_same_each_run(self, tmp_path: Path) -> None:
        drawn: dict[str, list[float]] = {"one": [], "two": [], "other": []}

        def run(name: str, stage: Stage) -> None:
            def change(toy: Toy, generator: torch.Generator) -> Toy:
                drawn[name].append(float(torch.rand((), generator=generator)))
                return toy

            trained(tmp_path / name, stage, augment=change)

        stage = replace(STAGE, accumulate=2)
        run("one", stage)
        run("two", stage)
        run("other", replace(stage, seed=4))
        assert drawn["one"] == drawn["two"]
        assert len({*drawn["one"], *drawn["other"]}) == 40

    def test_random_numbers_of_others_are_left_alone(self, tmp_path: Path) -> None:
        model = Model()
        torch.manual_seed(5)
        trained(tmp_path, model=model)
        left = torch.rand(3)
        torch.manual_seed(5)
        assert torch.equal(left, torch.rand(3))
        torch.manual_seed(6)  # nor does it depend on them
        trained(tmp_path / "again")
        assert same(saved(tmp_path), saved(tmp_path / "again"))

    def test_a_layer_compiled_in_place(self, tmp_path: Path) -> None:
        model = Model()
        model.layers[1].compile(backend="eager")
        assert told(trained(tmp_path, model=model)) == told(trained(tmp_path / "plain"))
        assert same(saved(tmp_path), saved(tmp_path / "plain"))


@dataclass(frozen=True)
class Pages:
    """Random pages and texts for GOT."""

    views: tuple[Tensor, ...]
    ids: Tensor
    labels: Tensor
    origins: tuple[str, ...] = ("a page", "a page")
    size: int = 8
    tokens: int = 24

    def to(self, device: torch.device) -> Pages:
        return self


def pages(position: int | None, rank: int = 0, world: int = 1) -> Iterator[tuple[Pages, int]]:
    image = tiny_got().config.image_token
    for n in range(rank if position is None else position, 100, world):
        draw = torch.Generator().manual_seed(n)
        ids = torch.randint(0, 256, (2, 12), generator=draw)
        ids[:, 2:6] = image
        labels = torch.where(torch.arange(12) >= 8, ids, -100)
        yield (
            Pages((torch.randint(0, 256, (2, 3, 128, 128), generator=draw, dtype=torch.uint8),), ids, labels),
            n + world,
        )


READING = Stage("text", 4, 1e-3, ema=0.9, every=2, frozen=("encoder.layers.0",))


def test_got_is_resumed_exactly(tmp_path: Path) -> None:
    stage = replace(READING, accumulate=2)
    whole = told(trained(tmp_path / "whole", stage, tiny_got(), data=pages))
    first = []
    for step in fit(tiny_got(), pages, stage, tmp_path / "cut"):
        first.append(step)
        if step.number == 3:
            break
    rest = trained(tmp_path / "cut", stage, tiny_got(), data=pages)
    assert told(first) == whole[:3]
    assert told(rest) == whole[2:]
    assert same(saved(tmp_path / "whole"), saved(tmp_path / "cut"))
    read = tiny_got()
    weights(tmp_path / "cut", read)
    assert read.decoder.head.weight is read.decoder.embed.weight
    assert torch.equal(read.decoder.head.weight, saved(tmp_path / "cut")["ema/decoder.embed.weight"])


APART = multiprocessing.get_context("forkserver")
"""Other processes, which have torch and this module from one that imports them once."""
APART.set_forkserver_preload([__name__, "torch.distributed.fsdp"])


def status(*calls: tuple[Any, ...]) -> list[int | None]:
    """How processes end that each make one of these calls, all at once."""
    processes = [APART.Process(target=target, args=given, daemon=True) for target, *given in calls]
    for process in processes:
        process.start()
    until = time.monotonic() + 200
    for process in processes:
        process.join(until - time.monotonic())
    ended = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return ended


def killed(out: Path, at: int, saving: bool) -> None:
    """Trains until a step is done, or from there on until the next state is on disk but hasn't its name yet."""
    torch.set_num_threads(1)

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with curves.StepLog(out.with_suffix(".jsonl")) as log:
        for step in fit(Model(), batches, STAGE, out):
            log.add(step)
            if step.number == at and saving:
                os.fsync = die
            elif step.number == at:
                die()


def test_killed_and_resumed_is_never_killed(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    truth = told(trained(tmp_path / "whole"))
    out = tmp_path / "out"
    assert status((killed, out, 6, False)) == [-signal.SIGKILL], "between two checkpoints"
    good = (out / "state.safetensors").read_bytes()
    assert status((killed, out, 7, True)) == [-signal.SIGKILL], "resumed, and killed again"
    assert len(list(out.glob(".*.part"))) == 1
    assert (out / "state.safetensors").read_bytes() == good
    assert metadata(out)["step"] == 4
    with curves.StepLog(out.with_suffix(".jsonl")) as log:
        for step in fit(Model(seed=8), batches, STAGE, out):
            log.add(step)
    assert told(curves.read(out.with_suffix(".jsonl"))) == truth
    assert same(saved(out), saved(tmp_path / "whole"))
    assert metadata(out) == metadata(tmp_path / "whole")
    assert set(os.listdir(out)) == {"state.safetensors", ".lock"}, "what the killed run left is gone"


class TestResuming:
    @pytest.mark.parametrize("stop", range(1, 10))
    def test_stopped_anywhere(self, tmp_path: Path, stop: int) -> None:
        whole = trained(tmp_path / "whole")
        run = fit(Model(), batches, STAGE, tmp_path / "cut")
        first = [next(run) for _ in range(stop)]
        run.close()
        rest = trained(tmp_path / "cut", model=Model(seed=7 if stop >= 4 else 0))  # before, nothing was saved
        assert told(first) == told(whole[:stop])
        assert told(rest) == told(whole[stop // 4 * 4 :])
        assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))

    def test_a_stage_that_is_done(self, tmp_path: Path) -> None:
        trained(tmp_path)
        before = (tmp_path / "state.safetensors").read_bytes()
        assert trained(tmp_path, data=lambda position: pytest.fail("no data is needed")) == []
        assert (tmp_path / "state.safetensors").read_bytes() == before

    def test_stopped_where_it_is_asked_for(self, tmp_path: Path) -> None:
        whole = trained(tmp_path / "whole")
        asked = iter([False, False, True, *[True] * 7])
        runs = [trained(tmp_path / "cut", stop=lambda: next(asked)) for _ in range(8)]
        assert told([step for steps in runs for step in steps]) == told(whole)
        assert [len(steps) for steps in runs] == [3, *[1] * 7]
        assert list(asked) == [], "it is asked once for each step"
        assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))

    def test_every_may_change(self, tmp_path: Path) -> None:
        trained(tmp_path / "whole")
        trained(tmp_path / "cut", stop=at_once)
        trained(tmp_path / "cut", replace(STAGE, every=1))
        assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"steps": 20}, "stage.steps: 10 → 20"),
            ({"rate": 1e-3}, "stage.rate: 0.01 → 0.001"),
            ({"ema": 0.0}, "stage.ema: 0.9 → 0.0"),
            ({"frozen": ("embed",)}, 'stage.frozen: [] → ["embed"]'),
            ({"data": {"lines": 1.0}}, "stage.data.lines: nothing → 1.0"),
            ({"name": "other"}, 'stage.name: "toy" → "other"'),
        ],
    )
    def test_another_stage(self, tmp_path: Path, change: dict[str, Any], words: str) -> None:
        trained(tmp_path, stop=at_once)
        with pytest.raises(BadCheckpoint) as failed:
            trained(tmp_path, replace(STAGE, **change))
        assert f"is of a run that differs from this one in {words}: to go on, give what it was; " in str(failed.value)
        assert str(failed.value).endswith(f"give another --out and --init {tmp_path / 'model'}")

    @pytest.mark.parametrize(
        ("now", "words"),
        [
            ({"config": {"width": 128, "heads": [2, 4]}, "data": ["a"]}, "config.width: 64 → 128"),
            ({"config": {"width": 64, "heads": (2, 4, 8)}, "data": ["a"]}, "config.heads: [2, 4] → [2, 4, 8]"),
            ({"config": {"width": 64, "heads": (2, 4)}, "data": ["ä"]}, 'data: ["a"] → ["ä"]'),
            ({"config": {"width": 64, "heads": (2, 4)}}, 'data: ["a"] → nothing'),
            ({"config": {"width": 64, "heads": (2, 4), "x": None}, "data": ["a"]}, "config.x: nothing → null"),
            ({"config": "y" * 999, "data": ["a"]}, f'config: {{"width": 64, "heads": [2, 4]}} → "{"y" * 198}…'),
            (None, 'config: {"width": 64, "heads": [2, 4]} → nothing'),
        ],
    )
    def test_about_something_else(self, tmp_path: Path, now: Any, words: str) -> None:
        about = {"config": {"width": 64, "heads": (2, 4)}, "data": ["a"]}
        trained(tmp_path, stop=at_once, about=about)
        before = (tmp_path / "state.safetensors").read_bytes()
        with pytest.raises(BadCheckpoint) as failed:
            trained(tmp_path, about=now)
        assert f"differs from this one in {words}: to go on, give what it was" in str(failed.value)
        assert (tmp_path / "state.safetensors").read_bytes() == before
        assert metadata(tmp_path)["about"] == {"config": {"width": 64, "heads": [2, 4]}, "data": ["a"]}
        assert len(trained(tmp_path, about=about)) == 9, "the same goes on"

    @pytest.mark.parametrize("about", [{"x": math.nan}, {"x": {1, 2}}, {("x",): 1}])
    def test_about_what_json_has_not(self, tmp_path: Path, about: Any) -> None:
        with pytest.raises(BadInput, match=r"about=.*: expected plain values"):
            trained(tmp_path, about=about)

    def test_a_folder_that_is_in_use(self, tmp_path: Path) -> None:
        whole = trained(tmp_path / "whole")
        run = fit(Model(), batches, STAGE, tmp_path / "cut")
        first = [next(run) for _ in range(3)]
        part = tmp_path / "cut" / f".{'0' * 16}.part"
        part.write_text("what the first run is about to save")
        for _ in range(2):
            with pytest.raises(BadOutput, match="cut: another run is using it: expected a folder for this run alone"):
                trained(tmp_path / "cut")
        assert part.exists()
        first += [next(run)]
        run.close()
        rest = trained(tmp_path / "cut")
        assert not part.exists(), "what is left of a run that is no more"
        assert told(first + rest) == told(whole)
        assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))

    def test_another_model(self, tmp_path: Path) -> None:
        trained(tmp_path, stop=at_once)
        less, wide = Model(), Model()
        del less.layers[2]
        wide.layers[1][0] = nn.Linear(6, 6, bias=False)
        wide.layers2 = nn.Linear(6, 7)
        for model, words in [
            (less, "has ema/layers.2.0.bias, which this model hasn't"),
            (wide, r"layers2.weight is F32 \(6, 6\), and this model's is F32 \(7, 6\)"),
        ]:
            before = {name: each.clone() for name, each in model.state_dict().items()}
            with pytest.raises(BadCheckpoint, match=words):
                trained(tmp_path, model=model)
            assert same(before, dict(model.state_dict()))
        more = Model()
        more.more = nn.Linear(1, 1)
        with pytest.raises(BadCheckpoint, match=r"has no weights/more\.weight, which this model has"):
            trained(tmp_path, model=more)

    def test_another_number_of_processes(self, tmp_path: Path) -> None:
        trained(tmp_path, stop=at_once)
        found = metadata(tmp_path)
        found["positions"] *= 2
        save_file(saved(tmp_path), tmp_path / "state.safetensors", {"ocr2": json.dumps(found)})
        with pytest.raises(
            BadCheckpoint, match=r"is of 2 processes, and this is 1: to go on, start as many; .* --init"
        ):
            trained(tmp_path)


class TestBadFiles:
    @pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.3, 0.9999])
    def test_cut_short(self, tmp_path: Path, share: float) -> None:
        trained(tmp_path)
        path = tmp_path / "state.safetensors"
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        for attempt in (lambda: trained(tmp_path), lambda: weights(tmp_path, Model())):
            with pytest.raises(BadCheckpoint, match="can't be read"):
                attempt()

    def test_other_files(self, tmp_path: Path) -> None:
        path = tmp_path / "state.safetensors"
        for content in (
            None,
            {},
            {"ocr2": "{"},
            {"ocr2": "[]"},
            {"ocr2": '{"step": "x", "stage": {}, "positions": []}'},
            {"ocr2": '{"step": 1, "stage": {}, "positions": [null], "about": []}'},
        ):
            save_file({"x": torch.ones(2)}, path, content)
            with pytest.raises(BadCheckpoint, match="isn't the state of a run of training"):
                trained(tmp_path)
        path.write_bytes(random.Random(0).randbytes(5000))
        with pytest.raises(BadCheckpoint, match="can't be read"):
            trained(tmp_path)
        path.unlink()
        path.mkdir()
        with pytest.raises(BadCheckpoint, match="can't be read"):
            trained(tmp_path)
        with pytest.raises(BadCheckpoint, match="doesn't exist"):
            weights(path / "nowhere", Model())

    @pytest.mark.parametrize("name", ["weights/embed.weight", "second/layers.0.0.weight", "ema/layers2.bias"])
    def test_numbers_that_are_none(self, tmp_path: Path, name: str) -> None:
        trained(tmp_path, stop=at_once)
        tensors = saved(tmp_path)
        tensors[name].view(-1)[-1] = math.nan
        save_file(tensors, tmp_path / "state.safetensors", {"ocr2": json.dumps(metadata(tmp_path))})
        with pytest.raises(BadCheckpoint, match=f"{name} has infinite or undefined numbers"):
            trained(tmp_path)

    def test_a_full_disk(self, tmp_path: Path) -> None:
        whole = trained(tmp_path / "whole")
        run = fit(Model(), batches, STAGE, tmp_path / "cut")
        for _ in range(4):
            next(run)
        before = (tmp_path / "cut" / "state.safetensors").read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            with pytest.raises(BadOutput, match=r"state.safetensors can't be written .* space left"):
                list(run)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "cut" / "state.safetensors").read_bytes() == before
        assert set(os.listdir(tmp_path / "cut")) == {"state.safetensors", ".lock"}
        assert told(trained(tmp_path / "cut")) == told(whole[4:])

    def test_places_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
            with pytest.raises(BadOutput, match="can't be written"):
                trained(place)

    def test_the_file_is_one_that_safetensors_reads(self, tmp_path: Path) -> None:
        model = Model()
        trained(tmp_path, model=model)
        tensors = saved(tmp_path)
        assert torch.equal(tensors["weights/embed.weight"], model.head.weight)
        assert "weights/head.weight" not in tensors
        assert tensors["weights/seen"].item() == 10
        found = metadata(tmp_path)
        assert found["step"] == 10
        assert found["positions"] == [{"next": 10, "dropped": {"too long": 2}}]
        assert Stage.from_json(found["stage"]) == STAGE


class TestWeights:
    def test_the_means_are_what_is_read(self, tmp_path: Path) -> None:
        trained(tmp_path, replace(STAGE, frozen=("layers.0",)))
        tensors = saved(tmp_path)
        for ema, kind in ((True, "ema/"), (False, "weights/")):
            model = Model(seed=5).half()
            assert weights(tmp_path, model, ema=ema).step == 10
            assert torch.equal(model.layers2.weight, tensors[f"{kind}layers2.weight"].half())
            assert torch.equal(model.layers[0][0].weight, tensors["weights/layers.0.0.weight"].half())
            assert model.head.weight is model.embed.weight
            assert model.seen == 10
        assert not torch.equal(tensors["ema/layers2.weight"], tensors["weights/layers2.weight"])

    def test_without_means(self, tmp_path: Path) -> None:
        model, read = Model(), Model(seed=5)
        trained(tmp_path, replace(STAGE, ema=0.0), model)
        weights(tmp_path / "state.safetensors", read)
        assert same(dict(model.state_dict()), dict(read.state_dict()))

    def test_another_model(self, tmp_path: Path) -> None:
        trained(tmp_path, stop=at_once)
        with pytest.raises(BadCheckpoint, match=r"has no weights/"):
            weights(tmp_path, tiny_got())


class TestWhatGoesWrong:
    @pytest.mark.parametrize(("weight", "loss"), [(math.nan, "nan"), (1e25, "inf")])
    def test_a_loss_that_is_none(self, tmp_path: Path, weight: float, loss: str) -> None:
        stage = replace(STAGE, every=2, accumulate=2)
        model, good = Model(), Model()
        with pytest.raises(TrainingFailed) as failed:
            trained(tmp_path, stage, model, data=spoiled(7, weight))
        words = str(failed.value)
        assert f"step 4 of stage 'toy': the loss is {loss} for a batch of batch 7, row 0, batch 7, row 1:" in words
        assert "batch 6" not in words
        assert words.endswith("state.safetensors holds step 2")
        assert metadata(tmp_path)["step"] == 2
        run = fit(good, batches, stage, tmp_path / "good")
        for _ in range(3):
            next(run)
        assert same(dict(good.named_parameters()), dict(model.named_parameters())), "the failed step changed nothing"
        assert told(trained(tmp_path, stage)) == told(trained(tmp_path / "whole", stage))[2:]

    def test_a_gradient_that_is_none(self, tmp_path: Path) -> None:
        class Root(Model):
            def forward(self, toy: Toy) -> dict[str, Tensor]:
                losses = super().forward(toy)
                if toy.weight != 1:
                    losses["next"] = losses["next"] + (self.layers2.weight * 0).abs().sum().sqrt()
                return losses

        model = Root()
        with pytest.raises(
            TrainingFailed, match="step 3 of stage 'toy': the gradient's length is nan for a batch of bat"
        ):
            trained(tmp_path, model=model, data=spoiled(2, 2.0))
        assert all(each.isfinite().all() for each in model.parameters())

    def test_gradients_of_before_do_not_count(self, tmp_path: Path) -> None:
        model = Model()
        for each in model.parameters():
            each.grad = torch.full_like(each, math.nan)
        assert told(trained(tmp_path, model=model)) == told(trained(tmp_path / "plain"))

    def test_data_that_ends(self, tmp_path: Path) -> None:
        steps = []
        with pytest.raises(BadInput, match="the data of stage 'toy' ended after 7 of 10 steps"):
            steps.extend(fit(Model(), few(7), STAGE, tmp_path))
        assert metadata(tmp_path)["step"] == 7, "what was learned until then is kept"
        assert told(trained(tmp_path)) == told(trained(tmp_path / "whole"))[7:]

    @pytest.mark.parametrize("how", ["done", "stopped", "failed"])
    def test_data_is_closed(self, tmp_path: Path, how: str) -> None:
        closed = []

        def give(position: Any) -> Iterator[tuple[Toy, Any]]:
            try:
                yield from spoiled(5 if how == "failed" else 99, math.nan)(position)
            finally:
                closed.append(how)

        run = fit(Model(), give, STAGE, tmp_path)
        next(run)
        assert not closed
        if how == "stopped":
            run.close()
        elif how == "failed":
            with pytest.raises(TrainingFailed) as failed:
                list(run)
            assert failed.value, "though what failed is still known"
        else:
            list(run)
        assert closed == [how]

    def test_data_that_fails(self, tmp_path: Path) -> None:
        def broken(position: Any) -> Iterator[tuple[Toy, Any]]:
            for toy, after in batches(position):
                if after["next"] > 6:
                    raise BadInput("the shard was cut short")
                yield toy, after

        with pytest.raises(BadInput, match="the shard was cut short"):
            trained(tmp_path, data=broken)
        assert metadata(tmp_path)["step"] == 6

    def test_a_model_that_is_nowhere(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="device 'meta' is none to train on: expected 'cpu'"):
            trained(tmp_path, model=Model().to("meta"))
        assert not list(tmp_path.iterdir())

    def test_a_model_without_parameters(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="freezes all of the model"):
            trained(tmp_path, model=nn.Identity())


class TestDevices:
    """Which device a process takes, with as many GPUs as a test says there are."""

    @pytest.fixture
    def chosen(self, monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
        """Two GPUs, and those that were made torch's current one."""
        devices: list[torch.device] = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
        monkeypatch.setattr(torch.cuda, "set_device", devices.append)
        return devices

    @pytest.mark.parametrize(("name", "number"), [("cuda:0", 0), ("cuda:1", 1), ("cuda", 1)])
    def test_one_process(self, chosen: list[torch.device], name: str, number: int) -> None:
        assert Ranks.join(name) == Ranks(0, 1, torch.device("cuda", number))
        assert chosen == [torch.device("cuda", number)]

    def test_the_processor_has_no_number(self, chosen: list[torch.device]) -> None:
        assert [Ranks.join(name).device for name in ("cpu", "cpu:0", "cpu:3")] == [torch.device("cpu")] * 3
        assert not chosen

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("cuda:2", "device 'cuda:2' isn't here: expected 'cpu' or 'cuda:0' or 'cuda:1'"),
            ("cuda:9", "device 'cuda:9' isn't here"),
            ("mps", "device 'mps' is none to train on: expected 'cpu' or 'cuda:0' or 'cuda:1'"),
            ("meta", "device 'meta' is none to train on"),
            ("xpu", "device 'xpu' is none to train on"),
            ("gpu", "device 'gpu' is unknown to torch: expected 'cpu' or 'cuda'"),
        ],
    )
    def test_devices_that_are_none(self, chosen: list[torch.device], name: str, words: str) -> None:
        with pytest.raises(BadInput, match=words):
            Ranks.join(name)
        assert not chosen

    def test_more_processes_than_gpus(self, chosen: list[torch.device], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORLD_SIZE", "3")
        monkeypatch.setenv("LOCAL_RANK", "2")
        with pytest.raises(
            BadInput, match=r"process 2 of this machine has no GPU of its own, for there are 2: .* fewer"
        ):
            Ranks.join("cuda")
        assert not chosen

    @pytest.mark.parametrize("name", ["cuda", "cuda:0"])
    def test_no_gpu(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(BadInput, match=f"device '{name}': torch finds no GPU here"):
            Ranks.join(name)


def looking_ahead() -> GOT:
    config = tiny_got().config
    torch.manual_seed(0)
    model = GOT(replace(config, decoder=replace(config.decoder, ahead=2, layers=3)))
    model.glyphs = Glyphs(model.config)
    return model


def uneven(position: int | None, rank: int = 0, world: int = 1) -> Iterator[tuple[Batch, int]]:
    """Batches that call parts of GOT differently often: few labels and one run of views, then many labels and two.

    Of every other one it is known what stands where.
    """
    for n in range(rank if position is None else position, 100, world):
        draw = torch.Generator().manual_seed(n)
        rows, tokens, runs = ((2, 10, (2,)), (4, 551, (3, 1)))[n % 2]
        ids = torch.randint(0, 256, (rows, tokens), generator=draw)
        ids[:, 2:6] = tiny_tokenizer().image
        labels = torch.where(torch.arange(tokens) >= 6, ids, -100)
        views = [torch.randint(0, 256, (run, 3, 128, 128), generator=draw, dtype=torch.uint8) for run in runs]
        glyphs = torch.tensor([[0, 0, 65, 6, 10, 20], [3, 3, 66, 8, 100, 90]])[: n % 2 * 2]
        batch = Batch(tuple(views), ids, labels, ("a page",) * rows, glyphs=glyphs)
        assert batch.size == (8, 2180)[n % 2]
        yield batch, n + world


SHARED = replace(STAGE, losses={"size": 0.1})
GLANCE = replace(READING, steps=2, precision="fp32")


def attempted(
    model: nn.Module, out: Path, data: Any, stage: Stage = SHARED, most: int = 99, **options: Any
) -> tuple[list[tuple[Any, ...]], str]:
    """The steps that a copy of the model came through, at most so many, and what went wrong then."""
    steps, failed = [], ""
    try:
        with closing(fit(deepcopy(model), data, stage, out, **options)) as run:
            steps.extend(islice(run, most))
    except OcrError as error:
        failed = f"{type(error).__name__}: {error}"
    return told(steps), failed


def together(out: Path, rank: int, port: int) -> None:
    """What one of two processes does, as `torchrun` starts them; what came of it is in a file of its number."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= place | {"WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    ranks = Ranks.join("cpu")
    mine = partial(batches, rank=rank, world=2)
    attempt = partial(attempted, Model(seed=rank))
    done = {"whole": attempt(out / "whole", mine), "cut": attempt(out / "cut", mine, most=6)}
    done |= {"resumed": attempt(out / "cut", mine), "spoiled": attempt(out / "spoiled", spoiled(8, math.nan, mine))}
    done |= {"few": attempt(out / "few", few(11, mine) if rank else mine)}
    done |= {"held": attempt(out / "held", mine, replace(SHARED, accumulate=2, frozen=("layers.1",)))}
    done |= {"filled": attempt(out / "filled", mine, replace(SHARED, samples=7))}
    done |= {"stopped": attempt(out / "stopped", mine, stop=lambda: rank == 1)}
    done |= {"uneven": attempted(Uneven(seed=rank), out / "uneven", mine)}
    done |= {"got": attempted(looking_ahead(), out / "got", partial(uneven, rank=rank, world=2), GLANCE)}
    with ExitStack() as stack:
        if rank == 0:
            (out / "used").mkdir()
            lock = stack.enter_context((out / "used" / ".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        done |= {"used": attempt(out / "used", mine)}
    if rank == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    done |= {"full": attempt(out / "full", mine)}
    if rank == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    (out / f"{rank}.json").write_text(json.dumps(done))
    ranks.gather(None)


def close(one: Any, other: Any) -> bool:
    """Whether steps are the same but for the last digits; those of several processes count what all have dropped."""
    left, right = (
        [(n, loss, rate, norm, tokens) for n, _, loss, rate, norm, tokens, _ in steps] for steps in (one, other)
    )
    return len(left) == len(right) and all(a == pytest.approx(b, rel=2e-6) for a, b in zip(left, right, strict=True))


def test_two_processes_are_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert status((together, tmp_path, 0, port), (together, tmp_path, 1, port)) == [0, 0]
    zero, one = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    alone = replace(SHARED, accumulate=2)
    truth = told(trained(tmp_path / "alone", alone))

    assert close(zero["whole"][0], truth)
    assert [zero[run][0] for run in ("whole", "cut", "held")] == [one[run][0] for run in ("whole", "cut", "held")]
    assert zero["whole"][0][-1][-1] == {"too long": 10}, "what all processes have dropped"
    tensors, wanted = saved(tmp_path / "whole"), saved(tmp_path / "alone")
    assert tensors.keys() == wanted.keys()
    for name in wanted.keys() - {"weights/seen"}:
        torch.testing.assert_close(tensors[name], wanted[name], atol=1e-6, rtol=1e-4)

    assert close(zero["cut"][0], truth[:6])
    assert zero["resumed"][0] == zero["whole"][0][4:]
    assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))
    assert metadata(tmp_path / "whole")["positions"] == [{"next": 20 + n, "dropped": {"too long": 5}} for n in (0, 1)]
    assert close(zero["held"][0], told(trained(tmp_path / "four", replace(alone, accumulate=4, frozen=("layers.1",)))))

    # 7 samples are 4 in each: the first process has them in two batches, the other one in three
    assert close(zero["filled"][0], told(trained(tmp_path / "six", replace(alone, accumulate=6))))
    assert close(zero["uneven"][0], told(trained(tmp_path / "alone-uneven", alone, Uneven())))
    reading = trained(tmp_path / "alone-got", replace(GLANCE, accumulate=2), looking_ahead(), data=uneven)
    assert [loss for _, _, loss, *_ in zero["got"][0]] == pytest.approx([step.loss for step in reading], rel=1e-4)
    read = looking_ahead()
    weights(tmp_path / "got", read)
    assert torch.equal(read.decoder.head.weight, saved(tmp_path / "got")["ema/decoder.embed.weight"])

    for failed in (zero, one):
        assert "TrainingFailed: step 4 of stage 'toy': the loss is nan for a batch of batch 7" in failed["spoiled"][1]
        assert "ended after 5 of 10 steps" in failed["few"][1]
        assert len(failed["few"][0]) == 5
        assert len(failed["stopped"][0]) == 1, "one says so, and both stop"
        assert "BadOutput" in failed["full"][1]
        assert "another run is using it" in failed["used"][1]
    assert metadata(tmp_path / "few")["step"] == 5
    assert os.listdir(tmp_path / "full") == [".lock"]

    model = Model(seed=3)
    weights(tmp_path / "whole", model)
    assert torch.equal(model.layers2.weight, tensors["ema/layers2.weight"])
    with pytest.raises(BadCheckpoint, match="is of 2 processes, and this is 1"):
        trained(tmp_path / "whole", SHARED)


class TestStage:
    @pytest.mark.parametrize(
        "wrong",
        [
            *({"steps": 0}, {"rate": 0.0}, {"rate": math.nan}, {"warmup": 1.0}, {"decay": -1.0}, {"betas": (0.9, 1.0)}),
            *(
                {"clip": -1.0},
                {"accumulate": 0},
                {"samples": -1},
                {"precision": "fp16"},
                {"ema": 1.0},
                {"frozen": (".",)},
                {"every": 0},
            ),
            *({"losses": {"next": -1.0}}, {"tokens": 0}, {"data": {"lines": 0.0}}, {"carry": 1.5}),
        ],
    )
    def test_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        (name,) = wrong
        with pytest.raises(BadInput, match=f"stage 'toy': {name}=.*: expected "):
            replace(STAGE, **wrong)

    def test_json(self) -> None:
        stage = replace(
            STAGE, frozen=("encoder",), losses={"ahead": 0.3}, data={"lines": 1, "pages": 0.5}, betas=(0.8, 0.9)
        )
        assert Stage.from_json(json.loads(json.dumps(stage.to_json()))) == stage
        assert Stage.from_json({"name": "x", "steps": 3, "rate": 1}) == Stage("x", 3, 1)

    @pytest.mark.parametrize(
        ("record", "words"),
        [
            ([], "expected an object with the fields name, steps"),
            ({"name": "x", "steps": 3}, "lacks 'rate'"),
            ({"name": "x", "steps": 3, "rate": 1e-3, "speed": 1}, "no field 'speed'"),
            ({"name": "x", "steps": "3", "rate": 1e-3}, "steps is '3': expected int"),
            ({"name": "x", "steps": 3, "rate": 1e-3, "frozen": "encoder"}, "frozen is 'encoder': expected tuple"),
            ({"name": "x", "steps": 3, "rate": 1e-3, "data": {"lines": None}}, "data is"),
            ({"name": "x", "steps": 0, "rate": 1e-3}, "steps=0: expected 1 or more"),
        ],
    )
    def test_json_that_is_none(self, record: Any, words: str) -> None:
        with pytest.raises(BadInput, match=words):
            Stage.from_json(record)

    def test_the_learning_rate(self) -> None:
        stage = Stage("x", 1000, 2e-4, warmup=0.02)
        rates = [stage.rate_at(n) for n in range(1, 1001)]
        assert rates[0] == pytest.approx(1e-5)
        assert rates[19] == rates[20] == max(rates) == 2e-4
        assert rates[20:] == sorted(rates[20:], reverse=True)
        assert rates[510] == pytest.approx(1e-4)
        assert 0 < rates[-1] < 1e-8
        assert Stage("x", 1, 1.0).rate_at(1) == 1.0
