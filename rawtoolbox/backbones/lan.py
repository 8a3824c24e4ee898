"""LAN: a phone-sized network of convolutions and double attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES

SLOPE = 0.01
GAIN, OFFSET = 0.58, 0.5  # of the last tanh: a little more than [0, 1] is reached


@BACKBONES.register_module()
class LAN(nn.Module):
    """Packed raw in, sRGB of twice its height and width out, most of the work at a quarter of the raw's size.

    Raimundo et al., *LAN: Lightweight Attention-based Network for RAW-to-RGB Smartphone Image Processing*, CVPR
    Workshops 2022 (draimundo/LAN), which takes the mosaic itself. This is the form for packed raw of
    TIANLE233/MisISP (basicsr/archs/LAN_arch.py): 63,772 parameters, 0.66 GMAC for a 448x448 image. Its tail has no
    rectifier before the last tanh, unlike there, which would keep the image from being darker than 0.5.

    Channel attention averages over the whole input: a large frame that is developed in parts needs the average of
    all of it.

    Args:
        width: Channels.
    """

    raw_input = RawInput(multiple=4, scale=2)

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.head = activated(nn.Conv2d(self.raw_input.channels, width, 4, stride=2, padding=1))
        self.down = nn.Sequential(
            activated(nn.Conv2d(width, width, 3, stride=2, padding=1)), activated(conv(width, width))
        )
        self.body = nn.Sequential(
            DoubleAttention(width), DoubleAttention(width), activated(conv(width, width))
        )
        self.up = double(width, width)
        self.merge = activated(conv(2 * width, width))
        self.tail = nn.Sequential(double(width, 4 * width), conv(4 * width, 12), nn.PixelShuffle(2))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB (N, 3, 2h, 2w) in [-0.08, 1.08]; ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or h or w is no multiple of 4.
        """
        self.raw_input.check(raw)
        head = self.head(raw)
        down = self.down(head)
        up = self.up(self.body(down) + down)
        return GAIN * torch.tanh(self.tail(self.merge(torch.cat([head, up], 1)))) + OFFSET


class DoubleAttention(nn.Module):
    """Channel attention beside spatial attention, around an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 2 * width
        self.expand = nn.Sequential(activated(conv(width, wide)), nn.Conv2d(wide, wide, 1))
        self.channels = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            activated(nn.Conv2d(wide, wide // 4, 1)),
            nn.Conv2d(wide // 4, wide, 1),
        )
        self.positions = nn.Conv2d(wide, wide, 5, padding=4, dilation=2, groups=wide)
        self.reduce = conv(2 * wide, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        return x + self.reduce(torch.cat([self.channels(y) * y, self.positions(y) * y], 1))


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def activated(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE))


def double(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
