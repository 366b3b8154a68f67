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

        With "cuda", each takes the GPU of its own number. That GPU is torch's current one from here on. Raises
        BadInput, naming the devices that there are, where this one can't be trained on.
        """
        several = dist.is_available() and (dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) > 1)
        device = _device(device, int(os.environ.get("LOCAL_RANK", "0")) if several else None)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if not several:
            return cls(0, 1, device)
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
        """Each process keeps its part of each parameter of the first one's model, and so does the optimizer.

        The rest comes at once when the model is called, and goes when its gradient is known. Nothing comes or goes for
        a layer by itself: all processes would have to call it equally often, and batches differ in that.
        """
        if self.world == 1:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.detach(), 0)
        mesh = init_device_mesh(self.device.type, (self.world,))
        fully_shard(model, mesh=mesh)

    def before_backward(self, model: nn.Module, last: bool) -> None:
        """Gradients stay in their process until those of the step's last batch: then all processes' are summed up."""
        if self.world == 1:
            return
        cast("FSDPModule", model).set_requires_gradient_sync(last)
        if last:
            for each in model.parameters():
                if (
                    each.requires_grad and each.grad is None
                ):  # another process may have one, and sums take as many of all
                    each.grad = torch.zeros_like(each)

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


def _device(device: str | torch.device, own: int | None) -> torch.device:
    """The device, with its number; of those that have none it is `own`, or else torch's current one."""
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise BadInput(f"device {str(device)!r} is unknown to torch: expected 'cpu' or 'cuda'") from error
    if found.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = " or ".join(["'cpu'", *(f"'cuda:{n}'" for n in range(count))])
    if found.type != "cuda":
        raise BadInput(f"device {str(device)!r} is none to train on: expected {there}, which are here")
    if not count:
        raise BadInput(f"device {str(device)!r}: torch finds no GPU here; expected 'cpu', or a GPU and its driver")
    number = found.index
    if number is None:
        number = torch.cuda.current_device() if own is None else own
        if number >= count:
            raise BadInput(
                f"process {number} of this machine has no GPU of its own, for there are {count}: expected {count} "
                "processes here at most; start fewer, or train on 'cpu'"
            )
    if number >= count:
        raise BadInput(f"device {str(device)!r} isn't here: expected {there}")
    return torch.device("cuda", number)


def is_spread(tensor: Tensor) -> bool:
    """Whether each process has a part of it only."""
    return hasattr(tensor, "full_tensor")


def full(tensor: Tensor) -> Tensor:
    """All of a tensor, in every process: all of them must ask for it."""
    return cast("DTensor", tensor).full_tensor() if is_spread(tensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process has: the same memory."""
    return cast("DTensor", tensor).to_local() if is_spread(tensor) else tensor
