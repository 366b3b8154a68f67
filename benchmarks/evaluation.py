"""How fast transcripts are scored, beside the published way: nltk's and jieba's own functions.

    python benchmarks/evaluation.py [--pages 1000] [--characters 3000] [--peer 2] [--json OUT.json]

Pages are words by their frequency, half English, half Chinese, and transcripts of them with three characters in a
hundred wrong. All are scored as Fox scores them (edit distance, F1, precision, recall, BLEU, METEOR), the first --peer
of each language also by nltk, on the same core in turn. METEOR is without WordNet on both sides. nltk's edit distance
takes time and memory with the square of the characters, and refuses more than 2,000 unless it is told otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jieba
from nltk.metrics import distance, f_measure, precision, recall
from nltk.translate.bleu_score import sentence_bleu
from nltk.translate.meteor_score import meteor_score
from tqdm import tqdm
from wordfreq import top_n_list, word_frequency

from ocr2.evaluate.benchmark import Answer, Item
from ocr2.evaluate.fox import FOX
from ocr2.evaluate.run import scored

if TYPE_CHECKING:
    from collections.abc import Callable

distance.MAX_DISTANCE_INPUT_LEN = 10**9
SPEECHES = ("en", "zh")


class NoWordNet:
    """What nltk's METEOR may be given for WordNet: a dictionary without synonyms."""

    def synsets(self, word: str) -> list:
        """None."""
        return []


def pages(speech: str, count: int, characters: int) -> list[tuple[str, str]]:
    """Transcripts and truths, of so many characters each."""
    rng = random.Random(speech)
    words = top_n_list(speech, 20000)
    weights = [word_frequency(word, speech) for word in words]
    letters = sorted({letter for word in words[:2000] for letter in word})
    found = []
    for _ in range(count):
        taken = iter(rng.choices(words, weights, k=characters))
        parts, length = [], 0
        while length < characters:
            part = next(taken) + (rng.choice("，。；") if speech == "zh" else rng.choice([" ", " ", " ", ", ", ".\n"]))
            parts.append(part)
            length += len(part)
        truth = "".join(parts)[:characters]
        wrong = "".join(
            rng.choice([letter, "", rng.choice(letters)]) if rng.random() < 0.045 else letter for letter in truth
        )
        found.append((wrong, truth))
    return found


def published(predicted: str, truth: str, chinese: bool) -> dict[str, float]:
    """The same measures by nltk, as the released scripts call it, but in the right order."""
    ours, theirs = (jieba.lcut(text) if chinese else text.split() for text in (predicted, truth))
    sets = set(theirs), set(ours)
    return {
        "edit_distance": distance.edit_distance(predicted, truth) / max(len(predicted), len(truth)),
        "f1": f_measure(*sets),
        "precision": precision(*sets),
        "recall": recall(*sets),
        "bleu": sentence_bleu([theirs], ours),
        "meteor": meteor_score([theirs], ours, wordnet=NoWordNet()),
    }


def timed(call: Callable[[], dict]) -> tuple[float, dict]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def measure(speech: str, count: int, characters: int, peer: int) -> dict:
    """Seconds a page, ours and theirs, and by how much the scores differ at most."""
    ours, same, theirs, worst = [], [], [], 0.0
    made = pages(speech, count, characters)
    jieba.initialize()
    scored(FOX, Item("0", tuple, made[0][1], task=f"page-{speech}"), Answer(made[0][0]), "corrected")  # loads words
    for n, (predicted, truth) in enumerate(tqdm(made, desc=speech, disable=None)):
        item = Item(str(n), tuple, truth, task=f"page-{speech}", language=speech)
        seconds, found = timed(lambda item=item, said=predicted: scored(FOX, item, Answer(said), "corrected").scores)
        ours.append(seconds)
        if n < peer:
            same.append(seconds)
            their, peers = timed(lambda said=predicted, truth=truth: published(said, truth, speech == "zh"))
            theirs.append(their)
            worst = max(worst, *(abs(found[name] - score) for name, score in peers.items()))
    row = {"speech": speech, "pages": count, "characters": characters, "ours": sum(ours) / count, "all": sum(ours)}
    if theirs:
        row |= {"nltk": sum(theirs) / len(theirs), "ratio": sum(theirs) / sum(same), "differ": worst}
    return row


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--characters", type=int, default=3000)
    parser.add_argument("--peer", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(speech, options.pages // 2, options.characters, options.peer) for speech in SPEECHES]
    print("| pages | characters | ocr2, all s | ocr2, ms a page | nltk, ms a page | times faster | differ by |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        peer = (
            f"{1000 * row['nltk']:,.0f} | {row['ratio']:,.0f} | {row['differ']:.0e}" if "nltk" in row else "– | – | –"
        )
        print(
            f"| {row['pages']} {row['speech']} | {row['characters']:,} | {row['all']:.1f} | {1000 * row['ours']:.1f} "
            f"| {peer} |"
        )
    print(f"\n{options.pages:,} pages: {sum(row['all'] for row in rows):.1f} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
