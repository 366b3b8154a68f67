"""What transcripts of music, molecules, formulas and figures can be written as: read again, they say the same."""

from __future__ import annotations

import re
import struct
from collections import Counter
from contextlib import suppress
from fractions import Fraction
from random import Random
from xml.etree import ElementTree

import pytest
from test_music import SIMPLE, Some

from ocr2.characters import formula, geometry, molecule, music, table
from ocr2.errors import BadInput, OcrError, RendererMissing, RenderFailed

verovio = pytest.importorskip("verovio", reason="engines: pip install 'ocr2[engines]'")
chem = pytest.importorskip("rdkit.Chem", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")

NAMES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
ORDER = ["grace", "chord", "pitch", "rest", "duration", "tie", "voice", "type", "dot", "accidental"]
ORDER += ["time-modification", "stem", "staff", "beam", "notations"]
WALTZ = """\
!!!OTL: Valse
!!!COM: A. Nonym
**kern\t**kern
*clefF4\t*clefG2
*k[b-e-]\t*k[b-e-]
*M3/4\t*M3/4
=1!|:\t=1!|:
*\t*^
2.BB-\t(8dd'L\t2.b- f
.\t16ee-^L\t.
.\t16ffJJ)\t.
.\t12ggTL\t.
.\t12aa\t.
.\t12bb-J\t.
.\t[4bb-;\t.
*\t*v\t*v
=2\t=2
4E- e- g\t[4gg 4bb-]
8qF#\t.
*clefG2\t*
4f#X\t4gg]
4r\t4eenW
=3:|!|:\t=3:|!|:
4r\t20dLL
.\t20e-
.\t20d
.\t20c
.\t20dJJ
2f 2a\t8.eL:
.\t16gJk
.\t4a 4cc:
=4:|!\t=4:|!
*k[f#]\t*k[f#]
*M2/4\t*M2/4
*met(c)\t*met(c)
2GG\t2g~
==\t==
*-\t*-
"""


def kern_notes(source):
    """Of every note its staff, from the lowest, its bar, its place in that, its key on a piano, its length and ties."""
    lines = [line.split("\t") for line in source.splitlines() if line and line[0] != "!"]
    columns, bar, seen, found = list(range(len(lines[0]))), 0, False, Counter()
    free = [Fraction(0)] * len(columns)
    for tokens in lines[1:]:
        if tokens[0].startswith("="):
            bar, seen, free = bar + seen, False, [Fraction(0)] * len(tokens)
        elif tokens[0].startswith("*"):
            columns, free = split(tokens, columns, free)
        else:
            seen = True
            for place, token in enumerate(tokens):
                if token == ".":
                    continue
                value = re.search(r"(\d+)(\.*)", token)
                length = Fraction(4, int(value[1])) * (2 - Fraction(1, 2 ** len(value[2]))) * ("q" not in token)
                for part in token.split(" "):
                    if letters := re.search(r"([a-gA-G])\1*([#-]*)", part):
                        size = len(letters[0].rstrip("#-"))
                        octave = 3 + size if letters[1].islower() else 4 - size
                        alter = letters[2].count("#") - letters[2].count("-")
                        key = 12 * (octave + 1) + NAMES[letters[1].lower()] + alter
                        tie = ("[" in part or "_" in part, "]" in part or "_" in part)
                        found[columns[place], bar, free[place], key, length, tie] += 1
                free[place] += length
    return found


def split(tokens, columns, free):
    """The columns after a line that may split and join some."""
    after, times = [], []
    for place, token in enumerate(tokens):
        if token == "*v" and place and tokens[place - 1] == "*v" and columns[place - 1] == columns[place]:
            continue
        after += [columns[place]] * (2 if token == "*^" else 1)
        times += [free[place]] * (2 if token == "*^" else 1)
    return after, times


def xml_notes(root):
    """The same of MusicXML."""
    parts = root.findall("part")
    staves = [int(part.findtext(".//staves", "1")) for part in parts]
    found = Counter()
    for number, part in enumerate(parts):
        divisions = int(part.findtext(".//divisions"))
        for bar, measure in enumerate(part.findall("measure")):
            time = start = 0
            for element in measure:
                length = int(element.findtext("duration", "0"))
                if element.tag == "backup":
                    time -= length
                elif element.tag == "forward":
                    time += length
                elif element.tag == "note":
                    start, time = (start, time) if element.find("chord") is not None else (time, time + length)
                    pitch = element.find("pitch")
                    if pitch is None:
                        continue
                    alter, octave = int(pitch.findtext("alter", "0")), int(pitch.findtext("octave"))
                    key = 12 * (octave + 1) + NAMES[pitch.findtext("step").lower()] + alter
                    ties = [tie.get("type") for tie in element.findall("tie")]
                    staff = sum(staves) - sum(staves[:number]) - int(element.findtext("staff", "1"))
                    place = Fraction(start, divisions), key, Fraction(length, divisions)
                    found[staff, bar, *place, ("start" in ties, "stop" in ties)] += 1
    return found


def written(source):
    return ElementTree.fromstring(music.EXPORTS["musicxml"](source))


def told(source):
    """What Verovio reads, counted."""
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none"})
    assert toolkit.loadData(source)
    counted = Counter()
    for element in ElementTree.fromstring(toolkit.getMEI({"removeIds": False})).iter():
        tag = element.tag.rpartition("}")[2]
        if tag in ("beam", "tuplet", "slur", "tie", "chord", "note", "rest", "fermata", "trill", "arpeg", "measure"):
            counted[tag] += 1
        for name in ("accid", "artic", "grace", "right", "left", "form"):
            if element.get(name) not in (None, "norm"):
                counted[name, element.get(name)] += 1
    return counted


def played(content):
    """The notes of a MIDI file: when, which key, until when, in quarters."""
    assert content[:4] == b"MThd"
    division, place, found = struct.unpack(">H", content[12:14])[0], 14, []
    while place < len(content):
        size = struct.unpack(">I", content[place + 4 : place + 8])[0]
        found += track(content[place + 8 : place + 8 + size], division)
        place += 8 + size
    return sorted(found)


def track(data, division):
    place = time = status = 0
    sounding, found = {}, []
    while place < len(data):
        wait = 0
        while True:
            place, wait = place + 1, wait * 128 + (data[place] & 127)
            if data[place - 1] < 128:
                break
        time += wait
        if data[place] & 128:
            place, status = place + 1, data[place]
        if status == 255:
            place += 2 + data[place + 1]
        elif status & 0xE0 == 0x80:
            key, loud = data[place : place + 2]
            place += 2
            if status & 0x10 and loud:
                sounding.setdefault(key, []).append(time)
            elif sounding.get(key):
                found.append((Fraction(sounding[key].pop(0), division), key, Fraction(time, division)))
        else:
            place += 1 if status & 0xE0 == 0xC0 else 2
    return found


def test_composed_music_is_the_same_in_musicxml():
    notes = 0
    for seed in range(60):
        source = music.compose(Some(), Random(seed))
        root = written(source)
        assert xml_notes(root) == kern_notes(source), source
        key, meter = re.search(r"\*k\[(.*?)\]", source)[1], re.search(r"\*M(\d+)/(\d+)", source)
        assert int(root.findtext(".//fifths")) == key.count("#") - key.count("-")
        assert (root.findtext(".//beats"), root.findtext(".//beat-type")) == (meter[1], meter[2])
        for note in root.iter("note"):
            places = [ORDER.index(child.tag) for child in note]
            assert places == sorted(places)
        notes += sum(xml_notes(root).values())
    assert notes > 500


def test_another_reader_of_musicxml_finds_what_the_kern_has():
    for seed in range(25):
        source = music.compose(Some(), Random(seed))
        ours, theirs = told(music.EXPORTS["musicxml"](source).decode()), told(music.EXPORTS["kern"](source).decode())
        assert ours == theirs, source


def test_a_score_with_all_signs_is_told_in_musicxml():
    root = written(WALTZ)
    valued = WALTZ.replace("4E- e- g", "4E- 4e- 4g").replace("2.b- f", "2.b- 2.f")
    assert xml_notes(root) == kern_notes(valued) and sum(xml_notes(root).values()) == 32
    assert root.findtext("work/work-title") == "Valse" and root.findtext("identification/creator") == "A. Nonym"
    assert [part.findtext("part-name") for part in root.iter("score-part")] == ["Piano"]
    for name in (
        *("staccato", "accent", "tenuto", "trill-mark", "mordent", "arpeggiate", "fermata"),
        *("slur", "tied", "tuplet", "grace", "beam", "chord"),
    ):
        assert root.find(f".//note//{name}") is not None, name
    assert Counter(ratio.text for ratio in root.iter("actual-notes")) == {"3": 3, "5": 5}
    repeats = [(n, r.get("direction")) for n, bar in enumerate(root.iter("measure"), 1) for r in bar.iter("repeat")]
    assert repeats == [(1, "forward"), (2, "backward"), (3, "forward"), (3, "backward")]
    assert [(key.findtext("fifths")) for key in root.iter("key")] == ["-2", "1"]
    assert [(time.get("symbol"), time.findtext("beats")) for time in root.iter("time")][:1] == [(None, "3")]
    assert [(clef.get("number"), clef.findtext("sign")) for clef in root.iter("clef")] == [
        ("1", "G"),
        ("2", "F"),
        ("2", "G"),
    ]
    assert {note.findtext("voice") for note in root.iter("note")} == {"1", "2", "5"}


def test_beams_are_told_stroke_by_stroke():
    root = written("**kern\n*clefG2\n*M2/4\n8.cL\n16dJk\n16eLL\n16fJ\n8gJ\n==\n*-")
    told = [[(beam.get("number"), beam.text) for beam in note.findall("beam")] for note in root.iter("note")]
    assert told == [
        [("1", "begin")],
        [("1", "end"), ("2", "backward hook")],
        [("1", "begin"), ("2", "begin")],
        [("1", "continue"), ("2", "end")],
        [("1", "end")],
    ]


def test_staves_without_a_brace_and_empty_bars_are_told():
    trio = "\n".join("\t".join([token] * 3) for token in ("**kern", "*clefG2", "*k[f#b-]", "*M5/8", "4c", "4.d", "=="))
    root = written(trio)
    assert len(root.findall("part")) == 3 and root.find(".//staves") is None
    assert [child.text for child in root.find(".//key")] == ["F", "1", "B", "-1"]
    assert [root.findtext(f".//{name}") for name in ("beats", "beat-type", "divisions")] == ["5", "8", "2"]
    empty = written("**kern\n*clefG2\n*M3/4\n=1\n2.c\n=2\n2.r\n=3\n2.r\n=4:|!\n2.d\n==\n*-")
    bars = empty.findall(".//measure")
    assert [bar.get("number") for bar in bars] == ["1", "2", "3", "4"]
    assert [bar.find("note/rest") is not None for bar in bars] == [False, True, True, False]
    assert [bar.find(".//repeat") is not None for bar in bars] == [False, False, True, False]
    assert {bar.findtext("note/duration") for bar in bars} == {"3"}


def test_endings_of_repeats_are_told():
    source = "**kern\n*>A\n*clefG2\n*M1/4\n=1\n4c\n*>A1\n=2\n4d\n=3\n4e\n*>A2\n=4:|!\n4f\n=5\n4g\n*>B\n=6\n4a\n==\n*-"
    bars = written(source).findall(".//measure")
    told = [
        [
            (line.get("location"), *((e.get("number"), e.get("type")) for e in line.iter("ending")))
            for line in bar.iter("barline")
        ]
        for bar in bars
    ]
    assert told == [
        [],
        [("left", ("1", "start"))],
        [("right", ("1", "stop"))],
        [("left", ("2", "start"))],
        [("right", ("2", "discontinue"))],
        [("right",)],
    ]
    assert [child.tag for child in bars[2].find("barline")] == ["bar-style", "ending", "repeat"]


def test_what_transposing_instruments_sound_and_long_notes_are_told():
    root = written("**kern\n*ITrd7c12\n*clefG2\n*M4/4\n000CC\n==\n*-")
    assert [(one.tag, one.text) for one in root.find(".//transpose")] == [
        ("diatonic", "0"),
        ("chromatic", "0"),
        ("octave-change", "-1"),
    ]
    assert [root.findtext(f".//note{name}") for name in ("/type", "/duration", "//step", "//octave")] == [
        *("maxima", "32", "C", "3")
    ]
    two = "\n".join(("**kern\t**kern", "*\t*ITrd4c7", "*clefF4\t*clefG2", "4c\t4d", "==\t==", "*-\t*-"))
    assert [(one.get("number"), *(part.text for part in one)) for one in written(two).iter("transpose")] == [
        ("1", "-4", "-7")
    ]


def test_midi_plays_the_notes():
    for seed in range(10):
        source = music.compose(Some(), Random(seed))
        heard = played(music.EXPORTS["midi"](source))
        begun = Counter()
        for (_, _, _, key, _, (_, goes_on)), count in kern_notes(source).items():
            begun[key] += 0 if goes_on else count
        assert Counter(key for _, key, _ in heard) == +begun, source
    heard = played(music.EXPORTS["midi"](SIMPLE))
    assert [(start, key) for start, key, _ in heard if start < 2] == [
        (0, 53), (0, 69), (0, 72), (1, 48), (1, 77), (Fraction(3, 2), 76),
    ]  # fmt: skip


def test_repeats_that_end_in_a_row_are_played():
    source = "**kern\n*clefG2\n*M1/4\n4c\n=:|!\n4d\n=:|!\n*-"
    assert [key for _, key, _ in played(music.EXPORTS["midi"](source))] == [60, 62]


def test_kern_is_written_as_engravers_take_it():
    plain = music.EXPORTS["kern"](SIMPLE).decode()
    assert plain == SIMPLE + "\n"
    assert music.EXPORTS["kern"]("**ekern_1.0\n4·c e-\n").decode() == "**kern\n4c 4e-\n*-\n"
    sung = "**kern\t**text\n4.[c (e gg]\t12 cats a\n8r\t.\n*-\t*-\n"
    assert music.EXPORTS["kern"](sung).decode() == sung.replace("(e gg", "(4.e 4.gg")


@pytest.mark.parametrize("form", list(music.EXPORTS))
def test_broken_music_is_told(form):
    for source in ("", "text", SIMPLE.replace("4C\t8ffL", "4C"), SIMPLE.replace("4C\t8ffL", "4H\t8ffL"), SIMPLE + "\0"):
        with pytest.raises(BadInput):
            music.EXPORTS[form](source)


def test_music_without_bars_and_uncountable_bars_are_refused():
    with pytest.raises(RenderFailed, match="no bar"):
        music.EXPORTS["musicxml"]("**kern\n*clefG2\n*-")
    odd = [f"{prime}c" for prime in (7, 11, 13, 17, 19, 23, 29, 31) for _ in range(prime)]
    with pytest.raises(RenderFailed, match="usual"):
        music.EXPORTS["musicxml"]("\n".join(["**kern", *odd, "*-"]))


def test_molecules_read_the_same_from_mol_files():
    some = [molecule.invented(Random(seed)) for seed in range(40)]
    some += ["C/C=C/C", "C/C=C\\C", "CC=CC", "N[C@@H](C)C(=O)O", "[Na+].[Cl-]", "C[C@H](F)Cl", "OC1C=CC=C1", "[2H]O"]
    for smiles in some:
        block = molecule.EXPORTS["mol"](f"<smiles>{smiles}</smiles>").decode()
        assert "V2000" in block and block.endswith("M  END\n")
        read = chem.MolFromMolBlock(block)
        assert chem.MolToSmiles(read) == chem.CanonSmiles(smiles), smiles
        places = read.GetConformer().GetPositions()
        assert len({tuple(place.round(2)) for place in places}) == len(places)


def test_smiles_are_written_as_they_were_read():
    assert molecule.EXPORTS["smiles"](" <smiles> OCC </smiles>\n") == b"OCC\n"
    for form in molecule.EXPORTS:
        with pytest.raises(BadInput, match="valence"):
            molecule.EXPORTS[form]("CC(C)(C)(C)C")
        for source in ("", "<smiles></smiles>", "two words", "C\n\nC", "<smiles>"):
            with pytest.raises(BadInput):
                molecule.EXPORTS[form](source)


def test_smiles_need_no_rdkit(monkeypatch):
    def missing(*_):
        raise RendererMissing("rdkit")

    monkeypatch.setattr(molecule, "apart", missing)
    assert molecule.EXPORTS["smiles"]("<smiles>CC(=O)[O-].[Na+]</smiles>") == b"CC(=O)[O-].[Na+]\n"
    with pytest.raises(BadInput, match="no SMILES"):
        molecule.EXPORTS["smiles"]("<smiles>caffé</smiles>")


def mathml(source):
    """The formula's MathML, without its namespace."""
    root = ElementTree.fromstring(formula.EXPORTS["mathml"](source))
    for element in root.iter():
        space, _, element.tag = element.tag.rpartition("}")
        assert space in ("{http://www.w3.org/1998/Math/MathML", "{http://www.w3.org/1999/xhtml")
    return root


def test_formulas_are_told_in_mathml():
    text = formula.EXPORTS["mathml"](r"\[ \frac{a}{b_1} \]").decode()
    assert text == (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><semantics><mfrac><mi>a</mi><msub><mi>b</mi>'
        '<mn>1</mn></msub></mfrac><annotation encoding="application/x-tex">\\frac{a}{b_1}</annotation></semantics>'
        "</math>\n"
    )
    for source in (r"\( x \)", "$x$"):
        assert mathml(source).get("display") is None
    for source in (r"\[ x \]", "$$x$$", "x", r"\begin{equation}x\end{equation}"):
        assert mathml(source).get("display") == "block"


def test_letters_of_other_alphabets_are_characters():
    root = mathml(
        r"\( \mathbf{x}\mathbb{R}\mathcal{L}\mathfrak{C}\mathrm{d}\mathsf{A}\boldsymbol{\alpha}\mathbf{12} \)"
    )
    assert [one.text for one in root.iter() if one.tag in ("mi", "mn")] == [*"𝐱ℝℒℭd𝖠𝜶", "𝟏𝟐"]
    assert [one.get("mathvariant") for one in root.iter("mi") if one.get("mathvariant")] == ["normal"]
    assert mathml(r"\text{若 a<b & c}").findtext(".//mtext") == "若 a<b & c"


def test_aligned_lines_and_numbers_are_told_in_the_core_of_mathml():
    root = mathml(r"\begin{align}a&=b\\&=c\end{align}")
    assert [cell.get("style", "")[:16] for cell in root.iter("mtd")] == ["text-align: righ", "text-align: left"] * 2
    numbered = mathml(r"\[ x=1 \tag{7} \]")
    assert numbered.find(".//mlabeledtr") is None
    assert ["".join(cell.itertext()) for cell in numbered.iter("mtd")] == ["x=1", "(7)"]
    kept = {name for one in numbered.iter() for name in one.attrib}
    assert not any(name.startswith("data-") or name in ("id", "class", "href") for name in kept)


def test_formulas_one_after_the_other_are_told_together():
    root = mathml("\\[ a \\]\n\\( b \\),\n\\begin{align*}c&=d\\end{align*}")
    assert root.tag == "div" and [one.get("display") for one in root] == ["block", None, "block"]
    assert [one.findtext(".//annotation")[:3] for one in root] == ["a", "b", "\\be"]


def test_commands_that_mathjax_doesn_t_know_are_told_in_their_one_spelling():
    assert "†" in "".join(mathml(r"\[ A^{\dag} \]").itertext())
    assert formula.draw(r"\[ A^{\dag} \]", None).svg() == formula.draw(r"\[ A^{\dagger} \]", None).svg()


def test_formulas_deep_within_each_other_are_written_or_told():
    with suppress(OcrError):
        assert b"<math" in formula.EXPORTS["mathml"](r"\frac{a}{" * 900 + "x" + "}" * 900)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (r"\foo", "Undefined control sequence"),
        (r"\[ \]", "empty"),
        (r"\frac{a", "Missing close brace"),
        (r"\href{javascript:x}{a}", "href"),
        ("x\0", "can't be seen"),
        (r"\[ \unicode{xD800} \]", "MathJax wrote no MathML of the formula: .*surrogates not allowed"),
        (r"\[ \unicode{x1} \]", "MathJax wrote no MathML of the formula: "),
    ],
)
def test_what_is_no_formula_is_told(source, error):
    with pytest.raises(OcrError, match=error):
        formula.EXPORTS["mathml"](source)


