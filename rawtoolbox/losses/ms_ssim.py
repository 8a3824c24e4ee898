"""Multi-scale structural similarity (Wang et al., Asilomar 2003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.masked import mask_images
from rawtoolbox.ops.ssim import ssim_maps
from rawtoolbox.registry import LOSSES

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first; from the paper
Means = Literal['image', 'batch']


def ms_ssim(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    weights: Sequence[float] = WEIGHTS,
    size: int = 11,
    sigma: float = 1.5,
    means: Means = 'image',
) -> Tensor:
    """Structural similarity over several scales: the product of each scale's, to the power of its weight.

    Luminance enters at the coarsest scale only. Windows lie within the image, scales are halved by the mean
    of four pixels. Negative factors, which have no real power, are taken as almost zero.

    Args:
        pred: Prediction, (N, C, H, W) in [0, 1].
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W); both images are zero elsewhere, which counts.
        weights: Exponents, the finest scale first.
        size: Side of the Gaussian window.
        sigma: Its standard deviation.
        means: Over what a scale's similarity is averaged before it is raised to its power: ``'image'``, each
            channel of each image on its own, as the paper defines it; ``'batch'``, all channels of all images at
            once, as PyNET is trained (aiff22/PyNET-PyTorch, msssim.py), which differs on a batch of unlike images.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: A shape or ``means`` does not fit, or the coarsest scale is smaller than the window.
    """
    if means not in ('image', 'batch'):
        raise ValueError(f"means: expected 'image' or 'batch', found {means!r}.")
    pred, target = mask_images(pred, target, mask)
    axes = (-2, -1) if means == 'image' else (0, 1, 2, 3)
    least = size * 2 ** (len(weights) - 1)
    if min(pred.shape[-2:]) < least:
        found = 'x'.join(map(str, pred.shape[-2:]))
        raise ValueError(
            f'pred: {len(weights)} scales need {least} pixels each way, found {found}; give fewer weights.'
        )
    product = 1
    for scale, weight in enumerate(weights, start=1):
        similarity, structure = ssim_maps(pred, target, size, sigma, padding='valid')
        factor = (similarity if scale == len(weights) else structure).mean(dim=axes)
        product = product * factor.clamp(min=1e-6) ** weight
        pred, target = F.avg_pool2d(pred, 2), F.avg_pool2d(target, 2)
    return product.mean()


@LOSSES.register_module()
class MSSSIMLoss(nn.Module):
    """``weight * (1 - ms_ssim)``; PyNET has the weight 0.4 and ``means='batch'``.

    MW-ISPNet's code has a loss of this name, of one scale and padded with zeros: ``SSIMLoss``.

    Args:
        weight: Factor of the loss.
        weights: Exponents of the scales, the finest first; fewer for small images.
        means: See ``ms_ssim``.
    """

    def __init__(
        self, weight: float = 1.0, weights: Sequence[float] = WEIGHTS, means: Means = 'image'
    ) -> None:
        super().__init__()
        self.weight, self.weights, self.means = weight, tuple(weights), means

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * (1 - ms_ssim(pred, target, mask, self.weights, means=self.means))
