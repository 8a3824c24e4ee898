"""Structural similarity as the official code measures it (Wang et al., IEEE TIP 2004)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.metrics.levels import MaskForm, in_double, quantise_pair
from rawtoolbox.ops.ssim import ssim_maps

WINDOW = 11  # pixels


def ssim(pred: Tensor, target: Tensor, mask: Tensor | None = None, mask_form: MaskForm = 'counted') -> float:
    """Mean structural similarity of an image, after rounding to 8 bit.

    That of scikit-image with a Gaussian window of 11 pixels and the mean over the channels, as in the official
    code (cszhilu1998/RAW-to-sRGB, metrics.py): only windows that lie within the image count.

    Args:
        pred: Prediction, (C, H, W) in [0, 1] or uint8.
        target: Target, likewise.
        mask: 1 where the target is valid, (1, H, W), or None.
        mask_form: ``'counted'``: both images are zero outside the mask, where they are thus equal, and that
            counts; ``'excluded'``: only windows that lie within the mask count.

    Returns:
        A number in [-1, 1]; NaN where no window is valid.

    Raises:
        ValueError: A shape, a value or ``mask_form`` does not fit, or the image is smaller than the window.
    """
    pred, target = quantise_pair(pred, target, mask, mask_form)
    if min(pred.shape[-2:]) < WINDOW:
        size = 'x'.join(map(str, pred.shape[-2:]))
        raise ValueError(f'pred: SSIM needs {WINDOW} pixels each way or more, found {size}.')
    pred, target = (in_double(image)[None] for image in (pred, target))
    values, _ = ssim_maps(pred, target, WINDOW, padding='valid', peak=255, sample_covariance=True)
    if mask is None or mask_form == 'counted':
        return values.mean().item()
    valid = valid_windows(mask).to(values.device)
    return values[0, :, valid].mean().item() if valid.any() else math.nan


def valid_windows(mask: Tensor) -> Tensor:
    """Whether each window that fits into a mask (1, H, W) holds ones only, as (H - 10, W - 10) bool."""
    outside = 1 - mask.float()
    return F.max_pool2d(outside, WINDOW, stride=1)[0] == 0
