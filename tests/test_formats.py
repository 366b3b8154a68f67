"""Samples in other programs' formats: what goes out comes back, and what they write is read."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from ocr2.data import paddle
from ocr2.data.conversations import whole_of
from ocr2.data.formats import FORMATS, format_named, format_of, opened
from ocr2.data.labels import Labels, Pictures, write
from ocr2.errors import BadInput, BadOutput, OcrError, RendererMissing
from ocr2.types import Box, Line, Page, Prompt, Sample

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("E = mc²", "有朋自遠方來\n\n不亦樂乎", "\\[ x \\]", ' "}, {" [red] \t', "", "\u2028 line\r\n", "{}[]\\\\")
PROMPTS = (
    Prompt(),
    Prompt(format=True),
    Prompt(box=Box(1, 2.5, 30, 31)),
    Prompt(point=(3, 4.25), format=True),
    Prompt(color="green", format=True),
    Prompt(color="red"),
    Prompt(tiles=7),
    Prompt(pages=3),
)


def noise(rng: Random, mode: str = "RGB", size: tuple[int, int] = (0, 0)) -> Image.Image:
    size = size if size[0] else (rng.randrange(32, 60), rng.randrange(32, 60))
    return Image.frombytes(mode, size, rng.randbytes(size[0] * size[1] * len(mode)))


def samples(prompts: tuple[Prompt, ...] = PROMPTS, texts: tuple[str, ...] = TEXTS) -> list[Sample]:
    rng, made = Random(0), []
    for n, text in enumerate(texts):
        for prompt in prompts:
            images = tuple(noise(rng, ("L", "RGB")[(n + page) % 2]) for page in range(prompt.pages))
            made.append(Sample(images, prompt, text, "text", f'{{"engine": "noise", "index": {len(made)}}}'))
    return made


def cut(page: Image.Image, most: int) -> list[Image.Image]:
    return [page.crop((0, 0, 16, 16)), page.crop((16, 0, 32, 16)), page.resize((16, 16))] if most > 1 else []


def written(made: list[Sample], path: Path, name: str) -> list[OcrError | None]:
    return list(write(made, path, FORMATS[name], range(len(made)), cut))


@pytest.mark.parametrize("name", ["got", "swift"])
def test_conversations_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    made = samples()
    path = tmp_path / "train.x"
    assert written(made, path, name) == [None] * len(made)
    found = Labels(path, FORMATS[name])
    assert len(found) == len(made)
    for index in Random(1).sample(range(len(made)), len(made)):
        assert found[index] == made[index]
    assert pickle.loads(pickle.dumps(found))[5] == made[5]
    with pytest.raises(IndexError):
        found[len(made)]


@pytest.mark.parametrize("name", ["got", "swift"])
def test_without_our_own_words_what_is_asked_comes_back(name: str, tmp_path: Path) -> None:
    made = [sample for sample in samples(texts=("some text",)) if not sample.prompt.tiles]
    path = tmp_path / "train.x"
    written(made, path, name)
    text = path.read_text()
    records = json.loads(text) if name == "got" else [json.loads(line) for line in text.splitlines()]
    for record in records:
        del record["ocr2"]
    path.write_text(json.dumps(records, indent=1) if name == "got" else "\n".join(map(json.dumps, records)))
    found = Labels(path, FORMATS[name])
    for index, sample in enumerate(made):
        again = found[index]
        assert again.images == sample.images and again.text == sample.text and again.kind == "text"
        assert (again.prompt.format, again.prompt.color) == (sample.prompt.format, sample.prompt.color) or (
            sample.prompt.pages > 1
        )
        assert again.prompt.pages == sample.prompt.pages
        for place, there in ((again.prompt.box, sample.prompt.box), (again.prompt.point, sample.prompt.point)):
            assert (place is None) == (there is None)
        if place := again.prompt.box:
            assert np.allclose((place.x0, place.y0, place.x1, place.y1), (1, 2.5, 30, 31), atol=1)
        assert json.loads(again.origin)["source"] == "train.x"


def test_got_json_is_what_got_reads(tmp_path: Path) -> None:
    made = samples(texts=("answer",))
    written(made, tmp_path / "train.json", "got")
    records = json.loads((tmp_path / "train.json").read_text())
    asked = [record["conversations"][0]["value"] for record in records]
    assert asked[0] == "<image>\nOCR: " and asked[4] == "<image>\n[green] OCR with format: "
    assert asked[6] == "<image>\nOCR with format upon the patch reference: "
    assert asked[7] == "<image>\nOCR with format across multi pages: "
    for record, sample in zip(records, made, strict=True):
        assert [turn["from"] for turn in record["conversations"]] == ["human", "gpt"]
        assert record["conversations"][1]["value"] == "answer"
        if record["image"].endswith(".png"):
            views = [tmp_path / record["image"]]
        else:  # GOT puts *.png after it
            views = sorted(tmp_path.glob(f"{record['image']}*.png"))
        assert len(views) == (3 if sample.prompt.tiles or sample.prompt.pages > 1 else 1)
        assert isinstance(record["ocr2"], str)


def test_swift_lines_are_what_swift_reads(tmp_path: Path) -> None:
    made = samples(texts=("answer",))
    written(made, tmp_path / "train.jsonl", "swift")
    records = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert records[0]["messages"] == [
        {"role": "user", "content": "<image>OCR: "},
        {"role": "assistant", "content": "answer"},
    ]
    assert records[7]["messages"][0]["content"] == "<image><image><image>OCR with format across multi pages: "
    assert len(records[7]["images"]) == 3 and all((tmp_path / name).is_file() for name in records[7]["images"])


def swift(path: Path, *records: Any) -> Labels:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records))
    return Labels(path, FORMATS["swift"])


def test_older_and_looser_lines_of_swift_are_read(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    asked = {"role": "user", "content": "<image>OCR with format:"}
    found = swift(
        tmp_path / "x.jsonl",
        {"query": "<image>OCR: ", "response": "old", "images": ["a.png"], "history": []},
        {"query": "OCR: ", "response": "older", "images": "a.png"},
        "",
        {"messages": [{"role": "system", "content": "be good"}, asked, {"role": "assistant", "content": "new"}]}
        | {"images": [{"path": "a.png"}], "label": "x"},
        {"query": "<image> [12, 0, 500, 1000] OCR: ", "response": "box", "images": [str(tmp_path / "a.png")]},
    )
    assert [found[n].text for n in range(4)] == ["old", "older", "new", "box"]
    assert [found[n].prompt.format for n in range(4)] == [False, False, True, False]
    assert found[3].prompt.box and json.loads(found[2].origin) == {"source": "x.jsonl", "line": 4}


def test_formulas_of_others_are_known_as_such(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    record = {"query": "<image>OCR: ", "response": "x", "images": ["a.png"]}
    known = replace(swift(tmp_path / "x.jsonl", record)[0])
    assert known.kind == "text"
    ours = {"ocr2": json.dumps({"kind": "molecule", "origin": "o", "prompt": {}, "modes": ["RGB"]})}
    assert swift(tmp_path / "x.jsonl", record | ours)[0].kind == "molecule"


def test_what_the_question_says_goes_before_what_we_wrote(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    ours = {"ocr2": json.dumps({"kind": "text", "origin": "o", "prompt": {"color": "red"}, "modes": ["RGB"]})}
    record = {"query": "<image>[blue] OCR: ", "response": "edited", "images": ["a.png"]} | ours
    assert swift(tmp_path / "x.jsonl", record)[0].prompt == Prompt(color="blue")


GOOD = {"query": "<image>OCR: ", "response": "x", "images": ["a.png"]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{broken", "no JSON"),
        ("[1]", "expected one question"),
        ({"images": ["a.png"]}, "None is no text"),
        (GOOD | {"response": 3}, "3 is no text"),
        (GOOD | {"response": "\ud800"}, "is no text"),
        (GOOD | {"history": [["q", "a"]]}, "with a history"),
        (GOOD | {"query": "<image>Is this a cat?"}, "no question of GOT's"),
        (GOOD | {"query": "<image><image>OCR: "}, "2 <image> in the question, and 1 images"),
        (GOOD | {"images": []}, "0 images"),
        (GOOD | {"images": ["a.png", "a.png"], "query": "OCR: "}, "of 2 pages"),
        (GOOD | {"images": [7]}, "7 is no picture's name"),
        (GOOD | {"images": ["b.png"]}, "b.png doesn't exist"),
        (GOOD | {"images": ["x.jsonl"]}, "x.jsonl is not an image"),
        (GOOD | {"images": ["../secret.png"]}, r"'\.\./secret.png' is not in .*--images"),
        (GOOD | {"images": ["/etc/passwd"]}, "'/etc/passwd' is not in"),
        (GOOD | {"images": ["link.png"]}, "'link.png' is not in"),
        (GOOD | {"images": ["a\0.png"]}, "no picture's name"),
        (GOOD | {"images": ["a" * 5000]}, "no picture's name"),
        (GOOD | {"messages": [{"role": "user", "content": "OCR: "}]}, "expected one question"),
        (GOOD | {"messages": "hello"}, "expected one question"),
        (GOOD | {"ocr2": "[1]"}, "'ocr2' is no object"),
        (GOOD | {"ocr2": "{}"}, "'ocr2' has no 'kind'"),
        (GOOD | {"query": "[5, 5, 5, 9] OCR: "}, "is empty"),
    ],
)
def test_bad_records_are_told_with_their_line(record: Any, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    noise(Random(0)).save(folder / "a.png")
    noise(Random(0)).save(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    found = swift(folder / "x.jsonl", GOOD, record)
    assert found[0].text == "x"
    with pytest.raises(BadInput, match=rf"(?s){message}.*x\.jsonl, line 2\)$"):
        found[1]


def got(path: Path, text: str) -> Labels:
    path.write_bytes(text.encode())
    return Labels(path, FORMATS["got"])


def test_got_json_of_any_layout_is_found_without_reading_it_all(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>\nOCR: "}, {"from": "gpt", "value": 'tricky "]}, {[\\" \\'}]
    record = {"id": 7, "image": "a.png", "conversations": turns, "more": [[{}], 1.5, None]}
    for indent in (None, 0, 2):
        found = got(tmp_path / "x.json", "\ufeff \n" + json.dumps([record] * 5, indent=indent) + "\n\n")
        assert len(found) == 5 and found[4].text == 'tricky "]}, {[\\" \\'
    lines = json.dumps([record] * 3, indent=2).splitlines()
    found = got(tmp_path / "x.json", "\n".join(lines))
    starts = [n for n, line in enumerate(lines, 1) if line == "  {"]
    assert [found.where(n).rpartition(" ")[2] for n in range(3)] == [str(start) for start in starts]


def test_what_is_no_record_of_got_is_told(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>\nOCR: "}, {"from": "gpt", "value": "x"}]
    odd = [5, "text", None, [], {}, {"image": "a.png", "conversations": turns * 2}, {"conversations": turns}]
    odd += [{"image": "none", "conversations": turns}, {"image": "../", "conversations": turns}]
    odd += [{"image": "a.png", "conversations": [1, turns[0], turns[1]]}]
    found = got(tmp_path / "x.json", json.dumps([*odd, {"image": "a.png", "conversations": turns}], indent=1))
    assert len(found) == len(odd) + 1 and found[len(odd)].text == "x"
    for n in range(len(odd)):
        with pytest.raises(BadInput, match="line"):
            found[n]


@pytest.mark.parametrize("text", ["", "{}", "[]", "[", '[{"image": "a.png"', "null"])
def test_a_file_that_is_no_list_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.json"):
        got(tmp_path / "x.json", text)


def test_pages_and_tiles_of_others_are_put_together(tmp_path: Path) -> None:
    rng = Random(3)
    blocks = np.array([rng.randbytes(8) for _ in range(6)]).view(np.uint8).reshape(6, 8).astype(np.uint8)
    page = Image.fromarray(np.kron(blocks, np.ones((8, 8), np.uint8)))  # 64 × 48
    tiles = [page.crop((x, y, x + 16, y + 16)) for y in range(0, 48, 16) for x in range(0, 64, 16)]
    (tmp_path / "p").mkdir()
    for n, image in enumerate([*tiles, page.resize((16, 16), Image.Resampling.BOX)]):
        image.save(tmp_path / "p" / f"{n}.png")
    for n in range(11):
        noise(rng).save(tmp_path / f"book_{n}.png")
    turns = [
        [{"from": "human", "value": f"<image>\n{asked}"}, {"from": "gpt", "value": "x"}]
        for asked in ("OCR with format upon the patch reference: ", "OCR with format across multi pages: ")
    ]
    records = [{"image": name, "conversations": turns[n]} for n, name in enumerate(("p/", "book_"))]
    found = got(tmp_path / "x.json", json.dumps(records))
    assert np.array_equal(np.asarray(found[0].images[0]), np.asarray(page)) and found[0].prompt == Prompt(tiles=12)
    assert found[1].prompt == Prompt(pages=11)
    for n, image in enumerate(found[1].images):  # 2 before 10
        with Image.open(tmp_path / f"book_{n}.png") as page:
            assert image.tobytes() == page.tobytes()


@pytest.mark.parametrize("grid", [(1, 2), (2, 1), (3, 2), (2, 3), (4, 3), (1, 5), (12, 1)])
def test_the_grid_of_tiles_is_seen(grid: tuple[int, int]) -> None:
    columns, rows = grid
    coarse = Random(f"{grid}").randbytes(16 * columns * rows)
    page = Image.frombytes("L", (4 * columns, 4 * rows), coarse).resize((64 * columns, 64 * rows))
    tiles = [page.crop((x, y, x + 64, y + 64)) for y in range(0, 64 * rows, 64) for x in range(0, 64 * columns, 64)]
    assert whole_of([*tiles, page.resize((64, 64))]) == page


@pytest.mark.parametrize("name", ["got", "swift"])
def test_what_stands_for_pictures_is_no_answer(name: str, tmp_path: Path) -> None:
    made = [*samples((Prompt(),), ("see <image>",)), *samples((Prompt(),), ("fine",))]
    first, second = written(made, tmp_path / "x.y", name)
    assert isinstance(first, BadOutput) and "<image>" in str(first) and second is None
    assert len(Labels(tmp_path / "x.y", FORMATS[name])) == 1


def test_tiles_without_what_cuts_them_are_left_out(tmp_path: Path) -> None:
    (error,) = write(samples((Prompt(tiles=4),), ("x",)), tmp_path / "x.json", FORMATS["got"], range(1))
    assert isinstance(error, BadOutput)
    assert json.loads((tmp_path / "x.json").read_text()) == []


def test_recognisers_labels_come_back(tmp_path: Path) -> None:
    texts = ("E = mc²", "有朋自遠方來", "a  b", '{"x": [1]}', "\u2028x", " y ", "[1]")
    made = samples((Prompt(),), texts)
    assert written(made, tmp_path / "rec.txt", "rec") == [None] * len(made)
    assert (tmp_path / "rec.txt").read_text().split("\n")[0] == "rec/000000000.png\tE = mc²"
    found = Labels(tmp_path / "rec.txt", FORMATS["rec"])
    for n, sample in enumerate(made):
        again = found[n]
        assert (again.images, again.prompt, again.text, again.kind) == (sample.images, Prompt(), sample.text, "text")


def test_what_recognisers_labels_can_not_hold_is_left_out(tmp_path: Path) -> None:
    made = [*samples((Prompt(),), ("a\tb", "a\nb", "", "  ", "a\r", "good")), *samples((Prompt(format=True),), ("x",))]
    told = written(made, tmp_path / "rec.txt", "rec")
    assert [type(error) for error in told] == [BadOutput] * 5 + [type(None), BadOutput]
    assert len(Labels(tmp_path / "rec.txt", FORMATS["rec"])) == 1


def quad(x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[float, float], ...]:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def pages() -> list[Page]:
    rng = Random(0)
    some = tuple(
        Line(text, quad(5, 10 * n, 30 + 0.25 * n, 10 * n + 8), 1.0, end)  # type: ignore[arg-type]
        for n, (text, end) in enumerate((("first", " "), ("second", "\n\n"), ("第三", ""), ('"]\t', "\n")))
    )
    return [Page(noise(rng), some), Page(noise(rng), some[2:]), Page(noise(rng), ())]


def test_detectors_labels_come_back(tmp_path: Path) -> None:
    made = pages()
    assert list(paddle.write_pages(made, tmp_path / "det.txt")) == [1, 2, 3]
    for again, page in zip(paddle.pages(tmp_path / "det.txt"), made, strict=True):
        assert again.image == page.image and again.lines == page.lines and again.text == page.text
    label = (tmp_path / "det.txt").read_text().split("\n")[0].split("\t", 1)[1]
    assert json.loads(label)[0] == {
        "transcription": "first",
        "points": [[5, 0], [30, 0], [30, 8], [5, 8]],
        "end": " ",
    }


def test_detectors_labels_go_through_samples(tmp_path: Path) -> None:
    list(paddle.write_pages(pages(), tmp_path / "det.txt"))
    found = Labels(tmp_path / "det.txt", FORMATS["det"])
    made = [found[n] for n in range(len(found))]
    assert made[0].text == 'first second\n\n第三"]\t' and made[0].prompt == Prompt()
    assert written(made, tmp_path / "again.txt", "det") == [None] * 3
    one, other = ((tmp_path / name).read_text() for name in ("det.txt", "again.txt"))
    assert other.replace("again/", "det/") == one
    told = written([replace(made[0], text="other"), replace(made[0], origin="{}")], tmp_path / "x.txt", "det")
    assert [type(error) for error in told] == [BadOutput, BadOutput]


def det(folder: Path, *labels: object) -> Labels:
    noise(Random(0), size=(200, 100)).save(folder / "a.png")
    (folder / "det.txt").write_text("".join(f"a.png\t{json.dumps(label)}\n" for label in labels))
    return Labels(folder / "det.txt", FORMATS["det"])


def test_detectors_labels_of_others_are_put_in_reading_order(tmp_path: Path) -> None:
    told = [
        {"transcription": text, "points": [[10, y], [190, y], [190, y + 10], [10, y + 10]], "difficult": False}
        for text, y in (("last", 28), ("first", 0), ("middle", 14))
    ]
    found = det(tmp_path, told)
    assert found[0].text == "first\nmiddle\nlast"
    assert [line["transcription"] for line in json.loads(found[0].origin)["lines"]] == ["first", "middle", "last"]


def test_illegible_lines_are_on_the_page_and_in_no_sample(tmp_path: Path) -> None:
    square = [[10, 10], [60, 10], [60, 20], [10, 20]]
    found = det(tmp_path, [{"transcription": "###", "points": square}])
    (page,) = paddle.pages(tmp_path / "det.txt")
    assert page.lines[0].text == "" and page.lines[0].place == quad(10, 10, 60, 20)
    with pytest.raises(BadInput, match="illegible"):
        found[0]
    list(paddle.write_pages([page], tmp_path / "again.txt"))
    assert '"###"' in (tmp_path / "again.txt").read_text()


def test_of_outlines_the_ends_are_taken(tmp_path: Path) -> None:
    bent = [[0, 5], [10, 2], [20, 5], [20, 15], [10, 12], [0, 15]]
    det(tmp_path, [{"transcription": "bent", "points": bent}])
    (page,) = paddle.pages(tmp_path / "det.txt")
    assert page.lines[0].place == ((0, 5), (20, 5), (20, 15), (0, 15))


@pytest.mark.parametrize(
    "label",
    [
        {},
        [1],
        [{"points": [[0, 0]] * 4}],
        [{"transcription": "x"}],
        [{"transcription": "x", "points": [[0, 0]] * 3}],
        [{"transcription": "x", "points": [[0, 0]] * 5}],
        [{"transcription": "x", "points": [[0, "1"]] * 4}],
        [{"transcription": "x", "points": [[0, float("inf")]] * 4}],
        [{"transcription": "x", "points": [[0, 1e99]] * 4}],
        [{"transcription": "\ud800", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}],
    ],
)
def test_bad_labels_of_detectors_are_told(label: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"det\.txt, line 1"):
        det(tmp_path, label)[0]
    with pytest.raises(BadInput, match=r"det\.txt, line 1"):
        list(paddle.pages(tmp_path / "det.txt"))


def test_a_line_without_a_tab_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rec.txt"
    path.write_bytes(b"a.png only\na.png\t\xff\n")
    found = Labels(path, FORMATS["rec"])
    for n, message in enumerate((r"no tab.*line 1", r"no UTF-8.*line 2")):
        with pytest.raises(BadInput, match=message):
            found[n]
    path.write_text("\n \n")
    with pytest.raises(BadInput, match="no records"):
        Labels(path, FORMATS["rec"])
    with pytest.raises(BadInput, match="can't be read"):
        Labels(tmp_path / "none.txt", FORMATS["rec"])


def test_pictures_may_be_elsewhere_and_of_any_kind(tmp_path: Path) -> None:
    elsewhere = tmp_path / "photos"
    elsewhere.mkdir()
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(elsewhere / "clear.png")
    Image.new("RGB", (20, 10), (9, 99, 199)).save(elsewhere / "photo.jpg", quality=95)
    (tmp_path / "rec.txt").write_text("clear.png\ta\nphoto.jpg\tb\n")
    found = Labels(tmp_path / "rec.txt", FORMATS["rec"], elsewhere)
    assert found[0].images[0].mode == "L" and found[0].images[0].getextrema() == (255, 255)
    assert found[1].images[0].mode == "RGB"


def test_a_label_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    made = samples()
    (tmp_path / "train.json").write_text("before")
    part = write(made, tmp_path / "train.json", FORMATS["got"], range(len(made)), cut)
    next(part)
    part.close()
    assert (tmp_path / "train.json").read_text() == "before"
    assert not list(tmp_path.glob(".*"))

    class Lacking:
        def __getitem__(self, index: int) -> Sample:
            raise RendererMissing("no tool")

    with pytest.raises(RendererMissing):
        list(write(Lacking(), tmp_path / "train.json", FORMATS["got"], range(3)))
    (tmp_path / "full").touch()
    with pytest.raises(BadOutput, match="can't be written"):
        list(write(made, tmp_path / "full.json", FORMATS["got"], range(3)))
    assert not (tmp_path / "full.json").exists()


def test_formats_are_told_from_what_is_there(tmp_path: Path) -> None:
    told = {
        "a": ('[\n{"image"', "got"),
        "b": ('{"messages"', "swift"),
        "c": ("x.png\ttext\n", "rec"),
        "d": ('x.png\t[{"transcription"', "det"),
        "e": ("x.png\t[]\n", "det"),
        "f": ("x.png\t[1] is cited\n", "rec"),
    }
    for name, (content, form) in told.items():
        (tmp_path / name).write_text(content)
        assert format_of(tmp_path / name) == form
    (tmp_path / "g").write_text("hello")
    with pytest.raises(BadInput, match="--from"):
        format_of(tmp_path / "g")
    assert format_of(tmp_path) == format_named(tmp_path) == "shards"
    assert isinstance(opened(tmp_path / "c"), Labels)


def test_formats_are_told_from_names(tmp_path: Path) -> None:
    names = {"a.json": "got", "a.jsonl": "swift", "rec.txt": "rec", "det_train.txt": "det", "new": "shards"}
    assert {name: format_named(tmp_path / name) for name in names} == names
    with pytest.raises(BadOutput, match="--to"):
        format_named(tmp_path / "a.csv")


def test_pictures_in_grey_stay_grey_and_coloured_ones_that_look_it_too(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    grey = noise(Random(0), "L")
    for image in (grey, grey.convert("RGB")):
        pictures.put("x.png", image)
        assert pictures.read("x.png", image.mode) == image


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rec", "a.png\t \n"),
        ("swift", '{"query": "<image>OCR: ", "response": "", "images": ["a.png"]}'),
        (
            "got",
            '[{"image": "a.png", "conversations": [{"from": "human", "value": "<image>\\nOCR: "}, '
            '{"from": "gpt", "value": ""}]}]',
        ),
    ],
)
def test_an_answer_that_was_forgotten_is_none(name: str, content: str, tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    (tmp_path / "labels").write_text(content)
    with pytest.raises(BadInput, match=r"an empty (label|answer): write what stands in the picture"):
        opened(tmp_path / "labels", name)[0]


def test_other_records_of_the_same_length_have_another_identity(tmp_path: Path) -> None:
    seen = set()
    for label in ("5 μg", "5 Ωg", "5 μg"):
        (tmp_path / "rec.txt").write_text(f"a.png\t{label}\n", encoding="utf-8")
        seen.add(opened(tmp_path / "rec.txt").identity)
    assert len(seen) == 2


def test_a_folder_of_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no shards .* and no pictures with answers: expected some of either"):
        opened(tmp_path)
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "samples-000000.tar").touch()
    with pytest.raises(BadInput, match=r"chart has shards: give it by its own name"):
        opened(tmp_path)


def test_metadata_with_a_long_answer_first_is_known(tmp_path: Path) -> None:
    noise(Random(0)).save(tmp_path / "a.png")
    (tmp_path / "train.jsonl").write_text(json.dumps({"file_name": "a.png", "text": "x" * 100_000}) + "\n")
    assert opened(tmp_path / "train.jsonl")[0].text == "x" * 100_000
