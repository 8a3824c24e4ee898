"""Zurich RAW to RGB (ZRR): pairs of a Huawei P20's raw and a Canon 5D Mark IV's photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from torch.utils.data import Dataset

from rawtoolbox.datasets.packed import SUFFIX
from rawtoolbox.datasets.packed_pairs import SAMPLED, PackedPairs, spread
from rawtoolbox.datasets.zrr_files import PairFiles, split_folder
from rawtoolbox.files.layouts import PHOTO_FOLDER, RAW_FOLDER
from rawtoolbox.files.names import natural_key
from rawtoolbox.registry import DATASETS

OFFICIAL_COUNTS = {'train': 46839, 'test': 1204}


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
        packed: Folder of ``train.pack`` and ``test.pack``, which ``tools/prepare_data/pack.py`` writes: items come from
            there instead of the files, which then need not exist; as far as they do, some are compared by their sizes.

    Raises:
        FileNotFoundError: A folder is missing; the message says where to get the data set.
        ValueError: An argument makes no sense, a folder is empty, pairs are incomplete, their number is not the
            expected one, a header does not fit, or a packed file is damaged or of other files or arguments.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: Literal['train', 'test'] = 'train',
        patch_size: int | tuple[int, int] | None = 448,
        with_truth: bool = False,
        bit_depth: int = 10,
        raw_dir: str = RAW_FOLDER,
        target_dir: str | None = PHOTO_FOLDER,
        expected_count: int | None = None,
        names: list[str] | int | None = None,
        check_headers: Literal['sample', 'all', 'none'] = 'sample',
        packed: str | Path | None = None,
    ) -> None:
        if split not in OFFICIAL_COUNTS:
            raise ValueError(f"split: expected 'train' or 'test', found {split!r}.")
        if not 1 <= bit_depth <= 16:
            raise ValueError(f'bit_depth: expected 1 to 16, found {bit_depth}.')
        self.split, self.bit_depth = split, bit_depth
        self.size = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
        self.source = {'split': split, 'bit_depth': bit_depth, 'raw_dir': raw_dir, 'target_dir': target_dir}
        root = Path(data_root).expanduser()
        if packed is None:
            folder = split_folder(root, split)
            self.pairs = PairFiles(folder, self.size, bit_depth, raw_dir, target_dir, with_truth)
        else:
            folder = Path(packed).expanduser() / f'{split}{SUFFIX}'
            self.pairs = PackedPairs(folder, self.source, self.size, with_truth)
            self.pairs.check_sources(root / split)
        found = self.pairs.names
        if expected_count is not None and len(found) != expected_count:
            raise ValueError(
                f'{folder}: expected {expected_count} pairs, found {len(found)}. '
                'Download or extract the data set again, or leave out expected_count.'
            )
        self.names = _choose(found, names, folder)
        counts = {'all': len(self.names), 'sample': min(SAMPLED, len(self.names)), 'none': 0}
        if check_headers not in counts:
            raise ValueError(f"check_headers: expected 'sample', 'all' or 'none', found {check_headers!r}.")
        self.pairs.check_headers(spread(self.names, counts[check_headers]))

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
        return self.pairs.item(self.names[index])

    def pack_settings(self) -> dict[str, Any]:
        """What a packed file is told about its origin: see :func:`rawtoolbox.datasets.packed.write_pack`."""
        return {**self.source, 'found': len(self.pairs.names)}

    def source_sizes(self, index: int) -> list[int]:
        """Bytes of a pair's raw and photo."""
        return self.pairs.sizes(self.names[index])


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
