"""MSRResNet: SRGAN's generator without batch normalisation, as BasicSR trains it."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.layers.init import scaled_kaiming_
from rawtoolbox.registry import BACKBONES


class ResidualBlock(nn.Module):
    """Two convolutions around an identity, without normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


def upsample(width: int, factor: int) -> nn.Sequential:
    """Enlarges by a pixel shuffle."""
    return nn.Sequential(
        nn.Conv2d(width, width * factor**2, 3, padding=1), nn.PixelShuffle(factor), nn.LeakyReLU(0.1)
    )


@BACKBONES.register_module()
class MSRResNet(nn.Module):
    """The network that stands for SRGAN (Ledig et al., CVPR 2017) in Table 2 of the paper.

    SRGAN's authors released no weights. BasicSR's version has no batch normalisation and adds the bilinearly
    enlarged input. Facts from XPixelGroup/BasicSR, ``basicsr/archs/srresnet_arch.py``.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the features.
        blocks: Number of residual blocks.

    Raises:
        ValueError: ``scale`` is none of these.
    """

    raw_input = RawInput(layout='rgb', scale=4)

    def __init__(self, scale: int = 4, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        factors = {2: (2,), 3: (3,), 4: (2, 2)}.get(scale)
        if factors is None:
            raise ValueError(f'scale: expected 2, 3 or 4, found {scale}.')
        self.raw_input = replace(self.raw_input, scale=scale)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.up = nn.Sequential(*(upsample(width, factor) for factor in factors))
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(width, 3, 3, padding=1)
        )
        scaled_kaiming_(self)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Enlarges an sRGB image (N, 3, h, w) in [0, 1] to (N, 3, scale*h, scale*w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape.
        """
        self.raw_input.check(raw)
        features = self.body(F.leaky_relu(self.head(raw), 0.1))
        base = F.interpolate(raw, scale_factor=self.raw_input.scale, mode='bilinear')
        return self.tail(self.up(features)) + base
