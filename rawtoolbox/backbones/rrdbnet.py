"""RRDBNet: the generator of ESRGAN and of RealSR."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.layers.init import scaled_kaiming_
from rawtoolbox.registry import BACKBONES

RESIDUAL_SCALE = 0.2


def leaky_relu(x: Tensor) -> Tensor:
    """The activation of ESRGAN and its kin, slope 0.2."""
    return F.leaky_relu(x, 0.2)


def upsample(x: Tensor) -> Tensor:
    """Doubles height and width by repeating pixels."""
    return F.interpolate(x, scale_factor=2, mode='nearest')


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each seeing the input and what all before it gave."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(width + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(width + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(width + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, padding=1)
        scaled_kaiming_(self)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, leaky_relu(conv(seen))], 1)
        return x + RESIDUAL_SCALE * self.conv5(seen)


class RRDB(nn.Module):
    """Residual in residual dense block: three dense blocks around an identity (ESRGAN, Figure 4)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(width, growth)
        self.rdb2 = ResidualDenseBlock(width, growth)
        self.rdb3 = ResidualDenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(x)))


@BACKBONES.register_module()
class RRDBNet(nn.Module):
    """ESRGAN's generator (Wang et al., ECCVW 2018), which RealSR (Ji et al., CVPRW 2020) shares.

    Parameters are named as in BasicSR (XPixelGroup/BasicSR, ``basicsr/archs/rrdbnet_arch.py``), so that its many
    checkpoints load as they are. The output is linear, not clipped.

    Args:
        scale: 4, or 2 or 1, which fold the input to a half or a quarter of its size first (Real-ESRGAN).
        width: Channels of the features.
        blocks: Number of RRDBs.
        growth: Channels that each dense convolution adds.

    Raises:
        ValueError: ``scale`` is none of these.
    """

    raw_input = RawInput(layout='rgb', scale=4)

    def __init__(self, scale: int = 4, width: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise ValueError(f'scale: expected 1, 2 or 4, found {scale}.')
        self.fold = 4 // scale
        self.raw_input = replace(self.raw_input, scale=scale, multiple=self.fold)
        self.conv_first = nn.Conv2d(3 * self.fold**2, width, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Enlarges an sRGB image (N, 3, h, w) in [0, 1] to (N, 3, scale*h, scale*w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or a size that cannot be folded.
        """
        self.raw_input.check(raw)
        x = self.conv_first(F.pixel_unshuffle(raw, self.fold))
        x = x + self.conv_body(self.body(x))
        x = leaky_relu(self.conv_up1(upsample(x)))
        x = leaky_relu(self.conv_up2(upsample(x)))
        return self.conv_last(leaky_relu(self.conv_hr(x)))
