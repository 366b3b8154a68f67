"""SCRM against the numbers that the published script prints, and against every pairing there is."""

from __future__ import annotations

import json
from itertools import permutations
from math import inf
from random import Random
from typing import Any

import numpy as np
import pytest

from ocr2.metrics import scrm
from ocr2.metrics.scrm import TOLERANCES, anls, ap, parse, similarity, triples

RAIN = {"title": "Rain", "source": "None", "x_title": "Month", "y_title": "mm", "values": {"May": 61, "June": 47.5}}
FLOWS = {"A": {"w": 1, "x": 2, "y": 3}}
TURNED = {"w": {"A": 1}, "x": {"A": 2}, "y": {"A": 3}}
PRINTED: list[tuple[dict[str, Any], dict[str, Any], list[float]]] = [
    ({"ple": 1}, {"apple": 1}, [1, 1, 1]),
    ({"app": 1}, {"apple": 1}, [0, 1, 1]),
    ({"x": 1}, {"xylo": 1}, [1, 1, 1]),
    ({"": 1}, {"xylo": 1}, [1, 1, 1]),
    ({"able": 1, "aable": 1, "bable": 1}, {"able": 1}, [3, 3, 3]),
    (TURNED, FLOWS, [1, 1, 1]),
    ({"q": {"A": 90}, **TURNED}, FLOWS, [0.4, 0.75, 0.75]),
    ({"May": "1K"}, {"May": 1000}, [0, 0, 0]),
    ({"May": "1K"}, {"May": "1"}, [1, 1, 1]),
    ({"May": "1e3"}, {"May": 13}, [1, 1, 1]),
    ({"May": "$1,200", "June": "5%"}, {"May": 1200, "June": 5}, [1, 1, 1]),
    ({"May": 61, "June": 47.5}, {"May": 61, "June": 50}, [1 / 3, 1, 1]),
    ({"Mai": 61, "Juni": 47.5}, {"May": 61, "June": 47.5}, [0, 1, 1]),
    ({"May": "n/a"}, {"May": "none"}, [1, 1, 1]),
    ({"May": "1-2", "June": 3}, {"May": "1-3", "June": 3}, [1 / 3, 1, 1]),
    ({"s": {"May": 61, "June": 47.5}}, {"May": 61, "June": 47.5}, [0, 0, 1]),
    ({}, {"a": 1}, [0, 0, 0]),
    ({"b": 1e-8}, {"b": 0}, [0, 0, 1]),
]
"""What the script of OneChart (commit 089b355) makes of two charts: strict, slight, high."""


def similar(predicted: dict[str, Any], truth: dict[str, Any], published: bool = False) -> list[float]:
    ours, theirs = (triples(values, published=published) for values in (predicted, truth))
    return [similarity(ours, theirs, tolerance, published=published) for tolerance in TOLERANCES]


# --- as published -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("predicted", "truth", "printed"), PRINTED, ids=range(len(PRINTED)))
def test_published_similarity_is_what_the_script_prints(
    predicted: dict[str, Any], truth: dict[str, Any], printed: list[float]
) -> None:
    assert similar(predicted, truth, published=True) == pytest.approx(printed, abs=1e-12)


def test_published_thresholds_are_those_of_numpy() -> None:
    for similarity_ in (*np.arange(0.4, 1.05, 0.05), *(step / 20 for step in range(21)), 3.0):
        reached = float(np.mean(similarity_ >= np.arange(0.5, 1, 0.05)))
        assert ap([float(similarity_)], published=True) == pytest.approx(reached)
    assert ap([0.6], published=True) == pytest.approx(0.2)


def test_published_texts_that_are_none_are_left_out() -> None:
    assert anls("Rain", "rain", published=True) == 1
    assert anls("Rain", "None", published=True) is None
    assert anls("None", "Rain", published=True) == 0
    assert anls("Rein", "Rain", published=True) == 0.75
    assert anls("Rain", ["Rain", "Ran"], published=True) == 0.5  # the best of two, over two
    assert anls(["a", "x"], ["a", "b"], published=True) == 0.5
    assert anls(["a", "x"], ["a", "None"], published=True) == 1
    assert anls("a", ["None"], published=True) is None
    assert anls("", "", published=True) == 1


