"""Which of the four Bayer phases mosaics have, by their values alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from einops import rearrange, reduce

BLOCK = 8  # Bayer tiles that are averaged: some pixels of displacement between raw and photo do not matter
LEAST_CHROMA = (
    0.1  # correlation of the colours of raw and photo below which red and blue cannot be told apart
)
LEAST_GREEN = 0.2  # log of the ratio of differences below which green cannot be found


class CfaEvidence(NamedTuple):
    """What one pair says, to be summed over pairs.

    Attributes:
        green: Log of how much more the anti-diagonal sites of a 2x2 tile differ than the diagonal ones: positive
            where green is on the diagonal (GRBG, GBRG).
        diagonal: Sums of xx, yy and xy of centred chroma, x of the raw if red and blue are on the diagonal, the first
            of them red, and y of the photo.
        anti: The same, if they are on the anti-diagonal.
    """

    green: float
    diagonal: np.ndarray
    anti: np.ndarray


def cfa_evidence(mosaic: np.ndarray, target: np.ndarray | None, black_level: np.ndarray) -> CfaEvidence:
    """What a pair says about the phase.

    Args:
        mosaic: (H, W) sensor values.
        target: (3, sH, sW) uint8 RGB, or None.
        black_level: (2, 2) of the tile at pixel (0, 0).
    """
    height, width = (length // (2 * BLOCK) for length in mosaic.shape)
    whole = mosaic[: height * 2 * BLOCK, : width * 2 * BLOCK].astype(np.float64)
    sites = reduce(whole, '(h i y) (w j x) -> (y x) h w', 'mean', i=BLOCK, j=BLOCK, y=2, x=2)
    sites = np.maximum(sites - black_level.reshape(4, 1, 1), 1e-3)
    differences = [np.abs(np.log(sites[one] / sites[other])).mean() + 1e-4 for one, other in ((0, 3), (1, 2))]
    green = float(np.log(differences[1] / differences[0]))
    if target is None:
        return CfaEvidence(green, np.zeros(3), np.zeros(3))
    scale = target.shape[-1] // mosaic.shape[-1] * 2 * BLOCK
    photo = target[:, : height * scale, : width * scale].astype(np.float64)
    red, _, blue = reduce(photo, 'c (h i) (w j) -> c h w', 'mean', i=scale, j=scale) + 1
    wanted = np.log(red / blue)
    return CfaEvidence(
        green, _moments(np.log(sites[0] / sites[3]), wanted), _moments(np.log(sites[1] / sites[2]), wanted)
    )


def decide_cfa(evidence: list[CfaEvidence]) -> tuple[list[str], float, float]:
    """The phases that the evidence allows: one, two if red and blue cannot be told apart, or all four.

    Returns:
        The phases, the mean evidence on green, and the correlation of the colours of raw and photo.
    """
    if not evidence:
        return ['RGGB', 'BGGR', 'GRBG', 'GBRG'], 0.0, 0.0
    green = float(np.mean([one.green for one in evidence]))
    on_diagonal = green > 0
    moments = sum(one.anti if on_diagonal else one.diagonal for one in evidence)
    chroma = float(moments[2] / np.sqrt(moments[0] * moments[1])) if moments[0] * moments[1] > 0 else 0.0
    if abs(green) < LEAST_GREEN:
        return ['RGGB', 'BGGR', 'GRBG', 'GBRG'], green, chroma
    pair = ['GRBG', 'GBRG'] if on_diagonal else ['RGGB', 'BGGR']
    if abs(chroma) < LEAST_CHROMA:
        return pair, green, chroma
    return [pair[chroma < 0]], green, chroma


def site_values(mosaic: np.ndarray) -> np.ndarray:
    """(4, N) values of the sites of the 2x2 tile at pixel (0, 0), row by row."""
    return rearrange(mosaic, '(h y) (w x) -> (y x) (h w)', y=2, x=2)


def _moments(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(), y - y.mean()
    return np.array([(x * x).sum(), (y * y).sum(), (x * y).sum()])
