"""One sensor frame in memory, whichever file it came from."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rawtoolbox.ops.bayer import parse_cfa, rephase_offset, rephase_to_rggb
from rawtoolbox.raw.dng_colour import ColourProfile
from rawtoolbox.raw.suspicions import suspicions

Gains = tuple[float, float, float]
UNSET = (1.0, 1.0, 1.0)
LARGEST_GAIN = 16.0  # daylight to candle light stays below 5; beyond this the numbers are no white balance


class RawFileError(ValueError):
    """A file that cannot be read as a Bayer mosaic; the message says what it is and what can be done."""


@dataclass(frozen=True)
class Exposure:
    """How the frame was taken; what the file does not say is None.

    Attributes:
        iso: Sensitivity.
        shutter: Exposure time, seconds.
        aperture: f-number.
        focal_length: Millimetres.
        taken: The camera's clock.
    """

    iso: float | None = None
    shutter: float | None = None
    aperture: float | None = None
    focal_length: float | None = None
    taken: datetime.datetime | None = None


class Levels(NamedTuple):
    """Black level of R, Gr, Gb, B, and the white level, in sensor values."""

    black: tuple[float, float, float, float]
    white: float


@dataclass(frozen=True, eq=False)
class RawFrame:
    """A mosaic in RGGB phase and what its file says about it.

    Attributes:
        mosaic: (H, W) uint16, the active area, H and W even; pixel (0, 0) is red.
        black_level: Of R, Gr, Gb, B, which is the row-major 2x2 of ``mosaic``; in sensor values.
        white_level: The saturated sensor value.
        cfa: The pattern of the file's active area, before it was re-phased.
        crop_offset: Row and column of the active area at which ``mosaic`` begins.
        as_shot_gains: What the camera (or its user) multiplied R, G, B with; G is 1. None if unset.
        daylight_gains: The same for daylight. None if unknown.
        xyz_to_camera: (3, 3) CIE XYZ to the camera's R, G, B, for daylight. None if unknown.
        profile: The same for several lights, where the file has them; it comes before ``xyz_to_camera``.
        orientation: How the picture has to be turned to be upright, in EXIF's counting, 1 to 8.
        camera: Make and model; empty if unknown.
        exposure: None if the file says nothing.
        path: Where it was read from. None for a frame made in memory.
        notices: Whatever a careful user should know, one sentence each.
    """

    mosaic: np.ndarray
    black_level: tuple[float, float, float, float]
    white_level: float
    cfa: str = 'RGGB'
    crop_offset: tuple[int, int] = (0, 0)
    as_shot_gains: Gains | None = None
    daylight_gains: Gains | None = None
    xyz_to_camera: np.ndarray | None = field(default=None, repr=False)
    profile: ColourProfile | None = field(default=None, repr=False)
    orientation: int = 1
    camera: str = ''
    exposure: Exposure | None = None
    path: Path | None = None
    notices: tuple[str, ...] = ()

    @property
    def white_balance(self) -> Gains:
        """The gains to use: as shot, else daylight, else ones (``white_balance_source`` says which)."""
        return self.as_shot_gains or self.daylight_gains or UNSET

    @property
    def white_balance_source(self) -> str:
        """``'as-shot'``, ``'daylight'`` or ``'none'``."""
        if self.as_shot_gains:
            return 'as-shot'
        return 'daylight' if self.daylight_gains else 'none'


def make_frame(
    mosaic: np.ndarray,
    cfa: str,
    black_level: float | tuple[float, ...],
    white_level: float,
    path: Path | None = None,
    notices: Sequence[str] = (),
    **metadata: object,
) -> RawFrame:
    """A frame from a mosaic in any Bayer phase: crops at most one row and column at each side.

    Args:
        mosaic: (H, W) uint16; copied.
        cfa: Its pattern from pixel (0, 0), such as ``'GRBG'``.
        black_level: One value, or those of R, Gr, Gb, B.
        white_level: The saturated value.
        path: The file.
        notices: What is known to be odd about the file; what is odd about the values is added.
        **metadata: Further fields of `RawFrame`.

    Raises:
        RawFileError: The mosaic is too small.
        ValueError: The levels do not fit, or ``cfa`` is no Bayer pattern.
    """
    levels = check_levels(black_level, white_level)
    rggb = rephase_to_rggb(mosaic, cfa)
    if min(rggb.shape) < 2:
        size = 'x'.join(map(str, mosaic.shape))
        raise RawFileError(f'{path or "mosaic"}: {size} pixels are too few for a pattern {cfa}.')
    # copied also where nothing is cropped: the array may be LibRaw's memory, gone when the file is closed
    mosaic = rggb.copy()
    return RawFrame(
        mosaic,
        *levels,
        cfa=parse_cfa(cfa),
        crop_offset=rephase_offset(cfa),
        path=path,
        notices=(*notices, *suspicions(mosaic, levels.black, levels.white)),
        **metadata,
    )


def check_levels(black_level: float | tuple[float, ...], white_level: float) -> Levels:
    """Four black levels from one or four, checked against the white level.

    Raises:
        ValueError: Not one or four finite values, negative ones, or the white level is not above them.
    """
    black = np.asarray(black_level, dtype=float).ravel()
    if black.size not in (1, 4) or not np.isfinite(black).all() or black.min() < 0:
        raise ValueError(f'black_level: expected one value or those of R, Gr, Gb, B, found {black_level}.')
    if not black.max() < white_level <= 65535:
        raise ValueError(
            f'white_level: expected a value above the black level {black.max():g} and up to 65535, found {white_level}.'
        )
    return Levels(tuple(map(float, np.broadcast_to(black, 4))), float(white_level))


def usable_gains(multipliers: list[float] | tuple[float, ...] | None) -> Gains | None:
    """White-balance gains with G = 1; None when the numbers are all equal, missing or no white balance.

    >>> usable_gains([2.0, 1.0, 1.5, 0.0])
    (2.0, 1.0, 1.5)
    >>> usable_gains([1.0, 1.0, 1.0, 1.0]) is None
    True
    """
    if multipliers is None:
        return None
    rgb = np.asarray(multipliers, dtype=float)[:3]
    if rgb.size < 3 or not np.isfinite(rgb).all() or rgb.min() <= 0:
        return None
    gains = rgb / rgb[1]
    if np.ptp(gains) < 1e-6 or gains.max() > LARGEST_GAIN or gains.min() < 1 / LARGEST_GAIN:
        return None
    return tuple(map(float, gains))


def levels_at_positions(values: tuple[float, ...], cfa: str) -> np.ndarray:
    """(2, 2): which of the values for R, Gr, Gb, B belongs to each position of a pattern.

    >>> levels_at_positions((1, 2, 3, 4), 'GRBG').tolist()
    [[2, 1], [4, 3]]
    """
    return np.roll(np.asarray(values).reshape(2, 2), rephase_offset(cfa), axis=(0, 1))


def levels_by_colour(positions: np.ndarray, cfa: str) -> tuple[float, ...]:
    """The inverse of `levels_at_positions`: a 2x2 of values in the order R, Gr, Gb, B."""
    top, left = rephase_offset(cfa)
    return tuple(map(float, np.roll(positions, (-top, -left), axis=(0, 1)).ravel()))
