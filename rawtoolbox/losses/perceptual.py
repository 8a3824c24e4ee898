"""Perceptual loss: L1 distance of VGG features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.losses.vgg import VGGFeatures
from rawtoolbox.ops.masked import check_images, mask_images
from rawtoolbox.registry import LOSSES


def halve(images: Tensor) -> Tensor:
    """Images of half the size: bilinear without antialiasing or aligned corners, i.e. the means of 2x2 pixels.

    As a pool it has a backward pass that is deterministic on GPUs, which ``F.interpolate`` has not.
    """
    return F.avg_pool2d(images, 2)


def masked_feature_l1(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference of features, (N, C, h, w), times the mask (N, 1, H, W) reduced to their size."""
    difference = (pred - target).abs()
    if mask is not None:
        difference = difference * F.adaptive_avg_pool2d(mask.to(difference), difference.shape[-2:])
    return difference.mean()


@LOSSES.register_module()
class VGGLoss(nn.Module):
    """``weight`` times the mean absolute difference of the features of two images.

    The paper (Zhang et al., ICCV 2021, second term of Eq. 7) and the official code
    (cszhilu1998/RAW-to-sRGB, models/losses.py and zrrjoint_model.py) differ:

    ============ ================== =========================
    form         features of        the mask multiplies
    ============ ================== =========================
    'official'   half-size images   the images, beforehand
    'paper'      full-size images   the features, reduced to
                                    their size (share of
                                    valid pixels)
    ============ ================== =========================

    The VGG is not part of the ``state_dict``; see ``VGGFeatures``.

    Args:
        arch: ``'vgg19'`` as in the paper, ``'vgg16'``, or several: the first whose weights can be found.
        layer: ``'relu5_4'`` as in the paper; VGG-16 then gives its last, relu5_3.
        form: See above.
        weight: Factor of the loss; 1 in the paper.
        missing: What happens without weights: ``'error'``, or ``'skip'``: a warning, and a loss of zero.

    Raises:
        ValueError: An argument is none of these.
    """

    def __init__(
        self,
        arch: str | Sequence[str] = 'vgg19',
        layer: str = 'relu5_4',
        form: Literal['official', 'paper'] = 'official',
        weight: float = 1.0,
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        super().__init__()
        if form not in ('official', 'paper'):
            raise ValueError(f"form: expected 'official' or 'paper', found {form!r}.")
        self.weight, self.form = weight, form
        self.features = VGGFeatures(arch, [layer], missing)

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        check_images(pred, target, mask)
        if self.form == 'official':
            pred, target = map(halve, mask_images(pred, target, mask))
            mask = None
        return self.weight * self.features.compare(pred, target, partial(masked_feature_l1, mask=mask))
