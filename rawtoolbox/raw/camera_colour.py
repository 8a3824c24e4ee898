"""Colour matrices of cameras, in NumPy: what `xyz_to_camera` is good for.

``N(C)``, used throughout, is the matrix from linear sRGB to a camera's white-balanced RGB:
``C @ SRGB_TO_XYZ`` with each row divided by its sum, so that white stays white. Its inverse is what dcraw and
LibRaw call ``rgb_cam``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rawtoolbox.raw.frame import Gains

SRGB_TO_XYZ = np.array(  # IEC 61966-2-1, D65
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)

WORST_CONDITION = 1e3  # cameras stay below 20; beyond this, noise is all that comes out


def srgb_to_camera_matrix(xyz_to_camera: np.ndarray) -> np.ndarray:
    """``N(C)``: (3, 3) linear sRGB to white-balanced camera RGB, rows summing to 1.

    Raises:
        ValueError: The matrix is not 3x3 and finite, gives white no colour, or cannot be inverted.
    """
    xyz_to_camera = np.asarray(xyz_to_camera, dtype=float)
    if xyz_to_camera.shape != (3, 3) or not np.isfinite(xyz_to_camera).all():
        raise ValueError(f'xyz_to_camera: expected 3x3 finite numbers, found {xyz_to_camera.tolist()}.')
    matrix = xyz_to_camera @ SRGB_TO_XYZ
    white = matrix.sum(axis=1, keepdims=True)
    if (white <= 0).any():
        raise ValueError(
            'xyz_to_camera: it gives white a value of 0 or less. Is it the inverse, camera to XYZ?'
        )
    matrix = matrix / white
    if np.linalg.cond(matrix) > WORST_CONDITION:
        raise ValueError('xyz_to_camera: the matrix is singular or nearly so: no colours can be told apart.')
    return matrix


def camera_to_srgb_matrix(xyz_to_camera: np.ndarray) -> np.ndarray:
    """(3, 3) white-balanced camera RGB to linear sRGB, rows summing to 1.

    Raises:
        ValueError: As `srgb_to_camera_matrix`.
    """
    return np.linalg.inv(srgb_to_camera_matrix(xyz_to_camera))


def daylight_gains(xyz_to_camera: np.ndarray) -> Gains:
    """The white balance for D65: one over the camera's answer to it, with G = 1.

    Raises:
        ValueError: The camera would see D65 as black or negative.
    """
    white = (np.asarray(xyz_to_camera, dtype=float) @ SRGB_TO_XYZ).sum(axis=1)
    if white.shape != (3,) or not (white > 0).all():
        raise ValueError(f'xyz_to_camera: expected to see white as positive values, found {white.tolist()}.')
    return tuple(map(float, white[1] / white))


def adaptation_matrix(
    source_xyz_to_camera: np.ndarray,
    source_gains: Sequence[float],
    target_xyz_to_camera: np.ndarray,
    target_gains: Sequence[float],
) -> np.ndarray:
    """The matrix that turns one camera's raw RGB into what another camera would have measured.

    The networks are trained on one camera's raw values. With ``D(g)`` the diagonal matrix of white-balance
    gains and ``N`` as above, a source value is balanced, taken to linear sRGB, to the target's balanced RGB,
    and out of balance as the target's light demands::

        T = D(target_gains)^-1  N(target)  N(source)^-1  D(source_gains)

    Grey maps to grey exactly: ``T (1/source_gains) = 1/target_gains``. Everything else is as good as two 3x3
    matrices are: sensors differ in more than that.

    Args:
        source_xyz_to_camera: (3, 3) of the camera that took the frame.
        source_gains: Its white balance of R, G, B, for the light of the scene.
        target_xyz_to_camera: (3, 3) of the camera that the network knows.
        target_gains: The white balance that the network expects; the target's daylight, usually.

    Returns:
        (3, 3), to be applied to linear raw RGB with the black level removed and white at 1.

    Raises:
        ValueError: A matrix is missing or unusable, or a gain is not positive.
    """
    given = {'source_xyz_to_camera': source_xyz_to_camera, 'target_xyz_to_camera': target_xyz_to_camera}
    for name, matrix in given.items():
        if matrix is None:
            raise ValueError(f'{name}: the camera has no colour matrix. Give one, or use the frame as it is.')
    for name, gains in (('source_gains', source_gains), ('target_gains', target_gains)):
        if gains is None or len(gains) != 3 or not all(np.isfinite(gain) and gain > 0 for gain in gains):
            raise ValueError(f'{name}: expected three positive numbers for R, G, B, found {gains}.')
    balanced = srgb_to_camera_matrix(target_xyz_to_camera) @ camera_to_srgb_matrix(source_xyz_to_camera)
    return np.diag(1 / np.asarray(target_gains, dtype=float)) @ balanced @ np.diag(source_gains)
