"""What every metric measures on: images of 256 levels, and masks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rawtoolbox.ops.checks import check_finite, check_range, check_shape

MaskForm = Literal['counted', 'excluded']


def quantise(image: Tensor, name: str = 'image') -> Tensor:
    """The 256 levels that an 8-bit file would hold, as the official code measures.

    It multiplies by 255, clamps and rounds to the nearest level, halves to the even one
    (cszhilu1998/RAW-to-sRGB, models/base_model.py).

    Args:
        image: Any shape; floating point in [0, 1], or uint8, which is taken as levels already.
        name: How a message calls it.

    Returns:
        Whole numbers from 0 to 255 in float32.

    Raises:
        ValueError: A value is NaN, infinite or outside [0, 1].
        TypeError: Neither floating point nor uint8.
    """
    if image.dtype == torch.uint8:
        return image.float()
    if not image.is_floating_point():
        raise TypeError(f'{name}: expected floating point in [0, 1] or uint8, found {image.dtype}.')
    check_range(image, 0, 1, name)
    return (image.float() * 255).round()


def quantise_pair(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, mask_form: MaskForm = 'counted'
) -> tuple[Tensor, Tensor]:
    """Checks two images and a mask, and returns both in levels, masked if that is the form.

    Args:
        pred: Prediction, (C, H, W) in [0, 1] or uint8.
        target: Target, likewise.
        mask: 1 where the target is valid, 0 elsewhere, (1, H, W), or None.
        mask_form: ``'counted'``: both images are zero outside the mask, and those pixels count as all others,
            as in the official code (metrics.py), which flatters the scores; ``'excluded'``: they do not
            count, so neither image is touched.

    Returns:
        Both images, (C, H, W), whole numbers from 0 to 255 in float32.

    Raises:
        ValueError: A shape, a value or ``mask_form`` does not fit.
    """
    if mask_form not in ('counted', 'excluded'):
        raise ValueError(f"mask_form: expected 'counted' or 'excluded', found {mask_form!r}.")
    check_shape(pred, 'C H W', 'pred')
    c, h, w = pred.shape
    check_shape(target, f'{c} {h} {w}', 'target')
    pred, target = quantise(pred, 'pred'), quantise(target, 'target')
    if mask is None:
        return pred, target
    check_shape(mask, f'1 {h} {w}', 'mask')
    check_finite(mask, 'mask')
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError('mask: expected zeros and ones only; compare a soft one with a threshold first.')
    return (pred * mask, target * mask) if mask_form == 'counted' else (pred, target)


def in_double(image: Tensor) -> Tensor:
    """In float64; on the CPU if the device (Apple's) has none."""
    return (image.cpu() if image.device.type == 'mps' else image).double()
