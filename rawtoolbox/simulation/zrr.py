"""Simulated pairs on disk, laid out as Zurich RAW to RGB, with the truth beside them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from rawtoolbox.files.atomic import atomic_folder
from rawtoolbox.files.flow import write_flow_png
from rawtoolbox.files.layouts import ALIGNED_FOLDER, FLOW_FOLDER, PHOTO_FOLDER, RAW_FOLDER
from rawtoolbox.simulation.cameras import SimulationConfig
from rawtoolbox.simulation.scene import Pair, Scene, draw_scene, render_scene

__all__ = ['SimulationConfig', 'simulate_dataset']

RECORD = 'simulation.json'
FORMAT = 1  # to be raised when the same configuration would give other bytes


def simulate_dataset(
    root: str | Path, config: SimulationConfig, num_train: int, num_test: int, progress: bool = True
) -> Path:
    """Writes a data set laid out as Zurich RAW to RGB, with the truth beside it.

    ``root/{train,test}`` get the folders ``huawei_raw`` (16-bit PNG of RGGB sensor values), ``canon`` (JPEG),
    ``aligned`` (PNG, the photo at the raw's pixels, lossless) and ``flow`` (PNG, see
    :func:`rawtoolbox.files.flow.write_flow_png`; valid where the flow ends inside the patch), and a
    ``manifest.json`` that says of each patch where it comes from. The folder appears when it is whole. If it
    is there already with the same configuration and counts, nothing is done.

    Args:
        root: Folder to make.
        config: Of the simulation.
        num_train: Patches of the training split.
        num_test: Patches of the test split; from other photographs.
        progress: Whether a bar is shown, if the output is a terminal.

    Returns:
        The folder.

    Raises:
        ValueError: The folder is there but is not the same data set, or a count is negative.
        FileNotFoundError: A photograph is missing.
    """
    root, counts = Path(root), {'train': num_train, 'test': num_test}
    if min(counts.values()) < 0:
        raise ValueError(
            f'num_train and num_test: expected counts of at least 0, found {num_train} and {num_test}.'
        )
    record = _record(config, counts)
    if _is_there(root, record):
        return root
    try:
        with atomic_folder(root) as unfinished:
            _write_dataset(unfinished, config, counts, progress)
            (unfinished / RECORD).write_text(json.dumps(record, indent=1), encoding='utf-8')
    except OSError:
        if not _is_there(root, record):  # another process may have made the same one meanwhile
            raise
    return root


def _write_dataset(root: Path, config: SimulationConfig, counts: dict[str, int], progress: bool) -> None:
    """Writes both splits, several scenes at a time (OpenCV releases the interpreter's lock)."""
    names = {'train': config.train_photographs, 'test': config.test_photographs}
    with (
        tqdm(
            total=sum(counts.values()), desc='simulating', unit='patch', disable=None if progress else True
        ) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for split, count in counts.items():
            for folder in (RAW_FOLDER, PHOTO_FOLDER, ALIGNED_FOLDER, FLOW_FOLDER):
                (root / split / folder).mkdir(parents=True)
            patches = {}
            tasks = [
                pool.submit(_write_scene, root / split, config, *task)
                for task in _plan(config, names[split], count)
            ]
            for task in tasks:
                entries = task.result()
                patches.update(entries)
                bar.update(len(entries))
            manifest = {'config': asdict(config), 'patches': patches}
            (root / split / 'manifest.json').write_text(json.dumps(manifest, indent=1), encoding='utf-8')


def _plan(
    config: SimulationConfig, photographs: tuple[str, ...], count: int
) -> Iterator[tuple[Scene, dict[str, tuple[int, int]]]]:
    """Scenes, each with its patches' names and origins; the photograph with the fewest so far comes next."""
    had, scenes, total = dict.fromkeys(photographs, 0), dict.fromkeys(photographs, 0), 0
    while total < count:
        name = min(photographs, key=had.get)
        scene = draw_scene(config, name, scenes[name])
        origins = scene.origins(config.patch_size)[: count - total]
        yield scene, {str(total + number): origin for number, origin in enumerate(origins)}
        had[name] += len(origins)
        scenes[name] += 1
        total += len(origins)


def _write_scene(
    folder: Path, config: SimulationConfig, scene: Scene, patches: dict[str, tuple[int, int]]
) -> dict[str, dict[str, Any]]:
    """Renders a scene and writes its patches; returns their manifest entries."""
    pair, entries = render_scene(config, scene), {}
    for name, (row, column) in patches.items():
        window = (slice(row, row + config.patch_size), slice(column, column + config.patch_size))
        patch = Pair(
            pair.mosaic[window], pair.target[window], pair.aligned[window], pair.flow[(slice(None), *window)]
        )
        _write_patch(folder, name, patch, config)
        entries[name] = {
            'photograph': scene.photograph,
            'scene': scene.index,
            'origin': [row, column],
            'frame_size': list(scene.frame_size),
            'gains': list(scene.gains),
            'exposure': scene.exposure,
            'corner_light': scene.corner_light,
            'mean_displacement': round(float(np.hypot(*patch.flow).mean()), 4),
        }
    return entries


def _write_patch(folder: Path, name: str, patch: Pair, config: SimulationConfig) -> None:
    """Writes the four files of a patch."""
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
    jpeg += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    files = ((RAW_FOLDER, '.png', patch.mosaic, []), (PHOTO_FOLDER, '.jpg', patch.target[..., ::-1], jpeg))
    for kind, suffix, image, options in (*files, (ALIGNED_FOLDER, '.png', patch.aligned[..., ::-1], [])):
        encoded = cv2.imencode(suffix, image, options)[1]
        (folder / kind / f'{name}{suffix}').write_bytes(encoded.tobytes())
    write_flow_png(folder / FLOW_FOLDER / f'{name}.png', patch.flow, _ends_inside(patch.flow))


def _ends_inside(flow: np.ndarray) -> np.ndarray:
    """(H, W) bool: whether the position that the flow leads to is inside the image."""
    height, width = flow.shape[1:]
    y, x = np.mgrid[:height, :width] + flow[::-1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _record(config: SimulationConfig, counts: dict[str, int]) -> dict[str, Any]:
    """What the data set is a function of, and a hash of it."""
    settings = asdict(config)
    if not config.hue:  # data sets made before there was this setting stay the same
        del settings['hue']
    record = {'format': FORMAT, 'counts': counts, 'config': settings}
    text = json.dumps(record, sort_keys=True)
    return {'hash': hashlib.sha256(text.encode()).hexdigest(), **record}


def _is_there(root: Path, record: dict[str, Any]) -> bool:
    """Whether the folder holds this data set; an empty folder counts as none.

    Raises:
        ValueError: It holds something else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not (root / RECORD).is_file():
        raise ValueError(
            f'{root}: expected no such folder or a simulated data set, found other files. Name another.'
        )
    found = json.loads((root / RECORD).read_text(encoding='utf-8'))
    if found.get('hash') != record['hash']:
        raise ValueError(
            f'{root}: expected a data set of the same configuration, found {_differences(found, record)}. '
            'Name another folder, or delete this one to have it made anew.'
        )
    return True


def _differences(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """The settings in which two records differ."""
    flat = [
        {
            'format': one.get('format'),
            **one.get('counts', {}),
            **json.loads(json.dumps(one.get('config', {}))),
        }
        for one in (found, expected)
    ]
    names = [name for name in flat[1] if flat[0].get(name) != flat[1][name]]
    return ', '.join(f'{name} = {flat[0].get(name)} (not {flat[1][name]})' for name in names) or 'another one'
