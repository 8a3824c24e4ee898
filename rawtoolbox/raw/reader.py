"""Opens camera files (through LibRaw) and plain mosaics as a `RawFrame`; every refusal says what the file is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rawpy

from rawtoolbox.files.colour_profile import to_srgb
from rawtoolbox.raw import libraw
from rawtoolbox.raw.corrections import correct
from rawtoolbox.raw.frame import Levels, RawFileError, RawFrame, check_levels, make_frame
from rawtoolbox.raw.metadata import FileTags, read_tags
from rawtoolbox.raw.mosaic_file import LEAST_BYTES, existing_file, read_headless, read_mosaic_png
from rawtoolbox.raw.native_stderr import libraw_reports
from rawtoolbox.raw.saturation import measured_saturation
from rawtoolbox.raw.signature import describe_content, may_be_camera_file
from rawtoolbox.raw.suffixes import HEADLESS_SUFFIXES, PHOTO_SUFFIXES

# LibRaw's flip: bit 0 mirrors columns, bit 1 rows, bit 2 transposes; the value at EXIF's counting of the same.
EXIF_OF_FLIP = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
MOSAIC_ARGUMENTS = ('cfa', 'black_level', 'white_level')
HEADLESS_ARGUMENTS = ('height', 'width', *MOSAIC_ARGUMENTS)
LAYOUT_ARGUMENTS = ('dtype', 'offset')
METADATA_ARGUMENTS = ('as_shot_gains', 'daylight_gains', 'xyz_to_camera', 'orientation', 'camera', 'exposure')
NOT_A_CAMERA_FILE = (
    'Other mosaics can be read as PNG, TIFF or headless values, given their pattern and levels.'
)


def open_raw(path: str | Path, **geometry: object) -> RawFrame:
    """Opens whatever holds a mosaic, by its content: a camera file, a PNG or TIFF, or headless values.

    Args:
        path: The file.
        **geometry: What the file does not say itself; None counts as not given. A PNG or TIFF mosaic needs
            ``cfa``, ``black_level`` and ``white_level`` (`read_mosaic_png`), headless values ``height`` and
            ``width`` besides (`read_headless`). A camera file takes none.

    Raises:
        FileNotFoundError: No such file.
        RawFileError: The file cannot be read as a Bayer mosaic; or arguments are missing or have no place
            here, which are named.
        ValueError: An argument makes no sense.
    """
    path = existing_file(path)
    kind = describe_content(path)
    geometry = {name: value for name, value in geometry.items() if value is not None}
    if kind == 'PNG' or (kind in ('TIFF', 'BigTIFF') and 'cfa' in geometry):
        _check_arguments(path, f'a {kind}', geometry, MOSAIC_ARGUMENTS, ('allow_8bit', *METADATA_ARGUMENTS))
        return read_mosaic_png(path, **geometry)
    headless = path.suffix.lower() in HEADLESS_SUFFIXES and not may_be_camera_file(kind)
    if headless or geometry.keys() & {'height', 'width', *LAYOUT_ARGUMENTS}:
        optional = (*LAYOUT_ARGUMENTS, *METADATA_ARGUMENTS)
        _check_arguments(path, 'a file without a header', geometry, HEADLESS_ARGUMENTS, optional)
        return read_headless(path, **geometry)
    if geometry:
        raise RawFileError(
            f'{path}: a camera file says these itself: leave {", ".join(geometry)} out '
            '(dataclasses.replace changes a field of the frame).'
        )
    return read_raw(path)


def read_raw(path: str | Path) -> RawFrame:
    """Reads a camera file: any Bayer mosaic that LibRaw opens (DNG, ARW, CR2, CR3, NEF, RAF, ORF, RW2 ...).

    The mosaic is the active area in the sensor's orientation, re-phased to RGGB; nothing is applied to it but what the
    file itself prescribes: linearisation, black levels that vary, and lens shading. One file is read at a time in a
    process, because what LibRaw reports on the standard error stream is caught meanwhile.

    Args:
        path: The file; the name may hold any character.

    Raises:
        FileNotFoundError: No such file.
        RawFileError: Not a camera file, one without a 2x2 Bayer pattern (X-Trans, quad-Bayer, monochrome, Foveon,
            linear DNG), in a coding that LibRaw lacks, cut short or damaged.
    """
    path = existing_file(path)
    kind = describe_content(path)
    if not may_be_camera_file(kind):
        raise RawFileError(f'{path}: not a camera file, found: {kind}. {NOT_A_CAMERA_FILE}')
    tags = read_tags(path)
    if tags.photometric in (0, 1, 2) and not (tags.camera or tags.is_dng):  # grey or RGB
        # LibRaw would make a frame of any TIFF of one channel, with a pattern that it assumes
        raise RawFileError(f'{path}: a TIFF that names no camera. {NOT_A_CAMERA_FILE}')
    if tags.unpredicted_float:
        raise RawFileError(
            f'{path}: LibRaw cannot decode compressed floating-point values without a predictor: save the DNG without '
            'compression.'
        )
    try:
        with libraw_reports() as reports, _open(path) as raw:
            frame = _frame(raw, path, kind, tags, reports)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise RawFileError(f'{path}: {_explain(error, path, kind, tags)}') from error
    except MemoryError as error:
        raise RawFileError(
            f'{path}: the picture needs more memory than there is, or its size is damaged.'
        ) from error
    _check_bytes(frame, tags)
    return frame


def _frame(
    raw: rawpy.RawPy, path: Path, kind: str, tags: FileTags, reports: Callable[[], list[str]]
) -> RawFrame:
    """Copies what is wanted out of LibRaw: its memory is gone when the file is closed."""
    cfa = libraw.bayer_pattern(raw, path, kind, tags)
    colours = libraw.colour_information(raw, tags)
    try:
        levels = check_levels(libraw.black_level(raw, cfa, tags), raw.white_level)
    except ValueError as error:
        raise RawFileError(f'{path}: {error} The file is damaged: copy it again.') from error
    mosaic, notices = raw.raw_image_visible, _notices(raw, tags, colours, reports())
    saturation = measured_saturation(mosaic, cfa, levels)
    if saturation:
        notices += (
            f'The sensor saturates at {saturation:g}, below its white level {levels.white:g}: that is white.',
        )
        levels = Levels(levels.black, saturation)
    if tags.corrections:
        mosaic, levels, found = correct(
            mosaic, levels, cfa, tags.corrections, libraw.active_offset(raw, tags)
        )
        notices += found
    return make_frame(
        mosaic,
        cfa,
        *levels,
        path=path,
        notices=notices,
        orientation=EXIF_OF_FLIP.get(raw.sizes.flip, 1),
        camera=tags.camera or libraw.camera_of_preview(raw),
        exposure=libraw.exposure(raw, tags),
        **colours,
    )


def _notices(
    raw: rawpy.RawPy, tags: FileTags, colours: dict[str, object], reports: list[str]
) -> tuple[str, ...]:
    found = [f'LibRaw reports: {report}; part of the picture may be wrong.' for report in reports]
    if colours['as_shot_gains'] is None:
        found.append(_white_balance_notice(raw.camera_whitebalance[:3], bool(colours['daylight_gains'])))
    if colours['xyz_to_camera'] is None:
        found.append('The colour matrix of the camera is not known: colours stay those of the sensor.')
    if tags.baseline_exposure:
        found.append(
            f'The file asks for {tags.baseline_exposure:+g} EV (BaselineExposure), which are not applied.'
        )
    saturated = min(raw.camera_white_level_per_channel or [raw.white_level])
    if saturated < raw.white_level:
        found.append(
            f'The camera says that it saturates at {saturated}, below the white level {raw.white_level}.'
        )
    if raw.sizes.pixel_aspect != 1:
        found.append(f'The pixels are not square (aspect {raw.sizes.pixel_aspect:g}).')
    return tuple(found)


def _white_balance_notice(multipliers: list[float], daylight: bool) -> str:
    instead = 'daylight is used' if daylight else 'no other is known'
    if multipliers == [1, 1, 1]:
        return f'The white balance of the file is 1, 1, 1, which usually means that none was set: {instead}.'
    return f'The white balance is not set in the file: {instead}.'


def _check_bytes(frame: RawFrame, tags: FileTags) -> None:
    """Refuses a picture that the file has not enough bytes for: LibRaw may return zeros or old memory for it."""
    size = frame.path.stat().st_size
    if tags.is_dng and tags.data_end > size:
        raise RawFileError(f'{frame.path}: {_cut_short(tags, size)}')
    if size < frame.mosaic.size * LEAST_BYTES:
        shape = 'x'.join(map(str, frame.mosaic.shape))
        raise RawFileError(
            f'{frame.path}: {size} bytes cannot hold a picture of {shape}: the file was cut short, or only '
            'its metadata were kept. Copy it again.'
        )


def _cut_short(tags: FileTags, size: int) -> str:
    return (
        f'the file is cut short: its picture ends at byte {tags.data_end}, found {size} bytes. Copy it again.'
    )


def _explain(error: Exception, path: Path, kind: str, tags: FileTags) -> str:
    """LibRaw's error in words that help."""
    said = ' '.join(
        arg.decode(errors='replace') if isinstance(arg, bytes) else str(arg) for arg in error.args
    )
    said = f'(LibRaw: {said or type(error).__name__}; {kind})'
    size = path.stat().st_size
    if tags.data_end > size:
        return _cut_short(tags, size)
    if kind == 'JPEG':
        return f'a JPEG is a developed picture {said}: use the raw file that the camera wrote beside it.'
    if isinstance(error, rawpy.LibRawIOError):
        return f'the file ends too early or is damaged {said}: copy it again.'
    if isinstance(error, (rawpy.LibRawTooBigError, rawpy.LibRawUnsufficientMemoryError)):
        return f'the picture is too large to open, or its size is damaged {said}.'
    if tags.compression not in ('', 'NONE') and (tags.is_dng or isinstance(error, rawpy.LibRawDataError)):
        return (
            f'LibRaw cannot decode this coding ({tags.compression}), or the data are damaged {said}: '
            'convert it to a DNG with lossless compression, or copy it again.'
        )
    if isinstance(error, rawpy.LibRawFileUnsupportedError):
        return f'LibRaw knows no camera file like this one {said}. {NOT_A_CAMERA_FILE}'
    return f'LibRaw cannot decode the file {said}: it is damaged, or of a camera newer than this LibRaw.'


