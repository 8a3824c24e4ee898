"""Distance of gradient maps, which keeps edges where they are (SPSR: Ma et al., CVPR 2020)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.losses.pixel import masked_l1
from rawtoolbox.ops.masked import mask_images
from rawtoolbox.registry import LOSSES

EPS = 1e-6  # under the root, whose slope at zero is infinite


def gradient_map(images: Tensor, padding: int = 1) -> Tensor:
    """Length of the gradient of each channel, by differences of the two neighbours, zeros outside.

    Args:
        images: (N, C, H, W).
        padding: 1 keeps the size, as in the network of SPSR; 2 adds a frame of one pixel, as in its losses
            (Maclory/SPSR, code/models/SPSR_model.py), which thus also see the border's brightness.

    Returns:
        (N, C, H, W), or (N, C, H + 2, W + 2) with ``padding=2``.

    Raises:
        ValueError: ``padding`` is neither.
    """
    if padding not in (1, 2):
        raise ValueError(f'padding: expected 1 or 2, found {padding!r}.')
    images = F.pad(images, [padding] * 4)
    vertical = images[..., 2:, 1:-1] - images[..., :-2, 1:-1]
    horizontal = images[..., 1:-1, 2:] - images[..., 1:-1, :-2]
    return torch.sqrt(vertical**2 + horizontal**2 + EPS)


def gradient_distance(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    norm: Literal['l1', 'l2'] = 'l2',
    padding: int = 2,
) -> Tensor:
    """Mean distance of the gradient maps of two batches of images.

    Args:
        pred: Prediction, (N, C, H, W).
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W); both images are zero elsewhere, which counts.
        norm: ``'l2'``: squared, as the official code has it; ``'l1'``: absolute.
        padding: See ``gradient_map``.

    Returns:
        A scalar.

    Raises:
        ValueError: A shape, ``norm`` or ``padding`` does not fit.
    """
    if norm not in ('l1', 'l2'):
        raise ValueError(f"norm: expected 'l1' or 'l2', found {norm!r}.")
    pred, target = mask_images(pred, target, mask)
    distance = F.l1_loss if norm == 'l1' else F.mse_loss
    return distance(gradient_map(pred, padding), gradient_map(target, padding))


@LOSSES.register_module()
class GradientLoss(nn.Module):
    """``weight`` times ``gradient_distance``; SPSR has the weight 0.01.

    Args:
        weight: Factor of the loss.
        norm: See ``gradient_distance``.
        padding: See ``gradient_map``.
    """

    def __init__(self, weight: float = 1.0, norm: Literal['l1', 'l2'] = 'l2', padding: int = 2) -> None:
        super().__init__()
        self.weight, self.norm, self.padding = weight, norm, padding

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * gradient_distance(pred, target, mask, self.norm, self.padding)


@LOSSES.register_module()
class GradientBranchLoss(nn.Module):
    """``weight`` times the L1 distance of an image that is a gradient map already from the target's map.

    For the gradient branch of SPSR, whose weight is 0.5.

    Args:
        weight: Factor of the loss.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * masked_l1(pred, gradient_map(target), mask)
