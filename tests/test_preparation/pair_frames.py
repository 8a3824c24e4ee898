"""Frames of two simulated cameras with a known way from the one to the other."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rawtoolbox.preparation.pairs.homography import frame_corners, project, scale_of
from rawtoolbox.raw import write_dng
from rawtoolbox.simulation.cameras import SimulationConfig, dslr_photo, linearise, phone_exposure, phone_raw
from rawtoolbox.simulation.displacement import blob
from rawtoolbox.simulation.photographs import read_photograph, resize

BORDER = 24
GAINS = (2.1, 1.0, 1.7)


class Frames(NamedTuple):
    """A raw mosaic, the photo, the homography between them, and parallax (2, H, W) that adds to the raw's pixels."""

    mosaic: np.ndarray
    photo: np.ndarray
    homography: np.ndarray
    parallax: np.ndarray

    def truth(self, x, y):
        """Where the photo has what the raw has at some pixels, (N, 2)."""
        at = np.stack([x.ravel(), y.ravel()], axis=1) + self.parallax[:, y, x].reshape(2, -1).T
        return project(self.homography, at)


def take(name, zoom=1.0, degrees=2.0, scale=1.0, parallax=0.0, seed=0):
    """Takes a photograph with both cameras; an object in front is off by ``parallax`` pixels."""
    rng, config = np.random.default_rng(seed), SimulationConfig()
    light = linearise(resize(read_photograph(name), zoom))
    height, width = (length - 2 * BORDER - length % 2 for length in light.shape[:2])
    inside = np.clip(-blob(rng, (height, width)), 0, 1)
    flow = (parallax * np.stack([inside, 0.3 * inside])).astype(np.float32)
    y, x = np.mgrid[BORDER : BORDER + height, BORDER : BORDER + width].astype(np.float32)
    seen = cv2.remap(light, x + flow[0], y + flow[1], cv2.INTER_CUBIC).clip(0, 1)
    mosaic = phone_raw(phone_exposure(seen, config, np.array(GAINS), 0.8, 0.6), config, rng)
    photo = np.rint(dslr_photo(light, config) * 255).astype(np.uint8)
    turned = similarity(photo.shape, degrees, scale)
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    photo = cv2.warpPerspective(photo, turned, size, flags=cv2.INTER_CUBIC)
    return Frames(mosaic, photo, turned @ np.array([[1, 0, BORDER], [0, 1, BORDER], [0, 0, 1]]), flow)


def similarity(size, degrees, scale):
    """(3, 3) that turns an image about its centre and scales it, with a touch of perspective."""
    matrix = np.vstack([cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), degrees, scale), [0, 0, 1]])
    matrix[:2, 2] += (scale - 1) * np.array([size[1], size[0]]) / 2
    return np.array([[1, 0, 0], [0, 1, 0], [1e-5, -1e-5, 1]]) @ matrix


def corner_error(homography, frames):
    """Largest distance at the frame's corners, in pixels of the raw."""
    corners = frame_corners(frames.mosaic.shape)
    apart = project(homography, corners) - project(frames.homography, corners)
    return np.hypot(*apart.T).max() / scale_of(frames.homography, frames.mosaic.shape)


def write(folder: Path, name: str, frames: Frames) -> None:
    """Writes a pair as ``raw/NAME.dng`` and ``photo/NAME.png``."""
    for kind in ('raw', 'photo'):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    write_dng(folder / 'raw' / f'{name}.dng', frames.mosaic, 'RGGB', 63, 1020, 1 / np.array(GAINS))
    cv2.imwrite(str(folder / 'photo' / f'{name}.png'), frames.photo[..., ::-1])
