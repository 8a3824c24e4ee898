"""A user's photographs: finding which belong together, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import rawpy

from rawtoolbox.files.names import natural_key
from rawtoolbox.raw import RawFrame, develop

PHOTO_SUFFIXES = {'.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp'}
NOT_RAW = {
    '.jpg',
    '.jpeg',
    '.bmp',
    '.webp',
    '.xmp',
    '.txt',
    '.json',
    '.csv',
    '.pp3',
    '.mp4',
    '.mov',
    '.zip',
    '.html',
}
WHITE_SHARE = 99.5  # percentile of the developed raw that is shown as white
BRIGHTEST = 8.0  # factor by which a dark raw is brightened at most


class Sources(NamedTuple):
    """The files of one pair and the name that its patches are called by."""

    name: str
    raw: Path
    photo: Path


def find_pairs(
    raw_dir: str | Path, photo_dir: str | Path, by: Literal['name', 'order'] = 'name'
) -> tuple[list[Sources], list[Path]]:
    """Finds which raw belongs to which photo.

    Args:
        raw_dir: Folder of raw files.
        photo_dir: Folder of photos.
        by: ``'name'``: files of the same name but for the suffix and the case; ``'order'``: the first with the first,
            and so on, numbers in names sorted by value.

    Returns:
        The pairs, and files that have no partner.

    Raises:
        FileNotFoundError: A folder is missing or empty.
        ValueError: No two files belong together, or two of one folder have the same name.
    """
    if by not in ('name', 'order'):
        raise ValueError(f"by: expected 'name' or 'order', found {by!r}.")
    raws, photos = _list(Path(raw_dir), NOT_RAW), _list(Path(photo_dir), set())
    if by == 'order':
        if len(raws) != len(photos):
            raise ValueError(
                f'{raw_dir} and {photo_dir}: expected as many raws as photos to pair them by order, '
                f'found {len(raws)} and {len(photos)}. Give partners the same name and pair them by name.'
            )
        _by_name(raws)  # patches are called by the raw's name
        return [Sources(raw.stem, raw, photo) for raw, photo in zip(raws, photos, strict=True)], []
    by_name = [_by_name(files) for files in (raws, photos)]
    shared = [name for name in by_name[0] if name in by_name[1]]
    if not shared:
        raise ValueError(
            f'{raw_dir} and {photo_dir}: expected files of the same name, found none: {raws[0].name}, ... and '
            f'{photos[0].name}, ... Rename them, or pair them by order.'
        )
    alone = [file for files in by_name for name, file in files.items() if name not in shared]
    return [Sources(by_name[0][name].stem, by_name[0][name], by_name[1][name]) for name in shared], alone


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
        data = np.frombuffer(path.read_bytes(), np.uint8)
        photo = cv2.imdecode(data, flags) if data.size else None
        if photo is None:
            raise ValueError(f'{path}: not an image, or damaged: copy it again.')
        return photo
    try:
        with path.open('rb') as file, rawpy.imread(file) as raw:
            return raw.postprocess(use_camera_wb=True, user_flip=0, output_bps=8)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        known = ', '.join(sorted(PHOTO_SUFFIXES))
        raise ValueError(
            f'{path}: neither an image ({known}) nor a raw file that LibRaw develops.'
        ) from error


def render(frame: RawFrame) -> np.ndarray:
    """Develops a frame for the eye and for matching: white balance, the camera's colours, brightened if dark.

    Returns:
        (H, W, 3) uint8, RGB, in the sensor's orientation.
    """
    image = develop(frame).permute(1, 2, 0).numpy()
    white = max(float(np.percentile(image[::4, ::4], WHITE_SHARE)), 1 / BRIGHTEST)
    return np.clip(np.rint(image * (255 / white)), 0, 255).astype(np.uint8)


def relevel(frame: RawFrame, black_level: tuple[float, ...], white_level: float) -> np.ndarray:
    """A frame's mosaic with other levels: one data set has one black and one white level.

    Args:
        frame: The frame.
        black_level: Wanted, of R, Gr, Gb, B.
        white_level: Wanted.

    Returns:
        (H, W) uint16; the mosaic itself if it has these levels.
    """
    if frame.black_level == tuple(black_level) and frame.white_level == white_level:
        return frame.mosaic
    height, width = frame.mosaic.shape
    black, wanted = (
        np.tile(np.reshape(levels, (2, 2)), (height // 2, width // 2))
        for levels in (frame.black_level, black_level)
    )
    light = (frame.mosaic - black) / (frame.white_level - black)
    return np.clip(np.rint(wanted + light * (white_level - wanted)), 0, 65535).astype(np.uint16)


def _list(folder: Path, excluded: set[str]) -> list[Path]:
    """The files of a folder but those hidden or of excluded kinds, sorted with numbers by value."""
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: expected a folder of photographs, found none.')
    files = [
        file
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith('.') and file.suffix.lower() not in excluded
    ]
    if not files:
        raise FileNotFoundError(f'{folder}: expected photographs, found no such file in it.')
    return sorted(files, key=lambda file: natural_key(file.name))


def _by_name(files: list[Path]) -> dict[str, Path]:
    """Files by their names, without suffix and in lower case."""
    named = {}
    for file in files:
        other = named.setdefault(file.stem.lower(), file)
        if other is not file:
            raise ValueError(
                f'{file}: expected one file a name, found {other.name} too. Move one of them away.'
            )
    return named
