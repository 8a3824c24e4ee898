"""Perceptual losses with squared distances, as PyNET and AWNet are trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.losses.vgg import MEAN, STD, VGGFeatures
from rawtoolbox.ops.constants import constant
from rawtoolbox.ops.masked import mask_images
from rawtoolbox.registry import LOSSES


def undo_normalisation(images: Tensor) -> Tensor:
    """Images that are what they were once ImageNet's mean and deviation have been taken off."""
    mean, std = constant(MEAN, images), constant(STD, images)
    return images * std.reshape(-1, 1, 1) + mean.reshape(-1, 1, 1)


@LOSSES.register_module()
class VGGMSELoss(nn.Module):
    """``weight`` times the mean squared difference of the features of two images, at their full size.

    =========  ================================================  =======================================
    network    arguments                                         source
    =========  ================================================  =======================================
    PyNET      (defaults)                                        aiff22/PyNET-PyTorch, train_model.py
    AWNet      ``arch='vgg16', pool=True, normalise=False``,     Charlie0215/AWNet-Attentive-Wavelet-...,
               a third of the printed weight                     loss.py (all layers, MSE / 3)
    =========  ================================================  =======================================

    The VGG is not part of the ``state_dict``; see ``VGGFeatures``.

    Args:
        arch: ``'vgg19'``, ``'vgg16'``, or several: the first whose weights can be found.
        layer: Such as ``'relu5_4'``; VGG-16 then gives its last, relu5_3.
        pool: Whether the pooling that follows a block is applied to the features.
        normalise: Whether ImageNet's mean and deviation are taken off the images first.
        weight: Factor of the loss.
        missing: What happens without weights: ``'error'``, or ``'skip'``: a warning, and a loss of zero.

    Raises:
        ValueError: An argument is none of these.
    """

    def __init__(
        self,
        arch: str | Sequence[str] = 'vgg19',
        layer: str = 'relu5_4',
        pool: bool = False,
        normalise: bool = True,
        weight: float = 1.0,
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        super().__init__()
        self.weight, self.pool, self.normalise = weight, pool, normalise
        self.features = VGGFeatures(arch, [layer], missing)

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        pred, target = mask_images(pred, target, mask)
        if not self.normalise:
            pred, target = undo_normalisation(pred), undo_normalisation(target)
        return self.weight * self.features.compare(pred, target, self._distance)

    def _distance(self, pred: Tensor, target: Tensor) -> Tensor:
        if self.pool:
            pred, target = F.max_pool2d(pred, 2), F.max_pool2d(target, 2)
        return F.mse_loss(pred, target)
