"""The maps that detectors learn from, against distances measured point by point, and against Clipper's polygons."""

import cv2
import numpy as np
import pytest

from ocr2.ppocr.targets import maps

SIDE = 64
TILTED = np.array([[12, 20], [50, 10], [54, 26], [16, 36]], np.float32)
SHAPES = {
    "tilted": TILTED,
    "the other way round": TILTED[::-1],
    "between pixels": TILTED + np.float32([0.3, 0.6]),
    "triangle": np.array([[8, 50], [30, 9], [55, 47]], np.float32),
    "hook": np.array([[10, 10], [50, 10], [50, 50], [36, 50], [36, 24], [10, 24]], np.float32),
    "star": np.array([[32, 6], [38, 26], [58, 32], [38, 38], [32, 58], [26, 38], [6, 32], [26, 26]], np.float32),
}
DUMBBELL = [[8, 8], [26, 8], [26, 15], [38, 15], [38, 8], [56, 8], [56, 26], [38, 26], [38, 19], [26, 19], [26, 26]]
DUMBBELL = np.array([*DUMBBELL, [8, 26]], np.float32)


def depths(polygon):
    """(SIDE, SIDE) How far inside each pixel is, measured one by one."""
    return np.array([[cv2.pointPolygonTest(polygon, (x, y), True) for x in range(SIDE)] for y in range(SIDE)])


def reach(polygon, ratio=0.4):
    return cv2.contourArea(polygon) * (1 - ratio**2) / cv2.arcLength(polygon, True)


@pytest.mark.parametrize("polygon", SHAPES.values(), ids=SHAPES)
def test_they_are_of_the_distance_to_the_nearest_edge(polygon):
    found, depth, far = maps([polygon], [False], SIDE, SIDE), depths(polygon), reach(polygon)
    clear = np.abs(np.abs(depth) - far + 0.5 * np.sign(depth)) > 1e-3  # not on the very edge
    assert (found.shrink == (depth >= far - 0.5))[clear].all()
    assert (found.threshold_mask == (depth >= -far - 0.5))[clear].all()
    near = np.clip(1 - np.abs(depth) / far, 0, 1)
    assert np.abs(found.threshold - (0.3 + 0.4 * near)).max() < 1e-4
    assert (found.shrink_mask == 1).all()
    assert {each.dtype for each in found} == {np.dtype(np.float32)}


def test_a_rectangle_by_hand():
    box = np.array([[10, 10], [50, 10], [50, 30], [10, 30]])  # 800 pixels, 120 around: 5.6 at a ratio of 0.4
    found = maps([box], [False], 48, 70)
    truth = np.zeros((48, 70))
    truth[16:25, 16:45] = 1
    assert (found.shrink == truth).all()
    assert found.threshold_mask[20].tolist() == [0] * 4 + [1] * 53 + [0] * 13
    middle = found.threshold[20]
    assert middle[[10, 50]] == pytest.approx(0.7)
    assert middle[[9, 11, 12, 15, 16, 4, 5, 61]] == pytest.approx(
        [0.7 - 0.4 * min(away / 5.6, 1) for away in (1, 1, 2, 5, 6, 6, 5, 11)]
    )
    assert not found.threshold_mask[4, 4], "the corners are round"


def clipped(polygon, distance):
    """The pixels of a polygon that Clipper grows by a distance."""
    pyclipper = pytest.importorskip("pyclipper", reason="draws the truth: pip install pyclipper")
    offset = pyclipper.PyclipperOffset()
    offset.AddPath([tuple(corner) for corner in polygon.tolist()], pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    return cv2.fillPoly(drawn, [np.array(path) for path in offset.Execute(distance)], 1)


def test_upright_boxes_are_clippers():
    rng = np.random.default_rng(1)
    for _ in range(40):
        (x, y), (w, h) = rng.integers(2, 16, 2), rng.integers(8, 46, 2)
        box = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)
        assert (maps([box], [False], SIDE, SIDE).shrink == clipped(box, -reach(box))).all()


