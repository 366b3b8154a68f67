"""Each loss against numbers worked out by hand, or by a slower way."""

import itertools
import math

import cv2
import numpy as np
import pytest
import torch

from ocr2.ppocr import losses
from ocr2.ppocr.batch import Scenes, Ways, Words
from ocr2.ppocr.nets import Maps
from ocr2.ppocr.recognizer import decode


def maps(*values):
    return [torch.tensor(each, dtype=torch.float32)[None, None] for each in values]


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestDetectors:
    def test_dice(self):
        predicted, truth, mask = maps([[0.5, 1, 0, 1]], [[1, 1, 0, 0]], [[1, 1, 1, 0]])
        assert losses.dice(predicted, truth, mask) == pytest.approx(1 - 2 * 1.5 / 3.5, rel=1e-5)
        assert losses.dice(truth, truth, mask) == pytest.approx(0, abs=1e-6)
        assert losses.dice(1 - truth, truth, mask) == pytest.approx(1)

    def test_balanced(self):
        predicted, truth, mask = maps(
            [[0.8, 0.01, 0.6, 0.3, 0.02, 0.2, 0.99]], [[1, 0, 0, 0, 0, 0, 0]], [[1, 1, 1, 1, 1, 1, 0]]
        )
        hardest = 1 - 2 * 0.8 / (0.8 + 0.6 + 0.3 + 0.2 + 1)
        assert losses.balanced(predicted, truth, mask) == pytest.approx(hardest, rel=1e-5)
        assert truth.sum() == 1, "what it is given stays"

    def test_balanced_with_little_else(self):
        predicted, truth, mask = maps([[0.8, 0.6, 0.3, 0.9]], [[1, 1, 0, 1]], [[1, 1, 1, 0]])
        every = 1 - 2 * 1.4 / (1.4 + 0.3 + 2)
        assert losses.balanced(predicted, truth, mask) == pytest.approx(every, rel=1e-5)
        assert losses.balanced(predicted, truth * 0, mask) == 1
        assert losses.balanced(predicted, truth, mask * 0) == 1

    def test_balanced_over_several_images(self):
        predicted, truth, mask = (drawn(2, 1, 9, 7, seed=seed) for seed in range(3))
        truth, mask = (truth > 0.9).float(), (mask > 0.3).float()
        text, other = predicted[(truth * mask) > 0], predicted[((1 - truth) * mask) > 0]
        hardest = sorted(other.tolist())[-3 * len(text) :]
        dice = 1 - 2 * text.sum() / (text.sum() + sum(hardest) + len(text))
        assert losses.balanced(predicted, truth, mask) == pytest.approx(float(dice), rel=1e-5)

    def test_db(self):
        seen = Maps(*maps([[0.9, 0.2]], [[0.4, 0.6]], [[1, 0.1]]))
        scenes = Scenes(drawn(1, 3, 1, 2), *maps([[1, 0]], [[1, 1]], [[0.7, 0.3]], [[1, 0]]), ("a page",))
        assert losses.db(seen, scenes) == {
            "shrink": pytest.approx(5 * (1 - 2 * 0.9 / 2.1), rel=1e-5),
            "threshold": pytest.approx(10 * 0.3, rel=1e-5),
            "binary": pytest.approx(1 - 2 * 1 / 2.1, rel=1e-4),
        }

    def test_a_teachers_text_is_dilated(self):
        text = (drawn(2, 1, 9, 12) > 0.8).float()
        for ours, map_ in zip(losses.dilated(text), text.numpy(), strict=True):
            assert (ours[0].numpy() == cv2.dilate(map_[0], np.ones((2, 2), np.uint8))).all()

    def test_distil(self):
        teacher, mask = drawn(2, 1, 6, 8, seed=1), (drawn(2, 1, 6, 8, seed=2) > 0.2).float()
        seen = Maps(*(drawn(2, 1, 6, 8, seed=seed) for seed in (3, 4, 5)))
        sure = [cv2.dilate((map_ > 0.3).astype(np.float32), np.ones((2, 2))) for map_ in teacher[:, 0].numpy()]
        text = torch.tensor(np.array(sure))[:, None]
        truth = 5 * losses.balanced(seen.shrink, text, mask) + losses.dice(seen.binary, text, mask)
        assert losses.distil(seen, teacher, mask) == pytest.approx(float(truth))

    def test_dml(self):
        p, q = drawn(2, 1, 6, 8), drawn(2, 1, 6, 8, seed=1)
        p[0, 0, 0], q[0, 0, :2] = 0, 1
        one, other, least = p.double().numpy(), q.double().numpy(), 1e-5
        forth = other * np.log((other + least) / (one + least) + least)
        back = one * np.log((one + least) / (other + least) + least)
        assert losses.dml(p, q) == pytest.approx(((forth + back) / 2).mean(), rel=1e-3)
        assert losses.dml(p, q) == losses.dml(q, p)
        assert losses.dml(p, p) == 0


