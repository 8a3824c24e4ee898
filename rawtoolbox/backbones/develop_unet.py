"""A plain U-Net of 3x3 convolutions that works at half the sensor's size: little time, no global statistics."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES


class Block(nn.Module):
    """``x + conv(relu(conv(x)))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


def stage(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


@BACKBONES.register_module()
class DevelopUNet(nn.Module):
    """Packed samples in, an image of twice the height and width out; purely convolutional.

    Args:
        told: Whether the input has eight planes behind the four packed ones, on saturation, noise and white balance.
        widths: Channels at 1/2, 1/4 and 1/8 of the sensor's size.
        blocks: Residual blocks on the way down (two), at the bottom, and on the way up (two).
    """

    raw_input = RawInput(layout='packed_told', multiple=4, scale=2)

    def __init__(
        self,
        told: bool = True,
        widths: Sequence[int] = (32, 48, 64),
        blocks: Sequence[int] = (1, 1, 2, 1, 2),
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        if not told:
            self.raw_input = RawInput(multiple=4, scale=2)
        self.head = nn.Conv2d(self.raw_input.channels, fine, 3, padding=1)
        self.down1 = stage(fine, blocks[0])
        self.shrink1 = nn.Conv2d(fine, middle, 2, stride=2)
        self.down2 = stage(middle, blocks[1])
        self.shrink2 = nn.Conv2d(middle, coarse, 2, stride=2)
        self.bottom = stage(coarse, blocks[2])
        self.grow2 = nn.ConvTranspose2d(coarse, middle, 2, stride=2)
        self.up2 = stage(middle, blocks[3])
        self.grow1 = nn.ConvTranspose2d(middle, fine, 2, stride=2)
        self.up1 = stage(fine, blocks[4])
        self.tail = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps (N, 12, h, w), or (N, 4, h, w) if not told, to (N, 3, 2h, 2w); coordinates are not used.

        Raises:
            ValueError: ``raw`` has another shape, or h or w is no multiple of 4.
        """
        self.raw_input.check(raw)
        fine = self.down1(self.head(raw))
        middle = self.down2(self.shrink1(fine))
        coarse = self.bottom(self.shrink2(middle))
        middle = self.up2(self.grow2(coarse) + middle)
        fine = self.up1(self.grow1(middle) + fine)
        return F.pixel_shuffle(self.tail(fine), 2)
