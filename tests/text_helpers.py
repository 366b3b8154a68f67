"""A small corpus of two languages, written out here: sentences of public domain books."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ENGLISH = """\
It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a \
wife.
However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is \
so well fixed in the minds of the surrounding families, that he is considered as the rightful property of some one \
or other of their daughters.
When I wrote the following pages, or rather the bulk of them, I lived alone, in the woods, a mile from any neighbor, \
in a house which I had built myself, on the shore of Walden Pond, in Concord, Massachusetts, and earned my living by \
the labor of my hands only.
To Sherlock Holmes she is always the woman. I have seldom heard him mention her under any other name. In his eyes \
she eclipses and predominates the whole of her sex.
Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing \
particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.
"""
CHINESE = """\
子曰：“学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？”
道可道，非常道；名可名，非常名。无名天地之始，有名万物之母。故常无欲，以观其妙；常有欲，以观其徼。
孙子曰：兵者，国之大事，死生之地，存亡之道，不可不察也。故经之以五事，校之以计，而索其情。
关关雎鸠，在河之洲。窈窕淑女，君子好逑。参差荇菜，左右流之。窈窕淑女，寤寐求之。
北冥有鱼，其名为鲲。鲲之大，不知其几千里也。化而为鸟，其名为鹏。鹏之背，不知其几千里也；怒而飞，其翼若垂天之云。
话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚、汉分争，又并入于汉。
"""


def write_corpus(folder: Path) -> Path:
    """The folder, with a file of each language in it."""
    folder.mkdir(exist_ok=True)
    (folder / "english.txt").write_text(ENGLISH, encoding="utf-8")
    (folder / "chinese.txt").write_text(CHINESE, encoding="utf-8")
    return folder
