"""What a model is taught beside its answers, where it is known which sign stands where: to see, and to look.

A model that begins with random weights can't tell from its answers alone what it should have looked at: for long it
learns the language, unseen. Where an engine drew a page, a formula or a molecule, the places of characters, of what
commands stand for and of atoms are known, and then

- "sight": of the encoder's patches, of the maps between and of the image tokens, each is to tell which signs stand in
  it, and where in it they do;
- "gaze": one head of the decoder's inner layers is to attend to the image token where what the next token stands for is
  seen, or what is seen next after it, and the state after them is to tell where in it that is.

Both are for training that begins without eyes: what they need beside the model is no part of what is saved.
B rows of T tokens, G glyphs; V, h, w, C a map of V views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocr2.errors import BadInput
from ocr2.got.config import STRIDE, OPTConfig
from ocr2.got.encoder import PATCH
from ocr2.got.model import normalized

if TYPE_CHECKING:
    from ocr2.got.batch import Batch
    from ocr2.got.config import GOTConfig
    from ocr2.got.decoder import Decoder, Layer
    from ocr2.got.model import GOT

MOST = 2048
"""Glyphs of a batch that the encoder learns from at once, at random."""
_SPOT = 4
"""Pixels that a character's place is told to, across and down."""
_INNER, _HIDDEN = 192, 512
_WHERE = 0.3
"""What the place within an image token counts, beside the image token."""


class Glyphs(nn.Module):
    """The losses "sight" and "gaze", beside a model's own: `model.glyphs = Glyphs(model.config)`."""

    def __init__(self, config: GOTConfig) -> None:
        """Raises BadInput for a decoder that has no inner layers, or is OPT's: that one isn't kept."""
        super().__init__()
        if isinstance(config.decoder, OPTConfig) or config.decoder.layers < 3:
            raise BadInput("glyphs teach inner layers of a decoder to look: expected Qwen2's, of three layers or more")
        width = config.decoder.width
        channels = config.encoder.width, config.encoder.out[0], width
        self.sights = nn.ModuleList(Sight(each, PATCH << n, width) for n, each in enumerate(channels))
        self.norm = nn.LayerNorm(width)
        self.where = nn.Linear(width, 2 * STRIDE // _SPOT)

    def forward(self, model: GOT, batch: Batch) -> dict[str, Tensor]:
        """The model's losses for a batch, and these two."""
        kind = model.connector.bias.dtype
        maps = [model.encoder.maps(normalized(view).to(kind)) for view in batch.views]
        maps = [(patches, middle, model.connector(tokens)) for patches, middle, tokens in maps]
        features = torch.cat([tokens.flatten(0, 2) for *_, tokens in maps])
        inputs = list[Tensor]()
        states = model.decoder(model.embeddings(batch.ids, features), watched=inputs)
        return model.losses(states, batch.labels) | {
            "sight": self._sight(model, maps, batch.glyphs),
            "gaze": self._gaze(model, inputs, batch),
        }

    def _sight(self, model: GOT, maps: list[tuple[Tensor, Tensor, Tensor]], glyphs: Tensor) -> Tensor:
        """The sum over the kinds of maps of how badly they tell the characters that stand in them."""
        glyphs = glyphs[glyphs[:, 2] >= 0]
        glyphs = glyphs[torch.randperm(len(glyphs))[:MOST].to(glyphs.device)]
        total = glyphs.new_zeros((), dtype=torch.float32)
        first = 0
        for views in maps:
            _, view, token, _, x, y = glyphs[(glyphs[:, 1] >= first) & (glyphs[:, 1] < first + len(views[0]))].T
            for sight, seen in zip(self.sights, views, strict=True):
                logits = model.decoder.head(sight(seen, view - first, x, y))
                total = total + F.cross_entropy(logits.float(), token, reduction="sum")
            first += len(views[0])
        return total / max(len(glyphs), 1)

    def _gaze(self, model: GOT, inputs: list[Tensor], batch: Batch) -> Tensor:
        """How far the first head of each inner layer looks from where it should, and how badly it is known where."""
        decoder = cast("Decoder", model.decoder)
        begins = batch.glyphs[batch.glyphs[:, 3] > 0]
        row, _, _, place, x, y = begins.T
        across = torch.cat([view.new_full((len(view),), view.shape[3], dtype=torch.long) for view in batch.views])
        image = (batch.ids == model.config.image_token).int().argmax(1)  # the first of each row
        target = image[row] + y // STRIDE * (across[begins[:, 1]] // STRIDE) + x // STRIDE
        theta, inner = decoder.config.theta, range(1, len(inputs) - 1)
        gazes = [cast("Layer", decoder.layers[n]).looks(inputs[n], theta)[row, place - 1] for n in inner]  # (G, T)
        looked = torch.stack([_mean(scores, target) for scores in gazes]).mean()
        spots = self.where(self.norm(inputs[-2][row, place - 1])).float().unflatten(1, (2, -1))  # (G, 2, 16)
        truth = torch.stack([x, y], 1) % STRIDE // _SPOT
        return looked + _WHERE * 2 * _mean(spots.flatten(0, 1), truth.flatten())


def _mean(logits: Tensor, truth: Tensor) -> Tensor:
    """The cross entropy of logits (G, classes), 0 of none."""
    return F.cross_entropy(logits.float(), truth, reduction="sum") / max(len(truth), 1)


class Sight(nn.Module):
    """Which characters stand in the cells of a map: states, of which the decoder's head makes logits."""

    def __init__(self, channels: int, stride: int, width: int) -> None:
        """`stride`: pixels along a side of a cell, a multiple of PATCH; `width`: of a state."""
        super().__init__()
        self.stride = stride
        self.norm = nn.LayerNorm(channels)
        self.parts = nn.Parameter(torch.randn((stride // PATCH) ** 2, channels, _INNER) * channels**-0.5)
        self.read = nn.Linear(_INNER, _HIDDEN)
        self.spots = nn.Parameter(torch.randn((PATCH // _SPOT) ** 2, _HIDDEN))
        self.out = nn.Sequential(
            nn.LayerNorm(_HIDDEN), nn.Linear(_HIDDEN, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width)
        )

    def forward(self, seen: Tensor, view: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """A map (V, h, w, C) and where to look, each (G,), in pixels → (G, width)."""
        cells = self.norm(seen[view, y // self.stride, x // self.stride])  # (G, C)
        part = y % self.stride // PATCH * (self.stride // PATCH) + x % self.stride // PATCH
        spot = y % PATCH // _SPOT * (PATCH // _SPOT) + x % PATCH // _SPOT
        parts = torch.einsum("gc,pci->gpi", cells, self.parts)
        inner = parts[torch.arange(len(part), device=part.device), part]
        states: Tensor = self.out(self.read(inner) * self.spots[spot])
        return states
