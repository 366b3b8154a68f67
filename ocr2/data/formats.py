"""Samples as other programs keep them: every format of label files by its name, and what a file's format is.

samples = opened(Path("train.jsonl"))           # or a folder of shards, or of pictures with texts
for error in write(samples, "train.json", FORMATS["got"], range(len(samples))): ...
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.data.conversations import GOT, SWIFT
from ocr2.data.folders import Folder, is_folder
from ocr2.data.labels import Form, Labels
from ocr2.data.metadata import is_metadata
from ocr2.data.paddle import DET, REC
from ocr2.errors import BadInput, BadOutput
from ocr2.shards import Shards

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = "shards"
FOLDER = "folder"
"""Pictures with their answers beside, see `ocr2.data.folders`: it is read, and not written."""
FORMATS: dict[str, Form] = {"got": GOT, "swift": SWIFT, "rec": REC, "det": DET}
"""GOT's conversations, ms-swift's JSON lines, PaddleOCR's labels for recognisers and for detectors."""
NAMES = (SHARDS, *FORMATS)
"""What can be written."""
READ = (*NAMES, FOLDER)
Samples = Shards | Labels | Folder


def format_of(path: Path) -> str:
    """The format of what is there: shards or pictures in a folder, or a label file, by what its first bytes are.

    Raises BadInput.
    """
    if path.is_dir():
        return FOLDER if is_folder(path) else SHARDS
    if path.suffix == ".tar":
        return SHARDS
    try:
        with open(path, "rb") as file:
            start = file.read(1 << 16) + file.readline(1 << 24)  # a record is known when it is whole
            head = start.decode(errors="replace").removeprefix("\ufeff").lstrip()
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): expected shards or a label file") from error
    if re.match(r"\[\s*[\[{\]]", head):
        return "got"
    if is_metadata(head):
        return FOLDER
    if head.startswith("{"):
        return "swift"
    if "\t" in head.partition("\n")[0]:
        return "det" if re.match(r"[^\t\n]*\t\[\s*[{\]]", head) else "rec"
    raise BadInput(f"{path}: shards or a label file of which kind? Say --from {', '.join((*FORMATS, FOLDER))}")


def format_named(path: Path) -> str:
    """The format of what is to be written, by its name. Raises BadOutput where that doesn't say."""
    if path.is_dir() or path.suffix in ("", ".tar"):
        return SHARDS
    by_suffix = {".json": "got", ".jsonl": "swift", ".txt": "det" if "det" in path.stem.lower() else "rec"}
    if path.suffix.lower() not in by_suffix:
        raise BadOutput(f"{path}: a file of which kind? Say --to {', '.join(FORMATS)}, or give a folder for shards")
    return by_suffix[path.suffix.lower()]


def opened(path: Path, name: str = "", images: Path | None = None) -> Samples:
    """The samples of that format, by default whatever it is. Raises BadInput."""
    if not name and (name := format_of(path)) == SHARDS and path.is_dir() and not any(path.glob("*.tar")):
        below = sorted({tar.parent for tar in path.glob("*/*.tar")})
        those = f"; {below[0]} has shards: give it by its own name" if below else ": expected some of either"
        raise BadInput(f"{path} has no shards (*.tar) and no pictures with answers{those}")
    if name == FOLDER:
        return Folder(path, images)
    return Shards(path) if name == SHARDS else Labels(path, FORMATS[name], images)
