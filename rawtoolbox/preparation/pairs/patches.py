"""Where patches are cut from a matched pair, and how each is lined up once more."""

from __future__ import annotations

import cv2
import numpy as np

from rawtoolbox.flow.dis import local_contrast
from rawtoolbox.preparation.agreement import LUMA
from rawtoolbox.preparation.pairs.homography import frame_corners, project

SAMPLING_MARGIN = 4  # pixels that Lanczos interpolation reaches around a position
CONTRAST_WINDOW = 6  # standard deviation of what local contrast is measured in, pixels


def grid(
    frame_size: tuple[int, int],
    photo_size: tuple[int, int],
    homography: np.ndarray,
    patch_size: int,
    stride: int,
    margin: int,
) -> list[tuple[int, int]]:
    """Origins of all patches of a grid that lie in both pictures.

    Args:
        frame_size: Height and width of the raw frame.
        photo_size: Those of the photo.
        homography: (3, 3) from the raw frame to the photo.
        patch_size: Side of a patch, even.
        stride: From one patch to the next, even.
        margin: Pixels around a patch that the photo has to show as well.

    Returns:
        (row, column) of each, even, so that every patch has the frame's Bayer phase. Of nine places of the grid on
        the overlap the one is taken that has most patches.
    """
    inner = frame_corners(photo_size, -margin)
    box = _overlap_box(frame_size, inner, homography)
    if box is None:
        return []
    low, high = inner[0], inner[2]
    corners = frame_corners((patch_size, patch_size))

    def seen(row: int, column: int) -> bool:
        at = project(homography, corners + (column, row))
        return bool(((at >= low) & (at <= high)).all())

    rows, columns = (_placings(*limits, patch_size, stride) for limits in box)
    grids = [
        [(row, column) for row in some for column in others if seen(row, column)]
        for some in rows
        for others in columns
    ]
    return max(grids, key=len, default=[])


def cut_photo(
    photo: np.ndarray,
    homography: np.ndarray,
    origin: tuple[int, int],
    size: int,
    shift: tuple[float, float] = (0, 0),
    margin: int = 0,
) -> np.ndarray:
    """The photo at the pixels of a patch of the raw, sampled once, by Lanczos interpolation (8x8).

    Args:
        photo: (h, w, 3) uint8.
        homography: (3, 3) from the raw frame to the photo.
        origin: Row and column of the patch.
        size: Its side.
        shift: (x, y): the pixel ``p`` of the patch is taken from ``homography(p + shift)``.
        margin: Pixels around the patch to be given as well.

    Returns:
        (size + 2 margin, size + 2 margin, 3) uint8.
    """
    row, column = origin
    to_frame = np.array([[1, 0, column - margin + shift[0]], [0, 1, row - margin + shift[1]], [0, 0, 1]])
    side = size + 2 * margin
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        photo, homography @ to_frame, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )


def find_shift(source: np.ndarray, wide: np.ndarray) -> tuple[float, float]:
    """Where a raw patch is found in the photo around it: the peak of their normalised cross-correlation.

    What is correlated is local contrast, which colours, exposure and vignetting leave alone.

    Args:
        source: (H, W, 3) uint8.
        wide: (H + 2m, W + 2m, 3) uint8, the photo with a margin of m pixels, which is how far is searched.

    Returns:
        (x, y) in pixels, to fractions: a parabola through the peak and its neighbours.
    """
    first, second = (
        local_contrast(image.astype(np.float32) / 255 @ LUMA, CONTRAST_WINDOW) for image in (source, wide)
    )
    scores = cv2.matchTemplate(second.astype(np.float32), first.astype(np.float32), cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    middle = (scores.shape[0] - 1) / 2
    return (
        float(column + _vertex(scores[row], column) - middle),
        float(row + _vertex(scores[:, column], row) - middle),
    )


def _overlap_box(
    frame_size: tuple[int, int], photo_corners: np.ndarray, homography: np.ndarray
) -> list[tuple[int, int]] | None:
    """First and last row, and first and last column, of what the photo shows of the frame."""
    photo = project(np.linalg.inv(homography), photo_corners).astype(np.float32)
    area, overlap = cv2.intersectConvexConvex(frame_corners(frame_size).astype(np.float32), photo)
    if area <= 0 or overlap is None:
        return None
    x, y = overlap.reshape(-1, 2).T
    return [(int(np.ceil(values.min())), int(values.max())) for values in (y, x)]


def _placings(first: int, last: int, patch_size: int, stride: int) -> list[range]:
    """Even starts of as many patches as fit between two positions: in the middle, at one end and at the other."""
    room = last - first + 1 - patch_size
    if room < 0:
        return []
    starts = (first + offset for offset in (room % stride // 2, 0, room % stride))
    return [range(start + start % 2, last - patch_size + 2, stride) for start in starts]


def _vertex(values: np.ndarray, peak: int) -> float:
    """Where the parabola through a peak and its neighbours has its vertex, from the peak; 0 at an end."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, at, after = (float(values[peak + step]) for step in (-1, 0, 1))
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
