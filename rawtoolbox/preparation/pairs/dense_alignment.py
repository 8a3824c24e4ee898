"""A homography made exact by all that two pictures show, not by key points alone.

Key points lie where there is fine detail; a frame whose corners are out of focus, dark or plain has none there, and a
homography that is right in the middle may be off by pixels at the corners. Edges and soft structures of those parts
still say where they are. Gauss-Newton as of Lucas and Kanade (Baker and Matthews, *Lucas-Kanade 20 Years On*, IJCV
2004), from coarse to fine, with three additions. The picture is taken in blocks, each with a contrast and a noise of
its own, so that neither exposure, tone curve nor vignetting matters. A block never counts for more than its place on a
plane is certain, or the textured middle would outvote the corners. And blocks that want elsewhere than most (what
stands in front of the plane) are weighted down, by Tukey's biweight.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from rawtoolbox.preparation.pairs.homography import frame_corners, is_plausible, project, shrink

LONGEST = 1600  # pixels along the longer side, to which larger frames are shrunk
LEVELS = (0.25, 0.5, 1.0)
STEPS = 6  # at each level, at most
STILL = 0.01  # pixels at the corners; a smaller step is the last
BLOCK = 24  # pixels
SMOOTHING = 1.0  # standard deviation, pixels
WINDOW = 4.0  # standard deviation of the blur that structures are finer than, pixels
SHARED_NOISE = 30  # pixels that smoothing and demosaicking make one of, for the noise
LEAST_NOISE = 0.05  # variance, units of 8 bits
DEVIATION = 0.5  # pixels by which a scene departs from a plane where it is one
TUKEY = 4.685  # Huber and Ronchetti, Robust Statistics: 95% efficiency
LEAST_SCALE = 0.3
RIDGE = 1e-3  # keeps the homography where the pictures say nothing


class Blocks(NamedTuple):
    """Where blocks lie, and what a homography's change does to them.

    Attributes:
        shape: Number of rows and columns.
        size: Height and width of the picture.
        jacobian: (N, 2, 8) pixels that the middle of a block moves per parameter of a step.
        norm: (3, 3) from pixels to [-1, 1].
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    jacobian: np.ndarray
    norm: np.ndarray

    def means(self, values: np.ndarray) -> np.ndarray:
        """Averages of an image (H, W) over each block, (N,) float64."""
        small = cv2.resize(values, self.shape[::-1], interpolation=cv2.INTER_AREA)
        return small.ravel().astype(np.float64)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The reverse: an image in which each block has its value."""
        small = values.reshape(self.shape).astype(np.float32)
        return cv2.resize(small, self.size[::-1], interpolation=cv2.INTER_NEAREST)


class Opinions(NamedTuple):
    """Where each of N blocks wants to go, and how sure it is.

    Attributes:
        shifts: (N, 2) pixels.
        information: (N, 2, 2), 1/pixel^2.
        pull: (N, 2), their product; exact also where a block knows one direction alone.
    """

    shifts: np.ndarray
    information: np.ndarray
    pull: np.ndarray

    @property
    def strength(self) -> np.ndarray:
        """(N,) information in both directions."""
        return np.trace(self.information, axis1=1, axis2=2)

    def distance(self, step: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """(N,) how far blocks remain from where they want to go after a step, in standard deviations."""
        apart = self.shifts - jacobian @ step
        return np.sqrt(np.einsum('ni,nij,nj->n', apart, self.information, apart).clip(0))


def align_densely(raw: np.ndarray, photo: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Refines a homography by all three colours of two pictures.

    Args:
        raw: (H, W, 3) uint8, the developed raw.
        photo: (h, w, 3) uint8, at about the raw's scale.
        homography: (3, 3) from the raw to the photo, right to a few pixels.

    Returns:
        (3, 3); the one given, if that lets the pictures agree better.
    """
    finest, found = min(1.0, LONGEST / max(raw.shape)), homography
    for level in LEVELS:
        found = _align_level(raw, photo, found, finest * level)
    if is_plausible(found, raw.shape) and consensus(raw, photo, found) > consensus(raw, photo, homography):
        return found
    return homography


def consensus(raw: np.ndarray, photo: np.ndarray, homography: np.ndarray) -> float:
    """How much of two pictures agrees on a homography as it is: information of the blocks that do, 1/pixel^2."""
    (raw, to_raw), (photo, to_photo) = (shrink(image, LONGEST / max(raw.shape)) for image in (raw, photo))
    small = to_photo @ homography @ np.linalg.inv(to_raw)
    blocks = place_blocks(raw.shape[:2])
    opinions = weigh_blocks(*measure_blocks(_smooth(raw), _smooth(photo), small, blocks))
    agreeing = _biweight(opinions.distance(np.zeros(8), blocks.jacobian), TUKEY)
    return float((agreeing * opinions.strength).sum())


def _align_level(raw: np.ndarray, photo: np.ndarray, homography: np.ndarray, factor: float) -> np.ndarray:
    """Up to `STEPS` steps of Gauss-Newton on pictures that were shrunk."""
    (raw, to_raw), (photo, to_photo) = (shrink(image, factor) for image in (raw, photo))
    first, second, blocks = _smooth(raw), _smooth(photo), place_blocks(raw.shape[:2])
    found = to_photo @ homography @ np.linalg.inv(to_raw)
    corners = frame_corners(raw.shape)
    for _ in range(STEPS):
        step = fit_step(weigh_blocks(*measure_blocks(first, second, found, blocks)), blocks.jacobian)
        move = np.linalg.inv(blocks.norm) @ (np.eye(3) + np.append(step, 0).reshape(3, 3)) @ blocks.norm
        found = found @ move
        if np.hypot(*(project(move, corners) - corners).T).max() < STILL:
            break
    found = np.linalg.inv(to_photo) @ found @ to_raw
    return found / found[2, 2]


