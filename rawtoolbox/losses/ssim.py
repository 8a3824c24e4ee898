"""Structural similarity that can be trained for (Wang et al., IEEE TIP 2004)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.losses.images import mask_images
from rawtoolbox.registry import LOSSES

C1, C2 = 0.01**2, 0.03**2  # for images in [0, 1]
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
    pred: Tensor, target: Tensor, size: int = 11, sigma: float = 1.5, padding: Padding = 'zeros'
) -> tuple[Tensor, Tensor]:
    """Structural similarity at every position, and its part that leaves out the means.

    Args:
        pred: (N, C, H, W) in [0, 1], float32 or float64.
        target: Of the same shape.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.
        padding: What lies outside the image, see ``blur``.

    Returns:
        The similarity, and its contrast-structure factor (for MS-SSIM), each as large as ``blur`` gives.
    """
    window = gaussian_window(size, sigma, like=pred)
    with torch.autocast(pred.device.type, enabled=False):  # variances are small differences of squares
        mean_p, mean_t = blur(pred, window, padding), blur(target, window, padding)
        variance_p = blur(pred * pred, window, padding) - mean_p * mean_p
        variance_t = blur(target * target, window, padding) - mean_t * mean_t
        covariance = blur(pred * target, window, padding) - mean_p * mean_t
    structure = (2 * covariance + C2) / (variance_p + variance_t + C2)
    luminance = (2 * mean_p * mean_t + C1) / (mean_p * mean_p + mean_t * mean_t + C1)
    return luminance * structure, structure


def ssim(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    size: int = 11,
    sigma: float = 1.5,
    padding: Padding = 'zeros',
) -> Tensor:
    """Mean structural similarity of two batches of images.

    With the default padding this is the value that the official code trains with (cszhilu1998/RAW-to-sRGB,
    models/losses.py): zeros outside the image, and the border counted. The metric of that name
    (``rawtoolbox.metrics.ssim``) mirrors the image and leaves the border out.

    Args:
        pred: Prediction, (N, C, H, W) in [0, 1].
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W); both images are zero elsewhere, which counts.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.
        padding: ``'zeros'``, or ``'valid'`` for windows that lie within the image only.

    Returns:
        A scalar, at most 1.

    Raises:
        ValueError: A shape or ``padding`` does not fit.
    """
    pred, target = mask_images(pred, target, mask)
    return ssim_maps(pred, target, size, sigma, padding)[0].mean()


@LOSSES.register_module()
class SSIMLoss(nn.Module):
    """``weight * (1 - ssim)``; the official recipe has the weight 0.15.

    Args:
        weight: Factor of the loss.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.
        padding: See ``ssim``.
    """

    def __init__(
        self, weight: float = 1.0, size: int = 11, sigma: float = 1.5, padding: Padding = 'zeros'
    ) -> None:
        super().__init__()
        self.weight, self.size, self.sigma, self.padding = weight, size, sigma, padding

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * (1 - ssim(pred, target, mask, self.size, self.sigma, self.padding))
