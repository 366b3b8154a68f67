"""GOT: encoder → connector → decoder (GOT §3.1). A batch goes in, its loss comes out.

B rows, T tokens of each, W the decoder's width; N image tokens of all views together, in the order of their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ocr2.got.config import GOTConfig, OPTConfig
from ocr2.got.decoder import Decoder
from ocr2.got.encoder import Encoder
from ocr2.got.opt import OPTDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.got.batch import Batch

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""The colours' mean and deviation that pixels are normalised by: CLIP's."""
_CHUNK = 1024
"""Tokens whose logits are in memory at once: the vocabulary is large."""


class GOT(nn.Module):
    """The model that a config describes, with random weights. Stage 1 is the same with an OPTConfig for its decoder."""

    def __init__(self, config: GOTConfig) -> None:
        super().__init__()
        self.config = config
        decoder, again = config.decoder, config.checkpointing
        self.encoder = Encoder(config.encoder, again)
        self.connector = nn.Linear(config.encoder.out[1], config.decoder.width)
        self.decoder = OPTDecoder(decoder, again) if isinstance(decoder, OPTConfig) else Decoder(decoder, again)
        self.apply(_initial)

    def features(self, views: Sequence[Tensor]) -> Tensor:
        """(N, W): the image tokens of views, given as (V, 3, height, width) bytes of one size or more."""
        pixels = [normalized(view).to(self.connector.bias.dtype) for view in views]
        return torch.cat([self.connector(self.encoder(view)).flatten(0, 1) for view in pixels])

    def embeddings(self, ids: Tensor, features: Tensor) -> Tensor:
        """(B, T, W): the embeddings of (B, T) ids, with the next image token (N, W) at each place for one."""
        image = ids == self.config.image_token
        order = (image.flatten().cumsum(0) - 1).clamp(min=0).view_as(ids)
        return torch.where(image[..., None], features[order], self.decoder.embed(ids))

    def forward(self, batch: Batch) -> Tensor:
        """The mean loss of a labelled token: cross entropy."""
        return self.loss(self.states(batch), batch.labels)

    def states(self, batch: Batch) -> Tensor:
        """(B, T, W): what the head makes logits of. All of it compiles as one graph; the loss is better left out."""
        return self.decoder(self.embeddings(batch.ids, self.features(batch.views)))

    def loss(self, states: Tensor, labels: Tensor) -> Tensor:
        """The mean cross entropy of the labelled tokens: only theirs are the logits that are computed."""
        states, labels = states[:, :-1], labels[:, 1:]
        labelled = labels >= 0
        states, labels = states[labelled], labels[labelled]  # (tokens, W), (tokens,)
        total = states.new_zeros((), dtype=torch.float32)
        for part, truth in zip(states.split(_CHUNK), labels.split(_CHUNK), strict=True):
            total = total + checkpoint(self._summed, part, truth, use_reentrant=False)
        return total / max(len(labels), 1)

    def _summed(self, states: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.decoder.head(states).float(), labels, reduction="sum")


def normalized(views: Tensor) -> Tensor:
    """(V, 3, height, width) bytes as colours of mean 0 and deviation 1, in float32 whatever the model's type is."""
    mean, std = (torch.tensor(part, device=views.device).view(3, 1, 1) for part in (MEAN, STD))
    return (views.float() / 255 - mean) / std


def _initial(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 and no biases, as in Qwen2 and OPT; convolutions stay as torch makes them."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