def place_blocks(size: tuple[int, int]) -> Blocks:
    """Blocks of about `BLOCK` pixels that fill a picture of some height and width."""
    height, width = size
    shape = max(height // BLOCK, 1), max(width // BLOCK, 1)
    y, x = ((2 * np.arange(count) + 1) / count - 1 for count in shape)
    x, y = (values.ravel() for values in np.meshgrid(x, y))
    one, zero = np.ones_like(x), np.zeros_like(x)
    # of (x + a x + b y + c) / (1 + g x + h y), and y likewise, at no change
    rows = [x, y, one, zero, zero, zero, -x * x, -x * y], [zero, zero, zero, x, y, one, -x * y, -y * y]
    jacobian = np.stack([np.stack(row, axis=1) for row in rows], axis=1)
    norm = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    return Blocks(shape, size, jacobian * np.array([width, height])[:, None] / 2, norm)


def measure_blocks(
    raw: list[np.ndarray], photo: list[np.ndarray], homography: np.ndarray, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """What each block says about where it belongs: ``raw(p) = photo(homography(p + shift))``.

    Args:
        raw: Channels (H, W) float32, smoothed.
        photo: Channels (h, w) float32, smoothed.
        homography: (3, 3) from the raw to the photo.
        blocks: Blocks of the raw.

    Returns:
        Information about the shift (N, 2, 2), the inverse of its covariance in pixels; and (N, 2) that times the shift.
    """
    information, pull = np.zeros((len(blocks.jacobian), 2, 2)), np.zeros((len(blocks.jacobian), 2))
    inside = _inside(photo[0].shape, homography, blocks.size)
    share = blocks.means(inside)
    pixels = blocks.size[0] * blocks.size[1] / len(blocks.jacobian) / SHARED_NOISE
    for first, second in zip(raw, photo, strict=True):
        first, second = (
            _structure(image, inside) for image in (first, _warp(second, homography, blocks.size))
        )
        x, y = (cv2.Scharr(second, cv2.CV_32F, *order) / 32 * inside for order in ((1, 0), (0, 1)))
        contrast = blocks.means(first * second) / np.maximum(blocks.means(second**2), LEAST_NOISE)
        contrast = np.maximum(contrast, 0)  # a block that shows something else has none, and no say
        rest = first - blocks.spread(contrast) * second
        weight = pixels * share / np.maximum(blocks.means(rest**2), LEAST_NOISE)
        products = np.stack([blocks.means(one * other) for one in (x, y) for other in (x, y)], axis=1)
        information += (weight * contrast**2)[:, None, None] * products.reshape(-1, 2, 2)
        pull += (weight * contrast)[:, None] * np.stack(
            [blocks.means(x * rest), blocks.means(y * rest)], axis=1
        )
    return information, pull


def weigh_blocks(information: np.ndarray, pull: np.ndarray) -> Opinions:
    """Turns what was measured into opinions about a plane: no block knows its place on one better than `DEVIATION`."""
    shifts = np.linalg.solve(information + 1e-6 * np.eye(2), pull[..., None])[..., 0]
    # (information^-1 + DEVIATION^2)^-1, which is there also where information has no inverse
    damping = np.linalg.inv(np.eye(2) + DEVIATION**2 * information)
    return Opinions(shifts, damping @ information, (damping @ pull[..., None])[..., 0])


def fit_step(opinions: Opinions, jacobian: np.ndarray, rounds: int = 10) -> np.ndarray:
    """The change of a homography (8,) that most blocks agree on: reweighted least squares.

    Args:
        opinions: Of N blocks.
        jacobian: (N, 2, 8).
        rounds: How often weights are computed anew.
    """
    step = np.zeros(8)
    for _ in range(rounds):
        distance = opinions.distance(step, jacobian)
        scale = max(1.4826 * _weighted_median(distance, opinions.strength), LEAST_SCALE)
        weights = _biweight(distance, TUKEY * scale)
        normal = np.einsum('n,nia,nij,njb->ab', weights, jacobian, opinions.information, jacobian)
        wanted = np.einsum('n,nia,ni->a', weights, jacobian, opinions.pull)
        step = np.linalg.solve(normal + RIDGE * np.eye(8), wanted)
    return step


def _biweight(distance: np.ndarray, cut: float) -> np.ndarray:
    return np.clip(1 - (distance / cut) ** 2, 0, None) ** 2


def _smooth(image: np.ndarray) -> list[np.ndarray]:
    """The channels of (H, W, C) uint8 as float32, without the finest noise."""
    channels = np.moveaxis(image, -1, 0).astype(np.float32)
    return [cv2.GaussianBlur(channel, (0, 0), SMOOTHING) for channel in channels]


def _warp(image: np.ndarray, homography: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (h, w) at the pixels of a raw of some height and width; 0 beyond."""
    return cv2.warpPerspective(image, homography, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _inside(photo_size: tuple[int, int], homography: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32: 1 where the photo shows something, its very border left out."""
    seen = _warp(np.ones(photo_size, np.float32), homography, size) > 0.99
    return cv2.erode(seen.astype(np.float32), np.ones((9, 9), np.uint8))


def _structure(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """An image less its blur, what lies outside left out of both."""
    blurred, share = (cv2.GaussianBlur(values, (0, 0), WINDOW) for values in (image * inside, inside))
    return (image - blurred / np.maximum(share, 1e-3)) * inside


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind='stable')
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
