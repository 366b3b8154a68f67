"""Scenes and lines as other cameras take them: outlines stay on what they outline, and nothing breaks on odd input."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.ppocr import augment
from ocr2.ppocr.augment import Frame, Scene, Word

if TYPE_CHECKING:
    from ocr2.types import Page

COLORS = np.array([[255, 1, 128], [1, 255, 128], [191, 191, 2], [65, 65, 254]], np.uint8)
"""Of the four corners' marks, on grey pages: hues a quarter of a turn apart."""
RADIUS = 4


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Page]:
    pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")
    from ocr2.data.corpus import Corpus
    from ocr2.data.lines import Lines

    corpus = Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])
    return [Lines(corpus, shape, "mixed", 3).page(n) for shape in ("page", "columns", "paragraph") for n in range(2)]


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def drawn(rng: Random, height: int, width: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(rng.getrandbits(32))).integers(0, 255, (height, width, 3), np.uint8)


def random_scene(rng: Random, width: int = 320, height: int = 240, count: int = 6) -> Scene:
    quads = []
    for _ in range(count):
        x, y = rng.uniform(0, width - 60), rng.uniform(0, height - 20)
        quads.append(rectangle(x, y, x + rng.uniform(10, 60), y + rng.uniform(5, 20)))
    return Scene(drawn(rng, height, width), quads, [False] * count)


def box(quad: np.ndarray) -> tuple[float, ...]:
    return (*quad.min(0).tolist(), *quad.max(0).tolist())


