"""One scene before two cameras that stand side by side, and the truth about their displacement.

The photograph is what the DSLR sees. A displacement ``flow`` is given at the phone's pixels, and the phone
sees ``scene(p + flow(p))``: so the flow from the raw to the photo is exact everywhere, at occlusions too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from zlib import crc32

import cv2
import numpy as np

from rawtoolbox.simulation.cameras import SimulationConfig, dslr_photo, linearise, phone_exposure, phone_raw
from rawtoolbox.simulation.displacement import draw_flow
from rawtoolbox.simulation.photographs import read_photograph, resize, turn_hue


@dataclass(frozen=True)
class Scene:
    """One scene: what of a photograph both cameras look at, and in what light.

    Attributes:
        photograph: Its name.
        index: Number of the scene among those of this photograph.
        flip: Whether the photograph is mirrored.
        zoom: Scale at which it is used.
        corner: Row and column of the frame's corner in the photograph thus scaled.
        frame_size: Height and width of the frame, even.
        offset: Row and column of the first patch in the frame, even.
        gains: White-balance gains of red, green and blue that undo the illuminant.
        exposure: The phone's exposure as a factor.
        corner_light: Light in the corners of the phone's frame, as a fraction.
        hue: Angle by which the photograph's colours are turned, degrees.
    """

    photograph: str
    index: int
    flip: bool
    zoom: float
    corner: tuple[int, int]
    frame_size: tuple[int, int]
    offset: tuple[int, int]
    gains: tuple[float, float, float]
    exposure: float
    corner_light: float
    hue: float = 0.0

    def origins(self, patch_size: int) -> list[tuple[int, int]]:
        """Row and column of each patch: a grid without overlap."""
        rows, columns = (
            range(start, length - patch_size + 1, patch_size)
            for start, length in zip(self.offset, self.frame_size, strict=True)
        )
        return [(row, column) for row in rows for column in columns]


class Pair(NamedTuple):
    """What the two cameras make of one scene, and the truth.

    Attributes:
        mosaic: (H, W) uint16, the phone's RGGB sensor values.
        target: (H, W, 3) uint8, the DSLR's photo before JPEG.
        aligned: (H, W, 3) uint8, the same at the phone's pixels: ``aligned(p) = target(p + flow(p))``.
        flow: (2, H, W) float32, x then y, in pixels.
    """

    mosaic: np.ndarray
    target: np.ndarray
    aligned: np.ndarray
    flow: np.ndarray


def draw_scene(config: SimulationConfig, photograph: str, index: int) -> Scene:
    """Draws a scene; a function of the seed, the photograph's name and the index."""
    rng, _, _, hue_rng = _generators(config, photograph, index)
    height, width = _photograph(photograph).shape[:2]
    border = _border(config)
    needed = (config.patch_size + 2 * border) / min(height, width)
    zoom = max(rng.uniform(*config.zoom), needed)
    room = np.array([round(height * zoom), round(width * zoom)]) - 2 * border
    frame = np.maximum(room * rng.uniform(*config.crop, 2), config.patch_size).astype(int) // 2 * 2
    corner = border + np.floor(rng.random(2) * (room - frame + 1)).astype(int)
    offset = np.floor(rng.random(2) * (frame % config.patch_size // 2 + 1)).astype(int) * 2
    flip, red, blue = rng.random() < 0.5, rng.uniform(*config.red_gain), rng.uniform(*config.blue_gain)
    light = (rng.uniform(*config.exposure), rng.uniform(*config.corner_light))
    places = (tuple(int(value) for value in pair) for pair in (corner, frame, offset))
    hue = float(config.hue * hue_rng.uniform(-1, 1))
    return Scene(photograph, index, bool(flip), float(zoom), *places, (red, 1.0, blue), *light, hue)


def render_scene(config: SimulationConfig, scene: Scene) -> Pair:
    """Takes a scene with both cameras."""
    _, flow_rng, noise_rng, _ = _generators(config, scene.photograph, scene.index)
    photograph = _photograph(scene.photograph)[:, :: -1 if scene.flip else 1]
    light = linearise(turn_hue(resize(np.ascontiguousarray(photograph), scene.zoom), scene.hue))
    flow = draw_flow(flow_rng, scene.frame_size, config.max_displacement)
    photo = _to_uint8(dslr_photo(light, config))
    seen = np.clip(_sample(light, flow, scene), 0, 1)
    signal = phone_exposure(seen, config, np.array(scene.gains), scene.exposure, scene.corner_light)
    (top, left), (height, width) = scene.corner, scene.frame_size
    target = photo[top : top + height, left : left + width]
    aligned = _to_uint8(_sample(photo.astype(np.float32) / 255, flow, scene))
    return Pair(phone_raw(signal, config, noise_rng), target, aligned, flow)


def _sample(image: np.ndarray, flow: np.ndarray, scene: Scene) -> np.ndarray:
    """A whole photograph at the frame's pixels displaced by the flow: bicubic, reflected at the border."""
    (top, left), (height, width) = scene.corner, scene.frame_size
    y, x = np.mgrid[top : top + height, left : left + width].astype(np.float32)
    return cv2.remap(image, x + flow[0], y + flow[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _generators(config: SimulationConfig, photograph: str, index: int) -> list[np.random.Generator]:
    """Independent generators of a scene's geometry and light, its displacement, its noise and its hues."""
    sequence = np.random.SeedSequence(config.seed, spawn_key=(crc32(photograph.encode()), index))
    return [np.random.default_rng(child) for child in sequence.spawn(4)]


def _border(config: SimulationConfig) -> int:
    """Pixels of the photograph kept around a frame; the same for every displacement up to 20 pixels."""
    return max(24, int(np.ceil(config.max_displacement)) + 4)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    """[0, 1] to 8 bits."""
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)


@cache
def _photograph(name: str) -> np.ndarray:
    """A photograph, read once."""
    return read_photograph(name)
