"""The files of pairs laid out as Zurich RAW to RGB: listed, matched, located, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rawtoolbox.files.flow import read_flow_png
from rawtoolbox.files.images import (
    check_mosaic_header,
    check_photo_header,
    read_header,
    read_mosaic,
    read_photo,
)
from rawtoolbox.files.layouts import ALIGNED_FOLDER, FLOW_FOLDER
from rawtoolbox.files.names import natural_key

OFFICIAL_PLACE = 'https://people.ee.ethz.ch/~ihnatova/pynet.html#dataset'
IMAGE_SUFFIXES = {'.png', '.jpg', '.jpeg'}


class PairFiles:
    """The files of one split, by the pairs' names; see :class:`rawtoolbox.datasets.ZRRDataset`.

    Args:
        folder: Folder of the split.
        size: Height and width that all files must have; None for any.
        bit_depth: Bits of the sensor values.
        raw_dir: Folder of the raws inside the split's.
        target_dir: Folder of the photos; None for raws alone.
        with_truth: Whether ``aligned`` and ``flow`` are delivered as well, as far as they are there.

    Raises:
        FileNotFoundError: A folder is missing.
        ValueError: A folder is empty, or pairs are incomplete.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int] | None,
        bit_depth: int,
        raw_dir: str,
        target_dir: str | None,
        with_truth: bool,
    ) -> None:
        self.size, self.bit_depth = size, bit_depth
        self.raws = list_images(folder / raw_dir)
        self.targets = None if target_dir is None else list_images(folder / target_dir)
        self.truth = _list_truth(folder) if with_truth else {}
        for other in (self.targets, *self.truth.values()):
            if other is not None:
                _check_pairs(self.raws, other)
        self.names = sorted(self.raws, key=natural_key)
        self.places = _read_manifest(folder)

    def item(self, name: str) -> dict[str, dict[str, Any]]:
        """A pair, decoded."""
        mosaic = read_mosaic(self.raws[name], self.size, self.bit_depth)
        samples = {'meta': self._meta(name, mosaic.shape)}
        if self.targets is not None:
            samples['target'] = _to_chw(read_photo(self.targets[name], self.size or mosaic.shape))
        if 'aligned' in self.truth:
            samples['aligned'] = _to_chw(read_photo(self.truth['aligned'][name], mosaic.shape))
        if 'flow' in self.truth:
            flow, valid = read_flow_png(self.truth['flow'][name])
            samples.update(flow=torch.from_numpy(flow), flow_valid=torch.from_numpy(valid))
        return {'inputs': {'mosaic': torch.from_numpy(mosaic)[None]}, 'data_samples': samples}

    def sizes(self, name: str) -> list[int]:
        """Bytes of a pair's raw and photo."""
        return [files[name].stat().st_size for files in (self.raws, self.targets) if files is not None]

    def check_headers(self, names: list[str]) -> None:
        """Checks the headers of some pairs without decoding them.

        Raises:
            ValueError: One does not fit.
        """
        for name in names:
            header = read_header(self.raws[name])
            check_mosaic_header(header, self.raws[name], self.size)
            if self.targets is not None:
                target = self.targets[name]
                check_photo_header(read_header(target), target, (header.height, header.width))

    def _meta(self, name: str, size: tuple[int, int]) -> dict[str, Any]:
        """A pair's name and its place in the frame."""
        place = self.places.get(name, {'origin': (0, 0), 'frame_size': size})
        return {'name': name, **{key: torch.tensor(place[key]) for key in ('origin', 'frame_size')}}


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split."""
    remedy = (
        f'Download Zurich RAW to RGB (22 GB) from {OFFICIAL_PLACE} and extract it so that {root / split} holds '
        'huawei_raw and canon; or name its folder (--cfg-options data_root=FOLDER), '
        f'or make a stand-in: python tools/prepare_data/simulate.py {root}'
    )
    for folder, what in ((root, 'the data set'), (root / split, f'the {split} split')):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder}: expected {what}, found no such folder. {remedy}')
    return root / split


def list_images(folder: Path) -> dict[str, Path]:
    """Image files by their names without suffix."""
    if not folder.is_dir():
        there = ', '.join(sorted(entry.name for entry in folder.parent.iterdir() if entry.is_dir())) or 'none'
        raise FileNotFoundError(
            f'{folder}: expected a folder of images, found none (folders there: {there}). '
            f'Extract the data set ({OFFICIAL_PLACE}) whole, or name the folder by raw_dir or target_dir.'
        )
    files = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
    images = {file.stem: file for file in files}
    if len(images) < len(files):
        raise ValueError(
            f'{folder}: expected one image a name, found PNG and JPEG files of the same. Delete one kind.'
        )
    if not images:
        raise ValueError(
            f'{folder}: expected images, found none. Extract the data set ({OFFICIAL_PLACE}) again.'
        )
    return images


def _list_truth(folder: Path) -> dict[str, dict[str, Path]]:
    """Files of the truth, as far as it is there."""
    folders = {'aligned': folder / ALIGNED_FOLDER, 'flow': folder / FLOW_FOLDER}
    truth = {kind: list_images(path) for kind, path in folders.items() if path.is_dir()}
    if not truth:
        raise FileNotFoundError(
            f'{folder}: expected the folders aligned or flow (with_truth=True), found neither: real pairs have no '
            'truth. Set with_truth=False, or simulate pairs by tools/prepare_data/simulate.py'
        )
    return truth


def _check_pairs(raws: dict[str, Path], others: dict[str, Path]) -> None:
    """Checks that each raw has its partner and each partner its raw."""
    folders = [next(iter(files.values())).parent for files in (raws, others)]
    for have, lack, folder in ((raws, others, folders[1]), (others, raws, folders[0])):
        alone = sorted(set(have) - set(lack), key=natural_key)
        if alone:
            shown = ', '.join(have[name].name for name in alone[:5]) + (', ...' if len(alone) > 5 else '')
            raise ValueError(
                f'{folder}: expected a partner of every file in {next(iter(have.values())).parent}, found {len(alone)} '
                f'without: {shown}. Extract the data set again, or delete them.'
            )


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Places of the patches in their frames by name; empty without a manifest."""
    path = folder / 'manifest.json'
    if not path.is_file():
        return {}
    try:
        patches = json.loads(path.read_text(encoding='utf-8'))['patches']
        return {
            name: {'origin': tuple(patch['origin']), 'frame_size': tuple(patch['frame_size'])}
            for name, patch in patches.items()
        }
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path}: expected {{"patches": {{name: {{"origin": [y, x], "frame_size": [h, w]}}}}}}, '
            f'found otherwise ({type(error).__name__}: {error}). Write it so, or delete it.'
        ) from error


def _to_chw(image: np.ndarray) -> Tensor:
    """(H, W, 3) -> (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
