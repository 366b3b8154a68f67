"""The networks learn by the one loop: losses fall, teachers stay, and a run that was cut goes on as if it wasn't."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ocr2.errors import BadInput
from ocr2.ppocr import losses
from ocr2.ppocr.batch import Scenes, Ways, Words
from ocr2.ppocr.distill import Centers, Collaborative, Mutual, MutualReading, Plain, Reading, Turning
from ocr2.ppocr.nets import Classifier, Detector, Recognizer
from ocr2.ppocr.targets import maps
from ocr2.train import Stage, fit

CLASSES = 6
STAGE = Stage("toy", 40, 3e-3, decay=0.0, betas=(0.9, 0.999), clip=0.0, precision="fp32", every=100)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def scenes(side=64):
    """Two pages of noise with a bright box on each."""
    images, targets = 0.3 * noise(2, 3, side, side), []
    for image, (x, y) in zip(images, [(6, 8), (20, 30)], strict=True):
        image[:, y : y + 17, x : x + 39] += 2
        quad = np.array([[x, y], [x + 38, y], [x + 38, y + 16], [x, y + 16]])
        targets.append(maps([quad], [False], side, side))
    shrink, shrink_mask, threshold, threshold_mask = torch.tensor(np.array(targets)).transpose(0, 1)[:, :, None]
    return Scenes(images, shrink, shrink_mask, threshold, threshold_mask, ("one", "two"))


def words():
    """Two words of three letters, each of which is a bar at a height of its own."""
    targets, images = torch.tensor([[1, 2, 3], [3, 2, 1]]), torch.zeros(2, 3, 32, 40)
    for image, text in zip(images, targets.tolist(), strict=True):
        for n, letter in enumerate(text):
            image[:, 5 * letter : 5 * letter + 6, 12 * n + 4 : 12 * n + 12] = 2
    return Words(images, targets, torch.tensor([3, 3]), ("one", "two"))


def ways():
    """Lines that are bright above, and below."""
    images = 0.1 * noise(4, 3, 48, 192)
    images[:2, :, :24] += 1
    images[2:, :, 24:] += 1
    return Ways(images, torch.tensor([0, 0, 1, 1]), ("a line",) * 4)


def collaborative():
    return Collaborative(Detector(), Detector(), Detector())


def reading(classes=Reading, networks=1, centers=True):
    return classes(*(Recognizer(CLASSES) for _ in range(networks)), Centers(CLASSES) if centers else None)


MODULES = {
    "plain": (lambda: Plain(Detector()), scenes, {"shrink", "threshold", "binary"}),
    "dml": (lambda: Mutual(Detector(), Detector()), scenes, {"shrink", "threshold", "binary", "mutual"}),
    "cml": (collaborative, scenes, {"shrink", "threshold", "binary", "mutual", "teacher"}),
    "ctc": (lambda: reading(centers=False), words, {"ctc"}),
    "enhanced ctc": (reading, words, {"ctc", "center"}),
    "u-dml": (lambda: reading(MutualReading, 2), words, {"ctc", "mutual", "features", "center"}),
    "ways": (lambda: Turning(Classifier()), ways, {"way"}),
}
LONG = "enhanced ctc"
"""What is trained until it reads right."""


def made(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def run(model, batch, out, stage=STAGE, **options):
    def batches(position):
        for n in range(position or 0, 1000):
            yield batch, n + 1

    frozen = ("teacher",) if hasattr(model, "teacher") else ()
    return list(fit(model, batches, replace(stage, frozen=frozen), out, **options))


@pytest.mark.parametrize("name", MODULES)
def test_they_learn(name, tmp_path):
    make, batch, names = MODULES[name]
    model = made(make)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    steps = run(model, batch(), tmp_path, replace(STAGE, steps=40 if name == LONG else 12))
    assert set(steps[0].losses) == names
    assert steps[-1].loss < 0.75 * steps[0].loss
    after = model.state_dict()
    changed = {name.partition(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed | {"centers"} == {name.partition(".")[0] for name in after} - {"teacher"} | {"centers"}
    if name == LONG:
        assert steps[-1].loss < 0.1 * steps[0].loss
        assert model.centers.known.tolist() == [True, True, True, True, False, False]


@pytest.mark.parametrize("name", ["cml", "u-dml"])
def test_resumed_is_never_cut(name, tmp_path):
    make, batch, _ = MODULES[name]
    stage = replace(STAGE, steps=2)
    whole = run(made(make), batch(), tmp_path / "whole", stage)
    run(made(make), batch(), tmp_path / "cut", stage, stop=lambda: True)
    resumed = run(made(make), batch(), tmp_path / "cut", stage)
    assert [(step.number, step.losses) for step in resumed] == [(step.number, step.losses) for step in whole[1:]]
    one, other = (load_file(tmp_path / each / "state.safetensors") for each in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[each], other[each]) for each in one)


class TestTheTeacher:
    def test_it_stays_as_it_is_and_at_rest(self):
        model = collaborative().train()
        assert model.student.training
        assert not any(module.training for module in model.teacher.modules())
        batch = scenes()
        before = model.teacher.probability(batch.images)
        sum(model(batch).values()).backward()
        assert all(each.grad is None for each in model.teacher.parameters())
        assert torch.equal(model.teacher.probability(batch.images), before)

    def test_its_loss_is_of_its_dilated_map(self):
        model, batch = collaborative().eval().requires_grad_(False), scenes()
        found = model(batch)
        maps_ = [each(batch.images) for each in (model.student, model.partner)]
        seen = model.teacher(batch.images).shrink
        truth = sum(losses.distil(each, seen, batch.shrink_mask) for each in maps_)
        assert found["teacher"] == pytest.approx(float(truth))
        assert found["mutual"] == losses.dml(maps_[0].shrink, maps_[1].shrink)
        parts = [losses.db(each, batch)["threshold"] for each in maps_]
        assert found["threshold"] == parts[0] + parts[1]

    def test_a_stage_must_freeze_it(self, tmp_path):
        model = collaborative()
        with pytest.raises(BadInput, match=r"expected a stage with frozen=\('teacher',\)"):
            next(fit(model, lambda _: iter([(scenes(), 1)]), STAGE, tmp_path))


class TestCenters:
    def test_they_follow_what_is_read_right(self):
        """Wen et al. 2016, equation 4, one character after the other."""
        draw, centers, plain = torch.Generator().manual_seed(0), Centers(5, 3), {}
        for _ in range(6):
            hidden = torch.randn(7, 3, generator=draw)
            read = torch.randint(0, 4, (7,), generator=draw)
            known = set(plain)
            squares = [
                float((x - plain[letter]).square().sum()) if letter in plain else 0.0
                for x, letter in zip(hidden, read.tolist(), strict=True)
            ]
            assert centers(hidden[None], read[None]) == pytest.approx(sum(squares) / 7, rel=1e-5)
            centers.follow(hidden, read)
            for letter in set(read.tolist()):
                mine = hidden[read == letter]
                if letter in known:
                    pull = (plain[letter] - mine).sum(0) / (1 + len(mine))
                    plain[letter] = plain[letter] - 0.5 * pull
                else:
                    plain[letter] = mine.mean(0)
            assert centers.known.tolist() == [letter in plain for letter in range(5)]
            for letter, mean in plain.items():
                torch.testing.assert_close(centers.means[letter], mean)

    def test_nothing_read_right_leaves_them(self):
        centers = Centers(5, 3)
        centers.follow(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
        assert not centers.known.any()
        hidden = torch.ones(1, 2, 3, requires_grad=True)
        loss = centers(hidden, torch.tensor([[1, 2]]))
        loss.backward()
        assert loss == 0
        assert not hidden.grad.any()

    def test_only_lines_that_are_read_right_count_and_only_in_training(self, monkeypatch):
        model, batch, seen = reading(), words(), []
        monkeypatch.setattr(model.centers, "follow", lambda *steps: seen.append(steps))
        best = torch.zeros(2, 10, dtype=torch.int64)
        best[1, [2, 3, 7, 9]] = torch.tensor([3, 3, 2, 1])  # the second word, and no other
        read = model.student(batch.images)._replace(logits=torch.nn.functional.one_hot(best, CLASSES).float())
        monkeypatch.setattr(model.student, "forward", lambda _: read)
        model(batch)
        ((hidden, letters),) = seen
        assert torch.equal(hidden, read.hidden[1])
        assert torch.equal(letters, best[1])
        model.eval()(batch)
        assert len(seen) == 1
