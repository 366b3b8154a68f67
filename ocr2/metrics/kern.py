r"""Error rates of music in Humdrum **kern: edits of characters, symbols and lines, over how many there should be.

    pages = [counts(predicted, truth) for predicted, truth in samples]
    rates(pages)  # {"character_error": 0.043, "symbol_error": 0.052, "line_error": 0.131}

Source: GrandStaff's CER, SER and LER, as the authors' script has them (A. Ríos-Vila et al., "Sheet Music Transformer",
2024; SMT's `eval_functions.py`). Texts are compared as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ocr2.metrics import levenshtein

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Edits(NamedTuple):
    """Of a text, or of several."""

    edits: int
    """The least number of parts to insert, delete or replace."""
    length: int
    """The parts of the truth."""

    @property
    def rate(self) -> float:
        """The edits over the length, which may be more than 1. Of no parts it is 0 if none were read, else 1."""
        return self.edits / self.length if self.length else float(self.edits > 0)


def counts(predicted: str, truth: str) -> dict[str, Edits]:
    """The edits of characters, symbols and lines in a text, as "character_error", "symbol_error" and "line_error"."""
    return {
        "character_error": Edits(levenshtein(predicted, truth), len(truth)),
        "symbol_error": _counted(symbols(predicted), symbols(truth)),
        "line_error": _counted(predicted.split("\n"), truth.split("\n")),
    }


def rates(samples: Iterable[Mapping[str, Edits]]) -> dict[str, float]:
    """All samples' edits over all samples' length, by the names that `counts` gives: the published script prints them
    times 100. Long samples thus weigh more. Without samples it is {}.
    """
    sums: dict[str, Edits] = {}
    for sample in samples:
        for name, found in sample.items():
            edits, length = sums.get(name, (0, 0))
            sums[name] = Edits(edits + found.edits, length + found.length)
    return {name: found.rate for name, found in sums.items()}


def symbols(text: str) -> list[str]:
    """What stands between blanks, as each note of a chord does; a tab and the end of a line is one too."""
    return text.replace("\n", " <b> ").replace("\t", " <t> ").split(" ")


def _counted(predicted: list[str], truth: list[str]) -> Edits:
    return Edits(levenshtein(predicted, truth), len(truth))
