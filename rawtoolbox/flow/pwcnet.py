"""PWC-Net: optical flow by a pyramid, warping and a cost volume."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.cost_volume import correlation
from rawtoolbox.ops.warp import resize_flow, warp_with_mask
from rawtoolbox.registry import FLOW_ESTIMATORS
from rawtoolbox.weights.official import PWCNET, load_weights_file

SIMULATED = Path(__file__).resolve().parents[1] / 'weights' / 'pwcnet_simulated.safetensors'
UNIT = 20  # the network's flows are in units of 20 pixels of its input
STRIDE = 64
VOLUME = 81  # displacements of up to 4 along each axis
PYRAMID = (16, 32, 64, 96, 128, 196)
DENSE = (128, 128, 96, 64, 32)
VOLUME_GAIN = 12.0  # at initialisation: likeness differs by less than features; of 1, 4, 12, 24, 40 the best


@FLOW_ESTIMATORS.register_module()
class PWCNet(nn.Module):
    """PWC-Net with dense decoders and a refining network, in plain torch: no CUDA kernel, any device.

    Sun et al., *PWC-Net: CNNs for Optical Flow Using Pyramid, Warping, and Cost Volume*, CVPR 2018; equal to
    sniklaus/pytorch-pwc, and to the copy of it in cszhilu1998/RAW-to-sRGB, whose weights it takes. 9,374,274
    parameters.

    Args:
        weights: ``'pretrained'``: one of the two official files, as it is or converted, in the working folder or
            one that ``$RAWTOOLBOX_WEIGHTS`` names. ``'simulated'``: this project's own, which come with it, trained
            by ``configs/flow_pwcnet_pairs.py``. Or the path of a file; or None for an untrained network.
        channel_order: Order in which the network sees the channels of its RGB input: ``'RGB'`` as in the
            official joint training, or ``'BGR'`` as sniklaus/pytorch-pwc feeds the same weights.

    Raises:
        FileNotFoundError: The weights are nowhere to be found; the message says where to get them.
        ValueError: The file holds something else.
    """

    unit = UNIT

    def __init__(
        self,
        weights: str | Path | None = 'pretrained',
        channel_order: Literal['RGB', 'BGR'] = 'RGB',
    ) -> None:
        super().__init__()
        if channel_order not in ('RGB', 'BGR'):
            raise ValueError(f"PWCNet: channel_order is 'RGB' or 'BGR', found {channel_order!r}.")
        self.channel_order = channel_order
        self.extractor = Extractor()
        self.decoders = nn.ModuleList([Decoder(level) for level in (6, 5, 4, 3, 2)])
        self.refiner = refiner(self.decoders[-1].out_channels)
        if weights is None:
            initialise_(self)
        else:
            load_weights_file(self, SIMULATED if weights == 'simulated' else weights, PWCNET)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimates where each position of the first image is found in the second.

        Args:
            first: RGB images, (N, 3, H, W) in [0, 1], of any size.
            second: RGB images of the same size.

        Returns:
            Flow in pixels, x then y, (N, 2, H, W).

        Raises:
            ValueError: The shapes do not fit.
        """
        sizes = check_shape(first, 'N 3 H W', 'first')
        check_shape(second, f'{sizes["N"]} 3 {sizes["H"]} {sizes["W"]}', 'second')
        size = (sizes['H'], sizes['W'])
        inner = tuple(math.ceil(side / STRIDE) * STRIDE for side in size)
        first, second = (F.interpolate(image, inner, mode='bilinear') for image in (first, second))
        return resize_flow(self.pyramid_flows(first, second)[-1] * (UNIT / 4), size)

    def pyramid_flows(self, first: Tensor, second: Tensor) -> list[Tensor]:
        """The flows of all levels, coarse to fine, in units of 20 pixels of the input.

        Args:
            first: RGB images, (N, 3, H, W) in [0, 1], H and W multiples of 64.
            second: RGB images of the same shape.

        Returns:
            Levels 6 to 2, of which level l is (N, 2, H / 2^l, W / 2^l), and last, level 2 refined.
        """
        if self.channel_order == 'BGR':
            first, second = first.flip(1), second.flip(1)
        return self.flows_between(self.extractor(first), self.extractor(second))

    def flows_between(self, first_pyramid: list[Tensor], second_pyramid: list[Tensor]) -> list[Tensor]:
        """The flows of all levels from the features of both images; see :meth:`pyramid_flows`."""
        flows, coarser = [], None
        for decoder in self.decoders:
            level = decoder.level - 1
            coarser = flow, features = decoder(first_pyramid[level], second_pyramid[level], coarser)
            flows.append(flow)
        return [*flows, flow + predict(self.refiner[-1], self.refiner[:-1](features))]


