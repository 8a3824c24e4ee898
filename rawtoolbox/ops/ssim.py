"""Maps of structural similarity (Wang et al., IEEE TIP 2004), for the loss and for the metric."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = Literal['zeros', 'valid']


def gaussian_window(size: int = 11, sigma: float = 1.5, like: Tensor | None = None) -> Tensor:
    """A one-dimensional Gaussian of sum 1, (size,), on the device and of the type of ``like``."""
    like = torch.empty(0) if like is None else like
    position = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    window = torch.exp(-(position**2) / (2 * sigma**2))
    return window / window.sum()


def blur(images: Tensor, window: Tensor, padding: Padding = 'zeros') -> Tensor:
    """Each channel weighted by a separable window.

    Args:
        images: (N, C, H, W).
        window: (K,), K odd.
        padding: ``'zeros'`` keeps the size; ``'valid'`` gives (N, C, H-K+1, W-K+1).

    Raises:
        ValueError: ``padding`` is neither, or the images are smaller than the window.
    """
    if padding not in ('zeros', 'valid'):
        raise ValueError(f"padding: expected 'zeros' or 'valid', found {padding!r}.")
    size, channels = len(window), images.shape[1]
    if padding == 'valid' and min(images.shape[-2:]) < size:
        raise ValueError(
            f'images: expected {size} pixels each way or more, found {tuple(images.shape[-2:])}.'
        )
    margin = size // 2 if padding == 'zeros' else 0
    columns = window.reshape(1, 1, size, 1).expand(channels, -1, -1, -1)
    rows = window.reshape(1, 1, 1, size).expand(channels, -1, -1, -1)
    images = F.conv2d(images, columns, padding=(margin, 0), groups=channels)
    return F.conv2d(images, rows, padding=(0, margin), groups=channels)


def ssim_maps(
    pred: Tensor,
    target: Tensor,
    size: int = 11,
    sigma: float = 1.5,
    padding: Padding = 'zeros',
    peak: float = 1.0,
    sample_covariance: bool = False,
) -> tuple[Tensor, Tensor]:
    """Structural similarity at every position, and its part that leaves out the means.

    Args:
        pred: (N, C, H, W), float32 or float64.
        target: Of the same shape.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.
        padding: What lies outside the image, see ``blur``.
        peak: The largest value that images can have.
        sample_covariance: Whether variances are those of a sample of ``size^2`` pixels, as in scikit-image.

    Returns:
        The similarity, and its contrast-structure factor (for MS-SSIM), each as large as ``blur`` gives.
    """
    window = gaussian_window(size, sigma, like=pred)
    with torch.autocast(pred.device.type, enabled=False):  # variances are small differences of squares
        mean_p, mean_t = blur(pred, window, padding), blur(target, window, padding)
        variance = blur(pred**2 + target**2, window, padding) - mean_p**2 - mean_t**2
        covariance = blur(pred * target, window, padding) - mean_p * mean_t
    if sample_covariance:
        variance, covariance = (value * size**2 / (size**2 - 1) for value in (variance, covariance))
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    structure = (2 * covariance + c2) / (variance + c2)
    luminance = (2 * mean_p * mean_t + c1) / (mean_p**2 + mean_t**2 + c1)
    return luminance * structure, structure
