"""The data of a chart, as one line of text: the dict of GOT §3.3.2 and OneChart.

    {'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}

`values` is {label: number} where there is one series without a name, {series: {label: number}} where the legend names
them, and {x: y} or {series: {x: y}} for points. A text that isn't there is 'None'. `x_title` belongs to the labels and
`y_title` to the numbers, also where the bars lie. The dict doesn't say how the chart is drawn.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ocr2.errors import BadInput
from ocr2.renderers.drawing import readable

TEXTS = ("title", "source", "x_title", "y_title")
NONE = "None"
MOST_CHARACTERS = 20_000
MOST_POINTS = 500
MOST_SERIES = 20
LARGEST = 1e15
"""No number is larger."""
_BITS = 1000
"""Of a whole number: Python doesn't write down longer ones, which can be given as 0xfff…"""
EXPECTED = "expected {'title': …, 'source': …, 'x_title': …, 'y_title': …, 'values': {label: number, …}}"
_PREFIX = re.compile(r"^(?:data )?sources?\s*[:：]\s*|^(?:数据)?来源\s*[:：]\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Chart:
    """What a chart says; "" for a text that isn't there."""

    title: str
    source: str
    x_title: str
    y_title: str
    series: dict[str, dict[str, float]]
    """For each series its values at its labels; one named "" where they are flat."""

    @property
    def flat(self) -> bool:
        """Whether it has one series, without a name."""
        return list(self.series) == [""]

    def __str__(self) -> str:
        """The one line that says it."""
        values = {name: {label: figure(value) for label, value in row.items()} for name, row in self.series.items()}
        texts = {text: getattr(self, text) or NONE for text in TEXTS}
        return repr({**texts, "values": values[""] if self.flat else values})


def parsed(source: str) -> Chart:
    """The chart that a Python dict or a JSON object says. Raises BadInput where it is none."""
    given = _read(source)
    if not isinstance(given, dict):
        raise BadInput(f"a chart that is no dict: {EXPECTED}")
    keys = {re.sub(r"[\s-]+", "_", str(key).strip().lower()): value for key, value in given.items()}
    values = keys.pop("values", keys.pop("data", None))
    if strange := [key for key in keys if key not in TEXTS]:
        raise BadInput(f"a chart with {strange[0]!r:.60}: {EXPECTED}")
    if not isinstance(values, dict) or not values:
        raise BadInput(f"a chart without values: {EXPECTED}")
    texts = {text: "" if keys.get(text) is None else _text(keys[text]) for text in TEXTS}
    texts = {text: "" if found == NONE else found for text, found in texts.items()}
    texts["source"] = _PREFIX.sub("", texts["source"])
    series = {"": _row(values, "")}
    if all(isinstance(value, dict) for value in values.values()):
        named = [(_label(name), row) for name, row in values.items()]
        series = {name: _row(row, name) for name, row in named}
        if len(series) < len(named):
            raise BadInput("a chart with two series of one name: expected each once")
    elif any(isinstance(value, dict) for value in values.values()):
        raise BadInput("a chart with numbers beside series: expected {label: number} or {series: {label: number}}")
    points = sum(map(len, series.values()))
    if len(series) > MOST_SERIES or points > MOST_POINTS:
        raise BadInput(
            f"a chart of {len(series)} series and {points} values: expected up to {MOST_SERIES} and {MOST_POINTS}"
        )
    return Chart(**texts, series=series)


def _read(source: str) -> Any:
    """What the text says; with the braces that a transcript cut short lacks."""
    source = source.strip()
    if len(source) > MOST_CHARACTERS:
        raise BadInput(f"a chart of {len(source)} characters: expected up to {MOST_CHARACTERS}")
    problem = ""
    for missing in ("", "}", "}}"):
        try:
            return json.loads(source + missing, object_pairs_hook=_pairs)
        except (ValueError, RecursionError):
            pass
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes that Python doesn't know
                return _value(ast.parse(source + missing, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problem = problem or str(getattr(error, "msg", error))
    raise BadInput(f"a chart that is neither a Python dict nor JSON ({problem:.80}): {EXPECTED}")


def _value(node: ast.expr) -> Any:
    """What a literal says: a dict, a text, a number or None. Raises BadInput for anything else."""
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise BadInput(f"a chart with ** in it: {EXPECTED}")
        return _pairs([(_value(key), _value(value)) for key, value in zip(node.keys, node.values, strict=True) if key])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _value(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        if isinstance(node.value, int) and node.value.bit_length() > _BITS:
            raise BadInput(f"a chart with a number of {node.value.bit_length()} bits: expected up to {_BITS}")
        return node.value
    if isinstance(node, ast.Name) and node.id == "null":
        return None
    raise BadInput(f"a chart with {ast.unparse(node)!r:.60} in it: expected texts, numbers and dicts")


def _pairs(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """The dict of the pairs. Raises BadInput where a key is there twice, or is none."""
    found = {}
    for key, value in pairs:
        if isinstance(key, dict | bool | None):
            raise BadInput(f"a chart with {str(key)[:40]!r} for a label: expected a text or number")
        if key in found:
            raise BadInput(f"a chart with {str(key)[:40]!r} twice: expected each label once")
        found[key] = value
    return found


def _row(values: Any, name: str) -> dict[str, float]:
    """The values of one series."""
    of = f" of {name[:40]!r}" if name else ""
    if not values:
        raise BadInput(f"a chart without values{of}: {EXPECTED}")
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            if not name:
                return {}  # the series are below
            raise BadInput(f"a chart with series in the series {name[:40]!r}: expected numbers")
        label = _label(key)
        if label in found:
            raise BadInput(f"a chart with {label[:40]!r} twice{of}: expected each label once")
        found[label] = _number(value, label)
    return found


def _number(value: Any, label: str) -> float:
    """The value as a number; a text may have a sign of money or % about it, and commas in it."""
    if isinstance(value, str):
        stripped = re.sub(r"[\s,$€£¥%]", "", value.replace("−", "-"))
        if _NUMBER.fullmatch(stripped):
            value = float(stripped)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"a chart with {str(value)[:40]!r} at {label[:40]!r}: expected a number")
    if abs(value) > LARGEST or not isfinite(value):
        raise BadInput(f"a chart with {str(value)[:40]} at {label[:40]!r}: expected numbers up to {LARGEST:g}")
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        raise BadInput(f"a chart with a dict for a title: {EXPECTED}")
    return readable(" ".join(str(value).split()))


def _label(key: Any) -> str:
    text = _text(key)
    if not text:
        raise BadInput("a chart with an empty label: expected a text")
    return text


def figure(value: float) -> int | float:
    """The number as it is written: whole where it is, and not in powers of ten where it is small."""
    return int(value) if value == int(value) else round(value, 10) if abs(value) >= 1e-4 else value
