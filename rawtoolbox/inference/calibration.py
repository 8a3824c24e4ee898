"""Patches of raw files on which a network in int8 is calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rawtoolbox.deployment.int8 import Patch
from rawtoolbox.inference.camera_adaptation import network_input
from rawtoolbox.inference.trained import TrainedNetwork
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.reader import open_raw

PATCHES = 32  # that calibrate, unless told otherwise


def calibration_patches(
    files: Sequence[Path], trained: TrainedNetwork, count: int = PATCHES, **geometry: Any
) -> list[Patch]:
    """Patches from everywhere in a few frames, as the network takes them.

    Args:
        files: Raw files; as many patches are taken from each.
        trained: The network, with the size of its training patches.
        count: How many at least.
        **geometry: For files that do not say it themselves, see `open_raw`.

    Raises:
        FileNotFoundError, ValueError: A file cannot be used, or is smaller than a patch.
    """
    generator = np.random.default_rng(0)
    each = -(-count // len(files))
    return [patch for file in files for patch in _patches_of(file, trained, each, generator, geometry)]


def _patches_of(
    file: Path, trained: TrainedNetwork, count: int, generator: np.random.Generator, geometry: dict[str, Any]
) -> Iterator[Patch]:
    form = trained.raw_input
    raw, coord = network_input(linear_mosaic(open_raw(file, **geometry)), trained)
    step = form.multiple
    side = trained.patch_size // (2 if form.layout == 'packed' else 1) // step * step
    if min(raw.shape[-2:]) < side:
        raise ValueError(f'{file} is smaller than a training patch of {trained.patch_size} pixels.')
    for _ in range(count):
        top, left = (int(generator.integers(length - side + 1)) for length in raw.shape[-2:])
        part = (..., slice(top, top + side), slice(left, left + side))
        yield raw[part].contiguous(), coord[part].contiguous()
