"""A plain development of a frame, without any network: for previews, comparisons and tests."""

from __future__ import annotations

import torch
from torch import Tensor

from rawtoolbox.ops.colour import apply_matrix, linear_to_srgb
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.raw.camera_colour import adaptation_matrix, camera_to_srgb_matrix
from rawtoolbox.raw.frame import Gains, RawFrame

# by EXIF orientation; from 5 on, rows and columns are exchanged afterwards
FLIPPED_AXES = {1: (), 2: (-1,), 3: (-2, -1), 4: (-2,), 5: (), 6: (-2,), 7: (-2, -1), 8: (-1,)}

__all__ = ['adaptation_matrix', 'camera_to_srgb_matrix', 'develop', 'linear_mosaic', 'turn_upright']


def linear_mosaic(frame: RawFrame) -> Tensor:
    """(1, 1, H, W) float32 in [0, 1]: the mosaic with the black level removed and white at 1."""
    mosaic = torch.from_numpy(frame.mosaic.astype('float32'))[None, None]
    return normalize_levels(mosaic, frame.black_level, frame.white_level, clip=True)


def develop(frame: RawFrame, gains: Gains | None = None) -> Tensor:
    """Levels, white balance, bilinear demosaicking, the camera's colour matrix, the sRGB curve.

    A frame without a colour matrix keeps the colours of its sensor.

    Args:
        frame: The frame.
        gains: White balance of R, G, B; the frame's own if None.

    Returns:
        (3, H, W) float32 in [0, 1], in the sensor's orientation (see `turn_upright`).

    Raises:
        ValueError: The gains are not positive, or the colour matrix is unusable.
    """
    gains = torch.tensor(gains or frame.white_balance)
    if gains.shape != (3,) or not (gains > 0).all():
        raise ValueError(f'gains: expected three positive numbers for R, G, B, found {gains.tolist()}.')
    # The least gain is 1: any less and a saturated pixel would not be white.
    rgb = demosaic_bilinear(linear_mosaic(frame)) * (gains / gains.min())[:, None, None]
    rgb = rgb.clamp(max=1)
    if frame.xyz_to_camera is not None:
        rgb = apply_matrix(rgb, torch.from_numpy(camera_to_srgb_matrix(frame.xyz_to_camera)))
    return linear_to_srgb(rgb.clamp(0, 1))[0]


def turn_upright(image: Tensor, orientation: int) -> Tensor:
    """Turns an image (..., H, W) as EXIF's orientation, 1 to 8, says.

    Raises:
        ValueError: No such orientation.
    """
    if orientation not in FLIPPED_AXES:
        raise ValueError(f'orientation: expected 1 to 8, found {orientation}.')
    image = image.flip(FLIPPED_AXES[orientation])
    return image.mT if orientation >= 5 else image
