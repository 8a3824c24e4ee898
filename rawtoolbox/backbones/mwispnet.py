"""MW-ISPNet: a multi-level wavelet U-Net of channel-attention groups."""

from __future__ import annotations

from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.layers.rcab import ResidualGroup
from rawtoolbox.ops.dwt import haar_dwt, haar_iwt
from rawtoolbox.registry import BACKBONES


@BACKBONES.register_module()
class MWISPNet(nn.Module):
    """MW-ISPNet of the AIM 2020 challenge (Ignatov et al., ECCVW 2020), 29.2 M parameters.

    The published 29,219,345 count 96 constants, the taps of the wavelets; the parameters here are fewer by
    those. The network itself transforms the raw and adds its bands to the last features, so that what it learns
    starts from the raw. Facts from cszhilu1998/MW-ISPNet, ``Code_Track1_Fidelity/mwcnn_model.py`` (class
    MWRCAN): PReLUs have one slope each; no gamma; the output is not clipped.

    Args:
        width: Channels at half the packed size; the inner stages have twice as many.
        n_rcab: Blocks in a residual group.
    """

    raw_input = RawInput(multiple=8, scale=2)

    def __init__(self, width: int = 64, n_rcab: int = 20) -> None:
        super().__init__()
        wide = 2 * width
        self.down1 = nn.Sequential(*conv_act(4 * 4, width), ResidualGroup(width, n_rcab))
        self.down2 = nn.Sequential(*conv_act(4 * width, wide), ResidualGroup(wide, n_rcab))
        self.down3 = nn.Sequential(*conv_act(4 * wide, wide))
        self.middle = nn.Sequential(
            ResidualGroup(wide, n_rcab), ResidualGroup(wide, n_rcab), *conv_act(wide, 4 * wide)
        )
        self.up2 = nn.Sequential(ResidualGroup(wide, n_rcab), *conv_act(wide, 4 * width))
        self.up1 = nn.Sequential(ResidualGroup(width, n_rcab), conv(width, 4 * 4))
        self.tail = nn.Sequential(conv(4, 3 * 4), nn.PixelShuffle(2))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps packed raw (N, 4, h, w) to sRGB (N, 3, 2h, 2w); ``coord`` is not used.

        Raises:
            ValueError: ``raw`` has another shape, or a size that is no multiple of 8.
        """
        self.raw_input.check(raw)
        bands = haar_dwt(raw)
        down1 = self.down1(bands)
        down2 = self.down2(haar_dwt(down1))
        down3 = self.down3(haar_dwt(down2))
        up2 = haar_iwt(self.middle(down3)) + down2
        up1 = haar_iwt(self.up2(up2)) + down1
        return self.tail(haar_iwt(self.up1(up1) + bands))


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def conv_act(in_channels: int, out_channels: int) -> tuple[nn.Module, nn.Module]:
    return conv(in_channels, out_channels), nn.PReLU()
