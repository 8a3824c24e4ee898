"""How far flow estimators miss on Middlebury's pairs of ordinary images, whose true flow is published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from rawtoolbox.files.flow import read_flo
from rawtoolbox.metrics.flow import endpoint_error, summarise_error

FILES = ('frame10.png', 'frame11.png', 'flow10.flo')


def middlebury_errors(estimators: Mapping[str, nn.Module], root: str | Path) -> dict[str, dict[str, float]]:
    """Mean end-point error of each estimator on each sequence (Baker et al., IJCV 2011).

    Args:
        estimators: Flow estimators by name.
        root: Folder that holds one folder a sequence, with ``frame10.png``, ``frame11.png`` and ``flow10.flo``.

    Returns:
        Pixels, by estimator and sequence.

    Raises:
        FileNotFoundError: No folder in ``root`` holds the three files.
    """
    folders = [f for f in sorted(Path(root).glob('*')) if all((f / name).is_file() for name in FILES)]
    if not folders:
        raise FileNotFoundError(
            f'{root}: expected a folder for each sequence with {", ".join(FILES)}, found none. Unpack "other-color-'
            'twoframes" and "other-gt-flow" of vision.middlebury.edu/flow into one folder.'
        )
    return {
        name: {folder.name: _error(estimator, folder) for folder in folders}
        for name, estimator in estimators.items()
    }


@torch.no_grad()
def _error(estimator: nn.Module, folder: Path) -> float:
    first, second = (_read(folder / name) for name in FILES[:2])
    truth, valid = (torch.from_numpy(array) for array in read_flo(folder / FILES[2]))
    return summarise_error(endpoint_error(estimator(first, second)[0], truth), valid)['epe_mean']


def _read(path: Path) -> Tensor:
    """An image, (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)).permute(2, 0, 1)[None] / 255


def middlebury_table(errors: Mapping[str, Mapping[str, float]]) -> str:
    """The errors as text, a line an estimator."""
    names = list(next(iter(errors.values())))
    head = f'{"Middlebury, EPE mean":32}' + ''.join(f'{name:>14}' for name in names)
    lines = [f'{key:32}' + ''.join(f'{row[name]:>14.3f}' for name in names) for key, row in errors.items()]
    return '\n'.join([head, *lines])
