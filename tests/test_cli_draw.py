"""`ocr2 draw`, from the command line: pictures in three formats, and a line for what can't be drawn."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ocr2 import cli
from ocr2.characters import CHARACTERS, EXPORTED
from ocr2.cli.draw import KINDS, NOTATIONS, PICTURES
from ocr2.errors import BadInput
from ocr2.renderers.drawing import Drawing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

SOURCES = {
    "formula.tex": r"\[ \frac{a}{b} = c^2 \]",
    "bracketed.tex": r"\[ x \]",
    "molecule.smi": "CCO",
    "table.tex": "\\begin{tabular}{|c|c|}\n\\hline\na & b \\\\\n\\hline\n\\end{tabular}",
    "page.md": "# A title\n\nSome words with $x^2$ in them.",
    "score.krn": "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-",
    "figure.tikz": "\\begin{tikzpicture}\n\\draw (0,0) circle (1);\n\\end{tikzpicture}",
    "chart.json": "{'title': 'T', 'source': 'S', 'x_title': 'x', 'y_title': 'y', 'values': {'a': 1, 'b': 2}}",
    "words.txt": "Some words.",
}


def draw(capfd: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """The exit status, and what was written to standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["draw", *map(str, args)])
    return int(ended.value.code or 0), capfd.readouterr().err


class Square:
    """A kind of character: a red square, so many pixels wide, that stands at another place each time."""

    BACKENDS = ("resvg",)

    def __init__(self) -> None:
        self.asked: list[tuple[str, float | None, str]] = []

    def draw(self, source: str, rng: Random | None, backend: str = "") -> Drawing:
        if not source.strip().isdigit():
            raise BadInput(f"{source!r} is no width: expected a number")
        self.asked.append((source, rng and rng.random(), backend))
        side = int(source)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">'
            f'<rect x="10" y="10" width="{side}" height="{side}" fill="red"/></svg>'
        )
        return Drawing(svg.encode(), "svg", "square 1")

    def looks_like(self, text: str) -> bool:
        return text[:1].isdigit()


