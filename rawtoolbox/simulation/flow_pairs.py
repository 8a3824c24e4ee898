"""Pairs that flow estimators learn from: what an aligner compares, and the true displacement between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import torch

from rawtoolbox.files.images import read_photo
from rawtoolbox.ops.colour import gamma_encode, match_exposure
from rawtoolbox.ops.colour_fit import fit_colours
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.simulation.cameras import SimulationConfig, dslr_photo, linearise, phone_exposure, phone_raw
from rawtoolbox.simulation.dead_leaves import dead_leaves
from rawtoolbox.simulation.displacement import draw_flow
from rawtoolbox.simulation.photographs import PHOTOGRAPHS, read_photograph

MARGIN = 4  # pixels beyond the largest displacement, for interpolation and blur
LOOKS = {'mapped': 0.55, 'raw': 0.3, 'photo': 0.15}  # how often the phone's side looks like what


class FlowPair(NamedTuple):
    """Two images, and where the first is found in the second.

    Attributes:
        first: (H, W, 3) uint8 RGB.
        second: (H, W, 3) uint8 RGB.
        flow: (2, H, W) float32, x then y, in pixels: ``first(p)`` shows what ``second(p + flow(p))`` shows.
    """

    first: np.ndarray
    second: np.ndarray
    flow: np.ndarray


def draw_flow_pair(
    rng: np.random.Generator,
    photographs: tuple[str, ...],
    size: int,
    max_displacement: float = 20,
    leaves: float = 0.3,
    looks: Mapping[str, float] | None = None,
) -> FlowPair:
    """Draws a pair as an aligner meets it: a raw, or what a colour mapper makes of it, and a DSLR's photo.

    The two differ as in :mod:`rawtoolbox.simulation.scene`, but every camera is another one: matrix, light, exposure,
    noise, blur, rendering and sharpening are drawn anew. The phone's side is as it is (raw), in colours fitted to
    the photo but not perfectly (mapped), or in the photo's own. In a quarter of the pairs the sides are exchanged.

    Args:
        rng: Source of randomness.
        photographs: Those to use: names of bundled ones, or paths of files.
        size: Height and width in pixels, even.
        max_displacement: Upper limit of the largest displacement in pixels; small ones are drawn more often.
        leaves: Share of pairs that show dead leaves instead of a photograph.
        looks: How often the phone's side looks like what, of ``LOOKS``, which None stands for; they sum to 1.
    """
    border = int(np.ceil(max_displacement)) + MARGIN
    side = size + 2 * border
    if rng.random() < leaves:
        picture = dead_leaves(rng, (side, side))
    else:
        picture = cut_photograph(rng, read_cached(photographs[rng.integers(len(photographs))]), side)
    light = linearise(picture)
    flow = draw_flow(rng, (size, size), max_displacement * rng.uniform(0.02, 1) ** 2)
    y, x = np.mgrid[border : border + size, border : border + size].astype(np.float32)
    moved = cv2.remap(light, x + flow[0], y + flow[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    still = light[border : border + size, border : border + size]
    camera = draw_cameras(rng)
    exchanged = rng.random() < 0.25
    phone_light, photo_light = (still, moved) if exchanged else (moved, still)
    photo, same_view = (dslr_photo(np.clip(view, 0, 1), camera) for view in (photo_light, phone_light))
    phone = phone_image(rng, np.clip(phone_light, 0, 1), photo, same_view, camera, looks)
    first, second = (photo, phone) if exchanged else (phone, photo)
    return FlowPair(to_8bit(first), to_8bit(second), flow)


def cut_photograph(rng: np.random.Generator, photograph: np.ndarray, side: int) -> np.ndarray:
    """A square part of a photograph, (side, side, 3): turned, mirrored, at a scale of 0.6 to 1.4, recoloured."""
    scale, angle = 0.6 * (1.4 / 0.6) ** rng.random(), rng.uniform(-30, 30) + 90 * rng.integers(4)
    height, width = photograph.shape[:2]
    centre = (rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height)
    matrix = cv2.getRotationMatrix2D(centre, angle, scale)
    matrix[:, 2] += side / 2 - np.array(centre)
    if rng.random() < 0.5:
        photograph, matrix[:, 0] = photograph[:, ::-1], -matrix[:, 0]
        matrix[:, 2] -= matrix[:, 0] * (width - 1)
    picture = cv2.warpAffine(
        photograph, matrix, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101
    )
    channels = rng.permutation(3) if rng.random() < 0.3 else [0, 1, 2]
    return np.clip(picture[..., channels], 0, 1) ** rng.uniform(0.7, 1.4)


def draw_cameras(rng: np.random.Generator) -> SimulationConfig:
    """Two cameras, wider in everything than those that pairs are simulated with."""
    return SimulationConfig(
        noise=10 ** rng.uniform(-4.3, -2),
        colour_strength=min(rng.uniform(0, 1.4), 1),
        phone_blur=rng.uniform(0.3, 1.2),
        sharpening=rng.uniform(0, 1),
        saturation=rng.uniform(0.8, 1.7),
        warmth=tuple(rng.uniform(0.65, 1, 3)),
    )


def phone_image(
    rng: np.random.Generator,
    light: np.ndarray,
    photo: np.ndarray,
    same_view: np.ndarray,
    camera: SimulationConfig,
    looks: Mapping[str, float] | None = None,
) -> np.ndarray:
    """The phone's side of a pair, (H, W, 3) in [0, 1], in one of the looks.

    Args:
        rng: Source of randomness.
        light: What the phone sees, linear.
        photo: The other side, which the exposure of a raw is matched to.
        same_view: The photo that the DSLR would have taken in the phone's place.
        camera: Both cameras.
        looks: As for :func:`draw_flow_pair`.
    """
    looks = looks or LOOKS
    look = rng.choice(list(looks), p=list(looks.values()))
    if look == 'photo':
        blurred = cv2.GaussianBlur(same_view, (0, 0), camera.phone_blur)
        return blurred + np.sqrt(camera.noise) * rng.standard_normal(blurred.shape, np.float32)
    gains = np.array([rng.uniform(1.3, 2.6), 1, rng.uniform(1.3, 2.6)])
    signal = phone_exposure(light, camera, gains, rng.uniform(0.3, 1), rng.uniform(0.25, 1))
    mosaic = torch.from_numpy(phone_raw(signal, camera, rng).astype(np.float32))[None, None]
    linear = demosaic_bilinear(normalize_levels(mosaic, camera.black_level, camera.white_level))
    encoded, other, wanted = gamma_encode(linear), to_tensor(photo), to_tensor(same_view)
    raw = match_exposure(encoded, other)
    if look == 'raw':
        return to_array(raw)
    fitted = fit_colours(encoded.clamp(max=1), wanted, torch.ones_like(wanted[:, :1]), reweightings=0)
    return to_array(torch.lerp(fitted, raw, rng.uniform(0, 0.4))) ** rng.uniform(0.85, 1.2)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) to (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def to_array(image: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) to (H, W, 3), from 0 to 1."""
    return image[0].permute(1, 2, 0).clamp(0, 1).numpy()


def to_8bit(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


@cache
def read_cached(name: str) -> np.ndarray:
    """A photograph by its name, or by the path of its file; read once a process."""
    if name in PHOTOGRAPHS:
        return read_photograph(name)
    return read_photo(name).astype(np.float32) / 255
