"""SYENet: a phone-sized network that is trained wide and run narrow."""

from __future__ import annotations

import copy
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.registry import BACKBONES

QUADRATIC_GAIN = 0.1
COLOURS = 12  # of the four pixels that a position of the packed raw becomes


@BACKBONES.register_module()
class SYENet(nn.Module):
    """Packed raw in, sRGB of twice its height and width out.

    Gou et al., *SYENet: A Simple Yet Effective Network for Multiple Low-Level Vision Tasks with Real-time Performance
    on Mobile Device*, ICCV 2023 (sanechips-multimedia/syenet, model/isp.py). Branches of different receptive fields
    are multiplied, and each convolution is trained as many (``BranchedConv``): 101,799 parameters in training, 5,640
    after :meth:`deploy`. The published code's second head for its warm-up, which is not part of the result, is left
    out. Batch normalisation after the global average needs batches of two or more in training.

    Channel attention averages over the whole input: a large frame that is developed in parts needs the average of
    all of it.

    Args:
        width: Channels.
        branch_scale: Channels of a branch in training, times those of its convolution.
    """

    raw_input = RawInput(scale=2)

    def __init__(self, width: int = 12, branch_scale: int = 4) -> None:
        super().__init__()

        def conv(in_channels: int, out_channels: int, size: int) -> BranchedConv:
            return BranchedConv(in_channels, out_channels, size, branch_scale)

        packed = self.raw_input.channels
        fine = nn.Sequential(conv(packed, width, 5), nn.PReLU(width), conv(width, width, 3))
        self.head = Product(fine, conv(packed, width, 5), width)
        self.body = Product(conv(width, COLOURS, 3), conv(width, COLOURS, 1), COLOURS)
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            conv(COLOURS, COLOURS, 1),
            nn.PReLU(COLOURS),
            conv(COLOURS, COLOURS, 1),
            nn.Sigmoid(),
        )
        self.tail = nn.Sequential(nn.PixelShuffle(2), conv(3, 3, 3))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB (N, 3, 2h, 2w), not clamped; ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape.
        """
        self.raw_input.check(raw)
        colours = self.body(self.head(raw))
        return self.tail(self.attention(colours) * colours)

    def deploy(self) -> SYENet:
        """A copy in evaluation mode that gives the same image, each of its convolutions a single one."""
        network = copy.deepcopy(self).eval()
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, BranchedConv):
                    setattr(module, name, child.merge())
        return network


class Product(nn.Module):
    """The product of two branches and a learned offset: the paper's quadratic connection unit."""

    def __init__(self, first: nn.Module, second: nn.Module, channels: int) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.offset = nn.Parameter(torch.randn(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return QUADRATIC_GAIN * self.first(x) * self.second(x) + self.offset


class BranchedConv(nn.Module):
    """A convolution trained as several of other shapes, with and without batch normalisation, and one that mixes them.

    All is linear but for the statistics of a batch in training; :meth:`merge` makes one convolution of it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        size: Side of the kernel, 1, 3 or 5.
        scale: Channels of a branch, times ``out_channels``.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, scale: int) -> None:
        super().__init__()
        shapes = {1: [(1, 1)], 3: [(3, 3), (1, 1), (3, 1), (1, 3)]}
        shapes[5] = [(5, 5), (1, 1), (3, 3), (3, 1), (1, 3)]
        self.size, wide = size, scale * out_channels
        self.branches = nn.ModuleList(
            branch(in_channels, wide, shape, normal) for normal, shape in product((False, True), shapes[size])
        )
        self.mix = nn.Conv2d(len(self.branches) * wide, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(torch.cat([each(x) for each in self.branches], 1))

    def merge(self) -> nn.Conv2d:
        """The one convolution that this is in evaluation mode, computed in float64."""
        parts = [kernel_and_bias(each, self.size) for each in self.branches]
        mix = self.mix.weight.detach().double()[:, :, 0, 0]
        kernel = torch.einsum('om,mihw->oihw', mix, torch.cat([weight for weight, _ in parts]))
        bias = mix @ torch.cat([bias for _, bias in parts]) + self.mix.bias.detach()
        merged = nn.Conv2d(kernel.shape[1], kernel.shape[0], self.size, padding=self.size // 2)
        merged = merged.to(self.mix.weight)
        merged.weight.data.copy_(kernel)
        merged.bias.data.copy_(bias)
        return merged


def branch(in_channels: int, out_channels: int, shape: tuple[int, int], normal: bool) -> nn.Sequential:
    """A convolution that keeps the size, and batch normalisation if wanted."""
    conv = nn.Conv2d(in_channels, out_channels, shape, padding=(shape[0] // 2, shape[1] // 2))
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels)) if normal else nn.Sequential(conv)


def kernel_and_bias(layers: nn.Sequential, size: int) -> tuple[Tensor, Tensor]:
    """A branch as one convolution of a square kernel, in float64: (O, I, size, size) and (O,)."""
    conv = layers[0]
    weight, bias = conv.weight.detach().double(), conv.bias.detach().double()
    y, x = ((size - side) // 2 for side in conv.kernel_size)
    weight = F.pad(weight, (x, x, y, y))
    if len(layers) == 1:
        return weight, bias
    norm = layers[1]
    gain = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return weight * gain[:, None, None, None], (bias - norm.running_mean) * gain + norm.bias.detach()
