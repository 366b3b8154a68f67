"""GOT: encoder → connector → decoder (GOT §3.1). A batch goes in, its losses come out.

B rows, T tokens of each, W the decoder's width; N image tokens of all views together, in the order of their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ocr2.errors import BadCheckpoint
from ocr2.got.batch import IGNORED
from ocr2.got.config import GOTConfig, OPTConfig
from ocr2.got.decoder import Ahead, Decoder
from ocr2.got.encoder import Encoder
from ocr2.got.opt import OPTDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.got.batch import Batch
    from ocr2.got.glyphs import Glyphs

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
        self.ahead = nn.ModuleList(Ahead(config.decoder.width) for _ in range(config.decoder.ahead))
        self.glyphs: Glyphs | None = None
        """What it is taught by, in training, where the places of signs are known; no part of what is saved."""
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

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """What is learned, each the mean over the labelled tokens: "next" and, with heads for it, "ahead".

        With glyphs, of a batch that has some, theirs as well: "sight" and "gaze".
        """
        if self.glyphs is not None and len(batch.glyphs):
            found: dict[str, Tensor] = self.glyphs(self, batch)
            return found
        return self.losses(self.states(batch), batch.labels)

    def states(self, batch: Batch) -> Tensor:
        """(B, T, W): what the head makes logits of. All of it compiles as one graph; the losses are better left out."""
        return self.decoder(self.embeddings(batch.ids, self.features(batch.views)))

    def losses(self, states: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Cross entropies, of places that a label follows: only theirs are the logits that are computed.

        "next" is about the next label, "ahead" the mean over its heads; those are about the labels after that one, as
        far as the answer goes on and is of tokens that are guessed.
        """
        labelled = labels[:, 1:] >= 0
        states = states[:, :-1][labelled]  # (tokens, W)
        sums = []
        for k in range(1 + len(self.ahead)):
            further = F.pad(labels[:, 1 + k :], (0, min(k, labelled.shape[1])), value=IGNORED)[labelled]  # (tokens,)
            total = states.new_zeros((), dtype=torch.float32)
            for part, truth in zip(states.split(_CHUNK), further.split(_CHUNK), strict=True):
                total = total + checkpoint(self._summed, part, truth, k, use_reentrant=False)
            sums.append(total / max(len(states), 1))
        return {"next": sums[0]} | ({"ahead": torch.stack(sums[1:]).mean()} if self.ahead else {})

    def _summed(self, states: Tensor, labels: Tensor, k: int) -> Tensor:
        if not k:
            return F.cross_entropy(self.decoder.head(states).float(), labels, ignore_index=IGNORED, reduction="sum")
        logits = self._guessed(self.ahead[k - 1](states))
        labels = labels.masked_fill(labels >= logits.shape[-1], IGNORED)
        return F.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")

    def guesses(self, states: Tensor) -> Tensor:
        """(B, ahead): the likeliest tokens after the next one, for states (B, W). An image token is none of them."""
        if not self.ahead:
            return torch.zeros(len(states), 0, dtype=torch.long, device=states.device)
        logits = self._guessed(torch.stack([head(states) for head in self.ahead], 1))
        if self.config.image_token < logits.shape[-1]:
            logits[..., self.config.image_token] = -torch.inf
        best: Tensor = logits.argmax(-1)
        return best

    def _guessed(self, states: Tensor) -> Tensor:
        """Logits of states (…, W), for those tokens that are guessed."""
        logits: Tensor = self.decoder.head(states)
        return logits[..., : self.config.decoder.guessed or None]


def changed(model: GOT) -> bool:
    """Whether its parameters have other names than those that it was made with."""
    with torch.device("meta"):
        unchanged = [name for name, _ in GOT(model.config).named_parameters()]
    return [name for name, _ in model.named_parameters()] != unchanged


def carry(source: GOT, target: GOT) -> list[str]:
    """Copies what `source` has learned into `target`, a model of another stage or size; what stays as it is there.

    Parameters are copied where name and shape are the same; beside another kind of decoder (stage 1's), the encoder's
    only, for neither connector nor layers mean the same there. Raises BadCheckpoint where nothing fits.
    """
    if changed(source) or changed(target):
        raise BadCheckpoint("a model was changed after it was made (int8, compiled): carry from and to those as made")
    alike = type(source.config.decoder) is type(target.config.decoder)
    known = {name: values for name, values in source.named_parameters() if alike or name.startswith("encoder.")}
    left = []
    with torch.no_grad():
        for name, values in target.named_parameters():
            if name in known and known[name].shape == values.shape:
                values.copy_(known[name])
            else:
                left.append(name)
    if len(left) == len(list(target.named_parameters())):
        raise BadCheckpoint(
            "no parameter of the one model fits into the other: expected the same sizes, of the encoder at least"
        )
    return left


def normalized(views: Tensor) -> Tensor:
    """(V, 3, height, width) bytes as colours of mean 0 and deviation 1, in float32 whatever the model's type is."""
    mean, std = (torch.tensor(part, device=views.device).view(3, 1, 1) for part in (MEAN, STD))
    return (views.float() / 255 - mean) / std


def _initial(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 and no biases, but larger ones in the decoder and in what guesses.

    Qwen2 and OPT have 0.02 everywhere, which is for wide maps: a narrow decoder passes next to nothing on, and its loss
    stays for long where it is without eyes. Twelve lines by heart at width 128 took 80 steps of 3 seeds, with 0.02 more
    than 100; larger ones in the encoder, too, were slower again. Convolutions stay as torch makes them.
    """
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, (Decoder, OPTDecoder, Ahead)):  # after its parts
        for name, part in module.named_modules():
            if isinstance(part, nn.Linear) and name != "head":  # which is the embedding
                nn.init.normal_(part.weight, std=part.in_features**-0.5)
