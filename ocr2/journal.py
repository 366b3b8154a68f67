"""What has been done so far for what will be one file: kept on disk as it comes, so that a killed run can go on.

The journal of out.pdf is out.pdf.partial: JSON lines, the first about the run, then one a page. It goes when out.pdf is
written whole.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ocr2 import files
from ocr2.errors import BadInput, BadOutput
from ocr2.result import Result

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

K = TypeVar("K")
Key = tuple[str, int]
"""A file and the number of a page in it."""


class Records(Generic[K]):
    """Records on disk, found by a key; in memory there is one number a record."""

    def __init__(self, target: Path, run: dict[str, Any], *, resume: bool) -> None:
        """Start the journal of `target`, or go on with it where `resume` is set and it is there.

        `run` is what must be the same for the results to belong together. Raises BadOutput where the journal or its
        target can't be written, or another run has it, BadInput where the journal that is there is of other options.
        """
        self.path = self.path_for(target)
        self.run = run
        self._places: dict[K, int] = {}
        files.place(target)
        try:
            self._file = open(self.path, "a+b")  # noqa: SIM115 closed in close
        except OSError as error:
            raise BadOutput(
                f"{target} can't be written ({error.strerror}): expected a folder that exists and is writable"
            ) from error
        try:
            if not files.locked(self._file):
                raise BadOutput(
                    f"{target} is being written by another run: wait until that one ends, stop it, or give another name"
                )
            self._file.seek(0)
            if not resume:
                self._file.truncate()
            self._restore()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def path_for(target: Path) -> Path:
        """Where the journal of that file is."""
        return target.with_name(target.name + ".partial")

    def key(self, record: dict[str, Any]) -> K | None:
        """What a record of an earlier run is found by; None where it doesn't hold any more."""
        raise NotImplementedError

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
            if not place and record != self.run:
                raise BadInput(
                    f"{self.path} was begun by {record}, this is {self.run}: "
                    "give the same options, or leave --resume out"
                )
            if place and (key := self.key(record)) is not None:
                self._places[key] = place
            place += len(line)
        self._file.seek(place)
        self._file.truncate()
        if not place:
            self._append(self.run)

    def __contains__(self, key: K) -> bool:
        """Whether there is a record of it that holds."""
        return key in self._places

    def __len__(self) -> int:
        """How many records it holds."""
        return len(self._places)

    def keep(self, key: K, record: dict[str, Any]) -> None:
        """Keep a record: it is on disk when this returns."""
        self._places[key] = self._append(record)

    def record(self, key: K) -> dict[str, Any]:
        """The record that was kept."""
        self._file.seek(self._places[key])
        record: dict[str, Any] = json.loads(self._file.readline())
        return record

    def _append(self, record: dict[str, Any]) -> int:
        place = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise BadOutput(f"{self.path} can't be written ({error.strerror}): make room, then --resume") from error
        return place

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


class Journal(Records[Key]):
    """Results, found by file and page as long as the file is what it was."""

    def __init__(self, target: Path, run: dict[str, Any], *, resume: bool) -> None:
        """As in Records."""
        self._stamps: dict[str, list[int] | None] = {}
        super().__init__(target, run, resume=resume)

    def key(self, record: dict[str, Any]) -> Key | None:
        """The file and the page, unless the file has changed."""
        file, page = record["file"], record["page"]
        return (file, page) if record.get("stamp") and record["stamp"] == self._stamp(file) else None

    def add(self, result: Result) -> None:
        """Keep a result: it is on disk when this returns."""
        record = result.to_json() | {"stamp": self._stamp(result.origin)}
        self.keep((result.origin, result.number), record)

    def __getitem__(self, key: Key) -> Result:
        """The result for a page, without its image."""
        return Result.from_json(self.record(key))

    def _stamp(self, file: str) -> list[int] | None:
        """What tells a file from its next version: size and time of change; None for standard input, read anew."""
        if file not in self._stamps:
            try:
                status = os.stat(file)
                self._stamps[file] = [status.st_size, status.st_mtime_ns]
            except OSError:
                self._stamps[file] = None
        return self._stamps[file]
