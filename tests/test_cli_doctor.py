"""`ocr2 doctor`: what is here, what isn't, and how it is had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from ocr2 import cli
from ocr2.characters import CHARACTERS
from ocr2.renderers.tools import TOOLS


def doctor(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """The exit status, and what was written to standard output."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", *args])
    out, err = capsys.readouterr()
    assert not err
    return int(ended.value.code or 0), out


def test_every_tool_is_told_with_its_version_or_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = doctor(capsys)
    lines = out.splitlines()
    for tool in TOOLS:
        (line,) = [line for line in lines if line[2:].split()[:1] == [tool.name] and line[:2] in ("  ", "* ")][:1] or [
            next(line for line in lines if f" {tool.name} " in line)
        ]
        assert (tool.version or f"missing: {tool.install}") in line
    needed = {character.BACKENDS[0] for character in CHARACTERS.values()} | {"resvg"}
    assert code == (0 if all(tool.version for tool in TOOLS if tool.name in needed) else 1)


def test_programs_are_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = doctor(capsys, "--json")
    told = json.loads(out)
    assert told["complete"] == (code == 0) and told["ocr2"] == metadata.version("ocr2")
    assert [each["name"] for each in told["renderers"]] == [tool.name for tool in TOOLS]
    assert told["kinds"] == {kind: list(character.BACKENDS) for kind, character in CHARACTERS.items()}
    versions = {each["name"]: each["version"] for each in told["renderers"]}
    assert versions["fonts"] == metadata.version("fonttools")
    readers = {each["name"]: each for each in told["readers"]}
    assert readers["ppocr"]["version"] and readers["got"]["install"] == "pip install 'ocr2[got]'"
    backends = {name for character in CHARACTERS.values() for name in character.BACKENDS}
    assert backends <= set(versions)


LACKING = """
import sys
from importlib.abc import MetaPathFinder
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *more: None if name in ("resvg", "tikra") else find(name, *more)
from ocr2 import cli
cli.main(["doctor"])
"""


def test_what_is_missing_is_told_with_its_command() -> None:
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "pdflatex").exists())
    done = subprocess.run(
        [sys.executable, "-c", LACKING], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.returncode == 1, done.stderr
    told = {line[4:].split()[0]: line for line in done.stdout.splitlines() if line.startswith(("    ", "  * "))}
    assert told["resvg"].endswith("missing: pip install 'ocr2[engines]'") and told["resvg"].startswith("  * ")
    assert told["tikra"].endswith("missing: pip install 'ocr2[engines]'")
    assert "missing: apt-get install" in told["pdflatex"]
