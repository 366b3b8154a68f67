"""Fresh sets: made once, when they are asked for, of what is never trained on, and scored by the measures of each."""

from __future__ import annotations

import dataclasses
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import CHARACTERS, chart, molecule, music, table
from ocr2.characters.document import look
from ocr2.data.corpus import Corpus, is_held
from ocr2.data.engines import Materials, engine_of
from ocr2.data.synth import Synth
from ocr2.errors import BadInput, RendererMissing, RenderFailed
from ocr2.evaluate import synthetic
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.run import chosen, scored
from ocr2.evaluate.synthetic import COUNTS, SEED, SYNTHETIC, Fresh
from ocr2.renderers import echarts, plot
from ocr2.renderers.fonts import FACES, Face, faces
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.evaluate.benchmark import Item

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int]]:
    """How often each sample was made."""
    counts = Counter[tuple[str, int]]()

    def engine(name: str, having: Materials, seed: int) -> Any:
        source = engine_of(name, having, seed)

        class Counted:
            def __getitem__(self, index: int) -> Sample:
                counts[name, index] += 1
                if (name, index) == ("chart", 3):
                    raise RenderFailed("no room for it")
                return source[index]

        return Counted()

    monkeypatch.setattr(synthetic, "engine_of", engine)
    return counts


def by_task(items: Sequence[Item]) -> dict[str, list[Item]]:
    return {task: [item for item in items if item.task == task] for task in COUNTS}


def test_listing_makes_nothing(made: Counter[tuple[str, int]]) -> None:
    items = list(SYNTHETIC.items())
    assert len(items) == sum(COUNTS.values()) and len({item.id for item in items}) == len(items)
    assert COUNTS["music"] == 100 and COUNTS["geometry"] == 180
    assert chosen(items, ["chart", "page-zh"], 2)[-1].id == "page-zh-001"
    assert {item.language for item in items} == {"en", "zh", ""} and {item.kind for item in items} <= set(CHARACTERS)
    assert not made


def test_each_sample_is_made_once_when_it_is_looked_at(made: Counter[tuple[str, int]]) -> None:
    tasks = by_task(list(SYNTHETIC.items()))
    for item in (some[0] for some in tasks.values()):
        pages, prompt = item.pages(), item.prompt
        assert len(pages) == prompt.pages and item.truth
        assert all(page.image.mode == "RGB" for page in pages)
        assert prompt.format == (item.kind != "text")
    assert set(made.values()) == {1}
    assert {type(item.prompt.box or item.prompt.color) for item in tasks["region"][:8]} != {type(None)}
    assert all(item.prompt.pages > 1 for item in tasks["multipage"][:2])


def test_of_a_sample_only_texts_are_kept(made: Counter[tuple[str, int]]) -> None:
    items = by_task(list(SYNTHETIC.items()))["molecule"]
    first = np.asarray(items[0].pages()[0].image)
    for item in items[1 : synthetic.KEPT + 2]:
        assert item.truth
    assert made["molecule", 0] == 1 and items[0].truth and items[0].prompt == Prompt(format=True)
    assert made["molecule", 0] == 1
    assert (np.asarray(items[0].pages()[0].image) == first).all() and made["molecule", 0] == 2
    assert sum(len(str(vars(item))) for item in items) < 100_000


def test_the_same_seed_is_the_same_set() -> None:
    one, other = (by_task(list(SYNTHETIC.items()))["geometry"][7] for _ in range(2))
    assert one.truth == other.truth and one.pages()[0].image.tobytes() == other.pages()[0].image.tobytes()
    another = by_task(list(dataclasses.replace(SYNTHETIC, seed=1).items()))["geometry"][7]
    assert another.truth != one.truth


def test_what_cannot_be_made_is_named_and_counts_nowhere(made: Counter[tuple[str, int]]) -> None:
    items = by_task(list(SYNTHETIC.items()))["chart"][2:5]
    lost = items[1]
    with pytest.raises(BadInput, match="no room for it"):
        lost.pages()
    assert lost.truth == "" and lost.more == "no room for it" and made["chart", 3] == 1
    results = [scored(SYNTHETIC, item, Answer(item.truth), "corrected") for item in items]
    assert results[1].scores is None and results[0].scores is not None
    overview, charts = SYNTHETIC.tables(results, "me", "corrected")
    assert overview.rows[0][:3] == ("chart", 2, 0.0) and charts.rows[0][:3] == ("chart", 2, 1.0)
    assert "1 samples couldn't be made, and count nowhere: chart-003 (no room for it)." in overview.notes


