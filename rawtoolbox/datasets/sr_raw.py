"""SR-RAW: a camera's raw at one focal length, and its photo at about four times that length."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rawtoolbox.files.images import check_photo_header, existing_file, read_header, read_photo
from rawtoolbox.files.layouts import SR_PHOTO_FOLDER, SR_RAW_FOLDER, SR_TARGET_FOLDER
from rawtoolbox.ops.augment import random_crop_window
from rawtoolbox.ops.bayer import unpack_mosaic
from rawtoolbox.registry import DATASETS

PAIRS = {
    '50/240': '00005',
    '35/150': '00006',
    '24/100': '00007',
}  # millimetres, and the name of the shorter one
OFFICIAL_SCENES = {'train': 400, 'val': 50, 'test': 50}
OFFICIAL_PLACE = 'https://github.com/cszhilu1998/RAW-to-sRGB (Preprocessed SR-RAW Dataset)'
SCALE = 4  # target pixels per sensor pixel
PLANES = ('R', 'Gr', 'B', 'Gb')  # clockwise
GAINS = (0, 1, 3)  # of R, G, G, B in wb.txt


@DATASETS.register_module()
class SRRAWDataset(Dataset):
    """SR-RAW for 4x super-resolution from raw, in the layout that the authors of the joint model publish.

    Zhang et al., *Zoom to Learn, Learn to Zoom*, CVPR 2019. The layout is a fact of cszhilu1998/RAW-to-sRGB,
    ``data/srraw_dataset.py``; ``tools/prepare_data/sr_raw.py`` makes it from the original files::

        data_root/
            train/                          400 scenes
                00001/
                    input_x4_raw/00006.npy  (h, w, 4) floats: R, Gr, B, Gb, (value - 512) / (16383 - 512)
                    target_x4_rgb/00006.png 8h x 8w, RGB: the photo at about four times the focal length
                    input_x4_rgb/00006.png  2h x 2w, RGB: the camera's own photo (optional, see ``with_rgb``)
                    wb.txt                  per file two lines: a name that ends in ``00006:``, four gains (R, G, G, B)
            val/, test/                     50 scenes each, likewise

    The name says the focal lengths: see ``PAIRS``. The paper trains on all and tests on 35/150 mm.

    An item is ``{'inputs': {'mosaic', 'white_balance' [, 'rgb']}, 'data_samples': {'target', 'meta'}}``:

    - ``mosaic``: (1, H, W) uint16, sensor values, RGGB.
    - ``white_balance``: (3,) float32, linear gains of red, green and blue.
    - ``rgb``: (3, H, W) uint8, the low-resolution photo.
    - ``target``: (3, 4H, 4W) uint8.
    - ``meta``: ``name`` (``'<scene>-<pair>'``), ``origin`` (2,) (y, x of the crop in the stored image) and
      ``frame_size`` (2,), in sensor pixels.

    Args:
        data_root: Folder of the data set.
        split: ``'train'``, ``'val'`` or ``'test'``.
        pairs: Which focal lengths, keys of ``PAIRS``; None for all files that are there.
        crop_size: Side of a crop in sensor pixels, even: scenes differ in size, so a batch needs one. The place is
            drawn when the sampler gives the draw (:class:`~rawtoolbox.datasets.PatchSampler`), otherwise it is the
            centre. Paper: 128. None for whole images, one a batch.
        with_rgb: Whether ``rgb`` is delivered.
        black_level: Sensor value of black that the files were made with.
        white_level: Sensor value of white, likewise.
        expected_scenes: Number of scenes that must be there, such as ``OFFICIAL_SCENES['train']``.

    Raises:
        FileNotFoundError: A folder or file is missing; the message says where to get the data set.
        ValueError: An argument makes no sense, or a file does not fit.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: Literal['train', 'val', 'test'] = 'train',
        pairs: tuple[str, ...] | None = None,
        crop_size: int | None = None,
        with_rgb: bool = False,
        black_level: float = 512,
        white_level: float = 16383,
        expected_scenes: int | None = None,
    ) -> None:
        if split not in OFFICIAL_SCENES:
            raise ValueError(f'split: expected one of {", ".join(OFFICIAL_SCENES)}, found {split!r}.')
        if crop_size is not None and (crop_size < 16 or crop_size % 2):
            raise ValueError(f'crop_size: expected an even number of at least 16, found {crop_size}.')
        self.split, self.crop_size, self.with_rgb = split, crop_size, with_rgb
        self.black_level, self.white_level = black_level, white_level
        folder = Path(data_root).expanduser() / split
        scenes = _list_scenes(folder, expected_scenes)
        self.raws = _list_raws(scenes, _wanted(pairs), folder)
        self.gains = {
            scene: read_white_balance(scene / 'wb.txt') for scene in {r.parents[1] for r in self.raws}
        }
        for raw in self.raws:
            self._check(raw)

    @property
    def metainfo(self) -> dict[str, Any]:
        """What is true of all items."""
        return {'dataset': type(self).__name__, 'split': self.split, 'scale': SCALE}

    def __len__(self) -> int:
        return len(self.raws)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, dict[str, Any]]:
        """An item by its index, or by its index and the number that its crop is drawn by."""
        index, draw = key if isinstance(key, tuple) else (key, None)
        raw = self.raws[index]
        packed = read_packed(raw)
        y, x, height, width = self._window(packed.shape[:2], draw, raw)
        mosaic = to_mosaic(
            packed[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2], self.black_level, self.white_level
        )
        inputs = {
            'mosaic': mosaic,
            'white_balance': torch.tensor(self.gains[raw.parents[1]][raw.stem])[list(GAINS)],
        }
        if self.with_rgb:
            inputs['rgb'] = _cut(read_photo(_partner(raw, SR_PHOTO_FOLDER)), y, x, height, width)
        target = read_photo(_partner(raw, SR_TARGET_FOLDER))
        meta = {
            'name': f'{raw.parents[1].name}-{raw.stem}',
            'origin': torch.tensor([y, x]),
            'frame_size': torch.tensor([2 * size for size in packed.shape[:2]]),
        }
        target = _cut(target, *(SCALE * value for value in (y, x, height, width)))
        return {'inputs': inputs, 'data_samples': {'target': target, 'meta': meta}}

    def _window(
        self, packed_size: tuple[int, int], draw: int | None, path: Path
    ) -> tuple[int, int, int, int]:
        """Top, left, height and width of what is delivered, in sensor pixels, all even."""
        height, width = (2 * size for size in packed_size)
        side = self.crop_size
        if side is None:
            return 0, 0, height, width
        if min(height, width) < side:
            raise ValueError(
                f'{path}: {height}x{width} sensor pixels are less than crop_size={side}. Lower it.'
            )
        if draw is None:
            return (height - side) // 4 * 2, (width - side) // 4 * 2, side, side
        return *random_crop_window(height, width, side, torch.Generator().manual_seed(draw)), side, side

    def _check(self, raw: Path) -> None:
        """Checks that a raw has its gains and its photos, by their headers."""
        if raw.stem not in self.gains[raw.parents[1]]:
            raise ValueError(
                f'{raw.parents[1] / "wb.txt"}: expected white-balance gains of {raw.stem}, found those of '
                f'{", ".join(self.gains[raw.parents[1]]) or "none"}. Extract the data set again.'
            )
        height, width = (2 * size for size in read_packed(raw).shape[:2])
        for kind, scale in ((SR_TARGET_FOLDER, SCALE), *(((SR_PHOTO_FOLDER, 1),) if self.with_rgb else ())):
            path = _partner(raw, kind)
            check_photo_header(header := read_header(path), path)
            if (header.height, header.width) != (scale * height, scale * width):
                raise ValueError(
                    f'{path}: expected {scale * height}x{scale * width} pixels ({scale} per pixel of {raw.name}), '
                    f'found {header.height}x{header.width}. Extract the data set again.'
                )


