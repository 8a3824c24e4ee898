"""Photographs as a phone would record them, for benchmarks that are also to say what accuracy was paid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rawtoolbox.inference.camera_adaptation import network_input
from rawtoolbox.inference.trained import TrainedNetwork
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.frame import RawFrame, make_frame
from rawtoolbox.simulation.cameras import linearise, phone_exposure, phone_raw
from rawtoolbox.simulation.known_pairs import held_out
from rawtoolbox.simulation.photographs import read_photograph, resize
from rawtoolbox.simulation.scene import draw_scene, render_scene

GAINS, CORNER_LIGHT = (2.0, 1.0, 1.8), 0.7  # of the whole frame


class Sample(NamedTuple):
    """A patch as a network takes it, and what it should give.

    Attributes:
        raw: (1, C, h, w), in the network's convention.
        coord: (1, 2, h, w), of the patch in its frame.
        target: (1, 3, H, W), the other camera's photo, exactly aligned, in [0, 1].
    """

    raw: Tensor
    coord: Tensor
    target: Tensor


def simulated_samples(
    trained: TrainedNetwork, size: int, split: str = 'test', scenes: int = 2
) -> list[Sample]:
    """A patch of each of some scenes of every photograph of a split; no data set on disk holds them.

    Args:
        trained: The network, whose convention the raws follow.
        size: Side of the patch in sensor pixels.
        split: ``'train'`` or ``'test'``.
        scenes: Of each photograph.
    """
    config = held_out(patch_size=size)
    samples = []
    for name in getattr(config, f'{split}_photographs'):
        for index in range(scenes):
            scene = draw_scene(config, name, index)
            pair = render_scene(config, scene)
            frame = make_frame(pair.mosaic, 'RGGB', config.black_level, config.white_level)
            inputs = network_input(linear_mosaic(frame), trained)
            step = pair.mosaic.shape[0] // inputs[0].shape[-2]  # sensor pixels per sample
            row, column = scene.origins(size)[0]
            parts = [slice(start // step, (start + size) // step) for start in (row, column)]
            target = torch.from_numpy(pair.aligned[row : row + size, column : column + size].copy())
            raw, coord = (value[(..., *parts)].contiguous() for value in inputs)
            samples.append(Sample(raw, coord, target.permute(2, 0, 1)[None] / 255))
    return samples


def photographed_frame(height: int, width: int) -> RawFrame:
    """A whole frame of the simulated phone: a photograph enlarged to this size."""
    config = held_out()
    photograph = read_photograph(config.test_photographs[0])
    factor = 1.01 * max(height / photograph.shape[0], width / photograph.shape[1])
    light = linearise(resize(photograph, factor)[:height, :width])
    signal = phone_exposure(light, config, np.array(GAINS), 1.0, CORNER_LIGHT)
    mosaic = phone_raw(signal, config, np.random.default_rng(0))
    return make_frame(mosaic, 'RGGB', config.black_level, config.white_level)