class Extractor(nn.Module):
    """Six levels of features, each half the size of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(conv(below, channels, stride=2), conv(channels, channels), conv(channels, channels))
            for below, channels in pairwise((3, *PYRAMID))
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        pyramid = []
        for level in self.levels:
            image = level(image)
            pyramid.append(image)
        return pyramid


class Decoder(nn.Module):
    """The flow of one level, from the coarser level's: upsample, warp, compare, decide.

    Args:
        level: From 6, the coarsest, to 2.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level
        channels = self._in_channels(level)
        if level < 6:
            self.upsample_flow = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
            self.upsample_features = nn.ConvTranspose2d(
                self._in_channels(level + 1) + sum(DENSE), 2, 4, stride=2, padding=1
            )
        self.layers = nn.ModuleList()
        for width in DENSE:
            self.layers.append(conv(channels, width))
            channels += width
        self.predict = nn.Conv2d(channels, 2, 3, padding=1)
        self.out_channels = channels

    @staticmethod
    def _in_channels(level: int) -> int:
        """The cost volume and, below the coarsest level, features, upsampled flow and upsampled features."""
        return VOLUME if level == 6 else VOLUME + PYRAMID[level - 1] + 2 + 2

    def forward(
        self, first: Tensor, second: Tensor, coarser: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Flow in units of 20 pixels of the network's input, and the features behind it."""
        if coarser is None:
            features = leaky(correlation(first, second))
        else:
            flow, upsampled = predict(self.upsample_flow, coarser[0]), self.upsample_features(coarser[1])
            warped, _ = warp_with_mask(second, flow * (UNIT / 2**self.level), scaling='official')
            features = torch.cat([leaky(correlation(first, warped)), first, flow, upsampled], 1)
        for layer in self.layers:
            features = torch.cat([layer(features), features], 1)
        return predict(self.predict, features), features


def refiner(in_channels: int) -> nn.Sequential:
    """The context network: dilated convolutions that see far around."""
    widths, dilations = (in_channels, 128, 128, 128, 96, 64, 32), (1, 2, 4, 8, 16, 1)
    layers = [conv(a, b, dilation=d) for (a, b), d in zip(pairwise(widths), dilations, strict=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 2, 3, padding=1))


def conv(in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=dilation, dilation=dilation)
    return nn.Sequential(layer, nn.LeakyReLU(0.1, inplace=True))


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


def predict(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer that gives flow, under autocast too in full precision: in bfloat16, 8 pixels are known to 1/32."""
    if x.is_meta or not torch.is_autocast_enabled(x.device.type):
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


def initialise_(network: PWCNet) -> None:
    """Draws weights, in place, from which training gets somewhere soon.

    He's initialisation for leaky rectifiers, without which little is left at the sixth level; decoders that see of
    the cost volume how it differs from place to place, not how much there is of it, and hand the coarser flow on;
    and flows enlarged bilinearly.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, 0.1)
            nn.init.zeros_(module.bias)
    for decoder in network.decoders:
        compare = decoder.layers[0][0].weight.data[:, :VOLUME]
        compare.sub_(compare.mean(1, keepdim=True)).mul_(VOLUME_GAIN)
        nn.init.normal_(decoder.predict.weight, std=1e-4)
        if decoder.level < 6:
            decoder.predict.weight.data[:, -4:-2, 1, 1] += torch.eye(2)  # the upsampled flow, as it is
            nn.init.zeros_(decoder.upsample_flow.bias)
            weights = torch.tensor([0.25, 0.75, 0.75, 0.25])
            kernel = torch.eye(2)[:, :, None, None] * torch.outer(weights, weights)
            decoder.upsample_flow.weight.data.copy_(kernel)
    nn.init.normal_(network.refiner[-1].weight, std=1e-4)
