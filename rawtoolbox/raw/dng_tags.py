"""The colour tags of a DNG as a `ColourProfile`."""

from __future__ import annotations

import numpy as np
import tifffile

from rawtoolbox.raw.dng_colour import ColourProfile, Illuminant
from rawtoolbox.raw.white_point import D50, D65, Chromaticity, xy_to_temperature, xy_to_xyz

# of the first, second and third illuminant
COLOR_MATRIX, FORWARD_MATRIX = (50721, 50722, 52531), (50964, 50965, 52532)
CALIBRATION, ILLUMINANT = (50723, 50724, 52530), (50778, 50779, 52529)
ANALOG_BALANCE, WHITE_XY, CAMERA_SIGNATURE, PROFILE_SIGNATURE = 50727, 50729, 50931, 50932

# Kelvin of EXIF's light sources (LightSource, EXIF 2.32)
KELVIN = {1: 5500, 2: 4200, 3: 2856, 4: 5500, 9: 5500, 10: 6500, 11: 7500, 12: 6400, 13: 5000, 14: 4200}
KELVIN |= {15: 3450, 17: 2856, 18: 4874, 19: 6774, 20: 5503, 21: 6504, 22: 7504, 23: 5003, 24: 3200}
OFF_WHITE = 0.1  # of XYZ: a forward matrix must bring white to D50


def read_profile(page: tifffile.TiffPage) -> ColourProfile | None:
    """The camera's colours as the first image of a DNG tells them; None without a usable matrix."""
    found = [_illuminant(page, index) for index in range(3)]
    lights = [light for light in found if light is not None]
    known = [light for light in lights if light.kelvin > 0]
    if not lights:
        return None
    # of lights that are not named, one may be taken at most
    lights = known or lights[:1]
    balance = rationals(page, ANALOG_BALANCE)
    red, green, blue = (
        balance if balance is not None and balance.size == 3 and balance.min() > 0 else (1, 1, 1)
    )
    try:
        return ColourProfile(tuple(lights), (float(red), float(green), float(blue)))
    except ValueError:
        return None


def read_white_xy(page: tifffile.TiffPage) -> Chromaticity | None:
    """AsShotWhiteXY; None where it is absent or no chromaticity."""
    xy = rationals(page, WHITE_XY)
    if xy is None or xy.shape != (2,) or xy.min() <= 0 or xy.sum() >= 1:
        return None
    return float(xy[0]), float(xy[1])


def daylight_matrix(profile: ColourProfile) -> np.ndarray:
    """(3, 3) XYZ to camera for the illuminant nearest to daylight."""
    light = min(profile.illuminants, key=lambda light: abs(light.kelvin - xy_to_temperature(D65)[0]))
    matrix: np.ndarray = np.diag(profile.analog_balance) @ light.calibration @ light.color_matrix
    return matrix


def rationals(page: tifffile.TiffPage, tag: int) -> np.ndarray | None:
    """The numbers of a RATIONAL tag; None if it is absent, of another type or some denominator is zero."""
    value = page.tags[tag].value if tag in page.tags else None
    try:
        pairs = np.asarray(value, dtype=float).reshape(-1, 2)
    except (TypeError, ValueError):
        return None
    numbers: np.ndarray = pairs[:, 0] / np.where(pairs[:, 1] == 0, np.nan, pairs[:, 1])
    return numbers if np.isfinite(numbers).all() else None


def numbers_of(page: tifffile.TiffPage, tag: int) -> np.ndarray | None:
    """The numbers of a tag, whole or fractions; None if it is absent or holds anything else."""
    if tag not in page.tags:
        return None
    if page.tags[tag].dtype in (tifffile.DATATYPE.RATIONAL, tifffile.DATATYPE.SRATIONAL):
        return rationals(page, tag)
    try:
        numbers = np.atleast_1d(np.asarray(page.tags[tag].value, dtype=float))
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _illuminant(page: tifffile.TiffPage, index: int) -> Illuminant | None:
    matrix = _matrix(page, COLOR_MATRIX[index])
    if matrix is None:
        return None
    source = page.tags[ILLUMINANT[index]].value if ILLUMINANT[index] in page.tags else 0
    forward, calibration = _matrix(page, FORWARD_MATRIX[index]), _matrix(page, CALIBRATION[index])
    if forward is not None and np.abs(forward.sum(axis=1) - xy_to_xyz(D50)).max() > OFF_WHITE:
        forward = None
    # a calibration holds for profiles of the same signature only (DNG 1.7.1, CameraCalibrationSignature)
    if calibration is None or _text(page, CAMERA_SIGNATURE) != _text(page, PROFILE_SIGNATURE):
        calibration = np.eye(3)
    kelvin = float(KELVIN.get(source, 0)) if isinstance(source, int) else 0.0
    return Illuminant(kelvin, matrix, forward, calibration)


def _matrix(page: tifffile.TiffPage, tag: int) -> np.ndarray | None:
    numbers = rationals(page, tag)
    return numbers.reshape(3, 3) if numbers is not None and numbers.size == 9 else None


def _text(page: tifffile.TiffPage, tag: int) -> str:
    value = page.tags[tag].value if tag in page.tags else ''
    return (value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)).strip('\0')