def test_every_kind_is_scored() -> None:
    items = [some[0] for some in by_task(list(SYNTHETIC.items())).values()]
    for mode in ("corrected", "published"):
        right = [scored(SYNTHETIC, item, Answer(item.truth), mode) for item in items]
        assert not [each.error for each in right if each.error]
        lost = [each.item.task for each in right if SYNTHETIC.worth(each.scores or {}) < 1]
        assert lost == (["chart"] if mode == "published" else [])  # the published script reads JSON alone
        overview, *others = SYNTHETIC.tables(right, "me", mode)
        assert [row[:2] for row in overview.rows] == [(task, 1) for task in COUNTS]
        assert all(row[2:6] == (0, 1, 1, 1) for row in overview.rows)
        assert {table.title for table in others} == {f"{kind.capitalize()}, me" for kind in CHARACTERS}
    wrong = [scored(SYNTHETIC, item, Answer("x"), "corrected") for item in items]
    assert all(SYNTHETIC.worth(each.scores or {}) < 0.3 for each in wrong)
    failed = [Scored(item, Answer(error="not read"), {}, "not read") for item in items]
    assert all(row[2:6] == (1, 0, 0, 0) for row in SYNTHETIC.tables(failed, "me", "corrected")[0].rows)
    assert scored(SYNTHETIC, items[0], Answer(""), "published").scores is None


def test_a_folder_of_texts_is_taken_instead(tmp_path: Any) -> None:
    folder = write_corpus(tmp_path / "texts")
    held = next(text for n in range(999) if is_held((text := f"A paragraph of its own, number {n}.").encode()))
    chinese = next(text for n in range(999) if is_held((text := f"这是第{n}段，只在测试的时候才用。").encode()))
    (folder / "held.txt").write_text(f"{held}\n{chinese}\n", encoding="utf-8")
    pages = by_task(list(SYNTHETIC.items(folder)))["page-en"]
    assert any("paragraph of its own" in " ".join(page.truth.split()) for page in pages[:6])
    with pytest.raises(BadInput, match="among those held back"):
        (folder / "held.txt").unlink()
        list(SYNTHETIC.items(folder))


def test_what_draws_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def need(name: str) -> None:
        raise RendererMissing(f"{name} is missing: pip install 'ocr2[engines]'")

    monkeypatch.setattr(synthetic, "need", need)
    with pytest.raises(RendererMissing, match="pip install"):
        next(iter(SYNTHETIC.items()))


# what is never trained on


def test_what_is_invented_is_invented_anew() -> None:
    trained = [Synth("geometry", Corpus(), SEED)[n].text for n in range(40)]
    held = [Synth("geometry", Corpus(held=True), SEED)[n].text for n in range(40)]
    assert not set(trained) & set(held)


@pytest.mark.parametrize("kind", ["chart", "document", "molecule", "music", "table", "text"])
def test_held_samples_are_drawn_in_other_type(kind: str) -> None:
    corpus, character = Corpus(), CHARACTERS[kind]
    for seed in range(4):
        source = character.compose(corpus, Random(seed))
        if kind == "music":
            source = "!!!OTL: A Title in Type\n" + source.partition("**kern")[1] + source.partition("**kern")[2]
        if kind == "molecule":
            source = "<smiles>OCCN</smiles>"
        usual, held = (character.draw(source, Random(seed), held=flag).pixels() for flag in (False, True))
        plain, same = (character.draw(source, None, held=flag).pixels() for flag in (False, True))
        assert usual.shape != held.shape or (usual != held).any()
        assert plain.tobytes() == same.tobytes()  # nothing varies in a plain drawing


def test_the_type_of_held_samples_is_held_back() -> None:
    names = {face.family for face in FACES if face.held}
    grid = table.parsed("\\begin{tabular}{l} Iron 铁 \\\\ \\end{tabular}")
    told = (
        "{'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}"
    )
    used: list[Face] = []
    for seed in range(30):
        used += table.styled(grid, Random(seed), held=True).faces[:2]
        page = look.varied(Random(seed), False, seed % 2 == 0, 0, held=True)
        used += [*page.faces[:2], page.bold[0], page.italic[0], page.both[0], page.heads[0], page.mono[0]]
        for tool in ("matplotlib", "echarts"):
            figure, _ = chart.laid_out(chart.parsed(told), Random(seed), tool, held=True)
            used += [figure.look.face, figure.look.heading]
        used += [music._face(title, Random(seed), True) for title in ("Gavotte", "小步舞曲")]
        assert "spectral" in molecule._look(Random(seed), True).font.lower()
    assert all(face.held for face in used) and {face.family for face in used} <= names
    assert len({face.family for face in used}) >= 4
    assert not any(face.held for face in (*plot.FACES, *echarts.FACES)) and plot.HELD and echarts.HELD
    assert all(face.held for kind in ("serif", "sans", "mono", "hand", "han") for face in faces(kind, True))


def test_items_are_items() -> None:
    item = next(iter(SYNTHETIC.items()))
    assert isinstance(item, Fresh) and item.id == "music-000" and item.task == item.kind == "music"
