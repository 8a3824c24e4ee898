"""Residual channel-attention blocks and groups, shared by LiteISPNet and MW-ISPNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.layers.checkpointing import run


class ChannelAttention(nn.Module):
    """Weighs each channel by a number that depends on the averages of all of them.

    Zhang et al., *Image Super-Resolution Using Very Deep Residual Channel Attention Networks*, ECCV 2018,
    section 3.3.

    Args:
        channels: Number of channels.
        reduction: By what the hidden layer is narrower.
        smallest: Least width of the hidden layer; narrow networks would be left with a single unit, which a
            ReLU may switch off for good.
    """

    def __init__(self, channels: int, reduction: int = 16, smallest: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, smallest)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        average = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(average))))


class RCAB(nn.Module):
    """Residual channel-attention block: ``x + attention(conv(relu(conv(x))))``.

    Args:
        channels: Number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.attention = ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.body(x))


class ResidualGroup(nn.Module):
    """Residual group: ``x + conv(rcab(... rcab(x)))``.

    Attributes:
        checkpointing: Whether all but the input is computed again in the backward pass; see ``set_checkpointing``.

    Args:
        channels: Number of channels.
        n_rcab: Number of residual channel-attention blocks.
    """

    def __init__(self, channels: int, n_rcab: int) -> None:
        super().__init__()
        self.checkpointing = False
        blocks = [RCAB(channels) for _ in range(n_rcab)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + run(self.body, x, self.checkpointing)
