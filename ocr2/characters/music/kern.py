"""Humdrum **kern as text: columns, which may split and join, of tokens; a source is checked before it is drawn.

    for row in rows(source): ...   # each line with as many columns as it must have
    checked(source)                # as the engraver takes it

A column that is missing ends the engraver's process, and a token that it doesn't know is drawn as something else: both
are told here instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 5000
MOST_COLUMNS = 24
LONGEST = 200
"""Characters of the longest token."""
_NOTE = re.compile(
    r"""(?P<value>\d+(%[1-9]\d*)?\.{0,3})?(?P<pre>[qQpP]*)
        (?P<pitch>(?P<letter>[a-gA-G])(?P=letter){0,4}|r[a-gA-G]{0,5})(?P<sign>\#{1,3}|-{1,3}|n)?""",
    re.VERBOSE,
)
_SIGNS = re.compile(r"""[\[\]_(){}&<>/\\LJKk'"`^~;:,TtMmWwSsO$uvozZxXyYqQpPiIjlNUVhHR+@|?nA]*""")
"""What may stand around a note: ties, slurs, stems, beams, articulations, ornaments, editors' signs."""
_VALUE = re.compile(r"\d+(%\d+)?\.*")
_UNVALUED = re.compile(r"^[^\da-gA-G]*(?=[a-gA-G][^\dqQ]*$)")
"""What stands before the pitch of a note that has no value, and is no grace note."""
_TOKENISED = re.compile(r"\*\*b?e?kern(_\d+\.\d+)?$")


class Column(NamedTuple):
    """A spine, or what it was split into."""

    spine: int
    """Which of the first line's it comes from; columns that were added later have numbers of their own."""
    kind: str
    """Its exclusive interpretation, as in `**kern`."""


class Row(NamedTuple):
    """A line that has as many tokens as there are columns."""

    number: int
    """From 1."""
    tokens: list[str]
    columns: list[Column]
    """Before the line; what it splits and joins is so for the next one."""


def rows(source: str) -> Iterator[Row]:
    """The lines but comments and blank ones. Raises BadInput where the columns of one aren't those that there are."""
    columns: list[Column] = []
    added = 1 << 16
    ended = False
    for number, line in enumerate(source.splitlines(), 1):
        text = line.rstrip("\r\n")
        if not text.strip() or text.startswith("!!"):
            continue
        tokens = text.rstrip(" ").split("\t")
        if not columns:
            if ended:
                raise BadInput(f"kern line {number}: {text[:40]!r} after all columns have ended with *-")
            columns = _opened(number, tokens)
            yield Row(number, tokens, columns)
            continue
        if len(tokens) != len(columns):
            raise BadInput(
                f"kern line {number} has {len(tokens)} columns: expected {len(columns)}, with tabs between them, "
                "as *^, *v, *+ and *- before it say"
            )
        if tokens[0].startswith("!") and all(token.startswith("!") for token in tokens):
            continue
        yield Row(number, tokens, columns)
        if tokens[0].startswith("*"):
            columns, added = _changed(number, tokens, columns, added)
            ended = not columns
    if not columns and not ended:
        raise BadInput("no **kern in the source: expected a line of **kern, one for each staff, with tabs between them")


def _opened(number: int, tokens: list[str]) -> list[Column]:
    if not all(re.match(r"\*\*\S", token) for token in tokens):
        raise BadInput(
            f"kern line {number} is {tokens[0][:40]!r}: expected **kern, one for each staff, before all else"
        )
    if not any(_TOKENISED.match(token) for token in tokens):
        raise BadInput(f"kern line {number} has {', '.join(tokens)[:60]}: expected a column of **kern")
    if len(tokens) > MOST_COLUMNS:
        raise BadInput(f"a score of {len(tokens)} columns: expected up to {MOST_COLUMNS}")
    return [Column(n, token) for n, token in enumerate(tokens)]


def _changed(number: int, tokens: list[str], columns: list[Column], added: int) -> tuple[list[Column], int]:
    """The columns after a line of interpretations. Raises BadInput for what can't be split or joined."""
    after: list[Column] = []
    place = 0
    while place < len(tokens):
        token, column = tokens[place], columns[place]
        alike = 1
        if token in ("*v", "*x"):
            alike = _alike(number, tokens, columns, place)
            after += [column] if token == "*v" else [columns[place + 1], column]  # noqa: S105 no password
        elif token == "*^":  # noqa: S105
            after += [column, column]
        elif token == "*+":  # noqa: S105
            after += [column, Column(added, "**")]
            added += 1
        elif token.startswith("**"):
            after.append(Column(column.spine, token))
        elif token != "*-":  # noqa: S105
            after.append(column)
        place += alike
    if len(after) > MOST_COLUMNS:
        raise BadInput(f"kern line {number}: {len(after)} columns, expected up to {MOST_COLUMNS}")
    return after, added


