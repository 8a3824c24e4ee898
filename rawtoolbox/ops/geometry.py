"""Homographies."""

from __future__ import annotations

import numpy as np


def homography_flow(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The displacement of every pixel by a homography.

    Args:
        matrix: (3, 3), acting on (x, y, 1) in pixels.
        size: Height and width.

    Returns:
        (2, H, W) float64, x then y.
    """
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    moved_x, moved_y, scale = np.einsum('ij,jhw->ihw', matrix, np.stack([x, y, np.ones_like(x)]))
    return np.stack([moved_x / scale - x, moved_y / scale - y])
