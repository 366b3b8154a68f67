"""The detector's geometry on probability maps drawn by hand, and beside RapidOCR's on a real one."""

import math

import cv2
import numpy as np
import pytest

from ocr2.ppocr.detector import STRIDE, DetectorConfig, boxes, clockwise, detect

CONFIG = DetectorConfig()


def drawn(*rectangles: tuple[tuple[float, float], tuple[float, float], float], shape: tuple[int, int] = (256, 320)):
    """A map with a probability of 0.9 inside the rectangles (center, size, angle)."""
    probability = np.zeros(shape, np.float32)
    for rectangle in rectangles:
        cv2.fillPoly(probability, [np.round(cv2.boxPoints(rectangle)).astype(np.int32)], 0.9)
    return probability


def test_a_box_grows_by_area_over_perimeter() -> None:
    (corners,) = boxes(drawn(((150, 100), (120, 20), 0)), CONFIG)
    grow = 120 * 20 * CONFIG.unclip / (2 * (120 + 20))
    assert corners == pytest.approx(
        np.array([[90 - grow, 90 - grow], [210 + grow, 90 - grow], [210 + grow, 110 + grow], [90 - grow, 110 + grow]]),
        abs=1,
    )


@pytest.mark.parametrize("angle", [-40, -15, 7, 30])
def test_a_slanted_box_keeps_its_slant(angle: float) -> None:
    (corners,) = boxes(drawn(((150, 120), (140, 24), angle)), CONFIG)
    along = corners[1] - corners[0]
    assert math.degrees(math.atan2(along[1], along[0])) == pytest.approx(angle, abs=2)
    assert corners.mean(0) == pytest.approx([150, 120], abs=1)


def test_faint_small_and_thin_boxes_are_left_out() -> None:
    faint = drawn(((150, 100), (120, 20), 0)) * 0.5
    assert boxes(faint, CONFIG) == []
    assert boxes(drawn(((150, 100), (1, 1), 0)), CONFIG) == []
    assert boxes(drawn(((150, 100), (100, 1), 0)), CONFIG) == []
    assert len(boxes(drawn(((80, 100), (90, 20), 0), ((240, 100), (90, 20), 0)), CONFIG)) == 2
    assert boxes(np.zeros((64, 64), np.float32), CONFIG) == []


def test_dilation_joins_what_a_pixel_parts() -> None:
    probability = drawn(((150, 100), (120, 20), 0))
    probability[:, 150] = 0
    assert len(boxes(probability, CONFIG)) == 2
    assert len(boxes(probability, DetectorConfig(dilate=True))) == 1


def test_boxes_agree_with_rapidocr() -> None:
    post = pytest.importorskip("rapidocr.ch_ppocr_det.utils", reason="pip install 'ocr2[bench]'").DBPostProcess
    rng = np.random.default_rng(0)
    rectangles = [
        ((x, y), (rng.uniform(40, 110), rng.uniform(8, 26)), rng.uniform(-12, 12))
        for x in (80, 240)
        for y in range(30, 480, 45)
    ]
    probability = cv2.GaussianBlur(drawn(*rectangles, shape=(512, 320)), (0, 0), 1.5)
    theirs, _ = post(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6)(probability[None, None], (512, 320))
    ours = boxes(probability, CONFIG)
    assert len(ours) == len(theirs) == len(rectangles)
    for mine in ours:
        assert min(np.abs(mine - peer).max() for peer in theirs) <= 2.5  # theirs are cut to whole pixels twice


def test_clockwise_from_the_top_left() -> None:
    corners = np.array([[0, 0], [10, 1], [9, 5], [-1, 4]], np.float32)
    for order in ([0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]):
        assert (clockwise(corners[order]) == corners).all()


class Network:
    """Sees the dark pixels of its input as text, and keeps the sizes it was given."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, image: np.ndarray) -> np.ndarray:
        assert image.shape[:2] == (1, 3)
        assert image.dtype == np.float32
        assert all(side % STRIDE == 0 for side in image.shape[2:])
        self.sizes.append(image.shape[2:])
        return (image[:, :1] < 0).astype(np.float32)


def page(height: int, width: int, text: int) -> np.ndarray:
    """A white image with dark bars of that height for lines of text."""
    image = np.full((height, width, 3), 255, np.uint8)
    for y in range(2 * text, height - 2 * text, 4 * text):
        image[y : y + text, width // 8 : width - width // 8] = 0
    return image


def test_quads_are_in_pixels_of_the_image_and_inside_it() -> None:
    network = Network()
    image = page(900, 1300, 40)
    quads = detect(image, network, CONFIG)
    assert len(quads) == len(range(80, 820, 160))
    top = min(quads, key=lambda quad: quad[0][1])
    assert top[0][0] < 1300 / 8 < 1300 * 7 / 8 < top[1][0]
    assert top[0][1] < 80 < 120 < top[3][1]
    assert all(0 <= x <= 1300 and 0 <= y <= 900 for quad in quads for x, y in quad)
    assert len(network.sizes) == 1


def test_small_images_are_enlarged_and_large_ones_scaled_down() -> None:
    network = Network()
    detect(page(100, 320, 20), network, CONFIG)
    detect(np.full((3000, 4000, 3), 255, np.uint8), network, CONFIG)
    small, large = network.sizes
    assert small == (192, 640)
    assert large[0] * large[1] == pytest.approx(CONFIG.pixels, rel=0.05)


def test_a_page_of_small_print_is_looked_at_again() -> None:
    network = Network()
    quads = detect(page(4000, 3000, 14), network, CONFIG)
    assert len(network.sizes) == 2
    assert network.sizes[1][0] > 1.3 * network.sizes[0][0]
    assert len(quads) == len(range(28, 4000 - 28, 56))


def test_a_tall_image_is_looked_at_in_windows_that_find_every_line_once() -> None:
    network = Network()
    image = page(4100, 500, 20)
    quads = detect(image, network, CONFIG)
    assert len(network.sizes) == 6
    tops = sorted(quad[0][1] for quad in quads)
    assert len(tops) == len(range(40, 4060, 80))
    assert np.diff(tops) == pytest.approx(80, abs=2)


def test_flat_images_do_not_swell() -> None:
    network = Network()
    detect(np.full((2, 400_000, 3), 255, np.uint8), network, CONFIG)
    detect(np.full((90_000, 2, 3), 255, np.uint8), network, CONFIG)
    assert all(h * w <= 4 * CONFIG.pixels for h, w in network.sizes)


def test_tiny_images() -> None:
    assert detect(np.full((1, 1, 3), 255, np.uint8), Network(), CONFIG) == []
    assert detect(np.full((1, 5000, 3), 255, np.uint8), Network(), CONFIG) == []
