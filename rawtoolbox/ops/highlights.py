"""Colours of which a sensor has measured a part only, because the rest was saturated."""

from __future__ import annotations

from torch import Tensor

NEAR, FULL = (
    0.9,
    0.98,
)  # of saturation: from where a channel is mistrusted, and from where wholly (noise lies below 1)
NONE_LEFT = 1e-3  # weight of the brightest channel where all are saturated


def recover_highlights(image: Tensor, saturation: Tensor) -> Tensor:
    """Lifts saturated channels to the mean of the measured ones, and makes neutral what is saturated wholly.

    A saturated channel has measured no more than a lower bound. Grey stays grey at every exposure: a saturated channel
    follows the others as long as one of them measures, and beyond that all take the brightest one's value. A channel
    is never lowered, so that a red lamp does not turn grey. Pixel by pixel.

    Args:
        image: (..., 3, H, W) white-balanced linear RGB, not negative.
        saturation: (3,) the values at which R, G and B saturate, on the same scale.

    Returns:
        (..., 3, H, W); values may exceed the least saturation.
    """
    limits = saturation.to(image)[:, None, None]
    clipped = ((image / limits - NEAR) / (FULL - NEAR)).clamp(0, 1)
    measured = 1 - clipped
    brightest = image.amax(-3, keepdim=True)
    total = (measured * image).sum(-3, keepdim=True) + NONE_LEFT * brightest
    estimate = total / (measured.sum(-3, keepdim=True) + NONE_LEFT)
    return image + clipped * (estimate - image).clamp(min=0)
