"""How images of any size are compared with one target: the coarse levels and heads of some networks."""

from __future__ import annotations

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.aligners import Aligned
from rawtoolbox.ops.resize import shrink, shrink_masked
from rawtoolbox.ops.warp import valid_mask
from rawtoolbox.registry import LOSSES

Resize = Literal['bilinear', 'nearest', 'official']
IMAGES = ('target', 'exact_target', 'aligned_target')


def build_losses(configs: dict[str, dict[str, Any] | None] | None) -> nn.ModuleDict:
    """Losses by name; an entry of None is left out."""
    return nn.ModuleDict({name: LOSSES.build(cfg) for name, cfg in (configs or {}).items() if cfg})


def compare(
    image: Tensor, aligned: Aligned, losses: nn.ModuleDict, resize: Resize = 'bilinear'
) -> dict[str, Tensor]:
    """The losses of an image by name, against the target at the image's size.

    Args:
        image: Prediction, (N, 3, h, w), at most as large as the target.
        aligned: Target (N, 3, H, W) and mask.
        losses: Losses by name.
        resize: See ``fit_target``.

    Returns:
        A scalar by name.
    """
    target, mask = fit_target(aligned.target, aligned.mask, image.shape[-2:], resize)
    return {name: loss(image, target, mask) for name, loss in losses.items()}


def fit_target(
    target: Tensor, mask: Tensor, size: tuple[int, int], resize: Resize = 'bilinear'
) -> tuple[Tensor, Tensor]:
    """The target and its mask at a smaller size; larger ones are left to the losses, which refuse them.

    Args:
        target: (N, 3, H, W).
        mask: 1 where the target is valid, (N, 1, H, W).
        size: Height and width wanted.
        resize: ``'bilinear'``: low-pass filtered, as in PyNET's training (a pixel is valid when all that it is
            made of is); ``'nearest'``: pixels are left out, as in AWNet's; ``'official'``: as in
            the joint training on SR-RAW, with a soft mask, see ``shrink_masked``.

    Returns:
        (N, 3, h, w) and (N, 1, h, w).
    """
    if min(target.shape[-2:]) <= min(size):
        return target, mask
    if resize == 'nearest':
        return F.interpolate(target, size), F.interpolate(mask, size)
    return shrink_masked(target, mask, size, 'official' if resize == 'official' else 'antialiased')


def fit_references(batch: dict[str, Tensor | None], size: tuple[int, int]) -> dict[str, Tensor | None]:
    """What a prediction smaller than the target is scored against, at its size; see ``fit_target``."""
    if min(batch['target'].shape[-2:]) <= min(size):
        return batch
    small = {name: shrink(batch[name], size) for name in IMAGES if batch.get(name) is not None}
    if batch.get('aligned_mask') is not None:
        small['aligned_mask'] = valid_mask(shrink(batch['aligned_mask'], size))
    return batch | small
