"""What GOT-nano takes for a page, a line and a formula on a processor, beside Tesseract and the embedded reader.

    python benchmarks/nano_cpu.py CORPUS [--model FOLDER] [--threads 1] [--rounds 3] [--json OUT.json]

CORPUS is a folder of texts in English and Chinese, and of formulas. The pages have 1,000 characters of them in one
column, 768 × 1024 pixels, black on white and clean, as Tesseract has it easiest; the letters as many in type of the
usual size, and white below. Everything is processor seconds, user and system, of this process or of Tesseract's; all
read the same pages in turn, and the least of the rounds counts, as other work only ever adds time.

Without --model, nano has random weights, on which times don't depend, but for how long its answers are and how many of
the tokens that it guesses ahead are right. So both are given: the network does all its work, and its answers are then
exchanged for the page's own text, of which so many tokens come right with each step as the row says; all that stands
around the network, from the page's image to its text, is what `ocr2 read` runs. "See" is a view becoming image tokens,
"ask" the network reading the prompt with them, "step" is one step of so many tokens halfway through the answer, and
"together" is a page's share of four that are read at once, as pages of a file are. With --model, a folder of weights or
an exported one, the model's real answer is timed too, and how far it is from the truth. --engines are what nano runs
on: "onnx int8", which is what is shipped, and any of "onnx fp32", "torch int8" and "torch fp32" beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from got_precision import NANO, small_tokenizer
from PIL import Image

from ocr2.data.corpus import Corpus
from ocr2.data.engines import Materials, engine_of
from ocr2.data.writing import SIZES
from ocr2.errors import ModelMissing
from ocr2.evaluate.peers import Tesseract
from ocr2.got import checkpoint
from ocr2.got.config import PRESETS
from ocr2.got.engine import Engine, Reading
from ocr2.got.load import WEIGHTS
from ocr2.got.load import load as load_engine
from ocr2.got.model import GOT
from ocr2.got.onnx import OnnxRunner, described, export
from ocr2.got.precision import converted, multiplies_bytes
from ocr2.got.prompt import Tokenizer
from ocr2.got.runner import TorchRunner
from ocr2.metrics import edit_distance, plain
from ocr2.reader import load as load_reader
from ocr2.renderers.fonts import faces
from ocr2.renderers.galley import Style
from ocr2.renderers.paper import plain as plain_paper
from ocr2.renderers.typeset import Block, Part, typeset
from ocr2.types import Box, Prompt, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ENGINES = "onnx int8", "onnx fp32", "torch int8", "torch fp32"
PEER = "Tesseract 5"
STEPS = 9
"""Steps that are timed together."""
TOGETHER = 4
"""Pages that are read at once."""
SIZE, MARGIN = (768, 1024), 48
"""Pixels of a page, and of its white edge."""
USUAL = 14
"""Pixels of a letter's type: that of 11 points on a page so large."""


@dataclass(frozen=True)
class Item:
    """What is read."""

    name: str
    image: Image.Image
    text: str
    language: str
    prompt: Prompt


class Given:
    """A runner whose network does all its work, and whose answers are then exchanged for a given text.

    Of the tokens that it guesses, all but the first `right` - 1 are wrong, so each step makes `right` tokens: fewer
    where one of them is none of the `known` first tokens, which are all that is guessed.
    """

    def __init__(self, runner: Any, answer: Sequence[int], end: int, right: int, known: int) -> None:
        self.runner, self.context, self.ahead, self.known = runner, runner.context, runner.ahead, known
        self.truth, self.right, self.asked = [*answer, *[end] * (2 + runner.ahead)], right, 0
        self.wrong = next(n for n in count() if n not in self.truth)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)

    def guesses(self, place: int) -> list[int]:
        """Those that are made together with token `place` of the answer."""
        known = takewhile(lambda token: token < self.known, self.truth[place + 1 : place + self.right])
        return [*known, *[self.wrong] * self.ahead][: self.ahead]

    def begin(
        self, rows: Sequence[int], questions: Sequence[Any], bans: Sequence[Sequence[int]]
    ) -> tuple[list[int], list[float], list[list[int]]]:
        """Questions of one length."""
        _, scores, _ = self.runner.begin(rows, questions, bans)
        self.asked = len(questions[0][1])
        return self.truth[:1] * len(rows), scores, [self.guesses(0)] * len(rows)

    def step(
        self, starts: Sequence[int], tokens: Sequence[Sequence[int]], bans: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], list[list[float]], list[list[list[int]]]]:
        """What comes next, past its end too: then the answer is over, whatever is told."""
        _, scores, _ = self.runner.step(starts, tokens, bans)
        last, width = len(self.truth) - 1, range(len(tokens[0]))
        places = [[min(start + 1 - self.asked + n, last) for n in width] for start in starts]
        chosen = [[self.truth[place] for place in row] for row in places]
        return chosen, scores, [[self.guesses(place) for place in row] for row in places]


