"""Phrases are cut where no marks are, have as many words as were asked for, and are never empty."""

from __future__ import annotations

from random import Random

import pytest

from ocr2.data import phrases

ENGLISH = 'He said: "Some years ago — never mind how long (precisely) -- I sailed off." Twice, in 1851!'
CHINESE = "关关雎鸠，在河之洲；窈窕淑女，君子好逑。GB 7714 参差荇菜"


def test_english_phrases_have_no_marks_where_there_is_room() -> None:
    found = {phrases.english(Random(seed), ENGLISH, 2) for seed in range(300)}
    sailed = {"I sailed", "sailed off"}
    assert found == {"He said", "Some years", "years ago", "never mind", "mind how", "how long", "in 1851"} | sailed
    assert {phrases.english(Random(seed), ENGLISH, 4) for seed in range(99)} == {"never mind how long"}
    assert {phrases.english(Random(seed), "off.", 1) for seed in range(9)} == {"off"}


def test_longer_ones_go_over_marks_but_have_none_at_their_ends() -> None:
    found = {phrases.english(Random(seed), ENGLISH, 6) for seed in range(300)}
    assert "Some years ago never mind how" in found and 'long (precisely) I sailed off." Twice' in found
    assert all(len(text.split(" ")) == 6 and text[0].isalnum() and text[-1].isalnum() for text in found)
    assert phrases.english(Random(0), ENGLISH, 50).startswith("He said")
    assert phrases.english(Random(0), "— -- …", 2) == ""


def test_chinese_phrases_are_so_many_characters() -> None:
    found = {phrases.chinese(Random(seed), CHINESE, 3) for seed in range(300)}
    assert found == {
        text[n : n + 3] for text in ("关关雎鸠", "在河之洲", "窈窕淑女", "君子好逑", "参差荇菜") for n in (0, 1)
    }
    longer = {phrases.chinese(Random(seed), CHINESE, 6) for seed in range(300)}
    assert "关关雎鸠，在河" in longer and "君子好逑。GB 7714 参差" in longer
    assert phrases.chinese(Random(0), CHINESE, 99) == CHINESE and phrases.chinese(Random(0), "none", 2) == ""


@pytest.mark.parametrize(("cut", "text"), [(phrases.english, ENGLISH), (phrases.chinese, CHINESE)])
def test_every_place_comes(cut, text: str) -> None:
    """As often as others, roughly: not all from the first stretch that is long enough."""
    counts: dict[str, int] = {}
    for seed in range(2000):
        found = cut(Random(seed), text, 1)
        counts[found] = counts.get(found, 0) + 1
    assert max(counts.values()) < 5 * min(counts.values())
