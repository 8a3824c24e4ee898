"""A DNG's lists of corrections (opcodes): gains of lens shading as a map, and the names of what is not applied.

DNG specification 1.7.1, chapter 7. Numbers are big-endian, whatever the file is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

VIGNETTE, GAIN_MAP = 3, 9
NAMES = {1: 'WarpRectilinear', 2: 'WarpFisheye', 3: 'FixVignetteRadial', 4: 'FixBadPixelsConstant'}
NAMES |= {5: 'FixBadPixelsList', 6: 'TrimBounds', 7: 'MapTable', 8: 'MapPolynomial', 9: 'GainMap'}
NAMES |= {
    10: 'DeltaPerRow',
    11: 'DeltaPerColumn',
    12: 'ScalePerRow',
    13: 'ScalePerColumn',
    14: 'WarpRectilinear2',
}
MOST = 1000  # opcodes of a list; more are a damaged count


class Opcode(NamedTuple):
    """One correction: its number and its parameters as bytes."""

    number: int
    payload: bytes

    @property
    def name(self) -> str:
        return NAMES.get(self.number, f'opcode {self.number}')


def read_opcodes(data: bytes) -> list[Opcode]:
    """The corrections of a list; what is cut short is left out."""
    if len(data) < 4:
        return []
    found, at = [], 4
    for _ in range(min(struct.unpack_from('>I', data)[0], MOST)):
        if at + 16 > len(data):
            break
        number, _, _, size = struct.unpack_from('>4I', data, at)
        payload = data[at + 16 : at + 16 + size]
        if len(payload) < size:
            break
        found.append(Opcode(number, payload))
        at += 16 + size
    return found


def shading_gains(
    opcodes: Sequence[Opcode], size: tuple[int, int], colours: np.ndarray | None
) -> tuple[np.ndarray | None, list[str]]:
    """What the mosaic of an active area is to be multiplied with.

    Args:
        opcodes: Of OpcodeList2 or 3.
        size: Height and width of the active area.
        colours: (H, W) plane of each pixel, 0 to 2 for R, G and B: for a list that holds after demosaicking. None for
            one that holds for the mosaic, which is one plane.

    Returns:
        (H, W) gains, None if there are none; and the names of the opcodes that are not gains or are damaged.
    """
    gains, left = None, []
    for opcode in opcodes:
        try:
            field = _gains_of(opcode, size, colours)
        except (struct.error, ValueError):
            field = None
        if field is None:
            left.append(opcode.name)
        else:
            gains = field if gains is None else gains * field
    return gains, left


def _gains_of(opcode: Opcode, size: tuple[int, int], colours: np.ndarray | None) -> np.ndarray | None:
    if opcode.number == VIGNETTE:
        return _vignette(opcode.payload, size)
    return _gain_map(opcode.payload, size, colours) if opcode.number == GAIN_MAP else None


def _vignette(payload: bytes, size: tuple[int, int]) -> np.ndarray:
    """1 + k0 r^2 + ... + k4 r^10, with r = 1 at the corner that is farthest from the centre."""
    *terms, x, y = struct.unpack('>7d', payload[:56])
    (height, width) = size
    rows, columns = np.arange(height) + 0.5 - y * height, np.arange(width) + 0.5 - x * width
    farthest = max(y, 1 - y) ** 2 * height**2 + max(x, 1 - x) ** 2 * width**2
    squared = (rows[:, None] ** 2 + columns**2) / farthest
    return _usable(1 + squared * np.polynomial.polynomial.polyval(squared, terms))


def _gain_map(payload: bytes, size: tuple[int, int], colours: np.ndarray | None) -> np.ndarray:
    """Bilinear between points that are given in fractions of the image; 1 outside the map's rectangle."""
    top, left, bottom, right, plane, planes, row_step, column_step, down, across = struct.unpack_from(
        '>10I', payload
    )
    spacing, origin = struct.unpack_from('>2d', payload, 40), struct.unpack_from('>2d', payload, 56)
    (layers,) = struct.unpack_from('>I', payload, 72)
    if not (row_step and column_step and planes and layers and down and across):
        raise ValueError('a map without points')
    points = np.frombuffer(payload, '>f4', down * across * layers, 76).reshape(down, across, layers)
    part = slice(top, min(bottom, size[0]), row_step), slice(left, min(right, size[1]), column_step)
    gains = np.ones(size)
    numbers = [np.arange(side)[axis] for side, axis in zip(size, part, strict=True)]
    for layer in range(layers if colours is not None else 1):
        field = _between(points[..., layer].astype(float), numbers, size, spacing, origin)
        if colours is None:
            gains[part] = field
            continue
        # the last layer holds for all further planes
        last = planes if layer == layers - 1 else layer + 1
        wanted = (colours[part] >= plane + layer) & (colours[part] < plane + last)
        gains[part] = np.where(wanted, field, gains[part])
    return _usable(gains)


def _between(
    points: np.ndarray,
    numbers: list[np.ndarray],
    size: tuple[int, int],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
) -> np.ndarray:
    """Points interpolated at pixel centres; beyond the outermost point, its value."""
    for axis in (0, 1):
        count = points.shape[axis]
        place = (numbers[axis] + 0.5) / size[axis] - origin[axis]
        place = np.clip(place / spacing[axis], 0, count - 1) if spacing[axis] and count > 1 else 0 * place
        low = np.minimum(place.astype(int), max(count - 2, 0))
        high, share = np.minimum(low + 1, count - 1), place - low
        share = share[:, None] if axis == 0 else share
        points = (1 - share) * points.take(low, axis) + share * points.take(high, axis)
    return points


def _usable(gains: np.ndarray) -> np.ndarray:
    if not np.isfinite(gains).all() or gains.min() <= 0:
        raise ValueError('gains that are no positive numbers')
    return gains
