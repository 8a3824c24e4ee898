"""Homographies: fitted to matches that are partly wrong, judged and applied.

Barath et al., *MAGSAC++*, CVPR 2020; Hartley and Zisserman, *Multiple View Geometry*, 2004.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

INLIER_DISTANCE = 3.0  # pixels of the raw
LEAST_INLIERS = 25


class MatchError(ValueError):
    """Two pictures that could not be matched; the message says why."""


class Match(NamedTuple):
    """A homography and what it rests on.

    Attributes:
        homography: (3, 3) float64 from (x, y, 1) in the raw frame to the photo.
        inliers: Number of matches that it explains.
        matches: Number of matches.
        error: Root mean square distance of the inliers, pixels of the raw.
    """

    homography: np.ndarray
    inliers: int
    matches: int
    error: float


def fit_homography(
    raw_points: np.ndarray, photo_points: np.ndarray, sizes: np.ndarray, frame_size: tuple[int, ...]
) -> Match:
    """The homography that most matches agree on.

    Args:
        raw_points: (N, 2).
        photo_points: (N, 2).
        sizes: (N,) of the key points; the larger, the less exactly it is known where one is.
        frame_size: Height and width of the raw frame.

    Raises:
        MatchError: Fewer than `LEAST_INLIERS` agree, or the result is no view of a plane.
    """
    count, found = len(raw_points), None
    if count >= 4:
        # from the photo to the raw, so that distances are in pixels of the raw
        found, _ = cv2.findHomography(
            photo_points, raw_points, cv2.USAC_MAGSAC, INLIER_DISTANCE, maxIters=10000, confidence=0.9999
        )
    backward = np.eye(3) if found is None else refine_homography(found, photo_points, raw_points, sizes)
    apart = np.hypot(*(project(backward, photo_points) - raw_points).T)
    inside = apart < INLIER_DISTANCE
    if found is None or inside.sum() < LEAST_INLIERS:
        agreeing = 0 if found is None else inside.sum()
        raise MatchError(f'only {agreeing} of {count} matched key points agree (at least {LEAST_INLIERS})')
    homography = np.linalg.inv(backward)
    homography /= homography[2, 2]
    if not is_plausible(homography, frame_size):
        raise MatchError(f'{inside.sum()} matched key points agree on a view that no camera has')
    return Match(homography, int(inside.sum()), count, float(np.sqrt((apart[inside] ** 2).mean())))


def refine_homography(
    homography: np.ndarray, points: np.ndarray, targets: np.ndarray, sizes: np.ndarray, rounds: int = 10
) -> np.ndarray:
    """Least squares over all matches, reweighted by Tukey's biweight in distances relative to the key points' sizes.

    What stands in front of the plane that most matches lie on is off by a few pixels and would pull a plain fit.

    Args:
        homography: (3, 3), the start.
        points: (N, 2).
        targets: (N, 2), where the homography should take them.
        sizes: (N,).
        rounds: How often weights are computed anew.

    Returns:
        (3, 3).
    """
    for _ in range(rounds):
        apart = np.hypot(*(project(homography, points) - targets).T) / sizes
        cut = 4.685 * 1.4826 * np.median(apart[apart * sizes < INLIER_DISTANCE])
        weights = np.clip(1 - (apart / cut) ** 2, 0, None) / sizes
        homography = _solve_homography(points, targets, weights)
    return homography


def is_plausible(homography: np.ndarray, size: tuple[int, ...]) -> bool:
    """Whether a homography keeps the frame's corners in front of the camera, unmirrored and of about equal scale."""
    corners = frame_corners(size)
    depth = corners @ homography[2, :2] + homography[2, 2]
    if not np.isfinite(homography).all() or depth.min() <= 0 or depth.max() > 2 * depth.min():
        return False
    x, y = project(homography, corners).T
    area = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))  # the shoelace formula; negative if mirrored
    return 1 / 64 < area / (size[0] * size[1]) < 64


def project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Applies a homography to points (N, 2), x then y."""
    moved = np.asarray(points, float) @ homography[:, :2].T + homography[:, 2]
    return moved[:, :2] / moved[:, 2:]


def frame_corners(size: tuple[int, ...], margin: float = 0) -> np.ndarray:
    """(4, 2) corner pixels of a frame of some height and width, clockwise from the origin, moved out by a margin."""
    height, width = size[:2]
    right, bottom = width - 1 + margin, height - 1 + margin
    return np.array([[-margin, -margin], [right, -margin], [right, bottom], [-margin, bottom]], float)


def scale_of(homography: np.ndarray, size: tuple[int, ...]) -> float:
    """Pixels of the photo for one of the raw, at the raw frame's centre."""
    centre = np.array([size[1] / 2, size[0] / 2])
    points = project(homography, centre + np.array([[0, 0], [1, 0], [0, 1]]))
    return float(np.sqrt(abs(np.linalg.det(points[1:] - points[0]))))


def shrink(image: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Shrinks an image by averaging areas; a factor of 1 or more leaves it as it is.

    Returns:
        The image, and the (3, 3) matrix from its old pixels to the new.
    """
    if factor >= 1:
        return image, np.eye(3)
    height, width = image.shape[:2]
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    fx, fy = size[0] / width, size[1] / height
    matrix = np.array(
        [[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]]
    )  # centres of pixels are whole numbers
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), matrix


def _solve_homography(points: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted direct linear transform in normalised coordinates (Hartley and Zisserman, 2004, Algorithm 4.2)."""
    (first, x), (second, y) = (_normalise(values) for values in (points, targets))
    ones, zeros = np.ones((len(x), 1)), np.zeros((len(x), 3))
    x = np.hstack([x, ones])
    rows = np.vstack([np.hstack([x, zeros, -y[:, :1] * x]), np.hstack([zeros, x, -y[:, 1:] * x])])
    rows *= np.tile(weights, 2)[:, None]
    solution = np.linalg.eigh(rows.T @ rows)[1][:, 0].reshape(3, 3)
    return np.linalg.inv(second) @ solution @ first


def _normalise(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix that moves points' mean to 0 and their mean distance to sqrt(2), and the points so moved."""
    mean = points.mean(axis=0)
    scale = np.sqrt(2) / np.hypot(*(points - mean).T).mean()
    return np.array([[scale, 0, -scale * mean[0]], [0, scale, -scale * mean[1]], [0, 0, 1]]), (
        points - mean
    ) * scale
