"""Writes a mosaic as a DNG that LibRaw, and so most raw developers, open."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import tifffile

from rawtoolbox.files.atomic import atomic_path
from rawtoolbox.ops.bayer import parse_cfa
from rawtoolbox.raw.dng_colour import ColourProfile
from rawtoolbox.raw.dng_tags import (
    ANALOG_BALANCE,
    CALIBRATION,
    COLOR_MATRIX,
    FORWARD_MATRIX,
    ILLUMINANT,
    KELVIN,
)
from rawtoolbox.raw.frame import Exposure, check_levels, levels_at_positions
from rawtoolbox.raw.metadata import CFA

SMALLEST = 22  # rows and columns; LibRaw takes less for no raw file
D65 = 21  # EXIF's LightSource
BYTE, TEXT, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10  # TIFF's types
# A denominator up to which levels (65535 and below) fit a TIFF rational; it holds all the usual fractions.
DENOMINATOR = 65535

Tag = tuple[int, int, int, object, bool]


def write_dng(
    path: str | Path,
    mosaic: np.ndarray,
    cfa: str,
    black_level: float | tuple[float, ...] = 0,
    white_level: float = 65535,
    as_shot_neutral: Sequence[float] | None = None,
    color_matrix: np.ndarray | None = None,
    orientation: int = 1,
    active_area: tuple[int, int, int, int] | None = None,
    make: str = 'rawtoolbox',
    model: str = 'mosaic',
    exposure: Exposure | None = None,
    profile: ColourProfile | None = None,
) -> Path:
    """Writes an uncompressed DNG 1.4 of 16 bits; a finished file appears under ``path``, or none.

    `RawFrame`'s fields fit: ``write_dng(path, frame.mosaic, 'RGGB', frame.black_level, frame.white_level,
    1 / np.array(frame.white_balance), frame.xyz_to_camera)``.

    Args:
        path: Where; an existing file is replaced.
        mosaic: (H, W) uint16, at least 22x22.
        cfa: Its pattern from pixel (0, 0), such as ``'GRBG'``.
        black_level: One, or those of R, Gr, Gb, B, in sensor values.
        white_level: The saturated sensor value; it is written rounded.
        as_shot_neutral: Raw R, G, B of a grey object, which is one over the white-balance gains.
        color_matrix: (3, 3) CIE XYZ to camera, for daylight (D65).
        orientation: EXIF's, 1 to 8.
        active_area: Top, left, bottom and right of the part that is picture; the rest is masked pixels.
        make: Maker of the camera.
        model: Its model.
        exposure: How the frame was taken.
        profile: Matrices of one light or more, in place of ``color_matrix``.

    Returns:
        The path.

    Raises:
        ValueError: An argument does not fit the format.
    """
    path, cfa = Path(path), parse_cfa(cfa)
    levels = check_levels(black_level, white_level)
    area = _check_area(mosaic, active_area)
    if orientation not in range(1, 9):
        raise ValueError(f'orientation: expected 1 to 8, found {orientation}.')
    # a DNG counts the pattern and the black levels from the corner of the active area
    cfa = _pattern_at(cfa, area[0], area[1])
    tags = [
        (271, TEXT, 0, make, True),  # Make
        (272, TEXT, 0, model, True),  # Model
        (274, SHORT, 1, orientation, True),  # Orientation
        (33421, SHORT, 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, BYTE, 4, bytes('RGB'.index(colour) for colour in cfa), True),  # CFAPattern
        (50706, BYTE, 4, bytes((1, 4, 0, 0)), True),  # DNGVersion
        (50707, BYTE, 4, bytes((1, 1, 0, 0)), True),  # DNGBackwardVersion
        (50708, TEXT, 0, f'{make} {model}', True),  # UniqueCameraModel
        (50710, BYTE, 3, bytes((0, 1, 2)), True),  # CFAPlaneColor
        (50711, SHORT, 1, 1, True),  # CFALayout: rectangular
        (50713, SHORT, 2, (2, 2), True),  # BlackLevelRepeatDim
        _rational(50714, levels_at_positions(levels.black, cfa)),  # BlackLevel
        (50717, LONG, 1, round(levels.white), True),  # WhiteLevel
        (50829, LONG, 4, area, True),  # ActiveArea
        *(_profile_tags(profile) if profile else _matrix_tags(color_matrix)),
        *_neutral_tags(as_shot_neutral),
        *_exposure_tags(exposure or Exposure()),
    ]
    _write(path, mosaic, tags)
    return path


def _write(path: Path, mosaic: np.ndarray, tags: list[Tag]) -> None:
    """Writes the mosaic and its tags."""
    with atomic_path(path) as unfinished:
        tifffile.imwrite(
            unfinished,
            mosaic,
            byteorder='<',
            photometric=CFA,
            rowsperstrip=mosaic.shape[0],
            metadata=None,
            subfiletype=0,
            software=False,
            extratags=tags,
        )


def _check_area(mosaic: np.ndarray, area: tuple[int, int, int, int] | None) -> tuple[int, int, int, int]:
    if mosaic.ndim != 2 or mosaic.dtype != np.uint16 or min(mosaic.shape) < SMALLEST:
        raise ValueError(
            f'mosaic: expected (H, W) uint16, at least {SMALLEST}x{SMALLEST}, found {mosaic.shape} {mosaic.dtype}.'
        )
    height, width = mosaic.shape
    top, left, bottom, right = area or (0, 0, height, width)
    fits = top >= 0 and left >= 0 and bottom <= height and right <= width
    if not fits or min(bottom - top, right - left) < SMALLEST:
        raise ValueError(
            f'active_area: expected (top, left, bottom, right) within {height}x{width}, at least {SMALLEST}x{SMALLEST} '
            f'pixels, found {area}.'
        )
    return top, left, bottom, right


def _pattern_at(cfa: str, row: int, column: int) -> str:
    """The pattern as it reads from another pixel.

    >>> _pattern_at('RGGB', 0, 1)
    'GRBG'
    """
    tile = np.array(list(cfa)).reshape(2, 2)
    return ''.join(np.roll(tile, (-row, -column), axis=(0, 1)).ravel())


def _matrix_tags(color_matrix: np.ndarray | None) -> list[Tag]:
    tags: list[Tag] = []
    if color_matrix is not None:
        matrix = np.asarray(color_matrix, dtype=float)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise ValueError(f'color_matrix: expected 3x3 finite numbers, found {matrix.tolist()}.')
        tags += [
            _rational(50721, matrix, SRATIONAL),
            (50778, SHORT, 1, D65, True),
        ]  # ColorMatrix1, its illuminant
    return tags


def _profile_tags(profile: ColourProfile) -> list[Tag]:
    tags: list[Tag] = [_rational(ANALOG_BALANCE, profile.analog_balance)]
    for index, light in enumerate(profile.illuminants):
        # the light source of the nearest temperature; a temperature of 0 is an unknown light
        source = min(KELVIN, key=lambda code: abs(KELVIN[code] - light.kelvin)) if light.kelvin else 0
        tags += [
            _rational(COLOR_MATRIX[index], light.color_matrix, SRATIONAL),
            _rational(CALIBRATION[index], light.calibration, SRATIONAL),
            (ILLUMINANT[index], SHORT, 1, source, True),
        ]
        if light.forward_matrix is not None:
            tags.append(_rational(FORWARD_MATRIX[index], light.forward_matrix, SRATIONAL))
    return tags


def _neutral_tags(as_shot_neutral: Sequence[float] | None) -> list[Tag]:
    tags: list[Tag] = []
    if as_shot_neutral is not None:
        neutral = np.asarray(as_shot_neutral, dtype=float)
        if neutral.shape != (3,) or not np.isfinite(neutral).all() or neutral.min() <= 0:
            raise ValueError(f'as_shot_neutral: expected three positive numbers, found {as_shot_neutral}.')
        tags.append(_rational(50728, neutral))  # AsShotNeutral
    return tags


def _exposure_tags(exposure: Exposure) -> list[Tag]:
    tags = [
        _rational(tag, [value])
        for tag, value in (
            (33434, exposure.shutter),
            (33437, exposure.aperture),
            (37386, exposure.focal_length),
        )
        if value is not None
    ]
    if exposure.iso is not None:
        tags.append((34855, SHORT, 1, min(round(exposure.iso), 65535), True))
    if exposure.taken is not None:
        tags.append((306, TEXT, 0, exposure.taken.strftime('%Y:%m:%d %H:%M:%S'), True))
    return tags


def _rational(tag: int, values: Sequence[float] | np.ndarray, kind: int = RATIONAL) -> Tag:
    """A tag of fractions: the nearest ones that fit."""
    fractions = [Fraction(float(value)).limit_denominator(DENOMINATOR) for value in np.ravel(values)]
    return tag, kind, len(fractions), [n for part in fractions for n in part.as_integer_ratio()], True
