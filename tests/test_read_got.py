"""Reading with GOT: the reader on answers that are known, and the command line on a tiny model too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from conftest import EXAMPLES, Ran
from got_reference import scattered
from test_cli import text_of
from test_engine import COLORS, CONFIG, TOKENS, Reciter, engine, page
from test_files import complaint, pdf, sheets
from tqdm import tqdm

import ocr2 as package
from ocr2.cli import read as verb
from ocr2.cli.reading import CUT
from ocr2.errors import BadCheckpoint, BadInput, BadOutput, BadPrompt, RendererMissing, TooLong
from ocr2.got import checkpoint
from ocr2.got.load import is_got
from ocr2.got.model import GOT
from ocr2.journal import Journal
from ocr2.reader import _KEPT, GOTReader, Reader
from ocr2.result import Result
from ocr2.types import EXPORTED, Box, Line, Page, Prompt, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

Command = Callable[..., Ran]
Text = str | Sequence[int] | BaseException
EMPTY = RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")
LONG = "A very long page: " + "".join(chr(65 + n * n % 57) for n in range(200))


def reader(*texts: Text, places: Places | None = None, **options: int) -> GOTReader:
    """A reader that answers so about the white page, the red one, and so on as in COLORS."""
    return GOTReader(engine(*texts, **options), places)


def leaf(number: int, width: int = 20) -> Page:
    """A page of one colour, from book.tif."""
    return Page(page(COLORS[number - 1], width), number=number, origin="book.tif")


def leaves(count: int) -> list[list[Page]]:
    return [[leaf(number)] for number in range(1, count + 1)]


def book(path: Path, *widths: int) -> Path:
    """A TIFF with a page of each width, in COLORS."""
    first, *rest = [page(color, width) for color, width in zip(COLORS, widths, strict=False)]
    first.save(path, save_all=True, append_images=rest)
    return path


def at(text: str, y: int, quad: bool = True) -> Line:
    return Line(text, ((5, y), (15, y), (15, y + 2), (5, y + 2)) if quad else None, 0.9)


class Places:
    """A model that finds those lines on every page; or fails on the red one."""

    def __init__(self, *lines: Line, error: BaseException | None = None) -> None:
        self.lines, self.error = lines, error

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        if self.error and image.getpixel((0, 0)) == (255, 0, 0):
            raise self.error
        return Page(image, self.lines, number, origin)


# The reader


def test_pages_come_in_order_though_answers_do_not(tmp_path: Path) -> None:
    one = reader(LONG, "red", "", "blue")
    ended = [number for number, _ in one.answers(leaves(4))]
    assert ended == [1, 2, 3, 0]
    told = list(one.stream(book(tmp_path / "x.tif", 20, 20, 20, 20)))
    assert [(leaf.number, read.text) for leaf, read in told] == [(1, LONG), (2, "red"), (3, ""), (4, "blue")]
    assert [leaf.image.getpixel((0, 0)) for leaf, _ in told][1] == (255, 0, 0)
    whole = one.read(tmp_path / "x.tif", pages="2-4,2")
    assert whole.text == "red\f\fblue\fred"
    assert (whole.tokens, whole.stop) == (3 + 0 + 4 + 3, "eos")
    assert whole.prompt_tokens == sum(read.prompt_tokens for _, read in [*told[1:], told[1]])


@pytest.mark.parametrize("text", ["", "the title\n\nFirst line\n中文 😀", "\n ends \n"])
def test_what_is_live_is_the_whole(text: str) -> None:
    one = reader(text)
    *pieces, read = one.live(leaf(1))
    assert isinstance(read, Transcript)
    assert "".join(pieces) == read.text == text == one.answer(leaf(1)).text
    assert len(pieces) >= len(text.split())
    assert next(iter(Reader(Places(at("x", 1))).live(leaf(1)))) == "x"


def test_each_question_has_its_prompt() -> None:
    prompts = [Prompt(), Prompt(format=True), Prompt(box=Box(0, 0, 99, 5)), Prompt(color="red"), Prompt(tiles=2)]
    asked = list(zip(leaves(5), prompts, strict=True))
    for second, read in [("two", [0, 1, 3, 4]), (EMPTY, [0, 3, 4])]:  # also where some are begun again
        answers = dict(reader("one", second, "three", "four", "five").prompted(iter(asked)))
        found = {number: answer.prompt for number, answer in answers.items() if isinstance(answer, Transcript)}
        assert found == {number: prompts[number] for number in read}
        assert isinstance(answers[2], BadPrompt)  # outside the page


def test_lines_have_scores_and_no_places() -> None:
    read = reader("First line\n\n中文 😀\n").answer(leaf(1))
    assert [(line.text, line.quad, line.end) for line in read.lines] == [
        ("First line", None, "\n\n"),
        ("中文 😀", None, "\n"),
    ]
    assert 1 > read.lines[0].score > read.score > read.lines[1].score > 0
    assert (read.kind, read.stop, read.prompt, read.seconds > 0) == ("text", "eos", Prompt(), True)
    assert reader("").answer(leaf(1)).score == 1


def test_places_come_from_another_model() -> None:
    printed = Places(at("The first line of it", 1), at("and more about nothing", 4), at("lost", 7, quad=False))
    read = reader("# The first line of it\nand mere about nothing\nsomething else", places=printed).answer(leaf(1))
    assert [line.quad for line in read.lines] == [printed.lines[0].quad, printed.lines[1].quad, None]
    assert next(line.text for line in read.lines) == "# The first line of it"


def test_only_places_in_the_box_that_was_asked_for() -> None:
    printed = Places(at("the same words here", 1), at("the same words here", 6))
    one = reader("the same words here", places=printed)
    for box, quad in [
        (None, printed.lines[0].quad),
        (Box(0, 5, 20, 10), printed.lines[1].quad),
        (Box(0, 9, 20, 10), None),
    ]:
        assert [line.quad for line in one.answer(leaf(1), Prompt(box=box)).lines] == [quad]


def test_why_it_stopped_and_how_sure_it_is(tmp_path: Path) -> None:
    one = reader("done", "ab" * 190, "".join(chr(65 + n * n % 57) for n in range(900)))
    reads = dict(one.answers(leaves(3)))
    assert [reads[number].stop for number in range(3)] == ["eos", "repeat", "length"]
    assert reads[0].score == pytest.approx(sum(1 / (1 + n / 100) for n in range(4)) / 4)
    assert one.read(book(tmp_path / "x.tif", 20, 20, 20)).stop == "repeat"
    assert one.read(tmp_path / "x.tif", pages="1,3,2").stop == "length"


def test_pages_together() -> None:
    one = reader("one ", "two ", "three")
    together = [leaf(number) for number in (1, 2, 3)]
    read = one.answer(together)
    assert (read.text, read.prompt) == ("one two three", Prompt(pages=3))
    assert one.answer(together, Prompt(pages=3)).text == "one two three"
    *_, last = one.live(together)
    assert isinstance(last, Transcript) and last.text == read.text
    for prompt in (Prompt(tiles=2), Prompt(box=Box(0, 0, 5, 5)), Prompt(pages=2)):
        with pytest.raises(BadPrompt):
            one.answer(together, prompt)
    assert complaint(lambda: one.answer([leaf(1)] * 103), TooLong).startswith("book.tif, page 1: 103 pages together")


def test_places_are_on_one_page() -> None:
    one = reader("one", "two", places=Places())
    said = "boxes and pages=2 don't go together: a box is a place on one page"
    assert complaint(lambda: one.check(Prompt(pages=2)), BadPrompt) == said
    assert complaint(lambda: one.answer([leaf(1), leaf(2)]), BadPrompt) == said
    one.check(Prompt(box=Box(0, 0, 5, 5)))


def test_a_refused_page_is_told_by_its_name() -> None:
    answers = dict(reader(LONG, "red", "green").answers([[leaf(1)], [leaf(2, 9)], [leaf(3)]], Prompt(point=(10, 5))))
    assert str(answers[1]) == (
        "book.tif, page 2: point=10,5 reaches outside the page of 9 × 10 pixels: give a place within it"
    )
    assert (type(answers[1]), answers[0].text, answers[2].text) == (BadPrompt, LONG, "green")
    with pytest.raises(BadPrompt, match="standard input, page 1: point=10,5"):
        list(reader("x").live(Page(page(width=5), origin="-"), Prompt(point=(10, 5))))


def test_a_stream_ends_at_the_page_that_is_refused(tmp_path: Path) -> None:
    stream = reader(LONG, "red", "green").stream(book(tmp_path / "x.tif", 20, 9, 20), prompt=Prompt(point=(10, 5)))
    assert next(stream)[1].text == LONG
    with pytest.raises(BadPrompt, match="page 2"):
        next(stream)


def test_a_stream_ends_at_the_page_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(pdf(*["/MediaBox[0 0 72 72]"] * 4).replace(b"12 0 R", b"77 0 R"))
    stream = reader("the text").stream(tmp_path / "x.pdf", dpi=72)
    assert [next(stream)[0].number for _ in range(2)] == [1, 2]
    with pytest.raises(BadInput, match=r"x\.pdf, page 3, can't be read"):
        next(stream)


def test_answers_do_not_mix(tmp_path: Path) -> None:
    """A second question while the first is being answered would be read into the same cache."""
    one, path = reader("white", "red", "green"), book(tmp_path / "x.tif", 20, 20, 20)
    stream = one.stream(path)
    assert next(stream)[1].text == "white"
    assert complaint(lambda: one.answer(leaf(2)), BadPrompt) == (
        "the reader is busy with other pages: take all their answers first, or load another reader"
    )
    assert [read.text for _, read in stream] == ["red", "green"]
    assert one.answer(leaf(2)).text == "red"
    for _ in one.stream(path):
        break
    assert one.answer(leaf(2)).text == "red"
    stream = one.stream(path)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert one.answer(leaf(2)).text == "red"


# What fails


def test_an_engine_that_fails_loses_only_the_page_it_fails_on_alone() -> None:
    answers = dict(reader("one", EMPTY, "three", "four", "five").answers(leaves(5)))
    said = "(20×10 pixels) can't be read: CUDA out of memory.; scale it down, or report it"
    assert (type(answers[1]), str(answers[1])) == (BadInput, f"book.tif, page 2 {said}")
    assert [answers[number].text for number in (0, 2, 3, 4)] == ["one", "three", "four", "five"]
    broken = dict(reader(*[EMPTY] * 5, rows=1).answers(leaves(5)))
    assert [type(broken[number]) for number in range(5)] == [BadInput] * 5


def test_an_engine_that_fails_lets_go_of_its_memory() -> None:
    """What the traceback holds is gone before the next page is read."""
    released = []

    class Activations:
        def __del__(self) -> None:
            released.append(True)

    class Full(Reciter):
        def begin(self, *args: object) -> tuple[list[int], list[float]]:
            if not self.shown:
                self.shown.append(([], ""))
                held = Activations()
                raise RuntimeError("out of memory", id(held))
            assert released
            return super().begin(*args)  # type: ignore[arg-type]

    one = reader("one", "two", rows=1)
    one.engine.runner = Full("one", "two")
    answers = dict(one.answers(leaves(2)))
    assert (type(answers[0]), answers[1].text) == (BadInput, "two")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BadCheckpoint("x")])
def test_other_errors_come_as_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        list(reader("one", error).answers(leaves(2)))
    assert caught.value is error
    with pytest.raises(KeyboardInterrupt):
        list(reader("x", "y", places=Places(error=KeyboardInterrupt())).answers(leaves(2)))


def test_an_error_of_the_asker_is_no_ones_answer() -> None:
    def questions() -> Iterator[list[Page]]:
        yield [leaf(1)]
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        list(reader("one").answers(questions()))


def test_a_slow_page_holds_few_images_of_those_behind_it(tmp_path: Path) -> None:
    widths = range(20, 20 + 3 * _KEPT)
    first, *rest = [page("white" if width == 20 else "red", width) for width in widths]
    first.save(tmp_path / "x.tif", save_all=True, append_images=rest)
    stream = reader("long" * 40, "x").stream(tmp_path / "x.tif")
    told, answer = next(stream)
    taken = stream.gi_frame.f_locals["taken"]  # type: ignore[attr-defined]
    assert (answer.text, len(taken)) == ("long" * 40, len(rest))
    assert sum(isinstance(held, Page) for held in taken.values()) < _KEPT
    assert [told.image.width, *(told.image.width for told, _ in stream)] == list(widths)


def test_a_line_that_the_box_cuts_keeps_its_place() -> None:
    places = Places(at("red", 1))
    (line,) = reader("red", places=places).answer(leaf(1), Prompt(box=Box(0, 0, 7, 10))).lines
    assert line.quad


def test_places_that_cannot_be_found(caplog: pytest.LogCaptureFixture) -> None:
    one = reader(LONG, "two", "three", places=Places(error=RuntimeError("bad allocation")))
    answers = dict(one.answers(leaves(3)))
    assert [answers[number].text for number in range(3)] == [LONG, "two", "three"]
    assert not [line for number in range(3) for line in answers[number].lines if line.quad]
    assert "its lines get no places: book.tif, page 2 (20×10 pixels) can't be read: bad allocation; " in caplog.text


# Loading


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def got(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads nonsense, at most some 90 tokens of it."""
    folder = tmp_path_factory.mktemp("got") / "model"
    checkpoint.save(scattered(GOT(replace(CONFIG, context=200)), 3), folder, TOKENS)
    return folder


