"""Bayer mosaics: the names of their sites, packing into four planes, and bringing any phase to RGGB.

A CFA pattern is named by the colours of the 2x2 tile at pixel (0, 0), row by row: ``'RGGB'``. ``Gr`` is the
green that shares its row with red, ``Gb`` the one that shares it with blue. (OpenCV names its constants after
another tile of the same mosaic; the names here are those of the sensor's data sheet and of DNG.)
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from rawtoolbox.ops.checks import check_shape

CFA_PATTERNS = ('RGGB', 'BGGR', 'GRBG', 'GBRG')
SITES = ('R', 'Gr', 'Gb', 'B')

Array = TypeVar('Array', Tensor, np.ndarray)


def parse_cfa(cfa: str) -> str:
    """The canonical, upper-case name of a CFA pattern.

    >>> parse_cfa('bggr')
    'BGGR'

    Raises:
        ValueError: It is none of the four; the message names the nearest.
    """
    name = str(cfa).upper()
    if name in CFA_PATTERNS:
        return name
    near = difflib.get_close_matches(name, CFA_PATTERNS, n=2, cutoff=0.5)
    hint = f' Did you mean {" or ".join(near)}?' if near else ''
    raise ValueError(f'cfa: expected one of {", ".join(CFA_PATTERNS)}, found {cfa!r}.{hint}')


def cfa_sites(cfa: str) -> tuple[str, str, str, str]:
    """The sites of the 2x2 tile at pixel (0, 0), row by row, with the two greens told apart.

    >>> cfa_sites('GBRG')
    ('Gb', 'B', 'R', 'Gr')
    """
    name = parse_cfa(cfa)
    rows = name[:2], name[2:]
    return tuple(
        colour if colour != 'G' else ('Gr' if 'R' in row else 'Gb') for row in rows for colour in row
    )


def pack_mosaic(mosaic: Tensor, cfa: str = 'RGGB', order: Sequence[str] = ('B', 'Gr', 'R', 'Gb')) -> Tensor:
    """Splits a mosaic into its four colour planes.

    Args:
        mosaic: (N, 1, H, W) of any type; H and W even.
        cfa: CFA pattern of the mosaic.
        order: Order of the planes, a permutation of R, Gr, Gb, B. The default is that of the networks of the
            Zurich data set (official code of PyNET, AWNet, MW-ISPNet and LiteISPNet, which name the greens
            the other way round).

    Returns:
        (N, 4, H/2, W/2).

    Raises:
        ValueError: Wrong shape, odd size, unknown pattern or order.
    """
    check_mosaic(mosaic)
    sites = cfa_sites(cfa)
    _check_order(order)
    planes = rearrange(mosaic, 'n 1 (h y) (w x) -> (y x) n h w', y=2, x=2)
    return torch.stack([planes[sites.index(site)] for site in order], dim=1)


def unpack_mosaic(packed: Tensor, cfa: str = 'RGGB', order: Sequence[str] = ('B', 'Gr', 'R', 'Gb')) -> Tensor:
    """Exact inverse of :func:`pack_mosaic`.

    Args:
        packed: (N, 4, h, w).
        cfa: CFA pattern of the mosaic to return.
        order: Order of the planes.

    Returns:
        (N, 1, 2h, 2w).
    """
    check_shape(packed, 'N 4 h w', 'packed')
    _check_order(order)
    planes = torch.stack([packed[:, list(order).index(site)] for site in cfa_sites(cfa)])
    return rearrange(planes, '(y x) n h w -> n 1 (h y) (w x)', y=2, x=2)


def bayer_mosaic(rgb: Tensor, cfa: str = 'RGGB') -> Tensor:
    """Samples an image as a sensor with that CFA does: one colour per pixel.

    Args:
        rgb: (N, 3, H, W); H and W even.
        cfa: CFA pattern of the mosaic.

    Returns:
        (N, 1, H, W).
    """
    check_shape(rgb, 'N 3 H W', 'rgb')
    _check_even(rgb, 'rgb')
    planes = rearrange(rgb, 'n c (h y) (w x) -> (y x) c n h w', y=2, x=2)
    sites = [planes[place, 'RGB'.index(colour)] for place, colour in enumerate(parse_cfa(cfa))]
    return rearrange(torch.stack(sites), '(y x) n h w -> n 1 (h y) (w x)', y=2, x=2)


def rephase_offset(cfa: str) -> tuple[int, int]:
    """Rows and columns, (dy, dx), to crop at the top and left so that a mosaic begins with red."""
    return divmod(parse_cfa(cfa).index('R'), 2)


def rephase_to_rggb(mosaic: Array, cfa: str, scale: int = 1) -> Array:
    """Makes a mosaic RGGB by cropping a row or column at each end, so that even sizes stay even.

    An image that belongs to the mosaic is cropped likewise:

    >>> target = torch.zeros(3, 12, 16)  # twice as large as the mosaic
    >>> rephase_to_rggb(target, 'GRBG', scale=2).shape  # one column of the mosaic at either side
    torch.Size([3, 12, 12])

    Args:
        mosaic: Tensor or array (..., H, W). An odd last row or column is dropped.
        cfa: CFA pattern of the mosaic.
        scale: Pixels of the image given here per pixel of the mosaic.

    Returns:
        A view of the rows ``scale * dy`` and on, columns ``scale * dx`` and on, with (dy, dx) from
        :func:`rephase_offset`.
    """
    spans = []
    for start, size in zip(rephase_offset(cfa), mosaic.shape[-2:], strict=True):
        length = (size // scale - start) // 2 * 2
        spans.append(slice(scale * start, scale * (start + length)))
    return mosaic[..., spans[0], spans[1]]


def check_mosaic(mosaic: Tensor, name: str = 'mosaic') -> None:
    """Checks that a batch of mosaics is (N, 1, H, W) with even H and W.

    Raises:
        ValueError: It is not.
    """
    check_shape(mosaic, 'N 1 H W', name)
    _check_even(mosaic, name)


def _check_even(image: Tensor, name: str) -> None:
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(
            f'{name}: expected an even height and width, found {height}x{width}. Crop the last row or column.'
        )


def _check_order(order: Sequence[str]) -> None:
    if sorted(order) != sorted(SITES):
        raise ValueError(f'order: expected a permutation of {", ".join(SITES)}, found {", ".join(order)}.')
