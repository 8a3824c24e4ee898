"""From a raw file of any camera to a picture by the network that is shipped; colour is arithmetic after it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rawtoolbox.inference.inferencer import Developed, read_frame
from rawtoolbox.models.developer_weights import DEFAULT, load_developer
from rawtoolbox.models.raw_developer import RawDeveloper
from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.ops.colour import apply_matrix, linear_to_srgb
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.noise import estimate_noise
from rawtoolbox.raw.camera_colour import camera_to_srgb_matrix
from rawtoolbox.raw.frame import RawFrame
from rawtoolbox.raw.white_balance import settle_white_balance

TILE = 1536  # sensor pixels
HALO = 80  # what a pixel sees, rounded up to the network's multiple of 8


class Developer:
    """Develops raw files of any camera, without a checkpoint.

    >>> Developer()('photo.dng').upright().shape  # doctest: +SKIP
    torch.Size([3, 3024, 4032])

    Args:
        weights: A published network that predicts camera RGB; the package's own by default.
        strength: Share of the noise that is removed, 0 to 1.
        tile: Side of a tile in sensor pixels, a multiple of 8; 0 for none.
        dtype: ``'bfloat16'`` or ``'float32'``; None for bfloat16 where the processor computes in it.
        progress: Whether to show progress on terminals.

    Raises:
        ValueError: An argument makes no sense.
    """

    def __init__(
        self,
        weights: str | Path = DEFAULT,
        strength: float = 1.0,
        tile: int = TILE,
        dtype: str | None = None,
        progress: bool = False,
    ) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f'strength: expected 0 to 1, found {strength}.')
        if tile < 0 or tile % 8:
            raise ValueError(f'tile: expected a multiple of 8, or 0 for none, found {tile}.')
        if dtype not in (None, 'bfloat16', 'float32'):
            raise ValueError(f"dtype: expected 'bfloat16' or 'float32', found {dtype!r}.")
        self.network = load_developer(weights)
        self.strength, self.tile, self.progress = strength, tile, progress
        half = torch.ops.mkldnn._is_mkldnn_bf16_supported() if dtype is None else dtype == 'bfloat16'
        self.dtype = torch.bfloat16 if half else torch.float32

    def __call__(self, source: str | Path | RawFrame | np.ndarray, **geometry: Any) -> Developed:
        """Develops one frame; arguments and errors as of :meth:`Inferencer.__call__`."""
        start = time.perf_counter()
        frame = read_frame(source, **geometry)
        reading = time.perf_counter() - start
        frame = settle_white_balance(frame)
        image = render_linear(self.camera_linear(frame), frame)
        seconds = {'reading': reading, 'network': time.perf_counter() - start - reading}
        return Developed(image, frame, frame.notices, seconds)

    def camera_linear(self, frame: RawFrame, noise: Tensor | None = None) -> Tensor:
        """Linear camera RGB without white balance, (3, H, W), black = 0, white = 1.

        Args:
            frame: The frame.
            noise: Variances of shot noise at white and of read noise, (1, 2); estimated from the frame if None.
        """
        mosaic = signed_mosaic(frame)
        noise = estimate_noise(mosaic) if noise is None else noise
        gains = torch.tensor([frame.white_balance])
        with torch.no_grad(), torch.autocast('cpu', self.dtype, enabled=self.dtype != torch.float32):
            image = develop_tiles(self.network, mosaic, gains, noise, self.tile)
            if self.strength < 1:
                removed = demosaic_bilinear(mosaic - bayer_mosaic(image[None]))[0]
                image += (1 - self.strength) * removed
        return image

    def describe(self) -> str:
        """How the network is run, for the log."""
        return f'DevelopUNet in {str(self.dtype).removeprefix("torch.")}'


def signed_mosaic(frame: RawFrame) -> Tensor:
    """(1, 1, H, W) float32: black = 0, white = 1 at most; noise below black stays negative."""
    height, width = frame.mosaic.shape
    black = np.tile(np.reshape(frame.black_level, (2, 2)).astype(np.float32), (height // 2, width // 2))
    mosaic = (frame.mosaic - black) / (np.float32(frame.white_level) - black)
    return torch.from_numpy(np.minimum(mosaic, 1))[None, None]


def develop_tiles(
    network: RawDeveloper, mosaic: Tensor, gains: Tensor, noise: Tensor, tile: int = TILE
) -> Tensor:
    """Develops a mosaic by tiles, each seeing all that its pixels depend on: no step at their borders.

    Args:
        network: What develops.
        mosaic: RGGB, (1, 1, H, W), H and W even.
        gains: White balance, (1, 3).
        noise: Variances, (1, 2).
        tile: Side of a tile, a multiple of 8; 0 for none.

    Returns:
        Linear camera RGB, (3, H, W).
    """
    height, width = mosaic.shape[-2:]
    # even and beyond the network's multiple of 8; reflection keeps the phase
    pad = [HALO, HALO + -width % 8, HALO, HALO + -height % 8]
    rows, columns = (_reflected(side, HALO, after) for side, after in ((height, pad[3]), (width, pad[1])))
    tile = tile or max(height + pad[3], width + pad[1])
    image = torch.empty(3, height, width)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            across = columns[left : left + _up(right - left) + 2 * HALO]
            part = mosaic[:, :, rows[top : top + _up(bottom - top) + 2 * HALO]][..., across]
            out = network({'mosaic': part, 'gains': gains, 'noise': noise})[0]
            image[:, top:bottom, left:right] = out[:, HALO : HALO + bottom - top, HALO : HALO + right - left]
    return image


def _up(length: int) -> int:
    return -(-length // 8) * 8


def _reflected(length: int, before: int, after: int) -> Tensor:
    """Indices of an axis that goes on mirrored about its first and last sample."""
    period = max(2 * (length - 1), 1)
    place = torch.arange(-before, length + after) % period
    return torch.where(place < length, place, period - place)


def render_linear(linear: Tensor, frame: RawFrame) -> Tensor:
    """sRGB in [0, 1] of linear camera RGB (3, H, W): white balance, the camera's matrix, the sRGB curve.

    What is saturated comes out white: the least gain is 1, and balanced values are clipped at 1.
    """
    gains = torch.tensor(frame.white_balance)
    rgb = (linear * (gains / gains.min())[:, None, None]).clamp(0, 1)[None]
    if frame.xyz_to_camera is not None:
        matrix = torch.from_numpy(camera_to_srgb_matrix(frame.xyz_to_camera))
        rgb = apply_matrix(rgb, matrix.float())
    return linear_to_srgb(rgb.clamp(0, 1))[0]
