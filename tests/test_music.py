"""Music: **kern of users, of scores, and invented."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from random import Random
from xml.etree import ElementTree

import pytest

pytest.importorskip("verovio", reason="engines: pip install 'ocr2[engines]'")

from ocr2.characters import music
from ocr2.characters.music.excerpts import excerpt, read
from ocr2.characters.music.kern import checked, wrong
from ocr2.characters.music.scores import Bar, Event, Note, Score, beamed, cleaned, length, signature, written
from ocr2.errors import BadInput, OcrError, RenderFailed

HEAD = "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M3/4\t*M3/4\n"
SIMPLE = HEAD + "4F\t4a 4cc\n4C\t8ffL\n.\t8eeJ\n4r\t4dd\n==\t==\n*-\t*-"
SCORE = """\
!!!COM: Somebody
**kern\t**kern\t**dynam
*part1\t*part1\t*part1
*staff2\t*staff1\t*staff1/2
*I"Piano\t*\t*
*clefF4\t*clefG2\t*
*k[f#c#]\t*k[f#c#]\t*
*M2/4\t*M2/4\t*
*MM120\t*MM120\t*
=1-\t=1-\t=1-
!\t!LO:TX:t=dolce\t!
4D/ 4F#/\t(>8ff#\\L\tp
.\t8ffn\\J)\t.
[4A\t4a;>\t<
=2\t=2\t=2
*\t*^\t*
4A]\t8ddyy\t4fn\t.
.\t8ryy\t.\t.
2E 4G\t4r\t4fX\t.
=3\t=3\t=3\t=3
4D\t4dd\t8a'L\t.
.\t.\t8f#'J\t.
8qqE\t.\t.\t.
4C#\t4ccn\t4en\t.
=4\t=4\t=4\t=4
*\t*v\t*v\t*
2D\t12ddL\t.
.\t12ee\t.
.\t12ffnJ\t.
*\t*clefF4\t*
.\t4d\t.
=:|!\t=:|!\t=:|!
2D\t2ryy\t.
==\t==\t==
*-\t*-\t*-
"""


class Some:
    """A corpus with a score, if any, and a few words."""

    rare, held = "", False

    def __init__(self, *scores, words=True):
        self.scores, self.known = scores, words

    def has(self, kind):
        return kind == "kern" and bool(self.scores)

    def item(self, rng, kind):
        return rng.choice(self.scores)

    def words(self, rng, language, count):
        if not self.known:
            raise BadInput("no words")
        return " ".join(["minuet", "célèbre", "of", "<b>", "May"][:count]) if language == "en" else "小步舞曲"[:count]


def tokens(source):
    lines = [line for line in source.split("\n") if line[0] not in "!*="]
    return [token for line in lines for token in re.split(r"[\t ]", line)]


def test_composed_music_is_told_one_way():
    again = 0
    for seed in range(200):
        source = music.compose(Some(SCORE), Random(seed))
        assert source == music.compose(Some(SCORE), Random(seed))
        assert checked(source) == source + "\n"
        assert music.looks_like(source)
        bare = re.sub(r"^!!!.*\n", "", source, flags=re.MULTILINE)
        bars = read(source)
        if all(bars):  # scores may have more than is read of one
            assert written(Score(cleaned(tuple(bars)), common="*met(" in source)) == bare
            again += 1
    assert again > 100


def test_composed_bars_are_full():
    whole = 0
    for seed in range(300):
        source = music.compose(Some(), Random(seed))
        lines = [line.split("\t") for line in source.split("\n") if not line.startswith("!")]
        if "*^" in source:
            continue
        meter = Fraction(re.search(r"\*M(.*?)[\t\n]", source)[1])
        for staff in range(len(lines[0])):
            bars = re.split("\n=.*", "\n".join(line[staff] for line in lines if line[staff][0] != "*"))
            for bar in filter(None, bars):
                chords = [line.split(" ")[0] for line in bar.strip().split("\n") if line != "." and "q" not in line]
                assert sum(length(re.search(r"\d+\.*", chord)[0]) for chord in chords) == meter, source
                whole += 1
    assert whole > 500


def mei(source):
    """The score as Verovio understands it."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadData(checked(source))
    return ElementTree.fromstring(toolkit.getMEI({"removeIds": False}))


def found(tree, *names):
    return [element for name in names for element in tree.iter("{http://www.music-encoding.org/ns/mei}" + name)]


