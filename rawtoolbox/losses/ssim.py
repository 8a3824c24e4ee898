"""Structural similarity that can be trained for (Wang et al., IEEE TIP 2004)."""

from __future__ import annotations

from torch import Tensor, nn

from rawtoolbox.ops.masked import mask_images
from rawtoolbox.ops.ssim import Padding, ssim_maps
from rawtoolbox.registry import LOSSES


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
