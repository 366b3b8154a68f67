"""Measures of words, held against nltk, jieba, sacrebleu and the numbers that the published scripts print."""

import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ocr2.metrics.words import bleu, meteor, set_scores, suite

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jieba
    import nltk
    from nltk.metrics import f_measure, precision, recall
    from nltk.translate.meteor_score import meteor_score

    jieba.setLogLevel("ERROR")

WORDS = ["the", "The", "running", "runs", "run", "easily", "easy", "cat", "cats", "Cat", "sat", "on", "x", "12", "I'm"]
WORDS += ["feline_beast", "naïvetés", "中国", "中国s", "Ω"]


class Thesaurus:
    """What nltk asks of WordNet: stems that share a meaning, some of them more than one."""

    GROUPS = (("cat", "run", "feline_beast"), ("cat", "sat", "x"), ("easili", "easi", "the"))

    def synsets(self, word: str) -> list[Any]:
        def lemma(name: str) -> Any:
            return SimpleNamespace(name=lambda: name)

        return [
            SimpleNamespace(lemmas=lambda group=group: [lemma(name) for name in group])
            for group in self.GROUPS
            if word in group
        ]


class Nothing:
    def synsets(self, _: str) -> list[Any]:
        return []


def nltk_bleu(predicted: list[str], truth: list[str]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of orders in which nothing is right
        return float(nltk.translate.bleu([truth], predicted))


def pairs(seed: int, count: int, most: int) -> list[tuple[list[str], list[str]]]:
    """Texts of few words, so that most come several times, and some of the predictions are near the truth."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        some = rng.sample(WORDS, rng.randint(1, len(WORDS)))
        truth = rng.choices(some, k=rng.randint(1, most))
        near = [rng.choice(WORDS) if rng.random() < 0.2 else word for word in truth if rng.random() < 0.9]
        found.append((near if rng.random() < 0.5 and near else rng.choices(WORDS, k=rng.randint(1, most)), truth))
    return found


def test_bleu_is_nltks() -> None:
    for predicted, truth in pairs(1, 400, 60):
        assert bleu(predicted, truth) == pytest.approx(nltk_bleu(predicted, truth), rel=1e-12, abs=0)
    assert bleu([], ["a"]) == 0 == bleu(["a"], [])


def test_bleu_of_short_texts_is_sacrebleus_of_the_orders_there_are() -> None:
    sacrebleu = pytest.importorskip("sacrebleu", reason="pip install sacrebleu")
    reference = sacrebleu.BLEU(effective_order=True, smooth_method="none", tokenize="none")
    seen = 0
    for predicted, truth in pairs(2, 400, 9):
        if len(predicted) <= len(truth):
            one, other = " ".join(predicted), " ".join(truth)
            seen += len(predicted) < 4
            found = suite(one, other, tokens="words") or {}
            if "中" not in other:
                assert found["bleu"] == pytest.approx(reference.sentence_score(one, [other]).score / 100, abs=1e-9)
    assert seen > 20


@pytest.mark.parametrize("wordnet", [None, Thesaurus()], ids=["stems", "synonyms"])
def test_meteor_is_nltks(wordnet: Any) -> None:
    for predicted, truth in pairs(3, 400, 60):
        theirs = meteor_score([truth], predicted, wordnet=wordnet or Nothing())
        assert meteor(predicted, truth, wordnet) == pytest.approx(theirs, rel=1e-12, abs=0)
    assert meteor([], ["a"]) == 0 == meteor(["a"], [])


def test_synonyms_count_in_meteor_where_they_are_known() -> None:
    ours, theirs = ["a", "running", "cat"], ["a", "running", "sat"]
    assert meteor(ours, theirs, Thesaurus()) == pytest.approx(1 - 0.5 / 27)
    assert meteor(ours, theirs) == pytest.approx((1 - 0.5 / 8) * 2 / 3)


def test_sets_are_nltks() -> None:
    for predicted, truth in pairs(4, 200, 20):
        ours, theirs = set(predicted), set(truth)
        assert set_scores(predicted, truth) == {
            "f1": pytest.approx(f_measure(theirs, ours)),
            "precision": precision(theirs, ours),
            "recall": recall(theirs, ours),
        }
    assert set(set_scores([], []).values()) == {1.0}
    assert set(set_scores(["a"], []).values()) == {0.0} == set(set_scores([], ["a"]).values())


def printed(answer: str, label: str, tokens: str) -> dict[str, float]:
    """What the published scripts print of one sample: they call metrics(label, answer), where it says (pred, gt)."""
    chinese = any("\u4e00" <= char <= "\u9fa5" for char in label + answer)
    split = list if tokens == "characters" else jieba.lcut if chinese else str.split
    reference, hypothesis = split(answer), split(label)
    wrong = nltk.edit_distance(label, answer) / max(len(label), len(answer))
    return {
        "edit_distance": wrong,
        "bleu": nltk_bleu(hypothesis, reference),
        "meteor": meteor_score([reference], hypothesis, wordnet=Nothing()),
        "f1": f_measure(set(reference), set(hypothesis)),
        "precision": precision(set(reference), set(hypothesis)),
        "recall": recall(set(reference), set(hypothesis)),
    }


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_published_is_what_the_scripts_print(tokens: Any) -> None:
    for ours, theirs in pairs(5, 60, 12):
        rng = random.Random(len(ours))
        answer, label = rng.choice((" ", "\n")).join(ours), " ".join(theirs)
        wanted = {name: pytest.approx(each, rel=1e-12, abs=0) for name, each in printed(answer, label, tokens).items()}
        found = suite(answer, label, tokens=tokens, published=True) or {}
        assert {name: score for name, score in found.items() if name != "meteor_wordnet"} == wanted


def test_a_truncated_answer() -> None:
    answer, label = "a b c d", "a b c d e f g h"
    published, corrected = suite(answer, label, published=True) or {}, suite(answer, label) or {}
    assert (published["precision"], published["recall"]) == (0.5, 1.0)
    assert (corrected["precision"], corrected["recall"]) == (1.0, 0.5)
    assert published["bleu"] == pytest.approx(0.3457, abs=5e-5) and corrected["bleu"] == pytest.approx(0.3679, abs=5e-5)
    assert published["meteor"] > corrected["meteor"]
    for name in ("edit_distance", "f1"):
        assert published[name] == corrected[name]


def test_short_text_in_scenes() -> None:
    published = suite("abc", "abc", tokens="characters", published=True) or {}
    assert 1e-78 < published["bleu"] < 1e-76
    assert (suite("abc", "abc", tokens="characters") or {})["bleu"] == pytest.approx(1.0)
    assert (suite("abcd", "abc", tokens="characters") or {})["bleu"] == pytest.approx(
        (3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3)
    )


def test_the_truth_alone_decides_how_words_are_cut() -> None:
    truth, stray = "It is so.", "It is so. 中"
    assert (suite(stray, truth) or {})["precision"] == 3 / 4
    found = suite(stray, truth, published=True) or {}
    assert found["recall"] == 5 / 6  # that is, precision: "It", "is", "so", the full stop and blanks of six words
    assert (suite("研究生命", "研究生命") or {})["recall"] == 1
    assert (suite("研究", "研究 生命") or {})["recall"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_empty_texts(tokens: Any) -> None:
    right, wrong = (suite(text, "", tokens=tokens) or {} for text in ("", "a"))
    assert right.pop("edit_distance") == 0 and set(right.values()) == {1.0}
    assert wrong == suite("", "a", tokens=tokens) and wrong["edit_distance"] == 1
    assert {score for name, score in wrong.items() if name != "edit_distance"} == {0.0}
    assert list(suite("a b", "a b", tokens=tokens) or {}) == list(wrong)
    for pair in (("", ""), ("a", ""), ("", "a")):
        assert suite(*pair, tokens=tokens, published=True) is None


def test_blanks_are_no_words() -> None:
    assert suite(" \n", " ") == suite("", "")
    assert suite(" ", "a b") == suite("", "a b")
    assert suite("a", " ", published=True) is None
    assert (suite("\n", "中", published=True) or {})["f1"] == 0  # jieba makes a word of it


def seconds(call: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def test_one_word_over_and_over_takes_time_in_proportion() -> None:
    def loop(count: int) -> float:
        return seconds(lambda: meteor(["word"] * count, ["Word", "words"] * count, Thesaurus()))

    assert meteor(["no"] * 5000, ["no"] * 5000) == pytest.approx(1)
    assert loop(40_000) < 24 * loop(5000)  # 8 in proportion, 64 by the square


def run(code: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env={**os.environ, **more}
    )
    return done.stdout.strip() or done.stderr.strip()


def test_wordnet_is_used_and_named_where_it_is(tmp_path: Path) -> None:
    root = tmp_path / "corpora" / "wordnet"
    root.mkdir(parents=True)
    for kind in ("noun", "verb", "adj", "adv"):
        for name in (f"index.{kind}", f"data.{kind}", f"{kind}.exc"):
            (root / name).touch()
    for name in ("cntlist.rev", "index.sense"):
        (root / name).touch()
    (root / "lexnames").write_text("00\tnoun.all\t1\n")
    (root / "data.noun").write_text("00000000 00 n 02 car 0 automobil 0 000 | what we drive\n")
    (root / "index.noun").write_text("car n 1 0 1 0 00000000\nautomobil n 1 0 1 0 00000000\n")
    code = (
        "from ocr2.metrics.words import suite\n"
        "for published in (False, True):\n"
        "    found = suite('my automobile', 'my cars', published=published)\n"
        "    print(found['meteor'], found.get('meteor_wordnet'))\n"
        "print('meteor_wordnet' in suite('', 'a'))"
    )
    assert run(code, NLTK_DATA=str(tmp_path)) == "0.25 0.9375\n0.25 0.9375\nTrue"


def test_what_is_missing_is_told() -> None:
    code = (
        "import sys; sys.modules['nltk'] = sys.modules['jieba'] = None\n"
        "from ocr2.errors import MetricMissing\n"
        "from ocr2.metrics.words import bleu, set_scores, suite\n"
        "assert bleu(['a'], ['a'], 1) == set_scores('a', 'a')['f1'] == 1\n"
        "for text in ('a', '中文'):\n"
        "    try: suite(text, text)\n"
        "    except MetricMissing as error: print(error)"
    )
    first, second = run(code).splitlines()
    assert first == "nltk isn't installed: pip install 'ocr2[eval]'"
    assert second == "jieba isn't installed: pip install 'ocr2[eval]'"
