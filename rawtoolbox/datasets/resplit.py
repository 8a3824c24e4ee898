"""Zurich RAW to RGB with another division into training and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import Dataset

from rawtoolbox.datasets.zrr import OFFICIAL_COUNTS, ZRRDataset
from rawtoolbox.registry import DATASETS

NUM_TRAIN = 43200  # of 48,043; Zhang et al., ICCV 2021, supplement F


@DATASETS.register_module()
class ResplitZRRDataset(Dataset):
    """The pairs of both official splits, divided anew at about 9 : 1 (Zhang et al., ICCV 2021, Table E).

    The paper does not say which pairs are in which part. Here they are drawn: the same for the same seed and the
    same files. Neighbouring patches of one photograph can so end up on both sides. An item is as
    :class:`ZRRDataset` gives it, its name with the official split in front: ``train-17``.

    Args:
        data_root: Folder of the data set.
        split: ``'train'`` or ``'test'`` of the new division.
        num_train: Number of training pairs; None for the paper's share, 43,200 of 48,043.
        seed: Of the drawing.
        **kwargs: Further arguments of :class:`ZRRDataset`.

    Raises:
        ValueError: ``num_train`` leaves nothing for one part; see also :class:`ZRRDataset`.
        FileNotFoundError: See :class:`ZRRDataset`.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: Literal['train', 'test'] = 'train',
        num_train: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if split not in OFFICIAL_COUNTS:
            raise ValueError(f"split: expected 'train' or 'test', found {split!r}.")
        self.split = split
        self.parts = {name: ZRRDataset(data_root, name, **kwargs) for name in OFFICIAL_COUNTS}
        pairs = [(name, index) for name, part in self.parts.items() for index in range(len(part))]
        if num_train is None:
            num_train = round(len(pairs) * NUM_TRAIN / sum(OFFICIAL_COUNTS.values()))
        if not 1 <= num_train < len(pairs):
            raise ValueError(f'num_train: expected 1 to {len(pairs) - 1}, found {num_train}.')
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).tolist()
        chosen = order[:num_train] if split == 'train' else order[num_train:]
        self.pairs = [pairs[index] for index in sorted(chosen)]

    @property
    def metainfo(self) -> dict[str, Any]:
        """What is true of all items."""
        return {**self.parts['train'].metainfo, 'dataset': type(self).__name__, 'split': self.split}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        official, place = self.pairs[index]
        item = self.parts[official][place]
        item['data_samples']['meta']['name'] = f'{official}-{item["data_samples"]["meta"]["name"]}'
        return item
