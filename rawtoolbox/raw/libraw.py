"""What rawpy tells of an open file, as the fields of a `RawFrame`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import rawpy

from rawtoolbox.raw.camera_colour import daylight_gains, srgb_to_camera_matrix
from rawtoolbox.raw.dng_colour import xy_to_neutral
from rawtoolbox.raw.dng_tags import daylight_matrix
from rawtoolbox.raw.frame import Exposure, RawFileError, levels_by_colour, usable_gains
from rawtoolbox.raw.metadata import LINEAR_RAW, FileTags, camera_of_jpeg

BAYER = ('RGGB', 'GRBG', 'GBRG', 'BGGR')


def bayer_pattern(raw: rawpy.RawPy, path: Path, kind: str, tags: FileTags) -> str:
    """The pattern's letters from pixel (0, 0) of the active area.

    Raises:
        RawFileError: The file holds no 2x2 Bayer mosaic; the message says what it holds.
    """
    if raw.raw_type != rawpy.RawType.Flat or raw.raw_image.ndim != 2:
        raise RawFileError(f'{path}: {_demosaicked(kind, tags)}')
    rows, columns = _period(raw, tags)
    # a monochrome sensor's colour number is beyond its letters
    letters = dict(enumerate(raw.color_desc.decode('ascii', 'replace')))
    cfa = ''.join(letters.get(index, '?') for index in _visible_colours(raw).flat)
    if (rows, columns) == (2, 2) and cfa in BAYER:
        return cfa
    raise RawFileError(f'{path}: {_other_pattern(rows, columns, cfa)}')


def _visible_colours(raw: rawpy.RawPy) -> np.ndarray:
    """(2, 2) LibRaw's colour numbers at the corner of the active area; 3 is the second green."""
    top, left = raw.sizes.top_margin, raw.sizes.left_margin
    return np.array([[raw.raw_color(top + y, left + x) for x in (0, 1)] for y in (0, 1)])


def _period(raw: rawpy.RawPy, tags: FileTags) -> tuple[int, int]:
    """Rows and columns after which the pattern repeats; LibRaw sees the corner of a quad-Bayer tile only."""
    try:
        shape = raw.raw_pattern.shape
    except NotImplementedError:  # rawpy's answer to patterns that it does not know
        return 0, 0
    return tags.cfa_repeat if tags.is_dng and tags.cfa_repeat and shape == (2, 2) else shape


def _other_pattern(rows: int, columns: int, cfa: str) -> str:
    """What a mosaic without a 2x2 Bayer pattern is, and what can be done."""
    if (rows, columns) == (1, 1):
        return 'a monochrome sensor: there is no colour to develop.'
    if (rows, columns) == (6, 6):
        return (
            'an X-Trans sensor (6x6 pattern): the networks take Bayer mosaics only. Use a camera with a Bayer '
            'sensor, or another developer.'
        )
    if (rows, columns) == (4, 4) or len(set(cfa)) == 2:
        return (
            'a quad-Bayer sensor (4x4 pattern): bin the file 2x2 first, or use the binned mode of the camera.'
        )
    return f'expected a 2x2 Bayer pattern of R, G, G, B, found {rows}x{columns} beginning with {cfa}.'


def _demosaicked(kind: str, tags: FileTags) -> str:
    """Why there is no mosaic in a camera file."""
    if kind == 'Sigma X3F':
        return 'a Foveon sensor measures three colours at every pixel: there is no Bayer mosaic to develop.'
    if tags.is_dng or tags.photometric == LINEAR_RAW:
        return (
            f'a linear DNG ({tags.samples} values a pixel): it is demosaicked already, as Apple ProRAW and the output '
            'of denoisers are. Use the original raw file.'
        )
    return 'it is demosaicked already (a small or medium raw, or a merged one). Shoot full-size raw.'


def black_level(raw: rawpy.RawPy, cfa: str, tags: FileTags) -> tuple[float, ...]:
    """Black levels of R, Gr, Gb, B."""
    told = tags.corrections.black if tags.corrections else None
    if told is not None and max(told.shape) <= 2 and not tags.corrections.varies:
        # LibRaw cuts fractions off
        at = active_offset(raw, tags)
        return levels_by_colour(tags.corrections.black_map(*at, 2, 2), cfa)
    positions = np.asarray(raw.black_level_per_channel)[_visible_colours(raw)]
    if tags.is_dng and tags.active_area:
        # A DNG counts black levels from its active area. LibRaw moves an odd margin to the next even one,
        # and the pattern with it, but not the black levels.
        moved = (tags.active_area[0] - raw.sizes.top_margin, tags.active_area[1] - raw.sizes.left_margin)
        positions = np.roll(positions, moved, axis=(0, 1))
    return levels_by_colour(positions, cfa)


def active_offset(raw: rawpy.RawPy, tags: FileTags) -> tuple[int, int]:
    """Row and column of a DNG's active area at which LibRaw's picture begins: 0 or 1."""
    top, left = tags.active_area or (raw.sizes.top_margin, raw.sizes.left_margin)
    return max(raw.sizes.top_margin - top, 0), max(raw.sizes.left_margin - left, 0)


def colour_information(raw: rawpy.RawPy, tags: FileTags) -> dict[str, object]:
    """The fields ``as_shot_gains``, ``daylight_gains``, ``xyz_to_camera`` and ``profile`` of a frame."""
    of_file = daylight_matrix(tags.profile) if tags.profile else None
    matrix = _usable_matrix(of_file, raw.rgb_xyz_matrix[:3])
    profile = tags.profile if matrix is not None and np.array_equal(matrix, of_file) else None
    daylight = usable_gains(raw.daylight_whitebalance)
    if daylight is None and matrix is not None:
        daylight = usable_gains(daylight_gains(matrix))
    as_shot = usable_gains(raw.camera_whitebalance)
    if as_shot is None and profile and tags.white_xy:
        with contextlib.suppress(ValueError):  # a light that the camera cannot see
            as_shot = usable_gains((1 / xy_to_neutral(profile, tags.white_xy)).tolist())
    return {'as_shot_gains': as_shot, 'daylight_gains': daylight, 'xyz_to_camera': matrix, 'profile': profile}


def _usable_matrix(*candidates: np.ndarray | None) -> np.ndarray | None:
    """The first that is a colour matrix: a DNG's own comes before LibRaw's table."""
    for matrix in candidates:
        if matrix is None:
            continue
        try:
            srgb_to_camera_matrix(matrix)
        except ValueError:
            continue
        return np.array(matrix, dtype=float)
    return None


def exposure(raw: rawpy.RawPy, tags: FileTags) -> Exposure | None:
    """How the frame was taken; None if the file does not say."""
    try:
        other = raw.other
    except (ValueError, OverflowError, OSError):  # a date beyond Python's
        return None
    numbers = (other.iso_speed or tags.iso, other.shutter_speed, other.aperture, other.focal_length)
    known = [float(number) if number and np.isfinite(number) and number > 0 else None for number in numbers]
    taken = other.timestamp if other.timestamp.timestamp() > 0 else None  # LibRaw's zero is 'unknown'
    return Exposure(*known, taken=taken) if any(known) or taken else None


def camera_of_preview(raw: rawpy.RawPy) -> str:
    """Make and model from the preview picture: rawpy does not tell LibRaw's own knowledge of them."""
    try:
        preview = raw.extract_thumb()
    except (rawpy.LibRawError, rawpy.NotSupportedError):
        return ''
    return camera_of_jpeg(preview.data) if preview.format == rawpy.ThumbFormat.JPEG else ''
