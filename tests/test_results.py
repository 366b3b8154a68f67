"""benchmarks/results.py writes the README's results from outcomes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "results.py"
README = "# ocr2\n\ntext\n\n<!-- results -->\nold\n<!-- /results -->\n\n## After\n"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


def table(title: str, columns: str, *rows: str, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """A table whose cells are words and numbers, - for none."""
    cells = [[None if cell == "-" else float(cell) if "." in cell else cell for cell in row.split()] for row in rows]
    return {"title": title, "columns": columns.split(), "rows": cells, "notes": list(notes), "digits": 2}


def outcome(path: Path, model: str, *tables: dict[str, Any], **changes: object) -> Path:
    record = {"benchmark": "fox", "title": "Fox pages", "model": model, "mode": "corrected", "tables": tables}
    record |= {"date": "2026-01-02T03:04:05+00:00", "machine": {"cpu": "EPYC", "cores": 2}, "notes": ["Mine."]}
    path.write_text(json.dumps(record | {"versions": {"ocr2": "0.1.0", "python": "3.11.7"}} | changes))
    return path


def test_readers_share_a_table_of_columns(tmp_path: Path) -> None:
    """As in GOT's tables: published readers and ours, a column each."""
    one = outcome(tmp_path / "1.json", "nano", table("Pages", "measure GOT nano", "edit 0.03 0.2", "f1 0.9 0.7"))
    two = outcome(tmp_path / "2.json", "ppocr", table("Pages", "measure GOT ppocr", "edit 0.03 0.1", "bleu 0.8 0.6"))
    told = run(one, two).stdout
    assert told.startswith("### `fox`: Fox pages\n\n**Pages**\n\n")
    assert "| measure | GOT | nano | ppocr |\n|---|---:|---:|---:|\n| edit | 0.03 | 0.20 | 0.10 |" in told
    assert "| f1 | 0.90 | 0.70 | – |\n| bleu | 0.80 | – | 0.60 |" in told
    assert told.count("**Pages**") == 1
    assert "- `nano`: read on 2026-01-02 on EPYC, 2 cores, with ocr2 0.1.0, python 3.11.7\n- `ppocr`: read on" in told


def test_readers_share_a_table_of_rows(tmp_path: Path) -> None:
    tables = [table("Pages", "method edit", "GOT 0.03", f"{model} 0.2") for model in ("nano", "ppocr")]
    paths = [outcome(tmp_path / f"{n}.json", model, tables[n]) for n, model in enumerate(("nano", "ppocr"))]
    assert "| GOT | 0.03 |\n| nano | 0.20 |\n| ppocr | 0.20 |\n" in run(*paths).stdout


def test_a_reader_in_the_title_becomes_a_column(tmp_path: Path) -> None:
    notes = ("A rule.", "Mine.")
    one = outcome(tmp_path / "1.json", "nano", table("Text, nano", "kind edit", "line 0.1", "word 0.2", notes=notes))
    two = outcome(tmp_path / "2.json", "ppocr", table("Text, ppocr", "kind edit", "line 0.3", notes=notes))
    told = run(one, two).stdout
    assert (
        "**Text**\n\n| kind | Reader | edit |\n|---|---|---:|\n| line | nano | 0.10 |\n| line | ppocr | 0.30 |" in told
    )
    assert told.count("A rule.") == 1
    assert "- nano: Mine.\n- ppocr: Mine.\n" in told
    alone = run(one).stdout
    assert "- A rule.\n- Mine.\n" in alone


@pytest.mark.parametrize(
    "other",
    [
        table("Other", "measure GOT", "edit 0.03"),
        table("Pages", "measure GOT", "edit 0.04"),  # another GOT
        table("Pages", "method GOT", "edit 0.03"),
        table("Pages", "measure GOT", "edit 0.03", "edit 0.03"),
    ],
)
def test_what_does_not_agree_stays_apart(tmp_path: Path, other: dict[str, Any]) -> None:
    one = outcome(tmp_path / "1.json", "nano", table("Pages", "measure GOT", "edit 0.03"))
    told = run(one, outcome(tmp_path / "2.json", "ppocr", other)).stdout
    assert told.count("|---|") == 2


def test_benchmarks_and_modes_stay_apart(tmp_path: Path) -> None:
    pages = table("Pages", "measure GOT", "edit 0.03")
    one = outcome(tmp_path / "1.json", "nano", pages)
    two = outcome(tmp_path / "2.json", "nano", pages, benchmark="omnidocbench", title="Omni")
    three = outcome(tmp_path / "3.json", "nano", pages, mode="published", read={})
    read = {"date": "2025-05-06", "machine": {"cpu": "Xeon", "cores": 8, "gpu": "H100"}, "versions": {"ocr2": "0.0.9"}}
    four = outcome(tmp_path / "4.json", "nougat", pages, read=read)
    told = run(one, two, three, four).stdout
    assert [line for line in told.splitlines() if line.startswith("###")] == [
        "### `fox`: Fox pages",
        "### `omnidocbench`: Omni",
        "### `fox`: Fox pages, counted as its published script does",
    ]
    assert "- `nougat`: read on 2025-05-06 on Xeon, 8 cores, H100, with ocr2 0.0.9" in told


def test_the_readme_is_written_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    one = outcome(tmp_path / "1.json", "nano", table("Pages", "measure nano", "edit 0.03"))
    for _ in range(2):
        done = run(one, "--readme", readme)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        told = readme.read_text()
        assert told.startswith("# ocr2\n\ntext\n\n<!-- results -->\n\n### `fox`: Fox pages\n")
        assert told.endswith("with ocr2 0.1.0, python 3.11.7\n\n<!-- /results -->\n\n## After\n")
        assert "old" not in told


@pytest.mark.parametrize(
    "readme",
    [
        README.replace("<!-- results -->\n", ""),
        README.replace("<!-- /results -->\n", ""),
        README + "<!-- results -->\n",
        "<!-- /results -->\n<!-- results -->\n",
    ],
)
def test_a_readme_without_markers_is_left_alone(tmp_path: Path, readme: str) -> None:
    (tmp_path / "README.md").write_text(readme)
    one = outcome(tmp_path / "1.json", "nano", table("Pages", "measure nano", "edit 0.03"))
    done = run(one, "--readme", tmp_path / "README.md")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("results.py: expected one line <!-- results -->")
    assert (tmp_path / "README.md").read_text() == readme


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": None}, "is no outcome, for it has no title"),
        ({"machine": []}, "is no outcome, for it has no machine"),
        ({"tables": {}}, "is no outcome, for it has no tables"),
        ({"tables": [{}]}, "table 1: expected a table"),
    ],
)
def test_what_is_no_outcome(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    done = run(outcome(tmp_path / "1.json", "nano", **change))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    (tmp_path / "1.json").write_text("{")
    assert "is no JSON" in run(tmp_path / "1.json").stderr
    assert "can't be read" in run(tmp_path / "2.json").stderr
