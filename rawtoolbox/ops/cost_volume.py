"""The cost volume of optical-flow networks."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape

TILE = 16  # columns that share one matrix product


def correlation(first: Tensor, second: Tensor, max_displacement: int = 4) -> Tensor:
    """Likeness of every position of one feature map to the positions around it in another.

    The correlation layer of PWC-Net (Sun et al., CVPR 2018, section 3), in plain torch, with the channels in
    the order of the CUDA kernel of sniklaus/pytorch-pwc. Sixteen columns at a time are compared with all that
    lie within reach of any of them by one matrix product a row, of which a diagonal band is kept: more sums than
    are needed, but by matrix units, and without 81 passes over the features, which in training are three. On GPUs
    mmcv's compiled correlation is used where a full mmcv is installed (not mmcv-lite).

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
    if first.is_cuda and first.dtype != torch.bfloat16 and (kernel := compiled_correlation()):
        return kernel_volume(kernel, first, second, max_displacement)
    channels, height, width = first.shape[1:]
    reach, missing = 2 * max_displacement, -width % TILE
    tiles = rearrange(F.pad(first, (0, missing)), 'n c h (t x) -> n h t x c', x=TILE)
    padded = F.pad(second, (max_displacement, max_displacement + missing, max_displacement, max_displacement))
    windows = rearrange(padded.unfold(3, TILE + reach, TILE), 'n c h t x -> n h t c x')
    bands = [diagonals(tiles @ windows[:, dy : dy + height], reach + 1) for dy in range(reach + 1)]
    volume = rearrange(bands, 'dy n h t x dx -> n h (t x) (dy dx)') / channels
    return rearrange(volume[:, :, :width], 'n h w d -> n d h w')


@cache
def compiled_correlation() -> type[nn.Module] | None:
    """The module class ``mmcv.ops.Correlation``, which has a kernel for CUDA only; None where mmcv lacks it."""
    try:
        from mmcv.ops import Correlation
    except ImportError:
        return None
    return Correlation


def kernel_volume(
    kernel: type[nn.Module], first: Tensor, second: Tensor, max_displacement: int = 4
) -> Tensor:
    """:func:`correlation` by mmcv's kernel, which sums over channels and gives (N, 2d+1, 2d+1, H, W)."""
    sums = kernel(kernel_size=1, max_displacement=max_displacement)(first.contiguous(), second.contiguous())
    return rearrange(sums, 'n dy dx h w -> n (dy dx) h w') / first.shape[1]


def diagonals(matrix: Tensor, count: int) -> Tensor:
    """The first diagonals of matrices, from the main one upwards.

    >>> import torch
    >>> diagonals(torch.tensor([[1, 2, 3], [4, 5, 6]]), 2)
    tensor([[1, 2],
            [5, 6]])

    Args:
        matrix: (..., M, M + count - 1).
        count: How many.

    Returns:
        ``matrix[..., i, i + k]`` at ``[..., i, k]``, (..., M, count).
    """
    rows, columns = matrix.shape[-2:]
    # Rows that are longer by one begin one place further on each time.
    sheared = F.pad(matrix.flatten(-2), (0, rows)).unflatten(-1, (rows, columns + 1))
    return sheared[..., :count]
