"""OmniDocBench's tables, with what was published. Sources: its README in v1.0, v1.5 and v1.6, and, of v1.0, MonkeyOCR's
(Z. Li et al., 2025), which has CDM, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr2.evaluate.benchmark import Table
from ocr2.evaluate.tables import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.evaluate.benchmark import Cell, Scored

_EDITS = ("text_edit_distance", "formula_edit_distance", "table_edit_distance", "order_edit_distance")
_BY_LANGUAGE = {
    "Text edit ↓": "text_edit_distance",
    "Formula edit ↓": "formula_edit_distance",
    "Table TEDS ↑": "table_teds",
    "Table edit ↓": "table_edit_distance",
    "Order edit ↓": "order_edit_distance",
}
_V1_0 = """
MinerU           .150 .357 .061 .215 .278 .577 78.6 62.1 .180 .344 .079 .292
Marker           .336 .556 .080 .315 .530 .883 67.6 49.2 .619 .685 .114 .340
Mathpix          .191 .365 .105 .384 .306 .454 77.0 67.1 .243 .320 .108 .304
Docling          .589 .909 .416 .987 .999 1    61.3 25.0 .627 .810 .313 .837
Pix2Text         .320 .528 .138 .356 .276 .611 73.6 66.2 .584 .645 .281 .499
GOT-OCR          .287 .411 .189 .315 .360 .528 53.2 47.2 .459 .520 .141 .280
Nougat           .452 .973 .365 .998 .488 .941 39.9 0    .572 1    .382 .954
Mistral-OCR      .268 .439 .072 .325 .318 .495 75.8 63.6 .600 .650 .083 .284
olmOCR           .326 .469 .097 .293 .455 .655 68.1 61.3 .608 .652 .145 .277
SmolDocling-256M .493 .816 .262 .838 .753 .997 44.9 16.5 .729 .907 .227 .522
GPT-4o           .233 .399 .144 .409 .425 .606 72.0 62.9 .234 .329 .128 .251
Qwen2.5-VL-7B    .312 .406 .157 .228 .351 .574 76.4 72.2 .588 .619 .149 .203
MonkeyOCR-3B     .140 .297 .058 .185 .238 .506 80.2 77.7 .170 .253 .093 .244
"""
_OVER_ALL = """
v1.5 Marker-1.8.2     71.30 .206 76.66 57.88 71.17 .250
v1.5 GPT-4o           75.02 .217 79.70 67.07 76.09 .148
v1.5 Mistral-OCR      78.83 .164 82.84 70.03 78.04 .144
v1.5 olmOCR-7B        81.79 .096 86.04 68.92 74.77 .121
v1.5 PP-StructureV3   86.73 .073 85.79 81.68 89.48 .073
v1.5 Qwen2.5-VL-72B   87.02 .094 88.27 82.15 86.22 .102
v1.5 dots.ocr         88.41 .048 83.22 86.78 90.62 .053
v1.5 MinerU2.5        90.67 .047 88.46 88.22 92.38 .044
v1.5 PaddleOCR-VL     92.56 .035 91.43 89.76 93.52 .043
v1.6 Marker           78.44 .157 85.24 65.77 73.24 .243
v1.6 Mistral-OCR      85.66 .097 89.91 76.78 80.93 .171
v1.6 olmOCR           85.74 .139 88.10 83.00 87.17 .216
v1.6 dots.ocr         90.77 .048 89.95 87.18 90.58 .138
v1.6 MinerU-2.5       93.04 .045 95.77 87.88 91.47 .130
v1.6 PaddleOCR-VL     94.18 .040 95.91 90.65 93.74 .135
v1.6 MinerU2.5-Pro    95.75 .036 97.45 93.42 95.92 .120
"""


def by_language(scored: Sequence[Scored], name: str) -> Table:
    """v1.0: English and Chinese pages apart; overall is the mean of the four edit distances."""
    languages = {each: [one for one in scored if one.item.language == each] for each in ("en", "zh")}
    heads = ["Method"] + [f"{head} {each.upper()}" for head in ("Overall ↓", *_BY_LANGUAGE) for each in languages]
    row: list[Cell] = [name]
    for found in languages.values():
        edits = [value for measure in _EDITS if (value := mean(found, measure)) is not None]
        row.append(sum(edits) / 4 if len(edits) == 4 else None)
    for measure in _BY_LANGUAGE.values():
        for found in languages.values():
            value = mean(found, measure)
            row.append(value if value is None or measure != "table_teds" else 100 * value)
    published = [_numbers(line, 1) for line in _V1_0.strip().splitlines()]
    return Table("OmniDocBench v1.0, by language", tuple(heads), (*published, tuple(row)), _notes(scored))


def over_all(scored: Sequence[Scored], name: str) -> Table:
    """v1.5 and v1.6: all pages; overall is the mean of 100 × (1 - text edit distance), table TEDS and formula CDM.

    Ours is never called CDM, and overall has our formula likeness in its place.
    """
    text, teds, likeness = (mean(scored, each) for each in ("text_edit_distance", "table_teds", "formula_likeness"))
    overall = None if text is None or teds is None or likeness is None else 100 * (1 - text + teds + likeness) / 3
    heads = (
        *("Version", "Method", "Overall ↑", "Text edit ↓", "Formula CDM ↑", "Formula likeness ↑"),
        *("Table TEDS ↑", "TEDS-S ↑", "Order edit ↓"),
    )
    published = [_numbers(line, 2) for line in _OVER_ALL.strip().splitlines()]
    structure = mean(scored, "table_teds_structure")
    row: tuple[Cell, ...] = ("", name, overall, text, None, _percent(likeness), _percent(teds), _percent(structure))
    told = (
        "Overall of this row has formula likeness for CDM: both formulas drawn by ocr2, their pictures compared.",
        "Order is that of text, as v1.5 counts it; in the rows of v1.6, of formulas and tables, too.",
    )
    rows = [(*line[:5], None, *line[5:]) for line in published]
    last = (*row, mean(scored, "order_edit_distance"))
    return Table("OmniDocBench v1.5 and v1.6", heads, (*rows, last), (*told, *_notes(scored)))


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _numbers(line: str, names: int) -> tuple[Cell, ...]:
    words = line.split()
    return (*words[:names], *map(float, words[names:]))


def _notes(scored: Sequence[Scored]) -> tuple[str, ...]:
    counted = sum(each.scores is not None for each in scored)
    return f"Over {counted} pages.", "LaTeX tables are made HTML by ocr2, not by LaTeXML."