class TestRecognisers:
    def test_ctc_is_the_sum_over_all_paths(self):
        logits = 3 * drawn(3, 5, 4)
        texts = [(1, 2), (2, 2), ()]
        targets, lengths = torch.tensor([[1, 2], [2, 2], [0, 0]]), torch.tensor([2, 2, 0])
        probabilities = logits.double().softmax(-1).numpy()
        truth = []
        for row, text in zip(probabilities, texts, strict=True):
            likelihood = 0.0
            for path in itertools.product(range(4), repeat=5):
                if tuple(letter for letter, _ in itertools.groupby(path) if letter) == text:
                    likelihood += math.prod(row[step, letter] for step, letter in enumerate(path))
            truth.append(-math.log(likelihood))
        assert losses.ctc(logits, targets, lengths) == pytest.approx(sum(truth) / 3, rel=1e-5)

    def test_ctc_of_a_text_that_is_too_long(self):
        assert losses.ctc(drawn(1, 2, 3), torch.tensor([[1, 1]]), torch.tensor([2])).isinf()

    def test_symmetric_kl(self):
        one, other = 4 * drawn(2, 5, 7), 4 * drawn(2, 5, 7, seed=1)
        p, q = (each.double().softmax(-1).numpy() for each in (one, other))
        truth = ((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum()) / 2 / 2
        assert losses.symmetric_kl(one, other) == pytest.approx(truth, rel=1e-4)
        assert losses.symmetric_kl(one, one) == 0

    def test_features(self):
        assert losses.features(torch.tensor([[1.0, 2]]), torch.tensor([[3.0, 2]])) == 2

    def test_what_is_read_right(self):
        letters, draw = ["", "a", "b", "c"], torch.Generator().manual_seed(0)
        read = torch.randint(0, 4, (300, 5), generator=draw)
        lengths = torch.randint(0, 4, (300,), generator=draw)
        targets = torch.randint(1, 3, (300, 7), generator=draw) * (torch.arange(7) < lengths[:, None])
        targets[::3], lengths[::3] = 0, 0
        for row in range(0, 300, 3):  # these are right
            path = [letter for letter, _ in itertools.groupby(read[row].tolist()) if letter]
            targets[row, : len(path)], lengths[row] = torch.tensor(path), len(path)
        texts = ["".join(letters[letter] for letter in row) for row in targets.tolist()]
        truth = [decode(np.eye(4)[row], letters).text == text for row, text in zip(read, texts, strict=True)]
        assert 100 < sum(truth) < 200
        assert losses.read_right(read, targets, lengths).tolist() == truth


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_losses_are_whole_numbers_of_float32(dtype):
    seen = Maps(*(drawn(1, 1, 4, 4, seed=seed).to(dtype) for seed in range(3)))
    scenes = Scenes(drawn(1, 3, 4, 4), *(drawn(1, 1, 4, 4, seed=seed).round() for seed in range(4)), ("a page",))
    found = [*losses.db(seen, scenes).values(), losses.distil(seen, seen.binary, scenes.shrink_mask)]
    found += [losses.dml(seen.shrink, seen.binary), losses.features(seen.shrink, seen.binary)]
    found += [losses.symmetric_kl(seen.shrink[0], seen.binary[0])]
    found += [losses.ctc(seen.shrink[0], torch.tensor([[1]]), torch.tensor([1]))]
    assert all(each.dtype == torch.float32 and each.shape == () for each in found)


def test_batches_tell_their_size_and_move():
    scenes = Scenes(drawn(2, 3, 4, 4), *(drawn(2, 1, 4, 4) for _ in range(4)), ("a", "b"))
    words = Words(drawn(2, 3, 32, 8), torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]), ("a", "b"))
    ways = Ways(drawn(2, 3, 48, 192), torch.tensor([0, 1]), ("a", "b"))
    assert [(each.size, each.tokens) for each in (scenes, words, ways)] == [(2, 2), (2, 3), (2, 2)]
    moved = words.to("meta")
    assert {moved.images.device.type, moved.targets.device.type, moved.lengths.device.type} == {"meta"}
    assert moved.origins == ("a", "b")
    assert scenes.to("meta").threshold_mask.is_meta
