"""Chinese words, held against those that jieba cuts."""

import random
import warnings

import pytest

from ocr2.metrics.chinese import words

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jieba

    jieba.setLogLevel("ERROR")

PAGE = """北京大学的研究生命起源。他来到了网易杭研大厦，小明硕士毕业于中国科学院计算所，后在日本京都大学深造。
結婚的和尚未結婚的，乒乓球拍卖完了 1,234.5 元（约 12%），GPT-4 和 C++ 的 OCR_2.0 & 表格#3，见 a.b-c。
阿布都热西提·买买提说：“葛优躺”于２０２４年走红\u3000龘靐齉爩。\t末行\r\n完"""


def test_a_page_is_cut_as_jieba_cuts_it() -> None:
    assert words(PAGE) == jieba.lcut(PAGE)
    assert "".join(words(PAGE)) == PAGE and "北京大学" in words(PAGE)


@pytest.mark.parametrize("seed", range(6))
def test_any_text_is_cut_as_jieba_cuts_it(seed: int) -> None:
    rng = random.Random(seed)
    jieba.initialize()
    known = [word for word, count in jieba.dt.FREQ.items() if count]
    signs = (
        PAGE,  # characters that are often words, and marks
        [chr(code) for code in range(0x4E00, 0xA000)],  # rare ones, some beyond what jieba takes for Chinese
        "的一是不了在 abcXYZ0129.%+-#&_\r\n\t\x85\u3000",
        known,
    )
    for _ in range(40):
        text = "".join(part for kind in rng.choices(signs, k=4) for part in rng.choices(kind, k=rng.randrange(40)))
        assert words(text) == jieba.lcut(text)


def test_what_is_in_no_dictionary_is_cut_in_one_go() -> None:
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))
    assert words(rare) == jieba.lcut(rare)
    assert words("") == [] == jieba.lcut("")
    assert words("\ud800中") == ["\ud800", "中"]