@pytest.mark.parametrize("part", range(4))
def test_what_is_told_is_what_is_engraved(part):
    for seed in range(40 * part, 40 * part + 40):
        source = music.compose(Some(), Random(seed))
        tree, told = mei(source), tokens(source)
        notes = [token for token in told if re.search("[a-gA-G]", token)]
        assert len(found(tree, "note")) == len(notes)
        naturals = Counter(
            note.get("oct") for note in found(tree, "note") for sign in [note, *note] if sign.get("accid") == "n"
        )
        pitches = [re.search("[a-gA-G]+", token)[0] for token in notes if "n" in token]
        assert naturals == Counter(str(len(p) + 3 if p.islower() else 4 - len(p)) for p in pitches), source
        assert len(found(tree, "slur")) == sum(token.count("(") for token in told)
        ties = sum(note.get("tie") in ("i", "m") for note in found(tree, "note")) + len(found(tree, "tie"))
        assert ties == sum(token.count("[") + token.count("_") for token in told)
        assert len(found(tree, "rest", "mRest")) == sum("r" in token for token in told)
        assert len(found(tree, "trill", "mordent")) == sum(bool(re.search("[TMW]", token)) for token in told)
        assert not [one for one in found(tree, "trill", "mordent") if one.get("accidupper") or one.get("accidlower")]
        assert len(found(tree, "fermata")) == sum(";" in token for token in told)
        begins = [token for token in told if re.search("L", token)]
        assert len(found(tree, "beam")) >= len(begins) / 3


def test_bars_of_a_score_are_read_as_they_are_seen():
    bars = read(SCORE)
    assert [bar is not None for bar in bars] == [True, False, True, False, True]
    first = bars[0]
    assert (first.key, first.meter, first.clefs, first.end) == (2, "2/4", ("F4", "G2"), "=")
    lower, upper = first.staves
    assert lower == ((Event("4", (Note(22), Note(24, 1))), Event("4", (Note(26, 0, True),))),)
    assert upper[0][0] == Event("8", (Note(38, 1),), opens=True, beam="L")
    assert upper[0][2] == Event("4", (Note(33),), marks=";")
    assert bars[2].staves[0][0][1] == Event("8", (Note(23),), grace="qq")
    assert bars[4].staves[1] == ((Event("2"),),) and bars[4].end == "=="


def test_an_excerpt_is_written_without_what_is_cut_off():
    source = written(Score(cleaned(tuple(read(SCORE)[:1])), title="Minuet", author="A. B"))
    lines = ["!!!OTL: Minuet", "!!!COM: A. B", "**kern\t**kern", "*clefF4\t*clefG2", "*k[f#c#]\t*k[f#c#]",
             "*M2/4\t*M2/4", "4D 4F#\t(8ff#L", ".\t8ffnJ)", "4A\t4a;", "=\t=", "*-\t*-"]  # fmt: skip
    assert source == "\n".join(lines)
    second = written(Score(cleaned(tuple(read(SCORE)[2:3])))).split("\n")
    assert second[4:] == [
        "*\t*^",
        "4D\t4dd\t8a'L",
        ".\t.\t8f#'J",
        "8qqE\t.\t.",
        "4C#\t4ccn\t4e",
        "=\t=\t=",
        "*-\t*-\t*-",
    ]


def test_no_bar_no_excerpt():
    with pytest.raises(BadInput, match="no bar of the score"):
        excerpt([None, None], Random(1), 40)
    with pytest.raises(BadInput, match="4 staves"):
        read("**kern\t**kern\t**kern\t**kern\n4c\t4c\t4c\t4c\n*-\t*-\t*-\t*-")


@pytest.mark.parametrize(
    ("values", "beams"),
    [
        ("8 8", "L J"),
        ("8. 16", "L Jk"),
        ("16 8.", "LK J"),
        ("16 16 16 16", "LL   JJ"),
        ("8 16 16", "L L JJ"),
        ("16 8 16", "LK  Jk"),
        ("16 16 8 16 16", "LL J  L JJ"),
        ("8 32 32 16", "L LL J JJ"),
        ("12 12 12", "L  J"),
    ],
)
def test_beams_have_a_letter_for_each_stroke(values, beams):
    events = beamed([Event(value, (Note(30),)) for value in values.split()])
    assert [event.beam for event in events] == beams.split(" ")


