"""Structural similarity as the official code measures it (Wang et al., IEEE TIP 2004)."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_erosion
from skimage.metrics import structural_similarity
from torch import Tensor

from rawtoolbox.metrics.levels import MaskForm, quantise_pair

WINDOW = 11  # pixels, which a Gaussian of sigma 1.5 fills


def ssim(pred: Tensor, target: Tensor, mask: Tensor | None = None, mask_form: MaskForm = 'counted') -> float:
    """Mean structural similarity of an image, after rounding to 8 bit.

    scikit-image's with a Gaussian window of 11 pixels, the mean over the channels, and a border of 5 pixels
    left out, as in the official code (cszhilu1998/RAW-to-sRGB, metrics.py).

    Args:
        pred: Prediction, (C, H, W) in [0, 1] or uint8.
        target: Target, likewise.
        mask: 1 where the target is valid, (1, H, W), or None.
        mask_form: ``'counted'``: both images are zero outside the mask, where they are thus equal, and that
            counts; ``'excluded'``: the mean is over the positions whose whole window is valid.

    Returns:
        A number in [-1, 1]; NaN where no window is valid.

    Raises:
        ValueError: A shape, a value or ``mask_form`` does not fit, or the image is smaller than the window.
    """
    pred, target = quantise_pair(pred, target, mask, mask_form)
    if min(pred.shape[-2:]) < WINDOW:
        size = 'x'.join(map(str, pred.shape[-2:]))
        raise ValueError(f'pred: SSIM needs {WINDOW} pixels each way or more, found {size}.')
    mean, values = structural_similarity(
        pred.cpu().double().numpy(),
        target.cpu().double().numpy(),
        win_size=WINDOW,
        data_range=255,
        gaussian_weights=True,
        channel_axis=0,
        full=True,
    )
    if mask is None or mask_form == 'counted':
        return float(mean)
    valid = valid_windows(mask[0].cpu().bool().numpy())
    return float(values[:, valid].mean()) if valid.any() else math.nan


def valid_windows(mask: np.ndarray) -> np.ndarray:
    """Positions whose whole window lies within the image and the mask, (H, W) bool."""
    return binary_erosion(mask, np.ones((WINDOW, WINDOW)), border_value=0)
