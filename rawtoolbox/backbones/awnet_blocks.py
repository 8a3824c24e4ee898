"""Blocks of AWNet that its raw and its demosaicked network share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.dwt import haar_dwt, haar_iwt


def conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)


def wavelet(x: Tensor) -> Tensor:
    """Haar bands of (N, C, H, W), one after the other: mean, right-left, bottom-top, diagonal; (N, 4C, H/2, W/2)."""
    return _turn(haar_dwt(x, 'band-major'))


def inverse_wavelet(bands: Tensor) -> Tensor:
    """The inverse of :func:`wavelet`: (N, 4C, H, W) to (N, C, 2H, 2W)."""
    return haar_iwt(_turn(bands), 'band-major')


def _turn(bands: Tensor) -> Tensor:
    """Exchanges the two difference bands and their signs: from ours to AWNet's, or back."""
    mean, first, second, diagonal = bands.chunk(4, 1)
    return torch.cat([mean, -second, -first, diagonal], 1)


class DenseLayer(nn.Module):
    """Convolution, ReLU and only then batch normalisation; stacked onto its input."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.conv = conv(in_channels, growth)
        self.norm = nn.BatchNorm2d(growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.norm(F.relu(self.conv(x)))], 1)


class GlobalContext(nn.Module):
    """Adds one vector everywhere, made from the attention-weighted mean (GCNet, Cao et al., ICCVW 2019)."""

    def __init__(self, width: int, ratio: int = 4) -> None:
        super().__init__()
        hidden = width // ratio
        self.attention = nn.Conv2d(width, 1, 1)
        self.transform = nn.Sequential(
            nn.Conv2d(width, hidden, 1), nn.LayerNorm([hidden, 1, 1]), nn.PReLU(), nn.Conv2d(hidden, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention(x).flatten(2).softmax(-1)
        context = x.flatten(2) @ weights.mT
        return x + self.transform(context[..., None])


class GCRDB(nn.Module):
    """Residual dense block with a global context."""

    def __init__(self, width: int, layers: int = 6, growth: int = 16) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseLayer(width + i * growth, growth) for i in range(layers)))
        self.reduce = nn.Conv2d(width + layers * growth, width, 1)
        self.context = GlobalContext(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.context(self.reduce(self.dense(x)))


class SqueezeExcite(nn.Module):
    """Channel attention upon a 1x1 convolution of the input."""

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = width // reduction
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1),
            nn.Sigmoid(),
        )
        self.value = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * self.gate(x)


class Down(nn.Module):
    """Halves the size and doubles the channels: strided convolutions beside the wavelet's mean band."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(width, width, stride=2), nn.PReLU(), conv(width, width), nn.PReLU())
        self.mean = nn.Conv2d(width, width, 1)
        # Never called, here as in the official code: released weights and published counts contain it.
        self.conv_down = conv(width, width, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features at half the size, and all four bands for the way up."""
        bands = wavelet(x)
        mean = bands[:, : x.shape[1]]
        return torch.cat([self.stem(x), self.mean(mean)], 1), bands


class PyramidPooling(nn.Module):
    """Means over grids of 1, 2, 3 and 6 cells a side beside the features (PSPNet, Zhao et al., CVPR 2017)."""

    def __init__(self, width: int, sizes: tuple[int, ...] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), nn.Conv2d(width, width, 1, bias=False))
            for size in sizes
        )
        self.merge = nn.Conv2d(width * (len(sizes) + 1), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [F.interpolate(stage(x), size=x.shape[-2:], mode='bilinear') for stage in self.stages]
        return F.relu(self.merge(torch.cat([*pooled, x], 1)))
