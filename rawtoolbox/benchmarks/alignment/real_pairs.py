"""How well aligners do on real pairs, of which no true displacement is known, and whether that can be believed.

*Agreement* is PSNR between the raw, in colours fitted on half of the places, and the warped photo on the other half: a
flow that follows noise gains nothing. Two controls say what the numbers are worth: a photo that was moved on purpose
must be found to have moved so, and the photo of another scene must be found not to belong to the raw.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rawtoolbox.aligners import Aligned
from rawtoolbox.benchmarks.alignment.real_scores import (
    agreement,
    histogram,
    known_shift,
    likeness,
    shift_error,
)
from rawtoolbox.files.images import read_mosaic, read_photo
from rawtoolbox.ops.colour import gamma_encode, match_exposure
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.ops.warp import backward_warp

Row = dict[str, Any]
GAMMA = 2.2


@dataclass(frozen=True)
class RealPairSettings:
    """Where pairs lie and how they are measured.

    Attributes:
        folder: With one folder of mosaics (16-bit PNG, RGGB) and one of photos, files of the same name stem.
        raws: Name of the mosaics' folder.
        photos: Name of the photos' folder.
        black_level: Sensor value without light.
        white_level: Sensor value of saturation.
        bit_depth: Bits of a sensor value.
        limit: How many pairs at most, evenly from all; None for all.
        shifts: Largest lengths of the known shifts in pixels, given to the pairs in turn.
        unlike: Score below which a pair is taken for one of two scenes.

    Raises:
        ValueError: A number makes no sense.
    """

    folder: str
    raws: str = 'huawei_raw'
    photos: str = 'canon'
    black_level: float = 63
    white_level: float = 1020
    bit_depth: int = 10
    limit: int | None = None
    shifts: tuple[float, ...] = (0.5, 1, 2, 4, 6)
    unlike: float = 0.34  # own choice, between the lowest of right and most of wrong scenes on real pairs

    def __post_init__(self) -> None:
        if not 0 <= self.black_level < self.white_level < 2**self.bit_depth:
            found = f'{self.black_level}, {self.white_level} and {self.bit_depth} bits'
            raise ValueError(f'levels: expected 0 <= black < white < 2 ** bit_depth, found {found}.')
        if self.limit is not None and self.limit < 1:
            raise ValueError(f'limit: expected at least 1, found {self.limit}.')


class RealPair(NamedTuple):
    """A raw and its photo, with a batch dimension of 1.

    Attributes:
        name: Of the files.
        source: Demosaicked raw, linear, (1, 3, H, W).
        target: The photo, (1, 3, H, W) in [0, 1].
        coord: Coordinates of the pixels in the patch, (1, 2, H, W).
    """

    name: str
    source: Tensor
    target: Tensor
    coord: Tensor


def read_pairs(settings: RealPairSettings) -> list[RealPair]:
    """Reads the pairs, sorted by name.

    Raises:
        FileNotFoundError: A folder or a partner is missing.
        ValueError: A file is no such image, or raw and photo differ in size.
    """
    raws, photos = (_by_stem(Path(settings.folder) / name) for name in (settings.raws, settings.photos))
    if raws.keys() != photos.keys():
        lone = sorted(raws.keys() ^ photos.keys())[0]
        raise FileNotFoundError(
            f'{settings.folder}: expected a raw in {settings.raws} and a photo in {settings.photos} of every name, '
            f'found one of {lone!r}. Add the other or remove it.'
        )
    names = sorted(raws)
    if settings.limit is not None and settings.limit < len(names):
        names = [names[round(i)] for i in np.linspace(0, len(names) - 1, settings.limit)]
    return [_read_pair(name, raws[name], photos[name], settings) for name in names]


def _by_stem(folder: Path) -> dict[str, Path]:
    found = {path.stem: path for path in folder.glob('*') if path.suffix.lower() in ('.png', '.jpg', '.jpeg')}
    if not found:
        raise FileNotFoundError(
            f'{folder}: expected PNG or JPEG files, found none. Name the folder of a split.'
        )
    return found


def _read_pair(name: str, raw: Path, photo: Path, settings: RealPairSettings) -> RealPair:
    mosaic = torch.from_numpy(read_mosaic(raw, bit_depth=settings.bit_depth).astype(np.float32))[None, None]
    target = torch.from_numpy(read_photo(photo, mosaic.shape[-2:])).permute(2, 0, 1)[None] / 255
    source = demosaic_bilinear(normalize_levels(mosaic, settings.black_level, settings.white_level))
    return RealPair(name, source, target, coord_map(*mosaic.shape[-2:])[None])


def measure_pairs(
    aligners: Mapping[str, nn.Module], pairs: Sequence[RealPair], settings: RealPairSettings
) -> list[Row]:
    """Runs all aligners on all pairs, and the known shift.

    Returns:
        One row a pair and aligner: ``pair``, ``aligner``, and what :func:`measure_pair` gives.
    """
    rows = []
    for name, aligner in aligners.items():
        align(aligner, pairs[0])  # the first call is slower
        for index, pair in enumerate(pairs):
            shift = known_shift(
                pair.source.shape[-2:], settings.shifts[index % len(settings.shifts)], seed=index
            )
            rows.append({'pair': pair.name, 'aligner': name, **measure_pair(aligner, pair, shift)})
    return rows


@torch.no_grad()
def align(aligner: nn.Module, pair: RealPair) -> Aligned:
    """Lines up a pair without a prediction of a backbone."""
    return aligner(pair.source, pair.target, pair.coord)


def measure_pair(aligner: nn.Module, pair: RealPair, shift: Tensor) -> dict[str, float]:
    """All scores of an aligner on a pair.

    Args:
        aligner: See ``docs/design.md``.
        pair: The pair.
        shift: Known field that the photo is moved by, (1, 2, H, W) in pixels.

    Returns:
        ``agreement`` in dB; ``likeness`` (see :func:`likeness`); ``gap`` (see :func:`return_gap`);
        ``masked``: share that the mask leaves out;
        ``shift_median`` and ``shift_mean``: errors in pixels of the known shift as found; ``displacement``: median
        length of the flow in pixels; ``below 0.25 px`` and so on: its histogram; ``seconds``.
    """
    start = time.perf_counter()
    aligned = align(aligner, pair)
    seconds = time.perf_counter() - start
    encoded = gamma_encode(pair.source).clamp(max=1)
    flow = flow_of(aligned)
    moved = align(aligner, pair._replace(target=backward_warp(pair.target, shift)[0]))
    error = shift_error(flow, flow_of(moved), shift)
    gap = return_gap(aligner, pair, aligned)
    return {
        'agreement': agreement(encoded, aligned.target, aligned.mask, pair.coord),
        'likeness': likeness(encoded, aligned.target, aligned.mask),
        'gap': gap,
        'masked': 1 - aligned.mask.mean().item(),
        'shift_median': error.median().item(),
        'shift_mean': error.mean().item(),
        'displacement': flow.norm(dim=1).median().item(),
        **histogram(flow),
        'seconds': seconds,
    }


def flow_of(aligned: Aligned) -> Tensor:
    """The flow of an aligner; no motion for one that has none."""
    return torch.zeros_like(aligned.target[:, :2]) if aligned.flow is None else aligned.flow


def return_gap(aligner: nn.Module, pair: RealPair, aligned: Aligned) -> float:
    """Mean distance in pixels from where a flow and the flow back lead to where they started, within the mask.

    For the flow back, the sides are exchanged: the photo, made linear, in the raw's place. Not a number for an
    aligner without a flow.
    """
    if aligned.flow is None:
        return float('nan')
    encoded = gamma_encode(pair.source).clamp(0, 1)
    exchanged = pair._replace(source=pair.target**GAMMA, target=match_exposure(encoded, pair.target))
    back, coverage = backward_warp(flow_of(align(aligner, exchanged)), aligned.flow)
    mask = aligned.mask * (coverage > 0.999)
    return (((aligned.flow + back).norm(dim=1, keepdim=True) * mask).sum() / mask.sum().clamp(min=1)).item()


def wrong_scenes(aligner: nn.Module, pairs: Sequence[RealPair]) -> list[tuple[str, str, float]]:
    """Likeness after alignment of every raw with every photo of its size: name of the raw, of the photo, score."""
    scores = []
    for raw, photo in product(pairs, pairs):
        if raw.source.shape == photo.source.shape:
            aligned = align(aligner, raw._replace(target=photo.target))
            score = likeness(gamma_encode(raw.source).clamp(max=1), aligned.target, aligned.mask)
            scores.append((raw.name, photo.name, score))
    return scores
