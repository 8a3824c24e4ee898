"""Pairs of images with a mask: checked, masked, and out of half precision."""

from __future__ import annotations

import torch
from torch import Tensor

from rawtoolbox.ops.checks import check_shape


def check_images(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
    """Checks that two batches of images, and a mask, belong together.

    Args:
        pred: Prediction, (N, C, H, W).
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W), or None.

    Raises:
        ValueError: A shape does not fit.
    """
    check_shape(pred, 'N C H W', 'pred')
    n, c, h, w = pred.shape
    check_shape(target, f'{n} {c} {h} {w}', 'target')
    if mask is not None:
        check_shape(mask, f'{n} 1 {h} {w}', 'mask')


def mask_images(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Checks two batches, sets both to zero outside the mask, and returns them in float32 or better.

    Half precision would spoil what follows: SSIM subtracts squares, and a mean over an image needs more
    than the 8 bits of a bfloat16.
    """
    check_images(pred, target, mask)
    pred, target = at_least_float32(pred), at_least_float32(target)
    return (pred, target) if mask is None else (pred * mask, target * mask)


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it was."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
