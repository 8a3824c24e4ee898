"""An image at another size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def shrink(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The image at another size, low-pass filtered, or itself where it has that size already."""
    if image.shape[-2:] == tuple(size):
        return image
    return F.interpolate(image, size, mode='bilinear', antialias=True)
