"""What a DNG says of its levels beyond one 2x2 of black levels, and its gains of lens shading, put into the mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tifffile

from rawtoolbox.raw.dng_tags import numbers_of
from rawtoolbox.raw.frame import Levels, levels_at_positions
from rawtoolbox.raw.opcodes import read_opcodes, shading_gains

BLACK_REPEAT, BLACK_LEVEL, DELTA_COLUMNS, DELTA_ROWS = 50713, 50714, 50715, 50716
OPCODE_LISTS = (51008, 51009, 51022)
UNSIGNED = 1  # SampleFormat
# of a corrected mosaic: noise below black is kept, and the steps stay finer than those of 14 bits
CORRECTED = Levels((4096.0,) * 4, 65535.0)


@dataclass(frozen=True, eq=False)
class Corrections:
    """What the tags of a DNG ask for.

    Attributes:
        black: (rows, columns) levels that repeat from the corner of the active area; None if not told.
        columns: Added to each column's black level; empty if none.
        rows: Added to each row's.
        opcodes: OpcodeList1, 2 and 3.
    """

    black: np.ndarray | None
    columns: np.ndarray
    rows: np.ndarray
    opcodes: tuple[bytes, bytes, bytes]

    @property
    def varies(self) -> bool:
        """Whether the black level is more than a 2x2 of values."""
        large = self.black is not None and max(self.black.shape) > 2
        return large or bool(self.columns.size or self.rows.size)

    def black_map(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """(height, width) black levels from a pixel of the active area."""
        rows, columns = np.arange(top, top + height), np.arange(left, left + width)
        black = np.zeros((1, 1)) if self.black is None else self.black
        levels: np.ndarray = black[np.ix_(rows % black.shape[0], columns % black.shape[1])]
        for deltas, places, axis in ((self.rows, rows, 0), (self.columns, columns, 1)):
            if deltas.size:
                # a list that is too short goes on with its last value
                levels = levels + np.expand_dims(deltas[np.clip(places, 0, deltas.size - 1)], 1 - axis)
        return levels


class Corrected(NamedTuple):
    """A mosaic, its levels, and what is to be said."""

    mosaic: np.ndarray
    levels: Levels
    notices: tuple[str, ...]


def read_corrections(image: tifffile.TiffPage) -> Corrections:
    """Reads the tags of the raw image; those of another type count as absent."""
    # LibRaw scales floating-point values, and their levels with them
    unsigned = image.sampleformat == UNSIGNED
    black, repeat = numbers_of(image, BLACK_LEVEL), numbers_of(image, BLACK_REPEAT)
    shape = (1, 1) if repeat is None or repeat.size != 2 else (int(repeat[0]), int(repeat[1]))
    fits = unsigned and black is not None and black.size == shape[0] * shape[1]
    lists = [image.tags[tag].value if tag in image.tags else b'' for tag in OPCODE_LISTS]
    first, second, third = (value if isinstance(value, bytes) else b'' for value in lists)
    return Corrections(
        black.reshape(shape) if fits and black is not None else None,
        _deltas(image, DELTA_COLUMNS) if unsigned else np.empty(0),
        _deltas(image, DELTA_ROWS) if unsigned else np.empty(0),
        (first, second, third),
    )


def _deltas(image: tifffile.TiffPage, tag: int) -> np.ndarray:
    """Empty where there are none but zeros."""
    numbers = numbers_of(image, tag)
    return np.empty(0) if numbers is None or not numbers.any() else numbers


def correct(
    mosaic: np.ndarray, levels: Levels, cfa: str, corrections: Corrections, offset: tuple[int, int]
) -> Corrected:
    """Applies what varies over the picture: black levels and lens shading.

    Args:
        mosaic: (H, W) uint16.
        levels: Those of the reader, black in the order R, Gr, Gb, B.
        cfa: The pattern of the mosaic.
        corrections: Of the file.
        offset: Row and column of the active area at which the mosaic begins.

    Returns:
        The mosaic itself where nothing is to be done.
    """
    gains, notices = _gains(mosaic.shape, cfa, corrections, offset)
    if gains is None and not corrections.varies:
        return Corrected(mosaic, levels, notices)
    height, width = mosaic.shape
    if corrections.varies:
        black = corrections.black_map(*offset, height, width)
    else:
        black = np.tile(levels_at_positions(levels.black, cfa), ((height + 1) // 2, (width + 1) // 2))
        black = black[:height, :width]
    light = (mosaic - black) / (levels.white - black)
    if gains is not None:
        # a saturated pixel stays white, whatever its gain
        light = light * gains
    corrected = CORRECTED.black[0] + light * (CORRECTED.white - CORRECTED.black[0])
    return Corrected(np.clip(np.rint(corrected), 0, 65535).astype(np.uint16), CORRECTED, notices)


def _gains(
    shape: tuple[int, ...], cfa: str, corrections: Corrections, offset: tuple[int, int]
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    first, second, third = map(read_opcodes, corrections.opcodes)
    # maps count from the corner of the active area
    top, left = offset
    size = shape[0] + top, shape[1] + left
    planes = np.roll(np.array(['RGB'.index(letter) for letter in cfa]).reshape(2, 2), offset, axis=(0, 1))
    colours = np.tile(planes, ((size[0] + 1) // 2, (size[1] + 1) // 2))[: size[0], : size[1]]
    of_mosaic, left2 = shading_gains(second, size, None)
    of_colours, left3 = shading_gains(third, size, colours)
    found = [gains for gains in (of_mosaic, of_colours) if gains is not None]
    skipped = {1: [opcode.name for opcode in first], 2: left2, 3: left3}
    notices = tuple(
        f'OpcodeList{number} asks for {", ".join(dict.fromkeys(names))}, which is not applied.'
        for number, names in skipped.items()
        if names
    )
    return (np.prod(found, axis=0)[top:, left:] if found else None), notices
