"""SPSR: super-resolution guided by a branch that predicts the gradient map of the enlarged image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.backbones.rrdbnet import RRDB, leaky_relu, upsample
from rawtoolbox.layers.init import scaled_kaiming_
from rawtoolbox.registry import BACKBONES

TAPS = (5, 10, 15, 20)


def gradient_magnitude(image: Tensor) -> Tensor:
    """Length of the central difference of each channel, (N, C, H, W); zeros beyond the border.

    Not halved, and with 1e-6 under the root so that flat regions have a gradient.
    """
    padded = F.pad(image, (1, 1, 1, 1))
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return (across**2 + down**2 + 1e-6).sqrt()


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class Enlarge(nn.Module):
    """Four times the size, then two convolutions; the last one is linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_up1 = conv(width, width)
        self.conv_up2 = conv(width, width)
        self.conv_hr1 = conv(width, width)
        self.conv_hr2 = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky_relu(self.conv_up1(upsample(x)))
        x = leaky_relu(self.conv_up2(upsample(x)))
        return self.conv_hr2(leaky_relu(self.conv_hr1(x)))


class Trunk(nn.Module):
    """ESRGAN's trunk, which also hands out its features after 5, 10, 15 and 20 blocks."""

    def __init__(self, width: int, blocks: int, growth: int) -> None:
        super().__init__()
        self.conv_first = conv(3, width)
        self.body = nn.ModuleList(RRDB(width, growth) for _ in range(blocks))
        self.conv_body = conv(width, width)
        self.enlarge = Enlarge(width)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        first = x = self.conv_first(image)
        taps = []
        for count, block in enumerate(self.body, start=1):
            x = block(x)
            if count in TAPS:
                taps.append(x)
        return self.enlarge(first + self.conv_body(x)), taps


class GradientBranch(nn.Module):
    """From the gradient map of the input to features of the gradient map of the output (SPSR, Figure 2)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv_first = conv(3, width)
        self.blocks = nn.ModuleList(RRDB(2 * width, growth) for _ in TAPS)
        self.reduce = nn.ModuleList(conv(2 * width, width) for _ in TAPS)
        self.conv_body = conv(width, width)
        self.enlarge = Enlarge(width)

    def forward(self, gradient: Tensor, taps: list[Tensor]) -> Tensor:
        first = x = self.conv_first(gradient)
        for block, reduce, tap in zip(self.blocks, self.reduce, taps, strict=True):
            x = reduce(block(torch.cat([x, tap], 1)))
        return self.enlarge(first + self.conv_body(x))


@BACKBONES.register_module()
class SPSR(nn.Module):
    """Structure-preserving super-resolution (Ma et al., CVPR 2020), four times the size.

    The two branches meet at the size of the output, which is why it costs three times RRDBNet. Facts from
    Maclory/SPSR, ``code/models/modules/architecture.py``. The output is linear, not clipped.

    Args:
        width: Channels of the features.
        blocks: Number of RRDBs in the trunk, at least 20, the last one tapped.
        growth: Channels that each dense convolution adds.

    Raises:
        ValueError: ``blocks`` is below 20.
    """

    raw_input = RawInput(layout='rgb', scale=4)

    def __init__(self, width: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        if blocks < TAPS[-1]:
            raise ValueError(f'blocks: expected at least {TAPS[-1]}, whose output is tapped, found {blocks}.')
        self.trunk = Trunk(width, blocks, growth)
        self.branch = GradientBranch(width, growth)
        self.gradient_tail = nn.Conv2d(width, 3, 1)
        self.fusion = nn.Sequential(RRDB(2 * width, growth), conv(2 * width, width))
        self.tail = nn.Sequential(conv(width, width), nn.LeakyReLU(0.2), conv(width, 3))
        scaled_kaiming_(self)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Enlarges an sRGB image (N, 3, h, w) in [0, 1] to (N, 3, 4h, 4w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape.
        """
        return self._image(*self._branches(raw))

    def forward_heads(self, raw: Tensor) -> list[Tensor]:
        """The enlarged image, and the gradient branch's map of its gradient magnitude; both (N, 3, 4h, 4w)."""
        features, gradient = self._branches(raw)
        return [self._image(features, gradient), self.gradient_tail(gradient)]

    def _branches(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        self.raw_input.check(raw)
        features, taps = self.trunk(raw)
        return features, self.branch(gradient_magnitude(raw), taps)

    def _image(self, features: Tensor, gradient: Tensor) -> Tensor:
        return self.tail(self.fusion(torch.cat([gradient, features], 1)))
