"""AWNet: attentive wavelet networks for packed raw and for demosaicked input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.awnet_blocks import (
    GCRDB,
    Down,
    PyramidPooling,
    SqueezeExcite,
    conv,
    inverse_wavelet,
)
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES

BLOCKS = (3, 3, 3, 4, 4)


class AWNet(nn.Module):
    """What the two networks of AWNet (Dai et al., ECCVW 2020) have in common; use one of the two below.

    A U-Net whose stages shrink and grow by wavelets beside convolutions, with an image at every size for
    supervision. Facts from Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP, ``models/``.

    Args:
        up: Class of the module that doubles the size: ``up(width)(features, bands)``.
        tail: From the finest features to the image, before the sigmoid.
        heads: How many sizes, from the coarsest on, give another image in training.
        width: Channels at full size, doubled at each coarser one.
        blocks: Residual dense blocks at each of the five sizes. The published networks have 3, 3, 3, 4, 4, which
            is not the default of the official class.
    """

    raw_input: RawInput

    def __init__(
        self, up: type[nn.Module], tail: nn.Module, heads: int, width: int, blocks: tuple[int, ...]
    ) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(len(BLOCKS))]
        self.head = conv(self.raw_input.channels, width)
        self.encoder = nn.ModuleList(
            nn.Sequential(SqueezeExcite(channels), *(GCRDB(channels) for _ in range(count)))
            for channels, count in zip(widths, blocks, strict=True)
        )
        self.downs = nn.ModuleList(Down(channels) for channels in widths[:-1])
        self.ups = nn.ModuleList(up(channels) for channels in widths[1:])
        self.skips = nn.ModuleList(skip(channels) for channels in widths[:-1])
        self.tail = tail
        self.heads = nn.ModuleList(conv(channels, 3) for channels in widths[-heads:])

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps the input (N, C, h, w) to sRGB in (0, 1), (N, 3, scale*h, scale*w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or a size that is no multiple of 16.
        """
        features = self.decode(*self.encode(raw))
        return self.tail(features[0]).sigmoid()

    def forward_heads(self, raw: Tensor) -> list[Tensor]:
        """All supervised images, finest first; the first is that of ``forward``."""
        features = self.decode(*self.encode(raw))
        coarse = zip(self.heads, features[-len(self.heads) :], strict=True)
        return [self.tail(features[0]).sigmoid(), *(head(x).sigmoid() for head, x in coarse)]

    def encode(self, raw: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The coarsest features (N, 16*width, h/16, w/16); what skips to each finer size; its wavelet bands."""
        self.raw_input.check(raw)
        x, skipped, all_bands = self.head(raw), [], []
        for stage, down in zip(self.encoder[:-1], self.downs, strict=True):
            skipped.append(x)
            x, bands = down(stage(x))
            all_bands.append(bands)
        return self.encoder[-1](x), skipped, all_bands

    def decode(self, latent: Tensor, skipped: list[Tensor], all_bands: list[Tensor]) -> list[Tensor]:
        """Features at all five sizes, finest first."""
        features = [latent]
        for level in reversed(range(len(self.ups))):
            x = self.ups[level](features[0], all_bands[level])
            features.insert(0, x + self.skips[level](skipped[level]))
        return features


@BACKBONES.register_module()
class AWNetRaw(AWNet):
    """AWNet's network for packed raw, 52,205,436 parameters (``models/model_4channel.py``).

    Args:
        width: Channels at the packed size.
        blocks: Residual dense blocks at each of the five sizes.
    """

    raw_input = RawInput(subtract_black=False, multiple=16, scale=2)

    def __init__(self, width: int = 64, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__(UpShuffle, ShuffleTail(width), 5, width, blocks)


@BACKBONES.register_module()
class AWNetDemosaicked(AWNet):
    """AWNet's network for Bayer planes enlarged to full size, 50,129,653 parameters (``models/model_3channel.py``).

    Args:
        width: Channels at full size.
        blocks: Residual dense blocks at each of the five sizes.
    """

    raw_input = RawInput(layout='plane_resized', subtract_black=False, clip=True, multiple=16, scale=1)

    def __init__(self, width: int = 64, blocks: tuple[int, ...] = BLOCKS) -> None:
        tail = nn.Sequential(PyramidPooling(width), conv(width, 3))
        super().__init__(UpBilinear, tail, 4, width, blocks)


def skip(width: int) -> nn.Sequential:
    """Two convolutions and channel attention between the encoder and the decoder."""
    return nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width), nn.ReLU(), SqueezeExcite(width))


class UpShuffle(nn.Module):
    """Doubles the size and halves the channels: a pixel shuffle beside an inverse wavelet (raw network)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.stem = nn.Sequential(
            nn.PixelShuffle(2), conv(half, half), nn.PReLU(), conv(half, half), nn.PReLU()
        )
        self.bands = nn.Conv2d(2 * width, 2 * width, 1)
        self.wavelet = nn.Conv2d(half, half, 1)
        self.merge = nn.Conv2d(width, half, 1)

    def forward(self, x: Tensor, bands: Tensor) -> Tensor:
        wavelet = self.wavelet(inverse_wavelet(self.bands(bands)))
        return self.merge(torch.cat([self.stem(self.expand(x)), wavelet], 1))


class UpBilinear(nn.Module):
    """Doubles the size and halves the channels: bilinear beside an inverse wavelet (demosaicked network)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        upsample = nn.Upsample(scale_factor=2, mode='bilinear')
        self.stem = nn.Sequential(upsample, conv(width, half), nn.PReLU(), conv(half, quarter), nn.PReLU())
        self.bands = nn.Sequential(nn.Conv2d(2 * width, 2 * width, 1), nn.PReLU())
        self.wavelet = nn.Conv2d(half, quarter, 1)

    def forward(self, x: Tensor, bands: Tensor) -> Tensor:
        return torch.cat([self.stem(x), self.wavelet(inverse_wavelet(self.bands(bands)))], 1)


class ShuffleTail(nn.Module):
    """From features at the packed size to the image at twice that (raw network)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter, half = width // 4, width // 2
        self.shuffle = nn.Sequential(nn.PixelShuffle(2), conv(quarter, quarter))
        self.pyramid = PyramidPooling(quarter)
        self.image = nn.Sequential(conv(half, half), SqueezeExcite(half), conv(half, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.shuffle(x)
        return self.image(torch.cat([self.pyramid(x), x], 1))
