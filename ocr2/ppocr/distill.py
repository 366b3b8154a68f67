"""Networks as they learn, alone, from one another and from a teacher: each takes a batch and answers with its losses.

`student` is the network that is kept; the others are there to teach it. B rows, T steps along a line, C characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocr2.errors import BadInput
from ocr2.ppocr import losses

if TYPE_CHECKING:
    from ocr2.ppocr.batch import Scenes, Ways, Words
    from ocr2.ppocr.nets import Classifier, Detector, Maps, Read, Recognizer

CENTER = 0.05
"""How much the distance to the centres counts beside CTC."""


class Plain(nn.Module):
    """A detector that learns from the truth alone."""

    def __init__(self, student: Detector) -> None:
        super().__init__()
        self.student = student

    def forward(self, scenes: Scenes) -> dict[str, Tensor]:
        """Losses "shrink", "threshold" and "binary"."""
        return losses.db(self.student(scenes.images), scenes)


class Mutual(nn.Module):
    """Two detectors that learn from the truth and from each other (PP-OCRv2, DML)."""

    def __init__(self, student: Detector, partner: Detector) -> None:
        super().__init__()
        self.student, self.partner = student, partner

    def forward(self, scenes: Scenes) -> dict[str, Tensor]:
        """Those of `Plain`, summed over the two, and "mutual"."""
        return self._learned(self.student(scenes.images), self.partner(scenes.images), scenes)

    @staticmethod
    def _learned(one: Maps, other: Maps, scenes: Scenes) -> dict[str, Tensor]:
        parts = losses.db(one, scenes), losses.db(other, scenes)
        return {name: parts[0][name] + parts[1][name] for name in parts[0]} | {
            "mutual": losses.dml(one.shrink, other.shrink)
        }


class Collaborative(Mutual):
    """Two detectors that also learn from a larger one, which stays as it is (PP-OCRv2, CML).

    Its stage must freeze "teacher".
    """

    def __init__(self, student: Detector, partner: Detector, teacher: Detector) -> None:
        super().__init__(student, partner)
        self.teacher = teacher.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """As it says, but for the teacher."""
        super().train(mode)
        # Released code: the teacher's weights stay, but its batch norms go on counting.
        self.teacher.eval()
        return self

    def forward(self, scenes: Scenes) -> dict[str, Tensor]:
        """Those of `Mutual`, and "teacher". Raises BadInput where the teacher isn't frozen."""
        if any(each.requires_grad for each in self.teacher.parameters()):
            raise BadInput("the teacher would change as its students learn: expected a stage with frozen=('teacher',)")
        one, other = self.student(scenes.images), self.partner(scenes.images)
        with torch.no_grad():
            seen = self.teacher.probability(scenes.images)
        parts = [losses.distil(maps, seen, scenes.shrink_mask) for maps in (one, other)]
        return self._learned(one, other, scenes) | {"teacher": parts[0] + parts[1]}


class Centers(nn.Module):
    """Where the steps that are read as each character lie: what Enhanced CTC draws them to (PP-OCRv2, C-CTC).

    A character's centre begins as the mean of its steps in the first lines that are read right and have it, and then
    follows them.
    """

    # Released code: the centres never change; they are random, or computed once from the lines that a trained
    # recogniser reads right. Paper (Wen et al. 2016, §3.2, cited for this loss): they follow at each step.
    means: Tensor
    """(C, N)"""
    known: Tensor
    """(C,) bool: which characters have a centre; the others draw nothing."""

    def __init__(self, classes: int, width: int = 96, rate: float = 0.5) -> None:
        """`rate` is how far a centre moves at most to where its steps are now."""
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, width))
        self.register_buffer("known", torch.zeros(classes, dtype=torch.bool))
        self.rate = rate

    def forward(self, hidden: Tensor, read: Tensor) -> Tensor:
        """The mean squared distance of steps (B, T, N) to the centres of what they are read as, (B, T)."""
        squares = (hidden.float() - self.means[read]).square().sum(-1)  # (B, T)
        return (squares * self.known[read]).mean()

    @torch.no_grad()
    def follow(self, hidden: Tensor, read: Tensor) -> None:
        """Moves the centres by the steps (n, N) of lines that are read right, as (n,)."""
        counts = torch.zeros(len(self.means), device=read.device).index_add_(0, read, torch.ones_like(read).float())
        sums = torch.zeros_like(self.means).index_add_(0, read, hidden.float())
        there = sums / counts.clamp(min=1)[:, None]
        share = torch.where(self.known, self.rate * counts / (1 + counts), (counts > 0).float())
        self.means.lerp_(there, share[:, None])
        self.known |= counts > 0


class Reading(nn.Module):
    """A recogniser that learns from the truth alone: by CTC, and by Enhanced CTC with centres."""

    def __init__(self, student: Recognizer, centers: Centers | None = None) -> None:
        super().__init__()
        self.student, self.centers = student, centers

    def forward(self, words: Words) -> dict[str, Tensor]:
        """Losses "ctc" and, with centres, "center"."""
        read = self.student(words.images)
        return {"ctc": _ctc(read, words)} | self._drawn(read, words)

    def _drawn(self, read: Read, words: Words) -> dict[str, Tensor]:
        """The loss by the centres, if there are any; in training they then follow."""
        if self.centers is None:
            return {}
        best = read.logits.argmax(-1)
        loss = CENTER * self.centers(read.hidden, best)
        if self.training:
            right = losses.read_right(best, words.targets, words.lengths)
            self.centers.follow(read.hidden[right].flatten(0, 1), best[right].flatten())
        return {"center": loss}


class MutualReading(Reading):
    """Two recognisers that learn from the truth and from each other, by what they read and by their features (U-DML).

    Centres are the student's.
    """

    def __init__(self, student: Recognizer, partner: Recognizer, centers: Centers | None = None) -> None:
        super().__init__(student, centers)
        self.partner = partner

    def forward(self, words: Words) -> dict[str, Tensor]:
        """Losses "ctc", of both, "mutual", "features" and, with centres, "center"."""
        one, other = self.student(words.images), self.partner(words.images)
        return {
            "ctc": _ctc(one, words) + _ctc(other, words),
            "mutual": losses.symmetric_kl(one.logits, other.logits),
            "features": losses.features(one.features, other.features),
        } | self._drawn(one, words)


def _ctc(read: Read, words: Words) -> Tensor:
    return losses.ctc(read.logits, words.targets, words.lengths)


class Turning(nn.Module):
    """A classifier that learns which way lines stand."""

    def __init__(self, student: Classifier) -> None:
        super().__init__()
        self.student = student

    def forward(self, ways: Ways) -> dict[str, Tensor]:
        """The loss "way"."""
        return {"way": F.cross_entropy(self.student(ways.images).float(), ways.labels)}
