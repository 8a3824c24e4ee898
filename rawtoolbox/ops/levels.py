"""Black and white level of a sensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rawtoolbox.ops.constants import constant


def normalize_levels(
    mosaic: Tensor,
    black_level: float | Sequence[float] = 63,
    white_level: float = 1020,
    *,
    subtract_black: bool = True,
    clip: bool = False,
) -> Tensor:
    """Linear light from sensor values: ``max(mosaic - black, 0) / (white - black)``.

    The defaults are those of the official code for the Zurich data set (black 63, white 4 * 255), whose
    10-bit values reach 1023: what lies above the white level stays above 1 unless ``clip`` is set.

    >>> normalize_levels(torch.tensor([[[[63, 1020], [0, 541.5]]]])).flatten()
    tensor([0.0000, 1.0000, 0.0000, 0.5000])

    Args:
        mosaic: Sensor values of any type, (..., H, W).
        black_level: One value, or four: those of the 2x2 tile at pixel (0, 0), row by row.
        white_level: Value of white.
        subtract_black: False divides by the white level alone, as the official code of PyNET and AWNet does.
        clip: Whether values above 1 are clipped too.

    Returns:
        A tensor of the same shape: float32, or the mosaic's own floating-point type.

    Raises:
        ValueError: Neither one nor four black levels, or one that is not below the white level.
    """
    levels = _black_levels(black_level, white_level) if subtract_black else [0.0]
    image = mosaic if mosaic.is_floating_point() else mosaic.to(torch.float32)
    if len(levels) == 1:
        black = levels[0]
    else:
        height, width = image.shape[-2:]
        tile = constant(levels, image).reshape(2, 2)
        black = tile.tile((height + 1) // 2, (width + 1) // 2)[:height, :width]
    image = (image - black).clamp(min=0) / (white_level - black)
    return image.clamp(max=1) if clip else image


def _black_levels(black_level: float | Sequence[float], white_level: float) -> list[float]:
    """One level, or four that differ."""
    levels = [float(level) for level in (black_level if isinstance(black_level, Sequence) else [black_level])]
    if len(levels) not in (1, 4):
        raise ValueError(f'black_level: expected one value or four (2x2, row by row), found {len(levels)}.')
    if not max(levels) < white_level:
        raise ValueError(f'black_level {max(levels):g} must be below white_level {white_level:g}.')
    return levels[:1] if len(set(levels)) == 1 else levels
