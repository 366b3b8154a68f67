"""The recipe of the paper, held against the paper's numbers (GOT §3.2 to §3.4, §4.1)."""

from pathlib import Path

import pytest

from ocr2.data.engines import ENGINES
from ocr2.errors import BadInput
from ocr2.got.config import DecoderConfig, OPTConfig
from ocr2.recipes import paper
from ocr2.recipes.recipe import Run, shares

PRE, JOINT, POST = paper.recipes()


def test_the_models_are_the_papers() -> None:
    assert isinstance(PRE.config.decoder, OPTConfig)
    assert (PRE.config.decoder.width, PRE.config.decoder.layers, PRE.config.decoder.vocabulary) == (768, 12, 50272)
    assert JOINT.config.decoder == POST.config.decoder == DecoderConfig()
    for recipe in (PRE, JOINT, POST):
        assert recipe.config.encoder.side == 1024
        assert recipe.config.checkpointing


@pytest.mark.parametrize(("recipe", "tokens", "rate"), [(PRE, 4096, 1e-4), (JOINT, 6000, 1e-4), (POST, 8192, 2e-5)])
def test_lengths_rates_and_the_batch(recipe: object, tokens: int, rate: float) -> None:
    assert recipe.stage.tokens == tokens <= recipe.config.context
    assert recipe.stage.rate == rate
    assert recipe.stage.samples == 128


def test_what_is_frozen_and_what_comes_again() -> None:
    assert [recipe.stage.frozen for recipe in (PRE, JOINT, POST)] == [(), (), ("encoder",)]
    assert [recipe.stage.carry for recipe in (PRE, JOINT, POST)] == [0, 0.8, 0.8]


def test_the_data_in_millions() -> None:
    assert PRE.stage.data == {**{"photo": 2.0, "photo-slice": 1.0, "pdf": 1.2, "pdf-line": 0.4, "pdf-paragraph": 0.4}}
    assert JOINT.stage.data == {
        **{"handwriting": 0.1, "formula": 1.0, "molecule": 1.0, "table": 0.3, "music": 0.5, "geometry": 1.0},
        **{"chart": 2.0, "document": 0.6, "tex": 0.6},
    }
    assert POST.stage.data == {"region": 0.6, "crops": 0.5, "multipage": 0.2}


def test_epochs_and_carry_over_make_the_steps() -> None:
    assert PRE.stage.steps == round(3 * 5e6 / 128)
    joint = 0.8 * 5 + 7.1
    assert JOINT.stage.steps == pytest.approx(joint * 1e6 / 128, abs=1)
    assert POST.stage.steps == pytest.approx((0.8 * joint + 1.3) * 1e6 / 128, abs=1)
    data = shares([PRE.stage, JOINT.stage, POST.stage])
    assert set(data) <= set(ENGINES), "ocr2 make makes all of it"
    assert data["photo"] == pytest.approx(0.8 * 0.8 * 2)
    assert data["chart"] == pytest.approx(0.8 * 2)
    assert data["region"] == 0.6


def run(number: int, **rest: object) -> Run:
    return Run(paper.recipes(), number, **{"data": (), "out": Path("unused"), **rest})


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_more_or_fewer_samples_at_once_make_the_same_steps(rows: int) -> None:
    changed = JOINT.at_once(rows)
    assert changed.stage == JOINT.stage
    assert (changed.rows, changed.budget) == (rows, rows * 6000)


def test_a_folder_without_the_kinds_is_refused_and_all_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="photo") as error:
        JOINT.sources([tmp_path], list(shares([PRE.stage, JOINT.stage])), 0)
    for name in ("pdf-line", "music", "chart"):
        assert name in str(error.value)


def test_a_stage_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="stages 1 to 3"):
        _ = run(4).recipe
