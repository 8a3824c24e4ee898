"""Simulated SR-RAW: one camera at seven focal lengths, in the layout of the published data set and of the original.

The camera's raw is that of the simulated phone, its photos are those of the simulated DSLR (``cameras.py``). A
photograph is the whole scene; each focal length sees its middle, the longer the less, and from a slightly
different place, because the camera was touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rawtoolbox.files.layouts import pack_sr_raw, write_sr_pair
from rawtoolbox.raw.dng import write_dng
from rawtoolbox.raw.frame import Exposure
from rawtoolbox.simulation.cameras import (
    XYZ_TO_PHONE,
    SimulationConfig,
    dslr_photo,
    linearise,
    phone_exposure,
    phone_raw,
)
from rawtoolbox.simulation.displacement import draw_flow
from rawtoolbox.simulation.photographs import read_photograph
from rawtoolbox.simulation.scene import draw_scene

SCALE = 4
FOCAL_LENGTHS = (240, 150, 100, 70, 50, 35, 24)  # millimetres, of 00001 to 00007
SONY = {'black_level': 512, 'white_level': 16383, 'bit_depth': 14}


class SRPair(NamedTuple):
    """What the camera makes of one scene at two focal lengths, and the truth.

    Attributes:
        mosaic: (H, W) uint16, the RGGB sensor values at the shorter one.
        photo: (H, W, 3) uint8, the camera's photo at the shorter one.
        target: (4H, 4W, 3) uint8, the photo at the longer one, displaced.
        aligned: (4H, 4W, 3) uint8, the same at the place of the raw.
        flow: (2, H, W) float32, x then y, in sensor pixels of the shorter one.
        gains: White-balance gains of red, green and blue that undo the light.
    """

    mosaic: np.ndarray
    photo: np.ndarray
    target: np.ndarray
    aligned: np.ndarray
    flow: np.ndarray
    gains: tuple[float, float, float]


def sr_config(
    crop: int = 64, max_displacement: float = 2.0, seed: int = 0, noise: float = 1e-4
) -> SimulationConfig:
    """The simulation's configuration for raws of ``crop`` sensor pixels, displaced by so many of them at most."""
    return SimulationConfig(
        seed=seed, patch_size=SCALE * crop, max_displacement=SCALE * max_displacement, noise=noise, **SONY
    )


def render_sr_pair(config: SimulationConfig, photograph: str, index: int) -> SRPair:
    """Takes a scene at two focal lengths.

    Args:
        config: As ``sr_config`` makes it; its ``patch_size`` is the target's.
        photograph: Name of the photograph.
        index: Number of the scene among those of this photograph.
    """
    scene = draw_scene(config, photograph, index)
    rng = np.random.default_rng([config.seed, index, *photograph.encode()])
    side = config.patch_size // SCALE
    image = cv2.resize(
        read_photograph(photograph), None, fx=scene.zoom, fy=scene.zoom, interpolation=cv2.INTER_AREA
    )
    light = linearise(image)
    photo = dslr_photo(light, config)
    flow = draw_flow(rng, (side, side), config.max_displacement / SCALE)
    there = _places(
        scene.corner, config.patch_size, SCALE * cv2.resize(flow.transpose(1, 2, 0), (config.patch_size,) * 2)
    )
    aligned, seen = _sample(photo, there), np.clip(_sample(light, there), 0, 1)
    seen = cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)
    signal = phone_exposure(seen, config, np.array(scene.gains), scene.exposure, scene.corner_light)
    target = _sample(photo, _places(scene.corner, config.patch_size))
    small = cv2.resize(aligned, (side, side), interpolation=cv2.INTER_AREA)
    return SRPair(
        phone_raw(signal, config, rng), *map(_to_uint8, (small, target, aligned)), flow, scene.gains
    )


