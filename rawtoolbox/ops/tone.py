"""Colours brought into a display's range: gamut and highlights, pixel by pixel and without turning hues."""

from __future__ import annotations

from torch import Tensor

THRESHOLD, FARTHEST = 0.9, 1.5  # of the distance from grey: what stays as it is, and what lands on the border
DESATURATION = 0.15  # of compressed highlights, as published
LEAST = 1e-6


def compress_gamut(image: Tensor) -> Tensor:
    """Moves colours beyond the gamut inside, towards grey; the largest channel stays, so hues hardly turn.

    The distance ``(max - c) / max`` of a channel is 1 on the border. It is kept up to 0.9 and compressed beyond, so
    that 1.5 becomes 1; what is farther lands on the border. After the reference gamut compression of the Academy Color
    Encoding System (ACES 1.3), with a Reinhard-like curve of slope 1 at its start.

    Args:
        image: (..., 3, H, W) linear RGB; below zero is out of gamut.
    """
    peak = image.amax(-3, keepdim=True).clamp(min=0)
    distance = (peak - image) / peak.clamp(min=LEAST)
    room, reach = 1 - THRESHOLD, FARTHEST - THRESHOLD
    beyond = (distance - THRESHOLD).clamp(0, reach)
    # x / (1 + a x), with a such that the farthest lands on the border
    compressed = beyond / (1 + beyond * (1 / room - 1 / reach))
    return peak - peak * (distance.clamp(max=THRESHOLD) + compressed)


def compress_highlights(image: Tensor, knee: float, white: float) -> Tensor:
    """Brings [0, white] into [0, 1] by the largest channel, whose hue the others keep; the brightest turn whiter.

    After the *Khronos PBR Neutral Tone Mapper* (Khronos Group, 2024): linear up to the knee, and desaturated by
    how much was compressed. The shoulder is Reinhard's with a white point (Reinhard et al. 2002, equation 4), whose
    slope at the knee is 1.

    Args:
        image: (..., 3, H, W) linear RGB, not negative.
        knee: Up to here nothing changes, at most 1; 1 clips.
        white: What becomes 1; at least 1.
    """
    peak = image.amax(-3, keepdim=True)
    lowered = peak.clamp(max=1)
    if knee < 1 < white:
        above = (peak.clamp(max=white) - knee).clamp(min=0) / (1 - knee)
        end = (white - knee) / (1 - knee)
        shoulder = above * (1 + above / end**2) / (1 + above)
        lowered = peak.clamp(max=knee) + (1 - knee) * shoulder
    saved = 1 / (DESATURATION * (peak - lowered) + 1)
    scaled = image * (lowered / peak.clamp(min=LEAST))
    return lowered + (scaled - lowered) * saved
