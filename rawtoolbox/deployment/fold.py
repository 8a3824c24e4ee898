"""Neighbouring linear maps of a network folded into one convolution, for inference: exact, not an approximation."""

from __future__ import annotations

import copy
from functools import singledispatch

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rawtoolbox.backbones.liteispnet import LiteISPNet
from rawtoolbox.backbones.metaisp import MetaISP
from rawtoolbox.backbones.mwispnet import MWISPNet
from rawtoolbox.backbones.syenet import SYENet
from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.dwt import haar_iwt


@singledispatch
def fold_network(network: nn.Module) -> nn.Module:
    """A copy of a backbone that gives the same image with fewer steps.

    LiteISPNet and MW-ISPNet lose their wavelet transforms, LiteISPNet and MetaISP the wide features of their tails,
    and SYENet all branches that it was trained with; any other network is copied as it is. A network of one's own
    joins by ``@fold_network.register``.

    Args:
        network: The backbone, which is left alone.

    Returns:
        A module called in the same way, in evaluation mode and without gradients.
    """
    return freeze(copy.deepcopy(network))


@fold_network.register
def _(network: LiteISPNet) -> nn.Module:
    return freeze(FoldedLiteISPNet(copy.deepcopy(network)))


@fold_network.register
def _(network: MWISPNet) -> nn.Module:
    return freeze(FoldedMWISPNet(copy.deepcopy(network)))


@fold_network.register
def _(network: MetaISP) -> nn.Module:
    network = copy.deepcopy(network)
    network.tail = FoldedTail(network.tail)
    return freeze(network)


@fold_network.register
def _(network: SYENet) -> nn.Module:
    return freeze(network.deploy())


def fold_dwt(conv: nn.Conv2d) -> nn.Conv2d:
    """A Haar transform and the convolution upon its bands as one strided convolution upon the image.

    The transform is a 2x2 convolution of stride 2, so a 3x3 convolution of 4C bands is one of 6x6 and stride 2
    of C channels, with as many multiplications. Its kernel is the inverse transform of the original one: the
    transform is its own transpose but for where the pixels go.

    Args:
        conv: Convolution of interleaved bands: stride 1, zero padding that keeps the size, one group.

    Returns:
        ``conv(haar_dwt(x))`` as a function of x.

    Raises:
        ValueError: The convolution is of another kind.
    """
    _check_foldable(conv)
    return _conv_of(haar_iwt(conv.weight), conv.bias, stride=2, padding=2 * conv.padding[0])


def fold_iwt(conv: nn.Conv2d) -> nn.Sequential:
    """A convolution and the inverse Haar transform of its output as a convolution and a pixel shuffle.

    Args:
        conv: As for :func:`fold_dwt`; its output channels are interleaved bands.

    Returns:
        ``haar_iwt(conv(x))`` as a function of x.

    Raises:
        ValueError: The convolution is of another kind, or its output is not of four bands a channel.
    """
    _check_foldable(conv)
    kernel = rearrange(conv.weight, 'b i h w -> (i h w) b 1 1')
    kernel = rearrange(
        haar_iwt(kernel), '(i h w) c y x -> (c y x) i h w', i=conv.in_channels, h=conv.kernel_size[0]
    )
    bias = None if conv.bias is None else haar_iwt(conv.bias[None, :, None, None]).flatten()
    return nn.Sequential(_conv_of(kernel, bias, padding=conv.padding[0]), nn.PixelShuffle(2))


