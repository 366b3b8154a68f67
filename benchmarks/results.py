"""The README's results, from what `ocr2 eval --json` wrote: tables, and the machine and versions behind them.

    python benchmarks/results.py OUTCOME.json … [--readme README.md]

With --readme, what stands there between the lines `<!-- results -->` and `<!-- /results -->` is written anew; without
it, the section is printed. Outcomes of one benchmark share a table where no cell of theirs contradicts another's.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ocr2.errors import BadInput, OcrError
from ocr2.evaluate.folders import parsed, text_of
from ocr2.evaluate.outcome import table_of
from ocr2.evaluate.tables import markdown
from ocr2.files import whole

if TYPE_CHECKING:
    from ocr2.evaluate.benchmark import Table

READER = "Reader"
"""The column of who has read."""
BEGIN, END = "<!-- results -->", "<!-- /results -->"
NEEDED = {"benchmark": str, "title": str, "model": str, "mode": str, "date": str, "machine": dict, "versions": dict}


def loaded(path: Path) -> dict:
    """An outcome, with its tables as tables. Raises BadInput."""
    record = parsed(text_of(path), str(path))
    wrong = [key for key, kind in NEEDED.items() if not isinstance(record, dict) or type(record.get(key)) is not kind]
    if wrong or not isinstance(record.get("tables"), list):
        raise BadInput(f"{path} is no outcome, for it has no {(wrong or ['tables'])[0]}: expected what --json wrote")
    tables = [table_of(table, f"{path}, table {n + 1}") for n, table in enumerate(record["tables"])]
    return record | {"tables": tables}


def merged(one: Table, other: Table) -> Table | None:
    """The rows and columns of both; None where they are of different things, or don't agree on a cell."""
    names = 1 + (one.columns[1:2] == (READER,))
    heads = [[row[:names] for row in table.rows] for table in (one, other)]
    if (one.title, one.digits, one.columns[:names]) != (other.title, other.digits, other.columns[:names]):
        return None
    if any(len(set(those)) < len(those) for those in (*heads, one.columns, other.columns)):
        return None
    cells: dict[tuple, object] = {}
    for table in (one, other):
        for row in table.rows:
            for column, cell in zip(table.columns[names:], row[names:], strict=True):
                known = cells.setdefault((row[:names], column), cell)
                if known is None:
                    cells[row[:names], column] = cell
                elif cell not in (None, known):
                    return None
    columns = tuple(dict.fromkeys(one.columns + other.columns))
    order = list(dict.fromkeys(head[0] for those in heads for head in those))
    firsts = sorted(dict.fromkeys(head for those in heads for head in those), key=lambda head: order.index(head[0]))
    rows = [(*head, *(cells.get((head, column)) for column in columns[names:])) for head in firsts]
    return replace(one, columns=columns, rows=tuple(rows), notes=tuple(dict.fromkeys(one.notes + other.notes)))


def named(outcome: dict, alone: bool) -> list[Table]:
    """Its tables, with the reader in a column of its own instead of the title, and beside the run's own footnotes."""
    model, found = outcome["model"], []
    for table in outcome["tables"]:
        own = () if alone else outcome.get("notes", ())
        notes = tuple(f"{model}: {note}" if note in own else note for note in table.notes)
        titled = table.title.removesuffix(f", {model}")
        if titled != table.title:
            table = replace(
                table,
                title=titled,
                columns=(table.columns[0], READER, *table.columns[1:]),
                rows=tuple((row[0], model, *row[1:]) for row in table.rows),
            )
        found.append(replace(table, notes=notes))
    return found


def together(outcomes: list[dict]) -> list[Table]:
    """The tables of a benchmark's outcomes, each merged with the first one that it goes with."""
    found: list[Table] = []
    for outcome in outcomes:
        for table in named(outcome, len(outcomes) == 1):
            for n, known in enumerate(found):
                if both := merged(known, table):
                    found[n] = both
                    break
            else:
                found.append(table)
    return found


def behind(outcome: dict) -> str:
    """When, where and with what an outcome was read."""
    read = outcome.get("read") or outcome
    machine = read["machine"]
    where = [str(machine.get("cpu", "a processor")), f"{machine.get('cores', '?')} cores", machine.get("gpu")]
    what = ", ".join(f"{name} {version}" for name, version in read["versions"].items())
    return f"- `{outcome['model']}`: read on {read['date'][:10]} on {', '.join(filter(None, where))}, with {what}"


def section(outcomes: list[dict]) -> str:
    """Markdown: each benchmark with its tables and what is behind them, in the order given."""
    parts = []
    order = list(dict.fromkeys((outcome["benchmark"], outcome["mode"]) for outcome in outcomes))
    outcomes = sorted(outcomes, key=lambda outcome: order.index((outcome["benchmark"], outcome["mode"])))
    for (benchmark, mode), group in groupby(outcomes, lambda outcome: (outcome["benchmark"], outcome["mode"])):
        these = list(group)
        how = ", counted as its published script does" * (mode == "published")
        parts.append(f"### `{benchmark}`: {these[0]['title']}{how}")
        parts += map(markdown, together(these))
        parts.append("\n".join(map(behind, these)))
    return "\n\n".join(parts)


def rewritten(readme: str, body: str) -> str:
    """The README with that between the markers. Raises BadInput where they aren't there once each, in their order."""
    lines = readme.splitlines()
    if lines.count(BEGIN) != 1 or lines.count(END) != 1 or lines.index(BEGIN) > lines.index(END):
        raise BadInput(f"expected one line {BEGIN} and, below it, one line {END} in the README")
    begin, end = lines.index(BEGIN), lines.index(END)
    return "\n".join([*lines[: begin + 1], "", *body.splitlines(), "", *lines[end:], ""])


def main() -> None:
    """Print the section, or put it into the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", type=Path, nargs="+", metavar="OUTCOME.json")
    parser.add_argument("--readme", type=Path, metavar="README.md")
    options = parser.parse_args()
    try:
        body = section([loaded(path) for path in options.outcomes])
        if not options.readme:
            print(body)
            return
        changed = rewritten(options.readme.read_text(encoding="utf-8"), body)
        with whole(options.readme) as file:
            file.write(changed.encode())
    except (OcrError, OSError) as error:
        print(f"results.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