def read_white_balance(path: str | Path) -> dict[str, tuple[float, float, float, float]]:
    """Reads the gains of a scene's files by their names: R, G, G, B.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A name is not followed by four positive numbers.
    """
    lines = [line.strip() for line in existing_file(path).read_text(encoding='utf-8').splitlines()]
    gains = {}
    for name, numbers in zip(lines, [*lines[1:], ''], strict=True):
        if not name.endswith(':'):
            continue
        try:
            values = tuple(map(float, numbers.split()))
        except ValueError:
            values = ()
        if len(values) != 4 or not all(0 < value < float('inf') for value in values):
            raise ValueError(
                f'{path}: expected four positive gains (R, G, G, B) after {name!r}, found {numbers!r}. '
                'Write it anew by tools/prepare_data/sr_raw.py, or extract the data set again.'
            )
        gains[name[:-1].replace('\\', '/').rpartition('/')[2]] = values
    return gains


def read_packed(path: str | Path) -> np.ndarray:
    """Opens a raw of four packed planes without reading its values yet: (h, w, 4) floats.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        packed = np.load(path, mmap_mode='r', allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f'{path}: expected an array file (.npy), found otherwise ({error}). Extract it again.'
        ) from error
    if packed.ndim != 3 or packed.shape[2] != 4 or not np.issubdtype(packed.dtype, np.floating):
        raise ValueError(
            f'{path}: expected a (h, w, 4) array of floats (packed raw), found {packed.shape} of {packed.dtype}.'
        )
    return packed


def to_mosaic(packed: np.ndarray, black_level: float, white_level: float) -> Tensor:
    """Sensor values (1, 2h, 2w) uint16 of normalised planes (h, w, 4): exact, as far as they were integers."""
    values = np.rint(np.asarray(packed, np.float64) * (white_level - black_level) + black_level).clip(
        0, 65535
    )
    planes = torch.from_numpy(values.transpose(2, 0, 1).astype(np.int32))
    return unpack_mosaic(planes[None], order=PLANES)[0].to(torch.uint16)


def _wanted(pairs: tuple[str, ...] | None) -> set[str] | None:
    """Names of the files of the wanted focal lengths."""
    unknown = sorted(set(pairs or ()) - PAIRS.keys())
    if unknown or pairs == ():
        raise ValueError(f'pairs: expected some of {", ".join(PAIRS)}, found {", ".join(unknown) or "none"}.')
    return None if pairs is None else {PAIRS[pair] for pair in pairs}


def _list_scenes(folder: Path, expected: int | None) -> list[Path]:
    """The folders of a split's scenes."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder}: expected a folder of scenes, found none. Download SR-RAW from {OFFICIAL_PLACE}, or make '
            'the folder from the original files by tools/prepare_data/sr_raw.py.'
        )
    scenes = sorted(scene for scene in folder.iterdir() if (scene / SR_RAW_FOLDER).is_dir())
    if not scenes or (expected is not None and len(scenes) != expected):
        raise ValueError(
            f'{folder}: expected {expected or "some"} scenes (folders with input_x4_raw inside), found {len(scenes)}. '
            'Extract the data set again, or leave out expected_scenes.'
        )
    return scenes


