"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

from torch import Tensor

from rawtoolbox.metrics.levels import MaskForm, in_double, quantise_pair


def psnr(pred: Tensor, target: Tensor, mask: Tensor | None = None, mask_form: MaskForm = 'counted') -> float:
    """Peak signal-to-noise ratio of an image, over its colour channels together, after rounding to 8 bit.

    The mean over a data set is the mean of this number, not the ratio of a mean error.

    Args:
        pred: Prediction, (C, H, W) in [0, 1] or uint8.
        target: Target, likewise.
        mask: 1 where the target is valid, (1, H, W), or None.
        mask_form: ``'counted'``: the error outside the mask is zero and counts in the mean, as in the
            official code; ``'excluded'``: the mean is over valid pixels.

    Returns:
        Decibels: infinity for equal images, NaN where no pixel is valid and none may count.

    Raises:
        ValueError: A shape, a value or ``mask_form`` does not fit.
    """
    pred, target = quantise_pair(pred, target, mask, mask_form)
    error = (in_double(pred - target) / 255) ** 2
    if mask is not None and mask_form == 'excluded':
        error = error[mask.to(error.device).bool().expand_as(error)]
    if not error.numel():
        return math.nan
    mean = error.mean().item()
    return -10 * math.log10(mean) if mean else math.inf
