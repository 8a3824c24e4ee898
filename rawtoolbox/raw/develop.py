"""A plain development of a frame, without any network: for previews, matching, comparisons and tests."""

from __future__ import annotations

import cv2
import numpy as np
import rawpy
import torch
from torch import Tensor

from rawtoolbox.ops.colour import apply_matrix, linear_to_srgb
from rawtoolbox.ops.constants import constant
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.raw.colour_spaces import xyz_to_rgb
from rawtoolbox.raw.frame import Gains, RawFrame
from rawtoolbox.raw.render import frame_colour
from rawtoolbox.raw.signature import describe_content, may_be_camera_file

WHITE_SHARE = 99.5  # percentile of the developed raw that is shown as white
BRIGHTEST = 8.0  # factor by which a dark raw is brightened at most


# by EXIF orientation; from 5 on, rows and columns are exchanged afterwards
FLIPPED_AXES = {1: (), 2: (-1,), 3: (-2, -1), 4: (-2,), 5: (), 6: (-2,), 7: (-2, -1), 8: (-1,)}


def linear_mosaic(frame: RawFrame) -> Tensor:
    """(1, 1, H, W) float32 in [0, 1]: the mosaic with the black level removed and white at 1."""
    mosaic = torch.from_numpy(frame.mosaic.astype('float32'))[None, None]
    return normalize_levels(mosaic, frame.black_level, frame.white_level, clip=True)


def develop(frame: RawFrame, gains: Gains | None = None) -> Tensor:
    """Levels, white balance, bilinear demosaicking, the camera's colours in the light of the scene, the sRGB curve.

    A frame without a colour matrix keeps the colours of its sensor.

    Args:
        frame: The frame.
        gains: White balance of R, G, B; the frame's own if None.

    Returns:
        (3, H, W) float32 in [0, 1], in the sensor's orientation (see `turn_upright`).

    Raises:
        ValueError: The gains are not positive, or the colour matrix is unusable.
    """
    colour = frame_colour(frame, gains)
    # The least gain is 1, and all is clipped there: any else, and a saturated pixel would not be white.
    balance = constant(colour.balance, torch.empty(0))[:, None, None]
    rgb = (demosaic_bilinear(linear_mosaic(frame)) * balance).clamp(max=1)
    rgb = apply_matrix(rgb, torch.from_numpy(xyz_to_rgb('srgb') @ colour.to_xyz))
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


def plain_rendering(frame: RawFrame) -> tuple[Tensor, str]:
    """What LibRaw makes of a camera file with the frame's white balance, and what to call it.

    A mosaic that LibRaw does not know is developed by `develop`.

    Returns:
        (3, H, W) in [0, 1], at the frame's size and in the sensor's orientation; and a caption.
    """
    if frame.path is None or not may_be_camera_file(describe_content(frame.path)):
        return develop(frame), 'plain development'
    try:
        with rawpy.imread(str(frame.path)) as raw:
            gains = [*frame.white_balance, frame.white_balance[1]]
            pixels = raw.postprocess(user_wb=gains, user_flip=0, no_auto_bright=False)
    except (rawpy.LibRawError, rawpy.NotSupportedError):
        return develop(frame), 'plain development'
    (top, left), (height, width) = frame.crop_offset, frame.mosaic.shape
    pixels = pixels[top : top + height, left : left + width]
    if pixels.shape[:2] != (height, width):  # pixels that are not square, or a sensor turned by 45 degrees
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255, 'LibRaw'


def render(frame: RawFrame) -> np.ndarray:
    """Develops a frame for the eye and for matching: white balance, the camera's colours, brightened if dark.

    Returns:
        (H, W, 3) uint8, RGB, in the sensor's orientation.
    """
    image = develop(frame).permute(1, 2, 0).numpy()
    white = max(float(np.percentile(image[::4, ::4], WHITE_SHARE)), 1 / BRIGHTEST)
    return np.clip(np.rint(image * (255 / white)), 0, 255).astype(np.uint8)


def relevel(frame: RawFrame, black_level: tuple[float, ...], white_level: float) -> np.ndarray:
    """A frame's mosaic with other levels: one data set has one black and one white level.

    Args:
        frame: The frame.
        black_level: Wanted, of R, Gr, Gb, B.
        white_level: Wanted.

    Returns:
        (H, W) uint16; the mosaic itself if it has these levels.
    """
    if frame.black_level == tuple(black_level) and frame.white_level == white_level:
        return frame.mosaic
    height, width = frame.mosaic.shape
    black, wanted = (
        np.tile(np.reshape(levels, (2, 2)), (height // 2, width // 2))
        for levels in (frame.black_level, black_level)
    )
    light = (frame.mosaic - black) / (frame.white_level - black)
    return np.clip(np.rint(wanted + light * (white_level - wanted)), 0, 65535).astype(np.uint16)
