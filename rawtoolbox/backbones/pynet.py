"""PyNET: an inverted pyramid, trained from its coarsest level to full resolution."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES

COARSEST = 5


def conv(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, padding_mode='reflect')


def conv_layer(in_channels: int, out_channels: int, kernel: int, norm: bool) -> nn.Sequential:
    """Convolution, instance normalisation if wanted, leaky ReLU."""
    normalise = [nn.InstanceNorm2d(out_channels, affine=True)] if norm else []
    return nn.Sequential(conv(in_channels, out_channels, kernel), *normalise, nn.LeakyReLU(0.2))


class MultiConv(nn.Module):
    """Parallel pairs of convolutions with kernels 3, 5, ... up to ``largest``, stacked."""

    def __init__(self, in_channels: int, channels: int, largest: int, norm: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                conv_layer(in_channels, channels, kernel, norm), conv_layer(channels, channels, kernel, norm)
            )
            for kernel in range(3, largest + 1, 2)
        )

    def forward(self, *features: Tensor) -> Tensor:
        x = torch.cat(features, 1)
        return torch.cat([branch(x) for branch in self.branches], 1)


class UpConv(nn.Sequential):
    """Bilinear enlargement by two, then a convolution to half the channels."""

    def __init__(self, in_channels: int) -> None:
        upsample = nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)
        super().__init__(upsample, conv(in_channels, in_channels // 2), nn.LeakyReLU(0.2))


class Residual(nn.Sequential):
    """Blocks that each add to their input."""

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            x = x + block(x)
        return x


class Level4(nn.Module):
    """An eighth of the raw's size; ``width`` channels in, from below twice as many, ``width`` out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_a = UpConv(2 * width)
        self.up_b = UpConv(2 * width)
        self.merge = MultiConv(2 * width, width, 3)
        self.residual = Residual(*(MultiConv(width, width, 3) for _ in range(2)))
        self.refine = MultiConv(width, width, 3)
        self.fuse = MultiConv(2 * width, width, 3)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        x = self.merge(skip, self.up_a(below))
        x = self.refine(self.residual(x))
        return self.fuse(x, self.up_b(below))


class Level3(nn.Module):
    """A quarter of the raw's size, kernels up to 5."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_a = UpConv(2 * width)
        self.up_b = UpConv(2 * width)
        self.residual = Residual(*(MultiConv(2 * width, width, 5) for _ in range(3)))
        self.refine = MultiConv(2 * width, width, 5)
        self.fuse = MultiConv(4 * width, width, 3)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        x = torch.cat([skip, self.up_a(below)], 1)
        x = self.refine(self.residual(x))
        return self.fuse(x, skip, self.up_b(below))


class Level2(nn.Module):
    """Half the raw's size, kernels up to 7."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_a = UpConv(2 * width)
        self.up_b = UpConv(2 * width)
        self.merge = MultiConv(2 * width, width, 5)
        self.residual = Residual(*(MultiConv(3 * width, width, 7) for _ in range(3)))
        self.refine = MultiConv(3 * width, width, 7)
        self.narrow = MultiConv(4 * width, width, 5)
        self.fuse = MultiConv(3 * width, width, 3)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        x = self.merge(skip, self.up_a(below))
        x = self.refine(self.residual(torch.cat([x, skip], 1)))
        x = self.narrow(x, skip)
        return self.fuse(x, self.up_b(below))


