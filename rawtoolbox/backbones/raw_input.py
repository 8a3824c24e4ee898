"""What a network expects as its input: declared on its class, honoured by the preprocessor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from rawtoolbox.ops.checks import check_shape

CHANNELS = {'packed': 4, 'packed_told': 12, 'plane_resized': 3, 'rgb': 3}
LAYOUTS = tuple(CHANNELS)
ZRR_ORDER = ('B', 'Gr', 'R', 'Gb')


@dataclass(frozen=True)
class RawInput:
    """The input convention of a network.

    Attributes:
        layout: ``'packed'``: four half-size planes; ``'packed_told'``: these, encoded and white-balanced, and eight
            that tell of saturation, noise and white balance (``RawDeveloper`` makes them); ``'plane_resized'``: each
            Bayer plane enlarged to full size without regard to its phase, 3 channels, 8 bit (AWNet's demosaicked
            branch); ``'rgb'``: an sRGB image.
        order: Order of the packed planes.
        subtract_black: Whether the black level is subtracted; if not, values are divided by the white level.
        clip: Whether values are clipped to [0, 1]; otherwise below zero only.
        multiple: Height and width of the input must be multiples of this.
        scale: Output pixels per input pixel; below 1 for the coarse levels of PyNET.
    """

    layout: Literal['packed', 'packed_told', 'plane_resized', 'rgb'] = 'packed'
    order: tuple[str, ...] = ZRR_ORDER
    subtract_black: bool = True
    clip: bool = False
    multiple: int = 1
    scale: float = 2

    @classmethod
    def from_plain(cls, values: Any, where: str) -> RawInput:
        """The convention that an exported file carries.

        Args:
            values: What the file says: a dict of the attributes.
            where: The file, for messages.

        Raises:
            ValueError: It is no convention of a network.
        """
        try:
            form = cls(**{**values, 'order': tuple(values['order'])})
            sane = (
                form.layout in LAYOUTS
                and sorted(form.order) == sorted(ZRR_ORDER)
                and all(isinstance(value, bool) for value in (form.subtract_black, form.clip))
                and form.multiple in range(1, 1025)
                and 1 / 64 <= form.scale <= 16
            )
        except (TypeError, KeyError) as error:
            raise ValueError(
                f'{where} does not say what its network takes ({error}): export it anew.'
            ) from error
        if not sane:
            raise ValueError(f'{where} says that its network takes {form}, which none does: export it anew.')
        return form

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return CHANNELS[self.layout]

    def check(self, raw: Tensor, smallest: int = 1) -> None:
        """Checks that a tensor is an input of this convention; networks call it first in ``forward``.

        Args:
            raw: What the network was given.
            smallest: The least height and width that the network can work on.

        Raises:
            ValueError: It is not (N, channels, H, W), or H or W is too small or no multiple of ``multiple``.
        """
        check_shape(raw, f'N {self.channels} H W', 'raw')
        height, width = raw.shape[-2:]
        if min(height, width) < smallest:
            raise ValueError(
                f'raw: height and width must be at least {smallest}, found {height}x{width}: '
                'pad it, or choose a larger crop.'
            )
        if height % self.multiple or width % self.multiple:
            up = [-(-size // self.multiple) * self.multiple for size in (height, width)]
            raise ValueError(
                f'raw: height and width must be multiples of {self.multiple}, found {height}x{width}: '
                f'pad it to {up[0]}x{up[1]} and crop the result, or choose another crop size.'
            )
