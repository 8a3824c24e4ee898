"""Zurich RAW to RGB (ZRR): pairs of a Huawei P20's raw and a Canon 5D Mark IV's photo."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rawtoolbox.datasets.flow_io import read_flow_png
from rawtoolbox.datasets.image_files import (
    check_mosaic_header,
    check_photo_header,
    read_header,
    read_mosaic,
    read_photo,
)
from rawtoolbox.registry import DATASETS

OFFICIAL_COUNTS = {'train': 46839, 'test': 1204}
OFFICIAL_PLACE = 'https://people.ee.ethz.ch/~ihnatova/pynet.html#dataset'
IMAGE_SUFFIXES = {'.png', '.jpg', '.jpeg'}
SAMPLED_HEADERS = 8


@DATASETS.register_module()
class ZRRDataset(Dataset):
    """Zurich RAW to RGB, or a data set laid out like it.

    Ignatov et al., *Replacing Mobile Camera ISP with a Single Deep Learning Model*, CVPR Workshops 2020 (PyNET)::

        data_root/
            train/                       46,839 pairs
                huawei_raw/0.png ...     448x448, 16-bit PNG of 10-bit sensor values, RGGB
                canon/0.jpg ...          448x448, 8-bit RGB
                manifest.json            optional: {"patches": {"0": {"origin": [y, x], "frame_size": [h, w]}}}
                aligned/, flow/          optional: the truth, for simulated pairs
            test/                        1,204 pairs, likewise
                huawei_full_resolution/  whole frames, 2976x3968, raw only

    Whole frames are read by ``ZRRDataset(root, 'test', patch_size=None, raw_dir='huawei_full_resolution',
    target_dir=None)``. Nothing is kept in memory. Construction checks names and some headers; a file's pixels are
    checked when it is read.

    An item is ``{'inputs': {'mosaic'}, 'data_samples': {'target', 'meta' [, 'aligned', 'flow', 'flow_valid']}}``:

    - ``mosaic``: (1, H, W) uint16, sensor values.
    - ``target``: (3, H, W) uint8, RGB; missing without a ``target_dir``.
    - ``meta``: ``name`` (str), ``origin`` (2,) (y, x of the patch in its frame) and ``frame_size`` (2,) (height,
      width), int64. Without a manifest the origin is (0, 0) and the frame the patch itself.
    - ``aligned``: (3, H, W) uint8, the target at the mosaic's pixels; ``flow``: (2, H, W) float32, from the mosaic's
      pixels to the target's; ``flow_valid``: (1, H, W) float32, 1 where the flow ends inside the target.

    Args:
        data_root: Folder of the data set.
        split: ``'train'`` or ``'test'``.
        patch_size: Side, or height and width, that all files must have; None for any.
        with_truth: Whether ``aligned`` and ``flow`` are delivered as well, as far as they are there.
        bit_depth: Bits of the sensor values.
        raw_dir: Folder of the raws inside the split's.
        target_dir: Folder of the photos; None for raws alone.
        expected_count: Number of pairs that must be there, such as ``OFFICIAL_COUNTS['train']``.
        names: Names of the pairs to use, or how many of the first; None for all.
        check_headers: Whether construction reads the headers of ``'all'`` files, of a ``'sample'`` or of ``'none'``.

    Raises:
        FileNotFoundError: A folder is missing; the message says where to get the data set.
        ValueError: An argument makes no sense, a folder is empty, pairs are incomplete, their number is not the
            expected one, or a header does not fit.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: Literal['train', 'test'] = 'train',
        patch_size: int | tuple[int, int] | None = 448,
        with_truth: bool = False,
        bit_depth: int = 10,
        raw_dir: str = 'huawei_raw',
        target_dir: str | None = 'canon',
        expected_count: int | None = None,
        names: list[str] | int | None = None,
        check_headers: Literal['sample', 'all', 'none'] = 'sample',
    ) -> None:
        if split not in OFFICIAL_COUNTS:
            raise ValueError(f"split: expected 'train' or 'test', found {split!r}.")
        if not 1 <= bit_depth <= 16:
            raise ValueError(f'bit_depth: expected 1 to 16, found {bit_depth}.')
        self.split, self.bit_depth = split, bit_depth
        self.size = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
        folder = _split_folder(Path(data_root).expanduser(), split)
        self.raws = _list_images(folder / raw_dir)
        self.targets = None if target_dir is None else _list_images(folder / target_dir)
        self.truth = _list_truth(folder) if with_truth else {}
        for other in (self.targets, *self.truth.values()):
            if other is not None:
                _check_pairs(self.raws, other)
        if expected_count is not None and len(self.raws) != expected_count:
            raise ValueError(
                f'{folder}: expected {expected_count} pairs, found {len(self.raws)}. '
                'Download or extract the data set again, or leave out expected_count.'
            )
        self.names = _choose(sorted(self.raws, key=natural_key), names, folder)
        self.places = _read_manifest(folder)
        self._check_headers(check_headers)

    @property
    def metainfo(self) -> dict[str, Any]:
        """What is true of all items."""
        return {
            'dataset': type(self).__name__,
            'split': self.split,
            'bit_depth': self.bit_depth,
        }

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        name = self.names[index]
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

    def _meta(self, name: str, size: tuple[int, int]) -> dict[str, Any]:
        """A pair's name and its place in the frame."""
        place = self.places.get(name, {'origin': (0, 0), 'frame_size': size})
        return {'name': name, **{key: torch.tensor(place[key]) for key in ('origin', 'frame_size')}}

    def _check_headers(self, which: str) -> None:
        """Checks headers of all pairs, of none, or of the first, the last and some between."""
        counts = {'all': len(self.names), 'sample': min(SAMPLED_HEADERS, len(self.names)), 'none': 0}
        if which not in counts:
            raise ValueError(f"check_headers: expected 'sample', 'all' or 'none', found {which!r}.")
        for index in np.linspace(0, len(self.names) - 1, counts[which]).astype(int):
            name = self.names[index]
            header = read_header(self.raws[name])
            check_mosaic_header(header, self.raws[name], self.size)
            if self.targets is not None:
                target = self.targets[name]
                check_photo_header(read_header(target), target, (header.height, header.width))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts numbers in names by value: 2 before 10."""
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in re.split(r'(\d+)', name)]


def _split_folder(root: Path, split: str) -> Path:
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


def _list_images(folder: Path) -> dict[str, Path]:
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
    truth = {kind: _list_images(folder / kind) for kind in ('aligned', 'flow') if (folder / kind).is_dir()}
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


def _choose(found: list[str], names: list[str] | int | None, folder: Path) -> list[str]:
    """The names to use."""
    if names is None:
        return found
    if isinstance(names, int):
        if not 1 <= names <= len(found):
            raise ValueError(f'names: expected 1 to {len(found)} (what {folder} holds), found {names}.')
        return found[:names]
    missing = sorted(set(names) - set(found), key=natural_key)
    if missing or not names:
        raise ValueError(
            f'names: expected names of pairs in {folder}, found {", ".join(missing[:5]) or "none"}.'
        )
    return list(names)


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
    return torch.from_numpy(image).permute(2, 0, 1).contiguous()
