"""What the tests of the command line, the journal and the reader share."""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tqdm import tqdm

from ocr2 import cli
from ocr2.cli import read as verb
from ocr2.reader import Reader
from ocr2.types import Line, Page

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parent.parent / "examples"
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the processors; torch isn't imported yet
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Random numbers are the same in each run, and whatever ran before."""
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@dataclass
class Fake:
    """A model that reads one line, which says where the page is from; it remembers what it has read."""

    log: Path | None = None
    """Also remember it here, for another process to see."""
    seconds: float = 0.0
    """How long a page takes."""
    stop: tuple[str, int] = ("", 0)
    """The file name and the page at which Ctrl-C is pressed."""
    pages: list[tuple[str, int]] = field(default_factory=list)

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        name = os.path.basename(origin)
        if (name, number) == self.stop:
            raise KeyboardInterrupt
        self.pages.append((name, number))
        if self.log:
            with open(self.log, "a") as log:
                log.write(f"{name} {number}\n")
        time.sleep(self.seconds)
        width, height = image.size
        quad = (0.0, 0.0), (width, 0.0), (width, height), (0.0, height)
        return Page(image, (Line(f"{name} {number} of {width} × {height}", quad, 0.75),), number, origin)


def fake_run(
    model: Fake,
    *inputs: Path | str,
    to: Path,
    form: str | None = None,
    resume: bool = False,
    pages: str | None = None,
    dpi: int = 20,
) -> verb.Run:
    """`ocr2 read INPUTS -o TO --to FORM` with that model."""
    with tqdm(total=0, disable=True) as bar:
        run = verb.Run(Reader(model), "fake", verb._format(form, str(to)), pages, dpi, bar)
        verb._read(run, [str(given) for given in inputs], str(to), resume)
    return run


@dataclass
class Ran:
    """What came of a command."""

    status: int
    out: bytes
    err: list[str]
    """The lines on standard error."""


@pytest.fixture
def ocr2(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ran]:
    """Runs the command `ocr2` with the arguments given, in this process."""

    def call(*args: object) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(arg) for arg in args])
        out, err = capsysbinary.readouterr()
        return Ran(int(stopped.value.code or 0), out, err.decode(sys.stderr.encoding).splitlines())

    return call


@pytest.fixture(scope="session")
def title() -> Image.Image:
    """The first line of examples/page.png: "Region-based segmentation"; quick to read."""
    with Image.open(EXAMPLES / "page.png") as page:
        return page.crop((0, 0, page.width, 40))
