"""Known displacement fields between two cameras that stand side by side.

A field ``flow`` is (2, H, W) float32, x then y, in pixels: what the first camera sees at ``p`` the second has
at ``p + flow(p)``. It is made of what makes real pairs differ: a homography (another place, angle and focal
length), parallax that changes smoothly with the depth of the scene, and objects in front that jump.
"""

from __future__ import annotations

import cv2
import numpy as np

from rawtoolbox.ops.geometry import homography_flow

# cv2.remap knows positions to 1/32 pixel (INTER_TAB_SIZE, OpenCV 4), 16-bit flow files to 1/64.
# A field on this grid is therefore the same in the images, in the file and in memory.
FLOW_STEP = 1 / 32
# Share of each part in the field, as the largest length it can have (before the sum is scaled).
SHARES = {'homography': 1.0, 'parallax': 0.4, 'objects': 0.6}


def draw_flow(rng: np.random.Generator, size: tuple[int, int], max_displacement: float) -> np.ndarray:
    """Draws a displacement field.

    The same generator gives the same field up to its scale, whatever ``max_displacement`` is.

    Args:
        rng: Source of randomness.
        size: Height and width in pixels.
        max_displacement: Largest length in pixels; reached up to a factor drawn from [0.8, 1].

    Returns:
        (2, H, W) float32, in multiples of 1/32 pixel.
    """
    angle = rng.uniform(0, 2 * np.pi)
    baseline = np.array([np.cos(angle), np.sin(angle)])[:, None, None]
    depth = SHARES['parallax'] * smooth_relief(rng, size) + SHARES['objects'] * objects(rng, size)
    flow = SHARES['homography'] * homography_flow(draw_homography(rng, size), size) + baseline * depth
    scale = rng.uniform(0.8, 1) * max_displacement / np.hypot(*flow).max()
    return (np.round(flow * scale / FLOW_STEP) * FLOW_STEP).astype(np.float32)


def draw_homography(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Draws a homography by what it does to the four corners (DeTone et al., *Deep Image Homography*, 2016).

    All corners move by a common shift of 0.6 pixels, so that the field's mean is not zero, and each by up to
    0.2 pixels more along x and along y.

    Returns:
        (3, 3) float64, acting on (x, y, 1) in pixels.
    """
    height, width = size
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    moves = 0.6 * np.array([np.cos(angle), np.sin(angle)]) + rng.uniform(-0.2, 0.2, (4, 2))
    return cv2.getPerspectiveTransform(corners, (corners + moves).astype(np.float32))


def smooth_relief(rng: np.random.Generator, size: tuple[int, int], waves: int = 4) -> np.ndarray:
    """A smooth (H, W) field in [-1, 1]: a few plane waves of half a period to one and a half in the frame."""
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, length) for length in size), indexing='ij')
    relief = np.zeros(size)
    for _ in range(waves):
        angle, periods, phase = rng.uniform([0, 0.5, 0], [2 * np.pi, 1.5, 2 * np.pi])
        relief += np.cos(2 * np.pi * periods * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    return relief / waves


def objects(rng: np.random.Generator, size: tuple[int, int], count: int = 4) -> np.ndarray:
    """An (H, W) field in [-1, 1] of objects, each in front of those before it and all of its own depth.

    Their outlines are smooth curves; across an outline the depth changes within about two pixels.
    """
    depth = np.zeros(size)
    for _ in range(count):
        outline = half_plane if rng.random() < 0.25 else blob
        inside = 1 / (1 + np.exp(np.clip(outline(rng, size) / 0.5, -50, 50)))
        depth += inside * (rng.choice([-1, 1]) * rng.uniform(0.4, 1) - depth)
    return depth


def blob(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Distance (pixels, roughly, negative inside) to the outline of a round shape with three waves in it."""
    height, width = size
    y, x = np.mgrid[:height, :width] - rng.uniform(0, 1, (2, 1, 1)) * np.array(size)[:, None, None]
    angle = np.arctan2(y, x)
    radius = rng.uniform(0.12, 0.28) * min(size)
    waves = sum(rng.uniform(-0.2, 0.2) / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    return np.hypot(x, y) - radius * (1 + waves)


def half_plane(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Distance (pixels, roughly, negative inside) to a wavy line that cuts off up to a third of the frame."""
    height, width = size
    y, x = np.mgrid[:height, :width] - np.array([height / 2, width / 2])[:, None, None]
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    across, along = (x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle))
    wave = 0.04 * min(size) * np.cos(along * 4 * np.pi / min(size) + phase)
    return rng.uniform(0.15, 0.4) * min(size) - across + wave