def _list_raws(scenes: list[Path], wanted: set[str] | None, folder: Path) -> list[Path]:
    """The raws of all scenes that are of the wanted focal lengths."""
    raws = [
        raw
        for scene in scenes
        for raw in sorted((scene / SR_RAW_FOLDER).glob('*.npy'))
        if wanted is None or raw.stem in wanted
    ]
    if not raws:
        names = ' or '.join(f'{name}.npy' for name in sorted(wanted)) if wanted else '*.npy'
        raise ValueError(f"{folder}: expected {names} in the scenes' input_x4_raw, found none. Change pairs.")
    return raws


def _partner(raw: Path, kind: str) -> Path:
    """The photo that belongs to a raw.

    Raises:
        FileNotFoundError: It is not there; for the camera's own photo the message says how to have it made.
    """
    path = raw.parents[1] / kind / f'{raw.stem}.png'
    if kind == SR_PHOTO_FOLDER and not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the camera's photo (with_rgb=True), found none: the published data set has raws "
            'only. Make it from the original files by tools/prepare_data/sr_raw.py.'
        )
    return existing_file(path)


def _cut(image: np.ndarray, y: int, x: int, height: int, width: int) -> Tensor:
    """A window of (H, W, 3) as (3, height, width)."""
    return torch.from_numpy(image[y : y + height, x : x + width]).permute(2, 0, 1).contiguous()
