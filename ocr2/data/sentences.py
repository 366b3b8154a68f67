"""Sentences of no sense, in English and Chinese, that look like running text and can't be guessed.

    English(words).sentence(Random(7))    # The harbour quietly mentioned 14 weeks, but she may lesson under the Poland.

Words come as often as they are given; a small grammar sets them in an order, with names, numbers and all the marks that
prose has. A word's class is guessed by its ending in English, and is given in Chinese.
"""

from __future__ import annotations

import re
from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from ocr2.characters.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

_DETERMINERS = ("the", "the", "the", "the", "a", "a", "this", "that", "his", "her", "its", "our", "their", "every")
_PREPOSITIONS = ("of", "of", "of", "in", "in", "to", "for", "on", "with", "at", "by", "from", "into", "over", "under")
_PRONOUNS = ("he", "she", "it", "they", "we", "you", "I", "who", "which", "there")
_JOINTS = (", and", ", and", ", but", " because", " when", " while", " that", ", which", ";", ":", " —", ", so", " if")
_AUXILIARIES = ("will", "would", "can", "could", "may", "must", "should", "did not", "do", "might", "cannot")
_TITLES = ("Mr.", "Mrs.", "Dr.", "Miss", "Sir", "Captain", "Professor")
_FUNCTION = frozenset(
    re.findall(
        r"\S+",
        "the a an this that these those his her its our their my your every some any no each of in to for on with at "
        "by from into over under about after before between during through against without he she it they we you i "
        "who which there and or but because if when while as than so not is are was were be been being am has have "
        "had will would can could may must should shall might do does did him them me us what how why where then all "
        "only just also up out more most it's don't i'm that's he's didn't can't you're i've doesn't isn't she's "
        "wasn't there's ",
    )
)
_PROPER = frozenset(
    re.findall(
        r"\S+",
        "monday tuesday wednesday thursday friday saturday sunday january february april june july august september "
        "october november december christmas easter english french german american british european chinese japanese "
        "russian italian spanish indian african asian america england france germany china japan russia italy spain "
        "india africa europe asia canada australia london paris york california texas washington scotland ireland "
        "wales boston chicago berlin rome john james david robert michael william george thomas charles mary "
        "elizabeth peter paul joseph henry jack anna sarah google facebook twitter internet olympic oxford cambridge "
        "harvard christian jewish catholic islamic roman greek netherlands poland sweden norway brazil mexico egypt "
        "turkey korea vietnam pakistan florida virginia manchester liverpool sydney toronto atlantic pacific jesus "
        "christ shakespeare ",
    )
)
_RUDE = re.compile(
    "fuck|shit|cunt|nigg|fag|bitch|slut|whore|porn|rape|rapist|pussy|dick|cock|twat|wank|penis|vagina|sex|nude|tits|boob"
    "|jizz|nazi|hitler|asshole"
)
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢"
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉力健世广志义兴良海山仁波宁贵福生龙元全胜学祥才发武"
)
_GIVEN += (
    "新利清飞彬富顺信子成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆磊民友裕河哲江超浩亮"
)
_PERSONS = ("他", "我", "你", "她", "它", "我们", "他们", "大家", "自己", "这些", "有人", "谁", "双方", "各方", "该处")
_LINKS = (
    "但是",
    "因此",
    "而且",
    "所以",
    "虽然",
    "如果",
    "由于",
    "同时",
    "然而",
    "于是",
    "此外",
    "并且",
    "其中",
    "据说",
)
_DIGITS = "〇一二三四五六七八九"
CLASSES = {"n": "n", "v": "v", "vn": "v", "a": "a", "d": "d", "ad": "d", "ns": "ns", "t": "t", "i": "i", "q": "q"}
"""Classes of Chinese words that sentences are made of, by their marks in jieba's list."""


