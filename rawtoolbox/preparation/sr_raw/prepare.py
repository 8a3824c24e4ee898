"""Pairs for super-resolution from raw, out of photographs at several focal lengths: how SR-RAW is prepared.

The steps are those of ceciliavision/zoom-learn-zoom (main_crop.py, main_align_camera.py, main_wb.py and
demo_rawrgb_pair.ipynb): the field of view of the longest focal length is cut out of both pictures, the target is
lined up with the camera's own photo by an affine map found by ECC, and the sensor's values are never resampled. Here
the target is lined up with its input directly rather than by way of a third picture, and resampled once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from rawtoolbox.datasets.sr_raw import SCALE
from rawtoolbox.files.atomic import atomic_folder
from rawtoolbox.files.images import read_photo
from rawtoolbox.files.layouts import pack_sr_raw, write_sr_pair
from rawtoolbox.preparation.sr_raw.alignment import (
    PairError,
    central_window,
    covered_box,
    enlarging_matrix,
    find_affine,
    shift_matrix,
    warp_affine,
    zoom_matrix,
)
from rawtoolbox.raw.camera_colour import camera_to_srgb_matrix
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.frame import RawFrame
from rawtoolbox.raw.reader import read_raw

PAIRS = {'00005': '00001', '00006': '00002', '00007': '00003'}  # input and target: 50/240, 35/150, 24/100 mm
RAW_SUFFIXES = ('.arw', '.dng')
PHOTO_SUFFIXES = ('.jpg', '.jpeg')

Field = Literal['longest', 'target']


class Prepared(NamedTuple):
    """One pair.

    Attributes:
        mosaic: (H, W) uint16, RGGB, the field of view of the target.
        photo: (H, W, 3) uint8, the camera's own photo of it.
        target: (4H, 4W, 3) uint8, lined up with it.
        correlation: Of the two photos after that, up to 1.
    """

    mosaic: np.ndarray
    photo: np.ndarray
    target: np.ndarray
    correlation: float


def prepare_sr_raw(
    root: str | Path,
    out: str | Path,
    counts: tuple[int, int] = (50, 50),
    black_level: float = 512,
    white_level: float = 16383,
    field: Field = 'longest',
    min_correlation: float = 0.5,
) -> dict[str, str]:
    """Prepares all scenes of a folder, in the layout of :class:`rawtoolbox.datasets.SRRAWDataset`.

    Scenes are folders with 00001 to 00007, a raw and a JPEG each. Where the root has the archives' folders ``train``
    and ``test``, the last scenes of ``train`` become the validation split; otherwise all are divided in the order of
    their names. A scene appears when it is whole, and one that is there is kept: an interrupted run goes on.

    Args:
        root: Folder of the original data set.
        out: Folder to make.
        counts: Scenes for validation and, where the root has no ``test``, for testing.
        black_level: Sensor value that becomes 0.
        white_level: Sensor value that becomes 1.
        field: Field of view that is kept: ``'longest'``: of the longest focal length of the scene, as published;
            ``'target'``: of each pair's own target, which is more.
        min_correlation: Least correlation of a pair that is kept.

    Returns:
        What could not be prepared, and why: a sentence by ``'<scene>/<pair>'``.

    Raises:
        FileNotFoundError: The root has no scenes.
        ValueError: There are fewer scenes than the counts ask for.
    """
    scenes = list(split_scenes(Path(root), *counts))
    failures: dict[str, str] = {}
    for split, scene in tqdm(scenes, desc='scenes', disable=None):
        folder = Path(out) / split / scene.name
        if not folder.is_dir():
            failures |= _prepare_scene(scene, folder, (black_level, white_level), field, min_correlation)
    return failures


def split_scenes(root: Path, num_val: int, num_test: int) -> Iterator[tuple[str, Path]]:
    """The scenes of the original data set with their splits.

    Raises:
        FileNotFoundError: There are none.
        ValueError: There are too few.
    """
    archives = [root / split for split in ('train', 'test')]
    given = all(folder.is_dir() for folder in archives)
    train, test = (
        ([s for s in sorted(f.iterdir()) if s.is_dir()] for f in archives) if given else (_scenes(root), [])
    )
    if not given:
        train, test = train[: len(train) - num_test], train[len(train) - num_test :]
    if len(train) <= num_val:
        raise ValueError(
            f'{root}: expected more than {num_val + (0 if given else num_test)} scenes, of which {num_val} are for '
            f'validation, found {len(train) + (0 if given else len(test))}. Lower the counts.'
        )
    first = len(train) - num_val
    for split, scenes in (('train', train[:first]), ('val', train[first:]), ('test', test)):
        yield from ((split, scene) for scene in scenes)


def prepare_pair(
    frame: RawFrame, photo: np.ndarray, target: np.ndarray, ratio: float, field: float | None = None
) -> Prepared:
    """Cuts the common field of view out of a raw and a target, and lines the target up.

    Args:
        frame: The raw at the shorter focal length.
        photo: (h, w, 3) uint8, the camera's photo of it, at the same scale and centre.
        target: (H, W, 3) uint8, the photo at the longer focal length.
        ratio: Of the focal lengths.
        field: Ratio of the focal length whose field of view is kept to the shorter one; None: the target's.

    Raises:
        PairError: The pictures could not be lined up, or too little is left.
    """
    top, left, height, width = central_window(frame.mosaic.shape, photo.shape[:2], field or ratio)
    mosaic = frame.mosaic[top : top + height, left : left + width]
    y, x = (
        top - (frame.mosaic.shape[0] - photo.shape[0]) // 2,
        left - (frame.mosaic.shape[1] - photo.shape[1]) // 2,
    )
    window = photo[y : y + height, x : x + width]
    to_target = zoom_matrix(photo.shape[:2], target.shape[:2], ratio) @ shift_matrix(x, y)
    # The whole target at the photo's scale: what lies beyond the window is not black, and helps.
    shrunk = warp_affine(
        target, enlarging_matrix(ratio), tuple(int(side / ratio) for side in target.shape[:2])
    )
    found, correlation = find_affine(window, shrunk, np.linalg.inv(enlarging_matrix(ratio)) @ to_target)
    to_target = enlarging_matrix(ratio) @ found
    box = covered_box(
        warp_affine(np.full(target.shape[:2], 255, np.uint8), to_target, (height, width)) == 255
    )
    top, bottom, left, right = box
    if min(bottom - top, right - left) < 16:
        raise PairError(f'only {bottom - top}x{right - left} sensor pixels are in both pictures')
    enlarged = to_target @ shift_matrix(left, top) @ enlarging_matrix(1 / SCALE)
    size = (SCALE * (bottom - top), SCALE * (right - left))
    return Prepared(
        mosaic[top:bottom, left:right],
        window[top:bottom, left:right],
        warp_affine(target, enlarged, size),
        correlation,
    )


def white_balance(frame: RawFrame) -> tuple[float, float, float, float]:
    """What the camera's white balance multiplies the mean of red, green, green and blue by, as wb.txt has it.

    The ratio of linear sRGB means between a development with the balance as shot and one for daylight, as main_wb.py
    takes it from LibRaw: daylight is therefore near 1, 1, 1, 1.
    """
    linear = linear_mosaic(frame)[0, 0].numpy()
    means = np.array(
        [
            linear[::2, ::2].mean(),
            (linear[::2, 1::2].mean() + linear[1::2, ::2].mean()) / 2,
            linear[1::2, 1::2].mean(),
        ]
    )
    matrix = np.eye(3) if frame.xyz_to_camera is None else camera_to_srgb_matrix(frame.xyz_to_camera)
    developed = []
    for gains in (frame.white_balance, frame.daylight_gains or (1.0, 1.0, 1.0)):
        gains = np.array(gains) / min(gains)
        developed.append(np.maximum(matrix @ (gains * means), 1e-6))
    red, green, blue = developed[0] / developed[1]
    return float(red), float(green), float(green), float(blue)


def _prepare_scene(
    scene: Path, folder: Path, levels: tuple[float, float], field: Field, min_correlation: float
) -> dict[str, str]:
    """Prepares what can be of a scene; the rest is returned with the reasons."""
    failures, lines = {}, ['WB']
    with atomic_folder(folder) as unfinished:
        for name, partner in PAIRS.items():
            try:
                frame, pair = _prepare_files(scene, name, partner, field)
                if pair.correlation < min_correlation:
                    raise PairError(f'the two photos agree too little (correlation {pair.correlation:.2f})')
            except (OSError, ValueError) as error:
                failures[f'{scene.name}/{name}'] = str(error)
                continue
            write_sr_pair(unfinished, name, pack_sr_raw(pair.mosaic, *levels), pair.target, pair.photo)
            lines += [f'{name}:', ' '.join(f'{gain:.6f}' for gain in white_balance(frame))]
        if len(lines) > 1:
            (unfinished / 'wb.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return failures


def _prepare_files(scene: Path, name: str, partner: str, field: Field) -> tuple[RawFrame, Prepared]:
    """Prepares a pair from its files."""
    frame = read_raw(_find(scene, name, RAW_SUFFIXES))
    photo, target = (read_photo(_find(scene, stem, PHOTO_SUFFIXES)) for stem in (name, partner))
    short = _focal_length(frame)
    ratio = _focal_length(read_raw(_find(scene, partner, RAW_SUFFIXES))) / short
    longest = None
    if field == 'longest' and partner != '00001':
        longest = _focal_length(read_raw(_find(scene, '00001', RAW_SUFFIXES))) / short
    return frame, prepare_pair(frame, photo, target, ratio, longest)


def _focal_length(frame: RawFrame) -> float:
    if frame.exposure is None or not frame.exposure.focal_length:
        raise PairError(f'{frame.path}: the file does not say its focal length')
    return frame.exposure.focal_length


def _find(scene: Path, stem: str, suffixes: tuple[str, ...]) -> Path:
    found = [path for path in sorted(scene.glob(f'{stem}.*')) if path.suffix.lower() in suffixes]
    if not found:
        raise FileNotFoundError(
            f'{scene}: expected {stem} with the suffix {" or ".join(suffixes)}, found none'
        )
    return found[0]


def _scenes(root: Path) -> list[Path]:
    scenes = (
        [s for s in sorted(root.iterdir()) if s.is_dir() and any(s.glob('00001.*'))] if root.is_dir() else []
    )
    if not scenes:
        raise FileNotFoundError(
            f'{root}: expected scenes (folders with 00001.ARW, 00001.JPG and so on) or the folders train and test, '
            'found none. Extract the original SR-RAW there: https://github.com/ceciliavision/zoom-learn-zoom'
        )
    return scenes
