"""The homography between a raw frame and a photo of the same scene: SIFT, ratio test, RANSAC.

Lowe, *Distinctive Image Features from Scale-Invariant Keypoints*, IJCV 2004; Barath et al., *MAGSAC++*, CVPR 2020. The
pairs of Zurich RAW to RGB were made likewise (Ignatov et al., CVPR Workshops 2020).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

MAX_KEYPOINTS = 8000
TILE = 1024  # pixels that are searched for key points at a time, which bounds memory and spreads the points
TILE_MARGIN = 64
CHUNK = 1000  # key points that are compared with all others at a time, which bounds memory
ROUGH_SIZE = 1600  # pixels along the longer side, at which the first guess is made
RATIO = 0.8  # Lowe, Section 7.1
INLIER_DISTANCE = 3.0  # pixels of the raw
LEAST_INLIERS = 25
SHRINK_FROM = 1.15  # a photo so much larger than the raw is brought to its scale


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


class Keypoints(NamedTuple):
    """Key points of a picture: ``at`` (N, 2) x then y, ``sizes`` (N,) in pixels, ``descriptors`` (N, 128) float32."""

    at: np.ndarray
    sizes: np.ndarray
    descriptors: np.ndarray


def match_roughly(raw: np.ndarray, photo: np.ndarray) -> Match:
    """Matches two pictures after shrinking both to `ROUGH_SIZE`, whatever their scales and rotation.

    Args:
        raw: (H, W, 3) uint8, the developed raw.
        photo: (h, w, 3) uint8.

    Raises:
        MatchError: Too little in common.
    """
    small, shrinks = zip(
        *(shrink(image, ROUGH_SIZE / max(image.shape)) for image in (raw, photo)), strict=True
    )
    match = match_frames(*small)
    homography = np.linalg.inv(shrinks[1]) @ match.homography @ shrinks[0]
    return match._replace(homography=homography / homography[2, 2])


def match_frames(raw: np.ndarray, photo: np.ndarray, guess: np.ndarray | None = None) -> Match:
    """Matches two pictures at their full resolution.

    Args:
        raw: (H, W, 3) uint8, the developed raw.
        photo: (h, w, 3) uint8, best at about the raw's scale.
        guess: (3, 3), a rough homography: partners are looked for within a fiftieth of the frame around what it says.

    Raises:
        MatchError: Too few matches agree, or they agree on what no two cameras see.
    """
    first, second = (detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in (raw, photo))
    if min(len(first.at), len(second.at)) < LEAST_INLIERS:
        counts = f'{len(first.at)} key points in the raw, {len(second.at)} in the photo'
        raise MatchError(f'hardly anything to match: {counts}')
    allowed = None
    if guess is not None:
        radius = max(raw.shape) / 50 * scale_of(guess, raw.shape)
        allowed = project(guess, first.at), second.at, radius
    one, other = match_descriptors(first.descriptors, second.descriptors, allowed).T
    return fit_homography(first.at[one], second.at[other], first.sizes[one], raw.shape)


def detect(grey: np.ndarray) -> Keypoints:
    """SIFT on a picture (H, W) uint8, tile by tile."""
    height, width = grey.shape
    starts = [(y, x) for y in range(0, height, TILE) for x in range(0, width, TILE)]
    # precise_upscale: without it, OpenCV's key points are off by a quarter of a pixel
    sift = cv2.SIFT_create(
        max(MAX_KEYPOINTS // len(starts), 100), contrastThreshold=0.02, enable_precise_upscale=True
    )
    parts = [Keypoints(np.empty((0, 2)), np.empty(0), np.empty((0, 128), np.float32))]
    for y, x in starts:
        top, left = max(y - TILE_MARGIN, 0), max(x - TILE_MARGIN, 0)
        tile = grey[top : y + TILE + TILE_MARGIN, left : x + TILE + TILE_MARGIN]
        found, described = sift.detectAndCompute(tile, None)
        if found:
            at = np.array([point.pt for point in found]) + (left, top)
            inside = ((at >= (x, y)) & (at < (x + TILE, y + TILE))).all(axis=1)
            sizes = np.array([point.size for point in found])
            parts.append(Keypoints(at[inside], sizes[inside], described[inside]))
    return Keypoints(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def match_descriptors(
    first: np.ndarray, second: np.ndarray, allowed: tuple[np.ndarray, np.ndarray, float] | None = None
) -> np.ndarray:
    """Nearest neighbours that are mutual and pass Lowe's ratio test.

    OpenCV's descriptors are whole numbers up to 255, so that their products are exact in float32, whatever the order
    of summation: the same matches everywhere.

    Args:
        first: (N, 128).
        second: (M, 128).
        allowed: Where the first are expected (N, 2), where the second are (M, 2), and how far these may be apart.

    Returns:
        (K, 2) indices.
    """
    nearest, good = np.zeros(len(first), int), np.zeros(len(first), bool)
    back, closest = np.full(len(second), -1), np.full(len(second), np.inf, np.float32)
    columns = np.arange(len(second))
    for start in range(0, len(first), CHUNK):
        rows = slice(start, start + CHUNK)
        distances = _squared_distances(first[rows], second)
        if allowed is not None:
            expected, found, radius = allowed
            distances[_squared_distances(expected[rows], found) > radius**2] = np.inf
        nearest[rows] = distances.argmin(axis=1)
        two = np.partition(distances, 1, axis=1)[:, :2]
        good[rows] = np.isfinite(two[:, 0]) & (two[:, 0] < RATIO**2 * two[:, 1])
        best = distances.argmin(axis=0)
        closer = distances[best, columns] < closest
        back[closer], closest[closer] = start + best[closer], distances[best, columns][closer]
    good &= back[nearest] == np.arange(len(first))
    return np.stack([np.flatnonzero(good), nearest[good]], axis=1)


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) of points (N, D) and (M, D), float32."""
    first, second = first.astype(np.float32), second.astype(np.float32)
    return (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * (first @ second.T)


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


def match_pair(raw: np.ndarray, photo: np.ndarray) -> tuple[Match, np.ndarray, np.ndarray]:
    """Matches a raw and a photo of any size: roughly, then at the raw's full resolution.

    Args:
        raw: (H, W, 3) uint8, the developed raw.
        photo: (h, w, 3) uint8.

    Returns:
        The match; the photo, shrunk to the raw's scale if it is larger, so that sampling it at the raw's pixels leaves
        no aliases; and the homography from the raw to the photo so shrunk.

    Raises:
        MatchError: Too little in common.
    """
    rough = match_roughly(raw, photo)
    scale = scale_of(rough.homography, raw.shape)
    scaled, to_scaled = shrink(photo, 1 / scale) if scale > SHRINK_FROM else (photo, np.eye(3))
    if max(*raw.shape, *scaled.shape) <= ROUGH_SIZE:
        return rough, scaled, to_scaled @ rough.homography
    match = match_frames(raw, scaled, to_scaled @ rough.homography)
    homography = np.linalg.inv(to_scaled) @ match.homography
    return match._replace(homography=homography / homography[2, 2]), scaled, match.homography
