"""Where a sensor saturates, told by the picture itself."""

from __future__ import annotations

import numpy as np

from rawtoolbox.raw.frame import Levels
from rawtoolbox.raw.suspicions import looks_quad

HEAP = 1e-3  # of a colour's values: so many equal largest ones are saturated ones; own choice
LEAST = 0.5  # of the white level: what saturates lower is no sensor


def measured_saturation(mosaic: np.ndarray, cfa: str, levels: Levels) -> float | None:
    """The value at which two colours or more are cut off below the white level; None where nothing says so.

    Many sensors saturate below the white level that their file states, by up to a fifth. In a picture this is a heap of
    equal largest values, the same in several colours, whose light differs otherwise.

    Args:
        mosaic: (H, W) sensor values.
        cfa: Its pattern.
        levels: As the file states them.
    """
    largest = float(mosaic.max())
    black = max(levels.black)
    if looks_quad(mosaic) or largest >= levels.white or largest - black < LEAST * (levels.white - black):
        return None
    heaped = set()
    for place, colour in enumerate(cfa):
        values = mosaic[place // 2 :: 2, place % 2 :: 2]
        if np.count_nonzero(values == largest) >= max(HEAP * values.size, 4):
            heaped.add(colour)
    return largest if len(heaped) > 1 else None