def test_published_reads_json_with_all_its_texts() -> None:
    assert parse(json.dumps(RAIN), published=True) == RAIN
    assert parse(json.dumps(RAIN)[:-2], published=True) == RAIN
    assert parse(repr(RAIN), published=True) is None
    assert parse(json.dumps({name: RAIN[name] for name in ("title", "values")}), published=True) is None
    assert parse(json.dumps({**RAIN, "values": [1, 2]}), published=True) is None
    braced = {**RAIN, "title": "Rain {mm"}
    assert parse(json.dumps(braced), published=True) is None  # with one } more than it lacks
    assert parse(json.dumps(braced)) == parse(repr(braced)) == braced


def test_published_scores_of_what_is_no_chart() -> None:
    worst = {"structure": 0.0, "ap_strict": 0.0, "ap_slight": 0.0, "ap_high": 0.0}
    assert scrm.scores(repr(RAIN), RAIN, published=True) == worst
    found = scrm.scores(json.dumps(RAIN), RAIN, published=True)
    assert found == {name: 1.0 for name in (*worst, "em", "title", "x_title", "y_title")}  # the source is None


# --- as it is meant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predicted", "truth", "meant"),
    [
        ({"ple": 1}, {"apple": 1}, [0, 1, 1]),
        ({"x": 1}, {"xylo": 1}, [0, 0, 1]),
        ({"able": 1, "aable": 1, "bable": 1}, {"able": 1}, [0, 0, 0]),  # one of three
        ({"able": 1, "bable": 1}, {"able": 1}, [0.5, 0.5, 0.5]),
        (TURNED, FLOWS, [1, 1, 1]),
        ({"q": {"A": 90}, **TURNED}, FLOWS, [0.75, 0.75, 0.75]),
        ({"A": {"B": 2}, "B": {"A": 1}}, {"A": {"B": 1}, "B": {"A": 2}}, [1, 1, 1]),  # all of it turned
        (  # as one chart it isn't turned: from Norway to Brazil is not from Brazil to Norway
            {"Norway": {"Brazil": 2, "Canada": 3}, "Brazil": {"Norway": 1}},
            {"Norway": {"Brazil": 1, "Canada": 3}, "Brazil": {"Norway": 2}},
            [0.5, 0.5, 0.5],
        ),
        ({"May": "1K"}, {"May": 1000}, [1, 1, 1]),
        ({"May": "1K"}, {"May": 1}, [0, 0, 0]),
        ({"s": {"May": 61, "June": 47.5}}, {"May": 61, "June": 47.5}, [1, 1, 1]),
        ({"May": {"s": 61}, "June": {"s": 47.5}}, {"May": 61, "June": 47.5}, [1, 1, 1]),
        ({"May": 61, "June": 47.5}, {"some series": {"May": 61, "June": 47.5}}, [0, 0, 0]),
        ({" may ": 61, "JUNE": 47.5}, {"May": 61, "June": 47.5}, [1, 1, 1]),
        ({"May": "n/a"}, {"May": "N/A"}, [1, 1, 1]),
        ({"May": "n/a"}, {"May": 5}, [0, 0, 0]),
        ({"May": 0.315}, {"May": 0.3}, [0, 1, 1]),  # in floats a little more than 5 %
        ({"a": -5}, {"a": 5}, [0, 0, 0]),
        ({"b": 1e-8}, {"b": 0}, [0, 0, 0]),
        ({}, {}, [1, 1, 1]),
        ({}, {"a": 1}, [0, 0, 0]),
        ({"a": 1}, {}, [0, 0, 0]),
    ],
)
def test_similarity(predicted: dict[str, Any], truth: dict[str, Any], meant: list[float]) -> None:
    assert similar(predicted, truth) == pytest.approx(meant)


def test_as_many_pairs_as_every_pairing_has() -> None:
    rng = Random(1)

    def chart() -> dict[str, float]:
        return {"".join(rng.choices("ab", k=rng.randrange(1, 6))): rng.choice((100, 103, 108)) for _ in range(5)}

    def distance(a: str, b: str) -> int:
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            above, row = row, [i]
            for j, y in enumerate(b, 1):
                row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
        return row[-1]

    partly = 0
    for _ in range(200):
        predicted, truth = chart(), chart()
        if 2 * min(len(predicted), len(truth)) < max(len(predicted), len(truth)):
            continue
        for found, (words, share) in zip(similar(predicted, truth), TOLERANCES.values(), strict=True):
            few, many = sorted((list(predicted.items()), list(truth.items())), key=len)
            ours_first = len(predicted) <= len(truth)
            most = 0
            for others in permutations(many, len(few)):
                pairs = [(a, b) if ours_first else (b, a) for a, b in zip(few, others, strict=True)]
                most = max(
                    most,
                    sum(distance(a[0], b[0]) <= words and abs(a[1] - b[1]) <= share * b[1] for a, b in pairs),
                )
            assert found == pytest.approx(most / (len(few) + len(many) - most))
            partly += 0 < found < 1
    assert partly > 100


