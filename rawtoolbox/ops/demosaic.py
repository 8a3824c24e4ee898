"""Bilinear demosaicking as one convolution, and the enlargement of planes that AWNet was trained with."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from rawtoolbox.ops.bayer import bayer_mosaic, check_mosaic
from rawtoolbox.ops.constants import constant

RED_BLUE_KERNEL = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))
GREEN_KERNEL = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))
KERNELS = (RED_BLUE_KERNEL, GREEN_KERNEL, RED_BLUE_KERNEL)


def demosaic_bilinear(mosaic: Tensor, border: Literal['reflect', 'official'] = 'reflect') -> Tensor:
    """Bilinear demosaicking (Losson et al., Advances in Imaging and Electron Physics 162, 2010).

    Each missing colour is the mean of its two or four nearest samples. Differentiable.

    Args:
        mosaic: RGGB, (N, 1, H, W), floating point; H and W even.
        border: ``'reflect'``: the mosaic goes on mirrored about its outermost samples, which keeps the phase
            of the CFA: a grey image stays grey up to the edge. ``'official'``: the outermost samples are
            repeated within each colour's plane, as in the official code (through SciPy's default boundary in
            the package colour-demosaicing), which multiplies the outermost rows and columns by 0.25 to 2.25.

    Returns:
        RGB, (N, 3, H, W), of the same type; where a colour was sampled, the sample itself.

    Raises:
        ValueError: Wrong shape or type, odd size, or another ``border``.
    """
    check_mosaic(mosaic)
    if not mosaic.is_floating_point():
        raise ValueError(
            f'mosaic: expected floating point, found {mosaic.dtype}. Call normalize_levels first.'
        )
    filters = {'reflect': _filter_cells, 'official': _filter_planes}
    if border not in filters:
        raise ValueError(f"border: expected 'reflect' or 'official', found {border!r}.")
    with torch.autocast(mosaic.device.type, enabled=False):  # or colours would come out in half precision
        return filters[border](mosaic)


def _filter_cells(mosaic: Tensor) -> Tensor:
    """One convolution over the 2x2 cells gives the twelve values of each."""
    cells = rearrange(mosaic, 'n 1 (h y) (w x) -> n (y x) h w', y=2, x=2)
    # A repeated 2x2 cell is the mosaic mirrored about its edge sample, as far as one sample beyond the edge.
    cells = F.pad(cells, (1, 1, 1, 1), mode='replicate')
    colours = F.conv2d(cells, constant(_cell_kernel(), mosaic))
    return rearrange(colours, 'n (c y x) h w -> n c (h y) (w x)', y=2, x=2)


@cache
def _cell_kernel() -> np.ndarray:
    """The 3x3 kernels, which stride over pixels, as one (12, 4, 3, 3) kernel that strides over 2x2 cells.

    Cached as an array: a cached tensor that was made in inference mode could not be trained through.
    """
    kernel = np.zeros((3, 2, 2, 2, 2, 3, 3), np.float32)  # to: colour, y, x; from: y, x, cell y, cell x
    for colour, y, x, dy, dx in product(range(3), (0, 1), (0, 1), (-1, 0, 1), (-1, 0, 1)):
        (cell_y, from_y), (cell_x, from_x) = divmod(y + dy, 2), divmod(x + dx, 2)
        if 'RGGB'[2 * from_y + from_x] == 'RGB'[colour]:
            kernel[colour, y, x, from_y, from_x, cell_y + 1, cell_x + 1] = KERNELS[colour][dy + 1][dx + 1]
    return kernel.reshape(12, 4, 3, 3)


def _filter_planes(mosaic: Tensor) -> Tensor:
    """Filters the zero-filled colour planes, each continued by its own outermost row or column."""
    height, width = mosaic.shape[-2:]
    colours = torch.eye(3, dtype=mosaic.dtype, device=mosaic.device)[:, :, None, None]
    masks = bayer_mosaic(colours.expand(3, 3, height, width))
    planes = F.pad(mosaic * masks[:, 0], (1, 1, 1, 1), mode='replicate')
    return F.conv2d(planes, constant(KERNELS, mosaic)[:, None], groups=3)


def resize_planes(mosaic: Tensor, white_level: float = 765) -> Tensor:
    """The input of AWNet's demosaicked branch: each Bayer plane enlarged to full size, in 8 bits.

    Planes are enlarged without regard to where their samples lie, and so are shifted against each other by up
    to one pixel; no black level is subtracted and values above 765 saturate. The official code stores the
    result as 8-bit PNG files, so the released weights need these very roundings (official repository:
    Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP, ``demosaic/demosaic.py``).

    Args:
        mosaic: RGGB sensor values, (N, 1, H, W), integers of any type; H and W even.
        white_level: Sensor value that becomes 255.

    Returns:
        RGB in [0, 1], (N, 3, H, W) float32, multiples of 1/255.
    """
    check_mosaic(mosaic)
    planes = rearrange(mosaic.to(torch.float32), 'n 1 (h y) (w x) -> n (y x) h w', y=2, x=2)
    red, green_r, green_b, blue = F.interpolate(planes, scale_factor=2, mode='bilinear').round().unbind(1)
    rgb = torch.stack([red, (green_r + green_b) / 2, blue], dim=1)
    return (rgb / white_level * 255).round().clamp(0, 255) / 255
