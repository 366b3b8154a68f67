"""The tools that draw: packages, scripts that come with this one, and programs; what each draws, and how it is had.

need("tikra")           # raises RendererMissing, with the command that installs it
for tool in TOOLS: ...  # what `ocr2 doctor` shows
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

from ocr2.errors import BadInput, RendererMissing

PIP = "pip install 'ocr2[engines]'"
"""Installs every tool that is a package."""
SCRIPTS = Path(__file__).parent / "js"
_TEX = "apt-get install --no-install-recommends texlive-latex-base texlive-pictures texlive-latex-extra"


@dataclass(frozen=True)
class Tool:
    """One tool."""

    name: str
    """Of the backend, as `--backend` takes it."""
    draws: tuple[str, ...]
    """The kinds of characters."""
    package: str = ""
    """The distribution that it is installed with; "" for a program."""
    module: str = ""
    """What is imported of it, where it has another name."""
    programs: tuple[str, ...] = ()
    """Names that the program may have."""
    install: str = PIP
    script: str = ""
    """What comes with this package and runs in V8, where the tool is one."""

    @property
    def version(self) -> str | None:
        """Of what is installed; None where nothing is."""
        return _version(self)

    @property
    def program(self) -> str | None:
        """The path of the program; None where it isn't installed."""
        return next(filter(None, map(shutil.which, self.programs)), None)


TOOLS: tuple[Tool, ...] = (
    Tool("mathpix", ("formula", "document"), "mini-racer", "py_mini_racer", script="mathpix-markdown-it"),
    Tool("mathra", ("formula",), "mathra"),
    Tool("rdkit", ("molecule",), "rdkit"),
    Tool("typst", ("table", "document"), "typst"),
    Tool("tikra", ("geometry",), "tikra"),
    Tool("verovio", ("music",), "verovio"),
    Tool("matplotlib", ("chart",), "matplotlib"),
    Tool("echarts", ("chart",), "pyecharts", script="echarts"),
    Tool("resvg", ("formula", "molecule", "geometry", "music", "chart"), "resvg"),
    Tool(
        "fonts", ("text", "table", "document", "chart"), "fonttools", "fontTools", install="pip install 'ocr2[fonts]'"
    ),
    Tool("pdflatex", ("table", "geometry", "formula"), programs=("pdflatex",), install=f"{_TEX} lmodern"),
    Tool("xelatex", ("table",), programs=("xelatex",), install=f"{_TEX} texlive-xetex fonts-noto-cjk"),
    Tool(
        "chromium",
        ("document",),
        programs=("chromium", "chromium-browser", "google-chrome"),
        install="apt-get install --no-install-recommends chromium",
    ),
)


def tool(name: str) -> Tool:
    """The tool of that name."""
    return next(each for each in TOOLS if each.name == name)


def need(name: str) -> Tool:
    """The tool, which is installed. Raises RendererMissing, with the command that installs it, where it isn't."""
    found = tool(name)
    if found.version is None:
        what = f"the package {found.package}" if found.package else f"the program {found.programs[0]}"
        raise RendererMissing(f"{name} draws {', '.join(found.draws)}, and {what} is missing: {found.install}")
    return found


def chosen(backend: str, backends: tuple[str, ...]) -> str:
    """The backend asked for, one of these; "" is the first. Raises BadInput for another, RendererMissing."""
    if backend and backend not in backends:
        raise BadInput(f"backend {backend!r} doesn't draw this: expected {', '.join(backends)}")
    return need(backend or backends[0]).name


def script(name: str) -> Path:
    """The file of a script that comes with this package, whatever its version: "echarts"."""
    return next(SCRIPTS.glob(f"{name}-*.js"))


@cache
def _version(found: Tool) -> str | None:
    if found.package:
        modules = [found.module or found.package, *(["py_mini_racer"] if found.script else [])]
        try:
            if not all(map(util.find_spec, modules)):
                return None
            if found.script:
                stem = script(found.script).name.removesuffix(".js").removesuffix(".min")
                return stem.removeprefix(f"{found.script}-")
            return metadata.version(found.package)
        except (metadata.PackageNotFoundError, ValueError):
            return None
    if not found.program:
        return None
    try:
        told = subprocess.run([found.program, "--version"], capture_output=True, text=True, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = re.search(r"\d+(\.\d+)+(-\S+)?", told.stdout)
    return number[0] if number else "?"
