"""How the folders of Zurich RAW to RGB and of SR-RAW are laid out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rawtoolbox.files.images import write_image

# Zurich RAW to RGB: a folder of raws and one of photos in each split; simulated pairs add the truth.
RAW_FOLDER, PHOTO_FOLDER = 'huawei_raw', 'canon'
ALIGNED_FOLDER, FLOW_FOLDER = 'aligned', 'flow'

# SR-RAW: in the folder of each scene. The target is the photo at the longer focal length.
SR_RAW_FOLDER, SR_PHOTO_FOLDER, SR_TARGET_FOLDER = 'input_x4_raw', 'input_x4_rgb', 'target_x4_rgb'
CLOCKWISE = ((0, 0), (0, 1), (1, 1), (1, 0))  # R, Gr, B, Gb of an RGGB tile


def write_sr_pair(
    folder: Path, name: str, packed: np.ndarray, target: np.ndarray, photo: np.ndarray | None
) -> None:
    """Writes one pair of SR-RAW into a scene's folder.

    Args:
        folder: Of the scene.
        name: Of the pair.
        packed: (h, w, 4) float32, see :func:`pack_sr_raw`.
        target: (8h, 8w, 3) uint8 RGB.
        photo: (2h, 2w, 3) uint8 RGB, or None if there is none.
    """
    write_image(folder / SR_TARGET_FOLDER / f'{name}.png', target)
    if photo is not None:
        write_image(folder / SR_PHOTO_FOLDER / f'{name}.png', photo)
    (folder / SR_RAW_FOLDER).mkdir(parents=True, exist_ok=True)
    np.save(folder / SR_RAW_FOLDER / f'{name}.npy', packed, allow_pickle=False)


def pack_sr_raw(mosaic: np.ndarray, black_level: float, white_level: float) -> np.ndarray:
    """(H, W) RGGB sensor values as (H/2, W/2, 4) float32: R, Gr, B, Gb, black at 0 and white at 1."""
    planes = np.stack([mosaic[y::2, x::2] for y, x in CLOCKWISE], axis=-1).astype(np.float32)
    return (planes - np.float32(black_level)) / np.float32(white_level - black_level)
