"""PP-OCRv2's networks on torch, for the pipeline: a network goes in, a function from array to array comes out.

Made for inference: batch norm is part of the convolution before it, activations overwrite their input, channels stand
last in memory, and on a processor the layers are called without Python. They take about as long there as on onnxruntime
(benchmarks/ppocr_torch.py).
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ocr2.errors import BadInput, BadPrompt
from ocr2.ppocr.graphs import HEIGHTS, Answer
from ocr2.ppocr.parts import PARTS, known

if TYPE_CHECKING:
    import numpy as np

    from ocr2.ppocr.pipeline import Network, Pipeline

N = TypeVar("N", bound=nn.Module)


def folded(net: N) -> N:
    """A copy of the network, for inference alone, that gives the same without batch norms."""
    net = deepcopy(net).eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.Sequential):
            for number, (layer, norm) in enumerate(pairwise(module)):
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                    transposed = isinstance(layer, nn.ConvTranspose2d)
                    module[number] = fuse_conv_bn_eval(cast("Any", layer), norm, transposed)
                    module[number + 1] = nn.Identity()
        elif isinstance(module, nn.ReLU | nn.Hardswish):
            module.inplace = True
    return net


def running(net: nn.Module, device: torch.device, threads: int) -> Network:
    """The network as a function from images to probabilities, on so many threads."""
    answer: Any = Answer(folded(net)).eval().to(device)
    answer = answer.to(memory_format=torch.channels_last)  # torch's types lack it
    if device.type == "cpu":
        answer = _traced(answer, HEIGHTS[type(net)])

    def run(array: np.ndarray) -> np.ndarray:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)  # of the calling thread
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            images: Tensor = torch.from_numpy(array).to(device).contiguous(memory_format=torch.channels_last)
            found: np.ndarray = answer(images).cpu().numpy()
        return found

    return run


def _traced(answer: nn.Module, height: int) -> Any:
    """The same without Python between its layers, which for the classifier is as much work as they are."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer's age, and of shapes: they may be others
        example = torch.zeros(1, 3, height, 192).contiguous(memory_format=torch.channels_last)
        return cast("Any", torch.jit).freeze(cast("Any", torch.jit).trace(answer, example))


def moved(pipeline: Pipeline, model: str, device: str) -> Pipeline:
    """The pipeline of that name or folder with those of its networks on torch that are ours; others stay.

    Raises BadInput for a device that can't be used, BadPrompt where none is ours.
    """
    try:
        where = torch.device(device)
        torch.zeros(1, device=where).item()  # there are devices without memory
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"device {device!r} can't be used ({reason:.200}): expected cpu, or cuda where it is") from error
    found = {part: each for part in PARTS if model != "ppocr" and (each := known(model, part))}
    if not {"detector", "recognizer"} & found.keys():
        raise BadPrompt(f"--device is for networks that ocr2 trained or converted, and {model} has none: leave it out")
    threads = {"detector": pipeline.threads}  # lines are read side by side
    nets = {part: running(each.net, where, threads.get(part, 1)) for part, each in found.items()}
    return replace(pipeline, **cast("Any", nets))
