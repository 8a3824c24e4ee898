"""Patches of sensor data with the noiseless colours that they were sampled from, drawn from photographs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rawtoolbox.simulation.camera_table import COLOUR_MATRICES, SRGB_TO_XYZ, colour_matrix, illuminant_xyz

SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.webp')


class RawPatch(NamedTuple):
    """A simulated patch of an RGGB sensor.

    Attributes:
        mosaic: Black = 0, white = 1, (H, W) float32; noise below black is kept.
        target: Noiseless camera RGB of the same exposure, (3, H, W) float32 in [0, 1].
        gains: White balance of R, G, B, (3,) float32, G = 1.
        noise: Variance of shot noise at white and of read noise, (2,) float32.
    """

    mosaic: np.ndarray
    target: np.ndarray
    gains: np.ndarray
    noise: np.ndarray


def find_photographs(folder: str | Path) -> list[Path]:
    """All photographs below a folder, sorted.

    Raises:
        FileNotFoundError: There is none.
    """
    paths = sorted(p for p in Path(folder).expanduser().rglob('*') if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(
            f'{folder}: expected photographs ({", ".join(SUFFIXES)}), found none. Name another.'
        )
    return paths


def read_reduced(path: Path, smallest: int) -> np.ndarray:
    """A photograph reduced by 2 or more, down to about 1,000 pixels, so that it is free of mosaic and noise.

    Args:
        path: An image file.
        smallest: It is reduced only as far as height and width stay at least this.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: It cannot be decoded, or is too small.
    """
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None or min(image.shape[:2]) < smallest:
        found = 'something else' if image is None else f'{image.shape[0]}x{image.shape[1]}'
        raise ValueError(
            f'{path}: expected an image of at least {smallest} pixels, found {found}. Remove it.'
        )
    factor = min(max(2, max(image.shape[:2]) // 1000), min(image.shape[:2]) // smallest)
    size = (image.shape[1] // factor, image.shape[0] // factor)
    return image if factor == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def draw_patch(
    rng: np.random.Generator, photographs: list[np.ndarray], size: int, hue: float = 0.0
) -> RawPatch:
    """Draws a patch.

    Args:
        rng: Of everything that is drawn.
        photographs: (H, W, 3) uint8 each.
        size: Height and width in pixels, even.
        hue: Largest angle by which hues are turned, in degrees; half of the patches keep theirs.
    """
    light = _window(rng, photographs[rng.integers(len(photographs))], size)
    linear = _tone_curves()[rng.integers(4)][light]
    matrix, gains = _camera(rng)
    if hue and rng.random() < 0.5:
        angle = np.deg2rad(rng.uniform(-hue, hue))
        matrix = matrix @ cv2.Rodrigues(np.full(3, angle / np.sqrt(3)))[0]
    exposure = 2 ** rng.uniform(-4, 1)
    if rng.random() < 0.4:
        linear = cv2.GaussianBlur(linear, (0, 0), rng.uniform(0.2, 0.8), borderType=cv2.BORDER_REFLECT_101)
    camera = np.clip(cv2.transform(linear, exposure / gains[:, None] * matrix), 0, 1)
    noise = draw_noise(rng)
    mosaic = _sense(rng, camera, noise)
    target = np.ascontiguousarray(camera.transpose(2, 0, 1), np.float32)
    return RawPatch(mosaic, target, gains.astype(np.float32), noise.astype(np.float32))


def draw_noise(rng: np.random.Generator) -> np.ndarray:
    """Variance of shot noise at white and of read noise: ISO 50 to 25,600, log-uniform; none for one in eight.

    Shot noise at ISO 100 is 3e-5 to 1.6e-4, from a full-frame camera's to a phone's; the read noise follows by the
    log-linear relation of Brooks et al., *Unprocessing Images for Learned Raw Denoising*, CVPR 2019, section 3.1.
    """
    iso, base, scatter = 50 * 512 ** rng.random(), 3e-5 * 5.3 ** rng.random(), rng.normal(0, 0.3)
    if rng.random() < 0.125:
        return np.zeros(2)
    shot = base * iso / 100
    return np.array([shot, np.exp(2.18 * np.log(shot) + 1.2 + scatter)])


def _window(rng: np.random.Generator, image: np.ndarray, size: int) -> np.ndarray:
    """A random square of an image in one of eight orientations."""
    y, x = (rng.integers(length - size + 1) for length in image.shape[:2])
    turned = np.rot90(image[y : y + size, x : x + size], rng.integers(4))
    return turned[:, ::-1] if rng.random() < 0.5 else turned


def _tone_curves() -> np.ndarray:
    """Linear light of 8-bit values by four inverse tone curves, (4, 256) float32."""
    value = np.arange(256) / 255
    srgb = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    smooth = 0.5 - np.sin(np.arcsin(1 - 2 * value) / 3)
    return np.stack([srgb, value**2.2, smooth**2.2, (0.5 * value + 0.5 * smooth) ** 2.2]).astype(np.float32)


def _camera(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Linear sRGB to balanced camera RGB, (3, 3), and the white balance (3,) of a light of 2,500 to 8,000 K."""
    names = rng.choice(list(COLOUR_MATRICES), 2)
    share = rng.random() * (rng.random() < 0.5)
    to_camera = (1 - share) * colour_matrix(names[0]) + share * colour_matrix(names[1])
    white = to_camera @ illuminant_xyz(1e6 / rng.uniform(1e6 / 8000, 1e6 / 2500))
    matrix = to_camera @ SRGB_TO_XYZ
    gains = np.clip(white[1] / np.maximum(white, 1e-3), 0.5, 4)
    return matrix / matrix.sum(axis=1, keepdims=True), gains


def _sense(rng: np.random.Generator, camera: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """What a sensor gives for colours (H, W, 3) in [0, 1]: mosaic, noise, defects, bits."""
    mosaic = camera[..., 1].copy()
    mosaic[0::2, 0::2] = camera[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = camera[1::2, 1::2, 2]
    if noise.any():
        spread = np.sqrt(noise[0] * mosaic + noise[1], dtype=np.float32)
        mosaic += rng.standard_normal(mosaic.shape, np.float32) * spread
    if rng.random() < 0.15:
        bad = rng.random(mosaic.shape, np.float32) < 10 ** rng.uniform(-4, -3)
        mosaic[bad] = rng.random()
    bits = rng.choice([10, 12, 14])
    white = 2.0**bits * rng.uniform(0.85, 0.98)
    return np.minimum(np.rint(mosaic * white) / white, 1).astype(np.float32)
