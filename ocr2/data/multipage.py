"""A few pages read together as one text (GOT §3.4.3).

    engine = Multipage(Lines(Corpus(["/data/texts"]), "page", "en", seed=7, most=1200), seed=7)
    engine[123]    # two to eight short pages in a row, and their texts

Paper: two to eight pages, each of less than 650 tokens, less than 8 K in all. Sample i takes its pages from a dozen
that are its own, in their order, leaving out those that are too long or can't be made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sized
from random import Random
from typing import TYPE_CHECKING, Any

from ocr2.data.crops import BREAK, one_page
from ocr2.data.origin import origin, told
from ocr2.errors import BadInput, OcrError
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from ocr2.types import Source

FEWEST, MOST = 2, 8
"""Pages of a sample."""
MOST_TOKENS = 650
"""Of a page: it has fewer."""
MOST_IN_ALL = 8000
AMONG = 12
"""Pages that a sample's are taken from."""
_WORDS = re.compile(r"[A-Za-z]+|[^\W\d_A-Za-z]|\d|\s+|.", re.DOTALL)


def estimate(text: str) -> int:
    """How many tokens the text is, about, and rather more than less than Qwen's tokenizer finds, on random text too."""
    count = 0.0
    for found in _WORDS.findall(text):
        if found.isspace():
            count += 0 if found == " " else 1
        else:
            count += math.ceil(len(found) / 6) if found.isascii() else 1
    return math.ceil(1.25 * count)


class Multipage:
    """Short pages of an engine, a few at a time, as endless as that is; no page comes twice."""

    def __init__(self, pages: Source, seed: int, count: Callable[[str], int] = estimate, among: int = AMONG) -> None:
        """Of an engine of pictures of one page each; `count` says how many tokens a text is. Raises BadInput."""
        if among < FEWEST:
            raise BadInput(f"among={among}: expected at least {FEWEST} pages to take some from")
        self.pages, self.seed, self.count, self.among = pages, seed, count, among

    @staticmethod
    def of(pages: Source, seed: int, count: Callable[[str], int] = estimate, among: int = AMONG) -> Multipage:
        """With a `len` where the engine has one. Raises BadInput."""
        return (FiniteMultipage if isinstance(pages, Sized) else Multipage)(pages, seed, count, among)

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        return f"multipage/{self.among}/{self.seed}/{getattr(self.pages, 'identity', '')}"

    def __getitem__(self, index: int) -> Sample:
        """Two to eight of pages `among`·index and those after it, and their texts. Raises BadInput where there are
        fewer that are short enough.
        """
        wanted = Random(f"multipage/{self.seed}/{index}").randint(FEWEST, MOST)
        pages: list[Sample] = []
        total, why = 0, ""
        for n in range(self.among):
            try:
                page = one_page(self.pages[index * self.among + n])
            except OcrError as error:
                why = str(error)
                continue
            tokens = self.count(page.text)
            if tokens >= MOST_TOKENS or total + tokens + len(pages) >= MOST_IN_ALL:
                why = f"page {index * self.among + n} has {tokens} tokens"
                continue
            pages.append(page)
            total += tokens
            if len(pages) == wanted:
                break
        if len(pages) < FEWEST:
            raise BadInput(
                f"{len(pages)} of {self.among} pages can be read together: expected {FEWEST} of less than "
                f"{MOST_TOKENS} tokens (the last that can't: {why})"
            )
        kinds = {page.kind for page in pages}
        where = origin("multipage", self.seed, index, pages=[told(page.origin) for page in pages])
        prompt = Prompt(pages=len(pages))
        text = BREAK.join(page.text for page in pages)
        return Sample(
            tuple(page.images[0] for page in pages), prompt, text, kinds.pop() if len(kinds) == 1 else "document", where
        )


class FiniteMultipage(Multipage):
    """Short pages of an engine that has a `len`, a few at a time."""

    pages: Any

    def __len__(self) -> int:
        """As many as there are dozens of pages."""
        return len(self.pages) // self.among
