"""Regions of text: places against shapely's, pairs against PaddleOCR's rule written out, texts against rapidfuzz."""

from __future__ import annotations

import math
from random import Random
from time import perf_counter

import pytest
from rapidfuzz.distance import Levenshtein

from ocr2.metrics.boxes import Matched, Region, area, detected, iou, is_simple, matched, overlap, recognised

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))


def moved(outline, x, y):
    return tuple((a + x, b + y) for a, b in outline)


def star(rng: Random, corners: int):
    """A polygon that seldom is convex, around any way."""
    x, y = rng.uniform(0, 30), rng.uniform(0, 30)
    turns = sorted(rng.uniform(0, 2 * math.pi) for _ in range(corners))
    points = [(x + rng.uniform(2, 20) * math.cos(turn), y + rng.uniform(2, 20) * math.sin(turn)) for turn in turns]
    return tuple(points if rng.random() < 0.5 else points[::-1])


def test_places_are_measured() -> None:
    half = moved(SQUARE, 5, 0)
    assert area(SQUARE) == area(SQUARE[::-1]) == 100
    assert overlap(SQUARE, half) == overlap(SQUARE[::-1], half) == 50
    assert iou(SQUARE, half) == pytest.approx(50 / 150)
    assert iou(SQUARE, SQUARE) == 1.0
    assert iou(SQUARE, moved(SQUARE, 10, 0)) == iou(SQUARE, moved(SQUARE, 99, 0)) == 0.0
    assert iou(SQUARE, ((5, 5), (5, 5), (5, 5), (5, 5))) == 0.0
    bent = ((0, 0), (10, 0), (10, 10), (8, 10), (8, 2), (2, 2), (2, 10), (0, 10))  # a U
    assert overlap(bent, ((2, 2), (8, 2), (8, 10), (2, 10))) == pytest.approx(0)
    assert overlap(bent, SQUARE) == pytest.approx(area(bent)) == pytest.approx(52)


def test_places_are_as_shapely_measures_them() -> None:
    shapely = pytest.importorskip("shapely", reason="an independent truth for areas")
    rng, checked = Random(5), 0
    while checked < 400:
        one, other = star(rng, rng.randint(3, 12)), star(rng, rng.choice((4, 4, 14)))
        a, b = shapely.Polygon(one), shapely.Polygon(other)
        if a.is_valid and b.is_valid:
            checked += 1
            assert area(one) == pytest.approx(a.area)
            assert overlap(one, other) == pytest.approx(a.intersection(b).area, abs=1e-8)
            assert iou(one, other) == pytest.approx(a.intersection(b).area / a.union(b).area, abs=1e-9)


def test_what_crosses_itself_is_found_as_shapely_finds_it() -> None:
    shapely = pytest.importorskip("shapely", reason="an independent truth for shapes")
    rng, seen = Random(6), set()
    for _ in range(1500):
        outline = tuple((float(rng.randint(0, 5)), float(rng.randint(0, 5))) for _ in range(rng.randint(3, 6)))
        valid = bool(shapely.Polygon(outline).is_valid)
        assert is_simple(outline) == valid, outline
        seen.add(valid)
    assert seen == {True, False}
    assert not is_simple(()) and not is_simple(SQUARE[:2]) and not is_simple((SQUARE[0],) * 4)


def test_a_region_is_found_once() -> None:
    truth = [Region(SQUARE, "one"), Region(moved(SQUARE, 20, 0), "two"), Region(moved(SQUARE, 40, 0), "three")]
    twice = [Region(SQUARE, "one"), Region(moved(SQUARE, 1, 0), "one"), Region(moved(SQUARE, 21, 0), "2")]
    assert matched(twice, truth) == Matched(matched=2, right=1, found=3, wanted=3)
    scores = detected([matched(twice, truth)])
    assert scores["precision"] == scores["recall"] == scores["hmean"] == pytest.approx(2 / 3)
    assert scores["end_to_end"] == pytest.approx(1 / 3)


def test_more_than_half_is_needed() -> None:
    third = Region(moved(SQUARE, 0, 10 / 3))  # 2/3 of each in 4/3: a half exactly
    assert iou(third.outline, SQUARE) == pytest.approx(0.5)
    assert matched([Region(moved(SQUARE, 0, 3.4))], [Region(SQUARE)]).matched == 0
    assert matched([Region(moved(SQUARE, 0, 3.3))], [Region(SQUARE)]).matched == 1


