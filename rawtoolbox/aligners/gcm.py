"""GCM: the global colour mapping that makes a raw comparable with its target."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import ALIGNERS
from rawtoolbox.weights import official


@ALIGNERS.register_module()
class GCM(nn.Module):
    """Gives a demosaicked raw the target's colours, every pixel for itself, so that none can move.

    Zhang et al., *Learning RAW-to-sRGB Mappings with Inaccurately Aligned Supervision*, ICCV 2021, section 3.2
    and table A: a stack of 1x1 convolutions (the SPN), whose features are scaled by a vector that the GuideNet
    draws from source, target and coordinates. 46,243 parameters, 42,979 without coordinates. Used in training,
    and for *Align GT with raw*, only.

    Facts that the paper does not print are from the official repository (cszhilu1998/RAW-to-sRGB,
    models/zrrjoint_model.py): the vector scales the features behind the SPN's first layer, by ``1 + guide``; the
    SPN's output is added to the source. The GuideNet's first layer has a ReLU in the code and none in table A;
    it is not padded in the code, whereas the 222 pixels of table A take a padding of 1.

    Args:
        width: Channels of the SPN; the GuideNet has half as many.
        guide: Whether there is a GuideNet (table 4: SPN against SPN + y).
        coord: Whether coordinates are used (table 4: + tau).
        guide_relu: Whether the GuideNet's first layer has a ReLU: True as released, False as in table A.
        guide_padding: Padding of that layer: 0 as released, 1 as in table A.
        weights: A file of trained weights, official (``GCMModel_model_80.pth``) or converted, looked for in the
            folders that ``$RAWTOOLBOX_WEIGHTS`` names, too; or None.
    """

    def __init__(
        self,
        width: int = 64,
        guide: bool = True,
        coord: bool = True,
        guide_relu: bool = True,
        guide_padding: int = 0,
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.coord = coord
        extra = 2 if coord else 0
        self.guide_net = guide_net(6 + extra, width, guide_relu, guide_padding) if guide else None
        self.head = pointwise(3 + extra, width)
        self.body = nn.Sequential(*(pointwise(width, width) for _ in range(3)))
        self.tail = nn.Conv2d(width, 3, 1)
        if weights is not None:
            official.load_weights_file(self, weights, official.GCM)

    def forward(self, source: Tensor, target: Tensor | None = None, coord: Tensor | None = None) -> Tensor:
        """Maps the source's colours.

        Args:
            source: Demosaicked raw, gamma-encoded, (N, 3, H, W) in [0, 1].
            target: sRGB image about the same scene, (N, 3, H, W) in [0, 1]; not needed without a GuideNet.
            coord: Coordinates, x then y, in [-1, 1], (N, 2, H, W); not needed with ``coord=False``.

        Returns:
            The source in the target's colours, not clamped, (N, 3, H, W).

        Raises:
            ValueError: An input is missing or of another shape.
        """
        sizes = check_shape(source, 'N 3 H W', 'source')
        place = [self._need(coord, 2, sizes, 'coord')] if self.coord else []
        features = self.head(torch.cat([source, *place], 1))
        if self.guide_net is not None:
            guide = self.guide_net(torch.cat([source, self._need(target, 3, sizes, 'target'), *place], 1))
            features = features * (1 + guide)
        return source + self.tail(self.body(features))

    @staticmethod
    def _need(image: Tensor | None, channels: int, sizes: dict[str, int], name: str) -> Tensor:
        if image is None:
            raise ValueError(f'GCM: {name} is missing: pass it, or build without (guide=False, coord=False).')
        check_shape(image, f'{sizes["N"]} {channels} {sizes["H"]} {sizes["W"]}', name)
        return image


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True))


def guide_net(in_channels: int, width: int, first_relu: bool, first_padding: int) -> nn.Sequential:
    """GuideNet: a large kernel and a global average, which a shift between the two images hardly changes."""
    half = width // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, half, 7, stride=2, padding=first_padding),
        nn.ReLU() if first_relu else nn.Identity(),
        nn.Conv2d(half, half, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(half, half, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(half, width, 1),
    )