class _Urn:
    """Words, drawn as often as their weights say."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.words = list(weights)
        self._sums = list(accumulate(weights.values()))

    def __call__(self, rng: Random) -> str:
        return self.words[bisect(self._sums, int(rng.random() * self._sums[-1]))]


class English:
    """Who makes up English sentences."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        """Of words in lower case, so frequent."""
        found: dict[str, dict[str, int]] = {"ly": {}, "ed": {}, "ing": {}, "": {}}
        for word, weight in weights.items():
            if word in _FUNCTION or _RUDE.search(word):
                continue
            ending = next(end for end in found if word.endswith(end) and (not end or len(word) > len(end) + 2))
            found[ending][self._spelled(word)] = weight
        self._adverb, self._past, self._doing, self._word = (_Urn(some or {"so": 1}) for some in found.values())

    @staticmethod
    def _spelled(word: str) -> str:
        bare = word.removesuffix("'s")
        if len(word) < 6 and not any(vowel in word for vowel in "aeiouyàâäåæèéêëíîïòóôöøùúûü"):
            return word.upper()
        return word.capitalize() if bare in _PROPER else word

    def sentence(self, rng: Random) -> str:
        """One, with its marks."""
        text = self._clause(rng)
        if rng.random() < 0.2:
            text = f"{self._place(rng)}, {text}"
        while rng.random() < 0.42:
            text += f"{rng.choice(_JOINTS)} {self._clause(rng)}"
        if rng.random() < 0.06:
            text += f" ({rng.choice((self._thing, self._place))(rng)})"
        end = rng.choices(".?!", (30, 2, 1))[0]
        if rng.random() < 0.06:
            said = f"{rng.choice(('said', 'wrote', 'added', 'asked'))} {self._name(rng)}"
            text = text.replace('"', "")
            return f'"{text[0].upper()}{text[1:]}{"," if end == "." else end}" {said}.'
        first = 1 if text[0] == '"' else 0
        return f"{text[:first]}{text[first].upper()}{text[first + 1 :]}{end}"

    def _clause(self, rng: Random) -> str:
        parts = [self._thing(rng)]
        kind = rng.random()
        if kind < 0.4:
            parts += [self._past(rng), self._thing(rng)]
        elif kind < 0.6:
            parts += [
                rng.choice(("is", "was", "are", "were")),
                (self._past, self._word, self._doing)[rng.randrange(3)](rng),
            ]
        elif kind < 0.8:
            parts += [rng.choice(_AUXILIARIES), self._word(rng), self._thing(rng)]
        else:
            parts += [rng.choice(("has", "had", "have")), self._past(rng)]
        if rng.random() < 0.15:
            parts.insert(1, self._adverb(rng))
        if rng.random() < 0.5:
            parts.append(self._place(rng))
        return " ".join(parts)

    def _place(self, rng: Random) -> str:
        if rng.random() < 0.06:
            return f"in {rng.randint(1700, 2030)}"
        return f"{rng.choice(_PREPOSITIONS)} {self._thing(rng)}"

    def _thing(self, rng: Random) -> str:
        kind, word = rng.random(), self._word(rng)
        if kind < 0.12:
            return rng.choice(_PRONOUNS)
        if kind < 0.2:
            return self._name(rng)
        if kind < 0.26:
            return f"{number(rng)} {word}"
        if kind < 0.34:
            return f"{word} and {self._word(rng)}"
        if kind < 0.38:
            return f'"{word} {self._word(rng)}"'
        if kind < 0.5:
            return word
        first = rng.choices(
            (word, f"{self._word(rng)} {word}", f"{self._word(rng)}-{word}", f"{self._doing(rng)} {word}")
        )
        text = rng.choices((first[0], word), (0.4, 0.6))[0]
        article = rng.choice(_DETERMINERS)
        return f"{'an' if article == 'a' and text[0] in 'aeioAEIO' else article} {text}"

    def _name(self, rng: Random) -> str:
        first, last = (word[0].upper() + word[1:] for word in (self._word(rng), self._word(rng)))
        initial = rng.choice("ABCDEFGHJKLMNPRSTW")
        return rng.choice((last, f"{first} {last}", f"{rng.choice(_TITLES)} {last}", f"{initial}. {last}", last))


class Chinese:
    """Who makes up Chinese sentences."""

    def __init__(self, weights: Mapping[str, Mapping[str, int]]) -> None:
        """Of words so frequent, by the classes that CLASSES has."""
        urns = {name: _Urn(weights.get(name) or {"好": 1}) for name in CLASSES.values()}
        self._noun, self._verb, self._quality, self._adverb = (urns[name] for name in ("n", "v", "a", "d"))
        self._where, self._when, self._idiom, self._unit = (urns[name] for name in ("ns", "t", "i", "q"))

    def sentence(self, rng: Random) -> str:
        """One, with its marks."""
        text = self._clause(rng)
        if rng.random() < 0.35:
            text = f"{self._opening(rng)}，{text}"
        while rng.random() < 0.55:
            mark = rng.choices("，；：", (12, 2, 1))[0]
            link = rng.choice(_LINKS) if rng.random() < 0.15 else ""
            text += f"{mark}{link}{self._clause(rng)}"
        if rng.random() < 0.05:
            text += f"（{self._thing(rng)}）"
        end = rng.choices("。？！", (30, 2, 1))[0]
        return f"{self._name(rng)}说：“{text}{end}”" if rng.random() < 0.06 else f"{text}{end}"

    def _clause(self, rng: Random) -> str:
        kind, thing = rng.random(), self._thing(rng)
        adverb = self._adverb(rng) if rng.random() < 0.4 else ""
        if kind < 0.4:
            return f"{thing}{adverb}{self._verb(rng)}{rng.choice(('', '', '了', '了', '过', '着'))}{self._thing(rng)}"
        if kind < 0.52:
            return f"{thing}{adverb or '很'}{self._quality(rng)}"
        if kind < 0.64:
            return f"{thing}{adverb}是{self._thing(rng)}"
        if kind < 0.76:
            return f"{thing}在{self._where(rng)}{adverb}{self._verb(rng)}"
        if kind < 0.84:
            return f"{thing}把{self._noun(rng)}{self._verb(rng)}了"
        if kind < 0.92:
            return f"{thing}{adverb}被{self._thing(rng)}{self._verb(rng)}"
        return f"{thing}{self._idiom(rng)}"

    def _opening(self, rng: Random) -> str:
        kind = rng.random()
        if kind < 0.3:
            return self._when(rng)
        if kind < 0.5:
            return rng.choice(_LINKS)
        if kind < 0.7:
            return f"{rng.choice(('在', '对于', '关于', '根据', '随着', '为了'))}{self._thing(rng)}"
        year = rng.randint(1700, 2030)
        month = f"{rng.randint(1, 12)}月{rng.choice(('', f'{rng.randint(1, 28)}日'))}"
        return rng.choice((f"{year}年", f"{year}年{month}", month, f"第{_DIGITS[rng.randint(1, 9)]}{self._unit(rng)}"))

    def _thing(self, rng: Random) -> str:
        kind, noun = rng.random(), self._noun(rng)
        if kind < 0.14:
            return rng.choice(_PERSONS)
        if kind < 0.2:
            return self._name(rng)
        if kind < 0.32:
            return f"{self._where(rng)}{rng.choice(('', '的'))}{noun}"
        if kind < 0.44:
            return f"{self._quality(rng)}的{noun}"
        if kind < 0.5:
            return f"{noun}{rng.choice('、和与')}{self._noun(rng)}"
        if kind < 0.56:
            return f"{rng.choice((_DIGITS[rng.randint(1, 9)], str(rng.randint(1, 999))))}{self._unit(rng)}{noun}"
        if kind < 0.58:
            return rng.choice((f"《{noun}{self._noun(rng)}》", f"“{noun}”", f"{rng.randint(1, 999) / 10}%的{noun}"))
        return noun if kind < 0.85 else f"{noun}{self._noun(rng)}"

    def _name(self, rng: Random) -> str:
        return rng.choice(_SURNAMES) + "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))


def paragraph(sentence: Callable[[Random], str], rng: Random, between: str, chosen: Callable[[str], bool]) -> str:
    """One of three to ten sentences that is chosen; only the last one is made anew until it is."""
    first = [sentence(rng) for _ in range(rng.randint(2, 9))]
    curly = rng.random() < 0.5
    while True:
        text = between.join([*first, sentence(rng)])
        if curly:
            text = text.replace(' "', " “").replace('("', "(“").replace("'", "’")
            text = ("“" + text[1:] if text[0] == '"' else text).replace('"', "”")
        if chosen(text):
            return text