def _open(path: Path) -> rawpy.RawPy:
    """rawpy's handle; names that are no UTF-8 go through a file object."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open('rb') as file:
            return rawpy.imread(file)
    return rawpy.imread(str(path))


def _check_arguments(
    path: Path, what: str, given: dict[str, object], needed: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    missing = [name for name in needed if name not in given]
    if missing:
        raise RawFileError(f'{path}: {what} does not say its {", ".join(missing)}: give them as arguments.')
    unknown = [name for name in given if name not in (*needed, *optional)]
    if unknown:
        raise RawFileError(f'{path}: {what} has no use for {", ".join(unknown)}: leave them out.')


def read_photograph_file(path: str | Path) -> np.ndarray:
    """Reads a photo: an image file, or a camera's raw file that LibRaw develops with the camera's white balance.

    The orientation that the file tells is ignored: matching finds how the photo is turned.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Nothing that can be read as a photo.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file.')
    if path.suffix.lower() in PHOTO_SUFFIXES:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        data = path.read_bytes()
        photo = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
        if photo is None:
            raise ValueError(f'{path}: not an image, or damaged: copy it again.')
        try:
            return to_srgb(photo, data)[0]
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    try:
        with path.open('rb') as file, rawpy.imread(file) as raw:
            return raw.postprocess(use_camera_wb=True, user_flip=0, output_bps=8)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        known = ', '.join(sorted(PHOTO_SUFFIXES))
        raise ValueError(
            f'{path}: neither an image ({known}) nor a raw file that LibRaw develops.'
        ) from error
