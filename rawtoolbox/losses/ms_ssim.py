"""Multi-scale structural similarity (Wang et al., Asilomar 2003)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.masked import mask_images
from rawtoolbox.ops.ssim import ssim_maps
from rawtoolbox.registry import LOSSES

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first; from the paper


def ms_ssim(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    weights: Sequence[float] = WEIGHTS,
    size: int = 11,
    sigma: float = 1.5,
) -> Tensor:
    """Structural similarity over several scales: the product of each scale's, to the power of its weight.

    Luminance enters at the coarsest scale only. Windows lie within the image, scales are halved by the mean
    of four pixels, and each channel has its own product, whose mean is the result. Negative factors, which
    have no real power, are taken as almost zero.

    Args:
        pred: Prediction, (N, C, H, W) in [0, 1].
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W); both images are zero elsewhere, which counts.
        weights: Exponents, the finest scale first.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: A shape does not fit, or the coarsest scale is smaller than the window.
    """
    pred, target = mask_images(pred, target, mask)
    least = size * 2 ** (len(weights) - 1)
    if min(pred.shape[-2:]) < least:
        found = 'x'.join(map(str, pred.shape[-2:]))
        raise ValueError(
            f'pred: {len(weights)} scales need {least} pixels each way, found {found}; give fewer weights.'
        )
    product = 1
    for scale, weight in enumerate(weights, start=1):
        similarity, structure = ssim_maps(pred, target, size, sigma, padding='valid')
        factor = (similarity if scale == len(weights) else structure).mean(dim=(-2, -1))
        product = product * factor.clamp(min=1e-6) ** weight
        pred, target = F.avg_pool2d(pred, 2), F.avg_pool2d(target, 2)
    return product.mean()


@LOSSES.register_module()
class MSSSIMLoss(nn.Module):
    """``weight * (1 - ms_ssim)``; MW-ISPNet has the weight 0.15, PyNET 0.4.

    Args:
        weight: Factor of the loss.
        weights: Exponents of the scales, the finest first; fewer for small images.
    """

    def __init__(self, weight: float = 1.0, weights: Sequence[float] = WEIGHTS) -> None:
        super().__init__()
        self.weight, self.weights = weight, tuple(weights)

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * (1 - ms_ssim(pred, target, mask, self.weights))