def split_input(conv: nn.Conv2d, channels: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A convolution of joined inputs as the sum of two: of the first ``channels``, and of the rest with the bias."""
    first, rest = conv.weight[:, :channels], conv.weight[:, channels:]
    return _conv_of(first, None, padding=conv.padding[0]), _conv_of(rest, conv.bias, padding=conv.padding[0])


class FoldedTail(nn.Module):
    """A 3x3 convolution, a pixel shuffle by 2 and another 3x3 convolution as one of 5x5 and the shuffle.

    Nothing non-linear stands between them, and the image has few channels: an eighth of the multiplications, and
    the wide features at full size are never made. Only along the border do they differ from one convolution, since
    the second one pads the features with zeros; there, a strip of the original gives the outermost pixels.

    Args:
        tail: ``Sequential(Conv2d(C, 4D), PixelShuffle(2), Conv2d(D, E))``.
    """

    def __init__(self, tail: nn.Sequential) -> None:
        super().__init__()
        self.border = tail
        self.inside = _conv_of(*impulse_response(tail, tail[0].in_channels, reach=2), padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (N, C, h, w), h and w at least 2, to the image (N, E, 2h, 2w)."""
        image = F.pixel_shuffle(self.inside(x), 2)[..., 1:-1]
        left, right = self.border(x[..., :2])[..., :1], self.border(x[..., -2:])[..., -1:]
        image = torch.cat([left, image, right], -1)[..., 1:-1, :]
        top, bottom = self.border(x[..., :2, :])[..., :1, :], self.border(x[..., -2:, :])[..., -1:, :]
        return torch.cat([top, image, bottom], -2)


def impulse_response(module: nn.Module, channels: int, reach: int) -> tuple[Tensor, Tensor]:
    """The convolution that equals an affine module that doubles the size, away from the border.

    Args:
        module: From (N, ``channels``, h, w) to (N, C, 2h, 2w), the same everywhere inside.
        channels: Channels of its input.
        reach: How many pixels of the input around its own an output pixel depends on.

    Returns:
        Kernel, (4C, ``channels``, 2 reach + 1, 2 reach + 1), and bias (4C,) of a convolution before a pixel shuffle.
    """
    side, centre = 4 * reach + 1, slice(reach, 3 * reach + 1)
    example = next(module.parameters())
    with torch.no_grad():
        probe = copy.deepcopy(module).double()
        nothing = torch.zeros(1, channels, side, side, dtype=torch.float64, device=example.device)
        impulses = nothing.repeat(channels, 1, 1, 1)
        impulses[range(channels), range(channels), 2 * reach, 2 * reach] = 1
        silence = F.pixel_unshuffle(probe(nothing), 2)
        response = F.pixel_unshuffle(probe(impulses), 2) - silence
        kernel = rearrange(response[..., centre, centre].flip(-2, -1), 'i o h w -> o i h w')
        return kernel.to(example.dtype), silence[0, :, 2 * reach, 2 * reach].to(example.dtype)


class FoldedLiteISPNet(nn.Module):
    """LiteISPNet without wavelets: its stages exchange features, never bands, and its tail is one convolution.

    Where the original adds bands before an inverse transform, the features themselves are added after it. The
    coordinates' share in the first stage is a convolution of its own, ``place``, whose result can be kept.

    Args:
        network: The network, whose parts are taken over.
    """

    def __init__(self, network: LiteISPNet) -> None:
        super().__init__()
        self.raw_input, self.gamma, self.coord = network.raw_input, network.gamma, network.coord
        self.head, self.coord_predictor = network.head, network.coord_predictor
        if network.coord:
            self.join, self.place = split_input(network.down1[0], network.head.out_channels)
        self.down1 = network.down1[1:] if network.coord else network.down1
        self.down2 = fold_first(network.down2)
        self.down3 = fold_first(network.down3)
        self.middle = fold_last(fold_first(network.middle))
        self.up3, self.up2, self.up1 = fold_last(network.up3), fold_last(network.up2), network.up1
        self.tail = FoldedTail(network.tail)

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Develops a batch, as :meth:`LiteISPNet.forward` does."""
        self.raw_input.check(raw)
        head = self.head(raw if self.gamma is None else raw.clamp(min=0) ** (1 / self.gamma))
        down1 = self.down1(self.join_coord(head, raw, coord))
        down2 = self.down2(down1)
        down3 = self.down3(down2)
        middle = self.middle(down3) + down3
        up3 = self.up3(middle) + down2
        up2 = self.up2(up3) + down1
        return self.tail(self.up1(up2) + head)

    def join_coord(self, features: Tensor, raw: Tensor, coord: Tensor | None) -> Tensor:
        """The first convolution of the features joined by the coordinates, if they are used."""
        if not self.coord:
            return features
        if coord is None:
            raise ValueError('LiteISPNet: coordinates are missing: pass coord (N, 2, h, w).')
        check_shape(coord, f'{raw.shape[0]} 2 {raw.shape[2]} {raw.shape[3]}', 'coord')
        if self.coord_predictor is not None:
            coord = coord + (0.1 * self.coord_predictor(raw)).clamp(-1, 1)[..., None, None]
        return self.join(features) + self.place(coord)


class FoldedMWISPNet(nn.Module):
    """MW-ISPNet with all wavelet transforms folded but for two, which follow an activation.

    Args:
        network: The network, whose parts are taken over.
    """

    def __init__(self, network: MWISPNet) -> None:
        super().__init__()
        self.raw_input = network.raw_input
        self.down1, self.down2, self.down3 = map(fold_first, (network.down1, network.down2, network.down3))
        self.middle, self.up2, self.up1 = network.middle, network.up2, fold_last(network.up1)
        self.tail = network.tail

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Develops a batch, as :meth:`MWISPNet.forward` does."""
        self.raw_input.check(raw)
        down1 = self.down1(raw)
        down2 = self.down2(down1)
        up2 = haar_iwt(self.middle(self.down3(down2))) + down2
        up1 = haar_iwt(self.up2(up2)) + down1
        return self.tail(self.up1(up1) + raw)


def fold_first(stage: nn.Sequential) -> nn.Sequential:
    """A stage that follows a Haar transform, with the transform in its first convolution."""
    return nn.Sequential(fold_dwt(stage[0]), *stage[1:])


def fold_last(stage: nn.Sequential) -> nn.Sequential:
    """A stage before an inverse Haar transform, with the transform in its last convolution."""
    return nn.Sequential(*stage[:-1], *fold_iwt(stage[-1]))


def freeze(network: nn.Module) -> nn.Module:
    """The network itself, in evaluation mode and without gradients."""
    return network.eval().requires_grad_(False)


def _check_foldable(conv: nn.Conv2d) -> None:
    size = conv.kernel_size[0]
    plain = (conv.stride, conv.dilation, conv.groups, conv.padding_mode) == ((1, 1), (1, 1), 1, 'zeros')
    if (
        not plain
        or conv.kernel_size != (size, size)
        or conv.padding != (size // 2, size // 2)
        or size % 2 == 0
    ):
        raise ValueError(
            f'{conv} cannot be folded: expected a square, odd kernel, stride 1, one group and zeros around it '
            'that keep the size.'
        )


def _conv_of(weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """A convolution with these values, on their device and of their type."""
    out_channels, in_channels, *size = weight.shape
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        size,
        stride,
        padding,
        bias=bias is not None,
        device='meta',
        dtype=weight.dtype,
    )
    conv.weight = nn.Parameter(weight.detach().clone())
    conv.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    return conv
