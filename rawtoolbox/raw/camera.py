"""The camera behind a raw file, as far as its colours go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rawtoolbox.raw.camera_colour import srgb_to_camera_matrix
from rawtoolbox.raw.frame import Gains
from rawtoolbox.raw.reader import read_raw


@dataclass(frozen=True, eq=False)
class Camera:
    """What adapting another camera's colours needs to know of the training camera.

    Attributes:
        name: For messages.
        xyz_to_camera: (3, 3) CIE XYZ to the camera's R, G, B.
        gains: White balance of R, G, B that is typical of the training frames.
    """

    name: str
    xyz_to_camera: np.ndarray
    gains: Gains

    def to_plain(self) -> dict[str, Any]:
        """The values that a published checkpoint carries under ``camera``."""
        return {
            'name': self.name,
            'xyz_to_camera': np.asarray(self.xyz_to_camera, float).tolist(),
            'gains': [float(gain) for gain in self.gains],
        }

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Camera:
        """The inverse of :meth:`to_plain`.

        Raises:
            ValueError: The matrix is unusable.
        """
        try:
            matrix = np.array(values['xyz_to_camera'], float)
            gains = np.array(values['gains'], float)
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f'camera: expected a matrix and gains, found others ({error}).') from error
        if matrix.shape != (3, 3) or gains.shape != (3,) or not (np.isfinite(gains) & (gains > 0)).all():
            raise ValueError('camera: expected a matrix (3, 3) and three positive gains, found others.')
        srgb_to_camera_matrix(matrix)
        return cls(str(values.get('name', '')), matrix, tuple(gains.tolist()))


def read_camera(source: str | Path) -> Camera:
    """The camera behind a raw file.

    Args:
        source: A camera file taken under the training frames' usual light.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file gives no colour matrix or no white balance.
    """
    frame = read_raw(source)
    if frame.xyz_to_camera is None or frame.white_balance_source == 'none':
        missing = 'colour matrix' if frame.xyz_to_camera is None else 'white balance'
        raise ValueError(f'{source}: no {missing} is known of this camera. Name another file.')
    return Camera(frame.camera or Path(source).name, frame.xyz_to_camera, frame.white_balance)