def test_a_thousand_alike_values_are_paired() -> None:
    truth = [(f"{place:03d}", "value", 1.0) for place in range(300)]
    predicted = [(f"{place:03d}", "value", 1.0) for place in range(150, 450)]
    assert similarity(predicted, truth, "strict") == pytest.approx(150 / 450)
    assert similarity(predicted, truth, "high") == 1
    assert similarity(predicted * 3, truth, "high") == 0  # more than twice as many


def test_thresholds_are_exact() -> None:
    assert ap([0.6]) == pytest.approx(0.3)
    assert ap([step / 20 for step in range(21)]) == pytest.approx(sum(range(1, 11)) / 210 + 10 / 210)
    assert ap([0.49, 0.5, 1.0]) == pytest.approx((0 + 0.1 + 1) / 3)
    assert ap([1.0, 1.0], 4) == 0.5
    assert ap([]) == ap([], 3) == 0


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (5, 5), ("5", 5), ("1,234.5", 1234.5), ("12 %", 12.0), ("$1.2K", 1200.0), ("3m", 3e6), ("2.5 billion", 2.5e9),
        ("1e3", 1000.0), ("1.5E-2", 0.015), ("−4", -4.0), ("+4", 4.0), ("-$5", -5.0), (".5", 0.5), ("5 kg", 5.0),
        ("about 7", 7.0), ("1-2", "1-2"), ("", ""), ("N/A", "n/a"), (None, "none"), (True, "true"), (inf, "inf"),
        (10**400, str(10**400)), ("9" * 400, "9" * 400), ([1], 1.0),
    ],
)  # fmt: skip
def test_numbers_as_they_are_written(written: object, number: float | str) -> None:
    assert triples({"A b": written}) == [("a b", "value", number)]


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(RAIN),
        repr(RAIN),
        "  " + repr(RAIN) + "\n",
        repr(RAIN)[:-2],
        repr(RAIN).replace("x_title", "X-Title").replace("'values'", "'data'"),
        repr({**RAIN, "unknown": 1})[:-1] + "}",
    ],
)
def test_a_chart_is_read_however_it_is_written(answer: str) -> None:
    assert parse(answer) == RAIN


@pytest.mark.parametrize(
    "answer",
    [
        *("", "Rain", "[]", "{}", "{'values': 5}", "{'values': [1]}", "{'values': open('/etc/passwd')}", "1", "None"),
        *(
            "{" * 9999,
            "{'values': {'\\N': 1",
            "-" * 19999,
            "[" * 19999,
            "\x00",
            "\ud800",
            " " * 20001,
            "{1: [}",
            "9" * 5000,
        ),
    ],
    ids=lambda answer: answer[:12],
)
def test_what_is_no_chart_scores_nothing(answer: str) -> None:
    for published in (False, True):
        assert parse(answer, published=published) is None
        assert not any(scrm.scores(answer, RAIN, published=published).values())


def test_texts_that_are_not_there() -> None:
    assert parse("{'values': {}}") == {"title": None, "source": None, "x_title": None, "y_title": None, "values": {}}
    assert anls(None, "None") == anls("None", None) == anls("", "None") == 1
    assert anls("Rain", "None") == anls(None, "Rain") == 0
    assert anls("Rein", "RAIN") == 0.75
    assert anls("Ran", ["Rain", "Ran"]) == 1
    assert anls("Ran", []) == 0


def test_scores_of_a_chart() -> None:
    names = ("structure", "em", "ap_strict", "ap_slight", "ap_high", *scrm.TEXTS)
    assert scrm.scores(repr(RAIN), RAIN) == dict.fromkeys(names, 1.0)
    found = scrm.scores(repr({**RAIN, "source": "UN", "values": {"May": 61, "June": 47}}), RAIN)
    assert (found["em"], found["ap_strict"], found["ap_slight"], found["source"]) == (0, 0, 1, 0)
    assert scrm.scores("no chart", RAIN) == dict.fromkeys(names, 0.0)
