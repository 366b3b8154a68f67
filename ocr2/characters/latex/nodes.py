"""What a formula is made of."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Sign(NamedTuple):
    """A letter, digit, mark or named sign, in a font."""

    name: str
    font: str = ""
    """"mathbf", or two: "boldsymbol mathcal"."""


class Space(NamedTuple):
    """A gap."""

    em: float


class Upright(NamedTuple):
    """Upright letters or words."""

    text: str
    operator: bool = False
    """Whether it keeps its distance from other words."""


class Styled(NamedTuple):
    """Words in another cut: "textbf"."""

    text: str
    command: str


class Call(NamedTuple):
    """A command and what it applies to."""

    name: str
    args: tuple[Row, ...]
    option: Row | None = None


class Scripts(NamedTuple):
    """What has something below or above."""

    base: Node | None
    sub: Row
    sup: Row
    limits: str = ""


class Fence(NamedTuple):
    """What stands between two delimiters that are as high as it is; "." is none."""

    left: str
    inner: Row
    right: str


class Middle(NamedTuple):
    """A delimiter within a fence, as high as it is."""

    sign: str


class Sized(NamedTuple):
    """A delimiter with a size of its own: "big"."""

    size: str
    side: str
    sign: str


class Table(NamedTuple):
    """Rows of cells: an environment."""

    name: str
    columns: str
    rows: tuple[tuple[Row, ...], ...]
    rules: tuple[str, ...] = ()
    """The rules above each row, and those below the last."""


class Tag(NamedTuple):
    """The number of a formula."""

    text: str


Node: TypeAlias = Sign | Space | Upright | Styled | Call | Scripts | Fence | Middle | Sized | Table | Tag
Row: TypeAlias = tuple[Node, ...]
