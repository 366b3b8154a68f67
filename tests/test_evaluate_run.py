"""Items are answered and scored one by one, whatever goes wrong with one of them, and a killed run goes on."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput, BadPrompt, MetricMissing, ModelMissing, OcrError, RendererMissing
from ocr2.evaluate.benchmark import Answer, Benchmark, Item, Mode, Scored, Table
from ocr2.evaluate.outcome import Run, table_of
from ocr2.evaluate.run import Answers, answered, check, chosen, from_record, plainly, resumed, scored, to_record
from ocr2.metrics import edit_distance
from ocr2.reader import Reader
from ocr2.types import Box, Line, Page, Prompt, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.run import Read

BLANK = Image.new("RGB", (8, 4), "white")


def item(name: str, truth: str = "abc", task: str = "a", pages: Callable[[], Sequence[Page]] | None = None) -> Item:
    return Item(name, pages or (lambda: [Page(BLANK, origin=name)]), truth, task=task)


def failing(error: BaseException) -> Callable[[], Sequence[Page]]:
    def pages() -> Sequence[Page]:
        raise error

    return pages


@dataclass(frozen=True)
class Marks:
    """A benchmark of edit distances, which fails on some answers; and leaves out empty ones, if published."""

    title: str = "a test"
    source: str = ""

    def items(self, folder: Path) -> Iterable[Item]:
        return [item("1"), item("2")]

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        if mode == "published" and not answer.text:
            return None
        if answer.text == "broken":
            raise KeyError("a thing\nthat isn't there")
        if answer.text == "nan":
            return {"edit_distance": float("nan")}
        if answer.text == "missing":
            raise MetricMissing("nltk isn't there")
        return {"edit_distance": edit_distance(answer.text, item.truth)}

    def worth(self, scores: dict[str, float]) -> float:
        return 1 - scores["edit_distance"]

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        return [Table("One", ("x", name), (("y", 1.0),)), Table("Two", ("x", name), (("y", None),), ("A rule.",))]


def saying(*answers: str | OcrError, seconds: float = 0.0) -> Read:
    """A reader that says so to the first item, the second, …"""

    def read(asked: Iterable[tuple[Item, Sequence[Page]]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        for number, _ in enumerate(asked):
            time.sleep(seconds)
            told = answers[number]
            yield number, Transcript(told) if isinstance(told, str) else told

    return read


# What is asked


def test_a_reader_of_plain_text_is_asked_for_the_same_region() -> None:
    box = Box(0, 0, 4, 4)
    assert plainly(Prompt(format=True, tiles=12)) == Prompt()
    assert plainly(Prompt(format=True, box=box)) == Prompt(box=box)
    assert plainly(Prompt(pages=3)) == Prompt(pages=3)


def test_the_first_of_each_task() -> None:
    items = [item(str(n), task="ab"[n % 2]) for n in range(6)]
    assert [each.id for each in chosen(items)] == list("012345")
    assert [each.id for each in chosen(items, limit=2)] == list("0123")
    assert [each.id for each in chosen(items, ["b"])] == list("135")
    assert [each.id for each in chosen(iter(items), ["b", "a"], 1)] == list("01")


@pytest.mark.parametrize(
    ("names", "tasks", "said"),
    [
        ("ab", ["x", "y"], "no task x, y: expected t"),
        ("", [], "the benchmark has no samples"),
        ("abcbaa", [], "2 samples have the id of another one, the first is 'a'"),
    ],
)
def test_what_cannot_be_chosen(names: str, tasks: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        chosen([item(name, task="t") for name in names], tasks)


# Answers


def test_every_item_has_an_answer() -> None:
    items = [
        item("good"),
        item("gone", pages=failing(BadInput("gone.png\ndoesn't exist"))),
        item("bug", pages=failing(ZeroDivisionError("by zero"))),
        item("no page", pages=failing(BadPrompt("a translation"))),
        item("unasked"),
        item("unread"),
    ]
    read = saying("text", BadPrompt("without box"), BadInput("too large"))
    found = {each.id: answer for each, answer in answered(items, read)}
    assert list(found) == ["good", "gone", "bug", "no page", "unasked", "unread"]
    assert (found["good"].text, found["good"].error) == ("text", "")
    assert {name: answer.error for name, answer in found.items() if answer.error} == {
        "gone": "not read: gone.png doesn't exist",
        "bug": "not read: ZeroDivisionError: by zero",
        "no page": "not asked: a translation",
        "unasked": "not asked: without box",
        "unread": "not read: too large",
    }


def test_lines_and_stops_are_kept() -> None:
    line = Line("abc", None, 0.5)

    def read(asked: Iterable[tuple[Item, Sequence[Page]]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        for number, _ in enumerate(asked):
            yield number, Transcript("abc", stop="repeat", lines=(line,))

    ((_, answer),) = answered([item("1")], read)
    assert (answer.lines, answer.stop) == ((line,), "repeat")


def test_answers_come_out_of_order() -> None:
    def read(asked: Iterable[tuple[Item, Sequence[Page]]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        taken = [item.id for item, _ in asked]
        yield from ((number, Transcript(taken[number])) for number in (2, 0, 1))

    assert [(each.id, answer.text) for each, answer in answered(map(item, "abc"), read)] == [
        ("c", "c"),
        ("a", "a"),
        ("b", "b"),
    ]


def test_what_is_missing_on_the_machine_ends_the_run() -> None:
    with pytest.raises(RendererMissing):
        list(answered([item("1", pages=failing(RendererMissing("no typst")))], saying("x")))
    with pytest.raises(ModelMissing):
        list(answered([item("1")], saying(ModelMissing("no data for chi_sim"))))
    with pytest.raises(KeyboardInterrupt):
        list(answered([item("1", pages=failing(KeyboardInterrupt()))], saying("x")))


def test_only_the_reader_is_timed() -> None:
    def slow() -> Sequence[Page]:
        time.sleep(0.3)
        return [Page(BLANK)]

    found, began = [], time.perf_counter()
    for _, answer in answered([item(str(n), pages=slow) for n in range(2)], saying("x", "y", seconds=0.05)):
        found.append(answer.seconds)
        time.sleep(0.3)
    assert min(found) >= 0.05
    assert sum(found) <= time.perf_counter() - began - 4 * 0.3


def test_pages_read_together_share_the_time() -> None:
    """The first is alone for 0.1 s, then both are there for 0.2, then the second is alone and works for 0.1."""

    def read(asked: Iterable[tuple[Item, Sequence[Page]]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        given = iter(asked)
        next(given)
        time.sleep(0.1)
        next(given)
        time.sleep(0.2)
        yield 0, Transcript("first")
        end = time.process_time() + 0.1
        while time.process_time() < end:  # works, so that there is processor time to share
            pass
        yield 1, Transcript("second")

    began = time.perf_counter()
    first, second = (answer for _, answer in answered([item("1"), item("2")], read))
    assert min(first.seconds, second.seconds) >= 0.2
    assert first.seconds + second.seconds <= time.perf_counter() - began
    assert first.cpu < 0.1 <= second.cpu


def test_prompts_vary_from_question_to_question() -> None:
    class Model:
        def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
            return Page(image, (Line(origin, None, 1.0),))

    asked = [([Page(BLANK, origin="a")], Prompt()), ([Page(BLANK)], Prompt(format=True)), ([Page(BLANK)] * 2, Prompt())]
    told = dict(Reader(Model()).prompted(asked))
    assert [type(answer) for answer in told.values()] == [Transcript, BadPrompt, BadPrompt]


# Scores


def test_scores() -> None:
    assert scored(Marks(), item("1"), Answer("abd"), "corrected").scores == {"edit_distance": pytest.approx(1 / 3)}
    empty = scored(Marks(), item("1"), Answer(), "corrected")
    assert (empty.scores, empty.error) == ({"edit_distance": 1.0}, "")
    assert scored(Marks(), item("1"), Answer(), "published").scores is None


def test_what_was_not_read_is_an_empty_text() -> None:
    lost = scored(Marks(), item("1"), Answer("abc", error="not read: x"), "corrected")
    assert (lost.scores, lost.error) == ({"edit_distance": 1.0}, "not read: x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("broken", 'not scored: KeyError: "a thing\\nthat isn\'t there"'),
        ("nan", "not scored: ValueError: edit_distance is no number"),
    ],
)
def test_a_measure_that_fails_costs_its_sample_alone(text: str, said: str) -> None:
    lost = scored(Marks(), item("1"), Answer(text), "corrected")
    assert (lost.scores, lost.error) == ({}, said)


def test_an_answer_that_is_far_too_long_is_wholly_wrong() -> None:
    lines = (Line("", None, 1.0),) * 5001
    for answer, size in (Answer("a" * 100_001), "100,001 characters"), (Answer("a", lines), "5,001 lines"):
        lost = scored(Marks(), item("1"), answer, "corrected")
        assert lost.scores == {} and lost.error.startswith(f"not scored: an answer of {size}: expected up to ")
    assert not scored(Marks(), item("1", "a" * 30_000), Answer("a" * 120_000), "corrected").error


def test_a_measure_that_is_missing_ends_the_run_before_any_is_read() -> None:
    items = [item("1"), item("2", truth="missing"), item("3", truth="missing", task="b")]
    check(Marks(), items[:2], "corrected")  # of each task the first one
    with pytest.raises(MetricMissing):
        check(Marks(), items, "corrected")
    check(Marks(), [item("1", truth="broken")], "corrected")


# The journal


def test_an_answer_survives_its_record() -> None:
    line = Line("a\ud800", ((0.0, 0.0), (8.0, 0.0), (8.0, 4.0), (0.0, 4.0)), 0.5, " ", (0.25,))
    answer = Answer("a\ud800\n", (line,), 1.25, cpu=2.5, stop="length")
    assert from_record(json.loads(json.dumps(to_record(answer))), "x") == answer
    assert from_record({"text": "a", "unknown": 1}, "x") == Answer("a")


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"text": 1},
        {"text": "a", "seconds": "1"},
        {"text": "a", "cpu": None},
        {"text": "a", "seconds": math.nan},
        {"text": "a", "seconds": -1},
        {"text": "a", "cpu": 10**400},
        {"text": "a", "stop": "red"},
        {"text": "a", "lines": {"text": 1}},
        {"text": "a", "lines": [1]},
        {"text": "a", "lines": [{"text": "a"}]},
    ],
)
def test_what_is_no_record(record: object) -> None:
    with pytest.raises(BadInput, match=r"^line 7: "):
        from_record(record, "line 7")


@dataclass
class Asked:
    """Answers items by their ids, up to one at which it is killed; and knows which it was asked."""

    until: str = ""
    ids: list[str] = field(default_factory=list)

    def __call__(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        for each in items:
            if each.id == self.until:
                raise KeyboardInterrupt
            self.ids.append(each.id)
            yield each, Answer(error="not read: x") if each.id == "b" else Answer(f"read {each.id}", seconds=1.0)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    target, run, items = tmp_path / "x.json", {"benchmark": "fox"}, list(map(item, "abcdef"))
    with pytest.raises(KeyboardInterrupt), Answers(target, run, resume=False) as journal:
        list(resumed(items, journal, Asked("d")))
    with Answers.path_for(target).open("ab") as file:
        file.write(b'{"id": "e", "text": "half')
    again = Asked()
    with Answers(target, run, resume=True) as journal:
        found = {each.id: answer for each, answer in resumed(items, journal, again)}
    assert again.ids == list("bdef")  # what failed is tried again
    assert {name: answer.text for name, answer in found.items() if not answer.error} == {
        name: f"read {name}" for name in "acdef"
    }
    with pytest.raises(BadInput, match=r"was begun by .*fox.*, this is .*paddle"):
        Answers(target, {"benchmark": "paddle"}, resume=True)


# What came of it


def outcome(*found: Scored, **options: object) -> Run:
    return Run("fox", "nano", "corrected", found, **options)  # type: ignore[arg-type]


def test_footnotes_tell_what_changed_a_number() -> None:
    marks, formatted = Marks(), replace(item("5"), prompt=Prompt(format=True))
    run = outcome(
        scored(marks, item("1"), Answer("abc", seconds=1.0, cpu=1.5), "corrected"),
        scored(marks, item("2"), Answer(error="not asked: without box"), "corrected"),
        scored(marks, item("3"), Answer(error="no prediction: none"), "corrected"),
        scored(marks, item("4"), Answer("broken", seconds=3.0, cpu=2.5, stop="repeat"), "corrected"),
        scored(marks, formatted, Answer(""), "corrected"),
        scored(marks, item("6"), Answer(""), "published"),
        plain=True,
        options={"limit": 3, "tasks": ["a", "b"]},
        notes=("2 predictions are for no sample.",),
    )
    assert list(run.footnotes()) == [
        "Of the tasks only a, b.",
        "Of each task only the first 3.",
        "2 predictions are for no sample.",
        "1 of 6 samples can't be asked of this reader and count as empty texts, but where that is so of a whole task; "
        "the first is 2: without box.",
        "1 of 6 samples have no prediction and count as empty texts; the first is 3: none.",
        "1 of 6 samples could not be scored and count as wholly wrong; "
        'the first is 4: KeyError: "a thing\\nthat isn\'t there".',
        "2 of 6 samples have an empty answer.",
        "1 of 6 samples have an answer that ran in a loop or out of length, and was cut.",
        "1 of 6 samples are left out.",
        "1 of 6 samples ask for formatted text, or for a closer look, and were read as plain text.",
        "Reading took 2.00 seconds a sample and 2.00 of processor time.",
    ]
    first, last = run.tables(marks)
    assert first.notes == ()
    assert last.notes == ("A rule.", *run.footnotes())


def test_a_run_without_anything_to_tell_has_no_footnotes() -> None:
    assert outcome(scored(Marks(), item("1"), Answer("abc"), "corrected")).footnotes() == ()


def test_the_json_has_all_of_it() -> None:
    marks: Benchmark = Marks()
    found = [scored(marks, item(str(n)), Answer(text), "corrected") for n, text in enumerate(["abc", "broken", ""])]
    found.append(scored(marks, item("3"), Answer(), "published"))
    run = outcome(*found, seconds=2.5, versions={"tesseract": "5.3.0"})
    record = json.loads(json.dumps(run.to_json(marks, run.tables(marks)), allow_nan=False))
    assert (record["benchmark"], record["model"], record["mode"], record["seconds"]) == (
        "fox",
        "nano",
        "corrected",
        2.5,
    )
    assert record["machine"]["cpu"] and record["machine"]["cores"] >= 1
    assert {"ocr2", "python", "numpy", "tesseract"} <= set(record["versions"])
    assert record["counts"] == {"samples": 4, "not scored": 1}
    assert [sample["worth"] for sample in record["samples"]] == [1.0, 0.0, 0.0, None]
    assert [sample["scores"] for sample in record["samples"]] == [{"edit_distance": 0}, {}, {"edit_distance": 1}, None]
    assert record["samples"][1]["error"].startswith("not scored: KeyError")
    assert [table_of(table, "x") for table in record["tables"]] == run.tables(marks)


@pytest.mark.parametrize(
    "change",
    [
        {"title": 1},
        {"columns": ["x"]},
        {"columns": None},
        {"rows": [["y", {}]]},
        {"rows": ["yz"]},
        {"notes": [1]},
        {"digits": 40},
    ],
)
def test_what_is_no_table(change: dict[str, object]) -> None:
    record = {"title": "T", "columns": ["x", "y"], "rows": [["a", 1.0]], "notes": [], "digits": 3}
    assert table_of(record, "out.json").rows == (("a", 1.0),)
    with pytest.raises(BadInput, match=r"^out\.json: expected a table"):
        table_of(record | change, "out.json")