def test_naturals_are_told_where_they_are_printed():
    def quarters(*notes):
        return (tuple(Event("4", (note,)) for note in notes),)

    f, sharp = Note(31), Note(31, 1)
    bars = (
        Bar((quarters(sharp, f, f, sharp),), "=", ("G2",), 1),
        Bar((quarters(f, f, Note(38), sharp._replace(tied=True)),), "=", ("G2",), 1),
        Bar((quarters(sharp, f, sharp, f),), "=", ("G2",), 1),
    )
    notes = [line for line in written(Score(bars)).split("\n") if line[0] in "4["]
    assert notes == ["4f#", "4fn", "4f", "4f#", "4fn", "4f", "4ffn", "[4f#", "4f#]", "4fn", "4f#", "4fn"]


def test_ties_voices_and_graces_leave_naturals_as_the_engraver_has_them():
    for seed in range(60):
        rng = Random(seed)
        bars = []
        for _ in range(3):
            voices = []
            for _ in range(rng.randint(1, 2)):
                notes = [Note(rng.choice((31, 32)), rng.randint(-1, 1), rng.random() < 0.4) for _ in range(4)]
                events = [Event("4", (note,)) for note in notes]
                events.insert(rng.randrange(4), Event("8", (Note(31, rng.randint(-1, 1)),), grace="q"))
                voices.append(tuple(events))
            bars.append(Bar((tuple(voices),), "=", ("G2",), 2))
        source = written(Score(cleaned(tuple(bars))))
        shown = [sign for note in found(mei(source), "note") for sign in [note, *note] if sign.get("accid") == "n"]
        assert len(shown) == sum(token.count("n") for token in tokens(source)), source


def test_lengths_and_keys():
    assert [length(value) for value in ("1", "4.", "8..", "12")] == [
        1,
        Fraction(3, 8),
        Fraction(7, 32),
        Fraction(1, 12),
    ]
    assert signature(2) == "*k[f#c#]" and signature(-3) == "*k[b-e-a-]" and signature(0) == "*k[]"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", r"no \*\*kern"),
        ("4c\n4d", r"line 1 is '4c': expected \*\*kern"),
        ("**dynam\np\n*-", r"expected a column of \*\*kern"),
        (SIMPLE.replace("4C\t8ffL", "4C"), "line 6 has 1 columns: expected 2"),
        (SIMPLE.replace("4C\t8ffL", "4C\t8ffL\t."), "line 6 has 3 columns: expected 2"),
        (SIMPLE.replace("4C\t8ffL", "*^\t*"), "line 7 has 2 columns: expected 3"),
        (SIMPLE.replace("4C\t8ffL", "*v\t*v"), r"line 6: \*v in column 1 alone"),
        (SIMPLE.replace("4C\t8ffL", "*x\t*"), r"line 6: \*x in column 1 alone"),
        (SIMPLE + "\n4c\t4d", "after all columns have ended"),
        (SIMPLE.replace("4C\t8ffL", "4C\t="), "expected one kind"),
        (SIMPLE.replace("4C\t8ffL", "4H\t8ffL"), "column 1: '4H' is no note"),
        (SIMPLE.replace("4C\t8ffL", "4C\t8cd"), "column 2: '8cd' has 'd' in it"),
        (SIMPLE.replace("4C\t8ffL", "C\t8ffL"), "'C' has no value"),
        (SIMPLE.replace("4C\t8ffL", "4096C\t8ffL"), "shorter than any note"),
        (SIMPLE.replace("4C\t8ffL", "4C\t" + "8ff " * 60), "a token of"),
        (SIMPLE.replace("4C\t8ffL", "\n".join(["4C\t4c"] * 20001)), "lines: expected up to"),
        ("\t".join(["**kern"] * 30), "30 columns"),
    ],
)
def test_broken_sources_are_told_by_line(source, told):
    with pytest.raises(BadInput, match=told):
        music.draw(source, None)


@pytest.mark.parametrize(
    "token",
    ["4cc#", "8.r", "(8ff#\\L", "16GG-JJk", "4c;", "8qb", "qqf", "[2e-_", "24an'^", "4rdd", "2ryy", "1%2c", "4cT>"],
)
def test_notes_are_taken_as_they_are_written(token):
    assert wrong(token) == ""


