"""Questions and answers about pictures: the JSON that GOT's own training takes, and the JSON lines of ms-swift.

    [{"image": "train/000000031.png",
      "conversations": [{"from": "human", "value": "<image>\\nOCR: "}, {"from": "gpt", "value": "E = mc²"}]}, …]

    {"messages": [{"role": "user", "content": "<image>OCR: "}, {"role": "assistant", "content": "E = mc²"}],
     "images": ["train/000000031.png"]}

Where GOT's "image" is no .png, .jpg or .jpeg, it is how the names of several begin: of the pages, or of the tiles of a
page and the page, smaller, at their end. Of ms-swift's older lines, {"query", "response", "images"}, all is read that
is read of the others. What a record of ours says more, in "ocr2", other programs pass over; it makes samples come back
as they were. Both put the picture's tokens wherever a text says <image>, so no answer may.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ocr2.characters import kind_of
from ocr2.data.labels import Form, Pictures, Span, lines, parsed, written
from ocr2.errors import BadInput, BadOutput
from ocr2.files import natural
from ocr2.queries import asked, query
from ocr2.records import checked, record
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_IMAGE = "<image>"
_MORE = "ocr2"
_ONE = "expected one question about pictures, and one answer"
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|\n|[^\s,:"{}\[\]]++', re.DOTALL)


def _objects(path: Path) -> Iterator[Span]:
    """The elements of a JSON file's list, found without reading what they say."""
    import mmap

    with open(path, "rb") as file:
        if not file.read(1):
            raise BadInput(f"{path} is empty: expected a list of conversations")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if not re.match(rb"(?:\xef\xbb\xbf)?\s*\[", content):
                raise BadInput(f'{path} is no list: expected [{{"image", "conversations"}}, …], or JSON lines (--from)')
            yield from _elements(content, path)


def _elements(content: Any, path: Path) -> Iterator[Span]:
    depth, begun, line = 0, (0, 0), 1
    for token in _TOKENS.finditer(content):
        sign = content[token.start()]
        if sign in b"\n":
            line += 1
        elif sign in b"[{":
            if depth == 1:
                begun = token.start(), line
            depth += 1
        elif sign in b"]}":
            depth -= 1
            if depth == 1:
                yield begun[0], token.end(), begun[1]
            elif depth <= 0:
                return
        elif depth == 1:  # a string or a number, which is no record: told when its turn comes
            yield token.start(), token.end(), line
    raise BadInput(f"{path} ends in the middle of its list: copy it again")


def _more(sample: Sample, **also: str) -> str:
    """What a record says beside question and answer, as a string: a column of one type, whatever it says."""
    known = record(sample)
    return json.dumps({name: value for name, value in known.items() if name != "text"} | also, ensure_ascii=False)


def _given(told: Any, text: str, origin: str) -> tuple[dict[str, Any], Prompt | None]:
    """What such a record says, and the prompt in it; None where there is none, and then no answer may be empty.

    Raises BadInput.
    """
    if told is None:
        return {"text": written(text, "answer"), "kind": kind_of(text), "origin": origin, "modes": []}, None
    known = parsed(told) if isinstance(told, str) else told
    if not isinstance(known, dict):
        raise BadInput(f"{_MORE!r} is no object: leave it out, or as it was written")
    known = known | {"text": text}
    return known, checked(known, repr(_MORE))


def _sample(
    question: str, text: str, images: Sequence[Image.Image], known: tuple[dict[str, Any], Prompt | None]
) -> Sample:
    """The sample: the question says what is asked, and the record what it leaves open. Raises BadInput, BadPrompt."""
    told, prompt = known
    width, height = images[0].size
    words = question.replace(_IMAGE, "", len(images))
    if prompt is None or len(images) != prompt.pages or query(prompt, width, height).strip() != words.strip():
        prompt = asked(words, width, height, len(images))
    return Sample(tuple(images), prompt, text, told["kind"], told["origin"])


