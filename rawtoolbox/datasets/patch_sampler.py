"""A sampler for data sets that crop: it gives each item the number that its crop is drawn by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rawtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class PatchSampler(Sampler[tuple[int, int]]):
    """Draws ``(index, draw)``: every item in turn in a new order, ``length`` of them an epoch.

    Indices and draws are functions of the seed and the epoch alone, and so the crops of a run that is resumed, or
    that has another number of workers, are the same. Short data sets of large images are gone through several
    times an epoch (the official SR-RAW recipe: 1000 batches of 16, from 1,200 pairs).

    Args:
        dataset: The data set.
        length: Items an epoch, over all processes; None for the data set's own.
        seed: Of the order and the draws; None for one that the processes agree on.

    Raises:
        ValueError: ``length`` is not positive, or the data set is empty.
    """

    def __init__(self, dataset: Sized, length: int | None = None, seed: int | None = None) -> None:
        if not len(dataset) or (length is not None and length < 1):
            raise ValueError(
                f'length: expected at least 1 of a data set that is not empty, found {length}, {len(dataset)}.'
            )
        self.count, self.seed = len(dataset), sync_random_seed() if seed is None else seed
        self.rank, self.world_size = get_dist_info()
        self.length, self.epoch = length or len(dataset), 0

    def __len__(self) -> int:
        return math.ceil(self.length / self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        total = len(self) * self.world_size
        rounds = (
            torch.randperm(self.count, generator=generator) for _ in range(math.ceil(total / self.count))
        )
        indices = torch.cat(list(rounds))[:total].tolist()
        draws = torch.randint(2**62, (total,), generator=generator).tolist()
        return iter(list(zip(indices, draws, strict=True))[self.rank :: self.world_size])

    def set_epoch(self, epoch: int) -> None:
        """Makes the next iteration that of an epoch; mmengine's ``DistSamplerSeedHook`` calls it."""
        self.epoch = epoch
