"""Alignment of the target by key points: the way the pairs of the Zurich data set were made."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from rawtoolbox.aligners.base import Aligned
from rawtoolbox.aligners.flow_aligner import warp_target
from rawtoolbox.ops.checks import check_finite, check_shape
from rawtoolbox.ops.colour import gamma_encode, luminance, match_exposure
from rawtoolbox.ops.geometry import homography_flow
from rawtoolbox.ops.resize import shrink
from rawtoolbox.registry import ALIGNERS

METHODS = {'ransac': cv2.RANSAC, 'usac': cv2.USAC_MAGSAC}
FALLBACKS = ('identity', 'error')


class NoHomography(ValueError):
    """Two images between which no homography can be found; the message says why."""


@ALIGNERS.register_module()
class HomographyAligner(nn.Module):
    """Warps the target onto the source by one homography, found from SIFT key points.

    The baseline of table 3 in Zhang et al., *Learning RAW-to-sRGB Mappings with Inaccurately Aligned Supervision*,
    ICCV 2021: Lowe's SIFT (IJCV 2004) with his ratio test, and a robust fit. It knows neither parallax nor objects
    at other depths. The key points are looked for in luma: of the gamma-encoded source at the target's mean
    brightness, and of the target at the source's size.

    Args:
        ratio: A match counts when the second best is so much farther: distances below this ratio.
        threshold: Distance in pixels up to which a match agrees with a homography.
        method: ``'usac'`` (MAGSAC++, Barath et al., CVPR 2020) or ``'ransac'``.
        min_inliers: Matches that have to agree, at least 4.
        fallback: What is done about a pair without a homography: ``'identity'`` takes its target as it is and
            warns; ``'error'`` raises. Both say why there is none.

    Raises:
        ValueError: Another ``method`` or ``fallback``, or a number out of range.
    """

    def __init__(
        self,
        ratio: float = 0.75,
        threshold: float = 2.0,
        method: Literal['usac', 'ransac'] = 'usac',
        min_inliers: int = 12,
        fallback: Literal['identity', 'error'] = 'identity',
    ) -> None:
        super().__init__()
        for name, value, known in (('method', method, METHODS), ('fallback', fallback, FALLBACKS)):
            if value not in known:
                raise ValueError(f'{name}: expected one of {", ".join(known)}, found {value!r}.')
        if not 0 < ratio <= 1 or threshold <= 0 or min_inliers < 4:
            raise ValueError(
                'expected a ratio in (0, 1], a positive threshold and min_inliers of at least 4, '
                f'found {ratio}, {threshold} and {min_inliers}.'
            )
        self.ratio, self.threshold, self.method = ratio, threshold, method
        self.min_inliers, self.fallback = min_inliers, fallback

    @torch.no_grad()
    def forward(
        self, source: Tensor, target: Tensor, coord: Tensor | None = None, prediction: Tensor | None = None
    ) -> Aligned:
        """Lines the target up with the source.

        Args:
            source: Demosaicked raw, linear, (N, 3, H, W).
            target: sRGB image of the scene, (N, 3, sH, sW) in [0, 1].
            coord: Not looked at.
            prediction: Not looked at.

        Returns:
            The aligned target, its mask, and the homography as a flow; zero where the fallback is the identity.

        Raises:
            ValueError: Shapes that do not fit, values that are not finite, or, with ``fallback='error'``, a pair
                without a homography.
        """
        sizes = check_shape(source, 'N 3 H W', 'source')
        check_shape(target, f'{sizes["N"]} 3 _ _', 'target')
        check_finite(source, 'source')
        check_finite(target, 'target')
        small = shrink(target, source.shape[-2:])
        encoded = match_exposure(gamma_encode(source), small)
        with ThreadPoolExecutor(min(sizes['N'], os.cpu_count() or 1)) as pool:
            flows = list(pool.map(self._flow, grey_8bit(encoded), grey_8bit(small), range(sizes['N'])))
        flow = torch.from_numpy(np.stack(flows)).to(source)
        return Aligned(*warp_target(target, flow), flow)

    def loss(self, aligned: Aligned) -> dict[str, Tensor]:
        """Nothing to learn."""
        return {}

    def _flow(self, first: np.ndarray, second: np.ndarray, index: int) -> np.ndarray:
        """The homography between two grey images as a flow, or what the fallback says."""
        try:
            matrix = find_homography(
                first, second, self.ratio, self.threshold, METHODS[self.method], self.min_inliers
            )
        except NoHomography as error:
            message = f'HomographyAligner: no homography for pair {index} of the batch: {error}'
            if self.fallback == 'error':
                raise ValueError(f"{message} fallback='identity' takes such targets as they are.") from error
            warnings.warn(f'{message} Its target is taken as it is.', stacklevel=2)
            matrix = np.eye(3)
        return homography_flow(matrix, first.shape).astype(np.float32)


def find_homography(
    first: np.ndarray, second: np.ndarray, ratio: float, threshold: float, method: int, min_inliers: int
) -> np.ndarray:
    """The homography from positions of one image to positions of another.

    Args:
        first: (H, W) uint8.
        second: (H', W') uint8.
        ratio: Of Lowe's test.
        threshold: Pixels.
        method: OpenCV's number of a robust method.
        min_inliers: Matches that have to agree.

    Returns:
        (3, 3) float64, acting on (x, y, 1) in pixels.

    Raises:
        NoHomography: Too few key points, matches or agreeing matches, or a homography that folds the image.
    """
    start, end = match_key_points(first, second, ratio)
    if len(start) < min_inliers:
        raise NoHomography(f'{len(start)} matches pass the ratio test, expected at least {min_inliers}.')
    matrix, inliers = cv2.findHomography(start, end, method, threshold, maxIters=5000, confidence=0.999)
    count = 0 if matrix is None else int(inliers.sum())
    if count < min_inliers:
        raise NoHomography(f'{count} of {len(start)} matches agree, expected at least {min_inliers}.')
    if not keeps_shape(matrix, first.shape):
        raise NoHomography(f'the one that {count} of {len(start)} matches agree on folds the image.')
    return matrix


def match_key_points(first: np.ndarray, second: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 2) float32, x then y, of matching SIFT key points of two images.

    Raises:
        NoHomography: An image has no two key points.
    """
    found = [
        cv2.SIFT_create(contrastThreshold=0.02).detectAndCompute(image, None) for image in (first, second)
    ]
    for (points, _), name in zip(found, ('source', 'target'), strict=True):
        if len(points) < 2:
            raise NoHomography(f'the {name} has {len(points)} key points: it is flat, or too small.')
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(found[0][1], found[1][1], k=2)
    good = [best for best, second_best in pairs if best.distance < ratio * second_best.distance]
    start = [found[0][0][match.queryIdx].pt for match in good]
    end = [found[1][0][match.trainIdx].pt for match in good]
    return np.float32(start).reshape(-1, 2), np.float32(end).reshape(-1, 2)


def keeps_shape(matrix: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the image of a rectangle is convex, not mirrored, and between a quarter and four times its area."""
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float)
    moved = corners @ matrix.T
    if not np.isfinite(moved).all() or (moved[:, 2] <= 0).any():
        return False
    quad = moved[:, :2] / moved[:, 2:]
    sides = np.roll(quad, -1, 0) - quad
    turns = sides[:, 0] * np.roll(sides, -1, 0)[:, 1] - sides[:, 1] * np.roll(sides, -1, 0)[:, 0]
    area = abs(cv2.contourArea(quad.astype(np.float32))) / (height * width)
    return bool((turns > 0).all() and 0.25 < area < 4)


def grey_8bit(images: Tensor) -> np.ndarray:
    """Luma of images in [0, 1], (N, H, W) uint8."""
    luma = luminance(images.float()).squeeze(1)
    return luma.mul(255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
