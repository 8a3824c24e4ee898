"""Flow as colours: the direction as hue, the length as saturation."""

from __future__ import annotations

import numpy as np

# Steps from one pure colour to the next around the wheel, finer where the eye tells hues apart better:
# red to yellow, to green, to cyan, to blue, to magenta, and back (Baker et al., IJCV 2011).
STEPS = (15, 6, 4, 11, 13, 6)
PURE = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], float)
BEYOND = 0.75  # what lies beyond the full scale is darkened by this


def colour_wheel() -> np.ndarray:
    """The 55 colours of the wheel, (55, 3) in [0, 1]."""
    arcs = [
        start + (end - start) * np.arange(steps)[:, None] / steps
        for start, end, steps in zip(PURE[:-1], PURE[1:], STEPS, strict=True)
    ]
    return np.concatenate(arcs)


def flow_to_color(flow: np.ndarray, full_scale: float | None = None) -> np.ndarray:
    """A flow field in the colours of the Middlebury benchmark.

    Baker et al., *A Database and Evaluation Methodology for Optical Flow*, IJCV 2011: no motion is white, motion
    to the right is red, downwards yellow-green, and so on round the wheel.

    >>> flow_to_color(np.zeros((2, 1, 1)))
    array([[[255, 255, 255]]], dtype=uint8)

    Args:
        flow: (2, H, W), x then y, in pixels; not finite where it is not known, which is shown black.
        full_scale: Length of the fully saturated colours; None for the longest known vector.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: Wrong shape, or a scale that is not positive.
    """
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f'flow: expected the shape (2 H W), found {tuple(flow.shape)}.')
    if full_scale is not None and full_scale <= 0:
        raise ValueError(f'full_scale: expected a positive length, found {full_scale}.')
    known = np.isfinite(flow).all(axis=0)
    x, y = np.where(known, flow, 0).astype(float)
    length = np.hypot(x, y)
    length /= full_scale or max(length.max(), 1e-9)
    wheel = colour_wheel()
    place = (np.arctan2(-y, -x) / np.pi + 1) / 2 * (len(wheel) - 1)
    lower = np.floor(place).astype(int)
    part = (place - lower)[..., None]
    hue = (1 - part) * wheel[lower] + part * wheel[(lower + 1) % len(wheel)]
    inside = (length <= 1)[..., None]
    colours = np.where(inside, 1 - length[..., None] * (1 - hue), hue * BEYOND)
    return (np.floor(255 * colours) * known[..., None]).astype(np.uint8)
