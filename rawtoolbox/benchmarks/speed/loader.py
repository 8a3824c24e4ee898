"""Loading pairs on one core: as the official code does it, from the files, and from a packed file.

The reference does what the official loader does (cszhilu1998/RAW-to-sRGB, data/zrr_dataset.py): raws preloaded in
memory; per sample, levels, packing and demosaicking by colour-demosaicing's method on the CPU, the JPEG decoded, flips
of these and of the coordinates, float32 throughout. The toolbox hands over uint16 and uint8 and leaves the rest to the
device, in batches.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from rawtoolbox.benchmarks.speed.machine import machine
from rawtoolbox.benchmarks.speed.report import Report
from rawtoolbox.benchmarks.speed.timing import summarise, time_in_turn
from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.datasets.packed import write_pack
from rawtoolbox.models import RawPreprocessor
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.simulation.cameras import SimulationConfig
from rawtoolbox.simulation.zrr import simulate_dataset

HELP = 'samples a second and core: the official way, from files, from a packed file'
BLACK, WHITE = 63, 1020
KERNELS = {
    'R': np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4,
    'G': np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4,
    'B': np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4,
}
TARGETS = {'files': 5.5, 'packed file': 20.0}  # times the reference's samples a second


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--data-root', help='pairs in the layout of ZRR (default: simulated for the occasion)'
    )
    parser.add_argument('--size', type=int, default=448, help='side of the patches in pixels (448)')
    parser.add_argument('--pairs', type=int, default=32, help='pairs loaded a round, as one batch (32)')


def measure(args: argparse.Namespace) -> Report:
    with one_core(), tempfile.TemporaryDirectory() as folder:
        root = Path(args.data_root or Path(folder) / 'simulated')
        if not args.data_root:
            simulate_dataset(root, SimulationConfig(patch_size=args.size), args.pairs, 0)
        files = ZRRDataset(root, 'train', args.size, names=args.pairs)
        write_pack(Path(folder) / 'train.pack', files)
        packed = ZRRDataset(root, 'train', args.size, names=args.pairs, packed=folder)
        forms = {'reference': ReferencePairs(files), 'files': files, 'packed file': packed}
        calls: dict[str, Callable] = {name: lambda form=form: load(form) for name, form in forms.items()}
        batch, preprocessor = load(files), RawPreprocessor(BLACK, WHITE, augment='bayer')
        calls['device part, on this core'] = lambda: preprocessor(batch, training=True)
        seconds = time_in_turn(calls, args.repeats, clock=time.process_time)
    per_sample = {name: [time / args.pairs for time in times] for name, times in seconds.items()}
    timings = summarise(per_sample)
    notes = [
        f'{t.name}: {t.speedup:.1f} times the reference; the target is {TARGETS[t.name]}.'
        for t in timings
        if t.name in TARGETS
    ]
    return Report(
        'loader',
        f'Loading pairs of {args.size}x{args.size} pixels, batches of {args.pairs}, one core',
        ('form', 'ms a sample', 'spread', 'samples a second and core', 'times the reference'),
        [(t.name, 1e3 * t.median, f'±{t.spread:.0%}', 1 / t.median, t.speedup) for t in timings],
        {**machine('cpu'), 'threads': 1},
        [
            *notes,
            "Seconds of the process's own work (the files are in the page cache); the ratio is that of the same round.",
            'The last row is what the reference does while it loads and the toolbox does later, in batches, on the '
            'device that trains: levels, packing, demosaicking, flips.',
        ],
        {'timings': [asdict(timing) for timing in timings]},
    )


def load(dataset: Dataset) -> Any:
    """All items as one batch, as a DataLoader's worker makes it."""
    return default_collate([dataset[index] for index in range(len(dataset))])


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """OpenCV and torch with one thread each, as in a worker."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


class ReferencePairs(Dataset):
    """Pairs as the official loader makes them, apart from its way of writing it down.

    Args:
        files: Where the pairs are; the raws are read at once.
        augment: Whether images are flipped and transposed at random.
    """

    def __init__(self, files: ZRRDataset, augment: bool = True) -> None:
        self.targets = [files.pairs.targets[name] for name in files.names]
        self.raws = [files[index]['inputs']['mosaic'][0].numpy() for index in range(len(files))]
        self.coord = coord_map(*self.raws[0].shape).numpy()
        self.augment = augment

    def __len__(self) -> int:
        return len(self.raws)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        linear = np.maximum(self.raws[index].astype(np.float32) - BLACK, 0) / (WHITE - BLACK)
        photo = cv2.cvtColor(cv2.imread(str(self.targets[index])), cv2.COLOR_BGR2RGB)
        images = {
            'raw': pack(linear),
            'source': to_chw(demosaic(linear).astype(np.float32)),
            'target': to_chw(photo).astype(np.float32) / 255,
            'coord': self.coord,
        }
        turns = np.random.randint(0, 2, 3) if self.augment else np.zeros(3, int)
        return {key: torch.from_numpy(turn(image, turns)) for key, image in images.items()}


def pack(mosaic: np.ndarray) -> np.ndarray:
    """(H, W) RGGB -> (4, H/2, W/2) in the order of the networks for ZRR."""
    planes = mosaic[1::2, 1::2], mosaic[0::2, 1::2], mosaic[0::2, 0::2], mosaic[1::2, 0::2]
    return to_chw(np.dstack(planes))


def demosaic(mosaic: np.ndarray) -> np.ndarray:
    """Bilinear demosaicking as colour-demosaicing does it: masked planes, convolved in float64, side by side.

    Returns:
        (H, W, 3) float64.
    """
    mosaic = mosaic.astype(np.float64)
    masks = {colour: np.zeros(mosaic.shape, bool) for colour in 'RGB'}
    for colour, (y, x) in zip('RGGB', ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
        masks[colour][y::2, x::2] = True
    planes = [ndimage.convolve(mosaic * masks[colour], KERNELS[colour]) for colour in 'RGB']
    return np.stack(planes, axis=-1)


def to_chw(image: np.ndarray) -> np.ndarray:
    """(H, W, C) -> (C, H, W)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def turn(image: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Flipped horizontally, vertically and transposed, as the three numbers say; (C, H, W)."""
    image = image[:, :, ::-1] if turns[0] else image
    image = image[:, ::-1] if turns[1] else image
    image = image.transpose(0, 2, 1) if turns[2] else image
    return np.ascontiguousarray(image)
