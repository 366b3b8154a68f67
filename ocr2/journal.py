"""What has been read so far of what will be one file: kept on disk as it comes, so that a killed run can go on.

The journal of out.pdf is out.pdf.partial: JSON lines, the first about the run, then one a page. It goes when out.pdf is
written whole.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from ocr2 import files
from ocr2.errors import BadInput, BadOutput
from ocr2.result import Result

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

Key = tuple[str, int]
"""A file and the number of a page in it."""


class Journal:
    """Results on disk, found by file and page; in memory there is one number a page."""

    def __init__(self, target: Path, run: dict[str, Any], *, resume: bool) -> None:
        """Start the journal of `target`, or go on with it where `resume` is set and it is there.

        `run` is what must be the same for the results to belong together. Raises BadOutput where the journal or its
        target can't be written, BadInput where the journal that is there is of another run.
        """
        self.path = self.path_for(target)
        self.run = run
        self._places: dict[Key, int] = {}
        self._stamps: dict[str, list[int] | None] = {}
        files.place(target)
        try:
            self._file = open(self.path, "r+b" if resume and os.path.exists(self.path) else "w+b")  # noqa: SIM115 closed in close
        except OSError as error:
            raise BadOutput(
                f"{target} can't be written ({error.strerror}): expected a folder that exists and is writable"
            ) from error
        try:
            self._restore()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def path_for(target: Path) -> Path:
        """Where the journal of that file is."""
        return target.with_name(target.name + ".partial")

    def _restore(self) -> None:
        """Find what is whole; cut off what isn't."""
        place = 0
        for line in self._file:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if not isinstance(record, dict):
                break
            if place and record.get("stamp") and record["stamp"] == self._stamp(record["file"]):
                self._places[record["file"], record["page"]] = place
            elif not place and record != self.run:
                raise BadInput(
                    f"{self.path} was begun by {record}, this is {self.run}: "
                    "give the same options, or leave --resume out"
                )
            place += len(line)
        self._file.seek(place)
        self._file.truncate()
        if not place:
            self._append(self.run)

    def __contains__(self, key: Key) -> bool:
        """Whether the page has been read, from the file as it is now."""
        return key in self._places

    def __len__(self) -> int:
        """How many pages it holds."""
        return len(self._places)

    def add(self, result: Result) -> None:
        """Keep a result: it is on disk when this returns."""
        place = self._append(result.to_json() | {"stamp": self._stamp(result.origin)})
        self._places[result.origin, result.number] = place

    def __getitem__(self, key: Key) -> Result:
        """The result for a page, without its image."""
        self._file.seek(self._places[key])
        return Result.from_json(json.loads(self._file.readline()))

    def _append(self, record: dict[str, Any]) -> int:
        place = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise BadOutput(f"{self.path} can't be written ({error.strerror}): make room, then --resume") from error
        return place

    def _stamp(self, file: str) -> list[int] | None:
        """What tells a file from its next version: size and time of change; None for standard input, read anew."""
        if file not in self._stamps:
            try:
                status = os.stat(file)
                self._stamps[file] = [status.st_size, status.st_mtime_ns]
            except OSError:
                self._stamps[file] = None
        return self._stamps[file]

    def remove(self) -> None:
        """Throw the journal away: what it was for is written, or has nothing in it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the journal on disk, for a later run to go on with."""
        with suppress(OSError):  # `add` has told of what the disk had no room for
            self._file.close()

    def __enter__(self) -> Self:
        """The journal, closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, also after an error."""
        self.close()
