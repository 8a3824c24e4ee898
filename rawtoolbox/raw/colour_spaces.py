"""RGB spaces of pictures: sRGB, Display P3 and Rec. 2020, all with the white of D65 and the sRGB transfer curve."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np

from rawtoolbox.raw.white_point import D50, D65, adaptation, xy_to_xyz

Space = Literal['srgb', 'p3', 'rec2020']

PRIMARIES: dict[Space, tuple[tuple[float, float], ...]] = {  # x, y of R, G, B
    'srgb': ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),  # IEC 61966-2-1
    'p3': ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # SMPTE EG 432-1
    'rec2020': ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # ITU-R BT.2020
}


@cache
def xyz_to_rgb(space: Space) -> np.ndarray:
    """(3, 3) CIE XYZ under D50 to a space's linear RGB (SMPTE RP 177, and Bradford from D50 to D65).

    Raises:
        ValueError: No such space.
    """
    if space not in PRIMARIES:
        raise ValueError(f'space: expected one of {", ".join(get_args(Space))}, found {space!r}.')
    columns = np.stack([xy_to_xyz(xy) for xy in PRIMARIES[space]], axis=1)
    rgb_to_xyz = columns * np.linalg.solve(columns, xy_to_xyz(D65))
    return np.linalg.inv(adaptation(D65, D50) @ rgb_to_xyz)
