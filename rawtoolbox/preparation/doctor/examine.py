"""Looking at the pairs of a data set: every number here is counted or measured, none is judged."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from rawtoolbox.ops.bayer import rephase_to_rggb
from rawtoolbox.ops.colour import gamma_encode
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.preparation.agreement import MIN_DETAIL, Agreement, measure
from rawtoolbox.preparation.doctor.cfa import CfaEvidence, cfa_evidence

VALUES = 2**16
WORST_SHOWN = 4


@dataclass(frozen=True)
class Declared:
    """What the config says of the mosaics.

    Attributes:
        black_level: One, or four in the order of the 2x2 tile at pixel (0, 0).
        white_level: Value of white.
        cfa: Pattern from pixel (0, 0).
    """

    black_level: float | tuple[float, ...] = 63
    white_level: float = 1020
    cfa: str = 'RGGB'

    @property
    def black(self) -> np.ndarray:
        """(2, 2) of the tile at pixel (0, 0)."""
        return np.broadcast_to(np.asarray(self.black_level, float).ravel(), 4).reshape(2, 2)


@dataclass
class Examination:
    """What was found.

    Attributes:
        count: Pairs in the data set.
        examined: Pairs that were looked at.
        unreadable: Messages by the pair's name or number.
        sizes: How often (mosaic's height and width, target's height and width or None) came.
        histogram: (65536,) how often each sensor value came.
        hashes: Names of the pairs with the same mosaic, by its hash.
        cfa: Evidence on the phase, one a pair.
        agreements: How well raw and photo belong together, by name.
        saturated: Share of the photos' pixels that are 255 in every channel.
        worst: The pairs that are furthest apart: name, developed raw and photo, (H, W, 3) uint8.
    """

    count: int
    examined: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    sizes: Counter = field(default_factory=Counter)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(VALUES, np.int64))
    hashes: dict[str, list[str]] = field(default_factory=dict)
    cfa: list[CfaEvidence] = field(default_factory=list)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    saturated: float = 0.0
    worst: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def duplicates(self) -> list[list[str]]:
        """Names of pairs that have the same mosaic."""
        return [names for names in self.hashes.values() if len(names) > 1]

    @property
    def displacements(self) -> list[float]:
        """Mean displacements in pixels of the pairs that agree in detail: the flow of others means nothing."""
        return [one.displacement for one in self.agreements.values() if one.detail >= MIN_DETAIL]

    def percentile(self, share: float) -> int:
        """The sensor value below or at which a share (0 to 1) of the values lies."""
        total = self.histogram.sum()
        return int(np.searchsorted(np.cumsum(self.histogram), share * total)) if total else 0


def examine(
    dataset: Dataset, declared: Declared, items: int = 500, flows: int = 100, progress: bool = True
) -> Examination:
    """Reads pairs evenly spread over a data set.

    Args:
        dataset: Any data set whose items are as ``docs/design.md`` says.
        declared: What the config says of the mosaics; the target is compared with a raw developed by it.
        items: How many pairs are read at most.
        flows: For how many of these the displacement is measured, which takes a few tenths of a second.
        progress: Whether a bar is shown, if the output is a terminal.
    """
    found = Examination(len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(items, len(dataset))).astype(int))
    measured = set(chosen[np.unique(np.linspace(0, len(chosen) - 1, min(flows, len(chosen))).astype(int))])
    white = []
    for index in tqdm(chosen, desc='examining', unit='pair', disable=None if progress else True):
        found.examined += 1
        try:
            item = dataset[int(index)]
        except (ValueError, OSError) as error:
            names = getattr(dataset, 'names', None)
            found.unreadable[names[index] if names else str(index)] = str(error)
            continue
        white += _examine_item(found, item, declared, index in measured)
    found.saturated = float(np.mean(white)) if white else 0.0
    return found


def _examine_item(
    found: Examination, item: dict[str, Any], declared: Declared, measured: bool
) -> list[float]:
    """Adds what one pair says; returns the share of its photo that is white, if it has one."""
    mosaic, samples = item['inputs']['mosaic'][0].numpy(), item['data_samples']
    name, target = samples['meta']['name'], samples.get('target')
    target = None if target is None else target.numpy()
    found.sizes[mosaic.shape, None if target is None else target.shape[1:]] += 1
    found.histogram += np.bincount(mosaic.ravel(), minlength=VALUES)
    found.hashes.setdefault(hashlib.sha256(mosaic.tobytes()).hexdigest(), []).append(name)
    found.cfa.append(cfa_evidence(mosaic, target, declared.black))
    if target is None:
        return []
    if measured:
        _measure_displacement(found, name, mosaic, target, declared)
    return [float((target.min(axis=0) == 255).mean())]


def _measure_displacement(
    found: Examination, name: str, mosaic: np.ndarray, target: np.ndarray, declared: Declared
) -> None:
    """Compares raw and photo, and keeps the pair for the picture if it is among the worst."""
    source = develop(mosaic, declared)
    photo = rephase_to_rggb(target, declared.cfa, target.shape[-1] // mosaic.shape[-1])
    step = photo.shape[-1] // source.shape[1]
    photo = np.ascontiguousarray(photo[:, ::step, ::step].transpose(1, 2, 0))
    found.agreements[name] = measure(source, photo)
    found.worst.append((name, source, photo))
    # those that do not even agree in detail first
    found.worst.sort(
        key=lambda pair: (
            found.agreements[pair[0]].detail >= MIN_DETAIL,
            -found.agreements[pair[0]].displacement,
        )
    )
    del found.worst[WORST_SHOWN:]


def develop(mosaic: np.ndarray, declared: Declared) -> np.ndarray:
    """(H, W) sensor values to (H, W, 3) uint8: levels, demosaicking, gamma, brightened; no white balance."""
    values = torch.from_numpy(mosaic.astype(np.float32))[None, None]
    linear = normalize_levels(values, declared.black.ravel().tolist(), declared.white_level, clip=True)
    image = demosaic_bilinear(rephase_to_rggb(linear, declared.cfa))
    image = gamma_encode((image / torch.quantile(image[..., ::4, ::4], 0.995).clamp(min=0.01)).clamp(0, 1))
    return (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
