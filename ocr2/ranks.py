"""Processes that train one model together: what one knows goes to all, and the model is spread over all (FSDP2).

Alone, each of these does nothing, or next to nothing.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ocr2.errors import BadInput, OcrError

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, as one of them sees them."""

    rank: int
    """The number of this process, from 0."""
    world: int
    """How many there are."""
    device: torch.device
    """The device of this process."""

    @classmethod
    def join(cls, device: str | torch.device) -> Ranks:
        """The processes that `torchrun` started, once all have come to this point; else this one alone.

        With "cuda", each takes the GPU of its own number. Raises BadInput where there is no such device.
        """
        device = torch.device(device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise BadInput(f"device {str(device)!r}: torch finds no GPU here; expected 'cpu', or a GPU and its driver")
        if not dist.is_available() or not (dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) > 1):
            return cls(0, 1, device)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            # gloo for what is said, nccl for tensors: so nothing said has to wait for the GPU
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    def gather(self, value: T) -> list[T]:
        """What each process has, by its number."""
        if self.world == 1:
            return [value]
        values: list[T | None] = [None] * self.world
        dist.all_gather_object(values, value)
        return cast("list[T]", values)

    def agree(self, error: OcrError | None) -> None:
        """Raises the first process's error in all of them: all stop, and none waits for the others for ever."""
        for number, failed in enumerate(self.gather(error)):
            if failed is not None and number == self.rank:
                raise failed
            if failed is not None:
                raise type(failed)(f"process {number}: {failed}")

    def spread(self, model: nn.Module) -> None:
        """Each process keeps its part of each parameter of the first one's model: the rest comes when it is needed.

        The layers of a ModuleList come and go one by one; all else comes at once, and stays until the step is done.
        """
        if self.world == 1:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.detach(), 0)
        mesh = init_device_mesh(self.device.type, (self.world,))
        units = [layer for part in model.modules() if isinstance(part, nn.ModuleList) for layer in part]
        for layer in reversed(units):  # those within others first
            if next(layer.parameters(), None) is not None and not isinstance(layer, (nn.ModuleList, nn.ModuleDict)):
                fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    def hold_gradients(self, model: nn.Module, hold: bool) -> None:
        """Whether gradients stay in their process for now: they are summed up with those of the step's last batch."""
        if self.world > 1:
            cast("FSDPModule", model).set_requires_gradient_sync(not hold)

    def copy(self, source: Tensor, target: Tensor) -> None:
        """Puts the first process's tensor, on a processor, into a tensor of all: what is spread takes its parts."""
        if self.world > 1:
            source = source.to(self.device)
            if not is_spread(target):
                dist.broadcast(source, 0)
            else:
                from torch.distributed.tensor import distribute_tensor

                spread = cast("DTensor", target)
                source = distribute_tensor(source, spread.device_mesh, spread.placements)
        target.copy_(source)


def is_spread(tensor: Tensor) -> bool:
    """Whether each process has a part of it only."""
    return hasattr(tensor, "full_tensor")


def full(tensor: Tensor) -> Tensor:
    """All of a tensor, in every process: all of them must ask for it."""
    return cast("DTensor", tensor).full_tensor() if is_spread(tensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process has: the same memory."""
    return cast("DTensor", tensor).to_local() if is_spread(tensor) else tensor
