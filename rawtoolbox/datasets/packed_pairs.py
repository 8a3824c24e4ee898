"""Packed pairs in place of the files of :class:`rawtoolbox.datasets.ZRRDataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rawtoolbox.datasets.packed import AGAIN, Item, PackedItems
from rawtoolbox.datasets.zrr_files import list_images

SAMPLED = 8  # pairs that construction looks at
TRUTH = {'data_samples.aligned', 'data_samples.flow', 'data_samples.flow_valid'}


class PackedPairs:
    """Pairs of one split from a packed file, as :class:`~rawtoolbox.datasets.zrr_files.PairFiles` gives them.

    Args:
        path: The file.
        settings: What it must have been made with.
        size: Height and width of the mosaics; None for any.
        with_truth: Whether ``aligned`` and ``flow`` are delivered as well, as far as they are there.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, was made with other settings, or lacks the truth.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], size: tuple[int, int] | None, with_truth: bool
    ) -> None:
        self.items, self.size, self.settings = PackedItems(path), size, settings
        made = {key: self.items.settings.get(key) for key in settings}
        if made != settings:
            raise ValueError(f'{path}: was packed with {made}, but the config has {settings}. {AGAIN}.')
        if with_truth and not self.items.keys() & TRUTH:
            raise ValueError(f'{path}: was packed without the truth (with_truth=False). {AGAIN}.')
        self.leave_out = set() if with_truth else TRUTH
        self.names = self.items.names

    def item(self, name: str) -> Item:
        """A pair, as its files would give it."""
        return self.items.item(name, self.leave_out)

    def sizes(self, name: str) -> list[int]:
        """Bytes that the files of a pair's raw and photo had."""
        return self.items.entries[self.items.numbers[name]]['files']

    def check_headers(self, names: list[str]) -> None:
        """Checks the size of some mosaics.

        Raises:
            ValueError: One does not fit.
        """
        for name in names:
            found = tuple(self.items.entries[self.items.numbers[name]]['shapes']['inputs.mosaic'][-2:])
            if self.size is not None and found != tuple(self.size):
                raise ValueError(
                    f'{self.items.path}: expected mosaics of {self.size[0]}x{self.size[1]} pixels, found '
                    f'{found[0]}x{found[1]} ({name}). Set patch_size to the size of your files.'
                )

    def check_sources(self, folder: Path) -> None:
        """Compares with the files that these were made from, as far as they are still there.

        Names are compared, and the sizes of some files.

        Raises:
            ValueError: They differ: the files have changed since.
        """
        files = [self.settings['raw_dir'], self.settings['target_dir']]
        for number, name in enumerate(name for name in files if name and (folder / name).is_dir()):
            there = list_images(folder / name)
            changed = [key for key in self.names if key not in there]
            if len(there) != self.items.settings['found']:  # some pairs alone may have been packed
                changed += sorted(set(there) - set(self.names))
            changed = changed or [
                key
                for key in spread(self.names, SAMPLED)
                if there[key].stat().st_size != self.sizes(key)[number]
            ]
            if changed:
                raise ValueError(
                    f'{self.items.path}: was packed from other files than there are now in {folder / name} '
                    f'(such as {changed[0]}). {AGAIN}.'
                )


def spread(names: list[str], count: int) -> list[str]:
    """The first name, the last and some between, at most ``count``."""
    return [names[index] for index in np.linspace(0, len(names) - 1, min(count, len(names))).astype(int)]
