"""What came of a run: tables with their footnotes, and one JSON object with all that is known of it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Benchmark, Mode, Scored, Table
from ocr2.evaluate.run import MISSING, UNASKED, UNREAD, UNSCORED, plainly, to_record, worth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOST = {
    UNASKED: ("can't be asked of this reader", "count as empty texts, but where that is so of a whole task"),
    MISSING: ("have no prediction", "count as empty texts"),
    UNREAD: ("could not be read", "count as empty texts"),
    UNSCORED: ("could not be scored", "count as wholly wrong"),
}
"""What is said of samples, by what their errors begin with, and what of those that count."""

_PACKAGES = ("onnxruntime", "torch", "transformers", "rapidocr", "nltk", "jieba", "rapidfuzz", "fuzzysearch", "rdkit")
"""Those that can make a difference to a number, if they are loaded."""


@dataclass(frozen=True)
class Run:
    """One reader's answers to one benchmark, scored."""

    benchmark: str
    """Its name in BENCHMARKS."""
    model: str
    mode: Mode
    scored: Sequence[Scored]
    plain: bool = False
    """Whether the reader knows plain text only, and was asked by `plainly`."""
    options: dict[str, Any] = field(default_factory=dict)
    """What else the run was asked for: tasks, limit, precision, …"""
    notes: tuple[str, ...] = ()
    """What the reader has to say about its answers."""
    seconds: float = 0.0
    """The whole of it, on the wall clock."""
    data: str = ""
    """The name of the folder that the benchmark was in."""
    versions: dict[str, str] = field(default_factory=dict)
    """Those of programs."""
    read: dict[str, Any] = field(default_factory=dict)
    """When, where and with what the answers were read, if in an earlier run: its date, machine and versions."""

    def tables(self, benchmark: Benchmark) -> list[Table]:
        """The benchmark's tables, the last with what is to be known of the run in its footnotes."""
        tables = benchmark.tables(self.scored, self.model, self.mode)
        return [*tables[:-1], *(replace(table, notes=(*table.notes, *self.footnotes())) for table in tables[-1:])]

    def footnotes(self) -> tuple[str, ...]:
        """The rules that have changed a number, and how many samples each."""
        found = [*self._which(), *self.notes]
        out = "are left out" + ", as the published script leaves them out" * (self.mode == "published")
        for (start, (what, rule)), counted in product(_LOST.items(), (True, False)):
            lost = [
                each for each in self.scored if each.error.startswith(start) and (each.scores is not None) == counted
            ]
            if lost:
                first = lost[0].item.id + lost[0].error.removeprefix(start).rstrip()
                found.append(f"{self._of(lost)} {what} and {rule if counted else out}; the first is {first:.300}.")
        rules: dict[str, Callable[[Scored], bool]] = {
            "have an empty answer": lambda each: not (each.answer.error or each.answer.text),
            "have an answer that ran in a loop or out of length, and was cut": lambda each: each.answer.stop != "eos",
            out: lambda each: each.scores is None and not each.error,
            "ask for formatted text, or for a closer look, and were read as plain text": lambda each: (
                self.plain and plainly(each.item.prompt) != each.item.prompt
            ),
        }
        for what, holds in rules.items():
            if held := [each for each in self.scored if holds(each)]:
                found.append(f"{self._of(held)} {what}.")
        return tuple(found + self._took())

    def _which(self) -> list[str]:
        """What of the benchmark was left out by the options."""
        tasks, limit = self.options.get("tasks"), self.options.get("limit")
        found = [f"Of the tasks only {', '.join(tasks)}."] if tasks else []
        return [*found, f"Of each task only the first {limit}."] if limit else found

    def _of(self, some: Sequence[Scored]) -> str:
        return f"{len(some):,} of {len(self.scored):,} samples"

    def _took(self) -> list[str]:
        read = [each.answer for each in self.scored if each.answer.seconds and not each.answer.error]
        if not read:
            return []
        wall, cpu = fmean(each.seconds for each in read), fmean(each.cpu for each in read)
        spent = f" and {cpu:.2f} of processor time" if cpu else ""
        return [f"Reading took {wall:.2f} seconds a sample{spent}."]

    def to_json(self, benchmark: Benchmark, tables: Sequence[Table]) -> dict[str, Any]:
        """Plain lists, strings and numbers: the run, the machine, the tables and every sample."""
        lost = {start: sum(each.error.startswith(start) for each in self.scored) for start in _LOST}
        return {
            "benchmark": self.benchmark,
            "title": benchmark.title,
            "data": self.data,
            "model": self.model,
            "mode": self.mode,
            "options": self.options,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions() | self.versions,
            "read": self.read or None,
            "plain": self.plain,
            "seconds": round(self.seconds, 3),
            "counts": {"samples": len(self.scored), **{name: count for name, count in lost.items() if count}},
            "notes": self.footnotes(),
            "tables": [asdict(table) for table in tables],
            "samples": [self._sample(benchmark, each) for each in self.scored],
        }

    def _sample(self, benchmark: Benchmark, each: Scored) -> dict[str, Any]:
        item = each.item
        return {
            "id": item.id,
            "task": item.task,
            "kind": item.kind,
            "language": item.language,
            "scores": each.scores,
            "worth": worth(benchmark, each),
            "error": each.error,
            "truth": item.truth,
            **to_record(each.answer),
        }


def machine() -> dict[str, Any]:
    """The processor, how many of its cores there are to use, and the GPU if one is in use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {"cpu": _processor(), "cores": cores, "system": f"{platform.system()} {platform.machine()}"}
    torch = sys.modules.get("torch")  # who hasn't loaded it uses no GPU
    if torch is not None and torch.cuda.is_initialized():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    """What it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Those of the package, of Python, and of loaded packages that make a difference."""
    loaded = [name for name in _PACKAGES if name in sys.modules]
    found = {"ocr2": metadata.version("ocr2"), "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in ("numpy", *loaded)}


def table_of(record: object, name: str) -> Table:
    """The table that `to_json` wrote down. Raises BadInput, which begins with `name`."""
    fields: dict[str, Any] = record if isinstance(record, dict) else {}
    columns: Any = fields.get("columns")
    notes: Any = fields.get("notes")
    rows: Any = fields.get("rows")
    if (
        _are(columns, str)
        and _are(notes, str)
        and _are(rows, list)
        and all(len(row) == len(columns) and _are(row, str, int, float, type(None)) for row in rows)
        and isinstance(fields.get("title"), str)
        and fields.get("digits") in range(10)
    ):
        return Table(fields["title"], tuple(columns), tuple(map(tuple, rows)), tuple(notes), fields["digits"])
    raise BadInput(f"{name}: expected a table as --json writes them, found {record!r:.80}")


def _are(found: Any, *kinds: type) -> bool:
    """Whether that is a list of such things alone."""
    return isinstance(found, list) and all(isinstance(each, kinds) for each in found)