class Level1(nn.Module):
    """The raw's size, kernels up to 9; its first and last blocks are never normalised."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.up_a = UpConv(2 * width)
        self.up_b = UpConv(2 * width)
        self.merge = MultiConv(2 * width, width, 5, norm=False)
        self.widen = nn.Sequential(MultiConv(3 * width, width, 7, norm), MultiConv(3 * width, width, 9, norm))
        self.residual = Residual(*(MultiConv(4 * width, width, 9, norm) for _ in range(3)))
        self.refine = MultiConv(4 * width, width, 7, norm)
        self.narrow = MultiConv(4 * width, width, 5, norm)
        self.fuse = MultiConv(4 * width, width, 3, norm=False)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        x = self.merge(skip, self.up_a(below))
        x = self.widen(torch.cat([x, skip], 1))
        x = self.refine(self.residual(x))
        x = self.narrow(x, skip)
        return self.fuse(x, self.up_b(below), skip)


@BACKBONES.register_module()
class PyNET(nn.Module):
    """PyNET (Ignatov et al., CVPRW 2020), in the form of its PyTorch port.

    It differs from the TensorFlow original by normalisation in level 1 and by enlarging convolutions in place of
    transposed ones. Facts from aiff22/PyNET-PyTorch, ``model.py``. It is trained level by level, 5 first: a
    coarser level leaves the parameters of the finer ones without gradient. Instance normalisation makes the
    output depend on the size of the crop.

    Args:
        level: Which level's image ``forward`` gives, 0 (twice the packed raw's size) to 5 (a sixteenth of it).
        norm_level1: Instance normalisation in level 1, as in the published 47.6 M parameters.
        width: Channels of level 1, doubled at each coarser level.

    Raises:
        ValueError: There is no such level.
    """

    raw_input = RawInput(subtract_black=False, multiple=16, scale=2)

    def __init__(self, level: int = 0, norm_level1: bool = True, width: int = 32) -> None:
        super().__init__()
        self.level = level
        widths = [width // 2, *(width * 2**i for i in range(COARSEST))]
        self.encoder = nn.ModuleList(
            MultiConv(4 if i == 1 else widths[i - 1], widths[i], 3, norm=i > 1)
            for i in range(1, COARSEST + 1)
        )
        self.pool = nn.MaxPool2d(2)
        self.level5 = nn.Sequential(*(MultiConv(widths[5], widths[5], 3) for _ in range(3)))
        self.level4 = Level4(widths[4])
        self.level3 = Level3(widths[3])
        self.level2 = Level2(widths[2])
        self.level1 = Level1(widths[1], norm_level1)
        self.level0 = UpConv(widths[1])
        self.to_rgb = nn.ModuleList(conv(channels, 3) for channels in widths)

    @property
    def level(self) -> int:
        """Which level's image ``forward`` gives; training sets it from 5 down to 0."""
        return self._level

    @level.setter
    def level(self, level: int) -> None:
        if level not in range(COARSEST + 1):
            raise ValueError(f'level: expected 0 (finest) to {COARSEST}, found {level}.')
        self._level = level
        self.raw_input = replace(self.raw_input, scale=2 ** (1 - level))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB in (0, 1) at the size of ``level``; ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or a size that is below 32 or no multiple of 16.
        """
        return self._to_image(self.level, self._features(raw)[0])

    def forward_heads(self, raw: Tensor) -> list[Tensor]:
        """The images of all levels from ``level`` (first) to 5, each half the size of the one before."""
        return [self._to_image(level, x) for level, x in enumerate(self._features(raw), start=self.level)]

    def _to_image(self, level: int, features: Tensor) -> Tensor:
        return self.to_rgb[level](features).sigmoid()

    def _features(self, raw: Tensor) -> list[Tensor]:
        """Decoded features of each level from ``level`` to 5."""
        self.raw_input.check(raw, smallest=32)
        skips = self._encode(raw)
        features = [self.level5(skips[5])]
        for level in range(COARSEST - 1, self.level - 1, -1):
            decoder = getattr(self, f'level{level}')
            features.insert(0, decoder(skips[level], features[0]) if level else decoder(features[0]))
        return features

    def _encode(self, raw: Tensor) -> dict[int, Tensor]:
        """The encoder's features, by level."""
        skips, x = {}, raw
        for level, block in enumerate(self.encoder, start=1):
            skips[level] = x = block(x if level == 1 else self.pool(x))
        return skips
