"""olmOCR-bench: facts of PDF pages, each of which a transcript has right or wrong.

    for item in OLMOCR_BENCH.items(Path("olmOCR-bench/bench_data")):
        OLMOCR_BENCH.score(item, Answer("# Title"), "corrected")    # {"arxiv_math/2503.04_0": 0.0, …}

J. Poznanski et al., "olmOCR" (2025); its `bench/benchmark.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ocr2.errors import BadInput
from ocr2.evaluate import olmtests
from ocr2.evaluate.benchmark import Item, Table
from ocr2.evaluate.folders import Folder, lines_of, opened, picture
from ocr2.evaluate.omniblocks import latex_tables
from ocr2.metrics import need
from ocr2.renderers import tools
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Cell, Mode, Scored
    from ocr2.evaluate.olmtests import Test

BASELINE = "baseline"
"""What the tests are called that every PDF has, which no file lists."""
SAMPLES = 1000
"""Of the bootstrap."""
FILES = {
    "arxiv_math": "ArXiv",
    "old_scans_math": "Old scans math",
    "table_tests": "Tables",
    "old_scans": "Old scans",
    "headers_footers": "Headers, footers",
    "multi_column": "Multi column",
    "long_tiny_text": "Long tiny text",
    BASELINE: "Base",
}
_PUBLISHED = """
GOT-OCR               52.7 52.0  0.2 22.1 93.6 42.0 29.9 94.0 48.3 1.1
Marker-1.10.1         83.8 66.8 72.9 33.5 86.6 80.0 85.7 99.3 76.1 1.1
MinerU-2.5.4          75.5 50.2 59.9 19.2 97.0 58.7 44.6 97.8 62.9 1.1
Mistral-OCR           77.2 67.5 60.6 29.3 93.6 71.3 77.1 99.4 72.0 1.1
Nanonets-OCR          67.0 68.6 77.7 39.5 40.7 69.9 53.4 99.3 64.5 1.1
dots.ocr              65.2 69.7 84.8 38.6 79.5 72.9 46.2 97.8 69.3 1.1
GPT-4o                51.5 75.5 69.1 40.9 94.2 68.9 54.1 96.7 68.9 1.1
Gemini-Flash-2        32.1 56.3 61.4 27.8 48.0 58.7 84.4 94.0 57.8 1.1
Qwen2-VL              19.7 31.7 24.2 17.1 88.9  8.3  6.8 55.5 31.5 0.9
Qwen2.5-VL            63.1 65.7 67.3 38.6 73.6 68.3 49.1 98.3 65.5 1.2
olmOCR-0.4.0          83.0 82.3 84.9 47.7 96.1 83.7 81.9 99.7 82.4 1.1
"""
"""From the benchmark's README, of those that were shown no text of the PDF."""
_HEADS = re.compile(r"\\(title|(?:sub){0,2}section)\*?[ \t]*\{\s*([^{}]{0,2000}?)\s*\}")
_LEVELS = {"title": "#", "section": "##", "subsection": "###", "subsubsection": "####"}


@dataclass(frozen=True)
class OlmOcrBench:
    """Single pages of PDFs, hard ones."""

    title: str = "olmOCR-bench: facts of PDF pages (J. Poznanski et al., 2025)"
    source: str = "https://huggingface.co/datasets/allenai/olmOCR-bench (ODC-BY)"

    def items(self, folder: Path) -> Iterable[Item]:
        """A page each: "arxiv_math__2503.04_pg1", as predictions are called, but for the slash and the "_repeat1" of
        each time that it was read. Raises BadInput, MetricMissing, RendererMissing.
        """
        need("rapidfuzz", "fuzzysearch")
        root = Folder(folder, "*.jsonl and pdfs/", self.source).within("bench_data")
        lists = sorted(root.path.glob("*.jsonl"))
        if not lists:
            raise root.missing("*.jsonl")
        pdfs = root.folder("pdfs")
        pages: dict[tuple[str, int], list[tuple[str, Test]]] = {}
        for path in lists:
            for where, test in _tests(path):
                if (test.pdf, test.page) not in pages:
                    picture(pdfs, test.pdf, where)
                pages.setdefault((test.pdf, test.page), []).append((path.stem, test))
        if any(test.type == "math" for told in pages.values() for _, test in told):
            tools.need("mathpix")
        for pdf in sorted({pdf for pdf, _ in pages} - {pdf for (pdf, _), told in pages.items() if _has_baseline(told)}):
            test = olmtests.Baseline(pdf=pdf, page=1, id=f"{pdf}_baseline", type=BASELINE)
            pages.setdefault((pdf, 1), []).append((BASELINE, test))
        return list(self._items(pdfs, pages))

    def _items(self, pdfs: Path, pages: dict[tuple[str, int], list[tuple[str, Test]]]) -> Iterator[Item]:
        stems = {pdf: re.sub(r"\.pdf$", "", pdf, flags=re.I).replace("\\", "/").replace("/", "__") for pdf, _ in pages}
        if len(set(stems.values())) < len(stems):
            raise BadInput(f"{pdfs} has two PDFs whose names differ in / and __ alone: rename one")
        for (pdf, page), told in pages.items():
            truth = "\n".join(test.fact for _, test in told)
            yield Item(
                f"{stems[pdf]}_pg{page}",
                opened(pdfs / pdf, page),
                truth,
                "document",
                told[0][0],
                Prompt(format=True),
                "en",
                tuple(told),
            )

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float]:
        r"""Whether each test passes, by its file and id. None passes on a page that wasn't read.

        Corrected: LaTeX tables are made HTML, and `\title` and `\section` headings in Markdown, before; the benchmark
        knows no others, and what it measures isn't notation.
        """
        if answer.error:
            return {_key(name, test): 0.0 for name, test in item.more}
        text = answer.text if mode == "published" else as_markdown(answer.text)
        return {_key(name, test): float(not test.failure(text)) for name, test in item.more}

    def worth(self, scores: dict[str, float]) -> float:
        """How many of the tests pass."""
        return fmean(scores.values())

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """Percentages of tests that pass, by file, beside published ones; and by type."""
        passed = _passed(scored)
        groups: dict[str, list[float]] = {file: [] for file in FILES}
        for (file, _, _), value in passed.items():
            groups.setdefault(file, []).append(value)
        own: list[Cell] = [100 * fmean(values) if values else None for values in groups.values()]
        rows: list[tuple[Cell, ...]] = []
        more: tuple[Cell, ...] = (None,) * (len(groups) - len(FILES))
        for line in _PUBLISHED.strip().splitlines():
            who, *numbers = line.split()
            rows.append((who, *map(float, numbers[:8]), *more, float(numbers[8]), f"± {numbers[9]}"))
        mean, half = interval([values for values in groups.values() if values])
        rows.append((name, *own, mean, f"± {half:.1f}" if passed else None))
        heads = ("Method", *(FILES.get(each, each) for each in groups), "Overall", "95 %")
        title = "olmOCR-bench, % of tests passed"
        return [Table(title, heads, tuple(rows), _notes(scored, passed, mode), 1), _by_type(passed, name)]