@pytest.fixture
def copy(got: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(got, tmp_path / "copy"))


@pytest.fixture
def good(tmp_path: Path, title: Image.Image) -> Path:
    """A small image of one line."""
    title.save(tmp_path / "good.png")
    return tmp_path / "good.png"


def test_every_folder_of_got_is_got(got: Path, tmp_path: Path) -> None:
    checkpoint.export(checkpoint.load(got), tmp_path / "theirs", TOKENS)
    ours, theirs = (package.load(folder, precision="fp32") for folder in (got, tmp_path / "theirs"))
    assert isinstance(ours, GOTReader) and isinstance(theirs, GOTReader)
    image = EXAMPLES / "page.png"
    assert ours.read(image).text == theirs.read(image).text != ""
    assert ours.places is None
    with_places = package.load(got, boxes=True)
    assert isinstance(with_places, GOTReader) and with_places.places


@pytest.mark.parametrize(
    ("config", "weights", "expected"),
    [
        ({"model_type": "GOT"}, "", True),
        ({"model_type": "got_ocr2"}, "", True),
        ({"format": "ocr2"}, "", True),
        ({"detector": {}}, "", False),
        ([], "", False),
        ("{", "", False),
        ("{", "model.safetensors", True),
        ("[" * 99999, "model-00001-of-00002.safetensors", True),
        (None, "model.safetensors", True),
        (None, "detector.onnx", False),
        (None, "", False),
    ],
)
def test_what_is_taken_for_got(tmp_path: Path, config: object, weights: str, expected: bool) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if weights:
        (tmp_path / weights).touch()
    assert is_got(str(tmp_path)) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stepfun-ai/GOT-OCR2_0", True),
        ("ppocr", False),
        ("./x", False),
        ("/x", False),
        ("a/b/c", False),
        ("GOT-OCR-2.0-hf/", False),
        ("~/x", False),
    ],
)
def test_names_that_may_be_got(name: str, expected: bool) -> None:
    assert is_got(name) is expected


