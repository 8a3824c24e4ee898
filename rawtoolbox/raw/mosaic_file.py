"""Mosaics in files that say nothing of the camera: PNG or TIFF, and bare sensor values."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from rawtoolbox.raw.frame import RawFileError, RawFrame, check_levels, make_frame
from rawtoolbox.raw.signature import describe_content

LEAST_BYTES = 1 / 32  # a pixel; lossless codings of real pictures need thirty times as much
ASPECTS = (4 / 3, 3 / 2, 16 / 9, 1.0, 5 / 4)  # of sensors, the usual first


def read_mosaic_png(
    path: str | Path,
    cfa: str,
    black_level: float | tuple[float, ...],
    white_level: float,
    allow_8bit: bool = False,
    **metadata: object,
) -> RawFrame:
    """Reads a one-channel PNG or TIFF of sensor values, such as those of the Zurich data set.

    Args:
        path: The file; 16 bits a pixel, of which the sensor may use 10 to 16.
        cfa: The pattern from pixel (0, 0), such as ``'RGGB'``.
        black_level: In sensor values: one, or those of R, Gr, Gb, B.
        white_level: The saturated sensor value, such as 1023 for 10 bits.
        allow_8bit: Accept 8 bits a pixel, which is nearly always a picture that was converted by mistake.
        **metadata: Further fields of `RawFrame`, such as ``as_shot_gains``.

    Raises:
        FileNotFoundError: No such file.
        RawFileError: It is not an image of one channel of integers, or its values do not fit the levels.
        ValueError: The levels or the pattern make no sense.
    """
    path = existing_file(path)
    check_levels(black_level, white_level)
    mosaic = _read_image(path)
    if mosaic.ndim != 2:
        raise RawFileError(
            f'{path}: expected a mosaic of one channel, found an image of shape {mosaic.shape}: '
            'it looks demosaicked already.'
        )
    if mosaic.dtype.kind != 'u' or mosaic.dtype.itemsize > 2:
        raise RawFileError(f'{path}: expected unsigned integers of 16 bits, found {mosaic.dtype}.')
    if mosaic.dtype.itemsize == 1 and not allow_8bit:
        raise RawFileError(
            f'{path}: expected 16 bits a pixel, found 8: a sensor gives 10 and more, so it was probably converted. '
            'Export it with 16 bits, or pass allow_8bit=True.'
        )
    return make_frame(mosaic.astype(np.uint16), cfa, black_level, white_level, path=path, **metadata)


def read_headless(
    path: str | Path,
    height: int,
    width: int,
    cfa: str,
    black_level: float | tuple[float, ...],
    white_level: float,
    dtype: str = '<u2',
    offset: int = 0,
    **metadata: object,
) -> RawFrame:
    """Reads bare sensor values, row by row, from a file without a header.

    Args:
        path: The file.
        height: Rows.
        width: Columns.
        cfa: The pattern from pixel (0, 0), such as ``'RGGB'``.
        black_level: In sensor values: one, or those of R, Gr, Gb, B.
        white_level: The saturated sensor value.
        dtype: ``'<u2'`` (16 bits, little endian), ``'>u2'`` (big endian) or ``'u1'``. Packed values of 10 or 12 bits
            have to be unpacked first.
        offset: Bytes before the first value.
        **metadata: Further fields of `RawFrame`, such as ``as_shot_gains``.

    Raises:
        FileNotFoundError: No such file.
        RawFileError: The file's size does not fit; the message gives the numbers of bytes and likely geometries.
        ValueError: The geometry, the levels or the pattern make no sense.
    """
    path = existing_file(path)
    values = np.dtype(dtype)
    check_levels(black_level, white_level)
    if values.kind != 'u' or values.itemsize > 2:
        raise ValueError(f"dtype: expected '<u2', '>u2' or 'u1', found {dtype!r}.")
    if height < 1 or width < 1 or offset < 0:
        raise ValueError(
            f'height, width, offset: expected positive numbers, found {height}, {width}, {offset}.'
        )
    expected, found = height * width * values.itemsize + offset, path.stat().st_size
    if expected != found:
        raise RawFileError(
            f'{path}: {height} rows of {width} values of {values.itemsize} bytes after {offset} bytes are '
            f'{expected} bytes, found {found}.{_likely_geometries(found - offset, values.itemsize)}'
        )
    mosaic = np.fromfile(path, dtype=values, offset=offset).reshape(height, width).astype(np.uint16)
    return make_frame(mosaic, cfa, black_level, white_level, path=path, **metadata)


def existing_file(path: str | Path) -> Path:
    """The path, when there is a file with something in it.

    Raises:
        FileNotFoundError: Nothing is there.
        RawFileError: It is a folder, or empty.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file.')
    if not path.is_file():
        raise RawFileError(f'{path}: expected a file, found a folder or device: name one of the files in it.')
    if path.stat().st_size == 0:
        raise RawFileError(f'{path}: the file is empty (0 bytes): copy it again.')
    return path


def _read_image(path: Path) -> np.ndarray:
    """The pixels of a PNG or TIFF, not converted in any way."""
    kind = describe_content(path)
    if kind not in ('PNG', 'TIFF', 'BigTIFF'):
        raise RawFileError(f'{path}: expected a PNG or TIFF of sensor values, found: {kind}.')
    try:
        return _read_pillow(path) if kind == 'PNG' else _read_tiff(path)
    # two parsers, whatever a damaged file makes of them: one kind of error for the caller
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RawFileError(
            f'{path}: the {kind} is damaged or of an unknown kind ({reason}): copy it again.'
        ) from error


def _read_tiff(path: Path) -> np.ndarray:
    with tifffile.TiffFile(path) as file:
        # the first page alone: a damaged file may name another without end, which looking for a series follows
        page, size = file.pages.first, path.stat().st_size
        # a damaged size takes memory, and minutes to fill it with zeros
        if size < page.size * LEAST_BYTES:
            shape = 'x'.join(map(str, page.shape))
            raise OSError(f'{size} bytes cannot hold a picture of {shape}')
        with contextlib.suppress(ValueError):  # a compression that tifffile leaves to a further package
            return page.asarray()
    return _read_pillow(path)


def _read_pillow(path: Path) -> np.ndarray:
    with Image.open(path, formats=['PNG', 'TIFF']) as image:
        if image.mode == 'P':
            raise ValueError('it has a palette: no sensor values')
        return np.asarray(image)


def _likely_geometries(size: int, itemsize: int) -> str:
    """A sentence with the sizes, of the shapes that sensors have, that so many bytes would fill."""
    pixels, rest = divmod(size, itemsize)
    if pixels <= 0 or rest:
        return ''
    found = []
    for aspect in ASPECTS:
        height = round((pixels / aspect) ** 0.5)
        # a sensor's sides are seldom exact: look a few rows around the ideal height
        near = sorted(range(max(1, height - 24), height + 25), key=lambda rows: abs(rows - height))
        found += [f'{rows}x{pixels // rows}' for rows in near if pixels % rows == 0][:1]
    return f' So many would be {" or ".join(dict.fromkeys(found))} (rows x columns).' if found else ''
