"""Pairs whose displacement is known, rendered in memory: what aligners are measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from rawtoolbox.ops.coord import coord_map
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.simulation.cameras import SimulationConfig, dslr_photo, linearise, phone_exposure, phone_raw
from rawtoolbox.simulation.photographs import Photograph, locate, read_photograph
from rawtoolbox.simulation.scene import draw_scene, render_scene

HELD_OUT_SEED = 1  # the data sets on disk are drawn from 0 unless told otherwise
DISPARITY = Photograph('skimage', 'data/motorcycle_disp.npz')
RIGHT = Photograph('skimage', 'data/motorcycle_right.png')
STEREO_SCALE = 1 / 3  # disparities of 7 to 60 pixels become 2.4 to 20

Coord = Literal['frame', 'patch']


class AlignmentPair(NamedTuple):
    """A raw and its target, and where they truly belong; all with a batch dimension of 1.

    Attributes:
        name: Of the pair.
        source: Demosaicked raw, linear, (1, 3, H, W).
        target: The photo, (1, 3, H, W) in [0, 1].
        coord: Coordinates of the source's pixels, (1, 2, H, W).
        aligned: The photo at the source's pixels, (1, 3, H, W).
        flow: From the source's positions to the target's, (1, 2, H, W) in pixels.
        valid: 1 where the flow is known and ends inside the target, (1, 1, H, W).
    """

    name: str
    source: Tensor
    target: Tensor
    coord: Tensor
    aligned: Tensor
    flow: Tensor
    valid: Tensor


def simulated_pairs(
    config: SimulationConfig, scenes: int = 3, coord: Coord = 'frame', whole: bool = False
) -> Iterator[AlignmentPair]:
    """One patch, the middle one, of some scenes of each held-out photograph.

    Args:
        config: Of the simulation. The same seed gives the same scenes and displacements (up to their length)
            whatever its colours and noise are.
        scenes: How many of each of ``config.test_photographs``.
        coord: Coordinates in the frame, or in the patch; as in ``RawPreprocessor``.
        whole: Whether to give the whole frame instead of a patch.
    """
    for photograph in config.test_photographs:
        for index in range(scenes):
            scene = draw_scene(config, photograph, index)
            pair, origins = render_scene(config, scene), scene.origins(config.patch_size)
            size = scene.frame_size if whole else (config.patch_size, config.patch_size)
            row, column = origin = (0, 0) if whole else origins[len(origins) // 2]
            window = (slice(row, row + size[0]), slice(column, column + size[1]))
            place = coord_map(*size, origin, scene.frame_size) if coord == 'frame' else coord_map(*size)
            yield make_pair(
                f'{photograph}-{index}',
                pair.mosaic[window],
                through_jpeg(pair.target[window], config.jpeg_quality),
                pair.aligned[window],
                pair.flow[(slice(None), *window)],
                place,
                config,
            )


def stereo_pair(config: SimulationConfig | None = None) -> AlignmentPair:
    """scikit-image's motorcycle (Middlebury 2014): the left image turned into a raw, the right one the photo.

    Real disparity with real occlusions: both images were taken by cameras of one kind, so the photo at the left
    camera's place is known too. At a third of its size, so that no disparity is above 20 pixels.

    Args:
        config: Of the simulation; its colours and noise are used. None for the default.

    Raises:
        FileNotFoundError: scikit-image is missing, or its wheel lacks a file.
    """
    config = config or SimulationConfig()
    left = read_photograph('motorcycle_left')
    right = cv2.imread(str(locate(RIGHT)), cv2.IMREAD_COLOR_RGB).astype(np.float32) / 255
    with np.load(locate(DISPARITY), allow_pickle=False) as file:
        disparity = file['arr_0']
    height, width = (int(length * STEREO_SCALE) // 2 * 2 for length in disparity.shape)
    left, right = (
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in (left, right)
    )
    known = cv2.resize(np.where(np.isfinite(disparity), disparity, np.nan), (width, height), interpolation=0)
    flow = np.stack([-known * width / disparity.shape[1], np.zeros_like(known)])
    gains = np.array([np.mean(config.red_gain), 1, np.mean(config.blue_gain)])
    light = (float(np.mean(config.exposure)), float(np.mean(config.corner_light)))
    signal = phone_exposure(linearise(left), config, gains, *light)
    mosaic = phone_raw(signal, config, np.random.default_rng(config.seed))
    photos = [np.round(dslr_photo(linearise(view), config) * 255).astype(np.uint8) for view in (right, left)]
    target = through_jpeg(photos[0], config.jpeg_quality)
    return make_pair('motorcycle-stereo', mosaic, target, photos[1], flow, coord_map(height, width), config)


def make_pair(
    name: str,
    mosaic: np.ndarray,
    target: np.ndarray,
    aligned: np.ndarray,
    flow: np.ndarray,
    coord: Tensor,
    config: SimulationConfig,
) -> AlignmentPair:
    """The tensors of a pair, as the preprocessor makes them; a flow of NaN is not known."""
    linear = normalize_levels(
        torch.from_numpy(mosaic.astype(np.float32))[None, None], config.black_level, config.white_level
    )
    photo, exact = (
        torch.from_numpy(np.ascontiguousarray(i)).permute(2, 0, 1)[None] / 255 for i in (target, aligned)
    )
    height, width = mosaic.shape
    y, x = np.mgrid[:height, :width] + flow[::-1]
    valid = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)  # False for NaN
    truth = torch.from_numpy(np.where(valid, flow, 0).astype(np.float32))[None]
    inside = torch.from_numpy(valid)[None, None].float()
    return AlignmentPair(name, demosaic_bilinear(linear), photo, coord[None], exact, truth, inside)


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB as a JPEG file of 4:4:4 gives it back."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    encoded = cv2.imencode('.jpg', image[..., ::-1], options)[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)


def held_out(**changes: object) -> SimulationConfig:
    """The default simulation with patches of 256 pixels, of scenes that no data set on disk holds."""
    return replace(SimulationConfig(seed=HELD_OUT_SEED, patch_size=256), **changes)
