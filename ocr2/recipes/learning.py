"""A run of the recipe `ppocr`: pages, networks and a stage are put together; steps come out, and a model folder.

The folder is a reader's (`ocr2 read --model OUT/model`): the network that learned as an ONNX graph, the others as they
were in what it began with, or as the package has them. Its weights are in a safetensors file, too, to begin with again.
"""

from __future__ import annotations

import json
import logging
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import save

from ocr2.errors import BadInput, BadOutput
from ocr2.files import whole
from ocr2.ppocr.graphs import exported
from ocr2.ppocr.load import V2, listed, published, read_config, rounding_down
from ocr2.ppocr.nets import Recognizer
from ocr2.ppocr.parts import FILE, GENUINE, PARTS, Known, known, network
from ocr2.ppocr.samples import Alphabet, cut, scene_row, scenes, way_row, ways, word_row, words
from ocr2.ranks import Ranks
from ocr2.recipes.pages import LINES, PAGES, Batches, Pages, opened
from ocr2.recipes.ppocr import learner
from ocr2.train import fit, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from random import Random

    from torch import nn

    from ocr2.ppocr.batch import Scenes, Ways, Words
    from ocr2.ppocr.parts import Part
    from ocr2.recipes.ppocr import Recipe
    from ocr2.stage import Step

EMBEDDED = Path(str(resources("ocr2") / "weights" / "ppocr"))
_log = logging.getLogger(__name__)


def fitted(before: Known, characters: tuple[str, ...]) -> nn.Module:
    """A recogniser for other characters: what it knows of those that it had stays; new ones begin at random."""
    old, new = cast("Recognizer", before.net), network("recognizer", before.backbone, classes=len(characters) + 1)
    assert isinstance(new, Recognizer)
    kept = {name: value for name, value in old.state_dict().items() if not name.startswith("head.")}
    new.load_state_dict(kept, strict=False)
    places = {character: number for number, character in enumerate(before.characters, 1)}
    pairs = [(number, places[char]) for number, char in enumerate(characters, 1) if char in places]
    ours, theirs = torch.tensor([(0, 0), *pairs]).T
    with torch.no_grad():
        new.head.weight[ours] = old.head.weight[theirs]
        new.head.bias[ours] = old.head.bias[theirs]
    return new


@dataclass(frozen=True)
class Run:
    """One call of `ocr2 train ppocr`."""

    recipe: Recipe
    data: Sequence[Path]
    out: Path
    init: Sequence[Path] = ()
    device: str = "cpu"
    workers: int = 0
    stop: Callable[[], bool] | None = None

    @property
    def number(self) -> str:
        """The name of the stage."""
        return self.recipe.stage.name

    @cached_property
    def pages(self) -> Pages:
        """What is learned from. Raises BadInput."""
        return opened(self.data, PAGES if self.recipe.part == "detector" else LINES, self.recipe.stage.seed)

    @cached_property
    def begun(self) -> list[Known]:
        """The networks of this part that training begins with."""
        found = [each for place in self.init if (each := known(str(place), self.recipe.part))]
        if self.init and not found:
            raise BadInput(f"no --init has a {self.recipe.part}: expected one that was trained by this recipe")
        return found

    @cached_property
    def student(self) -> Known | None:
        """What the student begins with."""
        return next((each for each in self.begun if each.backbone == self.recipe.backbone), None)

    @cached_property
    def characters(self) -> tuple[str, ...]:
        """Those of the recogniser that is begun with, and those of the labels that it lacks; a space at the end."""
        if self.recipe.part != "recognizer":
            return ()
        had = self.student.characters[:-1] if self.student else ()
        files = [place / "characters.txt" for place in self.data if (place / "characters.txt").is_file()]
        given = {char for file in files for char in listed(file)} | self.pages.characters()
        added = sorted(given - {*had, " ", "\n", "\t"})
        if not had and not added:
            raise BadInput("which characters is it to read? Give labels, or DATA/characters.txt with one a line")
        _log.info("%d characters, %d of them new", len(had) + len(added), len(added))
        return (*had, *added, " ")

    def steps(self) -> Iterator[Step]:
        """Each step as it is done, with the model written at the end. Goes on where an earlier run stopped."""
        ranks, recipe = Ranks.join(self.device), self.recipe
        learns: Any = learner(recipe, self.networks(), len(self.characters) + 1)
        # on a processor a step takes 0.5 (MobileNetV3 on lines) to 0.9 times (ResNet on pages) as long like this
        learns = learns.to(ranks.device, memory_format=torch.channels_last)
        batches: Batches[Any] = Batches(
            *self.rows(),
            rows=recipe.rows,
            identity=self.pages.identity,
            seed=recipe.stage.seed,
            workers=self.workers,
            rank=ranks.rank,
            world=ranks.world,
        )
        about = {
            "rows": recipe.rows,
            "side": recipe.side,
            "width": recipe.width,
            "characters": "".join(self.characters),
            "init": [each.mark for each in self.begun],
        }
        with closing(fit(learns, batches, recipe.stage, self.out, stop=self.stop, about=about)) as steps:
            yield from steps
        if ranks.rank == 0:
            weights(self.out, learns)
            student = cast("nn.Module", learns.student).cpu()
            learned = Known(student, recipe.backbone, recipe.residual, self.characters)
            write(self.out / "model", {recipe.part: learned}, str(self.init[0]) if self.init else "")

    def networks(self) -> list[nn.Module]:
        """The student, its partner and its teacher, as many as the recipe has. Raises BadInput without a teacher."""
        recipe, classes = self.recipe, len(self.characters) + 1
        with torch.random.fork_rng([]):
            torch.manual_seed(recipe.stage.seed)
            found = [network(recipe.part, recipe.backbone, recipe.residual, classes) for _ in range(recipe.networks)]
            if before := self.student:
                if recipe.part == "recognizer":
                    found[0] = fitted(before, self.characters)
                else:
                    # RSE-FPN has parts that a plain pyramid lacks
                    found[0].load_state_dict(before.net.state_dict(), strict=before.residual == recipe.residual)
        if recipe.taught:
            teacher = next((each.net for each in self.begun if each.backbone == "resnet"), None)
            if not teacher:
                raise BadInput("this stage has a teacher, and no --init is one: train one first, --stage teacher")
            found.append(teacher)
        return found

    def rows(self) -> tuple[Callable[[int, Random], Any], Callable[[Any], Any]]:
        """How a row is made of its number, and how rows are put together."""
        if self.recipe.part == "detector":
            return _Scenes(self.pages, self.recipe), scenes
        if self.recipe.part == "classifier":
            return _Ways(self.pages), ways
        return _Words(self.pages, self.recipe, Alphabet(self.characters)), words


