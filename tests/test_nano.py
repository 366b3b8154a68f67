"""GOT-nano's recipe: its data grows from easy to dense, fits its lengths, and its command runs from end to end."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from text_helpers import write_corpus

from ocr2 import cli, curves
from ocr2.characters import CHARACTERS
from ocr2.data.mixture import Revisited
from ocr2.errors import BadInput, OcrError
from ocr2.got.batch import prepare
from ocr2.got.checkpoint import load
from ocr2.recipes import nano
from ocr2.recipes.recipe import Run, shares

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.got.prompt import Tokenizer
    from ocr2.recipes.recipe import Recipe
    from ocr2.types import Source


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("corpus"))
    parts = [f"Let $x_{{{n}}}$ be a \\emph{{line}} of point {n}, and $n > {n}$ a number of them." for n in range(40)]
    paper = "\\begin{document}\n" + "\n\n".join(parts) + "\n\\end{document}"
    (folder / "paper.tex").write_text(paper)
    return folder


def test_the_data_is_text_in_two_languages_a_quarter_of_it_short() -> None:
    stage = nano.recipes()[0].stage
    total = sum(stage.data.values())
    assert total == pytest.approx(1)
    for language in ("en", "zh"):
        assert sum(weight for name, weight in stage.data.items() if name.endswith(language)) > 0.35 * total
    short = sum(weight for name, weight in stage.data.items() if name.startswith(("word", "scene", "slice")))
    assert 0.2 < short / total < 0.35


def test_sources_are_easy_at_first_and_the_same_each_time(corpus: Path) -> None:
    name = "paragraph-en"
    one, again = (nano._sources([corpus], [name], 7, nano.EASY)[name] for _ in range(2))
    assert one.first == round(nano.EASY * nano.TEXT[name])
    easy, full = one[one.first - 1], one[one.first]
    assert np.array_equal(again[one.first - 1].images[0], easy.images[0])
    assert again[one.first].text == full.text
    mean = [np.mean([len(one[start + n].text) for n in range(8)]) for start in (0, one.first)]
    assert 2 * mean[0] < mean[1]


def test_dense_pages_fit_the_stage_s_length(corpus: Path) -> None:
    recipe = nano.recipes()[0]
    tokenizer = recipe.tokenizer()
    for name in ("page-en", "page-zh", "columns-mixed"):
        source = nano._sources([corpus], [name], 0, nano.EASY)[name]
        for number in range(source.first, source.first + 3):
            assert len(prepare(source[number], tokenizer, recipe.config, recipe.stage.tokens)) > 300


def test_later_stages_keep_most_of_what_was_learned_before() -> None:
    stages = [recipe.stage for recipe in nano.recipes()]
    assert stages[2].frozen == ("encoder",)
    assert len({stage.seed for stage in stages}) == 3  # no sample comes twice
    second, third = shares(stages[:2]), shares(stages)
    assert sum(second.values()) == pytest.approx(1)
    assert sum(third.values()) == pytest.approx(1)
    assert sum(second[name] for name in nano.TEXT) == pytest.approx(0.6)
    assert sum(third[name] for name in second) == pytest.approx(0.8)
    assert set(nano.CHARACTERS) >= set(CHARACTERS) - {"text"}
    assert set(third) - set(second) == {"region", "crops", "multipage"}


@pytest.mark.parametrize("number", [2, 3])
def test_samples_of_later_stages_are_drawn_and_fit_their_lengths(corpus: Path, number: int) -> None:
    recipe = nano.recipes()[number - 1]
    sources = nano._sources([corpus], list(recipe.stage.data), recipe.stage.seed, easy=0)
    assert not isinstance(nano._sources([corpus], ["line-en"], 1, easy=0)["line-en"], nano.Grown)
    tokenizer = recipe.tokenizer()
    for source in sources.values():
        kinds = Counter(_fits(source, index, recipe, tokenizer) for index in range(6))
        assert kinds[True] >= 4


def _fits(source: Source, index: int, recipe: Recipe, tokenizer: Tokenizer) -> bool:
    try:
        return len(prepare(source[index], tokenizer, recipe.config, recipe.stage.tokens)) > 50
    except OcrError:
        return False


def test_what_is_drawn_comes_again_to_be_damaged_anew(corpus: Path) -> None:
    recipe = nano.recipes()[0]
    samples = Run([recipe], 1, [corpus], corpus).samples()
    assert isinstance(samples, Revisited)
    assert samples.visits == recipe.visits > 1
    assert recipe.augment is not None


@pytest.mark.parametrize("workers", [0, 1, 4, 15, 16, 31])
def test_each_worker_has_samples_of_its_own_that_come_again(corpus: Path, workers: int) -> None:
    samples = Run(nano.recipes(), 1, [corpus], corpus, workers=workers).samples()
    assert isinstance(samples, Revisited)
    assert samples.pages % (8 * max(workers, 1)) == 0
    assert 5040 <= samples.pages < 5040 + 8 * max(workers, 1)


def test_other_texts_are_known_as_such(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    recipes = nano.recipes()
    known = Run(recipes, 1, [corpus], tmp_path).samples().identity
    assert Run(recipes, 1, [copy], tmp_path, workers=3).samples().identity == known
    seeded = [replace(recipes[0], stage=replace(recipes[0].stage, seed=1))]
    assert Run(seeded, 1, [copy], tmp_path).samples().identity != known
    with (copy / "english.txt").open("a") as file:
        file.write("One more paragraph of running text.\n")
    assert Run(recipes, 1, [copy], tmp_path).samples().identity != known


def test_a_folder_without_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no text files"):
        Run(nano.recipes(), 1, [tmp_path], tmp_path).samples()
    with pytest.raises(BadInput, match=r"no documents: expected \*\.tex"):
        Run(nano.recipes(), 2, [write_corpus(tmp_path / "texts")], tmp_path).samples()


def test_the_stages_make_a_model_that_reads_without_torch(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = replace(nano.PRESETS["nano"].encoder, width=32, layers=2, heads=2, mlp=32, global_layers=(1,), neck=16)
    encoder = replace(small, out=(16, 16))
    decoder = replace(nano.PRESETS["nano"].decoder, width=32, layers=3, heads=2, kv_heads=2, mlp=32)
    config = replace(nano.PRESETS["nano"], encoder=encoder, decoder=decoder)
    recipes = tuple(replace(recipe, config=config, rows=4) for recipe in nano.recipes())
    monkeypatch.setattr(nano, "recipes", lambda: recipes)
    before: list[str] = []
    for stage in ("1", "2", "3"):
        out = tmp_path / stage
        where = ["--stage", stage, "--data", str(corpus), "--out", str(out), *before]
        cli.commands(["train", "nano", *where, "--steps", "1", "--workers", "0"], standalone_mode=False)
        (step,) = curves.read(out / "steps.jsonl")
        assert set(step.losses) == {"next", "ahead", *({"sight", "gaze"} if stage != "3" else ())}
        before = ["--init", str(out / "model")]
    encoders = [load(tmp_path / stage / "model").encoder.state_dict() for stage in ("2", "3")]
    for name, weight in encoders[0].items():
        assert torch.equal(weight, encoders[1][name])
    assert json.loads((out / "onnx" / "config.json").read_text())["format"] == "ocr2-onnx"
    with pytest.raises(SystemExit) as ended:
        cli.main(["read", "--model", str(out / "onnx"), "examples/page.png"])
    assert ended.value.code == 0, capsys.readouterr().err
