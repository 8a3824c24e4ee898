"""Reading PNG and JPEG files of pairs, and saying what is wrong with a file that is not as it should be.

OpenCV decodes, but before it does the header and the end of the file are looked at: depending on its version, a
file that was cut off comes back as a half-grey picture without an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rawtoolbox.files.atomic import atomic_path
from rawtoolbox.files.colour_profile import to_srgb

Size = tuple[int, int]

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
PNG_END = b'IEND\xaeB`\x82'  # the last chunk's type and checksum
PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type
JPEG_START, JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
# Start-of-frame markers: C0 to CF but for Huffman tables, arithmetic conditioning and the reserved one.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
HEADER_BYTES = 2**16


class ImageHeader(NamedTuple):
    """What a file's header says, and where its pixels begin."""

    kind: str
    height: int
    width: int
    channels: int
    bits: int
    data_start: int

    def __str__(self) -> str:
        colour = {1: 'one channel', 3: 'RGB'}.get(self.channels, f'{self.channels} channels')
        return f'a {self.kind} of {self.height}x{self.width} pixels, {colour}, {self.bits} bits'


def read_header(path: str | Path) -> ImageHeader:
    """Reads the header of a PNG or JPEG file without decoding it, and mostly without reading the rest.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is neither, or ends within the header.
    """
    with existing_file(path).open('rb') as file:
        start = file.read(HEADER_BYTES)
        header = parse_header(start) or parse_header(start + file.read())
    return _require(header, path, start)


def read_mosaic(path: str | Path, size: Size | None = None, bit_depth: int = 10) -> np.ndarray:
    """Reads a Bayer mosaic from a 16-bit PNG of one channel.

    Args:
        path: The file.
        size: Height and width that it must have; None for any that is even.
        bit_depth: Bits of the sensor; all values must be below ``2 ** bit_depth``.

    Returns:
        (H, W) uint16.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is cut off or not such an image; the message says what was found.
    """
    data, header = _read_whole(path)
    check_mosaic_header(header, path, size)
    mosaic = _decode(data, cv2.IMREAD_UNCHANGED, path)
    if mosaic.max() >= 2**bit_depth:
        needed = int(mosaic.max()).bit_length()
        raise ValueError(
            f'{path}: expected values below {2**bit_depth} (bit_depth={bit_depth}), found {mosaic.max()}. '
            f'If the sensor has {needed} bits, set bit_depth={needed} and the levels that go with it.'
        )
    return mosaic


def read_photo(path: str | Path, size: Size | None = None) -> np.ndarray:
    """Reads an 8-bit photo as sRGB, converted by its colour profile if that is another one.

    The orientation in its EXIF data is ignored, as the pairs are of stored pixels.

    Args:
        path: A PNG or JPEG file.
        size: Height and width that it must have; None for any.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is cut off or not such an image; the message says what was found.
    """
    data, header = _read_whole(path)
    check_photo_header(header, path, size)
    pixels = _decode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION, path)
    try:
        return to_srgb(pixels, data)[0]
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def check_mosaic_header(header: ImageHeader, path: str | Path, size: Size | None = None) -> None:
    """Checks that a file is a 16-bit PNG of one channel with even sides.

    Raises:
        ValueError: It is not.
    """
    if header.channels != 1:
        raise ValueError(
            f'{path}: expected a raw mosaic (a PNG of one channel, 16 bits), found {header}. '
            'If the folders of raws and photos are swapped, swap raw_dir and target_dir.'
        )
    if (header.kind, header.bits) != ('PNG', 16):
        raise ValueError(
            f'{path}: expected a raw mosaic (a PNG of one channel, 16 bits), found {header}: it was converted on '
            'the way and has lost sensor values. Extract it again from the archive.'
        )
    _check_size(header, path, size)
    if header.height % 2 or header.width % 2:
        found = f'{header.height}x{header.width}'
        raise ValueError(
            f'{path}: expected a mosaic of even height and width (whole Bayer tiles), found {found}. '
            'Crop its last row or column, and that of the photo.'
        )