def _alike(number: int, tokens: list[str], columns: list[Column], place: int) -> int:
    """How many columns from a *v or *x on belong together. Raises BadInput for one alone."""
    if tokens[place] == "*x":
        if tokens[place + 1 : place + 2] != ["*x"]:
            raise BadInput(f"kern line {number}: *x in column {place + 1} alone, expected two side by side")
        return 2
    end = place
    while end < len(tokens) and tokens[end] == "*v" and columns[end].spine == columns[place].spine:
        end += 1
    if end == place + 1:
        raise BadInput(f"kern line {number}: *v in column {end} alone, expected the parts of a spine side by side")
    return end - place


def checked(source: str) -> str:
    """The source as the engraver takes it: plain line ends, the tokenised spellings of **kern (`2·cc·#`) as **kern, a
    value for every note of a chord (`8C CC` is `8C 8CC`), and *- at its end. Raises BadInput for wrong columns and for
    tokens that are no notes.
    """
    lines = source.strip("\n\r \ufeff").splitlines()
    if len(lines) > MOST_LINES:
        raise BadInput(f"a score of {len(lines)} lines: expected up to {MOST_LINES}")
    if re.search(r"^\*\*b?e?kern", source, re.MULTILINE) and re.search("[·@]", source):
        lines = [line if line.startswith("!") else re.sub("[·@]", "", line) for line in lines]
    last: Row | None = None
    for row in rows("\n".join(lines)):
        _check(row)
        if row.tokens[0][:1] not in "*=":
            lines[row.number - 1] = _valued(row)
        last = row
    assert last
    after = last.columns
    if last.tokens[0].startswith("*") and not last.tokens[0].startswith("**"):
        after, _ = _changed(last.number, last.tokens, last.columns, 1 << 20)
    told = [line.rstrip(" ") for line in lines if line.strip()]
    told = [re.sub(r"\*\*b?e?kern(_\d+\.\d+)?(?=\t|$)", "**kern", line) for line in told]
    return "\n".join([*told, *(["\t".join(["*-"] * len(after))] if after else [])]) + "\n"


def _valued(row: Row) -> str:
    """A line in which notes of a chord that have no value have the first one's."""
    pairs = zip(row.tokens, row.columns, strict=True)
    return "\t".join(_chord(token) if _TOKENISED.match(column.kind) else token for token, column in pairs)


def _chord(token: str) -> str:
    first, *others = token.split(" ")
    value = _VALUE.search(first)
    if not value:
        return token
    return " ".join([first, *(_UNVALUED.sub(rf"\g<0>{value[0]}", other) for other in others)])


def _check(row: Row) -> None:
    """Raises BadInput for a line that mixes kinds of tokens, or has one that is no note."""
    first = row.tokens[0][:1]
    for place, (token, column) in enumerate(zip(row.tokens, row.columns, strict=True), 1):
        where = f"kern line {row.number}, column {place}"
        if len(token) > LONGEST:
            raise BadInput(f"{where}: a token of {len(token)} characters, expected up to {LONGEST}")
        if (first in "*=") != (token[:1] in "*=") or (first in "*=" and token[:1] != first):
            raise BadInput(
                f"{where}: {token[:40]!r} in a line that begins with {row.tokens[0][:40]!r}: expected one kind"
            )
        if first not in "*=" and _TOKENISED.match(column.kind) and token != ".":  # noqa: S105
            for part in _chord(token).split(" "):
                if told := wrong(part):
                    raise BadInput(f"{where}: {part[:40]!r} {told}")


def wrong(token: str) -> str:
    """What is wrong with one note or rest of a token; "" where nothing is."""
    found = _NOTE.search(token)
    while found and not found["pitch"]:
        found = _NOTE.search(token, found.end())
    if not found:
        return "is no note: expected a value and a pitch, as in 4cc#, a rest, as in 8r, or ."
    around = token[: found.start()] + " " + token[found.end() :]
    value = found["value"]
    if not value:
        loose = _VALUE.search(around)
        value = loose[0] if loose else ""
        around = around.replace(value, "", 1)
    if not value and not re.search("[qQ]", token):
        return "has no value: expected one before the pitch, as in 4cc#"
    if value and int(re.split(r"[.%]", value)[0]) > 1024:
        return "is shorter than any note: expected values up to 1024"
    for part in around.split():
        if not _SIGNS.fullmatch(part):
            return f"has {_SIGNS.sub('', part, count=1)[:10] or part[:10]!r} in it, which is no sign of **kern"
    return ""