def _words(value: Any) -> str:
    """A text in a record. Raises BadInput for what is none, or can't be encoded."""
    if not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
        raise BadInput(f"{value!r:.60} is no text: {_ONE}")
    return value


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list, empty ones for what else there is."""
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []


def _sayable(text: str) -> str:
    if _IMAGE in text:
        raise BadOutput(f"a text with {_IMAGE} in it, which stands for pictures: leave the sample out")
    return text


def _modes(known: dict[str, Any], count: int) -> list[str]:
    modes = list(known["modes"])
    return modes if len(modes) == count else [""] * count


# GOT's JSON


def _got_sample(text: str, pictures: Pictures, origin: str) -> Sample:
    told = parsed(text)
    turns = _dicts(told.get("conversations")) if isinstance(told, dict) else []
    if [turn.get("from") for turn in turns] != ["human", "gpt"]:
        raise BadInput(f'{text!r:.60}: {_ONE}, as "conversations" of "human" and "gpt"')
    question, answer = (_words(turn.get("value")) for turn in turns)
    known = _given(told.get(_MORE), answer, origin)
    return _sample(question, answer, _got_images(told.get("image"), question, known[0], pictures), known)


def _got_images(name: Any, question: str, known: dict[str, Any], pictures: Pictures) -> list[Image.Image]:
    """The pages of a record. Raises BadInput."""
    if "page" in known:
        return [pictures.read(known["page"], *_modes(known, 1))]
    start = pictures.path(name)
    if re.search(r"\.(png|jpe?g)", name, re.IGNORECASE) or start.is_file():
        return [pictures.read(name, *_modes(known, 1))]
    folder, begin = (start, "") if start.is_dir() else (start.parent, start.name)
    found = folder.iterdir() if folder.is_dir() else ()
    names = sorted((path.name for path in found if path.name.startswith(begin) and path.suffix == ".png"), key=natural)
    if not names:
        raise BadInput(f"{name!r:.200}: no *.png of a name that begins so in {pictures.root}")
    within = Path(name).parent if begin else Path(name)
    modes = _modes(known, len(names))
    images = [pictures.read(str(within / each), mode) for each, mode in zip(names, modes, strict=True)]
    if len(images) > 1 and "patch reference" in question:
        return [whole_of(images)]
    return images


def _got_record(sample: Sample, name: str, pictures: Pictures) -> str:
    images, prompt, also = sample.images, sample.prompt, {}
    more = record(sample)  # before anything is written
    answer = _sayable(sample.text)
    words = query(prompt, *images[0].size)
    if prompt.tiles:
        if pictures.cut is None:
            raise BadOutput("a page that is to be cut into tiles, and nothing to cut it: leave the sample out")
        also["page"] = pictures.put(f"{Path(name).parent}/pages/{Path(name).name}.png", images[0])
        images = tuple(pictures.cut(images[0], prompt.tiles)) or images
    if prompt.tiles or len(images) > 1:
        wide = len(str(len(images) - 1))
        for n, image in enumerate(images):
            pictures.put(f"{name}/{n:0{wide}}.png", image)
        put = f"{name}/"
    else:
        put = pictures.put(f"{name}.png", images[0])
    turns = [{"from": "human", "value": f"{_IMAGE}\n{words}"}, {"from": "gpt", "value": answer}]
    del more["text"]
    told = {"image": put, "conversations": turns, _MORE: json.dumps(more | also, ensure_ascii=False)}
    return json.dumps(told, ensure_ascii=False)


def whole_of(views: Sequence[Image.Image]) -> Image.Image:
    """The page that was cut into these tiles, row by row, with itself, smaller, at their end: in the grid in which the
    tiles look most like it.
    """
    *tiles, page = views
    width, height = tiles[0].size
    small = [np.asarray(tile.convert("L").resize((32, 32), Image.Resampling.BOX), np.float32) for tile in tiles]

    def unlike(columns: int) -> float:
        rows = len(tiles) // columns
        grid = np.stack(small).reshape(rows, columns, 32, 32).swapaxes(1, 2).reshape(32 * rows, 32 * columns)
        same = page.convert("L").resize((32 * columns, 32 * rows), Image.Resampling.BOX)
        return float(np.abs(np.asarray(same, np.float32) - grid).mean())

    columns = min((n for n in range(1, len(tiles) + 1) if len(tiles) % n == 0), key=unlike)
    put = Image.new("RGB" if any(tile.mode == "RGB" for tile in tiles) else "L", (0, 0))
    put = put.resize((width * columns, height * (len(tiles) // columns)))
    for n, tile in enumerate(tiles):
        put.paste(tile.resize((width, height)), (n % columns * width, n // columns * height))
    return put


# ms-swift's lines


def _swift_sample(text: str, pictures: Pictures, origin: str) -> Sample:
    told = parsed(text)
    if not isinstance(told, dict):
        raise BadInput(f'{text!r:.60}: {_ONE}, as "messages", or as "query" and "response"')
    question, answer = _turns(told)
    named = told.get("images", told.get("image"))
    names = named if isinstance(named, list) else [named]
    names = [name.get("path") if isinstance(name, dict) else name for name in names]
    if not names or question.count(_IMAGE) not in (0, len(names)):
        raise BadInput(f"{question.count(_IMAGE)} {_IMAGE} in the question, and {len(names)} images: expected as many")
    known = _given(told.get(_MORE), answer, origin)
    images = [pictures.read(name, mode) for name, mode in zip(names, _modes(known[0], len(names)), strict=True)]
    return _sample(question, answer, images, known)


def _turns(told: dict[str, Any]) -> tuple[str, str]:
    """The question and the answer. Raises BadInput where there are others."""
    if "messages" not in told:
        if told.get("history"):
            raise BadInput(f"a conversation with a history: {_ONE}")
        return _words(told.get("query")), _words(told.get("response"))
    turns = _dicts(told["messages"])
    turns = turns[1:] if turns and turns[0].get("role") == "system" else turns
    if [turn.get("role") for turn in turns] != ["user", "assistant"]:
        raise BadInput(f'{told["messages"]!r:.60}: {_ONE}, as "messages" of "user" and "assistant"')
    return _words(turns[0].get("content")), _words(turns[1].get("content"))


def _swift_record(sample: Sample, name: str, pictures: Pictures) -> str:
    more = _more(sample)
    answer, words = _sayable(sample.text), query(sample.prompt, *sample.images[0].size)
    many = len(sample.images) > 1
    ends = [f"/{n}.png" for n in range(len(sample.images))] if many else [".png"]
    images = [pictures.put(f"{name}{end}", image) for end, image in zip(ends, sample.images, strict=True)]
    turns = [
        {"role": "user", "content": _IMAGE * len(images) + words},
        {"role": "assistant", "content": answer},
    ]
    return json.dumps({"messages": turns, "images": images, _MORE: more}, ensure_ascii=False)


GOT = Form(_objects, _got_sample, _got_record, ("[\n", ",\n", "\n]\n"))
SWIFT = Form(lines, _swift_sample, _swift_record)
