"""What a network expects as its input: declared on its class, honoured by the preprocessor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ZRR_ORDER = ('B', 'Gr', 'R', 'Gb')


@dataclass(frozen=True)
class RawInput:
    """The input convention of a network.

    Attributes:
        layout: ``'packed'``: four half-size planes; ``'plane_resized'``: each Bayer plane enlarged to full size
            without regard to its phase, 3 channels, 8 bit (AWNet's demosaicked branch); ``'rgb'``: an sRGB image.
        order: Order of the packed planes.
        subtract_black: Whether the black level is subtracted; if not, values are divided by the white level.
        clip: Whether values are clipped to [0, 1]; otherwise below zero only.
        multiple: Height and width of the input must be multiples of this.
        scale: Output pixels per input pixel.
    """

    layout: Literal['packed', 'plane_resized', 'rgb'] = 'packed'
    order: tuple[str, ...] = ZRR_ORDER
    subtract_black: bool = True
    clip: bool = False
    multiple: int = 1
    scale: int = 2