def test_latex_and_tikz_are_written_as_they_can_be_pasted():
    assert formula.EXPORTS["latex"]("x^2") == b"\\[ x^2 \\]\n"
    for source in (r"\( x \)", r"\[ x \]", "$$x$$", r"\begin{align}a&=b\end{align}"):
        assert formula.EXPORTS["latex"](f" {source}\n").decode() == f"{source}\n"
    picture = "\\begin{tikzpicture}\n\\draw (0,0) -- (1,1);\n\\end{tikzpicture}"
    assert geometry.EXPORTS["tikz"](f"\n{picture}\n").decode() == f"{picture}\n"


@pytest.mark.parametrize(
    ("export", "source"),
    [
        (formula.EXPORTS["latex"], r"\[ \input{/etc/passwd} \]"),
        (formula.EXPORTS["latex"], r"\[ \frac{a \]"),
        (formula.EXPORTS["latex"], r"\[ \]"),
        (table.EXPORTS["latex"], r"\begin{tabular}{l}\( \input{/etc/passwd} \) \\\end{tabular}"),
        (table.EXPORTS["latex"], "| a |\n|---|\n| $\\write18{id}$ |"),
        (geometry.EXPORTS["tikz"], r"\begin{tikzpicture}\input{a}\end{tikzpicture}"),
        (geometry.EXPORTS["tikz"], r"\begin{tikzpicture}\draw (0,0) -- ;"),
        (geometry.EXPORTS["tikz"], "text"),
    ],
)
def test_what_reaches_out_or_is_broken_is_not_written(export, source):
    with pytest.raises(BadInput):
        export(source)