@pytest.fixture
def square() -> Iterator[Square]:
    """The only kind, beside text; afterwards all are there again, in their order."""
    found, before = Square(), dict(CHARACTERS)
    CHARACTERS.clear()
    CHARACTERS.update({"square": found, "text": before["text"]})  # type: ignore[dict-item]
    yield found
    CHARACTERS.clear()
    CHARACTERS.update(before)


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_is_known_and_drawn(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text(SOURCES[name])
    code, err = draw(capfd, tmp_path / name, "-o", tmp_path / "out.png")
    assert (code, err) == (0, "")
    with Image.open(tmp_path / "out.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.min() < 120 and pixels[0].min() > 200 and np.median(pixels) == 255


def test_names_of_files_tell_kinds_that_there_are() -> None:
    assert set(KINDS.values()) <= set(CHARACTERS)


def test_a_document_is_a_page_in_html(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.md").write_text(SOURCES["page.md"])
    assert draw(capfd, tmp_path / "page.md", "-o", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "A title" in page and "<svg" in page and "Some words with" in page
    assert draw(capfd, tmp_path / "page.md", "--aged", 1, "-o", tmp_path / "old.html")[0] == 0
    assert "data:image/png;base64," in (tmp_path / "old.html").read_text()


def test_text_is_drawn_plainly_or_in_many_looks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "words.txt"
    source.write_text("A few words,\nin two lines.", encoding="utf-8-sig")

    def drawn(*args: object) -> bytes:
        assert draw(capfd, source, *args, "-o", tmp_path / "out.png") == (0, "")
        return (tmp_path / "out.png").read_bytes()

    plain = drawn()
    assert plain == drawn()
    looks = {drawn("--seed", seed) for seed in range(4)}
    assert len(looks) > 1 and drawn("--seed", 2) in looks
    assert drawn("--aged", 0) == plain and drawn("--aged", 1) != plain
    assert drawn("--seed", 3, "--aged", 1) == drawn("--seed", 3, "--aged", 1)


@pytest.mark.parametrize("scale", [1, 2.5])
def test_an_svg_is_drawn_so_large(
    scale: float, square: Square, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text("20")
    assert draw(capfd, tmp_path / "a", "--scale", scale, "-o", tmp_path / "out.png")[0] == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (60 * scale, 40 * scale)
        assert image.getpixel((int(20 * scale), int(20 * scale))) == (255, 0, 0)
        assert image.getpixel((int(31 * scale), int(20 * scale))) == (255, 255, 255)
    assert square.asked == [("20", None, "")]


def test_seed_and_backend_are_handed_on(square: Square, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("20")
    for seed in (1, 1, 2):
        assert draw(capfd, tmp_path / "a", "--seed", seed, "--backend", "b", "-o", tmp_path / "out.png")[0] == 0
    (_, one, _), (_, same, _), (_, other, backend) = square.asked
    assert one == same != other and backend == "b"


def test_svg_and_html_have_the_picture(square: Square, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("20")
    assert draw(capfd, tmp_path / "a", "-o", tmp_path / "out.svg")[0] == 0
    svg = (tmp_path / "out.svg").read_text()
    assert svg.startswith("<svg") and 'width="20"' in svg
    assert draw(capfd, tmp_path / "a", "-o", tmp_path / "out.html")[0] == 0
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]*)" alt="20"', (tmp_path / "out.html").read_text())
    assert found and base64.b64decode(found[1]).decode() == svg


def test_html_of_pixels_says_the_source_and_runs_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text('"<script>alert(1)</script>')
    assert draw(capfd, tmp_path / "a", "--kind", "text", "-o", tmp_path / "out.html")[0] == 0
    page = (tmp_path / "out.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "default-src 'none'" in page
    found = re.search(r'src="data:image/png;base64,([^"]*)"', page)
    assert found and np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1])))).min() < 100


def test_from_standard_input_to_standard_output(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ocr2", "draw", "-", "--kind", "text", "-o"]
    out = subprocess.run([*command, "-"], input=b"Some words", capture_output=True)
    assert out.returncode == 0 and not out.stderr
    subprocess.run([*command, tmp_path / "a.png"], input=b"Some words", check=True)
    assert (tmp_path / "a.png").read_bytes() == out.stdout
    assert Image.open(io.BytesIO(out.stdout)).format == "PNG"
    if Path("/dev/full").exists():
        with open("/dev/full", "wb") as full:
            out = subprocess.run([*command, "-"], input=b"x", stdout=full, stderr=subprocess.PIPE)
        assert out.returncode == 2 and out.stderr.decode().startswith("ocr2: standard output can't be written")


@pytest.mark.parametrize(
    ("source", "out", "begins"),
    [
        ("table.tex", "t.csv", b"a,b\r\n"),
        ("table.tex", "t.md", b"| a | b |"),
        ("table.tex", "t.tex", b"\\begin{tabular}"),
        ("page.md", "p.tex", b"\\section*{A title}"),
        ("chart.json", "c.csv", b"x,y\r\na,1\r\n"),
        ("chart.json", "c.json", b'{"title": "T"'),
        ("score.krn", "s.MID", b"MThd"),
        ("score.krn", "s.musicxml", b"<?xml"),
        ("formula.tex", "f.mml", b"<math"),
        ("molecule.smi", "m.smi", b"CCO\n"),
        ("figure.tikz", "f.tikz", b"\\begin{tikzpicture}"),
    ],
)
def test_a_source_in_another_notation(
    source: str, out: str, begins: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / source).write_text(SOURCES[source])
    assert draw(capfd, tmp_path / source, "-o", tmp_path / out) == (0, "")
    assert (tmp_path / out).read_bytes().startswith(begins)


def test_of_a_latex_document_its_body_is_drawn(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    document = f"\\documentclass{{standalone}}\n\\begin{{document}}\n{SOURCES['figure.tikz']}\n\\end{{document}}\n"
    (tmp_path / "whole.tex").write_text(document)
    (tmp_path / "alone.tikz").write_text(SOURCES["figure.tikz"])
    for name in ("whole.tex", "alone.tikz"):
        assert draw(capfd, tmp_path / name, "-o", tmp_path / f"{name}.png") == (0, "")
    assert (tmp_path / "whole.tex.png").read_bytes() == (tmp_path / "alone.tikz.png").read_bytes()


def test_every_notation_has_its_suffix() -> None:
    assert set(NOTATIONS.values()) == {*EXPORTED, "md", "json"} - {"svg"}
    assert not {f".{form}" for form in PICTURES} & set(NOTATIONS)


@pytest.mark.parametrize("option", [["--seed", "1"], ["--aged", "1"], ["--scale", "2"], ["--backend", "b"]])
def test_a_notation_has_no_looks(option: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text(SOURCES["table.tex"])
    code, err = draw(capfd, tmp_path / "a", *option, "-o", tmp_path / "out.csv")
    assert code == 2 and err.endswith(f"{option[0]}, but only pictures have looks: leave it out, or write a PNG\n")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("content", "args", "words"),
    [
        (b"x", ["-o", "out.musicxml", "--kind", "text"], "this is plain text, and can't be written as musicxml"),
        (b"x", ["-o", "out.jpg"], "expected a name that ends in .png, .svg or .html"),
        (b"x", ["-o", "out"], "expected a name that ends in"),
        (b"20", ["-o", "out.svg", "--aged", "1"], "leave --scale and --aged out"),
        (b"20", ["-o", "out.svg", "--scale", "2"], "leave --scale and --aged out"),
        (b"x", ["-o", "out.png", "--scale", "2"], "can't be drawn larger"),
        (b"2 px", ["-o", "out.png"], "'2 px' is no width: expected a number"),
        (b"x", ["-o", "out.png", "--kind", "text", "--backend", "pencil"], "backend 'pencil' doesn't draw this"),
        (b"\xff\xfe", ["-o", "out.png"], "is no text in UTF-8"),
        (b"x" * 1_100_000, ["-o", "out.png"], "1,100,000 bytes: expected a source of up to"),
        (b"20", ["-o", "nowhere/out.png"], "can't be written"),
        (b"20", ["-o", "out.png", "--kind", "rune"], "'rune' is not"),
        (None, ["-o", "out.png"], "can't be read (No such file or directory)"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_can_not_be_drawn_is_said_in_a_line(
    content: bytes | None,
    args: list[str],
    words: str,
    square: Square,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("source").write_bytes(content)
    code, err = draw(capfd, "source", *args)
    assert code == 2 and words in err.splitlines()[-1] and "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} <= {"source"}


def test_a_closed_standard_output_is_said_in_a_line():
    command = f"exec {sys.executable} -m ocr2 draw - --kind text -o - >&-"
    done = subprocess.run(command, shell=True, input="Some words", capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ocr2: standard output is closed")
    assert len(done.stderr.splitlines()) == 1