def page(corpus: Corpus, language: Any, characters: int, name: str = "page", sizes: Sequence[int] = SIZES) -> Item:
    """So many characters of running text, as large as they fit into one column."""
    rng, paragraphs, length = Random(0), [], characters
    while length > 0:
        paragraphs.append(corpus.paragraph(rng, language)[:length])
        length -= len(paragraphs[-1]) + 2
    x1, y1 = SIZE[0] - MARGIN, SIZE[1] - MARGIN
    for size in reversed(sizes):
        style = Style(faces("serif")[0], faces("han")[0], size, 1.4, before=0.5)
        blocks = [Block(paragraph, style) for paragraph in paragraphs]
        sheet = typeset([Part(blocks, [Box(MARGIN, MARGIN, x1, y1)])], *SIZE)
        text = join(sheet.lines)
        if len("".join(text.split())) >= 0.99 * len("".join("".join(paragraphs).split())):
            break
    return Item(f"{name} {language}", Image.fromarray(plain_paper(sheet.ink)), text, language, Prompt())


def pages(corpus: Corpus, characters: int) -> list[Item]:
    """A page and a letter of each language, a line and a formula."""
    found = [page(corpus, language, characters) for language in ("en", "zh")]
    found += [page(corpus, language, characters, "letter", [USUAL]) for language in ("en", "zh")]
    for name in ("line-en", "formula"):
        sample = engine_of(name, Materials(corpus, strength=0), 0)[0]
        found.append(Item(name.removesuffix("-en"), sample.images[0], sample.text, "en", sample.prompt))
    return found


def engines(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Engine]]:
    """Name and engine of each: of the exported folder that was given, or of weights in every way that was asked for."""
    if options.model and (found := described(Path(options.model))):
        yield f"onnx {found[1]}", load_engine(options.model, options.threads)
        return
    torch.manual_seed(0)
    tiny = replace(NANO, decoder=replace(NANO.decoder, ahead=2))
    model = checkpoint.load(options.model) if options.model else GOT(tiny if options.tiny else PRESETS["nano"]).eval()
    tokenizer = small_tokenizer() if options.tiny else Tokenizer.load(Path(options.model or WEIGHTS / "nano"))
    for name in options.engines.split(","):
        kind, precision = name.split()
        runner: Any
        if kind == "onnx":
            export(model, folder / precision, tokenizer, precision)
            runner = OnnxRunner(folder / precision, model.config, options.threads)
        else:
            state = GOT(model.config)
            state.load_state_dict(model.state_dict())
            runner = TorchRunner(converted(state, precision))
        yield name, Engine(runner, tokenizer, model.config, TOGETHER, TOGETHER * model.config.context)


def spent() -> float:
    """Processor seconds so far, of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def read(engine: Engine, item: Item, times: int = 1) -> list[str]:
    """The engine's answers to the same page, so many times at once."""
    answers = engine.answers([((item.image,), item.prompt)] * times)
    return [news.text for _, news in answers if isinstance(news, Reading)]


def peers(options: argparse.Namespace, item: Item, tesseract: Tesseract | None, ppocr: Any) -> dict[str, Callable]:
    """The other readers on this page."""
    ways: dict[str, Callable[[], object]] = {"ocr2 ppocr": lambda: ppocr.read(item.image)}
    if tesseract:

        def peer() -> str:
            assert tesseract
            tesseract.language = item.language
            return tesseract.read(item.image).text

        ways = {PEER: peer} | ways
    return ways