def check_photo_header(header: ImageHeader, path: str | Path, size: Size | None = None) -> None:
    """Checks that a file is an RGB image of 8 bits.

    Raises:
        ValueError: It is not.
    """
    if (header.channels, header.bits) != (3, 8):
        hint = 'raw_dir and target_dir may be swapped.' if header.bits == 16 else 'Save it as RGB.'
        raise ValueError(f'{path}: expected a photo (RGB, 8 bits), found {header}. {hint}')
    _check_size(header, path, size)


def existing_file(path: str | Path) -> Path:
    """The path, if it is a file.

    Raises:
        FileNotFoundError: It is not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: expected a file, found none. Extract the data set again.')
    return path


def parse_header(data: bytes) -> ImageHeader | None:
    """The header of a PNG or JPEG file; None if it is neither or ends too early."""
    if data.startswith(PNG_SIGNATURE) and data[12:16] == b'IHDR' and len(data) >= 33:
        width, height = (int.from_bytes(data[at : at + 4], 'big') for at in (16, 20))
        return ImageHeader('PNG', height, width, PNG_CHANNELS.get(data[25], 0), data[24], 33)
    return _parse_jpeg(data) if data.startswith(JPEG_START) else None


def _parse_jpeg(data: bytes) -> ImageHeader | None:
    """Walks a JPEG's segments: the frame's gives the size, and the first scan's the place where pixels begin."""
    at, frame = 2, None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], 'big')
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in JPEG_FRAMES and at + 10 <= len(data):
            frame = (
                *(int.from_bytes(data[i : i + 2], 'big') for i in (at + 5, at + 7)),
                data[at + 9],
                data[at + 4],
            )
        if marker == 0xDA:
            return ImageHeader('JPEG', *frame, at) if frame else None
        at += 2 + length
    return None


def _read_whole(path: str | Path) -> tuple[bytes, ImageHeader]:
    """A file's bytes and header.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is not an image, or it is cut off.
    """
    data = existing_file(path).read_bytes()
    header = _require(parse_header(data), path, data)
    end = PNG_END if header.kind == 'PNG' else JPEG_END
    if data.rfind(end, header.data_start) < 0:  # from the end, where it mostly is: many times faster
        raise ValueError(
            f'{path}: expected a whole {header.kind} file, found one that is cut off after {len(data)} bytes. '
            'Copy or extract it again.'
        )
    return data, header


def _require(header: ImageHeader | None, path: str | Path, start: bytes) -> ImageHeader:
    """The header, if there is one.

    Raises:
        ValueError: There is none.
    """
    if header is None:
        known = start.startswith((PNG_SIGNATURE, JPEG_START))
        found = (
            'one that is cut off in its header' if known else f'{start[:8]!r}' if start else 'an empty file'
        )
        raise ValueError(f'{path}: expected a PNG or JPEG file, found {found}. Copy or extract it again.')
    return header


def _check_size(header: ImageHeader, path: str | Path, size: Size | None) -> None:
    """Checks height and width."""
    if size is not None and (header.height, header.width) != tuple(size):
        raise ValueError(
            f'{path}: expected {size[0]}x{size[1]} pixels, found {header.height}x{header.width}. '
            'Set patch_size to the size of your files (raw and photo must have the same).'
        )


def _decode(data: bytes, flags: int, path: str | Path) -> np.ndarray:
    """Decodes an image.

    Raises:
        ValueError: The pixels are damaged.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ValueError(
            f'{path}: expected an image, found one whose pixels are damaged. Copy or extract it again.'
        )
    return image


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes an (H, W, 3) uint8 RGB image whole or not at all.

    Raises:
        OSError: The file could not be written.
    """
    with atomic_path(path) as temporary:
        ok, encoded = cv2.imencode(Path(path).suffix, image[..., ::-1])
        if not ok:
            raise OSError(22, 'the image could not be encoded')
        temporary.write_bytes(encoded.tobytes())