def test_a_tokenizer_of_another_model(copy: Path) -> None:
    record = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(record | {"image_token": 7}))
    assert complaint(lambda: package.load(copy), BadCheckpoint).startswith(
        f"{copy}: <imgpad> is token {TOKENS.image} of the tokenizer and 7 of the model: take the tokenizer"
    )
    (copy / "tokenizer.json").unlink()
    assert complaint(lambda: package.load(copy), BadCheckpoint).startswith(f"{copy} has no tokenizer: expected")


def test_a_tokenizer_that_is_too_large(copy: Path) -> None:
    record = json.loads((copy / "tokenizer.json").read_text())
    record["added_tokens"].append({**record["added_tokens"][-1], "id": TOKENS.size, "content": "<more>"})
    (copy / "tokenizer.json").write_text(json.dumps(record))
    assert complaint(lambda: package.load(copy), BadCheckpoint).startswith(
        f"{copy}: the tokenizer has {TOKENS.size + 1} tokens, the model {TOKENS.size}: take the tokenizer"
    )


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"precision": "fp32"}, "--precision is for GOT models: leave it out for ppocr"),
        (
            {"device": "cpu"},
            "--device is for networks that ocr2 trained or converted, and ppocr has none: leave it out",
        ),
    ],
)
def test_options_that_are_for_other_models(option: dict[str, str], said: str) -> None:
    assert complaint(lambda: package.load(**option), BadPrompt) == said  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["torch", "tokenizers", "safetensors"])