def test_what_is_ignored_counts_neither_way() -> None:
    blur = Region(moved(SQUARE, 20, 0), "###", ignored=True)
    within = Region(((21.0, 1.0), (23.0, 1.0), (23.0, 3.0), (21.0, 3.0)), "blur")
    assert matched([Region(SQUARE, "one"), within], [Region(SQUARE, "one"), blur]) == Matched(1, 1, 1, 1)
    assert matched([], [blur]) == Matched(0, 0, 0, 0)
    bow = Region((SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]), "bow")
    assert matched([bow], [bow]) == Matched(0, 0, 0, 0)


def paddle(found, truth):
    """PaddleOCR's rule, from its description, with a matrix of all pairs and areas by shapely."""
    shapely = pytest.importorskip("shapely", reason="an independent truth for areas")
    ours, theirs = ([shapely.Polygon(each.outline) for each in some] for some in (found, truth))
    blurred = [n for n, each in enumerate(truth) if each.ignored]
    out = {m for m, a in enumerate(ours) if any(a.intersection(theirs[n]).area / a.area > 0.5 for n in blurred)}
    taken: set[int] = set()
    hits = 0
    for n, b in enumerate(theirs):
        for m, a in enumerate(ours):
            ratio = a.intersection(b).area / a.union(b).area
            if n not in blurred and m not in out | taken and ratio > 0.5:
                taken.add(m)
                hits += 1
                break
    return hits, len(ours) - len(out), len(theirs) - len(blurred)


def test_pages_are_matched_as_paddleocr_matches_them() -> None:
    rng, total = Random(7), 0
    for _ in range(60):
        truth = [
            Region(moved(((0, 0), (30, 2), (29, 12), (-1, 10)), 35 * (n % 4), 14 * (n // 4)), "", rng.random() < 0.2)
            for n in range(12)
        ]
        found = [
            Region(tuple((x + rng.gauss(0, 3), y + rng.gauss(0, 1.5)) for x, y in rng.choice(truth).outline))
            for _ in range(14)
        ]
        counts = matched(found, truth)
        assert (counts.matched, counts.found, counts.wanted) == paddle(found, truth)
        total += counts.matched
    assert total > 150


def test_means_are_over_all_regions_and_nothing_is_all_of_nothing() -> None:
    scores = detected([Matched(1, 1, 1, 1), Matched(1, 0, 4, 2)])
    assert scores["precision"] == pytest.approx(2 / 5) and scores["recall"] == pytest.approx(2 / 3)
    assert scores["hmean"] == pytest.approx(2 * 2 / (5 + 3)) and scores["end_to_end"] == pytest.approx(2 * 1 / (5 + 3))
    assert set(detected([]).values()) == set(detected([Matched(0, 0, 0, 0)]).values()) == {1.0}
    assert set(detected([Matched(0, 0, 0, 5)]).values()) == {0.0}
    assert set(detected([Matched(0, 0, 5, 0)]).values()) == {0.0}


def test_texts_are_compared_in_half_the_width() -> None:
    truth = [Region(SQUARE, "ＡＢ１（x）")]
    assert matched([Region(SQUARE, "AB1(x)")], truth).right == 1
    assert matched([Region(SQUARE, "AB1 (x)")], truth).right == 0


@pytest.mark.parametrize(
    ("predicted", "truth", "exact", "accuracy", "alnum"),
    [
        ("London", "London", 1, 1, 1),
        ("Lon don", "London", 0, 1, 1),
        ("london!", "London", 0, 0, 1),
        ("Lomdon", "London", 0, 0, 0),
        ("", "London", 0, 0, 0),
        ("", "", 1, 1, None),
        ("皖AR690K", "皖AR69OK", 0, 0, 0),
        ("金", "银", 0, 0, None),
    ],
)
def test_words_are_read(predicted: str, truth: str, exact: float, accuracy: float, alnum: float | None) -> None:
    scores = recognised(predicted, truth)
    assert (scores["exact"], scores["accuracy"], scores.get("accuracy_alnum")) == (exact, accuracy, alnum)
    assert recognised(predicted, truth, published=True)["accuracy_alnum"] == (1 if alnum is None else alnum)
    spaceless = predicted.replace(" ", ""), truth.replace(" ", "")
    assert scores["similarity"] == pytest.approx(1 - Levenshtein.normalized_distance(*spaceless))


def test_a_full_page_takes_little_time() -> None:
    rng = Random(8)
    truth = [Region(moved(SQUARE, 12 * (n % 20), 12 * (n // 20)), "x") for n in range(400)]
    found = [Region(moved(each.outline, rng.uniform(-1, 1), 0), "x") for each in truth]
    start = perf_counter()
    assert matched(found, truth) == Matched(400, 400, 400, 400)
    assert perf_counter() - start < 5
