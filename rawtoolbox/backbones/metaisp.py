"""MetaISP: a small U-Net whose blocks take weights that the whole image decides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES


@BACKBONES.register_module()
class MetaISP(nn.Module):
    """Packed raw in, sRGB of twice its height and width out.

    Chen et al., *MetaISP: Efficient RAW-to-sRGB Mappings with Merely 1M Parameters*, IJCAI 2024. No official code is
    known; widths, number of bases and order of layers are those of TIANLE233/MisISP (basicsr/archs/MetaISP_arch.py),
    whose cosine similarity sums the position's direction over the channels before it meets the image's, so that only
    the sum of the latter counts; here it is the inner product. 1,117,635 parameters, 8.23 GMAC for a 448x448 image.

    The weights of every block are averages over the whole input: a large frame that is developed in parts needs
    them from all of it.

    Args:
        width: Channels at the two larger sizes; twice as many at the smallest.
        expansion: Channels within a block.
        bases: Learned matrices and vectors that a block mixes.
    """

    raw_input = RawInput(multiple=8, scale=2)

    def __init__(self, width: int = 32, expansion: int = 40, bases: int = 10) -> None:
        super().__init__()

        def block(channels: int) -> nn.Sequential:
            return nn.Sequential(
                ChannelCorrection(channels, expansion, bases), SpatialCorrection(channels, expansion, bases)
            )

        wide = 2 * width
        self.head = nn.Conv2d(self.raw_input.channels, width, 3, padding=1)
        self.down1 = nn.Sequential(block(width), halve(width, width))
        self.down2 = nn.Sequential(block(width), halve(width, width))
        self.down3 = nn.Sequential(block(width), halve(width, wide))
        self.middle = nn.Sequential(block(wide), block(wide))
        self.up3 = nn.Sequential(block(wide), double(wide, width))
        self.up2 = nn.Sequential(block(width), double(width, width))
        self.up1 = nn.Sequential(block(width), double(width, width))
        self.tail = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB (N, 3, 2h, 2w), not clamped; ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or h or w is no multiple of 8.
        """
        self.raw_input.check(raw)
        head = self.head(raw)
        down1 = self.down1(head)
        down2 = self.down2(down1)
        middle = self.middle(self.down3(down2))
        up3 = self.up3(middle) + down2
        up2 = self.up2(up3) + down1
        return self.tail(self.up1(up2) + head)


class ChannelCorrection(nn.Module):
    """Mixes channels by a matrix that the image's average chooses from learned ones."""

    def __init__(self, channels: int, expansion: int, bases: int) -> None:
        super().__init__()
        self.features = Features(channels)
        self.choice = Choice(channels, bases)
        self.bases = nn.Parameter(torch.randn(bases, expansion, expansion) / expansion**0.5)
        self.expand = nn.Conv2d(channels, expansion, 3, padding=1)
        self.reduce = nn.Conv2d(expansion, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return x + self.reduce(mix_channels(self.expand(features), self.bases, self.choice(features)))


class SpatialCorrection(nn.Module):
    """Weights positions by how much they point where a vector does that the image's average chooses."""

    def __init__(self, channels: int, expansion: int, bases: int) -> None:
        super().__init__()
        self.features = Features(channels)
        self.choice = Choice(channels, bases)
        self.bases = nn.Parameter(torch.randn(bases, expansion))
        self.expand = nn.Conv2d(channels, expansion, 3, padding=1)
        self.reduce = nn.Conv2d(expansion, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        direction = F.normalize(F.conv2d(self.choice(features), self.bases.T[:, :, None, None]), dim=1)
        expanded = self.expand(features)
        cosine = (direction * F.normalize(expanded, dim=1)).sum(1, keepdim=True)
        return x + self.reduce(expanded * cosine)


class Features(nn.Module):
    """Normalises each position over its channels, then a convolution and GELU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        normal = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return F.gelu(self.conv(normal))


class Choice(nn.Module):
    """Shares of the learned bases, of sum 1, from the average of the image's features: (N, bases, 1, 1).

    They are (N, bases, h, w) where the average is replaced by one about each position, as for frames larger than the
    patches of training.
    """

    def __init__(self, channels: int, bases: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.decide = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, bases, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.decide(self.pool(self.depthwise(features))).softmax(dim=1)


def mix_channels(x: Tensor, bases: Tensor, shares: Tensor) -> Tensor:
    """Multiplies the channels at each position by a mixture of matrices.

    Args:
        x: (N, E, h, w).
        bases: (B, E, E), from the second to the third axis.
        shares: Of each matrix: (N, B, 1, 1) for the whole image, or (N, B, h, w).

    Returns:
        (N, E, h, w).
    """
    if shares.shape[-2:] == (1, 1):
        return torch.einsum('nb,bio,nihw->nohw', shares[..., 0, 0], bases, x)
    each = F.conv2d(x, rearrange(bases, 'b i o -> (b o) i 1 1'))
    return torch.einsum('nbhw,nbohw->nohw', shares, rearrange(each, 'n (b o) h w -> n b o h w', b=len(bases)))


def halve(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)


def double(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
