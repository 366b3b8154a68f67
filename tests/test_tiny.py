"""Every stage of training at toy size: samples are learned by heart, and what is frozen or carried over stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from ocr2.errors import BadCheckpoint, BadInput, BadOutput
from ocr2.got import checkpoint
from ocr2.got.config import OPTConfig
from ocr2.got.engine import Engine, Reading
from ocr2.got.extend import extended, grow
from ocr2.got.prompt import Tokenizer
from ocr2.got.runner import TorchRunner
from ocr2.recipes import tiny
from ocr2.recipes.recipe import Run, shares

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.got.model import GOT

KINDS = ({"lines"}, {"lines", "headings"}, {"lines", "headings", "regions", "pages"})
"""What each stage knows in the end: its own, and what was carried over."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What each stage made of the one before."""
    out = tmp_path_factory.mktemp("tiny")
    made: list[Path] = []
    for number in range(1, 4):
        run = Run(tiny.recipes(), number, (), out / str(number), init=[folder / "model" for folder in made[-1:]])
        steps = list(run.steps())
        assert len(steps) == run.recipe.stage.steps
        assert steps[-1].loss < steps[0].loss
        assert not steps[-1].dropped
        made.append(run.out)
    return made


def parts(folder: Path, part: str) -> dict[str, torch.Tensor]:
    return dict(getattr(checkpoint.load(folder / "model"), part).named_parameters())


def answers(folder: Path, kind: str) -> list[str]:
    """What the model in a folder reads in the samples of a kind."""
    model: GOT = checkpoint.load(folder / "model", dtype=torch.float32)
    engine = Engine(TorchRunner(model), Tokenizer.load(folder / "model"), model.config, rows=4, budget=4096)
    source = tiny.SOURCES[kind]
    asked = [(sample.images, sample.prompt) for sample in map(source.__getitem__, range(len(source)))]
    told = {number: answer for number, answer in engine.answers(asked) if isinstance(answer, Reading)}
    return [told[number].text for number in range(len(source))]


@pytest.mark.parametrize(("stage", "kind"), [(n, kind) for n, kinds in enumerate(KINDS) for kind in sorted(kinds)])
def test_every_sample_is_read_without_an_error(stage: int, kind: str, folders: list[Path]) -> None:
    truth = [tiny.SOURCES[kind][number].text for number in range(len(tiny.TEXTS))]
    assert answers(folders[stage], kind) == truth


def test_what_is_frozen_stays_and_the_rest_learns(folders: list[Path]) -> None:
    second, third = (parts(folder, "encoder") for folder in folders[1:])
    assert all(torch.equal(second[name], third[name]) for name in second)
    second, third = (parts(folder, "decoder") for folder in folders[1:])
    assert not any(torch.equal(second[name], third[name]) for name in second if "norm" not in name)


def test_the_encoder_is_carried_over_to_another_decoder(folders: list[Path]) -> None:
    first = parts(folders[0], "encoder")
    recipe = tiny.recipes()[1]
    _, model = Run([recipe], 1, (), folders[0], init=[folders[0] / "model"]).beginning()
    assert all(torch.equal(values, first[name].float()) for name, values in model.encoder.named_parameters())
    _, afresh = Run([recipe], 1, (), folders[0]).beginning()
    pairs = zip(model.decoder.parameters(), afresh.decoder.parameters(), strict=True)
    assert all(torch.equal(ours, new) for ours, new in pairs), "OPT is left behind"


def test_data_is_carried_over() -> None:
    stages = [recipe.stage for recipe in tiny.recipes()]
    own = len(tiny.TEXTS) / 1e6
    expected = {"lines": 0.64 * own, "headings": 0.8 * own, "regions": own, "pages": own}
    assert shares(stages) == pytest.approx(expected)


def test_a_stage_that_is_done_is_not_done_again(folders: list[Path]) -> None:
    before = (folders[0] / "model" / "model.safetensors").read_bytes()
    assert list(Run(tiny.recipes(), 1, (), folders[0]).steps()) == []
    assert (folders[0] / "model" / "model.safetensors").read_bytes() == before


def test_another_beginning_is_another_run(folders: list[Path]) -> None:
    for init in ([], [folders[1] / "model"]):
        with pytest.raises(BadCheckpoint, match="differs from this one in init"):
            list(Run(tiny.recipes(), 2, (), folders[1], init=init).steps())


def test_weights_that_fit_nowhere_are_refused(folders: list[Path], tmp_path: Path) -> None:
    recipe = tiny.recipes()[0]
    decoder = OPTConfig(vocabulary=tiny.WORDS, width=36, layers=1, heads=2, mlp=20, positions=512)
    encoder = replace(recipe.config.encoder, width=32, mlp=24, neck=8, out=(12, 20))
    other = replace(recipe, config=replace(recipe.config, encoder=encoder, decoder=decoder))
    with pytest.raises(BadCheckpoint, match="no parameter of the one model fits"):
        Run([other], 1, (), tmp_path, init=[folders[0] / "model"]).beginning()


def test_the_tokenizer_comes_from_where_the_decoder_does(folders: list[Path], tmp_path: Path) -> None:
    first, second = ([folder / "model"] for folder in folders[:2])
    recipe = replace(tiny.recipes()[1], tokenizer=None)
    tokenizer, _ = Run([recipe], 1, (), tmp_path, init=[*second, *first]).beginning()
    assert tokenizer.size == tiny.WORDS
    for init in ([], first):  # the first stage's decoder is another one, and so may be its tokenizer
        with pytest.raises(BadInput, match="takes its decoder and tokenizer from --init"):
            Run([recipe], 1, (), tmp_path, init=init).beginning()


def test_a_model_with_new_characters_is_refused(folders: list[Path], tmp_path: Path) -> None:
    model, before = checkpoint.load(folders[1] / "model"), Tokenizer.load(folders[1] / "model")
    more = extended(before, "Ω")
    assert grow(model, before, more)
    checkpoint.save(model, tmp_path / "more", more)
    for init in ([], [folders[1] / "model"]):
        with pytest.raises(BadInput, match="more has another vocabulary than this recipe's"):
            Run(tiny.recipes(), 3, (), tmp_path, init=[*init, tmp_path / "more"]).beginning()


def test_a_part_that_does_not_learn_has_to_be_given(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="keeps the encoder as it is"):
        Run(tiny.recipes(), 3, (), tmp_path).beginning()


def test_a_place_that_holds_something_else_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").touch()
    with pytest.raises(BadOutput, match=r"holds notes\.txt"):
        next(iter(Run(tiny.recipes(), 1, (), tmp_path).steps()))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_callers_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Run(tiny.recipes(), 1, (), tmp_path).beginning()
    assert torch.equal(torch.rand(1), expected)
