"""CTC decoding against the definition, and beside RapidOCR's; the printed spaces between Chinese and Latin."""

import itertools

import numpy as np
import pytest

from ocr2.ppocr.recognizer import Recognized, RecognizerConfig, cuts, decode, joined, line_input, spaced

ALPHABET = ["", "a", "b", "中", " "]


def steps(path: str, sure: float = 0.8) -> np.ndarray:
    """Probabilities (T, C) whose likeliest path is the given one; "-" is the blank."""
    probabilities = np.full((len(path), len(ALPHABET)), (1 - sure) / (len(ALPHABET) - 1), np.float32)
    for step, character in enumerate(path):
        probabilities[step, 0 if character == "-" else ALPHABET.index(character)] = sure
    return probabilities


def defined(path: list[int]) -> str:
    """CTC's mapping as its paper defines it: first merge repeats, then take out blanks."""
    merged = [path[0]] + [now for before, now in itertools.pairwise(path) if now != before]
    return "".join(ALPHABET[label] for label in merged if label)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *(("----", ""), ("aa-a", "aa"), ("aab", "ab"), ("-a--bb-", "ab"), ("a-中中-中", "a中中")),
        *((" a b ", "a b"), ("  -  ", ""), ("a ", "a")),
    ],
)
def test_repeats_collapse_blanks_go_and_the_ends_are_bare(path: str, text: str) -> None:
    assert decode(steps(path), ALPHABET).text == text


def test_decoding_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        probabilities = rng.dirichlet(np.ones(len(ALPHABET)), size=rng.integers(1, 12)).astype(np.float32)
        expected = defined(probabilities.argmax(1).tolist())
        assert decode(probabilities, ALPHABET).text == expected.strip()


def test_the_score_is_the_mean_over_kept_characters() -> None:
    probabilities = np.concatenate([steps("a", 0.9), steps("a", 0.5), steps("-", 0.6), steps("b", 0.7)])
    read = decode(probabilities, ALPHABET)
    assert read.text == "ab"
    assert read.score == pytest.approx((0.9 + 0.7) / 2)
    assert read.centers == pytest.approx([0.125, 0.875])
    assert decode(steps("--"), ALPHABET) == Recognized("", 0.0, ())


def test_decoding_agrees_with_rapidocr() -> None:
    peer = pytest.importorskip("rapidocr.ch_ppocr_rec.utils", reason="pip install 'ocr2[bench]'").CTCLabelDecode
    rng = np.random.default_rng(1)
    batch = rng.dirichlet(np.full(len(ALPHABET), 0.3), size=(20, 30)).astype(np.float32)
    theirs, _ = peer(character=ALPHABET[1:-1])(batch)
    for probabilities, (text, score) in zip(batch, theirs, strict=True):
        ours = decode(probabilities, ALPHABET)
        assert ours.text == text.strip()
        if text == ours.text:
            assert ours.score == pytest.approx(score, abs=1e-4)


def test_lines_are_scaled_to_the_height_and_squeezed_when_long() -> None:
    config = RecognizerConfig(height=48, squeeze=0.75, shortest=160, longest=1000)

    def width(w: int, h: int) -> int:
        array = line_input(np.zeros((h, w, 3), np.uint8), config)
        assert array.shape[:3] == (1, 3, 48)
        assert array.dtype == np.float32
        return array.shape[3]

    assert width(480, 24) == 720  # 960 squeezed
    assert width(96, 24) == 160  # 192, but not below the shortest
    assert width(10, 48) == 160  # padded
    assert width(9000, 24) == 1000
    assert width(1, 1000) == 160


def test_bytes_become_minus_one_to_one_and_padding_is_gray() -> None:
    array = line_input(np.full((48, 100, 3), 255, np.uint8), RecognizerConfig(shortest=160))
    assert array[..., :100] == pytest.approx(1)
    assert (array[..., 100:] == 0).all()
    assert line_input(np.zeros((48, 200, 3), np.uint8), RecognizerConfig()) == pytest.approx(-1)


@pytest.mark.parametrize("paper", [255, 0])
@pytest.mark.parametrize(("gap", "text"), [(3, "中a"), (14, "中 a")])
def test_printed_spaces_between_chinese_and_latin(gap: int, text: str, paper: int) -> None:
    image = np.full((48, 40 + gap + 20, 3), paper, np.uint8)
    image[8:40, 2:40] = 255 - paper
    image[12:40, 40 + gap : 58 + gap] = 255 - paper
    width = image.shape[1]
    read = spaced(Recognized("中a", 0.9, (21 / width, (49 + gap) / width)), image)
    assert read.text == text
    assert len(read.centers) == len(text)
    assert list(read.centers) == sorted(read.centers)


def test_nothing_is_put_between_letters_of_one_script() -> None:
    image = np.full((48, 200, 3), 255, np.uint8)
    for read in (Recognized("ab", 0.9, (0.1, 0.9)), Recognized("中中", 0.9, (0.1, 0.9)), Recognized("", 0.0, ())):
        assert spaced(read, image) == read


def bars(*widths: int, height: int = 20) -> np.ndarray:
    """A line of black bars and white gaps of these widths, by turns; most of it is white, as pages are."""
    line = [value for n, width in enumerate(widths) for value in [255 * (n % 2)] * width]
    image = np.full((height, len(line), 3), 255, np.uint8)
    image[: 2 * height // 5] = np.array(line, np.uint8)[:, None]
    return image


def test_long_lines_are_cut_in_their_widest_gaps_and_others_are_not() -> None:
    config = RecognizerConfig(height=20, squeeze=1.0, shortest=50, longest=100)
    words = bars(30, 4, 20, 4, 20, 10, 30, 4, 40, 4, 14)  # 180 columns; the gap of 10 is at 78
    assert cuts(words, config) == [(0, 83), (83, 180)]
    assert cuts(255 - words, config) == [(0, 83), (83, 180)]
    assert cuts(words[:, :100], config) == [(0, 100)]
    assert cuts(words, RecognizerConfig(height=20, squeeze=0.5, shortest=50, longest=100)) == [(0, 180)]
    assert cuts(words[:4], config) == [(0, 180)]  # too low for letters
    solid = cuts(bars(1000, 1), config)
    assert solid[0][0] == 0
    assert solid[-1][1] == 1001
    assert all(0 < stop - start <= 100 for start, stop in solid)


@pytest.mark.parametrize(
    ("first", "second", "text"), [("to", "be", "to be"), ("中", "文", "中文"), ("中", "a", "中 a")]
)
def test_pieces_are_joined_as_their_scripts_are(first: str, second: str, text: str) -> None:
    parts = [
        Recognized(first, 0.6, (0.5,) * len(first)),
        Recognized("", 0.0, ()),
        Recognized(second, 0.9, (0.5,) * len(second)),
    ]
    read = joined(parts, [(0, 40), (40, 60), (60, 100)])
    assert read.text == text
    assert read.score == pytest.approx((0.6 * len(first) + 0.9 * len(second)) / (len(first) + len(second)))
    assert (read.centers[0], read.centers[-1]) == (0.2, 0.8)
    assert list(read.centers) == sorted(read.centers)


def test_pieces_without_text_are_a_line_without_text() -> None:
    assert joined([Recognized("", 0.0, ())] * 2, [(0, 5), (5, 10)]) == Recognized("", 0.0, ())