def meet(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


# how a scene is looked at


def marked(page: Page, number: int) -> Scene:
    """The page in grey with one of its quads only, and a coloured disc on each corner of it."""
    grey = cv2.convertScaleAbs(np.asarray(page.image.convert("L")), alpha=0.5, beta=64)
    image, quad = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.array(page.lines[number].quad, np.float32)
    for corner, color in zip(quad, COLORS, strict=True):
        middle = np.rint((corner - 0.5) * 16).astype(int).tolist()  # OpenCV counts from the middle of a pixel
        cv2.circle(image, middle, RADIUS * 16, color.tolist(), -1, cv2.LINE_AA, 4)
    return Scene(image, [quad], [False])


def found(image: np.ndarray, color: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle of what has the colour, and how many pixels it has."""
    tint = image - image.mean(2, keepdims=True, dtype=np.float32)
    aim = color - color.mean(dtype=np.float32)
    weights = (tint @ aim / (aim @ aim)).clip(0)
    weights[weights < 0.45] = 0  # greys and the other colours
    y, x = np.indices(weights.shape) + 0.5
    total = max(float(weights.sum()), 1e-9)
    return np.array([(x * weights).sum(), (y * weights).sum()]) / total, total


def test_corners_are_where_the_quads_say(pages: list[Page]) -> None:
    rng, off, several = Random(5), [], 40
    for n in range(several):
        page = pages[n % len(pages)]
        scene = marked(page, rng.randrange(len(page.lines)))
        shown = augment.scene_augmented(scene, None, 320, rng)
        (before,), (after,) = scene.quads, shown.quads  # nothing that counts is cut
        scale = np.linalg.norm(after[1] - after[0]) / np.linalg.norm(before[1] - before[0])
        for corner, color in zip(after, COLORS, strict=True):
            middle, size = found(shown.image, color)
            if size > 0.8 * np.pi * (RADIUS * scale) ** 2:  # it isn't cut off, nor has the other line's disc on it
                off.append(middle - corner)
    assert len(off) > 3 * several
    assert np.abs(off).max() < 0.75  # pixels
    assert np.abs(np.mean(off, 0)).max() < 0.05


def test_frames_move_pixels_and_quads_alike() -> None:
    rng = Random(1)
    scene = Scene(drawn(rng, 8, 12), [np.array([[1, 2], [5, 2], [6, 4], [1, 5]], np.float32)], [True])
    frame = augment.whole(scene)
    same = augment.framed(scene, frame, 12)
    assert (same.image[:8] == scene.image).all()
    assert not same.image[8:].any()
    assert (same.quads[0] == scene.quads[0]).all()
    assert same.ignored == [True]
    mirrored = augment.framed(scene, augment.flipped(frame), 12)
    assert (mirrored.image[:8] == scene.image[:, ::-1]).all()
    assert np.allclose(mirrored.quads[0], [[11, 2], [7, 2], [6, 4], [11, 5]])
    turned = augment.framed(scene, augment.rotated(frame, 90), 12)
    assert (turned.image[:, :8] == np.rot90(scene.image, -1)).all()
    assert np.allclose(turned.quads[0], [[6, 1], [6, 5], [4, 6], [3, 1]], atol=1e-5)
    part = augment.framed(scene, Frame(np.array([[1, 0, -3], [0, 1, -2], [0, 0, 1]]), 4, 6), 6)
    assert (part.image[:, :4] == scene.image[2:8, 3:7]).all()
    assert not part.image[:, 4:].any()
    assert np.allclose(part.quads[0], [[0, 0], [2, 0], [3, 2], [0, 2.6]])


def test_a_turned_frame_holds_all_of_the_scene() -> None:
    scene = random_scene(Random(2), 300, 40)
    corners = [rectangle(0, 0, 300, 40)]
    for degrees in (-10, -3, 0, 7, 10, 45):
        frame = augment.rotated(augment.whole(scene), degrees)
        (outline,) = augment.outlines(frame, corners)
        assert np.allclose(box(outline), [0, 0, frame.width, frame.height], atol=1e-3)


def test_larger_pages_are_averaged_not_sampled() -> None:
    """A fine chequerboard becomes grey, whatever falls on its pixels' middles."""
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    scene = Scene(cv2.merge([board] * 3), [], [])
    shown = augment.framed(scene, augment.whole(scene), 100).image
    assert np.abs(shown.astype(int) - 127).max() <= 2


def test_enlarged_pixels_can_be_coarse() -> None:
    """What the published pipeline's scaling leaves: a page seen at a third of its pixels."""
    scene = Scene(drawn(Random(3), 90, 90), [], [])
    fine, coarse = (augment.framed(scene, augment.whole(scene), 90, finest).image for finest in (1.0, 1 / 3))
    assert (fine == scene.image).all()
    means = scene.image.reshape(30, 3, 30, 3, 3).mean((1, 3))
    assert np.abs(coarse[1::3, 1::3] - means).max() <= 1


# crops


def test_crops_cut_through_no_text_and_show_some() -> None:
    rng, cut = Random(4), 0
    for _ in range(150):
        scene = random_scene(rng, count=rng.randint(1, 8))
        scene.ignored[0] = len(scene.quads) > 1
        frame = augment.cropped(augment.whole(scene), scene, rng)
        x0, y0 = -frame.matrix[:2, 2]
        window = (x0, y0, x0 + frame.width, y0 + frame.height)
        assert min(window) >= 0
        assert window[2] <= 320
        assert window[3] <= 240
        assert frame.width >= 32
        assert frame.height >= 24
        texts = [box(quad) for quad, skipped in zip(scene.quads, scene.ignored, strict=True) if not skipped]
        inside = [meet(text, window) for text in texts]
        for text, shows in zip(texts, inside, strict=True):
            if shows:  # then it is all there
                assert window[0] <= text[0]
                assert window[1] <= text[1]
                assert window[2] >= text[2]
                assert window[3] >= text[3]
        assert any(inside)
        cut += window != (0, 0, 320, 240)
    assert cut > 120


def test_a_text_that_nobody_can_read_is_cut() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    scene = Scene(image, [rectangle(10, 10, 20, 20), rectangle(0, 0, 100, 100)], [False, True])
    rng, shown = Random(6), []
    for _ in range(20):
        shown.append(augment.framed(scene, augment.cropped(augment.whole(scene), scene, rng), 64))
    assert all(each.ignored == [False, True] for each in shown)
    assert any(each.image.shape == (64, 64, 3) and box(each.quads[1])[2:] != (64, 64) for each in shown)
    for each in shown:
        assert min(box(each.quads[1])) > -1e-3
        assert max(box(each.quads[1])) < 64 + 1e-3


@pytest.mark.parametrize(
    "quads",
    [
        [],
        [rectangle(-5, 3, 105, 9)],  # no place to cut from top to bottom
        [rectangle(-5, -5, 105, 105)],  # nor across
        [rectangle(130, 130, 150, 150)],  # all parts of the page are without text: 50 tries find none
        [rectangle(1, 1, 2, 2), rectangle(2, 2, 99, 99)],
    ],
)
def test_where_no_crop_is_found_the_whole_page_is_shown(quads: list[np.ndarray]) -> None:
    scene = Scene(np.zeros((100, 100, 3), np.uint8), quads, [False] * len(quads))
    frame = augment.whole(scene)
    for seed in range(5):
        crop = augment.cropped(frame, scene, Random(seed))
        wide = crop.width >= 97 and crop.height >= 97
        assert wide if len(quads) == 2 else crop is frame


def test_only_what_lies_inside_is_kept_of_a_polygon() -> None:
    """Point by point: in the clipped polygon if in the polygon and in the rectangle."""
    rng = Random(7)
    for _ in range(60):
        angles = sorted(rng.uniform(0, 2 * np.pi) for _ in range(rng.randint(3, 9)))
        polygon = np.array(
            [[20 + (r := rng.uniform(5, 30)) * np.cos(angle), 15 + r * np.sin(angle)] for angle in angles], np.float32
        )
        clipped = augment._clipped(polygon, 40, 30)
        for _ in range(60):
            point = rng.uniform(-10, 50), rng.uniform(-10, 40)
            depth = cv2.pointPolygonTest(polygon, point, True)
            within = min(point[0], 40 - point[0], point[1], 30 - point[1])
            if min(abs(depth), abs(within)) > 1e-2:
                kept = len(clipped) >= 3 and cv2.pointPolygonTest(clipped, point, False) > 0
                assert kept == (depth > 0 and within > 0)


def test_outlines_beyond_the_page_are_dropped() -> None:
    scene = Scene(
        np.zeros((50, 50, 3), np.uint8),
        [rectangle(60, 10, 90, 20), rectangle(40, 10, 90, 20), rectangle(-9, -9, -1, 59), rectangle(5, 5, 5, 9)],
        [False, True, False, False],
    )
    shown = augment.framed(scene, augment.whole(scene), 50)
    assert shown.ignored == [True]
    assert box(shown.quads[0]) == (40, 10, 50, 20)


# pasted text


def painted(rng: Random, count: int) -> Scene:
    """A white page with quads, each of one colour, and blue at its first corner."""
    image, quads = np.full((400, 400, 3), 255, np.uint8), []
    for n in range(count):
        y = 10 + 380 / count * n
        quad = cv2.boxPoints(((120, y + 8), (rng.uniform(60, 100), 14), rng.uniform(-3, 3))).astype(np.float32)
        cv2.fillPoly(image, [np.rint((quad - 0.5) * 16).astype(int)], (0, 200, 0), shift=4)
        start = quad[0] + 0.15 * (quad[2] - quad[0])
        cv2.circle(image, np.rint((start - 0.5) * 16).astype(int).tolist(), 24, (255, 0, 0), -1, shift=4)
        quads.append(quad)
    return Scene(image, quads, [False] * count)


def test_pasted_text_is_where_its_quad_says() -> None:
    rng = Random(8)
    for _ in range(20):
        blank = Scene(np.zeros((300, 300, 3), np.uint8), [rectangle(100, 100, 200, 200)], [False])
        other = painted(rng, 10)
        result = augment.pasted(blank, other, rng)
        assert len(result.quads) == len(result.ignored) == 3  # a fifth of ten, and the one before
        mask = np.zeros((300, 300), np.uint8)
        for quad in result.quads[1:]:
            cv2.fillPoly(mask, [np.rint((quad - 0.5) * 16).astype(int)], 1, shift=4)
            size = quad[1] - quad[0], quad[3] - quad[0]
            sides = [[np.linalg.norm(each[n] - each[0]) for n in (1, 3)] for each in (quad, *other.quads)]
            assert min(np.abs(np.subtract(sides[0], each)).max() for each in sides[1:]) < 1e-2
            y, x = np.round(quad[0] + 0.15 * (size[0] + size[1]) - 0.5).astype(int)[::-1]
            assert result.image[y, x].argmax() == 0  # its first corner
        drawn = result.image.any(2)
        assert (drawn == (mask > 0)).mean() > 0.999
        assert result.image[mask > 0].reshape(-1, 3)[:, 2].mean() < 25  # hardly any white from around it


def test_pasted_texts_meet_no_other() -> None:
    rng = Random(9)
    for _ in range(20):
        scene, other = random_scene(rng), painted(rng, 20)
        before = scene.image.copy()
        result = augment.pasted(scene, other, rng)
        assert (scene.image == before).all()
        assert len(scene.quads) == 6
        assert result.ignored == [False] * len(result.quads)
        for new in range(6, len(result.quads)):
            assert not any(meet(box(result.quads[new]), box(quad)) for quad in result.quads[:new])
            assert min(box(result.quads[new])) >= 0
            assert box(result.quads[new])[2] <= 320
            assert box(result.quads[new])[3] <= 240


def test_a_fifth_of_the_texts_is_pasted_at_least_one_and_at_most_thirty() -> None:
    room = Scene(np.zeros((4000, 4000, 3), np.uint8), [], [])
    counts = {}
    for count in (1, 4, 10, 49, 400):
        tiny = Scene(np.zeros((10, 10, 3), np.uint8), [rectangle(1, 1, 4, 3)] * count, [False] * count)
        counts[count] = len(augment.pasted(room, tiny, Random(0)).quads)
    assert counts == {1: 1, 4: 1, 10: 2, 49: 9, 400: 30}


def test_what_cannot_be_pasted_is_left_out() -> None:
    scene = random_scene(Random(10), 40, 30, 1)
    image = np.zeros((200, 200, 3), np.uint8)
    for quads, ignored in (
        ([], []),
        ([rectangle(0, 0, 100, 9)], [False]),  # larger than the scene
        ([rectangle(0, 0, 9, 9)], [True]),
        ([rectangle(3, 3, 3, 3)], [False]),  # a point
    ):
        result = augment.pasted(scene, Scene(image, quads, ignored), Random(0))
        assert (result.image == scene.image).all()
        assert len(result.quads) == 1
    full = scene._replace(quads=[rectangle(0, 0, 40, 30)])
    assert len(augment.pasted(full, Scene(image, [rectangle(0, 0, 9, 5)], [False]), Random(0)).quads) == 1


# whole scenes


def test_the_same_seed_makes_the_same_scene() -> None:
    scene, other = random_scene(Random(11)), painted(Random(11), 8)
    first, again, another = (augment.scene_augmented(scene, other, 160, Random(seed)) for seed in (1, 1, 2))
    assert (first.image == again.image).all()
    assert all((one == two).all() for one, two in zip(first.quads, again.quads, strict=True))
    assert (first.image != another.image).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_scenes_of_a_pixel_or_of_a_row_of_pixels(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    for quads in ([], [rectangle(0, 0, shape[1], shape[0])], [rectangle(5, 5, 6, 6)]):
        scene = Scene(image, quads, [False] * len(quads))
        for seed in range(8):
            shown = augment.scene_augmented(scene, scene, 64, Random(seed))
            assert shown.image.shape == (64, 64, 3)
            assert shown.image.any()
            assert len(shown.quads) == len(shown.ignored)


# lines


def line_of(text: str, height: int = 40) -> np.ndarray:
    image = np.full((height, 22 * len(text) + 10, 3), 240, np.uint8)
    cv2.putText(
        image, text, (5, int(0.7 * height)), cv2.FONT_HERSHEY_SIMPLEX, height / 40, (20, 20, 20), 2, cv2.LINE_AA
    )
    return image


def test_each_kind_of_damage_shows_and_none_hides_the_text() -> None:
    image = line_of("damage")
    for change in (augment._lit, augment._shifted, augment._noisy):
        for seed in range(10):
            changed = change(image, Random(seed))
            assert changed.shape == image.shape
            assert changed.dtype == np.uint8
            assert 0.2 < np.abs(changed.astype(int) - image).mean() < 64
    assert {len(augment._trimmed(image, Random(seed))) for seed in range(60)} == set(range(34, 40))


def test_faint_letters_stay_as_dark_as_they_are_to_the_paper() -> None:
    faint = np.full((30, 90, 3), 250, np.uint8)
    faint[10:20, 10:80] = 238
    for seed in range(20):
        changed = augment._lit(faint, Random(seed)).astype(int)
        assert changed[0, 0, 0] - changed[15, 40, 0] >= 8


def test_damage_is_done_two_times_in_five() -> None:
    """Inverted lines are counted: what else is done leaves paper light and ink dark."""
    image = line_of("how often")
    rng = Random(17)
    inverted = sum(augment.line_augmented(image, rng).mean() < 128 for _ in range(400))
    assert 130 < inverted < 190  # 160 ± 3 deviations


def test_augmented_lines_still_show_their_letters() -> None:
    """Ink stays: as dark beside the paper, and about as much of it."""
    image, rng = line_of("letters stay"), Random(18)
    share = (image.mean(2) < 128).mean()
    for _ in range(100):
        changed = augment.line_augmented(image, rng).astype(np.float32).mean(2)
        low, high = np.percentile(changed, [1, 99])
        assert high - low > 90
        paper = np.median(changed)
        assert 0.35 * share < (np.abs(changed - paper) > 0.4 * (high - low)).mean() < 2.5 * share


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (19, 200), (20, 20), (32, 5)])
def test_lines_of_any_size_can_be_damaged(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    for seed in range(30):
        changed = augment.line_augmented(image, Random(seed))
        assert changed.dtype == np.uint8
        assert changed.shape[1] == shape[1]
        assert shape[0] - 8 <= changed.shape[0] <= shape[0]
        assert augment.rand_augmented(image, Random(seed)).shape == image.shape


def test_random_changes_are_of_many_kinds_and_leave_the_ends_in_sight() -> None:
    image = line_of("a long line to be turned")
    results = [augment.rand_augmented(image, Random(seed)) for seed in range(80)]
    assert len({each.tobytes() for each in results}) > 50
    assert all(each.shape == image.shape and each.std() > 15 for each in results)
    first, again = (augment.rand_augmented(image, Random(3)) for _ in range(2))
    assert (first == again).all()


def test_lines_are_joined_if_both_fit() -> None:
    one = Word(np.full((20, 40, 3), 10, np.uint8), "one")
    two = Word(np.full((40, 40, 3), 99, np.uint8), "two")
    both = augment.joined(one, two, 10, 25)
    assert both.text == "onetwo"
    assert both.image.shape == (20, 60, 3)
    assert (both.image[:, :40] == 10).all()
    assert (both.image[:, 40:] == 99).all()
    assert augment.joined(one, two, 3, 6).text == "onetwo"
    assert augment.joined(one, two, 2.9, 6) is one
    assert augment.joined(one, two, 3, 5) is one


def test_lines_are_padded_or_squeezed_to_the_width() -> None:
    image = np.full((16, 32, 3), (0, 128, 255), np.uint8)
    array = augment.line_array(image, 32, 320)
    assert array.shape == (3, 32, 320)
    assert np.allclose(array[:, :, :64].transpose(1, 2, 0), np.array([0, 128, 255]) / 127.5 - 1, atol=1e-6)
    assert not array[:, :, 64:].any()
    wide = augment.line_array(np.full((16, 400, 3), 255, np.uint8), 48, 320)
    assert wide.shape == (3, 48, 320)
    assert (wide == 1).all()
    assert augment.line_array(np.zeros((1, 1, 3), np.uint8), 64, 320).shape == (3, 64, 320)


def test_every_pair_of_seeds_damages_lines_differently() -> None:
    image = line_of("seeds")
    made = [augment.line_augmented(image, Random(seed)) for seed in range(12)]
    assert sum(one.tobytes() != two.tobytes() for one, two in combinations(made, 2)) > 60
    assert all((augment.line_augmented(image, Random(n)) == one).all() for n, one in enumerate(made))
