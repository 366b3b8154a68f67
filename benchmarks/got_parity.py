"""Whether our GOT is `transformers`' GOT: the same random weights, of the published 580 M or tiny, in float32.

    python benchmarks/got_parity.py [--tiny] [--tokens 64] [--json OUT.json]

The weights go from there to ours in both published layouts, and from ours there. For each way it prints how far apart
image features and logits are at most, and how many of the greedily chosen tokens are equal, where an image token is no
answer. What the release calls its
tensors is written down in tests/got_reference.py, apart from what the package itself knows of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import GotOcr2Config, GotOcr2ForConditionalGeneration
from transformers.utils import logging

from ocr2 import files
from ocr2.got import checkpoint
from ocr2.got.model import normalized
from ocr2.got.runner import TorchRunner
from ocr2.got.views import squashed

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import got_reference  # noqa: E402

if TYPE_CHECKING:
    from ocr2.got.model import GOT

Answer = tuple[torch.Tensor, torch.Tensor, list[int]]
"""Image features (N, W), logits (T, V) after each token of the prompt, and the tokens that follow."""


def prompt(model: GotOcr2ForConditionalGeneration) -> tuple[torch.Tensor, torch.Tensor]:
    """An example as (1, 3, side, side) bytes, and a prompt (1, T) about it."""
    side, image = model.config.vision_config.image_size, model.config.image_token_index
    (page,) = files.pages(ROOT / "examples" / "page.png")
    ids = [*range(14), *[image] * (side // 64) ** 2, *range(14, 31)]
    return torch.from_numpy(squashed(page.image, side))[None], torch.tensor([ids])


@torch.inference_mode()
def theirs(model: GotOcr2ForConditionalGeneration, count: int) -> Answer:
    """What `transformers` makes of it."""
    view, ids = prompt(model)
    asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": normalized(view)}
    features = model.get_image_features(asked["pixel_values"], return_dict=True).pooler_output
    never = {"eos_token_id": None, "pad_token_id": 0, "suppress_tokens": [model.config.image_token_index]}
    chosen = model.generate(**asked, max_new_tokens=count, do_sample=False, **never)
    return features[0], model(**asked).logits[0], chosen[0, ids.shape[1] :].tolist()


@torch.inference_mode()
def ours(model: GOT, view: torch.Tensor, ids: torch.Tensor, count: int) -> Answer:
    """What ours makes of it, the tokens with its cache."""
    features = model.features([view])
    logits = model.decoder.head(model.decoder(model.embeddings(ids, features)))
    runner = TorchRunner(model)
    runner.resize(1, ids.shape[1] + count)
    tokens, _, _ = runner.begin([0], [(list(view.numpy()), ids[0].tolist())], [()])
    while len(tokens) < count:
        tokens += runner.step([ids.shape[1] + len(tokens) - 1], [tokens[-1:]], [()])[0][0]
    return features, logits[0], tokens


def compared(name: str, one: Answer, other: Answer) -> dict[str, object]:
    """How far apart two answers are."""
    features, logits = ((a - b).abs().max().item() for a, b in zip(one[:2], other[:2], strict=True))
    same = sum(a == b for a, b in zip(one[2], other[2], strict=True))
    return {"way": name, "features": features, "logits": logits, "tokens": same, "of": len(one[2])}


def measure(tiny: bool, count: int) -> list[dict[str, object]]:
    """Each way in turn."""
    model = got_reference.theirs() if tiny else GotOcr2ForConditionalGeneration(GotOcr2Config())
    if not tiny:
        got_reference.scattered(model, std=0.02)
    view, ids = prompt(model)
    reference, found = theirs(model, count), []
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        found.append(
            compared("transformers' layout to ours", reference, ours(checkpoint.load(scratch), view, ids, count))
        )
    with tempfile.TemporaryDirectory() as scratch:
        got_reference.write(Path(scratch), *got_reference.as_released(model))
        loaded = checkpoint.load(scratch)
        found.append(compared("the release's layout to ours", reference, ours(loaded, view, ids, count)))
    del model
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint.export(loaded, scratch + "/model")
        back = GotOcr2ForConditionalGeneration.from_pretrained(scratch + "/model", dtype=torch.float32).eval()
        found.append(compared("ours to transformers' layout", ours(loaded, view, ids, count), theirs(back, count)))
    return found


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    found = measure(asked.tiny, asked.tokens)
    print("| way | features apart | logits apart | equal tokens |", "|---|---:|---:|---:|", sep="\n")
    for row in found:
        print(f"| {row['way']} | {row['features']:.1e} | {row['logits']:.1e} | {row['tokens']} of {row['of']} |")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