def test_a_package_that_is_missing(got: Path, name: str) -> None:
    """And the command line says so in one line; ppocr needs none of them."""
    script = (
        "import sys; sys.modules[sys.argv.pop(1)] = None\n"
        "from ocr2.cli import main\n"
        "try: main(['read', sys.argv[1]])\n"
        "except SystemExit as end: assert not end.code\n"
        "main(['read', sys.argv[1], '--model', sys.argv[2]])"
    )
    page = EXAMPLES / "page.png"
    ran = subprocess.run([sys.executable, "-c", script, name, page, got], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (
        2,
        f"ocr2: --model {got} needs the package {name}: pip install 'ocr2[got]'\n",
    )
    assert ran.stdout.startswith("Region-based segmentation\n")


# The command line, with answers that are known


def run(
    one: Reader,
    *inputs: Path,
    to: Path,
    prompt: Prompt | None = None,
    together: bool = False,
    resume: bool = False,
    pages: str | None = None,
) -> verb.Run:
    """`ocr2 read INPUTS -o TO` with that reader."""
    with tqdm(total=0, disable=True) as bar:
        made = verb.Run(one, "got", verb._format(None, str(to)), pages, 20, bar, prompt or Prompt(), together)
        verb._read(made, [str(given) for given in inputs], str(to), resume)
    return made


def complaints(ran: Ran) -> list[str]:
    """The lines on standard error, but for those about answers that were cut, as nonsense mostly is."""
    return [line for line in ran.err if not line.endswith(tuple(CUT.values()))]


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def squeezed(text: str) -> str:
    return "".join(text.split())


TEXT = "Tom & <Jerry>\n\n第二行 has more\n* a star\n"


@pytest.mark.parametrize("places", [None, Places(at("Tom & <Jerry>", 1), at("第二行 has more", 4))])
@pytest.mark.parametrize("prompt", [Prompt(), Prompt(format=True), Prompt(box=Box(0, 0, 20, 10))])
@pytest.mark.parametrize("to", verb.FORMATS)
def test_no_format_loses_text(tmp_path: Path, to: str, prompt: Prompt, places: Places | None) -> None:
    out = tmp_path / f"out{verb.SUFFIXES[to]}"
    made = run(reader(TEXT, "red", places=places), book(tmp_path / "x.tif", 20, 20), to=out, prompt=prompt)
    assert (made.read, made.failed) == (2, 0)
    if to == "text":
        assert out.read_text() == f"{TEXT}\n\fred\n"
    elif to == "md":
        assert squeezed(out.read_text().replace("\\", "")) == squeezed(f"{TEXT}---red")
    elif to in ("json", "jsonl"):
        first, second = json.loads(out.read_text()) if to == "json" else records(out)
        assert (first["text"], first["stop"], first["tokens"]) == (TEXT, "eos", len(TOKENS.encode(TEXT)))
        assert first["prompt_tokens"] > 100 and second["text"] == "red"
        asked = {"format": True} if prompt.format else {"box": [0, 0, 20, 10]} if prompt.box else None
        assert first.get("prompt") == asked
        assert [line["quad"] is not None for line in first["lines"]] == [bool(places), bool(places), False]
    elif to == "pdf":
        assert [squeezed(text) for text in text_of(out.read_bytes())] == [squeezed(TEXT), "red"]
    else:
        body = ET.fromstring(out.read_text().removeprefix("<!DOCTYPE html>"))[1]
        assert squeezed("".join(body.itertext())) == squeezed(TEXT) + "red"


@pytest.mark.parametrize("to", ["text", "md", "html", "json", "jsonl"])
def test_together(tmp_path: Path, to: str) -> None:
    out = tmp_path / f"out{verb.SUFFIXES[to]}"
    inputs = book(tmp_path / "x.tif", 20, 20, 20), book(tmp_path / "y.tif", 20)
    made = run(reader("one ", "two ", "three"), *inputs, to=out, together=True)
    assert (made.read, made.failed) == (2, 0)
    assert "one two three" in out.read_text()
    if to == "jsonl":
        assert [(record["page"], record["text"], record.get("prompt")) for record in records(out)] == [
            (1, "one two three", {"pages": 3}),
            (1, "one ", None),
        ]


def test_too_many_pages_together_are_told_before_any_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = pdf(*["/MediaBox[0 0 72 72]"] * 103).replace(b"10 0 R", b"777 0 R")
    (tmp_path / "x.pdf").write_bytes(damaged)
    one = reader("one ", "two ")
    made = run(one, tmp_path / "x.pdf", book(tmp_path / "y.tif", 20, 20), to=tmp_path / "out.txt", together=True)
    assert (made.read, made.failed) == (1, 1)
    assert capsys.readouterr().err == (
        f"ocr2: {tmp_path}/x.pdf: 103 pages together are at least 515 tokens, more than the model's context of 512: "
        "read fewer pages together, with --pages\n"
    )
    assert (tmp_path / "out.txt").read_text() == "one two \n"


def test_results_are_in_order(tmp_path: Path) -> None:
    """Of many files too, of which the first takes longest and others fail."""
    texts = [LONG, "red", "green", EMPTY, "yellow", "cyan", "magenta", "black"]
    for number, color in enumerate(COLORS):
        page(color).save(tmp_path / f"{number}.png")
    (tmp_path / "5b.png").write_bytes(b"junk")
    made = run(reader(*texts), tmp_path, to=tmp_path / "out.jsonl")
    told = [(Path(str(record["file"])).name, record["text"]) for record in records(tmp_path / "out.jsonl")]
    expected = [(f"{number}.png", text) for number, text in enumerate(texts)]
    assert [pair for pair in expected if pair in told] == told
    assert made.read + made.failed == 9
    assert made.read == len(told) >= 6
    made = run(reader(*texts[:3], "blue", *texts[4:]), tmp_path, to=tmp_path / "out")
    assert (made.read, made.failed) == (8, 1)
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        f"{number}.png.txt": (text if isinstance(text, str) else "blue") + "\n" for number, text in enumerate(texts)
    }


