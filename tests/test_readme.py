"""Every command in the README does what it says. The two that install are run by .ci/run."""

import os
import re
import subprocess
import sys
from json import dumps
from pathlib import Path

import pytest
from got_helpers import tiny_got, tiny_tokenizer

from ocr2 import files
from ocr2.got import checkpoint

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
LEAVES = {
    "aspirin.png": b"PNG",
    "scale.svg": b"<svg",
    "scale.musicxml": b"<score-partwise",
    "page.png": b"PNG",
    "formulas.png": b"PNG",
    "searchable.pdf": b"%PDF",
    "texts/photo.jpg.json": b"PUT IT BACK ALIVE",
    "all.jsonl": b"universally acknowledged",
    "ppocr.json": b'"model": "ppocr"',
    "ppocr.html": b"Region-based segmentation",
}
"""Files that the commands write, and what is in them."""
SHOWN = {
    "doctor": "Renderers",
    "make table,chart": "16 made",
    "check": "engraved signs counted",
    "photo.jpg": "PUT IT BACK ALIVE",
    "read examples/page.png --box": "Region-based segmentation",
    "--pages 2 --to md": "# Three Famous First Pages",
    "hocr": "ocr_page",
    "eval jsonl": "Word F1",
    "eval synthetic": "2 of 2 samples ask for formatted text",
    "results.py": "### `jsonl`",
    "readers.py": "| line | ocr2 | 1 | 0.0",
    "got_cpu.py": "tokens of ocr2 fp32 are those of transformers fp32",
}
"""What those with this in them print."""


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README's commands name, the GOT model a tiny one that answers nonsense."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("examples", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    item = {"id": "1", "image": "page.png", "text": (ROOT / "examples/page.txt").read_text(), "kind": "line"}
    checkpoint.export(tiny_got(), folder / "GOT-OCR-2.0-hf", tiny_tokenizer())
    (folder / "FOLDER").mkdir()
    (folder / "FOLDER" / "page.png").symlink_to(ROOT / "examples" / "page.png")
    (folder / "FOLDER" / "dev.jsonl").write_text(dumps(item) + "\n")
    return folder


def run(command: list[str] | str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", [command for command in COMMANDS if "pip install" not in command])
def test_commands(command: str, newcomer: Path) -> None:
    done = run(command, newcomer)
    assert done.returncode == 0, done.stderr
    for part, words in SHOWN.items():
        if part in command:
            assert words in done.stdout
    for name, content in LEAVES.items():
        if re.search(f"(-o|--json|--report) {re.escape(name.split('/')[0])}", command):
            assert content in (newcomer / name).read_bytes()


def test_the_two_commands_that_install_come_first() -> None:
    assert ["pip install" in command for command in COMMANDS] == [True, True] + [False] * (len(COMMANDS) - 2)


def test_the_first_command_reads_a_photo_a_scan_and_a_pdf() -> None:
    assert "ocr2 read examples/" in COMMANDS[0]
    assert {Path(path).name for path in files.find([ROOT / "examples"])} == {"page.png", "photo.jpg", "two-pages.pdf"}


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[\w+\]\((.*?)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_the_python(newcomer: Path) -> None:
    ours, got = re.findall(r"```python\n(.*?)```", README, re.S)
    done = run([sys.executable, "-c", ours], newcomer)
    assert done.returncode == 0, done.stderr
    assert "HELP THE PIKE SURVIVE" in done.stdout
    assert re.search(r"^2 [\d.,]+ [01]\.\d+ It is a truth universally acknowledged", done.stdout, re.M)
    done = run([sys.executable, "-c", got], newcomer)
    assert done.returncode == 0, done.stderr
    assert re.search(r" (eos|length|repeat) \(", done.stdout)
