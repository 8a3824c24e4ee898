"""From two folders of photographs to a data set laid out as Zurich RAW to RGB.

The folder that comes out is a function of the photographs and the settings: each pair is worked on by itself, leaves a
record when it is done, and is not worked on again while its record holds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
from tqdm import tqdm

from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.files.layouts import PHOTO_FOLDER, RAW_FOLDER
from rawtoolbox.preparation.pairs.one_pair import make_patches
from rawtoolbox.preparation.pairs.report import write_report
from rawtoolbox.preparation.pairs.settings import Levels, PairSettings, Result
from rawtoolbox.preparation.pairs.sources import Sources
from rawtoolbox.raw import open_raw

FORMAT = 1  # to be raised when the same photographs and settings would give other bytes
SETTINGS = 'pairs.json'
SPLITS = ('train', 'test')


def prepare_pairs(
    pairs: list[Sources], root: str | Path, settings: PairSettings, jobs: int = 2, progress: bool = True
) -> Result:
    """Makes a data set of patches from photographs taken in pairs.

    ``root/{train,test}`` get the folders ``huawei_raw`` (16-bit PNG, RGGB) and ``canon`` (8-bit PNG, the photo at the
    raw's pixels) and a ``manifest.json``, which says of each patch its place in the raw frame, the homography from
    the frame to the photo, its own shift, and its scores. ``root/report/index.html`` shows what was kept and
    rejected, and why. Interrupted and started again, it goes on where it was; the files come out the same.

    Args:
        pairs: The files, from :func:`~rawtoolbox.preparation.pairs.sources.find_pairs`.
        root: Folder to make.
        settings: What to make.
        jobs: Pairs that are worked on at a time; each takes about 0.1 GB for a megapixel of raw and photo.
        progress: Whether a bar is shown, if the output is a terminal.

    Returns:
        What came of each pair. A file that cannot be read is a failure, and the others are made.

    Raises:
        ValueError: No file can be read, or the folder holds something else, or a data set of other settings.
    """
    root = Path(root)
    if not pairs or jobs < 1:
        raise ValueError(f'pairs and jobs: expected at least one of each, found {len(pairs)} and {jobs}.')
    _claim(root, settings)
    levels, failures = _first_levels(pairs, settings), {}
    splits, records = _split(pairs, settings.test_share), {}
    with _one_opencv_thread(), ThreadPoolExecutor(jobs) as pool, _bar(len(pairs), progress) as bar:
        tasks = {
            pool.submit(_prepare, pair, root, settings, levels, splits[pair.name]): pair.name
            for pair in pairs
        }
        try:
            for task in as_completed(tasks):
                try:
                    records[tasks[task]] = task.result()
                except ValueError as error:  # a file that cannot be read
                    failures[tasks[task]] = str(error)
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    ordered = [records[pair.name] for pair in pairs if pair.name in records]
    depth = max([int(levels.white), *(record['largest_value'] for record in ordered)]).bit_length()
    result = Result(ordered, {p.name: failures[p.name] for p in pairs if p.name in failures}, levels, depth)
    _finish(root, settings, result)
    return result


def _prepare(pair: Sources, root: Path, settings: PairSettings, levels: Levels, split: str) -> dict[str, Any]:
    """A pair's record: the one that is there, if it still holds, or a new one."""
    path = root / 'records' / f'{pair.name}.json'
    head = {
        'name': pair.name,
        'split': split,
        'files': {
            kind: [file.name, file.stat().st_size]
            for kind, file in zip(('raw', 'photo'), pair[1:], strict=True)
        },
        'levels': levels._asdict(),
    }
    if path.is_file():
        record = json.loads(path.read_text(encoding='utf-8'))
        if {key: record.get(key) for key in head} == head:
            return record
    record = head | make_patches(pair, root, settings, levels, split)
    write_atomically(path, json.dumps(record, indent=1))
    return record


def _claim(root: Path, settings: PairSettings) -> None:
    """Makes the folder, or finds it made with the same settings; removes what an interrupted write left.

    Raises:
        ValueError: It holds something else.
    """
    wanted = json.loads(json.dumps({'format': FORMAT, **asdict(settings)}))
    path = root / SETTINGS
    if path.is_file():
        found = json.loads(path.read_text(encoding='utf-8'))
        differ = [
            f'{key} = {found.get(key)} (not {wanted[key]})' for key in wanted if found.get(key) != wanted[key]
        ]
        if differ:
            raise ValueError(
                f'{root}: expected a data set of the same settings, found {", ".join(differ)}. '
                'Name another folder, or delete this one to have it made anew.'
            )
        for left in root.rglob('.*.partial*'):
            left.unlink()
    elif root.exists() and any(root.iterdir()):
        raise ValueError(
            f'{root}: expected no such folder, or an empty one, found other files. Name another.'
        )
    else:
        write_atomically(path, json.dumps(wanted, indent=1))


def _first_levels(pairs: list[Sources], settings: PairSettings) -> Levels:
    """The levels of the first raw that can be read, which all mosaics are given.

    Raises:
        ValueError: None can.
    """
    problems = []
    for pair in pairs:
        try:
            frame = open_raw(pair.raw, **settings.geometry)
            return Levels(list(frame.black_level), frame.white_level)
        except (ValueError, OSError) as error:
            problems.append(str(error))
    raise ValueError(f'None of the {len(pairs)} raw files can be read. The first: {problems[0]}')


def _split(pairs: list[Sources], test_share: float) -> dict[str, str]:
    """Which photographs are for testing: drawn by a hash of their names, at least one if any are to be."""
    count = max(round(test_share * len(pairs)), int(test_share > 0 and len(pairs) > 1))
    drawn = sorted((crc32(pair.name.encode()), pair.name) for pair in pairs)[:count]
    return {pair.name: SPLITS[(crc32(pair.name.encode()), pair.name) in drawn] for pair in pairs}


def _finish(root: Path, settings: PairSettings, result: Result) -> None:
    """Writes manifests and the report, and removes patches of photographs that are no longer there."""
    kept = {name for record in result.records for name in record['patches']}
    _remove_others(root / 'records', {record['name'] for record in result.records})
    _remove_others(root / 'report' / 'patches', kept)
    for split in SPLITS:
        patches = {}
        for record in (record for record in result.records if record['split'] == split):
            common = {
                key: record[key] for key in ('frame_size', 'homography', 'gains', 'camera') if key in record
            }
            sources = {kind: record['files'][kind][0] for kind in ('raw', 'photo')}
            for name, patch in record['patches'].items():
                if not patch['rejected']:
                    place = {
                        key: patch[key]
                        for key in ('origin', 'shift', 'score', 'displacement', 'detail', 'unlike')
                    }
                    patches[name] = sources | place | common
        for folder in (RAW_FOLDER, PHOTO_FOLDER):
            _remove_others(root / split / folder, set(patches))
        config = asdict(settings) | result.levels._asdict() | {'bit_depth': result.bit_depth}
        if patches:
            write_atomically(
                root / split / 'manifest.json', json.dumps({'config': config, 'patches': patches}, indent=1)
            )
        else:
            shutil.rmtree(root / split, ignore_errors=True)
    write_report(root, result.records, result.failures)


def _remove_others(folder: Path, names: set[str]) -> None:
    """Removes the files of a folder that are not of these names."""
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.stem not in names:
            file.unlink()


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """OpenCV's flow depends on how many threads share the work; several pairs are worked on at a time anyway."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _bar(total: int, progress: bool) -> tqdm:
    return tqdm(total=total, desc='pairs', unit='pair', disable=None if progress else True)