@pytest.mark.parametrize("together", [False, True])
def test_resume(tmp_path: Path, together: bool) -> None:
    """Ctrl-C is pressed at the third file; what was read before is not read again."""
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for path, color in zip(files, COLORS, strict=False):
        page(color).save(path)
    out = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(reader("one", "two", KeyboardInterrupt(), rows=1), *files, to=out, together=together)
    kept = Journal.path_for(out).read_bytes()
    assert len(kept.splitlines()) == 3
    made = run(reader(*[EMPTY] * 2, "three", rows=1), *files, to=out, together=together, resume=True)
    assert (made.read, made.failed) == (3, 0)
    assert [record["text"] for record in records(out)] == ["one", "two", "three"]
    assert not Journal.path_for(out).exists()


# What an answer is written as

TABLE = "\\begin{tabular}{|l|c|}\n\\hline a & 1 \\\\\n\\hline\n\\end{tabular}"
KERN = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-"


def test_pages_in_another_notation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that can't be written so are told, and the others are written."""
    one = reader(TABLE, "red", TABLE.replace("1", "2"), KERN)
    made = run(one, book(tmp_path / "x.tif", 20, 20, 20, 20), to=tmp_path / "out.csv")
    assert (made.read, made.failed) == (2, 2)
    assert (tmp_path / "out.csv").read_bytes() == b"a,1\r\n\r\na,2\r\n"
    assert capsys.readouterr().err.splitlines() == [
        f"ocr2: {tmp_path}/x.tif, page 2: this is plain text, and can't be written as csv: expected svg",
        f"ocr2: {tmp_path}/x.tif, page 4: this is music, and can't be written as csv: "
        "expected kern, musicxml, midi, svg",
    ]
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "x.tif"]


def test_nothing_is_written_where_no_page_can_be(tmp_path: Path) -> None:
    made = run(reader("white", "red"), book(tmp_path / "x.tif", 20, 20), to=tmp_path / "out.csv")
    assert (made.read, made.failed) == (0, 2)
    assert os.listdir(tmp_path) == ["x.tif"]