@pytest.mark.parametrize("grown", [False, True])
def test_polygons_are_clippers_but_for_pixels_at_their_edge(grown):
    rng = np.random.default_rng(2)
    ours, theirs, other = 0, 0, 0
    for _ in range(40):
        angle, (w, h) = rng.uniform(0, np.pi), rng.uniform([24, 9], [44, 24])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 + rng.uniform(-3, 3, (4, 2))
        quad = (corners @ turn + 32).round().astype(np.float32)  # Clipper counts in whole pixels
        far = reach(quad) if grown else -reach(quad)
        found = maps([quad], [False], SIDE, SIDE)
        mine, truth = found.threshold_mask if grown else found.shrink, clipped(quad, far)
        assert np.abs(depths(quad) + far)[mine != truth].max(initial=0) < 1.6
        ours, theirs, other = ours + mine.sum(), theirs + truth.sum(), other + (mine != truth).sum()
    assert ours == pytest.approx(theirs, rel=0.03)
    assert other < (0.03 if grown else 0.12) * theirs


def test_text_that_would_part_shrinks_less():
    def pieces(ratio):
        return cv2.connectedComponents(maps([DUMBBELL], [False], SIDE, SIDE, ratio).shrink.astype(np.uint8))[0] - 1

    assert cv2.connectedComponents((depths(DUMBBELL) >= reach(DUMBBELL) - 0.5).astype(np.uint8))[0] == 3
    assert pieces(0.4) == 1
    assert pieces(0.5) == 2, "there is no 1.0 to try"
    found = maps([DUMBBELL], [False], SIDE, SIDE)
    assert (found.shrink == (depths(DUMBBELL) >= reach(DUMBBELL, 0.8) - 0.5)).all()
    near = np.clip(1 - np.abs(depths(DUMBBELL)) / reach(DUMBBELL), 0, 1)
    assert np.abs(found.threshold - (0.3 + 0.4 * near)).max() < 1e-4, "the border is of the first ratio"


def test_what_is_ignored_or_small_is_masked_out():
    small = np.array([[4, 50], [60, 50], [60, 57], [4, 57]], np.float32)
    outside = TILTED + np.float32([200, 0])
    found = maps([TILTED, small, outside], [True, False, False], SIDE, SIDE)
    truth = (depths(TILTED) < -0.5) & (depths(small) < -0.5)
    assert (found.shrink_mask == truth)[:, :-1].all()
    assert not found.shrink.any()
    assert not found.threshold_mask.any()
    assert found.threshold == pytest.approx(0.3)
    none = maps([], [], SIDE, SIDE)
    assert none.shrink_mask.all()
    assert not none.shrink.any()


def test_text_that_leaves_the_image_is_cut():
    wide = np.array([[-30, 20], [40, 20], [40, 40], [-30, 40]], np.float32)
    cut = np.array([[0, 20], [40, 20], [40, 40], [0, 40]], np.float32)
    for one, other in zip(*(maps([each], [False], SIDE, SIDE) for each in (wide, cut)), strict=True):
        assert (one == other).all()


def test_several_lines_add_up():
    quads = [TILTED, TILTED + np.float32([0, 20]), TILTED[::-1] + np.float32([5, 27])]
    ignored = [False, False, True]
    alone = [maps([quad], [skip], SIDE, SIDE) for quad, skip in zip(quads, ignored, strict=True)]
    merged = (np.maximum, np.minimum, np.maximum, np.maximum)
    for both, parts, merge in zip(maps(quads, ignored, SIDE, SIDE), zip(*alone, strict=True), merged, strict=True):
        assert (both == merge.reduce(parts)).all()


def test_a_higher_ratio_leaves_more():
    areas = [maps([TILTED], [False], SIDE, SIDE, ratio).shrink.sum() for ratio in (0.4, 0.5, 0.6)]
    assert areas == sorted(set(areas))
