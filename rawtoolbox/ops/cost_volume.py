"""The cost volume of optical-flow networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.checks import check_shape


def correlation(first: Tensor, second: Tensor, max_displacement: int = 4) -> Tensor:
    """Likeness of every position of one feature map to the positions around it in another.

    The correlation layer of PWC-Net (Sun et al., CVPR 2018, section 3), in plain torch, with the channels in
    the order of the CUDA kernel of sniklaus/pytorch-pwc. One product a displacement, over views of a padded
    map, is several times faster on a CPU than unfolded windows, which take 81 times the memory.

    Args:
        first: Features, (N, C, H, W).
        second: Features of the other image, of the same shape; zero outside its frame.
        max_displacement: Largest displacement d along each axis, in pixels.

    Returns:
        ``mean_c first[y, x] * second[y + dy, x + dx]``, (N, (2d+1)^2, H, W); the channel of (dy, dx) is
        ``(dy + d) * (2d + 1) + dx + d``.

    Raises:
        ValueError: The shapes differ.
    """
    check_shape(second, ' '.join(map(str, first.shape)), 'second')
    height, width = first.shape[-2:]
    padded = F.pad(second, [max_displacement] * 4)
    steps = range(2 * max_displacement + 1)
    shifted = (padded[..., dy : dy + height, dx : dx + width] for dy in steps for dx in steps)
    return torch.stack([(first * view).mean(1) for view in shifted], 1)
