"""White balance where the file gives none, from the picture itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from rawtoolbox.ops.bayer import pack_mosaic
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.frame import UNSET, Gains, RawFrame

GREY_RANGE = (0.02, 0.9)  # of the values that a guess of the light rests on
NORM = 6
CLEARLY = 1 / 3  # of the distance to daylight, in logarithms of gains; own choice


def estimate_gains(mosaic: Tensor) -> Gains:
    """A guess of the white balance: that under which the 6-norms of the colours are equal; G = 1.

    Between grey world (the 1-norm), which a lawn deceives, and the brightest pixel (the infinite norm): Finlayson and
    Trezzi, *Shades of Gray and Colour Constancy*, Color and Imaging Conference 2004.

    Args:
        mosaic: (1, 1, H, W) RGGB, linear, white = 1.

    Returns:
        Of R, G and B; ones where nothing is neither dark nor saturated.
    """
    red, green_r, green_b, blue = pack_mosaic(mosaic, order=('R', 'Gr', 'Gb', 'B'))[0].double()
    green = (green_r + green_b) / 2
    least, most = red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)
    good = (least > GREY_RANGE[0]) & (most < GREY_RANGE[1])
    if not good.any():
        return UNSET
    norms = [float((colour[good] ** NORM).mean() ** (1 / NORM)) for colour in (red, green, blue)]
    return norms[1] / norms[0], 1.0, norms[1] / norms[2]


def settle_white_balance(frame: RawFrame) -> RawFrame:
    """Decides what a file without white balance means: that none was set, or that the camera balanced already.

    Some cameras, such as the Nikon D1, balance before they digitise, and write 1, 1, 1. Daylight gains would balance
    their frames twice. A sensor's own values, on the other hand, are far from grey in any light: green is about
    twice as strong as the rest. So where the picture's own balance is clearly nearer to 1, 1, 1 than to daylight, the
    frame is taken as balanced.

    Returns:
        The frame, or one with gains of 1 and a notice.
    """
    if frame.white_balance_source != 'daylight':
        return frame
    seen = estimate_gains(linear_mosaic(frame))
    from_ones, from_daylight = (
        float(np.abs(np.log(np.divide(seen, gains))).max()) for gains in (UNSET, frame.daylight_gains)
    )
    if from_ones >= CLEARLY * from_daylight:
        return frame
    red, _, blue = frame.daylight_gains
    notice = (
        'But the picture is about grey as it is, as of a camera that balances before it digitises: so gains of 1 are '
        f'used after all, not those of daylight ({red:.2f}, 1, {blue:.2f}).'
    )
    return replace(frame, as_shot_gains=UNSET, notices=(*frame.notices, notice))
