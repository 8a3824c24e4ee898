"""SRResNet for raw super-resolution: zoom-learn-zoom's generator, as Zhang et al. (ICCV 2021) train it on SR-RAW."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES


class ResidualBlock(nn.Module):
    """A 4x4 and a 3x3 convolution around an identity.

    The even kernel pads one pixel before and two after, as TensorFlow's "SAME" does and released weights expect.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(width, width, 4, bias=False),
            nn.InstanceNorm2d(width, affine=True),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class UpsampleTwice(nn.Sequential):
    """Doubles height and width by a strided transposed convolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 3, padding=1),
            nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1),
            nn.PReLU(channels),
        )


@BACKBONES.register_module()
class SRResNet(nn.Module):
    """SRResNet of the paper's experiments on SR-RAW (section 4.3, table 2).

    It follows the generator of zoom-learn-zoom (Zhang et al., CVPR 2019) rather than SRGAN's; instance
    normalisation stands for a batch normalisation that used batch statistics at test time. Facts from
    cszhilu1998/RAW-to-sRGB, ``models/srrawjoint_model.py``. The output is linear, not clipped.

    Args:
        scale: Output pixels per mosaic pixel, 1, 2 or 4: the output is twice that times the packed input.
        width: Channels of the residual blocks; four times as many while enlarging.
        blocks: Number of residual blocks.

    Attributes:
        level: How many of the last enlargements are left out, 0 for none. The official training goes from scale 1
            through 2 to 4, and each network starts from the one before: that is this one at levels 2, 1 and 0.

    Raises:
        ValueError: ``scale`` is none of these.
    """

    raw_input = RawInput(order=('R', 'Gr', 'B', 'Gb'), scale=8)

    def __init__(self, scale: int = 4, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        stages = {1: 1, 2: 2, 4: 3}.get(scale)
        if stages is None:
            raise ValueError(f'scale: expected 1, 2 or 4 (output pixels per mosaic pixel), found {scale}.')
        self.scale, self.level = scale, 0
        channels = 4 * width
        self.head = nn.Sequential(nn.Conv2d(4, width, 9, padding=4), nn.PReLU(width))
        self.body = nn.Sequential(
            *(ResidualBlock(width) for _ in range(blocks)),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )
        self.up = nn.Sequential(
            UpsampleTwice(width, channels), *(UpsampleTwice(channels, channels) for _ in range(stages - 1))
        )
        self.tail = nn.Conv2d(channels, 3, 9, padding=4)

    @property
    def level(self) -> int:
        return self._level

    @level.setter
    def level(self, level: int) -> None:
        if level not in range(self.scale.bit_length()):
            raise ValueError(f'level: expected 0 to {self.scale.bit_length() - 1}, found {level}.')
        self._level = level
        self.raw_input = replace(self.raw_input, scale=2 * self.scale // 2**level)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB (N, 3, s*h, s*w), s = 2 * scale / 2**level; ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape.
        """
        self.raw_input.check(raw)
        features = self.head(raw)
        features = features + self.body(features)
        for enlarge in self.up[: len(self.up) - self.level]:
            features = enlarge(features)
        return self.tail(features)
