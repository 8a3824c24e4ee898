"""An image at another size."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.warp import valid_mask

Form = Literal['antialiased', 'official']


def shrink(image: Tensor, size: tuple[int, int], form: Form = 'antialiased') -> Tensor:
    """The image at another size, or itself where it has that size already.

    Args:
        image: (N, C, H, W).
        size: Height and width wanted.
        form: ``'antialiased'``: bilinear, low-pass filtered; ``'official'``: bilinear between aligned corners and
            without a filter, as in the joint training of cszhilu1998/RAW-to-sRGB on SR-RAW
            (models/srrawjoint_model.py), where pixels are left out and fine patterns alias.

    Returns:
        (N, C, h, w).

    Raises:
        ValueError: Another form.
    """
    if form not in ('antialiased', 'official'):
        raise ValueError(f"form: expected 'antialiased' or 'official', found {form!r}.")
    if image.shape[-2:] == tuple(size):
        return image
    if form == 'official':
        return F.interpolate(image, size, mode='bilinear', align_corners=True)
    return F.interpolate(image, size, mode='bilinear', antialias=True)


def shrink_masked(
    image: Tensor, mask: Tensor, size: tuple[int, int], form: Form = 'antialiased', eps: float = 1e-3
) -> tuple[Tensor, Tensor]:
    """An image that is zero outside a mask, and the mask, at a smaller size.

    Args:
        image: (N, C, H, W), zero where the mask is.
        mask: 1 where the image is valid, (N, 1, H, W).
        size: Height and width wanted.
        form: ``'antialiased'``: a pixel is valid when all that it is made of is; ``'official'``: the mask stays
            soft, and a loss that multiplies by it compares the masked prediction with the image as it was resized.
        eps: What the share of valid pixels may lack of 1.

    Returns:
        (N, C, h, w) and (N, 1, h, w).

    Raises:
        ValueError: Another form.
    """
    small, share = shrink(image, size, form), shrink(mask, size, form)
    if form == 'antialiased':
        return small, valid_mask(share, eps)
    return small / share.clamp(min=eps), share  # times the soft mask, which losses apply: ``small`` again