def write(folder: Path, parts: Mapping[Part, Known], base: str = "") -> None:
    """A model folder: these networks, as graphs and to begin with; the others as `base` or else this package has them.

    Raises BadOutput where it can't be written.
    """
    if base == GENUINE or {"detector", "recognizer"} <= parts.keys():
        config = V2
    else:
        config = read_config(Path(base) if base and (Path(base) / "config.json").is_file() else EMBEDDED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{folder} can't be written: {error.strerror}; expected a folder, or none yet") from error
    for part in PARTS:
        for name, content in _of(parts[part], part) if part in parts else _other(base, part):
            _put(folder / name, content)
    if "detector" in parts:
        config = replace(config, detector=V2.detector)
    if "recognizer" in parts:
        config = replace(config, recognizer=V2.recognizer)
    _put(folder / "config.json", json.dumps(asdict(config), indent=1).encode())


def _of(known: Known, part: Part) -> Iterator[tuple[str, bytes]]:
    """The files of a network: the name and the content of each."""
    yield f"{part}.onnx", exported(cast("Any", known.net), known.characters[:-1])
    told = {"backbone": known.backbone, "residual": known.residual, "characters": list(known.characters)}
    tensors = {name: value.contiguous() for name, value in known.net.state_dict().items()}
    yield f"{part}.safetensors", save(tensors, {FILE: json.dumps(told, ensure_ascii=False)})


def _put(path: Path, content: bytes) -> None:
    with whole(path) as file:
        file.write(content)


def _other(base: str, part: Part) -> Iterator[tuple[str, bytes]]:
    """The files of a part that didn't learn: the name and the content of each."""
    if base == GENUINE:
        found = published()
        path: Path = getattr(found, part)
        yield f"{part}.onnx", rounding_down(path) if part == "detector" else path.read_bytes()
        if part == "recognizer":
            yield "characters.txt", found.characters.read_bytes()
        return
    folder = next((place for place in (Path(base), EMBEDDED) if (place / f"{part}.onnx").is_file()), EMBEDDED)
    yield f"{part}.onnx", (folder / f"{part}.onnx").read_bytes()
    for name in (f"{part}.safetensors", *(["characters.txt"] if part == "recognizer" else [])):
        if (folder / name).is_file():
            yield name, (folder / name).read_bytes()


@dataclass(frozen=True)
class _Scenes:
    """Rows for detectors."""

    pages: Pages
    recipe: Recipe

    def __call__(self, index: int, rng: Random) -> Scenes:
        other = self.pages.page(rng.randrange(1 << 30)) if self.recipe.pasted else None
        first, last = self.recipe.ratios
        done = min(1.0, index / (self.recipe.stage.steps * self.recipe.rows))
        return scene_row(self.pages.page(index), other, self.recipe.side, rng, first + (last - first) * done)


@dataclass(frozen=True)
class _Words:
    """Rows for recognisers."""

    pages: Pages
    recipe: Recipe
    alphabet: Alphabet

    def __call__(self, index: int, rng: Random) -> Words:
        page = self.pages.page(index)
        found = cut(page)
        if not found:
            raise BadInput(f"{page.origin}: a page without text: expected one line at least")
        word = rng.choice(found)
        other = None
        if self.recipe.joined:
            others = found if len(found) > 1 else cut(self.pages.page(rng.randrange(1 << 30)))
            other = rng.choice(others) if others else None
        heights = self.recipe.heights
        height = heights[index // self.recipe.rows % len(heights)]
        chance = rng if self.recipe.damaged else None
        return word_row(word, other, self.alphabet, chance, height, page.origin, self.recipe.width)


@dataclass(frozen=True)
class _Ways:
    """Rows for the classifier."""

    pages: Pages

    def __call__(self, index: int, rng: Random) -> Ways:
        page = self.pages.page(index)
        found = cut(page)
        if not found:
            raise BadInput(f"{page.origin}: a page without text: expected one line at least")
        return way_row(rng.choice(found).image, rng, page.origin)
