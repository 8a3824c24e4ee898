"""LiteISPNet: the light wavelet U-Net of the joint learning paper."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.layers.rcab import ResidualGroup
from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.dwt import haar_dwt, haar_iwt
from rawtoolbox.registry import BACKBONES


@BACKBONES.register_module()
class LiteISPNet(nn.Module):
    """Packed raw in, sRGB of twice its height and width out.

    Zhang et al., *Learning RAW-to-sRGB Mappings with Inaccurately Aligned Supervision*, ICCV 2021, figure 2(c)
    and table B. The three forms that are around:

    =============================  ==================================================  ==========
    form                           arguments                                           parameters
    =============================  ==================================================  ==========
    official release, its weights  (defaults): gamma, coordinates of the patch          9,047,815
    paper's table 1, 11.9 M        ``gamma=None, coord_predictor=True``                11,930,633
    table B as printed             ``gamma=None, coord=False``                          8,949,315
    =============================  ==================================================  ==========

    The numbers are the official ones, which count 8,192 constants, the wavelet's taps; the parameters here are
    fewer by those. Facts that the paper does not print are from the official repository
    (cszhilu1998/RAW-to-sRGB, models/zrrjoint_model.py): two coordinate channels are joined to the head's
    features; no activation between stages; the output is not clamped.

    Args:
        width: Channels at full size; the inner stages have twice as many.
        n_rcab: Blocks in a residual group (table 5: 2, 4, 8 or 20).
        gamma: The raw is raised to ``1 / gamma`` first, as in the release; None leaves it linear, as in the paper.
        coord: Whether coordinates are joined to the features.
        coord_predictor: Whether the patch's place in its frame is predicted from the raw and added to the
            coordinates, which then describe the patch about its own centre, in units of the frame.

    Raises:
        ValueError: A predictor of coordinates that are not used.
    """

    raw_input = RawInput(multiple=8, scale=2)

    def __init__(
        self,
        width: int = 64,
        n_rcab: int = 4,
        gamma: float | None = 2.2,
        coord: bool = True,
        coord_predictor: bool = False,
    ) -> None:
        super().__init__()
        if coord_predictor and not coord:
            raise ValueError(
                'LiteISPNet: coord_predictor=True needs coord=True: it corrects the coordinates.'
            )
        self.gamma, self.coord = gamma, coord
        wide = 2 * width
        self.head = conv(self.raw_input.channels, width)
        self.coord_predictor = CoordPredictor() if coord_predictor else None
        self.down1 = coord_stage(width, n_rcab) if coord else ResidualGroup(width, n_rcab)
        self.down2 = nn.Sequential(conv(4 * width, width), ResidualGroup(width, n_rcab))
        self.down3 = nn.Sequential(conv(4 * width, wide), ResidualGroup(wide, n_rcab))
        self.middle = nn.Sequential(
            conv(4 * wide, wide),
            ResidualGroup(wide, n_rcab),
            ResidualGroup(wide, n_rcab),
            conv(wide, 4 * wide),
        )
        self.up3 = nn.Sequential(ResidualGroup(wide, n_rcab), conv(wide, 4 * width))
        self.up2 = nn.Sequential(ResidualGroup(width, n_rcab), conv(width, 4 * width))
        self.up1 = nn.Sequential(ResidualGroup(width, n_rcab), conv(width, width))
        self.tail = nn.Sequential(conv(width, 4 * width), nn.PixelShuffle(2), conv(width, 3))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Develops a batch of raw patches.

        Args:
            raw: Packed raw in the order of ``raw_input``, black level subtracted, white = 1, (N, 4, h, w).
            coord: Coordinates, x then y, in [-1, 1], (N, 2, h, w); not needed with ``coord=False``.

        Returns:
            sRGB, not clamped, (N, 3, 2h, 2w).

        Raises:
            ValueError: h or w is no multiple of 8, or the coordinates are missing or of another size.
        """
        self.raw_input.check(raw)
        head = self.head(raw if self.gamma is None else raw.clamp(min=0) ** (1 / self.gamma))
        down1 = haar_dwt(self.down1(self.join_coord(head, raw, coord)))
        down2 = haar_dwt(self.down2(down1))
        down3 = haar_dwt(self.down3(down2))
        middle = self.middle(down3) + down3
        up3 = self.up3(haar_iwt(middle)) + down2
        up2 = self.up2(haar_iwt(up3)) + down1
        up1 = self.up1(haar_iwt(up2)) + head
        return self.tail(up1)

    def join_coord(self, features: Tensor, raw: Tensor, coord: Tensor | None) -> Tensor:
        """Features with two channels of coordinates behind them, (N, width + 2, h, w), if they are used."""
        if not self.coord:
            return features
        if coord is None:
            raise ValueError(
                'LiteISPNet: coordinates are missing: pass coord (N, 2, h, w), or build with coord=False.'
            )
        check_shape(coord, f'{raw.shape[0]} 2 {raw.shape[2]} {raw.shape[3]}', 'coord')
        if self.coord_predictor is not None:
            coord = coord + (0.1 * self.coord_predictor(raw)).clamp(-1, 1)[..., None, None]
        return torch.cat([features, coord.to(features.dtype)], 1)


class CoordPredictor(nn.Module):
    """Guesses from the raw, by its vignetting, where in the frame a patch lies.

    ``PreCoord`` of the official repository, which loads it from ckpt/coord.pth; 2,882,818 parameters.
    """

    size = 224

    def __init__(self) -> None:
        super().__init__()
        pairs = pairwise((4, 64, 64, 64, 64))
        self.down = nn.Sequential(*(nn.Sequential(nn.Conv2d(a, b, 3, stride=2), nn.ReLU()) for a, b in pairs))
        self.fc = nn.Sequential(nn.Linear(64 * 13 * 13, 256), nn.ReLU(), nn.Linear(256, 2))

    def forward(self, raw: Tensor) -> Tensor:
        """Ten times the patch centre's coordinates in [-1, 1], x then y, (N, 2), from linear packed raw."""
        raw = F.interpolate(raw, (self.size, self.size), mode='bilinear', align_corners=True)
        return self.fc(self.down(raw).flatten(1))


def coord_stage(width: int, n_rcab: int) -> nn.Sequential:
    """The first stage when coordinates are joined: it works on them too, and drops two channels at its end."""
    return nn.Sequential(conv(width + 2, width + 2), ResidualGroup(width + 2, n_rcab), conv(width + 2, width))


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)
