"""What is missing is said, with the command that installs it."""

from __future__ import annotations

import pytest

from ocr2.characters import CHARACTERS
from ocr2.errors import BadInput, RendererMissing
from ocr2.renderers import tools
from ocr2.renderers.tools import TOOLS, Tool, chosen, need, tool


def test_a_tool_that_is_there_has_a_version() -> None:
    assert need("resvg").version == tool("resvg").version
    assert str(need("resvg").version)[0].isdigit()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (Tool("brush", ("painting",), "no-such-package"), "brush draws painting, and the package no-such-package is"),
        (
            Tool("brush", ("painting",), programs=("no-such-program",), install="apt-get install brush"),
            "the program no-such-program is missing: apt-get install brush",
        ),
    ],
)
def test_one_that_is_missing_names_its_command(missing: Tool, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "TOOLS", (missing,))
    assert missing.version is None
    with pytest.raises(RendererMissing, match=words):
        need("brush")
    with pytest.raises(RendererMissing):
        chosen("", ("brush",))


def test_every_backend_is_a_tool_that_says_what_it_draws() -> None:
    for kind, character in CHARACTERS.items():
        assert character.BACKENDS
        for name in character.BACKENDS:
            assert kind in tool(name).draws
        assert tool(character.BACKENDS[0]).package, f"{kind}: the default is to be had with pip"


def test_a_backend_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="'typst' doesn't draw this: expected fonts"):
        chosen("typst", ("fonts",))
    assert chosen("", ("fonts", "typst")) == "fonts"


def test_the_version_of_a_script_is_that_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("mathpix", "mathpix-markdown-it-{}.js"), ("echarts", "echarts-{}.min.js")):
        assert tools.script(tool(name).script).name == file.format(need(name).version)
    tools._version.cache_clear()
    monkeypatch.setattr(tools.util, "find_spec", lambda name: None if name == "py_mini_racer" else object())
    with pytest.raises(RendererMissing, match="echarts draws chart"):
        need("echarts")
    tools._version.cache_clear()


def test_names_are_there_once() -> None:
    assert len({each.name for each in TOOLS}) == len(TOOLS)
    assert all(each.package or each.programs for each in TOOLS)
    assert all("install" in each.install for each in TOOLS)
