"""Where training runs: the device, and several processes or machines that ``torchrun`` starts.

Gradients are summed over gloo, those on a GPU over nccl.

Every process reads the same shards in the same order and takes its share of each batch, so that the gradients are
those of a single process up to rounding. AdamW keeps that rounding small; SOAP, which turns into the eigenvectors of
what it has seen, lets it grow, so that its weights come out as different as those of another seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from kwscore.errors import KWScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train one network together; the default is one process alone."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process validates, reports and writes."""
        return self.rank == 0

    def total(self, *counts: int) -> list[int]:
        """Sums of counts over all processes."""
        if self.world == 1:
            return list(counts)
        sums = torch.tensor(counts, dtype=torch.int64)
        dist.all_reduce(sums)
        return [int(n) for n in sums]

    def mean(self, value: float) -> float:
        """Mean over all processes."""
        if self.world == 1:
            return value
        sums = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(sums)
        return float(sums) / self.world

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its sum over all processes."""
        if self.world > 1:
            _all_reduce([p.grad for p in parameters if p.grad is not None])

    def average(self, buffers: Iterable[Tensor]) -> None:
        """Replace every floating-point buffer by its mean over all processes."""
        if self.world > 1:
            floating = [b for b in buffers if b.is_floating_point()]
            _all_reduce(floating)
            for buffer in floating:
                buffer.div_(self.world)

    def share(self, value: Any) -> Any:
        """The first process's ``value`` in every process, on whatever machine."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()


def _all_reduce(tensors: list[Tensor]) -> None:
    if not tensors:
        return
    flat = torch.cat([t.detach().flatten() for t in tensors])
    dist.all_reduce(flat)
    start = 0
    for tensor in tensors:
        tensor.detach().copy_(flat[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def find_device(name: str, local_rank: int = 0) -> torch.device:
    """``cpu``, ``cuda`` (of several GPUs the ``local_rank``-th), ``cuda:N``, or ``auto``: a GPU where there is one.

    Raises KWScopeError for a device that is not there.
    """
    there = {"cpu": 1, "cuda": torch.cuda.device_count()}
    if name == "auto":
        name = "cuda" if there["cuda"] else "cpu"
    kind, _, number = name.partition(":")
    if kind not in there or (number and not number.isdigit()):
        raise KWScopeError(f"--device {name} is not known: give auto, cpu, cuda or cuda:N.")
    index = int(number) if number else local_rank % max(there[kind], 1) if kind == "cuda" else 0
    if index >= there[kind]:
        have = f"torch sees {there[kind]} such devices" if there[kind] else "torch sees none"
        raise KWScopeError(f"--device {name} is not there ({have}): use --device cpu, or a torch made for that GPU.")
    return torch.device(kind, index) if kind == "cuda" else torch.device(kind)


@contextmanager
def team(device: str = "cpu") -> Iterator[Team]:
    """The team that ``torchrun`` started (WORLD_SIZE, RANK, MASTER_ADDR in the environment), or a process alone.

    ``device``: where its tensors will be, as for ``find_device``.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Team()
        return
    try:
        on_gpu = find_device(device).type == "cuda"
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    except (RuntimeError, ValueError) as error:
        raise KWScopeError(f"The {world} training processes did not find each other ({error}).") from None
    try:
        local = (int(os.environ.get(name, default)) for name, default in (("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1)))
        yield Team(dist.get_rank(), world, *local)
    finally:
        dist.destroy_process_group()
