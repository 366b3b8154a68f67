"""Made-up sentences are of the words that they are given, spelled and marked as print is."""

from __future__ import annotations

import re
from random import Random

from ocr2.data.sentences import Chinese, English, paragraph

WORDS = {
    "stone": 50,
    "apple": 50,
    "london's": 20,
    "html": 20,
    "quietly": 10,
    "painted": 10,
    "singing": 10,
    "fucking": 99,
}


def test_english_sentences_are_of_the_words_given() -> None:
    english = English(WORDS)
    whole = [english.sentence(Random(seed)) for seed in range(500)]
    text = " ".join(whole)
    for word in ("stone", "apple", "London's", "HTML", "quietly", "painted", "singing", "singing stone", "Mr. Apple"):
        assert word in text
    assert "fuck" not in text.lower() and "html" not in text
    assert not re.search(r"\ba (an? |apple)|\ban (stone|HTML|London)|  | [,.;:?!]", text)
    for sentence in whole:
        first = sentence.lstrip('"')[0]
        assert first == first.upper() and sentence[-1] in ".?!" and sentence.count('"') % 2 == 0
        assert sentence.count("(") == sentence.count(")")


def test_chinese_sentences_are_of_the_words_given() -> None:
    given = {"n": "桌椅", "v": "吃", "a": "红", "d": "又", "ns": "北京", "t": "今天", "i": "一口气", "q": "个"}
    chinese = Chinese({name: {word: 1} for name, word in given.items()})
    whole = [chinese.sentence(Random(seed)) for seed in range(500)]
    text = "".join(whole)
    for words in (*given.values(), "在北京", "红的桌椅", "桌椅又吃了", "把桌椅吃了", "《桌椅桌椅》", "个桌椅"):
        assert words in text
    for sentence in whole:
        assert sentence[-1] in "。？！”" and sentence.count("“") == sentence.count("”")
        assert not re.search("[，；：。]{2}|[a-z ]", sentence)


def test_a_paragraph_changes_its_last_sentence_until_it_is_chosen() -> None:
    english, seen = English(WORDS), []

    def chosen(text: str) -> bool:
        seen.append(text)
        return len(seen) == 5

    text = paragraph(english.sentence, Random(1), " ", chosen)
    assert text == seen[-1] and len(set(seen)) == 5
    start = len(text) // 2
    assert len({each[:start] for each in seen}) == 1


def test_quotes_are_curly_or_straight_but_not_both() -> None:
    english = English(WORDS)
    texts = [paragraph(english.sentence, Random(seed), " ", lambda text: True) for seed in range(300)]
    straight = [text for text in texts if '"' in text]
    curly = [text for text in texts if "“" in text]
    assert min(len(straight), len(curly)) > 20 and not set(straight) & set(curly)
    for text in curly:
        assert re.sub("[^“”]", "", text).replace("“”", "") == "", "they open and close"
        assert "'" not in text
