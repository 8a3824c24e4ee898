"""Initialisation that several networks share."""

from __future__ import annotations

from torch import nn


def scaled_kaiming_(module: nn.Module, scale: float = 0.1) -> None:
    """Draws every convolution from Kaiming's normal distribution, times ``scale``; biases start at zero.

    With ``scale`` 0.1 a deep stack of residual blocks starts near the identity (ESRGAN, Wang et al., ECCVW 2018,
    section 3.1).

    Args:
        module: Changed in place, its submodules included.
        scale: Factor on the weights.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
            part.weight.data.mul_(scale)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
