"""The Haar wavelet transform and its inverse, without convolutions."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

BandOrder = Literal['interleaved', 'band-major']

# The four bands of one channel side by side, or one band of all channels side by side.
_CHANNELS = {'interleaved': '(c b)', 'band-major': '(b c)'}


def haar_dwt(image: Tensor, band_order: BandOrder = 'interleaved') -> Tensor:
    """One level of the orthonormal Haar transform: half the size, four times the channels.

    A block of 2x2 pixels becomes four bands: their sum, top minus bottom, left minus right, and one diagonal
    minus the other, each halved. Equal to the frozen grouped convolutions of the official networks
    (cszhilu1998/RAW-to-sRGB and MW-ISPNet: ``'interleaved'``). AWNet's four bands are ``'band-major'``, in
    the order and with the signs (0, -2, -1, 3).

    Args:
        image: Features, (N, C, H, W), H and W even.
        band_order: Whether the four bands of a channel lie together, or each band of all channels.

    Returns:
        Bands, (N, 4C, H/2, W/2).

    Raises:
        ValueError: H or W is odd, or ``band_order`` is neither name.
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f'haar_dwt: height and width must be even, found {height}x{width}: pad it.')
    if _channels_last(image):
        (a, b), (c, d) = rearrange(image, 'n c (h y) (w x) -> y x n h w c', y=2, x=2)
        place = -1 if _channels(band_order) == '(c b)' else -2
        return rearrange(torch.stack(_butterfly(a, b, c, d), place).flatten(3), 'n h w c -> n c h w')
    (a, b), (c, d) = rearrange(image, 'n c (h y) (w x) -> y x n c h w', y=2, x=2)
    return rearrange(list(_butterfly(a, b, c, d)), f'b n c h w -> n {_channels(band_order)} h w')


def haar_iwt(bands: Tensor, band_order: BandOrder = 'interleaved') -> Tensor:
    """The inverse of :func:`haar_dwt`: twice the size, a quarter of the channels.

    Args:
        bands: Bands, (N, 4C, H, W).
        band_order: As the bands were made.

    Returns:
        Features, (N, C, 2H, 2W).

    Raises:
        ValueError: The number of channels is no multiple of 4, or ``band_order`` is neither name.
    """
    if bands.shape[1] % 4:
        raise ValueError(f'haar_iwt: the channels must be four bands each, found {bands.shape[1]} channels.')
    if _channels_last(bands):
        a, b, c, d = _butterfly(*rearrange(bands, f'n {_channels(band_order)} h w -> b n h w c', b=4))
        rows = torch.stack([a, b], 3), torch.stack([c, d], 3)
        return rearrange(torch.stack(rows, 2), 'n h y w x c -> n c (h y) (w x)')
    bands = rearrange(bands, f'n {_channels(band_order)} h w -> b n c h w', b=4)
    return rearrange(list(_butterfly(*bands)), '(y x) n c h w -> n c (h y) (w x)', y=2, x=2)


def _butterfly(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Half the 4x4 Hadamard matrix times (a, b, c, d): symmetric and orthogonal, hence its own inverse."""
    top_sum, bottom_sum, top_difference, bottom_difference = a + b, c + d, a - b, c - d
    return (
        (top_sum + bottom_sum) / 2,
        (top_sum - bottom_sum) / 2,
        (top_difference + bottom_difference) / 2,
        (top_difference - bottom_difference) / 2,
    )


def _channels_last(image: Tensor) -> bool:
    """Whether the channels are last in memory; what is made of such an image is so too, which spares copies."""
    return not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last)


def _channels(band_order: str) -> str:
    if band_order not in _CHANNELS:
        raise ValueError(f'band_order: expected one of {", ".join(_CHANNELS)}, found {band_order!r}.')
    return _CHANNELS[band_order]
