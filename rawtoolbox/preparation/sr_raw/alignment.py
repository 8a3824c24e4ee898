"""Lines up two photos of one scene at different focal lengths: matrices, ECC, and what both show.

Positions are (x, y, 1) in pixels, the centre of the first at 0.
"""

from __future__ import annotations

import cv2
import numpy as np

ECC_SIZE = 600  # pixels along the longer side at which pictures are lined up
ECC_STEPS, ECC_PRECISION = 200, 1e-6
BLUR = 5  # pixels, odd: of the Gaussian that ECC applies first


class PairError(ValueError):
    """A pair that cannot be made; the message says why."""


def find_affine(
    template: np.ndarray, image: np.ndarray, guess: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """The affine map (3, 3) from a picture's pixels to those of another where the same is seen, and the correlation.

    ECC: Evangelidis and Psarakis, *Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization*,
    PAMI 2008, which does not mind a difference in brightness and contrast.

    Args:
        template: (H, W, 3) uint8.
        image: (h, w, 3) uint8.
        guess: (3, 3), where the search begins; None for the identity.

    Raises:
        PairError: Nothing was found, or a corner lies more than a tenth of the picture from the guess.
    """
    height, width = template.shape[:2]
    factor = min(1.0, ECC_SIZE / max(height, width))
    guess = np.eye(3) if guess is None else guess
    start = enlarging_matrix(factor) @ guess @ enlarging_matrix(1 / factor)
    greys = [_grey(picture, factor) for picture in (template, image)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ECC_STEPS, ECC_PRECISION)
    try:
        correlation, found = cv2.findTransformECC(
            *greys, start[:2].astype(np.float32), cv2.MOTION_AFFINE, criteria, None, BLUR
        )
    except cv2.error as error:
        raise PairError('the two photos could not be lined up (ECC did not converge)') from error
    matrix = enlarging_matrix(1 / factor) @ np.vstack([found, [0, 0, 1]]) @ enlarging_matrix(factor)
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], float)
    moved = np.abs(matrix @ corners - guess @ corners)[:2].max()
    if moved > 0.1 * min(height, width):
        raise PairError(
            f'the two photos lie {moved:.0f} pixels apart: the camera was moved, or ECC was misled'
        )
    return matrix, float(correlation)


def central_window(
    mosaic: tuple[int, int], photo: tuple[int, int], ratio: float
) -> tuple[int, int, int, int]:
    """Top, left, height and width, all even, of the middle of a mosaic that a zoom leaves and the photo has too."""
    window = []
    for whole, limit in zip(mosaic, photo, strict=True):
        length = int(min(whole / ratio, limit)) // 2 * 2
        window.append(((whole - length) // 4 * 2, length))
    (top, height), (left, width) = window
    return top, left, height, width


def covered_box(valid: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right, all even, of a box in which all is valid: the worst side is cut until it is."""
    top, bottom, left, right = 0, valid.shape[0], 0, valid.shape[1]
    while bottom - top > 2 and right - left > 2:
        box = valid[top:bottom, left:right]
        shares = [box[:2].mean(), box[-2:].mean(), box[:, :2].mean(), box[:, -2:].mean()]
        worst = int(np.argmin(shares))
        if shares[worst] == 1 and box.all():
            break
        top, bottom, left, right = (
            edge + step * (worst == side)
            for side, (edge, step) in enumerate(zip((top, bottom, left, right), (2, -2, 2, -2), strict=True))
        )
    return top, bottom, left, right


def zoom_matrix(source: tuple[int, int], target: tuple[int, int], ratio: float) -> np.ndarray:
    """(3, 3) from the pixels of a photo to those of one at a focal length ``ratio`` times as long, with its centre."""
    (y, x), (to_y, to_x) = (((h - 1) / 2, (w - 1) / 2) for h, w in (source, target))
    return np.array([[ratio, 0, to_x - ratio * x], [0, ratio, to_y - ratio * y], [0, 0, 1]])


def enlarging_matrix(factor: float) -> np.ndarray:
    """(3, 3) from pixels of an image to those of the same image ``factor`` times as large."""
    offset = (factor - 1) / 2
    return np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]])


def shift_matrix(x: float, y: float) -> np.ndarray:
    """(3, 3) that adds x and y."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def warp_affine(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at the positions that an affine map leads to; what it shrinks is smoothed first."""
    factor = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if factor > 2:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * factor)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix[:2], size[::-1], flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _grey(image: np.ndarray, factor: float) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else grey
