"""CoBi: the contextual bilateral loss for targets that do not line up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rawtoolbox.losses.contextual import MOST_POSITIONS, Coordinates, Form, check_options, contextual
from rawtoolbox.losses.vgg import VGGFeatures
from rawtoolbox.ops.masked import mask_images
from rawtoolbox.registry import LOSSES


def patches(images: Tensor, size: int) -> Tensor:
    """The patch around each pixel as its feature, (N, C * size^2, H, W), in levels of 8 bit, zeros outside."""
    before, after = (size - 1) // 2, size // 2
    padded = F.pad(255 * images, (before, after, before, after))
    found = F.unfold(padded, size)
    return rearrange(found, 'n c (h w) -> n c h w', h=images.shape[-2])


@LOSSES.register_module()
class CoBiLoss(nn.Module):
    """``weight`` times the contextual bilateral distance of pixel patches and of VGG features.

    Zhang et al., CVPR 2019; the defaults are those of its code (ceciliavision/zoom-learn-zoom, loss.py), whose
    VGG, however, pools by the mean. It needs a loss on pixels beside it: alone it leaves ripples. Both images
    are zero outside the mask.

    Args:
        weight: Factor of the loss.
        layers: Layers of the VGG and their weights.
        patch_size: Side of the patches of pixels; the paper has 10 for 4x and 15 for 8x.
        patch_weight: Weight of the patches' term; 0 leaves it out.
        spatial_weight: See ``contextual``.
        bandwidth: See ``contextual``.
        form: See ``contextual``.
        coordinates: See ``contextual``.
        max_positions: See ``contextual``.
        arch: See ``VGGFeatures``.
        missing: See ``VGGFeatures``; the patches' term remains.
    """

    def __init__(
        self,
        weight: float = 1.0,
        layers: Mapping[str, float] = MappingProxyType({'relu1_2': 1.0, 'relu2_2': 1.0, 'relu3_2': 0.5}),
        patch_size: int = 5,
        patch_weight: float = 1.0,
        spatial_weight: float = 0.1,
        bandwidth: float = 0.5,
        form: Form = 'official',
        coordinates: Coordinates = 'true',
        max_positions: int = MOST_POSITIONS,
        arch: str | Sequence[str] = 'vgg19',
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        super().__init__()
        check_options(form=form, coordinates=coordinates)
        self.weight, self.layer_weights = weight, tuple(layers.values())
        self.features = VGGFeatures(arch, tuple(layers), missing)
        self.patch_size, self.patch_weight = patch_size, patch_weight
        self.distance = partial(
            contextual,
            spatial_weight=spatial_weight,
            bandwidth=bandwidth,
            form=form,
            coordinates=coordinates,
            max_positions=max_positions,
        )

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        pred, target = mask_images(pred, target, mask)
        loss = self.features.compare(pred, target, self.distance, self.layer_weights)
        if self.patch_weight:
            first, second = (patches(images, self.patch_size) for images in (pred, target))
            loss = loss + self.patch_weight * self.distance(first, second, distance='l2')
        return self.weight * loss
