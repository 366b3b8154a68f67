"""Numbers of fewer bits: a model goes in, the same model comes out, its linear maps in 8 bits or all of it in bfloat16.

8 bits: weights have a scale for each output channel, activations one for each token, whatever else is in the batch.
Sums are whole numbers; everything between the linear maps stays in float32.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from ocr2.got.model import GOT

Precision = Literal["fp32", "bf16", "int8"]


def fastest(device: torch.device) -> Precision:
    """The precision that reads fastest there, and as well: benchmarks/got_cpu.py measures it."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "int8" if device.type == "cpu" and multiplies_bytes() else "fp32"


def multiplies_bytes() -> bool:
    """Whether this processor has instructions for sums of products of bytes (VNNI), and torch the kernels for them."""
    vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return "x86" in torch.backends.quantized.supported_engines and bool(vnni())


def learns_in(device: torch.device) -> Literal["bf16", "fp32"]:
    """What products are made in where a model learns there: 16 bits on GPUs and processors that multiply them.

    On a processor that does (AVX-512 BF16, AMX) a step takes two thirds of the time (nano 0.65, the 580 M 0.72); on
    others far more.
    """
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    multiplies = device.type == "cpu" and any(getattr(torch.cpu, name, lambda: False)() for name in known)
    return "bf16" if multiplies or device.type == "cuda" else "fp32"


def check(precision: str) -> None:
    """Raises BadInput for what is no precision."""
    if precision not in get_args(Precision):
        raise BadInput(f"precision {precision!r} is unknown: expected {', '.join(get_args(Precision))}")


def converted(model: GOT, precision: Precision) -> GOT:
    """The model in that precision, changed in place. Raises BadInput where the machine can't run it."""
    check(precision)
    if isinstance(model.connector, Int8Linear):
        raise BadInput("the model is in 8 bits, which is where its weights stay: load it anew")
    if precision != "int8":
        return model.to(torch.bfloat16 if precision == "bf16" else torch.float32)
    device = model.connector.weight.device
    if device.type != "cpu" or not multiplies_bytes():
        where = "this processor lacks it" if device.type == "cpu" else f"the model is on {device}"
        raise BadInput(f"precision int8 needs a processor with AVX-512 VNNI, and {where}: choose fp32 or bf16")
    torch.backends.quantized.engine = "x86"
    _quantize(model)
    # what the head knows in 8 bits is looked up in 16: exact for weights that were trained so
    embedding = model.decoder.embed.weight.detach().to(torch.bfloat16)
    model.decoder.embed.weight = nn.Parameter(embedding, requires_grad=False)
    return model.eval()


def _quantize(module: nn.Module) -> None:
    """Replaces every linear map below `module`, letting go of each original at once; the rest becomes float32."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        elif name != "embed":  # the largest of all: it is the head's, too
            _quantize(child)
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad_(False).data = parameter.data.float()


class Int8Linear(nn.Module):
    """A linear map in 8 bits: (…, inputs) float32 → (…, outputs) float32."""

    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1).float().clamp(min=1e-12) / 127
        self.packed = _packed(_rounded(weight, scale), scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """The product, each token quantised by its own largest number."""
        scale = torch.linalg.vector_norm(x, torch.inf, -1, keepdim=True).clamp_(min=1e-12).div_(127)
        y = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(x / scale, 1.0, _ZERO, self.packed)
        y = y.mul_(scale)
        return y if self.bias is None else y.add_(self.bias)


def _rounded(weight: Tensor, scale: Tensor) -> Tensor:
    """The weights as bytes, some rows at a time: the head alone is a quarter of the model."""
    whole = torch.empty_like(weight, dtype=torch.int8)
    rows = 1 << 12
    for part, source, divisor in zip(whole.split(rows), weight.split(rows), scale.split(rows), strict=True):
        part.copy_((source.float() / divisor[:, None]).round_())
    return whole


_ZERO = 128
"""The byte that stands for zero."""


def _packed(weight: Tensor, scale: Tensor) -> Any:
    """Bytes (outputs, inputs) the way FBGEMM multiplies them: the only place that knows of it.

    torch says that these tensors will go in a later release. Its other kernels for bytes take twice the time for one
    token, and onnxruntime's has one scale for a whole batch.
    """
    zeros = torch.zeros(len(scale), dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensor = torch._make_per_channel_quantized_tensor(weight, scale.double(), zeros, 0)
        del weight  # not three of them at once
        return torch.ops.quantized.linear_prepack(tensor, None)
