"""What surrounds a network that demosaics and denoises: encoding, a linear demosaicking, and what it is told."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from rawtoolbox.ops.bayer import check_mosaic
from rawtoolbox.ops.constants import constant

TOE = 0.004  # balanced values below this are encoded almost linearly
CONDITIONS = 8  # planes that tell of saturation (4), shot noise, read noise, and the gains of red and blue


def encode(linear: Tensor) -> Tensor:
    """An odd square root: ``sign(x) (sqrt(|x| + toe) - sqrt(toe))``; noise below black stays what it is."""
    return linear.sign() * ((linear.abs() + TOE).sqrt() - TOE**0.5)


def decode(encoded: Tensor) -> Tensor:
    """Inverse of :func:`encode`."""
    return encoded.sign() * ((encoded.abs() + TOE**0.5) ** 2 - TOE)


def demosaic_gradient_corrected(mosaic: Tensor) -> Tensor:
    """Linear demosaicking with 5x5 filters (Malvar et al., ICASSP 2004, figure 2).

    Args:
        mosaic: RGGB, (N, 1, H, W), floating point; H and W even, at least 4.

    Returns:
        RGB, (N, 3, H, W); where a colour was sampled, the sample itself.

    Raises:
        ValueError: Wrong shape or odd size.
    """
    check_mosaic(mosaic)
    with torch.autocast(mosaic.device.type, enabled=False):
        padded = F.pad(mosaic, (2, 2, 2, 2), mode='reflect')  # keeps the phase
        cells = F.conv2d(padded, constant(_malvar_kernel(), mosaic), stride=2)
    return rearrange(cells, 'n (c y x) h w -> n c (h y) (w x)', y=2, x=2)


@cache
def _malvar_kernel() -> np.ndarray:
    """The filters of the twelve values of a 2x2 cell over the 6x6 samples around it, (12, 1, 6, 6)."""
    cross = np.array(
        [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
    )
    row = np.array(
        [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]
    )
    corner = np.array(
        [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]
    )
    sample = np.zeros((5, 5))
    sample[2, 2] = 8
    kernel = np.zeros((3, 2, 2, 6, 6), np.float32)
    for colour, y, x in product(range(3), (0, 1), (0, 1)):
        here = 'RGGB'[2 * y + x]
        if here == 'RGB'[colour]:
            chosen = sample
        elif colour == 1:
            chosen = cross
        elif here == 'G':
            chosen = row if (y == 0) == (colour == 0) else row.T
        else:
            chosen = corner
        kernel[colour, y, x, y : y + 5, x : x + 5] = chosen / 8
    return kernel.reshape(12, 1, 6, 6)


def balance_mosaic(mosaic: Tensor, gains: Tensor) -> Tensor:
    """An RGGB mosaic (N, 1, H, W) times the gains (N, 3) of its colours."""
    cell = gains[:, [0, 1, 1, 2]].view(-1, 1, 2, 2)
    height, width = mosaic.shape[-2:]
    return mosaic * cell.repeat(1, 1, height // 2, width // 2)


def pack_cells(mosaic: Tensor) -> Tensor:
    """The four planes of a mosaic (N, 1, H, W) row by row: (N, 4, H/2, W/2)."""
    return F.pixel_unshuffle(mosaic, 2)


def condition_planes(mosaic: Tensor, gains: Tensor, noise: Tensor) -> Tensor:
    """What a network is told besides the samples, (N, 8, H/2, W/2), of about the same range.

    Args:
        mosaic: RGGB, not balanced, white = 1, (N, 1, H, W).
        gains: White balance, (N, 3).
        noise: Variances of shot noise at white and of read noise, (N, 2).
    """
    saturation = ((pack_cells(mosaic) - 0.9) * 10).clamp(0, 1)
    spread = noise.clamp(min=0).sqrt() * noise.new_tensor([4.0, 16.0])
    told = torch.cat([spread, gains[:, [0, 2]] / 4], 1)[..., None, None]
    return torch.cat([saturation, told.expand(-1, -1, *saturation.shape[-2:])], 1)
