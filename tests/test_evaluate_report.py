"""The error report: what stands in it, in what order, and that nothing in it does anything."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ocr2.characters import CHARACTERS
from ocr2.errors import BadInput, MetricMissing
from ocr2.evaluate import report
from ocr2.evaluate.benchmark import Answer, Item, Scored, Table
from ocr2.metrics import levenshtein
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.tools import tool
from ocr2.types import Box, Line, Page, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytest.importorskip("jinja2", reason="eval: pip install 'ocr2[eval]'")

ATTACK = "</script></title></style><img src=x onerror=\"document.title='pwned'\"><script>alert(1)</script>'\"{{ 7*7 }}"
UNSEEN = "nul\0 bell\7 return\r half\ud800 turned\u202e hidden\u200b private\ue000 none\uffff separated\u2028"


class Plain:
    """A benchmark whose samples are worth what their one score says."""

    title, source = "A benchmark", "from nowhere"

    def worth(self, scores: dict[str, float]) -> float:
        return scores["right"]


def page(width: int = 200, height: int = 100, origin: str = "scans/one.png") -> Page:
    return Page(Image.new("RGB", (width, height), "white"), origin=origin)


def sample(name: str, right: float | None = 0.5, said: str = "abd", **fields: object) -> Scored:
    item = replace(Item(name, lambda: [page()], "abc"), **fields)  # type: ignore[arg-type]
    return Scored(item, Answer(said, seconds=1.5), None if right is None else {"right": right})


def written(scored: Sequence[Scored], tables: Sequence[Table] = (), worst: int = 100, benchmark: object = None) -> str:
    file = io.StringIO()
    report.write(file, benchmark or Plain(), scored, tables, "ours", worst)  # type: ignore[arg-type]
    return file.getvalue()


class Read(HTMLParser):
    """A page, as browsers tell its parts apart."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[tuple[str, str]] = []
        self.inside: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.inside[-1] if self.inside else "", data))

    def all(self, *tags: str) -> list[str]:
        return [words for tag, words in self.words if tag in tags]

    def images(self) -> list[dict[str, str]]:
        return [told for tag, told in self.tags if tag == "img"]


def picture(address: str) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(address.partition(",")[2])))


def everywhere(words: str) -> tuple[list[Scored], list[Table], object]:
    """A run in which all that can be text is this."""
    benchmark = type("Named", (Plain,), {"title": words, "source": words})()
    pages = [page(origin=words.replace("/", "")), page(origin=words.replace("/", ""))]
    items = [
        Item(words, lambda: pages, words, words, words, language=words),
        Item(f"{words}2", _failing(words), words, "text", f"{words}2"),
        Item(f"{words}3", lambda: [page()], f"<svg><text>{words}</text></svg>", "geometry"),
    ]
    scores = {words: 0.25, "right": 0.5}
    scored = [
        Scored(items[0], Answer(f"not {words}"), scores),
        Scored(items[1], Answer("", error=words), {}, words),
        Scored(items[2], Answer(f"# {words}", stop="length"), scores),
    ]
    return scored, [Table(words, (words, "ours"), ((words, words), ("ours", 0.5)), (words,))], benchmark


def _failing(words: str) -> object:
    def pages() -> list[Page]:
        raise BadInput(words)

    return pages


def test_what_others_wrote_stays_text() -> None:
    scored, tables, benchmark = everywhere(ATTACK)
    content = written(scored, tables, benchmark=benchmark)
    read = Read(content)
    assert not read.inside
    safe = {tag for tag, _ in Read(written([sample("one")], [Table("t", ("a",), (("b",),), ("n",))])).tags}
    assert {tag for tag, _ in read.tags} <= safe | {"select", "option", "label", "i"}
    assert [tag for tag, _ in read.tags].count("script") == 1
    for _, told in read.tags:
        assert not {name for name in told if name.startswith("on") or name in ("href", "action", "srcdoc", "style")}
        assert told.get("src", "data:image/").startswith("data:image/")
    for tag in ("title", "h1", "h3", "caption", "th", "td", "li", "option", "dt", "p", "figcaption", "div"):
        assert any("<img src=x onerror=" in words for words in read.all(tag)), tag
    assert "49" not in "".join(read.all("h1", "h3", "td"))


