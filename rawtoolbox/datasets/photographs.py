"""Simulated raws of photographs, drawn as they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from rawtoolbox.registry import DATASETS
from rawtoolbox.simulation.raw_patches import draw_patch, find_photographs, read_reduced

EVERY = 11  # of the sorted photographs, each eleventh is for validation


@DATASETS.register_module()
class PhotographRawDataset(Dataset):
    """Patches of :func:`rawtoolbox.simulation.raw_patches.draw_patch`; one is a function of (seed, split, index).

    The photographs are decoded once and kept, so that workers that are forked share them.

    Args:
        photographs: Folder of photographs, searched with its subfolders.
        split: ``'train'`` or ``'val'``: each eleventh of the sorted photographs is for validation.
        length: Number of patches.
        size: Height and width of a patch in pixels, even.
        hue: Largest angle in degrees by which hues are turned, in half of the patches.
        seed: Of everything that is drawn.

    Raises:
        ValueError: Another split, a size that makes no sense, or a damaged photograph.
        FileNotFoundError: No photographs.
    """

    def __init__(
        self,
        photographs: str | Path,
        split: str = 'train',
        length: int = 1_000_000,
        size: int = 96,
        hue: float = 180.0,
        seed: int = 0,
    ) -> None:
        if split not in ('train', 'val'):
            raise ValueError(f"split: expected 'train' or 'val', found {split!r}.")
        if size < 16 or size % 2:
            raise ValueError(f'size: expected an even number of at least 16, found {size}.')
        self.length, self.size, self.hue = length, size, hue
        self.key = (seed, int(split == 'val'))
        paths = find_photographs(photographs)
        held_out = paths[::EVERY]
        chosen = held_out if split == 'val' else [path for path in paths if path not in held_out]
        self.photographs = [read_reduced(path, 2 * size) for path in chosen]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One patch.

        Returns:
            ``inputs``: ``mosaic`` (1, H, W), RGGB, black = 0 and white = 1; ``gains`` (3,); ``noise`` (2,), the
            variances of shot noise at white and of read noise. ``data_samples``: ``target`` (3, H, W), linear
            camera RGB without noise and without white balance. All float32.
        """
        patch = draw_patch(np.random.default_rng([*self.key, index]), self.photographs, self.size, self.hue)
        inputs = {'mosaic': patch.mosaic[None], 'gains': patch.gains, 'noise': patch.noise}
        return {
            'inputs': {key: torch.from_numpy(value) for key, value in inputs.items()},
            'data_samples': {'target': torch.from_numpy(patch.target), 'name': str(index)},
        }