OLMOCR_BENCH = OlmOcrBench()


def _tests(path: Path) -> Iterator[tuple[str, Test]]:
    """The tests of a file, with where they are. Raises BadInput."""
    taken: dict[str, str] = {}
    for line, where in lines_of(path):
        test = olmtests.parsed(line, where)
        if test.id in taken:
            raise BadInput(f"{where} has the id {test.id!r}, as {taken[test.id]} has: expected one test each")
        taken[test.id] = where
        yield where, test


def _has_baseline(told: list[tuple[str, Test]]) -> bool:
    return any(test.type == BASELINE for _, test in told)


def as_markdown(text: str) -> str:
    """The transcript with its LaTeX tables as HTML, and its LaTeX headings as Markdown's."""
    for start, end, html in reversed(latex_tables(text)):
        text = f"{text[:start]}\n{html}\n{text[end:]}" if html else text
    return _HEADS.sub(lambda head: f"{_LEVELS[head[1]]} {' '.join(head[2].split())}", text)


def _key(name: str, test: Test) -> str:
    return f"{name}/{test.id}"


def _passed(scored: Sequence[Scored]) -> dict[tuple[str, str, str], float]:
    """By file, type and id: 1 for a test that passes on more than half of the times that its page was read, else 0."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for each in scored:
        for name, test in each.item.more:
            value = (each.scores or {}).get(_key(name, test), 0.0)
            found.setdefault((name, test.type, test.id), []).append(value)
    return {key: float(fmean(values) > 0.5) for key, values in found.items()}


def interval(groups: Sequence[Sequence[float]]) -> tuple[float | None, float]:
    """The mean of the groups' percentages, and half the width of its 95 % interval.

    Bootstrapped within the groups: the mean of a sample, with replacement, of 0s and 1s is binomial. Seeded.
    """
    if not groups:
        return None, 0.0
    rng = np.random.default_rng(0)
    means = [rng.binomial(len(group), fmean(group), SAMPLES) / len(group) for group in groups]
    low, high = np.percentile(np.mean(means, axis=0), (2.5, 97.5))
    return 100 * fmean(map(fmean, groups)), float(high - low) * 50


def _by_type(passed: dict[tuple[str, str, str], float], name: str) -> Table:
    types: dict[str, list[float]] = {}
    for (_, kind, _), value in passed.items():
        types.setdefault(kind, []).append(value)
    rows = tuple((kind, len(values), 100 * fmean(values)) for kind, values in sorted(types.items()))
    return Table("olmOCR-bench, by type of test", ("Type", "Tests", name), rows, digits=1)


def _notes(scored: Sequence[Scored], passed: dict[tuple[str, str, str], float], mode: Mode) -> tuple[str, ...]:
    pages = {(test.pdf, test.page) for each in scored for _, test in each.item.more}
    notes = [f"{len(passed)} tests of {len(pages)} pages; overall is the mean of the files'."]
    if any(kind == "math" for _, kind, _ in passed):
        notes.append("Formulas are compared by normal form, or as MathJax draws them, not KaTeX.")
    if mode == "corrected":
        notes.append("LaTeX tables were made HTML, and LaTeX headings Markdown, before the tests.")
    if any(each.error for each in scored):
        notes.append("Of what wasn't read no test passes, not even of what should be absent.")
    return tuple(notes)