def test_a_file_for_each_page_that_a_notation_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, color in zip("ab", COLORS, strict=False):
        page(color).save(tmp_path / f"{name}.png")
    book(tmp_path / "c.tif", 20, 20)
    with tqdm(total=0, disable=True) as bar:
        made = verb.Run(reader(KERN, "red"), "got", "kern", None, 20, bar)
        verb._read(made, [str(tmp_path)], str(tmp_path / "out") + "/", resume=False)
    assert (made.read, made.failed) == (1, 2)
    assert capsys.readouterr().err.splitlines() == [
        f"ocr2: {tmp_path}/b.png, page 1: this is plain text, and can't be written as kern: expected svg",
        f"ocr2: {tmp_path}/c.tif: 2 pages, and kern holds one: "
        "choose it with --pages N, or read them as one text with --together",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png.krn"]
    assert (tmp_path / "out" / "a.png.krn").read_text().split() == KERN.split()


@pytest.mark.parametrize(("pages", "together"), [("2", False), (None, True)])
def test_one_page_of_several(tmp_path: Path, pages: str | None, together: bool) -> None:
    one = reader(*(["**kern\n4c\n", "*-"] if together else ["white", KERN]))
    made = run(one, book(tmp_path / "x.tif", 20, 20), to=tmp_path / "x.krn", pages=pages, together=together)
    assert (made.read, made.failed) == (1, 0)
    assert (tmp_path / "x.krn").read_text().startswith("**kern")


def test_several_files_are_refused_before_any_is_read(tmp_path: Path) -> None:
    for name in "ab":
        page("white").save(tmp_path / f"{name}.png")
    said = "2 inputs, and musicxml holds one page: have a file written for each, with -o DIR/"
    assert complaint(lambda: run(reader(KERN), tmp_path, to=tmp_path / "x.musicxml"), BadOutput) == said
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


def test_what_was_read_is_kept_where_the_renderer_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import ocr2.characters as characters

    def absent(*_: object) -> bytes:
        raise RendererMissing("verovio draws music, and the package verovio is missing: pip install 'ocr2[engines]'")

    path, out = book(tmp_path / "x.tif", 20), tmp_path / "x.krn"
    with monkeypatch.context() as patch:
        patch.setitem(characters.CHARACTERS["music"].EXPORTS, "kern", absent)  # type: ignore[arg-type]
        said = complaint(lambda: run(reader(KERN), path, to=out), RendererMissing)
    assert said.endswith("pip install 'ocr2[engines]'; what was read is kept: then the same command with --resume")
    assert not out.exists() and Journal.path_for(out).exists()
    made = run(reader(EMPTY), path, to=out, resume=True)
    assert (made.read, made.failed) == (1, 0)
    assert out.read_text().startswith("**kern") and not Journal.path_for(out).exists()


def test_a_page_that_cannot_be_written_counts_once_where_the_renderer_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the exit status would say that something was written."""
    import ocr2.characters as characters

    def absent(*_: object) -> bytes:
        raise RendererMissing("typst draws tables, and the package typst is missing: pip install 'ocr2[engines]'")

    monkeypatch.setitem(characters.CHARACTERS["table"].EXPORTS, "csv", absent)  # type: ignore[arg-type]
    with tqdm(total=0, disable=True) as bar:
        made = verb.Run(reader("white", TABLE), "got", "csv", None, 20, bar)
        path = book(tmp_path / "x.tif", 20, 20)
        complaint(lambda: verb._read(made, [str(path)], str(tmp_path / "x.csv"), resume=False), RendererMissing)
    assert (made.read, made.failed) == (0, 1)


def test_a_terminal_is_told_what_text_is_besides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = book(tmp_path / "x.tif", 20, 20, 20)
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        made = run(reader(KERN, "red", KERN), path, to=tmp_path / "x.txt")
        assert (made.read, made.failed) == (3, 0)
        told = [f"ocr2: {path}: music; --to kern, musicxml, midi, svg"] * terminal
        assert capsys.readouterr().err.splitlines() == told
    run(reader(KERN, "red", KERN), path, to=tmp_path / "x.md")
    assert not capsys.readouterr().err


# The command line, with a tiny model


@pytest.mark.parametrize("boxes", [[], ["--boxes"]])
@pytest.mark.parametrize("to", verb.FORMATS)
def test_every_format_of_nonsense(ocr2: Command, got: Path, good: Path, to: str, boxes: list[str]) -> None:
    """What a model that was never trained says is full of control characters and of bytes that are no text."""
    ran = ocr2("read", good, "--model", got, "--to", to, "--threads", 1, *boxes)
    assert (ran.status, complaints(ran)) == (0, [])
    if to in ("html", "hocr"):
        ET.fromstring(ran.out.decode().removeprefix("<!DOCTYPE html>"))
    elif to == "json":
        (record,) = json.loads(ran.out)
        assert {"stop", "tokens", "prompt_tokens"} <= set(record) and "prompt" not in record
    elif to == "pdf":
        assert text_of(ran.out)[0]


@pytest.mark.parametrize("to", EXPORTED)
def test_no_notation_of_nonsense(ocr2: Command, got: Path, good: Path, to: str) -> None:
    ran = ocr2("read", good, "--model", got, "--to", to, "--threads", 1)
    assert (ran.status, len(complaints(ran))) in ((2, 1), (0, 0))
    assert all(line.startswith(f"ocr2: {good}, page 1: ") for line in complaints(ran))


def test_a_notation_asks_for_format(ocr2: Command, got: Path, good: Path, tmp_path: Path) -> None:
    """And what was read so can be gone on with."""
    out = tmp_path / "x.csv"
    run = {"model": str(got), "dpi": 200, **verb.weights(str(got)), "formatted": True}
    with Journal(out, run, resume=False) as journal:
        journal.add(Result(str(good), 1, 9, 9, Transcript(TABLE, "table", Prompt(format=True), tokens=9)))
    ran = ocr2("read", good, "--model", got, "-o", out, "--resume")
    assert (ran.status, ran.err, out.read_bytes()) == (0, [], b"a,1\r\n")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--format"], {"format": True}),
        (["--box", "10,5, 200,30.5"], {"box": [10, 5, 200, 30.5]}),
        (["--point", "10,5", "--format"], {"format": True, "point": [10, 5]}),
        (["--color", "red"], {"color": "red"}),
        (["--tiles", "6"], {"tiles": 6}),
        (["--precision", "fp32", "--device", "cpu"], None),
        (["--together"], None),
    ],
)
def test_what_was_asked_is_told(
    ocr2: Command, got: Path, good: Path, options: list[str], asked: dict[str, object] | None
) -> None:
    ran = ocr2("read", good, "--model", got, "--to", "jsonl", *options)
    assert (ran.status, complaints(ran)) == (0, [])
    record = json.loads(ran.out)
    assert record.get("prompt") == asked
    tokens = 4 * (1 + (6 if "--tiles" in options else 0))
    assert record["prompt_tokens"] > 100 + tokens
    assert record["stop"] in ("eos", "length", "repeat")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--box", "5,5,1,9"], "box 5,5,1,9 is empty: x0 must be less than x1"),
        (["--box", "5,5,5,9"], "box 5,5,5,9 is empty: x0 must be less than x1"),
        (["--box", "nan,0,5,5"], "box nan,0,5,5 is empty: x0 must be less than x1"),
        (["--box", "1,2,3"], "--box 1,2,3: expected x0,y0,x1,y1, in pixels"),
        (["--box", "1,2,3,4,5"], "--box 1,2,3,4,5: expected x0,y0,x1,y1, in pixels"),
        (["--box", ""], "--box : expected x0,y0,x1,y1, in pixels"),
        (["--box", "a,b,c,d"], "--box a,b,c,d: expected x0,y0,x1,y1, in pixels"),
        (["--box", "-1,2,3,4"], "box=-1,2,3,4 is no place on a page: expected pixels from 0 on"),
        (["--box", "0,0,inf,4"], "box=0,0,inf,4 is no place on a page: expected pixels from 0 on"),
        (["--point", "nan,1"], "point=nan,1 is no place on a page: expected pixels from 0 on"),
        (["--point", "1"], "--point 1: expected x,y, in pixels"),
        (["--color", "purple"], "color='purple' is unknown: expected red, green, blue"),
        (["--color", ""], "color='' is unknown: expected red, green, blue"),
        (["--tiles", "13"], "tiles=13: expected 1 to 12 tiles"),
        (["--tiles", "-1"], "tiles=-1: expected 1 to 12 tiles"),
        (["--box", "0,0,5,5", "--point", "1,1"], "box=0,0,5,5 and point=1,1 each name a region"),
        (["--color", "red", "--tiles", "2"], "color='red' and tiles=2 don't go together"),
        (["--together", "--to", "hocr"], "--together makes one text of several pages, hocr has one for each page"),
        (["--together", "-o", "x.pdf"], "--together makes one text of several pages, pdf has one for each page"),
        (["--precision", "fp8"], "precision 'fp8' is unknown: expected fp32, bf16, int8"),
        (["--device", "toaster"], "device 'toaster' can't be used (Expected one of cpu, cuda"),
        (["--device", "meta"], "device 'meta' can't be used ("),
        (
            ["--model", "ppocr", "--device", "cpu"],
            "--device is for networks that ocr2 trained or converted, and ppocr has",
        ),
        (
            ["--model", "ppocr", "--format"],
            "this model reads plain text, page by page, without format: leave that out",
        ),
    ],
)
def test_bad_options(ocr2: Command, got: Path, good: Path, options: list[str], said: str) -> None:
    ran = ocr2("read", good, good, "--model", got, *options)
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(f"ocr2: {said}")
    assert os.listdir(good.parent) == ["good.png"]


def test_a_box_outside_the_page(ocr2: Command, got: Path, good: Path, tmp_path: Path) -> None:
    ran = ocr2("read", good, "--model", got, "--box", "0,0,9999,10", "-o", tmp_path / "x.txt")
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(f"ocr2: {good}, page 1: box=0,0,9999,10 reaches outside the page of ")
    assert os.listdir(tmp_path) == ["good.png"]


def test_bad_pages_among_good_ones(ocr2: Command, got: Path, tmp_path: Path) -> None:
    path = book(tmp_path / "x.tif", 99, 9, 99)
    (tmp_path / "y.png").touch()
    ran = ocr2("read", tmp_path, "--model", got, "--box", "0,0,50,5", "--to", "jsonl")
    assert (ran.status, len(complaints(ran))) == (1, 2)
    assert [json.loads(line)["page"] for line in ran.out.splitlines()] == [1, 3]
    assert any(
        line.startswith(f"ocr2: {path}, page 2: box=0,0,50,5 reaches outside the page") for line in complaints(ran)
    )
    assert any(line.startswith(f"ocr2: {tmp_path}/y.png is empty") for line in complaints(ran))


def test_together_with_boxes_or_tiles_or_ppocr(ocr2: Command, got: Path, tmp_path: Path) -> None:
    path = book(tmp_path / "x.tif", 9, 9)
    for options, said in [
        (["--boxes", "--model", got], "boxes and pages=2 don't go together: a box is a place on one page"),
        (["--tiles", 2, "--model", got], "tiles=2 and pages=2 don't go together: tiles are made of one page"),
        ([], "this model reads plain text, page by page, without pages: leave that out"),
    ]:
        ran = ocr2("read", path, "--together", *options)
        assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
        assert complaints(ran)[0].startswith(f"ocr2: {path}: {said}")


def test_together_is_too_long(ocr2: Command, got: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets(*[(72, 72)] * 103))
    ran = ocr2("read", tmp_path / "x.pdf", "--model", got, "--together", "--dpi", 20)
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(f"ocr2: {tmp_path}/x.pdf: 103 pages together are at least 515 tokens")
    ran = ocr2("read", tmp_path / "x.pdf", "--model", got, "--together", "--dpi", 20, "--pages=-40")
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(f"ocr2: {tmp_path}/x.pdf, page 1: the prompt is ")


def test_resume_with_other_weights(ocr2: Command, good: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "x.jsonl", tmp_path / "model"
    checkpoint.save(scattered(GOT(CONFIG), 3), model, TOKENS)
    Journal(out, {"model": str(model), "dpi": 200, **verb.weights(str(model))}, resume=False).close()
    checkpoint.save(scattered(GOT(CONFIG), 4), model, TOKENS)
    ran = ocr2("read", good, "-o", out, "--model", model, "--resume")
    assert (ran.status, "weights" in complaints(ran)[0]) == (2, True)


def test_answers_that_were_cut_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = reader("red", LONG)
    one.engine.limit = 10
    made = run(one, book(tmp_path / "x.tif", 20, 20), to=tmp_path / "x.txt")
    assert (made.read, made.failed) == (2, 0)
    assert capsys.readouterr().err == (
        f"ocr2: {tmp_path}/x.tif, page 2: the answer filled the model's context, or 4096 tokens: "
        "the rest of the text is missing\n"
    )


@pytest.mark.parametrize(
    ("other", "differs"),
    [(["--tiles", "2"], "'tiles': 2"), (["--box", "0,0,9,9"], "'box': '0,0,9,9'"), (["--precision", "bf16"], "bf16")],
)
def test_resume_with_another_prompt(
    ocr2: Command, got: Path, good: Path, tmp_path: Path, other: list[str], differs: str
) -> None:
    out = tmp_path / "x.jsonl"
    Journal(out, {"model": str(got), "dpi": 200, **verb.weights(str(got)), "formatted": True}, resume=False).close()
    before = Journal.path_for(out).read_bytes()
    ran = ocr2("read", good, "-o", out, "--model", got, "--resume", *other)
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert all(part in complaints(ran)[0] for part in ("'formatted': True", differs, "leave --resume out"))
    assert Journal.path_for(out).read_bytes() == before
    ran = ocr2("read", good, "-o", out, "--model", got, "--resume", "--format")
    assert (ran.status, complaints(ran)) == (0, [])
    assert records(out)[0]["prompt"] == {"format": True}


def test_resume_of_other_pages_together(ocr2: Command, got: Path, tmp_path: Path) -> None:
    """They are another question, though the first page is the same."""
    path, out = book(tmp_path / "x.tif", 9, 9, 9), tmp_path / "x.jsonl"
    journal = Journal(
        out, {"model": str(got), "dpi": 200, **verb.weights(str(got)), "together": True, "pages": "1-2"}, resume=False
    )
    journal.close()
    ran = ocr2("read", path, "-o", out, "--model", got, "--resume", "--together", "--pages", "1-3")
    assert (ran.status, len(complaints(ran))) == (2, 1)
    assert "'pages': '1-2'" in complaints(ran)[0] and "'pages': '1-3'" in complaints(ran)[0]
    assert ocr2("read", path, "-o", out, "--model", got, "--resume", "--together", "--pages", "1-2").status == 0


# Models that are none


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def other_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama"}')


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_weights, " has no model.safetensors and no model.safetensors.index.json: copy or download it again"),
        (cut_weights, "/model.safetensors can't be read ("),
        (pickled, "/pytorch_model.bin is a pickle, which may run any code when it is loaded: take the model's"),
        (no_config, " has no config.json: expected a folder with config.json and model.safetensors, or a hub's id"),
        (broken_config, "/config.json can't be read as JSON ("),
        (other_config, "/config.json is of model_type 'llama': expected "),
        (no_tokenizer, " has no tokenizer: expected tokenizer.json or qwen.tiktoken in it"),
        (broken_tokenizer, "/tokenizer.json can't be read as a tokenizer ("),
        (emptied, " is not a model: expected one of the names ppocr, ppocrv2, a folder with config.json"),
    ],
)
def test_models_that_are_none(ocr2: Command, copy: Path, good: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(copy)
    ran = ocr2("read", good, "--model", copy)
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(f"ocr2: {copy}{said}")


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory, and has a file with holes")
def test_a_model_larger_than_memory(copy: Path, good: Path) -> None:
    config = replace(CONFIG, decoder=replace(CONFIG.decoder, vocabulary=1 << 24, width=256))  # 16 GiB
    checkpoint._write_json(copy / "config.json", {"format": "ocr2", "version": 1, **config.to_json()})
    with torch.device("meta"):
        shapes = {name: tuple(values.shape) for name, values in GOT(config).named_parameters()}
    ends = [0, *accumulate(4 * prod(shape) for shape in shapes.values())]
    places = zip(shapes.items(), pairwise(ends), strict=True)
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": place} for (name, shape), place in places}
    content = json.dumps(header).encode()
    with open(copy / "model.safetensors", "wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        file.truncate(8 + len(content) + ends[-1])
    script = (
        "import resource, sys, torch, ocr2.got.checkpoint\n"
        "from ocr2.cli import main\n"
        "there = resource.getpagesize() * int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (there + (4 << 30),) * 2)\n"
        "main(['read', *sys.argv[1:]])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, good, "--model", copy], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(rf"ocr2: {copy} can't be loaded on cpu \(.*memory.*\): free memory there, or .*\n", ran.stderr)


def test_a_hub_that_cannot_be_reached(ocr2: Command, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    ran = ocr2("read", good, "--model", "ocr2-tests/nowhere")
    assert (ran.status, ran.out, len(complaints(ran))) == (2, b"", 1)
    assert complaints(ran)[0].startswith(
        "ocr2: ocr2-tests/nowhere is no folder here, and can't be downloaded from the hub ("
    )
    assert "hf download ocr2-tests/nowhere --local-dir FOLDER; then give the folder" in complaints(ran)[0]
