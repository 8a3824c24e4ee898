"""Metadata that rawpy does not offer: the camera's name, ISO, and the tags of a DNG."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tifffile
from PIL import Image

from rawtoolbox.raw.corrections import Corrections, read_corrections
from rawtoolbox.raw.dng_colour import ColourProfile
from rawtoolbox.raw.dng_tags import rationals, read_profile, read_white_xy
from rawtoolbox.raw.white_point import Chromaticity

MAKE, MODEL, EXIF, ISO, DNG_VERSION = 271, 272, 34665, 34855, 50706
CFA_REPEAT, ACTIVE_AREA = 33421, 50829
BASELINE_EXPOSURE, FLOAT = 50730, 3  # FLOAT: a SampleFormat
CFA, LINEAR_RAW = 32803, 34892  # values of PhotometricInterpretation

logging.getLogger('tifffile').addHandler(logging.NullHandler())


@dataclass(frozen=True)
class FileTags:
    """What the tags of a TIFF-based camera file say; the defaults stand for 'nothing'.

    Attributes:
        camera: Make and model.
        iso: Sensitivity.
        is_dng: Whether it calls itself a DNG.
        photometric: Of the raw image, or the largest: 32803 is a mosaic, 34892 linear (demosaicked) raw.
        samples: Values a pixel of that image.
        compression: Of that image, by name.
        cfa_repeat: Rows and columns after which the pattern repeats.
        active_area: Its top and left.
        profile: A DNG's colours.
        white_xy: A DNG's AsShotWhiteXY.
        corrections: What a DNG asks for beyond one black level per site.
        baseline_exposure: Stops that a DNG asks to be brightened by.
        unpredicted_float: Whether it holds deflated floating-point values without a predictor.
        data_end: The byte at which that image ends.
    """

    camera: str = ''
    iso: float | None = None
    is_dng: bool = False
    photometric: int | None = None
    samples: int = 1
    compression: str = ''
    cfa_repeat: tuple[int, int] | None = None
    active_area: tuple[int, int] | None = None
    profile: ColourProfile | None = None
    white_xy: Chromaticity | None = None
    corrections: Corrections | None = None
    baseline_exposure: float = 0.0
    unpredicted_float: bool = False
    data_end: int = 0


def read_tags(path: str | Path) -> FileTags:
    """Reads the tags of a TIFF-based camera file; an empty `FileTags` for any other file."""
    try:
        with tifffile.TiffFile(path) as file:
            return _collect_tags(file)
    # The tags are an extra: whatever a damaged one makes of the parser, the picture may still open.
    except Exception:
        return FileTags()


def camera_of_jpeg(data: bytes) -> str:
    """Make and model from the EXIF part of a preview picture; empty when there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
    except Exception:  # as above
        return ''
    return camera_name(exif.get(MAKE, ''), exif.get(MODEL, ''))


def camera_name(make: object, model: object) -> str:
    """Make and model as one name, the maker not said twice.

    >>> camera_name('NIKON CORPORATION', 'NIKON D1')
    'NIKON D1'
    """
    make, model = (str(text or '').split('\0')[0].strip() for text in (make, model))
    repeated = model and model.split()[0].lower() in make.lower().split()
    return model if repeated else f'{make} {model}'.strip()


def _collect_tags(file: tifffile.TiffFile) -> FileTags:
    first = file.pages.first
    # a preview may be larger than the raw
    images = list(_images(file))
    raws = [page for page in images if page.photometric in (CFA, LINEAR_RAW)]
    image = max(raws or images, key=lambda page: page.imagelength * page.imagewidth)
    exif = _value(first, EXIF)
    iso = _value(first, ISO) or (exif.get('ISOSpeedRatings') if isinstance(exif, dict) else None)
    iso = iso[0] if isinstance(iso, tuple) else iso
    is_dng = _value(first, DNG_VERSION) is not None
    area = _integers(image, ACTIVE_AREA, 4)
    return FileTags(
        camera=camera_name(_value(first, MAKE), _value(first, MODEL)),
        iso=float(iso) if isinstance(iso, int) else None,
        is_dng=is_dng,
        photometric=int(image.photometric),
        samples=int(image.samplesperpixel),
        compression=getattr(image.compression, 'name', str(image.compression)),
        cfa_repeat=_integers(image, CFA_REPEAT, 2),
        active_area=area[:2] if area else None,
        profile=read_profile(first) if is_dng else None,
        white_xy=read_white_xy(first) if is_dng else None,
        corrections=read_corrections(image) if is_dng else None,
        baseline_exposure=_baseline_exposure(first) if is_dng else 0.0,
        unpredicted_float=is_dng and _unpredicted_float(image),
        data_end=_data_end(image),
    )


def _images(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """The first level of a TIFF file's images and sub-images: a camera file keeps its mosaic in one of them."""
    for page in itertools.islice(file.pages, 8):
        yield page
        yield from itertools.islice(page.pages or (), 8)


def _baseline_exposure(page: tifffile.TiffPage) -> float:
    stops = rationals(page, BASELINE_EXPOSURE)
    return float(stops[0]) if stops is not None and stops.size == 1 else 0.0


def _unpredicted_float(image: tifffile.TiffPage) -> bool:
    deflated = image.compression in (tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE)
    return bool(deflated and image.sampleformat == FLOAT and image.predictor == 1)


def _data_end(image: tifffile.TiffPage) -> int:
    """Where the last strip or tile ends; an offset of all ones, as Panasonic writes, means elsewhere."""
    parts = zip(image.dataoffsets, image.databytecounts, strict=False)
    return max((offset + count for offset, count in parts if offset < 0xFFFFFFFF), default=0)


def _value(page: tifffile.TiffPage, tag: int) -> object:
    return page.tags[tag].value if tag in page.tags else None


def _integers(page: tifffile.TiffPage, tag: int, count: int) -> tuple[int, ...] | None:
    """So many integers; None if the tag is absent or holds anything else."""
    value = _value(page, tag)
    fits = isinstance(value, tuple) and len(value) == count and all(isinstance(part, int) for part in value)
    return value if fits else None
