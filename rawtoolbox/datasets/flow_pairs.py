"""Pairs with known displacement, drawn as they are asked for: what flow estimators learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from rawtoolbox.registry import DATASETS
from rawtoolbox.simulation.cameras import SimulationConfig
from rawtoolbox.simulation.flow_pairs import draw_flow_pair

SUFFIXES = {'.jpg', '.jpeg', '.png'}
DEFAULT = SimulationConfig()
PHOTOGRAPHS = {'train': DEFAULT.train_photographs, 'test': DEFAULT.test_photographs}


@DATASETS.register_module()
class FlowPairDataset(Dataset):
    """Pairs of :func:`rawtoolbox.simulation.flow_pairs.draw_flow_pair`; a pair is a function of (seed, split, index).

    Nothing is stored, so that the training split can be as long as training is.

    Args:
        split: ``'train'`` or ``'test'``; from different photographs. Dead leaves are in the training split only.
        length: Number of pairs.
        size: Height and width in pixels, even.
        max_displacement: Upper limit of the largest displacement of a pair in pixels.
        leaves: Share of training pairs that show dead leaves.
        seed: Of everything that is drawn.
        folder: Of further photographs for the training split, JPEG or PNG with 8 bits; None for the bundled alone.
        looks: See :func:`rawtoolbox.simulation.flow_pairs.draw_flow_pair`.

    Raises:
        FileNotFoundError: The folder holds no photograph.
        ValueError: Another split, or a size or length that makes no sense.
    """

    def __init__(
        self,
        split: str = 'train',
        length: int = 100_000,
        size: int = 192,
        max_displacement: float = 20,
        leaves: float = 0.3,
        seed: int = 0,
        folder: str | None = None,
        looks: dict[str, float] | None = None,
    ) -> None:
        if split not in PHOTOGRAPHS:
            raise ValueError(f"split: expected 'train' or 'test', found {split!r}.")
        if size < 16 or size % 2:
            raise ValueError(f'size: expected an even number of at least 16, found {size}.')
        if length < 1:
            raise ValueError(f'length: expected at least 1, found {length}.')
        self.split, self.length, self.size, self.seed = split, length, size, seed
        self.photographs, self.looks = PHOTOGRAPHS[split], looks
        if folder is not None and split == 'train':
            self.photographs += photographs_in(folder)
        self.max_displacement, self.leaves = max_displacement, leaves if split == 'train' else 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One pair.

        Returns:
            ``inputs``: ``first`` and ``second``, (3, H, W) uint8. ``data_samples``: ``flow`` (2, H, W) float32,
            ``valid`` (1, H, W) uint8, 1 where the flow ends inside the second image, and ``name``.
        """
        rng = np.random.default_rng([self.seed, list(PHOTOGRAPHS).index(self.split), index])
        pair = draw_flow_pair(
            rng, self.photographs, self.size, self.max_displacement, self.leaves, self.looks
        )
        y, x = np.mgrid[: self.size, : self.size] + pair.flow[::-1]
        valid = (x >= 0) & (x <= self.size - 1) & (y >= 0) & (y <= self.size - 1)
        first, second = (torch.from_numpy(image).permute(2, 0, 1) for image in pair[:2])
        truth = {'flow': torch.from_numpy(pair.flow), 'valid': torch.from_numpy(valid[None].astype(np.uint8))}
        return {'inputs': {'first': first, 'second': second}, 'data_samples': {**truth, 'name': str(index)}}


def photographs_in(folder: str | Path) -> tuple[str, ...]:
    """Paths of the JPEG and PNG files of a folder, sorted.

    Raises:
        FileNotFoundError: There are none.
    """
    found = sorted(str(p) for p in Path(folder).glob('*') if p.suffix.lower() in SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f'{folder}: expected photographs (JPEG or PNG), found none. Name another folder.'
        )
    return tuple(found)
