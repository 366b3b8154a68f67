"""`ocr2 check`: a table, what doesn't match, and a status."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from text_helpers import write_corpus

from ocr2.cli import commands
from ocr2.data import reread

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return str(write_corpus(Path(tmp_path_factory.mktemp("corpus"))))


def told(*args):
    return CliRunner().invoke(commands, ["check", *args])


def test_what_is_right_passes(corpus, tmp_path):
    sheet = tmp_path / "wrong.png"
    found = told("formula,word-en", "--count", "3", "--corpus", corpus, "--preview", str(sheet))
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert lines[0].split() == ["kind", "checked", "mismatches", "how"]
    assert lines[1].split()[:3] == ["formula", "3", "0"] and "mathra" in lines[1]
    assert lines[2].split()[:3] == ["word-en", "3", "0"] and not sheet.exists()


def test_mismatches_are_named_and_shown(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(reread, "_missing", lambda text, reading: reread.Counter(["vanished"]))
    sheet = tmp_path / "wrong.png"
    found = told("word-en", "--count", "2", "--corpus", corpus, "--preview", str(sheet))
    assert found.exit_code == 1
    assert "word-en 1: not read: vanished" in found.output
    with Image.open(sheet) as shown:
        assert shown.width > 500


def test_unknown_kinds_are_told():
    found = told("pages")
    assert found.exit_code == 2 and "no kind pages" in found.output
