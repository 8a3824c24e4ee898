"""Dead leaves: pictures of nothing, with the edges, occlusions and spectrum of photographs."""

from __future__ import annotations

import cv2
import numpy as np

OVERSAMPLING = 2  # drawn larger and averaged, so that outlines are antialiased


def dead_leaves(rng: np.random.Generator, size: tuple[int, int], leaves: int = 160) -> np.ndarray:
    """Draws a picture of leaves that lie on each other, with texture on them.

    Ellipses and polygons whose radii follow the power law r^-3, which makes the picture's statistics scale-free as
    those of photographs are (Lee, Mumford & Huang, *Occlusion Models for Natural Images*, IJCV 2001). Each leaf has
    a colour and a contrast of its own, at which a texture of noise in octaves is seen.

    Args:
        rng: Source of randomness.
        size: Height and width in pixels.
        leaves: How many are drawn; the later ones lie on top.

    Returns:
        (H, W, 3) float32 in [0, 1], to be read as gamma-encoded.
    """
    height, width = (OVERSAMPLING * length for length in size)
    canvas = np.empty((height, width, 4), np.float32)  # three colours and the texture's contrast
    canvas[:] = (*rng.random(3), rng.uniform(0, 0.4))
    for radius in power_law(rng, leaves, 0.02 * min(height, width), 0.4 * min(height, width)):
        outline = leaf_outline(rng, radius, (height, width))
        cv2.fillPoly(canvas, [outline], (*rng.random(3), rng.uniform(0, 0.4)))
    canvas = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    texture = octaves(rng, size, rng.uniform(0.4, 0.9))[..., None]
    return np.clip(canvas[..., :3] + canvas[..., 3:] * texture, 0, 1)


def power_law(rng: np.random.Generator, count: int, smallest: float, largest: float) -> np.ndarray:
    """Radii with the density r^-3 between two limits."""
    low, high = largest**-2, smallest**-2
    return rng.uniform(low, high, count) ** -0.5


def leaf_outline(rng: np.random.Generator, radius: float, size: tuple[int, int]) -> np.ndarray:
    """The corners of a leaf, (corners, 2) int32, x then y: an ellipse, or a polygon of a few corners."""
    corners = 32 if rng.random() < 0.5 else int(rng.integers(3, 8))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
    squeeze, turn = rng.uniform(0.4, 1), rng.uniform(0, np.pi)
    points = radius * np.stack([np.cos(angles), squeeze * np.sin(angles)])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = rng.random(2) * size[::-1]
    return np.round((rotation @ points).T + centre).astype(np.int32)


def octaves(rng: np.random.Generator, size: tuple[int, int], persistence: float) -> np.ndarray:
    """Noise in octaves, (H, W) float32 of mean 0 and deviation 1.

    Args:
        rng: Source of randomness.
        size: Height and width.
        persistence: Amplitude of an octave as a fraction of that of the next coarser one.
    """
    noise = np.zeros(size, np.float32)
    for octave in range(6):
        cells = [max(2, length >> (5 - octave)) for length in size]
        coarse = rng.standard_normal(cells, np.float32)
        noise += persistence**octave * cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / max(noise.std(), 1e-6)