def test_only_the_pages_own_script_may_run() -> None:
    read = Read(written([sample("one")]))
    (script,) = read.all("script")
    (policy,) = (told["content"] for _, told in read.tags if told.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("script-src") == f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
    assert rules.pop("style-src") == "'unsafe-inline'" and rules.pop("img-src") == "data:"
    assert rules.pop("default-src") == "'none'" and set(rules.values()) == {"'none'"}
    tags = [tag for tag, _ in read.tags]
    assert tags.index("meta") < tags.index("style") < tags.index("script")


def test_what_cant_be_seen_is_named() -> None:
    scored, tables, benchmark = everywhere(UNSEEN)
    content = written(scored, tables, benchmark=benchmark)
    content.encode("utf-8")
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff\ufffe\uffff]", content)
    named = "nul␀ bell␇ return␍ half⟨U+D800⟩ turned⟨U+202E⟩ hidden⟨U+200B⟩ private⟨U+E000⟩ none⟨U+FFFF⟩ sep"
    read = Read(content)
    for tag in ("title", "h1", "h3", "caption", "td", "li", "dt"):
        assert any(named in words for words in read.all(tag)), tag


@pytest.mark.skipif(not tool("chromium").version, reason="chromium isn't installed")
@pytest.mark.parametrize("broken", [False, True], ids=["as written", "another script"])
def test_a_browser_runs_that_script_and_no_other(tmp_path: Path, broken: bool) -> None:
    scored, tables, benchmark = everywhere(ATTACK)
    content = written(scored, tables, benchmark=benchmark)
    if broken:
        content = content.replace('"use strict";', '"use strict" ;')
    (tmp_path / "report.html").write_text(content, "utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    address = (tmp_path / "report.html").as_uri()
    command = [str(tool("chromium").program), *options, f"--user-data-dir={tmp_path}/user", address]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    refused = b"Content Security Policy" in done.stderr
    (bar,) = (told for _, told in Read(done.stdout.decode()).tags if told.get("id") == "filters")
    assert ("hidden" in bar, refused) == (broken, broken)
    assert b"<title>pwned" not in done.stdout and Read(done.stdout.decode()).all("output") == ["3 of 3"][broken:]


def test_the_worst_come_first_and_only_so_many() -> None:
    rights = [0.5, 0.9, None, 0.1, 1.0, 0.0, 1.0]
    scored = [sample(f"s{n}", right) for n, right in enumerate(rights)]
    scored.append(Scored(scored[4].item, Answer("", error="lost"), {"right": 1.0}, "lost"))
    names = Read(written(scored)).all("h3")
    assert names == ["s5", "s4", "s3", "s0", "s1", "s4", "s6"]
    content = written(scored, worst=2)
    assert Read(content).all("h3") == names[:2]
    assert "8 samples, 1 of them failed; 1 don’t count" in content
    assert Read(written(scored, worst=0)).all("h3") == Read(written([])).all("h3") == []


def test_samples_are_written_one_by_one() -> None:
    file, before = io.StringIO(), []

    def opened(name: str) -> Scored:
        return sample(name, pages=lambda: before.append(file.getvalue()) or [page()])  # type: ignore[func-returns-value]

    report.write(file, Plain(), [opened("one"), opened("two"), opened("three")], [], "ours")  # type: ignore[arg-type]
    assert [Read(content).all("h3") for content in before] == [[], ["one"], ["one", "two"]]


def test_tables_stand_on_top() -> None:
    rows = (("GOT", "580M", 0.035, 7), ("ours", None, 0.25, 8))
    content = written([sample("one")], [Table("Table 1", ("System", "Size", "distance", "n"), rows, ("A rule.",), 2)])
    read = Read(content)
    assert read.all("caption") == ["Table 1", "Where it loses"]
    assert read.all("td")[:6] == ["580M", "0.04", "7", "–", "0.25", "8"] and "A rule." in read.all("li")
    assert [told for tag, told in read.tags if tag == "tr" and told] == [{"class": "ours"}]
    assert content.index("Table 1") < content.index('id="samples"')


def test_the_overview_says_what_was_lost_where() -> None:
    scored = [sample("a", 1.0, task="x"), sample("b", 0.0, task="x"), sample("c", 0.25, kind="formula", task="y")]
    scored.append(replace(scored[1], error="gone"))
    read = Read(written(scored, worst=1))
    assert read.all("th")[6:] == ["y · formula", "x · text"]
    assert read.all("td") == ["1", "0", "0", "0.250", "1.500", "3", "1", "1", "0.333", "1.500"]


def test_filters_have_what_is_shown() -> None:
    scored = [sample("a", 0.1, kind="table", task="x"), sample("b", 0.2, kind="text", task="")]
    scored.append(replace(scored[0], error="gone"))
    content = written(scored)
    values = [(told["value"], words) for (tag, told), words in _options(content)]
    assert values == [
        *(("", "all kinds"), ("1", "table"), ("2", "text"), ("", "all tasks"), ("1", "none"), ("2", "x")),
        *(("", "with or without"), ("1", "failed (1)"), ("0", "read (2)")),
        *(("worst", "worst first"), ("best", "best first"), ("slowest", "slowest first")),
        ("place", "as in the benchmark"),
    ]
    articles = [told for tag, told in Read(content).tags if tag == "article"]
    assert [(a["data-kind"], a["data-task"], a["data-error"]) for a in articles] == [
        ("1", "2", "1"),
        ("1", "2", "0"),
        ("2", "1", "0"),
    ]


def _options(content: str) -> list[tuple[tuple[str, dict[str, str]], str]]:
    read = Read(content)
    return list(zip([each for each in read.tags if each[0] == "option"], read.all("option"), strict=True))


def test_what_differs_is_marked_on_both_sides() -> None:
    content = written([sample("one", said="the cat sit\ton a mat", truth="the cat sat on a mat.")])
    assert "the cat s<mark>a</mark>t<mark> </mark>on a mat<mark>.</mark>" in content
    assert 'the cat s<mark>i</mark>t<mark>⇥\t</mark>on a mat<i class="gap"></i>' in content
    lines = written([sample("one", said="a b\u00a0c", truth="a\nb c")])
    assert "a<mark>⏎\n</mark>b<mark> </mark>c" in lines and "a<mark> </mark>b<mark>⟨U+00A0⟩</mark>c" in lines
    empty = written([sample("one", said="")])
    assert ">abc</div>" in empty and "Empty." in empty


def test_a_comparison_puts_both_texts_together_again() -> None:
    rng = random.Random(6)
    for _ in range(300):
        truth = "".join(rng.choices("abcde 中文\n", k=rng.randint(0, 60)))
        said = "".join(c for c in truth if rng.random() > 0.2) + "".join(rng.choices("abx", k=rng.randint(0, 4)))
        stretches = report.compared(said, truth)
        assert "".join(each.truth for each in stretches) == truth
        assert "".join(each.predicted for each in stretches) == said
        assert all(each.truth == each.predicted for each in stretches if each.sort == "same")
        assert all(one.sort != other.sort for one, other in pairwise(stretches))
        changed = sum(max(len(each.truth), len(each.predicted)) for each in stretches if each.sort == "changed")
        assert changed >= levenshtein(said, truth)


def test_few_errors_are_marked_exactly_and_other_words_whole() -> None:
    truth = "It is a truth universally acknowledged, that a single man"
    said = "It is a trvth universaly acknowledged, thatt a single rnan"
    changed = [(s.truth, s.predicted) for s in report.compared(said, truth) if s.sort == "changed"]
    assert changed == [("u", "v"), ("l", ""), ("", "t"), ("m", "rn")]
    others = report.compared("Mr Jonson dwells here", "Mr Smith lives here")
    assert [(s.truth, s.predicted) for s in others if s.sort == "changed"] == [("Smith live", "Jonson dwell")]


def test_long_stretches_that_are_right_are_folded() -> None:
    words = " ".join(f"word{n}" for n in range(300))
    content = written([sample("one", said=f"{words}x{words}", truth=f"{words}y{words}")])
    sides = re.findall(r'role="group"[^>]*>(.*?)</div>', content, re.DOTALL)
    for side, odd in zip(sides, "yx", strict=True):
        folds = re.findall(r"<summary>⋯ ([\d,]+) the same ⋯</summary>(.*?)</details>", side, re.DOTALL)
        assert [int(count.replace(",", "")) for count, _ in folds] == [len(fold) for _, fold in folds]
        assert re.sub(r"<summary>.*?</summary>|<.*?>", "", side) == f"{words}{odd}{words}"
        assert 60 <= side.index("<mark>") - side.index("</details>") - len("</details>") <= 120


def test_texts_are_cut_where_they_are_too_long() -> None:
    content = written([sample("one", said="b" * 30_000, truth="a" * 50_000, kind="formula")])
    assert "and 10,000 characters more" in content and "and 30,000 characters more" in content
    assert "Not drawn: 50,000 characters" in content and len(content) < 90_000
    error = replace(sample("one"), error="e" * 5000)
    assert "e" * 1000 + " … and 4,000 characters more" in written([error])


def test_pages_are_small_pictures_of_themselves() -> None:
    noise = np.random.default_rng(6).integers(0, 255, (1500, 3000, 3), np.uint8)
    large = Page(Image.fromarray(noise), origin="/home/someone/large.tif")
    content = written([sample("one", pages=lambda: [large])])
    (told,) = Read(content).images()
    small = picture(told["src"])
    assert small.format == "JPEG" and 980_000 < small.width * small.height <= 1_001_000
    assert told["alt"] == "The page to read: large.tif, page 1, 3000 × 1500 pixels" and "someone" not in content
    (told,) = Read(written([sample("one", pages=lambda: [page(60, 20)])])).images()
    assert picture(told["src"]).size == (60, 20) and told["width"] == "180"
    strip = Read(written([sample("one", pages=lambda: [page(12_000, 30)])])).images()[0]
    assert picture(strip["src"]).size == (2000, 5)


def test_many_pages_share_the_room_of_one() -> None:
    content = written([sample("one", pages=lambda: [replace(page(1000, 1000), number=n) for n in range(1, 12)])])
    told = Read(content).images()
    assert len(told) == 8 and "and 3 pages more" in content
    assert sum(np.prod(picture(each["src"]).size) for each in told) <= 1_010_000


def test_what_was_asked_for_and_found_is_framed() -> None:
    one = sample("one", pages=lambda: [page(2000, 2000)], prompt=Prompt(box=Box(200, 400, 1000, 800)))
    found = Line("abd", ((1200, 1200), (1800, 1200), (1800, 1400), (1200, 1400)), 0.9)
    one = replace(one, answer=Answer("abd", (found, replace(found, quad=None))))
    (told,) = Read(written([one])).images()
    pixels = np.asarray(picture(told["src"]).convert("RGB")).astype(int)
    red, blue = pixels[..., 0] - pixels[..., 2] > 90, pixels[..., 2] - pixels[..., 0] > 90
    assert [np.ptp(where) for where in np.nonzero(red)] == [pytest.approx(200, abs=3), pytest.approx(400, abs=3)]
    assert [np.ptp(where) for where in np.nonzero(blue)] == [pytest.approx(100, abs=3), pytest.approx(300, abs=3)]
    assert told["alt"].endswith("framed: 200,400,1000,800, outlined: the lines found")


def test_what_cant_be_shown_is_said_in_its_place() -> None:
    def broken() -> list[Page]:
        raise ZeroDivisionError("by nothing")

    content = written([sample("one", 0.1, pages=broken), sample("two", 0.2, kind="formula", truth="", said="")])
    assert "The page can&#39;t be shown. ZeroDivisionError: by nothing" in content
    assert Read(content).all("h3") == ["one", "two"] and "Not drawn" not in content
    assert "Not drawn. KeyError" in written([sample("one", kind="smell")])


class Blot:
    """A kind of character whose drawing is as asked for."""

    BACKENDS = ("pen",)

    def draw(self, source: str, rng: random.Random | None, backend: str = "") -> Drawing:
        assert rng is None
        if source == "pixels":
            return Drawing(np.full((3000, 2000), 255, np.uint8), "pixels", "pen 1")
        if source == "fails":
            raise RecursionError("too deep")
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><desc>{source}</desc></svg>'
        return Drawing(svg.encode(), "svg", f"pen {ATTACK}")


def test_truth_and_transcript_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHARACTERS, "blot", Blot())  # type: ignore[misc]
    content = written(
        [sample("one", kind="blot", truth=ATTACK, said="pixels"), sample("two", kind="blot", said="fails")]
    )
    scanned, truth, transcript, _, other = Read(content).images()
    assert truth["src"].startswith("data:image/svg+xml;base64,") and truth["alt"].endswith(f"drawn by pen {ATTACK}")
    assert ATTACK in b64decode(truth["src"].partition(",")[2]).decode()
    shown = picture(transcript["src"])
    assert 900_000 < shown.width * shown.height <= 1_001_000 and shown.width * 3 == pytest.approx(
        shown.height * 2, abs=3
    )
    assert "Not drawn. RecursionError: too deep" in content and scanned["alt"].startswith("The page")
    assert other["src"].startswith("data:image/svg+xml")
    assert len(Read(written([sample("one", said="<svg>")])).images()) == 1  # text is its own picture


def test_real_characters_are_drawn() -> None:
    pytest.importorskip("rdkit", reason="engines: pip install 'ocr2[engines]'")
    content = written([sample("one", kind="molecule", truth="CCO", said="CC(")])
    _, truth = Read(content).images()
    assert b"<svg" in b64decode(truth["src"].partition(",")[2]) and "Not drawn. " in content


@pytest.mark.parametrize("package", ["jinja2", "rapidfuzz"])
def test_what_it_needs_is_asked_for(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MetricMissing, match=r"pip install 'ocr2\[eval\]'"):
        written([])
