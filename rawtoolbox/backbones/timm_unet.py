"""TimmUNet: a U-Net over the features of any encoder of timm."""

from __future__ import annotations

import importlib
from itertools import pairwise
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES, suggest


@BACKBONES.register_module()
class TimmUNet(nn.Module):
    """Any convolutional or hierarchical encoder of timm, with a plain decoder up to twice the packed size.

    The input is padded to the encoder's stride by repeating its border, and the output cropped.

    Args:
        encoder: A model name of timm that gives features of several sizes, such as ``'resnet18'``.
        width: Channels of the decoder at the packed size, doubled at each coarser one up to eight times as many.
        pretrained: Whether timm loads (and downloads) ImageNet weights, its first layer adapted to four planes.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm knows no such model, or its features are all of one size.
    """

    raw_input = RawInput(multiple=1, scale=2)

    def __init__(self, encoder: str = 'resnet18', width: int = 32, pretrained: bool = False) -> None:
        super().__init__()
        self.encoder = create_encoder(encoder, pretrained)
        channels = self.encoder.feature_info.channels()
        self.stride = self.encoder.feature_info.reduction()[-1]
        widths = [width * min(2**level, 8) for level in range(len(channels))]
        self.stem = conv_act(4, width)
        self.decoder = nn.ModuleList(
            nn.Sequential(conv_act(below + skip, out), conv_act(out, out))
            for below, skip, out in zip(
                [*widths[1:], channels[-1]], [width, *channels[:-1]], widths, strict=True
            )
        )
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB, not clipped, (N, 3, 2h, 2w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape.
        """
        self.raw_input.check(raw)
        height, width = raw.shape[-2:]
        padded = F.pad(raw, (0, -width % self.stride, 0, -height % self.stride), mode='replicate')
        *skips, x = self.stem(padded), *self.encoder(padded)
        for block, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            x = F.interpolate(x, size=skip.shape[-2:], mode='bilinear')
            x = block(torch.cat([x, skip], 1))
        return self.tail(x)[..., : 2 * height, : 2 * width]


def create_encoder(name: str, pretrained: bool = False) -> nn.Module:
    """Builds timm's feature extractor for four input planes; errors as in :class:`TimmUNet`."""
    timm = import_timm()
    if not timm.is_model(name.partition('.')[0]):
        raise ValueError(f'encoder: timm knows no model {name!r}.{suggest(name, timm.list_models())}')
    encoder = timm.create_model(name, pretrained=pretrained, features_only=True, in_chans=4)
    reductions = encoder.feature_info.reduction()
    if any(finer >= coarser for finer, coarser in pairwise(reductions)):
        raise ValueError(
            f'encoder: the features of {name} are reduced by {reductions}: choose a model whose features shrink '
            "from one to the next, such as 'resnet18'."
        )
    return encoder


def import_timm() -> ModuleType:
    """Imports timm when it is needed, as few users need it and it is slow to import."""
    try:
        return importlib.import_module('timm')
    except ModuleNotFoundError as error:
        raise ImportError('TimmUNet needs timm: pip install timm') from error


def conv_act(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.LeakyReLU(0.2))
