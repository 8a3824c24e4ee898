"""The photographs that pairs are simulated from: they come inside wheels that this package needs anyway."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True)
class Photograph:
    """Where a photograph lies.

    Attributes:
        package: Import name of the package that carries the file.
        path: Its path inside the package.
    """

    package: str
    path: str


# Other colour pictures of these wheels are left out. hubble_deep_field is almost all black: most patches show
# neither colour nor anything to line up. retina is one red without detail: its photo hardly changes when it
# is displaced by 5 pixels (31 dB, the others 14 to 25). motorcycle_right is the partner of motorcycle_left.
PHOTOGRAPHS = {
    'astronaut': Photograph('skimage', 'data/astronaut.png'),
    'chelsea': Photograph('skimage', 'data/chelsea.png'),
    'china': Photograph('sklearn', 'datasets/images/china.jpg'),
    'coffee': Photograph('skimage', 'data/coffee.png'),
    'flower': Photograph('sklearn', 'datasets/images/flower.jpg'),
    'hopper': Photograph('matplotlib', 'mpl-data/sample_data/grace_hopper.jpg'),
    'ihc': Photograph('skimage', 'data/ihc.png'),
    'motorcycle_left': Photograph('skimage', 'data/motorcycle_left.png'),
    'rocket': Photograph('skimage', 'data/rocket.jpg'),
}
WHEELS = {'skimage': 'scikit-image', 'sklearn': 'scikit-learn'}  # where it is not the package's name


def read_photograph(name: str) -> np.ndarray:
    """Reads a photograph from the package that carries it; nothing is downloaded.

    Returns:
        (H, W, 3) float32, RGB, gamma-encoded, in [0, 1].

    Raises:
        ValueError: No photograph has that name.
        FileNotFoundError: The package or the file is missing; the message says what to install.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f'photograph {name!r} is not known: expected one of {", ".join(PHOTOGRAPHS)}.')
    path = locate(PHOTOGRAPHS[name])
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    return image.astype(np.float32) / 255


def locate(photograph: Photograph) -> Path:
    """The file of a photograph.

    Raises:
        FileNotFoundError: The package is not installed, or its wheel does not carry the file.
    """
    wheel = WHEELS.get(photograph.package, photograph.package)
    spec = find_spec(photograph.package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f'{photograph.path}: expected inside the package {photograph.package}, which is not installed. '
            f'Remedy: pip install {wheel}'
        )
    path = Path(spec.origin).parent / photograph.path
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: expected in the wheel of {wheel}, not found. '
            f'Remedy: pip install --force-reinstall {wheel}'
        )
    return path


def resize(image: np.ndarray, factor: float) -> np.ndarray:
    """Resizes (H, W, 3) in [0, 1]: area averages to make it smaller, Lanczos (8x8) to make it larger."""
    if factor == 1:
        return image
    size = [round(length * factor) for length in reversed(image.shape[:2])]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LANCZOS4
    return np.clip(cv2.resize(image, size, interpolation=method), 0, 1)


def turn_hue(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turns the colours of an image (H, W, 3) in [0, 1] about the grey axis: grey stays, and so does the mean."""
    if degrees == 0:
        return image
    axis = np.ones(3) / np.sqrt(3)
    matrix = cv2.Rodrigues(axis * np.deg2rad(degrees))[0]
    return np.clip(cv2.transform(image, matrix), 0, 1)
