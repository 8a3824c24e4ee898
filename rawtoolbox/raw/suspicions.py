"""What is odd about a mosaic's values under the levels and the pattern that its file states."""

from __future__ import annotations

import numpy as np

SUSPICIOUS_SHARE = 0.01  # of the values
MOST = 0.5  # of the values below the black level
DARKEST = 0.25  # of the white level: a largest value below it
QUAD = 0.6  # of the differences across blocks: what those within blocks stay below on a quad-Bayer sensor; own choice


def suspicions(mosaic: np.ndarray, black: tuple[float, float, float, float], white: float) -> list[str]:
    """Sentences on what does not fit.

    Args:
        mosaic: (H, W) sensor values in RGGB phase.
        black: Levels of R, Gr, Gb, B.
        white: The saturated value.
    """
    found = []
    if mosaic.min() == mosaic.max():
        found.append(f'All values are {mosaic.min()}: the picture is empty, or could not be decoded.')
    elif looks_quad(mosaic):
        found.append(
            'Neighbours differ as on a quad-Bayer sensor (4x4 pattern), although the file says 2x2: bin it 2x2 first.'
        )
    above = np.count_nonzero(mosaic > white) / mosaic.size
    if above > SUSPICIOUS_SHARE:
        found.append(f'{above:.1%} of the values lie above the white level {white:g}: is it right?')
    zero = 1 - np.count_nonzero(mosaic) / mosaic.size
    if zero > SUSPICIOUS_SHARE and min(black) >= 16:
        found.append(
            f'{zero:.1%} of the values are 0, far below the black level: part of the picture may be missing.'
        )
    return found + _levels(mosaic, max(black), white)


def _levels(mosaic: np.ndarray, black: float, white: float) -> list[str]:
    below = np.count_nonzero(mosaic < black) / mosaic.size
    if below > MOST:
        return [f'{below:.0%} of the values lie below the black level {black:g}: is it right?']
    largest = int(mosaic.max())
    if mosaic.min() < largest and largest - black < DARKEST * (white - black):
        return [
            f'The largest value is {largest}, the white level {white:g}: the picture is dark, or the level wrong.'
        ]
    return []


def looks_quad(mosaic: np.ndarray) -> bool:
    """Whether every second neighbour, along rows and along columns, is of the same colour: 2x2 blocks of a colour.

    On a Bayer sensor, neighbours along a row or column are never of one colour.
    """
    values = mosaic.astype(np.float32)
    return all(_in_pairs(np.abs(np.diff(values, axis=axis)), axis) for axis in (0, 1))


def _in_pairs(differences: np.ndarray, axis: int) -> bool:
    even, odd = (
        float(differences.take(range(start, differences.shape[axis], 2), axis).mean()) for start in (0, 1)
    )
    return min(even, odd) < QUAD * max(even, odd)