def simulate_sr_raw(root: str | Path, config: SimulationConfig, scenes: dict[str, int]) -> Path:
    """Writes simulated scenes in the layout that :class:`rawtoolbox.datasets.SRRAWDataset` reads.

    Args:
        root: Folder to make.
        config: As ``sr_config`` makes it.
        scenes: How many scenes each split has; each has the pairs 50/240, 35/150 and 24/100.

    Returns:
        The folder.
    """
    root = Path(root)
    for split, count in scenes.items():
        photographs = config.train_photographs if split == 'train' else config.test_photographs
        for number in range(count):
            pairs = {
                f'{5 + place:05d}': render_sr_pair(
                    config, photographs[number % len(photographs)], 3 * number + place
                )
                for place in range(3)
            }
            write_sr_scene(root / split / f'{number + 1:05d}', pairs, config.black_level, config.white_level)
    return root


def write_sr_scene(folder: Path, pairs: dict[str, SRPair], black_level: float, white_level: float) -> None:
    """Writes a scene's pairs by their names, in the published layout."""
    lines = ['WB']
    for name, pair in pairs.items():
        write_sr_pair(
            folder, name, pack_sr_raw(pair.mosaic, black_level, white_level), pair.target, pair.photo
        )
        red, green, blue = pair.gains
        lines += [f'{name}:', f'{red} {green} {green} {blue}']
    (folder / 'wb.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')


def simulate_original_scene(
    folder: str | Path, size: int = 128, photograph: str = 'china', shake: float = 1.0
) -> Path:
    """Writes a scene in the original layout: 00001 to 00007, each a DNG (for the ARW) and a JPEG.

    Args:
        folder: Folder to make.
        size: Height and width of all images in pixels, even.
        photograph: Name of the photograph.
        shake: How far the camera moves between two shots, in pixels of the 24 mm image.

    Returns:
        The folder.
    """
    folder, config = Path(folder), SimulationConfig(noise=1e-5, colour_strength=1.0, **SONY)
    folder.mkdir(parents=True, exist_ok=True)
    rng, light = np.random.default_rng(0), linearise(read_photograph(photograph))
    gains = (2.1, 1.0, 1.7)
    for number, focal in enumerate(FOCAL_LENGTHS, start=1):
        view = field_of_view(light, focal / FOCAL_LENGTHS[-1], size, shake * rng.uniform(-1, 1, 2))
        signal = phone_exposure(view, config, np.array(gains), 0.85, 0.9)
        write_dng(
            folder / f'{number:05d}.DNG',
            phone_raw(signal, config, rng),
            'RGGB',
            config.black_level,
            config.white_level,
            as_shot_neutral=1 / np.array(gains),
            color_matrix=XYZ_TO_PHONE,
            exposure=Exposure(focal_length=float(focal)),
        )
        jpeg = cv2.imencode(
            '.jpg', _to_uint8(dslr_photo(view, config))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98]
        )[1]
        (folder / f'{number:05d}.JPG').write_bytes(jpeg.tobytes())
    return folder


def field_of_view(light: np.ndarray, zoom: float, size: int, shift: np.ndarray) -> np.ndarray:
    """The middle of a scene at a zoom of 1 or more, (size, size, 3), shifted by pixels of the image at zoom 1."""
    side = min(light.shape[:2])
    scale = side / size / zoom  # scene pixels per image pixel
    centre = np.array(light.shape[1::-1]) / 2 + shift * side / size
    offset = centre - scale * (size - 1) / 2 - 0.5
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if scale > 1:
        light = cv2.GaussianBlur(light, (0, 0), 0.5 * scale)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.clip(
        cv2.warpAffine(light, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101), 0, 1
    )


def _places(corner: tuple[int, int], side: int, flow: np.ndarray | None = None) -> np.ndarray:
    """Positions (side, side, 2) in a photograph, x then y, displaced by a flow (side, side, 2)."""
    y, x = np.mgrid[corner[0] : corner[0] + side, corner[1] : corner[1] + side].astype(np.float32)
    places = np.stack([x, y], axis=-1)
    return places if flow is None else places + flow.astype(np.float32)


def _sample(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """An image at positions: bicubic, reflected at the border."""
    return cv2.remap(image, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    """[0, 1] to 8 bits."""
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
