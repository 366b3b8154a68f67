"""Who may import whom. What isn't listed may not be imported."""

import ast
from pathlib import Path

import pytest

import ocr2

ROOT = Path(ocr2.__file__).parent
ALLOWED = {
    "types": {"errors"},
    "errors": set(),
    "metrics": {"errors"},
    "pixels": set(),
    "order": {"types"},
    "layout": {"order", "types"},
    "files": {"errors", "pixels", "types"},
    "records": {"errors", "types"},
    "shards": {"errors", "files", "pixels", "records", "types"},
    "align": {"layout", "order", "types"},
    "queries": {"errors", "types"},
    "region": {"errors", "queries", "types"},
    "got": {"errors", "queries", "types"},
    "ppocr": {"errors", "order", "types"},
    "result": {"errors", "types"},
    "pdf": {"errors", "files", "layout", "result", "types"},
    "outputs": {"characters", "errors", "layout", "pdf", "result", "types"},
    "journal": {"errors", "files", "result"},
    "reader": {"align", "characters", "errors", "files", "got", "ppocr", "region", "types"},
    "cli": {
        "characters",
        "curves",
        "data",
        "errors",
        "evaluate",
        "files",
        "got",
        "journal",
        "outputs",
        "ppocr",
        "ranks",
        "reader",
        "recipes",
        "renderers",
        "result",
        "shards",
        "stage",
        "types",
    },
    "__main__": {"cli"},
    "renderers": {"errors", "types"},
    "characters": {"errors", "metrics", "renderers", "types"},
    "data": {"characters", "errors", "files", "order", "queries", "records", "renderers", "shards", "types"},
    "evaluate": {
        *("characters", "data", "errors", "files", "journal", "metrics", "queries", "renderers", "result", "types"),
    },
    "recipes": {"data", "errors", "files", "got", "ppocr", "ranks", "stage", "train", "types"},
    "stage": {"errors"},
    "ranks": {"errors"},
    "state": {"errors", "files", "ranks", "stage"},
    "train": {"errors", "ranks", "stage", "state"},
    "curves": {"errors", "files", "stage"},
    "__init__": {"reader", "types"},
}
"""A part (a module, or a folder of them) and the parts it may import."""
WITH_TORCH = {f"got/{name}.py" for name in ("batch", "checkpoint", "decoder", "encoder", "load", "model", "opt")}
WITH_TORCH |= {"ppocr/nets.py", "ppocr/graphs.py", "ppocr/parts.py", "ppocr/torchnets.py"}
WITH_TORCH |= {"ppocr/samples.py"}
WITH_TORCH |= {"ppocr/batch.py", "ppocr/losses.py", "ppocr/distill.py"}
WITH_TORCH |= {"got/loader.py", "got/precision.py", "got/runner.py"}
WITH_TORCH |= {"got/augment.py", "got/pretrained.py", "recipes/recipe.py", "cli/train.py"}
WITH_TORCH |= {"got/extend.py", "got/glyphs.py", "got/lora.py"}
WITH_TORCH |= {f"recipes/{name}.py" for name in ("finetune", "learning", "pages", "ppocr")}
WITH_TORCH |= {"train.py", "state.py", "ranks.py", "curves.py"}
"""The only modules that need torch: what is asked of a model, and what it answers, is told without it."""
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that the file imports, by its full name, wherever in the file it does so."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where a name comes from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_import_only_what_they_may(module: Path) -> None:
    part = module.parts[0].removesuffix(".py")
    names = [name.split(".") for name in imported(ROOT / module)]
    parts = {name[1] for name in names if name[0] == "ocr2"} - {part}
    assert parts <= ALLOWED[part], f"{module} may not import {parts - ALLOWED[part]}"
    assert str(module) in WITH_TORCH or not [name for name in names if name[0] == "torch"]


def test_every_part_is_listed() -> None:
    assert {module.parts[0].removesuffix(".py") for module in MODULES} == set(ALLOWED)


def test_the_words_of_the_package_need_no_arrays() -> None:
    assert not {name for name in imported(ROOT / "types.py") if name.startswith("numpy")}