def parts(name: str, engine: Engine, item: Item, real: bool) -> dict[str, Callable[[], object]]:
    """What an engine does, by its name: see, ask, steps, whole answers."""
    runner: Any = engine.runner
    question = engine.question((item.image,), item.prompt)
    views, ids = list(question.views), list(question.ids)
    truth = engine.tokenizer.encode(item.text)
    features = runner.features(views)

    class Seen:
        """The network where the views are seen already."""

        def __enter__(self) -> None:
            self.method, runner.features = runner.features, lambda views: features if len(views) else self.method(())

        def __exit__(self, *_: object) -> None:
            runner.features = self.method

    def ask() -> None:
        runner.resize(1, min(len(ids) + 512, runner.context))
        with Seen():
            runner.begin([0], [(views, ids)], [()])

    def steps(together: int) -> None:
        start = min(len(ids) + len(truth) // 2, runner.context - together)
        for _ in range(STEPS):
            runner.step([start], [(truth * together)[:together]], [()])

    def whole(right: int, times: int = 1) -> None:
        known = engine.config.decoder.guessed or engine.config.decoder.vocabulary
        given = Given(runner, truth, engine.tokenizer.end, right, known)
        texts = read(Engine(given, engine.tokenizer, engine.config, engine.rows, engine.budget), item, times)
        assert texts == [item.text] * times, f"{texts!r} instead of {item.text!r}"

    ways: dict[str, Callable[[], object]] = {"see": lambda: runner.features(views), "ask": ask}
    rights = range(1, 2 + runner.ahead)
    ways |= {f"step of {n}": lambda n=n: steps(n) for n in rights}
    ways |= {f"all, {n} right": lambda n=n: whole(n) for n in rights}
    ways |= {f"all, {n} right, together": lambda n=n: whole(n, TOGETHER) for n in rights[-2:]}
    ways |= {"its own answer": lambda: read(engine, item)} if real else {}
    return {f"{name}: {what}": way for what, way in ways.items()}


def least(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Processor and wall seconds of each way, in turns."""
    found: dict[str, dict[str, float]] = {}
    for turn in range(1 + rounds):
        for name, way in ways.items():
            before, began = spent(), time.perf_counter()
            way()
            took = {"cpu": spent() - before, "wall": time.perf_counter() - began}
            if turn:  # the first time, all sorts of things are set up
                found[name] = {key: min(found.get(name, took)[key], value) for key, value in took.items()}
    for name, took in found.items():
        shares = STEPS if ": step of " in name else TOGETHER if name.endswith("together") else 1
        found[name] = {key: value / shares for key, value in took.items()}
    return found


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A record for each page."""
    try:
        tesseract = Tesseract(options.threads)
    except ModelMissing as error:
        print(f"{error}; it is left out", file=sys.stderr)
        tesseract = None
    ppocr, records = load_reader("ppocr", options.threads), []
    with TemporaryDirectory() as folder:
        having = dict(engines(options, Path(folder)))
        for item in pages(Corpus([options.corpus]), options.characters):
            ways = peers(options, item, tesseract, ppocr)
            record: dict[str, Any] = {"what": item.name, "size": item.image.size, "characters": len(item.text)}
            for name, engine in having.items():
                question = engine.question((item.image,), item.prompt)
                record |= {"tokens": len(engine.tokenizer.encode(item.text)), "prompt": len(question.ids)}
                ways |= parts(name, engine, item, bool(options.model))
                if options.model:
                    distance = edit_distance(plain(read(engine, item)[0]), plain(item.text))
                    record.setdefault("distance", {})[name] = distance
            records.append(record | {"seconds": least(ways, options.rounds)})
            print(f"{item.name}: done", file=sys.stderr)
    return records


def table(records: list[dict[str, Any]]) -> str:
    """A Markdown table: processor seconds, steps in milliseconds, answers beside Tesseract's."""
    heads = [
        f"{r['what']}, {r['size'][0]} × {r['size'][1]}, {r['characters']:,} characters, {r['tokens']:,} tokens"
        for r in records
    ]
    rows = [f"| processor seconds | {' | '.join(heads)} |", "|---|" + "---:|" * len(records)]
    for name in records[0]["seconds"]:
        cells = []
        for record in records:
            seconds = record["seconds"][name]["cpu"]
            cell = f"{seconds * 1e3:.2f} ms" if ": step of " in name else f"{seconds:.3f}"
            if (": all, " in name or name.endswith(": its own answer")) and PEER in record["seconds"]:
                cell += f" ({seconds / record['seconds'][PEER]['cpu']:.2f})"
            cells.append(cell)
        rows.append(f"| {name} | {' | '.join(cells)} |")
    for name in records[0].get("distance", ()):
        distances = [f"{record['distance'][name]:.4f}" for record in records]
        rows.append(f"| {name}: edit distance | {' | '.join(distances)} |")
    return "\n".join([*rows, "", f"In brackets: times {PEER}'s seconds."])


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a folder of texts and formulas")
    parser.add_argument("--model", help="a folder of weights, or an exported one; else nano with random weights")
    parser.add_argument("--engines", default=ENGINES[0], help=f"of weights, with commas between: {', '.join(ENGINES)}")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the script itself")
    parser.add_argument("--characters", type=int, default=1000, help="of a page")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    records = measure(options)
    print(table(records))
    if options.json:
        about = {"threads": options.threads, "machine": platform.processor(), "vnni": multiplies_bytes()}
        options.json.write_text(json.dumps(about | {"pages": records}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