def test_other_spellings_of_kern_are_drawn_as_the_usual():
    plain = music.draw(SIMPLE, None).content
    ekern = SIMPLE.replace("**kern", "**ekern_1.0").replace("8ffL", "8·ff·L").replace("*-\t*-", "")
    assert music.draw(ekern, None).content == plain
    assert music.draw(SIMPLE.replace("\n", "\r\n") + "\r\n\n", None).content == plain
    assert music.draw("!! a comment\n" + SIMPLE.replace("4r", "!! another\n4r"), None).format == "svg"


def test_drawings_are_legible_and_vary_with_rng():
    plain = music.draw(SIMPLE, None)
    assert plain == music.draw(SIMPLE, None) and plain.tool.startswith("verovio ")
    for seed in range(12):
        source = music.compose(Some(), Random(seed))
        drawing = music.draw(source, Random(seed))
        assert drawing == music.draw(source, Random(seed))
        image = drawing.pixels()
        assert max(image.shape) <= music.SIDE and image.min() < 100
        assert drawing.scale * 5.5 >= music.LEAST_SPACE or drawing.scale == 1
    assert len({music.draw(SIMPLE, Random(seed)).content for seed in range(6)}) == 6


def test_titles_are_in_the_picture_when_they_are_told():
    bare = music.draw(SIMPLE, None).pixels()
    titled = music.draw("!!!OTL: Gavotte\n!!!COM: A. Nonym\n" + SIMPLE, None).pixels()
    assert titled.shape[0] > bare.shape[0] + 25
    chinese = music.draw("!!!OTL: 小步舞曲\n" + SIMPLE, None).pixels()
    assert (chinese[: chinese.shape[0] - bare.shape[0]] < 128).sum() > 50
    with pytest.raises(BadInput, match="no typeface"):
        music.draw("!!!OTL: เพลง\n" + SIMPLE, None)
    shown = [music.compose(Some(), Random(seed)) for seed in range(80)]
    heads = {re.match(r"!!!OTL: (.*)", source)[1] for source in shown if source.startswith("!!!")}
    assert any("一" < head < "鿿" for head in heads) and any(head.isascii() for head in heads)
    assert not any("<" in head or "é" in head for head in heads)
    assert not any("!!!" in music.compose(Some(words=False), Random(seed)) for seed in range(20))


def test_long_music_is_drawn_in_systems():
    long = SIMPLE.replace(
        "==\t==", "=\t=\n" + "\n".join(["16cLL\t4c", "16d\t.", "16e\t.", "16fJJ\t.", "2r\t2r", "=\t="] * 30)
    )
    image = music.draw(long, None).pixels()
    assert max(image.shape) <= music.SIDE + 1
    assert image.shape[0] > 2 * music.draw(SIMPLE, None).pixels().shape[0]


def test_unknown_backends_are_told():
    with pytest.raises(OcrError, match="verovio"):
        music.draw(SIMPLE, None, "lilypond")


def test_looks_like_itself_and_nothing_else():
    for source in (SIMPLE, SCORE, "!!!OTL: A\n" + SIMPLE, "**ekern_1.0\n4c", "**kern"):
        assert music.looks_like(source)
    for other in ("", "text", "**bold** text", "**kerning** matters", "a\n**kern\n4c", "| **kern |"):
        assert not music.looks_like(other)


def test_scores_count_characters_tokens_and_lines():
    assert set(music.score(SIMPLE, SIMPLE).values()) == {0.0}
    assert set(music.score(SIMPLE + "\n\n", SIMPLE.replace("\n", " \n")).values()) == {0.0}
    found = music.score(SIMPLE.replace("4F\t", "4G\t"), SIMPLE)
    assert found["character_error"] == pytest.approx(1 / len(SIMPLE))
    assert found["line_error"] == pytest.approx(1 / 10)
    assert found["symbol_error"] == pytest.approx(1 / 40)  # tabs and line ends are symbols
    assert music.score("", SIMPLE)["symbol_error"] <= 1.1


def test_a_bar_whose_notes_would_stand_on_each_other_is_refused() -> None:
    long = "**kern\n" + ("16cc#\n" * 70 + "=\n") * 3 + "*-"
    assert max(music.draw(long, None).pixels().shape) <= music.SIDE
    with pytest.raises(RenderFailed, match="a bar with notes on 210 lines"):
        music.draw(long.replace("=\n", ""), None)
