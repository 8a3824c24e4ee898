"""One pair of photographs: matched, cut into patches, each judged and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.files.layouts import PHOTO_FOLDER, RAW_FOLDER
from rawtoolbox.preparation.agreement import measure, rejection
from rawtoolbox.preparation.pairs.homography import MatchError
from rawtoolbox.preparation.pairs.matching import match_pair
from rawtoolbox.preparation.pairs.patches import SAMPLING_MARGIN, cut_photo, find_shift, grid
from rawtoolbox.preparation.pairs.report import write_thumbnail
from rawtoolbox.preparation.pairs.settings import Levels, PairSettings
from rawtoolbox.preparation.pairs.sources import Sources
from rawtoolbox.raw import RawFrame, open_raw
from rawtoolbox.raw.develop import relevel, render
from rawtoolbox.raw.reader import read_photograph_file


def make_patches(
    pair: Sources, root: Path, settings: PairSettings, levels: Levels, split: str
) -> dict[str, Any]:
    """Matches a pair, writes the patches that are kept, and thumbnails of all."""
    frame, photo = _read(pair, settings)
    seen, mosaic = render(frame), relevel(frame, *levels)
    record = {
        'camera': frame.camera,
        'gains': list(frame.white_balance),
        'frame_size': list(mosaic.shape),
        'patch_size': settings.patch_size,
        'notices': list(frame.notices),
        'largest_value': int(mosaic.max()),
        'rejected': '',
        'patches': {},
    }
    try:
        match, photo, homography = match_pair(seen, photo)
    except MatchError as error:
        return record | {'rejected': f'not matched: {error}'}
    record |= {
        'homography': match.homography.round(10).tolist(),
        'inliers': match.inliers,
        'matches': match.matches,
        'error': round(match.error, 3),
    }
    margin = settings.search + SAMPLING_MARGIN
    stride = settings.stride or settings.patch_size
    for origin in grid(mosaic.shape, photo.shape[:2], homography, settings.patch_size, stride, margin):
        name = f'{pair.name}_{origin[0]:04}_{origin[1]:04}'
        cut, record['patches'][name] = _judge_patch(seen, photo, homography, origin, settings)
        write_thumbnail(root, name, *cut)
        if not record['patches'][name]['rejected']:
            window = tuple(slice(start, start + settings.patch_size) for start in origin)
            write_png(root / split / RAW_FOLDER / f'{name}.png', mosaic[window])
            write_png(root / split / PHOTO_FOLDER / f'{name}.png', cut[1][..., ::-1])
    if not record['patches']:
        record['rejected'] = f'the pictures share no area of {settings.patch_size} pixels each way'
    return record


def _judge_patch(
    seen: np.ndarray,
    photo: np.ndarray,
    homography: np.ndarray,
    origin: tuple[int, int],
    settings: PairSettings,
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any]]:
    """A patch of the developed raw and of the photo, lined up, and what the manifest says of them."""
    (row, column), size, shift = origin, settings.patch_size, (0.0, 0.0)
    source = seen[row : row + size, column : column + size]
    if settings.search:
        shift = find_shift(source, cut_photo(photo, homography, origin, size, margin=settings.search))
    target = cut_photo(photo, homography, origin, size, shift)
    found = measure(source, target)
    entry = {
        'origin': list(origin),
        'shift': [round(value, 3) for value in shift],
        'score': round(found.correlation, 4),
        'displacement': round(found.displacement, 3),
        'detail': round(found.detail, 4),
        'unlike': round(found.unlike, 4),
        'rejected': rejection(found, settings.min_correlation, settings.max_displacement),
    }
    return (source, target), entry


def _read(pair: Sources, settings: PairSettings) -> tuple[RawFrame, np.ndarray]:
    """The raw and the photo of a pair.

    Raises:
        ValueError: One of them cannot be read, for whatever reason.
    """
    try:
        return open_raw(pair.raw, **settings.geometry), read_photograph_file(pair.photo)
    except OSError as error:  # told from a data set that cannot be written, which ends the work
        raise ValueError(str(error)) from error


def write_png(path: Path, image: np.ndarray) -> None:
    write_atomically(path, cv2.imencode('.png', np.ascontiguousarray(image))[1].tobytes())
