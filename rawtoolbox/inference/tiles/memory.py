"""What a network needs of memory, what there is, and hence how large a tile may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from rawtoolbox.inference.tiles.plan import round_up

BUDGET_ON_CPU = 1 << 30  # bytes for the tensors of a tile; more memory makes nothing faster
UNKNOWN_MEMORY = 4 << 30
SCRATCH = 1.4  # what convolutions need beside their inputs and outputs, as a factor; measured: 1.26
LARGEST_TILE = 2048


class LiveMemory(TorchDispatchMode):
    """Notes the largest number of bytes that tensors made under it took at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, Sequence) else [result]:
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.live[StorageWeakRef(storage)] = storage.nbytes()
        self.live = {reference: size for reference, size in self.live.items() if not reference.expired()}
        self.peak = max(self.peak, sum(self.live.values()))
        return result


def bytes_per_sample(network: nn.Module, channels: int = 4, side: int = 64) -> float:
    """Memory that a forward pass needs per input sample, in bytes; found on the meta device, in float32."""
    inputs = [torch.empty(1, count, side, side, device='meta') for count in (channels, 2)]
    state = {
        name: torch.empty_like(tensor, device='meta')
        for name, tensor in chain(network.named_parameters(), network.named_buffers())
    }
    with torch.no_grad(), LiveMemory() as memory:
        functional_call(network, state, tuple(inputs))
    return memory.peak / side**2


def memory_for_tiles(device: torch.device | str) -> int:
    """Bytes that the tensors of a tile may take: most of a GPU's free memory, or a part of the main memory."""
    device = torch.device(device)
    if device.type == 'cuda':
        return int(0.8 * torch.cuda.mem_get_info(device)[0])
    return min(free_memory() // 2, BUDGET_ON_CPU)


def free_memory() -> int:
    """Bytes of main memory that are free for this process; a guess where the system does not tell."""
    found = [UNKNOWN_MEMORY]
    information = Path('/proc/meminfo')
    if information.is_file():
        lines = dict(line.split(':', 1) for line in information.read_text().splitlines())
        found = [int(lines['MemAvailable'].split()[0]) << 10] if 'MemAvailable' in lines else found
    limit, used = (Path(f'/sys/fs/cgroup/memory.{name}') for name in ('max', 'current'))
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        found.append(int(text) - int(used.read_text()))
    return max(0, min(found))


def choose_tile(sample_bytes: float, memory: int, least: int, multiple: int = 1) -> int:
    """Side of the largest tile that fits into memory, at least ``least``."""
    side = int(math.sqrt(memory / (SCRATCH * sample_bytes))) // multiple * multiple
    return round_up(min(max(side, least), LARGEST_TILE), multiple)
