"""Developed pictures as files that other programs show right: sRGB profile, orientation, camera and exposure."""

from __future__ import annotations

import io
import math
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational
from torch import Tensor

from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.raw.develop import turn_upright
from rawtoolbox.raw.frame import RawFrame

SUFFIXES = ('.jpg', '.jpeg', '.png')
STRIP = 256  # rows that are converted at a time: a frame in float32 is large enough once

# EXIF tags
ORIENTATION, SOFTWARE, MODEL, EXIF_FOLDER = 0x0112, 0x0131, 0x0110, 0x8769
EXPOSURE_TIME, F_NUMBER, ISO, TAKEN, FOCAL_LENGTH, COLOUR_SPACE = (
    0x829A,
    0x829D,
    0x8827,
    0x9003,
    0x920A,
    0xA001,
)
SRGB = 1


def write_photo(
    path: str | Path,
    image: Tensor,
    frame: RawFrame | None = None,
    bits: Literal[8, 16] = 8,
    quality: int = 95,
    orientation: Literal['apply', 'keep'] = 'apply',
) -> None:
    """Writes a picture whole or not at all.

    Args:
        path: Ends in ``.jpg``, ``.jpeg`` or ``.png``.
        image: (3, H, W) sRGB in [0, 1], in the sensor's orientation; values beyond are clipped.
        frame: Whose orientation, camera and exposure are carried over.
        bits: A PNG's bits a channel.
        quality: Of a JPEG, 1 to 100. From 90 on, colours are kept at full resolution.
        orientation: ``'apply'`` turns the picture upright; ``'keep'`` leaves it as the sensor saw it and says in
            EXIF how to turn it.

    Raises:
        ValueError: The path ends otherwise, or an argument has none of these values.
        OSError: The file could not be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'{path}: expected a name that ends in {", ".join(SUFFIXES)}.')
    if bits not in (8, 16) or (bits == 16 and path.suffix.lower() != '.png'):
        raise ValueError(f'{path}: expected 8 bits, or 16 bits as PNG, found {bits}.')
    if not 1 <= quality <= 100 or orientation not in ('apply', 'keep'):
        raise ValueError(
            "expected a quality of 1 to 100 and an orientation of 'apply' or 'keep', found "
            f'{quality} and {orientation!r}.'
        )
    turn = frame.orientation if frame else 1
    pixels = quantise(turn_upright(image, turn) if orientation == 'apply' else image, bits)
    exif = exif_of(frame, turn if orientation == 'keep' else 1).tobytes()
    if bits == 16:
        write_atomically(path, encode_png16(pixels, exif))
        return
    buffer = io.BytesIO()
    options = {'icc_profile': srgb_profile(), 'exif': exif}
    if path.suffix.lower() == '.png':
        Image.fromarray(pixels).save(buffer, 'PNG', **options)
    else:
        subsampling = '4:4:4' if quality >= 90 else '4:2:0'
        Image.fromarray(pixels).save(buffer, 'JPEG', quality=quality, subsampling=subsampling, **options)
    write_atomically(path, buffer.getvalue())


def quantise(image: Tensor, bits: int = 8) -> np.ndarray:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8 or uint16, rounded to the nearest."""
    largest = 2**bits - 1
    pixels = np.empty((*image.shape[-2:], 3), np.uint8 if bits == 8 else np.uint16)
    for top in range(0, len(pixels), STRIP):
        rows = image[:, top : top + STRIP].float().clamp(0, 1) * largest
        pixels[top : top + STRIP] = torch.round(rows).permute(1, 2, 0).numpy()
    return pixels


def exif_of(frame: RawFrame | None, orientation: int = 1) -> Image.Exif:
    """Camera, exposure and orientation as EXIF; what a frame does not know is left out."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[SOFTWARE] = 'rawtoolbox'
    folder = exif.get_ifd(EXIF_FOLDER)
    folder[COLOUR_SPACE] = SRGB
    if frame is None:
        return exif
    if frame.camera:
        exif[MODEL] = frame.camera
    exposure = frame.exposure
    if exposure is None:
        return exif
    numbers = {
        EXPOSURE_TIME: exposure.shutter,
        F_NUMBER: exposure.aperture,
        FOCAL_LENGTH: exposure.focal_length,
    }
    for tag, value in numbers.items():
        if value and math.isfinite(value):
            folder[tag] = IFDRational(*IFDRational(value).limit_rational(10_000))
    if exposure.iso:
        folder[ISO] = min(round(exposure.iso), 65535)
    if exposure.taken:
        folder[TAKEN] = exposure.taken.strftime('%Y:%m:%d %H:%M:%S')
    return exif


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()


def encode_png16(pixels: np.ndarray, exif: bytes) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write, with profile and EXIF as Pillow would write them.

    Args:
        pixels: (H, W, 3) uint16 RGB.
        exif: As of ``Image.Exif.tobytes``.
    """
    ok, encoded = cv2.imencode('.png', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(22, 'the picture could not be encoded')
    png = encoded.tobytes()
    header = 8 + 25  # the signature and the first chunk, IHDR
    profile = _png_chunk(b'iCCP', b'sRGB\0\0' + zlib.compress(srgb_profile()))
    return png[:header] + profile + _png_chunk(b'eXIf', exif.removeprefix(b'Exif\0\0')) + png[header:]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    """Length, name, data and checksum (PNG specification, section 5.3)."""
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
