"""Damage that is new at each visit: bytes in, bytes out, each view by itself."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from PIL import Image

from ocr2.got import augment
from ocr2.got.batch import Batch
from ocr2.got.config import PRESETS
from ocr2.got.views import fitted

SAME = replace(PRESETS["nano"].encoder, enlarged=1.0)
PAGE = torch.from_numpy(fitted(Image.open("examples/page.png").convert("RGB"), SAME).view)


def batch(count: int) -> Batch:
    ids = torch.zeros(count, 4, dtype=torch.long)
    return Batch((PAGE.expand(count, -1, -1, -1),), ids, ids)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pages_stay_pages_and_each_is_damaged_in_its_own_way() -> None:
    before = batch(8)
    after = augment.damaged(before, seeded(0))
    (views,) = after.views
    assert views.shape == before.views[0].shape
    assert views.dtype == torch.uint8
    assert after.ids is before.ids
    assert len({view.numpy().tobytes() for view in views}) > 6
    for view in views:  # what was dark is still darker than what was light
        ink, paper = PAGE < 80, PAGE > 160
        assert view[paper].float().mean() - view[ink].float().mean() > 20


def test_the_same_seed_does_the_same_damage() -> None:
    first, again, other = (augment.damaged(batch(3), seeded(seed)).views[0] for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_long_batch_is_damaged_in_parts() -> None:
    (views,) = augment.damaged(batch(augment._VIEWS + 1), seeded(0)).views
    assert len(views) == augment._VIEWS + 1


def test_greys_a_blur_has_left_below_black_or_above_white_are_numbers() -> None:
    """A GPU's convolutions of black and white are off in the last digits; powers of what is below 0 would be none."""
    x = torch.tensor([-1e-7, 0.0, 1.0, 1 + 1e-7]).expand(32, 3, 4, 4)
    lit = augment._lit(x, augment._Draw(len(x), seeded(0)))
    assert lit.isfinite().all()
    assert torch.equal(lit[..., 0], lit[..., 1])
    assert torch.equal(lit[..., 2], lit[..., 3])
    assert (lit[..., 0] < lit[..., 2]).all()


def test_blocks_are_coded_as_jpeg_codes_them() -> None:
    """The light of a grey page after ours, and after OpenCV's JPEG at quality 50: the same but for rounding."""
    grey = PAGE.float().mean(0).round()
    page = (grey / 255).expand(1, 3, -1, -1)
    ours = augment._jpeg(page, torch.ones(1, 1, 1, 1))[0, 0] * 255
    _, coded = cv2.imencode(".jpg", grey.byte().numpy(), [cv2.IMWRITE_JPEG_QUALITY, 50])
    theirs = cv2.imdecode(np.asarray(coded), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    apart = (ours.clamp(0, 255).round() - torch.from_numpy(theirs)).abs()
    assert (apart == 0).float().mean() > 0.75
    assert apart.mean() < 0.5 < 4 < (ours - grey).abs().mean()
